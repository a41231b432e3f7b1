"""Bad pixels of an image given the light of good neighbours, for those who want no holes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.core.data import Frame

__all__ = ["repaired"]

REACH = 2  # pixels to each side; of a mosaic, of the same colour
FEWEST = 4  # good neighbours: fewer say nothing, and the pixel stays as it is


def repaired(frame: Frame) -> Frame:
    """Give each bad pixel the median of the good ones around.

    Parameters
    ----------
    frame : Frame
        Calibrated.

    Returns
    -------
    Frame
        Marks stay; the history says how many were repaired and how many have no neighbours.
    """
    step = 1 if frame.exposure.mosaic is None else 2
    pixels, bad = frame.pixels.copy(), frame.bad != 0
    y, x = np.nonzero(bad)
    edge = REACH * step
    good = np.pad(np.where(bad, np.nan, frame.pixels), edge, constant_values=np.nan)
    offsets = [step * k for k in range(-REACH, REACH + 1)]
    around = np.array([good[y + edge + j, x + edge + i] for j in offsets for i in offsets])
    enough = np.count_nonzero(np.isfinite(around), axis=0) >= FEWEST
    pixels[y[enough], x[enough]] = np.nanmedian(around[:, enough], axis=0)
    line = (
        f"{np.count_nonzero(enough)} of {y.size} bad pixels given the median of good ones within "
        f"{REACH} px"
    )
    return replace(frame, pixels=pixels, history=(*frame.history, line))
