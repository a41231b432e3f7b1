"""Aperture photometry by AstroImageJ's rules, for comparing number by number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from lightcurve.aij.centroid import SETTLED, AijCentroid, aij_centroid, profile_fwhm_aij
from lightcurve.aij.sky import SkyRule, photometer_sky
from lightcurve.core.data import StarPhotometry
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.phot.cutouts import (
    aperture_flags,
    circle_overlap,
    on_frame,
    peaks_and_bits,
    star_flag,
)
from lightcurve.phot.methods import CENTROIDS, HOWELL, STAY
from lightcurve.phot.noise import NoiseModel, flux_error, pixel_variance_model
from lightcurve.phot.squares import Squares, squares_about

__all__ = ["measure_aij", "measure_stars_aij"]

MIN_PEAK_WEIGHT = 0.01
NOWHERE = -1e6


@dataclass(frozen=True, slots=True)
class AijRecipe:
    """AstroImageJ's aperture settings.

    remove_stars, plane : how the sky is found, see `SkyRule`.
    """

    radius: float  # of the aperture, pixels; the base radius where `fwhm_factor` is set
    annulus: tuple[float, float] | None  # inner and outer radius of the sky
    remove_stars: bool = True
    plane: bool = False
    # weight pixels by their area in the aperture; otherwise a pixel counts whole when its centre
    # lies inside
    exact: bool = True
    centroid: str = HOWELL.name  # see `aij_centroid`
    # variable aperture: this times the larger of the mean X-Width and mean Y-Width of all stars
    fwhm_factor: float | None = None
    noise: NoiseModel = field(default_factory=NoiseModel)

    def __post_init__(self) -> None:
        if not self.radius > 0:
            msg = f"the aperture radius must be positive, got {self.radius}"
            raise InputError(msg)
        if self.annulus is not None and not 0 <= self.annulus[0] < self.annulus[1]:
            msg = f"the sky annulus must have inner < outer, got {self.annulus}"
            raise InputError(msg)
        stays = self.centroid in (SETTLED, STAY.name)
        if not stays and CENTROIDS.get(self.centroid).step is None:
            msg = f"centroid {self.centroid} does not go by AstroImageJ's rules"
            raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class AijPhotometry:
    """AstroImageJ's numbers for the stars of one frame.

    x, y : (n,) float arrays, pixels, 0-based, bottom up.
    flux, flux_err, area, peak : (n,) float arrays, Source-Sky, Source_Error, N_Src_Pixels,
        Peak.
    sky, n_sky, sky_std : (n,) float arrays, Sky/Pixel, N_Sky_Pixels, and the scatter of those
        pixels (no column of AstroImageJ).
    x_width, y_width, angle_deg, roundness, variance : (n,) float arrays, second moments; with a
        variable aperture those at the base radius, as in its table.
    """

    shape: tuple[int, int]  # (ny, nx) of the frame
    radius: float  # used, pixels
    x: np.ndarray
    y: np.ndarray
    found: np.ndarray  # (n,) bool, whether each was centred
    flux: np.ndarray
    flux_err: np.ndarray
    area: np.ndarray
    peak: np.ndarray
    sky: np.ndarray
    n_sky: np.ndarray
    sky_std: np.ndarray
    fwhm: np.ndarray  # (n,), from the radial profile
    x_width: np.ndarray
    y_width: np.ndarray
    angle_deg: np.ndarray
    roundness: np.ndarray
    variance: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """Name the numbers of the stars as AstroImageJ's tables do, without the suffix ``_T1``.

        X(FITS) is 1-based, Y(IJ) runs from the top.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            snr, mean = self.flux / self.flux_err, self.flux / self.area
        return {
            "X(IJ)": self.x + 0.5,
            "Y(IJ)": self.shape[0] - 0.5 - self.y,
            "X(FITS)": self.x + 1,
            "Y(FITS)": self.y + 1,
            "Source-Sky": self.flux,
            "N_Src_Pixels": self.area,
            "Source_Error": self.flux_err,
            "Source_SNR": snr,
            "Peak": self.peak,
            "Mean": mean,
            "Sky/Pixel": self.sky,
            "N_Sky_Pixels": self.n_sky,
            "FWHM": self.fwhm,
            "Width": (self.x_width + self.y_width) / 2,
            "X-Width": self.x_width,
            "Y-Width": self.y_width,
            "Angle": self.angle_deg,
            "Roundness": self.roundness,
            "Variance": self.variance,
        }

    def fwhm_mean(self) -> float:
        """Mean of the stars' FWHM, the column FWHM_Mean, pixels; NaN where no star has one."""
        known = self.fwhm[np.isfinite(self.fwhm)]
        return float(known.mean()) if known.size else float("nan")


class Sums(NamedTuple):
    """What circles of one radius hold, (n,) each: Source-Sky, its area, peak, the mean sky."""

    flux: np.ndarray
    area: np.ndarray
    peak: np.ndarray
    sky: np.ndarray


def measure_aij(
    pixels: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    recipe: AijRecipe,
    *,
    sizing: np.ndarray | None = None,
) -> AijPhotometry:
    """Measure the stars of one frame by AstroImageJ's rules.

    Parameters
    ----------
    pixels : (ny, nx) array
        ADU, bottom up; used as float32, as AstroImageJ does. NaN pixels and pixels outside the
        frame do not count: an aperture over the edge loses area.
    x, y : (n,) float arrays
        Where the apertures start, pixels, 0-based; a star at NaN has no light.
    sizing : (n,) bool array, optional
        Stars whose widths size a variable aperture; by default all, as AstroImageJ has it.

    Raises
    ------
    InputError
        When the widths of the stars give a variable aperture no radius, or one beyond the frame.
    """
    image = np.asarray(pixels, dtype=np.float32)[::-1]
    last = image.shape[0] - 1
    start = np.stack([np.asarray(x, dtype=float), last - np.asarray(y, dtype=float)])
    start = np.where((np.abs(start) < -NOWHERE).all(axis=0), start, NOWHERE)
    rule = SkyRule(recipe.annulus, recipe.remove_stars, recipe.plane)
    radius = recipe.radius
    shape = placed = aij_centroid(image, start, radius, rule, method=recipe.centroid)
    if recipe.fwhm_factor is not None:
        radius = recipe.fwhm_factor * _mean_width(shape, sizing)
        if radius > min(image.shape) / 2:
            msg = (
                f"the variable aperture would have a radius of {radius:.4g} px: no stars to size it"
            )
            raise InputError(msg)
        placed = aij_centroid(image, start, radius, rule, method=recipe.centroid)
    centre = tuple(placed.centre)
    planes, n_sky, sky_std = photometer_sky(image, centre, rule)
    sums = sum_aperture(image, centre, radius, planes, exact=recipe.exact)
    return AijPhotometry(
        shape=image.shape,
        radius=float(radius),
        x=centre[0],
        y=last - centre[1],
        found=placed.found,
        flux_err=source_error(sums, n_sky, recipe.noise),
        n_sky=n_sky,
        sky_std=sky_std,
        fwhm=profile_fwhm_aij(image, placed.centre, radius, sums.sky),
        x_width=shape.x_width,
        y_width=shape.y_width,
        angle_deg=shape.angle_deg,
        roundness=shape.roundness,
        variance=placed.variance,
        flux=sums.flux,
        area=sums.area,
        peak=sums.peak,
        sky=sums.sky,
    )


def measure_stars_aij(
    pixels: np.ndarray,
    bad: np.ndarray,
    place: tuple[np.ndarray, np.ndarray],
    radii: np.ndarray,
    annulus: tuple[float, float],
    noise: NoiseModel,
    *,
    centroid: str = HOWELL.name,
    fwhm_factor: float | None = None,
    sizing: np.ndarray | None = None,
    saturation_adu: float | None = None,
    linearity_adu: float | None = None,
) -> StarPhotometry:
    """Measure stars as AstroImageJ does: centroid, sky, sums and errors.

    Apertures are centred at the middle radius, whose numbers are AstroImageJ's; the others are
    sums about the same centres. With `fwhm_factor` the middle radius is the base radius, and the
    one radius measured follows the seeing. Fluxes over an edge lack what is outside: flagged.

    Parameters
    ----------
    pixels : (ny, nx) float32 array
        ADU.
    bad : (ny, nx) uint8 array
        `PixelFlag` bits: they flag, but all finite pixels are summed, as AstroImageJ does.
    place : tuple of (n_star,) float arrays
        x, y where the sky coordinates put the stars, pixels.
    radii : (n_radius,) float array
        Ascending, pixels.
    centroid : str
        A name of `CENTROIDS`.
    fwhm_factor : float, optional
        Radius over the mean width of the stars of `sizing`.
    """
    base = float(radii[len(radii) // 2])
    recipe = AijRecipe(base, annulus, centroid=centroid, fwhm_factor=fwhm_factor, noise=noise)
    there = on_frame(*place, pixels.shape)
    start_x, start_y = (np.where(there, p, np.nan) for p in place)
    found = measure_aij(pixels, start_x, start_y, recipe, sizing=sizing)
    used = radii if fwhm_factor is None else np.array([found.radius])
    flux, flux_err, area, peak = _at_radii(pixels, found, used, noise)
    x, y = np.where(there, found.x, place[0]), np.where(there, found.y, place[1])
    safe_x, safe_y = (np.where(there, p, 0.0) for p in (x, y))
    _, bits = peaks_and_bits(pixels, bad, safe_x, safe_y, used)
    flags = aperture_flags(
        (x, y), used, pixels.shape, peak, bits,
        saturation_adu=saturation_adu, linearity_adu=linearity_adu,
    )  # fmt: skip
    flags |= _flags_of(found, there)
    flags |= np.where(flux <= 0, np.uint16(Flag.NEGATIVE_FLUX), np.uint16(0))
    return StarPhotometry(
        x=x,
        y=y,
        flux=flux,
        flux_err=flux_err,
        area=area,
        peak=peak,
        sky=np.where(there, found.sky, np.nan),
        sky_std=np.where(there, found.sky_std, np.nan),
        n_sky=found.n_sky,
        fwhm=found.fwhm,
        x_width=found.x_width,
        y_width=found.y_width,
        angle_deg=-found.angle_deg % 360,  # ours turns towards the top of the image
        roundness=found.roundness,
        flags=flags,
        radius_used=None if fwhm_factor is None else found.radius,
    )


def sum_aperture(
    image: np.ndarray,
    centre: tuple[np.ndarray, np.ndarray],
    radius: float,
    planes: np.ndarray,
    *,
    exact: bool = True,
) -> Sums:
    """Sum circles of one radius above a sky.

    planes: (n, 3), see `lightcurve.aij.sky.sky_planes`; exact: see `AijRecipe`.
    """
    square = squares_about(image, centre, radius)
    weight = _aperture_weights(square, radius, exact=exact)
    return _sums(square, weight, planes, exact=exact)


def source_error(sums: Sums, n_sky: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """Form AstroImageJ's Source_Error, ADU, from the sums of `sum_aperture`.

    n_sky: pixels that gave the sky; 0 where there was none, whose error is then left out.
    """
    known = np.where(n_sky > 0, n_sky, np.inf)
    variance = pixel_variance_model(sums.sky, noise)
    return flux_error(sums.flux, sums.area, variance, known, noise.gain_e_per_adu)


def _aperture_weights(square: Squares, radius: float, *, exact: bool) -> np.ndarray:
    """Weigh the pixels of an aperture, (n, m, m); 0 where there is none.

    exact: area inside the circle; otherwise 1 where the pixel's centre is nearer than the radius.
    """
    if exact:
        weight = circle_overlap(*square.edges(), radius)
    else:
        weight = (square.distance_squared() < radius**2).astype(float)
    return np.where(np.isfinite(square.values), weight, 0.0)


def _sums(square: Squares, weight: np.ndarray, planes: np.ndarray, *, exact: bool) -> Sums:
    raw = np.nan_to_num(square.values)
    area = weight.sum(axis=(1, 2))
    sky_sum = (weight * square.plane(planes)).sum(axis=(1, 2))
    flux = (weight * raw).sum(axis=(1, 2)) - sky_sum
    touched = weight > (MIN_PEAK_WEIGHT if exact else 0)
    peak = np.where(touched, raw, -np.inf).max(axis=(1, 2))
    level = np.any(planes[:, 1:], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sky = np.where(level, sky_sum / area, planes[:, 0])
    return Sums(
        flux=np.where(area > 0, flux, np.nan),
        area=area,
        peak=np.where(np.isfinite(peak), peak, np.nan),
        sky=sky,
    )


def _mean_width(shape: AijCentroid, sizing: np.ndarray | None) -> float:
    """Take the larger of mean X-Width and mean Y-Width, of the stars that have one."""
    use = (shape.x_width > 0) & (shape.y_width > 0)
    if sizing is not None:
        use &= sizing
    if not use.any():
        msg = "no star has a width: the variable aperture has no size"
        raise InputError(msg)
    return float(max(shape.x_width[use].mean(), shape.y_width[use].mean()))


def _flags_of(found: AijPhotometry, there: np.ndarray) -> np.ndarray:
    """Flag stars without centroid, sky, or place on the frame."""
    return (
        star_flag(~found.found, Flag.NO_CENTROID)
        | star_flag(found.n_sky == 0, Flag.FEW_SKY_PIXELS)
        | star_flag(~there, Flag.NOT_MEASURED)
    )


def _at_radii(
    pixels: np.ndarray, found: AijPhotometry, radii: np.ndarray, noise: NoiseModel
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Flux, error, area and peak, each (n_star, n_radius)."""
    image = np.asarray(pixels, dtype=np.float32)[::-1]
    centre = (found.x, image.shape[0] - 1 - found.y)
    planes = np.column_stack([found.sky, np.zeros((len(found.sky), 2))])
    sums = [sum_aperture(image, centre, float(radius), planes) for radius in radii]
    errors = [source_error(one, found.n_sky, noise) for one in sums]
    columns = ([s.flux for s in sums], errors, [s.area for s in sums], [s.peak for s in sums])
    flux, flux_err, area, peak = (np.stack(column, axis=1) for column in columns)
    return flux, flux_err, area, peak
