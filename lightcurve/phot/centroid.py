"""Where exactly a star is."""

from __future__ import annotations

import numpy as np

MAX_ITERATIONS = 12
TOLERANCE_PX = 1e-3


def gather(image: np.ndarray, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
    """Cut a square around each position.

    Parameters
    ----------
    image : (ny, nx) array
    x, y : (n,) int arrays
        Centres, pixels.
    half : int
        Half width.

    Returns
    -------
    (n, 2 half + 1, 2 half + 1) float array
        NaN outside the image.
    """
    ny, nx = image.shape
    offset = np.arange(-half, half + 1)
    rows = np.asarray(y)[:, None] + offset
    columns = np.asarray(x)[:, None] + offset
    inside = ((rows >= 0) & (rows < ny))[:, :, None] & ((columns >= 0) & (columns < nx))[:, None, :]
    boxes = image[np.clip(rows, 0, ny - 1)[:, :, None], np.clip(columns, 0, nx - 1)[:, None, :]]
    return boxes if inside.all() else np.where(inside, boxes, np.nan)


def windowed_centroid(boxes: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Refine centres by a Gaussian window that follows them (SExtractor's XWIN, YWIN).

    Each step moves by twice the weighted mean offset, which for a Gaussian star as wide as the
    window lands on the centre at once; the noise is close to that of a fitted profile.

    Parameters
    ----------
    boxes : (n, m, m) float array
        Sky-subtracted; non-finite pixels do not count.
    sigma : float
        Of the window, pixels.

    Returns
    -------
    dx, dy : (n,) float arrays
        Offset from each box's centre pixel; NaN where the window holds no light or the star runs
        away from its box.
    """
    n, m, _ = boxes.shape
    offset = np.arange(m) - m // 2
    light = np.where(np.isfinite(boxes), boxes, 0.0).astype(float)
    dx, dy = np.zeros(n), np.zeros(n)
    for _ in range(MAX_ITERATIONS):
        wx = np.exp(-((offset - dx[:, None]) ** 2) / (2 * sigma**2))
        wy = np.exp(-((offset - dy[:, None]) ** 2) / (2 * sigma**2))
        along_x = np.einsum("nyx,ny->nx", light, wy) * wx
        along_y = np.einsum("nyx,nx->ny", light, wx) * wy
        total = along_x.sum(axis=1)
        total = np.where(total > 0, total, np.nan)
        step_x = 2 * ((along_x * offset).sum(axis=1) / total - dx)
        step_y = 2 * ((along_y * offset).sum(axis=1) / total - dy)
        dx, dy = dx + step_x, dy + step_y
        lost = ~(np.hypot(dx, dy) <= m // 2)
        dx, dy = np.where(lost, np.nan, dx), np.where(lost, np.nan, dy)
        if not np.nanmax(np.hypot(step_x, step_y), initial=0.0) > TOLERANCE_PX:
            break
    return dx, dy


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
    ratio = np.clip(beside / np.maximum(peak, 1e-9), 0.05, 0.98)
    return np.sqrt(-0.5 / np.log(ratio))
