"""Light curves out of any table: real ones, and plain ones with known content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.time import Time

from lightcurve.aij.read_table import read_aij_table
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.exports.aavso import exoplanet_text
from lightcurve.exports.ecsv import ecsv_text
from lightcurve.exports.submission import Submission
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.run_tables import write_lightcurve
from sim_cube import CubeTruth, simulate_cube


def test_every_real_table_is_a_light_curve(shared_data):
    for path in sorted((shared_data / "aij-tables").iterdir()):
        if path.suffix == ".aperture":
            continue
        choice = ColumnChoice()
        if path.name == "three_columns_no_header.txt":
            choice = ColumnChoice(columns=("BJD_TDB", "rel_flux_T1", "rel_flux_err_T1"))
        curve = read_curve(path, choice)
        assert np.nanmedian(curve.flux) == pytest.approx(1), path.name
        assert (curve.flux_err[np.isfinite(curve.flux_err)] > 0).all(), path.name
        assert np.isfinite(curve.bjd_tdb).all() or np.isfinite(curve.jd_utc).all(), path.name
        assert curve.source.time_column.startswith(("BJD_TDB", "JD_UTC")), path.name


def test_table_of_known_content(shared_data):
    path = shared_data / "hatp32-aij" / "hatp32_aij_with_times.csv"
    table, curve = read_aij_table(path), read_curve(path)
    expected = table.star("rel_flux") / np.median(table.star("rel_flux"))
    np.testing.assert_allclose(curve.flux, expected, rtol=1e-12)
    np.testing.assert_array_equal(curve.bjd_tdb, table.columns["BJD_TDB"])
    assert set(curve.covariates) == {
        "airmass", "x", "y", "fwhm", "sky", "time", "comparison_flux",
    }  # fmt: skip
    alone = read_curve(path, ColumnChoice(target="T1", comparisons=("C2",)))
    ratio = table.star("Source-Sky") / table.star("Source-Sky", "C2")
    np.testing.assert_allclose(alone.flux, ratio / np.median(ratio), rtol=1e-12)


def test_the_comparison_stars_of_a_table_come_along_each_against_the_others(tmp_path):
    """By hand: two of three stars make the sum that the third is divided by."""
    rng = np.random.default_rng(3)
    stars = ("T1", "C2", "C3", "C4")
    light = rng.uniform(900, 1100, (20, 4))
    head = [f"{q}_{star}" for q in ("Source-Sky", "Source_Error") for star in stars]
    rows = np.column_stack([2459000 + np.arange(20) / 100, light, np.full((20, 4), 10.0)])
    path = tmp_path / "table.csv"
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    path.write_text("\n".join([",".join(["JD_UTC", *head]), *lines]) + "\n")
    found = read_curve(path).stars
    assert found.names == ("C2", "C3", "C4")
    ratio = light[:, 1] / (light[:, 2] + light[:, 3])
    np.testing.assert_allclose(found.flux[:, 0], ratio / np.median(ratio))
    relative = np.hypot(10 / light[:, 1], np.hypot(10, 10) / (light[:, 2] + light[:, 3]))
    np.testing.assert_allclose(found.flux_err[:, 0], found.flux[:, 0] * relative)
    assert read_curve(path, ColumnChoice(comparisons=("C2",))).stars is None
    assert read_curve(path, ColumnChoice(flux="Source-Sky_T1")).stars.names == found.names


@pytest.mark.parametrize(
    ("head", "choice", "system"),
    [
        ("BJD_TDB,flux,flux_err", ColumnChoice(), "bjd"),
        ("JD_UTC,Flux,Uncertainty", ColumnChoice(), "jd"),
        ("# BJD_TDB,Flux,Uncertainty", ColumnChoice(), "bjd"),
        ("MJD-OBS,a,b", ColumnChoice(time="MJD-OBS", flux="a", error="b"), "mjd"),
        ("t,a,b", ColumnChoice(time="t", flux="a", error="b", time_kind="jd_utc"), "jd"),
        ("DATE-OBS,a,b", ColumnChoice(time="DATE-OBS", flux="a", error="b"), "iso"),
    ],
)
def test_plain_tables_in_every_time_system(head, choice, system, tmp_path):
    jd = 2458107.5 + np.arange(6) / 16
    shown = {
        "bjd": [repr(float(t)) for t in jd],
        "jd": [repr(float(t)) for t in jd],
        "mjd": [repr(float(t - 2400000.5)) for t in jd],
        "iso": list(Time(jd, format="jd").isot),
    }[system]
    flux = np.array([1.0, 1.1, 0.9, 1.0, 1.0, 1.05])
    path = tmp_path / "plain.csv"
    rows = (f"{t},{f},0.05" for t, f in zip(shown, flux, strict=True))
    path.write_text("\n".join([head, *rows]) + "\n")
    curve = read_curve(path, choice)
    times = curve.bjd_tdb if system == "bjd" else curve.jd_utc
    np.testing.assert_allclose(times, jd, rtol=0, atol=1e-8)
    assert np.isnan(curve.jd_utc if system == "bjd" else curve.bjd_tdb).all()
    np.testing.assert_allclose(curve.flux, flux)
    np.testing.assert_allclose(curve.flux_err, 0.05)


def test_target_over_comparison_without_errors(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("JD,target,comp\n2459000.1,10,20\n2459000.2,12,20\n2459000.3,11,22\n")
    curve = read_curve(path, ColumnChoice(time="JD", flux="target", comparison_flux="comp"))
    np.testing.assert_allclose(curve.flux, [1, 1.2, 1])
    assert any("no errors in the table" in note.text for note in curve.source.notes)
    assert any("does not name its time scale" in note.text for note in curve.source.notes)


@pytest.mark.parametrize(
    ("content", "choice", "words"),
    [
        ("time,flux\n1,2\n", ColumnChoice(), "--time"),
        ("time,flux\n1,2\n", ColumnChoice(time="time"), "--time-kind"),
        ("BJD_UTC,flux\n1,2\n", ColumnChoice(time="BJD_UTC"), "--time-kind"),
        ("JD_UTC,a\n2459000,2\n", ColumnChoice(), "--flux"),
        ("JD_UTC,flux\n2459000,0\n", ColumnChoice(), "--flux-kind"),
        ("DATE,flux\nyesterday,1\n", ColumnChoice(time="DATE"), "ISO"),
        ("JD_UTC,flux\n2459000,1\n", ColumnChoice(time="BJD"), "BJD"),
        ("JD_UTC,flux\n2459000,1\n", ColumnChoice(time="JD_UTC", time_kind="tai"), "tai"),
    ],
)
def test_what_cannot_be_told_is_asked_for(content, choice, words, tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        read_curve(path, choice)


def test_our_own_files_come_back(tmp_path):
    cube = simulate_cube(np.ones(30), CubeTruth(n_stars=9), np.random.default_rng(2))
    curve = choose_curve(cube, Settings())
    path = write_lightcurve(tmp_path / "lightcurve.csv", curve, cube)
    np.testing.assert_array_equal(read_curve(path).flux, curve.flux)
    night = Submission(
        replace(curve, flags=np.zeros(30, np.uint16)),
        {"star_name": "x", "filter": "V", "exposure_s": 60, "observer_code": "ABC"},
    )  # fmt: skip
    path = tmp_path / "report.txt"
    path.write_bytes(exoplanet_text(night).encode())
    again = read_curve(path, ColumnChoice(flux="Rel-Norm-Flux", error="Rel-Norm-Flux-Err"))
    np.testing.assert_allclose(again.bjd_tdb, curve.bjd_tdb, rtol=0, atol=1e-6)
    np.testing.assert_allclose(again.flux, curve.flux / np.median(curve.flux), atol=2e-6)
    path.write_text(ecsv_text(night))
    again = read_curve(path, ColumnChoice(time="time", time_kind="bjd_tdb"))
    np.testing.assert_array_equal(again.bjd_tdb, curve.bjd_tdb)


@pytest.mark.parametrize(
    ("name", "bad", "good"), [("rejected", 1, 0), ("valid", 0, 1), ("Used", 0, 1), ("mask", 4, 0)]
)
def test_columns_that_tell_bad_points_either_way_are_believed(name, bad, good, tmp_path):
    rng = np.random.default_rng(2)
    rows = [
        f"{2459000 + k / 500:.6f},{1 + 0.001 * x:.6f},0.001,{bad if k % 10 == 3 else good}"
        for k, x in enumerate(rng.standard_normal(60))
    ]
    path = tmp_path / "night.csv"
    path.write_text("\n".join([f"BJD_TDB,flux,err,{name}", *rows]) + "\n")
    curve = read_curve(path)
    assert np.flatnonzero(curve.flags).tolist() == list(range(3, 60, 10))
