"""Colour mosaics: which pixel sees which colour, and the plane of one colour, without resampling.

A plane has one pixel for each 2 x 2 pixels of the mosaic: the red or the blue one as it is, the
mean of the two green ones, or of all four. Nothing is interpolated, so that noise stays
independent from pixel to pixel. Pixel (x, y) of a plane lies at (2 x + dx, 2 y + dy) of the mosaic
(`Plane.offset`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import Colour, Exposure, Frame
from lightcurve.frames.cards import Cards, find, number
from lightcurve.frames.dialects import KEYWORDS
from lightcurve.frames.pixels import COLOURS
from lightcurve.frames.planes import count_planes

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["FILTERS", "GRID", "SITES", "Plane", "find_plane", "take_plane"]

PATTERNS = frozenset({"RGGB", "BGGR", "GRBG", "GBRG"})
FILTERS = {Colour.RED: "TR", Colour.GREEN: "TG", Colour.BLUE: "TB", Colour.GREY: "CV"}
GRID = 2  # pixels of a mosaic that one of a plane stands for, along each axis
# Places (row, column) in 2 x 2 pixels, in the order of a pattern's letters.
SITES = tuple((row, column) for row in range(GRID) for column in range(GRID))
OWN = [k for name in ("mosaic", "mosaic_x", "mosaic_y") for k in KEYWORDS.quantities[name]]


@dataclass(frozen=True, slots=True)
class Plane:
    """One colour of a mosaic."""

    colour: Colour
    sites: tuple[tuple[int, int], ...]  # (row, column) in the 2 x 2 pixels, of those averaged

    @property
    def n(self) -> int:
        """Count the pixels of which one of the plane is the mean."""
        return len(self.sites)

    @property
    def offset(self) -> tuple[float, float]:
        """Place (x, y) of the plane's first pixel in the mosaic, pixels."""
        rows, columns = zip(*self.sites, strict=True)
        return sum(columns) / self.n, sum(rows) / self.n

    def shape(self, mosaic: tuple[int, int]) -> tuple[int, int]:
        """Size (ny, nx) of the plane of a mosaic: its last row or column may be left over."""
        return mosaic[0] // GRID, mosaic[1] // GRID

    def onto(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Carry places (n,) in the mosaic over to the plane, pixels."""
        dx, dy = self.offset
        return (x - dx) / GRID, (y - dy) / GRID


def has_colours(cards: Cards) -> bool:
    """Whether an image has its colours on an axis of their own, the slowest or the fastest."""
    prefix = "Z" if "ZNAXIS" in cards else ""
    keys = [f"{prefix}NAXIS{k}" for k in (1, 2, 3, 4)]
    lengths = [number(cards[key].text) for key in keys if key in cards]
    if len(lengths) != 3 or count_planes(cards) > 1:
        return False
    return lengths[2] in COLOURS or lengths[0] in COLOURS


def planes_of(cards: Cards, colour: Colour) -> tuple[int, ...]:
    """Name the planes of an image in colours that a colour is of; none of another image."""
    if colour is Colour.MOSAIC or not has_colours(cards):
        return ()
    return (0, 1, 2) if colour is Colour.GREY else ("RGB".index(colour),)


def of_colour(exposure: Exposure, colour: Colour, source: str) -> Exposure:
    """Give an exposure the filter of a colour, with where it is from."""
    behind = f", behind {exposure.filter}" if exposure.filter else ""
    sources = {**exposure.sources, "filter": f"{colour.words} {source}{behind}"}
    return replace(exposure, filter=FILTERS[colour], sources=sources)


def read_mosaic(cards: Cards, ny: int) -> tuple[tuple[str, str] | None, tuple[str, ...]]:
    """Read the colours of a mosaic's first 2 x 2 pixels, in the order of the file; and remarks.

    The letters are those of (row, column) 00, 01, 10, 11, with where they are from; None where the
    header speaks of no mosaic. A pattern is that of the picture as it is looked at: where the rows
    are stored from the bottom (``ROWORDER``) it is turned over. ny: rows of the image.
    """
    found = find(cards, "mosaic")
    if found is None or number(found.text) is not None:
        return None, ()
    letters = found.text.strip().upper()
    if letters not in PATTERNS:
        none = letters in {"NO", "NONE", "F", "T", "MONO", "GREY", "GRAY"}
        odd = f"{found.keyword} = {found.text[:20]} is no pattern of R, G, G and B; passed over"
        return None, () if none else (odd,)
    across, down = (_offset(cards, axis) for axis in ("mosaic_x", "mosaic_y"))
    order = find(cards, "row_order")
    source, rows = found.source, range(GRID)
    if order is not None and order.text.strip().upper().startswith("BOTTOM"):
        source, rows = f"{source}, turned over by {order.keyword}", range(ny - 1, ny - 1 - GRID, -1)
    at = [
        (row + down) % GRID * GRID + (column + across) % GRID
        for row in rows
        for column in range(GRID)
    ]
    return ("".join(letters[k] for k in at), source), ()


def _offset(cards: Cards, axis: str) -> int:
    found = find(cards, axis)
    return int(number(found.text) or 0) if found else 0


def find_plane(exposure: Exposure, colour: Colour) -> Plane | None:
    """Find the plane of a colour; None where the frame is no mosaic or is wanted as it stands."""
    if exposure.mosaic is None or colour is Colour.MOSAIC:
        return None
    wanted = "RGB" if colour is Colour.GREY else colour.value
    letters = zip(SITES, exposure.mosaic, strict=True)
    return Plane(colour, tuple(site for site, letter in letters if letter in wanted))


def take_plane(frame: Frame, plane: Plane) -> Frame:
    """Take one colour out of a calibrated mosaic, with its header, WCS, scale and filter.

    Bad pixels of the plane are those of which any part is bad, but for values that are missing:
    the mean of pixels one of which is NaN is NaN. Gain and read noise are those of the means:
    n pixels hold n times the electrons of their mean.
    """
    ny, nx = plane.shape(frame.pixels.shape)
    parts = [
        np.s_[row : GRID * ny : GRID, column : GRID * nx : GRID] for row, column in plane.sites
    ]
    pixels, bad = frame.pixels[parts[0]].astype(np.float32), frame.bad[parts[0]].astype(np.uint8)
    for part in parts[1:]:
        pixels += frame.pixels[part]
        bad |= frame.bad[part]
    pixels /= np.float32(len(parts))
    done = f"{plane.colour.words} plane of the mosaic taken: {plane.n} of each 4 pixels"
    return replace(
        frame,
        pixels=pixels,
        bad=bad,
        exposure=_exposure(frame.exposure, plane, (ny, nx)),
        head=_header(frame.header, plane, (ny, nx)),
        history=(*frame.history, done),
    )


def _exposure(exposure: Exposure, plane: Plane, shape: tuple[int, int]) -> Exposure:
    where = exposure.sources.get("mosaic", "the mosaic")
    exposure = of_colour(exposure, plane.colour, f"pixels of {where}")
    gain, noise, scale = exposure.gain_e_per_adu, exposure.read_noise_e, exposure.scale_arcsec
    return replace(
        exposure,
        mosaic=None,
        shape=shape,
        gain_e_per_adu=None if gain is None else gain * plane.n,
        read_noise_e=None if noise is None else noise * plane.n**0.5,
        scale_arcsec=None if scale is None else scale * GRID,
    )


def _header(header: Header, plane: Plane, shape: tuple[int, int]) -> Header:
    """Bring the WCS of a header to the plane, and take the mosaic's keywords away.

    Distortion by SIP is a polynomial of pixels: each of its terms scales by its order.
    """
    changed = header.copy()
    for keyword in OWN:
        changed.remove(keyword, ignore_missing=True)
    changed["NAXIS2"], changed["NAXIS1"] = shape
    for axis, first in zip("12", plane.offset, strict=True):
        place = _float(changed, f"CRPIX{axis}")
        if place is not None:
            changed[f"CRPIX{axis}"] = (place - 1 - first) / GRID + 1
    has_cd = any(f"CD{i}_{j}" in changed for i in "12" for j in "12")
    for keyword in [f"CD{i}_{j}" for i in "12" for j in "12"] if has_cd else ["CDELT1", "CDELT2"]:
        step = _float(changed, keyword)
        if step is not None:
            changed[keyword] = step * GRID
    for kind in ("A", "B", "AP", "BP"):
        for p in range(10):
            for q in range(10 - p):
                term = _float(changed, f"{kind}_{p}_{q}")
                if term is not None:
                    changed[f"{kind}_{p}_{q}"] = term * float(GRID) ** (p + q - 1)
    return changed


def _float(header: Header, keyword: str) -> float | None:
    from astropy.io.fits import VerifyError

    try:
        return number(str(header[keyword])) if keyword in header else None
    except VerifyError:  # a card that is no FITS
        return None
