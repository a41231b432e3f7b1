"""One star of a raw frame made fainter in a copy of its file; all other bytes are copied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.core.errors import FrameError
from lightcurve.core.files import write_whole
from lightcurve.frames.camera_raw import is_raw_name
from lightcurve.frames.cards import number
from lightcurve.frames.pixels import find_image, open_source

__all__ = ["Star", "write_dimmed"]

RING_PX = 4.0  # width of the ring whose median is the level under a star


@dataclass(frozen=True, slots=True)
class Star:
    """A star of a frame as it was read: pixels, 0-based; within the radius all light is its own."""

    x: float
    y: float
    radius_px: float


def write_dimmed(
    path: Path,
    out: Path,
    star: Star,
    *,
    loss: float,
    gain: float,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> Path:
    """Copy a frame with one star fainter by a share of its light, noise and all.

    Of the light a share is taken off; so would be the noise of all photons, and that of those which
    are left is put back: its variance is loss (1 - loss) times the light in electrons.

    Parameters
    ----------
    loss : float
        From 0 to 1.
    gain : float
        Electrons a count.
    shape : tuple of int
        (ny, nx) of the frame that the star's place is of.

    Returns
    -------
    Path
        The copy, a plain FITS file.

    Raises
    ------
    FrameError
        For what cannot be changed byte by byte: photographic raw files, tiles, cubes, and frames
        that are trimmed or put together as they are read.
    InputError
        When the copy cannot be written.
    """
    if is_raw_name(path):
        raise FrameError(path, "raw files of photographic cameras cannot be written")
    with open_source(path) as source:
        _, hdu = find_image(source)
        plain = not hdu.tiled and source.plane is None and len(hdu.axes) == 2
        if not plain or (hdu.axes[1], hdu.axes[0]) != shape:
            msg = "is compressed, a cube, or trimmed or put together as it is read: its pixels "
            raise FrameError(path, msg + "cannot be changed in place")
        source.file.seek(0)
        content = bytearray(source.file.read())
    kind = np.dtype(
        f">{'f' if hdu.bitpix < 0 else 'u' if hdu.bitpix == 8 else 'i'}{abs(hdu.bitpix) // 8}"
    )
    stored = np.frombuffer(content, kind, math.prod(shape), hdu.offset).reshape(shape)
    scale = number(hdu.cards["BSCALE"].text) if "BSCALE" in hdu.cards else 1.0
    _dim(stored, star, loss, gain * (scale or 1.0), rng)
    return write_whole(out, lambda file: file.write(content), parents=True)


def _dim(
    stored: np.ndarray, star: Star, loss: float, gain: float, rng: np.random.Generator
) -> None:
    """Dim a star in stored numbers (ny, nx), in place; gain: electrons for one of these."""
    reach = star.radius_px + RING_PX
    first = [max(0, math.floor(at - reach)) for at in (star.y, star.x)]
    last = [math.ceil(at + reach) + 1 for at in (star.y, star.x)]
    box = stored[first[0] : last[0], first[1] : last[1]]
    y, x = np.indices(box.shape)
    away = np.hypot(x + first[1] - star.x, y + first[0] - star.y)
    values = box.astype(float)
    good = np.isfinite(values)
    ring, inside = good & (away > star.radius_px) & (away <= reach), good & (away <= star.radius_px)
    if not ring.any() or not inside.any():
        return
    light = values[inside] - float(np.median(values[ring]))
    noise = np.sqrt(loss * (1 - loss) * np.maximum(light, 0) / gain)
    told = values[inside] - loss * light + noise * rng.normal(size=len(light))
    if stored.dtype.kind in "iu":  # rounded so that the mean is kept
        limits = np.iinfo(stored.dtype)
        told = np.clip(np.floor(told + rng.uniform(size=len(told))), limits.min, limits.max)
    box[inside] = told.astype(stored.dtype)
