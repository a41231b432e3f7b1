"""Measure every star of a frame at every radius, and the sky around it, without resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import StarPhotometry
from lightcurve.core.flags import Flag
from lightcurve.phot.centroid import peak_width
from lightcurve.phot.circles import circle_sums
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
from lightcurve.phot.mend import Mended, Stars, find_holes, mend
from lightcurve.phot.methods import WINDOWED, CentroidMethod, Window
from lightcurve.phot.noise import NoiseModel, flux_error
from lightcurve.phot.seeing import axis_ratio, binned_profile, ellipse, moments, profile_fwhm
from lightcurve.phot.sky import clipped_sky

__all__ = ["Part", "box_half", "measure_stars"]

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
    main = float(radii[len(radii) // 2])
    # No ring is placed to better than its grain by another.
    centring = _Centring(centroid, main, max(max_shift, float(grain)), grain)
    at = _look(pixels, x, y, annulus, part)
    boxes = gather(pixels, at.column, at.row, box_half(radii, centring.max_shift, grain))
    boxes -= at.sky[:, None, None]
    found = _mend_and_centre(pixels, bad, boxes, at, centring, radii, noise.gain_e_per_adu)
    place = at.column + found.offset[0] + part.offset_x, at.row + found.offset[1] + part.offset_y
    area = np.broadcast_to(np.pi * radii**2, (len(x), len(radii))).copy()
    flux, peak, bits = _sums(found, at, radii)
    flags = _star_flags(found.centred, at.n_sky, at.there) | aperture_flags(
        place, radii, part.shape, peak, bits,
        saturation_adu=saturation_adu, linearity_adu=linearity_adu,
    )  # fmt: skip
    flux = np.where(flags & (Flag.EDGE | Flag.FEW_SKY_PIXELS), np.nan, flux)
    flags |= np.where(flux <= 0, np.uint16(Flag.NEGATIVE_FLUX), np.uint16(0))
    variance = (at.sky_std[:, None] * noise.of_circle(area)) ** 2
    error = flux_error(flux, area, variance, at.n_sky[:, None], noise.gain_e_per_adu)
    if found.mended:
        of_mended, error = found.mended.judge(error)
        flags |= of_mended
    shape = _shapes(coarse_boxes(boxes, grain), found.offset / grain, main / grain, grain)

    def seen(values: np.ndarray) -> np.ndarray:
        return np.where(at.there, values, np.nan)

    return StarPhotometry(
        x=np.where(at.there, place[0], x),
        y=np.where(at.there, place[1], y),
        flux=flux,
        flux_err=error,
        area=area,
        peak=np.where(at.there[:, None], peak, np.nan),
        sky=seen(at.sky),
        sky_std=seen(at.sky_std),
        n_sky=seen(at.n_sky),
        fwhm=seen(shape["fwhm"]),
        x_width=seen(shape["x_width"]),
        y_width=seen(shape["y_width"]),
        angle_deg=seen(shape["angle_deg"]),
        roundness=seen(shape["roundness"]),
        flags=flags,
    )


def _sums(
    found: _Centred, at: _Looked, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Light above the sky, highest pixel, and bits of bad ones, in circles (n, n_radius)."""
    here = at.column + found.offset[0], at.row + found.offset[1]
    flux = circle_sums(found.pixels, *here, radii) - at.sky[:, None] * (np.pi * radii**2)
    flux[~at.there] = np.nan
    return flux, *peaks_and_bits(found.pixels, found.bad, *here, radii)


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """Where stars (n,) are looked for in an image, and the sky around there, ADU."""

    there: np.ndarray  # whether that is on the frame
    column: np.ndarray
    row: np.ndarray
    given: np.ndarray  # (2, n) offsets from there
    sky: np.ndarray
    sky_std: np.ndarray
    n_sky: np.ndarray


def _look(
    pixels: np.ndarray, x: np.ndarray, y: np.ndarray, annulus: tuple[float, float], part: Part
) -> _Looked:
    there = on_frame(x, y, part.shape)
    safe_x = np.where(there, x, 0.0) - part.offset_x
    safe_y = np.where(there, y, 0.0) - part.offset_y
    column, row = np.rint(safe_x).astype(int), np.rint(safe_y).astype(int)
    sky = clipped_sky(take_offsets(pixels, column, row, annulus_offsets(*annulus)))
    return _Looked(there, column, row, np.stack([safe_x - column, safe_y - row]), *sky)


@dataclass(frozen=True, slots=True, eq=False)
class _Centred:
    """Where stars (n,) are, in an image whose holes are filled."""

    pixels: np.ndarray
    bad: np.ndarray
    offset: np.ndarray  # (2, n) from the pixels at which they were looked for
    centred: np.ndarray  # by their own light
    mended: Mended | None


def _mend_and_centre(
    pixels: np.ndarray,
    bad: np.ndarray,
    boxes: np.ndarray,
    at: _Looked,
    centring: _Centring,
    radii: np.ndarray,
    gain: float,
) -> _Centred:
    """Centre the stars of boxes, and fill their holes, also in the boxes."""
    level = np.where(at.there, at.sky, np.nan)
    holes = find_holes(pixels, bad, (at.column, at.row), at.given, level, radii[-1])
    if holes:
        holes.into_boxes(boxes, at.column, at.row)
    faint = at.sky_std * np.sqrt(np.pi) * radii[0]
    sigma = centring.window(boxes, at.given, faint)
    offset, centred = centring.centre(boxes, at.given, faint, sigma)
    if not holes:
        return _Centred(pixels, bad, offset, centred, None)
    about = _about(boxes, offset[0], offset[1], centring.radius)
    stars = Stars(at.column, at.row, offset, level, at.sky_std, about)
    mended = mend(holes, pixels, bad, stars, radii, gain)
    if mended.holes is not holes:  # of another light
        mended.holes.into_boxes(boxes, at.column, at.row)
        some = np.unique(holes.star)
        offset[:, some], centred[some] = centring.centre(
            boxes[some], at.given[:, some], faint[some], sigma
        )
    return _Centred(*mended.holes.into_image(pixels, bad, at.sky), offset, centred, mended)


@dataclass(frozen=True, slots=True)
class _Centring:
    """How stars are centred."""

    method: CentroidMethod
    radius: float  # main one, pixels
    max_shift: float
    grain: int

    def window(self, boxes: np.ndarray, given: np.ndarray, faint: np.ndarray) -> float:
        """Sigma of the window, pixels: the frame's own seeing, as its brighter stars tell it."""
        squares = coarse_boxes(boxes, self.grain)
        bright = self._bright(squares, faint)
        if self.grain == 1:
            widths = peak_width(squares)[bright]
        else:
            places = given[:, bright] / self.grain
            widths = half_light_diameter(squares[bright], *places) / FWHM_PER_SIGMA
        widths = widths[np.isfinite(widths)]
        return self.grain * (float(np.clip(np.median(widths), 0.8, 3.0)) if widths.size else 1.3)

    def centre(
        self, boxes: np.ndarray, given: np.ndarray, faint: np.ndarray, sigma: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Centroid near offsets (2, n); these where there is none to be had, which it tells.

        Offsets from the middle pixel of each box (n, m, m); faint: (n,) noise of an aperture, ADU.
        """
        bright = self._bright(coarse_boxes(boxes, self.grain), faint)
        fine = finer(self.grain)  # a ring's rim is sharper than a grain
        window = Window(sigma / fine, self.radius / fine)
        found = fine * self.method.find(coarse_boxes(boxes, fine), given / fine, window)
        centred = bright & (np.hypot(*(found - given)) <= self.max_shift)
        return np.where(centred, found, given), centred

    def _bright(self, squares: np.ndarray, faint: np.ndarray) -> np.ndarray:
        half = squares.shape[1] // 2
        core = slice(half - 2, half + 3)
        light = self.grain**2 * np.nansum(squares[:, core, core], axis=(1, 2))
        return light > MIN_CENTROID_SNR * faint


def box_half(radii: np.ndarray, max_shift: float, grain: int) -> int:
    """Half the side of the boxes that `measure_stars` looks at, pixels; odd multiples of a grain.

    radii: (n_radius,) float array, pixels.
    """
    half = int(np.ceil(max(max_shift + 4, radii[len(radii) // 2] + 2)))
    if grain == 1:
        return half
    return grain * max(-(-half // grain), LEAST_GRAINS) + grain // 2


def _shapes(
    squares: np.ndarray, offset: np.ndarray, radius: float, grain: int
) -> dict[str, np.ndarray]:
    """Widths and direction (n,) of stars, pixels; squares: (n, m, m), grains as the rest."""
    shape = second_moments(squares, offset[0], offset[1], radius)
    shape["x_width"] *= grain
    shape["y_width"] *= grain
    # Of wide ones, whose middle may be dark, what holds half the light.
    if grain == 1:
        fwhm = profile_fwhm(*binned_profile(squares, *offset))
    else:
        fwhm = grain * half_light_diameter(squares, *offset)
    return shape | {"fwhm": fwhm}


def _star_flags(centred: np.ndarray, n_sky: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Flag stars without centroid, sky, or place on the frame."""
    return (
        star_flag(~centred, Flag.NO_CENTROID)
        | star_flag(n_sky < MIN_SKY_PIXELS, Flag.FEW_SKY_PIXELS)
        | star_flag(~there, Flag.NOT_MEASURED)
    )


def _about(boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray, radius: float) -> np.ndarray:
    """Light (n,) of whole pixels within a radius of places in boxes (n, m, m)."""
    offset = np.arange(boxes.shape[1]) - boxes.shape[1] // 2
    u, v = offset - dx[:, None], offset - dy[:, None]
    inside = u[:, None, :] ** 2 + v[:, :, None] ** 2 <= radius**2
    return np.nansum(np.where(inside, boxes, 0.0), axis=(1, 2))


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
