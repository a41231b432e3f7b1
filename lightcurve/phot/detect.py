"""Find the stars of one frame in a few milliseconds, for registration and for choosing stars."""

from __future__ import annotations

import numpy as np

from lightcurve.data import Detections
from lightcurve.errors import InputError
from lightcurve.phot.background import subtract_background
from lightcurve.phot.centroid import peak_width, windowed_centroid
from lightcurve.phot.cutouts import gather

# The matched filter is a triangle [1 2 3 2 1] along each axis: two running sums of three pixels,
# sigma 1.15 px; right for FWHM 3, with little loss from 2 to 5.
HALF_KERNEL = 2
KERNEL_SUM = 81.0
KERNEL_ROOT_SQUARES = 19 / 81  # root of the sum of squares of the kernel, as a share of its sum
# A rich field has thousands of peaks: where enough are this many times above the threshold, nobody
# looks at the fainter ones.
FIRST_LOOKS = (25, 5, 1)
CHUNK_PIXELS = 65536  # two float32 blocks of it fit the cache of one core
MIN_NEIGHBOUR = 0.15  # of the peak: light beside it; a star of FWHM 1.5 px has 0.29, a spike none
HALF_BOX = 5


def detect(
    pixels: np.ndarray,
    bad: np.ndarray | None = None,
    *,
    threshold_sigma: float = 5.0,
    max_stars: int = 300,
    saturation_adu: float | None = None,
) -> Detections:
    """Detect stars as peaks of the frame after a matched filter.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU.
    bad : (ny, nx) uint8 array, optional
        Hot, dead and non-finite pixels are filled with the sky; saturated ones are kept, for the
        brightest stars help to register.
    threshold_sigma : float
        Height above the sky in units of the filtered frame's noise.
    max_stars : int
        Only so many of the brightest.
    saturation_adu : float, optional
        A flat top at this level is one star, whatever its neighbours are like.

    Returns
    -------
    Detections
        Brightest first; empty when there is none. NaN pixels are no star.

    Raises
    ------
    InputError
        When the image is too small for a star to be told from the sky.
    """
    if min(pixels.shape) < 4 * HALF_BOX:
        msg = f"an image of {pixels.shape[1]} x {pixels.shape[0]} px is too small to find stars in"
        raise InputError(msg)
    light, sky, rms = subtract_background(pixels, bad)
    light[_unusable(pixels, bad)] = 0.0
    smooth = triangle_filter(light)
    lowest = threshold_sigma * rms * KERNEL_ROOT_SQUARES * KERNEL_SUM
    full = None if saturation_adu is None else saturation_adu - sky
    for factor in FIRST_LOOKS:
        y, x = local_maxima(smooth, factor * lowest)
        keep = ~_is_spike(light, y, x, full)
        y, x = y[keep], x[keep]
        if len(y) >= max_stars:
            break
    brightest = np.argsort(-smooth[y, x], kind="stable")[:max_stars]
    y, x = y[brightest], x[brightest]
    return _describe(pixels, light, x, y, (sky, rms))


def _unusable(pixels: np.ndarray, bad: np.ndarray | None) -> np.ndarray:
    from lightcurve.flags import PixelFlag

    if bad is None:
        return ~np.isfinite(pixels)
    return (bad & ~np.uint8(PixelFlag.SATURATED)) != 0


def triangle_filter(light: np.ndarray) -> np.ndarray:
    """Convolve with ``[1 2 3 2 1]`` along both axes.

    Parameters
    ----------
    light : (ny, nx) float32 array
        At least five pixels each way.

    Returns
    -------
    (ny, nx) float32 array
        Times `KERNEL_SUM`; 0 within two pixels of the edge.
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

    Parameters
    ----------
    smooth : (ny, nx) float array
    threshold : float

    Returns
    -------
    y, x : (n,) int arrays
        In reading order; the rim is left out, and of equal neighbours the first is taken.
    """
    ny, nx = smooth.shape
    flat = smooth.ravel()
    place = np.flatnonzero(flat > threshold)
    column = place % nx
    inside = (column > 0) & (column < nx - 1) & (place >= nx) & (place < (ny - 1) * nx)
    place = place[inside]
    for step in (-1, 1, -nx, nx, -nx - 1, -nx + 1, nx - 1, nx + 1):
        value, neighbour = flat[place], flat[place + step]
        # Of two equal neighbours the first in reading order is the peak.
        place = place[value > neighbour if step < 0 else value >= neighbour]
    return place // nx, place % nx


def _is_spike(light: np.ndarray, y: np.ndarray, x: np.ndarray, full: float | None) -> np.ndarray:
    """Tell single bright pixels (hot, cosmic rays) from stars by the light beside the peak."""
    ny, nx = light.shape
    box = gather(light, x, y, 2)
    n = len(x)
    highest = box[:, 1:4, 1:4].reshape(n, 9).argmax(axis=1)
    py, px = 1 + highest // 3, 1 + highest % 3
    rows = np.arange(n)
    peak = box[rows, py, px]
    beside = np.sort(
        [box[rows, py + dy, px + dx] for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))], axis=0
    )
    # The second highest of four: a bad column lights up two opposite neighbours, a star three.
    spike = (peak <= 0) | (beside[1] < MIN_NEIGHBOUR * peak)
    if full is not None:
        spike &= peak < 0.95 * full
    edge = (x < 2) | (y < 2) | (x > nx - 3) | (y > ny - 3)
    return spike | edge


def _describe(
    pixels: np.ndarray, light: np.ndarray, x: np.ndarray, y: np.ndarray, sky: tuple[float, float]
) -> Detections:
    """Centroid, flux, peak and width of the stars at the peaks."""
    if len(x) == 0:
        none = np.zeros(0)
        return Detections(none, none, none, none, none, *sky)
    box = gather(light, x, y, HALF_BOX)
    width = peak_width(box)
    sigma = float(np.median(width))
    dx, dy = windowed_centroid(box, max(sigma, 0.8))
    offset = np.arange(-HALF_BOX, HALF_BOX + 1)
    radius = np.hypot(offset[None, :, None] - dy[:, None, None], offset - dx[:, None, None])
    flux = np.where(radius < HALF_BOX, box, 0.0).sum(axis=(1, 2))
    peak = np.nanmax(gather(pixels, x, y, 1), axis=(1, 2))
    order = np.argsort(-flux, kind="stable")
    order = order[flux[order] > 0]
    columns = (x + dx, y + dy, flux, peak.astype(float), 2.3548 * width)
    return Detections(*(column[order] for column in columns), *sky)
