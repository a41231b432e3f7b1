"""Images side by side: three of them as one in colour, and a line without its continuum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import Detections
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.core.robust import robust_scatter
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.background import measure_sky
from lightcurve.phot.detect import detect
from lightcurve.phot.noise import NoiseModel

MAX_STARS = 300
RADIUS_FWHM, SKY_FWHM = 2.0, (4.0, 7.0)
LEAST_RADIUS = 3.0
SPOILT = Flag.EDGE | Flag.SATURATED | Flag.BAD_PIXEL | Flag.NO_CENTROID | Flag.NEGATIVE_FLUX
BLACK_SIGMA = -1.0  # of the sky: darker is black
FAINT_SIGMA = 3.0  # of the sky: up to it brightness goes by straight lines, above by logarithms
WIDER = 1.03  # by so much one image's stars must be the wider to be matched
MIN_STARS = 3
FLOOR = 0.003  # of a star's light, what flat fields leave: none has a larger say than it allows


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Images on the same pixels, sky taken off, and how they show their common stars.

    images : (n, ny, nx) float32 array, NaN where one has no value.
    sky_rms, fwhm_px : (n,) float arrays.
    factor, factor_err : (n,) float arrays, by what each is multiplied to show stars as the first
        does; NaN with fewer than three stars. stars : (n,) int array, that tell it.
    """

    images: np.ndarray
    sky_rms: np.ndarray
    fwhm_px: np.ndarray
    factor: np.ndarray
    factor_err: np.ndarray
    stars: np.ndarray


def compare(images: Sequence[np.ndarray], full: Sequence[np.ndarray]) -> Compared:
    """Take the sky off images of the same (ny, nx) pixels, and measure the stars of all in each.

    full: (ny, nx) bool arrays, saturated pixels.
    """
    levels, scatter = zip(*map(_sky, images), strict=True)
    flat = np.stack(
        [image - np.float32(level) for image, level in zip(images, levels, strict=True)]
    )
    bad = np.where(np.isfinite(flat), 0, PixelFlag.NOT_FINITE).astype(np.uint8)
    bad |= np.where(np.stack(list(full)), PixelFlag.SATURATED, 0).astype(np.uint8)
    # Each as loud as its noise, so that no image's stars drown in another's sky.
    joint = sum(np.nan_to_num(one) / rms for one, rms in zip(flat, scatter, strict=True))
    stars = detect(np.asarray(joint, np.float32), np.bitwise_or.reduce(bad), max_stars=MAX_STARS)
    flux, error, fwhm = _measured(flat, bad, stars)
    told = [_factor(flux[0], other, error[0], own) for other, own in zip(flux, error, strict=True)]
    factor, factor_err, number = map(np.array, zip(*told, strict=True))
    return Compared(flat, np.array(scatter), fwhm, factor, factor_err, number)


def _factor(
    first: np.ndarray, other: np.ndarray, first_err: np.ndarray, other_err: np.ndarray
) -> tuple[float, float, int]:
    """Multiply fluxes (n,) of one image to be the first's: by what, its error, by how many stars.

    The weighted median of the stars' ratios: up to half of them may be of another colour, have the
    line themselves, or stand on a nebula.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = first / other
        variance = (first_err / first) ** 2 + (other_err / other) ** 2 + FLOOR**2
    known = np.isfinite(ratio) & np.isfinite(variance) & (ratio > 0)
    if known.sum() < MIN_STARS:
        return float("nan"), float("nan"), int(known.sum())
    order = np.argsort(ratio[known])
    weight = np.cumsum(1 / variance[known][order])
    middle = float(ratio[known][order][np.searchsorted(weight, weight[-1] / 2)])
    pull = (ratio[known] / middle - 1) / np.sqrt(variance[known])
    # The median's own 1.25 sigma over root n, and no less scatter than the errors have.
    error = 1.25 * max(robust_scatter(pull), 1.0) / float(np.sqrt(weight[-1]))
    return middle, middle * error, int(known.sum())


def _sky(image: np.ndarray) -> tuple[float, float]:
    """Level and scatter of what is not stars; raises InputError where all pixels are alike."""
    bad = np.where(np.isfinite(image), 0, PixelFlag.NOT_FINITE).astype(np.uint8)
    sky = measure_sky(image, bad)
    if not sky.rms > 0:
        msg = f"an image has {(bad == 0).sum()} pixels with a value, all alike: there is no star"
        raise InputError(msg)
    return sky.level, sky.rms


def _measured(
    flat: np.ndarray, bad: np.ndarray, stars: Detections
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flux and error of the stars in every image, (n, n_star), and the FWHM there, (n,) pixels."""
    wide = float(np.nanmedian(stars.fwhm)) if np.isfinite(stars.fwhm).any() else 0.0
    radius = max(RADIUS_FWHM * wide, LEAST_RADIUS)
    sky = SKY_FWHM[0] * radius / RADIUS_FWHM, SKY_FWHM[1] * radius / RADIUS_FWHM
    flux, error, fwhm = (np.full((len(flat), len(stars)), np.nan) for _ in range(3))
    for k, image in enumerate(flat):
        phot = measure_stars(
            np.nan_to_num(image), bad[k], stars.x, stars.y, np.array([radius]), sky, NoiseModel()
        )
        good = (phot.flags[:, 0] & SPOILT) == 0
        flux[k], error[k] = np.where(good, phot.flux[:, 0], np.nan), phot.flux_err[:, 0]
        fwhm[k] = np.where(good, phot.fwhm, np.nan)
    known = np.isfinite(fwhm).any(axis=1)
    width = np.full(len(flat), np.nan)
    width[known] = np.nanmedian(fwhm[known], axis=1)
    return flux, error, width


def balanced(compared: Compared) -> tuple[np.ndarray, str]:
    """Choose by what each image is multiplied so that the mean star is white: (n,), and a note."""
    n = int(compared.stars.min())
    if not np.isfinite(compared.factor).all():
        spread = 1 / compared.sky_rms
        return spread / spread[0], f"balanced by the noise of the sky: {n} stars are on all images"
    return compared.factor, f"balanced by {n} stars, whose mean is white"


def in_colour(compared: Compared, factor: np.ndarray, percent: float) -> np.ndarray:
    """Make one picture in colour of three images: (ny, nx, 3) uint8 array.

    Up to three sigma of the sky by straight lines, above by logarithms (inverse hyperbolic sine,
    Lupton et al. 2004, PASP 116, 133), each image alike. A pixel that one lacks is black.

    percent: share of the pixels that is not white.
    """
    from astropy.visualization import AsinhStretch, ManualInterval, make_rgb

    images = compared.images * factor[:, None, None].astype(np.float32)
    rms = compared.sky_rms * factor
    white = float(np.nanpercentile(images, percent, axis=(1, 2)).max())
    white = max(white, 10 * float(rms.max()))
    soft = FAINT_SIGMA * float(rms.max()) / (white - BLACK_SIGMA * float(rms.max()))
    known = np.isfinite(images).all(axis=0)
    interval = [ManualInterval(BLACK_SIGMA * one, white) for one in rms]
    shown = make_rgb(*np.where(known, images, 0.0), interval, AsinhStretch(min(soft, 1.0)))
    return np.where(known[..., None], shown, np.uint8(0))


def without_continuum(
    line: np.ndarray, continuum: np.ndarray, full: Sequence[np.ndarray]
) -> tuple[np.ndarray, float, float, int]:
    """Subtract the continuum from an image of a line, (ny, nx) float32 arrays on the same pixels.

    The sharper is brought to the width of the other by a Gaussian; the scale is that at which the
    common stars vanish, without those that have the line themselves.

    Returns the image, the scale, its error, and the number of stars. Raises InputError when fewer
    than three stars tell the scale.
    """
    first = compare([line, continuum], full)
    matched = compare(_alike(first.images, first.fwhm_px), full)
    factor, number = float(matched.factor[1]), int(matched.stars[1])
    if not np.isfinite(factor):
        msg = (
            f"{number} stars are seen in both images: they do not tell the scale of the continuum; "
            f"give it by --scale"
        )
        raise InputError(msg)
    light = matched.images[0] - np.float32(factor) * matched.images[1]
    return light, factor, float(matched.factor_err[1]), number


def subtracted(line: np.ndarray, continuum: np.ndarray, scale: float) -> np.ndarray:
    """Subtract a continuum at a scale that is known, each without its sky."""
    return (line - _sky(line)[0]) - np.float32(scale) * (continuum - _sky(continuum)[0])


def _alike(images: np.ndarray, fwhm: np.ndarray) -> list[np.ndarray]:
    """Smooth images to the width of the widest."""
    wide = float(np.nanmax(fwhm)) if np.isfinite(fwhm).any() else float("nan")
    return [
        smoothed(image, float(np.sqrt(wide**2 - own**2)) / FWHM_PER_SIGMA)
        if wide > WIDER * own
        else image
        for image, own in zip(images, fwhm, strict=True)
    ]


def smoothed(image: np.ndarray, sigma: float) -> np.ndarray:
    """Convolve with a Gaussian of `sigma` pixels; holes stay holes, and spoil nothing beside."""
    from scipy.ndimage import gaussian_filter

    known = np.isfinite(image)
    weight = gaussian_filter(known.astype(np.float32), sigma, mode="nearest")
    light = gaussian_filter(np.where(known, image, np.float32(0)), sigma, mode="nearest")
    return np.where(known, light / np.maximum(weight, np.float32(1e-3)), np.float32(np.nan))
