"""Variable stars of known truth: periods, times of minimum, and which of a field's stars vary.

    python -m benchmarks variables [--trials 40] [--seed 1]

Light curves are made of waves, Gaussians, and eclipses with straight branches: none is the profile
that the program fits. Minima have white noise, or beside it a wander of 0.7 of it with a memory of
ten minutes. Fields have stars of 4,000 to 10^6 electrons, clouds, a floor of 0.2 %, and a wander of
each star; four of eighty vary.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np

from lightcurve.core.errors import LightcurveError
from lightcurve.variables.minima import find_minima
from lightcurve.variables.period import find_period
from lightcurve.variables.search import search_field
from sim_field import field_times, simulate_field
from sim_variable import contact, eclipses, nights, wave

START = 2459000.0


def gaussian(x: np.ndarray, width: float, depth: float) -> np.ndarray:
    """Lose light as a Gaussian of `width`."""
    return np.asarray(1 - depth * np.exp(-0.5 * (x / width) ** 2))


def total(x: np.ndarray, width: float, depth: float) -> np.ndarray:
    """Lose light in straight branches, with a flat bottom."""
    return np.asarray(1 - depth * np.clip((1.3 - np.abs(x) / width) / 0.8, 0, 1))


def in_contact(x: np.ndarray, width: float, depth: float) -> np.ndarray:
    """Lose light as a binary in contact does: it is never without."""
    angle = 2 * np.pi * x / (9 * width)
    return np.asarray(1 - depth * (0.5 + 0.5 * np.cos(angle) + 0.06 * (np.cos(2 * angle) - 1)))


def periods(rng: np.random.Generator, trials: int) -> None:
    """Find periods of 0.25 to 3 days over 14 nights of 60 days."""
    for name, curve in {"wave": wave, "contact": contact, "eclipses": eclipses}.items():
        pulls, wrong, start = [], 0, time.process_time()
        for _ in range(trials):
            period, noise = rng.uniform(0.25, 3), rng.uniform(0.005, 0.02)
            when = nights(rng, 14, 60, minutes=8)
            flux = curve((when - START) / period) + rng.normal(0, noise, len(when))
            best = find_period(when, flux, np.full(len(when), noise)).best
            right = abs(best.period / period - 1) < 1e-3
            wrong += not right
            pulls += [(best.period - period) / best.error] if right else []
        tell(f"period, {name}", pulls, f"{wrong} wrong", start)
    chances = [
        find_period(when, rng.normal(1, 0.01, len(when)), np.full(len(when), 0.01)).chance
        for _ in range(trials)
        for when in [nights(rng, 8, 30, minutes=12)]
    ]
    below = [int(np.sum(np.array(chances) < limit)) for limit in (0.1, 0.01, 0.001)]
    print(f"noise: {below} of {trials} have a chance below 0.1, 0.01, 0.001")


def minima(rng: np.random.Generator, trials: int) -> None:
    """Time minima of any depth and cadence, some of them near the end of the night."""
    shapes: Sequence[Callable[..., np.ndarray]] = (gaussian, total, in_contact)
    for shape in shapes:
        for red in (0.0, 0.7):
            pulls, kwee, formal, lost, start = [], [], [], 0, time.process_time()
            for _ in range(trials):
                cadence, hours = rng.choice([1.0, 2.0, 4.0]) / 1440, rng.uniform(3.5, 6) / 24
                when = np.arange(0, hours, cadence)
                true, noise = hours * rng.uniform(0.25, 0.75), rng.uniform(0.003, 0.012)
                flux = shape(when - true, rng.uniform(0.02, 0.04), rng.uniform(0.15, 0.6))
                flux *= 1 + 0.02 * (when - true) * rng.normal()
                flux += noise * (rng.normal(size=len(when)) + red * wander(rng, when))
                found = find_minima(START + when, flux, np.full(len(when), noise), rng=rng)
                near = [one for one in found if abs(one.time - START - true) < 0.02]
                lost += not near
                for one in near[:1]:
                    pulls.append((one.time - START - true) / one.error)
                    kwee.append((one.kwee - START - true) / one.kwee_err)
                    formal.append((one.kwee - START - true) / one.kwee_formal)
            name = f"minimum, {shape.__name__}, {'red' if red else 'white'}"
            tell(name, pulls, f"{lost} lost", start)
            tell("  Kwee-van Woerden", kwee, f"by their formula {spread(formal):.2f}", start)


def wander(rng: np.random.Generator, when: np.ndarray) -> np.ndarray:
    """Noise of unit size with a memory of ten minutes, (n,)."""
    kept = np.exp(-np.diff(when) * 144)
    made = [rng.normal()]
    for one in kept:
        made.append(one * made[-1] + np.sqrt(1 - one**2) * rng.normal())
    return np.array(made)


def fields(rng: np.random.Generator, trials: int) -> None:
    """Find four variables of eighty stars: waves of 2, 5 and 10 %, and eclipses."""
    for count, frames, minutes in ((6, 60, 4.0), (1, 90, 3.0), (40, 1, 4.0), (12, 30, 6.0)):
        for red in (0.0, 0.003):
            found = false = 0
            for _ in range(trials):
                when = field_times(count, frames, minutes)
                phase = [when / rng.uniform(0.15, 3) + rng.random() for _ in range(4)]
                sizes = {5: 0.02, 10: 0.05, 15: 0.1}
                vary = {k: wave(p, a) for (k, a), p in zip(sizes.items(), phase, strict=False)}
                vary[20] = eclipses(phase[3], (0.3, 0.1))
                field = simulate_field(
                    rng, nights=count, frames=frames, minutes=minutes, red=red, stars=80, vary=vary
                )
                got = {one.column for one in search_field(field).variables}
                found, false = found + len(got & set(vary)), false + len(got - set(vary))
            print(
                f"{count} nights of {frames}, wander {100 * red:g} %: found {found} of "
                f"{4 * trials}, false {1000 * false / (76 * trials):.1f} of 1,000 stars"
            )


def spread(pulls: Sequence[float]) -> float:
    """Root mean square of what is finite."""
    known = np.array(pulls)[np.isfinite(pulls)]
    return float(np.sqrt(np.mean(known**2))) if len(known) else float("nan")


def tell(name: str, pulls: Sequence[float], more: str, start: float) -> None:
    """Print how large errors are beside what was foretold."""
    seconds = (time.process_time() - start) / max(len(pulls), 1)
    wild = int(np.sum(np.abs(pulls) > 3))
    print(f"{name}: pulls {spread(pulls):.2f}, {wild} of {len(pulls)} over 3, {more}, "
          f"{seconds:.2f} s each")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    try:
        for trial in (periods, minima, fields):
            trial(np.random.default_rng(asked.seed), asked.trials)
    except LightcurveError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
