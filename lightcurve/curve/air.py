"""What the air adds to the noise of every star, from telescope, site and airmass of a night."""

from __future__ import annotations

import numpy as np

from lightcurve.config import Settings
from lightcurve.curve.scatter import scintillation
from lightcurve.data import Measurements

ANY = Settings()


def star_scintillation(measurements: Measurements, settings: Settings = ANY) -> np.ndarray:
    """Work out the scintillation of one star in each frame.

    settings: as for `usable_diameter`; a height given here overrides the headers', too.
    Returns (n_frame,) float array, relative; 0 where diameter or exposure are not known. Where the
    height is not known it is that at sea level, the largest; where the airmass is not, that of the
    zenith.
    """
    diameter = usable_diameter(measurements, settings)
    if diameter is None:
        return np.zeros(len(measurements.jd_utc))
    exposed = measurements.exposure_s > 0
    return scintillation(
        np.where(np.isfinite(measurements.airmass), measurements.airmass, 1.0),
        np.where(exposed, measurements.exposure_s, np.inf),
        diameter_m=diameter,
        height_m=_height(measurements, settings),
    )


def usable_diameter(measurements: Measurements, settings: Settings = ANY) -> float | None:
    """Settle the diameter of the telescope that scintillation is worked out with.

    settings: a diameter given here overrides the headers'.
    Metres. None in AstroImageJ's style, whose errors have no scintillation.
    """
    if settings.apertures.style == "aij":
        return None
    return settings.camera.telescope_diameter_m or measurements.telescope_diameter_m


def _height(measurements: Measurements, settings: Settings) -> float:
    if settings.site.height_m is not None:
        return settings.site.height_m
    return measurements.site.height_m if measurements.site else 0.0
