"""The Python API: text for paths, options as keywords, and results that go on to other programs."""

from __future__ import annotations

import csv
import inspect
import re
import subprocess
import sys
import typing
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lightcurve as lc
from lightcurve.commands.simulate import simulate
from lightcurve.simulate.request import FIELDS, Request
from sim import tiny_night

RA, DEC = "20.0", "30.0"
PLANET = """name = "X b"
ra = "01:20:00"
dec = "+30:00:00"
period_days = 3.0
t0_bjd_tdb = 2460000.5
rp_over_rs = 0.12
a_over_rs = 8.0
inclination_deg = 88.0
"""


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    tiny_night(folder, n_frames=24, shape=(300, 330), n_stars=40, header_wcs=True)
    return folder


@pytest.fixture(scope="module")
def night(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> lc.Night:
    out = tmp_path_factory.mktemp("run")
    return lc.reduce_night(
        str(frames), str(out), ra=RA, dec=DEC, solver="header", offline=True, fit=False
    )


def test_everything_public_is_there_and_nothing_is_loaded_before_it_is_asked_for() -> None:
    assert all(hasattr(lc, name) for name in lc.__all__)
    code = "import sys, lightcurve; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="reduce_nihgt"):
        _ = lc.reduce_nihgt


@pytest.mark.parametrize("name", [n for n in lc.__all__ if inspect.isfunction(getattr(lc, n))])
def test_a_program_can_ask_for_the_types(name: str) -> None:
    assert typing.get_type_hints(getattr(lc, name))["return"] is not None


def test_a_checker_finds_a_misspelt_name(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    program = tmp_path / "program.py"
    program.write_text("import lightcurve as lc\n\nlc.reduce_night\nlc.reduce_nihgt\n")
    options = ["--config-file=", "--follow-imports=skip", f"--cache-dir={tmp_path / 'cache'}"]
    command = [sys.executable, "-m", "mypy", *options, str(Path(lc.__file__)), str(program)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line for line in made.stdout.splitlines() if "program.py" in line]
    assert len(found) == 1
    assert "reduce_nihgt" in found[0]


def test_a_night_holds_what_its_tables_hold(night: lc.Night) -> None:
    with night.products.paths["lightcurve.csv"].open() as file:
        rows = list(csv.DictReader(file))
    table = night.to_table()
    assert set(rows[0]) == set(table.colnames)
    assert_array_equal(table["rel_flux"], [float(row["rel_flux"]) for row in rows])
    assert str(table["fwhm_px"].unit) == "pix"
    frame = night.curve.to_pandas()
    assert_array_equal(frame["bjd_tdb"], night.curve.bjd_tdb)
    assert night.fit is None
    assert list(night.stars.to_table()["role"]).count("target") == 1


def test_the_cube_as_a_table_has_a_row_for_every_flux(night: lc.Night) -> None:
    cube = night.measurements
    table = cube.to_table()
    assert len(table) == np.isfinite(cube.flux).any(axis=2).sum() * len(cube.radii)
    k = len(table) // 2
    f = list(cube.file).index(table["file"][k])
    s = list(cube.plan.star_id).index(table["star"][k])
    r = int(np.argmin(np.abs(cube.radii - table["radius"][k])))
    assert table["flux"][k] == cube.flux[f, s, r]
    assert table["x"][k] == cube.x[f, s]


def test_settings_and_keywords_are_joined_and_keywords_win(frames: Path, tmp_path: Path) -> None:
    settings = lc.Settings.model_validate(
        {"target": {"ra": RA, "dec": "-30"}, "solve": {"solvers": ["header"]}}
    )
    measured = lc.measure_night(
        frames, tmp_path, settings=settings, dec=DEC, offline=True, radius=[2.0, 3.0]
    )
    assert list(measured.radii) == [2.0, 3.0]
    assert measured.plan.dec_deg[0] == pytest.approx(30.0, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "named"),
    [({"radus": 3.0}, "radius"), ({"gain": -1}, "--gain"), ({"weights": "scater"}, "scatter")],
)
def test_a_wrong_option_is_named(frames: Path, options: dict[str, object], named: str) -> None:
    with pytest.raises(lc.LightcurveError) as caught:
        lc.reduce_night(frames, **options)
    assert named in str(caught.value)


def test_a_curve_that_was_read_is_fitted_and_drawn(tmp_path: Path) -> None:
    planet = tmp_path / "p.toml"
    planet.write_text(PLANET)
    time = 2460000.5 + np.linspace(-0.12, 0.12, 90)
    noise = np.random.default_rng(3).normal(0, 0.001, time.size)
    dip = np.where(np.abs(time - 2460000.5) < 0.055, 0.0144, 0.0)
    table = tmp_path / "curve.csv"
    points = zip(time.tolist(), (1 - dip + noise).tolist(), strict=True)
    lines = [f"{t!r},{f!r},0.001" for t, f in points]
    table.write_text("\n".join(["BJD_TDB,flux,flux_err", *lines]))
    fitted = lc.fit_transit(
        str(table), planet=str(planet), sample=False, covariate=["none"], exposure=60
    )
    depth = fitted.fit.parameters["rp_over_rs"]
    assert abs(depth.value - 0.12) < 3 * (depth.upper - depth.value) + 0.01
    rows = fitted.fit.to_table()
    assert rows["value"][list(rows["name"]).index("rp_over_rs")] == depth.value
    axes = fitted.plot()
    used = fitted.fit.used
    assert_array_equal(axes.lines[-1].get_xdata(), fitted.curve.bjd_tdb[used] - 2460000.0)
    again = lc.read_light_curve(table)
    assert_array_equal(again.bjd_tdb, time)


def test_a_column_of_times_is_named_as_the_error_says(tmp_path: Path) -> None:
    table = tmp_path / "curve.csv"
    jd = 2460000.5 + np.arange(20) / 1000
    table.write_text("\n".join(["t,flux", *(f"{t:.4f},1.0" for t in jd.tolist())]))
    with pytest.raises(lc.InputError, match=r"in Python: time=, time_kind="):
        lc.read_light_curve(table)
    curve = lc.read_light_curve(table, time="t", time_kind="jd_utc")
    assert_array_equal(curve.jd_utc, np.round(jd, 4))


def test_simulated_frames_are_those_asked_for(tmp_path: Path) -> None:
    simulated = lc.simulate_night(tmp_path, frames=2, size=(96, 64), bias=0, dark=0, flat=0)
    assert len(simulated.truth.lights) == simulated.summary["light_frames"].value == 2
    assert len(list(tmp_path.glob("light_*.fits"))) == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"clouds": 1}, "did you mean cloud?"),
        ({"exposure_s": 60}, "did you mean exposure?"),
        ({"cloud": "much"}, "--cloud much"),
        ({"size": (96, 64, 2)}, "--size"),
    ],
)
def test_a_night_that_cannot_be_simulated_is_refused(
    tmp_path: Path, options: dict[str, object], named: str
) -> None:
    with pytest.raises(lc.InputError) as caught:
        lc.simulate_night(tmp_path, **options)
    assert named in str(caught.value)


def test_a_simulated_night_takes_the_options_of_the_command() -> None:
    of_command = {*inspect.signature(simulate).parameters} - {"out", "json"}
    assert of_command == {*FIELDS}
    assert {*FIELDS.values()} == {field.name for field in fields(Request)}


def test_the_example_of_the_manual_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planet = PLANET.replace("2460000.5", "2460586.74")  # at night
    (tmp_path / "planet.toml").write_text(planet)
    camera = {"size": (260, 240), "bias": 0, "dark": 0, "flat": 0, "cadence": 400.0}
    lc.simulate_night(tmp_path / "NIGHT", planet=tmp_path / "planet.toml", frames=36, **camera)
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/python.md", "exec"), {})  # noqa: S102 -- the manual's own words
    assert (tmp_path / "curve.pdf").stat().st_size > 1000
    assert "rp_over_rs" in capsys.readouterr().out


def test_the_points_that_have_a_time_and_a_flux_go_on_to_lightkurve(night: lc.Night) -> None:
    pytest.importorskip("lightkurve")
    curve = night.curve.to_lightkurve()
    good = np.isfinite(night.curve.flux)
    assert_array_equal(curve.time.jd, night.curve.bjd_tdb[good])
    assert curve.time.scale == "tdb"


def test_without_lightkurve_it_says_how_to_have_it(
    night: lc.Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightkurve", None)
    with pytest.raises(lc.LightcurveError, match="pip install lightkurve"):
        night.curve.to_lightkurve()


def test_a_curve_without_barycentric_times_is_drawn_by_its_clock(tmp_path: Path) -> None:
    table = tmp_path / "clock.csv"
    times = 2460000.5 + np.arange(20) / 500
    table.write_text(
        "\n".join(["JD_UTC,flux,flux_err", *(f"{t!r},1.0,0.01" for t in times.tolist())])
    )
    axes = lc.read_light_curve(table).plot()
    assert axes.get_xlabel() == "JD_UTC - 2460000"
    assert_array_equal(axes.lines[0].get_xdata(), times - 2460000)


@pytest.mark.parametrize("option", [{"radius": [4.0]}, {"style": "aij"}])
def test_an_option_of_another_verb_is_refused_not_ignored(
    option: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(lc.LightcurveError, match="fit has no option"):
        lc.fit_transit(tmp_path / "any.csv", **option)


def test_a_finished_run_is_read_and_tuned_without_its_frames(kept_run):
    _, folder = kept_run
    night = lc.read_run(folder)
    dropped = f"C{night.recipe.comparison_rows[0] + 1}"
    other = lc.tune_run(folder, drop=[dropped], weights="sum", covariate=["none"], fit=False)
    assert other.recipe.comparison_rows == night.recipe.comparison_rows[1:]
    assert (other.fit, other.own.curve.flux.tobytes()) == (None, night.curve.flux.tobytes())
    assert other.tuned == f"--drop {dropped} --weights sum --no-fit --covariate none"
    with pytest.raises(lc.InputError):
        lc.tune_run(folder)
    with pytest.raises(lc.InputError, match="covariate"):
        lc.tune_run(folder, covariates=["x"])
