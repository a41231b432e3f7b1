"""What the page of a night says, and how it is laid out as JSON.

Arrays by frame are of the n measured frames, in order of time. Numbers that are not known are null.
"""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lightcurve.report.html import Section

__all__ = [
    "Column",
    "Curve",
    "Fine",
    "Frames",
    "Json",
    "Lost",
    "Numbers",
    "Page",
    "Star",
    "Summary",
]

# What JSON can say.
Json: TypeAlias = str | float | int | bool | Sequence["Json"] | Mapping[str, "Json"] | None

VERSION = 1  # of the layout
LEVEL = 6  # of gzip: 9 leaves a hundredth less and takes three times as long
DIGITS = 7  # of a relative flux and other float numbers; times keep all of theirs


@dataclass(frozen=True, slots=True)
class Summary:
    """The verdict: what was found, said in words, and what the reader should check.

    finding : one of the words of `Finding`, or empty where nothing was looked for.
    """

    finding: str
    text: str
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A number of each frame.

    values : (n,) float array. label : of the axis; of one panel are columns with the same label.
    legend : which of the panel's columns it is. panel : whether it is drawn, or only told.
    """

    values: np.ndarray
    unit: str
    label: str
    legend: str = ""
    panel: bool = False
    inverted: bool = False  # small values up


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The measured frames: (n,) arrays, `utc` with words for people."""

    file: Sequence[str]
    jd_utc: np.ndarray
    bjd_tdb: np.ndarray
    utc: Sequence[str]
    columns: Mapping[str, Column] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lost:
    """A frame without a measurement; why : in a word."""

    file: str
    reason: str
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Fine:
    """The model at times of its own, (k,) arrays, BJD_TDB and relative flux."""

    time: np.ndarray
    flux: np.ndarray


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a curve and its fit come to; NaN where there is none. Scatter and depth are relative."""

    scatter: float = math.nan
    bic: float = math.nan
    mid_time: float = math.nan
    mid_time_err: float = math.nan
    rp_over_rs: float = math.nan
    rp_over_rs_err: float = math.nan
    depth: float = math.nan
    n_points: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The program's own light curve with its full fit: (n,) arrays, None without a fit.

    trend : what detrending divides by. model : the transit alone. used : by the fit.
    predicted : ingress, egress, BJD_TDB, where a planet is known. rows : of the comparison stars in
    the plan, with their weights.
    """

    flux: np.ndarray
    flux_err: np.ndarray
    flags: np.ndarray
    used: np.ndarray
    trend: np.ndarray | None = None
    detrended: np.ndarray | None = None
    model: np.ndarray | None = None
    residual: np.ndarray | None = None
    fine: Fine | None = None
    numbers: Numbers = field(default_factory=Numbers)
    predicted: Mapping[str, float] = field(default_factory=dict)
    rows: Sequence[int] = ()
    weights: Sequence[float] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Star:
    """A star of the plan: its row there, role and why.

    ra, dec : degrees. x, y : pixels of the reference frame. curve : `block` of its flux.
    """

    row: int
    id: str
    role: str
    reason: str
    ra: float
    dec: float
    x: float
    y: float
    in_cube: bool = False
    curve: Json = None


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """All that the page says.

    Attributes
    ----------
    run : str
        Name of the run folder, for lines to copy.
    facts : sequence of (str, str)
        The few numbers that matter, with their labels.
    sections : sequence of Section
        Read below the instrument with or without scripts.
    figures : mapping of Path to str
        PNG files, with their captions; they are made small.
    flag_names : mapping of str to int
        Bit of each flag.
    covariates : sequence of str
        That the program's own fit took.
    untuned : Json
        The program's own choice, where that of the run was made by hand.
    cube, choice, picture, film, live : Json
        Parts that have modules of their own; None where there is no such part.
    """

    title: str
    subtitle: str
    verdict: Summary
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    frames: Frames
    lost: Sequence[Lost]
    curve: Curve
    stars: Sequence[Star]
    run: str = ""
    covariates: Sequence[str] = ()
    flag_names: Mapping[str, int] = field(default_factory=dict)
    sections: Sequence[Section] = ()
    figures: Mapping[Path, str] = field(default_factory=dict)
    footer: str = ""
    cube: Json = None
    choice: Json = None
    untuned: Json = None
    picture: Json = None
    film: Json = None
    live: Json = None

    def content(self) -> dict[str, Any]:
        """Lay out what the scripts need; sections and figures stand in the page as they are."""
        told = asdict(replace(self, sections=(), figures={}), dict_factory=_by_name)
        return {"version": VERSION, **told}


def block(values: np.ndarray, *, planes: bool = False) -> dict[str, Json]:
    """Pack an array for the page, which unpacks every such block before anything else is done.

    Parameters
    ----------
    values : array
        Any shape, of float32, float64, int32, bool or unsigned integers of 8, 16 or 32 bits.
    planes : bool
        Pack the first bytes of all values, then the second ones, and so on: of measured numbers a
        fifth less is left.

    Returns
    -------
    dict
        ``dtype`` (little-endian, as numpy names it), ``shape``, ``planes`` and ``gzip``: base64 of
        the bytes.
    """
    values = values.astype(np.uint8) if values.dtype.kind == "b" else values
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    content = little.view(np.uint8).reshape(-1, values.dtype.itemsize)
    packed = gzip.compress((content.T if planes else content).tobytes(), LEVEL, mtime=0)
    return {
        "dtype": f"{values.dtype.kind}{values.dtype.itemsize}",
        "planes": planes,
        "shape": [int(n) for n in values.shape],
        "gzip": base64.b64encode(packed).decode(),
    }


def _by_name(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Lay out the fields of a dataclass, arrays with the digits that are shown."""
    return {name: _short(v) if isinstance(v, np.ndarray) else v for name, v in pairs}


def _short(values: np.ndarray) -> list[Any]:
    """Give an array (n,) as a list: floats to `DIGITS`, Julian dates to 1e-9 days."""
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [round(v, 9) if abs(v) > 1e6 else float(f"{v:.{DIGITS}g}") for v in values.tolist()]
