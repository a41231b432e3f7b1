"""Light of galaxies beside the stars that stand on them: profiles along ellipses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["light_along"]

SEEN_SIGMA = 0.25  # of a pixel's noise: of less light under a star its filter sees 1 sigma
WIDEST, WIDEST_PX = 8.0, 120  # semi-major axes (of moments) to which a galaxy is followed; at most
LEAST_PIXELS = 5  # of a ring: of fewer no median is taken


@dataclass(frozen=True, slots=True, eq=False)
class Ellipses:
    """Shapes of galaxies, arrays (n,).

    x, y : pixels. major, minor : of the second moments, pixels.
    angle_deg : of the long axis, from +x towards +y.
    """

    x: np.ndarray
    y: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    angle_deg: np.ndarray


def light_along(
    left: np.ndarray, good: np.ndarray, rms: np.ndarray, galaxies: Ellipses
) -> np.ndarray:
    """Find what galaxies have beyond a star's light: the median along each ellipse about them.

    A star on a galaxy is a small part of an ellipse: its light stays out. Each is followed outwards
    until its light falls to the noise, or no longer falls.

    left: (ny, nx) float array, ADU, a frame without sky and stars. good: (ny, nx) bool array; other
    pixels have no say. rms: (ny, nx) float array, ADU, noise of a pixel. galaxies: the brightest
    first.
    Returns (ny, nx) float32 array, ADU.
    """
    ny, nx = left.shape
    rest, glow = left.astype(np.float32), np.zeros(left.shape, np.float32)
    for k in range(len(galaxies.x)):
        x, y, major = galaxies.x[k], galaxies.y[k], max(galaxies.major[k], 1.0)
        half = int(min(np.ceil(WIDEST * major), WIDEST_PX))
        row, column = round(y), round(x)
        part = np.s_[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1]
        v, u = np.ogrid[part[0].start - y : ny - y, part[1].start - x : nx - x]
        v, u = v[: rest[part].shape[0]], u[:, : rest[part].shape[1]]
        cos, sin = (
            np.cos(np.radians(galaxies.angle_deg[k])),
            np.sin(np.radians(galaxies.angle_deg[k])),
        )
        flat = max(galaxies.minor[k], 1.0) / major
        away = np.hypot(u * cos + v * sin, (v * cos - u * sin) / flat)
        profile = _profile(rest[part], good[part] & (away < half), away, float(rms[row, column]))
        light = np.interp(away, np.arange(len(profile)), profile).astype(np.float32)
        glow[part] += light
        rest[part] -= light
    return glow


def _profile(left: np.ndarray, good: np.ndarray, away: np.ndarray, rms: float) -> np.ndarray:
    """Median light (n,) at distances of 0, 1, 2 ... along the long axis; 0 from the last on."""
    ring = np.rint(away[good]).astype(int)
    order = np.argsort(ring, kind="stable")
    count = np.bincount(ring)
    values = np.split(left[good][order], np.cumsum(count)[:-1])
    median = np.array([np.median(v) if len(v) >= LEAST_PIXELS else np.nan for v in values])
    known = np.flatnonzero(np.isfinite(median))
    if not len(known):
        return np.zeros(1)
    median = np.interp(np.arange(len(median)), known, median[known])
    # In the middle the star that was taken off has left a hole.
    top = int(median.argmax())
    median[top:] = np.minimum.accumulate(median[top:])
    end = top + int(np.argmax(np.append(median[top:], 0) < SEEN_SIGMA * rms))
    # Where it is followed no farther it must not end in a step.
    last = median[end - 1] if end == len(median) else 0.0
    return np.append(median[:end] - last, 0.0)
