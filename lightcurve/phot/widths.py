"""How wide the stars of a frame are: Gaussians fitted to the sums of rows and of columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.constants import FWHM_PER_SIGMA
from lightcurve.phot.cutouts import gather
from lightcurve.robust import robust_scatter

MAX_STARS = 300
ITERATIONS = 12
MIN_STARS = 3
WIDTH_FACTOR = 0.3602  # AstroImageJ's second moment over "width"; over FWHM a Gaussian's is 0.4247


@dataclass(frozen=True, slots=True, eq=False)
class Widths:
    """Widths of the stars of one frame.

    Attributes
    ----------
    fwhm : float
        Median of what is left after clipping, pixels; NaN with fewer than 3 stars.
    fwhm_err : float
        Its standard error.
    fwhm_x, fwhm_y : (n,) float arrays
        Of each star along rows and columns, pixels.
    used : (n,) bool array
    """

    fwhm: float
    fwhm_err: float
    fwhm_x: np.ndarray
    fwhm_y: np.ndarray
    used: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Geometric mean of the two axes, star by star."""
        return np.sqrt(self.fwhm_x * self.fwhm_y)


def measure_widths(light: np.ndarray, x: np.ndarray, y: np.ndarray, guess: float) -> Widths:
    """Measure the FWHM of stars.

    Parameters
    ----------
    light : (ny, nx) float array
        Above the sky.
    x, y : (n,) float arrays
        Isolated, unsaturated stars with a good signal, pixels; the first 300 are taken.
    guess : float
        FWHM, pixels.
    """
    x, y = x[:MAX_STARS], y[:MAX_STARS]
    half = max(int(np.ceil(2.0 * guess)), 3)
    boxes = np.nan_to_num(gather(light, np.rint(x).astype(int), np.rint(y).astype(int), half))
    sigma = guess / FWHM_PER_SIGMA
    widths_x = FWHM_PER_SIGMA * fit_gaussians(boxes.sum(axis=1), sigma)
    widths_y = FWHM_PER_SIGMA * fit_gaussians(boxes.sum(axis=2), sigma)
    mean = np.sqrt(widths_x * widths_y)
    used = _clipped(mean)
    n = int(used.sum())
    if n < MIN_STARS:
        return Widths(float("nan"), float("nan"), widths_x, widths_y, used)
    spread = robust_scatter(mean[used])
    return Widths(float(np.median(mean[used])), 1.25 * spread / n**0.5, widths_x, widths_y, used)


def fit_gaussians(profiles: np.ndarray, sigma: float) -> np.ndarray:
    """Fit a Gaussian with a constant to each profile by Gauss-Newton steps, all at once.

    profiles : (n, m) float array; the peak near the middle.
    sigma : to start from, pixels.
    Returns (n,) float array: sigma, pixels; NaN where the fit runs away.
    """
    n, m = profiles.shape
    place = np.arange(m) - m // 2
    floor = np.minimum(profiles[:, 0], profiles[:, -1])
    p = np.column_stack([profiles.max(axis=1, initial=0.0) - floor, np.zeros(n),
                         np.full(n, sigma), floor])  # fmt: skip
    for _ in range(ITERATIONS):
        u = (place - p[:, 1:2]) / p[:, 2:3]
        shape = np.exp(-0.5 * u**2)
        slope = p[:, :1] * shape / p[:, 2:3]
        jacobian = np.stack([shape, slope * u, slope * u**2, np.ones_like(u)], axis=2)
        residual = profiles - p[:, :1] * shape - p[:, 3:]
        normal = np.einsum("nmi,nmj->nij", jacobian, jacobian)
        normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(4)
        step = np.linalg.solve(normal, np.einsum("nmi,nm->ni", jacobian, residual)[:, :, None])
        step = step[:, :, 0]
        step[:, 1] = np.clip(step[:, 1], -1.0, 1.0)
        step[:, 2] = np.clip(step[:, 2], -0.4 * p[:, 2], 0.4 * p[:, 2])
        p = p + step
    gone = (np.abs(p[:, 1]) > m / 4) | (p[:, 2] > m / 2) | (p[:, 2] < 0.2) | (p[:, 0] <= 0)
    return np.where(gone, np.nan, p[:, 2])


def moments(
    light: np.ndarray, u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Second moments of light along x, y and across: each (n,), pixels squared.

    light : (n, m, m), 0 where it does not count; u, v : (n, m) offsets of its columns and rows
    from the star. Not finite where there is no light.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        total = light.sum(axis=(1, 2))
        along_x = np.einsum("nyx,nx->n", light, u**2) / total
        along_y = np.einsum("nyx,ny->n", light, v**2) / total
        across = np.einsum("nyx,nx,ny->n", light, u, v, optimize=True) / total
    return along_x, along_y, across


def ellipse(along_x: np.ndarray, along_y: np.ndarray, across: np.ndarray) -> dict[str, np.ndarray]:
    """Widths on AstroImageJ's scale and direction of the long axis, from second moments.

    ``x_width``, ``y_width`` : root of the moment over 0.3602, pixels; ``angle_deg`` : from +x
    towards +y, 0 to 360.
    """
    with np.errstate(invalid="ignore"):
        angle = np.degrees(0.5 * np.arctan2(2 * across, along_x - along_y)) % 360
    return {
        "x_width": np.sqrt(np.abs(along_x)) * (1 / WIDTH_FACTOR),
        "y_width": np.sqrt(np.abs(along_y)) * (1 / WIDTH_FACTOR),
        "angle_deg": angle,
    }


def axis_ratio(along_x: np.ndarray, along_y: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Short over long axis; NaN where the moments fit no ellipse."""
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(4 * across**2 + (along_x - along_y) ** 2)
        return np.sqrt((along_x + along_y - root) / (along_x + along_y + root))


def _clipped(values: np.ndarray) -> np.ndarray:
    """Keep what lies within 3 robust standard deviations of the median."""
    keep = np.isfinite(values)
    for _ in range(5):
        if not keep.any():
            break
        middle = np.median(values[keep])
        spread = max(robust_scatter(values[keep]), 0.01 * middle)
        keep = np.isfinite(values) & (np.abs(values - middle) <= 3 * spread)
    return keep
