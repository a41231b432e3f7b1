"""AstroImageJ's plot configuration, as far as it tells curves and detrending."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightcurve.formats.aij_settings import read_properties

_DETREND = re.compile(r"detrendlabel\D*(\d+)(?:\D+(\d+))?$", re.IGNORECASE)

_CURVE = re.compile(r"(?<![a-z])ylabel\D*(\d+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlotSettings:
    """What a plot configuration says of curves and detrending.

    Attributes
    ----------
    curves : mapping of int to str
        Number of the curve to the column it shows.
    detrend : mapping of int to tuple of str
        Number of the curve to the columns it is detrended by.
    values : mapping of str to str
        All that the file says.
    """

    curves: Mapping[int, str]
    detrend: Mapping[int, tuple[str, ...]]
    values: Mapping[str, str]


def read_plotcfg(path: str | Path) -> PlotSettings:
    """Read a ``.plotcfg`` file: which column each curve shows and what it is detrended by.

    Returns
    -------
    PlotSettings
        Empty selections are left out.
    """
    values = read_properties(path)
    curves = {
        int(match[1]): value
        for key, value in values.items()
        if (match := _CURVE.search(key)) and value
    }
    found: dict[int, list[tuple[int, str]]] = {}
    for key, value in values.items():
        match = _DETREND.search(key)
        if match and value:
            found.setdefault(int(match[1]), []).append((int(match[2] or 0), value))
    detrend = {curve: tuple(v for _, v in sorted(entries)) for curve, entries in found.items()}
    return PlotSettings(curves, detrend, values)
