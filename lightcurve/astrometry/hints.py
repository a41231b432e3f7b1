"""What solvers outside this process are told of a frame."""

from __future__ import annotations

import numpy as np

from lightcurve.astrometry.local import MIN_STARS, WIDENINGS
from lightcurve.astrometry.request import SolveRequest
from lightcurve.config import SolveSettings
from lightcurve.errors import SolveError

N_STARS = 200


def star_places(request: SolveRequest) -> np.ndarray:
    """List the brightest stars' places, as FITS counts pixels: the first one's centre is (1, 1).

    Returns (n, 2) float array, at most `N_STARS`, brightest first.
    Raises SolveError when there are too few for any pattern.
    """
    stars = request.stars
    if len(stars) < MIN_STARS:
        msg = f"{len(stars)} stars, {MIN_STARS} are needed (clouds, or out of focus?)"
        raise SolveError(msg, n_detected=len(stars))
    return np.column_stack([stars.x, stars.y])[:N_STARS].astype(float) + 1


def scale_bounds(request: SolveRequest, settings: SolveSettings) -> tuple[float, float] | None:
    """Bound the scale: as widely as the local solver does, at last, for it is asked once only.

    Arc seconds per pixel; None when nothing is known.
    """
    if request.scale_arcsec is None:
        return None
    widening = WIDENINGS[0] if request.scale_is_known else WIDENINGS[-1]
    factor = (1 + settings.scale_tolerance) ** widening
    return round(request.scale_arcsec / factor, 6), round(request.scale_arcsec * factor, 6)


def cone(request: SolveRequest, settings: SolveSettings) -> tuple[float, float, float] | None:
    """Bound the place on the sky.

    RA (0 to 360), Dec and radius, degrees; None when no place is known or none is to be used.
    """
    if request.ra_deg is None or request.dec_deg is None or settings.blind:
        return None
    return round(request.ra_deg % 360, 6) % 360, round(request.dec_deg, 6), settings.radius_deg
