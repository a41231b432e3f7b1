"""How often a verdict is right: nights with and without transits of every kind, as tables.

    python -m benchmarks verdicts --nights 200 --page docs/verdicts.md
    python -m benchmarks verdicts --nights 20 --kind "flat, trends"

Each night is a table of points with its covariates; all that is drawn is drawn anew for each. The
rates of its findings are printed by kind, and put into a page. Wanted: a transit found in under 1 %
of the nights without one, and `no transit` told of under 1 % of those with one. Beside them stands
what is possible: the rate of the likelihood ratio, which no test can beat at as few false alarms
(Neyman & Pearson 1933), where noise, trends' sizes, mid-time and shape are known, and only level
and trends are not.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np

from lightcurve.core.data import Finding, Planet, StarCurves
from lightcurve.core.settings import FitSettings
from lightcurve.transit.detect import LIMIT_SIGMA
from lightcurve.transit.ephemeris import impact_parameter, transit_duration
from lightcurve.transit.fit import fit_points
from lightcurve.transit.judge import FALSE_ALARM
from lightcurve.transit.model import transit_flux
from lightcurve.transit.solve import Points

MARK = "<!-- rates -->"
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
UNSURE = replace(PLANET, errors={**PLANET.errors, "t0_bjd_tdb": 0.03})
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
    n_points: int = 150
    gaps: tuple[tuple[float, float], ...] = ()  # in shares of the night
    varies: bool = False  # the target alone, by a wave as strong as the white noise
    n_stars: int = 6  # of the field, beside the target; 0 for a table of a target alone


def with_radius(rp: float) -> Planet:
    return replace(PLANET, rp_over_rs=rp)


KINDS = {
    "flat, white noise": Kind(there=False, trend=False),
    "flat, trends": Kind(there=False),
    "flat, trends, red noise": Kind(there=False, red=0.7),
    "flat, red noise as strong as white": Kind(there=False, red=1.0),
    "flat, a target that varies": Kind(there=False, varies=True),
    "flat, 0.2 % predicted": Kind(with_radius(0.045), there=False, red=0.7),
    "flat, 0.1 % predicted": Kind(with_radius(0.032), there=False, red=0.7),
    "flat, grazing predicted": Kind(GRAZING, there=False, red=0.7),
    "flat, Rp/R* 1.0 predicted": Kind(with_radius(1.0), there=False, red=0.7, hours=9.0),
    "flat, mid-time +- 43 min": Kind(UNSURE, there=False, red=0.7, hours=8.0),
    "flat, 64 points": Kind(there=False, red=0.7, hours=3.5, n_points=64),
    "flat, trends, red noise, no stars": Kind(there=False, red=0.7, n_stars=0),
    "1.4 %": Kind(),
    "1.4 %, red noise": Kind(red=0.7),
    "1.4 %, a target that varies": Kind(varies=True),
    "ingress only": Kind(middle=-0.75, hours=4.0),
    "egress only": Kind(middle=0.75, hours=4.0),
    "half": Kind(middle=-0.6, hours=3.5),
    "gaps": Kind(gaps=((0.3, 0.4), (0.5, 0.58))),
    "grazing, b = 1": Kind(GRAZING),
    "0.5 %": Kind(with_radius(0.071), red=0.7),
    "0.5 %, no stars": Kind(with_radius(0.071), red=0.7, n_stars=0),
    "0.2 %": Kind(with_radius(0.045), red=0.7),
    "0.1 %": Kind(with_radius(0.032), red=0.7),
    "0.5 %, white noise": Kind(with_radius(0.071)),
    "0.25 %, 64 points": Kind(with_radius(0.05), white=0.0019, hours=3.5, n_points=64),
    "Rp/R* 0.3": Kind(with_radius(0.3)),
    "Rp/R* 0.6": Kind(with_radius(0.6), hours=8.0),
    "Rp/R* 1.0": Kind(with_radius(1.0), hours=9.0),
    "eccentricity 0.6": Kind(replace(PLANET, eccentricity=0.6, omega_deg=140.0)),
    "1 h late": Kind(late_hours=1.0, hours=8.0),
    "mid-time +- 43 min, 3 h late": Kind(UNSURE, late_hours=3.0, hours=10.0),
    "3 h late": Kind(late_hours=3.0, hours=10.0),
}


def make_night(kind: Kind, rng: np.random.Generator) -> tuple[Points, float]:
    """Draw one night; how many sigma its transit, or the one predicted, can be is given too."""
    planet = kind.planet
    duration = transit_duration(planet)
    middle = planet.t0_bjd_tdb + kind.middle * duration + rng.normal(0, 0.02)
    share = np.linspace(0, 1, kind.n_points)
    share = share[~np.any([(share > a) & (share < b) for a, b in kind.gaps or ((2, 2),)], axis=0)]
    moments = middle + (share - 0.5) * kind.hours / 24
    transit = transit_flux(
        moments, draw_transit(kind, rng), planet, exposure_days=EXPOSURE_S / 86400
    )
    covariates = draw_covariates(moments, rng)
    columns = trend_columns(covariates) * kind.trend
    flux = transit if kind.there else np.ones(len(moments))
    flux = flux * star_curve(kind, moments, columns, rng)
    if kind.varies:
        wave = np.sin(2 * np.pi * (moments / rng.uniform(1.5 / 24, 5 / 24) + rng.uniform()))
        flux = flux * (1 + kind.white * np.sqrt(2) * wave)
    errors = np.full(len(moments), kind.white)
    stars = draw_stars(kind, moments, columns, rng) if kind.n_stars else None
    points = Points(moments, flux, errors, EXPOSURE_S, covariates, "V", stars)
    return points, strength(kind, moments, 1 - transit, columns)


def star_curve(
    kind: Kind, moments: np.ndarray, columns: np.ndarray, rng: np.random.Generator, noise=1.0
) -> np.ndarray:
    """Draw trends, wander and white noise (over the target's) of a star."""
    trend = np.prod(1 + columns * rng.normal(size=columns.shape[1]), axis=1)
    wander = kind.red * kind.white * markov(moments, RED_DAYS, rng)
    return trend * (1 + wander + noise * kind.white * rng.normal(size=len(moments)))


def draw_stars(
    kind: Kind, moments: np.ndarray, columns: np.ndarray, rng: np.random.Generator
) -> StarCurves:
    """Draw the other stars of the field, whose wanders are as large within a factor."""
    sizes, alike = rng.uniform(0.6, 1.6, kind.n_stars), np.exp(0.3 * rng.normal(size=kind.n_stars))
    flux = np.column_stack(
        [
            star_curve(replace(kind, red=kind.red * factor), moments, columns, rng, size)
            for size, factor in zip(sizes, alike, strict=True)
        ]
    )
    errors = np.broadcast_to(kind.white * sizes, flux.shape).copy()
    names = tuple(f"C{k + 2}" for k in range(kind.n_stars))
    return StarCurves(names, flux / np.median(flux, axis=0), errors)


def trend_columns(covariates: dict[str, np.ndarray]) -> np.ndarray:
    """One sigma of each covariate's trend, (n, 5), relative to the flux."""
    columns = []
    for name, size in TREND.items():
        values = covariates[name]
        unit = np.median(values) if name in {"fwhm", "sky"} else 1.0
        columns.append(size * (values - values.mean()) / unit)
    return np.column_stack(columns)


def strength(kind: Kind, moments: np.ndarray, loss: np.ndarray, columns: np.ndarray) -> float:
    """Work out the sigma of a known shape (n,) in the night's own noise, beside a free level."""
    apart = np.abs(moments[:, None] - moments) / RED_DAYS
    noise = kind.white**2 * (np.eye(len(moments)) + kind.red**2 * np.exp(-apart))
    whitened = np.linalg.solve(
        np.linalg.cholesky(noise + columns @ columns.T),
        np.column_stack([loss, np.ones(len(moments))]),
    )
    shape, level = whitened.T
    left = shape - level * (shape @ level) / (level @ level)
    return float(np.linalg.norm(left))


def best_rate(kind: Kind, strengths: np.ndarray) -> float:
    """How often the best test finds a transit of so many sigma (n,), or excludes it."""
    normal = NormalDist()
    if kind.there:
        margins = strengths - normal.inv_cdf(1 - FALSE_ALARM)
    else:
        # The odds that say no have LIMIT_SIGMA^2 / 2 as logarithm: s x - s^2 / 2 of a normal x.
        margins = (strengths**2 - LIMIT_SIGMA**2) / (2 * np.maximum(strengths, 1e-9))
    return float(np.mean([normal.cdf(margin) for margin in margins]))


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


def rates(name: str, nights: int) -> str:
    """Draw nights of a kind and judge them: a row of the table."""
    kind, findings, strengths = KINDS[name], [], []
    for seed in range(nights):
        points, sigma = make_night(kind, np.random.default_rng([seed, *name.encode()]))
        fit = fit_points(points, kind.planet, settings=FitSettings(sample=False))
        findings.append(fit.verdict.finding)
        strengths.append(sigma)
    return row_of(name, findings, strengths)


def row_of(name: str, findings: list[Finding], strengths: list[float]) -> str:
    """Lay a kind's rates out as a row of the table."""
    kind, counts, nights = KINDS[name], Counter(findings), len(findings)
    shares = [f"{100 * counts[f] / nights:.1f}" if counts[f] else "" for f in Finding]
    best = f"{100 * best_rate(kind, np.array(strengths)):.0f} {'found' if kind.there else 'no'}"
    return " | ".join([f"| {name}", str(nights), *shares, f"{best} |"])


def write_page(path: Path, table: str) -> None:
    """Put the table between the marks of a page."""
    before, _, after = path.read_text(encoding="utf-8").split(MARK)
    path.write_text(f"{before}{MARK}\n{table}\n{MARK}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--kind", action="append", choices=list(KINDS))
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    start = time.perf_counter()
    lines = [
        "Per cent of the nights of each kind:\n",
        " | ".join(["| kind", "nights", *(finding.value for finding in Finding), "possible |"]),
        "|---" * (len(Finding) + 3) + "|",
    ]
    print("\n".join(lines), flush=True)
    for name in options.kind or KINDS:
        lines.append(rates(name, options.nights))
        print(lines[-1], flush=True)
    print(f"{(time.perf_counter() - start) / 60:.1f} min")
    if options.page:
        write_page(options.page, "\n".join(lines))


if __name__ == "__main__":
    main()
