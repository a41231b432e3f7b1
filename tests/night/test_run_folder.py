"""What a run leaves behind: reasons whatever happens, checksums, nothing of an earlier run."""

from __future__ import annotations

import csv
import hashlib
import logging
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.data import Planet
from lightcurve.core.errors import InputError, LightcurveError, SolveError
from lightcurve.core.settings import make_settings
from lightcurve.night.demo import write_planet
from lightcurve.night.fit_table import fit_table
from lightcurve.night.story import reduce_night
from sim import tiny_night

RA, DEC = 20.0, 30.0


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("night")
    tiny_night(folder, n_frames=24, shape=(300, 330), n_stars=40, header_wcs=True)
    return folder


def settings(*, figures: str = "none", **target: object):
    place = {"name": "Tiny-1", "ra": str(RA), "dec": str(DEC)}
    return make_settings({"target": place | target, "figures": figures})


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_frames_that_cannot_be_used_are_counted_and_told(
    night: Path, tmp_path: Path, caplog
) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    for path in sorted(night.glob("light_*.fits")):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "light_0005.fits").write_bytes(b"SIMPLE  = torn")
    with caplog.at_level(logging.WARNING, logger="lightcurve"):
        products = reduce_night(folder, settings(), tmp_path / "run").products
    assert products.summary["frames_measured"].text == "23 of 24"
    assert any("1 frame cannot be used" in line for line in caplog.messages)
    lost = [
        row for row in rows(products.paths["lightcurve.csv"]) if row["file"] == "light_0005.fits"
    ]
    assert len(lost) == 1
    assert lost[0]["rel_flux"] in {"", "nan"}
    assert int(lost[0]["flags"]) != 0


def test_reasons_are_written_when_no_light_curve_comes_of_it(night: Path, tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    for path in sorted(night.glob("light_*.fits"))[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(LightcurveError):
        reduce_night(folder, settings(), tmp_path / "run")
    found = rows(tmp_path / "run" / "frames.csv")
    assert [row["status"] for row in found] == ["measured"] * 3
    assert rows(tmp_path / "run" / "stars.csv")[0]["role"] == "target"


def test_checksums_are_those_of_the_files(night: Path, tmp_path: Path) -> None:
    products = reduce_night(night, settings(figures="all"), tmp_path / "run").products
    record = tomllib.loads((tmp_path / "run" / "run.toml").read_text())
    assert set(record["files"]) >= {"lightcurve.csv", "figures/field.png", "report.html"}
    for name, digest in record["files"].items():
        assert hashlib.sha256((tmp_path / "run" / name).read_bytes()).hexdigest() == digest
    assert "run.log" in products.paths


def test_nothing_of_an_earlier_run_stays(night: Path, tmp_path: Path) -> None:
    planet = Planet(
        name="Tiny-1 b", ra_deg=RA, dec_deg=DEC, period_days=1.3, t0_bjd_tdb=2460586.65,
        rp_over_rs=0.1, a_over_rs=8.0, inclination_deg=88.5,
    )  # fmt: skip
    file = write_planet(tmp_path / "planet.toml", planet)
    own = tmp_path / "run" / "notes.txt"
    all_drawn = settings(planet_file=file, figures="all")
    first = reduce_night(night, all_drawn, tmp_path / "run").products
    own.write_text("my own")
    assert "fit.json" in first.paths
    second = reduce_night(night, settings(), tmp_path / "run").products
    there = {p.relative_to(tmp_path / "run").as_posix() for p in (tmp_path / "run").rglob("*.*")}
    left = {name for name in there - set(second.paths) if not name.startswith("masters/")}
    assert left <= {"notes.txt", "state.sqlite"}  # and the masters, which are taken up again
    assert own.read_text() == "my own"


def test_the_fit_of_a_run_is_of_its_planet_and_of_no_other_stars(
    night: Path, tmp_path: Path
) -> None:
    planet = Planet(
        name="Tiny-1 b", ra_deg=RA, dec_deg=DEC, period_days=1.3, t0_bjd_tdb=2460586.65,
        rp_over_rs=0.1, a_over_rs=8.0, inclination_deg=88.5,
    )  # fmt: skip
    own = write_planet(tmp_path / "own.toml", planet)
    other = write_planet(tmp_path / "other.toml", replace(planet, name="X b", dec_deg=DEC + 5))
    reduce_night(night, settings(planet_file=own), tmp_path / "run")
    table = tmp_path / "run" / "lightcurve.csv"
    quick = {"fit": {"sample": False}}
    fitted = fit_table(table, make_settings(quick), tmp_path / "fit")
    assert (fitted.planet.name, fitted.planet.t0_bjd_tdb) == ("Tiny-1 b", 2460586.65)
    wrong = make_settings(quick | {"target": {"planet_file": str(other)}})
    with pytest.raises(InputError, match=r"X b of the planet file 5 deg away"):
        fit_table(table, wrong, tmp_path / "fit")


def test_frames_without_stars_are_said_to_be_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for k in range(4):
        header = fits.Header({"IMAGETYP": "Light", "EXPTIME": 30.0})
        header["DATE-OBS"] = f"2020-03-01T02:{k:02d}:00"
        pixels = rng.normal(500, 10, (120, 130)).astype(np.float32)
        fits.writeto(tmp_path / f"{k}.fits", pixels, header)
    with pytest.raises(SolveError, match=r"stars at most in the 4 frames tried.*clouds"):
        reduce_night(tmp_path, settings(), tmp_path / "run")
    assert len(rows(tmp_path / "run" / "frames.csv")) == 4


def test_an_error_is_logged_once_and_not_shown(tmp_path: Path, caplog) -> None:
    """The command line shows it; the run's own log keeps it."""
    (tmp_path / "night").mkdir()
    with pytest.raises(InputError, match="no FITS file"):
        reduce_night(tmp_path / "night", settings(), tmp_path / "run")
    assert (tmp_path / "run" / "run.log").read_text().count("no FITS file") == 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
