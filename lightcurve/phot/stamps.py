"""A star on a stack of small pictures, one a cadence, as space telescopes send them down.

Pixels do not move much and stars are under-sampled: the light is summed over whole pixels. Which,
is chosen by the scatter of the sums; sky, shifts and what both do to the sum come from the pixels
outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.core.robust import robust_scatter

__all__ = ["Stamp", "StampCurve", "gaussian_share", "measure_stamps"]

CHUNK = 4096  # cadences read at once: 2 MB of 121 pixels
SAMPLE = 1000  # cadences of the median picture
LEVELS = (0.5, 0.35, 0.25, 0.17, 0.12, 0.08, 0.05, 0.03, 0.02, 0.01)  # of the peak
DARKEST = 0.3  # of the pixels are sky
FEWEST_SKY = 8  # pixels, for a plane
STRANGE = 5.0  # sigma: a cosmic ray or an asteroid on the sky
STEP = 600 / 86400  # days, over which shorter cadences are averaged where shifts are fitted
KNOT_DAYS = 0.75  # of what a star does by itself, beside shifts: K2 rolls in a quarter of that
CLIP = 3.0
ROUNDS = 4
MAX_ORDER = 4  # of a polynomial in the larger shift
HOUR = 1 / 24  # on which a scatter tells how well a transit is seen
FEWEST = 30  # cadences
LEAST_LIGHT = 0.1  # of it that a shift may leave


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """A stack of pictures.

    Attributes
    ----------
    time : (n,) float array
        Days.
    pixels, noise : (n, ny, nx) float arrays
        Electrons a second, also on the disk; NaN where there is no value. The noise is None where
        nothing tells it.
    good : (n,) bool array
        Cadences that are not spoilt.
    place : (float, float)
        Of the star, pixels, x and y.
    sky_is_off : bool
        Whether the sky was taken off; its variation then, and not its level, is taken off here.
    offered : (ny, nx) bool array or None
        An aperture that came with it.
    """

    time: np.ndarray
    pixels: np.ndarray
    noise: np.ndarray | None
    good: np.ndarray
    place: tuple[float, float]
    sky_is_off: bool
    offered: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StampCurve:
    """The light of a star summed over pixels.

    Attributes
    ----------
    flux, raw, error : (n,) float arrays
        Electrons a second: without what shifts did to it, as it was summed, and one sigma.
    sky : (n,) float array
        Electrons a second and pixel, in the middle of the aperture.
    shift : (n, 2) float array
        Of the stars, pixels.
    image : (ny, nx) float array
        The median picture, without sky.
    aperture, sky_pixels : (ny, nx) bool arrays
    scatter : mapping of int to float
        Relative scatter of means over an hour by number of pixels, of each aperture tried.
    corrected : bool
        Whether taking shifts off made the scatter smaller; `flux` is `raw` where not.
    """

    flux: np.ndarray
    raw: np.ndarray
    error: np.ndarray
    sky: np.ndarray
    shift: np.ndarray
    image: np.ndarray
    aperture: np.ndarray
    sky_pixels: np.ndarray
    scatter: dict[int, float]
    corrected: bool


def measure_stamps(stamp: Stamp) -> StampCurve:
    """Sum the light of a star over the pixels that scatter least.

    Raises InputError where no cadence has a picture, or the star has no light there.
    """
    image = median_image(stamp)
    known = np.isfinite(image)
    sky_pixels = darkest(image, known)
    if not stamp.sky_is_off:
        image = image - np.median(image[sky_pixels])
    own = basin(image, stamp.place)
    masks = apertures(image, own, stamp.offered)
    design = shift_design(image, own, known)
    sums, variance, sky, shift = _sum_all(stamp, masks, sky_pixels, design)
    steady = without_shifts(stamp.time, sums, shift, stamp.good)
    tried = []
    for k, mask in enumerate(masks):
        raw, flux = sums[:, k], steady[:, k]
        both = [hourly_scatter(stamp.time, one, stamp.good) for one in (raw, flux)]
        better = bool(both[1] < both[0])
        tried.append((min(both), k, flux if better else raw, better, int(mask.sum())))
    usable = [one for one in tried if np.isfinite(one[0])]
    if not usable:
        msg = "the star has no light on these pixels above their sky"
        raise InputError(msg)
    _, k, flux, better, _ = min(usable, key=lambda one: one[:2])
    error = np.sqrt(variance[:, k])
    if not np.isfinite(error).any():
        error = np.full(len(flux), np.nan)
    return StampCurve(
        flux, sums[:, k], error, sky, shift, image, masks[k], sky_pixels,
        {size: score for score, _, _, _, size in usable}, better,
    )  # fmt: skip


def median_image(stamp: Stamp) -> np.ndarray:
    """Take the median of cadences that are not spoilt, (ny, nx); NaN where a pixel has no value.

    Raises InputError where no pixel has one.
    """
    rows = np.flatnonzero(stamp.good)
    rows = rows[:: max(1, len(rows) // SAMPLE)]
    some = np.asarray(stamp.pixels[rows], dtype=np.float32)
    some = some[np.isfinite(some).any(axis=(1, 2))]
    if not len(some):
        msg = f"none of {len(stamp.time)} cadences has a picture that is not spoilt"
        raise InputError(msg)
    often = np.isfinite(some).mean(axis=0) > 0.5
    image = np.full(some.shape[1:], np.nan)
    image[often] = np.nanmedian(some[:, often], axis=0)
    return image


def darkest(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Mark the pixels that are sky, (ny, nx) bool: the darkest ones."""
    limit = np.quantile(image[known], DARKEST)
    return known & (np.nan_to_num(image, nan=np.inf) <= limit)


def basin(image: np.ndarray, place: tuple[float, float]) -> np.ndarray:
    """Mark the pixels from which the way up leads to the star's peak, (ny, nx) bool.

    Of a star that has no peak of its own, in the wing of another: those beside its place.
    """
    height = np.nan_to_num(image, nan=-np.inf)
    around = np.pad(height, 1, constant_values=-np.inf)
    ny, nx = image.shape
    steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    stacked = np.stack([around[1 + dy : 1 + dy + ny, 1 + dx : 1 + dx + nx] for dy, dx in steps])
    best = np.argmax(stacked, axis=0)
    rows, columns = np.mgrid[:ny, :nx]
    up = np.clip(rows + best // 3 - 1, 0, ny - 1) * nx + np.clip(columns + best % 3 - 1, 0, nx - 1)
    top = up.ravel()
    for _ in range(ny + nx):
        top = top[top]
    x, y = (int(np.clip(round(v), 0, side - 1)) for v, side in zip(place, (nx, ny), strict=True))
    near = (np.abs(rows - y) <= 1) & (np.abs(columns - x) <= 1) & np.isfinite(image)
    peaks = (up.ravel() == np.arange(ny * nx)).reshape(ny, nx) & near
    if not peaks.any():
        return near
    peak = int(np.argmax(np.where(peaks, height, -np.inf)))
    return (top == peak).reshape(ny, nx) & np.isfinite(image)


def apertures(image: np.ndarray, own: np.ndarray, offered: np.ndarray | None) -> list[np.ndarray]:
    """List apertures to try, (ny, nx) bool each: what is brighter than shares of the peak.

    own: pixels that are nearer the star's peak than another's. Each holds the peak and is of one
    piece. The one that came with the pixels is among them.
    """
    from scipy.ndimage import label

    light = np.where(own, image, -np.inf)
    peak = int(np.argmax(light))
    found = [light >= share * light.flat[peak] for share in LEVELS]
    masks = []
    for mask in found:
        pieces = label(mask)[0]
        masks.append(pieces == pieces.flat[peak])
    if offered is not None and (offered & np.isfinite(image)).any():
        masks.append(offered & np.isfinite(image))
    unique = {mask.tobytes(): mask for mask in masks if mask.flat[peak] or mask is masks[-1]}
    return list(unique.values())


def shift_design(image: np.ndarray, own: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Lay out what shifts of all stars together do to the pixels, (2, ny, nx).

    A picture times these is the shift in x and in y, whatever the brightness of the star itself, of
    the others together, and of a sky that is a plane.
    """
    filled = np.where(known, image, 0.0)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(float)
    down, across = np.gradient(filled)
    parts = (np.where(own, filled, 0), np.where(own, 0, filled), -across, -down,
             np.ones_like(rows), rows - rows.mean(), columns - columns.mean())  # fmt: skip
    weight = np.where(known, 1 / np.sqrt(np.maximum(filled, 0) + _floor(filled)), 0.0)
    matrix = np.stack([(part * weight).ravel() for part in parts], axis=1)
    solved = np.linalg.pinv(matrix, rcond=1e-9)[2:4] * weight.ravel()
    return solved.reshape(2, *image.shape)


def _floor(filled: np.ndarray) -> float:
    """Light below which all pixels count alike: what the faint ones have."""
    return float(np.median(np.abs(filled))) + 1e-3 * float(filled.max()) + 1e-12


def _chunks(n: int) -> Iterator[slice]:
    for first in range(0, n, CHUNK):
        yield slice(first, min(first + CHUNK, n))


def _sum_all(
    stamp: Stamp, masks: list[np.ndarray], sky_pixels: np.ndarray, design: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sum each aperture, (n, k), its variance, (n, k), the sky, (n,), and the shifts, (n, 2)."""
    n, shape = len(stamp.time), stamp.pixels.shape[1:]
    inside = np.stack([mask.ravel() for mask in masks], axis=1).astype(float)
    size = inside.sum(axis=0)
    rows, columns = (grid.ravel() for grid in np.mgrid[: shape[0], : shape[1]])
    middle = [(inside * grid[:, None]).sum(axis=0) / size for grid in (rows, columns)]
    plane = np.stack([np.ones(len(rows)), rows, columns], axis=1)
    dark = sky_pixels.ravel()
    at = np.stack([np.ones(len(masks)), *middle], axis=1)
    sums, variance = np.full((2, n, len(masks)), np.nan)
    sky, shift = np.full(n, np.nan), np.full((n, 2), np.nan)
    for some in _chunks(n):
        pixels = np.asarray(stamp.pixels[some], dtype=float).reshape(-1, len(rows))
        level, spread = _sky_of(pixels[:, dark], plane[dark], at)
        gone = ~np.isfinite(pixels)
        pixels = np.where(gone, 0.0, pixels)
        lost = (gone @ inside) > 0
        sums[some] = np.where(lost, np.nan, pixels @ inside - level * size)
        sky[some] = level[:, 0]
        if stamp.noise is not None:
            noise = np.asarray(stamp.noise[some], dtype=float).reshape(-1, len(rows))
            variance[some] = np.nan_to_num(noise) ** 2 @ inside + (spread[:, None] * size) ** 2
        moved = pixels @ design.reshape(2, -1).T
        shift[some] = np.where(gone[:, design.any(axis=0).ravel()].any(axis=1)[:, None],
                               np.nan, moved)  # fmt: skip
    if stamp.sky_is_off:
        sums += np.nanmedian(sky[stamp.good]) * size
    zero = np.nanmedian(shift[stamp.good], axis=0)
    variance[~(variance > 0)] = np.nan
    return sums, variance, sky, shift - zero


def _sky_of(dark: np.ndarray, plane: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a plane to sky pixels, (m, p): its values at places, (m, k), and their error, (m,).

    Strange pixels take no part. A level alone where there are few.
    """
    if plane.shape[0] < FEWEST_SKY:
        plane, at = plane[:, :1], at[:, :1]
    solve = np.linalg.pinv(plane)
    values = (
        np.where(np.isnan(dark), np.nanmedian(dark, axis=1, keepdims=True), dark)
        if (np.isnan(dark).any())
        else dark
    )
    start = np.median(values, axis=1, keepdims=True)
    fitted = start + (values - start) @ solve.T @ plane.T
    off = values - fitted
    sigma = 1.4826 * np.median(np.abs(off), axis=1, keepdims=True) + 1e-12
    mended = np.where(np.abs(off) > STRANGE * sigma, fitted, values)
    return mended @ solve.T @ at.T, sigma[:, 0] / np.sqrt(plane.shape[0])


def without_shifts(
    time: np.ndarray, sums: np.ndarray, shift: np.ndarray, good: np.ndarray
) -> np.ndarray:
    """Take off what shifts did to sums, (n, k); as they were where that cannot be told.

    The star's own changes are kept: a spline stands for them beside the shifts, and what is darker
    or brighter than both, such as a transit, has no vote.
    """
    usable = good & np.isfinite(shift).all(axis=1) & np.isfinite(time)
    usable &= np.isfinite(sums).all(axis=1)
    if usable.sum() < FEWEST:
        return sums
    firsts = _firsts(time[usable], STEP)
    size = np.diff(np.append(firsts, usable.sum()))
    columns = _shift_columns(time[usable], shift[usable])
    means = np.add.reduceat(columns, firsts, axis=0) / size[:, None]
    spline = _spline(np.add.reduceat(time[usable], firsts) / size)
    matrix = np.hstack([spline, means])
    steady = sums.copy()
    for k, raw in enumerate(sums[usable].T):
        level = float(np.median(raw))
        if level > 0:
            values = np.add.reduceat(raw, firsts) / size / level
            bent = columns @ _robust(matrix, values)[spline.shape[1] :]
            steady[usable, k] = raw / np.maximum(1 + bent, LEAST_LIGHT)
    return steady


def _firsts(time: np.ndarray, step: float) -> np.ndarray:
    """Tell where each bin of so many days begins, (k,) int."""
    return np.flatnonzero(np.append(True, np.diff(np.floor(time / step)) > 0))


def _shift_columns(time: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Lay out polynomials of shifts, (m, k): of higher order along their main direction.

    What a shift does changes slowly: each column also times time and its square.
    """
    scatter = robust_scatter(shift[:, 0]) + robust_scatter(shift[:, 1]) + 1e-12
    bounded = np.clip(shift, -5 * scatter, 5 * scatter)
    _, axes = np.linalg.eigh(np.cov(bounded.T))
    across, along = (bounded @ axes).T / scatter
    alike = np.column_stack([across, across**2, along * across,
                             *(along**power for power in range(1, MAX_ORDER + 1))])  # fmt: skip
    late = (time - time.mean()) / max(float(np.ptp(time)), 1e-9)
    return np.hstack([alike, alike * late[:, None], alike * late[:, None] ** 2])


def _spline(time: np.ndarray) -> np.ndarray:
    """Lay out a cubic spline, (m, k)."""
    from scipy.interpolate import BSpline

    low, high = float(time.min()), float(time.max())
    inner = np.linspace(low, high, max(2, round((high - low) / KNOT_DAYS) + 1))
    knots = np.concatenate([[low] * 3, inner, [high] * 3])
    design: np.ndarray = BSpline.design_matrix(time, knots, 3).toarray()
    return design[:, design.any(axis=0)]


def _robust(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve by least squares, (k,), without what lies far off."""
    kept = np.ones(len(values), dtype=bool)
    for _ in range(ROUNDS):
        found: np.ndarray = np.linalg.lstsq(matrix[kept], values[kept], rcond=1e-10)[0]
        off = values - matrix @ found
        kept = np.abs(off - np.median(off[kept])) < CLIP * robust_scatter(off[kept])
    return found


def hourly_scatter(time: np.ndarray, flux: np.ndarray, good: np.ndarray) -> float:
    """Tell how much means over an hour differ from their neighbours, relative to the flux.

    Infinite where that is none.
    """
    usable = good & np.isfinite(flux) & np.isfinite(time)
    level = float(np.median(flux[usable])) if usable.any() else 0.0
    if usable.sum() < FEWEST or not level > 0:
        return np.inf
    moments, values = time[usable], flux[usable]
    firsts = _firsts(moments, HOUR)
    means = np.add.reduceat(values, firsts) / np.diff(np.append(firsts, len(values)))
    far = robust_scatter(means[1:-1] - (means[:-2] + means[2:]) / 2, about=0.0)
    return float(far / np.sqrt(1.5) / level)


def gaussian_share(mask: np.ndarray, place: tuple[float, float], width: float) -> float:
    """Work out which share of a round star's light falls on pixels.

    mask : (ny, nx) bool array. place : x and y, pixels. width : one sigma, pixels.
    """
    from scipy.special import erf

    x, y = (
        np.diff(erf((np.arange(side + 1) - 0.5 - at) / (np.sqrt(2) * width))) / 2
        for side, at in zip(mask.shape[::-1], place, strict=True)
    )
    return float((np.outer(y, x) * mask).sum())
