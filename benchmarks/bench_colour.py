"""Nights of a colour camera with known truth: depth and scatter of each plane, against its photons.

    python -m benchmarks.bench_colour [--nights 10]

Mosaics are rendered with numpy alone (`tests/support/mosaic.py`). The limit is what photons, sky
and read-out noise of the pixels of a plane leave at the best radius, with all stars to compare
with. Wanted: depths without bias, scatter within 1.1 of the limit, errors equal to the scatter.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lightcurve.core.settings import make_settings
from lightcurve.night.story import reduce_night
from mosaic import DEC, RA, READ_NOISE, SKY, ColourNight, render_colour_night

PATTERNS = ("GRBG", "RGGB", "BGGR", "GBRG")
PLANES = {"R": "R", "G": "GG", "B": "B", "grey": "RGGB"}  # letters of four pixels that are taken
DEPTH = 0.02
SIGMA = 1.9  # pixels of the mosaic
FRAMES = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one plane of one night."""

    kept: float  # share of frames with a point
    depth: float  # found - true
    depth_err: float
    scatter: float  # about the truth
    error: float  # median of those quoted
    limit: float


def limit(made: ColourNight, letters: str) -> float:
    """Work out the scatter at the best radius, with all stars as comparison."""
    best = np.inf
    for radius in np.arange(1.0, 8.0, 0.25) * SIGMA:
        inside = 1 - np.exp(-(radius**2) / (2 * SIGMA**2))
        light = inside * sum(made.flux[letter] for letter in letters) / 4
        sky = sum(SKY[letter] + READ_NOISE**2 for letter in letters) / 4 * np.pi * radius**2
        variance = (light + sky) / light**2
        best = min(best, float(np.sqrt(variance[0] + 1 / np.sum(1 / variance[1:]))))
    return best


def measure(folder: Path, made: ColourNight, colour: str, out: Path) -> Outcome:
    """Reduce one plane of a night, and hold it against the truth."""
    target, camera = {"ra": str(RA), "dec": str(DEC)}, {"colour": colour}
    settings = make_settings({"target": target, "camera": camera, "workers": 1})
    curve = reduce_night(folder, settings, out).curve
    good = np.isfinite(curve.flux)
    dip = made.relative < 1
    flat = curve.flux / made.relative
    flux, error = curve.flux, float(np.nanmedian(curve.flux_err))
    level = np.nanmean(flux[~dip])
    share = 1 / (good & dip).sum() + 1 / (good & ~dip).sum()
    return Outcome(
        kept=float(good.mean()),
        depth=float(1 - np.nanmean(flux[dip]) / level - DEPTH),
        depth_err=float(error * np.sqrt(share)),
        scatter=float(np.nanstd(flat / np.nanmedian(flat), ddof=1)),
        error=error,
        limit=limit(made, PLANES[colour]),
    )


def row(colour: str, found: list[Outcome]) -> str:
    """Lay one plane out as a row of the table."""
    kept, depth, err, scatter, error, best = np.array(
        [[o.kept, o.depth, o.depth_err, o.scatter, o.error, o.limit] for o in found]
    ).T
    n = len(found)
    bias, of_bias = 100 * np.mean(depth), 100 * np.std(depth) / np.sqrt(n)
    pull = np.sqrt(np.mean((depth / err) ** 2))
    ratio = scatter / best
    return (
        f"| {colour} | {n} | {100 * (1 - kept.mean()):.1f} % | {bias:+.3f} ± {of_bias:.3f} % "
        f"| {pull:.2f} | {ratio.mean():.2f} ± {ratio.std() / np.sqrt(n):.2f} "
        f"| {np.mean(scatter / error):.2f} |"
    )


def main() -> None:
    """Take the nights, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=10)
    nights = parser.parse_args().nights
    logging.disable(logging.CRITICAL)
    found: dict[str, list[Outcome]] = {colour: [] for colour in PLANES}
    for night in range(nights):
        with TemporaryDirectory() as place:
            folder, pattern = Path(place) / "raw", PATTERNS[night % len(PATTERNS)]
            made = render_colour_night(
                folder, np.random.default_rng(100 + night), pattern=pattern, n_frames=FRAMES,
                sigma=SIGMA, depth=DEPTH, header={"BAYERPAT": pattern},
            )  # fmt: skip
            for colour in PLANES:
                found[colour].append(measure(folder, made, colour, Path(place) / colour))
    print("| plane | nights | lost | depth | pull | scatter / limit | scatter / error |")
    print("|---|---|---|---|---|---|---|")
    for colour, outcomes in found.items():
        print(row(colour, outcomes))


if __name__ == "__main__":
    main()
