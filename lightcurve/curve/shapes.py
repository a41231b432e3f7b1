"""What is no star: light spread wider than the field's own stars have it, or packed tighter.

Stars of one frame share one profile, in focus or out of it. How much of a star's light lies in the
smallest aperture is held against that of the field, frame by frame, and over the night.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import Measurements
from lightcurve.core.flags import UNUSABLE
from lightcurve.core.robust import median_error, robust_scatter

__all__ = ["Shapes", "measure_shapes"]

MIN_SNR = 10.0  # in one frame, of the smallest aperture
MIN_STARS = 6
MANY_FRAMES = 10  # from here on a star's scatter tells the error of its median
SLOPE_STARS, BEND_STARS = 10, 25  # that let the profile change over the field, in a line or a curve
SURE = 5.0
LEAST = 0.04  # of the light within: an image 5 % wider than a Gaussian, 0.3 of the seeing across
PASSES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """How concentrated each object is, against the field's stars at its place.

    Attributes
    ----------
    excess, error : (n_star,) float arrays
        Logarithm of the share of light in the smallest aperture over that of a star, and its error
        with the field's own spread; negative where it is wider. NaN where it cannot be told.
    """

    excess: np.ndarray
    error: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        """Excess over its error, (n_star,)."""
        return self.excess / self.error

    @property
    def odd(self) -> np.ndarray:
        """Those that are no single star, (n_star,) bool."""
        far = np.abs(np.nan_to_num(self.excess)) > LEAST
        return far & (np.abs(np.nan_to_num(self.sigma)) > SURE)

    def describe(self, row: int) -> str:
        """Say what is odd about an object."""
        percent = 100 * abs(np.expm1(self.excess[row]))
        if self.excess[row] < 0:
            return (
                f"wider than a star: {percent:.0f} % less of its light in the middle than the "
                f"field's stars have ({-self.sigma[row]:.0f} sigma): a galaxy or a blend"
            )
        return (
            f"sharper than a star: {percent:.0f} % more of its light in the middle than the "
            f"field's stars have ({self.sigma[row]:.0f} sigma): bad pixels"
        )


def measure_shapes(measurements: Measurements) -> Shapes:
    """Hold the concentration of every object against that of the field's stars.

    Parameters
    ----------
    measurements : Measurements
        The smallest radius is compared with the middle one; with one radius alone, or fewer than
        six stars, nothing can be told.
    """
    m = measurements
    number = len(m.plan)
    nothing = Shapes(np.full(number, np.nan), np.full(number, np.nan))
    middle = len(m.radii) // 2
    if middle == 0:
        return nothing
    share, error = _shares(m, middle)
    bright = np.isfinite(share).sum(axis=1) >= MIN_STARS
    if not bright.any():
        return nothing
    off = share[bright] - np.nanmedian(share[bright], axis=1)[:, None]
    seen = np.isfinite(off).sum(axis=0)
    excess, own = np.full(number, np.nan), np.full(number, np.nan)
    for star in np.flatnonzero(seen):
        values, told = off[:, star], np.isfinite(off[:, star])
        excess[star] = np.median(values[told])
        expected = float(np.median(error[bright][told, star])) / np.sqrt(told.sum())
        own[star] = median_error(values[told]) if told.sum() >= MANY_FRAMES else expected
    return _against_field(excess, own, m.plan.x_ref, m.plan.y_ref)


def _shares(m: Measurements, middle: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the light in the smallest aperture over that in the middle one, and its error.

    Both (n_frame, n_star), NaN where a star will not do. The errors are of what lies between.
    """
    inner, outer = m.flux[:, :, 0], m.flux[:, :, middle]
    use = m.flags[:, :, middle] & int(UNUSABLE) == 0
    use &= (inner > MIN_SNR * m.flux_err[:, :, 0]) & (outer > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(use, np.log(inner / outer), np.nan)
        between = np.maximum(m.flux_err[:, :, middle] ** 2 - m.flux_err[:, :, 0] ** 2, 0)
        error = np.sqrt(between + m.flux_err[:, :, 0] ** 2 * (1 - inner / outer) ** 2) / outer
    return share, error


def _against_field(excess: np.ndarray, own: np.ndarray, x: np.ndarray, y: np.ndarray) -> Shapes:
    """Take off what the profile does over the field, and add the field's spread to the errors."""
    good = np.isfinite(excess) & np.isfinite(own)
    if good.sum() < MIN_STARS:
        return Shapes(np.full(len(excess), np.nan), np.full(len(excess), np.nan))
    u, v = ((w - w[good].mean()) / max(float(np.ptp(w[good])), 1.0) for w in (x, y))
    terms = [np.ones_like(u)]
    terms += [u, v] if good.sum() >= SLOPE_STARS else []
    terms += [u**2, u * v, v**2] if good.sum() >= BEND_STARS else []
    design = np.column_stack(terms)
    left, spread, kept = excess - np.median(excess[good]), np.inf, good
    for _ in range(PASSES):
        sharp = kept & (own <= np.median(own[kept]))  # the bright half tells the spread
        wide = robust_scatter(left[sharp], about=0.0)
        spread = float(np.sqrt(max(wide**2 - np.median(own[sharp] ** 2), 1e-6)))
        error = np.hypot(own, spread)
        kept = good & (np.abs(left) <= np.maximum(3 * error, 1e-6))
        if kept.sum() < max(MIN_STARS, design.shape[1] + 2):
            break
        weighted = design[kept] / error[kept, None]
        coefficients = np.linalg.lstsq(weighted, excess[kept] / error[kept], rcond=None)[0]
        left = excess - design @ coefficients
    return Shapes(left, np.hypot(own, spread))
