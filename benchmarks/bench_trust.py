"""What `trust` foretells from one night, against many nights of the same noise.

    python -m benchmarks trust [--nights 12] [--true 120] [--kind white ...] [--page docs/trust.md]

Nights of every kind of noise are drawn as tables of points, each with a transit of 1.5 %. Of each
of some nights, by itself, `trust` foretells how often transits of three depths are found in such
noise, and how wide pulls are; the truth is that of many other nights, which it never saw. Wanted:
rates that agree on the mean within 5 %, and factors of the errors within a tenth.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lightcurve.core.data import LightCurve
from lightcurve.core.settings import FitSettings
from lightcurve.transit.fit import solve_curve
from lightcurve.transit.inject import (
    Injector,
    Order,
    Purpose,
    Trial,
    make_injector,
    tabulate_depths,
)
from lightcurve.transit.model import TransitModel
from lightcurve.trust.rates import Width, fit_detection, measure_width, share_of
from sim_season import PLANET

FILTER, MARK = "Rc", "<!-- rates -->"
POINTS, HOURS, EXPOSURE_S = 64, 5.5, 300.0
WHITE = 0.002
DEPTH = 0.015  # of each night's own transit
RATES = (0.3, 0.6, 0.9)  # about which depths are tried
PLAIN = FitSettings(sample=False)
MIDDLE = PLANET.t0_bjd_tdb + 40 * PLANET.period_days
Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def markov(minutes: float, size: float) -> Draw:
    """Make wanders with an exponential memory."""

    def draw(hours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        memory = np.exp(-np.diff(hours) * 60 / minutes)
        steps = rng.normal(size=len(hours))
        for k, kept in enumerate(memory, start=1):
            steps[k] = kept * steps[k - 1] + np.sqrt(1 - kept**2) * steps[k]
        return size * WHITE * steps

    return draw


def flicker(hours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of power 1 / f, as strong as the white in the cuts of a stretch eight times as long."""
    n = 8 * len(hours)
    frequency = np.fft.rfftfreq(n)
    spectrum = rng.normal(size=len(frequency)) + 1j * rng.normal(size=len(frequency))
    spectrum[1:] *= frequency[1:] ** -0.5
    spectrum[0] = 0
    series = np.fft.irfft(spectrum, n)
    spread = np.sqrt(np.mean(series.reshape(8, -1).var(axis=1)))
    return WHITE * series[: len(hours)] / spread


def wave(hours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a wave of 1.2 h, as of a drive's period or a star's pulsation."""
    return WHITE * np.sqrt(2) * np.sin(2 * np.pi * (hours / 1.2 + rng.uniform()))


def bend(hours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Extinct by an airmass that the fit is given, 0.5 % a unit."""
    return 0.005 * rng.normal() * airmass(hours)


def jump(hours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Jump once in the night, untold, by twice the scatter of a point."""
    return 2 * WHITE * rng.choice([-1, 1]) * (hours > rng.uniform(hours[0], hours[-1]))


def airmass(hours: np.ndarray) -> np.ndarray:
    return 1 / np.cos(np.radians(np.abs(15 * (hours - 1.0)) * 0.9))


KINDS: dict[str, tuple[str, Draw | None]] = {
    "white": ("white noise of 0.2 %", None),
    "trend": ("and a trend by airmass, 0.5 % a unit", bend),
    "ou10": ("and a wander of 10 min, 0.8 times the white", markov(10.0, 0.8)),
    "ou25": ("and a wander of 25 min, 0.7 times", markov(25.0, 0.7)),
    "flicker": ("and 1/f noise, as strong", flicker),
    "wave": ("and a wave of 1.2 h, as strong", wave),
    "jump": ("and a jump of 0.4 % anywhere", jump),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """Nights drawn anew each time, where `trust` has one night's own noise."""

    draw: Draw | None
    hours: np.ndarray = field(default_factory=lambda: np.linspace(-HOURS / 2, HOURS / 2, POINTS))
    exposure_days: float = EXPOSURE_S / 86400

    @property
    def usable(self) -> np.ndarray:
        """Every point."""
        return np.ones(len(self.hours), dtype=bool)

    @property
    def curve(self) -> LightCurve:
        """Times, errors and covariates, without any noise."""
        n, unknown = len(self.hours), np.full(len(self.hours), np.nan)
        return LightCurve(
            file=np.array([str(k) for k in range(n)]), jd_utc=unknown,
            bjd_tdb=MIDDLE + self.hours / 24, flux=np.ones(n), flux_err=np.full(n, WHITE),
            target_flux=unknown, comparison_flux=unknown, flags=np.zeros(n, np.uint16),
            covariates={"airmass": airmass(self.hours)},
        )  # fmt: skip

    def put_in(self, transit: np.ndarray, rng: np.random.Generator) -> LightCurve:
        """Draw a night with a transit."""
        noise = WHITE * rng.normal(size=len(self.hours))
        noise += 0 if self.draw is None else self.draw(self.hours, rng)
        return replace(self.curve, flux=transit * (1 + noise))


@dataclass(frozen=True, slots=True)
class Night:
    """One night as it was drawn, with its own transit; to be handed to `trust`."""

    truth: Injector

    def injector(self, seed: int) -> Injector:
        """Fit the night, as `trust` does."""
        rng = np.random.default_rng([seed, 77])
        planet = self.truth.planet_of(Order(Purpose.RATE, DEPTH, 0.0, 0))
        theta = self.truth.draw_truth(planet, rng)
        transit = TransitModel(self.truth.time, planet, EXPOSURE_S / 86400)(theta)
        curve = self.truth.noise.put_in(transit, rng)
        fit, best = solve_curve(
            curve, planet, exposure_s=EXPOSURE_S, filter_name=FILTER, settings=PLAIN
        )
        return make_injector(
            curve, planet, fit, best, exposure_s=EXPOSURE_S, filter_name=FILTER, settings=PLAIN,
            seed=seed,
        )  # fmt: skip


def of_truth(draw: Draw | None) -> Injector:
    """Make what puts transits into nights that are drawn anew."""
    radii, depths = tabulate_depths(PLANET, FILTER)
    return Injector(Drawn(draw), PLANET, radii, depths, FILTER, PLAIN, 5)


def choose_depths(truth: Injector) -> list[float]:
    """Choose depths that are found about as often as wanted, by a ladder of true nights."""
    ladder = np.geomspace(0.0006, 0.014, 36)
    found = [truth(Order(Purpose.RATE, float(d), 0.0, 10**6 + k)) for k, d in enumerate(ladder)]
    curve = fit_detection(ladder, np.array([trial.detected for trial in found]))
    return [min(curve.depth(rate)[0], 0.014) for rate in RATES]


def trials_of(injector: Injector, depths: list[float], n: int, first: int) -> list[list[Trial]]:
    """Put n transits of each depth in."""
    return [
        [injector(Order(Purpose.RATE, d, 0.0, first + n * k + j)) for j in range(n)]
        for k, d in enumerate(depths)
    ]


def width_of(trials: list[Trial], name: str) -> Width | None:
    pulls = [trial.pull(name) for trial in trials if trial.detected]
    return measure_width(pulls, pulls)


def one_kind(name: str, nights: int, true: int, each: int) -> list[str]:
    """Hold what is foretold against the truth: rows of the table."""
    start, truth = time.process_time(), of_truth(KINDS[name][1])
    depths = choose_depths(truth)
    real = trials_of(truth, [*depths, DEPTH], true, 0)
    told = [trials_of(Night(truth).injector(k), [*depths, DEPTH], each, 0) for k in range(nights)]
    rates, means, spreads = [], [], []
    for k in range(len(depths)):
        share, low, high = share_of(sum(t.detected for t in real[k]), true)
        of_nights = np.array([np.mean([t.detected for t in night[k]]) for night in told])
        mean, spread = of_nights.mean(), of_nights.std(ddof=1)
        rates.append(f"{100 * share:.0f} +- {50 * (high - low):.0f}")
        means.append(f"{100 * mean:.0f} +- {100 * spread / np.sqrt(nights):.0f}")
        spreads.append(f"{100 * spread:.0f}")
    cells = [KINDS[name][0], ", ".join(f"{100 * d:.2f}" for d in depths)]
    cells += [", ".join(rates), ", ".join(means), ", ".join(spreads)]
    for what in ("depth", "mid"):
        right = width_of(real[-1], what)
        drawn = width_of([trial for night in told for trial in night[-1]], what)
        cells.append(" / ".join(
            "" if w is None else f"{w.width:.2f} +- {w.width_err:.2f}" for w in (right, drawn)
        ))  # fmt: skip
    print(f"{name}: {time.process_time() - start:.0f} s of processor", file=sys.stderr, flush=True)
    return cells


def write_page(path: Path, table: str) -> None:
    """Put the table between the marks of a page."""
    before, _, after = path.read_text(encoding="utf-8").split(MARK)
    path.write_text(f"{before}{MARK}\n{table}\n{MARK}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=16)
    parser.add_argument("--true", type=int, default=120)
    parser.add_argument("--each", type=int, default=12, help="trials a depth and night")
    parser.add_argument("--kind", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    heads = ["noise", "depths, %", "found, %", "foretold, %", "one night's spread, %"]
    heads += ["pulls of the depth, true / foretold", "of the mid-time"]
    lines = [" | ".join(["| " + heads[0], *heads[1:]]) + " |", "|---" * len(heads) + "|"]
    print("\n".join(lines), flush=True)
    for name in asked.kind:
        lines.append("| " + " | ".join(one_kind(name, asked.nights, asked.true, asked.each)) + " |")
        print(lines[-1], flush=True)
    if asked.page:
        write_page(asked.page, "\n".join(lines))


if __name__ == "__main__":
    main()
