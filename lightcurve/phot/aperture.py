"""Measure every star of a frame at every radius, in one pass and without resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.data import StarPhotometry
from lightcurve.flags import Flag
from lightcurve.phot.centroid import peak_width, windowed_centroid
from lightcurve.phot.cutouts import annulus_offsets, gather, take_offsets
from lightcurve.phot.noise import NoiseModel, flux_error
from lightcurve.phot.quality import aperture_flags, on_frame, peaks_and_bits, star_flag
from lightcurve.phot.seeing import binned_profile, profile_fwhm
from lightcurve.phot.sky import clipped_sky

MIN_SKY_PIXELS = 20
MIN_CENTROID_SNR = 8.0  # below it the registration places a star better than its own light
MOMENT_TO_WIDTH = 1 / 0.3602  # AstroImageJ's factor from second moment to "width"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """How an image made of parts of a frame lies in the frame.

    Attributes
    ----------
    offset_x, offset_y : (n_star,) int arrays, or int
        What added to a star's place in the image gives its place in the frame.
    shape : tuple of int
        (ny, nx) of the frame.
    """

    offset_x: np.ndarray | int
    offset_y: np.ndarray | int
    shape: tuple[int, int]


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
    part: Part | None = None,
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
    part : Part, optional
        Where `pixels` and `bad` are parts of a frame: `x` and `y` are still those of the frame.

    Returns
    -------
    StarPhotometry
        NaN fluxes where an aperture reaches over the edge or holds a non-finite pixel.
    """
    part = part or Part(0, 0, pixels.shape)
    there = on_frame(x, y, part.shape)
    safe_x = np.where(there, x, 0.0) - part.offset_x
    safe_y = np.where(there, y, 0.0) - part.offset_y
    column, row = np.rint(safe_x).astype(int), np.rint(safe_y).astype(int)
    sky, sky_std, n_sky = clipped_sky(take_offsets(pixels, column, row, annulus_offsets(*annulus)))
    half = int(np.ceil(max(max_shift + 4, radii[len(radii) // 2] + 2)))
    boxes = gather(pixels, column, row, half) - sky[:, None, None]
    dx, dy, centred = _centre(
        boxes, safe_x - column, safe_y - row, sky_std * np.sqrt(np.pi) * radii[0], max_shift
    )
    here = column + dx, row + dy
    area = np.broadcast_to(np.pi * radii**2, (len(x), len(radii))).copy()
    flux = _sums(pixels, *here, radii) - sky[:, None] * area
    flux[~there] = np.nan
    peak, bits = peaks_and_bits(pixels, bad, *here, radii)
    cx, cy = here[0] + part.offset_x, here[1] + part.offset_y
    limits = {"saturation_adu": saturation_adu, "linearity_adu": linearity_adu}
    flags = aperture_flags((cx, cy), radii, part.shape, peak, bits, **limits)
    flags |= star_flag(~centred, Flag.NO_CENTROID)
    flags |= star_flag(n_sky < MIN_SKY_PIXELS, Flag.FEW_SKY_PIXELS)
    flags |= star_flag(~there, Flag.NOT_MEASURED)
    flux = np.where(flags & (Flag.EDGE | Flag.FEW_SKY_PIXELS), np.nan, flux)
    flags |= np.where(flux <= 0, np.uint16(Flag.NEGATIVE_FLUX), np.uint16(0))
    variance = (sky_std**2)[:, None]
    error = flux_error(flux, area, variance, n_sky[:, None], noise.gain_e_per_adu)
    star = {"sky": sky, "sky_std": sky_std, "n_sky": n_sky.astype(float)}
    star["fwhm"] = profile_fwhm(*binned_profile(boxes, dx, dy))
    star |= second_moments(boxes, dx, dy, float(radii[len(radii) // 2]))
    return StarPhotometry(
        x=np.where(there, cx, x),
        y=np.where(there, cy, y),
        flux=flux,
        flux_err=error,
        area=area,
        peak=np.where(there[:, None], peak, np.nan),
        flags=flags,
        **{name: np.where(there, values, np.nan) for name, values in star.items()},
    )


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
        angle = np.degrees(0.5 * np.arctan2(2 * m11, m20 - m02)) % 360
    return {
        "x_width": np.sqrt(np.abs(m20)) * MOMENT_TO_WIDTH,
        "y_width": np.sqrt(np.abs(m02)) * MOMENT_TO_WIDTH,
        "angle_deg": angle,
        "roundness": ratio,
    }
