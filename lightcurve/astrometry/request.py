"""What every plate solver is given, and how its answer is checked against the stars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.refine import refine_wcs, stars_on_frame
from lightcurve.astrometry.wcs import describe_wcs
from lightcurve.core.data import Detections, Solution
from lightcurve.core.errors import SolveError, Why

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

__all__ = ["SolveRequest", "settle"]

OFF_PX = 3.0  # a WCS that was off by more is said to have been
MIN_REFUTING = 20  # stars of a catalogue given on the frame whose absence tells
CLEARLY = 2.0  # times as many stars on the frame: these then, though others were given
ENOUGH = 60  # stars of a catalogue given, beside which no others are looked at


@dataclass(frozen=True, slots=True, eq=False)
class SolveRequest:
    """A frame to be placed on the sky.

    Attributes
    ----------
    stars : Detections
        Brightest first.
    shape : tuple of int
        (ny, nx).
    ra_deg, dec_deg : float or None
        A place known to be in or near the frame.
    scale_arcsec : float or None
        Arc seconds per pixel, roughly.
    other_scales : tuple of float
        What else the header says of it: tried before any scale is.
    scale_is_known : bool
        Scales beyond the tolerance need not be tried.
    catalog : (n, 2) float array or None
        RA and Dec of stars around, degrees, at the frame's epoch, the brightest first; the WCS is
        checked against them and refined with them, as far down as the frame's own stars go.
        Without them, and where there are more of those, the stars of the index files serve.
    state_file : Path or None
        Where the number of a submission to a server is kept, so that an interrupted solve goes on.
    """

    stars: Detections
    shape: tuple[int, int]
    header: Header
    path: Path
    ra_deg: float | None = None
    dec_deg: float | None = None
    scale_arcsec: float | None = None
    other_scales: tuple[float, ...] = ()
    scale_is_known: bool = False
    catalog: np.ndarray | None = None
    state_file: Path | None = None


def richer(wcs: WCS, request: SolveRequest, others: Callable[[], np.ndarray]) -> np.ndarray:
    """Choose the list of known stars that tells most of a frame.

    That is the catalogue of the request, unless what `others` gives, (n, 2), RA and Dec, has
    clearly more stars on the frame: it is not asked without need.
    """
    if request.catalog is None:
        return others()
    n = _count(wcs, request, request.catalog)
    if n >= ENOUGH:
        return request.catalog
    more = others()
    return more if _count(wcs, request, more) > CLEARLY * n else request.catalog


def _count(wcs: WCS, request: SolveRequest, sky: np.ndarray) -> int:
    return len(stars_on_frame(wcs, request.shape, sky)[0])


def settle(wcs: WCS, request: SolveRequest, sky: np.ndarray, solver: str, detail: str) -> Solution:
    """Check a solver's WCS against the frame's stars, put it right or refine it, and describe it.

    Parameters
    ----------
    sky : (n, 2) float array
        Stars of known places. With fewer than six of them on the frame nothing can be checked:
        the solution then says so, and has no matched stars.

    Raises
    ------
    SolveError
        When the frame's stars are not where the WCS has them.
    """
    stars, shape = request.stars, request.shape
    refined = refine_wcs(wcs, stars, shape, sky, ordered=sky is request.catalog)
    check = refined.check
    scale, rotation, parity = describe_wcs(refined.wcs, shape)
    if not check.possible:
        detail = f"{detail}, not checked: {check.n_inside} known stars on the frame".lstrip(", ")
        return Solution(wcs, solver, 0, float("nan"), scale, rotation, parity, detail)
    few = sky is request.catalog and check.n_inside < MIN_REFUTING
    if few and not check.sure:
        detail = (
            f"{detail}, not checked: of the catalogue's {check.n_inside} stars on the frame "
            f"{check.n_matched} match"
        ).lstrip(", ")
        return Solution(wcs, solver, 0, float("nan"), scale, rotation, parity, detail)
    if check.sure and not check.passed:
        detail = (
            f"{detail}, not checked in every part of the frame: {check.n_matched} known stars "
            f"match and hold it to {check.worst_px:.1f} px"
        ).lstrip(", ")
        return Solution(refined.wcs, solver, 0, float("nan"), scale, rotation, parity, detail)
    if not check.passed:
        msg = (
            f"its WCS puts {check.n_matched} of {check.n_inside} known stars on one of the "
            f"{check.n_detected} stars of the frame, which may be chance, or right in a part of it"
        )
        raise SolveError(
            msg, n_detected=check.n_detected, n_catalog=check.n_inside,
            best=float(check.n_matched), why=Why.NO_MATCH,
        )  # fmt: skip
    if refined.off_px > OFF_PX:
        detail = f"{detail}, {refined.off_px:.1f} px off and put right".lstrip(", ")
    if refined.order > 1:
        detail = f"{detail}, SIP order {refined.order}".lstrip(", ")
    rms = check.rms_px * scale
    both = (refined.ra_rms_arcsec, refined.dec_rms_arcsec)
    return Solution(
        refined.wcs, solver, check.n_matched, rms, scale, rotation, parity, detail, both,
        refined.off_px,
    )  # fmt: skip
