"""What can be ordered of a simulated night, and what one has that says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightcurve.core.errors import InputError
from lightcurve.core.registry import did_you_mean

__all__ = ["USUAL", "request_of"]


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
    n_bias: int = 5
    n_dark: int = 5
    n_flat: int = 5
    dialect: str = "standard"
    header_wcs: bool | None = None
    seed: int = 1


USUAL = Request()
# Option -> field, for the command and for Python.
FIELDS = {
    "planet": "planet",
    "stars": "stars",
    "start": "start",
    "frames": "n_frames",
    "exposure": "exposure_s",
    "cadence": "cadence_s",
    "size": "size",
    "scale": "scale_arcsec",
    "mag": "magnitude",
    "flip": "flip",
    "cloud": "cloud_depth",
    "bias": "n_bias",
    "dark": "n_dark",
    "flat": "n_flat",
    "dialect": "dialect",
    "wcs": "header_wcs",
    "seed": "seed",
}


def request_of(**options: Any) -> Request:
    """Order a night by the names of the options of ``lightcurve simulate``.

    Raises
    ------
    InputError
        For an option that there is not, with the one that may be meant.
    """
    for name in options:
        if name not in FIELDS:
            msg = f"no option {name} of simulate{did_you_mean(name, FIELDS)}"
            raise InputError(msg)
    for name in ("planet", "stars"):
        if options.get(name) is not None:
            options[name] = Path(options[name])
    return Request(**{FIELDS[name]: value for name, value in options.items()})
