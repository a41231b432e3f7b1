"""Where a camera clips, read off its own frames when no header says it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MIN_PILED_UP = 3
# Of one frame alone: pixels at its highest value, in how many places, times those of lower values.
ALONE_PIXELS, ALONE_PLACES, ALONE_TIMES, LOWER_VALUES = 5, 3, 3.0, 5


def clip_level(images: Sequence[np.ndarray]) -> float | None:
    """Find the value at which pixels pile up because the converter or the well is full.

    Stars have one brightest pixel each; only clipping makes many pixels share the very highest
    value of an image, and makes it the same value in image after image. In one image alone, they
    must be more, in several stars, and many more than those of the next lower values.

    Parameters
    ----------
    images : sequence of (ny, nx) arrays
        Raw frames, ADU; at least one.

    Returns
    -------
    float or None
        ADU; None when the frames show no clipping.
    """
    if len(images) == 1:
        return _level_alone(images[0])
    highest = [float(np.nanmax(image)) for image in images]
    level = max(highest, default=0.0)
    piled_up = [np.count_nonzero(image == level) for image in images]
    enough = sum(count >= MIN_PILED_UP for count in piled_up)
    return level if enough >= 2 and enough * 2 >= len(images) else None


def _level_alone(image: np.ndarray) -> float | None:
    from scipy.ndimage import label

    level = float(np.nanmax(image))
    full = image == level
    if np.count_nonzero(full) < ALONE_PIXELS:
        return None
    _, n_places = label(full, np.ones((3, 3)))
    # The median value and above: sorting the whole frame is not needed to know its upper end.
    lower = image[(image < level) & (image > np.nanmedian(image))]
    counts = np.unique(lower, return_counts=True)[1][-LOWER_VALUES:]
    stands_out = counts.size and np.count_nonzero(full) > ALONE_TIMES * counts.max()
    return level if n_places >= ALONE_PLACES and stands_out else None
