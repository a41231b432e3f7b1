"""A star seen from space, by files of known truth: its transits, and what is left for others."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.errors import CatalogError, InputError
from lightcurve.core.settings import Settings
from lightcurve.space.story import follow_star
from lightcurve.tables.light_curves import read_curve
from space_files import observe, planet_of, planet_text, write_light_curve, write_pixels

OFFLINE = {"catalogs": {"offline": True}}
DOT = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)  # a PNG


@pytest.fixture
def rough(monkeypatch):
    """Figures without layout and pixels, which are half of the time: `run` has whole ones."""
    layout = "matplotlib.layout_engine.ConstrainedLayoutEngine.execute"
    monkeypatch.setattr(layout, lambda *_: None)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda _, path, **__: write_dot(path))


def write_dot(path):
    Path(path).write_bytes(DOT)


@pytest.fixture(scope="module")
def sector():
    return observe(21, cadence_s=900.0, days=10.0, gap=False)


@pytest.fixture(scope="module")
def folder(sector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("space")
    write_pixels(folder / "tp.fits", sector)
    (folder / "b.toml").write_text(planet_text(sector.planet))
    return folder


@pytest.fixture(scope="module")
def run(folder):
    settings = Settings.model_validate(OFFLINE | {"target": {"planet_file": folder / "b.toml"}})
    return follow_star([str(folder / "tp.fits")], settings, folder / "out")


def test_the_transits_are_at_their_times_and_as_deep_as_they_are(run, sector):
    assert run.season is not None
    epochs = run.season.times.epoch
    assert epochs.tolist() == sector.epochs.tolist()
    true = sector.planet.t0_bjd_tdb + sector.planet.period_days * epochs
    pulls = (run.season.times.mid - true) / run.season.times.error
    assert np.abs(pulls).max() < 4
    radius = run.products.summary["rp_over_rs"]
    assert abs(radius.value - 0.1) < 4 * (radius.upper - radius.lower) / 2
    for path in run.products.paths.values():
        assert path.stat().st_size > 0
    figures = [name for name in run.products.paths if name.startswith("figures/")]
    assert {"figures/sectors.png", "figures/transits.png", "figures/pixels-tp.png"} <= {*figures}
    page = run.products.paths["report.html"].read_text()
    assert page.count("<img") == len(figures)


def test_what_transits_have_in_common_is_told_once(run):
    lines = (run.products.folder / "run.log").read_text().splitlines()
    told = [line.split(" ", 2)[2] for line in lines]
    assert len(told) > 5
    assert len(told) == len({*told})


def test_the_light_curve_that_is_written_is_read_again(run):
    own, share = run.curves[0], run.curves[0].curve.dilution.value
    again = read_curve(run.products.paths["lightcurves/tp.fits"])
    np.testing.assert_allclose(again.bjd_tdb, own.curve.bjd_tdb, atol=1e-8)
    np.testing.assert_array_equal(again.flags == 0, own.good)
    expected = 1 - (1 - own.curve.flux[own.good]) / share  # without the neighbour's light
    np.testing.assert_allclose(again.flux[own.good], expected, rtol=2e-6)
    assert again.dilution is None
    assert again.source.exposure_s == pytest.approx(900, rel=1e-4)
    assert again.source.filter == "TESS"


def test_lightkurve_opens_it(run):
    lightkurve = pytest.importorskip("lightkurve", reason="lightkurve is not installed")
    read = lightkurve.read(str(run.products.paths["lightcurves/tp.fits"]))
    own = run.curves[0]
    assert read.meta["LABEL"] == "TIC 4242"
    assert read.time.format == "btjd"
    known = np.isin(own.curve.bjd_tdb - 2457000, read.time.value)
    assert known.sum() == len(read)
    flux = np.asarray(read.flux.value, dtype=float)
    level = np.nanmedian(own.pixels.measured.flux)
    share = own.curve.dilution.value
    expected = level * (1 - (1 - own.curve.flux[known]) / share)
    np.testing.assert_allclose(flux, expected, rtol=2e-6)


@pytest.mark.usefixtures("rough")
def test_a_period_that_nobody_told_is_found(sector, tmp_path):
    path = write_light_curve(tmp_path / "lc.fits", sector)
    run = follow_star([str(path)], Settings.model_validate(OFFLINE), tmp_path / "out")
    assert run.box is not None
    assert run.box.found
    season = run.season
    assert season is not None
    off = season.ephemeris.period - sector.planet.period_days
    assert abs(off) < 4 * np.sqrt(season.ephemeris.cov[1, 1])
    assert (tmp_path / "out" / "planet.toml").is_file()


@pytest.mark.usefixtures("rough")
def test_without_a_transit_there_are_light_curves_all_the_same(tmp_path):
    quiet = observe(22, cadence_s=1800.0, days=15.0, planet=planet_of(rp_over_rs=0.001))
    path = write_light_curve(tmp_path / "lc.fits", quiet)
    run = follow_star([str(path)], Settings.model_validate(OFFLINE), tmp_path / "out")
    assert run.season is None
    assert run.planet is None
    assert run.products.paths["lightcurves/lc.fits"].is_file()
    assert run.products.paths["figures/sectors.png"].is_file()


@pytest.mark.usefixtures("rough")
def test_one_bad_file_costs_itself_and_other_stars_are_refused(sector, tmp_path):
    short = observe(23, cadence_s=1800.0, days=3.0, planet=planet_of(rp_over_rs=0.001))
    write_light_curve(tmp_path / "good.fits", short)
    (tmp_path / "bad.fits").write_bytes((tmp_path / "good.fits").read_bytes()[:4000])
    settings = Settings.model_validate(OFFLINE)
    run = follow_star([str(tmp_path)], settings, tmp_path.parent / f"{tmp_path.name}-out")
    assert [one.label for one in run.curves] == ["good"]
    other = observe(23, cadence_s=1800.0, days=3.0)
    moved = replace(other, planet=replace(other.planet, ra_deg=121.0))
    write_light_curve(tmp_path / "other.fits", moved)
    with pytest.raises(InputError, match="another star"):
        follow_star([str(tmp_path)], settings, tmp_path / "out")
    with pytest.raises(InputError):
        follow_star([str(tmp_path / "bad.fits")], settings, tmp_path / "out")


@pytest.mark.usefixtures("rough")
def test_the_command_tells_all_as_json_and_a_mistake_in_one_line(tmp_path):
    short = observe(24, cadence_s=1800.0, days=3.0, planet=planet_of(rp_over_rs=0.001))
    path = write_light_curve(tmp_path / "lc.fits", short)
    out = str(tmp_path / "out")
    told = CliRunner().invoke(app, ["space", str(path), "--offline", "--json", "--out", out])
    assert told.exit_code == 0
    summary = json.loads(told.stdout)["summary"]
    assert summary["file:lc"]["value"] > 100
    wrong = CliRunner().invoke(app, ["space", str(tmp_path / "lv.fits"), "--offline", "--out", out])
    assert wrong.exit_code != 0
    assert "Traceback" not in wrong.output


@pytest.mark.usefixtures("rough")
def test_a_name_has_its_files_fetched_and_stands_for_its_planet(sector, folder, tmp_path):
    settings = Settings.model_validate(OFFLINE | {"target": {"planet_file": folder / "b.toml"}})
    with pytest.raises(CatalogError, match="may not be asked"):
        follow_star(["Space b"], settings, tmp_path)
    (tmp_path / "downloads").mkdir()
    write_light_curve(tmp_path / "downloads" / "lc.fits", sector)  # of an earlier time
    run = follow_star(["Space b"], settings, tmp_path)
    assert run.season is not None
    with pytest.raises(InputError, match="stands alone"):
        follow_star(["Space b", "Space c"], settings, tmp_path)
