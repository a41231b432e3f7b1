"""The WCS that a frame's header already has; believed as far as it can be checked."""

from __future__ import annotations

import warnings

import numpy as np

from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.wcs import describe_wcs
from lightcurve.config import SolveSettings
from lightcurve.data import Solution
from lightcurve.errors import SolveError

MAX_TARGET_DISTANCE_DEG = 10.0


def solve_header(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Take the WCS of the header, if it is whole and fits what else is known.

    Parameters
    ----------
    request : SolveRequest
    settings : SolveSettings
        Its scale tolerance applies where a scale is known.

    Returns
    -------
    Solution
        With no matched stars: nothing was compared with a catalogue.

    Raises
    ------
    SolveError
        When there is no celestial WCS, it is degenerate, or it contradicts the known scale.
    """
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
    scale, rotation, parity = describe_wcs(wcs, request.shape)
    known = settings.scale_arcsec
    if known and not 1 / 1.5 < scale / known < 1.5:
        msg = f"the header's WCS has {scale:.3g} arcsec/px, --scale says {known:.3g}"
        raise SolveError(msg)
    return Solution(wcs, "header", 0, float("nan"), scale, rotation, parity, "not checked")
