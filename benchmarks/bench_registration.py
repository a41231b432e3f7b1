"""Register a real night, and hold each frame's registration against its own plate solution.

    python -m benchmarks.bench_registration [FRAMES --index INDEX.fits --ra DEG --dec DEG]
        [--scale 5.16] [--saturation 4095] [--check]

FRAMES is a folder of raw frames of one field, of which the middle one is the reference; without
it, the night of HAT-P-32 in the shared data folder that the tests use. The plate
solution of the reference tells where the target is in it; registration carries that place to every
frame, and the frame's own plate solution, made without a look at any other frame, tells where it
ought to be. Wanted, with ``--check``: all frames registered and solved, a median residual of the
matched stars under 0.15 px, at most 10 ms a frame on one core, and at the target a median
disagreement under 0.2 px, the largest under 0.6 px.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.astrometry.local import solve_local
from lightcurve.astrometry.register import make_reference, register
from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.transform import apply
from lightcurve.core.data import Detections, Frame
from lightcurve.core.errors import LightcurveError
from lightcurve.core.settings import SolveSettings
from lightcurve.frames.read import is_image_name, read_frame
from lightcurve.phot.detect import detect

SHARED = Path(__file__).parents[2] / "shared" / "data"
LIMITS = {
    "median residual, px": 0.15,
    "register, ms a frame": 10.0,
    "median disagreement, px": 0.2,
    "largest disagreement, px": 0.6,
}


@dataclass(frozen=True)
class Night:
    """Frames with their stars, without their pixels."""

    frames: list[Frame]
    stars: list[Detections]
    detect_ms: float


def read_night(paths: Sequence[Path], saturation_adu: float | None) -> Night:
    """Read frames and find their stars."""
    frames, stars, spent = [], [], 0.0
    for path in paths:
        frame = read_frame(path, need_time=False)
        start = time.process_time()
        stars.append(detect(frame.pixels, frame.bad, saturation_adu=saturation_adu))
        spent += time.process_time() - start
        frames.append(frame)
    return Night(frames, stars, 1e3 * spent / len(frames))


def register_all(night: Night, middle: int) -> tuple[list[np.ndarray | None], dict[str, float]]:
    """Register all frames; transforms (None where it failed), and how well and fast it went."""
    first, shape = night.stars[middle], night.frames[middle].pixels.shape
    pattern = make_reference(first.x, first.y, first.flux, shape)
    found, spent = [], []
    for stars in night.stars:
        start = time.process_time()
        try:
            found.append(register(stars.x, stars.y, stars.flux, pattern))
        except LightcurveError:
            found.append(None)
        spent.append(time.process_time() - start)
    good = [registration for registration in found if registration is not None]
    numbers = {
        "registered": len(good),
        "median residual, px": float(np.median([r.rms_px for r in good])),
        "largest residual, px": max(r.rms_px for r in good),
        "fewest matched stars": min(r.n_matched for r in good),
        "largest chance of a false match": max(r.false_match_probability for r in good),
        "register, ms a frame": 1e3 * float(np.mean(spent)),
    }
    return [None if r is None else r.matrix for r in found], numbers


def solved_places(
    night: Night, settings: SolveSettings, place: tuple[float, float]
) -> tuple[np.ndarray, dict[str, float]]:
    """Solve each frame alone; where the target is in it (NaN where it failed), and how it went."""
    places, rms, spent = [], [], time.process_time()
    for frame, stars in zip(night.frames, night.stars, strict=True):
        request = SolveRequest(
            stars, frame.pixels.shape, frame.header, frame.path, *place, settings.scale_arcsec
        )
        try:
            solution = solve_local(request, settings)
        except LightcurveError as error:
            sys.stderr.write(f"{frame.path.name}: {error}\n")
            places.append((np.nan, np.nan))
            continue
        places.append(solution.wcs.all_world2pix(*place, 0))
        rms.append(solution.rms_arcsec)
    spent = time.process_time() - spent
    numbers = {
        "solved": len(rms),
        "median rms of solutions, arcsec": float(np.median(rms)),
        "solve, ms a frame": 1e3 * spent / len(night.frames),
    }
    return np.array(places, dtype=float), numbers


def compare(
    paths: Sequence[Path],
    settings: SolveSettings,
    place: tuple[float, float],
    saturation_adu: float | None,
) -> dict[str, float]:
    """Register and solve a night, and compare both at a place on the sky.

    Returns
    -------
    dict
        Numbers by name.
    """
    night = read_night(paths, saturation_adu)
    middle = len(paths) // 2
    matrices, registered = register_all(night, middle)
    solved, solving = solved_places(night, settings, place)
    there = [
        np.full(2, np.nan) if matrix is None else apply(matrix, solved[middle][None])[0]
        for matrix in matrices
    ]
    apart = np.hypot(*(np.array(there) - solved).T)
    return {
        "frames": len(paths),
        "stars a frame": float(np.median([len(stars) for stars in night.stars])),
        "detect, ms a frame": night.detect_ms,
        **registered,
        **solving,
        "compared": int(np.isfinite(apart).sum()),
        "median disagreement, px": float(np.nanmedian(apart)),
        "largest disagreement, px": float(np.nanmax(apart)),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("frames", type=Path, nargs="?", default=SHARED / "hatp32")
    parser.add_argument("--index", type=Path, default=SHARED / "index-tycho2-hatp32.fits")
    parser.add_argument("--ra", type=float, default=31.042825)
    parser.add_argument("--dec", type=float, default=46.687836)
    parser.add_argument("--scale", type=float)
    parser.add_argument("--saturation", type=float)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if not given.frames.is_dir():
        print(f"no frames in {given.frames.name}: name a folder of them")
        sys.exit(int(given.check))
    paths = sorted(path for path in given.frames.iterdir() if is_image_name(path))
    settings = SolveSettings(index=(given.index,), scale_arcsec=given.scale)
    numbers = compare(paths, settings, (given.ra, given.dec), given.saturation)
    for name, value in numbers.items():
        print(f"{name:34s} {value:.4g}")
    whole = all(numbers[name] == len(paths) for name in ("registered", "solved", "compared"))
    held = whole and all(numbers[name] < limit for name, limit in LIMITS.items())
    print("all limits hold" if held else f"NOT within the limits {LIMITS}")
    sys.exit(int(given.check and not held))


if __name__ == "__main__":
    main()
