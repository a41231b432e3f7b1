"""The catalogue's VOTable and ECSV say what they hold, and are read back without a warning."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from lightcurve.image.story import reduce_image
from lightcurve.image.table import COLUMN_UCDS, ENDING_UCDS, PARAMS, ucd_of, write_votable
from sim_image import Observatory, offline, render_frame

NAME = "<b>&$x^$\x7f é.fits"
KNOWN = ("file", "band", "zero_point_mag", "zero_point_err_mag", "mid_jd_utc", "exposure_s")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(5)
    dec = 20.0 + rng.uniform(-70, 70, 25) / 3600
    ra = 100.0 + rng.uniform(-70, 70, 25) / 3600 / np.cos(np.radians(20.0))
    mag = rng.uniform(13.5, 16, 25)
    path = folder / NAME
    render_frame(path, ra, dec, mag, Observatory(shape=(160, 160)), center=(100.0, 20.0))
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars = folder / "stars.csv"
    stars.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    reduce_image(path, offline(stars, psf="none", injected=0), folder / "solved")
    reduce_image(path, _blind(), folder / "nowhere")
    return folder


def _blind():
    settings = offline(psf="none", injected=0)
    solve = settings.solve.model_copy(update={"solvers": ("local",)})
    return settings.model_copy(update={"solve": solve})


def read(path: Path):
    from astropy.io.votable import parse

    return parse(path, verify="exception")


def test_the_votable_has_the_numbers_of_the_frame(out: Path) -> None:
    table = read(out / "solved" / "catalog.vot").get_first_table()
    params = {param.name: param for param in table.params}
    summary = json.loads((out / "solved" / "summary.json").read_text())
    assert set(KNOWN) <= set(params)
    for name in set(params) - {"file"}:
        assert params[name].value == summary[name], name
    assert params["file"].value == "?b??$x^$? é.fits"
    assert str(params["zero_point_mag"].unit) == "mag"
    assert all(param.ucd for param in params.values())


def test_every_value_of_the_votable_is_that_of_the_ecsv(out: Path) -> None:
    from astropy.table import Table

    for kind in ("solved", "nowhere"):
        told, table = (
            Table.read(out / kind / "catalog.ecsv"),
            Table.read(out / kind / "catalog.vot"),
        )
        assert told.colnames == table.colnames
        for name in told.colnames:
            assert table[name].dtype.kind == told[name].dtype.kind
            known = ~np.ma.getmaskarray(told[name])  # a blank word is no value in an ECSV
            there, here = np.asarray(table[name])[known], np.asarray(told[name])[known]
            np.testing.assert_array_equal(there, here)


def test_odd_values_of_a_votable_are_read_as_they_were() -> None:
    from astropy.table import Table

    odd = Table({"a": [np.nan, np.inf, -np.inf, 1e300, 0.1], "b": ["<&>", '"', "", "x", "é x"]})
    odd["c"] = np.array([True, False, True, False, False])
    file = BytesIO()
    write_votable(file, odd, {"file": "odd.fits"}, solved=False)
    read_back = Table.read(file, format="votable")
    for name in odd.colnames:
        np.testing.assert_array_equal(np.asarray(read_back[name]), np.asarray(odd[name]))


def test_positions_have_a_system_and_an_epoch(out: Path) -> None:
    content = read(out / "solved" / "catalog.vot")
    (system,) = content.resources[0].coordinate_systems
    # 2015-07-02 09:02:30 is day 182.38 of 365.25 since 2015-01-01 12:00, which is J2015.0.
    assert system.system == "ICRS"
    assert float(system.epoch.removeprefix("J")) == pytest.approx(2015 + 181.88 / 365.25, abs=2e-3)
    fields = {field.name: field for field in content.get_first_table().fields}
    assert {name for name, field in fields.items() if field.ref == system.ID} == {
        "ra", "dec", "pos_err",
    }  # fmt: skip
    assert not read(out / "nowhere" / "catalog.vot").resources[0].coordinate_systems


def test_columns_say_what_they_are(out: Path) -> None:
    from astropy.io.votable.ucd import parse_ucd

    fields = {f.name: f.ucd for f in read(out / "solved" / "catalog.vot").get_first_table().fields}
    expected = {
        "ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main",
        "aperture_1_3_mag": "phot.mag", "aperture_1_3_mag_err": "stat.error;phot.mag",
        "aperture_1_3_flux": "phot.flux", "aperture_1_3_inst_mag": "phot.mag;instr",
    }  # fmt: skip
    assert {name: fields[name] for name in expected} == expected
    assert ucd_of("phot_method") is None
    used = (*COLUMN_UCDS.values(), *ENDING_UCDS.values(), *(ucd for ucd, _ in PARAMS.values()))
    for ucd in used:
        assert parse_ucd(ucd, check_controlled_vocabulary=True)


def test_the_ecsv_keeps_numbers_as_numbers(out: Path) -> None:
    from astropy.table import Table

    for kind in ("solved", "nowhere"):
        meta = Table.read(out / kind / "catalog.ecsv").meta
        summary = json.loads((out / kind / "summary.json").read_text())
        for name, value in meta.items():
            assert value == summary[name], name
            assert type(value) is type(summary[name]), name
        assert type(meta["exposure_s"]) is float
        assert type(meta["sources"]) is int


def test_no_half_of_a_votable_is_left(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightcurve.image import write

    folder = out / "solved"
    before = (folder / "catalog.vot").read_bytes()

    def fails(file, *_: object, **__: object) -> None:
        file.write(b"<?xml")
        raise RuntimeError

    monkeypatch.setattr(write, "write_votable", fails)
    from astropy.table import Table

    table = Table.read(folder / "catalog.ecsv")
    with pytest.raises(RuntimeError):
        write.write_catalog(folder, table, {"file": NAME}, solved=False)
    assert (folder / "catalog.vot").read_bytes() == before
    assert not list(folder.glob("*.part"))
