"""Aperture photometry by AstroImageJ's rules, for comparing number by number.

Written from a description of what AstroImageJ 6 computes. Its errors are not copied: the first
sigma of its parallel sky clipping, the mixed origins of its plane with star removal, and the
`Variance` column where there is no centroid.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lightcurve.errors import InputError
from lightcurve.phot.aij_centroid import SETTLED, AijCentroid, aij_centroid
from lightcurve.phot.aij_profile import profile_fwhm_aij
from lightcurve.phot.aij_sky import SkyRule, photometer_sky
from lightcurve.phot.aij_sums import source_error, sum_aperture
from lightcurve.phot.methods import CENTROIDS, HOWELL, STAY
from lightcurve.phot.noise import NoiseModel

NOWHERE = -1e6


@dataclass(frozen=True, slots=True)
class AijRecipe:
    """AstroImageJ's aperture settings.

    Attributes
    ----------
    radius : float
        Of the aperture, pixels; the base radius where `fwhm_factor` is set.
    annulus : (float, float) or None
        Inner and outer radius of the sky.
    remove_stars, plane : bool
        How the sky is found, see `SkyRule`.
    exact : bool
        Weight pixels by their area in the aperture; otherwise a pixel counts whole when its
        centre lies inside.
    centroid : str
        See `aij_centroid`.
    fwhm_factor : float or None
        Variable aperture: this times the larger of the mean X-Width and mean Y-Width of all stars.
    """

    radius: float
    annulus: tuple[float, float] | None
    remove_stars: bool = True
    plane: bool = False
    exact: bool = True
    centroid: str = HOWELL.name
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

    Attributes
    ----------
    shape : tuple of int
        (ny, nx) of the frame.
    radius : float
        Used, pixels.
    x, y : (n,) float arrays
        Pixels, 0-based, bottom up.
    found : (n,) bool array
        Whether each was centred.
    flux, flux_err, area, peak : (n,) float arrays
        Source-Sky, Source_Error, N_Src_Pixels, Peak.
    sky, n_sky, sky_std : (n,) float arrays
        Sky/Pixel, N_Sky_Pixels, and the scatter of those pixels (no column of AstroImageJ).
    fwhm : (n,) float array
        From the radial profile.
    x_width, y_width, angle_deg, roundness, variance : (n,) float arrays
        Second moments; with a variable aperture those at the base radius, as in its table.
    """

    shape: tuple[int, int]
    radius: float
    x: np.ndarray
    y: np.ndarray
    found: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    area: np.ndarray
    peak: np.ndarray
    sky: np.ndarray
    n_sky: np.ndarray
    sky_std: np.ndarray
    fwhm: np.ndarray
    x_width: np.ndarray
    y_width: np.ndarray
    angle_deg: np.ndarray
    roundness: np.ndarray
    variance: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """Name the numbers as AstroImageJ's tables do.

        Returns dict of str to (n,) float array: one entry for each star, without the suffix
            ``_T1``; X(FITS) is 1-based, Y(IJ) runs from the top.
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
        """Mean of the stars' FWHM, the column FWHM_Mean.

        Returns float: pixels; NaN where no star has one.
        """
        known = self.fwhm[np.isfinite(self.fwhm)]
        return float(known.mean()) if known.size else float("nan")


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
        fwhm=profile_fwhm_aij(image, placed.centre, radius, sums["sky"]),
        x_width=shape.x_width,
        y_width=shape.y_width,
        angle_deg=shape.angle_deg,
        roundness=shape.roundness,
        variance=placed.variance,
        **sums,
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
