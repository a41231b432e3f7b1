"""Many exposures into one image: clipped means in row blocks, so that memory does not grow."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

from lightcurve.calib.linearity import straighten
from lightcurve.core.errors import CalibrationError, FrameError
from lightcurve.core.progress import Progress, silent
from lightcurve.core.robust import MAD_TO_SIGMA
from lightcurve.frames.cards import number
from lightcurve.frames.pixels import Hdu, find_image, open_source, row_reader
from lightcurve.frames.read import read_frame
from lightcurve.frames.sections import read_layout

_CHUNK_VALUES = 400_000  # 1.6 MB: fits the cache of one core, nearly
_FEW = 32  # exposures: of more, sorting each pixel's values by themselves is quicker
_ROWS_ASKED = 8
_LEVEL_SAMPLES = 500_000
_BYTES = 4  # of a float32
_BLOCK_MB = 64  # a larger block is no faster, and its pages have to be found first
Subtract = np.ndarray | tuple[np.ndarray, float | np.ndarray]
Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class RowSource:
    """A file whose rows can be read one by one."""

    path: Path  # the image the user gave
    stored: Path  # the file that holds its pixels uncompressed; often the same
    shape: tuple[int, int]  # (ny, nx)
    # ADU between neighbouring values of an integer image; 0 where values are continuous
    step: float


def open_rows(path: Path, spill: Path) -> RowSource:
    """Find the pixels of an image, so that its rows can be read by themselves.

    A plain two-dimensional primary image is read where it lies. Any other kind (compressed, in an
    extension, a cube) is unpacked once, whole, into the folder `spill`; the caller removes it.
    """
    from astropy.io import fits

    with open_source(path) as source:
        _, hdu = find_image(source)
        plain = not source.packed and not hdu.tiled and hdu.index == 0 and len(hdu.axes) == 2
        where_it_lies = (
            RowSource(path, path, (hdu.axes[1], hdu.axes[0]), _step(hdu)) if plain else None
        )
    whole = where_it_lies and read_layout(hdu.cards, where_it_lies.shape) is None
    if where_it_lies and whole and hdu.bitpix > 0:
        return where_it_lies
    frame = read_frame(path, need_time=False)
    if where_it_lies and whole and len(frame.history) == 1:  # its numbers are counts as they stand
        return where_it_lies
    pixels = frame.pixels
    integer = bool(np.array_equal(pixels[:64], np.rint(pixels[:64])))
    try:
        with tempfile.NamedTemporaryFile(dir=spill, suffix=".fits", delete=False) as file:
            fits.PrimaryHDU(pixels).writeto(file)
    except OSError as error:
        msg = f"its pixels cannot be unpacked into {spill}: {error.strerror or error}"
        raise FrameError(path, msg) from error
    return RowSource(path, Path(file.name), pixels.shape, 1.0 if integer else 0.0)


def _step(hdu: Hdu) -> float:
    if hdu.bitpix < 0:
        return 0.0
    scale = number(hdu.cards["BSCALE"].text) if "BSCALE" in hdu.cards else 1.0
    return abs(1.0 if scale is None else scale)


@contextmanager
def rows_of(source: RowSource) -> Iterator[Callable[[int, int], np.ndarray]]:
    """Open an image to read rows of it, from one up to, not including, another.

    What it yields gives (n_row, nx) float32 in ADU, NaN where blank; it raises FrameError when the
    file became shorter or vanished since it was found.
    """
    with open_source(source.stored) as stored:
        _, hdu = find_image(stored)
        read = row_reader(stored, hdu)

        def read_some(row0: int, row1: int) -> np.ndarray:
            ny, nx = source.shape
            row0, row1 = max(row0, 0), min(row1, ny)
            rows = np.empty((row1 - row0, nx), np.float32)
            read(slice(row0, row1), rows)
            return rows

        yield read_some


def read_rows(source: RowSource, row0: int, row1: int) -> np.ndarray:
    """Read some rows once, those that there are; see `rows_of`."""
    with rows_of(source) as read:
        return read(row0, row1)


def clipped_mean(
    stack: np.ndarray,
    clip_sigma: float = 5.0,
    *,
    floor: float = 0.0,
    method: str = "mean",
    out: Parts | None = None,
) -> Parts:
    """Combine a stack (n, ny, nx): image, standard deviation (n - 1), number kept, spread.

    clip_sigma: in scatters about the median; infinity keeps all.
    floor: smallest scatter believed. Whole numbers that are mostly equal have a median absolute
    deviation of 0, and every other value would be left out: half the step between them will do.
    method: ``"mean"`` or ``"median"`` of the values kept.
    out: C-contiguous arrays to write to, which are returned.
    Returns (ny, nx) arrays, NaN where no value is left (for the deviation, fewer than two). Spread:
    standard deviation of all; where some are doubtful without the one farthest off alone, which a
    cosmic ray may have hit.
    """
    n, ny, nx = stack.shape
    flat = stack.reshape(n, ny * nx)
    parts = out or _empty_parts((ny, nx))
    step = max(_CHUNK_VALUES // n, 1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for first in range(0, ny * nx, step):
            some = slice(first, first + step)
            found = _combine_sorted(_sorted(flat[:, some]), clip_sigma, floor, method)
            for part, values in zip(parts, found, strict=True):
                part.reshape(-1)[some] = values
    return parts


def _empty_parts(shape: tuple[int, int]) -> Parts:
    image, std, spread = (np.empty(shape, np.float32) for _ in range(3))
    return image, std, np.empty(shape, np.uint16), spread


def _sorted(stack: np.ndarray) -> np.ndarray:
    """Sort each pixel's values, (n, m), NaN last; a few by comparing whole exposures in turn."""
    n = len(stack)
    if n > _FEW:
        return np.sort(stack.T, axis=1).T
    rows, spare = [row.copy() for row in stack], np.empty_like(stack[0])
    for low, high in _comparisons(n):
        np.fmin(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = spare, rows[low]
    return np.stack(rows)


@lru_cache(maxsize=_FEW)
def _comparisons(n: int) -> tuple[tuple[int, int], ...]:
    """Give the pairs that sort n values (Batcher's odd-even merge sort: Knuth, vol. 3, 5.3.4)."""
    pairs, size = [], 1
    while size < n:
        step = size
        while step:
            pairs += [
                (k, k + step)
                for start in range(step % size, n - step, 2 * step)
                for k in range(start, min(start + step, n - step))
                if k // (2 * size) == (k + step) // (2 * size)
            ]
            step //= 2
        size *= 2
    return tuple(pairs)


def _combine_sorted(values: np.ndarray, clip_sigma: float, floor: float, method: str) -> Parts:
    """Clip and combine columns of sorted values, shape (n, m)."""
    n, m = values.shape
    center = (values[(n - 1) // 2] + values[n // 2]) / 2
    deviation = values - center
    extreme = np.maximum(-deviation[0], deviation[-1])
    # ~(a <= b) rather than a > b: NaN must count as doubtful.
    doubtful = np.flatnonzero(
        ~(extreme <= clip_sigma * _least_scatter(deviation, floor)) | ~np.isfinite(extreme)
    )
    image, std = _summary(deviation, center, n, method)
    count, spread = np.full(m, n, np.uint16), std
    if doubtful.size:
        spread = std.copy()
        spread[doubtful] = _spread(deviation[:, doubtful])
        kept, middle, number = _clip(values[:, doubtful].T, clip_sigma, floor)
        image[doubtful], std[doubtful] = _summary(kept.T, middle, number, method)
        count[doubtful] = number
    return image, std, count, spread


def _spread(deviation: np.ndarray) -> np.ndarray:
    """Measure the scatter of columns of sorted deviations but the largest; NaN below three."""
    n = len(deviation) - 1
    if n < 2:
        return np.full(deviation.shape[1], np.nan, np.float32)
    low, inner, high = deviation[0], deviation[1:-1], deviation[-1]
    # Left out of the sums from the start: taken off later, it would take their digits with it.
    end = np.where(-low > high, high, low)
    total = inner.sum(axis=0) + end
    square = np.square(inner).sum(axis=0) + end**2
    return np.sqrt(np.maximum(square - total**2 / n, 0) / (n - 1))


def _least_scatter(deviation: np.ndarray, floor: float) -> np.ndarray:
    """Bound the scatter from below, without working it out.

    Of n sorted deviations d (n, m), those of smaller size than min(-d[i], d[j]) lie between i and
    j; when at most (n - 1) // 2 do, the median of the sizes cannot be smaller than it.
    """
    n = len(deviation)
    inside = (n - 1) // 2
    low = max((n - inside - 2) // 2, 0)
    high = min(low + inside + 1, n - 1)
    mad = np.minimum(-deviation[low], deviation[high])
    return np.maximum(MAD_TO_SIGMA * mad, floor)


def _clip(
    values: np.ndarray, clip_sigma: float, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clip rows of sorted values until each settles.

    Returns the deviations from the median (0 where left out), the median, the number kept.
    """
    finite = np.isfinite(values)
    start = np.sum(values == -np.inf, axis=1)
    stop = start + finite.sum(axis=1)
    center, limit = np.empty(len(values), values.dtype), np.empty(len(values), values.dtype)
    active = np.arange(len(values))
    while active.size:
        rows, old = values[active], stop[active] - start[active]
        center[active], limit[active], first, count = _clip_once(
            rows, start[active], stop[active], clip_sigma, floor
        )
        start[active] = first
        stop[active] = first + count
        active = active[count != old]
    deviation = values - center[:, None]
    within = finite & (np.abs(deviation) <= limit[:, None])
    return np.where(within, deviation, 0), center, within.sum(axis=1)


def _clip_once(
    values: np.ndarray, start: np.ndarray, stop: np.ndarray, clip_sigma: float, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Median and limit of rows of sorted values between `start` and `stop`, and who survives.

    The survivors of a row are neighbours: their first column and their number are returned.
    """
    column = np.arange(values.shape[1])
    center = _middle(values, start, stop)
    size = np.abs(values - center[:, None])
    size[(column < start[:, None]) | (column >= stop[:, None])] = np.inf
    mad = _middle(np.sort(size, axis=1), np.zeros_like(start), stop - start)
    # A hair above: the scatter's own rounding must not throw out values that equal the limit.
    limit = clip_sigma * np.maximum(MAD_TO_SIGMA * mad, floor) * (1 + 1e-6)
    keep = size <= np.minimum(limit, np.finfo(values.dtype).max)[:, None]
    count = keep.sum(axis=1)
    return center, limit, np.where(count > 0, np.argmax(keep, axis=1), start), count


def _middle(values: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Median of sorted rows between `start` and `stop`; NaN where that is empty."""
    last = values.shape[1] - 1
    rows = np.arange(len(values))
    low = values[rows, np.maximum((start + stop - 1) // 2, 0)]
    high = values[rows, np.minimum((start + stop) // 2, last)]
    return np.where(stop > start, (low + high) / 2, np.nan).astype(values.dtype)


def _summary(
    deviation: np.ndarray, center: np.ndarray, count: np.ndarray | int, method: str
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (or median) and standard deviation, from deviations (n, m) that are 0 if left out.

    Sums of deviations from the median keep the digits that sums of large values lose.
    """
    mean = deviation.sum(axis=0) / count
    variance = np.maximum(np.square(deviation).sum(axis=0) - count * mean**2, 0) / (count - 1)
    image = center if method == "median" else center + mean
    std = np.where(np.asarray(count) > 1, np.sqrt(variance), np.nan)
    image = np.where(np.asarray(count) > 0, image, np.nan)
    return image.astype(np.float32), std.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """A stack of exposures made one.

    image, std : (ny, nx) float32 arrays, clipped mean (or median) and standard deviation of the
        values kept; NaN where none.
    """

    image: np.ndarray
    std: np.ndarray
    n_used: np.ndarray  # (ny, nx) uint16, values kept at each pixel
    # (ny, nx), standard deviation with at most one value left out, the one farthest off
    spread: np.ndarray
    paths: tuple[Path, ...]  # the exposures, in the order given
    # (n,), median of each exposure after subtraction, where `scale` asked for it; else empty
    levels: np.ndarray
    # of each exposure the pixels left out, as sorted indices into all of them; empty where none are
    without: tuple[np.ndarray, ...] = ()

    def parts(self) -> Parts:
        """Give the image and what goes with it, as they are."""
        return self.image, self.std, self.n_used, self.spread


def combine(
    paths: Sequence[Path],
    *,
    scale: Literal["median"] | np.ndarray | None = None,
    subtract: Subtract | Sequence[Subtract] | None = None,
    clip_sigma: float = 5.0,
    method: Literal["mean", "median"] = "mean",
    without: Sequence[np.ndarray] = (),
    before: Combined | None = None,
    linear: Sequence[float] | None = None,
    memory_mb: float = 500,
    progress: Progress | None = None,
) -> Combined:
    """Combine exposures of the same size, value by value, with outliers left out.

    Each becomes ``(exposure - sum(image * factor)) * scale`` before it is compared with the others.
    scale: (n,) factors; ``"median"`` divides each by its median after subtraction (over half a
    million pixels on a regular grid).
    subtract: images to take off, each with its factor or one for each exposure.
    without: of each exposure the pixels left out, as sorted indices into all of them.
    before: the same exposures combined, with other pixels left out or none: it is changed into what
        is returned, and only rows of pixels left out then or now are made anew.
    linear: terms of the polynomial that makes what is left linear.
    memory_mb: for the rows in memory; the result needs 10 bytes a pixel besides.

    Raises CalibrationError when there are none, their sizes differ, or one cannot be scaled;
    FrameError when one cannot be read.
    """
    paths = tuple(Path(path) for path in paths)
    progress = progress or silent
    if not paths:
        msg = "no exposures to combine"
        raise CalibrationError(msg)
    if method not in {"mean", "median"} or not clip_sigma > 0:
        msg = f"combine by 'mean' or 'median' with clip_sigma > 0, got {method!r}, {clip_sigma!r}"
        raise CalibrationError(msg)
    with tempfile.TemporaryDirectory(prefix="lightcurve-") as spill:
        opening = progress(paths, "Opening exposures", len(paths))
        sources = [open_rows(path, Path(spill)) for path in opening]
        shape = _common_shape(sources)
        terms = as_terms(subtract, shape, len(paths), linear)
        levels = np.array([])
        if isinstance(scale, str):
            levels = _levels(sources, terms, progress) if before is None else before.levels
            scale = 1 / levels
        factors = np.ones(len(paths)) if scale is None else np.asarray(scale, dtype=float)
        if factors.shape != (len(paths),) or not np.all(np.isfinite(factors)):
            msg = f"one finite scale for each of {len(paths)} exposures is needed, got {factors}"
            raise CalibrationError(msg)
        room = min(memory_mb, _BLOCK_MB) * 1e6
        most = max(int(room / (_BYTES * len(paths) * shape[1])), 1)
        floor = 0.5 * max(s.step * abs(f) for s, f in zip(sources, factors, strict=True))
        floor = max(floor, _typical_scatter(sources, terms, factors))
        mean = partial(clipped_mean, clip_sigma=clip_sigma, floor=floor, method=method)
        anew = np.arange(shape[0])
        if before is not None:
            anew = _rows_of((*before.without, *without), shape[1])
        spans = _spans(anew, min(most, shape[0]))
        blocks = _blocks(sources, terms, factors, spans, without)
        parts = _empty_parts(shape) if before is None else before.parts()
        image, std, n_used, spread = parts
        for rows, block in progress(blocks, "Combining exposures", len(spans)):
            mean(block, out=(image[rows], std[rows], n_used[rows], spread[rows]))
    return Combined(*parts, paths=paths, levels=levels, without=tuple(without))


def _common_shape(sources: Sequence[RowSource]) -> tuple[int, int]:
    first = sources[0]
    for source in sources:
        if source.shape != first.shape:
            msg = (
                "exposures of different size cannot be combined: "
                "{} is {} x {} px, {} is {} x {} px".format(
                    first.path.name, *first.shape[::-1], source.path.name, *source.shape[::-1]
                )
            )
            raise CalibrationError(msg)
    return first.shape


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What is done to exposures before they are compared.

    subtract : images with one factor for each exposure.
    linear : terms of a polynomial of what is left, or None.
    """

    subtract: Sequence[tuple[np.ndarray, np.ndarray]] = ()
    linear: Sequence[float] | None = None


def as_terms(
    subtract: Subtract | Sequence[Subtract] | None,
    shape: tuple[int, int],
    n: int,
    linear: Sequence[float] | None = None,
) -> Terms:
    """Put what is to be done into one form.

    linear: heeded where something is subtracted: a bias, or a dark with the bias in it, stays as
    it is.
    """
    if subtract is None:
        return Terms()
    terms: list[tuple[np.ndarray, np.ndarray]] = []
    for term in subtract if isinstance(subtract, list) else [subtract]:
        image, factor = term if isinstance(term, tuple) else (term, 1.0)
        if image.shape != shape:
            msg = f"cannot subtract an image of shape {image.shape} from exposures of {shape}"
            raise CalibrationError(msg)
        terms.append((image, np.broadcast_to(np.asarray(factor, dtype=np.float32), n)))
    return Terms(terms, linear if terms else None)


def prepared(
    read: Callable[[int, int], np.ndarray],
    index: int,
    terms: Terms,
    rows: tuple[int, int],
) -> np.ndarray:
    """Rows of one exposure with all terms subtracted, made linear."""
    values = read(*rows)
    for image, factor in terms.subtract:
        part = image[rows[0] : rows[1]]
        if factor[index] != 0:  # NaN times 0 is NaN
            values -= part if factor[index] == 1 else part * factor[index]
    if terms.linear:
        straighten(values, terms.linear)
    return values


def _levels(
    sources: Sequence[RowSource],
    terms: Terms,
    progress: Progress,
) -> np.ndarray:
    """Median of each exposure after subtraction, over a regular grid of pixels."""
    ny, nx = sources[0].shape
    # Odd, so that a colour matrix does not lend the grid one colour only.
    stride = math.isqrt(max(ny * nx // _LEVEL_SAMPLES, 1)) | 1
    levels = np.empty(len(sources))
    for i, source in progress(enumerate(sources), "Measuring levels", len(sources)):
        with rows_of(source) as read:
            sample = [
                prepared(read, i, terms, (row, row + 1))[0, ::stride]
                for row in range(stride // 2, ny, stride)
            ]
        values = np.concatenate(sample)
        values = values[np.isfinite(values)]
        levels[i] = np.median(values) if values.size else np.nan
        if not levels[i] > 0:
            msg = (
                f"{source.path.name}: its median is {levels[i]:.6g} ADU after subtraction and "
                "cannot be scaled to 1; is it a flat field?"
            )
            raise CalibrationError(msg)
    return levels


def _typical_scatter(sources: Sequence[RowSource], terms: Terms, factors: np.ndarray) -> float:
    """Median standard deviation of a pixel, by some rows of all exposures; 0 where none has one.

    Of few exposures some lie close by chance, and by their own scatter the others were left out: a
    quarter more noise for five of them. No scatter below that of most pixels is believed.
    """
    ny, nx = sources[0].shape
    rows = np.unique(np.linspace(0, ny - 1, _ROWS_ASKED + 2).astype(int)[1:-1])
    stack = np.empty((len(sources), len(rows), nx), np.float32)
    for i, source in enumerate(sources):
        with rows_of(source) as read:
            for k, row in enumerate(rows):
                stack[i, k] = prepared(read, i, terms, (row, row + 1))[0] * factors[i]
    some = stack[:, np.isfinite(stack).all(axis=0)]
    return float(np.median(some.std(axis=0, ddof=1))) if some.size and len(some) > 1 else 0.0


def _rows_of(pixels: Sequence[np.ndarray], nx: int) -> np.ndarray:
    """Name the rows that hold some of these pixels, each once, in order."""
    return np.unique(np.concatenate([some // nx for some in pixels]))


def _spans(rows: np.ndarray, most: int) -> list[slice]:
    """Put rows that follow one another together, at most so many."""
    spans = []
    for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
        spans += [
            slice(int(run[k]), int(run[min(k + most, len(run)) - 1]) + 1)
            for k in range(0, len(run), most)
        ]
    return spans


def _blocks(
    sources: Sequence[RowSource],
    terms: Terms,
    factors: np.ndarray,
    spans: Sequence[slice],
    without: Sequence[np.ndarray],
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield block after block of rows of all exposures, in one buffer used again and again."""
    nx = sources[0].shape[1]
    most = max((rows.stop - rows.start for rows in spans), default=0)
    buffer = np.empty((len(sources), most, nx), np.float32)
    for rows in spans:
        block = buffer[:, : rows.stop - rows.start]
        for i, source in enumerate(sources):
            with rows_of(source) as read:
                block[i] = prepared(read, i, terms, (rows.start, rows.stop))
            if factors[i] != 1:
                block[i] *= factors[i]
            if without:
                first, last = np.searchsorted(without[i], (rows.start * nx, rows.stop * nx))
                block[i].reshape(-1)[without[i][first:last] - rows.start * nx] = np.nan
        yield rows, block
