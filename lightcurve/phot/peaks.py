"""Peaks of a frame: all of them after a matched filter, or only the bright ones and quickly.

The matched filter is a triangle [1 2 3 2 1] along each axis, two running sums of three pixels:
sigma 1.15 px, right for FWHM 3, with little loss from 2 to 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.flags import PixelFlag
from lightcurve.phot.background import SmoothSky, subtract_sky
from lightcurve.phot.cutouts import gather

HALF_KERNEL = 2
KERNEL_SUM = 81.0
KERNEL_ROOT_SQUARES = 19 / 81  # root of the sum of squares of the kernel, as a share of its sum
MIN_NEIGHBOUR = 0.15  # of the peak: light beside it; a star of FWHM 1.5 px has 0.29, a spike none
CHUNK_PIXELS = 65536  # two float32 blocks of it fit the cache of one core
MAX_STEPS = 3  # of two pixels each, from the highest pixel of a star to its filtered peak

Peaks = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows, columns, heights in the filtered frame


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A frame and the sky to be taken off it.

    Attributes
    ----------
    pixels : (ny, nx) float array
        ADU.
    bad : (ny, nx) uint8 array
        `PixelFlag` bits.
    """

    pixels: np.ndarray
    bad: np.ndarray
    sky: SmoothSky

    def around(self, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
        """Cut squares around stars, less the sky under each.

        x, y: (n,) int arrays; half: half width, pixels.
        Returns (n, 2 half + 1, 2 half + 1) float32 array, ADU; 0 in bad pixels other than saturated
        ones, NaN outside the frame.
        """
        light = gather(self.pixels, x, y, half) - self.sky.at(x, y)[:, None, None]
        light[unusable(gather(self.bad, x, y, half))] = 0.0
        return light

    def whole(self) -> np.ndarray:
        """All of the frame, less the sky.

        Returns (ny, nx) float32 array, ADU; 0 in bad pixels other than saturated ones.
        """
        light = subtract_sky(self.pixels, self.sky)
        light[unusable(self.bad)] = 0.0
        return light


def all_peaks(light: Light, lowest: float) -> Peaks:
    """Find all peaks of the filtered frame.

    lowest : height in the filtered frame, ADU.
    Returns y, x : (n,) int arrays; in reading order.
        height : (n,) float array; times `KERNEL_SUM`.
    """
    smooth = _triangle_filter(light.whole())
    y, x = local_maxima(smooth, lowest * KERNEL_SUM)
    return y, x, smooth[y, x]


def bright_maxima(light: Light, threshold: float) -> Peaks:
    """Find the good pixels so far above the sky that no neighbour tops, without any filter.

    A mean of pixels is over a threshold only where one of them is: these lead to the peaks of the
    filtered frame, wherever noise alone does not reach the threshold.

    threshold : ADU above the sky.
    Returns y, x : (n,) int arrays; in reading order, the rim left out.
        height : (n,) float array; ADU above the sky.
    """
    pixels, sky, nx = light.pixels, light.sky, light.pixels.shape[1]
    found = []
    for rows, above, below in sky.bands():
        band = np.flatnonzero(pixels[rows] > np.minimum(above, below) + np.float32(threshold))
        found.append(band + rows.start * nx)
    y, x = np.divmod(_topped(pixels, np.concatenate(found)), nx)
    height = pixels[y, x] - sky.at(x, y)
    high = (height > threshold) & ~unusable(light.bad[y, x])
    return y[high], x[high], height[high]


def follow(light: Light, maxima: Peaks, lowest: float, limit: int) -> Peaks:
    """Go from bright pixels to the nearest peaks of the filtered frame.

    maxima: as `bright_maxima` gives them; lowest: height in the filtered frame, ADU; limit: only so
    many of the highest are followed.
    Returns y, x: (n,) int arrays, each peak once, in reading order; height: (n,) float array, times
    `KERNEL_SUM`.
    """
    y, x, bright = maxima
    highest = np.argsort(-bright, kind="stable")[:limit]
    y, x, height = _climb(light, y[highest], x[highest])
    high = height > lowest * KERNEL_SUM
    return y[high], x[high], height[high]


def _triangle_filter(light: np.ndarray) -> np.ndarray:
    """Convolve with ``[1 2 3 2 1]`` along both axes.

    light : (ny, nx) float32 array; at least five pixels each way.
    Returns (ny, nx) float32 array: times `KERNEL_SUM`; 0 within two pixels of the edge.
    """
    ny, nx = light.shape
    smooth = np.empty_like(light)
    smooth[:HALF_KERNEL] = smooth[-HALF_KERNEL:] = 0.0
    smooth[:, :HALF_KERNEL] = smooth[:, -HALF_KERNEL:] = 0.0
    rows = max(CHUNK_PIXELS // nx, HALF_KERNEL)
    a, b = np.empty((2, rows + 2 * HALF_KERNEL, nx), np.float32)
    for start in range(0, ny - 2 * HALF_KERNEL, rows):
        block = light[start : start + rows + 2 * HALF_KERNEL]
        n = len(block) - 2 * HALF_KERNEL
        _sum_three(block, a[: n + 2], 0)
        _sum_three(a[: n + 2], b[:n], 0)
        _sum_three(b[:n], a[:n, : nx - 2], 1)
        first = start + HALF_KERNEL
        inside = smooth[first : first + n, HALF_KERNEL : nx - HALF_KERNEL]
        _sum_three(a[:n, : nx - 2], inside, 1)
    return smooth


def _sum_three(values: np.ndarray, out: np.ndarray, axis: int) -> None:
    """Add each three neighbours along an axis; `out` is two shorter."""
    first, middle, last = (
        values[k : values.shape[0] - 2 + k] if axis == 0 else values[:, k : values.shape[1] - 2 + k]
        for k in range(3)
    )
    np.add(first, middle, out=out)
    out += last


def local_maxima(smooth: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels above a threshold that no neighbour tops.

    smooth : (ny, nx) float array.
    Returns y, x : (n,) int arrays; in reading order; the rim is left out, and of equal neighbours
        the first is taken.
    """
    return np.divmod(_topped(smooth, np.flatnonzero(smooth > threshold)), smooth.shape[1])


def _topped(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Keep those places, numbered in reading order, that no neighbour tops."""
    ny, nx = image.shape
    flat = image.ravel()
    column = place % nx
    inside = (column > 0) & (column < nx - 1) & (place >= nx) & (place < (ny - 1) * nx)
    place = place[inside]
    for step in (-1, 1, -nx, nx, -nx - 1, -nx + 1, nx - 1, nx + 1):
        value, neighbour = flat[place], flat[place + step]
        # Of two equal neighbours the first in reading order is the peak; NaN tops nothing.
        place = place[~(neighbour >= value if step < 0 else neighbour > value)]
    return place


def _climb(light: Light, y: np.ndarray, x: np.ndarray) -> Peaks:
    """Go from bright pixels to the nearest peaks of the filtered frame, each of them once."""
    ny, nx = light.pixels.shape
    side = 2 * HALF_KERNEL + 1
    peaks, heights = [np.zeros(0, int)], [np.zeros(0, np.float32)]
    for _ in range(MAX_STEPS):
        inside = (np.minimum(x, y) >= HALF_KERNEL) & (x < nx - HALF_KERNEL) & (y < ny - HALF_KERNEL)
        y, x = y[inside], x[inside]
        smooth = _filtered(light.around(x, y, 2 * HALF_KERNEL))
        smooth = smooth.reshape(len(x), side**2)
        best = smooth.argmax(axis=1)
        dy, dx = best // side - HALF_KERNEL, best % side - HALF_KERNEL
        y, x = y + dy, x + dx
        there = np.maximum(abs(dy), abs(dx)) < HALF_KERNEL
        peaks.append((y * nx + x)[there])
        heights.append(smooth.max(axis=1)[there])
        y, x = y[~there], x[~there]
        if not len(y):
            break
    place, first = np.unique(np.concatenate(peaks), return_index=True)
    return *np.divmod(place, nx), np.concatenate(heights)[first]


def _filtered(boxes: np.ndarray) -> np.ndarray:
    """Filter boxes, leaving a rim of two pixels off; -inf where a pixel is missing."""
    for _ in range(2):
        boxes = boxes[:, :-2] + boxes[:, 1:-1] + boxes[:, 2:]
        boxes = boxes[:, :, :-2] + boxes[:, :, 1:-1] + boxes[:, :, 2:]
    return np.where(np.isfinite(boxes), boxes, -np.inf)


def unusable(bad: np.ndarray) -> np.ndarray:
    """Tell the pixels that count as sky: bad ones, but a saturated star is a star.

    Parameters
    ----------
    bad : uint8 array
        `PixelFlag` bits.

    Returns
    -------
    bool array
    """
    return (bad & ~np.uint8(PixelFlag.SATURATED)) != 0


def spikes(box: np.ndarray, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Tell single bright pixels (hot, cosmic rays) from stars by the light beside the peak.

    box : (n, 5, 5), the peak within the middle 3 x 3; `noise` of a pixel beside it is allowed for.
    Returns whether each is a spike, and its highest pixel: (n,) arrays.
    """
    rows = np.arange(len(box))
    highest = box[:, 1:4, 1:4].reshape(-1, 9).argmax(axis=1)
    py, px = 1 + highest // 3, 1 + highest % 3
    peak = box[rows, py, px]
    beside = np.sort(
        [box[rows, py + dy, px + dx] for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))], axis=0
    )
    # The second lowest of four: a bad column lights up two opposite neighbours, a star three.
    return beside[1] < MIN_NEIGHBOUR * peak - noise, peak
