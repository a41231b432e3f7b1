"""Register a frame by all of its light: correlated with the places of the reference's stars.

For frames in which too few stars can be told one by one, as behind clouds or in snapshots: what
none of them shows alone they show together. Moved against where it should be, and not turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.astrometry.few import REACH
from lightcurve.astrometry.register import ReferencePattern
from lightcurve.astrometry.transform import apply
from lightcurve.core.data import FoundBy, Registration
from lightcurve.core.errors import RegistrationError, Why
from lightcurve.core.robust import robust_scatter

__all__ = ["register_by_light"]

SIGMA = 8.0  # of the correlation's own scatter: by chance in none of a million places
CLEARLY = 0.6  # of the highest: the next, elsewhere, is lower. Of another field's stars one fits
BRIGHTEST = 10.0  # noise of a pixel: no single star, hot pixel or cosmic ray settles it
MOST_LIGHT = 3.0  # times the median star of the reference, likewise
SEEING_PX, SMOOTH_PX = 1.3, 8.0  # sigma: of a star; of the sky that is taken off
APART_PX = 6.0  # of two peaks: nearer ones are one, as wide as a blurred star
SEEN = 2.0  # noise of smoothed light: such a star is seen


@dataclass(frozen=True, slots=True, eq=False)
class _Peak:
    height: float  # over the correlation's scatter
    rest: float  # the highest elsewhere
    matrix: np.ndarray


def register_by_light(
    pixels: np.ndarray,
    bad: np.ndarray,
    sky: float,
    noise: float,
    reference: ReferencePattern,
    guesses: Sequence[np.ndarray],
) -> Registration:
    """Find by how much a frame is off the better of some guesses, by its light as a whole.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU.
    bad : (ny, nx) uint8 array
        Bits of pixels that do not count, but for saturated ones that have values.
    sky, noise : float
        Level, and scatter of a pixel, ADU.
    guesses : sequence of (2, 3) float arrays
        Transforms from the reference to the frame.

    Returns
    -------
    Registration
        To about half a pixel; `n_matched` stars of the reference can be seen.

    Raises
    ------
    RegistrationError
        When no place stands out.
    """
    light = np.where((bad == 0) & np.isfinite(pixels), pixels - sky, 0.0)
    light = np.clip(light / max(noise, 1e-6), -BRIGHTEST, BRIGHTEST)
    peaks = [_correlate(light, reference, guess) for guess in guesses if len(reference.x)]
    peaks.sort(key=lambda peak: -peak.height)
    heights = [h for peak in peaks for h in (peak.height, peak.rest)]
    best, rest = (heights[0], max(heights[1:])) if heights else (0.0, 0.0)
    if not best >= SIGMA or rest > CLEARLY * best:
        msg = (
            f"nor does its light as a whole show where it is: {best:.1f} sigma at best, "
            f"{rest:.1f} elsewhere"
        )
        raise RegistrationError(msg, n_catalog=len(reference.x), why=Why.TOO_FEW_STARS)
    matrix = peaks[0].matrix
    linear = matrix[:, :2]
    return Registration(
        matrix=matrix,
        n_matched=_count_seen(light, matrix, reference),
        rms_px=float("nan"),
        rotation_deg=float(np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))),
        scale=float(np.sqrt(abs(np.linalg.det(linear)))),
        mirrored=bool(np.linalg.det(linear) < 0),
        false_match_probability=float("nan"),
        found_by=FoundBy.LIGHT,
    )


def _correlate(light: np.ndarray, reference: ReferencePattern, guess: np.ndarray) -> _Peak:
    """Correlate light with stars where they are guessed: the highest within reach, and the next."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    reach = int(REACH * min(light.shape))
    # So wide that what leaves one edge does not come in by the other.
    shape = tuple(next_fast_len(side + 2 * reach, real=True) for side in light.shape)
    stars = np.zeros(shape)
    x, y = apply(guess, np.column_stack([reference.x, reference.y])).T
    near = (x > -reach) & (x < light.shape[1] + reach) & (y > -reach) & (y < light.shape[0] + reach)
    weight = np.minimum(reference.flux, MOST_LIGHT * np.median(reference.flux))
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    np.add.at(stars, (row[near] % shape[0], column[near] % shape[1]), weight[near])
    product = rfft2(_smoothed(light), shape) * rfft2(stars).conj()
    rows, columns = (np.arange(-reach, reach + 1) % side for side in shape)
    found = irfft2(product, shape)[np.ix_(rows, columns)]
    found /= max(robust_scatter(found), 1e-30)
    j, i = np.unravel_index(int(found.argmax()), found.shape)
    v, u = np.indices(found.shape)
    rest = found[np.hypot(u - i, v - j) > APART_PX].max(initial=0.0)
    # Places of stars were rounded to whole pixels: the mean of what that did is taken off.
    dx = i - reach + np.average((column - x)[near], weights=weight[near]) if near.any() else 0.0
    dy = j - reach + np.average((row - y)[near], weights=weight[near]) if near.any() else 0.0
    moved = np.array([[0, 0, dx], [0, 0, dy]])
    return _Peak(float(found[j, i]), float(rest), guess + moved)


def _smoothed(light: np.ndarray) -> np.ndarray:
    """Smooth light as stars are, less what is smooth anyway."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(light, SEEING_PX) - gaussian_filter(light, SMOOTH_PX)


def _count_seen(light: np.ndarray, matrix: np.ndarray, reference: ReferencePattern) -> int:
    """Count the stars of the reference that stand above the noise where they should be."""
    smooth = _smoothed(light)
    x, y = np.rint(apply(matrix, np.column_stack([reference.x, reference.y])).T).astype(int)
    inside = (x >= 0) & (x < light.shape[1]) & (y >= 0) & (y < light.shape[0])
    return int(np.count_nonzero(smooth[y[inside], x[inside]] > SEEN * robust_scatter(smooth)))
