"""Figures of variable stars: periodogram and folded light curve, and times of minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.report.style import (
    FLAGGED,
    INK,
    MODEL,
    legend_above,
    plain_log_ticks,
    point_size,
    robust_limits,
    show_beyond,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "FieldScatter",
    "FoldedStar",
    "TimedMinimum",
    "save_candidate",
    "save_minima",
    "save_period",
    "save_scatter",
]

MARKS = (MODEL, "C0", "C2", "C4")
MOST_SHOWN = 12  # minima in a figure
MOST_DRAWN = 4000  # points of a periodogram: of neighbours the highest


@dataclass(frozen=True, slots=True, eq=False)
class FoldedStar:
    """A folded light curve: (n,) arrays of phase from 0 to 1 and relative flux, and its fit."""

    phase: np.ndarray
    flux: np.ndarray
    model: np.ndarray
    period: float


@dataclass(frozen=True, slots=True, eq=False)
class TimedMinimum:
    """A minimum: (n,) arrays of minutes from its time, and flux; the fit, (k,); and its label."""

    minutes: np.ndarray
    flux: np.ndarray
    model_minutes: np.ndarray
    model: np.ndarray
    label: str


def save_period(
    path: str | Path,
    period: np.ndarray,
    power: np.ndarray,
    folded: FoldedStar,
    *,
    marks: Sequence[tuple[float, str]] = (),
    title: str = "",
    facts: Sequence[str] = (),
) -> Path:
    """Write periodogram and folded light curve, one below the other.

    period, power: (k,) float arrays, days and share of the variation. marks: periods with the
    words that stand for them. title, facts: see `styled_figure`.
    """
    with styled_figure(path, (8.0, 6.5), title=title, facts=facts) as figure:
        above, below = figure.subplots(2, 1)
        shown = _highest(power)
        above.plot(period[shown], power[shown], color=INK, lw=0.7)
        above.set(xscale="log", xlabel="Period (days)", ylabel="Power", ylim=(0, None))
        above.xaxis.set_major_formatter("{x:g}")
        for (moment, words), colour in zip(marks, MARKS, strict=False):
            line = "-" if colour == MODEL else "--"
            above.axvline(moment, color=colour, ls=line, lw=1, label=words, zorder=0)
        legend_above(above)
        _draw_folded(below, folded)
    return Path(path)


def _draw_folded(axes: Axes, folded: FoldedStar) -> None:
    """Draw a folded curve twice over, with its fit."""
    twice = np.concatenate([folded.phase, folded.phase + 1])
    flux = np.tile(folded.flux, 2)
    axes.plot(twice, flux, ".", color=INK, ms=point_size(len(flux)))
    order = np.argsort(twice, kind="stable")
    axes.plot(twice[order], np.tile(folded.model, 2)[order], color=MODEL, lw=1.2)
    axes.set_ylim(*robust_limits(folded.flux))
    show_beyond(axes, twice, flux)
    axes.set(xlabel=f"Phase, period {folded.period:.7g} d", ylabel="Relative flux", xlim=(0, 2))


def _highest(power: np.ndarray) -> np.ndarray:
    """Of every so many neighbours the highest, rows in order."""
    size = max(1, len(power) // MOST_DRAWN)
    whole = power[: len(power) // size * size].reshape(-1, size)
    return np.arange(len(whole)) * size + np.argmax(whole, axis=1)


def save_minima(
    path: str | Path, minima: Sequence[TimedMinimum], *, title: str = "", facts: Sequence[str] = ()
) -> Path:
    """Write a panel for each minimum, twelve at most. title, facts: see `styled_figure`."""
    shown = list(minima)[:MOST_SHOWN]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    with styled_figure(path, (8.0, 1.0 + 2.4 * rows), title=title, facts=facts) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, one in zip(grid.flat, shown, strict=False):
            axes.plot(one.minutes, one.flux, ".", color=INK, ms=point_size(len(one.flux)))
            axes.plot(one.model_minutes, one.model, color=MODEL, lw=1.2)
            axes.axvline(0, color=FLAGGED, lw=0.8, zorder=0)
            axes.set_title(one.label, fontsize="small")
        for axes in list(grid.flat)[len(shown) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("Relative flux")
        for axes in grid[-1]:
            axes.set_xlabel("Minutes")
    return Path(path)


@dataclass(frozen=True, slots=True, eq=False)
class FieldScatter:
    """Stars of a field: (s,) arrays of instrumental magnitude, scatter and what is expected of it.

    varies : (s,) bool array; names : (s,) str array.
    """

    magnitude: np.ndarray
    scatter: np.ndarray
    expected: np.ndarray
    varies: np.ndarray
    names: np.ndarray


def save_scatter(path: str | Path, field: FieldScatter, *, title: str = "") -> Path:
    """Write scatter against brightness, the stars that vary marked. title: see `styled_figure`."""
    with styled_figure(path, (8.0, 4.5), title=title) as figure:
        axes = figure.add_subplot()
        calm, shown = ~field.varies, np.isfinite(field.scatter) & (field.scatter > 0)
        order = np.argsort(field.magnitude)
        order = order[np.isfinite(field.expected[order])]
        axes.plot(field.magnitude[order], 100 * field.expected[order], color=FLAGGED, lw=1.2,
                  label="expected")  # fmt: skip
        for rows, colour, label in ((calm, INK, "stars"), (field.varies, MODEL, "candidates")):
            some = rows & shown
            axes.plot(field.magnitude[some], 100 * field.scatter[some], "o", color=colour, ms=3,
                      label=label)  # fmt: skip
        for k in np.flatnonzero(field.varies & shown)[:MOST_SHOWN]:
            axes.annotate(
                str(field.names[k]), (field.magnitude[k], 100 * field.scatter[k]),
                xytext=(4, 4), textcoords="offset points", fontsize="small", color=MODEL,
            )  # fmt: skip
        axes.set(yscale="log", xlabel="Instrumental magnitude", ylabel="Scatter (%)")
        plain_log_ticks(axes.yaxis)
        legend_above(axes)
    return Path(path)


def save_candidate(
    path: str | Path,
    time: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray,
    folded: FoldedStar | None,
    *,
    scale: str = "BJD_TDB",
    title: str = "",
    facts: Sequence[str] = (),
) -> Path:
    """Write a star's curve over time, and folded where it has a period; title, facts as before.

    time, flux, error: (n,) float arrays.
    """
    with styled_figure(path, (8.0, 3.6 if folded is None else 6.5), title=title, facts=facts) as f:
        axes = f.subplots(1 if folded is None else 2, 1, squeeze=False)[:, 0]
        day = float(np.floor(time.min()))
        axes[0].errorbar(time - day, flux, error, fmt=".", color=INK, elinewidth=0.5,
                         ms=point_size(len(time)))  # fmt: skip
        axes[0].set(xlabel=f"{scale} \N{MINUS SIGN} {day:.0f}", ylabel="Relative flux")
        axes[0].set_ylim(*robust_limits(flux))
        show_beyond(axes[0], time - day, flux)
        if folded is not None:
            _draw_folded(axes[1], folded)
    return Path(path)
