"""The WCS that a frame's header already has; believed as far as it can be checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.index import find_index_files, index_stars
from lightcurve.astrometry.request import SolveRequest, richer, settle
from lightcurve.astrometry.wcs import describe_wcs, middle_deg, to_icrs
from lightcurve.astrometry.wcs_cards import wcs_of
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Solution
from lightcurve.core.errors import SolveError, Why
from lightcurve.core.settings import SolveSettings

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

__all__ = ["read_wcs"]

SCALES = 0.01, 1000.0  # arcsec/px: from the largest telescope to an all-sky camera
SCALE_FACTOR = 2.0  # what optics in the header may be off: a binning that was not counted
MAX_DISTORTION = 0.25  # of the frame's diagonal


def solve_header(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Take the WCS of the header, if it is whole and the frame's stars are where it has them.

    They are compared with the request's catalogue, else the stars of index files; without either
    the solution has no matched stars, and its detail says so. Raises SolveError when there is no
    celestial WCS, it is degenerate or absurd, or it contradicts the scale given or the stars of the
    frame; without such stars, also when it contradicts the scale or the place that are known.
    """
    told = read_wcs(request.header, request.shape)
    wcs, detail = to_icrs(told, request.shape)
    scale, _, _ = describe_wcs(wcs, request.shape)
    if not SCALES[0] <= scale <= SCALES[1]:
        msg = f"the header's WCS has {scale:.3g} arcsec/px, which no camera has"
        raise SolveError(msg, why=Why.ABSURD_WCS)
    known = settings.scale_arcsec
    if known and not 1 / 1.5 < scale / known < 1.5:
        msg = f"the header's WCS has {scale:.3g} arcsec/px, --scale says {known:.3g}"
        raise SolveError(msg, why=Why.ABSURD_WCS)
    found = settle(wcs, request, known_stars(wcs, request, settings), "header", detail)
    if not found.n_matched:
        # Stars outweigh what else the header says; where there are none, it must not contradict.
        if told.wcs.lngtyp == "RA" and not any(told.wcs.crval):
            msg = "the header's WCS has its reference at RA, Dec 0, 0: never set"
            raise SolveError(msg, why=Why.ABSURD_WCS)
        _compare(found, request, settings)
    return found


def _compare(found: Solution, request: SolveRequest, settings: SolveSettings) -> None:
    """See that scale and place are those that are known otherwise."""
    scale, known = found.scale_arcsec, request.scale_arcsec
    if known and not 1 / SCALE_FACTOR < scale / known < SCALE_FACTOR:
        msg = f"the header's WCS has {scale:.3g} arcsec/px, the rest of it says {known:.3g}"
        raise SolveError(msg, why=Why.ABSURD_WCS)
    if request.ra_deg is None or request.dec_deg is None or settings.blind:
        return
    ra, dec = middle_deg(found.wcs, request.shape)
    apart = degrees_apart((ra, dec), (request.ra_deg, request.dec_deg))
    if apart > settings.radius_deg + float(np.hypot(*request.shape)) / 2 * scale / 3600:
        msg = (
            f"the header's WCS puts the frame at {ra:.3f} {dec:+.3f}, {apart:.3g} deg from "
            f"{request.ra_deg:.3f} {request.dec_deg:+.3f}, where it should be"
        )
        raise SolveError(msg, why=Why.ABSURD_WCS)


def known_stars(wcs: WCS, request: SolveRequest, settings: SolveSettings) -> np.ndarray:
    """Find stars (n, 2), RA and Dec, on and around a frame, without a network.

    Those of the request's catalogue or those of the index files, whichever has more on the frame.
    """
    return richer(wcs, request, lambda: _of_index(wcs, request, settings))


def _of_index(wcs: WCS, request: SolveRequest, settings: SolveSettings) -> np.ndarray:
    ra, dec = middle_deg(wcs, request.shape)
    scale, _, _ = describe_wcs(wcs, request.shape)
    radius = min(0.55 * float(np.hypot(*request.shape)) * scale / 3600, 30.0)
    return index_stars(find_index_files(settings=settings), ra, dec, radius)


def read_wcs(header: Header, shape: tuple[int, int]) -> WCS:
    """Read the celestial WCS of a header.

    shape: (ny, nx). Raises SolveError when there is none, or it is degenerate or absurd.
    """
    wcs = wcs_of(header)
    ny, nx = shape
    wcs.pixel_shape = nx, ny
    corners = np.array([[0, 0], [nx, 0], [0, ny], [nx, ny]], dtype=float)
    moved = float(np.abs(wcs.pix2foc(corners, 0) - corners).max())
    if not moved <= MAX_DISTORTION * np.hypot(*shape):
        msg = f"the header's WCS is distorted by {moved:.3g} px, on a frame of {nx} x {ny}"
        raise SolveError(msg, why=Why.ABSURD_WCS)
    return wcs
