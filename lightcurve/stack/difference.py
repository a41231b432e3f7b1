"""One image less another of the same field: the difference, its noise, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.errors import InputError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.robust import MAD_TO_SIGMA, robust_scatter
from lightcurve.phot.background import measure_background
from lightcurve.phot.circles import circle_sums
from lightcurve.stack.kernel import Kernel, fit_kernel, read_star
from lightcurve.stack.pictures import smoothed

MAX_STARS, NARROW, MIN_STARS_WANTED = 120, 11, 30  # of a kernel so wide, and of any
STAMP_FWHM = 2.5  # half the stamp of a star
CORE_FWHM = 1.0  # of a star, where what is left over tells how good the kernel is
# Of a peak: so deep a hole beside it, and it is a star that was not matched. Two like images of a
# star, a little off each other, have peak and hole 1.2 FWHM apart, seen through the PSF.
DIPOLE, DIPOLE_FWHM = 0.5, 1.2
HOLE_SIGMA = 3.5  # that the hole has: noise digs some of 2.5 beside every tenth peak
DARK_SIGMA = 3.0  # below the sky: what a star leaves that is gone is not
CORE_SHARE = 0.2  # of the peak: pixels above it are the core
SHARES = np.geomspace(1e-4, 1.0, 200)  # of a star's light that may be left over
SKY_FWHM, LEAST_SKY = 10.0, 32  # side of the cells in which what is left of the sky is told
MIN_STARS_LEFT = 6
LEAST_GRAIN = 0.1  # of the noise of both: with less, the two images are one
LINE_FWHM, LINE = 2.0, 0.5  # so far away on both sides a line has still this share of its light
UNLIKE = 3.0  # chi-square a pixel of a star's fit: noise alone gives as much to no one
BLUR = 1.7  # sigma of the PSF: blurred by it, it is twice as wide
SURER = 9.0  # of chi-square: three sigma
PSF_SHARE = 0.15  # of a star's peak, by which the PSF may be off where it is undersampled
WIDER = 1.03  # than the template an image is, or is made


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """The difference of two images on the same pixels: (ny, nx) float32 arrays, ADU of the first.

    light, error, model : the difference, its noise, and the template as the image would show it;
        NaN where either has no value.
    even : light through the PSF, each pixel alike. bare : that of a star at each pixel over its
        noise, sigma. score : the same, over the noise and what the kernel does not match of the
        light that is there. here : bare, of all the light that the image has there.
    psf : (m, m), of the first image, sum 1. fwhm : its stars', as they were subtracted.
    pixel : (k, k), what the light of one pixel has become, sum 1: the image may be smoothed.
    """

    light: np.ndarray
    error: np.ndarray
    model: np.ndarray
    even: np.ndarray
    bare: np.ndarray
    score: np.ndarray
    here: np.ndarray
    psf: np.ndarray
    fwhm: float
    pixel: np.ndarray
    kernel: Kernel
    stars: int  # that the kernel rests on
    left: float  # share of a star's light that the kernel does not match: one sigma
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
    from scipy.signal import fftconvolve

    sigma = _blur(*fwhm)
    image, image_variance = _blurred(image, image_variance, sigma)
    fwhm = max(fwhm[0], WIDER * fwhm[1]), fwhm[1]
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
    model = np.where(known, kernel.turn(np.nan_to_num(template)), np.nan)
    noise = image_variance + kernel.turn_variance(np.nan_to_num(template_variance))
    light = _without_sky(image - model, fwhm[0])
    seen = _through(light, model, np.where(known, noise, np.nan), psf)
    left = _left_over(seen, np.column_stack(stars), fwhm[0])
    score = seen.flux / np.hypot(seen.flux_err, left * np.maximum(seen.model, 0))
    return Difference(
        light=light.astype(np.float32),
        error=np.where(known, np.sqrt(noise), np.nan).astype(np.float32),
        model=model.astype(np.float32),
        even=fftconvolve(np.nan_to_num(light), psf[::-1, ::-1], "same").astype(np.float32),
        bare=(seen.flux / seen.flux_err).astype(np.float32),
        score=score.astype(np.float32),
        here=((seen.flux + seen.model) / seen.flux_err).astype(np.float32),
        psf=psf,
        fwhm=fwhm[0],
        pixel=_pixel(sigma),
        kernel=kernel,
        stars=int(used.sum()),
        left=left,
        grain=seen.grain,
    )


def _without_sky(light: np.ndarray, fwhm: float) -> np.ndarray:
    """Take off what is left of the two skies; NaN stays."""
    bad = np.where(np.isfinite(light), 0, PixelFlag.NOT_FINITE).astype(np.uint8)
    box = max(LEAST_SKY, round(SKY_FWHM * fwhm))
    sky = measure_background(np.asarray(light, np.float32), bad, box_px=box)
    return np.asarray(light - sky.level)


def _blur(fwhm: float, template_fwhm: float) -> float:
    """Sigma of what makes an image a little wider than its template; 0 where it is so already."""
    return float(np.sqrt(max((WIDER * template_fwhm) ** 2 - fwhm**2, 0.0))) / FWHM_PER_SIGMA


def _blurred(
    image: np.ndarray, variance: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth an image and its variance."""
    if not sigma:
        return image, variance
    # The square of a Gaussian is one of sigma / sqrt 2, and its sum 1 / (4 pi sigma^2).
    share = min(1 / (4 * np.pi * sigma**2), 1.0)
    return smoothed(image, sigma), smoothed(variance, sigma / np.sqrt(2)) * np.float32(share)


def _pixel(sigma: float) -> np.ndarray:
    """Tell what the light of one pixel becomes: (k, k), sum 1."""
    from scipy.ndimage import gaussian_filter

    half = int(np.ceil(4 * sigma))
    one = np.zeros((2 * half + 1,) * 2)
    one[half, half] = 1
    return np.asarray(gaussian_filter(one, sigma, mode="constant") if sigma else one)


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


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A difference seen through the PSF: (ny, nx) float arrays, NaN where half of a star is not.

    flux, flux_err : of a star at each pixel. model : what the template has there, seen alike.
    """

    flux: np.ndarray
    flux_err: np.ndarray
    model: np.ndarray
    grain: float


def _through(light: np.ndarray, model: np.ndarray, noise: np.ndarray, psf: np.ndarray) -> Seen:
    """Fit a star to each pixel, by the noise alone."""
    from scipy.signal import fftconvolve

    known = np.isfinite(light)
    weight = np.where(known, 1 / noise, 0.0)
    seen, square = psf[::-1, ::-1], (psf**2)[::-1, ::-1]
    information = np.maximum(fftconvolve(weight, square, "same"), 0)
    # A star of which half is missing is not one that is seen.
    whole = fftconvolve(known.astype(float), square, "same") > 0.5 * float((psf**2).sum())
    information = np.where(known & whole, information, np.nan)
    flux, under = (
        fftconvolve(weight * np.nan_to_num(one), seen, "same") / information
        for one in (light, model)
    )
    error = 1 / np.sqrt(information)
    # Resampling has tied the noise of neighbours: blank sky tells what one sigma is.
    grain = max(robust_scatter(flux / error), LEAST_GRAIN)
    return Seen(flux, grain * error, under, grain)


def _left_over(seen: Seen, places: np.ndarray, fwhm: float) -> float:
    """Share of stars' light that the kernel does not match, beyond what noise explains.

    In the cores of stars: so large that half of the pixels, and nine of ten, keep within what a
    normal distribution allows; the rest may be stars that have changed.
    """
    reach = int(np.ceil(CORE_FWHM * fwhm))
    share, error = [], []
    for x, y in np.rint(places).astype(int):
        cut = (slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1))
        under = np.nan_to_num(seen.model[cut])
        core = under > CORE_SHARE * under.max(initial=0.0)
        share.append(seen.flux[cut][core] / under[core])
        error.append(seen.flux_err[cut][core] / under[core])
    if sum(map(len, share)) < MIN_STARS_LEFT:
        return 0.0
    pull = np.abs(np.concatenate(share)) / np.hypot(np.concatenate(error), SHARES[:, None])
    too_many = np.percentile(pull, [50, 90], axis=1) > [[1 / MAD_TO_SIGMA], [1.645]]
    return float(SHARES[min(too_many.any(axis=0).sum(), len(SHARES) - 1)])


def find_changes(found: Difference, threshold: float, radius: float) -> list[Change]:
    """Find what is in one image alone: peaks of the score of either sign, the surest first.

    radius: in which their light is summed, pixels.
    """
    changes = []
    for sign in (1.0, -1.0):
        y, x = _peaks(found, sign, threshold)
        changes += [_change(found, sign, int(i), int(j)) for i, j in zip(x, y, strict=True)]
    changes.sort(key=lambda one: -abs(one.snr))
    flux = zip(*_fluxes(found, changes, radius), strict=True)
    return [
        replace(one, flux=float(light), flux_err=float(error))
        for one, (light, error) in zip(changes, flux, strict=True)
    ]


def _peaks(found: Difference, sign: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of peaks of the light whose score is over the threshold.

    Of the light, each pixel alike: what counts as noise under a star is highest in its middle.
    """
    from scipy.ndimage import maximum_filter

    size = 2 * int(np.ceil(found.fwhm)) + 1
    even, score = sign * found.even, np.nan_to_num(sign * found.score)
    y, x = np.nonzero((score >= threshold) & (even == maximum_filter(even, size=size)))
    return y, x


def _change(found: Difference, sign: float, i: int, j: int) -> Change:
    """Measure one peak, to a part of a pixel, and judge whether it looks like a star."""
    reach = int(np.ceil(1.5 * found.fwhm))
    ny, nx = found.light.shape
    cut = tuple(slice(max(k - reach, 0), min(k + reach + 1, n)) for k, n in ((j, ny), (i, nx)))
    even, bare = sign * found.even, sign * found.bare
    v, u = np.ogrid[cut]
    beside = np.hypot(u - i, v - j) <= DIPOLE_FWHM * found.fwhm
    hole = (even[cut] < -DIPOLE * even[j, i]) & (bare[cut] < -HOLE_SIGMA) & beside
    dx, dy = (_vertex(even, i, j, axis) for axis in (0, 1))
    reason = ""
    if hole.any():
        reason = "a dipole: a star that was not matched"
    elif sign < 0 and found.here[j, i] < -DARK_SIGMA:
        reason = "darker than the sky: no star that is gone"
    elif _is_sharp(found, i, j, (dx, dy)):
        reason = "a single pixel"
    elif _is_line(even, i, j, found.fwhm):
        reason = "a line: a trail, or an edge of either image"
    elif _is_unlike(found, i, j, (dx, dy)):
        reason = "not shaped like a star"
    elif not np.isfinite(found.light[cut]).all():
        reason = "beside pixels without a value"
    return Change(i + dx, j + dy, np.nan, np.nan, float(found.score[j, i]), reason)


def _is_sharp(found: Difference, i: int, j: int, off: tuple[float, float]) -> bool:
    """Tell whether one pixel explains a peak better than a star does: a hit, a hot pixel.

    All pixels alike: the light of a hit makes its own pixel the least certain.
    """
    from scipy.ndimage import shift

    reach = max(int(np.ceil(found.fwhm)), 2)
    light = np.nan_to_num(_cut(found.light, i, j, reach))
    star = _cut(shift(found.psf, off[::-1], order=3), *(len(found.psf) // 2,) * 2, reach)
    middle = len(found.pixel) // 2
    hits = (
        _cut(found.pixel, middle - u, middle - v, reach) for u in (-1, 0, 1) for v in (-1, 0, 1)
    )
    alone, whole = max(_explained(light, hit) for hit in hits), _explained(light, star)
    return alone > whole


def _explained(light: np.ndarray, shape: np.ndarray) -> float:
    """Tell how much of the square of the light a shape takes off, each pixel alike."""
    shape = np.nan_to_num(shape)
    return float((light * shape).sum() ** 2 / (shape**2).sum())


def _cut(image: np.ndarray, i: int, j: int, reach: int) -> np.ndarray:
    """Cut a square out about a column and a row; NaN beyond the image."""
    ny, nx = image.shape
    rows, columns = (np.arange(k - reach, k + reach + 1) for k in (j, i))
    there = np.asarray(image[np.ix_(rows.clip(0, ny - 1), columns.clip(0, nx - 1))], float)
    there[(rows < 0) | (rows >= ny)] = np.nan
    there[:, (columns < 0) | (columns >= nx)] = np.nan
    return there


def _is_line(even: np.ndarray, i: int, j: int, fwhm: float) -> bool:
    """Tell whether light goes on to both sides of a peak, in any one direction.

    Beyond the image it goes on as on the other side.
    """
    ny, nx = even.shape
    turn = np.radians(np.arange(0, 180, 22.5))
    along = np.rint(LINE_FWHM * fwhm * np.array([np.cos(turn), np.sin(turn)])).astype(int)
    sides = []
    for sign in (1, -1):
        u, v = i + sign * along[0], j + sign * along[1]
        inside = (u >= 0) & (u < nx) & (v >= 0) & (v < ny)
        light = even[np.clip(v, 0, ny - 1), np.clip(u, 0, nx - 1)]
        sides.append(np.where(inside, light, np.inf))
    both = np.minimum(*sides)
    return bool((np.isfinite(both) & (both > LINE * even[j, i])).any())


def _is_unlike(found: Difference, i: int, j: int, off: tuple[float, float]) -> bool:
    """Tell whether the PSF explains a peak badly, or one twice as wide far better."""
    from scipy.ndimage import gaussian_filter, shift

    reach = min(int(np.ceil(2 * found.fwhm)), len(found.psf) // 2)
    ny, nx = found.light.shape
    if not (reach <= i < nx - reach and reach <= j < ny - reach):
        return False
    cut = (slice(j - reach, j + reach + 1), slice(i - reach, i + reach + 1))
    middle = len(found.psf) // 2
    core = (slice(middle - reach, middle + reach + 1),) * 2
    star = shift(found.psf, off[::-1], order=3)
    wide = gaussian_filter(star, BLUR * found.fwhm / FWHM_PER_SIGMA, mode="constant")
    light = found.light[cut]
    weight = 1 / (found.error[cut] ** 2 + (found.left * found.model[cut]) ** 2)
    known = np.isfinite(light * weight)
    light, weight, star, wide = (one[known] for one in (light, weight, star[core], wide[core]))

    def explained(shape: np.ndarray) -> float:
        return float((light * shape * weight).sum() ** 2 / (shape**2 * weight).sum())

    if explained(wide) > explained(star) + found.grain**2 * SURER:
        return True
    flux = (light * star * weight).sum() / (star**2 * weight).sum()
    near = star > CORE_SHARE * star.max()
    allowed = 1 / weight + (PSF_SHARE * flux * star.max()) ** 2
    return bool(np.mean(((light - flux * star) ** 2 / allowed)[near]) > UNLIKE)


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
    under = np.maximum(circle_sums(found.model, x, y, radii)[:, 0], 0)
    return flux, np.hypot(found.grain * np.sqrt(variance), found.left * under)


def _vertex(light: np.ndarray, i: int, j: int, axis: int) -> float:
    """Vertex of the parabola through a peak and its neighbours: from -0.5 to 0.5 pixels."""
    k, n = ((i, light.shape[1]), (j, light.shape[0]))[axis]
    if not 0 < k < n - 1:
        return 0.0
    line = light[j, k - 1 : k + 2] if axis == 0 else light[k - 1 : k + 2, i]
    low, middle, high = map(float, line)
    bend = low - 2 * middle + high
    shift = 0.5 * (low - high) / bend if np.isfinite(bend) and bend < 0 else 0.0
    return float(np.clip(shift, -0.5, 0.5))
