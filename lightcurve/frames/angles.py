"""Angles as headers write them."""

from __future__ import annotations

import re

from lightcurve.coordinates import sexagesimal
from lightcurve.frames.cards import number

_DECIMAL = re.compile(r"\s*([+-]?\d+(?:[.,]\d*)?)\s*(?:deg|°)?\s*([NSEWnsew])\s*", re.ASCII)


def degrees(text: str) -> float | None:
    """Read an angle in degrees, decimal or sexagesimal.

    text: a trailing N, S, E or W is understood.
    """
    sided = _DECIMAL.fullmatch(text[:64])
    if sided:
        value = float(sided[1].replace(",", "."))
        return -value if sided[2].upper() in {"S", "W"} else value
    angle = sexagesimal(text)
    return number(text) if angle is None else angle
