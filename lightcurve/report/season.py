"""Figures of a season: how mid-times go with the epochs, and all transits folded into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.report.style import (
    FLAGGED,
    INK,
    MODEL,
    bin_points,
    half_width,
    legend_above,
    point_size,
    robust_limits,
    show_beyond,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Folded", "OMinusC", "save_folded", "save_o_minus_c"]

COLOURS = ("C0", "C1", "C2", "C4", "C5", "C3")
BINS = 40  # over the width of the figure


@dataclass(frozen=True, slots=True, eq=False)
class OMinusC:
    """What the O-C diagram shows.

    Attributes
    ----------
    epoch, minutes, error : (n,) arrays
        Mid-times from the ephemeris that was known, and their errors.
    filters : tuple of str
        Of each.
    kept : (n,) bool array
        Those that the new ephemeris is made of; the others are drawn open.
    grid, known_err, new, new_err : (k,) float arrays
        Epochs, and at these one sigma of the known ephemeris, the new one from the known, and its
        one sigma; minutes. NaN where errors are not known.
    wave : pair of (m,) float arrays
        Epochs and minutes of the variation found; empty where there is none.
    """

    epoch: np.ndarray
    minutes: np.ndarray
    error: np.ndarray
    filters: tuple[str, ...]
    kept: np.ndarray
    grid: np.ndarray
    known_err: np.ndarray
    new: np.ndarray
    new_err: np.ndarray
    wave: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """A light curve without its trend: (n,) arrays, hours from mid-transit, relative flux."""

    filter: str
    hours: np.ndarray
    flux: np.ndarray
    residual: np.ndarray
    error: np.ndarray


def colours_of(filters: Sequence[str]) -> dict[str, str]:
    """Give each filter a colour, in the order in which they come."""
    names = tuple(dict.fromkeys(filters))
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}


def save_o_minus_c(
    path: str | Path, shown: OMinusC, *, title: str = "", facts: Sequence[str] = ()
) -> Path:
    """Write the O-C diagram: mid-times, and the ephemerides with one sigma about them.

    title, facts: see `styled_figure`.
    """
    with styled_figure(path, (8.0, 4.5), title=title, facts=facts) as figure:
        axes = figure.add_subplot()
        _band(axes, shown.grid, 0 * shown.grid, shown.known_err, FLAGGED, "known ephemeris")
        _band(axes, shown.grid, shown.new, shown.new_err, MODEL, "new ephemeris")
        if shown.wave[0].size:
            axes.plot(*shown.wave, color=MODEL, lw=1.0, ls="--", label="with its variation")
        filters = np.array(shown.filters)
        for name, colour in colours_of(shown.filters).items():
            for rows, face in ((filters == name) & shown.kept, colour), (
                (filters == name) & ~shown.kept, "none",
            ):  # fmt: skip
                axes.errorbar(
                    shown.epoch[rows], shown.minutes[rows], shown.error[rows], fmt="o", ms=4,
                    color=colour, mfc=face, elinewidth=1, label=name if face == colour else "",
                )  # fmt: skip
        axes.set_xlim(shown.grid[0], shown.grid[-1])
        low, high = (shown.minutes + sign * shown.error for sign in (-1, 1))
        ends = (low[shown.kept], high[shown.kept], shown.new, np.zeros(1))
        axes.set_ylim(*robust_limits(np.concatenate(ends), percent=0))
        show_beyond(axes, shown.epoch.astype(float), shown.minutes)
        axes.set(xlabel="Epoch", ylabel="O \N{MINUS SIGN} C (minutes)")
        axes.locator_params(axis="x", integer=True)
        legend_above(axes)
    return Path(path)


def _band(
    axes: Axes, x: np.ndarray, y: np.ndarray, error: np.ndarray, colour: str, label: str
) -> None:
    """Draw a line with one sigma about it."""
    axes.plot(x, y, color=colour, lw=1.2, label=label)
    if np.isfinite(error).all():
        axes.fill_between(x, y - error, y + error, color=colour, alpha=0.18, lw=0)


def save_folded(
    path: str | Path,
    nights: Sequence[Folded],
    models: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    title: str = "",
) -> Path:
    """Write all light curves about their mid-times, with means, models and residuals.

    models: by filter, hours from mid-transit and relative flux, (k,) float arrays.
    """
    colours = colours_of([night.filter for night in nights])
    reach = max(float(line[0].max()) for line in models.values())
    step = _step(nights, models)
    with styled_figure(path, (8.0, 3.6 + 0.9 * len(colours)), title=title) as figure:
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for k, (name, colour) in enumerate(colours.items()):
            those = [night for night in nights if night.filter == name]
            for axes, key, base in ((left, "flux", 0.0), (right, "residual", 100.0)):
                _draw_filter(axes, those, key, base - k * step, reach, colour)
            hours, flux = models[name]
            left.plot(hours, 100 * flux - k * step, color=INK, lw=1.0, zorder=4)
            right.axhline(100 - k * step, color=INK, lw=0.8, zorder=4)
        left.set_ylim(100 - len(colours) * step, 100 + step / 2)
        left.set(xlim=(-reach, reach), xlabel="Hours from mid-transit", ylabel="Flux (%)")
        right.set(xlabel="Hours from mid-transit", title="Residuals")
        legend_above(left)
    return Path(path)


def _step(nights: Sequence[Folded], models: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> float:
    """Per cent between filters: as deep as a transit, and room for how points scatter."""
    depth = max(float(np.ptp(flux)) for _, flux in models.values())
    return 100 * (1.2 * depth + max(2 * half_width(night.residual) for night in nights))


def _draw_filter(
    axes: Axes, nights: Sequence[Folded], key: str, base: float, reach: float, colour: str
) -> None:
    """Draw the points of one filter, and their means, in per cent above a base."""
    hours, values, error = (
        np.concatenate([getattr(night, name) for night in nights])
        for name in ("hours", key, "error")
    )
    near = np.abs(hours) <= reach
    x, y, error = hours[near], base + 100 * values[near], 100 * error[near]
    size = point_size(near.sum()) / 1.5
    axes.plot(x, y, "o", ms=size, mew=0, color=colour, alpha=0.3)
    axes.errorbar(
        *bin_points(x, y, 2 * reach / BINS, error), fmt="o", ms=3.5, color=colour, elinewidth=1,
        label=f"{nights[0].filter} ({len(nights)})",
    )  # fmt: skip
