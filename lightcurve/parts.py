"""Parts of a large frame: squares cut out around stars to measure them.

Of a frame of many megapixels only the pixels near stars are wanted at their full resolution. Frame
and masters are cut out around the stars of the plan before the one is calibrated with the other:
the numbers are those of calibrating all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.calib.reduce import reduce_frame
from lightcurve.data import Frame, Masters
from lightcurve.phot.aperture import Part
from lightcurve.phot.quality import on_frame

IMAGES = ("bias", "dark", "flat", "bad")


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

    def reduced(self) -> Frame:
        """Calibrate the squares.

        Returns
        -------
        Frame
            What lies outside of the large frame is NaN, and not marked as bad.
        """
        outside = np.isnan(self.frame.pixels) & (self.frame.bad == 0)
        reduced = reduce_frame(self.frame, self.masters)
        return replace(reduced, bad=np.where(outside, np.uint8(0), reduced.bad))


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
    there = on_frame(x, y, (ny, nx))
    column, row = (np.rint(np.where(there, place, 0)).astype(int) for place in (x, y))
    size = 2 * half + 1

    def pile(image: np.ndarray | None) -> np.ndarray | None:
        return None if image is None else _squares(image, column, row, half).reshape(-1, size)

    cut = replace(frame, pixels=pile(frame.pixels), bad=pile(frame.bad))
    if masters is not None:
        masters = replace(masters, **{name: pile(getattr(masters, name)) for name in IMAGES})
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
