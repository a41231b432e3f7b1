"""Parts of a large frame: shrunk to find its stars, cut out around stars to measure them.

Of a frame of many megapixels only the pixels near stars are wanted at their full resolution. So
stars are found in a shrunk frame, and frame and masters are cut out around the stars of the plan
before the one is calibrated with the other: the numbers are those of calibrating all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.data import Detections, Frame, Masters
from lightcurve.phot.aperture import Part
from lightcurve.phot.cutouts import gather

LARGE_PX = 2000  # shortest side from which a frame is worth shrinking
MIN_FWHM_PX = 3.0  # finer stars would look like hot pixels when shrunk
CHUNK_PIXELS = 262144
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
        Floats are averaged, NaN if one of the four is; of integers (bits) the union is taken.

    Returns
    -------
    (ny // 2, nx // 2) array
        Of the same type.
    """
    ny, nx = (length // 2 * 2 for length in image.shape)
    join, bits = (np.bitwise_or, True) if image.dtype.kind in "ui" else (np.add, False)
    small = np.empty((ny // 2, nx // 2), image.dtype)
    rows = max(2, CHUNK_PIXELS // nx // 2 * 2)
    for start in range(0, ny, rows):
        block = image[start : min(start + rows, ny), :nx]
        lines = join(block[::2], block[1::2])
        out = small[start // 2 : start // 2 + len(lines)]
        join(lines[:, ::2], lines[:, 1::2], out=out)
        if not bits:
            out *= np.float32(0.25)
    return small


def shrink_frame(frame: Frame) -> Frame:
    """Shrink a frame two by two.

    Parameters
    ----------
    frame : Frame

    Returns
    -------
    Frame
    """
    ny, nx = frame.bad.shape
    small = np.zeros((ny // 2, nx // 2), np.uint8)
    bad = shrink(frame.bad) if frame.bad.any() else small
    return replace(frame, pixels=shrink(frame.pixels), bad=bad)


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
    images = {name: getattr(masters, name) for name in (*IMAGES, "bad")}
    small = {name: None if image is None else shrink(image) for name, image in images.items()}
    return replace(masters, **small)


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
    squares = np.empty((len(column), size, size), image.dtype)
    whole = (column >= half) & (column < nx - half) & (row >= half) & (row < ny - half)
    for k in np.flatnonzero(whole):
        first, top = column[k] - half, row[k] - half
        squares[k] = image[top : top + size, first : first + size]
    cut = ~whole
    if cut.any():
        squares[cut] = gather(image, column[cut], row[cut], half)
    return squares
