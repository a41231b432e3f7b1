"""One image less another of the same field: the difference, its noise, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.errors import InputError
from lightcurve.core.robust import robust_scatter
from lightcurve.phot.aperture import circle_sums
from lightcurve.stack.kernel import Kernel, fit_kernel, read_star
from lightcurve.stack.pictures import smoothed

MAX_STARS, NARROW, MIN_STARS_WANTED = 120, 11, 30  # of a kernel so wide, and of any
STAMP_FWHM = 2.5  # half the stamp of a star
CORE_FWHM = 1.0  # of a star, where what is left over tells how good the kernel is
DIPOLE = 0.5  # of a peak: so deep a hole beside it, and it is a star that was not matched
CORE_SHARE = 0.2  # of the peak: pixels above it are the core
MIN_STARS_LEFT = 6
WIDER = 1.03  # than the template an image is, or is made


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """The difference of two images on the same pixels: (ny, nx) float32 arrays, ADU of the first.

    light, error : NaN where either has no value. score : light through the PSF over its error, in
    sigma. psf : (m, m), of the first image, sum 1. fwhm : its stars', as they were subtracted.
    """

    light: np.ndarray
    error: np.ndarray
    score: np.ndarray
    psf: np.ndarray
    fwhm: float
    kernel: Kernel
    stars: int  # that the kernel rests on
    left: float  # of a star's light, where it is brightest, that the kernel does not match
    grain: float  # scatter of the score of blank sky before it was made 1


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is in one image and not in the other; x, y pixels, flux ADU."""

    x: float
    y: float
    flux: float
    flux_err: float
    snr: float
    reason: str  # why it is no source; empty where it looks like one


def subtract(
    image: np.ndarray,
    image_variance: np.ndarray,
    template: np.ndarray,
    template_variance: np.ndarray,
    stars: tuple[np.ndarray, np.ndarray],
    fwhm: tuple[float, float],
) -> Difference:
    """Subtract a template from an image of the same pixels.

    The template is convolved to what the image shows; where it is the wider, the image is smoothed
    first, for nothing sharpens a template but at the price of noise. Noise of both counts, and with
    it what bright stars leave over: a share of their light, as measured.

    image, template : (ny, nx) float arrays above the sky, NaN where there is no value.
    image_variance, template_variance : (ny, nx), of each pixel, its photons included.
    stars : x and y of stars that are whole on both, bright ones first.
    fwhm : of image and template, pixels.
    """
    image, image_variance, width = _no_sharper(image, image_variance, *fwhm)
    fwhm = width, fwhm[1]
    half = kernel_half(*fwhm)
    reach = int(np.ceil(STAMP_FWHM * fwhm[0]))
    variance = image_variance + np.float32(_scale(image, template)) ** 2 * template_variance
    cut = (
        read_star(template, image, variance, place, reach, half)
        for place in zip(*stars, strict=True)
    )
    whole = list(islice((star for star in cut if star is not None), _enough(half)))
    kernel, used = fit_kernel(whole, half, image.shape)
    psf = mean_star(image, [(s.x, s.y) for s, one in zip(whole, used, strict=True) if one], fwhm[0])
    known = np.isfinite(image) & _whole(np.isfinite(template), kernel)
    model = kernel.turn(np.nan_to_num(template))
    noise = image_variance + kernel.turn_variance(np.nan_to_num(template_variance))
    light = np.where(known, image - model, np.nan)
    places = np.array([(s.x, s.y) for s in whole])
    left = _left_over(light, model, noise, places, fwhm[0])
    noise = noise + (left * model) ** 2
    return _scored(light, noise, psf, kernel, (fwhm[0], int(used.sum()), left))


def _no_sharper(
    image: np.ndarray, variance: np.ndarray, fwhm: float, template_fwhm: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Smooth an image that is sharper than the template to a little wider; and its FWHM then."""
    wanted = WIDER * template_fwhm
    if fwhm >= wanted:
        return image, variance, fwhm
    sigma = float(np.sqrt(wanted**2 - fwhm**2)) / FWHM_PER_SIGMA
    # The square of a Gaussian is one of sigma / sqrt 2, and its sum 1 / (4 pi sigma^2).
    share = min(1 / (4 * np.pi * sigma**2), 1.0)
    quieter = smoothed(variance, sigma / np.sqrt(2)) * np.float32(share)
    return smoothed(image, sigma), quieter, wanted


def kernel_half(image_fwhm: float, template_fwhm: float) -> int:
    """Half the size of the kernel: what widens the one to the other, and a pixel of shift."""
    wider = np.sqrt(abs(image_fwhm**2 - template_fwhm**2)) / FWHM_PER_SIGMA
    return int(np.clip(np.ceil(3 * wider + 0.5 * min(image_fwhm, template_fwhm)) + 1, 3, 12))


def _enough(half: int) -> int:
    """How many stars tell a kernel: fewer of a wide one, whose stamps have more pixels each."""
    size = max(2 * half + 1, NARROW)
    return max(MAX_STARS * NARROW**2 // size**2, MIN_STARS_WANTED)


def _scale(image: np.ndarray, template: np.ndarray) -> float:
    """Tell roughly how much brighter the image is, by its brightest pixels."""
    both = np.isfinite(image) & np.isfinite(template)
    high = [float(np.percentile(one[both], 99.5)) for one in (image, template)]
    return high[0] / high[1] if min(high) > 0 else 1.0


def _whole(known: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Pixels whose kernel rests on known pixels of the template alone."""
    from scipy.ndimage import minimum_filter

    return np.asarray(minimum_filter(known, size=kernel.planes.shape[1], mode="constant"))


def mean_star(image: np.ndarray, places: list[tuple[float, float]], fwhm: float) -> np.ndarray:
    """Average stars, each moved to the middle of a pixel: (m, m), sum 1.

    places: x, y of stars, pixels. Raises InputError where none is whole.
    """
    from scipy.ndimage import map_coordinates, spline_filter

    half = int(np.ceil(2.0 * fwhm)) + 1
    smooth = spline_filter(np.nan_to_num(image), order=3)
    v, u = np.mgrid[-half : half + 1, -half : half + 1]
    found = []
    for x, y in places:
        stamp = map_coordinates(smooth, [v + y, u + x], order=3, prefilter=False, cval=np.nan)
        if np.isfinite(stamp).all() and stamp.sum() > 0:
            found.append(stamp / stamp.sum())
    if not found:
        msg = "no star is whole on the image: its PSF cannot be told"
        raise InputError(msg)
    mean = np.median(found, axis=0)
    mean[np.hypot(u, v) > half] = 0
    return np.asarray(mean / mean.sum())


def _left_over(
    light: np.ndarray, model: np.ndarray, noise: np.ndarray, places: np.ndarray, fwhm: float
) -> float:
    """Share of stars' light that stays in their cores: pixel by pixel, and star by star.

    Beyond noise, by the scatter of the pixels' shares; and the share of whole stars that nine of
    ten keep below, over 1.645, for clouds and clipped cores change a part of them alone.
    """
    reach = int(np.ceil(CORE_FWHM * fwhm))
    pixels, errors, stars = [], [], []
    for x, y in np.rint(places).astype(int):
        cut = (slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1))
        good = (model[cut] > CORE_SHARE * np.max(model[cut])) & np.isfinite(light[cut])
        if good.any():
            pixels.append(light[cut][good] / model[cut][good])
            errors.append(noise[cut][good] / model[cut][good] ** 2)
            total = float(model[cut][good].sum())
            stars.append((light[cut][good].sum() / total, noise[cut][good].sum() / total**2))
    if len(stars) < MIN_STARS_LEFT:
        return 0.0
    beyond = robust_scatter(np.concatenate(pixels)) ** 2 - np.median(np.concatenate(errors))
    share, error = np.array(stars).T
    whole = np.percentile(np.abs(share), 90) / 1.645
    return float(np.sqrt(max(beyond, whole**2 - np.median(error), 0.0)))


def _scored(
    light: np.ndarray,
    noise: np.ndarray,
    psf: np.ndarray,
    kernel: Kernel,
    told: tuple[float, int, float],
) -> Difference:
    """Look through the PSF: the flux of a star at each pixel, its error, and its score."""
    from scipy.signal import fftconvolve

    known = np.isfinite(light)
    weight = np.where(known, 1 / noise, 0.0)
    seen, square = psf[::-1, ::-1], (psf**2)[::-1, ::-1]
    information = np.maximum(fftconvolve(weight, square, "same"), 0)
    total = fftconvolve(weight * np.nan_to_num(light), seen, "same")
    # A star of which half the weight is missing is not one that is seen.
    half = 0.5 * float((psf**2).sum()) * float(np.median(weight[known]))
    there = known & (information > np.minimum(half, 0.5 * np.median(information[known])))
    flux = np.where(there, total / np.where(there, information, 1), np.nan)
    error = np.where(there, 1 / np.sqrt(np.where(there, information, 1)), np.nan)
    score = flux / error
    # Resampling has tied the noise of neighbours: blank sky tells what one sigma is.
    grain = max(robust_scatter(score), 1e-6)
    return Difference(
        light=light.astype(np.float32),
        error=np.where(known, np.sqrt(noise), np.nan).astype(np.float32),
        score=(score / grain).astype(np.float32),
        psf=psf,
        fwhm=told[0],
        kernel=kernel,
        stars=told[1],
        left=told[2],
        grain=grain,
    )


def find_changes(found: Difference, threshold: float, radius: float) -> list[Change]:
    """Find what is in one image alone: peaks of the score of either sign, the surest first.

    radius: in which their light is summed, pixels.
    """
    changes = []
    for sign in (1.0, -1.0):
        score = np.nan_to_num(sign * found.score)
        y, x = _peaks(score, threshold, found.fwhm)
        changes += [_change(found, sign, int(i), int(j)) for i, j in zip(x, y, strict=True)]
    changes.sort(key=lambda one: -abs(one.snr))
    flux = zip(*_fluxes(found, changes, radius), strict=True)
    return [
        replace(one, flux=float(light), flux_err=float(error))
        for one, (light, error) in zip(changes, flux, strict=True)
    ]


def _peaks(score: np.ndarray, threshold: float, fwhm: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.ndimage import maximum_filter

    size = 2 * int(np.ceil(fwhm)) + 1
    y, x = np.nonzero((score >= threshold) & (score == maximum_filter(score, size=size)))
    return y, x


def _change(found: Difference, sign: float, i: int, j: int) -> Change:
    """Measure one peak, to a part of a pixel, and judge whether it looks like a star."""
    reach = int(np.ceil(1.5 * found.fwhm))
    cut = (slice(max(j - reach, 0), j + reach + 1), slice(max(i - reach, 0), i + reach + 1))
    score = sign * found.score
    peak = float(score[j, i])
    dx, dy = (_vertex(score, i, j, 0), _vertex(score, i, j, 1))
    reason = ""
    if -float(np.nanmin(score[cut])) > DIPOLE * peak:
        reason = "a dipole: a star that was not matched"
    elif _is_sharp(found, i, j):
        reason = "a single pixel"
    elif not np.isfinite(found.light[cut]).all():
        reason = "beside pixels without a value"
    return Change(i + dx, j + dy, np.nan, np.nan, sign * peak, reason)


def _is_sharp(found: Difference, i: int, j: int) -> bool:
    """Tell whether one pixel explains a peak better than a star does: a hit, a hot pixel.

    By what each takes off chi-square: the PSF the square of the score, a pixel that of its own
    light over its error.
    """
    cut = (slice(max(j - 1, 0), j + 2), slice(max(i - 1, 0), i + 2))
    alone = np.nan_to_num(found.light[cut] / found.error[cut]) ** 2
    return float(alone.max()) > float(found.grain * found.score[j, i]) ** 2


def _fluxes(
    found: Difference, changes: Sequence[Change], radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the difference in circles: (n,) fluxes and errors, ADU, NaN over pixels without value.

    Circles, not the PSF: of stars a pixel or two wide the PSF at another place in the pixel is not
    known well enough, and magnitudes are those of the frame's own aperture.
    """
    x, y = (np.array([getattr(one, name) for one in changes]) for name in ("x", "y"))
    radii = np.array([radius])
    flux = circle_sums(found.light, x, y, radii)[:, 0]
    variance = circle_sums(found.error**2, x, y, radii)[:, 0]
    return flux, found.grain * np.sqrt(variance)


def _vertex(score: np.ndarray, i: int, j: int, axis: int) -> float:
    """Vertex of the parabola through a peak and its neighbours: from -0.5 to 0.5 pixels."""
    k, n = ((i, score.shape[1]), (j, score.shape[0]))[axis]
    if not 0 < k < n - 1:
        return 0.0
    line = score[j, k - 1 : k + 2] if axis == 0 else score[k - 1 : k + 2, i]
    low, middle, high = map(float, line)
    bend = low - 2 * middle + high
    shift = 0.5 * (low - high) / bend if np.isfinite(bend) and bend < 0 else 0.0
    return float(np.clip(shift, -0.5, 0.5))
