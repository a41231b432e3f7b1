"""Overscan and trim: which pixels of a raw image saw the sky, and the level under each amplifier.

Sections are those of the headers of IRAF, NOAO and LCO, ``[x1:x2,y1:y2]``, 1-based with both ends;
one whose ends are in reverse order lies mirrored on the detector.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.robust import robust_scatter
from lightcurve.frames.cards import CARD, Cards, find, number

__all__ = ["read_layout"]

MIN_OVERSCAN_PX = 2
DEGREE = 3  # of the overscan's drift along the rows
CLIP_SIGMA, PASSES = 4.0, 3
_SECTION = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]")
# They hold for the raw image alone; the next reader must not trim again.
USED = ("BIASSEC", "TRIMSEC", "DATASEC")


@dataclass(frozen=True, slots=True)
class Section:
    """A rectangle of pixels, 0-based, ends not included; mirrored along x or y."""

    x: slice
    y: slice
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.stop - self.y.start, self.x.stop - self.x.start

    def within(self, shape: tuple[int, int]) -> bool:
        """Whether it lies in an image (ny, nx)."""
        return self.y.stop <= shape[0] and self.x.stop <= shape[1]


@dataclass(frozen=True, slots=True)
class Layout:
    """What is kept of an image, and where its overscan is; None without one."""

    data: Section
    overscan: Section | None

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what is done."""
        ny, nx = self.data.shape
        trimmed = f"trimmed to {nx} x {ny} px"
        return (trimmed,) if self.overscan is None else ("overscan taken off", trimmed)


def read_section(cards: Cards, quantity: str) -> Section | None:
    """Read a section of a header; None where it has none, or none that can be."""
    found = find(cards, quantity)
    match = _SECTION.fullmatch(found.text.strip()) if found else None
    if match is None:
        return None
    x1, x2, y1, y2 = (int(text) for text in match.groups())
    if min(x1, x2, y1, y2) < 1:
        return None
    x, y = (slice(min(pair) - 1, max(pair)) for pair in ((x1, x2), (y1, y2)))
    return Section(x, y, x1 > x2, y1 > y2)


def read_layout(cards: Cards, shape: tuple[int, int]) -> Layout | None:
    """Find what an image (ny, nx) is to be trimmed to; None where it is whole as it is.

    Sections outlive the trimming in many headers: those that do not lie in the image are of
    another, and one that is all of it leaves nothing to trim.
    """
    data = read_section(cards, "trim_section") or read_section(cards, "data_section")
    if data is None or not data.within(shape) or data.shape == shape or min(data.shape) < 1:
        return None
    overscan = read_section(cards, "overscan_section")
    return Layout(data, overscan if overscan and _beside(overscan, data, shape) else None)


def _beside(overscan: Section, data: Section, shape: tuple[int, int]) -> bool:
    """Whether an overscan lies in the image, beside the data, and is wide enough for a level."""
    columns = overscan.x.stop <= data.x.start or overscan.x.start >= data.x.stop
    rows = overscan.y.stop <= data.y.start or overscan.y.start >= data.y.stop
    return overscan.within(shape) and (columns or rows) and min(overscan.shape) >= MIN_OVERSCAN_PX


def trim(pixels: np.ndarray, layout: Layout) -> tuple[np.ndarray, float]:
    """Take off the overscan's level, row by row, and cut to the data: (ny, nx) float32, and it.

    The level is a cubic through the means of the overscan's rows (of its columns, where it lies
    above or below the data): its own noise would stripe the image.
    """
    data, overscan = layout.data, layout.overscan
    cut = pixels[data.y, data.x].astype(np.float32)
    if overscan is None:
        return cut, 0.0
    values = pixels[overscan.y, overscan.x].astype(float)
    beside = overscan.x.stop <= data.x.start or overscan.x.start >= data.x.stop
    if beside:
        level = _smooth(np.arange(overscan.y.start, overscan.y.stop), values, data.y)
        return cut - level[:, None], float(level.max())
    level = _smooth(np.arange(overscan.x.start, overscan.x.stop), values.T, data.x)
    return cut - level[None, :], float(level.max())


def _smooth(place: np.ndarray, lines: np.ndarray, wanted: slice) -> np.ndarray:
    """Fit the level of lines (n, m) along their places, and give it where it is wanted."""
    level = np.nanmedian(lines, axis=1) if lines.shape[1] < 5 else _middle_mean(lines)
    use = np.isfinite(level)
    fit = np.polynomial.Polynomial([0.0])
    for _ in range(PASSES):
        degree = min(DEGREE, int(use.sum()) - 1)
        if degree < 0:
            break
        fit = np.polynomial.Polynomial.fit(place[use], level[use], degree)
        off = level - fit(place)
        use = np.abs(off) <= CLIP_SIGMA * max(robust_scatter(off[use], about=0.0), 1e-6)
    # Beyond its own lines a cubic runs away.
    at = np.clip(np.arange(wanted.start, wanted.stop), place[0], place[-1])
    return fit(at).astype(np.float32)


def _middle_mean(lines: np.ndarray) -> np.ndarray:
    """Mean of the middle half of each line: without trails and cosmic rays, without rounding."""
    ordered = np.sort(lines, axis=1)
    quarter = lines.shape[1] // 4
    return np.nanmean(ordered[:, quarter : lines.shape[1] - quarter], axis=1)


def trimmed_header(text: str, cards: Cards, layout: Layout) -> str:
    """Bring a header to the trimmed image: its size, its WCS, its colours, no sections left."""
    (ny, nx), x, y = layout.data.shape, layout.data.x.start, layout.data.y.start
    changes: dict[str, float] = {"NAXIS1": nx, "NAXIS2": ny}
    for keyword, first in (("CRPIX1", -x), ("CRPIX2", -y), ("LTV1", -x), ("LTV2", -y)):
        value = number(cards[keyword].text) if keyword in cards else None
        if value is not None or keyword.startswith("LTV"):
            changes[keyword] = (value or 0.0) + first
    for keyword, first in (("XBAYROFF", x), ("YBAYROFF", y)):
        value = number(cards[keyword].text) if keyword in cards else None
        changes[keyword] = int(value or 0) + first
    return with_cards(text, changes, without=USED)


def with_cards(
    text: str, changes: Mapping[str, float], *, without: Sequence[str] = (), comment: str = ""
) -> str:
    """Replace cards of a header's text by numbers, add those it lacks, and leave others out."""
    left_out = {*changes, *without}
    records = (text[k : k + CARD].ljust(CARD) for k in range(0, len(text), CARD))
    kept = [record for record in records if record[:8].rstrip() not in left_out]
    said = f" / {comment}" if comment else ""
    made = [
        f"{keyword:<8}= {_as_card(value):>20}{said}".ljust(CARD)
        for keyword, value in changes.items()
    ]
    return "".join([*kept, *made])


def _as_card(value: float) -> str:
    """Write a number as FITS has it: 1.0E-05 and not 1e-05."""
    digits, exponent, power = repr(value).partition("e")
    return f"{digits if '.' in digits else digits + '.0'}E{power}" if exponent else digits
