"""The sky of a colour mosaic, levelled colour by colour, so that its stars can be found."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.background import measure_sky, subtract_sky

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
    level = np.empty(pixels.shape, np.float32)
    ny, nx = pixels.shape
    skies = []
    for row in range(min(2, ny)):  # an image of a single row has two colours
        for column in range(min(2, nx)):
            part = np.s_[row::2, column::2]
            sky = measure_sky(pixels[part], bad[part])
            subtract_sky(pixels[part], sky, out=level[part])
            skies.append(sky.level)
    level += np.float32(np.mean(skies))
    return level
