"""`lightcurve export`: from a run folder to files a service takes; what is wanting is named."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict, replace

import numpy as np
import pytest
import tomli_w
from astropy.timeseries import TimeSeries
from typer.testing import CliRunner

from lightcurve.aij.read_table import read_aij_table
from lightcurve.aij.settings_files import read_apertures
from lightcurve.aij.write_table import write_measurements
from lightcurve.cli import app
from lightcurve.core.data import Finding, Parameter, Planet, Site, StarPlan, TransitFit, Verdict
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.settings import FitSettings, Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.neb import Disposition, Neighbour
from lightcurve.curve.plan import revise_plan
from lightcurve.exports.aavso import write_exoplanet
from lightcurve.exports.aavso_exotic import write_exotic
from lightcurve.exports.aavso_extended import write_extended
from lightcurve.exports.exofop import as_in_table, fit_text
from lightcurve.exports.export import export_run, make_submission, settle_details
from lightcurve.exports.formats import EXPORTS, exports_in_markdown
from lightcurve.exports.submission import (
    BINNING,
    PLANET_NAME,
    STAR_NAME,
    Detail,
    Export,
    points_told,
)
from lightcurve.night.fit_products import write_fit
from lightcurve.tables.run_folder import read_record, read_stars
from lightcurve.tables.run_tables import read_lightcurve, write_lightcurve, write_nebs, write_stars
from lightcurve.transit.fit import fit_transit
from lightcurve.transit.fit_values import planet_values
from lightcurve.transit.model import transit_flux
from sim_cube import CubeTruth, cube_times, simulate_cube

TRUTH = CubeTruth(n_stars=12, start_jd=2460000.55)
PLANET = Planet(
    "Test-1 b", 100.0, 0.0, 2.8, 2460000.66, 0.12, 8.0, 88.0, teff_k=5800.0,
    errors={"a_over_rs": 0.4, "inclination_deg": 0.7},
)  # fmt: skip
NAN = float("nan")
NEIGHBOURS = (
    Neighbour("S3", 100.01, 0.01, 31.4, 12.5, 2.5, 10.0, 90.86, 9.086, Disposition.CLEARED),
    Neighbour("S9", 99.98, 0.01, 90.0, 300.0, 15.0, NAN, NAN, NAN, Disposition.LOW_FLUX),
)
OBSERVER = {
    "observer_code": "abc", "camera": "cmos", "tic": "TIC 123", "observatory": "Back-Yard",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a run leaves of a night of 120 frames."""
    folder = tmp_path_factory.mktemp("run")
    moments = cube_times(120, TRUTH)
    theta = np.array([moments.mean(), 0.12, 8.0, 0.28, 0.35, 0.36])
    flux = transit_flux(moments, theta, PLANET)
    cube = simulate_cube(flux, TRUTH, np.random.default_rng(2))
    curve = choose_curve(cube, Settings())
    planet = replace(PLANET, t0_bjd_tdb=float(moments.mean()))
    fit = fit_transit(
        curve, planet, exposure_s=100.0, filter_name="V", settings=FitSettings(sample=False)
    )
    write_lightcurve(folder / "lightcurve.csv", curve, cube)
    write_measurements(folder / "measurements.csv", cube, curve, image_height=800)
    write_stars(folder / "stars.csv", revise_plan(cube.plan, curve.recipe.roles))
    write_fit(folder, curve, fit, planet)
    (folder / "run.log").write_text("done\n")
    (folder / "figures").mkdir()
    for name in ("light_curve", "neighbours"):
        (folder / "figures" / f"{name}.png").write_bytes(b"picture")
    write_nebs(folder / "nebs.csv", NEIGHBOURS)
    night = {
        "target": "Test-1", "exposure_s": 100.0, "filter": "Rc", "binning": [2, 2],
        "shape": [800, 1000], "radius_px": curve.recipe.radius_px, "annulus_px": [14.0, 22.0],
        "ra_deg": 100.0, "dec_deg": 0.0, "scale_arcsec": 1.2,
        "check": curve.recipe.check, "planet": planet_values(planet),
        "site": asdict(Site(1.0, 2.0)),
    }  # fmt: skip
    (folder / "run.toml").write_text(tomli_w.dumps({"night": night}))
    return folder


def _export(kind, run, out, **given):
    return export_run(kind, run, out, {**OBSERVER, **given})


def test_the_run_is_read_back_whole(run):
    night = read_record(run)["night"]
    submission = make_submission(run, night, settle_details(night, OBSERVER))
    assert STAR_NAME.of(submission) == "Test-1"
    assert PLANET_NAME.of(submission) == "Test-1 b"
    assert BINNING.of(submission) == (2, 2)
    assert submission.planet.errors == PLANET.errors
    fit = submission.fit
    assert fit.used.sum() == fit.statistics["n_points"]
    curve = read_lightcurve(run / "lightcurve.csv")
    np.testing.assert_allclose(fit.residuals, curve.flux / (fit.model * fit.trend) - 1)


def test_aavso_exoplanet_report(run, tmp_path):
    (path,) = _export("aavso-exoplanet", run, tmp_path)
    text = path.read_bytes().decode("ascii")
    assert write_exoplanet.validate(text) == []
    assert "#OBSCODE=ABC\r\n" in text
    assert "#OBSTYPE=CCD\r\n" in text
    assert "#BINNING=2x2\r\n" in text
    assert "#RESULTS=Tc=24600" in text
    assert "#PRIORS=Period=2.8,T0=" in text
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    curve = read_lightcurve(run / "lightcurve.csv")
    assert float(rows[0][0]) == pytest.approx(curve.bjd_tdb[0], abs=1e-6)
    assert float(rows[0][1]) == pytest.approx(curve.flux[0], abs=1e-6)


def test_aavso_exotic_report(run, tmp_path):
    (path,) = _export("aavso-exotic", run, tmp_path)
    text = path.read_text(encoding="ascii")
    assert write_exotic.validate(text) == []
    assert path.name.startswith("AAVSO_Test-1b_")
    header = dict(line[1:].split("=", 1) for line in text.splitlines() if "=" in line)
    plan = read_stars(run)
    places = json.loads(header["COMP_STAR-XC"])
    assert len(places) == (plan.role == "comparison").sum()
    row = np.flatnonzero(plan.role == "comparison")[0]
    assert float(places[0]["ra"]) == pytest.approx(plan.ra_deg[row], abs=1e-6)
    assert float(places[0]["y"]) == pytest.approx(plan.y_ref[row], abs=0.01)
    fitted = json.loads((run / "fit.json").read_text())["mid_time_bjd_tdb"]["value"]
    handed_in = float(json.loads(header["RESULTS-XC"])["Tc"]["value"])
    assert handed_in == pytest.approx(fitted, abs=1e-4)


def test_aavso_extended_with_a_check_star(run, tmp_path):
    (path,) = _export("aavso-extended", run, tmp_path, target_magnitude=11.3, check_magnitude=12.0)
    text = path.read_text()
    assert write_extended.validate(text) == []
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    magnitudes = np.array([float(row[10]) for row in rows])
    assert np.median(magnitudes) == pytest.approx(12.0, abs=0.01)
    assert np.std(magnitudes) < 0.05
    assert rows[0][9] == read_record(run)["night"]["check"]


def test_exoclock_etd_and_ecsv(run, tmp_path):
    curve = read_lightcurve(run / "lightcurve.csv")
    starts = [("exoclock", curve.jd_utc[0] - 50 / 86400), ("etd", curve.jd_utc[0])]
    for kind, moment in starts:
        (path,) = _export(kind, run, tmp_path)
        first = next(x for x in path.read_text().splitlines() if not x.startswith("#"))
        assert float(first.split("\t")[0]) == pytest.approx(moment, abs=1e-8)
        assert "#Planet: Test-1b\n" in path.read_text()
    (path,) = _export("ecsv", run, tmp_path)
    series = TimeSeries.read(path, time_column="time", format="ascii.ecsv", time_format="jd")
    assert {"flux", "flux_err", "model", "detrended_flux"} <= set(series.colnames)


def test_exofop_bundle(run, tmp_path):
    paths = _export("exofop", run, tmp_path)
    base = re.compile(r"TIC123-01_\d{8}_Back-Yard_Rc_(.+)")
    names = {base.fullmatch(path.name)[1] for path in paths}
    assert names == {
        "datasubset.dat", "lightcurve.png", "measurements.tbl", "measurements.apertures",
        "calibration.log", "fitpanel.txt", "NEB-table.txt", "dmag_vs_RMS.png",
    }  # fmt: skip
    by_name = {base.fullmatch(path.name)[1]: path for path in paths}
    table = read_aij_table(by_name["measurements.tbl"])
    apertures = read_apertures(by_name["measurements.apertures"])
    assert len(table) == 120
    assert set(apertures.names) >= {s for s in table.stars if s.startswith("C")}
    assert "mid_time_bjd_tdb" in by_name["fitpanel.txt"].read_text()
    facts, rows = by_name["NEB-table.txt"].read_text().split("\n\n")
    title, *facts = facts.split("\n")
    assert title == f"TFOP NEB Search Table for:\t{by_name['datasubset.dat'].name[:-15]}"
    known = dict(line.split(":\t") for line in facts)
    assert known["Predicted depth"] == "14.400 ppt"
    assert known["Images"] == "120"
    assert known["Cadence"] == "120.0 s"
    assert rows.splitlines() == [
        "Star\tfrom target\tPA (deg.)\tdmag\tRMS(ppt)\tNEBdepth(ppt)\tNEBdepth/RMS\tDisposition",
        'S3\t31.40"\t12.5\t2.50\t10.00\t90.86\t9.09\tCleared',
        'S9\t90.00"\t300.0\t15.00\tnan\tnan\tnan\t***Not Cleared-flux too low***',
    ]


def test_fit_text_rounds_to_the_errors_and_keeps_times():
    mid = Parameter(2458107.7112907493, 2458107.7104118387, 2458107.712174483, "BJD_TDB")
    held = Parameter(2458107.7112907493, 2458107.7112907493, 2458107.7112907493, "BJD_TDB")
    depth = Parameter(0.15338683695, 0.14947165822, 0.15745226951, "")
    parameters = {"mid_time_bjd_tdb": mid, "held_bjd_tdb": held, "rp_over_rs": depth}
    fit = TransitFit(
        parameters, *[np.empty(0)] * 4,
        {"predicted_mid_bjd_tdb": 2458107.7112874, "chi2": 141.3908229}, (),
        Verdict(Finding.TRANSIT),
    )  # fmt: skip
    assert fit_text(fit).splitlines()[2:7] == [
        "mid_time_bjd_tdb\t2458107.71129\t-0.00088\t+0.00088\tBJD_TDB",
        "held_bjd_tdb\t2458107.71129\t-0\t+0\tBJD_TDB",
        "rp_over_rs\t0.1534\t-0.0039\t+0.0041\t",
        "predicted_mid_bjd_tdb\t2458107.71129",
        "chi2\t141.391",
    ]


def test_fit_text_tells_no_depth_of_a_dip_that_is_no_transit():
    statistics = {"amplitude_over_predicted": 2.3, "depth_limit_percent": 0.8}
    for finding in Finding:
        fit = TransitFit({}, *[np.empty(0)] * 4, statistics, (), Verdict(finding))
        assert ("amplitude_over_predicted" in fit_text(fit)) == fit.found
        assert "depth_limit_percent\t0.8" in fit_text(fit)


def test_points_left_out_and_points_with_flags_are_told(run):
    night = read_record(run)["night"]
    submission = make_submission(run, night, settle_details(night, OBSERVER))
    flags = np.zeros(120, dtype=np.uint16)
    flags[:3], flags[50], flags[51], flags[60:62] = 256, 512, 512 + 16, 16
    used, flux = flags & (256 | 512) == 0, submission.light_curve.flux.copy()
    used[100], flux[:] = False, 1.0
    curve = replace(submission.light_curve, flags=flags, flux=flux)
    one = replace(submission, light_curve=curve, fit=replace(submission.fit, used=used))
    assert points_told(one) == (
        "114 of 120 points; 6 left out (3 cloud, 2 outlier, 1 not fitted); "
        "2 handed in with a flag (2 no-centroid)"
    )
    assert points_told(replace(one, fit=None)).startswith("115 of 120 points; 5 left out (3 cloud")
    clean = replace(curve, flags=0 * flags)
    assert points_told(replace(one, light_curve=clean, fit=None)) == "120 of 120 points"


def test_apertures_name_the_comparison_stars_of_the_table():
    role = np.array(["target", "comparison", "comparison", "check"])
    numbers = {n: np.zeros(4) for n in ("ra_deg", "dec_deg", "x_ref", "y_ref")}
    numbers |= {n: np.ones(4) for n in ("flux_ref", "peak_ref")}
    star_id, reason = np.array(["S1", "S2", "S3", "S4"]), np.array([""] * 4)
    plan = StarPlan(star_id, role, reason, **numbers)
    found, remark = as_in_table(plan, {"T1", "C2", "T3", "T4"})
    assert list(found.role) == ["target", "comparison", "field", "check"]
    assert "of the 1 C stars" in remark[0]
    assert "use T3 as well (2 stars)" in remark[0]
    assert as_in_table(plan, {"T1", "C2", "C3", "T4"})[1] == ()


@pytest.mark.parametrize("kind", sorted(e.name for e in EXPORTS if e.needs))
def test_all_that_is_missing_is_named_with_its_option(kind, run, tmp_path):
    night = read_record(run)["night"]
    bare = {k: v for k, v in night.items() if k not in {"filter", "exposure_s", "binning"}}
    bare["planet"] = {}
    poor = tmp_path / "poor"
    poor.mkdir()
    (poor / "run.toml").write_text(tomli_w.dumps({"night": bare}))
    (poor / "lightcurve.csv").write_bytes((run / "lightcurve.csv").read_bytes())
    with pytest.raises(InputError) as caught:
        export_run(kind, poor, tmp_path / "out", {})
    assert all(detail.flag in str(caught.value) for detail in EXPORTS.get(kind).needs)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"camera": "film"}, "film"), ({"observer_code": "too long a code"}, "OBSCODE"),
        ({"exposure_s": 900.0}, "EXPOSURE_TIME"), ({"filter": "Zq"}, "Zq"),
        ({"binning": (5, 5)}, "BINNING"),
    ],
    ids=["camera", "code", "exposure", "filter", "binning"],
)  # fmt: skip
def test_what_a_service_refuses_is_not_written(given, words, run, tmp_path):
    with pytest.raises(InputError, match=words):
        _export("aavso-exoplanet", run, tmp_path / "out", **given)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("etd", {"exposure_s": np.inf}, "--exposure: inf is not within"),
        ("etd", {"exposure_s": np.nan}, "--exposure: nan is not within"),
        ("exoclock", {"exposure_s": 0.0}, "--exposure: 0 is not within"),
        ("exofop", {"planet_number": 0, "tic": "1", "observatory": "x"}, "--planet-number: 0 is"),
        ("aavso-extended", {"target_magnitude": np.nan}, "--magnitude: nan is not within"),
        ("etd", {"filter": "R\u0107"}, "not ASCII"),
        ("exoclock", {"filter": "R\u0107"}, "not ASCII"),
    ],
    ids=["inf", "nan", "zero", "planet", "magnitude", "etd-filter", "exoclock-filter"],
)
def test_numbers_that_cannot_be_are_one_line(kind, given, words, run, tmp_path):
    with pytest.raises(InputError, match=words):
        _export(kind, run, tmp_path / "out", **given)
    assert not list((tmp_path / "out").glob("*"))


def test_magnitude_zero_is_a_value(run, tmp_path):
    (path,) = _export("aavso-extended", run, tmp_path / "out", target_magnitude=0.0)
    assert path.exists()


def test_a_run_without_fit_is_handed_in_without(run, tmp_path):
    poor = tmp_path / "poor"
    poor.mkdir()
    for name in ("run.toml", "lightcurve.csv", "measurements.csv", "stars.csv"):
        (poor / name).write_bytes((run / name).read_bytes())
    (path,) = _export("aavso-exoplanet", poor, tmp_path / "out")
    assert "#RESULTS=\r\n" in path.read_bytes().decode()
    (path,) = _export("ecsv", poor, tmp_path / "out")
    assert "model" not in path.read_text().split("\n# schema")[0]


def test_the_command(run, tmp_path):
    given = ["export", "exoclock", str(run), "--out", str(tmp_path), "--filter", "V"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert "_V_100s_for_ExoClock.txt" in result.stdout.replace("\n", "")
    for wrong, words in (
        (["bogus", str(run)], "must be one of"),
        (["ecsv", str(tmp_path)], "run.toml"),
    ):
        result = CliRunner().invoke(app, ["export", *wrong])
        assert isinstance(result.exception, InputError)
        assert words in str(result.exception)


def test_stars_read_back(run):
    plan = read_stars(run)
    assert plan.role[0] == "target"
    assert plan.star_id[0] == "T1"
    assert np.isfinite(plan.x_ref).all()
    content = tomllib.loads((run / "run.toml").read_text())
    assert any(star[1:] == content["night"]["check"][1:] for star in plan.star_id)


def test_an_export_registered_at_run_time_is_in_help_docs_and_output(run, tmp_path):
    shoe = Detail("shoe", "--shoe-size", "Of the observer.", 0, panel="BAA", ask="it", kind=int)

    def write(folder, submission):
        return [write_text(folder / "baa.txt", f"{shoe.of(submission)}\n")]

    EXPORTS.register(Export("baa", "for the BAA", "baa.txt", write, (shoe,), (shoe,)))
    try:
        runner = CliRunner(env={"COLUMNS": "200"})
        text = runner.invoke(app, ["export", "--help"]).stdout
        assert all(words in text for words in ("baa (for the BAA)", "--shoe-size", "BAA"))
        assert "| `baa` | for the BAA | `baa.txt` | `--shoe-size` |" in exports_in_markdown()
        with pytest.raises(InputError, match=r"baa needs it \(--shoe-size\)"):
            export_run("baa", run, tmp_path, {})
        given = ["export", "baa", str(run), "--out", str(tmp_path), "--shoe-size", "43"]
        assert runner.invoke(app, given).exit_code == 0
        assert (tmp_path / "baa.txt").read_text() == "43\n"
    finally:
        del EXPORTS.entries["baa"]


def test_what_an_observer_says_goes_by_the_names_of_the_options() -> None:
    told = settle_details({}, {"exposure": 30.0, "star": "X"})
    assert (told["exposure_s"], told["star_name"]) == (30.0, "X")
    with pytest.raises(InputError, match=r"nots.*did you mean notes\?"):
        settle_details({}, {"nots": "hazy"})


def test_the_observer_of_the_settings_says_what_neither_option_nor_run_does():
    observer = {"aavso_code": "MINE", "camera_kind": "CMOS", "secondary_codes": ["A", "B"]}
    told = settle_details({"filter": "V"}, {"observer_code": "ABC"}, observer)
    assert told["observer_code"] == "ABC"
    assert told["camera"] == "CMOS"
    assert told["secondary_codes"] == ("A", "B")
    assert told["filter"] == "V"
    assert "observatory" not in told
