"""AstroImageJ's settings files, as far as they tell stars, radii, curves and detrending."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lightcurve.core.coordinates import sexagesimal
from lightcurve.core.errors import InputError
from lightcurve.core.table_text import read_text

__all__ = ["ApertureSettings", "read_apertures", "read_plotcfg", "read_radec"]

NO_MAGNITUDE = 99.0
_DETREND = re.compile(r"detrendlabel\D*(\d+)(?:\D+(\d+))?$", re.IGNORECASE)
_CURVE = re.compile(r"(?<![a-z])ylabel\D*(\d+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class ApertureSettings:
    """Stars and radii of an aperture file.

    Attributes
    ----------
    names : tuple of str
        ``"T1"``, ``"C2"`` ...
    x_ij, y_ij : (n,) float arrays
        AstroImageJ's own pixels, from the top left; NaN where the file has none.
    ra_deg, dec_deg : (n,) float arrays
        NaN where the file has none.
    magnitude : (n,) float array
        NaN where not given.
    comparison, centroid : (n,) bool arrays
        Comparison stars, and stars that are centred.
    radius : float or None
        Pixels.
    annulus : tuple of float, or None
        Pixels.
    remove_stars, plane : bool or None
        Whether stars are clipped from the sky, and whether the sky is a plane.
    fwhm_factor : float or None
        Of a variable aperture; None when it is fixed.
    values : mapping of str to str
        All that the file says.
    """

    names: tuple[str, ...]
    x_ij: np.ndarray
    y_ij: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    magnitude: np.ndarray
    comparison: np.ndarray
    centroid: np.ndarray
    radius: float | None = None
    annulus: tuple[float, float] | None = None
    remove_stars: bool | None = None
    plane: bool | None = None
    fwhm_factor: float | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    def pixels(self, image_height: int) -> tuple[np.ndarray, np.ndarray]:
        """Turn the positions into our pixels, 0-based, from the bottom left; NAXIS2 is needed."""
        return self.x_ij - 0.5, image_height - 0.5 - self.y_ij


def read_properties(path: str | Path) -> dict[str, str]:
    """Read a file of ``key=value`` lines, the keys without their leading dot."""
    values = {}
    for line in read_text(path, what="AstroImageJ settings").split("\n"):
        key, sign, value = line.strip().partition("=")
        if sign and not line.startswith(("#", "!")):
            values[key.strip().lstrip(".")] = value.strip().replace("\\:", ":").replace("\\=", "=")
    if not values:
        msg = f"{Path(path).name}: no settings in it (lines such as .aperture.radius=15.0)"
        raise InputError(msg)
    return values


def read_apertures(path: str | Path) -> ApertureSettings:
    """Read an ``.aperture`` or ``.apertures`` file.

    Raises
    ------
    InputError
        When it holds no stars, or lists of different lengths.
    """
    values = read_properties(path)
    try:
        return _aperture_settings(values)
    except InputError as error:
        msg = f"{Path(path).name}: {error}"
        raise InputError(msg) from error


def _aperture_settings(values: Mapping[str, str]) -> ApertureSettings:
    """Interpret the values of an aperture file."""
    x = _list(values, "multiaperture.xapertures")
    ra = _list(values, "multiaperture.raapertures")
    n = max(len(x), len(ra))
    if not n:
        msg = "no stars in it (neither xapertures nor raapertures)"
        raise InputError(msg)
    columns = {
        key: _padded(_list(values, f"multiaperture.{key}"), n, key)
        for key in ("xapertures", "yapertures", "raapertures", "decapertures", "absmagapertures")
    }
    comparison = _flags(values, "multiaperture.isrefstar", n, default=True)
    if "multiaperture.isrefstar" not in values:
        comparison[0] = False
    magnitude = columns["absmagapertures"]
    variable = values.get("multiaperture.usevarsizeap", "false").lower() == "true"
    return ApertureSettings(
        names=_names(comparison),
        x_ij=columns["xapertures"],
        y_ij=columns["yapertures"],
        ra_deg=columns["raapertures"],
        dec_deg=columns["decapertures"],
        magnitude=np.where(magnitude < NO_MAGNITUDE, magnitude, np.nan),
        comparison=comparison,
        centroid=_flags(values, "multiaperture.centroidstar", n, default=True),
        radius=_number(values, "aperture.radius"),
        annulus=_annulus(values),
        remove_stars=_switch(values, "aperture.removebackstars"),
        plane=_switch(values, "aperture.backplane"),
        fwhm_factor=_number(values, "multiaperture.apfwhmfactor") if variable else None,
        values=values,
    )


def _names(comparison: np.ndarray) -> tuple[str, ...]:
    return tuple(f"{'C' if c else 'T'}{k}" for k, c in enumerate(comparison, start=1))


def _list(values: Mapping[str, str], key: str) -> list[float]:
    return [_float(v, key) for v in values.get(key, "").split(",") if v.strip()]


def _float(text: str, key: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        msg = f"{key}: {text.strip()!r} is no number"
        raise InputError(msg) from error


def _padded(numbers: list[float], n: int, key: str) -> np.ndarray:
    if numbers and len(numbers) != n:
        msg = f"{key} has {len(numbers)} values for {n} stars"
        raise InputError(msg)
    return np.array(numbers) if numbers else np.full(n, np.nan)


def _flags(values: Mapping[str, str], key: str, n: int, *, default: bool) -> np.ndarray:
    words = [v.strip().lower() == "true" for v in values.get(key, "").split(",") if v.strip()]
    return np.array((words + [default] * n)[:n], dtype=bool)


def _number(values: Mapping[str, str], key: str) -> float | None:
    return _float(values[key], key) if values.get(key) else None


def _switch(values: Mapping[str, str], key: str) -> bool | None:
    return values[key].lower() == "true" if key in values else None


def _annulus(values: Mapping[str, str]) -> tuple[float, float] | None:
    inner, outer = _number(values, "aperture.rback1"), _number(values, "aperture.rback2")
    return None if inner is None or outer is None else (inner, outer)


def read_radec(path: str | Path) -> ApertureSettings:
    """Read a ``.radec`` file: RA in hours, Dec, comparison, centroid, magnitude.

    It has no pixels and radii. Where it does not say, the first star is the target.

    Raises
    ------
    InputError
        When it holds no stars, or a line that cannot be read.
    """
    name = Path(path).name
    rows: list[tuple[float, float, bool, bool, float]] = []
    for number, line in enumerate(read_text(path, what="a list of stars").split("\n"), start=1):
        cells = [c.strip() for c in line.split("#")[0].split(",")]
        if not any(cells):
            continue
        try:
            rows.append(_radec_row(cells, first=not rows))
        except (ValueError, IndexError) as error:
            msg = f"{name}: line {number} is no star: {line.strip()[:60]!r}"
            raise InputError(msg) from error
    if not rows:
        msg = f"{name}: no stars in it"
        raise InputError(msg)
    ra, dec, comparison, centroid, magnitude = (np.array(c) for c in zip(*rows, strict=True))
    nowhere = np.full(len(rows), np.nan)
    return ApertureSettings(
        names=_names(comparison),
        x_ij=nowhere,
        y_ij=nowhere,
        ra_deg=ra,
        dec_deg=dec,
        magnitude=magnitude,
        comparison=comparison,
        centroid=centroid,
    )


def _radec_row(cells: list[str], *, first: bool) -> tuple[float, float, bool, bool, float]:
    comparison = cells[2] == "1" if len(cells) > 2 and cells[2] else not first
    centroid = cells[3] != "0" if len(cells) > 3 and cells[3] else True
    magnitude = float(cells[4]) if len(cells) > 4 and cells[4] else np.nan
    ra_hours, dec_deg = _read_angle(cells[0]), _read_angle(cells[1])
    if not (0 <= ra_hours < 24 and abs(dec_deg) <= 90):
        msg = f"{ra_hours} h {dec_deg} deg is no place in the sky"
        raise ValueError(msg)
    return (
        15 * ra_hours,
        dec_deg,
        comparison,
        centroid,
        magnitude if magnitude < NO_MAGNITUDE else np.nan,
    )


def _read_angle(text: str) -> float:
    """Read a number, or sexagesimal text in the unit of its first number."""
    value = sexagesimal(text)
    return float(text) if value is None else value


@dataclass(frozen=True, slots=True)
class PlotSettings:
    """What a plot configuration says of curves and detrending."""

    curves: Mapping[int, str]  # number of the curve to the column it shows
    detrend: Mapping[int, tuple[str, ...]]  # number of the curve to the columns it is detrended by
    values: Mapping[str, str]  # all that the file says


def read_plotcfg(path: str | Path) -> PlotSettings:
    """Read a ``.plotcfg`` file: which column each curve shows and what it is detrended by.

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
