"""Seasons of known mid-times: are errors honest, and variations found and not invented.

    python -m benchmarks season [--seasons 20] [--seed 1]

Each has 8 to 30 nights of three telescopes (aperture, cadence and filter), some of them with a gap,
or ending before the egress, or beginning after the ingress; every other one has a wave in its
mid-times of 2 to 10 minutes, 8 to 80 epochs long.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path

import numpy as np

from lightcurve.core.settings import Settings
from lightcurve.season.story import Season, join_season
from lightcurve.transit.variation import Variation
from sim_season import PLANET, planet_file, write_curve

TELESCOPES = {"V": (0.0012, 120.0), "Rc": (0.0025, 90.0), "ip": (0.0018, 180.0)}
WINDOWS = ((-1.1, 1.1), (-1.1, 1.1), (-1.1, 1.1), (-0.9, 0.1), (-0.1, 0.9))


def season_of(folder: Path, rng: np.random.Generator, *, wave: bool) -> tuple[Season, float, float]:
    """Simulate a season and join it; with it T0 of epoch 0 and period, as they were put in."""
    n, span = rng.integers(8, 31), rng.integers(80, 400)
    t0, period = PLANET.t0_bjd_tdb + 4e-4 * rng.normal(), PLANET.period_days + 2e-6 * rng.normal()
    size, length, turn = rng.uniform(2, 10) / 1440, rng.uniform(8, 80), rng.random()
    tables = folder / "tables"
    tables.mkdir()
    for epoch in np.sort(rng.choice(span, size=n, replace=False)):
        band = str(rng.choice(list(TELESCOPES)))
        noise, cadence = TELESCOPES[band]
        late = size * np.sin(2 * np.pi * (epoch / length + turn)) if wave else 0.0
        write_curve(
            tables / f"n{epoch}_{band}.csv", t0 + epoch * period + late, rng, noise=noise,
            cadence_s=cadence, filter_name=band, window=WINDOWS[rng.integers(len(WINDOWS))],
            gap=rng.random() < 0.3,
        )  # fmt: skip
    settings = Settings(
        target={"planet_file": planet_file(folder)}, catalogs={"offline": True}, figures="none"
    )
    return join_season([tables], settings, folder / "out"), t0, period


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seasons", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    logging.getLogger("lightcurve").setLevel(logging.CRITICAL)
    pulls, mids, found = [], [], {True: [], False: []}
    for k in range(asked.seasons):
        rng, wave = np.random.default_rng((asked.seed, k)), bool(k % 2)
        begun = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            one, t0, period = season_of(Path(folder), rng, wave=wave)
        new, kept = one.ephemeris, one.judged.kept
        error = np.sqrt(np.diag(new.cov))
        pulls.append(
            [(new.t0 - t0 - new.epoch * period) / error[0], (new.period - period) / error[1]]
        )
        if not wave:
            mids += ((one.times.mid - t0 - one.times.epoch * period) / one.times.error).tolist()
        found[wave].append(one.timing.found)
        print(
            f"{k:3d} {'wave' if wave else 'line'} {len(one.nights):2d} nights, "
            f"{len(kept):2d} transits, {int((~kept).sum())} left out: {one.timing.found.value:9s} "
            f"pulls {pulls[-1][0]:+.2f} {pulls[-1][1]:+.2f}, {time.process_time() - begun:.0f} s",
            flush=True,
        )
    waves, lines = found[True], found[False]
    plain = {Variation.LINEAR, Variation.UNTESTED}
    print(f"pulls of T0, period: {np.std(pulls, axis=0).round(2)}; of mid-times {np.std(mids):.2f}")
    print(f"waves found {sum(v is Variation.PERIODIC for v in waves)} of {len(waves)}, "
          f"told as no line {sum(v not in plain for v in waves)}; "
          f"invented {sum(v not in plain for v in lines)} of {len(lines)}")  # fmt: skip


if __name__ == "__main__":
    main()
