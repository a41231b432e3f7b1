"""Parts of a large frame: squares cut out around stars to measure them.

Of a frame of many megapixels only the pixels near stars are wanted at their full resolution. Frame
and masters are cut out around the stars of the plan before the one is calibrated with the other:
the numbers are those of calibrating all of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.calib.reduce import reduce_frame
from lightcurve.data import Frame, Masters, RawFrame
from lightcurve.phot.aperture import Part
from lightcurve.phot.quality import on_frame


def reduce_parts(
    raw: RawFrame, masters: Masters | None, x: np.ndarray, y: np.ndarray, half: int
) -> tuple[Frame, Part]:
    """Cut squares around stars out of a frame and its masters, and calibrate them.

    x, y: (n,) float arrays, pixels; stars off the frame get a square of its corner; half: half
    width.
    Returns frame: the squares, one below the other. What lies outside of the large frame is NaN,
    and not marked as bad; part: how they lie in the large frame.
    """
    ny, nx = raw.pixels.shape
    there = on_frame(x, y, (ny, nx))
    column, row = (np.rint(np.where(there, place, 0)).astype(int) for place in (x, y))
    size = 2 * half + 1

    def pile(image: np.ndarray) -> np.ndarray:
        return _squares(image, column, row, half).reshape(-1, size)

    cut = replace(raw, pixels=pile(raw.pixels), bad=pile(raw.bad))
    if masters is not None:
        bad = None if masters.bad is None else pile(masters.bad)
        masters = replace(masters.changed(pile), bad=bad)
    outside = np.isnan(cut.pixels) & (cut.bad == 0)
    reduced = reduce_frame(cut, masters)
    first = size * np.arange(len(x))
    part = Part(column - half, row - half - first, (ny, nx))
    return replace(reduced, bad=np.where(outside, np.uint8(0), reduced.bad)), part


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
