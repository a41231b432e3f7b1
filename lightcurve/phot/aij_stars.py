"""The stars of a frame by AstroImageJ's rules, in the form that the rest of the program takes."""

from __future__ import annotations

import numpy as np

from lightcurve.data import StarPhotometry
from lightcurve.flags import Flag
from lightcurve.phot.aij import AijPhotometry, AijRecipe, measure_aij
from lightcurve.phot.aij_sums import source_error, sum_aperture
from lightcurve.phot.methods import HOWELL
from lightcurve.phot.noise import NoiseModel
from lightcurve.phot.quality import aperture_flags, on_frame, peaks_and_bits, star_flag


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
    one radius measured follows the seeing.

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
    annulus : (float, float)
    centroid : str
        A name of `CENTROIDS`.
    fwhm_factor : float, optional
        Radius over the mean width of the stars of `sizing`.
    sizing : (n_star,) bool array, optional

    Returns
    -------
    StarPhotometry
        Fluxes over an edge lack what is outside, and are flagged.
    """
    base = float(radii[len(radii) // 2])
    recipe = AijRecipe(base, annulus, centroid=centroid, fwhm_factor=fwhm_factor, noise=noise)
    there = on_frame(*place, pixels.shape)
    start_x, start_y = (np.where(there, p, np.nan) for p in place)
    found = measure_aij(pixels, start_x, start_y, recipe, sizing=sizing)
    used = radii if fwhm_factor is None else np.array([found.radius])
    cube = _at_radii(pixels, found, used, noise)
    x, y = np.where(there, found.x, place[0]), np.where(there, found.y, place[1])
    safe_x, safe_y = (np.where(there, p, 0.0) for p in (x, y))
    _, bits = peaks_and_bits(pixels, bad, safe_x, safe_y, used)
    flags = aperture_flags(
        (x, y), used, pixels.shape, cube["peak"], bits,
        saturation_adu=saturation_adu, linearity_adu=linearity_adu,
    )  # fmt: skip
    flags |= _flags_of(found, there)
    flags |= np.where(cube["flux"] <= 0, np.uint16(Flag.NEGATIVE_FLUX), np.uint16(0))
    return StarPhotometry(
        x=x,
        y=y,
        **cube,
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


def _flags_of(found: AijPhotometry, there: np.ndarray) -> np.ndarray:
    """Flag stars without centroid, sky, or place on the frame."""
    return (
        star_flag(~found.found, Flag.NO_CENTROID)
        | star_flag(found.n_sky == 0, Flag.FEW_SKY_PIXELS)
        | star_flag(~there, Flag.NOT_MEASURED)
    )


def _at_radii(
    pixels: np.ndarray, found: AijPhotometry, radii: np.ndarray, noise: NoiseModel
) -> dict[str, np.ndarray]:
    """Flux, error, area and peak, each (n_star, n_radius)."""
    image = np.asarray(pixels, dtype=np.float32)[::-1]
    centre = (found.x, image.shape[0] - 1 - found.y)
    planes = np.column_stack([found.sky, np.zeros((len(found.sky), 2))])
    columns: dict[str, list[np.ndarray]] = {n: [] for n in ("flux", "flux_err", "area", "peak")}
    for radius in radii:
        sums = sum_aperture(image, centre, float(radius), planes)
        sums["flux_err"] = source_error(sums, found.n_sky, noise)
        for name, values in columns.items():
            values.append(sums[name])
    return {name: np.stack(values, axis=1) for name, values in columns.items()}
