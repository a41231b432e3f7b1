"""How often a verdict is right: nights with and without transits of every kind, as tables.

    python -m benchmarks.bench_verdicts [--nights 200] [--kind NAME ...]

Each night is a table of 150 points with its covariates; all that is drawn is drawn anew for each.
The rates of its findings are printed by kind: they stand in docs/verdicts.md. Wanted: a transit
found in under 1 % of the nights without one, and `no transit` told of under 1 % of those with one.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import Finding, Planet
from lightcurve.core.settings import FitSettings
from lightcurve.transit.ephemeris import impact_parameter, transit_duration
from lightcurve.transit.fit import fit_points
from lightcurve.transit.model import transit_flux
from lightcurve.transit.solve import Points

N_POINTS = 150
NIGHT_DAYS = 0.25
EXPOSURE_S = 90.0
# One sigma of a trend: for a unit of airmass, a pixel, the whole of FWHM and sky.
TREND = {"airmass": 0.005, "x": 0.001, "y": 0.001, "fwhm": 0.01, "sky": 0.003}
RED_DAYS = 25 / 1440
PLANET = Planet(
    name="Bench b",
    ra_deg=100.0,
    dec_deg=0.0,
    period_days=2.8,
    t0_bjd_tdb=2460000.5,
    rp_over_rs=0.12,
    a_over_rs=8.0,
    inclination_deg=88.0,
    teff_k=5800.0,
    errors={"a_over_rs": 0.4, "inclination_deg": 0.7, "t0_bjd_tdb": 0.002},
)
GRAZING = replace(PLANET, inclination_deg=float(np.degrees(np.arccos(1.0 / 8))))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of night."""

    planet: Planet = PLANET
    there: bool = True  # whether the transit is
    white: float = 0.002  # scatter of a point
    red: float = 0.0  # over white
    trend: bool = True
    middle: float = 0.0  # of the night, in durations after mid-transit
    hours: float = 6.0
    late_hours: float = 0.0


def with_radius(rp: float) -> Planet:
    return replace(PLANET, rp_over_rs=rp)


KINDS = {
    "flat, white noise": Kind(there=False, trend=False),
    "flat, red noise": Kind(there=False, trend=False, red=0.7),
    "flat, trends": Kind(there=False),
    "flat, trends, red noise": Kind(there=False, red=0.7),
    "flat, red noise as strong as white": Kind(there=False, red=1.0),
    "flat, 0.2 % predicted": Kind(with_radius(0.045), there=False, red=0.7),
    "flat, grazing predicted": Kind(GRAZING, there=False, red=0.7),
    "1.4 %": Kind(),
    "1.4 %, red noise": Kind(red=0.7),
    "ingress only": Kind(middle=-0.75, hours=4.0),
    "egress only": Kind(middle=0.75, hours=4.0),
    "half": Kind(middle=-0.6, hours=3.5),
    "grazing, b = 1": Kind(GRAZING),
    "0.5 %": Kind(with_radius(0.071), red=0.7),
    "0.2 %": Kind(with_radius(0.045), red=0.7),
    "0.1 %": Kind(with_radius(0.032), red=0.7),
    "Rp/R* 0.3": Kind(with_radius(0.3)),
    "Rp/R* 0.6": Kind(with_radius(0.6), hours=8.0),
    "Rp/R* 1.0": Kind(with_radius(1.0), hours=9.0),
    "eccentricity 0.6": Kind(replace(PLANET, eccentricity=0.6, omega_deg=140.0)),
    "1 h late": Kind(late_hours=1.0, hours=8.0),
    "3 h late": Kind(late_hours=3.0, hours=10.0),
    "3 h late, red noise": Kind(late_hours=3.0, hours=10.0, red=0.7),
}


def make_night(kind: Kind, rng: np.random.Generator) -> Points:
    """Draw one night."""
    planet = kind.planet
    duration = transit_duration(planet)
    middle = planet.t0_bjd_tdb + kind.middle * duration + rng.normal(0, 0.02)
    moments = middle + np.linspace(-0.5, 0.5, N_POINTS) * kind.hours / 24
    flux = np.ones(N_POINTS)
    if kind.there:
        flux = transit_flux(
            moments, draw_transit(kind, rng), planet, exposure_days=EXPOSURE_S / 86400
        )
    covariates = draw_covariates(moments, rng)
    if kind.trend:
        for name, size in TREND.items():
            values = covariates[name]
            unit = np.median(values) if name in {"fwhm", "sky"} else 1.0
            flux = flux * (1 + size * rng.normal() * (values - values.mean()) / unit)
    wander = kind.red * kind.white * markov(moments, RED_DAYS, rng)
    flux = flux * (1 + wander + kind.white * rng.normal(size=N_POINTS))
    errors = np.full(N_POINTS, kind.white)
    return Points(moments, 1000 * flux, 1000 * errors, EXPOSURE_S, covariates, "V")


def draw_transit(kind: Kind, rng: np.random.Generator) -> np.ndarray:
    """Draw a transit from what its planet file says."""
    planet = kind.planet
    b = impact_parameter(planet) + rng.normal(0, 0.05)
    mid = planet.t0_bjd_tdb + rng.normal(0, 0.002) + kind.late_hours / 24
    a = planet.a_over_rs + rng.normal(0, 0.3)
    return np.array([mid, planet.rp_over_rs * rng.normal(1, 0.03), a, abs(b), 0.35, 0.35])


def draw_covariates(moments: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw an airmass that has its least some time in or beside the night, and drifts."""
    angle = 2 * np.pi * (moments - moments.mean() + rng.uniform(-0.12, 0.12))
    airmass = 1 / (0.45 + 0.5 * np.cos(angle))
    phase = np.linspace(0, 1, len(moments))
    drift = {
        name: rng.normal() * phase + markov(moments, 0.08, rng) + 0.1 * rng.normal(size=len(phase))
        for name in ("x", "y", "fwhm")
    }
    drift["fwhm"] = 3 + 0.3 * drift["fwhm"]
    sky = 100 + 30 * rng.normal() * phase**2 + rng.normal(size=len(phase))
    return {"airmass": airmass, **drift, "sky": sky}


def markov(moments: np.ndarray, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a wander of unit variance with a memory, days."""
    values = rng.normal(size=len(moments))
    keep = np.exp(-np.diff(moments) / memory)
    for k in range(1, len(values)):
        values[k] = keep[k - 1] * values[k - 1] + np.sqrt(1 - keep[k - 1] ** 2) * values[k]
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--kind", action="append", choices=list(KINDS))
    options = parser.parse_args()
    print("| nights |", " | ".join(finding.value for finding in Finding), "|")
    print("|---" * (len(Finding) + 1) + "|")
    logging.disable(logging.WARNING)
    start = time.perf_counter()
    for name in options.kind or KINDS:
        counts = Counter[Finding]()
        for seed in range(options.nights):
            rng = np.random.default_rng([seed, list(KINDS).index(name)])
            points = make_night(KINDS[name], rng)
            fit = fit_points(points, KINDS[name].planet, settings=FitSettings(sample=False))
            counts[fit.verdict.finding] += 1
        shares = [f"{100 * counts[f] / options.nights:.1f}" if counts[f] else "" for f in Finding]
        print(f"| {name} |", " | ".join(shares), "|", flush=True)
    print(f"{(time.perf_counter() - start) / 60:.1f} min")


if __name__ == "__main__":
    main()
