"""Solve one frame on the sky, and look at it with softer eyes when its stars are no points."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import numpy as np

from lightcurve.astrometry.chain import SOLVERS, solve
from lightcurve.astrometry.request import SolveRequest
from lightcurve.core.cache import cache_dir
from lightcurve.core.data import Detections, Frame, Solution
from lightcurve.core.errors import SolveError, UnsolvedError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.settings import SolveSettings
from lightcurve.phot.detect import detect

__all__ = ["request_for", "solve_frame"]

SMOOTHING_PX = (3.0, 5.0, 8.0)  # sigma: rings and trails of 10, 20 and 30 px become one star
LONGEST_S = 60.0
MIN_DETECTED = 10


def request_for(
    frame: Frame, stars: Detections, settings: SolveSettings, place: tuple[float, float] | None
) -> SolveRequest:
    """Put together what every solver is given of a frame.

    Parameters
    ----------
    stars : Detections
        Of the frame.
    place : tuple of float, or None
        RA and Dec known to be in or near the frame, degrees; None for what its header says.

    Returns
    -------
    SolveRequest
        Of the scale that is given, else of the header's.
    """
    exposure = frame.exposure
    ra, dec = place or (exposure.ra_deg, exposure.dec_deg)
    return SolveRequest(
        stars=stars,
        shape=frame.pixels.shape,
        header=frame.header,
        path=frame.path,
        ra_deg=ra,
        dec_deg=dec,
        scale_arcsec=settings.scale_arcsec or exposure.scale_arcsec,
        state_file=submission_file(frame.path),
    )


def submission_file(frame_path: Path) -> Path:
    """Name the file that keeps the number of a frame's submission to a solving server.

    It lies in the user's cache, where any command finds it again, however it was ended.

    It need not exist, nor its folder.
    """
    name = hashlib.sha256(str(frame_path.resolve()).encode()).hexdigest()[:32]
    return cache_dir() / "submissions" / f"{name}.json"


def solve_frame(frame: Frame, request: SolveRequest, settings: SolveSettings) -> Solution:
    """Solve a frame, with all that the solvers named can do.

    Out of focus or trailed, a star is found as several. Smoothed, it is one again, if not in
    quite the same place: that is tried before a server is asked. A WCS of the header that no
    known star confirms is taken only when no other solver has an answer.

    Parameters
    ----------
    request : SolveRequest
        Its stars are those of the frame as it is.

    Returns
    -------
    Solution
        Its detail says so when pixels were smoothed, and why the other solvers failed where an
        unchecked WCS of the header is kept.

    Raises
    ------
    UnsolvedError
        When no solver can; it has the reasons for the frame as it is.
    """
    found = _solve(frame, request, settings)
    others = tuple(name for name in settings.solvers if not SOLVERS.get(name).only_claims)
    if not SOLVERS.get(found.solver).only_claims or found.n_matched or not others:
        return found
    try:
        # Without known stars there are no index files for this place: smoothing would not help.
        return solve(request, settings.model_copy(update={"solvers": others}))
    except SolveError as error:
        return replace(found, detail="; ".join(filter(None, (found.detail, error.reason))))


def _solve(frame: Frame, request: SolveRequest, settings: SolveSettings) -> Solution:
    own = tuple(takewhile(lambda name: not SOLVERS.get(name).asks_a_server, settings.solvers))
    others = settings.solvers[len(own) :]
    reasons = []
    if own:
        try:
            return solve(request, settings.model_copy(update={"solvers": own}))
        except SolveError as error:
            reasons.append(error.reason)
        found = _solve_smoothed(frame, request, settings, own)
        if found is not None:
            return found
    if others:
        try:
            return solve(request, settings.model_copy(update={"solvers": others}))
        except SolveError as error:
            reasons.append(error.reason)
    raise UnsolvedError("; ".join(reasons), n_detected=len(request.stars))


def _solve_smoothed(
    frame: Frame, request: SolveRequest, settings: SolveSettings, own: tuple[str, ...]
) -> Solution | None:
    brief = {"solvers": own, "timeout_s": min(settings.timeout_s, LONGEST_S)}
    if len(request.stars) < MIN_DETECTED:
        # Clouds: there is nothing to be put together.
        return None
    # Of the scale the first attempt has tried all there is.
    known = request.scale_arcsec is not None
    for sigma in SMOOTHING_PX:
        softer = replace(request, stars=detect(smooth(frame, sigma)), scale_is_known=known)
        try:
            found = solve(softer, settings.model_copy(update=brief))
        except SolveError:
            continue
        # A header that cannot be checked was refuted by the sharper stars, or is no better now.
        if found.n_matched:
            how = f"stars of pixels smoothed by {sigma:g} px"
            return replace(found, detail=f"{found.detail}, {how}".lstrip(", "))
    return None


def smooth(frame: Frame, sigma_px: float) -> np.ndarray:
    """Smooth a frame by a Gaussian, its bad pixels replaced by the sky.

    Returns (ny, nx) float32 array.
    """
    from scipy.ndimage import gaussian_filter

    spoilt = (frame.bad & ~np.uint8(PixelFlag.SATURATED)) != 0
    spoilt |= ~np.isfinite(frame.pixels)
    sky = np.median(frame.pixels[~spoilt]) if not spoilt.all() else 0.0
    return gaussian_filter(np.where(spoilt, sky, frame.pixels).astype(np.float32), sigma_px)
