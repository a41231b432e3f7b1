"""Resampled frames into one image: a weighted mean or median, a block of rows of all at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.core.data import Combine
from lightcurve.core.robust import MAD_TO_SIGMA, robust_scatter
from lightcurve.core.settings import StackSettings
from lightcurve.stack.resample import Mapping, spread, variance_share

SAMPLE_ROWS, N_SAMPLES = 8, 12  # by which noise is settled
CLIP_DARK = 5.0  # sigma of the mean: brighter is a star
FEWEST_PULLS = 500  # tell a scatter to 4 %
PULLS = 500  # of each sample
BYTES = 40  # that a pixel of a frame takes while a block is combined
ENOUGH = 8  # layers, whose mean tells the noise of each
# Between frames the height of a star's pixel differs by such a part of what is around, for seeing,
# guiding and places between pixels differ (SWarp's CLIP_AMPFRAC); around is what a star twice as
# wide spreads there. A weaker hit on a star stays, with one frame's share in the mean.
AMPLITUDE, WIDER = 0.3, 2.0
AROUND_FWHM = 1.5
HIGH, HIGH_SIGMA = 0.84, 0.9945  # of the values, and where that is of a normal distribution
BESIDE = 0.5  # of the limit, for pixels next to one that is rejected: a hit has a rim


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A frame on the grid.

    Attributes
    ----------
    path : Path
        Light (ny, nx) float32, in the units of the stack, row by row; NaN where it has none.
    noise : (my, mx) float array
        Of the sky in one pixel of the grid, by what a sum of many has per pixel; at the mapping's
        nodes.
    photons : float
        Variance that light of one unit has, by its photons.
    """

    path: Path
    mapping: Mapping
    noise: np.ndarray
    photons: float
    exposure_s: float
    factor: float  # that its light was multiplied by

    def rows(self, rows: slice) -> np.ndarray:
        """Light of some rows, read from the disk: (n, nx) float32."""
        ny, nx = self.mapping.shape
        stored = np.memmap(self.path, np.float32, "r", shape=(ny, nx))
        return np.array(stored[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows of a stack.

    light, error, exposure : (n, nx) float32; sky_variance: of a sum, per pixel; pull: difference of
    every other frame and the rest, over its error. count, rejected : (n, nx) uint16, frames used
    and left out.
    """

    rows: slice
    light: np.ndarray
    error: np.ndarray
    exposure: np.ndarray
    sky_variance: np.ndarray
    pull: np.ndarray
    count: np.ndarray
    rejected: np.ndarray


def combine(
    layers: Sequence[Layer], settings: StackSettings, memory_mb: int, fwhm_px: float
) -> Iterator[Block]:
    """Combine layers of one grid, block by block.

    fwhm_px: of stars on the grid.
    memory_mb: that a block may take; one of a few rows is taken in any case.
    """
    ny, nx = layers[0].mapping.shape
    reach = reach_of(fwhm_px)
    step = max(int(memory_mb * 1e6 / (BYTES * nx * len(layers))) - 2 * reach, 1)
    for start in range(0, ny, step):
        rows = slice(start, min(start + step, ny))
        wide = slice(max(start - reach, 0), min(rows.stop + reach, ny))
        inner = slice(rows.start - wide.start, rows.stop - wide.start)
        yield _block(layers, settings, fwhm_px, (rows, wide, inner))


def around(light: np.ndarray, fwhm_px: float) -> np.ndarray:
    """Spread light (ny, nx) as stars `WIDER` times as wide would: the most that any pixel gives."""
    from scipy.ndimage import grey_dilation

    reach, sigma = reach_of(fwhm_px), WIDER * known_width(fwhm_px) / 2.355
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    log = np.log(np.maximum(light, 1e-10))
    return np.exp(grey_dilation(log, structure=-(u**2 + v**2) / (2 * sigma**2)))


def reach_of(fwhm_px: float) -> int:
    """Tell how far a star of a FWHM reaches, whole pixels."""
    return max(int(np.ceil(AROUND_FWHM * known_width(fwhm_px))), 1)


def known_width(fwhm_px: float) -> float:
    """FWHM, or a usual one where it is not known, pixels."""
    return fwhm_px if np.isfinite(fwhm_px) else 2.5


def _block(
    layers: Sequence[Layer],
    settings: StackSettings,
    fwhm_px: float,
    parts: tuple[slice, slice, slice],
) -> Block:
    """Combine some rows; parts: which, with what is around, and where they are in that."""
    rows, wide, inner = parts
    how, nx = settings.combine, layers[0].mapping.shape[1]
    light = np.stack([layer.rows(wide) for layer in layers])
    variance = np.stack([
        spread(layer.noise.astype(np.float32) ** 2, wide, nx) for layer in layers
    ]).astype(np.float32)  # fmt: skip
    photons = np.array([layer.photons for layer in layers], np.float32)[:, None, None]
    seen = np.isfinite(light) & np.isfinite(variance)
    light[~seen] = np.nan
    rejected = np.zeros(seen.shape, dtype=bool)
    if how is not Combine.MEAN:
        rejected = find_outliers(light, variance, photons, settings.clip_sigma, fwhm_px)
    used = (seen & ~rejected)[:, inner]
    light, variance = light[:, inner], variance[:, inner]
    # By the sky's noise alone: by their own light bright values would count for less.
    weight = np.where(used, 1 / variance, np.float32(0))
    if how is Combine.MEDIAN:
        weight = used.astype(np.float32)
    share = weight / np.maximum(weight.sum(axis=0), 1e-30)
    if how is Combine.MEDIAN:
        mean = median(np.where(used, light, np.nan))
        worse = np.sqrt(median_variance(used.sum(axis=0)))
    else:
        mean = np.where(used, share * light, 0).sum(axis=0)
        worse = np.ones(mean.shape, np.float32)
    none = ~used.any(axis=0)
    mean[none] = np.nan
    # What is left of the noise in one pixel, which lay between those of a frame.
    kept = np.stack([variance_share(layer.mapping, rows) for layer in layers])
    kept *= variance + photons * np.maximum(np.nan_to_num(mean), 0)
    error = np.where(none, np.nan, worse * np.sqrt((share**2 * kept).sum(axis=0)))
    seconds = np.array([layer.exposure_s for layer in layers], np.float32)[:, None, None]
    return Block(
        rows, mean, error.astype(np.float32), (used * seconds).sum(axis=0, dtype=np.float32),
        (share**2 * variance).sum(axis=0) * worse**2, _pull(light, share, kept),
        used.sum(axis=0).astype(np.uint16), rejected[:, inner].sum(axis=0).astype(np.uint16),
    )  # fmt: skip


def _pull(light: np.ndarray, share: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Difference of the means of every other layer and of the rest, over its error; NaN for none.

    What is the same in all frames, faint stars above all, is not in it: it is noise alone.
    """
    mean, error = [], []
    for half in (slice(0, None, 2), slice(1, None, 2)):
        total = share[half].sum(axis=0)
        own = np.where(total > 0, share[half] / np.maximum(total, 1e-30), np.nan)
        mean.append(np.where(own > 0, own * light[half], 0).sum(axis=0))
        error.append((own**2 * variance[half]).sum(axis=0))
    return (mean[0] - mean[1]) / np.sqrt(error[0] + error[1])


def settle_noise(layers: Sequence[Layer], clip_sigma: float, fwhm_px: float) -> list[Layer]:
    """Give layers the noise by which each differs from the mean of all, in some rows of the sky.

    In one frame stars too faint to be told apart look like noise. Fewer than `ENOUGH` stay as they
    are.
    """
    ny, nx = layers[0].mapping.shape
    if len(layers) < ENOUGH:
        return list(layers)
    off: list[list[np.ndarray]] = [[] for _ in layers]
    for start in np.linspace(0, max(ny - SAMPLE_ROWS, 0), N_SAMPLES).astype(int):
        rows = slice(int(start), int(min(start + SAMPLE_ROWS, ny)))
        light = np.stack([layer.rows(rows) for layer in layers])
        variance = np.stack([spread(layer.noise**2, rows, nx) for layer in layers])
        photons = np.array([layer.photons for layer in layers])[:, None, None]
        light[find_outliers(light, variance, photons, clip_sigma, fwhm_px)] = np.nan
        weight = np.where(np.isfinite(light), 1 / variance, 0.0)
        share = weight / np.maximum(weight.sum(axis=0), 1e-30)
        mean = median(light)
        dark = np.abs(mean) < CLIP_DARK / np.sqrt(np.maximum(weight.sum(axis=0), 1e-30))
        dark &= (weight > 0).sum(axis=0) >= ENOUGH
        mean = np.where(share > 0, share * light, 0).sum(axis=0)
        for k, layer in enumerate(layers):
            expected = variance[k] * variance_share(layer.mapping, rows) * (1 - share[k])
            pulls = (light[k] - mean)[dark] / np.sqrt(expected[dark])
            off[k].append(pulls[:: max(1, len(pulls) // PULLS)])  # of many layers few each
    return [_with_noise(*pair) for pair in zip(layers, map(np.concatenate, off), strict=True)]


def _with_noise(layer: Layer, pulls: np.ndarray) -> Layer:
    known = pulls[np.isfinite(pulls)]
    if len(known) < FEWEST_PULLS:
        return layer
    return replace(layer, noise=layer.noise * robust_scatter(known))


def find_outliers(
    light: np.ndarray, variance: np.ndarray, photons: np.ndarray, clip_sigma: float, fwhm_px: float
) -> np.ndarray:
    """Find the values that are far from the middle one of their pixel, and what lies beside them.

    light, variance: (n_layer, ny, nx) float32; photons: (n_layer, 1, 1). Returns bool, of the
    shape of `light`. Two values alone: the higher is left out, for what strikes adds light.
    """
    from scipy.ndimage import grey_dilation

    number = np.isfinite(light).sum(axis=0)
    ordered = np.sort(light, axis=0)  # NaN last
    middle, high = (_at_share(ordered, number, share) for share in (0.5, HIGH))
    off = np.abs(light - middle)
    spread_ = MAD_TO_SIGMA * _at_share(np.sort(off, axis=0), number, 0.5)
    # Of stars that are blurred in some frames many values are high, and few of them hits.
    spread_ = np.maximum(spread_, (high - middle) / HIGH_SIGMA)
    with np.errstate(invalid="ignore"):
        bright = np.maximum(np.nan_to_num(middle), 0)
        sigma = np.sqrt(variance + photons * bright)
        limit = clip_sigma * np.maximum(sigma, spread_)
        limit += AMPLITUDE * around(bright, fwhm_px)
        ratio = np.nan_to_num(off / limit)
    far = ratio > 1
    for k in np.flatnonzero(far.any(axis=(1, 2))):
        beside = grey_dilation(far[k].astype(np.uint8), (3, 3)) > 0
        far[k] |= beside & (ratio[k] > BESIDE)
    return far & (number > 1)


def _at_share(ordered: np.ndarray, number: np.ndarray, share: float) -> np.ndarray:
    """Give the value below which a share of each pixel's lie, the lower of two: (ny, nx).

    ordered: (n_layer, ny, nx), ascending, NaN last; number: how many are none.
    """
    place = (share * np.maximum(number.astype(int) - 1, 0)).astype(int)
    return np.take_along_axis(ordered, place[None], axis=0)[0]


def median(values: np.ndarray) -> np.ndarray:
    """Median along the first axis without NaN; NaN where there is nothing."""
    number = np.isfinite(values).sum(axis=0)
    ordered = np.sort(values, axis=0)
    low, high = np.maximum(number - 1, 0) // 2, number // 2
    high = np.where(number > 0, np.minimum(high, len(values) - 1), 0)
    both = [np.take_along_axis(ordered, place[None], axis=0)[0] for place in (low, high)]
    return (both[0] + both[1]) / 2


def median_variance(number: np.ndarray) -> np.ndarray:
    """Variance of the median of normal values over that of their mean.

    ``pi n / (2 n + c)``, which holds to 2 % for any n: pi / 2 for many, 1 for one and two.
    """
    count = np.maximum(number, 1)
    extra = np.where(count % 2 == 1, np.pi - 2, 2 * np.pi - 4)
    return np.asarray(np.pi * count / (2 * count + extra))
