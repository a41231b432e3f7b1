"""Fit candidates of which period, epoch, depth and duration are known: are errors honest.

    python -m benchmarks candidates --nights 40 --eccentricity 0.3

Each night has a transit of any orbit (a/R* 5 to 12, impact parameter 0 to 0.85), limb darkening as
its prior has it, and white noise; the planet file has the depth to 5 % and the duration to 3 %. A
pull is (found - true) / quoted error.
"""

from __future__ import annotations

import argparse

import numpy as np

from lightcurve.core.data import Planet
from lightcurve.core.settings import FitSettings
from lightcurve.transit.ephemeris import make_planet, transit_duration
from lightcurve.transit.fit import fit_points
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux
from lightcurve.transit.solve import Points

T0, CADENCE, NOISE = 2459000.0, 150 / 86400, 0.0014
STAR = {"teff_k": 5800.0, "logg": 4.4, "feh": 0.0}
PLACE = {"name": "Test b", "ra": 10.0, "dec": 20.0, "t0_bjd_tdb": T0, "star": STAR}
SHOWN = (
    *("mid_time_bjd_tdb", "rp_over_rs", "duration_days", "a_over_rs", "impact_parameter"),
    "depth_percent",
)


def one_night(rng: np.random.Generator, eccentricity: float) -> tuple[Points, Planet, list[float]]:
    """Draw a night: its points, what is known of the candidate, and what is true of `SHOWN`."""
    orbit = {
        "period_days": rng.uniform(1.5, 5.0),
        "eccentricity": eccentricity,
        "omega_deg": rng.uniform(0.0, 360.0),
    }
    rp, a, b = rng.uniform(0.08, 0.13), rng.uniform(5.0, 12.0), rng.uniform(0.0, 0.85)
    truth = make_planet(
        PLACE | orbit | {"rp_over_rs": rp, "a_over_rs": a, "impact_parameter": b}, "truth"
    )
    q, width, _ = limb_darkening_prior(5800.0, "V", logg=4.4, feh=0.0)
    limb = np.clip(q + width * rng.normal(size=2), 0.02, 0.98)
    mid, length = T0 + rng.uniform(-0.01, 0.01), transit_duration(truth)
    theta = np.array([mid, rp, a, b, *limb])
    time = np.arange(mid - length / 2 - 0.05, mid + length / 2 + 0.05, CADENCE)
    flux = transit_flux(time, theta, truth, exposure_days=CADENCE)
    depth = 100 * float(1 - transit_flux(np.array([mid]), theta, truth)[0])
    known = {
        "t0_bjd_tdb_err": 0.008,
        "depth_percent": depth * rng.normal(1.0, 0.05),
        "duration_hours": 24 * length * rng.normal(1.0, 0.03),
        "duration_hours_err": 0.03 * 24 * length,
    }
    noisy = flux * (1 + NOISE * rng.normal(size=len(time)))
    points = Points(time, noisy, np.full(len(time), NOISE), 150.0, filter_name="V")
    return points, make_planet(PLACE | orbit | known, "candidate"), [mid, rp, length, a, b, depth]


def main() -> None:
    """Fit nights, and print mean and width of the pulls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=40)
    parser.add_argument("--eccentricity", type=float, default=0.0)
    parser.add_argument("--no-sampling", action="store_true")
    parser.add_argument("--seed", type=int, default=5)
    asked = parser.parse_args()
    rng, pulls = np.random.default_rng(asked.seed), []
    for _ in range(asked.nights):
        points, planet, true = one_night(rng, asked.eccentricity)
        fit = fit_points(points, planet, settings=FitSettings(sample=not asked.no_sampling))
        if fit.found:
            told = [fit.parameters[name] for name in SHOWN]
            pulls.append(
                [(p.value - v) / ((p.upper - p.lower) / 2) for p, v in zip(told, true, strict=True)]
            )
    print(f"{len(pulls)} of {asked.nights} found")
    for name, column in zip(SHOWN, np.array(pulls).T, strict=True):
        print(f"{name:20} {np.mean(column):+.2f}, {np.std(column):.2f}")


if __name__ == "__main__":
    main()
