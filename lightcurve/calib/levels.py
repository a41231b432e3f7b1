"""Where a camera clips, read off its own frames when no header says it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MIN_PILED_UP = 3


def clip_level(images: Sequence[np.ndarray]) -> float | None:
    """Find the value at which pixels pile up because the converter or the well is full.

    Stars have one brightest pixel each; only clipping makes many pixels share the very highest
    value of an image, and makes it the same value in image after image.

    Parameters
    ----------
    images : sequence of (ny, nx) arrays
        Raw frames, ADU; at least two.

    Returns
    -------
    float or None
        ADU; None when the frames show no clipping.
    """
    highest = [float(np.nanmax(image)) for image in images]
    level = max(highest, default=0.0)
    piled_up = [np.count_nonzero(image == level) for image in images]
    enough = sum(count >= MIN_PILED_UP for count in piled_up)
    return level if enough >= 2 and enough * 2 >= len(images) else None
