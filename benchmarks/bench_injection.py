"""Inject transits and recover them: honest errors, unbiased depth, a reliable no.

Each night is a simulated cube of fluxes (drift, meridian flip and clouds in turn) with a transit
whose parameters are drawn from the priors of the fit; it goes through the choice of aperture and
comparison stars and through the transit fit as a real night does. The hard nights of
tests/support/sim_points.py are tables that go into the fit at once. Run it by

    python -m benchmarks injection [--nights 200] [--kind white|red|empty|tables|KIND]
        [--no-sampling] [--out results.jsonl]

A pull is (found - true) / quoted error. Wanted: white noise, mean under 0.15 and width 0.9 to
1.15; red noise, width 0.8 to 1.3; depth biased by less than 2 %; a transit found in under 2 % of
the nights without one.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from lightcurve.core.data import Planet, TransitFit
from lightcurve.core.settings import FitSettings, make_settings
from lightcurve.curve.choose import choose_curve
from lightcurve.transit.ephemeris import predict_transit
from lightcurve.transit.fit import fit_points, fit_transit
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux
from lightcurve.transit.problem import make_priors
from sim_cube import CubeTruth, cube_times, simulate_cube
from sim_points import KINDS, hard_night
from sim_points import PLANET as PLANET_OF_TABLES

N_FRAMES = 160
CUBES = ("white", "red", "empty")
WEATHER = (
    {},
    {"drift_px": 250.0},
    {"flip": True},
    {"cloud": True},
    {"drift_px": 150.0, "flip": True, "cloud": True},
)
RED = {"red_noise": 0.0015, "red_time_s": 1500.0}
PLANET = Planet(
    name="Bench b",
    ra_deg=100.0,
    dec_deg=0.0,
    period_days=2.8,
    t0_bjd_tdb=2460000.6,
    rp_over_rs=0.12,
    a_over_rs=8.0,
    inclination_deg=88.0,
    teff_k=5800.0,
    errors={"a_over_rs": 0.4, "inclination_deg": 0.7},
)


def draw_truth(rng: np.random.Generator, moments: np.ndarray) -> np.ndarray:
    """Draw a transit from the priors, its middle within half an hour of the night's."""
    priors = make_priors(PLANET, moments, "V")
    q, width, _ = limb_darkening_prior(PLANET.teff_k, "V")
    while True:
        theta = np.array(
            [
                moments.mean() + rng.uniform(-0.02, 0.02),
                rng.uniform(0.08, 0.14),
                rng.normal(PLANET.a_over_rs, 0.4),
                rng.normal(priors.centre[3], priors.width[3]),
                *(q + width * rng.normal(size=2)),
            ]
        )
        if np.all(theta[2:] >= priors.lower[2:]) and np.all(theta[2:] <= priors.upper[2:]):
            return theta


def one_night(seed: int, kind: str, settings: FitSettings) -> tuple[TransitFit, np.ndarray, float]:
    """Simulate, choose and fit one night; the third value is the true duration, days."""
    rng = np.random.default_rng(seed)
    if kind in KINDS:
        points, theta, duration = hard_night(kind, seed)
        return fit_points(points, PLANET_OF_TABLES, settings=settings, rng=rng), theta, duration
    truth = CubeTruth(**WEATHER[seed % len(WEATHER)], **(RED if kind == "red" else {}))
    moments = cube_times(N_FRAMES, truth)
    planet = PLANET
    shift = moments.mean() - PLANET.t0_bjd_tdb
    planet = _moved(planet, shift)
    theta = draw_truth(rng, moments)
    flux = np.ones(N_FRAMES)
    if kind != "empty":
        flux = transit_flux(moments, theta, planet, exposure_days=truth.exposure_s / 86400)
    cube = simulate_cube(flux, truth, rng)
    prediction = predict_transit(planet, float(moments.mean()))
    margin = 0.02
    inside = (moments > prediction.ingress - margin) & (moments < prediction.egress + margin)
    curve = choose_curve(cube, make_settings({}), in_transit=inside)
    fit = fit_transit(
        curve,
        planet,
        exposure_s=truth.exposure_s,
        filter_name="V",
        settings=settings,
        rng=rng,
    )
    return fit, theta, _duration(planet, theta)


def _moved(planet: Planet, shift: float) -> Planet:
    from dataclasses import replace

    return replace(planet, t0_bjd_tdb=planet.t0_bjd_tdb + shift)


def _duration(planet: Planet, theta: np.ndarray) -> float:
    from lightcurve.transit.ephemeris import contact_duration

    return contact_duration(planet, rp=theta[1], a=theta[2], b=theta[3])


def summarise_pulls(nights: list[tuple[TransitFit, np.ndarray, float]]) -> None:
    """Print pulls, bias of the depth and how the errors are, of nights with one found."""
    share = np.mean([f.found for f, _, _ in nights])
    nights = [night for night in nights if night[0].found]
    for name, truth_of in (
        ("mid_time_bjd_tdb", lambda theta, _: theta[0]),
        ("rp_over_rs", lambda theta, _: theta[1]),
        ("duration_days", lambda _, duration: duration),
    ):
        found = []
        for fit, theta, duration in nights:
            p = fit.parameters[name]
            found.append((p.value - truth_of(theta, duration)) / ((p.upper - p.lower) / 2))
        pulls = np.array(found)
        far = np.mean(np.abs(pulls) > 3)
        print(
            f"  {name:18s} pull mean {pulls.mean():+.3f}, width {pulls.std():.3f}, "
            f"beyond 3 sigma {100 * far:.1f} %"
        )
    ratio = np.array([f.parameters["rp_over_rs"].value / theta[1] for f, theta, _ in nights])
    error = [
        (p.upper - p.lower) / 2 / p.value for p in (f.parameters["rp_over_rs"] for f, *_ in nights)
    ]
    beta = np.mean([f.statistics["beta"] for f, _, _ in nights])
    print(
        f"  Rp/R* bias {100 * (ratio.mean() - 1):+.2f} +- "
        f"{100 * ratio.std() / len(ratio) ** 0.5:.2f} %, median error "
        f"{100 * np.median(error):.2f} %, beta {beta:.2f}, found {100 * share:.0f} %"
    )


def keep_night(
    path: Path, seed: int, kind: str, night: tuple[TransitFit, np.ndarray, float]
) -> None:
    """Append one night's found and true values."""
    fit, theta, duration = night
    found = {name: [p.value, p.lower, p.upper] for name, p in fit.parameters.items()}
    row = {"kind": kind, "seed": seed, "true": [*theta, duration], "found": found}
    row |= {"covariates": fit.covariates, "verdict": str(fit.verdict), "statistics": fit.statistics}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--kind", choices=(*CUBES, "tables", *KINDS), action="append")
    parser.add_argument("--no-sampling", action="store_true")
    parser.add_argument("--out", type=Path, help="one line of JSON a night, as they come")
    options = parser.parse_args()
    how = FitSettings(sample=not options.no_sampling)
    asked = options.kind or (*CUBES, "tables")
    for kind in [k for name in asked for k in (KINDS if name == "tables" else (name,))]:
        start = time.perf_counter()
        nights = []
        for seed in range(options.nights):
            nights.append(one_night(seed, kind, how))
            if options.out:
                keep_night(options.out, seed, kind, nights[-1])
        seconds = (time.perf_counter() - start) / len(nights)
        print(f"{kind}: {len(nights)} nights, {seconds:.2f} s a night", flush=True)
        if kind != "empty":
            found = [night for night in nights if night[0].found]
            print(f"  a transit was found in {len(found)}")
            summarise_pulls(found)
            continue
        verdicts = [fit.verdict.finding.value for fit, _, _ in nights]
        for verdict in sorted(set(verdicts)):
            print(f"  {verdict}: {100 * verdicts.count(verdict) / len(verdicts):.1f} %")


if __name__ == "__main__":
    main()
