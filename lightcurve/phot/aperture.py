"""Measure every star of a frame at every radius, in one pass and without resampling."""

from __future__ import annotations

import numpy as np

from lightcurve.data import StarPhotometry
from lightcurve.flags import Flag, PixelFlag
from lightcurve.phot.centroid import peak_width, windowed_centroid
from lightcurve.phot.cutouts import annulus_offsets, gather, take_offsets
from lightcurve.phot.noise import NoiseModel, flux_error
from lightcurve.phot.seeing import binned_profile, profile_fwhm
from lightcurve.phot.sky import clipped_sky

MIN_SKY_PIXELS = 20
MIN_CENTROID_SNR = 8.0  # below it the registration places a star better than its own light
MOMENT_TO_WIDTH = 1 / 0.3602  # AstroImageJ's factor from second moment to "width"


def measure_stars(
    pixels: np.ndarray,
    bad: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    radii: np.ndarray,
    annulus: tuple[float, float],
    noise: NoiseModel,
    *,
    saturation_adu: float | None = None,
    linearity_adu: float | None = None,
    max_shift: float = 3.0,
) -> StarPhotometry:
    """Centroid the stars and sum their light in circles of several radii.

    Parameters
    ----------
    pixels : (ny, nx) float32 array
        ADU, C-contiguous.
    bad : (ny, nx) uint8 array
        `PixelFlag` bits.
    x, y : (n_star,) float arrays
        Where the sky coordinates put the stars, pixels.
    radii : (n_radius,) float array
        Ascending, pixels.
    annulus : (float, float)
        Inner and outer radius of the sky, pixels.
    noise : NoiseModel
    saturation_adu, linearity_adu : float, optional
    max_shift : float
        A centroid farther than this from the given position is not believed, pixels.

    Returns
    -------
    StarPhotometry
        NaN fluxes where an aperture reaches over the edge or holds a non-finite pixel.
    """
    on_frame = _on_frame(x, y, pixels.shape)
    safe_x, safe_y = np.where(on_frame, x, 0.0), np.where(on_frame, y, 0.0)
    column, row = np.rint(safe_x).astype(int), np.rint(safe_y).astype(int)
    sky, sky_std, n_sky = clipped_sky(take_offsets(pixels, column, row, annulus_offsets(*annulus)))
    half = int(np.ceil(max(max_shift + 4, radii[-1] + 1)))
    boxes = gather(pixels, column, row, half) - sky[:, None, None]
    dx, dy, centred = _centre(
        boxes, safe_x - column, safe_y - row, sky_std * np.sqrt(np.pi) * radii[0], max_shift
    )
    cx, cy = column + dx, row + dy
    area = np.broadcast_to(np.pi * radii**2, (len(x), len(radii))).copy()
    flux = _sums(pixels, cx, cy, radii) - sky[:, None] * area
    flux[~on_frame] = np.nan
    peak, bits = _peaks_and_bits(pixels, bad, cx, cy, radii)
    flags = _flags(cx, cy, radii, pixels.shape, peak, bits, saturation_adu, linearity_adu)
    flags |= _column_flag(~centred, Flag.NO_CENTROID)
    flags |= _column_flag(n_sky < MIN_SKY_PIXELS, Flag.FEW_SKY_PIXELS)
    flags |= _column_flag(~on_frame, Flag.NOT_MEASURED)
    flux = np.where(flags & (Flag.EDGE | Flag.FEW_SKY_PIXELS), np.nan, flux)
    flags |= np.where(flux <= 0, np.uint16(Flag.NEGATIVE_FLUX), np.uint16(0))
    variance = (sky_std**2)[:, None]
    error = flux_error(flux, area, variance, n_sky[:, None], noise.gain_e_per_adu)
    fwhm = profile_fwhm(*binned_profile(boxes, dx, dy))
    return StarPhotometry(
        x=np.where(on_frame, cx, x),
        y=np.where(on_frame, cy, y),
        flux=flux,
        flux_err=error,
        area=area,
        peak=peak,
        sky=sky,
        sky_std=sky_std,
        n_sky=n_sky.astype(float),
        fwhm=np.where(on_frame, fwhm, np.nan),
        **second_moments(boxes, dx, dy, float(radii[len(radii) // 2])),
        flags=flags,
    )


def _on_frame(x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    ny, nx = shape
    return (x > -0.5) & (y > -0.5) & (x < nx - 0.5) & (y < ny - 0.5)


def _column_flag(where: np.ndarray, flag: Flag) -> np.ndarray:
    return np.where(where, np.uint16(flag), np.uint16(0))[:, None]


def _centre(
    boxes: np.ndarray,
    given_x: np.ndarray,
    given_y: np.ndarray,
    aperture_noise: np.ndarray,
    max_shift: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centroid near the given offsets, or the given offsets where there is none to be had."""
    half = boxes.shape[1] // 2
    core = slice(half - 2, half + 3)
    light = np.nansum(boxes[:, core, core], axis=(1, 2))
    bright = light > MIN_CENTROID_SNR * aperture_noise
    # The frame's own seeing sets the window; the brightest quarter of its stars tell it.
    widths = peak_width(boxes[bright])
    widths = widths[np.isfinite(widths)]
    sigma = float(np.clip(np.median(widths), 0.8, 3.0)) if widths.size else 1.3
    dx, dy = windowed_centroid(boxes, sigma)
    near = np.hypot(dx - given_x, dy - given_y) <= max_shift
    centred = near & bright
    return np.where(centred, dx, given_x), np.where(centred, dy, given_y), centred


def _sums(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Sum the pixels weighted by their exact overlap with each circle."""
    import sep

    return np.stack([sep.sum_circle(pixels, x, y, r, subpix=0)[0] for r in radii], axis=1)


def _peaks_and_bits(
    pixels: np.ndarray, bad: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Highest pixel, and all bad-pixel bits, within each radius (plus half a pixel) of the star.

    Offsets are sorted by distance, so that one running maximum serves every radius.
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


def _flags(
    x: np.ndarray,
    y: np.ndarray,
    radii: np.ndarray,
    shape: tuple[int, int],
    peak: np.ndarray,
    bits: np.ndarray,
    saturation: float | None,
    linearity: float | None,
) -> np.ndarray:
    ny, nx = shape
    room = np.minimum.reduce([x + 0.5, y + 0.5, nx - 0.5 - x, ny - 0.5 - y])
    flags = np.where(radii > room[:, None], np.uint16(Flag.EDGE), np.uint16(0))
    saturated = (bits & PixelFlag.SATURATED) != 0
    if saturation is not None:
        saturated |= peak >= saturation
    flags |= np.where(saturated, np.uint16(Flag.SATURATED), np.uint16(0))
    if linearity is not None:
        flags |= np.where(peak > linearity, np.uint16(Flag.NON_LINEAR), np.uint16(0))
    spoilt = (bits & ~np.uint8(PixelFlag.SATURATED)) != 0
    return flags | np.where(spoilt, np.uint16(Flag.BAD_PIXEL), np.uint16(0))


def second_moments(
    boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray, radius: float
) -> dict[str, np.ndarray]:
    """Widths, direction and axis ratio from the light's second moments within a radius.

    Parameters
    ----------
    boxes : (n, m, m) float array
        Sky-subtracted.
    dx, dy : (n,) float arrays
        Centre of each star from the middle of its box, pixels.
    radius : float
        Pixels.

    Returns
    -------
    dict of str to (n,) float array
        ``x_width``, ``y_width`` (root of the moment over 0.3602, AstroImageJ's scale),
        ``angle_deg`` of the long axis from +x towards +y, ``roundness`` (short over long axis).
    """
    offset = np.arange(boxes.shape[1]) - boxes.shape[1] // 2
    u, v = offset - dx[:, None], offset - dy[:, None]
    inside = u[:, None, :] ** 2 + v[:, :, None] ** 2 <= radius**2
    light = np.where(inside, boxes, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = light.sum(axis=(1, 2))
        m20 = np.einsum("nyx,nx->n", light, u**2) / total
        m02 = np.einsum("nyx,ny->n", light, v**2) / total
        m11 = np.einsum("nyx,nx,ny->n", light, u, v, optimize=True) / total
        root = np.sqrt(4 * m11**2 + (m20 - m02) ** 2)
        ratio = np.sqrt((m20 + m02 - root) / (m20 + m02 + root))
    return {
        "x_width": np.sqrt(np.abs(m20)) * MOMENT_TO_WIDTH,
        "y_width": np.sqrt(np.abs(m02)) * MOMENT_TO_WIDTH,
        "angle_deg": np.degrees(0.5 * np.arctan2(2 * m11, m20 - m02)) % 360,
        "roundness": ratio,
    }
