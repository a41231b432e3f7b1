"""Finished light curves of every kind, with their fits, without measuring or fitting anything."""

from __future__ import annotations

import numpy as np

from lightcurve.core.data import (
    Finding,
    LightCurve,
    Parameter,
    Planet,
    StarCurves,
    TransitFit,
    Verdict,
)
from lightcurve.curve.neb import Disposition, Neighbour
from lightcurve.night.finished import Finished
from lightcurve.transit.model import NAMES, transit_flux
from sim_points import MID, PLANET


def finished(
    n: int = 142,
    *,
    hours: float = 7.0,
    rp: float = 0.15,
    scatter: float = 0.004,
    starts: float = -3.5,
    found: Finding | None = Finding.TRANSIT,
    stars: int = 12,
    check: bool = True,
    wild: float = 0.0,
    name: str = "HAT-P-32 b",
    telescope: str = "Cecilia",
    planet: Planet | None = PLANET,
) -> Finished:
    """Make one: `starts` hours from mid-transit; found: what the fit says, None for no fit."""
    rng = np.random.default_rng(n)
    time = MID + (starts + np.linspace(0, hours, n)) / 24
    theta = np.array([MID, rp, 8.0, 0.28, 0.35, 0.36])
    seen = found in (Finding.TRANSIT, Finding.PARTIAL)
    model = transit_flux(time, theta, PLANET) if seen else np.ones(n)
    trend = 1 + 0.003 * np.linspace(-1, 1, n) ** 2
    flux = model * trend * (1 + rng.normal(0, scatter, n))
    flux[n // 3] += wild
    flux[2 * n // 3] -= wild
    names = tuple(f"C{k + 2}" for k in range(stars)) + (("K99",) if check else ())
    curves = 1 + rng.normal(0, scatter, (n, len(names)))
    columns = {
        "fwhm_px": rng.normal(3, 0.1, n), "sky": rng.normal(300, 9, n),
        "airmass": 1 + time - time[0],
        "x": np.linspace(0, 90, n), "y": np.linspace(50, 10, n), "shift": np.linspace(0, 90, n),
        "rotation": np.linspace(-0.2, 0.3, n),
    }  # fmt: skip
    curve = LightCurve(
        file=np.array([f"frame{k:04d}.fits" for k in range(n)]), jd_utc=time - 0.004, bjd_tdb=time,
        flux=flux, flux_err=np.full(n, scatter), target_flux=1e5 * flux,
        comparison_flux=2e5 * (1 - 0.05 * np.linspace(0, 1, n)), flags=np.zeros(n, dtype=np.uint16),
        covariates={"airmass": columns["airmass"], "x": columns["x"], "sky": columns["sky"]},
        columns=columns, stars=StarCurves(names, curves, np.full(curves.shape, scatter)),
    )  # fmt: skip
    about = {
        "target": name, "telescope": telescope, "filter": "CV", "exposure_s": 60.0,
        "radius_px": 4.2, "scale_arcsec": 5.163, "comparisons": stars, "check": "K99",
    }  # fmt: skip
    return Finished(
        curve=curve, about=about, fit=found and _fit(curve, model, trend, theta, found),
        planet=planet, check=("K99", curves[:, -1]) if check else None,
        neighbours=tuple(_neighbour(k) for k in range(9)), neb_radius_arcmin=2.5,
    )  # fmt: skip


def _fit(
    curve: LightCurve, model: np.ndarray, trend: np.ndarray, theta: np.ndarray, found: Finding
) -> TransitFit:
    seen = found in (Finding.TRANSIT, Finding.PARTIAL)
    parameters = {
        "mid_time_bjd_tdb": Parameter(MID, MID - 8.6e-4, MID + 8.8e-4, "BJD_TDB"),
        "o_minus_c_minutes": Parameter(0.14, -1.1, 1.4, "min"),
        "rp_over_rs": Parameter(theta[1], theta[1] - 0.006, theta[1] + 0.0061, "stellar radii"),
        "depth_percent": Parameter(100 * theta[1] ** 2, 2.1, 2.5, "%"),
        "duration_days": Parameter(0.127, 0.125, 0.13, "d"),
    }
    return TransitFit(
        parameters=parameters if seen else {}, model=model, trend=trend,
        residuals=curve.flux / (model * trend) - 1, used=np.isfinite(curve.flux),
        statistics={"beta": 1.28, "residual_scatter_percent": 0.39}, covariates=("airmass",),
        verdict=Verdict(found, "as simulated"),
        samples=np.random.default_rng(1).normal(theta, 0.01, (400, 6)) if seen else None,
        sample_names=NAMES if seen else (),
        solution=dict(zip(NAMES, theta.tolist(), strict=True)) if seen else {},
    )  # fmt: skip


def _neighbour(k: int) -> Neighbour:
    kind = (Disposition.CLEARED, Disposition.LIKELY, Disposition.NOT_CLEARED)[k % 3]
    rms = 2.0 * 10 ** (0.2 * k)
    return Neighbour(f"S{100 + k}", 100.0, 0.0, 30.0 + k, 10.0 * k, 0.5 * k, rms, 30.0, 5.0, kind)
