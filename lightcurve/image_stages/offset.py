"""Put a WCS right that is off, by the pattern of the catalogue's stars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.pattern import make_reference
from lightcurve.astrometry.register import register
from lightcurve.astrometry.wcs import move_wcs
from lightcurve.catalogs.bands import bands_of
from lightcurve.catalogs.service import Catalog
from lightcurve.data import Detections

if TYPE_CHECKING:
    from astropy.wcs import WCS

MARGIN = 0.25  # of the frame, on each side: so far off may a pointing be
DEPTH, MIN_KNOWN = 2, 60  # catalogued stars for each of the frame's own, and at least


def shifted_wcs(
    wcs: WCS, stars: Detections, catalog: Catalog, shape: tuple[int, int]
) -> tuple[WCS, float]:
    """Move a WCS to where the catalogue's stars are.

    Any shift that leaves most of the frame's stars in the catalogue's field, any turn, mirrored or
    not, and a scale off by no more than the registration of frames allows.

    wcs : TAN or TAN-SIP, roughly right.
    stars : of the frame.
    catalog : with magnitudes: the brightest stars are compared first.
    shape : (ny, nx).
    Returns off_px : how far the middle of the frame was off.
    RegistrationError when the patterns do not match.
    """
    ny, nx = shape
    x, y = wcs.all_world2pix(catalog.ra_deg, catalog.dec_deg, 0, quiet=True)
    light = _light(catalog)
    with np.errstate(invalid="ignore"):
        near = (np.abs(x / nx - 0.5) < 0.5 + MARGIN) & (np.abs(y / ny - 0.5) < 0.5 + MARGIN)
    rows = np.flatnonzero(near)
    rows = rows[np.argsort(-light[rows], kind="stable")][: max(DEPTH * len(stars), MIN_KNOWN)]
    reference = make_reference(x[rows], y[rows], light[rows], shape)
    found = register(stars.x, stars.y, stars.flux, reference)
    middle = np.array([(nx - 1) / 2, (ny - 1) / 2, 1.0])
    off = float(np.hypot(*(found.matrix @ middle - middle[:2])))
    return move_wcs(wcs, found.matrix, shape), off


def _light(catalog: Catalog) -> np.ndarray:
    """Brightness of each star in the band in which it is brightest; 0 where none is known."""
    columns = bands_of(catalog).values()
    if not columns:
        return np.zeros(len(catalog))
    mags = np.fmin.reduce([catalog.number(column) for column in columns])
    return np.nan_to_num(10 ** (-0.4 * mags))
