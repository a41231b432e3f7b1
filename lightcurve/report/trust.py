"""The figure of transits put into a night: how deep, what was found, how right its errors are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.report.style import (
    CHECK,
    FLAGGED,
    INK,
    MODEL,
    TARGET,
    legend_above,
    plain_log_ticks,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Injected", "save_trust"]

MOST_PULL = 4.0
BINS = np.arange(-MOST_PULL, MOST_PULL + 0.25, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Injected:
    """What the figure shows; depths are per cent.

    Attributes
    ----------
    grid, rate, rate_err : (k,) float arrays
        Depths, and the rate of detection there with its error.
    tried, share, low, high : (m,) float arrays
        Depths that were tried, the share found, and its limits.
    limit, observed : float
        The depth that is found in 95 of 100, and the night's own; NaN where there is none.
    true, found, error : (n,) float arrays
        Depths put in, and found with their errors.
    of_pixels : (p, 3) float array
        The same of transits that were put into the frames.
    pulls : mapping of str to (i,) float array
        By what they are of.
    hours, depth : (j,) float arrays
        Where transits were put into the night, hours from its own, and how deep they were.
    seen : (j,) bool array
        Which were found.
    """

    grid: np.ndarray
    rate: np.ndarray
    rate_err: np.ndarray
    tried: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    limit: float
    observed: float
    true: np.ndarray
    found: np.ndarray
    error: np.ndarray
    of_pixels: np.ndarray
    pulls: Mapping[str, np.ndarray]
    hours: np.ndarray
    depth: np.ndarray
    seen: np.ndarray


def save_trust(
    path: str | Path, shown: Injected, *, title: str = "", facts: Sequence[str] = ()
) -> Path:
    """Write the figure: rates by depth, depths found, pulls, and where in the night.

    title, facts: see `styled_figure`.
    """
    with styled_figure(path, (8.0, 7.0), title=title, facts=facts) as figure:
        ((rates, depths), (pulls, places)) = figure.subplots(2, 2)
        _draw_rates(rates, shown)
        _draw_depths(depths, shown)
        _draw_pulls(pulls, shown.pulls)
        _draw_places(places, shown)
    return Path(path)


def _draw_rates(axes: Axes, shown: Injected) -> None:
    axes.plot(shown.grid, 100 * shown.rate, color=MODEL)
    low, high = (100 * np.clip(shown.rate + sign * shown.rate_err, 0, 1) for sign in (-1, 1))
    axes.fill_between(shown.grid, low, high, color=MODEL, alpha=0.18, lw=0)
    bars = 100 * np.abs(np.stack([shown.share - shown.low, shown.high - shown.share]))
    axes.errorbar(shown.tried, 100 * shown.share, bars, fmt="o", ms=3.5, color=TARGET)
    for depth, colour, style, label in (
        (shown.limit, INK, "--", "95 of 100 found"), (shown.observed, CHECK, "-", "this night's"),
    ):  # fmt: skip
        if np.isfinite(depth):
            axes.axvline(depth, color=colour, ls=style, lw=1.0, label=label)
    axes.set_xscale("log")
    axes.set(xlim=(shown.grid[0], shown.grid[-1]), ylim=(-4, 104))
    plain_log_ticks(axes.xaxis)
    axes.set(xlabel="Depth (%)", ylabel="Found (%)")
    legend_above(axes)


def _draw_depths(axes: Axes, shown: Injected) -> None:
    axes.errorbar(
        shown.true, shown.found, shown.error, fmt="o", ms=3, color=TARGET, elinewidth=0.7, alpha=0.6
    )
    if len(shown.of_pixels):
        true, found, error = shown.of_pixels.T
        label = "put into the frames"
        axes.errorbar(true, found, error, fmt="s", ms=4.5, color=MODEL, label=label, zorder=4)
        legend_above(axes)
    if len(shown.true):
        ends = [0.0, 1.1 * float(max(shown.true.max(), shown.found.max()))]
        axes.plot(ends, ends, color=INK, lw=1.0)
        axes.set(xlim=ends, ylim=ends)
    axes.set(xlabel="Depth put in (%)", ylabel="Depth found (%)")


def _draw_pulls(axes: Axes, pulls: Mapping[str, np.ndarray]) -> None:
    for (name, values), colour in zip(pulls.items(), (TARGET, MODEL, CHECK), strict=False):
        clipped = np.clip(values, -MOST_PULL, MOST_PULL)
        axes.hist(clipped, BINS.tolist(), density=True, histtype="step", color=colour, label=name)
    x = np.linspace(-MOST_PULL, MOST_PULL, 201)
    axes.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=INK, lw=1.0, label="as they tell")
    axes.set(xlim=(-MOST_PULL, MOST_PULL), xlabel="Found less put in (errors)", ylabel="Share")
    legend_above(axes)


def _draw_places(axes: Axes, shown: Injected) -> None:
    for rows, face, label in ((shown.seen, TARGET, "found"), (~shown.seen, "none", "missed")):
        axes.plot(
            shown.hours[rows], shown.depth[rows], "o", ms=4, color=TARGET, mfc=face, label=label
        )
    if np.isfinite(shown.limit):
        axes.axhline(shown.limit, color=INK, ls="--", lw=1.0)
    axes.axvline(0.0, color=FLAGGED, lw=1.0)
    axes.set_ylim(bottom=0)
    axes.set(xlabel="Middle of the transit (hours from this night's)", ylabel="Depth put in (%)")
    legend_above(axes)
