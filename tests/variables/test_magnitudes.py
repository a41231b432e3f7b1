"""Magnitudes that were put in come back, with colour terms and a check star, in any file."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.errors import FitError, InputError
from lightcurve.core.settings import Settings
from lightcurve.exports.aavso_extended import EXTENDED_COLUMNS
from lightcurve.tables.light_curves import read_curve
from lightcurve.variables.magnitudes import Transformation, tie_to_standards
from lightcurve.variables.story import Magnitudes
from lightcurve.variables.submit import observations_of, write_magnitudes
from sim_field import field_times, simulate_field

ZERO, TERM, MIDDLE, CHECK = 21.3, 0.12, 0.6, 7


@pytest.fixture(scope="module")
def field():
    time = field_times(3, 40)
    star = 1 + 0.1 * np.sin(2 * np.pi * time / 0.31)
    made = simulate_field(np.random.default_rng(1), nights=3, frames=40, red=0.0, vary={0: star})
    check = np.arange(len(made.name)) == CHECK
    return replace(made, check=check, comparison=made.comparison & ~check, filter="V")


def catalogue(path, field, *, off: float = 0.0):
    """Write B and V of all stars: V differs from what the camera has by a colour term."""
    rng = np.random.default_rng(2)
    colour = rng.uniform(0.2, 1.4, len(field.name))
    flux = np.median(field.flux, axis=0)
    v = ZERO - 2.5 * np.log10(flux) + TERM * (colour - MIDDLE)
    v[CHECK] += off
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ra", "dec", "Bmag", "Vmag", "e_Bmag", "e_Vmag"])
        for k in range(len(v)):
            values = (field.ra_deg[k], field.dec_deg[k], v[k] + colour[k], v[k], 0.01, 0.01)
            rows.writerow([f"{x:.6f}" for x in values])
    return v, colour


def settings_of(path, **image):
    return Settings(catalogs={"files": [path], "offline": True}, image=image)


def test_a_colour_term_is_fitted_and_the_star_comes_back(field, tmp_path) -> None:
    v, colour = catalogue(tmp_path / "c.csv", field)
    told = settings_of(tmp_path / "c.csv", colour_term=True)
    tied, _ = tie_to_standards(field, told, Transformation())
    zero = tied.zero_point
    assert abs(zero.colour_term - TERM) < 4 * zero.colour_term_err + 0.005
    assert tied.transformed
    assert tied.colour == pytest.approx(colour[0], abs=1e-5)
    assert abs(np.median(tied.magnitude) - v[0]) < 0.02
    assert np.ptp(tied.magnitude) == pytest.approx(-2.5 * np.log10(0.9 / 1.1), abs=0.05)
    assert (tied.total >= tied.error).all()
    assert tied.check is not None
    assert tied.check.agrees
    assert abs(tied.check.mean - v[CHECK]) < 0.02


def test_without_a_colour_term_nothing_is_transformed(field, tmp_path) -> None:
    catalogue(tmp_path / "c.csv", field)
    tied, _ = tie_to_standards(field, settings_of(tmp_path / "c.csv"), Transformation())
    assert not tied.transformed
    # What the colours do to standards is in the error of the zero point.
    assert tied.zero_point.scatter == pytest.approx(TERM * 1.2 / np.sqrt(12), rel=0.4)


def test_a_term_of_the_observer_and_a_check_star_that_is_off(field, tmp_path) -> None:
    v, _ = catalogue(tmp_path / "c.csv", field, off=0.3)
    told = settings_of(tmp_path / "c.csv")
    tied, _ = tie_to_standards(field, told, Transformation(TERM, 0.01, target_colour=1.0))
    zero = tied.zero_point
    assert (zero.colour_term, zero.colour_term_err) == (TERM, 0.01)
    assert tied.common_err == pytest.approx(
        np.hypot(zero.err, 0.01 * (1.0 - zero.colour_mean)), rel=1e-6
    )
    assert not tied.check.agrees
    assert tied.check.off == pytest.approx(-0.3, abs=0.03)
    assert abs(np.median(tied.magnitude) - v[0]) < 0.15


def test_files_are_as_the_aavso_and_vstar_read_them(field, tmp_path) -> None:
    catalogue(tmp_path / "c.csv", field)
    told = settings_of(tmp_path / "c.csv", colour_term=True)
    tied, _ = tie_to_standards(field, told, Transformation())
    found = Magnitudes(field, tied, "EY UMa", "V", "abc", "CMOS", "X1,b")
    paths = write_magnitudes(tmp_path, found).paths
    lines = paths["aavso"].read_text().splitlines()
    head = dict(line[1:].split("=") for line in lines if "=" in line)
    # VStar takes these of OBSTYPE and DATE, errors of 0 to 1, and groups of five letters.
    assert (head["TYPE"], head["DATE"], head["OBSTYPE"]) == ("EXTENDED", "JD", "CCD")
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    assert len(rows) == len(tied.rows)
    for row, mag, check in zip(rows, tied.magnitude, tied.check.magnitude[tied.rows], strict=True):
        one = dict(zip(EXTENDED_COLUMNS, row, strict=True))
        assert float(one["MAG"]) == pytest.approx(mag, abs=1e-5)
        assert float(one["KMAG"]) == pytest.approx(check, abs=1e-4)
        assert (one["TRANS"], one["CNAME"], one["KNAME"]) == ("YES", "ENSEMBLE", "S8")
        assert 0 < float(one["MERR"]) < 1
        assert one["CHART"] == "X1;b"
        # The check star's name is of the run alone: its place goes with it.
        assert f"{field.ra_deg[CHECK]:.5f} {field.dec_deg[CHECK]:+.5f}" in one["NOTES"]
        assert one["FILT"] == "V"
    simple = paths["vstar.txt"].read_text().splitlines()
    points = [line.split(",") for line in simple if not line.startswith("#")]
    assert all(len(point) == 4 and point[3] == "ABC" for point in points)
    assert [float(p[0]) for p in points] == sorted(field.jd_utc[tied.rows].round(6).tolist())
    curve = read_curve(paths["magnitudes.csv"])
    assert len(curve.flux) == len(tied.rows)
    assert np.ptp(-2.5 * np.log10(curve.flux)) == pytest.approx(np.ptp(tied.magnitude), abs=1e-4)
    clear = replace(found, field=replace(field, filter="CV"))
    assert observations_of(clear).filter == "CV"


def test_what_cannot_be_tied_is_refused(field, tmp_path) -> None:
    catalogue(tmp_path / "c.csv", field)
    unknown = replace(field, filter="")
    with pytest.raises(InputError, match="band"):
        tie_to_standards(unknown, settings_of(tmp_path / "c.csv"), Transformation())
    elsewhere = replace(field, dec_deg=field.dec_deg + 0.05)
    with pytest.raises(FitError, match=r"standards|stars"):
        tie_to_standards(elsewhere, settings_of(tmp_path / "c.csv"), Transformation())
    for value, err, colour in ((np.nan, 0.0, 1.0), (0.1, -0.1, None), (0.1, 0.0, np.inf)):
        with pytest.raises(InputError, match="finite"):
            Transformation(value, err, colour)
    told = Settings(catalogs={"offline": True})
    with pytest.raises(InputError, match="catalogue"):
        tie_to_standards(field, told, Transformation())
