"""A season of light curves with known mid-times, as tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.core.data import Planet
from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux

PLANET = Planet(
    name="Season b", ra_deg=120.0, dec_deg=30.0, period_days=2.5, t0_bjd_tdb=2459000.0,
    rp_over_rs=0.12, a_over_rs=9.0, inclination_deg=88.0, teff_k=5800.0,
    errors={"a_over_rs": 0.3, "inclination_deg": 0.5, "t0_bjd_tdb": 4e-4, "period_days": 2e-6},
)  # fmt: skip
FILE = """name = "Season b"
ra = 120.0
dec = 30.0
period_days = 2.5
period_days_err = 2e-6
t0_bjd_tdb = 2459000.0
t0_bjd_tdb_err = 4e-4
rp_over_rs = 0.12
a_over_rs = 9.0
a_over_rs_err = 0.3
inclination_deg = 88.0
inclination_deg_err = 0.5
[star]
teff_k = 5800.0
"""
THETA = np.array([0.0, 0.12, 9.1, 0.3, 0.35, 0.36])


def planet_file(folder: Path) -> Path:
    path = folder / "planet.toml"
    path.write_text(FILE)
    return path


def curve_of(
    mid: float,
    rng: np.random.Generator,
    *,
    noise: float = 0.0015,
    cadence_s: float = 240.0,
    window: tuple[float, float] = (-1.0, 1.0),
    filter_name: str = "Rc",
    gap: bool = False,
    theta: np.ndarray = THETA,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time (BJD_TDB), flux and error about a transit, (n,) each; window: durations from mid."""
    duration = transit_duration(PLANET)
    time = np.arange(mid + window[0] * duration, mid + window[1] * duration, cadence_s / 86400)
    if gap:  # a fifth of the night
        start = rng.uniform(time[0], time[-1])
        time = time[(time < start) | (time > start + 0.2 * np.ptp(time))]
    q, _, _ = limb_darkening_prior(PLANET.teff_k, filter_name)
    there = np.array([mid, *theta[1:4], *q])
    flux = transit_flux(time, there, PLANET, exposure_days=cadence_s / 86400)
    hours = 24 * (time - time.mean())
    flux = (
        flux * (1 + 0.002 * rng.normal() * hours / 2.0) * (1 + noise * rng.normal(size=time.size))
    )
    return time, flux, np.full(time.size, noise)


def write_curve(
    path: Path, mid: float, rng: np.random.Generator, *, shift_days: float = 0.0, **options
) -> Path:
    """Write a table of a transit, its clock off by some days."""
    time, flux, error = curve_of(mid, rng, **options)
    exposure = options.get("cadence_s", 240.0)
    lines = [
        f"{t:.8f},{f:.7f},{e:.7f},{exposure}"
        for t, f, e in zip(time + shift_days, flux, error, strict=True)
    ]
    path.write_text("BJD_TDB,flux,flux_err,EXPTIME\n" + "\n".join(lines) + "\n")
    return path
