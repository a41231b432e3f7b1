"""Places for the Minor Planet Center, read by the standard's own schema and converter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ades
import pytest
from ades.psvtoxml import psvtoxml
from lxml import etree

from lightcurve.exports.ades import AdesContext, AdesPlace, ades_psv, ades_xml, name_element

NAN = float("nan")
CONTEXT = AdesContext("G96", "Ä. <Nother> & Co | x", "Reflector", 0.35, "CMO")
PLACE = AdesPlace(
    "433", 2460310.123456, 359.99999999, -0.0000001, 0.12, "Gaia3", 17.234, 0.02, "Sr", 45.0, 3.1,
    60.0, 210,
)  # fmt: skip
PLACES = (
    PLACE,
    replace(PLACE, name="2004 MN4", ra_deg=0.5, dec_deg=89.9, mag=NAN, mag_err=NAN, snr=0.5),
    replace(PLACE, name="C/2023 A3", error_arcsec=0.0, mag_err=0.0, band="", stars=0),
    replace(PLACE, name="my new one!", seeing_arcsec=NAN, exposure_s=0.0),
)


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(
        etree.parse(str(Path(ades.__file__).parent / "data" / "xsd" / "submit.xsd"))
    )


@pytest.mark.parametrize("place", PLACES, ids=lambda p: p.name)
def test_xml_is_valid(place, schema):
    tree = etree.fromstring(ades_xml(CONTEXT, [place]).encode())
    schema.assertValid(tree)
    assert float(tree.findtext(".//dec")) == pytest.approx(place.dec_deg, abs=1e-6)
    assert (float(tree.findtext(".//ra")) - place.ra_deg) % 360 == pytest.approx(0, abs=1e-6)


def test_psv_says_the_same(schema, tmp_path):
    (tmp_path / "a.psv").write_text(ades_psv(CONTEXT, PLACES), encoding="utf-8")
    psvtoxml(str(tmp_path / "a.psv"), str(tmp_path / "a.xml"))
    of_psv = etree.parse(str(tmp_path / "a.xml"))
    schema.assertValid(of_psv)
    of_xml = etree.fromstring(ades_xml(CONTEXT, PLACES).encode())
    texts = [[e.text for e in t.iter() if e.text and e.text.strip()] for t in (of_psv, of_xml)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("1", ("permID", "1")),
        ("2P", ("permID", "2P")),
        ("2004 MN4", ("provID", "2004 MN4")),
        ("(2004 MN4)", ("provID", "2004 MN4")),
        ("C/2023 A3", ("provID", "C/2023 A3")),
        ("|", ("trkSub", "object")),
        ("ZTF0xyz987", ("trkSub", "ZTF0xyz9")),
    ],
)
def test_names(name, element):
    assert name_element(name) == element
