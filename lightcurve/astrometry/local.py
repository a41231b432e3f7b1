"""Plate solving in this process, with Astrometry.net's engine (PyPI ``astrometry``)."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

import numpy as np

from lightcurve.astrometry.index import coverage, find_index_files, index_stars, wanted_sizes
from lightcurve.astrometry.request import SolveRequest, richer, settle
from lightcurve.core.data import Solution
from lightcurve.core.errors import InputError, SolveError, Why
from lightcurve.core.settings import SolveSettings

N_STARS = 100
MIN_STARS = 4  # a quad
# A header's scale is off by a binning or a reducer now and then: then look wider.
WIDENINGS = (1.0, 2.5)
BLIND_SCALES = (0.1, 300.0)  # arc seconds per pixel
# The engine calls normal what is seen in the sky, where det(CD) is negative.
PARITY = {"either": "BOTH", "sky": "NORMAL", "mirrored": "FLIP"}
FETCH = "lightcurve index fetch FRAME"
CERTAIN_LOG_ODDS = 60.0  # e^21 is what the engine accepts; from here on no search for a better one


def solve_local(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Solve a frame with index files on this machine.

    Raises SolveError when the engine is not installed, no index file is there or covers the frame's
    scale, time is up, or nothing matches; InputError when an index file given is missing or none.
    """
    try:
        import astrometry  # noqa: F401
    except ImportError as error:
        msg = "the package `astrometry` is not installed (no wheel for this platform?)"
        raise SolveError(msg, why=Why.NO_SOLVER) from error
    n = len(request.stars)
    if n < MIN_STARS:
        msg = f"{n} stars, {MIN_STARS} are needed (clouds, or out of focus?)"
        raise SolveError(msg, n_detected=n, why=Why.TOO_FEW_STARS)
    files = _useful_files(request, settings)
    engine = _engine(files)
    # The engine counts pixels from 1, as FITS does.
    stars = np.column_stack([request.stars.x, request.stars.y])[:N_STARS] + 1
    end = monotonic() + settings.timeout_s
    for hints in _hints(request, settings):
        match = _attempt(engine, stars, hints, settings.parity, end)
        if match is not None:
            detail = f"{match.index_path.name}, log odds {match.logodds:.0f}"
            wcs = match.astropy_wcs()
            sky = richer(wcs, request, partial(_stars_of, match, request.shape))
            return settle(wcs, request, sky, "local", detail)
    msg = (
        f"no match of {len(stars)} stars (of {n}) in {len(files)} index file(s) "
        f"{_searched(request, settings)}: do they cover this part of the sky (lightcurve index "
        "list FRAME)? are the stars real? try --scale, --ra and --dec, or --blind"
    )
    raise SolveError(msg, n_detected=n, why=Why.NO_MATCH)


def _searched(request: SolveRequest, settings: SolveSettings) -> str:
    """Say where and at which scale a frame was looked for."""
    scale = f"{request.scale_arcsec:.3g}" if request.scale_arcsec else "any"
    if request.ra_deg is None or request.dec_deg is None or settings.blind:
        return f"anywhere at {scale} arcsec/px"
    place = f"{request.ra_deg:.3f} {request.dec_deg:+.3f}"
    return f"within {settings.radius_deg:g} deg of {place} at {scale} arcsec/px"


def _useful_files(request: SolveRequest, settings: SolveSettings) -> tuple[Path, ...]:
    """Index files whose patterns can be seen in a frame of this size."""
    files = find_index_files(settings=settings)
    n = len(request.stars)
    if not files:
        msg, remedy = "no index files", f"give --index FILE or FOLDER, or get some: {FETCH}"
        raise SolveError(msg, n_detected=n, why=Why.NO_INDEX, remedy=remedy)
    low, high = BLIND_SCALES
    scales = _scales(request, settings)
    if scales:
        widest = (1 + settings.scale_tolerance) ** WIDENINGS[-1]
        low, high = min(scales) / widest, max(scales) * widest
    smallest, largest = wanted_sizes(request.shape, low, high)
    rows = coverage(files)
    useful = tuple(row.path for row in rows if row.fits(smallest, largest))
    if not useful:
        there = ", ".join(
            f"{r.path.name} {r.low_arcmin:.3g}-{r.high_arcmin:.3g}'" for r in rows[:6]
        )
        msg = (
            f"no index file covers the frame's scale: patterns of {smallest:.3g}-{largest:.3g}' "
            f"are needed at {request.scale_arcsec or low:.3g} arcsec/px, there are {there}"
        )
        remedy = f"give --scale if that is wrong, another --index, or: {FETCH}"
        raise SolveError(msg, n_detected=n, why=Why.NO_INDEX, remedy=remedy)
    return useful


@lru_cache(maxsize=1)
def _engine(files: tuple[Path, ...]) -> Any:
    """Load index files once for all frames: the large series take seconds."""
    import astrometry

    try:
        return astrometry.Solver(list(files))
    except (RuntimeError, ValueError, OSError) as error:
        names = ", ".join(file.name for file in files)[:200]
        msg = f"cannot read index file {names}: {error}"
        raise InputError(msg) from error


def _hints(request: SolveRequest, settings: SolveSettings) -> list[tuple]:
    """Scale and position hints, the narrow ones first."""
    import astrometry

    position = None
    if request.ra_deg is not None and request.dec_deg is not None:
        position = astrometry.PositionHint(
            ra_deg=request.ra_deg % 360, dec_deg=request.dec_deg, radius_deg=settings.radius_deg
        )
    anything = astrometry.SizeHint(*BLIND_SCALES)
    sizes = [
        astrometry.SizeHint(scale / factor, scale * factor)
        for factor in ((1 + settings.scale_tolerance) ** widening for widening in WIDENINGS)
        for scale in _scales(request, settings)
    ]
    if request.scale_is_known:
        return [(size, position) for size in sizes[:1]]
    hints = [(size, position) for size in [*sizes, anything]]
    if position is not None and settings.blind:
        hints += [(size, None) for size in [*sizes, anything]]
    return hints


def _scales(request: SolveRequest, settings: SolveSettings) -> list[float]:
    """List the scales that are worth a try, the best known first; those that are alike once."""
    kept: list[float] = []
    told = (request.scale_arcsec, *request.other_scales)
    if settings.scale_arcsec or request.scale_is_known:
        told = told[:1]
    for scale in filter(None, told):
        if all(abs(np.log(scale / other)) > np.log1p(settings.scale_tolerance) for other in kept):
            kept.append(scale)
    return kept


def _attempt(engine: Any, stars: np.ndarray, hints: tuple, parity: str, end: float) -> Any | None:
    """Run the engine beside this thread, for it has no time limit of its own."""
    import astrometry

    def stop_when_certain(log_odds: list[float]) -> Any:
        done = log_odds[0] > CERTAIN_LOG_ODDS or monotonic() > end
        return astrometry.Action.STOP if done else astrometry.Action.CONTINUE

    parameters = astrometry.SolutionParameters(
        sip_order=0,
        tune_up_logodds_threshold=None,
        parity=getattr(astrometry.Parity, PARITY[parity]),
        logodds_callback=stop_when_certain,
    )
    answers: SimpleQueue = SimpleQueue()

    def run() -> None:
        try:
            answers.put(engine.solve(stars, *hints, parameters))
        except (RuntimeError, ValueError, AssertionError) as error:
            answers.put(error)

    Thread(target=run, daemon=True).start()
    try:
        answer = answers.get(timeout=max(end - monotonic(), 0.001))
    except Empty:
        # The thread still solves with this engine, which takes one caller at a time.
        _engine.cache_clear()
        msg = "time is up (timeout_s): give --scale or a position, or fewer index files"
        raise SolveError(msg, n_detected=len(stars), why=Why.TIMED_OUT) from None
    if isinstance(answer, Exception):
        msg = f"the engine failed: {answer}"
        raise SolveError(msg, n_detected=len(stars)) from answer
    return answer.best_match() if answer.has_match() else None


def _stars_of(match: Any, shape: tuple[int, int]) -> np.ndarray:
    """Stars of the index that matched a frame (ny, nx), to refine with."""
    radius = 0.55 * float(np.hypot(*shape)) * match.scale_arcsec_per_pixel / 3600
    found = index_stars(
        [match.index_path], match.center_ra_deg, match.center_dec_deg, min(radius, 30.0)
    )
    listed = np.array([(star.ra_deg, star.dec_deg) for star in match.stars])
    return found if len(found) >= len(listed) else listed
