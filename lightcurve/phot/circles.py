"""Sums of pixels within circles, each weighted by its exact overlap with the circle."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.cutouts import nearest_pixel

__all__ = ["circle_sums"]

FEWEST, WIDEST_PX = 40, 10.0  # fewer stars, or wider circles, are summed sooner one by one
AT_ONCE = 120_000  # corners of pixels: what a processor's cache holds
HEIGHT = 1e6  # of a pixel over the middle one: from there on differences would lose its digits


def circle_sums(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Sum the pixels weighted by their exact overlap with each circle.

    pixels: (ny, nx) float32 array; x, y: (n,) float arrays, and radii: (n_radius,), pixels.
    Returns (n, n_radius) float array; what lies off the image does not count.
    """
    if len(x) < FEWEST or radii.max() > WIDEST_PX:
        return sums_plainly(pixels, x, y, radii)
    half = int(radii.max() + 1)
    sums = np.empty((len(x), len(radii)))
    each = max(AT_ONCE // (2 * half) ** 2, FEWEST)
    for start in range(0, len(x), each):
        some = slice(start, start + each)
        sums[some] = _sums_by_corners(pixels, x[some], y[some], radii, half)
    odd = np.flatnonzero(np.isnan(sums[:, 0]))
    if odd.size:
        sums[odd] = sums_plainly(pixels, x[odd], y[odd], radii)
    return sums


def sums_plainly(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Sum circle by circle, as `circle_sums` does."""
    import sep

    return np.stack([sep.sum_circle(pixels, x, y, r, subpix=0)[0] for r in radii], axis=1)


def _sums_by_corners(
    pixels: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray, half: int
) -> np.ndarray:
    """Sum by what of a circle lies beyond the lines between pixels, and beyond their corners.

    A pixel's overlap is a difference of such areas. Summed by parts, a circle's sum is its area
    times the middle pixel, the area beyond each line times the step of the light there, and the
    area beyond each corner times the difference of such steps. ``F(t) = (t s(t) + r^2 asin(t / r))
    / 2``, with ``s(t)^2 = r^2 - t^2``, is the area of a quarter of the circle up to t; beyond the
    corner (u, v) in the circle lie ``pi r^2 / 4 + u v - F(u) - F(v)``. So the inverse sine is
    needed for lines alone. Stars are the last axis of all arrays.

    Returns (n, n_radius); NaN where a star's place is off the image, or a square of 2 half + 1
    pixels holds what is not finite or drowns the rest.
    """
    light, rest = _squares(pixels, x, y, half)
    step = np.arange(half) + 0.5
    # From the star to the lines on its left, or below, and to those on its right, or above.
    away = np.concatenate([step[::-1, None, None] + rest, step[:, None, None] - rest])
    squared = away**2
    distance = squared[:, None, 1] + squared[None, :, 0]
    product = away[:, None, 1] * away[None, :, 0]
    across = np.diff(light, axis=1)
    lines = np.stack([across[half], np.diff(light[:, half], axis=0)], axis=1)
    corners = np.diff(across, axis=0)
    outwards = np.repeat([-1.0, 1.0], half)[:, None, None]
    lines *= outwards
    corners *= outwards * outwards.swapaxes(0, 1)
    sums = np.empty((len(radii), len(x)))
    for k, r in enumerate(radii):
        near = slice(half - int(r + 1), half + int(r + 1))
        quarter, t = np.pi * r**2 / 4, np.minimum(away[near], r)
        area = (t * np.sqrt(r**2 - t**2) + r**2 * np.arcsin(t / r)) / 2
        beyond = product[near, near] - area[None, :, 0]
        beyond -= (area - quarter)[:, None, 1]
        beyond *= distance[near, near] < r**2
        beyond *= corners[near, near]
        of_lines = (quarter - area) * lines[near]
        sums[k] = 4 * quarter * light[half, half] + 2 * of_lines.sum(axis=(0, 1))
        sums[k] += beyond.sum(axis=(0, 1))
    return sums.T


def _squares(
    pixels: np.ndarray, x: np.ndarray, y: np.ndarray, half: int
) -> tuple[np.ndarray, np.ndarray]:
    """Take squares (2 half + 1, 2 half + 1, n) about the nearest pixels, and offsets (2, n) there.

    There is no light off the image; NaN all over those that cannot be summed by differences.
    """
    row, column = nearest_pixel(x, y, pixels.shape)
    (ny, nx), offset = pixels.shape, np.arange(-half, half + 1)
    places = (row * nx + column) + (offset[:, None] * nx + offset)[..., None]
    light = pixels.ravel().take(places, mode="clip").astype(float)
    rest = np.stack([x - column, y - row])
    over = np.flatnonzero(np.minimum.reduce([column, row, nx - 1 - column, ny - 1 - row]) < half)
    if over.size:
        on_x, on_y = (
            (at[over] + offset[:, None] >= 0) & (at[over] + offset[:, None] < length)
            for at, length in ((column, nx), (row, ny))
        )
        light[:, :, over] = np.where(on_y[:, None] & on_x, light[:, :, over], 0.0)
    able = (np.abs(rest) <= 0.5).all(axis=0)
    able &= np.abs(light).max(axis=(0, 1)) < HEIGHT * np.abs(light[half, half])
    if not able.all():
        light[:, :, ~able] = np.nan
    return light, np.where(able, rest, 0.0)
