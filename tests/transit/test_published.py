"""Real tables of others, fitted without frames, against published ephemerides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lightcurve.core.data import Finding
from lightcurve.core.settings import FitSettings
from lightcurve.curve.ensemble import build_ensemble, relative_flux
from lightcurve.transit.ephemeris import make_planet, read_planet
from lightcurve.transit.fit import fit_points
from lightcurve.transit.solve import Points

COVARIATES = {
    "airmass": "AIRMASS",
    "x": "X(FITS)_T1",
    "y": "Y(FITS)_T1",
    "fwhm": "FWHM_T1",
    "sky": "Sky/Pixel_T1",
    "comparison_flux": "tot_C_cnts",
}
# Spake et al. (2016, PASP 128, 024401).
WASP_135 = {
    "name": "WASP-135 b", "ra": "17:49:08.4", "dec": "+29:52:44.9",
    "period_days": 1.4013794, "period_days_err": 8e-7,
    "t0_bjd_tdb": 2455230.9902, "t0_bjd_tdb_err": 9e-4,
    "rp_over_rs": 0.139, "a_over_rs": 5.53, "a_over_rs_err": 0.15,
    "inclination_deg": 82.0, "inclination_deg_err": 0.6, "star": {"teff_k": 5675},
}  # fmt: skip
# Parviainen et al. (2020, A&A 633, A28).
TOI_263 = {
    "name": "TOI-263 b", "ra": 37.115, "dec": -25.208,
    "period_days": 0.556814, "period_days_err": 4.1e-6,
    "t0_bjd_tdb": 2458386.17148, "t0_bjd_tdb_err": 6e-4,
    "rp_over_rs": 0.21, "a_over_rs": 5.4, "a_over_rs_err": 0.5,
    "inclination_deg": 84.0, "inclination_deg_err": 3.0, "star": {"teff_k": 3471},
}  # fmt: skip


def _points(path: Path, separator: str = "\t") -> Points:
    table = pd.read_csv(path, sep=separator)
    return Points(
        time=table["BJD_TDB"].to_numpy(float),
        flux=table["rel_flux_T1"].to_numpy(float),
        flux_err=table["rel_flux_err_T1"].to_numpy(float),
        exposure_s=float(table["EXPTIME"].median()),
        covariates={name: table[column].to_numpy(float) for name, column in COVARIATES.items()},
    )


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("wasp135_20200423_ip.xls", WASP_135),
        ("TIC120916706-01_20181213_LCO-SAAO-1m_ip_measurements.tbl", TOI_263),
    ],
)
def test_public_tables(shared_data, file, values):
    planet = make_planet(values, "test")
    fit = fit_points(
        replace(_points(shared_data / "aij-tables" / file), filter_name="ip"),
        planet,
        settings=FitSettings(sample=False),
    )
    o_minus_c = fit.parameters["o_minus_c_minutes"]
    own = (o_minus_c.upper - o_minus_c.lower) / 2
    both = np.hypot(own, fit.statistics["prediction_error_minutes"])
    assert abs(o_minus_c.value) < 3 * both
    assert own < 3
    assert fit.parameters["rp_over_rs"].value == pytest.approx(values["rp_over_rs"], rel=0.12)
    assert fit.verdict.finding is Finding.TRANSIT


def test_hatp32_from_astroimagejs_fluxes(shared_data):
    """AstroImageJ's own fluxes; C5 is 8.5 % too bright in frames 70 to 72, counted from 1."""
    table = pd.read_csv(shared_data / "hatp32-aij" / "hatp32_aij_with_times.csv")
    stars = ["C2", "C3", "C4", "C5", "C6"]
    flux = table[[f"Source-Sky_{s}" for s in stars]].to_numpy(float)
    error = table[[f"Source_Error_{s}" for s in stars]].to_numpy(float)
    plain = build_ensemble(flux, error, weights="sum")
    assert plain.flux == pytest.approx(table["tot_C_cnts"].to_numpy(), rel=1e-6)
    assert plain.flux_err == pytest.approx(table["tot_C_err"].to_numpy(), rel=1e-6)
    robust = build_ensemble(flux, error)
    assert not robust.used[69:72, 3].any()
    assert robust.used.mean() > 0.95
    target = table[["Source-Sky_T1"]].to_numpy(float)
    target_err = table[["Source_Error_T1"]].to_numpy(float)
    relative, relative_err = relative_flux(robust, target, target_err)
    planet = read_planet(next((shared_data / "planets").iterdir()))
    # The table's times come from a keyword rounded to 86 s.
    points = Points(
        table["BJD_TDB"].to_numpy(float),
        relative[:, 0],
        relative_err[:, 0],
        60.0,
        {"airmass": table["AIRMASS"].to_numpy(float)},
    )
    points = replace(points, filter_name="CV")
    fit = fit_points(points, planet, settings=FitSettings(sample=False))
    assert fit.parameters["o_minus_c_minutes"].value == pytest.approx(0, abs=5)
    assert fit.parameters["rp_over_rs"].value == pytest.approx(0.150, abs=0.012)
    assert fit.statistics["residual_scatter_percent"] < 0.60
