"""Names of stars in a picture, put where they can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 0.016  # of a name, over the width of the image
CORNERS = ((1, 1), (-1, 1), (1, -1), (-1, -1))


def name_stars(
    axes: Axes, places: np.ndarray, names: Sequence[str], colours: Sequence[str], outer: float
) -> list:
    """Name stars beside their circles, off those of the others and other names if possible.

    axes: its limits are those of the image; places: (n, 2) float array, x and y, pixels; outer:
    radius of the circles, pixels.
    """
    labels, boxes = [], np.empty((0, 4))
    wide = (max(axes.get_xlim()), max(axes.get_ylim()))
    for place, name, colour in zip(places, names, colours, strict=True):
        size = np.array([len(name) * 0.75, 1.0]) * HEIGHT * wide[0]
        others = places[np.hypot(*(places - place).T) > 0]
        choices = [_label_box(place, corner, 0.8 * outer, size) for corner in CORNERS]
        best = int(np.argmin([_label_cost(box, wide, others, boxes, outer) for box in choices]))
        boxes = np.vstack([boxes, choices[best]])
        right, up = CORNERS[best]
        labels.append(
            axes.text(
                place[0] + 0.8 * outer * right,
                place[1] + 0.8 * outer * up,
                str(name),
                fontsize=7.5,
                color=colour,
                fontweight="bold",
                ha="left" if right > 0 else "right",
                va="bottom" if up > 0 else "top",
                clip_on=True,
            )
        )
    return labels


def _label_box(
    place: np.ndarray, corner: tuple[int, int], away: float, size: np.ndarray
) -> np.ndarray:
    """Left, bottom, right and top of a name at a corner of a star's circle."""
    near = place + away * np.array(corner)
    far = near + size * np.array(corner)
    return np.concatenate([np.minimum(near, far), np.maximum(near, far)])


def _label_cost(
    box: np.ndarray, wide: tuple[float, float], others: np.ndarray, boxes: np.ndarray, outer: float
) -> float:
    """Count what a name lies on; beyond the edge of the image it cannot be read at all."""
    beyond = (box[:2] < 0).any() or (box[2:] > wide).any()
    gap = np.maximum(np.maximum(box[:2] - others, others - box[2:]), 0)
    circles = np.sum(np.hypot(*gap.T) < outer)
    names = np.sum(((box[:2] < boxes[:, 2:]) & (boxes[:, :2] < box[2:])).all(axis=1))
    return 100.0 * beyond + 10.0 * names + circles
