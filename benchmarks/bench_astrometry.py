"""Put WCS right that are off by 0 to 50 px, and count what is called right and is not.

    python -m benchmarks.bench_astrometry [--fields 500] [--first 0] [--strangers] [--check]

Fields are lists of stars: spread evenly; with a cluster of up to 600 anywhere; and of 8 to 30. A
frame sees those brighter than its limit through a lens that distorts by up to 6 px (1 px where
there are few stars, for such fields are narrow); close ones run together, the brightest are lost,
up to four in ten more are no stars. A catalogue has other limits, gaps, magnitudes of another band,
and stars that have moved. The WCS is off by a shift, a turn and a scale that together reach so many
pixels in the corners. A solution is right when it is within 3 px of the truth in every part of the
frame, and 1.5 px rms. With ``--strangers`` frame and catalogue are of different fields: then any
solution is wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from scipy.spatial import cKDTree

from lightcurve.astrometry.refine import Refined, refine_wcs
from lightcurve.core.data import Detections
from lightcurve.simulate.sky import frame_wcs

VERDICTS = "right", "wrong", "refused", "not held", "too few stars"
KINDS = "uniform", "clustered", "sparse"
CENTRE = 100.0, 20.0
FAR_PX, FAR_RMS_PX = 3.0, 1.5  # what is farther off the truth anywhere, or on the whole, is wrong
SLOPE = 0.35  # dex of counts a magnitude
BLEND_PX = 3.0
Random = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A frame's stars, a catalogue, a WCS that is off, and the truth."""

    stars: Detections
    sky: np.ndarray  # (n, 2) degrees, brightest first where `ordered`
    ordered: bool
    shape: tuple[int, int]
    off_px: float
    wcs: WCS
    grid: np.ndarray  # (81, 2) pixels all over the frame
    truth: np.ndarray  # where they are, degrees

    def error_px(self, wcs: WCS) -> np.ndarray:
        """Error of a WCS all over the frame."""
        d_ra, d_dec = (wcs.all_pix2world(self.grid, 0) - self.truth).T
        return 3600 * np.hypot(d_ra * np.cos(np.radians(self.truth[:, 1])), d_dec)


def draw_case(kind: str, rng: Random, *, strangers: bool = False, off: float | None = None) -> Case:
    """Draw a field of some kind, a frame of it, a catalogue, and a WCS that is `off` px."""
    nx = int(rng.choice([650, 1024, 2048, 3000]))
    size = np.array([nx, int(nx * rng.choice([0.67, 0.77, 1.0]))])
    middle = (size - 1) / 2
    half = float(np.hypot(*size)) / 2
    amplitudes = [0, 0, 1] if kind == "sparse" else [0, 0, 1, 3, 6]
    bent = rng.choice(amplitudes) * rng.random()
    angle = rng.uniform(0, 360)
    truth = frame_wcs(CENTRE, tuple(middle), 1.0, angle)
    plane, light = _stars(kind, rng, size)
    sky = _catalogue(kind, rng, plane, light, size)
    if strangers:
        plane, light = _stars(kind, rng, size)
    lens = Lens(middle, half, bent)
    stars = _seen(rng, lens.bend(plane), light, size)
    off = float(rng.uniform(0, 50)) if off is None else off
    x, y = np.meshgrid(np.linspace(0, size[0] - 1, 9), np.linspace(0, size[1] - 1, 9))
    grid = np.column_stack([x.ravel(), y.ravel()])
    ordered = bool(rng.random() < 0.7)
    places = np.array(truth.wcs_pix2world(sky if ordered else rng.permutation(sky), 0))
    return Case(
        stars, places, ordered, (int(size[1]), nx), off, _off(rng, truth, off, half, middle), grid,
        np.array(truth.wcs_pix2world(lens.straighten(grid), 0)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lens:
    """A distortion by the third power of the distance from the middle, pixels in the corner."""

    middle: np.ndarray
    half: float
    corner_px: float

    def straighten(self, pixels: np.ndarray) -> np.ndarray:
        """Carry pixels of the frame to those of a lens without distortion."""
        far = (pixels - self.middle) / self.half
        return pixels + self.corner_px * far * (far**2).sum(axis=1, keepdims=True)

    def bend(self, plane: np.ndarray) -> np.ndarray:
        """Carry them back."""
        pixels = plane
        for _ in range(6):
            pixels = plane - (self.straighten(pixels) - pixels)
        return pixels


def _stars(kind: str, rng: Random, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in and about a frame, and magnitudes against its limit: a star of 0 is just seen."""
    low, high = {"uniform": (60, 800), "clustered": (30, 300), "sparse": (8, 30)}[kind]
    xy = rng.uniform(-0.5 * size, 1.5 * size, (4 * int(rng.integers(low, high)), 2))
    if kind == "clustered":
        n, core = int(rng.integers(50, 600)), rng.uniform(0.02, 0.12) * size[0]
        far = core * np.sqrt(rng.random(n) ** -0.7 - 1).clip(0, 12)
        turn = rng.uniform(0, 2 * np.pi, n)
        at = rng.uniform(0.1, 0.9, 2) * size
        xy = np.vstack([xy, at + far[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])])
    return xy, np.log10(rng.random(len(xy))) / SLOPE


def _catalogue(
    kind: str, rng: Random, xy: np.ndarray, mag: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """List the stars of a catalogue, brightest first: to a limit of its own, or deeper."""
    depth = rng.uniform(-1.0, 1.5)
    if depth > 0:
        more, _ = _stars("uniform" if kind == "clustered" else kind, rng, size)
        more = more[rng.random(len(more)) < 10 ** (SLOPE * depth) - 1]
        xy, mag = np.vstack([xy, more]), np.concatenate([mag, rng.uniform(0, depth, len(more))])
    known = (mag < depth) & (rng.random(len(xy)) < rng.uniform(0.85, 1.0))
    xy = xy[known] + rng.normal(0, 0.02, (int(known.sum()), 2))
    xy += np.where(rng.random((len(xy), 1)) < 0.02, rng.normal(0, 5, xy.shape), 0)  # have moved
    return xy[np.argsort(mag[known] + rng.normal(0, 0.3, len(xy)), kind="stable")]


def _seen(rng: Random, xy: np.ndarray, mag: np.ndarray, size: np.ndarray) -> Detections:
    """List what is detected on a frame, brightest first."""
    on = ((xy > 0) & (xy < size - 1)).all(axis=1) & (rng.random(len(xy)) < 0.95)
    order = np.argsort(mag[on], kind="stable")
    xy, flux = xy[on][order], 10 ** (-0.4 * mag[on][order])
    alone = np.ones(len(xy), dtype=bool)
    for one, other in sorted(cKDTree(xy).query_pairs(BLEND_PX)) if len(xy) else ():
        if alone[one] and alone[other]:
            both = flux[one] + flux[other]
            xy[one] = (flux[one] * xy[one] + flux[other] * xy[other]) / both
            flux[one], alone[other] = both, False
    xy, flux = xy[alone], flux[alone]
    clipped = int(rng.integers(0, 4)) if len(xy) > 30 else 0
    xy, flux = xy[clipped:], flux[clipped:]
    error = rng.choice([0.03, 0.1, 0.3]) * (0.5 + np.minimum(flux, 100) ** -0.5)
    xy = xy + rng.normal(size=xy.shape) * error[:, None]
    n_false = int(rng.uniform(0, 0.4) * len(xy))
    xy = np.vstack([xy, rng.uniform(0, size, (n_false, 2))])
    flux = np.concatenate([flux, 10 ** rng.exponential(0.2, n_false)])
    order = np.argsort(-flux, kind="stable")
    one = np.ones(len(xy))
    return Detections(xy[order, 0], xy[order, 1], flux[order], one, one, 0.0, 1.0)


def _off(rng: Random, truth: WCS, off: float, half: float, middle: np.ndarray) -> WCS:
    """Move a WCS by a shift, a turn and a scale, which add up to so many pixels in a corner."""
    share = np.eye(3)[rng.integers(3)] if rng.random() < 0.3 else rng.dirichlet([1, 1, 1])
    shift = off * share[0] * np.exp(1j * rng.uniform(0, 2 * np.pi))
    turn = 1 + (share[1] * 1j * rng.choice([-1, 1]) + share[2] * rng.choice([-1, 1])) * off / half
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = truth.wcs.ctype, truth.wcs.crval
    wcs.wcs.crpix = middle + 1 + (shift.real, shift.imag)
    wcs.wcs.cd = truth.pixel_scale_matrix @ np.linalg.inv(linear)
    return wcs


def judge_case(case: Case) -> tuple[str, Refined, float]:
    """Tell whether a WCS put right is right, wrong or refused, and how far off it is at most."""
    found = refine_wcs(case.wcs, case.stars, case.shape, case.sky, ordered=case.ordered)
    error = case.error_px(found.wcs)
    worst = float(error.max())
    if not found.check.possible:
        return "too few stars", found, worst
    if not found.check.passed:
        return ("not held" if found.check.sure else "refused"), found, worst
    right = worst < FAR_PX and float(np.sqrt(np.mean(error**2))) < FAR_RMS_PX
    return ("right" if right else "wrong"), found, worst


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Put WCS right that are off.")
    parser.add_argument("--fields", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--strangers", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)
    print(f"| field | {' | '.join(VERDICTS)} | error px, median, 99 % | ms |")
    print("|---|---|---|---|---|---|---|---|")
    wrong = 0
    for kind in KINDS:
        count: Counter[str] = Counter()
        errors, told = [], []
        start = time.process_time()
        numbers = range(given.first, given.first + given.fields)[KINDS.index(kind) :: len(KINDS)]
        for number in numbers:
            case = draw_case(kind, np.random.default_rng(number), strangers=given.strangers)
            verdict, found, worst = judge_case(case)
            verdict = "wrong" if given.strangers and verdict == "right" else verdict
            count[verdict] += 1
            if verdict == "right":
                errors.append(worst)
            if verdict in {"wrong", "refused", "not held"} and not given.strangers:
                told.append((number, verdict, round(worst, 1), len(case.stars), found.check))
        spent = 1e3 * (time.process_time() - start) / len(numbers)
        median, most = np.percentile(errors, [50, 99]) if errors else (np.nan, np.nan)
        row = " | ".join(str(count[name]) for name in VERDICTS)
        print(f"| {kind} | {row} | {median:.2f}, {most:.2f} | {spent:.0f} |", flush=True)
        for number, verdict, worst, n, check in told:
            print(
                f"    {number} {verdict}: {worst} px, {n} stars, {check.n_inside} known, "
                f"{check.n_matched} matched, {check.fraction:.2f}, {check.probability:.0e}, "
                f"held to {check.worst_px:.1f} px"
            )
        wrong += count["wrong"]
    if given.check and wrong:
        sys.exit(f"{wrong} wrong solutions called right")


if __name__ == "__main__":
    main()
