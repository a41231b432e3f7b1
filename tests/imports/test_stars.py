"""Lists of stars: what a file says is filled in where nothing else says it, and told."""

from __future__ import annotations

import os
from threading import Thread

import numpy as np
import pytest

from lightcurve.core.errors import InputError
from lightcurve.core.settings import make_settings
from lightcurve.imports.stars import read_star_list, take_stars

HAT_P_32 = "02:04:10.28,+46:41:16.2"
APERTURES = """.aperture.radius=15.0
.aperture.rback1=27.0
.aperture.rback2=41.0
.multiaperture.isrefstar=false,false,true,true
.multiaperture.xapertures=300.5,410.25,120.0,88.75
.multiaperture.yapertures=200.5,210.25,20.0,444.0
"""
SKY = (
    ".multiaperture.raapertures=31.042825,31.1,31.2,31.3\n"
    ".multiaperture.decapertures=46.687837,46.6,46.5,46.4\n"
)


def taken(tmp_path, text, name="stars.apertures", **sections):
    path = tmp_path / name
    path.write_text(text)
    stars = {"file": str(path)} | sections.pop("stars", {})
    return take_stars(make_settings({"stars": stars, **sections}))


def test_apertures_with_places_give_stars_target_and_radii(tmp_path, caplog):
    with caplog.at_level("INFO", logger="lightcurve"):
        got = taken(tmp_path, APERTURES + SKY)
    assert got.stars.comparisons == ("02:04:48.00,+46:30:00.0", "02:05:12.00,+46:24:00.0")
    assert (got.apertures.radii, got.apertures.annulus) == ((15.0,), (27.0, 41.0))
    assert float(got.target.ra) == pytest.approx(31.042825)
    assert got.target.name == "HAT-P-32 b", "the planet that is there"
    assert got.stars.anchor is None
    (line,) = [m for m in caplog.messages if "stars.apertures" in m]
    assert all(word in line for word in ("2 comparison stars", "T1", "15 px", "27 to 41 px"))


def test_apertures_without_places_are_pixels_beside_the_target(tmp_path):
    got = taken(tmp_path, APERTURES)
    assert got.stars.comparisons == ("120.000,20.000ij", "88.750,444.000ij")
    assert got.stars.anchor == "300.500,200.500ij"
    assert got.target.ra is None


def test_what_is_given_wins(tmp_path):
    got = taken(
        tmp_path, APERTURES + SKY, stars={"comparisons": ["C5"]}, apertures={"radii": [4.0]},
        target={"ra": "31.0428", "dec": "46.6878"},
    )  # fmt: skip
    assert got.stars.comparisons == ("C5",)
    assert got.apertures.radii == (4.0,)
    assert (got.target.ra, got.target.name) == ("31.0428", "")
    assert taken(tmp_path, APERTURES + SKY, target={"name": "Mine"}).target.ra is None


def test_the_list_of_another_target_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"stars\.apertures.*T1.*another field"):
        taken(tmp_path, APERTURES + SKY, target={"ra": "31.9", "dec": "46.7"})


def test_radec_and_tables_of_every_kind_say_the_same(tmp_path):
    radec = "#RA, Dec, Ref, Centroid, Mag\n02:04:10.28, 46:41:16.2\n2.08, 46.5, 1, 1, 11.0\n"
    tables = {
        "a.radec": radec,
        "a.csv": "name,ra,dec\nT1,31.04283,46.68783\nC2,31.2,46.5\n",
        "b.csv": "star,role,ra_deg,dec_deg,x_ref,y_ref\nT1,target,31.04283,46.68783,1,2\n"
        "S7,comparison,31.2,46.5,5,6\nS9,field,31.3,46.5,7,8\n",
        "c.tsv": "Role\tRAJ2000\tDEJ2000\nobj\t02:04:10.28\t+46:41:16.2\n"
        "comp\t02:04:48.0\t+46:30:00\n",
        "d.ecsv": "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, unit: deg, datatype: float64}\n"
        "# - {name: dec, unit: deg, datatype: float64}\n# - {name: role, datatype: string}\n"
        "# schema: astropy-2.0\nra dec role\n31.04283 46.68783 T\n31.2 46.5 C\n",
    }
    for name, text in tables.items():
        got = taken(tmp_path, text, name)
        assert got.stars.comparisons == ("02:04:48.00,+46:30:00.0",), name
        assert float(got.target.ra) == pytest.approx(31.04283, abs=1e-5), name
        assert got.apertures.radii == (), name


@pytest.mark.parametrize(
    ("header", "unit"), [("x,y", "px"), ("X(FITS),Y(FITS)", "fits"), ("X(IJ),Y(IJ)", "ij")]
)
def test_tables_of_pixels_say_how_they_count(tmp_path, header, unit):
    rows = "T1,10.5,20.5\nC2,30,40\nK3,50,60\n"
    got = taken(tmp_path, f"name,{header}\n{rows}", "pixels.csv")
    assert got.stars.anchor == f"10.5,20.5{unit}"
    assert got.stars.comparisons == (f"30,40{unit}",)
    assert got.stars.check == f"50,60{unit}"


def test_a_role_that_is_none_is_told(tmp_path, caplog):
    with caplog.at_level("WARNING", logger="lightcurve"):
        taken(tmp_path, "ra,dec,role\n31.2,46.5,comp\n31.3,46.5,chek\n31.4,46.5,\n", "a.csv")
    (line,) = caplog.messages
    assert "'chek'" in line
    assert "check" in line
    assert "'comp'" not in line


def test_stars_may_be_left_out_by_a_table(tmp_path):
    got = taken(tmp_path, "ra,dec,role\n31.2,46.5,\n31.3,46.5,exclude\n31.4,46.5,check\n", "a.csv")
    assert len(got.stars.comparisons) == len(got.stars.exclude) == 1
    assert got.stars.check is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no rows|empty"),
        ("name,flux\na,1\n", "no columns of places among name, flux"),
        ("ra,dec\n" + "31.1,46.5\n" * 2001, "2001 stars"),
        (".multiaperture.xapertures=1,2\n.multiaperture.yapertures=1\n", "1 values for 2 stars"),
        ("02:04:10, 46:41:16\n25:04:10, 46:41\n", "line 2"),
        ('{"planetary_parameters": {}}', "places|read"),
        ("ra,dec\nabc,def\n", "angles"),
    ],
)
def test_what_is_no_list_is_told_in_a_line(tmp_path, text, told):
    with pytest.raises(InputError, match=told) as caught:
        taken(tmp_path, text, "some.txt")
    assert "some.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_list(tmp_path):
    settings = make_settings({})
    assert take_stars(settings) is settings
    for path in (tmp_path, tmp_path / "nobody.csv"):
        with pytest.raises(InputError, match=path.name):
            take_stars(make_settings({"stars": {"file": str(path)}}))
    binary = tmp_path / "image.fits"
    binary.write_bytes(b"SIMPLE" + bytes(np.arange(200, dtype=np.uint8)))
    with pytest.raises(InputError, match=r"image\.fits"):
        take_stars(make_settings({"stars": {"file": str(binary)}}))


def test_a_list_may_come_through_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("ra,dec\n10.5,20.5\n10.6,20.6\n",))
    writer.start()
    assert len(read_star_list(pipe).stars) == 2
    writer.join()
