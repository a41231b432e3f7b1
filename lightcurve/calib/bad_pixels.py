"""Pixels not to be trusted: hot, dead, whole columns and rows; and cosmic rays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lightcurve.calib.combine import Combined
from lightcurve.core.data import Frame
from lightcurve.core.flags import PixelFlag
from lightcurve.core.robust import image_median, known_median, medians, robust_scatter

__all__ = ["mark_cosmic_rays"]

TILE = 32
STRIP = 64  # rows that are looked at together: what is made of them stays cached
WINDOW = 11  # columns
CORNERS = tuple((slice(j, None, 2), slice(i, None, 2)) for j in (0, 1) for i in (0, 1))
_COLUMN_SAMPLES = 1000
# Of astroscrappy, pixels: reach of its filters; how far it grows a hit; of both, and what fills it.
_EDGE, _GROWN, _REACH = 6, 2, 10
_CONTRAST = 5.0  # of a hit against the fine structure
_ROUNDED = 0.999  # what comes so near a limit may be beyond it by rounding
_BLOCK, _AT_ONCE = 16, 20_000  # pixels a side; squares of 13 a side
_NEAR = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]) * (_EDGE + _GROWN)
SATURATION_UNKNOWN = 1e9
COLUMN_LEAST_FLAT = 0.05  # of the mean response
STUCK_SHOT_NOISE = 10.0  # ADU: so noisy a pixel hardly ever has one whole number several times


def tile_median(image: np.ndarray, tile: int = TILE) -> np.ndarray:
    """Median of the square tile that each pixel lies in: glow and vignetting, no single pixels.

    NaN are left out; tile: pixels on a side, about: the image is cut into equal parts.
    """
    level = np.empty(image.shape, np.float32)
    for rows, medians_there in tile_medians(image, tile):
        level[rows] = medians_there
    return level


def tile_medians(image: np.ndarray, tile: int = TILE) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows of tiles from the top, and the median (nx,) that each of their pixels has."""
    ny, nx = image.shape
    columns = np.array(_edges(nx, tile))
    widths = np.diff(columns)
    for top, bottom in pairwise(_edges(ny, tile)):
        block = np.asarray(image[top:bottom], np.float32)
        found = np.empty(len(widths), np.float32)
        for width in np.unique(widths):  # two at most: a row of tiles at once
            alike = np.flatnonzero(widths == width)
            places = columns[alike, None] + np.arange(width)
            tiles = block[:, places].swapaxes(0, 1).reshape(len(alike), -1)
            found[alike] = medians(tiles)
            for k in np.flatnonzero(~np.isfinite(tiles).all(axis=1)):
                found[alike[k]] = known_median(tiles[k])
        yield slice(top, bottom), np.repeat(found, widths)


def _edges(length: int, tile: int) -> list[int]:
    parts = max(round(length / tile), 1)
    return [length * i // parts for i in range(parts + 1)]


@dataclass(frozen=True, slots=True)
class PixelNoise:
    """What the value of a usual pixel of a light frame is uncertain by.

    The gain is the only thing that has to be known of the camera. Where it is off by some factor,
    dark current and sky are off alike, and only the weight of the read noise is wrong.
    """

    variance: float  # ADU^2, of sky and read noise
    gain_e_per_adu: float
    scale: float = 1.0  # exposure of the light frame over that of the dark

    def largest_excess(self, n_sigma: float) -> float:
        """Dark current, ADU in the dark, whose shot noise in a light is n_sigma times the noise."""
        return n_sigma**2 * self.variance * self.gain_e_per_adu / self.scale


def dark_variance(dark: np.ndarray, std: np.ndarray, n: int, *, floor: float = 0.5) -> float:
    """Variance of a usual pixel in one of the n darks of a mean, ADU^2: the same for any n.

    std: (ny, nx) standard deviations among them; floor: least scatter believed, of whole numbers.
    """
    if n < 2:
        return max(robust_scatter(dark - tile_median(dark), about=0.0), floor) ** 2
    # The median of chi^2 lies below its mean (Wilson & Hilferty 1931).
    to_mean = (1 - 2 / (9 * (n - 1))) ** -3
    return max(image_median(std) ** 2 * to_mean, floor**2)


def hot_pixels(
    dark: np.ndarray, noise: PixelNoise, *, n_sigma: float = 5.0, among: Combined | None = None
) -> np.ndarray:
    """Find pixels that harm a light frame although the master dark is taken off it.

    Subtraction mends a warm pixel but for the shot noise of its dark current. It is bad where that
    noise, or what it scatters by in the darks beyond shot and read noise (telegraph noise), is more
    than `n_sigma` times the light frame's own: at 5 one such pixel adds no more than the background
    of a small aperture, of 25 pixels, has. So is one that is stuck at a value, or far below its
    surroundings. dark: (ny, nx) ADU, best with its bias: a pixel that always reads the same has no
    dark current; among: the darks, from which telegraph noise and stuck pixels are told.
    """
    level, usual = tile_median(dark), np.float32(image_median(dark))
    coldest, hottest = -n_sigma * np.sqrt(noise.variance), noise.largest_excess(n_sigma)
    bad = np.empty(dark.shape, bool)
    for start in range(0, len(dark), STRIP):
        rows = slice(start, start + STRIP)
        excess = dark[rows] - level[rows]
        # A gentle slope beside the glow of an amplifier is below its tile's median, and not cold.
        cold = np.maximum(excess, dark[rows] - usual) < coldest
        bad[rows] = cold | (excess > hottest)
        if among is not None:
            bad[rows] |= _restless(among, rows, excess, noise, n_sigma)
    return bad


def _restless(
    among: Combined, rows: slice, excess: np.ndarray, noise: PixelNoise, n_sigma: float
) -> np.ndarray:
    """Tell pixels of some rows of darks that scatter beyond their noise, or that are stuck."""
    shot = np.maximum(excess, 0) * noise.scale / noise.gain_e_per_adu
    restless = (among.spread[rows] * noise.scale) ** 2 > n_sigma**2 * (noise.variance + shot)
    n = len(among.paths)
    every = (n > 2) & (among.n_used[rows] == n) & (among.std[rows] == 0)
    return restless | (every & (shot > STUCK_SHOT_NOISE**2))


def dead_pixels(flat: np.ndarray, *, least: float = 0.5) -> np.ndarray:
    """Find pixels of a master flat below `least` of the local median, or not positive.

    Of each 2 x 2 pixels each is held against its own: they may be of four colours.
    """
    level = np.empty(flat.shape, np.float32)
    for corner in CORNERS:
        level[corner] = tile_median(flat[corner])
    return ~(flat > np.maximum(least * level, 0))


def bad_lines(image: np.ndarray, *, least: float) -> np.ndarray:
    """Mark (ny, nx) the columns and rows that stand out as a whole; see `bad_columns`.

    Of each 2 x 2 pixels each is looked at by itself: they may be of four colours.
    """
    marked = np.zeros(image.shape, bool)
    for rows, columns in CORNERS:
        part = image[rows, columns]
        marked[:, columns] |= bad_columns(part, least=least)
        marked[rows] |= bad_columns(part, least=least, axis=1)[:, None]
    return marked


def bad_columns(
    image: np.ndarray, *, n_sigma: float = 8.0, least: float = 0.0, axis: int = 0
) -> np.ndarray:
    """Find columns (rows where `axis` is 1) that stand out from their neighbours as a whole.

    n_sigma: robust scatters of the column medians about lines through `WINDOW` of them; least:
    smallest deviation that counts, in units of `image`.
    """
    lines = image.T if axis == 0 else image
    # Every so many pixels along a column give its median well enough, several times sooner.
    lines = lines[:, :: max(lines.shape[1] // _COLUMN_SAMPLES, 1)]
    medians = np.median(np.nan_to_num(lines), axis=1)
    deviation = _from_lines(medians)
    limit = max(n_sigma * robust_scatter(deviation, about=0.0), least)
    # In a ramp, as some amplifiers begin with, each lies between its neighbours: none is odd.
    around = sliding_window_view(np.pad(medians, WINDOW // 2, "edge"), WINDOW)
    ramp = np.abs(medians - np.median(around, axis=1))
    return np.minimum(deviation, ramp) > limit


def _from_lines(values: np.ndarray) -> np.ndarray:
    """Distances of values (n,) from lines through those around, whatever some of these are.

    A median of those around would lag behind where they rise or fall, most at the ends.
    """
    n = min(WINDOW, values.size)
    windows = sliding_window_view(values, n)
    x = np.arange(n)
    i, j = np.triu_indices(n, 1)
    slope = np.zeros((len(windows), 1))
    if n > 1:
        slope = np.median((windows[:, j] - windows[:, i]) / (j - i), axis=1, keepdims=True)
    rest = windows - slope * x
    apart = np.abs(rest - np.median(rest, axis=1, keepdims=True))
    half = n // 2
    return np.concatenate([apart[0, :half], apart[:, half], apart[-1, half + 1 :]])


def mark_cosmic_rays(
    frame: Frame,
    *,
    gain_e_per_adu: float,
    read_noise_e: float,
    clip_sigma: float = 4.5,
    max_passes: int = 4,
) -> Frame:
    """Mark pixels hit by cosmic rays, by the method of van Dokkum (2001, L.A.Cosmic).

    Parameters
    ----------
    frame : Frame
        Calibrated. Pixels already marked bad are not looked at.
    gain_e_per_adu, read_noise_e : float
        Of the camera; the noise they predict is what a hit has to stand out from, or where it is
        more what the frame shows: a sky that was taken off has left its noise.
    clip_sigma : float
        Contrast of a hit against that noise. On frames whose stars are narrower than two pixels
        cores of stars are marked too: raise it, or leave the search out.
    max_passes : int
        Passes over the frame; the first finds most, and each takes as long.

    Returns
    -------
    Frame
        `PixelFlag.COSMIC_RAY` added; the pixels are the same.
    """
    hits = np.zeros(frame.pixels.shape, bool)
    # Neighbours of a mosaic differ by their colours: each colour is looked at by itself.
    step = 1 if frame.exposure.mosaic is None else 2
    for corner in np.ndindex(step, step):
        part = tuple(slice(first, None, step) for first in corner)
        hits[part] = _hits(
            frame.pixels[part], frame.bad[part] != 0, frame.exposure.saturation_adu,
            (gain_e_per_adu, read_noise_e), clip_sigma, max_passes,
        )  # fmt: skip
    marked = frame.bad | np.where(hits, np.uint8(PixelFlag.COSMIC_RAY), np.uint8(0))
    line = f"{np.count_nonzero(hits)} pixels marked as hit by cosmic rays (L.A.Cosmic)"
    return replace(frame, bad=marked, history=(*frame.history, line))


def _hits(
    pixels: np.ndarray,
    bad: np.ndarray,
    saturation_adu: float | None,
    gain_and_noise: tuple[float, float],
    clip_sigma: float,
    max_passes: int,
) -> np.ndarray:
    """Tell which pixels (ny, nx) were hit, electrons per ADU and electrons given."""
    gain, read_noise = gain_and_noise
    if bad.all():
        return np.zeros(bad.shape, bool)
    # astroscrappy does arithmetic on masked pixels too: NaN would spread. Near edges its filters
    # see no fine structure, and a star there is a hit: the image is let fade to the sky beyond.
    level = np.where(np.isfinite(pixels), pixels, 0).astype(np.float32)
    sky = float(np.median(pixels[~bad]))
    image = np.pad(level, _EDGE, "linear_ramp", end_values=sky)
    search = _Search(
        gain, _dark_noise(pixels[~bad], gain, read_noise),
        (saturation_adu or SATURATION_UNKNOWN) * gain, clip_sigma,
    )  # fmt: skip
    hits = search.in_parts(image, np.pad(bad, _EDGE), max_passes)
    return hits[_EDGE:-_EDGE, _EDGE:-_EDGE]


@dataclass(frozen=True, slots=True)
class _Search:
    """The search for cosmic rays of one camera: electrons per ADU, and electrons."""

    gain: float
    noise: float  # of a pixel without light
    full: float
    clip_sigma: float

    def whole(
        self, image: np.ndarray, bad: np.ndarray, passes: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tell the pixels hit (ny, nx), and give the image with them filled."""
        from astroscrappy import detect_cosmics

        hits, clean = detect_cosmics(
            image, inmask=bad, sigclip=self.clip_sigma, objlim=_CONTRAST, gain=self.gain,
            readnoise=self.noise, satlevel=self.full, cleantype="medmask", niter=passes,
        )  # fmt: skip
        return hits, clean

    def in_parts(self, image: np.ndarray, bad: np.ndarray, passes: int) -> np.ndarray:
        """Tell the same, but look only about the pixels that may be hit.

        Nothing farther away than `_REACH` decides in a pass, and only near hits is there more to
        find in the next.
        """
        suspects = self.suspects(image, bad)
        ends = [(_REACH, _REACH - n % -_BLOCK) for n in image.shape]
        clean, mask = np.pad(image, ends, "edge"), np.pad(bad, ends, constant_values=True)
        hits, side = np.zeros(clean.shape, bool), _BLOCK + 2 * _REACH
        inner = slice(_REACH - _GROWN, _GROWN - _REACH)
        for _ in range(passes):
            blocks = np.unique(suspects // _BLOCK, axis=0) * _BLOCK
            if len(blocks) * side**2 > image.size / 2:
                return self.whole(image, bad, passes)[0]
            if not len(blocks):
                break
            light, masked = (
                sliding_window_view(one, (side, side))[tuple(blocks.T)].reshape(-1, side)
                for one in (clean, mask)
            )
            hit, filled = (
                one.reshape(-1, side, side)[:, inner, inner] for one in self.whole(light, masked, 1)
            )
            block, row, column = np.nonzero(hit)
            place = blocks[block] + inner.start + np.column_stack([row, column])
            hits[tuple(place.T)] = True
            clean[tuple(place.T)] = filled[block, row, column]
            suspects = np.concatenate([place - _REACH + shift for shift in _NEAR])
            suspects = np.clip(suspects, 0, np.array(image.shape) - 1)
        return hits[_REACH:, _REACH:][: image.shape[0], : image.shape[1]]

    def suspects(self, image: np.ndarray, bad: np.ndarray) -> np.ndarray:
        """Find the pixels (n, 2), row and column, that a first pass may call hit; no other can be.

        Its noise is by a median of 7 x 7 pixels, so that by the lowest of these is less; and what
        it compares with the fine structure is at most the Laplacian itself.
        """
        from scipy.ndimage import minimum_filter

        light = image * np.float32(self.gain)
        variance = np.maximum(minimum_filter(light, 7) + np.float32(self.noise**2), 1e-5)
        middle = light[1:-1, 1:-1]
        beside = middle - light[1:-1, :-2], middle - light[1:-1, 2:]
        above = middle - light[:-2, 1:-1], middle - light[2:, 1:-1]
        laplacian = np.zeros_like(middle)
        for u, v in product(beside, above):
            laplacian += np.maximum(u + v, 0) / 4
        high = laplacian > _ROUNDED * 2 * self.clip_sigma * np.sqrt(variance[1:-1, 1:-1])
        row, column = np.nonzero(high & ~bad[1:-1, 1:-1])
        squares = sliding_window_view(np.pad(light, 5, "edge"), (13, 13))
        parts = np.array_split(np.column_stack([row, column]), len(row) // _AT_ONCE + 1)
        structure = np.concatenate([_fine_structure(squares[tuple(part.T)]) for part in parts])
        sharp = laplacian[row, column] > _ROUNDED * 2 * _CONTRAST * structure
        return np.column_stack([row, column])[sharp] + 1


def _fine_structure(squares: np.ndarray) -> np.ndarray:
    """Tell by how much a small filter is above a large one in the middle of squares (n, 13, 13)."""
    smooth = _separable_median(squares, 5)
    return smooth[:, 4, 4] - _separable_median(smooth, 9)[:, 0, 0]


def _separable_median(squares: np.ndarray, size: int) -> np.ndarray:
    """Medians of rows, and of the columns of these, of squares (n, s, s): size - 1 less a side."""
    for axis in (-1, -2):
        squares = np.asarray(np.median(sliding_window_view(squares, size, axis=axis), axis=-1))
    return squares


def _dark_noise(good: np.ndarray, gain: float, read_noise: float) -> float:
    """Noise of a pixel without light, electrons: the camera's, or what good pixels show."""
    low, sky = np.percentile(good, [15.865, 50])
    rest = ((sky - low) * gain) ** 2 - max(sky, 0.0) * gain
    return float(np.sqrt(max(read_noise**2, rest)))
