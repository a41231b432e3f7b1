"""What is left after the fit: time-averaging, covariates, and the corner of the posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.covariates import covariate_named
from lightcurve.report.style import (
    FIELD,
    INK,
    MODEL,
    TARGET,
    bin_points,
    legend_above,
    page_width,
    plain_log_ticks,
    robust_limits,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import StepPatch

__all__ = ["save_corner", "save_covariates", "save_time_averaging"]

MAX_PARAMETERS = 8
LEAST_SIDE = 0.75  # inches, of a panel in which something can be read
LEAST_WIDTH = 1.6  # of one with a covariate's label
LABELS = {
    "mid_time_bjd_tdb": "mid-time\n(min)", "rp_over_rs": "Rp/R*", "a_over_rs": "a/R*",
    "impact_parameter": "impact\nparameter",
}  # fmt: skip


def draw_density(axes: Axes, x: np.ndarray, y: np.ndarray) -> AxesImage:
    """Draw how samples of two parameters are spread, with 39 and 86 % contours.

    x, y: (n,) float arrays.
    """
    ranges = [np.percentile(v, [0.2, 99.8]) for v in (x, y)]
    ranges = [(a, b) if b > a else (a - 0.5, a + 0.5) for a, b in ranges]
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=32, range=ranges)
    density = _smooth(counts)
    extent = (x_edges[0], x_edges[-1], y_edges[0], y_edges[-1])
    image = axes.imshow(density.T, extent=extent, aspect="auto", cmap="Blues")
    ordered = np.sort(density.ravel())[::-1]
    share = np.cumsum(ordered) / max(ordered.sum(), 1e-300)
    # 1 and 2 sigma of a two-dimensional Gaussian
    levels = [
        ordered[np.searchsorted(share, part).clip(max=share.size - 1)] for part in (0.865, 0.393)
    ]
    if 0 < levels[0] < levels[1]:
        centres = [(edges[1:] + edges[:-1]) / 2 for edges in (x_edges, y_edges)]
        axes.contour(*centres, density.T, levels=levels, colors=TARGET, linewidths=0.8)
    axes.grid(visible=False)
    return image


def _smooth(counts: np.ndarray) -> np.ndarray:
    """Blur a histogram by a 1-2-1 kernel in both directions, three times over."""
    for _ in range(3):
        for _ in (0, 1):
            wide = np.pad(counts.T, ((1, 1), (0, 0)))
            counts = wide[:-2] / 4 + wide[1:-1] / 2 + wide[2:] / 4
    return counts


def draw_marginal(axes: Axes, values: np.ndarray) -> StepPatch:
    """Draw the histogram of one parameter with its 16, 50 and 84 % points.

    values: (n,) float array.
    """
    low, high = np.percentile(values, [0.2, 99.8])
    span = (low, high) if high > low else (low - 0.5, low + 0.5)
    counts, edges = np.histogram(values, bins=32, range=span)
    patch = axes.stairs(counts, edges, fill=True, color=TARGET, alpha=0.7)
    for point, style in zip(np.percentile(values, [16, 50, 84]), (":", "-", ":"), strict=True):
        axes.axvline(point, color=MODEL, lw=1.0, ls=style)
    axes.set_xlim(*span)
    axes.set_yticks([])
    axes.grid(visible=False)
    return patch


def save_corner(
    path: str | Path,
    samples: np.ndarray,
    names: Sequence[str],
    *,
    title: str = "Posterior",
    facts: Sequence[str] = (),
) -> Path:
    """Write the corner figure of a posterior.

    Parameters
    ----------
    samples : (n_sample, n_parameter) float array
        Finite; the first eight parameters are shown, or as many as the width has room for.
    names : sequence of str
        Of the parameters; Julian dates are shown as minutes from their median.
    title, facts : str and sequence of str
        See `styled_figure`.
    """
    side = page_width(1.0 + 1.25 * min(len(names), MAX_PARAMETERS))
    names = list(names)[: min(MAX_PARAMETERS, max(int((side - 0.6) / LEAST_SIDE), 1))]
    columns = [_shown(samples[:, k], name) for k, name in enumerate(names)]
    n = len(names)
    with styled_figure(path, (side, side), title=title, facts=facts, aligned=True) as figure:
        grid = figure.add_gridspec(n, n)
        for row in range(n):
            for column in range(row + 1):
                axes = figure.add_subplot(grid[row, column])
                if row == column:
                    draw_marginal(axes, columns[row][1])
                else:
                    draw_density(axes, columns[column][1], columns[row][1])
                _label_corner(axes, row, column, n, [label for label, _ in columns])
    return Path(path)


def _shown(values: np.ndarray, name: str) -> tuple[str, np.ndarray]:
    """Label and values of a parameter as the corner shows it."""
    if np.abs(np.median(values)) > 1e5:
        return LABELS["mid_time_bjd_tdb"], (values - np.median(values)) * 1440
    return LABELS.get(name, name.replace("_", " ")), values


def _label_corner(axes: Axes, row: int, column: int, n: int, labels: list[str]) -> None:
    """Put numbers along the outer sides; ticks without any would take most of the figure's time."""
    axes.tick_params(labelsize="small")
    if row == n - 1:
        axes.locator_params(axis="x", nbins=3)
        axes.tick_params(axis="x", labelrotation=45)
        axes.set_xlabel(labels[column], fontsize="small")
    else:
        axes.set_xticks([])
    if row > column == 0:
        axes.locator_params(axis="y", nbins=3)
        axes.set_ylabel(labels[row], fontsize="small")
    else:
        axes.set_yticks([])


def draw_time_averaging(
    axes: Axes, minutes: np.ndarray, scatter: np.ndarray, white: np.ndarray
) -> dict:
    """Draw the scatter of averaged residuals against the length of the average.

    minutes: (k,) float array, length of the bins.
    scatter, white: (k,) float arrays, relative flux, of the means in such bins, and what white
    noise would give. Returns the lines ``measured`` and ``white``.
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
    legend_above(axes)
    return {"measured": measured, "white": expected}


def save_time_averaging(
    path: str | Path,
    minutes: np.ndarray,
    scatter: np.ndarray,
    white: np.ndarray,
    *,
    title: str = "Scatter of averaged residuals",
) -> Path:
    """Write the time-averaging figure.

    Parameters
    ----------
    minutes, scatter, white : (k,) float arrays
        As for `draw_time_averaging`.
    title : str
        What it shows.
    """
    with styled_figure(path, (6.0, 4.0), title=title) as figure:
        draw_time_averaging(figure.add_subplot(), minutes, scatter, white)
    return Path(path)


def draw_covariate(
    axes: Axes, values: np.ndarray, residual: np.ndarray, *, name: str, chosen: bool = False
) -> dict:
    """Draw what is left of the flux against something it may depend on, with means.

    values, residual: (n,) float arrays, the residual in per cent.
    chosen: whether the fit detrends by it. Returns ``points`` (line) and ``means`` (container).
    """
    (points,) = axes.plot(values, residual, "o", ms=2.4, mew=0, color=TARGET, alpha=0.7)
    span = np.ptp(values[np.isfinite(values)]) if np.isfinite(values).any() else 0.0
    x, y, error = bin_points(values, residual, float(span) / 7.999)
    means = axes.errorbar(
        x, y, np.nan_to_num(error), fmt="s", ms=4, color=INK, mfc=axes.get_facecolor(), elinewidth=1
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
    width = page_width(9.0)
    columns = int(np.clip(width / LEAST_WIDTH, 1, 4))
    rows = max(-(-len(shown) // columns), 1)
    with styled_figure(
        path, (width, 0.6 + 0.22 * width / 0.99 * 4 / columns * rows), title=title
    ) as figure:
        grid = figure.add_gridspec(rows, columns)
        axes = None
        for k, (name, values) in enumerate(shown.items()):
            axes = figure.add_subplot(grid[k], sharey=axes)
            draw_covariate(axes, values, percent, name=name, chosen=name in chosen)
            axes.tick_params(labelleft=k % columns == 0)
            axes.locator_params(axis="x", nbins=4)
            if k % columns == 0:
                axes.set_ylabel("Flux (%)")
    return Path(path)
