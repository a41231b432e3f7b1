"""Parts of a large frame: shrunk to find its stars, cut out around stars to measure them.

Of a frame of many megapixels only the pixels near stars are wanted at their full resolution. So
stars are found in a shrunk frame, and frame and masters are cut out around the stars of the plan
before the one is calibrated with the other: the numbers are those of calibrating all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.data import Detections, Frame, Masters
from lightcurve.phot.aperture import Part

LARGE_PX = 2000  # shortest side from which a frame is worth shrinking
MIN_FWHM_PX = 3.0  # finer stars would look like hot pixels when shrunk
CHUNK_PIXELS = 131072  # as float32 they fit the cache of one core
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
        1, or 2 for large frames of well sampled stars.
    """
    return 2 if min(shape) >= LARGE_PX and fwhm >= MIN_FWHM_PX else 1


def shrink(image: np.ndarray) -> np.ndarray:
    """Average squares of two by two pixels; the last row or column of an odd number is left out.

    Parameters
    ----------
    image : (ny, nx) array
        Floats or 16-bit integers.

    Returns
    -------
    (ny // 2, nx // 2) float32 array
        NaN if one of the four is.
    """
    small = np.empty([length // 2 for length in image.shape], np.float32)
    for out, block in _pairs_of_rows(image, small):
        lines = block.astype(np.float32, copy=False)
        lines = (lines[::2] + lines[1::2]) * np.float32(0.25)
        np.add(lines[:, ::2], lines[:, 1::2], out=out)
    return small


def shrink_bits(bits: np.ndarray) -> np.ndarray:
    """Join the bits of squares of two by two pixels, as `shrink` averages them.

    Parameters
    ----------
    bits : (ny, nx) uint8 array

    Returns
    -------
    (ny // 2, nx // 2) uint8 array
    """
    small = np.zeros([length // 2 for length in bits.shape], np.uint8)
    for out, block in _pairs_of_rows(bits, small):
        if block.any():
            lines = block[::2] | block[1::2]
            np.bitwise_or(lines[:, ::2], lines[:, 1::2], out=out)
    return small


def _pairs_of_rows(image: np.ndarray, small: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give a few rows of the small image at a time, and those of the large one they are made of."""
    ny, nx = small.shape
    step = max(1, CHUNK_PIXELS // (4 * nx))
    for start in range(0, ny, step):
        stop = min(start + step, ny)
        yield small[start:stop], image[2 * start : 2 * stop, : 2 * nx]


def shrink_frame(frame: Frame) -> Frame:
    """Shrink a frame two by two.

    Parameters
    ----------
    frame : Frame

    Returns
    -------
    Frame
    """
    return replace(frame, pixels=shrink(frame.pixels), bad=shrink_bits(frame.bad))


def shrink_masters(masters: Masters | None) -> Masters | None:
    """Shrink master frames two by two.

    Parameters
    ----------
    masters : Masters or None

    Returns
    -------
    Masters or None
    """
    if masters is None:
        return None
    images = {name: getattr(masters, name) for name in IMAGES}
    small = {name: None if image is None else shrink(image) for name, image in images.items()}
    bad = None if masters.bad is None else shrink_bits(masters.bad)
    return replace(masters, **small, bad=bad)


def enlarge(stars: Detections) -> Detections:
    """Give the stars of a shrunk frame the pixels of the frame.

    Parameters
    ----------
    stars : Detections

    Returns
    -------
    Detections
    """
    return replace(
        stars,
        x=2 * stars.x + 0.5,
        y=2 * stars.y + 0.5,
        flux=4 * stars.flux,
        fwhm=2 * stars.fwhm,
        sky_rms=2 * stars.sky_rms,
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
