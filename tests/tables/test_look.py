"""Scatter and trend of light curves whose both are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.data import CurveSource, LightCurve, Severity
from lightcurve.core.errors import InputError
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.look import look_at_curve


def curve_of(hours: np.ndarray, flux: np.ndarray) -> LightCurve:
    n, nothing = len(hours), np.full(len(hours), np.nan)
    return LightCurve(
        file=np.full(n, "f"),
        jd_utc=2459000.5 + hours / 24,
        bjd_tdb=nothing,
        flux=flux,
        flux_err=np.full(n, 0.002),
        target_flux=nothing,
        comparison_flux=nothing,
        flags=np.zeros(n, np.uint16),
        covariates={},
        source=CurveSource("t", "JD", "flux", None, ()),
    )


def test_scatter_and_trend_are_those_put_in() -> None:
    rng = np.random.default_rng(3)
    hours = np.sort(rng.uniform(0, 5, 4000))
    flux = 1 + 0.003 * (hours - 2.5) + rng.normal(0, 0.004, 4000)
    look = look_at_curve(curve_of(hours, flux))
    assert look.points == 4000
    assert look.scatter == pytest.approx(0.4, rel=0.05)
    assert look.step_scatter == pytest.approx(0.4, rel=0.06)
    assert look.error == pytest.approx(0.2)
    assert look.trend == pytest.approx(0.3, abs=4 * look.trend_err)
    error = 0.4 / np.sqrt(np.sum((hours - hours.mean()) ** 2))
    assert look.trend_err == pytest.approx(error, rel=0.05)


@pytest.mark.parametrize("hours", [[0.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
def test_what_has_no_trend_says_so(hours: list[float]) -> None:
    with pytest.raises(InputError, match="usable points"):
        look_at_curve(curve_of(np.array(hours), np.ones(len(hours))))


def test_columns_as_the_pipeline_names_them(tmp_path: Path) -> None:
    path = tmp_path / "night_measurements.csv"
    rows = ["Time Axis,Target Flux,Validation Flux,Comparison Flux"]
    rows += [f"{2458107.5 + k / 500},{1000 + k},{900},{2000 + 2 * k}" for k in range(20)]
    path.write_text("\n".join(rows))
    curve = read_curve(path)
    np.testing.assert_allclose(curve.flux, 1.0)  # target and comparison rise alike
    np.testing.assert_allclose(curve.jd_utc, 2458107.5 + np.arange(20) / 500)
    assert curve.source is not None
    assert [note.subject for note in curve.source.notes if note.subject] == ["Time Axis"]


def test_a_relative_flux_with_a_blank_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("\n".join(["MJD,Relative Flux"] + [f"{58107 + k / 500},1.0" for k in range(9)]))
    np.testing.assert_allclose(
        read_curve(path, ColumnChoice(time="MJD")).jd_utc, 2458107.5 + np.arange(9) / 500
    )


@pytest.mark.parametrize("name", ["JD", "HJD", "BJD", "MJD", "time"])
def test_any_julian_date_will_do_where_only_differences_count(tmp_path: Path, name: str) -> None:
    first = 58107.0 if name == "MJD" else 2458107.5
    path = tmp_path / "curve.csv"
    rows = [f"{first + k / 500:.6f},{1 + 0.001 * k}" for k in range(21)]
    path.write_text("\n".join([f"{name},Relative Flux", *rows]))
    look = look_at_curve(read_curve(path, any_scale=True))
    assert look.hours == pytest.approx(24 * 20 / 500, abs=1e-5)
    assert look.trend == pytest.approx(100 * 0.001 / (24 / 500) / 1.01, rel=1e-4)
    with pytest.raises(InputError, match="--time-kind"):
        read_curve(path)


def test_the_light_of_one_star_is_taken_and_told(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    rows = [f"{2458107.5 + k / 500},{1000 + k}" for k in range(21)]
    path.write_text("\n".join(["Time Axis,Target Flux", *rows]))
    curve = read_curve(path)
    np.testing.assert_allclose(curve.flux, (1000 + np.arange(21)) / 1010)
    assert curve.source is not None
    told = [note.subject for note in curve.source.notes if note.severity is Severity.WARNING]
    assert told == ["Target Flux"]
