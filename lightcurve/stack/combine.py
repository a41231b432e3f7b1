"""Resampled frames into one image: a weighted mean or median, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import Combine
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import StackSettings
from lightcurve.stack.clip import Middle, blocks_of, find_outliers
from lightcurve.stack.layer import Layer
from lightcurve.stack.resample import variance_share

SAMPLE_ROWS, N_SAMPLES = 8, 12  # by which noise is settled
CLIP_DARK = 5.0  # sigma of the mean: brighter is a star
FEWEST_PULLS = 500  # tell a scatter to 4 %
BYTES, BYTES_OF_EACH = 200, 12  # that a pixel takes while a block is combined, and of each layer
ENOUGH = 8  # layers, whose mean tells the noise of each
ALONE = 0.999  # of the weight: what is left of a layer beside the mean is nothing


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


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Some rows of one layer: (n, nx) arrays.

    variance: of the sky in a sum, per pixel; used, far: bool, taken and left out as an outlier.
    """

    layer: Layer
    light: np.ndarray
    variance: np.ndarray
    used: np.ndarray
    far: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums over layers by their weights w: (n, nx) float32 each.

    sky: of w^2 and the variance a sum has per pixel; own, photons: of w^2 and what one pixel has of
    the sky's, and of that of light of one unit.
    """

    weight: np.ndarray
    light: np.ndarray
    sky: np.ndarray
    own: np.ndarray
    photons: np.ndarray

    @classmethod
    def none(cls, shape: tuple[int, int]) -> Sums:
        """Begin with nothing."""
        return cls(*(np.zeros(shape, np.float32) for _ in range(5)))

    def add(self, values: Values, rows: slice, weight: np.ndarray) -> None:
        """Add a layer's values by their weight, 0 where they are not used."""
        # What is left of the noise in one pixel, which lay between those of a frame.
        left = weight**2 * variance_share(values.layer.mapping, rows)
        self.weight[:] += weight
        self.light[:] += np.where(values.used, weight * values.light, 0)
        self.sky[:] += np.where(values.used, weight**2 * values.variance, 0)
        self.own[:] += np.where(values.used, left * values.variance, 0)
        self.photons[:] += left * np.float32(values.layer.photons)

    def __add__(self, other: Sums) -> Sums:
        """Sum over the layers of both."""
        return Sums(
            self.weight + other.weight, self.light + other.light, self.sky + other.sky,
            self.own + other.own, self.photons + other.photons,
        )  # fmt: skip

    @property
    def mean(self) -> np.ndarray:
        """Weighted mean, NaN of nothing."""
        return self.light / self.weight

    def variance(self, light: np.ndarray) -> np.ndarray:
        """Variance of a pixel of the mean, which has some light above the sky."""
        return (self.own + self.photons * np.maximum(np.nan_to_num(light), 0)) / self.weight**2


def combine(
    layers: Sequence[Layer], middle: Middle, settings: StackSettings, memory_mb: float
) -> Iterator[Block]:
    """Combine layers of one grid, block by block.

    memory_mb: that a block may take; a row is taken in any case.
    """
    each = len(layers) * BYTES_OF_EACH if settings.combine is Combine.MEDIAN else 0
    for rows in blocks_of(layers[0].mapping.shape, BYTES + each, memory_mb):
        with np.errstate(invalid="ignore", divide="ignore"):
            yield _block(layers, middle, settings, rows)


def values_of(
    layers: Sequence[Layer], middle: Middle, clip_sigma: float, rows: slice
) -> Iterator[Values]:
    """Read some rows of each layer, and find what is not to be used."""
    # A row more at each side: what lies beside an outlier.
    wide = slice(max(rows.start - 1, 0), min(rows.stop + 1, middle.light.shape[0]))
    inner = slice(rows.start - wide.start, rows.stop - wide.start)
    common = middle.rows(wide)
    for layer in layers:
        light, variance = layer.rows(wide), layer.variance(wide)
        far = find_outliers(light, variance, layer.photons, common, clip_sigma)
        used = np.isfinite(light) & np.isfinite(variance) & ~far
        yield Values(layer, *(one[inner] for one in (light, variance, used, far)))


def _block(
    layers: Sequence[Layer], middle: Middle, settings: StackSettings, rows: slice
) -> Block:  # fmt: skip
    """Combine some rows."""
    by_median = settings.combine is Combine.MEDIAN
    clip_sigma = np.inf if settings.combine is Combine.MEAN else settings.clip_sigma
    shape = middle.light[rows].shape
    halves = Sums.none(shape), Sums.none(shape)
    count, rejected = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    exposure = np.zeros(shape, np.float32)
    used_light = []
    for k, one in enumerate(values_of(layers, middle, clip_sigma, rows)):
        # By the sky's noise alone: by their own light bright values would count for less.
        weight = one.used / (np.float32(1) if by_median else one.variance)
        halves[k % 2].add(one, rows, np.where(one.used, weight, np.float32(0)))
        count += one.used
        rejected += one.far
        exposure += one.used * np.float32(one.layer.exposure_s)
        if by_median:
            used_light.append(np.where(one.used, one.light, np.float32(np.nan)))
    both = halves[0] + halves[1]
    light = median(np.stack(used_light)) if by_median else both.mean
    worse = median_variance(count) if by_median else np.float32(1)
    error = np.sqrt(worse * both.variance(light)).astype(np.float32)
    sky = worse * both.sky / np.maximum(both.weight, 1e-30) ** 2
    return Block(rows, light, error, exposure, sky, _pull(halves, light), count, rejected)


def _pull(halves: tuple[Sums, Sums], light: np.ndarray) -> np.ndarray:
    """Difference of the means of every other layer and of the rest, over its error; NaN for none.

    What is the same in all frames, faint stars above all, is not in it: it is noise alone.
    """
    a, b = halves
    return (a.mean - b.mean) / np.sqrt(a.variance(light) + b.variance(light))


def settle_noise(layers: Sequence[Layer], middle: Middle, clip_sigma: float) -> list[Layer]:
    """Give layers the noise by which each differs from the mean of all, in some rows of the sky.

    In one frame stars too faint to be told apart look like noise. Of fewer than `ENOUGH` the mean
    does not tell which is the noisier: all are changed alike.
    """
    ny = middle.light.shape[0]
    starts = np.linspace(0, max(ny - SAMPLE_ROWS, 0), N_SAMPLES).astype(int)
    samples = [
        _sample(layers, middle, clip_sigma, slice(int(start), int(min(start + SAMPLE_ROWS, ny))))
        for start in starts
    ]
    pulls = (
        np.concatenate([one.pulls_of(layer, middle, clip_sigma) for one in samples])
        for layer in layers
    )
    if len(layers) < ENOUGH:
        more = [_scatter(np.concatenate(list(pulls)))] * len(layers)
    else:
        more = [_scatter(one) for one in pulls]
    pairs = zip(layers, more, strict=True)
    return [replace(layer, noise=layer.noise * factor) for layer, factor in pairs]


def _scatter(pulls: np.ndarray) -> float:
    """Scatter of pulls, 1 where too few tell it."""
    return robust_scatter(pulls) if len(pulls) >= FEWEST_PULLS else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Mean of all layers in some rows, its weight, and where the sky is dark: (n, nx) each."""

    rows: slice
    mean: np.ndarray
    weight: np.ndarray
    dark: np.ndarray

    def pulls_of(self, layer: Layer, middle: Middle, clip_sigma: float) -> np.ndarray:
        """How a layer differs from the mean, over its noise less its share in the mean: (n,)."""
        (one,) = values_of([layer], middle, clip_sigma, self.rows)
        here = self.dark & one.used
        share = 1 / one.variance[here] / self.weight[here]
        if (share > ALONE).any():
            return np.empty(0)
        left = variance_share(layer.mapping, self.rows)[here]
        return (one.light - self.mean)[here] / np.sqrt(one.variance[here] * left * (1 - share))


def _sample(layers: Sequence[Layer], middle: Middle, clip_sigma: float, rows: slice) -> Sample:
    light = middle.light[rows]
    sums, number = Sums.none(light.shape), np.zeros(light.shape, int)
    for one in values_of(layers, middle, clip_sigma, rows):
        sums.add(one, rows, np.where(one.used, 1 / one.variance, np.float32(0)))
        number += one.used
    total = np.maximum(sums.weight, 1e-30)
    dark = (np.abs(light) < CLIP_DARK / np.sqrt(total)) & (number >= min(ENOUGH, len(layers)))
    return Sample(rows, sums.light / total, total, dark)


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
