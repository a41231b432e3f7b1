"""The sky of a colour mosaic, levelled colour by colour, so that its stars can be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lightcurve.phot.background import SmoothSky, measure_sky, subtract_sky

__all__ = ["level_colours"]


def level_colours(pixels: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Take off each colour's own smooth sky, and put their mean level under all.

    What the sky differs by between the colours, a quarter of it, looks like noise to the search
    for stars, and hides all but the brightest.

    Parameters
    ----------
    pixels : (ny, nx) float array
        The mosaic, ADU.
    bad : (ny, nx) uint8 array
        `PixelFlag` bits.

    Returns
    -------
    (ny, nx) float32 array
        ADU.
    """
    ny, nx = pixels.shape
    rows, columns = range(min(2, ny)), range(min(2, nx))  # a single row has two colours
    # As many columns of each: the one left over of an odd number has the sky of that beside it.
    width = max(nx // 2, 1)
    parts = [[np.s_[row::2, column : column + 2 * width : 2] for column in columns] for row in rows]
    skies = [[measure_sky(pixels[part], bad[part]) for part in line] for line in parts]
    mean = np.float32(np.mean([sky.level for line in skies for sky in line]))
    level = np.empty((ny, nx), np.float32)
    for row, line in zip(rows, skies, strict=True):
        subtract_sky(pixels[row::2], _side_by_side(line, nx, mean), out=level[row::2])
    return level


def _side_by_side(skies: Sequence[SmoothSky], nx: int, mean: np.float32) -> SmoothSky:
    """Join the skies of the colours of one row, pixel by pixel in turn, less the mean level."""
    lines = np.stack([sky.lines for sky in skies], axis=2).reshape(len(skies[0].lines), -1)
    column = np.arange(nx)
    column[lines.shape[1] :] -= len(skies)
    return replace(skies[0], lines=lines[:, column] - mean)
