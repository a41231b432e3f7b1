"""`lightcurve fit`: any table in, honest numbers out; what cannot be is one line."""

from __future__ import annotations

import csv
import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.data import Finding, Note, Severity, Verdict
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.settings import make_settings
from lightcurve.core.times import bjd_tdb
from lightcurve.night.finished import read_finished
from lightcurve.night.fit_table import Known, fit_table, need_planet
from lightcurve.night.plot import plot_run
from lightcurve.report.style import Look
from lightcurve.tables.light_curves import ColumnChoice
from lightcurve.tables.run_tables import read_model
from lightcurve.transit.ephemeris import make_planet
from lightcurve.transit.fit_values import fit_from_json, fit_to_json
from lightcurve.transit.model import transit_flux

PLANET = """
name = "Test b"
ra = 100.0
dec = 20.0
period_days = 3.0
t0_bjd_tdb = 2459000.0
t0_bjd_tdb_err = 0.001
rp_over_rs = 0.12
a_over_rs = 9.0
a_over_rs_err = 0.3
inclination_deg = 88.0
inclination_deg_err = 0.5
[star]
teff_k = 5800
"""
# The same star and radius as in Parviainen et al. (2024, A&A 683, A170); the ephemeris is the one
# its authors had before their own transits.
TOI_2266 = """
name = "TOI-2266 b"
ra = "16:21:07.2"
dec = "+31:34:37"
period_days = 2.326214
period_days_err = 0.000223
t0_bjd_tdb = 2459255.6937865
t0_bjd_tdb_err = 0.005
rp_over_rs = 0.0585
a_over_rs = 18.7
a_over_rs_err = 1.2
inclination_deg = 89.0
inclination_deg_err = 0.7
star = { teff_k = 3200 }
"""
THETA = np.array([2459030.003, 0.12, 9.1, 0.33, 0.35, 0.36])
QUICK = {"fit": {"sample": False}}


@pytest.fixture
def planet_file(tmp_path):
    path = tmp_path / "planet.toml"
    path.write_text(PLANET)
    return path


def _settings(planet_file, figures="none", **fit):
    """Figures are most of the work, and few tests look at them."""
    known = {"target": {"planet_file": planet_file}, "figures": figures}
    return make_settings({**known, "fit": {"sample": False, **fit}})


def _night(depth=1.0, n=140, seed=1):
    rng = np.random.default_rng(seed)
    time = THETA[0] + np.linspace(-0.12, 0.12, n)
    planet = make_planet(tomllib.loads(PLANET), "test")
    flux = 1 + depth * (transit_flux(time, THETA, planet) - 1)
    return time, flux * (1 + 0.002 * rng.normal(size=n))


def _write(path, **columns):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(map(repr, map(float, c)) for c in columns.values()), strict=True))
    return path


def _fit(table, planet_file, out, known=None, **fit):
    products = fit_table(table, _settings(planet_file, **fit), out, known=known).products
    return products, json.loads((out / "fit.json").read_text())


def test_a_plain_csv_gives_the_transit_back(tmp_path, planet_file):
    time, flux = _night()
    table = _write(tmp_path / "t.csv", BJD_TDB=time, flux=flux, flux_err=0 * flux + 0.002)
    known = Known(exposure_s=60, filter="V")
    products, fit = _fit(table, planet_file, tmp_path / "out", known, figures="all")
    for name, truth in (("mid_time_bjd_tdb", THETA[0]), ("rp_over_rs", THETA[1])):
        p = fit[name]
        assert set(p) == {"value", "lower", "upper", "unit"}
        assert abs(p["value"] - truth) < 3 * (p["upper"] - p["lower"]) / 2
    wanted = {
        "a_over_rs", "impact_parameter", "duration_days", "depth_percent", "o_minus_c_minutes",
        "residual_scatter_percent", "n_points", "chi2", "bic", "delta_bic_no_transit", "beta",
        "verdict",
    }  # fmt: skip
    assert wanted <= set(fit)
    assert Verdict.read(fit["verdict"]).finding is Finding.TRANSIT
    assert fit["n_points"] == len(time)
    assert products.summary["target"].value == "Test b"
    assert products.summary["points_used"].value == products.summary["points"].value == len(time)
    assert {p.name for p in products.paths.values()} == {
        "fit.json", "model.csv", "light_curve.png", "time_averaging.png", "covariates.png",
        "corner.png",
    }  # fmt: skip
    model = read_model(tmp_path / "out" / "model.csv")
    level = np.median(flux)
    np.testing.assert_allclose(model["rel_flux"] * level, flux)
    np.testing.assert_allclose(
        model["trend"] * model["model"] * (1 + model["residual"]), model["rel_flux"]
    )
    np.testing.assert_allclose(model["detrended_flux"], model["rel_flux"] / model["trend"])


def test_another_star_s_planet_is_refused(tmp_path, planet_file):
    time, flux = _night(n=40)
    place = {"RA_T1": 0 * time + 7.0, "DEC_T1": 0 * time + 20.0}  # hours: 5 deg of RA away
    table = _write(tmp_path / "t.csv", BJD_TDB=time, rel_flux_T1=flux, **place)
    with pytest.raises(InputError, match=r"T1 is at 105\.0000 \+20\.0000 deg, Test b .* 4\.7 deg"):
        fit_table(table, _settings(planet_file), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_difference_of_clocks_has_no_sign_of_its_own(tmp_path, planet_file):
    time, flux = _night(n=40)
    planet = make_planet(tomllib.loads(PLANET), "test")
    bjd = bjd_tdb(time, planet.ra_deg, planet.dec_deg, None) - 1e-9
    table = _write(tmp_path / "t.csv", JD_UTC=time, BJD_TDB=bjd, flux=flux)
    _, fit = _fit(table, planet_file, tmp_path / "out")
    assert any("+0.0 s from what its JD_UTC" in note for note in fit["notes"])


def test_a_night_without_a_transit_says_so(tmp_path, planet_file):
    time, flux = _night(depth=0.0)
    table = _write(tmp_path / "t.csv", BJD_TDB=time, flux=flux, err=0 * flux + 0.002)
    _, fit = _fit(table, planet_file, tmp_path / "out")
    assert Verdict.read(fit["verdict"]).finding is Finding.NONE
    assert fit["delta_bic_no_transit"] < 2


def test_order_of_rows_does_not_matter(tmp_path, planet_file):
    time, flux = _night()
    mixed = np.random.default_rng(3).permutation(len(time))
    columns = {"BJD_TDB": time, "flux": flux, "err": 0 * flux + 0.002}
    one = _write(tmp_path / "a.csv", **columns)
    two = _write(tmp_path / "b.csv", **{k: v[mixed] for k, v in columns.items()})
    first, second = (_fit(t, planet_file, tmp_path / t.stem)[1] for t in (one, two))
    assert first["mid_time_bjd_tdb"] == second["mid_time_bjd_tdb"]
    assert first["coverage_transit"] == second["coverage_transit"]


def test_civil_times_are_taken_to_the_barycentre(tmp_path, planet_file):
    time, flux = _night()
    # The light-travel time changes by less than 1 ms while it is applied.
    jd = time - (bjd_tdb(time, 100.0, 20.0, None) - time)
    jd -= bjd_tdb(jd, 100.0, 20.0, None) - time
    table = _write(tmp_path / "t.csv", JD_UTC=jd, flux=flux, err=0 * flux + 0.002)
    _, fit = _fit(table, planet_file, tmp_path / "out")
    p = fit["mid_time_bjd_tdb"]
    assert abs(p["value"] - THETA[0]) < 3 * (p["upper"] - p["lower"]) / 2
    assert any("worked out from JD_UTC" in note for note in fit["notes"])


def test_rows_with_civil_times_only_take_part(tmp_path, planet_file):
    civil = np.array([f"{t:.9f}" for t in _night()[0]])
    flux = _night()[1]
    truth = bjd_tdb(civil.astype(float), 100.0, 20.0, None)
    given = [repr(float(t)) if k % 4 else "" for k, t in enumerate(truth)]
    table = tmp_path / "t.csv"
    rows = [f"{a},{b},{c!r},0.002" for a, b, c in zip(civil, given, map(float, flux), strict=True)]
    table.write_text("\n".join(["JD_UTC,BJD_TDB,flux,flux_err", *rows]) + "\n")
    _, fit = _fit(table, planet_file, tmp_path / "out")
    assert fit["n_points"] == len(flux)
    assert "of 35 rows without it worked out from JD_UTC" in " ".join(fit["notes"])
    model = read_model(tmp_path / "out" / "model.csv")
    assert np.abs(model["bjd_tdb"] - truth).max() * 86400 < 0.01


@pytest.mark.parametrize("off", [0.001, 1 / 24], ids=["scale", "hour"])
def test_times_of_other_coordinates_are_refused(tmp_path, planet_file, off):
    time, flux = _night()
    table = _write(
        tmp_path / "t.csv", JD_UTC=time, BJD_TDB=time + off, flux=flux, err=0 * flux + 0.002
    )
    with pytest.raises(InputError, match="--time"):
        _fit(table, planet_file, tmp_path / "out")


def test_covariates_are_forced_and_forbidden(tmp_path, planet_file):
    time, flux = _night()
    airmass = 1 + 300 * (time - time[0]) ** 2 / 10
    table = _write(
        tmp_path / "t.csv", BJD_TDB=time, flux=flux * (1 + 0.02 * airmass),
        err=0 * flux + 0.002, AIRMASS=airmass, x=np.sin(900 * time),
    )  # fmt: skip
    chosen = [
        _fit(table, planet_file, tmp_path / "out", **fit)[1]["covariates"]
        for fit in (
            {},
            {"covariates": ["x", "time"]},
            {"forbidden": ["airmass"]},
            {"covariates": ["none"]},
        )
    ]
    assert set(chosen[0]) == {"airmass", "time", "x"}
    assert chosen[1] == ["x", "time"]
    assert "airmass" not in chosen[2]
    assert "time" in chosen[2]
    assert chosen[3] == []
    with pytest.raises(FitError, match=r"no covariate fwhm .* there are airmass, time, x"):
        _fit(table, planet_file, tmp_path / "out", covariates=["fwhm"])
    with pytest.raises(InputError, match="both asked for and forbidden"):
        _settings(planet_file, covariates=["x"], forbidden=["x"])


def test_columns_are_named_by_option(tmp_path, planet_file):
    time, flux = _night()
    table = _write(tmp_path / "t.csv", when=time, light=flux, other=2 + 0 * flux)
    choice = ColumnChoice(time="when", time_kind="bjd_tdb", flux="light", comparison_flux="other")
    _, fit = _fit(table, planet_file, tmp_path / "out", Known(choice=choice))
    assert Verdict.read(fit["verdict"]).finding is Finding.TRANSIT
    assert any("scatter between neighbours" in note for note in fit["notes"])


def test_the_command_speaks_to_people_and_machines(tmp_path, planet_file):
    time, flux = _night()
    table = _write(tmp_path / "t.csv", BJD_TDB=time, flux=flux, err=0 * flux + 0.002)
    given = ["fit", str(table), "--planet", str(planet_file), "--out", str(tmp_path / "o")]
    given += ["--figures", "none"]
    result = CliRunner().invoke(app, ["--quiet", *given, "--no-sample", "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    told = answer["summary"]
    assert Finding(told["verdict"]["value"]) is Finding.TRANSIT
    assert told["points_used"]["value"] == told["points"]["value"] == len(time)
    written = json.loads((tmp_path / "o" / "fit.json").read_text())
    for name in ("mid_time_bjd_tdb", "o_minus_c_minutes", "rp_over_rs", "depth_percent"):
        assert told[name] == written[name]
    assert told["residual_scatter_percent"]["value"] == written["residual_scatter_percent"]
    assert told["covariates"]["value"] == written["covariates"]
    result = CliRunner().invoke(app, [*given, "--no-sample"])
    assert "mid-transit" in result.stdout


@pytest.mark.parametrize(
    ("target", "words"),
    [({}, "--planet FILE"), ({"name": "Some Star", "ra": "10", "dec": "10"}, "not known as a")],
    ids=["nothing", "a star"],
)
def test_no_planet_is_one_line(tmp_path, target, words):
    time, flux = _night()
    table = _write(tmp_path / "t.csv", BJD_TDB=time, flux=flux, err=0 * flux + 0.002)
    with pytest.raises(InputError, match=words):
        fit_table(table, make_settings({"target": target, **QUICK}), tmp_path / "out")


def test_the_record_of_a_run_tells_its_planet_where_no_setting_does():
    record = {"planet": tomllib.loads(PLANET)}
    assert need_planet(make_settings({}), record) == make_planet(record["planet"], "run.toml")


def test_a_planet_that_is_named_goes_before_that_of_the_run(planet_file):
    other = {"planet": {**tomllib.loads(PLANET), "period_days": 7.0}}
    settings = make_settings({"target": {"planet_file": str(planet_file)}})
    assert need_planet(settings, other).period_days == 3.0


@pytest.mark.parametrize("exposure_s", [np.inf, np.nan, -1.0, 1e6])
def test_an_exposure_that_cannot_be_is_one_line(tmp_path, planet_file, exposure_s):
    time, flux = _night()
    table = _write(tmp_path / "t.csv", BJD_TDB=time, flux=flux)
    with pytest.raises(InputError, match="--exposure in seconds"):
        _fit(table, planet_file, tmp_path / "out", Known(exposure_s=exposure_s))


def test_a_negative_seed_is_refused():
    with pytest.raises(InputError, match="seed"):
        make_settings({"seed": -1})


def test_too_few_points_are_one_line(tmp_path, planet_file):
    time, flux = _night(n=8)
    table = _write(tmp_path / "t.csv", BJD_TDB=time, flux=flux, err=0 * flux + 0.002)
    with pytest.raises(FitError, match=r"8 usable points of 8.* a transit fit needs 12"):
        _fit(table, planet_file, tmp_path / "out")
    table = _write(tmp_path / "u.csv", BJD_TDB=0 * time + time[0], flux=flux, err=0 * flux + 0.002)
    with pytest.raises(FitError, match="at 1 different times"):
        _fit(table, planet_file, tmp_path / "out")


def test_a_fit_reads_back(tmp_path, planet_file):
    time, flux = _night()
    table = _write(tmp_path / "t.csv", BJD_TDB=time, flux=flux, err=0 * flux + 0.002)
    _, content = _fit(table, planet_file, tmp_path / "out")
    fit = fit_from_json(content, read_model(tmp_path / "out" / "model.csv"))
    planet = make_planet(tomllib.loads(PLANET), "planet.toml")
    again = fit_to_json(fit, planet)
    for name, value in again.items():
        if name != "planet":
            assert value == content[name], name
    assert "seed" in content
    assert "seed" not in fit.statistics
    told = replace(
        fit,
        verdict=Verdict(Finding.INCONCLUSIVE, "deep: and wide", 2.5),
        notes=(Note("look", Severity.WARNING), Note("so")),
        statistics={**fit.statistics, "beta": np.nan},
    )
    text = fit_to_json(told, planet, extra={"seed": 3})
    columns = read_model(tmp_path / "out" / "model.csv")
    back = fit_from_json(text, columns)
    assert (back.verdict, back.notes) == (told.verdict, told.notes)
    assert back.statistics.keys() == told.statistics.keys()
    assert np.isnan(back.statistics["beta"])
    new = {"statistics", "verdict_finding", "verdict_reason", "depth_over_error", "remarks"}
    old = fit_from_json({name: text[name] for name in text if name not in new}, columns)
    assert (old.verdict.finding, old.verdict.reason) == (Finding.INCONCLUSIVE, "deep: and wide")
    assert [note.text for note in old.notes] == ["look", "so"]
    assert "seed" not in old.statistics
    with pytest.raises(InputError, match="not a fit of ours"):
        fit_from_json({"verdict": ""}, read_model(tmp_path / "out" / "model.csv"))


def test_a_fit_of_a_table_is_drawn_for_a_paper_as_a_run_is(tmp_path, planet_file):
    time, flux = _night()
    table = _write(tmp_path / "night.csv", BJD_TDB=time, rel_flux=flux, airmass=1 + time % 1)
    _, fit = _fit(table, planet_file, tmp_path / "fit", Known(exposure_s=60))
    read = read_finished(tmp_path / "fit")
    assert read.headline.startswith("Test b: transit, depth ")
    assert read.fit is not None
    assert read.fit.used.sum() == fit["n_points"]
    np.testing.assert_allclose(read.curve.flux, flux / np.median(flux), rtol=1e-9)
    assert read.smooth is not None
    drawn, lacking = plot_run(tmp_path / "fit", (), Look("column"), kind="pdf", out=None)
    assert drawn["light_curve"] == tmp_path / "fit" / "plots" / "light_curve.pdf"
    assert "covariates" in lacking


def test_toi_2266_from_tables_alone(shared_data, tmp_path):
    """Two bands of one transit of 0.4 %: each where expected, and both at one time.

    The third, of 75 points, has a dip that noise makes in one of some hundred nights.
    """
    planet_file = tmp_path / "planet.toml"
    planet_file.write_text(TOI_2266)
    found = []
    for band, radius in (("ip", 15), ("zs", 15)):
        name = f"TIC8348911-01_20210523_LCO-HAL-M3_{band}_{radius}px_measurements.tbl"
        known = Known(filter=band)
        _, fit = _fit(shared_data / "aij-tables" / name, planet_file, tmp_path / band, known)
        p = fit["o_minus_c_minutes"]
        own = (p["upper"] - p["lower"]) / 2
        assert abs(p["value"]) < 3 * np.hypot(own, fit["prediction_error_minutes"])
        assert fit["rp_over_rs"]["value"] == pytest.approx(0.0585, abs=0.012)
        assert Verdict.read(fit["verdict"]).finding is Finding.TRANSIT
        found.append((p["value"], own))
    mid, own = np.array(found).T
    mean = np.average(mid, weights=own**-2)
    assert np.all(np.abs(mid - mean) < 3 * own)


def test_without_a_transit_it_is_looked_at(tmp_path):
    table = tmp_path / "any.csv"
    rows = [f"{2459000.5 + k / 480},{1 + 1e-3 * (-1) ** k}" for k in range(40)]
    table.write_text("\n".join(["JD_UTC,flux", *rows]))
    words = ["fit", str(table), "--no-transit", "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["summary"]["trend"]["value"] == pytest.approx(0, abs=0.02)
    look = json.loads((tmp_path / "out" / "look.json").read_text())["look"]
    assert look["points"] == 40
    assert (tmp_path / "out" / "figures" / "light_curve.png").stat().st_size > 5000
    words[words.index("--out") + 1] = str(tmp_path / "undrawn")
    assert CliRunner().invoke(app, [*words, "--figures", "none"]).exit_code == 0
    assert not (tmp_path / "undrawn" / "figures").exists()
