"""What light frames themselves tell of bad pixels: which they are, and whether darks suit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.calib.bad_pixels import tile_median, tile_medians
from lightcurve.calib.combine import open_rows, rows_of
from lightcurve.core.errors import FrameError
from lightcurve.core.robust import median_error, robust_scatter

__all__ = ["dark_excess", "frames_looked_at"]

# Looked at: so many as there are, spread over the night. While it grows, others are looked at only
# each time it has doubled, and what was measured meanwhile stays as it is.
FRAMES = (15, 8, 5)
FEWEST = FRAMES[-1]  # a star that drifts, or a cosmic ray, is not in the same pixel of all of them
N_SIGMA = 5.0  # in each frame; less harms nobody
# Light of the four pixels around, of that in the middle: a star has 0.2 and more if its FWHM is
# over 1.2 px, a pixel with a current of its own has none, whatever the mount does.
OF_A_STAR = 0.1
MANY = 20  # warm pixels, for a share to be believed
HARMLESS = 0.05  # of the dark current: what is left of it then is less than its shot noise, mostly
QUIET = 3.0  # sigma: pixels beside that no star moves
REACH = 4
_RING = [(j, i) for j in range(-4, 5, 2) for i in range(-4, 5, 2) if max(abs(j), abs(i)) == REACH]
_AROUND = [(j, i) for j in range(-2, 3) for i in range(-2, 3) if max(abs(j), abs(i)) == 2]
_BESIDE = ((0, 1), (1, 0), (0, -1), (-1, 0))
_MARGIN = REACH + 1
_BLOCK_PIXELS = 1_000_000
SAMPLE = 1_000_000  # pixels that tell a scatter to a thousandth of it


@dataclass(frozen=True, slots=True, eq=False)
class Warm:
    """What pixels have above their surroundings in every frame."""

    excess: np.ndarray  # (ny, nx) float32, ADU; 0 where there is none
    bad: np.ndarray  # (ny, nx) bool: stuck, or so restless that nothing mends it
    lacking: np.ndarray  # (ny, nx) float32, ADU below the surroundings; 0 where there is none
    lowest: (
        np.ndarray
    )  # (ny, nx) float32, ADU above the frame's level: no star that drifts is in it
    sigma: float  # noise of a pixel of one frame, ADU
    names: tuple[str, ...]  # of the frames looked at


@dataclass(frozen=True, slots=True)
class DarkShare:
    """Dark current of warm pixels in the light frames over that in the darks."""

    value: float
    err: float
    n_pixels: int
    n_frames: int

    @property
    def differs(self) -> bool:
        """Tell whether the darks are of another temperature, say, beyond doubt and harmlessness."""
        off = abs(self.value - 1)
        return self.n_pixels >= MANY and off > max(HARMLESS, N_SIGMA * self.err)


def warm_of_lights(paths: Sequence[Path], shape: tuple[int, int]) -> Warm | None:
    """Find pixels that stand out of their surroundings in every frame, and by how much.

    paths: light frames in order of time; those that cannot be read, or are not of the shape
    (ny, nx), are passed over. Colours of a mosaic are held against their own. None where fewer than
    `FEWEST` are left.
    """
    excess, lacking, lowest = np.zeros((3, *shape), np.float32)
    whole = Warm(excess, np.zeros(shape, bool), lacking, lowest, 0.0, ())
    sigmas: list[float] = []
    names: list[str] = []
    for rows, inner, block, names in _blocks(paths, shape):  # noqa: B007 - the names of the last
        one = _excess(block)
        for name in ("excess", "bad", "lacking", "lowest"):
            getattr(whole, name)[rows] = getattr(one, name)[inner]
        sigmas.append(one.sigma)
    return replace(whole, sigma=float(np.median(sigmas)), names=tuple(names)) if names else None


def dark_excess(
    dark: np.ndarray, bad: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell by how much warm pixels of a master dark stand above the pixels around.

    dark: (ny, nx) float array, ADU; bad: (ny, nx) uint8 array or None, 0 where a pixel is good.
    Returns row, column and excess, (n,) arrays, the last in ADU in the dark's exposure, of good
    pixels where the dark's own noise would not do.
    """
    nx = dark.shape[1]
    step = dark.size // SAMPLE | 1  # an odd one goes through all columns

    def above(rows: slice, level: np.ndarray) -> np.ndarray:
        return (np.asarray(dark[rows], np.float32) - level).ravel()

    levels = list(tile_medians(dark))
    some = [above(*one)[-one[0].start * nx % step :: step] for one in levels]
    limit = N_SIGMA * robust_scatter(np.concatenate(some), about=0.0)
    places, values = [], []
    for rows, level in levels:
        light = above(rows, level)
        warm = np.flatnonzero(light > limit)
        if bad is not None:
            warm = warm[bad[rows].ravel()[warm] == 0]
        places.append(warm + rows.start * nx)
        values.append(light[warm])
    row, column = np.divmod(np.concatenate(places), nx)
    return row, column, np.concatenate(values)


def share_of_dark(paths: Sequence[Path], excess: np.ndarray, least: float) -> DarkShare | None:
    """Measure how much of the darks' excess warm pixels have in light frames.

    excess: (ny, nx) ADU above their surroundings, as it would be taken off a light frame; least:
    pixels with less are not looked at, nor are those under stars. None without pixels or frames.
    """
    ratios, n_frames = [], 0
    for rows, inner, block, names in _blocks(paths, excess.shape):
        of_dark = np.zeros(block.shape[1:])
        of_dark[inner] = excess[rows]
        j, i = np.nonzero(of_dark > least)
        own, beside = _calm_light(block, j, i)
        free = np.abs(beside) < OF_A_STAR * of_dark[j, i]
        ratios.append(own[free] / of_dark[j, i][free])
        n_frames = len(names)
    values = np.concatenate(ratios) if ratios else np.zeros(0)
    if values.size < 2:
        return None
    return DarkShare(float(np.median(values)), median_error(values), values.size, n_frames)


def _blocks(
    paths: Sequence[Path], shape: tuple[int, int]
) -> Iterator[tuple[slice, tuple[slice, slice], np.ndarray, list[str]]]:
    """Yield rows of the frame, where these stand in a block of frames, and that (n, ny, nx)."""
    picked = frames_looked_at(paths)
    with tempfile.TemporaryDirectory(prefix="lightcurve-") as spill, ExitStack() as stack:
        readers, names = [], []
        for path in picked:
            try:
                source = open_rows(path, Path(spill))
                if source.shape == shape:
                    readers.append(stack.enter_context(rows_of(source)))
                    names.append(path.name)
            except FrameError:
                continue  # its turn to be told of comes when it is measured
        if len(readers) < FEWEST:
            return
        step = max(_BLOCK_PIXELS // shape[1], 2) & ~1  # even: mosaics begin with the same colour
        for top in range(0, shape[0], step):
            first, last = max(top - _MARGIN - 1, 0), min(top + step + _MARGIN + 1, shape[0])
            rows = slice(top, min(top + step, shape[0]))
            # Mirrored beyond the edges, about the pixels there: colours of a mosaic stay in step.
            beyond = [(_MARGIN + 1) * (edge in {0, shape[0]}) for edge in (first, last)]
            padding = (beyond, (_MARGIN + 1, _MARGIN + 1))
            block = np.stack([np.pad(read(first, last), padding, "reflect") for read in readers])
            up = beyond[0] - first
            inner = slice(rows.start + up, rows.stop + up), slice(_MARGIN + 1, -_MARGIN - 1)
            yield rows, inner, block, names


def frames_looked_at(paths: Sequence[Path]) -> Sequence[Path]:
    """Pick the light frames that tell of warm pixels: the first, and others at even steps.

    paths: in order of time.
    Of n frames those up to half of the night at least; the same ones until the night has doubled.
    """
    wanted = next((n for n in FRAMES if n <= len(paths)), 0)
    step = 1
    while wanted and 2 * step * (wanted - 1) < len(paths):
        step *= 2
    return paths[: step * wanted : step][:wanted]


def _excess(raw: np.ndarray) -> Warm:
    """Tell of the pixels of a block (n, ny, nx) of frames."""
    block = raw - np.nanmedian(raw, axis=(1, 2), keepdims=True)
    sigma = max(robust_scatter(block[0] - block[1]) / np.sqrt(2), 0.5)
    least = block.min(axis=0)
    high, low = np.zeros((2, *block.shape[1:]), bool)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = tuple(slice(k, None, 2) for k in corner)
        # The lowest of n values lies below the level; in a usual pixel by up to two sigma.
        above = least[part] - tile_median(least[part])
        high[part], low[part] = above > N_SIGMA * sigma, above < -N_SIGMA * sigma
    jumping = _within(block.max(axis=0) - least > 2 * N_SIGMA * sigma)
    excess, bad = _of_warm(raw, block, _standing_out(least, _within(high), sigma), sigma)
    lacking = _of_cold(block, _standing_out(-least, _within(low), sigma), sigma)
    return Warm(excess, bad | _restless(block, jumping, sigma), lacking, least, sigma, ())


def _within(mask: np.ndarray) -> np.ndarray:
    """Leave out pixels of the margin, whose ring is not whole."""
    mask[:_MARGIN], mask[-_MARGIN:], mask[:, :_MARGIN], mask[:, -_MARGIN:] = (False,) * 4
    return mask


def _standing_out(least: np.ndarray, out: np.ndarray, sigma: float) -> np.ndarray:
    """Leave of some pixels (ny, nx) those that stand twice as high as the ones beside.

    Most of a crowd that stays where it is lies in other pixels, a third of the frame: they need not
    be looked at in each frame. What has a current of its own stands ten times as high.
    """
    j, i = np.nonzero(out)
    own = _above(least[None], j, i)[0]
    beside = np.sort([_above(least[None], j + y, i + x)[0] for y, x in _BESIDE], axis=0)[1:3]
    found = np.zeros_like(out)
    found[j, i] = own - beside.mean(axis=0) > np.maximum(own, N_SIGMA * sigma) / 2
    return found


def _of_warm(
    raw: np.ndarray, block: np.ndarray, out: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Excess (ny, nx), of pixels with a current of their own, and which of them are stuck.

    out: (ny, nx) bool, where the lowest value is high.
    """
    j, i = np.nonzero(out)
    (own, beside), above = _calm_light(block, j, i), _above(block, j, i)
    # While a star passes by, the ring around may be brighter than its middle.
    lasting = np.quantile(above, 0.2, axis=0) > N_SIGMA * sigma
    warm = lasting & (own > N_SIGMA * sigma) & (beside < OF_A_STAR * own)
    excess, bad = np.zeros(out.shape, np.float32), np.zeros(out.shape, bool)
    excess[j[warm], i[warm]] = own[warm]
    bad[j[warm], i[warm]] = np.ptp(raw[:, j[warm], i[warm]], axis=0) == 0
    return excess, bad


def _of_cold(block: np.ndarray, out: np.ndarray, sigma: float) -> np.ndarray:
    """Measure what pixels (ny, nx) lack, ADU, where those beside do not.

    out: (ny, nx) bool, where the lowest value is low.
    """
    j, i = np.nonzero(out)
    own, beside = _calm_light(block, j, i)
    cold = (own < -N_SIGMA * sigma) & (beside > OF_A_STAR * own)
    lacking = np.zeros(out.shape, np.float32)
    lacking[j[cold], i[cold]] = -own[cold]
    return lacking


def _restless(block: np.ndarray, jumping: np.ndarray, sigma: float) -> np.ndarray:
    """Tell which pixels (ny, nx) jump or are noisy while those beside keep still, as no star does.

    jumping: (ny, nx) bool, those looked at. Once is not enough: it may be a cosmic ray.
    """
    j, i = np.nonzero(jumping)
    calm = _calm(block, j, i, share=0.5)
    beside = np.stack([_values(block, j + y, i + x) for y, x in _BESIDE])
    usual = np.sort(np.take_along_axis(beside, calm[None], axis=1), axis=1)
    half = (len(calm) - 1) // 2, len(calm) // 2
    beside -= usual[:, half, :].mean(axis=1, keepdims=True)
    quiet = np.abs(beside).max(axis=0) < QUIET * sigma
    some = np.count_nonzero(quiet, axis=0) >= FEWEST
    j, i, beside, quiet = j[some], i[some], beside[:, :, some], quiet[:, some]
    own = _values(block, j, i)
    own = own - _median_where(quiet, own)
    away = np.abs(own)
    jumps = quiet & (away > 2 * N_SIGMA * sigma)
    jumps &= np.abs(beside.mean(axis=0)) < OF_A_STAR * away
    found = np.zeros(jumping.shape, bool)
    found[j, i] = np.count_nonzero(jumps, axis=0) > 1
    return found


def _calm_light(block: np.ndarray, j: np.ndarray, i: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Light (m,) of pixels, and of the four around, in the frames with the least of stars there."""
    calm = _calm(block, j, i)

    def mean(y: int, x: int) -> np.ndarray:
        return np.take_along_axis(_above(block, j + y, i + x), calm, axis=0).mean(axis=0)

    return mean(0, 0), np.median([mean(y, x) for y, x in _BESIDE], axis=0)


def _calm(block: np.ndarray, j: np.ndarray, i: np.ndarray, share: float = 0.2) -> np.ndarray:
    """Frames (k, m) with the least starlight around pixels (m,), by pixels not looked at else."""
    around = np.zeros((len(block), len(j)), block.dtype)
    for y, x in _AROUND:
        around += _values(block, j + y, i + x)
    return np.argsort(around, axis=0)[: max(int(share * len(block)), 2)]


def _above(block: np.ndarray, j: np.ndarray, i: np.ndarray) -> np.ndarray:
    """Values (n, m) of pixels (m,) above the pixels of their colour around them."""
    ring = np.stack([_values(block, j + y, i + x) for y, x in _RING], axis=-1)
    return _values(block, j, i) - np.median(ring, axis=-1)


def _values(block: np.ndarray, j: np.ndarray, i: np.ndarray) -> np.ndarray:
    """Values (n, m) of pixels (m,) in all frames: by one index each, half of the time of two."""
    return block.reshape(len(block), -1).take(j * block.shape[2] + i, axis=1)


def _median_where(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Median (m,) of those of the values (n, m) that are known and no NaN; inf without any."""
    known = known & ~np.isnan(values)
    ordered, n = np.sort(np.where(known, values, np.inf), axis=0), np.count_nonzero(known, axis=0)
    return np.take_along_axis(ordered, np.stack([(n - 1) // 2, n // 2]), axis=0).mean(axis=0)
