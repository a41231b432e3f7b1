"""The ways to find sources and to say where exactly they are: one entry for each.

Cheap to import, for help and settings are made of it: what computes is loaded when it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightcurve.core.data import Style
from lightcurve.core.errors import InputError
from lightcurve.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from lightcurve.phot.squares import Squares

__all__ = ["CENTROIDS", "HOWELL", "STAY", "centroid_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """What a frame tells about where to look: `sigma` of its stars, the main `radius`, pixels."""

    sigma: float
    radius: float


@dataclass(frozen=True, slots=True)
class CentroidMethod:
    """A way to say where exactly a star is.

    name : as typed. help : one line for ``--help``.
    """

    name: str
    help: str
    # ``find(boxes, given, window) -> found``: `boxes` (n, m, m) are sky-subtracted, `given` and
    # `found` (2, n) are x and y from the middle pixel of each box; NaN where there is none
    find: Callable[[np.ndarray, np.ndarray, Window], np.ndarray]
    # ``step(light, radius)`` tells how far to go from where `light`, a `Squares` without sky, is
    # centred: (2, n) pixels. Methods that have one also go by AstroImageJ's rules
    step: Callable[[Squares, float], np.ndarray] | None = None


@dataclass(frozen=True, slots=True)
class Finder:
    """A way to find sources.

    name : as typed. help : one line for ``--help``.
    """

    name: str
    help: str
    # ``find(scaled, fwhm, threshold_sigma) -> x, y``: `scaled` (ny, nx) is the light above the sky
    # in units of a pixel's noise, `fwhm` that of the stars in pixels; x and y (n,) in pixels, the
    # brightest first
    find: Callable[[np.ndarray, float, float], tuple[np.ndarray, np.ndarray]]


def _windowed(boxes: np.ndarray, given: np.ndarray, window: Window) -> np.ndarray:
    from lightcurve.phot.centroid import windowed_centroid

    return windowed_centroid(boxes, window.sigma, given)


def _howell_step(light: Squares, radius: float) -> np.ndarray:
    from lightcurve.phot.centroid import howell_step

    return howell_step(light, radius)


def _moment_step(light: Squares, radius: float) -> np.ndarray:
    from lightcurve.phot.centroid import moment_step

    return moment_step(light, radius)


def _stepwise(
    name: str, help_text: str, step: Callable[[Squares, float], np.ndarray]
) -> CentroidMethod:
    def find(boxes: np.ndarray, given: np.ndarray, window: Window) -> np.ndarray:
        from lightcurve.phot.centroid import go_by_steps

        return go_by_steps(boxes, given, window.radius, step)

    return CentroidMethod(name, help_text, find, step)


def _stay(_boxes: np.ndarray, given: np.ndarray, _window: Window) -> np.ndarray:
    return given


def _peaks(
    scaled: np.ndarray, fwhm: float, threshold_sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    from lightcurve.phot.detect import filtered_peaks

    return filtered_peaks(scaled, fwhm, threshold_sigma)


def _dao(scaled: np.ndarray, fwhm: float, threshold_sigma: float) -> tuple[np.ndarray, np.ndarray]:
    from lightcurve.phot.detect import dao_sources

    return dao_sources(scaled, fwhm, threshold_sigma)


WINDOWED = CentroidMethod("windowed", "a Gaussian window as wide as the stars", _windowed)

HOWELL = _stepwise("howell", "Howell's, AstroImageJ's own", _howell_step)

MOMENT = _stepwise("moment", "middle of the light in the aperture", _moment_step)

STAY = CentroidMethod("none", "where the sky coordinates put it", _stay)

CENTROIDS: Registry[CentroidMethod] = Registry("centroid", WINDOWED, HOWELL, MOMENT, STAY)

PEAKS = Finder("peaks", "fast", _peaks)

DAO = Finder("dao", "DAOStarFinder", _dao)

FINDERS: Registry[Finder] = Registry("finder", PEAKS, DAO)


def centroid_of(name: str | None, style: Style) -> CentroidMethod:
    """Find the centroid asked for, else that of the style.

    Raises InputError for one that the style cannot have: ``"aij"`` takes those that go by steps, or
    none.
    """
    if name is None:
        return HOWELL if style == Style.AIJ else WINDOWED
    method = CENTROIDS.get(name)
    if style == Style.AIJ and method is not STAY and method.step is None:
        able = ", ".join(one.name for one in CENTROIDS if one is STAY or one.step is not None)
        msg = f"--centroid {name} does not go by AstroImageJ's rules; of --style aij are {able}"
        raise InputError(msg)
    return method
