"""Pixels not to be trusted: hot, dead, whole columns, a user's list; and cosmic rays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.calib.combine import Combined
from lightcurve.core.data import Frame
from lightcurve.core.errors import InputError
from lightcurve.core.files import read_toml
from lightcurve.core.flags import PixelFlag
from lightcurve.core.robust import robust_scatter

__all__ = ["mark_cosmic_rays"]

TILE = 32
_COLUMN_SAMPLES = 1000
_ENTRY_LENGTH = {"pixels": 2, "rectangles": 4}
SATURATION_UNKNOWN = 1e9
STUCK_SHOT_NOISE = 10.0  # ADU: so noisy a pixel hardly ever has one whole number several times


def tile_median(image: np.ndarray, tile: int = TILE) -> np.ndarray:
    """Median of the square tile that each pixel lies in: glow and vignetting, no single pixels.

    NaN are left out; tile: pixels on a side, about: the image is cut into equal parts.
    """
    ny, nx = image.shape
    rows = _edges(ny, tile)
    columns = _edges(nx, tile)
    level = np.empty(image.shape, np.float32)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            part = image[top:bottom, left:right]
            good = part[np.isfinite(part)]
            level[top:bottom, left:right] = np.median(good) if good.size else np.nan
    return level


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
    return max(float(np.nanmedian(std)) ** 2 * to_mean, floor**2)


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
    level = tile_median(dark)
    excess = dark - level
    # A gentle slope beside the glow of an amplifier is below its tile's median, and not cold.
    cold = np.maximum(excess, dark - np.nanmedian(dark)) < -n_sigma * np.sqrt(noise.variance)
    bad = cold | (excess > noise.largest_excess(n_sigma))
    if among is None:
        return bad
    shot = np.maximum(excess, 0) * noise.scale / noise.gain_e_per_adu
    restless = (among.spread * noise.scale) ** 2 > n_sigma**2 * (noise.variance + shot)
    n = len(among.paths)
    stuck = (n > 2) & (among.n_used == n) & (among.std == 0) & (shot > STUCK_SHOT_NOISE**2)
    return bad | restless | stuck


def dead_pixels(flat: np.ndarray, *, least: float = 0.5) -> np.ndarray:
    """Find pixels of a master flat below `least` of the local median, or not positive."""
    return ~(flat > np.maximum(least * tile_median(flat), 0))


def bad_columns(
    image: np.ndarray, *, n_sigma: float = 8.0, least: float = 0.0, window: int = 11, axis: int = 0
) -> np.ndarray:
    """Find columns (rows where `axis` is 1) that stand out from their neighbours as a whole.

    n_sigma: robust scatters of the column medians about their median over `window` columns; least:
    smallest deviation that counts, in units of `image`.
    """
    from scipy.ndimage import median_filter

    lines = image.T if axis == 0 else image
    # Every so many pixels along a column give its median well enough, several times sooner.
    lines = lines[:, :: max(lines.shape[1] // _COLUMN_SAMPLES, 1)]
    medians = np.median(np.nan_to_num(lines), axis=1)
    deviation = np.abs(medians - median_filter(medians, size=window, mode="nearest"))
    return deviation > max(n_sigma * robust_scatter(deviation, about=0.0), least)


def read_user_map(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read a list of bad pixels for frames of a shape (ny, nx): `PixelFlag.USER` where marked.

    A TOML file with any of ``columns = [x, ...]``, ``rows = [y, ...]``,
    ``pixels = [[x, y], ...]`` and ``rectangles = [[x0, y0, x1, y1], ...]``. All are 0-based, the
    first pixel is (0, 0), and rectangles include both corners. Raises InputError when it cannot be
    read, has other names in it, or an entry lies outside the frame.
    """
    lists = read_toml(path, "a list of bad pixels")
    marked = np.zeros(shape, np.uint8)
    ny, nx = shape
    for name, entries in lists.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            x0, y0, x1, y1 = _rectangle(name, entry, shape, path)
            if not (0 <= x0 <= x1 < nx and 0 <= y0 <= y1 < ny):
                msg = f"{path.name}: {name} {entry} lies outside the frame of {nx} x {ny} px"
                raise InputError(msg)
            marked[y0 : y1 + 1, x0 : x1 + 1] = PixelFlag.USER
    return marked


def _rectangle(
    name: str, entry: Any, shape: tuple[int, int], path: Path
) -> tuple[int, int, int, int]:
    """Corners of one entry, both included."""
    numbers = entry if isinstance(entry, list) else [entry]
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)
    known = name in {"columns", "rows", *_ENTRY_LENGTH}
    if not known or not whole or len(numbers) != _ENTRY_LENGTH.get(name, 1):
        msg = (
            f"{path.name}: {name} = {entry!r}: expected columns [x], rows [y], pixels [x, y] or "
            "rectangles [x0, y0, x1, y1] of whole numbers"
        )
        raise InputError(msg)
    if name == "columns":
        return numbers[0], 0, numbers[0], shape[0] - 1
    if name == "rows":
        return 0, numbers[0], shape[1] - 1, numbers[0]
    return (*numbers, *numbers) if name == "pixels" else tuple(numbers)


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
        Of the camera; the noise they predict is what a hit has to stand out from.
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
    from astroscrappy import detect_cosmics

    bad = frame.bad != 0
    # astroscrappy does arithmetic on masked pixels too: NaN would spread.
    pixels = np.where(np.isfinite(frame.pixels), frame.pixels, 0).astype(np.float32)
    saturation = frame.exposure.saturation_adu or SATURATION_UNKNOWN
    hits, _ = detect_cosmics(
        pixels,
        inmask=bad,
        sigclip=clip_sigma,
        gain=gain_e_per_adu,
        readnoise=read_noise_e,
        satlevel=saturation * gain_e_per_adu,
        cleantype="medmask",
        niter=max_passes,
    )
    marked = frame.bad | np.where(hits, np.uint8(PixelFlag.COSMIC_RAY), np.uint8(0))
    line = f"{np.count_nonzero(hits)} pixels marked as hit by cosmic rays (L.A.Cosmic)"
    return replace(frame, bad=marked, history=(*frame.history, line))
