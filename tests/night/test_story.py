"""The main job end to end: the real night, a simulated one, and everything that can be wrong."""

from __future__ import annotations

import csv
import json
import re
import shutil
import tomllib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.covariates import COVARIATES
from lightcurve.core.data import Choice, Finding, Verdict
from lightcurve.core.errors import InputError, LightcurveError, SolveError, Why
from lightcurve.core.settings import make_settings
from lightcurve.curve.retake import retake
from lightcurve.night.demo import check_folder, demo_planet, run_demo, write_planet
from lightcurve.night.keep import read_night
from lightcurve.night.settle import predicted_transit
from lightcurve.night.story import reduce_night
from lightcurve.simulate.night import demo_night
from lightcurve.transit.quick import quick_fit
from page_scripts import Scripts, assert_same, data_of, recomputed
from sim import sidecar_wcs

RA, DEC = "02:04:10.278", "+46:41:16.21"
EXPECTED_MID = 2458107.7113  # published ephemeris, BJD_TDB


def settings_of(shared: Path, **more):
    index = shared / "index-tycho2-hatp32.fits"
    target = {"name": "HAT-P-32", "ra": RA, "dec": DEC}
    return make_settings({"target": target, "solve": {"index": [index]}} | more)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def real_run(shared_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("real")
    arguments = [
        "run", str(shared_data / "hatp32"), "--planet", str(shared_data / "planets/hatp32b.toml"),
        "--ra", RA, "--dec", DEC, "--index", str(shared_data / "index-tycho2-hatp32.fits"),
        "--out", str(out), "--wcs", "--json",
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return out, json.loads(result.stdout)


def test_real_night_is_measured_whole(real_run):
    out, _ = real_run
    rows = rows_of(out / "lightcurve.csv")
    measured = [row for row in rows if row["rel_flux"]]
    assert len(rows) == 142
    assert len(measured) >= 140
    times = np.array([float(row["jd_utc"]) for row in rows])
    assert np.all(np.diff(times) > 0)
    # 60 s exposures every 3 min or so; the rounded MJD-OBS would show steps of 86.4 s.
    seconds = (times - times[0]) * 86400
    assert np.abs(np.diff(seconds) - 180).max() < 45
    assert times[0] == pytest.approx(2458107.5654319, abs=1e-6)  # UT-OBS 01:33:43.317 + 30 s


def test_real_transit_is_where_the_ephemeris_has_it(real_run):
    out, _ = real_run
    fit = json.loads((out / "fit.json").read_text())
    assert fit["mid_time_bjd_tdb"]["value"] == pytest.approx(EXPECTED_MID, abs=3 / 1440)
    assert fit["rp_over_rs"]["value"] == pytest.approx(0.150, abs=0.012)
    assert fit["residual_scatter_percent"] <= 0.52
    assert Verdict.read(fit["verdict"]).finding is Finding.TRANSIT


def test_real_scatter_beats_astroimagej(real_run):
    out, _ = real_run
    rows = rows_of(out / "lightcurve.csv")
    bjd, flux = (np.array([float(row[name]) for row in rows]) for name in ("bjd_tdb", "rel_flux"))
    outside = np.abs(bjd - EXPECTED_MID) > 0.0665
    inside = np.abs(bjd - EXPECTED_MID) < 0.045
    # Against the straight line that AstroImageJ's 0.56 % was measured about.
    line = np.polyval(np.polyfit(bjd[outside] - EXPECTED_MID, flux[outside], 1), bjd - EXPECTED_MID)
    assert np.std((flux / line)[outside]) <= 0.0056
    assert 1 - np.median((flux / line)[inside]) == pytest.approx(0.0235, abs=0.005)


def test_real_products_are_whole(real_run):
    out, answer = real_run
    header = (out / "measurements.csv").read_text().splitlines()[0].split(",")
    assert header[:2] == ["Label", "slice"]
    assert {"JD_UTC", "rel_flux_T1", "Source-Sky_T1", "X(FITS)_T1", "tot_C_cnts"} <= set(header)
    stars = rows_of(out / "stars.csv")
    assert stars[0]["role"] == "target"
    assert all(star["reason"] for star in stars)
    assert {"comparison", "field", "check"} <= {star["role"] for star in stars}
    frames = rows_of(out / "frames.csv")
    assert len(frames) == 142
    # Mid-exposures: to the Sun and to the barycentre at most 500 s, and 69.184 s from UTC to TDB.
    apart = 86400 * (float(frames[0]["bjd_tdb"]) - float(frames[0]["hjd_utc"]))
    assert 69.184 - 5 < apart < 69.184 + 5
    assert {row["disposition"] for row in rows_of(out / "nebs.csv")} == {"Cleared"}
    record = tomllib.loads((out / "run.toml").read_text())
    assert record["settings"]["target"]["ra"] == RA
    assert all(value["source"] for value in record["values"])
    for name in ("light_curve", "seeing_profile", "cumulative_flux", "field"):
        assert (out / "figures" / f"{name}.png").stat().st_size > 10_000
    told = answer["summary"]
    assert told["frames_measured"]["value"] == told["frames_tried"]["value"] == 142
    assert told["solver"]["value"] == "local"
    assert told["solution_rms_arcsec"]["unit"] == "arcsec"
    times = [float(row["bjd_tdb"]) for row in frames]
    for name, time in (("first_bjd_tdb", min(times)), ("last_bjd_tdb", max(times))):
        assert told[name]["value"] == pytest.approx(time, abs=1e-8, rel=0)
    assert told["comparison_stars"]["value"] == [star["role"] for star in stars].count("comparison")
    result = record["result"]
    assert result["frames measured"] == "142 of 142"
    (scatter,) = (r for name, r in told.items() if re.fullmatch("scatter_.*_percent", name))
    assert f"{scatter['value']:.2f} {scatter['unit']}" in result.values()


def test_real_sidecars_place_the_target(real_run):
    out, _ = real_run
    distances = []
    for row in rows_of(out / "lightcurve.csv")[::20]:
        wcs = sidecar_wcs(out / "wcs" / f"{row['file']}.wcs")
        x, y = wcs.wcs_world2pix(31.0428250, 46.6878361, 0)
        distances.append(np.hypot(x - float(row["x"]), y - float(row["y"])))
    assert np.median(distances) < 0.3


@pytest.mark.usefixtures("undrawn")
def test_same_input_same_output(shared_data, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for path in sorted((shared_data / "hatp32").glob("*.FITS"))[::9]:
        shutil.copy(path, frames)
    settings = settings_of(shared_data)
    for name in ("one", "two"):
        reduce_night(frames, settings, tmp_path / name)
    two_workers = settings_of(shared_data, workers=2)
    reduce_night(frames, two_workers, tmp_path / "three")
    for name in ("lightcurve.csv", "measurements.csv", "stars.csv", "frames.csv"):
        first = (tmp_path / "one" / name).read_bytes()
        assert first == (tmp_path / "two" / name).read_bytes()
        assert first == (tmp_path / "three" / name).read_bytes()


def test_the_page_of_the_real_night_agrees_with_the_program(real_run):
    """Whatever is chosen there, from the digits that it has."""
    night, data = read_night(real_run[0]), data_of(real_run[0] / "report.html")
    m, exposure, planet = night.measurements, night.scene.reference.exposure, night.target.planet
    own, cube = Choice(**data["choice"]), data["cube"]
    rng, rows = np.random.default_rng(3), cube["rows"][1:]
    terms = [covariate["name"] for covariate in cube["covariates"]]
    others = [
        Choice(
            tuple(rng.choice(rows, rng.integers(2, 25), replace=False).tolist()),
            aperture, weighting, tuple(rng.choice(terms, rng.integers(5), replace=False).tolist()),
            tuple(rng.choice(m.file, 2).tolist()),
        )
        for aperture in range(0, len(cube["apertures"]), 3) for weighting in ("scatter", "sum")
    ]  # fmt: skip
    assert len(others) >= 10
    with closing(Scripts()) as scripts:
        scripts.keep("data", {"cube": cube, "frames": data["frames"]})
        for choice in (own, replace(own, rows=own.rows[1:]), *others):
            inside = predicted_transit(night.target, m)
            curve = retake(m, night.settings, choice, in_transit=inside, blend=night.blend)
            told = {"exposure_s": exposure.exposure_s, "filter_name": exposure.filter}
            fit = quick_fit(curve, planet, choice.covariates, **told)
            assert_same(recomputed(scripts, choice), curve, fit, of_weights=1e-3)
            assert fit.depth == pytest.approx(0.027, abs=0.007)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, *run_demo(folder, seed=2)


def test_demo_recovers_the_truth(demo):
    _, products, comparisons = demo
    assert products.summary["frames_measured"].value == 72
    assert products.summary["frames_tried"].value == 72
    fitted = json.loads(products.paths["fit.json"].read_text())
    for name in ("mid_time_bjd_tdb", "rp_over_rs", "depth_percent"):
        assert products.summary[name].record == fitted[name]
    page = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text()
    of_covariates = {f"influence_{covariate.name}" for covariate in COVARIATES}
    names = ["influence_NAME" if n in of_covariates else n for n in products.summary]
    assert not [name for name in names if f"`{name}`" not in page]
    settings = tomllib.loads(products.paths["run.toml"].read_text())["settings"]
    assert settings["solve"]["solvers"] == ["header"]  # made-up stars are sent to no server
    assert settings["catalogs"]["offline"]
    assert {c.name for c in comparisons} >= {"mid_time_bjd_tdb", "rp_over_rs"}
    for c in comparisons:
        assert abs(c.result - c.truth) < 4 * c.error, c.name


def test_demo_uses_its_calibration_frames(demo):
    folder, _, _ = demo
    assert (folder / "run" / "masters" / "master_flat.fits").exists()
    assert (folder / "run" / "figures" / "masters.png").exists()
    kinds = [row["kind"] for row in rows_of(folder / "run" / "frames.csv")]
    assert kinds.count("light") == 72
    assert {kinds.count(kind) for kind in ("bias", "dark", "flat")} == {5}


def test_a_second_run_measures_nothing_again(demo, monkeypatch):
    folder, _, _ = demo
    settings = make_settings({"target": {"planet_file": folder / "planet.toml"}, "seed": 2})
    before = (folder / "run" / "lightcurve.csv").read_bytes()

    def never(*args):
        pytest.fail("a frame was measured again")

    monkeypatch.setattr("lightcurve.night.workers.measure_side_by_side", never)
    reduce_night(folder / "night", settings, folder / "run")
    assert (folder / "run" / "lightcurve.csv").read_bytes() == before


def few_frames(hatp32, folder: Path, n: int = 24) -> Path:
    folder.mkdir()
    for path in hatp32[:: len(hatp32) // n]:
        shutil.copy(path, folder)
    return folder


@pytest.mark.usefixtures("undrawn")
def test_one_corrupt_frame_is_a_row(hatp32, shared_data, tmp_path):
    folder = few_frames(hatp32, tmp_path / "night")
    broken = sorted(folder.iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:200_000])
    reduce_night(folder, settings_of(shared_data), tmp_path / "run")
    rows = {row["file"]: row for row in rows_of(tmp_path / "run" / "frames.csv")}
    assert rows[broken.name]["status"] in {"unused", "failed"}
    assert rows[broken.name]["reason"]
    measured = [row for row in rows.values() if row["status"] == "measured"]
    assert len(measured) == len(rows) - 1


def bad_input(kind: str, hatp32, folder: Path) -> Path:
    from astropy.io import fits

    if kind == "missing":
        return folder
    folder.mkdir()
    if kind == "no light":
        image = np.random.default_rng(1).normal(300, 5, (60, 80)).astype(np.float32)
        for k in range(3):
            header = fits.Header({"IMAGETYP": "Bias Frame", "EXPTIME": 0.0})
            header["DATE-OBS"] = f"2026-01-01T00:00:0{k}"
            fits.writeto(folder / f"bias{k}.fits", image, header)
    if kind == "two sizes":
        for path in hatp32[:8]:
            shutil.copy(path, folder)
            with fits.open(path) as hdus:
                fits.writeto(folder / f"half_{path.name}", hdus[0].data[:250], hdus[0].header)
    return folder


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no such folder"),
        ("empty", "no FITS file"),
        ("no light", "no light frame"),
        ("two sizes", "2 light curves, not one"),
    ],
)
def test_bad_folders_get_one_line(kind, words, hatp32, shared_data, tmp_path):
    folder = bad_input(kind, hatp32, tmp_path / "night")
    with pytest.raises(LightcurveError, match=words) as caught:
        reduce_night(folder, settings_of(shared_data), tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_target_outside_the_field(hatp32, shared_data, tmp_path):
    folder = few_frames(hatp32, tmp_path / "night", 6)
    settings = settings_of(shared_data, target={"ra": "02:10:00", "dec": "+46:00:00"})
    with pytest.raises(InputError, match="outside the frame"):
        reduce_night(folder, settings, tmp_path / "run")


def test_a_target_of_another_field_is_refused_before_anything_is_made(
    hatp32, shared_data, tmp_path
):
    """The headers' OBJECT is a known star, and they point at it."""
    folder = few_frames(hatp32, tmp_path / "night", 3)
    settings = settings_of(shared_data, target={"ra": "12:00:00", "dec": "-30:00:00"})
    with pytest.raises(InputError, match=r"point to 31\.\d+ \+46") as told:
        reduce_night(folder, settings, tmp_path / "run")
    assert told.value.why is Why.ELSEWHERE
    assert not (tmp_path / "run" / "masters").exists()


def test_no_index_and_no_header_wcs(hatp32, shared_data, tmp_path, monkeypatch):
    """The reason stands once in the error, short, and once in the log, with the folders."""
    monkeypatch.setattr("lightcurve.astrometry.index.SYSTEM_PLACES", (Path("/nowhere"),))
    folder = few_frames(hatp32, tmp_path / "night", 6)
    settings = settings_of(shared_data, solve={"solvers": ["header", "local"]})
    with pytest.raises(SolveError) as told:
        reduce_night(folder, settings, tmp_path / "run")
    remedy, reasons = str(told.value).split(" (each: header: ")
    assert "give --index" in remedy
    assert "no index files" in reasons
    assert "/nowhere" not in str(told.value)
    assert len(str(told.value)) < 250
    log = (tmp_path / "run" / "run.log").read_text().splitlines()
    assert sum("INFO" in line and "give --index" in line for line in log) == 1
    assert sum("/nowhere" in line for line in log) == 1
    assert sum("the same as" in line for line in log) == 1


@pytest.fixture
def demo_s_planet():
    night, _, _, target = demo_night(1)
    return demo_planet(night, target)


@pytest.mark.parametrize("name", ["notes.txt", "run/lightcurve.csv", "night/M31.fits"])
def test_demo_leaves_a_folder_of_others_alone(name, demo_s_planet, tmp_path):
    folder = tmp_path / "mine"
    check_folder(folder, demo_s_planet)  # not there yet
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(InputError, match=f"holds {name.removesuffix('/lightcurve.csv')}, which no"):
        run_demo(folder)
    assert [p for p in folder.rglob("*") if p.is_file()] == [path]


def test_demo_leaves_another_planet_alone_and_goes_on_with_its_own(demo_s_planet, tmp_path):
    write_planet(tmp_path / "planet.toml", replace(demo_s_planet, name="HAT-P-32 b"))
    with pytest.raises(InputError, match=r"holds planet\.toml, which no demo made"):
        check_folder(tmp_path, demo_s_planet)
    write_planet(tmp_path / "planet.toml", demo_s_planet)
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "light_0001.fits").write_bytes(b"half")
    (tmp_path / ".DS_Store").write_bytes(b"")
    check_folder(tmp_path, demo_s_planet)
