"""What times are: told by the name of their column, or by an option in the same words."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import DAY_S, MJD_ZERO
from lightcurve.core.errors import InputError
from lightcurve.core.times import hjd_utc, only_julian_dates, tt_minus_utc_s

__all__ = ["TIME_KINDS", "kind_of_name"]

# What --time-kind is offered to be; any of them may end in what was taken off, as jd_utc-2450000.
TIME_KINDS = (
    *("bjd_tdb", "jd_utc", "mjd_utc", "iso_utc", "bjd_utc", "hjd_utc", "hjd_tdb", "jd_tdb"),
    *("btjd", "bkjd"),
)
WORD = re.compile(r"[A-Z]+|\d+")
JOINED = re.compile(r"JD(UTC|TDB)")
DATES = re.compile(r"(?P<place>[BH])?(?P<short>M)?(?P<other>[BH])?JD")
ZEROS = {"RJD": 2400000.0, "BRJD": 2400000.0, "BTJD": 2457000.0, "BKJD": 2454833.0}
SCALES = {"UTC": "utc", "UT": "utc", "TDB": "tdb", "TT": "tdb"}  # TT and TDB: within 2 ms
OTHER_SCALES = {"TAI", "GPS", "UT1", "ET", "TCB", "LOCAL", "LOC", "LT", "LMT", "CIVIL", "SIDEREAL"}
OFFSET = re.compile(r"24\d{5}(\.\d+)?")
FIRST_CCD, SOON = 2443509.5, 2469807.5  # 1978 and 2050
# Light across the Earth's orbit 508 s, the Sun's way about the barycentre 5 s, TDB before UTC 69 s;
# and 87 s for times that a spreadsheet cut to three decimals.
MOST_APART_S = 670.0
HELIOCENTRIC_STEPS = 3  # each leaves 1e-4 of the light's delay


@dataclass(frozen=True, slots=True)
class TimeKind:
    """What a column of times holds.

    Attributes
    ----------
    place : str
        Where the light is clocked: ``"B"`` at the barycentre, ``"H"`` at the Sun, else empty.
    scale : str
        ``"utc"``, ``"tdb"``, or empty where nothing says it.
    zero : float
        Days to add for a Julian date.
    is_text : bool
        Dates as ISO 8601 has them.
    """

    place: str
    scale: str
    zero: float = 0.0
    is_text: bool = False

    @property
    def conventional(self) -> TimeKind:
        """With the scale that is meant where none is told: TDB at the barycentre, else UTC."""
        scale = self.scale or ("tdb" if self.place == "B" else "utc")
        return TimeKind(self.place, scale, self.zero, self.is_text)

    def julian(self, values: np.ndarray) -> np.ndarray:
        """Add what was taken off: (n,) Julian dates; NaN where a value is no date of 1950-2150."""
        return only_julian_dates(values + self.zero)

    def bjd_and_jd(
        self, julian: np.ndarray, star: tuple[float, float] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Turn (n,) Julian dates of this kind into BJD_TDB or JD_UTC, (n,) each, the other NaN.

        star: RA and Dec, degrees; without it there is neither of heliocentric dates.
        """
        nothing = np.full(len(julian), np.nan)
        ahead = tt_minus_utc_s(julian) / DAY_S
        if self.place == "B":
            return (julian if self.scale == "tdb" else julian + ahead), nothing
        utc = julian - ahead if self.scale == "tdb" else julian
        if self.place == "H":
            return nothing, _seen_on_earth(utc, star) if star else nothing
        return nothing, utc


def _seen_on_earth(hjd: np.ndarray, star: tuple[float, float]) -> np.ndarray:
    """Find the JD_UTC whose HJD_UTC is given, from the centre of the Earth (21 ms at most)."""
    jd = hjd
    for _ in range(HELIOCENTRIC_STEPS):
        jd = jd + (hjd - hjd_utc(jd, *star, None))
    return jd


def kind_of_name(name: str) -> TimeKind | None:
    """Read what times are from a name such as ``BJD_TDB``, ``HJD-2450000`` or ``mjd_utc``.

    Returns None where the name tells no date, a time zone, or a scale that is not known here.
    """
    words = WORD.findall(JOINED.sub(r"JD_\1", name.upper().replace("J.D.", "JD")))
    if {*words} & OTHER_SCALES or not words:
        return None
    scales = {SCALES[w] for w in words if w in SCALES}
    if len(scales) > 1:
        return None
    scale = next(iter(scales), "")
    taken_off = OFFSET.search(name)
    offset = float(taken_off[0]) if taken_off else 0.0
    for word in words:
        if word in ZEROS:
            place = word[0] if word[0] == "B" else ""
            fixed = "tdb" if word in {"BTJD", "BKJD"} else scale
            return TimeKind(place, fixed, ZEROS[word])
        found = DATES.fullmatch(word)
        if found:
            place = found["place"] or found["other"] or ""
            return TimeKind(place, scale, MJD_ZERO if found["short"] else offset)
    is_date = words[0].startswith(("DATE", "ISO", "UTC"))
    return TimeKind("", "utc", is_text=True) if is_date and scale in {"", "utc"} else None


def kinds_that_fit(values: np.ndarray) -> tuple[str, ...]:
    """Tell as which kinds (n,) values would be dates of digital cameras, to be asked for."""
    known = values[np.isfinite(values)]
    middle = float(np.median(known)) if known.size else np.nan
    offered = [*TIME_KINDS, "jd_utc-2400000", "jd_utc-2450000", "bjd_tdb-2450000"]
    kinds = [(name, kind) for name in offered if (kind := kind_of_name(name)) and not kind.is_text]
    return tuple(name for name, kind in kinds if FIRST_CCD < middle + kind.zero < SOON)


def check_pair(bjd: np.ndarray, jd: np.ndarray, file: str) -> None:
    """Refuse (n,) BJD_TDB and JD_UTC that light travel cannot bring so far apart.

    Raises InputError.
    """
    apart = (bjd - jd) * DAY_S
    wrong = np.flatnonzero(np.abs(apart) > MOST_APART_S)
    if wrong.size:
        msg = (
            f"BJD_TDB and JD_UTC are {apart[wrong[0]]:+.0f} s apart in {wrong.size} rows (first: "
            f"{wrong[0] + 1}), and light travel makes {MOST_APART_S:.0f} s at most: one of them is "
            "wrong; --time names the right one (in Python: time=)"
        )
        raise InputError(msg, file=file)
