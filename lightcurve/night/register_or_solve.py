"""Where a frame's stars are: by their pattern, or else by solving the frame on the sky."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lightcurve.astrometry.chain import SOLVERS, solve
from lightcurve.astrometry.correlate import register_by_light
from lightcurve.astrometry.few import FEW, as_it_lies, register_few
from lightcurve.astrometry.header_wcs import read_wcs
from lightcurve.astrometry.overlay import MAX_FALSE_PROBABILITY
from lightcurve.astrometry.refine import stars_on_frame
from lightcurve.astrometry.register import ReferencePattern, register
from lightcurve.astrometry.request import SolveRequest, settle
from lightcurve.astrometry.transform import fit_affine, fit_plain
from lightcurve.astrometry.wcs import middle_deg, to_icrs
from lightcurve.core.data import (
    Detections,
    FoundBy,
    Frame,
    RawFrame,
    Registration,
    Solution,
    StarPlan,
    StarRole,
)
from lightcurve.core.errors import RegistrationError, SolveError
from lightcurve.core.settings import SolveSettings
from lightcurve.setup.solving import MIN_DETECTED

LONGEST_S = 30.0  # a night may have many frames without stars
SCALE_TOLERANCE = 0.05
ENOUGH_TO_FIT = 6


def place_frame(
    frame: Frame | RawFrame,
    stars: Detections,
    reference: ReferencePattern,
    plan: StarPlan,
    scale_arcsec: float,
    settings: SolveSettings,
) -> tuple[Registration, Solution | None]:
    """Find the transform from the reference frame to this one.

    frame: its header and size count.
    stars: of the frame.
    plan: its stars tie the reference's pixels to the sky.
    scale_arcsec: of the reference frame, per pixel.
    settings: for a frame whose stars do not match the reference; of its solvers only those that
    work on this machine are asked.
    Returns the transform, which tells what it rests on, and the plate solution that it was made of,
    if any. Raises RegistrationError when nothing works, or the target is not on the frame; it has
    all reasons.
    """
    reasons = []
    try:
        return register(stars.x, stars.y, stars.flux, reference), None
    except RegistrationError as error:
        unmatched = error
        reasons.append(error.reason)
    # Under these few there is nothing that a solver could be sure of.
    if len(stars) >= MIN_DETECTED and _own_solvers(settings):
        try:
            solution = _solve(frame, stars, plan, scale_arcsec, settings)
            return _as_registration(solution, plan, frame.pixels.shape), solution
        except SolveError as error:
            reasons.append(str(error))
    if 0 < min(len(stars), len(reference.x)) <= FEW:
        for guesses, found_by in _guesses(frame, reference, plan):
            try:
                return register_few(stars, reference, guesses, found_by), None
            except RegistrationError as error:
                reasons.append(error.reason)
    # Raw frames are the large ones, which are calibrated in parts.
    if isinstance(frame, Frame) and len(stars) <= FEW:
        try:
            return register_by_light(
                frame.pixels, frame.bad, stars.sky, stars.sky_rms, reference,
                as_it_lies(reference.shape),
            ), None  # fmt: skip
        except RegistrationError as error:
            reasons.append(error.reason)
    if len(reasons) == 1:
        raise unmatched
    raise RegistrationError(
        "; ".join(dict.fromkeys(reasons)), n_detected=len(stars), n_catalog=unmatched.n_catalog,
        best=unmatched.best, why=unmatched.why,
    )  # fmt: skip


def _guesses(
    frame: Frame | RawFrame, reference: ReferencePattern, plan: StarPlan
) -> Iterator[tuple[tuple[np.ndarray, ...], FoundBy | None]]:
    """Tell where a frame should be: by its own WCS, and as the mount leaves it."""
    shape = frame.pixels.shape
    try:
        wcs, _ = to_icrs(read_wcs(frame.header, shape), shape)
        here = np.column_stack(wcs.wcs_world2pix(plan.ra_deg, plan.dec_deg, 0))
        there = np.column_stack([plan.x_ref, plan.y_ref])
        if len(plan) > 1 and np.isfinite(here).all():
            yield (fit_plain(there, here),), FoundBy.HEADER
    except SolveError:
        pass
    yield as_it_lies(reference.shape), None


def _own_solvers(settings: SolveSettings) -> tuple[str, ...]:
    """Name those that no server is asked by: it would be for every frame without stars."""
    return tuple(name for name in settings.solvers if not SOLVERS.get(name).asks_a_server)


def _target(plan: StarPlan) -> int:
    return int(np.flatnonzero(plan.role == StarRole.TARGET)[0])


def _solve(
    frame: Frame | RawFrame,
    stars: Detections,
    plan: StarPlan,
    scale_arcsec: float,
    settings: SolveSettings,
) -> Solution:
    """Solve a frame whose scale and place are known."""
    target = _target(plan)
    own = settings.model_copy(
        update={
            "solvers": _own_solvers(settings),
            "scale_arcsec": scale_arcsec,
            "scale_tolerance": SCALE_TOLERANCE,
            "blind": False,
            "timeout_s": min(settings.timeout_s, LONGEST_S),
        }
    )
    request = SolveRequest(
        stars=stars,
        shape=frame.pixels.shape,
        header=frame.header,
        path=frame.path,
        ra_deg=float(plan.ra_deg[target]),
        dec_deg=float(plan.dec_deg[target]),
        scale_arcsec=scale_arcsec,
        scale_is_known=True,
    )
    solution = solve(request, own)
    if not solution.n_matched:
        # No stars known on this machine: then those of the reference frame must do.
        sky = np.column_stack([plan.ra_deg, plan.dec_deg])
        solution = settle(solution.wcs, request, sky, solution.solver, "")
    if not solution.n_matched:
        msg = f"{solution.solver}: its WCS is {solution.detail}"
        raise SolveError(msg, n_detected=len(stars))
    return solution


def _as_registration(solution: Solution, plan: StarPlan, shape: tuple[int, int]) -> Registration:
    """Write a plate solution as the transform that carries the plan's stars to the frame."""
    sky = np.column_stack([plan.ra_deg, plan.dec_deg])
    there = np.column_stack([plan.x_ref, plan.y_ref])
    rows, here = stars_on_frame(solution.wcs, shape, sky)
    target = _target(plan)
    if target not in rows:
        ra, dec = middle_deg(solution.wcs, shape)
        msg = (
            f"solved by {solution.solver}, its centre is {ra:.4f} {dec:+.4f}: the target is off it"
        )
        raise SolveError(msg, n_catalog=len(rows))
    if len(rows) < ENOUGH_TO_FIT:
        # Without distortion, which says nothing of places far off the frame.
        rows = np.arange(len(sky))
        here = np.column_stack(solution.wcs.wcs_world2pix(*sky.T, 0))
    matrix = fit_affine(there[rows], here)
    determinant = float(np.linalg.det(matrix[:, :2]))
    return Registration(
        matrix=matrix,
        n_matched=solution.n_matched,
        rms_px=solution.rms_arcsec / solution.scale_arcsec,
        rotation_deg=float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))),
        scale=float(np.sqrt(abs(determinant))),
        mirrored=determinant < 0,
        false_match_probability=MAX_FALSE_PROBABILITY,
        found_by=FoundBy.SKY,
    )
