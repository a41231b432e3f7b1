"""Where exactly a star is."""

from __future__ import annotations

import numpy as np

MAX_ITERATIONS = 12
TOLERANCE_PX = 1e-3


def windowed_centroid(
    boxes: np.ndarray, sigma: float, *, iterations: int = MAX_ITERATIONS
) -> tuple[np.ndarray, np.ndarray]:
    """Refine centres by a Gaussian window that follows them (SExtractor's XWIN, YWIN).

    Each step moves by twice the weighted mean offset, which for a Gaussian star as wide as the
    window lands on the centre at once; the noise is close to that of a fitted profile.

    Parameters
    ----------
    boxes : (n, m, m) float array
        Sky-subtracted; non-finite pixels do not count.
    sigma : float
        Of the window, pixels.
    iterations : int
        At most so many; a star alone needs three, one on a neighbour's wing a dozen.

    Returns
    -------
    dx, dy : (n,) float arrays
        Offset from each box's centre pixel; NaN where the window holds no light or the star runs
        away from its box.
    """
    n, m, _ = boxes.shape
    offset = np.arange(m) - m // 2
    light = np.where(np.isfinite(boxes), boxes, 0.0).astype(float)
    found = np.zeros((2, n))
    moving = np.arange(n)
    for _ in range(iterations):
        place = found[:, moving]
        window = np.exp(-((offset - place[:, :, None]) ** 2) / (2 * sigma**2))
        # The light along each axis, weighted: [axis, star, pixel].
        along = np.stack(
            [
                np.einsum("nyx,ny->nx", light, window[1]),
                np.einsum("nyx,nx->ny", light, window[0]),
            ]
        )
        along *= window
        total = along[0].sum(axis=1)
        total[~(total > 0)] = np.nan
        place += 2 * ((along * offset).sum(axis=2) / total - place)
        step = np.hypot(*(place - found[:, moving]))
        place[:, ~(np.hypot(*place) <= m // 2)] = np.nan
        found[:, moving] = place
        still = step > TOLERANCE_PX
        if not still.any():
            break
        moving, light = moving[still], light[still]
    return found[0], found[1]


def peak_width(boxes: np.ndarray) -> np.ndarray:
    """Estimate each star's Gaussian sigma from its middle pixel and the four beside it.

    For ``exp(-r^2 / 2 s^2)`` the ratio q at one pixel gives ``s^2 = -1 / (2 ln q)``.

    Parameters
    ----------
    boxes : (n, m, m) float array
        Sky-subtracted, the star's peak in the middle.

    Returns
    -------
    (n,) float array
        Pixels, between 0.41 and 5; NaN where one of the five pixels is.
    """
    c = boxes.shape[1] // 2
    peak = boxes[:, c, c]
    beside = (boxes[:, c - 1, c] + boxes[:, c + 1, c] + boxes[:, c, c - 1] + boxes[:, c, c + 1]) / 4
    ratio = np.clip(beside / np.where(peak <= 0, np.inf, peak), 0.05, 0.98)
    return np.sqrt(-0.5 / np.log(ratio))
