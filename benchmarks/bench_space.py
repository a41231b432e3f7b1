"""Light from space of known truth: how far times and depths of transits are off, in their errors.

Light curves and pixels are written to the documented layouts (`tests/support/space_files.py`), read
and fitted as `fit` does. Run it by ``python -m benchmarks space --seeds 10``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.core.settings import Settings
from lightcurve.night.fit_table import Known, fit_light_curve
from lightcurve.tables.light_curves import read_curve
from lightcurve.transit.search import search_transits
from space_files import observe, planet_of, write_light_curve, write_pixels

PLAIN = Settings.model_validate({"fit": {"sample": False}})
LONG = 1765.4637


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    mission: str
    layout: str
    cadence_s: float
    days: float = 27.0
    pixels: bool = False
    share: float | None = None  # of the star's light, told by hand

    @property
    def name(self) -> str:
        """Tell what it is."""
        what = "pixels" if self.pixels else "light curve"
        return f"{self.mission} {self.layout}, {what}, {self.cadence_s:.0f} s"


KINDS = (
    Kind("TESS", "spoc", 20.0, 14.0), Kind("TESS", "spoc", 120.0), Kind("TESS", "tglc", 200.0),
    Kind("TESS", "eleanor", 600.0), Kind("TESS", "qlp", 1800.0), Kind("Kepler", "spoc", LONG, 60.0),
    Kind("K2", "k2sff", LONG, 60.0), Kind("TESS", "spoc", 20.0, 14.0, pixels=True),
    Kind("TESS", "spoc", 120.0, pixels=True), Kind("TESS", "tesscut", 200.0, pixels=True),
    Kind("TESS", "tesscut", 600.0, pixels=True), Kind("TESS", "tesscut", 1800.0, pixels=True),
    Kind("K2", "spoc", LONG, 60.0, pixels=True),
)  # fmt: skip


def measure(kind: Kind, seed: int, folder: Path) -> tuple[list[float], float, list[float]]:
    """Find pulls of mid-times, of the stack's Rp/R*, and errors of the times, minutes."""
    sector = observe(seed, kind.mission, cadence_s=kind.cadence_s, days=kind.days)
    write = write_pixels if kind.pixels else write_light_curve
    curve = read_curve(write(folder / "file.fits", sector, kind.layout))
    fitted = fit_light_curve(curve, sector.planet, PLAIN, known=Known())
    pulls, errors = [], []
    for one in fitted.transits:
        if one.fit is not None and one.fit.found:
            mid = one.fit.parameters["mid_time_bjd_tdb"]
            error = (mid.upper - mid.lower) / 2
            true = sector.planet.t0_bjd_tdb + one.epoch * sector.planet.period_days
            pulls.append((mid.value - true) / error)
            errors.append(1440 * error)
    radius = fitted.fit.parameters["rp_over_rs"]
    depth = (radius.value - sector.planet.rp_over_rs) / ((radius.upper - radius.lower) / 2)
    return pulls, depth, errors


def rows(kinds: list[Kind], seeds: int) -> Iterator[str]:
    """Write a row of the table for each kind."""
    yield "| files | transits | pulls of mid-times | beyond 3 | error (min) | pulls of Rp/R* |"
    yield "|---|---|---|---|---|---|"
    for kind in kinds:
        times, depths, errors = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(seeds):
                pulls, depth, error = measure(kind, seed, Path(folder))
                times += pulls
                errors += error
                depths.append(depth)
        mean, spread = np.mean(times), np.std(times)
        far = int((np.abs(times) > 3).sum())
        yield (
            f"| {kind.name} | {len(times)} | {mean:+.2f} +- {spread:.2f} | {far} "
            f"| {np.median(errors):.2f} | {np.mean(depths):+.2f} +- {np.std(depths):.2f} |"
        )


def search(seeds: int) -> Iterator[str]:
    """Count planets found that nobody told, by depth, and where there are none."""
    yield "| depth (ppm) | found | at the right period |"
    yield "|---|---|---|"
    for radius in (0.0, 0.02, 0.025, 0.03, 0.05):
        found = right = 0
        for seed in range(seeds):
            rng = np.random.default_rng(1000 + seed)
            period = float(rng.uniform(1.0, 10.0))
            a = 11.0 * (period / 4.1373) ** (2 / 3)
            planet = planet_of(rp_over_rs=max(radius, 1e-4), period_days=period, a_over_rs=a)
            sector = observe(seed, cadence_s=600.0, planet=planet)
            flux = sector.light * (1 + 5e-4 * rng.normal(size=len(sector.light)))
            good = sector.quality & 32 == 0
            box = search_transits(sector.bjd_tdb[good], flux[good])
            if box is not None and box.found:
                found += 1
                right += abs(box.period / period - 1) < 2e-3
        yield f"| {1e6 * radius**2:.0f} | {found} of {seeds} | {right} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--of", default="", help="only kinds whose name has this in it")
    parser.add_argument("--search", action="store_true", help="searches for planets instead")
    asked = parser.parse_args()
    kinds = [kind for kind in KINDS if asked.of in kind.name]
    for line in search(asked.seeds) if asked.search else rows(kinds, asked.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
