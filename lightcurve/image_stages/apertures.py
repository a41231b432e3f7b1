"""Where light and sky are summed on one frame."""

from __future__ import annotations

import numpy as np

from lightcurve.config import Settings
from lightcurve.data import StarPhotometry
from lightcurve.image_stages.data import Apertures
from lightcurve.phot.psf_fit import PsfPhotometry
from lightcurve.phot.seeing import ANNULUS_FWHM, MIN_INNER, MIN_WIDTH

MIN_RADIUS_PX = 1.5


def choose_apertures(fwhm: float, settings: Settings) -> Apertures:
    """Choose radii and annulus: given in pixels, else multiples of the FWHM.

    fwhm: pixels.
    No radius under 1.5 px; the annulus from 4 to 7 FWHM.
    """
    given = settings.apertures.radii
    if given:
        radii = np.array(sorted(given))
        main = int(np.abs(radii - settings.image.main_aperture_fwhm * fwhm).argmin())
    else:
        multiples = np.array(sorted(settings.image.apertures_fwhm))
        radii = np.maximum(multiples * fwhm, MIN_RADIUS_PX)
        radii += 0.1 * np.arange(len(radii)) * (np.diff(radii, prepend=0) <= 0)
        main = int(np.abs(multiples - settings.image.main_aperture_fwhm).argmin())
    inner = float(np.ceil(max(ANNULUS_FWHM[0] * fwhm, MIN_INNER, radii[-1] + 1)))
    outer = float(np.ceil(max(ANNULUS_FWHM[1] * fwhm, inner + MIN_WIDTH)))
    return Apertures(radii, radii / fwhm, main, settings.apertures.annulus or (inner, outer))


def disturbed(
    phot: StarPhotometry,
    psf_phot: PsfPhotometry | None,
    apertures: Apertures,
    reach: float,
    share: float,
) -> np.ndarray:
    """Tell which sources have a neighbour of some brightness.

    psf_phot : its fluxes are compared where there are such: apertures hold their neighbours' light.
    reach : pixels.
    share : of a source's own light that a neighbour must have.
    Returns (n,) bool array.
    """
    from scipy.spatial import cKDTree

    light = phot.flux[:, apertures.main]
    if psf_phot is not None:
        light = np.where(np.isfinite(psf_phot.flux), psf_phot.flux, light)
    light = np.nan_to_num(light)
    one, other = (
        cKDTree(np.column_stack([phot.x, phot.y])).query_pairs(reach, output_type="ndarray").T
    )
    found = np.zeros(len(light), dtype=bool)
    found[one[light[other] > share * light[one]]] = True
    found[other[light[one] > share * light[other]]] = True
    return found
