"""All that measuring a frame needs besides the frame."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from lightcurve.astrometry.pattern import ReferencePattern
from lightcurve.config import Settings
from lightcurve.constants import __version__
from lightcurve.data import StarPlan
from lightcurve.digests import digest
from lightcurve.phot.noise import NoiseModel
from lightcurve.quantities import header_columns

# Only these settings reach the measuring; the number of workers, say, does not.
_OF_A_FRAME = dict.fromkeys(("camera", "site", "time", "apertures"), True) | {
    "calibration": {"cosmic_rays"},
    "solve": {"solvers", "index", "radius_deg", "parity", "timeout_s"},
}


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """All that measuring a frame needs besides the frame.

    Attributes
    ----------
    shape : tuple of int
        (ny, nx) of every frame.
    masters_folder : Path or None
        Where the master frames were written.
    masters_digest : str
        Of the frames that they were made of, and how.
    reference : ReferencePattern
        The stars every frame is registered to.
    scale_arcsec : float
        Of the reference frame, per pixel.
    radii : (n_radius,) float array
        Pixels.
    shrink : int
        By how much frames are shrunk to find their stars; from 2 on only parts are calibrated.
    """

    settings: Settings
    shape: tuple[int, int]
    masters_folder: Path | None
    masters_digest: str
    reference: ReferencePattern
    scale_arcsec: float
    plan: StarPlan
    radii: np.ndarray
    annulus: tuple[float, float]
    noise: NoiseModel
    saturation_adu: float | None
    shrink: int = 1

    def fingerprint(self) -> str:
        """Digest of everything that can change a result."""
        settings = self.settings.model_dump_json(include=_OF_A_FRAME)
        stars = (self.reference.x, self.reference.y, self.reference.shape)
        told = {"settings", "masters_folder", "reference"}  # above, or of no matter
        rest = tuple(getattr(self, f.name) for f in fields(self) if f.name not in told)
        return digest((__version__, settings, stars, rest, *header_columns().items()))
