"""Measure every star of a frame at every radius, and the sky around it, without resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import StarPhotometry
from lightcurve.core.flags import Flag
from lightcurve.phot.centroid import peak_width
from lightcurve.phot.cutouts import (
    annulus_offsets,
    aperture_flags,
    gather,
    on_frame,
    peaks_and_bits,
    star_flag,
    take_offsets,
)
from lightcurve.phot.grains import coarse_boxes, finer, half_light_diameter
from lightcurve.phot.mend import Stars, find_holes, mend
from lightcurve.phot.methods import WINDOWED, CentroidMethod, Window
from lightcurve.phot.noise import NoiseModel, flux_error
from lightcurve.phot.seeing import axis_ratio, binned_profile, ellipse, moments, profile_fwhm
from lightcurve.phot.sky import clipped_sky

__all__ = ["Part", "box_half", "circle_sums", "measure_stars"]

MIN_SKY_PIXELS = 20
LEAST_GRAINS = 5  # on either side of a star's middle
MIN_CENTROID_SNR = 8.0  # below it the registration places a star better than its own light


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """How an image made of parts of a frame lies in the frame.

    Attributes
    ----------
    offset_x, offset_y : (n_star,) int arrays, or int
        What is added to a star's place in the image to give its place in the frame.
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
    centroid: CentroidMethod = WINDOWED,
    part: Part | None = None,
    grain: int = 1,
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
        Of the camera, for the errors of the fluxes.
    saturation_adu, linearity_adu : float, optional
        Apertures with a pixel at or above are flagged; without, none is.
    max_shift : float
        A centroid farther than this from the given position is not believed, pixels.
    centroid : CentroidMethod
        How the stars are centred; one of `CENTROIDS`.
    part : Part, optional
        Where `pixels` and `bad` are parts of a frame: `x` and `y` are still those of the frame.
    grain : int
        Side of the squares of pixels in which the stars are a few pixels wide: places and shapes
        are measured in these, light in pixels.

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
    max_shift = max(max_shift, float(grain))  # no ring is placed to better than that by another
    half = box_half(radii, max_shift, grain)
    boxes = gather(pixels, column, row, half) - sky[:, None, None]
    main = float(radii[len(radii) // 2])
    given = np.stack([safe_x - column, safe_y - row])
    level = np.where(there, sky, np.nan)
    if holes := find_holes(pixels, bad, (column, row), given, level, radii[-1]):
        holes.into_boxes(boxes, column, row)
    faint = sky_std * np.sqrt(np.pi) * radii[0]
    (dx, dy), centred = _centre(boxes, given, faint, main, max_shift, centroid, grain)
    mended = None
    if holes:
        about = Stars(column, row, np.stack([dx, dy]), level, sky_std, _about(boxes, dx, dy, main))
        mended = mend(holes, pixels, bad, about, radii, noise.gain_e_per_adu)
        mended.holes.into_boxes(boxes, column, row)
        (dx, dy), centred = _centre(boxes, given, faint, main, max_shift, centroid, grain)
        pixels, bad = mended.holes.into_image(pixels, bad, sky)
    here = column + dx, row + dy
    area = np.broadcast_to(np.pi * radii**2, (len(x), len(radii))).copy()
    flux = circle_sums(pixels, *here, radii) - sky[:, None] * area
    flux[~there] = np.nan
    peak, bits = peaks_and_bits(pixels, bad, *here, radii)
    cx, cy = here[0] + part.offset_x, here[1] + part.offset_y
    flags = aperture_flags(
        (cx, cy), radii, part.shape, peak, bits,
        saturation_adu=saturation_adu, linearity_adu=linearity_adu,
    )  # fmt: skip
    flags |= _star_flags(centred, n_sky, there)
    flux = np.where(flags & (Flag.EDGE | Flag.FEW_SKY_PIXELS), np.nan, flux)
    flags |= np.where(flux <= 0, np.uint16(Flag.NEGATIVE_FLUX), np.uint16(0))
    variance = (sky_std[:, None] * noise.of_circle(area)) ** 2
    error = flux_error(flux, area, variance, n_sky[:, None], noise.gain_e_per_adu)
    if mended:
        of_mended, error = mended.judge(error)
        flags |= of_mended
    squares, u, v = coarse_boxes(boxes, grain), dx / grain, dy / grain
    shape = second_moments(squares, u, v, main / grain)

    def seen(values: np.ndarray) -> np.ndarray:
        return np.where(there, values, np.nan)

    return StarPhotometry(
        x=np.where(there, cx, x),
        y=np.where(there, cy, y),
        flux=flux,
        flux_err=error,
        area=area,
        peak=np.where(there[:, None], peak, np.nan),
        sky=seen(sky),
        sky_std=seen(sky_std),
        n_sky=seen(n_sky),
        fwhm=seen(grain * _diameters(squares, u, v, grain)),
        x_width=seen(grain * shape["x_width"]),
        y_width=seen(grain * shape["y_width"]),
        angle_deg=seen(shape["angle_deg"]),
        roundness=seen(shape["roundness"]),
        flags=flags,
    )


def box_half(radii: np.ndarray, max_shift: float, grain: int) -> int:
    """Half the side of the boxes that `measure_stars` looks at, pixels; odd multiples of a grain.

    radii: (n_radius,) float array, pixels.
    """
    half = int(np.ceil(max(max_shift + 4, radii[len(radii) // 2] + 2)))
    if grain == 1:
        return half
    return grain * max(-(-half // grain), LEAST_GRAINS) + grain // 2


def _diameters(boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray, grain: int) -> np.ndarray:
    """FWHM (n,) of stars; of wide ones, whose middle may be dark, what holds half the light."""
    if grain == 1:
        return profile_fwhm(*binned_profile(boxes, dx, dy))
    return half_light_diameter(boxes, dx, dy)


def _star_flags(centred: np.ndarray, n_sky: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Flag stars without centroid, sky, or place on the frame."""
    return (
        star_flag(~centred, Flag.NO_CENTROID)
        | star_flag(n_sky < MIN_SKY_PIXELS, Flag.FEW_SKY_PIXELS)
        | star_flag(~there, Flag.NOT_MEASURED)
    )


def _centre(
    boxes: np.ndarray,
    given: np.ndarray,
    aperture_noise: np.ndarray,
    radius: float,
    max_shift: float,
    centroid: CentroidMethod,
    grain: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Centroid near the given offsets (2, n); these where there is none to be had, which it tells.

    Offsets from the middle pixel of each box.
    """
    squares = coarse_boxes(boxes, grain)
    half = squares.shape[1] // 2
    core = slice(half - 2, half + 3)
    light = grain**2 * np.nansum(squares[:, core, core], axis=(1, 2))
    bright = light > MIN_CENTROID_SNR * aperture_noise
    # The frame's own seeing sets the window; the brightest quarter of its stars tell it.
    widths = _window_widths(squares[bright], given[:, bright] / grain, grain)
    widths = widths[np.isfinite(widths)]
    sigma = grain * float(np.clip(np.median(widths), 0.8, 3.0)) if widths.size else 1.3 * grain
    # A ring's rim is sharper than a grain.
    fine = finer(grain)
    boxes = coarse_boxes(boxes, fine)
    found = fine * centroid.find(boxes, given / fine, Window(sigma / fine, radius / fine))
    centred = bright & (np.hypot(*(found - given)) <= max_shift)
    return np.where(centred, found, given), centred


def _window_widths(boxes: np.ndarray, given: np.ndarray, grain: int) -> np.ndarray:
    """Sigma of the window that suits each star (n,), in grains."""
    if grain == 1:
        return peak_width(boxes)
    return half_light_diameter(boxes, *given) / FWHM_PER_SIGMA


def _about(boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray, radius: float) -> np.ndarray:
    """Light (n,) of whole pixels within a radius of places in boxes (n, m, m)."""
    offset = np.arange(boxes.shape[1]) - boxes.shape[1] // 2
    u, v = offset - dx[:, None], offset - dy[:, None]
    inside = u[:, None, :] ** 2 + v[:, :, None] ** 2 <= radius**2
    return np.nansum(np.where(inside, boxes, 0.0), axis=(1, 2))


def circle_sums(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Sum the pixels weighted by their exact overlap with each circle.

    pixels: (ny, nx) float32 array; x, y: (n,) float arrays, and radii: (n_radius,), pixels.
    Returns (n, n_radius) float array; what lies off the image does not count.
    """
    import sep

    return np.stack([sep.sum_circle(pixels, x, y, r, subpix=0)[0] for r in radii], axis=1)


def second_moments(
    boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray, radius: float
) -> dict[str, np.ndarray]:
    """Widths, direction and axis ratio from the light's second moments within a radius.

    boxes : (n, m, m), sky-subtracted; dx, dy : (n,) centre of each star from the middle of its box,
    pixels. See `ellipse`; ``roundness`` is the short over the long axis.
    """
    offset = np.arange(boxes.shape[1]) - boxes.shape[1] // 2
    u, v = offset - dx[:, None], offset - dy[:, None]
    inside = u[:, None, :] ** 2 + v[:, :, None] ** 2 <= radius**2
    found = moments(np.where(inside, boxes, 0.0), u, v)
    return ellipse(*found) | {"roundness": axis_ratio(*found)}
