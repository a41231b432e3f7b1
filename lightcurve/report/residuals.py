"""What is left after the fit: time-averaging, posterior corner, covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.covariates import covariate_named
from lightcurve.report.style import (
    FIELD,
    MODEL,
    TARGET,
    bin_points,
    plain_log_ticks,
    robust_limits,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_time_averaging(
    axes: Axes, minutes: np.ndarray, scatter: np.ndarray, white: np.ndarray
) -> dict:
    """Draw the scatter of averaged residuals against the length of the average.

    minutes: (k,) float array, length of the bins; scatter, white: (k,) float arrays, of the means
    in such bins, relative flux, and what white noise would give.
    ``measured`` and ``white`` (lines).
    """
    (measured,) = axes.plot(
        minutes, 100 * scatter, "o-", color=TARGET, label="residuals", lw=1.0, ms=3
    )
    (expected,) = axes.plot(minutes, 100 * white, color=MODEL, label="white noise")
    axes.set_ylabel("Scatter (%)")
    axes.set_xlabel("Bin size (minutes)")
    if (np.nan_to_num(scatter) > 0).any():
        axes.set(xscale="log", yscale="log")
        plain_log_ticks(axes.xaxis)
        plain_log_ticks(axes.yaxis)
    axes.legend(loc="lower left")
    return {"measured": measured, "white": expected}


def save_time_averaging(
    path: str | Path,
    minutes: np.ndarray,
    scatter: np.ndarray,
    white: np.ndarray,
    *,
    beta: float | None = None,
) -> Path:
    """Write the time-averaging figure.

    Parameters
    ----------
    minutes, scatter, white : (k,) float arrays
        As for `draw_time_averaging`.
    beta : float, optional
        Red-noise factor of these, written into the figure.
    """
    with styled_figure(path, (6.0, 4.0)) as figure:
        axes = figure.add_axes((0.12, 0.125, 0.85, 0.79))
        draw_time_averaging(axes, minutes, scatter, white)
        axes.set_title("Does averaging help as it should?")
        if beta is not None and np.isfinite(beta):
            text = f"red-noise factor \N{GREEK SMALL LETTER BETA} = {beta:.2f}"
            axes.text(0.98, 0.95, text, transform=axes.transAxes, ha="right", va="top", fontsize=9)
    return Path(path)


def draw_covariate(
    axes: Axes, values: np.ndarray, residual: np.ndarray, *, name: str, chosen: bool = False
) -> dict:
    """Draw what is left of the flux against something it may depend on, with means.

    values, residual: (n,) float arrays, the residual is in per cent; chosen: whether the fit
    detrends by it.
    ``points`` (line) and ``means`` (container).
    """
    (points,) = axes.plot(values, residual, "o", ms=2.4, mew=0, color=TARGET, alpha=0.7)
    span = np.ptp(values[np.isfinite(values)]) if np.isfinite(values).any() else 0.0
    x, y, error = bin_points(values, residual, float(span) / 7.999)
    means = axes.errorbar(
        x, y, np.nan_to_num(error), fmt="s", ms=4, color="#1a1a1a", mfc="white", elinewidth=1
    )
    axes.axhline(0, color=FIELD, lw=0.8)
    axes.set_ylim(*robust_limits(residual))
    axes.set_xlabel(covariate_named(name).label + (" (in the fit)" if chosen else ""))
    if chosen:
        axes.xaxis.label.set(color=MODEL, fontweight="bold")
    return {"points": points, "means": means}


def save_covariates(
    path: str | Path,
    covariates: Mapping[str, np.ndarray],
    residual: np.ndarray,
    *,
    chosen: Sequence[str] = (),
    title: str = "What is left of the flux against what it may depend on",
) -> Path:
    """Write the figure of covariates.

    Parameters
    ----------
    covariates : mapping of str to (n,) float array
        Constant or empty ones are left out.
    residual : (n,) float array
        Relative flux without the transit: ``flux / model`` shows what detrending has to remove, the
        fit's residuals what it left. Its median is taken away.
    chosen : sequence of str
        Names of those that the fit detrends by.
    """
    shown = {
        name: values
        for name, values in covariates.items()
        if np.isfinite(values).any() and np.ptp(values[np.isfinite(values)]) > 0
    }
    finite = residual[np.isfinite(residual)]
    percent = 100 * (residual - np.median(finite)) if finite.size else residual
    columns = 4
    rows = max(-(-len(shown) // columns), 1)
    height = 0.6 + 2.0 * rows
    with styled_figure(path, (9.0, height)) as figure:
        grid = figure.add_gridspec(
            rows,
            columns,
            left=0.07,
            right=0.99,
            top=1 - 0.38 / height,
            bottom=0.5 / height,
            wspace=0.12,
            hspace=0.42,
        )
        axes = None
        for k, (name, values) in enumerate(shown.items()):
            axes = figure.add_subplot(grid[k], sharey=axes)
            draw_covariate(axes, values, percent, name=name, chosen=name in chosen)
            axes.tick_params(labelleft=k % columns == 0)
            axes.locator_params(axis="x", nbins=4)
            if k % columns == 0:
                axes.set_ylabel("Flux (%)")
            if k == 0:
                axes.set_title(title)
    return Path(path)
