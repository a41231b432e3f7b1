"""Where light and sky are summed on one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.config import Settings
from lightcurve.phot.seeing import ANNULUS_FWHM, MIN_INNER, MIN_WIDTH

MIN_RADIUS_PX = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Apertures:
    """Where light and sky are summed.

    Attributes
    ----------
    radii : (n_radius,) float array
        Pixels, ascending.
    multiples : (n_radius,) float array
        The same in FWHM.
    main : int
        The radius of magnitudes and limits.
    annulus : (float, float)
        Pixels.
    """

    radii: np.ndarray
    multiples: np.ndarray
    main: int
    annulus: tuple[float, float]


def choose_apertures(fwhm: float, settings: Settings) -> Apertures:
    """Choose radii and annulus: given in pixels, else multiples of the FWHM.

    Parameters
    ----------
    fwhm : float
        Pixels.

    Returns
    -------
    Apertures
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
