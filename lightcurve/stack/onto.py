"""Images brought onto the pixels of another by the sky, each resampled once, their light kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.header_wcs import read_wcs
from lightcurve.astrometry.wcs import describe_wcs, to_icrs, wcs_header
from lightcurve.core.constants import __version__
from lightcurve.core.data import Solution
from lightcurve.core.errors import FrameError, InputError, LightcurveError, SolveError
from lightcurve.core.files import write_whole
from lightcurve.core.flags import PixelFlag
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.cards import printable
from lightcurve.frames.read import read_frame
from lightcurve.image.batch import free_names
from lightcurve.image.write import header_without_past, write_fits
from lightcurve.setup.camera import MAX_SHARED, SHARED_NOISE, noise_of_sums
from lightcurve.stack.pictures import balanced, compare, in_colour, subtracted, without_continuum
from lightcurve.stack.resample import Mapping as Grid
from lightcurve.stack.resample import Surface, Transform, map_grid, resample_rows, shared_noise

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

__all__ = ["resample_images", "write_composite", "write_line"]

SAME_PX = 1e-3  # what is nowhere farther off is not resampled
BLOCK_PIXELS = 4_000_000
EDGE = 9


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image that knows its place on the sky.

    light : (ny, nx) float32 array, NaN where there is no value. full : (ny, nx) bool array.
    """

    path: Path
    light: np.ndarray
    full: np.ndarray
    wcs: WCS
    header: Header

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ny, nx = self.light.shape
        return ny, nx


def read_image(path: Path, settings: Settings) -> Image:
    """Read an image and its WCS; raises FrameError where it has none that can be read.

    Pixels that are marked bad have no value, but for saturated ones.
    """
    raw = read_frame(path, settings=settings, need_time=False)
    ny, nx = raw.pixels.shape
    try:
        wcs, _ = to_icrs(read_wcs(raw.header, (ny, nx)), (ny, nx))
    except SolveError as error:
        raise FrameError(path, f"{error}; `lightcurve solve` gives it one") from error
    bad = (raw.bad & ~np.uint8(PixelFlag.SATURATED)) != 0
    light = np.where(bad, np.float32(np.nan), raw.pixels).astype(np.float32)
    return Image(path, light, (raw.bad & PixelFlag.SATURATED) != 0, wcs, raw.header)


def lay(image: Image) -> Surface:
    """Lay the surface through an image's pixels; once serves all that it is brought onto."""
    return Surface.of(image.light, ~np.isfinite(image.light), image.full)


def bring(
    image: Image, wcs: WCS, shape: tuple[int, int], surface: Surface | None = None
) -> np.ndarray:
    """Bring an image onto other pixels: (ny, nx) float32 array of `shape`, NaN where it has none.

    Light is kept: the sum over a star is the same before and after. Raises FrameError when the two
    do not overlap. surface: the image's, where it is laid already.
    """
    mapping = _onto(image, wcs, shape)
    if mapping is None:
        return image.light
    if mapping.meets(image.shape):
        surface = surface or lay(image)
        step = max(BLOCK_PIXELS // shape[1], 1)
        rows = [slice(j, min(j + step, shape[0])) for j in range(0, shape[0], step)]
        light = np.concatenate([resample_rows(surface, mapping, some) for some in rows])
        if np.isfinite(light).any():
            return light
    raise FrameError(image.path, "shows none of the sky that it is to be brought onto")


def _onto(image: Image, wcs: WCS, shape: tuple[int, int]) -> Grid | None:
    """Follow other pixels (ny, nx) to the image's; None where they are the same."""

    def to_frame(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = image.wcs.all_world2pix(*wcs.all_pix2world(u, v, 0), 0, quiet=True)
        return np.asarray(x), np.asarray(y)

    if shape == image.shape and _same(to_frame, shape):
        return None
    return map_grid(to_frame, shape)


def _with_noise(header: Header, mapping: Grid | None) -> Header:
    """Tell in a copy of an image's header what noise its pixels share once they are resampled.

    Of an image that was resampled before, at most: what is smooth loses less.
    """
    cards = header.copy()
    if mapping is not None:
        found = min((noise_of_sums(cards) or 1.0) * max(shared_noise(mapping), 1.0), MAX_SHARED)
        cards[SHARED_NOISE] = round(found, 4), "noise of sums / of pixels in quadrature"
    return cards


def _not_over(out: Path, sources: Sequence[Path]) -> None:
    """Refuse to write over an image that was read."""
    for source in sources:
        if out.resolve() == source.resolve():
            msg = f"{out}: is an image that is read, and is not written over: choose another --out"
            raise InputError(msg)


def _same(to_frame: Transform, shape: tuple[int, int]) -> bool:
    """Tell whether pixels lie where they are to lie already."""
    v, u = (one.ravel() for one in np.mgrid[0 : shape[0] : EDGE * 1j, 0 : shape[1] : EDGE * 1j])
    x, y = to_frame(u, v)
    return bool(np.hypot(x - u, y - v).max() < SAME_PX)


def write_image(
    path: Path,
    images: Mapping[str, np.ndarray],
    wcs: WCS,
    header: Header,
    history: Sequence[str],
) -> Path:
    """Write images on the pixels of another, each an extension but the first.

    images: (ny, nx) float32, by name. header: that of the image itself; what described its old
    pixels is left out. Raises InputError when it cannot be written.
    """
    ny, nx = next(iter(images.values())).shape
    cards = header_without_past(header)
    scale, turn, parity = describe_wcs(wcs, (ny, nx))
    cards.update(
        wcs_header(Solution(wcs, "resampled", 0, float("nan"), scale, turn, parity), (ny, nx))
    )
    cards["LCPRODCT"] = "image", "made by lightcurve: not a raw frame"
    cards["CREATOR"] = f"lightcurve {__version__}"
    for line in history:
        cards.add_history(line)
    return write_fits(path, images, cards)


def resample_images(
    paths: Sequence[Path],
    onto: Path,
    settings: Settings,
    out: Path,
    *,
    progress: Progress = silent,
) -> list[tuple[str, str]]:
    """Bring images onto the pixels of another, and write them under their own names.

    Parameters
    ----------
    paths : sequence of Path
        FITS images with a WCS; one that fails costs itself alone.
    onto : Path
        The image whose pixels they get.
    out : Path
        Folder for them.

    Returns
    -------
    list of (str, str)
        Name of each, and why it failed; empty where it did not.

    Raises
    ------
    LightcurveError
        When `onto` cannot be read or has no WCS.
    """
    grid = read_image(onto, settings)
    rows = []
    pairs = list(zip(paths, free_names(paths), strict=True))
    for path, name in progress(pairs, "Resampling", len(paths)):
        reason = ""
        try:
            with guard_frame(path):
                image, target = read_image(path, settings), out / f"{name}.fits"
                _not_over(target, [*paths, onto])
                light = bring(image, grid.wcs, grid.shape)
                how = f"brought onto the pixels of {printable(onto.name)}; light of stars kept"
                header = _with_noise(image.header, _onto(image, grid.wcs, grid.shape))
                write_image(target, {"SCI": light}, grid.wcs, header, [how])
        except LightcurveError as error:
            reason = error.beside(path.name, str(path))
        rows.append((path.name, reason))
    return rows


def write_composite(
    paths: Sequence[Path],
    settings: Settings,
    out: Path,
    *,
    balance: tuple[float, float, float] | None = None,
    percent: float = 99.8,
) -> str:
    """Write a picture in colour of three images, and tell how it was balanced.

    Parameters
    ----------
    paths : sequence of Path
        Red, green and blue; the latter two are brought onto the pixels of the first.
    out : Path
        PNG; north as the first image has it, its first row at the bottom.
    balance : tuple of float, optional
        By what each is multiplied; not given, the mean star is white.
    percent : float
        Share of the pixels that is not white.

    Raises
    ------
    InputError
        When a number makes no picture, `out` is an image that is read, or cannot be written.
    LightcurveError
        When an image cannot be read, has no WCS or lies elsewhere.
    """
    from matplotlib.image import imsave

    _not_over(out, paths)
    if balance is not None and not (np.isfinite(balance).all() and min(balance) > 0):
        msg = f"--balance {' '.join(f'{one:g}' for one in balance)}: each is to be over 0"
        raise InputError(msg)
    if not 0 < percent <= 100:
        msg = f"--percent {percent:g}: of the pixels, over 0 and at most 100"
        raise InputError(msg)
    images = [read_image(path, settings) for path in paths]
    first = images[0]
    light = [bring(image, first.wcs, first.shape) for image in images]
    compared = compare(light, [first.full, *(np.zeros(first.shape, bool) for _ in images[1:])])
    factor, told = balanced(compared)
    if balance is not None:
        factor, told = np.array(balance), "balanced as given"
    picture = in_colour(compared, factor, percent)
    write_whole(out, lambda file: imsave(file, picture[::-1], format="png"), parents=True)
    return f"{told}: {', '.join(f'{one:.3g}' for one in factor)}"


def write_line(
    line: Path, broad: Path, settings: Settings, out: Path, *, scale: float | None = None
) -> str:
    """Write an image of a line without its continuum, and tell at which scale that was taken off.

    Parameters
    ----------
    line, broad : Path
        Through the narrow filter, and of the continuum, which is brought onto its pixels.
    out : Path
        FITS.
    scale : float, optional
        Of the continuum; not given, the one at which the common stars vanish.

    Raises
    ------
    InputError, LightcurveError
        As `write_composite`; and where too few stars tell the scale.
    """
    _not_over(out, (line, broad))
    if scale is not None and not 0 <= scale < np.inf:
        msg = f"--scale {scale:g}: is to be a number from 0 on"
        raise InputError(msg)
    images = [read_image(path, settings) for path in (line, broad)]
    first = images[0]
    light = [bring(image, first.wcs, first.shape) for image in images]
    if scale is None:
        full = [first.full, np.zeros(first.shape, bool)]
        rest, scale, error, number = without_continuum(light[0], light[1], full)
        told = f"scale of the continuum {scale:.4g} +- {error:.2g}, by {number} stars"
    else:
        rest, told = subtracted(light[0], light[1], scale), f"scale {scale:g} as given"
    history = [f"{printable(broad.name)} subtracted as continuum: {told}"]
    write_image(out, {"SCI": rest}, first.wcs, first.header, history)
    return told
