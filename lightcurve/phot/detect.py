"""Find the stars of one frame: all peaks of a matched filter, or only the bright ones and quickly.

The matched filter is a triangle [1 2 3 2 1] along each axis, two running sums of three pixels:
sigma 1.15 px, right for FWHM 3, with little loss from 2 to 5. Where stars are wider (out of focus a
ring, trailed a bar), the frame is looked at in coarser grains, squares of pixels averaged, until
they are compact: a ring is then one source like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import Detections
from lightcurve.core.errors import InputError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.robust import known_median
from lightcurve.phot.background import SmoothSky, measure_sky, subtract_sky
from lightcurve.phot.centroid import peak_width, windowed_centroid
from lightcurve.phot.cutouts import gather, square_offsets, take_offsets
from lightcurve.phot.grains import (
    AROUND_PX,
    GRAINS,
    coarse,
    half_light_diameter,
    share_within,
)
from lightcurve.phot.smooth import smoothed_by

__all__ = ["detect", "single_pixels", "unusable"]

HALF_KERNEL = 2
KERNEL_SUM = 81.0
KERNEL_ROOT_SQUARES = 19 / 81  # root of the sum of squares of the kernel, as a share of its sum
MIN_NEIGHBOUR = 0.15  # of the peak: light beside it; a star of FWHM 1.5 px has 0.29, a spike none
NEARBY = 0.5  # of the brightest square: light off its row and column; a star of FWHM 2 has 1.5
CHUNK_PIXELS = 65536  # two float32 blocks of it fit the cache of one core
MAX_STEPS = 3  # of two pixels each, from the highest pixel of a star to its filtered peak
# Rows, columns, and heights in the filtered frame, ADU times `KERNEL_SUM`.
Peaks = tuple[np.ndarray, np.ndarray, np.ndarray]
# Of one pixel's noise, which alone does not reach it. In a rich field the brightest stars are
# enough, and nobody looks at the fainter ones.
BRIGHT_SIGMAS = (30.0, 6.0)
# So many bright pixels are followed for each star wanted: some lead to the same star, and with only
# twice as many a third of a crowd's brightest are missed.
SPARE = 3
HALF_BOX = 5
CROSS = np.array([0, -1, 1, 0, 0]), np.array([0, 0, 0, -1, 1])  # dx, dy: a pixel and those beside
FULL = 0.95  # of saturation: such a pixel may be a flat top
SPIKE_SIGMA = 3.0  # noise beside a peak that is allowed for: faint stars are no spikes
SINGLE_SIGMA, BESIDE_PX = 5.0, 2.8  # of a pixel's noise; 2 sqrt(2): from the middle of 4 pixels
NARROWEST_SIGMA = 0.4  # px; a narrower kernel is a single pixel
JUDGED = 20  # brightest stars that tell whether they are compact
# Of the light within 6.5 px, that within 4: of a line, as of a thin ring or a trail, it is 4 / 6.5
# and a little more with noise. Round stars are taken as they are to a FWHM of 7 px, others to 6.
COMPACT = 0.74
CLEARLY = 0.2
# Peaks that settle on places so near, in pixels, are pieces of one star.
SAME_PX = 1.5
QUICK = 5  # steps to a centroid: those that need more are blends, and no help to registration


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A frame, maybe in coarser grains, and the sky to be taken off it."""

    pixels: np.ndarray  # (ny, nx), ADU, row by row in memory, as `bad` is
    bad: np.ndarray  # (ny, nx) uint8, `PixelFlag` bits
    sky: SmoothSky
    grain: int = 1

    def at(self, x: np.ndarray, y: np.ndarray, offsets: tuple[np.ndarray, ...]) -> np.ndarray:
        """Pick the pixels (m, n) at offsets dx, dy (m,) from stars (n,), less their sky, ADU.

        0 in bad pixels other than saturated ones, NaN outside the frame. A row for each offset: so
        what is done to all stars is done to one stretch of memory.
        """
        ny, nx = self.pixels.shape
        dx, dy = (offset[:, None] for offset in offsets)
        place = (y * nx + x) + (dy * nx + dx)
        light = self.pixels.ravel().take(place, mode="clip") - self.sky.at(x, y)
        spoilt = unusable(self.bad.ravel().take(place, mode="clip"))
        if spoilt.any():
            light[spoilt] = 0.0
        reach = int(offsets[0].max())
        cut = np.flatnonzero((np.minimum(x, y) < reach) | (x >= nx - reach) | (y >= ny - reach))
        if cut.size:  # what was picked over an edge came from another row
            column, row = x[cut] + dx, y[cut] + dy
            inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
            light[:, cut] = np.where(inside, light[:, cut], np.nan)
        return light

    def around(self, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
        """Cut squares (2 half + 1, 2 half + 1, n) around stars as `at` does."""
        side = 2 * half + 1
        return self.at(x, y, square_offsets(half)).reshape(side, side, len(x))

    def whole(self) -> np.ndarray:
        """All of the frame, less the sky, ADU; 0 in bad pixels other than saturated ones."""
        light = subtract_sky(self.pixels, self.sky)
        light[unusable(self.bad)] = 0.0
        return light


@np.errstate(over="ignore", invalid="ignore")  # sums of absurd pixels are infinite, and no peak
def detect(
    pixels: np.ndarray,
    bad: np.ndarray | None = None,
    *,
    threshold_sigma: float = 5.0,
    max_stars: int = 300,
    saturation_adu: float | None = None,
) -> Detections:
    """Detect stars, brightest first, as peaks of the frame after a matched filter.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU; NaN are no star.
    bad : (ny, nx) uint8 array, optional
        Hot, dead and non-finite pixels are filled with the sky; saturated ones are kept, for the
        brightest stars help to register.
    threshold_sigma : float
        Height above the sky in units of the filtered frame's noise.
    max_stars : int
        Only so many of the brightest.
    saturation_adu : float, optional
        A flat top at this level is one star, whatever its neighbours are like.

    Raises
    ------
    InputError
        When the image is too small for a star to be told from the sky.
    """
    if min(pixels.shape) < 4 * HALF_BOX:
        msg = f"an image of {pixels.shape[1]} x {pixels.shape[0]} px is too small to find stars in"
        raise InputError(msg)
    if bad is None:
        bad = np.where(np.isfinite(pixels), 0, PixelFlag.NOT_FINITE).astype(np.uint8)
    pixels, bad = np.ascontiguousarray(pixels), np.ascontiguousarray(bad)
    wanted = threshold_sigma, max_stars, saturation_adu
    light = Light(pixels, bad, measure_sky(pixels, bad))
    peaks = _find(light, *wanted)
    compact = least = _compactness(light, peaks)
    softer, spoilt = light, None
    for grain in GRAINS:
        if compact >= COMPACT or min(pixels.shape) < 4 * HALF_BOX * grain:
            break
        if spoilt is None:
            spoilt = unusable(bad) | _single_pixels(light)
        small, small_bad = coarse(pixels, spoilt, grain)
        coarser = Light(small, small_bad, measure_sky(small, small_bad), grain)
        wider = _find(coarser, *wanted)
        share = _compactness(coarser, wider)
        # In a crowd no grain may do; the best must then be clearly better than none.
        if share > compact and (share >= COMPACT or share > least + CLEARLY):
            softer, peaks, compact = coarser, wider, share
    return _enlarged(_describe(softer, *peaks[:2]), light, softer.grain)


def _find(
    light: Light, threshold_sigma: float, max_stars: int, saturation_adu: float | None
) -> Peaks:
    """Find the peaks that are stars, brightest first."""
    lowest = threshold_sigma * light.sky.rms * KERNEL_ROOT_SQUARES
    full = None if saturation_adu is None else saturation_adu - light.sky.level
    peaks = _stars(light, lowest, max_stars, full)
    brightest = np.argsort(-peaks[2], kind="stable")[:max_stars]
    y, x, height = (values[brightest] for values in peaks)
    return y, x, height


def _compactness(light: Light, peaks: Peaks) -> float:
    """Tell how far the brightest peaks are whole stars, and not pieces of something wider."""
    y, x = (place[:JUDGED] for place in peaks[:2])
    share = share_within(np.moveaxis(light.around(x, y, AROUND_PX), 2, 0), light.sky.rms)
    return float(np.nan_to_num(known_median(share)))


def _single_pixels(light: Light) -> np.ndarray:
    """Mark the pixels (ny, nx) that stand alone out of the sky: wide stars have none such."""
    alone = np.zeros(light.pixels.shape, bool)
    y, x, _ = bright_maxima(light, BRIGHT_SIGMAS[-1] * light.sky.rms)
    spike = _is_spike(light.around(x, y, 2), None)
    alone[y[spike], x[spike]] = True
    return alone


def _enlarged(stars: Detections, light: Light, grain: int) -> Detections:
    """Give the stars of a frame seen in coarser grains the pixels of the frame."""
    if grain == 1:
        return stars
    x, y = (grain * place + (grain - 1) / 2 for place in (stars.x, stars.y))
    around = int(np.ceil(np.nanmedian(stars.fwhm) * grain)) if len(stars) else 0
    column, row = (np.rint(place).astype(int) for place in (x, y))
    boxes = (
        gather(light.pixels, x0, y0, around)
        for x0, y0 in zip(column[:, None], row[:, None], strict=True)
    )
    peak = [np.nanmax(box, initial=-np.inf) for box in boxes]
    return replace(
        stars, x=x, y=y, peak=np.array(peak, dtype=float), flux=grain**2 * stars.flux,
        fwhm=grain * stars.fwhm, sky=light.sky.level, sky_rms=light.sky.rms, grain=grain,
    )  # fmt: skip


def all_peaks(light: Light, lowest: float) -> Peaks:
    """Find all peaks of the filtered frame higher than `lowest` there, ADU, in reading order."""
    smooth = _triangle_filter(light.whole())
    y, x = local_maxima(smooth, lowest * KERNEL_SUM)
    return y, x, smooth[y, x]


def bright_maxima(light: Light, threshold: float) -> Peaks:
    """Find the good pixels so far above the sky, ADU, that no neighbour tops, without any filter.

    A mean of pixels is over a threshold only where one of them is: these lead to the peaks of the
    filtered frame, wherever noise alone does not reach the threshold. The rim is left out, and
    heights are those above the sky.
    """
    y, x = _topped(light.pixels, _bright(light, np.float32(threshold)))
    height = light.pixels[y, x] - light.sky.at(x, y)
    high = (height > threshold) & ~unusable(light.bad[y, x])
    return y[high], x[high], height[high]


def _bright(light: Light, threshold: np.float32) -> np.ndarray:
    """Find all pixels so far above the sky, numbered in reading order, and some nearly so."""
    pixels, sky = light.pixels, light.sky
    lowest = sky.lines.min()
    if sky.lines.max() - lowest < threshold / 2:
        return np.flatnonzero(pixels > lowest + threshold)
    found = []
    for rows, above, below in sky.bands():
        band = np.flatnonzero(pixels[rows] > np.minimum(above, below) + threshold)
        found.append(band + rows.start * pixels.shape[1])
    return np.concatenate(found)


def follow(light: Light, maxima: Peaks, lowest: float, limit: int) -> Peaks:
    """Go from the highest `limit` of `maxima` to the nearest peaks of the filtered frame.

    Each peak once, in reading order, those over `lowest` (ADU in the filtered frame).
    """
    y, x, bright = maxima
    highest = np.argsort(-bright, kind="stable")[:limit]
    y, x, height = _climb(light, y[highest], x[highest])
    high = height > lowest * KERNEL_SUM
    return y[high], x[high], height[high]


def _triangle_filter(light: np.ndarray) -> np.ndarray:
    """Convolve with ``[1 2 3 2 1]`` both ways, times `KERNEL_SUM`; 0 within 2 px of the edge."""
    ny, nx = light.shape
    smooth = np.empty_like(light)
    smooth[:HALF_KERNEL] = smooth[-HALF_KERNEL:] = 0.0
    smooth[:, :HALF_KERNEL] = smooth[:, -HALF_KERNEL:] = 0.0
    rows = max(CHUNK_PIXELS // nx, HALF_KERNEL)
    a, b = np.empty((2, rows + 2 * HALF_KERNEL, nx), np.float32)
    for start in range(0, ny - 2 * HALF_KERNEL, rows):
        block = light[start : start + rows + 2 * HALF_KERNEL]
        n = len(block) - 2 * HALF_KERNEL
        _sum_three(block, a[: n + 2], 0)
        _sum_three(a[: n + 2], b[:n], 0)
        _sum_three(b[:n], a[:n, : nx - 2], 1)
        first = start + HALF_KERNEL
        inside = smooth[first : first + n, HALF_KERNEL : nx - HALF_KERNEL]
        _sum_three(a[:n, : nx - 2], inside, 1)
    return smooth


def _sum_three(values: np.ndarray, out: np.ndarray, axis: int) -> None:
    """Add each three neighbours along an axis; `out` is two shorter."""
    first, middle, last = (
        values[k : values.shape[0] - 2 + k] if axis == 0 else values[:, k : values.shape[1] - 2 + k]
        for k in range(3)
    )
    np.add(first, middle, out=out)
    out += last


def local_maxima(smooth: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels above a threshold that no neighbour tops, in reading order, without the rim.

    Of equal neighbours the first is taken.
    """
    return _topped(smooth, np.flatnonzero(smooth > threshold))


def _topped(image: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of those places, numbered in reading order, that no neighbour tops."""
    ny, nx = image.shape
    flat = image.ravel()
    value = flat.take(place)
    for step in (1, nx, nx - 1, nx + 1):
        before, after = (flat.take(place + s, mode="clip") for s in (-step, step))
        # Of two equal neighbours the first in reading order is the peak; NaN tops nothing.
        stays = np.flatnonzero(~((before >= value) | (after > value)))
        place, value = place[stays], value[stays]
    y, x = np.divmod(place, nx)
    inside = (x > 0) & (x < nx - 1) & (y > 0) & (y < ny - 1)
    return y[inside], x[inside]


def _climb(light: Light, y: np.ndarray, x: np.ndarray) -> Peaks:
    """Go from bright pixels to the nearest peaks of the filtered frame, each of them once."""
    ny, nx = light.pixels.shape
    side = 2 * HALF_KERNEL + 1
    peaks, heights = [np.zeros(0, int)], [np.zeros(0, np.float32)]
    for _ in range(MAX_STEPS):
        inside = (np.minimum(x, y) >= HALF_KERNEL) & (x < nx - HALF_KERNEL) & (y < ny - HALF_KERNEL)
        y, x = y[inside], x[inside]
        smooth = _filtered(light.around(x, y, 2 * HALF_KERNEL)).reshape(side**2, len(x))
        dy, dx = np.divmod(smooth.argmax(axis=0), side)
        y, x = y + dy - HALF_KERNEL, x + dx - HALF_KERNEL
        there = (dy % (side - 1) > 0) & (dx % (side - 1) > 0)  # not on the squares' rim
        peaks.append((y * nx + x)[there])
        heights.append(smooth.max(axis=0)[there])
        y, x = y[~there], x[~there]
        if not len(y):
            break
    place, first = np.unique(np.concatenate(peaks), return_index=True)
    return *np.divmod(place, nx), np.concatenate(heights)[first]


def _filtered(boxes: np.ndarray) -> np.ndarray:
    """Filter boxes (m, m, n), leaving a rim of two pixels off; -inf where a pixel is missing."""
    for _ in range(2):
        boxes = boxes[:-2] + boxes[1:-1] + boxes[2:]
        boxes = boxes[:, :-2] + boxes[:, 1:-1] + boxes[:, 2:]
    return np.where(np.isfinite(boxes), boxes, -np.inf)


def unusable(bad: np.ndarray) -> np.ndarray:
    """Tell the pixels, (ny, nx) bool, that count as sky: bad ones, but a saturated star is a star.

    bad: (ny, nx) uint8 array of `PixelFlag` bits.
    """
    return (bad & ~np.uint8(PixelFlag.SATURATED)) != 0


def single_pixels(
    light: np.ndarray, rms: np.ndarray, good: np.ndarray, fwhm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find pixels that are brighter than any star as wide as the frame's would let them be.

    Hot ones and cosmic rays, also those on a star. light: (ny, nx) float array above the sky; rms:
    of one pixel; good: (ny, nx) bool array; others are not looked at. fwhm: of the stars, pixels.
    Returns rows and columns, (n,) each.
    """
    y, x = local_maxima(light, 0.0)
    bright = good[y, x] & (light[y, x] > SINGLE_SIGMA * rms[y, x])
    y, x = y[bright], x[bright]
    # Half of what a star between four pixels has on the second lowest of those beside its highest.
    share = 0.5 * 2 ** -((BESIDE_PX / fwhm) ** 2)
    box = np.moveaxis(gather(light, x, y, 2), 0, 2) / rms[y, x]
    alone = spikes(box, SPIKE_SIGMA, max(MIN_NEIGHBOUR, share))[0]
    # Of stars sharper than a pixel the bright ones show that there is light beside the peak.
    alone &= spikes(box, share=share)[0]
    return y[alone], x[alone]


def spikes(
    box: np.ndarray, noise: float = 0.0, share: float = MIN_NEIGHBOUR
) -> tuple[np.ndarray, np.ndarray]:
    """Tell single bright pixels (hot, cosmic rays) from stars by the light beside the peak.

    box : (5, 5, n), the peak within the middle 3 x 3; `noise` of a pixel beside it is allowed for;
    share: of the peak, that a star has beside it.
    Returns whether each is a spike, and its highest pixel: (n,) arrays.
    """
    side, star = len(box), np.arange(box.shape[2])
    middle = box[1:-1, 1:-1].reshape((side - 2) ** 2, len(star))
    y, x = np.divmod(middle.argmax(axis=0), side - 2)
    place = ((y + 1) * side + x + 1) * len(star) + star
    steps = (step * len(star) for step in (-side, side, -1, 1))
    around = [box.ravel().take(place + step) for step in steps]
    peak = middle.max(axis=0)
    return _second_lowest(*around) < share * peak - noise, peak


def _second_lowest(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Of four neighbours of a pixel: a bad column lights up two opposite ones, a star three."""
    lower = np.maximum(np.minimum(a, b), np.minimum(c, d))
    return np.minimum(lower, np.minimum(np.maximum(a, b), np.maximum(c, d)))


def _stars(light: Light, lowest: float, wanted: int, full: float | None) -> Peaks:
    """Find the peaks that are stars; only the bright ones where there are as many as wanted."""
    if light.sky.rms == 0:  # no pixel is usable
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    for sigma in BRIGHT_SIGMAS:
        maxima = bright_maxima(light, max(sigma * light.sky.rms, lowest))
        if len(maxima[0]) < wanted:
            continue
        maxima = _without_lone(light, maxima, full)
        stars = _without_spikes(light, follow(light, maxima, lowest, SPARE * wanted), full)
        if len(stars[0]) >= wanted:
            return stars
    return _without_spikes(light, all_peaks(light, lowest), full)


def _without_lone(light: Light, maxima: Peaks, full: float | None) -> Peaks:
    """Leave out pixels, higher than all about them, that are spikes: there may be many of these."""
    if light.grain > 1:
        return _without_spikes(light, maxima, full)
    y, x, _ = maxima
    peak, *around = light.at(x, y, CROSS)
    star = _second_lowest(*around) >= MIN_NEIGHBOUR * peak
    if full is not None:
        star |= peak >= FULL * full
    return _only(maxima, star)


def _without_spikes(light: Light, peaks: Peaks, full: float | None) -> Peaks:
    y, x, _ = peaks
    box = light.around(x, y, 2)
    return _only(peaks, ~(_is_spike(box, full) if light.grain == 1 else _is_alone(box)))


def _only(peaks: Peaks, kept: np.ndarray) -> Peaks:
    y, x, height = peaks
    return y[kept], x[kept], height[kept]


def _is_spike(box: np.ndarray, full: float | None) -> np.ndarray:
    """Tell spikes from stars in boxes (5, 5, n); over the frame's edge are no stars."""
    spike, peak = spikes(box)
    spike |= peak <= 0
    if full is not None:
        spike &= peak < FULL * full
    return spike | np.isnan(box).any(axis=(0, 1))


def _is_alone(box: np.ndarray) -> np.ndarray:
    """Tell hot pixels and columns where pixels are averaged: all light is in the peak's own lines.

    Beside the brightest square of a ring may be the dark of its hole. box: (m, m, n).
    """
    side, star = len(box), np.arange(box.shape[2])
    y, x = np.divmod(box.reshape(side**2, len(star)).argmax(axis=0), side)
    highest = box[y, x, star]
    beside = box.sum(axis=(0, 1)) - box.sum(axis=1)[y, star] - box.sum(axis=0)[x, star] + highest
    return ~(beside > NEARBY * highest)


def _describe(light: Light, y: np.ndarray, x: np.ndarray) -> Detections:
    """Centroid, flux, peak and width of the stars at the peaks."""
    sky, grain = light.sky, light.grain
    if len(x) == 0:
        none = np.zeros(0)
        return Detections(none, none, none, none, none, sky.level, sky.rms)
    box = light.around(x, y, HALF_BOX)
    star = np.moveaxis(box, 2, 0)
    none = np.zeros(len(x))
    width = (
        peak_width(star) if grain == 1 else half_light_diameter(star, none, none) / FWHM_PER_SIGMA
    )
    sigma = known_median(width)
    dx, dy = windowed_centroid(star, max(sigma, 0.8), iterations=QUICK)
    offset = np.arange(-HALF_BOX, HALF_BOX + 1, dtype=np.float32)[:, None]
    u, v = (offset - d.astype(np.float32) for d in (dx, dy))
    inside = np.where(u**2 + (v**2)[:, None] < HALF_BOX**2, box, np.float32(0))
    # In coarse grains many stars are this near to an edge: what is there of them must do.
    flux = inside.sum(axis=(0, 1)) if grain == 1 else np.nansum(inside, axis=(0, 1))
    peak = np.fmax.reduce(take_offsets(light.pixels, x, y, square_offsets(1)), axis=1)
    order = np.argsort(-flux, kind="stable")
    order = order[flux[order] > 0]
    fwhm = FWHM_PER_SIGMA * width if grain == 1 else half_light_diameter(star, dx, dy)
    order = order[_first_at_place((x + dx)[order], (y + dy)[order])]
    return Detections(
        (x + dx)[order],
        (y + dy)[order],
        flux[order],
        peak.astype(float)[order],
        fwhm[order],
        sky.level,
        sky.rms,
    )


def _first_at_place(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rows (n,) of stars, brightest first, without those that settled on a brighter one's place."""
    row = np.argsort(x, kind="stable")  # NaN, which is near nothing, comes last
    x, y = x[row], y[row]
    keep = np.ones(len(x), bool)
    for step in range(1, len(x)):  # from each to the next to the right, and so on
        aside = x[step:] - x[:-step]
        near = aside <= SAME_PX
        if not near.any():
            break
        near &= np.hypot(aside, y[step:] - y[:-step]) <= SAME_PX
        keep[np.maximum(row[step:], row[:-step])[near]] = False
    return np.flatnonzero(keep)


def filtered_peaks(
    scaled: np.ndarray, fwhm: float, threshold_sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels that no neighbour tops after a Gaussian filter; spikes left out."""
    sigma = max(fwhm / FWHM_PER_SIGMA, NARROWEST_SIGMA)
    smooth = smoothed_by(scaled, sigma, 3.0)
    threshold = threshold_sigma * kernel_norm(sigma)
    y, x = local_maxima(smooth, threshold)
    keep = ~spikes(np.moveaxis(gather(scaled, x, y, 2), 0, 2), SPIKE_SIGMA)[0]
    y, x = y[keep], x[keep]
    order = np.argsort(-smooth[y, x], kind="stable")
    y, x = y[order], x[order]
    return x + _vertex(smooth, y, x, 0, 1), y + _vertex(smooth, y, x, 1, 0)


def dao_sources(
    scaled: np.ndarray, fwhm: float, threshold_sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find sources by DAOFIND (Stetson 1987) as photutils has it; the threshold is of one pixel."""
    import warnings

    from photutils.detection import DAOStarFinder
    from photutils.utils.exceptions import NoDetectionsWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)  # an empty field is an answer
        table = DAOStarFinder(threshold=threshold_sigma, fwhm=fwhm)(scaled)
    if table is None:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-np.asarray(table["flux"]), kind="stable")
    names = [n for n in table.colnames if n.startswith(("x_cent", "y_cent", "xcent", "ycent"))]
    x, y = (np.asarray(table[name], dtype=float)[order] for name in sorted(names))
    return x, y


def kernel_norm(sigma: float) -> float:
    """Noise left of white noise of 1 by the sampled Gaussian filter."""
    reach = int(3 * sigma + 0.5)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    return float((kernel**2).sum())


def _vertex(smooth: np.ndarray, y: np.ndarray, x: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Offset of a peak along one axis: the vertex of the parabola through three pixels."""
    low, middle, high = smooth[y - dy, x - dx], smooth[y, x], smooth[y + dy, x + dx]
    bend = np.maximum(2 * middle - low - high, 1e-12)
    return np.clip((high - low) / (2 * bend), -0.5, 0.5).astype(float)
