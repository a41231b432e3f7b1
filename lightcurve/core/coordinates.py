"""Sky coordinates as people write them."""

from __future__ import annotations

import math
import re

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.errors import InputError

__all__ = [
    "degrees_apart",
    "directions",
    "format_coordinates",
    "parse_coordinates",
    "read_angle",
    "sexagesimal",
    "unit_vectors",
]

_SEXAGESIMAL = re.compile(
    r"\s*([+-]?)\s*(\d{1,3})\s*[:hd°\s]\s*(\d{1,2})(?:[.,](\d*))?"
    r"(?:\s*[:m'\s]\s*(\d{1,2}(?:[.,]\d*)?)\s*[s\"]?)?\s*([NSEWnsew]?)\s*"
)
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_COLONS = re.compile(r"[+-]?[0-9]{1,3}:[0-5]?[0-9]:[0-5]?[0-9](\.[0-9]*)?")


def parse_coordinates(ra: str, dec: str) -> tuple[float, float]:
    """Read a right ascension and a declination.

    Parameters
    ----------
    ra, dec : str
        Sexagesimal (right ascension in hours) or decimal degrees.

    Raises
    ------
    InputError
        When either cannot be read or is out of range.
    """
    try:
        right, declination = read_angle(ra, hours=True), read_angle(dec)
    except ValueError as error:
        msg = f"cannot read the coordinates {ra!r} {dec!r}: {error}"
        raise InputError(msg) from error
    if not 0 <= right < 360:
        msg = f"right ascension {ra!r} is not between 0 and 360 degrees (0 and 24 hours)"
        raise InputError(msg)
    if not -90 <= declination <= 90:
        msg = f"declination {dec!r} (--dec) is not between -90 and +90 degrees"
        raise InputError(msg)
    return right, declination


def read_angle(angle: str | float, *, hours: bool = False) -> float:
    """Read an angle, sexagesimal text or decimal degrees, as degrees.

    Parameters
    ----------
    hours : bool
        A right ascension: sexagesimal, it is in hours.

    Raises
    ------
    ValueError
        When it is no angle.
    """
    if not isinstance(angle, str) or _DECIMAL.fullmatch(angle):
        return float(angle)
    if _COLONS.fullmatch(angle) and (value := sexagesimal(angle)) is not None:
        return 15 * value if hours else value
    from astropy.coordinates import Angle  # which knows every other way, and takes long to load

    by_parts = any(mark in angle.strip() for mark in ": hms")
    return float(Angle(angle, unit="hourangle" if hours and by_parts else "deg").deg)


def sexagesimal(text: str) -> float | None:
    """Read ``18 20 48.12``, ``-16:10:58.8``, ``02:05.25`` or ``149 03 52 W``.

    Returns
    -------
    float or None
        In the unit of its first number, S and W negative; None for anything else.
    """
    match = _SEXAGESIMAL.fullmatch(text[:64])
    if not match:
        return None
    sign, whole, minutes, fraction, seconds, side = match.groups()
    if seconds is not None and fraction is not None:
        return None
    minute = float(f"{minutes}.{fraction or 0}")
    second = float((seconds or "0").replace(",", "."))
    if minute >= 60 or second > 60:
        return None
    value = int(whole) + minute / 60 + second / 3600
    return -value if (sign == "-") != (side.upper() in {"S", "W"} and bool(side)) else value


def format_coordinates(ra_deg: float, dec_deg: float) -> str:
    """Write a place on the sky in hours and degrees: ``02:04:10.28 +46:41:16.2``."""
    from astropy import units as u
    from astropy.coordinates import Angle

    # Rounded before it is written: 24:00:00 is no right ascension.
    hours = round(ra_deg * 240, 2) % DAY_S / 3600
    ra = Angle(hours, u.hourangle).to_string(sep=":", precision=2, pad=True)
    dec = Angle(dec_deg, u.deg).to_string(sep=":", precision=1, pad=True, alwayssign=True)
    return f"{ra} {dec}"


def degrees_apart(place: tuple[float, float], other: tuple[float, float]) -> float:
    """Angle, degrees, between two (RA, Dec) on the sky, degrees, by the haversine formula."""
    ra, dec, other_ra, other_dec = map(math.radians, (*place, *other))
    half = math.sin((other_dec - dec) / 2) ** 2
    half += math.cos(dec) * math.cos(other_dec) * math.sin((other_ra - ra) / 2) ** 2
    return math.degrees(2 * math.asin(min(math.sqrt(half), 1.0)))


def unit_vectors(ra_deg: float | np.ndarray, dec_deg: float | np.ndarray) -> np.ndarray:
    """Turn directions into unit vectors.

    ra_deg, dec_deg: one direction or (n,) float arrays.
    Returns (3,) or (n, 3) float array, NaN where either is.
    """
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def directions(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn vectors (n, 3), of any length, into right ascensions from 0 to 360 and declinations."""
    x, y, z = vectors.T
    ra = np.degrees(np.arctan2(y, x)) % 360.0
    # A remainder just below zero rounds up to 360.
    return np.where(ra == 360.0, 0.0, ra), np.degrees(np.arctan2(z, np.hypot(x, y)))
