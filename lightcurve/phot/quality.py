"""What speaks against a measurement: edges, saturation, bad pixels."""

from __future__ import annotations

import numpy as np

from lightcurve.flags import Flag, PixelFlag
from lightcurve.phot.cutouts import annulus_offsets, take_offsets


def on_frame(x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Tell which positions lie on the frame.

    Parameters
    ----------
    x, y : (n,) float arrays
        Pixels; NaN is not on it.
    shape : tuple of int
        (ny, nx).

    Returns
    -------
    (n,) bool array
    """
    ny, nx = shape
    return (x > -0.5) & (y > -0.5) & (x < nx - 0.5) & (y < ny - 0.5)


def star_flag(where: np.ndarray, flag: Flag) -> np.ndarray:
    """Flag stars at every radius.

    where : (n,) bool array.
    Returns (n, 1) uint16 array.
    """
    return np.where(where, np.uint16(flag), np.uint16(0))[:, None]


def peaks_and_bits(
    pixels: np.ndarray, bad: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the highest pixel, and all bad-pixel bits, within each radius plus half a pixel.

    Offsets are sorted by distance, so that one running maximum serves every radius.

    pixels : (ny, nx) array; ADU.
    bad : (ny, nx) uint8 array; `PixelFlag` bits.
    x, y : (n,) float arrays; pixels.
    radii : (n_radius,) float array; ascending, pixels.
    Returns peak : (n, n_radius) float array; NaN where no pixel is finite.
        bits : (n, n_radius) uint8 array.
    """
    dx, dy = annulus_offsets(0.0, radii[-1] + 0.5)
    distance = np.hypot(dx, dy)
    order = np.argsort(distance, kind="stable")
    offsets = dx[order], dy[order]
    last = np.searchsorted(distance[order], radii + 0.5, side="right") - 1
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    values = np.nan_to_num(take_offsets(pixels, column, row, offsets), nan=-np.inf)
    peak = np.maximum.accumulate(values, axis=1)[:, last]
    bits = np.bitwise_or.accumulate(take_offsets(bad, column, row, offsets), axis=1)[:, last]
    return np.where(np.isfinite(peak), peak, np.nan).astype(float), bits


def aperture_flags(
    place: tuple[np.ndarray, np.ndarray],
    radii: np.ndarray,
    shape: tuple[int, int],
    peak: np.ndarray,
    bits: np.ndarray,
    *,
    saturation_adu: float | None = None,
    linearity_adu: float | None = None,
) -> np.ndarray:
    """Flag apertures that reach over the edge, or hold a saturated, non-linear or bad pixel.

    place : tuple of (n,) float arrays; x, y, pixels.
    radii : (n_radius,) float array; pixels.
    shape : (ny, nx).
    peak, bits : (n, n_radius) arrays; see `peaks_and_bits`.
    Returns (n, n_radius) uint16 array: `Flag` bits.
    """
    (x, y), (ny, nx) = place, shape
    room = np.minimum.reduce([x + 0.5, y + 0.5, nx - 0.5 - x, ny - 0.5 - y])
    flags = np.where(radii > room[:, None], np.uint16(Flag.EDGE), np.uint16(0))
    saturated = (bits & PixelFlag.SATURATED) != 0
    if saturation_adu is not None:
        saturated |= peak >= saturation_adu
    flags |= np.where(saturated, np.uint16(Flag.SATURATED), np.uint16(0))
    if linearity_adu is not None:
        flags |= np.where(peak > linearity_adu, np.uint16(Flag.NON_LINEAR), np.uint16(0))
    spoilt = (bits & ~np.uint8(PixelFlag.SATURATED)) != 0
    return flags | np.where(spoilt, np.uint16(Flag.BAD_PIXEL), np.uint16(0))
