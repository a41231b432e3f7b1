"""Angles as headers write them."""

from __future__ import annotations

import re

from lightcurve.frames.cards import number

_SEXAGESIMAL = re.compile(
    r"\s*([+-]?)\s*(\d{1,3})\s*[:hd°\s]\s*(\d{1,2})(?:[.,](\d*))?"
    r"(?:\s*[:m'\s]\s*(\d{1,2}(?:[.,]\d*)?)\s*[s\"]?)?\s*([NSEWnsew]?)\s*",
)
_DECIMAL = re.compile(r"\s*([+-]?\d+(?:[.,]\d*)?)\s*(?:deg|°)?\s*([NSEWnsew])\s*", re.ASCII)


def sexagesimal(text: str) -> float | None:
    """Read ``18 20 48.12``, ``-16:10:58.8``, ``02:05.25`` or ``149 03 52 W``.

    Parameters
    ----------
    text : str

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


def degrees(text: str) -> float | None:
    """Read an angle in degrees, decimal or sexagesimal.

    Parameters
    ----------
    text : str
        A trailing N, S, E or W is understood.

    Returns
    -------
    float or None
    """
    sided = _DECIMAL.fullmatch(text[:64])
    if sided:
        value = float(sided[1].replace(",", "."))
        return -value if sided[2].upper() in {"S", "W"} else value
    value = number(text)
    return sexagesimal(text) if value is None or sexagesimal(text) is not None else value
