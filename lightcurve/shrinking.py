"""Large frames shrunk to find their stars: squares of pixels averaged, what is bad left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.calib.reduce import Reduction, plan_reduction
from lightcurve.data import Detections, Frame, Masters
from lightcurve.flags import PixelFlag
from lightcurve.phot.peaks import unusable

MIN_SIDE_PX = 1000  # a frame is not shrunk to less
# Stars finer than 1.5 px look like hot pixels; some frames are a little sharper than the reference.
MIN_FWHM_PX = 1.8
MAX_SHRINK = 4
CHUNK_PIXELS = 262144  # as float32 they fit the cache of one core
IMAGES = ("bias", "dark", "flat")

Places = tuple[np.ndarray, np.ndarray]  # rows and columns in the small image


def choose_shrink(shape: tuple[int, int], fwhm: float) -> int:
    """Choose by how much frames are shrunk to find their stars.

    Parameters
    ----------
    shape : tuple of int
        (ny, nx).
    fwhm : float
        Of the stars, pixels.

    Returns
    -------
    int
        1 for small frames, or finely sampled stars.
    """
    return max(1, min(int(fwhm / MIN_FWHM_PX), min(shape) // MIN_SIDE_PX, MAX_SHRINK))


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of pixels; rows and columns left over are left out.

    Parameters
    ----------
    image : (ny, nx) array
        Floats or 16-bit integers.
    factor : int
        Side of the squares, pixels.

    Returns
    -------
    (ny // factor, nx // factor) float32 array
        NaN if one of a square is.
    """
    small = np.empty([length // factor for length in image.shape], np.float32)
    for rows, block in _blocks(image, factor):
        _average(block, factor, out=small[rows])
    return small


def shrink_bits(bits: np.ndarray, factor: int) -> np.ndarray:
    """Join the bits of squares of pixels, as `shrink` averages them.

    Parameters
    ----------
    bits : (ny, nx) uint8 array
    factor : int
        Side of the squares, pixels.

    Returns
    -------
    (ny // factor, nx // factor) uint8 array
    """
    small = np.zeros([length // factor for length in bits.shape], np.uint8)
    for rows, block in _blocks(bits, factor):
        if block.any():
            lines = np.bitwise_or.reduce([block[k::factor] for k in range(factor)])
            small[rows] = np.bitwise_or.reduce([lines[:, k::factor] for k in range(factor)])
    return small


def _blocks(image: np.ndarray, factor: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Give a few rows of the small image at a time, and the pixels that they are made of."""
    ny, nx = (length // factor for length in image.shape)
    step = max(1, CHUNK_PIXELS // (factor**2 * nx))
    for start in range(0, ny, step):
        stop = min(start + step, ny)
        yield slice(start, stop), image[factor * start : factor * stop, : factor * nx]


def _average(block: np.ndarray, factor: int, *, out: np.ndarray) -> None:
    block = block.astype(np.float32, copy=False)
    lines = block[0::factor] + block[1::factor]
    for k in range(2, factor):
        lines += block[k::factor]
    weights = np.full(factor, 1 / factor**2, np.float32)
    np.matmul(lines.reshape(*out.shape, factor), weights, out=out)


def _squares_at(image: np.ndarray, places: Places, factor: int) -> np.ndarray:
    """Take the squares that become some pixels of the small image: (n, factor, factor)."""
    y, x = (factor * place[:, None, None] for place in places)
    within = np.arange(factor)
    return image[y + within[:, None], x + within]


def _average_good(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Average the good pixels of squares; NaN where there is none."""
    count = good.sum(axis=(1, 2))
    total = np.where(good, values, 0).sum(axis=(1, 2), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SmallMasters:
    """Masters for frames that are shrunk to find their stars.

    Attributes
    ----------
    masters : Masters
        Shrunk; where a square has bad pixels, the averages of its good ones.
    bits : (ny, nx) uint8 array
        Bad pixels of the masters in full resolution; 0 is good.
    small_bits : (ny // factor, nx // factor) uint8 array
        Those of each square, joined.
    holes : tuple of (n,) int arrays
        Rows and columns of the squares that have some.
    """

    masters: Masters
    bits: np.ndarray
    small_bits: np.ndarray
    holes: Places


def shrink_masters(masters: Masters | None, factor: int) -> SmallMasters | None:
    """Shrink master frames, leaving out their bad pixels.

    Parameters
    ----------
    masters : Masters or None
    factor : int
        Side of the squares that become one pixel.

    Returns
    -------
    SmallMasters or None
    """
    if masters is None:
        return None
    images = {n: image for n in IMAGES if (image := getattr(masters, n)) is not None}
    bits = np.zeros(next(iter(images.values())).shape, np.uint8) if images else masters.bad.copy()
    for name, image in images.items():
        bits[~np.isfinite(image) | ((image <= 0) & (name == "flat"))] |= np.uint8(PixelFlag.DEAD)
    if images and masters.bad is not None:
        bits |= masters.bad
    small_bits = shrink_bits(bits, factor)
    holes = np.nonzero(small_bits)
    good = _squares_at(bits, holes, factor) == 0
    small = {name: shrink(image, factor) for name, image in images.items()}
    for name, image in images.items():
        small[name][holes] = _average_good(_squares_at(image, holes, factor), good)
    return SmallMasters(replace(masters, **small, bad=None), bits, small_bits, holes)


def shrink_frame(frame: Frame, small: SmallMasters | None, factor: int) -> Frame:
    """Shrink a raw frame and calibrate what comes of it, a few rows at a time.

    Parameters
    ----------
    frame : Frame
        Raw.
    small : SmallMasters or None
    factor : int
        Side of the squares that become one pixel.

    Returns
    -------
    Frame
        Bad pixels are left out of the averages; bad is what has fewer good pixels than bad ones.
    """
    shape = tuple(length // factor for length in frame.pixels.shape)
    bad, pixels = shrink_bits(frame.bad, factor), np.empty(shape, np.float32)
    reduction = plan_reduction(frame, Masters() if small is None else small.masters, shape)
    marks = np.zeros(shape, np.uint8)  # of averages; the pixels' own bits say more
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for rows, block in _blocks(frame.pixels, factor):
            out = pixels[rows]
            _average(block, factor, out=out)
            reduction.apply(out, rows, out, marks[rows])
        places = _with_bad_pixels(bad, small)
        pixels[places], bad[places] = _mended(frame, small, factor, reduction, places)
    return replace(frame, pixels=pixels, bad=bad)


def _with_bad_pixels(bad: np.ndarray, small: SmallMasters | None) -> Places:
    spoilt = unusable(bad)
    if spoilt.any():
        return np.nonzero(spoilt if small is None else spoilt | (small.small_bits != 0))
    return (np.zeros(0, int), np.zeros(0, int)) if small is None else small.holes


def _mended(
    frame: Frame, small: SmallMasters | None, factor: int, reduction: Reduction, places: Places
) -> tuple[np.ndarray, np.ndarray]:
    """Average the good pixels of squares; of squares with more bad ones keep the bits."""
    bits = _squares_at(frame.bad, places, factor)
    if small is not None:
        bits = bits | _squares_at(small.bits, places, factor)
    good = ~unusable(bits)
    mean = _average_good(_squares_at(frame.pixels, places, factor), good)[None]
    reduction.at(places).apply(mean, slice(None), mean, np.zeros(mean.shape, np.uint8))
    joined = np.bitwise_or.reduce(bits.reshape(len(bits), factor**2), axis=1)
    most = 2 * good.sum(axis=(1, 2)) >= factor**2
    return mean[0], np.where(most, joined & np.uint8(PixelFlag.SATURATED), joined)


def enlarge(stars: Detections, factor: int) -> Detections:
    """Give the stars of a shrunk frame the pixels of the frame.

    Parameters
    ----------
    stars : Detections
    factor : int
        Side of the squares that became one pixel.

    Returns
    -------
    Detections
    """
    return replace(
        stars,
        x=factor * stars.x + (factor - 1) / 2,
        y=factor * stars.y + (factor - 1) / 2,
        flux=factor**2 * stars.flux,
        fwhm=factor * stars.fwhm,
        sky_rms=factor * stars.sky_rms,
    )
