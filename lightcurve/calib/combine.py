"""Many exposures into one image, in row blocks: memory does not grow with their number."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from lightcurve.calib.blocks import RowSource, open_rows, rows_of
from lightcurve.calib.clip import clipped_mean
from lightcurve.errors import CalibrationError
from lightcurve.progress import Progress, silent

_LEVEL_SAMPLES = 500_000
_BYTES = 4  # of a float32
_BLOCK_MB = 64  # a larger block is no faster, and its pages have to be found first

Subtract = np.ndarray | tuple[np.ndarray, float | np.ndarray]
Mean = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """A stack of exposures made one.

    Attributes
    ----------
    image, std : (ny, nx) float32 arrays
        Clipped mean (or median) and standard deviation of the values kept; NaN where none.
    n_used : (ny, nx) uint16 array
        Values kept at each pixel.
    paths : tuple of Path
        The exposures, in the order given.
    levels : (n,) float array
        Median of each exposure after subtraction, where `scale` asked for it; else empty.
    """

    image: np.ndarray
    std: np.ndarray
    n_used: np.ndarray
    paths: tuple[Path, ...]
    levels: np.ndarray


def combine(
    paths: Sequence[Path],
    *,
    scale: Literal["median"] | np.ndarray | None = None,
    subtract: Subtract | Sequence[Subtract] | None = None,
    clip_sigma: float = 5.0,
    method: Literal["mean", "median"] = "mean",
    memory_mb: float = 500,
    progress: Progress | None = None,
) -> Combined:
    """Combine exposures of the same size, value by value, with outliers left out.

    Each exposure becomes ``(exposure - sum(image * factor)) * scale`` before it is compared with
    the others; the clipping rule stands in `lightcurve.calib.clip`.

    Parameters
    ----------
    paths : sequence of Path
        At least one.
    scale : "median", (n,) array or None
        Factors; ``"median"`` divides each exposure by its median after subtraction (taken over
        half a million pixels on a regular grid).
    subtract : array, (array, factor), or list of these, optional
        Images (ny, nx) to take off; a factor is a number or one number for each exposure.
    method : str
        ``"mean"`` or ``"median"``.
    memory_mb : float
        At most this much for the rows in memory; the result needs 10 bytes a pixel besides.

    Raises
    ------
    CalibrationError
        When there are none, their sizes differ, or one cannot be scaled.
    FrameError
        When one cannot be read.
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
        terms = _terms(subtract, shape, len(paths))
        levels = np.array([])
        if isinstance(scale, str):
            levels = _levels(sources, terms, progress)
            scale = 1 / levels
        factors = np.ones(len(paths)) if scale is None else np.asarray(scale, dtype=float)
        if factors.shape != (len(paths),) or not np.all(np.isfinite(factors)):
            msg = f"one finite scale for each of {len(paths)} exposures is needed, got {factors}"
            raise CalibrationError(msg)
        room = min(memory_mb, _BLOCK_MB) * 1e6
        rows = max(int(room / (_BYTES * len(paths) * shape[1])), 1)
        floor = 0.5 * max(s.step * abs(f) for s, f in zip(sources, factors, strict=True))
        mean = partial(clipped_mean, clip_sigma=clip_sigma, floor=floor, method=method)
        blocks = _blocks(sources, terms, factors, min(rows, shape[0]))
        parts = _combine_blocks(
            progress(blocks, "Combining exposures", -(-shape[0] // rows)), shape, mean
        )
    return Combined(*parts, paths=paths, levels=levels)


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


def _terms(
    subtract: Subtract | Sequence[Subtract] | None, shape: tuple[int, int], n: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Put what is to be subtracted into one form: image and one factor for each exposure."""
    if subtract is None:
        return []
    terms = []
    for term in subtract if isinstance(subtract, list) else [subtract]:
        image, factor = term if isinstance(term, tuple) else (term, 1.0)
        if image.shape != shape:
            msg = f"cannot subtract an image of shape {image.shape} from exposures of {shape}"
            raise CalibrationError(msg)
        terms.append((image, np.broadcast_to(np.asarray(factor, dtype=np.float32), n)))
    return terms


def _prepared(
    read: Callable[[int, int], np.ndarray],
    index: int,
    terms: Sequence[tuple[np.ndarray, np.ndarray]],
    rows: tuple[int, int],
) -> np.ndarray:
    """Rows of one exposure with all terms subtracted."""
    values = read(*rows)
    for image, factor in terms:
        part = image[rows[0] : rows[1]]
        if factor[index] != 0:  # NaN times 0 is NaN
            values -= part if factor[index] == 1 else part * factor[index]
    return values


def _levels(
    sources: Sequence[RowSource],
    terms: Sequence[tuple[np.ndarray, np.ndarray]],
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
                _prepared(read, i, terms, (row, row + 1))[0, ::stride]
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


def _blocks(
    sources: Sequence[RowSource],
    terms: Sequence[tuple[np.ndarray, np.ndarray]],
    factors: np.ndarray,
    rows: int,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield block after block of rows of all exposures, in one buffer used again and again."""
    ny, nx = sources[0].shape
    buffer = np.empty((len(sources), rows, nx), np.float32)
    for start in range(0, ny, rows):
        stop = min(start + rows, ny)
        block = buffer[:, : stop - start]
        for i, source in enumerate(sources):
            with rows_of(source) as read:
                block[i] = _prepared(read, i, terms, (start, stop))
            if factors[i] != 1:
                block[i] *= factors[i]
        yield slice(start, stop), block


def _combine_blocks(
    blocks: Iterable[tuple[slice, np.ndarray]], shape: tuple[int, int], mean: Mean
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image, std = np.empty(shape, np.float32), np.empty(shape, np.float32)
    n_used = np.empty(shape, np.uint16)
    for rows, block in blocks:
        image[rows], std[rows], n_used[rows] = mean(block)
    return image, std, n_used
