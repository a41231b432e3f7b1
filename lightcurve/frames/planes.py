"""Cubes of frames: planes that follow one another in time, each a frame with its own time.

A plane is named like a file, ``cube.fits[3]``, counted from 0 as others count them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from pathlib import Path

from lightcurve.core.constants import DAY_S, MJD_ZERO
from lightcurve.core.data import Stamp
from lightcurve.core.dates import EARLIEST_JD, LATEST_JD, parse_calendar
from lightcurve.core.errors import HeaderError
from lightcurve.core.files import file_state
from lightcurve.core.library_warnings import quietly
from lightcurve.frames.cards import Cards, find_all, number
from lightcurve.frames.clocks import read_clocks
from lightcurve.frames.dialects import CLOCKS, KEYWORDS

__all__ = ["stored_in"]

_PLANE = re.compile(r"(?P<file>.+\.[A-Za-z0-9]+)\[(?P<plane>\d{1,9})\]")
ROUNDED = 0.01  # of a cadence: programs round what they write
MOSTLY_OPEN = 0.5  # of the cadence: less is no share of an exposure of all planes together
MOST_COLOURS = (
    4  # planes: so many and fewer are colours, unless the header has a word of their times
)
# What is said of the cube and not of one of its frames.
_CLOCKS = {**CLOCKS.dates, **CLOCKS.numbers}
_OF_THE_WHOLE = {key for key, stamp in _CLOCKS.items() if stamp in {Stamp.END, Stamp.MID}}
_OF_THE_WHOLE |= {
    key for name in ("frames_stacked", "total_exposure") for key in KEYWORDS.quantities[name]
}


def plane_of(path: str | Path) -> int | None:
    """Tell which plane of a cube a path names; None for a file of its own."""
    match = _named_plane(path)
    return int(match["plane"]) if match else None


def stored_in(path: Path) -> Path:
    """Name the file that holds a frame: itself, or the cube it is a plane of."""
    match = _named_plane(path)
    return path.with_name(match["file"]) if match else path


def _named_plane(path: str | Path) -> re.Match[str] | None:
    # Most paths name none, and are asked for it time and again.
    return _PLANE.fullmatch(Path(path).name) if os.fspath(path).endswith("]") else None


def count_planes(cards: Cards) -> int:
    """Count the frames of an image by its header: 1 unless it is a cube of planes in time.

    A third axis of 3 or 4 is one of colours, where nothing tells when each plane was taken.
    """
    prefix = "Z" if cards.get("ZIMAGE", ("",))[0] == "T" else ""
    axes = number(cards.get(f"{prefix}NAXIS", ("9",))[0]) or 0
    lengths = [int(number(cards[f"{prefix}NAXIS{k}"].text) or 0)
               for k in range(1, 10) if k <= axes and f"{prefix}NAXIS{k}" in cards]  # fmt: skip
    planes = prod(lengths[2:]) if len(lengths) > 2 else 1
    if planes > MOST_COLOURS and not (lengths[0] <= MOST_COLOURS < min(lengths[1:])):
        return planes
    return planes if planes > 1 and _said_cadence(cards) else 1


def of_one(cards: Cards) -> Cards:
    """Leave out of a cube's header what is true of the whole alone."""
    return cards.without(_OF_THE_WHOLE)


def settle_cadence(
    cards: Cards, exposure_s: float | None, path: str | Path, given_s: float | None
) -> tuple[float, float | None, str]:
    """Settle how far apart the planes of a cube are: seconds, exposure of one, and the source.

    By the setting; a word of the header; or its first start and last end. An exposure that is that
    of all planes together is shared out. Raises HeaderError where nothing tells.
    """
    n = count_planes(cards)
    found = (given_s, "setting time.cadence_s") if given_s else _said_cadence(cards)
    span = _span_s(cards)
    if found is None and span and exposure_s is not None:
        # From the start of the first to the end of the last, the last pause left out.
        one = exposure_s if n * exposure_s <= span * (1 + 1 / n) else exposure_s / n
        found = max(one, (span - one) / max(1, n - 1)), "start and end of the cube"
    if found is None or not found[0]:
        msg = (
            f"a cube of {n} planes, and its header does not tell when each was taken: give "
            "--cadence SECONDS, from the start of one to that of the next"
        )
        raise HeaderError(path, "NAXIS3", msg)
    cadence, source = found
    return cadence, _of_one_plane(exposure_s, n, cadence, path), source


def _of_one_plane(
    exposure_s: float | None, n: int, cadence_s: float, path: str | Path
) -> float | None:
    """Share out an exposure that is that of all planes; HeaderError for one that is neither."""
    if exposure_s is None or exposure_s <= cadence_s * (1 + ROUNDED):
        return exposure_s
    if MOSTLY_OPEN * cadence_s <= exposure_s / n <= cadence_s * (1 + ROUNDED):
        return exposure_s / n
    msg = (
        f"exposures of {exposure_s:g} s cannot follow one another every {cadence_s:.3g} s in a "
        f"cube of {n} planes: give --exposure SECONDS or --cadence SECONDS"
    )
    raise HeaderError(path, "EXPTIME", msg)


def table_starts(path: Path, n: int) -> tuple[tuple[float, ...], float, str] | None:
    """Find a table beside a cube with a time for each of its n planes.

    Returns the starts, JD UTC, the value of their last digit in seconds, and the source; None where
    there is none.
    """
    return _starts(stored_in(path), file_state(stored_in(path)), n)


@lru_cache(maxsize=4)
def _starts(file: Path, state: str, n: int) -> tuple[tuple[float, ...], float, str] | None:
    from astropy.io import fits

    from lightcurve.frames.pixels import plain_file  # which knows planes itself

    if state == "missing":
        return None

    def find() -> tuple[tuple[float, ...], float, str] | None:
        with fits.open(plain_file(file), memmap=False) as hdus:
            for hdu in hdus:
                names = {
                    name.upper().replace("_", "-"): name
                    for name in getattr(getattr(hdu, "columns", None), "names", None) or ()
                }
                if not names or not isinstance(hdu, fits.BinTableHDU) or len(hdu.data) != n:
                    continue
                for word in (word for word in CLOCKS.columns if word in names):
                    read = [_read_clock(value) for value in hdu.data[names[word]].tolist()]
                    whole = [one for one in read if one is not None]
                    if len(whole) == n:
                        unit = max(unit for _, unit in whole)
                        return tuple(jd for jd, _ in whole), unit, f"table of the cube, {word}"
        return None

    try:
        return quietly(find)[0]
    except (OSError, ValueError, TypeError):
        return None  # a damaged table says nothing


def _read_clock(value: object) -> tuple[float, float] | None:
    """Read a date or a Julian date: JD, and the value of its last digit in seconds."""
    if isinstance(value, str):
        read = parse_calendar(value)
        return None if read is None else (read.jd - (read.offset_hours or 0.0) / 24, read.unit_s)
    if not isinstance(value, int | float):
        return None
    jd = value + MJD_ZERO if value < 1e6 else float(value)
    return (jd, 4e-5) if EARLIEST_JD < jd < LATEST_JD else None


def _said_cadence(cards: Cards) -> tuple[float, str] | None:
    """Read the seconds from plane to plane that a header gives, and where."""
    for found in find_all(cards, "cadence"):
        value = number(found.text)
        if value and value > 0:
            milli = re.search(r"\bms\b|\[ms\]|millisec", found.said, re.IGNORECASE)
            seconds = value / 1000 if milli else value
            return 1 / value if found.keyword in KEYWORDS.rates else seconds, found.source
    return None


def _span_s(cards: Cards) -> float | None:
    clocks = read_clocks(cards)[0]
    ends: Sequence[list[float]] = [
        [clock.jd for clock in clocks if clock.stamp == stamp] for stamp in (Stamp.START, Stamp.END)
    ]
    if not all(ends) or ends[1][0] <= ends[0][0]:
        return None
    return (ends[1][0] - ends[0][0]) * DAY_S
