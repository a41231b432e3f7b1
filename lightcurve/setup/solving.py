"""Solve a frame on the sky; one for a night."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.astrometry.chain import SOLVERS, solve
from lightcurve.astrometry.index import find_index_files, places
from lightcurve.astrometry.request import SolveRequest
from lightcurve.calib.reduce import reduce_frame
from lightcurve.catalogs.known_stars import stars_by_hand
from lightcurve.core.cache import cache_dir
from lightcurve.core.constants import J2000_JD, YEAR_DAYS
from lightcurve.core.data import Detections, Frame, Masters, RawFrame, Solution
from lightcurve.core.errors import InputError, LightcurveError, SolveError, UnsolvedError, Why
from lightcurve.core.library_warnings import quietly
from lightcurve.core.settings import Settings, SolveSettings
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.entries import Entry
from lightcurve.frames.pointing import claimed_scales
from lightcurve.frames.read import read_frame
from lightcurve.setup.camera import CameraValues
from lightcurve.setup.colour import mark_clipped, split
from lightcurve.setup.target import Target

__all__ = [
    "MIN_DETECTED",
    "Sample",
    "describe_solution",
    "find_stars",
    "read_samples",
    "request_for",
    "solve_frame",
    "solve_one",
    "taken_out",
]

log = logging.getLogger(__name__)
MIN_DETECTED = 10
N_CANDIDATES = 5
MIN_STARS = 2  # the target and one to compare with


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A frame that may become the reference, calibrated, with its stars."""

    frame: Frame
    stars: Detections


def request_for(
    frame: Frame, stars: Detections, settings: Settings, place: tuple[float, float] | None
) -> SolveRequest:
    """Put together what every solver is given of a frame.

    Parameters
    ----------
    stars : Detections
        Of the frame.
    settings : Settings
        Its catalogue files take part in solving.
    place : tuple of float, or None
        RA and Dec known to be in or near the frame, degrees; None for what its header says.

    Returns
    -------
    SolveRequest
        Of the scale that is given, else of the header's.

    Raises
    ------
    InputError
        When a catalogue file cannot be read.
    """
    exposure = frame.exposure
    mid = exposure.mid_jd_utc
    epoch = 2000.0 if mid is None else 2000.0 + (mid - J2000_JD) / YEAR_DAYS
    ra, dec = place or (exposure.ra_deg, exposure.dec_deg)
    return SolveRequest(
        stars=stars,
        shape=frame.pixels.shape,
        header=frame.header,
        path=frame.path,
        ra_deg=ra,
        dec_deg=dec,
        scale_arcsec=settings.solve.scale_arcsec or exposure.scale_arcsec,
        other_scales=_other_scales(frame),
        catalog=stars_by_hand(settings.catalogs, epoch),
        state_file=submission_file(frame.path),
    )


def _other_scales(frame: Frame) -> tuple[float, ...]:
    """List what a header's WCS, optics and own words say of the scale, arcsec per pixel."""
    exposure = frame.exposure
    # Cards that are no FITS were told of as the frame was read.
    text, _ = quietly(frame.header.tostring)
    told = claimed_scales(parse_cards(text), exposure.binning)
    return tuple(scale for scale, _ in told)


def solve_frame(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Solve a frame, with all that the solvers named can do.

    A WCS of the header that no known star confirms is taken only when no other has an answer.

    Parameters
    ----------
    request : SolveRequest
        Its stars are those of the frame.

    Returns
    -------
    Solution
        Its detail says why the other solvers failed where an unchecked WCS of the header is kept.

    Raises
    ------
    UnsolvedError
        When no solver can; it has the reasons.
    """
    found = solve(request, settings)
    others = tuple(name for name in settings.solvers if not SOLVERS.get(name).only_claims)
    if not SOLVERS.get(found.solver).only_claims or found.n_matched or not others:
        return found
    try:
        return solve(request, settings.model_copy(update={"solvers": others}))
    except SolveError as error:
        return replace(found, detail="; ".join(filter(None, (found.detail, error.found))))


def submission_file(frame_path: Path) -> Path:
    """Name the file that keeps the number of a frame's submission to a solving server.

    It lies in the user's cache, where any command finds it again, however it was ended. It need not
    exist, nor its folder.
    """
    name = hashlib.sha256(str(frame_path.resolve()).encode()).hexdigest()[:32]
    return cache_dir() / "submissions" / f"{name}.json"


def read_samples(lights: Sequence[Entry], settings: Settings) -> list[RawFrame]:
    """Read a few frames spread over the night, from which one becomes the reference.

    lights: in order of time.
    The middle of the night first: it overlaps most with the rest when the field drifts. Where only
    some have a WCS these go before all others: one is enough for the night.
    Raises InputError when none of them can be read.
    """
    placed = [entry for entry in lights if entry.has_wcs]
    some = spread(placed) if len(placed) < len(lights) else []
    some += [entry for entry in spread(lights) if entry not in some]
    frames, reasons = [], []
    for entry in some[:N_CANDIDATES]:
        try:
            frames.append(read_frame(entry.path, settings=settings))
        except LightcurveError as error:
            reasons.append(str(error))
    if not frames:
        msg = f"none of {len(reasons)} frames tried can be read: {reasons[0]}"
        raise InputError(msg)
    return frames


def spread(lights: Sequence[Entry]) -> list[Entry]:
    """Choose a few of many, from the middle outward."""
    n = len(lights)
    if not n:
        return []
    places = np.unique(np.linspace(0, n - 1, 2 * N_CANDIDATES + 1).round().astype(int)[1::2])
    return [lights[place] for place in sorted(places, key=lambda k: abs(k - n / 2))]


def taken_out(frames: list[RawFrame]) -> Iterator[RawFrame]:
    """Give the frames of a list in order and take each out: large ones need not stay in memory."""
    while frames:
        yield frames.pop(0)


def find_stars(
    frames: Iterable[RawFrame], masters: Masters | None, camera: CameraValues, settings: Settings
) -> list[Sample]:
    """Calibrate the sample frames and detect their stars."""
    samples = []
    for frame in frames:
        reduced = reduce_frame(mark_clipped(frame, camera.saturation_adu), masters)
        samples.append(Sample(*split(reduced, settings, saturation_adu=camera.saturation_adu)))
    return samples


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
    failures: dict[tuple, list[str]] = {}  # cause to names
    errors: list[UnsolvedError] = []
    for sample in samples:
        if len(sample.stars) < MIN_STARS:  # whatever its header claims: nothing can be fixed to it
            continue
        place = (target.ra_deg, target.dec_deg)
        request = request_for(sample.frame, sample.stars, settings, place)
        try:
            solution = solve_frame(request, settings.solve)
        except UnsolvedError as error:
            cause = tuple((solver, one.why) for solver, one in error.causes.items())
            names = failures.setdefault(cause, [])
            errors.append(error.with_traceback(None))  # which would hold all these samples
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
    found, remedy = elsewhere or errors[0].found, "" if elsewhere else errors[0].remedy
    told = f": {remedy} ({first}: {found})" if remedy else f"; {first}: {found}"
    why = Why.NO_MEANS if all(error.of_any_frame for error in errors) else None
    msg = f"none of {len(samples)} frames could be solved on the sky{told}"
    raise SolveError(msg, n_detected=max(len(sample.stars) for sample in samples), why=why)


def _say_more(
    failures: Mapping[tuple, Sequence[str]], settings: Settings, *, checked: bool
) -> None:
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
