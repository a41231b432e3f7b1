"""Parts of a large frame: shrunk to find its stars, cut out around stars to measure them.

Of a frame of many megapixels only the pixels near stars are wanted at their full resolution. So
stars are found in a shrunk frame, and frame and masters are cut out around the stars of the plan
before the one is calibrated with the other: the numbers are those of calibrating all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.calib.reduce import plan_reduction
from lightcurve.data import Detections, Frame, Masters
from lightcurve.phot.aperture import Part

MIN_SIDE_PX = 1000  # a frame is not shrunk to less
MIN_FWHM_PX = 1.5  # stars finer than this look like hot pixels
MAX_SHRINK = 4
CHUNK_PIXELS = 262144  # as float32 they fit the cache of one core
IMAGES = ("bias", "dark", "flat")


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


def shrink_frame(frame: Frame, masters: Masters | None, factor: int) -> Frame:
    """Shrink a raw frame and calibrate what comes of it, a few rows at a time.

    Parameters
    ----------
    frame : Frame
        Raw.
    masters : Masters or None
        Shrunk as well.
    factor : int
        Side of the squares that become one pixel.

    Returns
    -------
    Frame
        What `reduce_frame` would make of the shrunk frame.
    """
    shape = tuple(length // factor for length in frame.pixels.shape)
    bad = shrink_bits(frame.bad, factor)
    if masters is None:
        return replace(frame, pixels=shrink(frame.pixels, factor), bad=bad)
    if masters.bad is not None:
        bad |= masters.bad
    reduction, pixels = plan_reduction(frame, masters, shape), np.empty(shape, np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for rows, block in _blocks(frame.pixels, factor):
            _average(block, factor, out=pixels[rows])
            reduction.apply(pixels[rows], rows, pixels[rows], bad[rows])
    return replace(frame, pixels=pixels, bad=bad)


def shrink_masters(masters: Masters | None, factor: int) -> Masters | None:
    """Shrink master frames.

    Parameters
    ----------
    masters : Masters or None
    factor : int
        Side of the squares that become one pixel.

    Returns
    -------
    Masters or None
    """
    if masters is None:
        return None
    images = {name: getattr(masters, name) for name in IMAGES}
    small = {n: None if image is None else shrink(image, factor) for n, image in images.items()}
    bad = None if masters.bad is None else shrink_bits(masters.bad, factor)
    return replace(masters, **small, bad=bad)


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


@dataclass(frozen=True, slots=True, eq=False)
class Patchwork:
    """Squares of a frame around stars, one below the other, as one small frame.

    Attributes
    ----------
    frame : Frame
    masters : Masters or None
        The same squares of the masters.
    part : Part
        How they lie in the frame.
    """

    frame: Frame
    masters: Masters | None
    part: Part


def cut_patches(
    frame: Frame, masters: Masters | None, x: np.ndarray, y: np.ndarray, half: int
) -> Patchwork:
    """Cut squares around stars out of a frame and its masters.

    Parameters
    ----------
    frame : Frame
        Raw.
    masters : Masters or None
    x, y : (n,) float arrays
        Pixels; stars off the frame get a square of its corner.
    half : int
        Half width.

    Returns
    -------
    Patchwork
        Pixels outside the frame are NaN.
    """
    ny, nx = frame.pixels.shape
    near = (x > -half) & (x < nx + half) & (y > -half) & (y < ny + half)
    column = np.rint(np.where(near, x, 0)).astype(int)
    row = np.rint(np.where(near, y, 0)).astype(int)
    size = 2 * half + 1

    def pile(image: np.ndarray | None) -> np.ndarray | None:
        return None if image is None else _squares(image, column, row, half).reshape(-1, size)

    cut = replace(frame, pixels=pile(frame.pixels), bad=pile(frame.bad))
    if masters is not None:
        names = (*IMAGES, "bad")
        masters = replace(masters, **{name: pile(getattr(masters, name)) for name in names})
    first = size * np.arange(len(x))
    return Patchwork(cut, masters, Part(column - half, row - half - first, (ny, nx)))


def _squares(image: np.ndarray, column: np.ndarray, row: np.ndarray, half: int) -> np.ndarray:
    """Copy squares one by one: so large, that is quicker than gathering pixel by pixel."""
    ny, nx = image.shape
    size = 2 * half + 1
    bits = image.dtype == np.uint8
    squares = np.empty((len(column), size, size), np.uint8 if bits else np.float32)
    left, top = column - half, row - half
    whole = (left >= 0) & (left + size <= nx) & (top >= 0) & (top + size <= ny)
    squares[~whole] = 0 if bits else np.nan
    for square, x, y in zip(squares, left.tolist(), top.tolist(), strict=True):
        part = image[max(y, 0) : max(y + size, 0), max(x, 0) : max(x + size, 0)]
        rows, columns = part.shape
        square[max(-y, 0) : max(-y, 0) + rows, max(-x, 0) : max(-x, 0) + columns] = part
    return squares
