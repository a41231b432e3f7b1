"""Two light curves on one another, their difference, and its histogram."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.report.style import (
    COMPARISON,
    FIELD,
    TARGET,
    half_width,
    robust_limits,
    show_beyond,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = ((1e-3, 1e2, "%"), (1e-6, 1e6, "ppm"), (1e-9, 1e9, "ppb"))  # size from which it suits
ROUNDING = (1e15, "1e-15")
N_BINS = 30


def save_comparison(
    path: str | Path,
    time: np.ndarray,
    flux_a: np.ndarray,
    flux_b: np.ndarray,
    *,
    names: tuple[str, str],
    time_name: str = "BJD_TDB",
) -> Path:
    """Draw two light curves, A minus B against time, and the histogram of A minus B.

    time: (n,) float array, days; flux_a, flux_b: (n,) float arrays, relative fluxes of the same
    rows, each over its median; names: (str, str), of A and B; time_name: of the time's system.
    """
    day, rest = time_axis(time)
    difference = flux_a - flux_b
    with styled_figure(path, (8.6, 5.4)) as figure:
        grid = figure.add_gridspec(
            2, 2, width_ratios=(4.2, 1), height_ratios=(2, 1),
            left=0.1, right=0.985, top=0.93, bottom=0.1, hspace=0.08, wspace=0.08,
        )  # fmt: skip
        curves = figure.add_subplot(grid[0, 0])
        below = figure.add_subplot(grid[1, 0], sharex=curves)
        beside = figure.add_subplot(grid[1, 1], sharey=below)
        draw_two_curves(curves, rest, flux_a, flux_b, names)
        curves.tick_params(labelbottom=False)
        curves.set_title(f"{names[0]} and {names[1]}: {np.isfinite(difference).sum()} points")
        unit = draw_difference(below, rest, difference)
        draw_histogram(beside, difference * unit[0])
        below.set_ylabel(f"A - B ({unit[1]})")
        below.set_xlabel(f"{time_name} - {day}" if day else time_name)
    return Path(path)


def draw_two_curves(
    axes: Axes, time: np.ndarray, flux_a: np.ndarray, flux_b: np.ndarray, names: tuple[str, str]
) -> list:
    """Draw B as open circles and A as points on them.

    time, flux_a, flux_b: (n,) float arrays.
    """
    label = f"B: {names[1]}"
    drawn = axes.plot(time, flux_b, "o", label=label, mfc="none", mec=COMPARISON, ms=5.5, mew=0.9)
    drawn += axes.plot(time, flux_a, "o", color=TARGET, ms=2.6, mew=0, label=f"A: {names[0]}")
    axes.set_ylim(*robust_limits(np.concatenate([flux_a, flux_b])))
    axes.set_ylabel("flux / median")
    axes.legend(loc="best")
    return drawn


def draw_difference(axes: Axes, time: np.ndarray, difference: np.ndarray) -> tuple[float, str]:
    """Draw the difference in the unit that suits it.

    time, difference: (n,) float arrays.
    Returns factor: from the difference to the unit.
    """
    finite = np.abs(difference[np.isfinite(difference)])
    size = float(np.max(finite, initial=0.0))
    factor, unit = next(((f, u) for least, f, u in UNITS if size >= least), ROUNDING)
    values = difference * factor
    axes.axhline(0, color=FIELD, lw=0.9)
    axes.plot(time, values, "o", color=TARGET, ms=3, mew=0)
    if size > 0:
        axes.set_ylim(*robust_limits(values))
        show_beyond(axes, time, values)
    return factor, unit


def draw_histogram(axes: Axes, difference: np.ndarray) -> list:
    """Draw how often each difference occurs, lying on its side.

    axes: shares its vertical axis with the difference; difference: (n,) float array.
    """
    finite = difference[np.isfinite(difference)]
    axes.tick_params(labelleft=False)
    axes.set_xlabel("frames")
    if not finite.size:
        return []
    low, high = axes.get_ylim()
    shown = np.clip(finite, low, high)
    bins = np.linspace(low, high, N_BINS + 1).tolist()
    axes.hist(shown, bins=bins, orientation="horizontal", color=TARGET, alpha=0.7)
    axes.axhline(0, color=FIELD, lw=0.9)
    rms = np.sqrt(np.mean(finite**2))
    text = f"median {np.median(finite):.3g}\nrms {rms:.3g}\nhalf width {half_width(finite):.3g}"
    axes.set_title(text, fontsize=7.5, fontweight="normal", loc="left")
    return list(axes.patches)
