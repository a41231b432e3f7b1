"""One frame of the night is solved on the sky; all others are registered to it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.astrometry.chain import SOLVERS
from lightcurve.astrometry.index import find_index_files, places
from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.data import Detections, Frame, Masters, RawFrame, Solution
from lightcurve.core.errors import InputError, LightcurveError, SolveError
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Entry
from lightcurve.frames.read import read_frame
from lightcurve.phot.detect import detect
from lightcurve.setup.camera import CameraValues
from lightcurve.setup.solving import request_for, solve_frame
from lightcurve.setup.target import Target

__all__ = ["Sample", "describe_solution", "find_stars", "read_samples", "solve_one"]

log = logging.getLogger(__name__)
N_CANDIDATES = 5
MIN_STARS = 3  # fewer fix no frame to another, and leave nothing to compare with


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A frame that may become the reference, calibrated, with its stars."""

    frame: Frame
    stars: Detections


def read_samples(lights: Sequence[Entry], settings: Settings) -> list[RawFrame]:
    """Read a few frames spread over the night, from which one becomes the reference.

    lights: in order of time.
    The middle of the night first: it overlaps most with the rest when the field drifts.
    Raises InputError when none of them can be read.
    """
    n = len(lights)
    places = np.unique(np.linspace(0, n - 1, 2 * N_CANDIDATES + 1).round().astype(int)[1::2])
    frames, reasons = [], []
    for place in sorted(places, key=lambda k: abs(k - n / 2)):
        try:
            frames.append(read_frame(lights[place].path, settings=settings))
        except LightcurveError as error:
            reasons.append(str(error))
    if not frames:
        msg = f"none of {len(reasons)} frames tried can be read: {reasons[0]}"
        raise InputError(msg)
    return frames


def find_stars(
    frames: Sequence[RawFrame], masters: Masters | None, camera: CameraValues
) -> list[Sample]:
    """Calibrate the sample frames and detect their stars.

    Those with most stars first.
    """
    samples = []
    for frame in frames:
        reduced = reduce_frame(frame, masters)
        stars = detect(reduced.pixels, reduced.bad, saturation_adu=camera.saturation_adu)
        samples.append(Sample(reduced, stars))
    richest = max(len(sample.stars) for sample in samples)
    # A frame nearly as rich as the richest and nearer the middle of the night serves better.
    return sorted(samples, key=lambda sample: len(sample.stars) < 0.8 * richest)


def solve_one(
    samples: Sequence[Sample], target: Target, settings: Settings, *, elsewhere: str = ""
) -> tuple[Sample, Solution]:
    """Solve the first sample frame that can be solved and has the target in it.

    elsewhere: what the headers have against the target's place: the likely cause where none is
    solved.
    Raises SolveError when none can be solved.
    """
    most = max(len(sample.stars) for sample in samples)
    if most < MIN_STARS:
        msg = (
            f"{most} stars at most in the {len(samples)} frames tried, first "
            f"{samples[0].frame.path.name}; {MIN_STARS} are needed (clouds, cap on, out of focus?)"
        )
        raise SolveError(msg, n_detected=most)
    failures: dict[str, list[str]] = {}  # reason, but for its numbers, to names
    reason = ""
    for sample in samples:
        place = (target.ra_deg, target.dec_deg)
        request = request_for(sample.frame, sample.stars, settings.solve, place)
        try:
            solution = solve_frame(sample.frame, request, settings.solve)
        except SolveError as error:
            names = failures.setdefault(re.sub(r"\d+", "", str(error)), [])
            reason = reason or error.reason
            names.append(sample.frame.path.name)
            if len(names) == 1:
                log.info("%s: %s", names[0], error)
            continue
        _say_more(failures, settings, checked=solution.n_matched > 0)
        log.info("%s: %s", sample.frame.path.name, describe_solution(solution))
        return sample, solution
    _say_more(failures, settings, checked=False)
    names = next(iter(failures.values()))
    first = "each" if len(failures) == 1 or elsewhere else names[0]
    msg = (
        f"none of {len(samples)} frames could be solved on the sky; {first}: {elsewhere or reason}"
    )
    raise SolveError(msg, n_detected=max(len(sample.stars) for sample in samples))


def _say_more(failures: Mapping[str, Sequence[str]], settings: Settings, *, checked: bool) -> None:
    """Log which frames failed for a reason already told, and where no index files were found."""
    for names in failures.values():
        if len(names) > 1:
            log.info("%s: the same as %s", ", ".join(names[1:]), names[0])
    asked = any(SOLVERS.get(name).uses_index for name in settings.solve.solvers)
    if asked and not checked and not find_index_files(settings=settings.solve):
        log.info("no index files in %s", ", ".join(str(place) for place in places()))


def describe_solution(solution: Solution, *, brief: bool = False) -> str:
    """Say in words who solved a frame and how well.

    Parameters
    ----------
    brief : bool
        Without the solvers' own words on a WCS that nothing confirms.
    """
    scale = f"{solution.scale_arcsec:.4f} arcsec a pixel"
    if not solution.n_matched and brief:
        return f"WCS of the {solution.solver}, not checked; {scale}"
    if not solution.n_matched:
        return f"WCS of the {solution.solver}, {solution.detail}, {scale}"
    return (
        f"solved by {solution.solver}: {solution.n_matched} stars, "
        f"rms {solution.rms_arcsec:.2f} arcsec, {scale}"
    )
