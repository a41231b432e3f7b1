"""Where exactly a star is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lightcurve.phot.squares import Squares

__all__ = ["MAX_STEPS", "STILL_PX"]

MAX_ITERATIONS = 12
TOLERANCE_PX = 1e-3
MAX_STEPS, STILL_PX = 100, 0.01  # of a centroid that goes step by step, as AstroImageJ's do


def windowed_centroid(
    boxes: np.ndarray,
    sigma: float,
    given: np.ndarray | None = None,
    *,
    iterations: int = MAX_ITERATIONS,
) -> np.ndarray:
    """Refine centres by a Gaussian window that follows them (SExtractor's XWIN, YWIN).

    Each step moves by twice the weighted mean offset, which for a Gaussian star as wide as the
    window lands on the centre at once; the noise is close to that of a fitted profile. A star alone
    needs three steps, one on a neighbour's wing a dozen.

    boxes: (n, m, m), sky-subtracted; non-finite pixels do not count. sigma: of the window, pixels.
    given: (2, n), where it starts, from each box's centre pixel.
    Returns (2, n), x and y from each box's centre pixel; NaN where the window holds no light or the
    star runs away from its box.
    """
    n, m, _ = boxes.shape
    offset = np.arange(m) - m // 2
    light = boxes.astype(float)
    finite = np.isfinite(boxes)
    if not finite.all():
        light[~finite] = 0.0
    found = np.zeros((2, n)) if given is None else given.astype(float)
    moving, before = np.arange(n), found.copy()
    for _ in range(iterations):
        window = np.exp((offset - before[:, :, None]) ** 2 * (-0.5 / sigma**2))
        # The light along each axis, weighted: [axis, star, pixel].
        along = window.copy()
        along[0] *= (window[1][:, None] @ light)[:, 0]
        along[1] *= (light @ window[0][..., None])[..., 0]
        total = along[0].sum(axis=1)
        total[~(total > 0)] = np.nan
        place = before + 2 * ((along * offset).sum(axis=2) / total - before)
        step = np.hypot(*(place - before))
        place[:, ~(np.hypot(*place) <= m // 2)] = np.nan
        found[:, moving] = place
        still = step > TOLERANCE_PX
        if not still.any():
            break
        moving, light, before = moving[still], light[still], place[:, still]
    return found


def peak_width(boxes: np.ndarray) -> np.ndarray:
    """Estimate each star's Gaussian sigma from its middle pixel and the four beside it.

    For ``exp(-r^2 / 2 s^2)`` the ratio q at one pixel gives ``s^2 = -1 / (2 ln q)``. boxes:
    (n, m, m), sky-subtracted. Returns pixels, between 0.41 and 5; NaN where one of the five is.
    """
    c = boxes.shape[1] // 2
    peak = boxes[:, c, c]
    beside = (boxes[:, c - 1, c] + boxes[:, c + 1, c] + boxes[:, c, c - 1] + boxes[:, c, c + 1]) / 4
    ratio = np.clip(beside / np.where(peak <= 0, np.inf, peak), 0.05, 0.98)
    return np.sqrt(-0.5 / np.log(ratio))


def howell_step(light: Squares, _radius: float) -> np.ndarray:
    """Step (2, n), pixels, to the mean of the columns and rows brighter than their average, or NaN.

    Howell, Handbook of CCD Astronomy, 2nd ed., p. 105.
    """
    values = np.nan_to_num(light.values)
    steps = []
    for sums, offset in ((values.sum(axis=1), light.u), (values.sum(axis=2), light.v)):
        above = np.maximum(sums - sums.mean(axis=1, keepdims=True), 0.0)
        total = above.sum(axis=1)
        steps.append((above * offset).sum(axis=1) / np.where(total > 0, total, np.nan))
    return np.stack(steps)


def moment_step(light: Squares, radius: float) -> np.ndarray:
    """Step (2, n), pixels, to the mean position of the light within the radius, or NaN."""
    inside = np.where(light.distance_squared() <= radius**2, np.nan_to_num(light.values), 0.0)
    total = inside.sum(axis=(1, 2))
    total = np.where(total != 0, total, np.nan)
    along_x, along_y = inside.sum(axis=1), inside.sum(axis=2)
    return np.stack([(along_x * light.u).sum(axis=1), (along_y * light.v).sum(axis=1)]) / total


def go_by_steps(
    boxes: np.ndarray,
    given: np.ndarray,
    radius: float,
    step: Callable[[Squares, float], np.ndarray],
) -> np.ndarray:
    """Go on from the given places until each star's steps are small.

    boxes : (n, m, m); given : (2, n) x and y from their middle pixels. Returns (2, n), NaN for a
    star without light or that runs away from its box.
    """
    half = boxes.shape[1] // 2
    offset = np.arange(boxes.shape[1]) - half
    found = given.astype(float)
    moving = np.arange(len(boxes))
    for _ in range(MAX_STEPS):
        u, v = (offset - axis[:, None] for axis in found[:, moving])
        move = step(Squares(boxes[moving], u, v), radius)
        there = found[:, moving] + move
        inside = (np.abs(there) <= half).all(axis=0)
        found[:, moving] = np.where(inside, there, np.nan)
        moving = moving[inside & ~(np.abs(move) < STILL_PX).all(axis=0)]
        if not moving.size:
            break
    return found
