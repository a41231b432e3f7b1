"""What can be ordered of a simulated night, and what one has that says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["USUAL", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """A night to order; see `lightcurve simulate --help`.

    Attributes
    ----------
    size : (int, int)
        Width and height, pixels.
    magnitude : float
        Of the target.
    cloud_depth : float
        Share of the light lost in a cloud, 0 to 1.
    calibrations : (int, int, int)
        Bias, dark and flat frames.
    dialect : str
        Manner of the headers.
    header_wcs : bool or None
        Whether the lights have a WCS; None for unless `stars` are given. Made-up stars cannot be
        solved: without a WCS no run could reduce them.
    """

    planet: Path | None = None
    stars: Path | None = None
    start: str | None = None
    n_frames: int = 72
    exposure_s: float = 60.0
    cadence_s: float = 150.0
    size: tuple[int, int] = (500, 400)
    scale_arcsec: float = 1.2
    magnitude: float = 11.2
    flip: bool = False
    cloud_depth: float = 0.0
    calibrations: tuple[int, int, int] = (5, 5, 5)
    dialect: str = "standard"
    header_wcs: bool | None = None
    seed: int = 1


USUAL = Request()
