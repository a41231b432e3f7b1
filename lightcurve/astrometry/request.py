"""What every plate solver is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lightcurve.data import Detections

if TYPE_CHECKING:
    from astropy.io.fits import Header


@dataclass(frozen=True, slots=True, eq=False)
class SolveRequest:
    """A frame to be placed on the sky.

    Attributes
    ----------
    stars : Detections
        Brightest first.
    shape : tuple of int
        (ny, nx).
    header : astropy.io.fits.Header
    path : Path
    ra_deg, dec_deg : float or None
        A place known to be in or near the frame.
    scale_arcsec : float or None
        Arc seconds per pixel, roughly.
    """

    stars: Detections
    shape: tuple[int, int]
    header: Header
    path: Path
    ra_deg: float | None = None
    dec_deg: float | None = None
    scale_arcsec: float | None = None
