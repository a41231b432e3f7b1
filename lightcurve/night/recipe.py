"""All that measuring a frame needs besides the frame."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from lightcurve.astrometry.register import ReferencePattern
from lightcurve.core.constants import __version__
from lightcurve.core.data import StarPlan
from lightcurve.core.files import digest, file_state
from lightcurve.core.quantities import header_columns
from lightcurve.core.settings import Settings
from lightcurve.phot.noise import NoiseModel

# Only these settings reach the measuring; the number of workers, say, does not.
_OF_A_FRAME = dict.fromkeys(("camera", "site", "equipment", "time", "apertures"), True) | {
    "calibration": {"cosmic_rays"},
    "solve": {"solvers", "index", "radius_deg", "parity", "timeout_s"},
}


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """All that measuring a frame needs besides the frame.

    shrink : by how much frames are shrunk to find their stars; from 2 on only parts are
        calibrated.
    """

    settings: Settings
    shape: tuple[int, int]  # (ny, nx) of every frame
    masters_folder: Path | None  # where the master frames were written
    masters_digest: str  # of the frames that they were made of, and how
    reference: ReferencePattern  # the stars every frame is registered to
    scale_arcsec: float  # of the reference frame, per pixel
    plan: StarPlan
    radii: np.ndarray  # (n_radius,) float array, pixels
    annulus: tuple[float, float]
    noise: NoiseModel
    saturation_adu: float | None
    shrink: int = 1

    def fingerprint(self) -> str:
        """Digest of everything that can change a result."""
        settings = self.settings.model_dump_json(include=_OF_A_FRAME)
        pattern = self.reference
        stars = (pattern.x, pattern.y, pattern.flux, pattern.faintest, pattern.shape)
        told = {"settings", "masters_folder", "reference"}  # above, or of no matter
        rest = tuple(getattr(self, f.name) for f in fields(self) if f.name not in told)
        own = self.settings.camera.profile or ""
        camera = file_state(Path(own)) if own.endswith(".toml") else own
        return digest((__version__, settings, camera, stars, rest, *header_columns().items()))
