"""Large frames: binned to find their stars, and measured in squares cut out around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.calib.reduce import as_reduced, plan_reduction, reduce_frame
from lightcurve.core.data import Detections, Frame, Masters, RawFrame
from lightcurve.core.flags import PixelFlag
from lightcurve.phot.aperture import Part
from lightcurve.phot.cutouts import gather, on_frame
from lightcurve.phot.detect import unusable
from lightcurve.phot.grains import at_most

MIN_SIDE_PX = 1000  # a frame is not shrunk to less
# Stars finer than 1.5 px look like hot pixels; some frames are a little sharper than the reference.
MIN_FWHM_PX = 1.8
MAX_SHRINK = 4
CHUNK_PIXELS = 262144  # as float32 they fit the cache of one core


def reduce_parts(
    raw: RawFrame, masters: Masters | None, x: np.ndarray, y: np.ndarray, half: int
) -> tuple[Frame, Part]:
    """Cut squares around stars out of a frame and its masters, and calibrate them.

    x, y: (n,) float arrays, pixels; stars off the frame get a square of its corner.
    half: half width, pixels.
    Returns frame: the squares, one below the other; what lies outside of the large frame is NaN,
    and not marked as bad; part: how they lie in the large frame.
    """
    ny, nx = raw.pixels.shape
    there = on_frame(x, y, (ny, nx))
    column, row = (np.rint(np.where(there, place, 0)).astype(int) for place in (x, y))
    size = 2 * half + 1

    def pile(image: np.ndarray) -> np.ndarray:
        return _squares(image, column, row, half).reshape(-1, size)

    cut = replace(raw, pixels=pile(raw.pixels), bad=pile(raw.bad))
    if masters is not None:
        bad = None if masters.bad is None else pile(masters.bad)
        masters = replace(masters.changed(pile), bad=bad)
    outside = np.isnan(cut.pixels) & (cut.bad == 0)
    reduced = reduce_frame(cut, masters)
    first = size * np.arange(len(x))
    part = Part(column - half, row - half - first, (ny, nx))
    return replace(reduced, bad=np.where(outside, np.uint8(0), reduced.bad)), part


def _squares(image: np.ndarray, column: np.ndarray, row: np.ndarray, half: int) -> np.ndarray:
    """Cut squares out of an image: bits, or floats that are NaN outside of it."""
    squares = gather(image, column, row, half)
    if image.dtype == np.uint8:
        return squares
    squares = squares.astype(np.float32, copy=False)
    ny, nx = image.shape
    offset = np.arange(-half, half + 1)
    x, y = column[:, None] + offset, row[:, None] + offset
    squares[~((y >= 0) & (y < ny))] = np.nan
    squares.swapaxes(1, 2)[~((x >= 0) & (x < nx))] = np.nan
    return squares


def choose_shrink(shape: tuple[int, int], fwhm: float) -> int:
    """Choose by how much frames are shrunk to find their stars.

    shape: (ny, nx); fwhm: of the stars, pixels. 1 for small frames, or finely sampled stars.
    """
    return max(1, min(int(fwhm / MIN_FWHM_PX), min(shape) // MIN_SIDE_PX, MAX_SHRINK))


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of pixels; rows and columns left over are left out.

    image: (ny, nx) array, floats or 16-bit integers; factor: side of the squares, pixels.
    NaN if one of a square is.
    """
    small = np.empty([length // factor for length in image.shape], np.float32)
    for rows, block in _blocks(image, factor):
        _average(block, factor, out=small[rows])
    return small


def shrink_bits(bits: np.ndarray, factor: int) -> np.ndarray:
    """Join the bits of squares of pixels, as `shrink` averages them.

    bits: (ny, nx) uint8 array; factor: side of the squares, pixels.
    """
    small = np.zeros([length // factor for length in bits.shape], np.uint8)
    for rows, block in _blocks(bits, factor):
        if block.max(initial=0):  # twice as quick as to ask for any
            lines = np.bitwise_or.reduce([block[k::factor] for k in range(factor)])
            small[rows] = np.bitwise_or.reduce([lines[:, k::factor] for k in range(factor)])
    return small


def _blocks(image: np.ndarray, factor: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Give a few rows of the small image at a time, and the pixels that they are made of."""
    ny, nx = (length // factor for length in image.shape)
    step = max(1, CHUNK_PIXELS // (factor**2 * nx))
    for start in range(0, ny, step):
        stop = min(start + step, ny)
        yield slice(start, stop), image[factor * start : factor * stop, : factor * nx]


def _average(block: np.ndarray, factor: int, *, out: np.ndarray) -> None:
    block = block.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):  # pixels of 1e38 are no light, and their sum is infinite
        if factor == 2:  # quicker so
            lines = block[0::2] + block[1::2]
        else:
            lines = np.add.reduce(block.reshape(len(out), factor, -1), axis=1)
    weights = np.full(factor, 1 / factor**2, np.float32)
    np.matmul(lines.reshape(*out.shape, factor), weights, out=out)


@dataclass(frozen=True, slots=True, eq=False)
class Holes:
    """Squares of pixels of which some are bad."""

    places: tuple[np.ndarray, ...]  # two (n,) int arrays, rows and columns in the small image
    pixels: np.ndarray  # (n, factor, factor) int array, their pixels, numbered in reading order
    good: np.ndarray  # (n, factor, factor) bool array
    masters: Masters  # shrunk, at these places: (1, n) arrays

    def average(self, image: np.ndarray) -> np.ndarray:
        """Average the good pixels of each square.

        image: (ny, nx) array, in full resolution.
        Returns (1, n) float32 array, NaN where no pixel of a square is good.
        """
        count = self.good.sum(axis=(1, 2))
        values = np.where(self.good, image.ravel().take(self.pixels), 0)
        total = values.sum(axis=(1, 2), dtype=np.float64)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return mean.astype(np.float32)[None]

    def remaining(self, bits: np.ndarray) -> np.ndarray:
        """Tell what stays bad: squares with fewer good pixels than bad ones; saturated stars.

        bits: (n,) uint8 array, `PixelFlag` bits of all pixels of each square.
        Returns (n,) uint8 array.
        """
        mostly = 2 * self.good.sum(axis=(1, 2)) >= self.good[0].size if len(bits) else False
        return np.where(mostly, bits & np.uint8(PixelFlag.SATURATED), bits)


def _find_holes(bits: np.ndarray, small_bits: np.ndarray, masters: Masters, factor: int) -> Holes:
    y, x = places = np.nonzero(unusable(small_bits))
    within = np.arange(factor)
    rows = (factor * y)[:, None, None] + within[:, None]
    pixels = rows * bits.shape[1] + (factor * x)[:, None, None] + within
    good = ~unusable(bits.ravel().take(pixels))
    return Holes(places, pixels, good, masters.changed(lambda image: image[places][None]))


@dataclass(frozen=True, slots=True, eq=False)
class SmallMasters:
    """Masters for frames that are shrunk to find their stars.

    bits : (ny, nx) uint8 array, bad pixels of the masters in full resolution; 0 is good, also in
        rows and columns that are left over.
    """

    masters: Masters  # shrunk; where a square has bad pixels, the averages of its good ones
    bits: np.ndarray
    small_bits: np.ndarray  # (ny // factor, nx // factor) uint8 array, those of each square, joined
    holes: Holes  # the squares that have some


def shrink_masters(masters: Masters, shape: tuple[int, int], factor: int) -> SmallMasters:
    """Shrink master frames, leaving out their bad pixels.

    masters: maybe without any image. shape: (ny, nx) of the frames.
    factor: side of the squares that become one pixel.
    """
    bits = np.zeros(shape, np.uint8) if masters.bad is None else masters.bad.copy()

    def shrink_all(image: np.ndarray) -> np.ndarray:
        least = 0.0 if image is masters.flat else -np.inf
        small = np.empty([length // factor for length in shape], np.float32)
        for rows, stored in _blocks(image, factor):
            block = np.asarray(stored, np.float32)  # each pixel is read once, and looked at twice
            _average(block, factor, out=small[rows])
            if not (block.min() > least and block.max() < np.inf):
                there = bits[factor * rows.start : factor * rows.stop, : block.shape[1]]
                there[~((block > least) & (block < np.inf))] |= np.uint8(PixelFlag.DEAD)
        return small

    shrunk = masters.changed(shrink_all)
    small_bits = shrink_bits(bits, factor)
    holes = _find_holes(bits, small_bits, Masters(), factor)
    for small, image in zip(_images(shrunk), _images(masters), strict=True):
        small[holes.places] = holes.average(image)[0]
    return SmallMasters(shrunk, bits, small_bits, _find_holes(bits, small_bits, shrunk, factor))


def _images(masters: Masters) -> list[np.ndarray]:
    return [one for one in (masters.bias, masters.dark, masters.flat) if one is not None]


def shrink_frame(raw: RawFrame, small: SmallMasters, factor: int) -> Frame:
    """Shrink a raw frame and calibrate what comes of it, a few rows at a time.

    factor: side of the squares that become one pixel.
    Bad pixels are left out of the averages; bad is what has fewer good pixels than bad ones.
    """
    own = shrink_bits(raw.bad, factor)
    bad, holes = own | small.small_bits, small.holes
    if unusable(np.bitwise_or.reduce(own, axis=None)):
        holes = _find_holes(raw.bad | small.bits, bad, small.masters, factor)
    pixels = np.empty(bad.shape, np.float32)
    reduction = plan_reduction(raw, small.masters, bad.shape)
    of_holes = plan_reduction(raw, holes.masters, (1, len(holes.good)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for rows, block in _blocks(raw.pixels, factor):
            out = pixels[rows]
            _average(block, factor, out=out)
            reduction.apply(out, rows, out)
        mean = holes.average(raw.pixels)
        of_holes.apply(mean, slice(None), mean)
    pixels[holes.places] = mean[0]
    bad[holes.places] = holes.remaining(bad[holes.places])
    return as_reduced(raw, pixels, bad)


def enlarge(stars: Detections, factor: int) -> Detections:
    """Give the stars of a shrunk frame the pixels of the frame.

    factor: side of the squares that became one pixel.
    """
    return replace(
        stars, x=factor * stars.x + (factor - 1) / 2, y=factor * stars.y + (factor - 1) / 2,
        flux=factor**2 * stars.flux, fwhm=factor * stars.fwhm, sky_rms=factor * stars.sky_rms,
        grain=at_most(factor * stars.grain) if stars.grain > 1 else 1,
    )  # fmt: skip
