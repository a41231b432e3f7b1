"""The WCS that a frame's header already has; believed as far as it can be checked."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.index import find_index_files
from lightcurve.astrometry.index_stars import index_stars
from lightcurve.astrometry.request import SolveRequest, settle
from lightcurve.astrometry.wcs import describe_wcs
from lightcurve.config import SolveSettings
from lightcurve.data import Solution
from lightcurve.errors import SolveError

if TYPE_CHECKING:
    from astropy.wcs import WCS


def solve_header(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Take the WCS of the header, if it is whole and the frame's stars are where it has them.

    Parameters
    ----------
    request : SolveRequest
        Its catalogue is what the stars are compared with; without one, the stars of index files.
    settings : SolveSettings

    Returns
    -------
    Solution
        Refined with the matched stars. With no matched stars where there was nothing to compare
        with: its detail says so.

    Raises
    ------
    SolveError
        When there is no celestial WCS, it is degenerate, it contradicts the known scale, or the
        stars of the frame.
    """
    wcs = _read(request)
    scale, _, _ = describe_wcs(wcs, request.shape)
    known = settings.scale_arcsec
    if known and not 1 / 1.5 < scale / known < 1.5:
        msg = f"the header's WCS has {scale:.3g} arcsec/px, --scale says {known:.3g}"
        raise SolveError(msg)
    return settle(wcs, request, known_stars(wcs, request, settings), "header", "")


def known_stars(wcs: WCS, request: SolveRequest, settings: SolveSettings) -> np.ndarray:
    """Find stars of known places on and around a frame, without a network.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Of the frame, roughly.
    request : SolveRequest
    settings : SolveSettings

    Returns
    -------
    (n, 2) float array
        RA and Dec, degrees: the request's catalogue, else the stars of the index files.
    """
    if request.catalog is not None:
        return request.catalog
    ny, nx = request.shape
    ra, dec = (float(v) for v in wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0))
    scale, _, _ = describe_wcs(wcs, request.shape)
    radius = min(0.55 * float(np.hypot(nx, ny)) * scale / 3600, 30.0)
    return index_stars(find_index_files(settings=settings), ra, dec, radius)


def _read(request: SolveRequest) -> WCS:
    from astropy.wcs import WCS, FITSFixedWarning

    if not str(request.header.get("CTYPE1", "")).strip():
        msg = "the header has no WCS"
        raise SolveError(msg)
    try:
        with warnings.catch_warnings():
            # What astropy repairs here (old date cards, say) does not touch the celestial part.
            warnings.simplefilter("ignore", FITSFixedWarning)
            wcs = WCS(request.header, naxis=2)
        usable = wcs.has_celestial and abs(np.linalg.det(wcs.pixel_scale_matrix)) > 1e-15
    except (ValueError, TypeError, MemoryError, np.linalg.LinAlgError) as error:
        msg = f"the header's WCS cannot be read: {' '.join(str(error).split())[:150]}"
        raise SolveError(msg) from error
    if not usable:
        msg = "the header's WCS is not celestial, or degenerate"
        raise SolveError(msg)
    return wcs
