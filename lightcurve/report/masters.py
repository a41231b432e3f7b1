"""The master frames and how often each of their values occurs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.report.style import (
    FIELD,
    TARGET,
    half_width,
    plain_log_ticks,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import StepPatch
from lightcurve.report.field import sample, thin


def draw_master(axes: Axes, pixels: np.ndarray) -> AxesImage:
    """Draw a master frame between its 1 and 99 % points.

    pixels: (ny, nx) float array.
    """
    small, step = thin(pixels)
    ny, nx = small.shape
    values = sample(small)
    low, high = np.percentile(values, [1, 99]) if values.size else (0.0, 1.0)
    extent = (-0.5, nx * step - 0.5, -0.5, ny * step - 0.5)
    image = axes.imshow(small, vmin=low, vmax=high, cmap="gray", extent=extent)
    axes.grid(visible=False)
    return image


def draw_histogram(axes: Axes, pixels: np.ndarray, *, unit: str = "ADU") -> StepPatch:
    """Draw how often each value occurs, on a logarithmic scale."""
    finite = sample(pixels)
    low, high = np.percentile(finite, [0.05, 99.95]) if finite.size else (0.0, 1.0)
    pad = 0.3 * (high - low) or 0.5
    counts, edges = np.histogram(finite, bins=80, range=(low - pad, high + pad))
    share = counts / max(counts.sum(), 1)
    least = 0.5 / max(counts.sum(), 1)
    patch = axes.stairs(
        np.maximum(share, least), edges, fill=True, baseline=least, color=TARGET, alpha=0.75
    )
    axes.set_yscale("log")
    axes.set_ylim(least, None)
    plain_log_ticks(axes.yaxis, (1.0,))
    median = float(np.median(finite)) if finite.size else float("nan")
    axes.axvline(median, color=FIELD, lw=1)
    axes.set_xlabel(f"{unit}; median {median:.4g}, scatter {half_width(finite):.3g}")
    axes.set_ylabel("Share of pixels")
    return patch


def save_masters(path: str | Path, masters: Mapping[str, np.ndarray]) -> Path:
    """Write the master frames with their histograms.

    Parameters
    ----------
    masters : mapping of str to (ny, nx) float array
        Such as ``{"bias": ..., "dark": ..., "flat": ...}``; the flat's unit is relative response.
    """
    n = len(masters)
    ny, nx = next(iter(masters.values())).shape
    width = max(3.0 * n, 4.0)
    picture = (width - 0.9) / (1.28 * n) * min(ny / nx, 1.5)
    height = picture + 2.35
    with styled_figure(path, (width, height)) as figure:
        grid = figure.add_gridspec(
            2,
            n,
            height_ratios=(picture, 1.1),
            left=0.8 / width,
            right=1 - 0.2 / width,
            top=1 - 0.42 / height,
            bottom=0.5 / height,
            hspace=0.33 / (picture + 1.1) * 2,
            wspace=0.28,
        )
        for k, (name, pixels) in enumerate(masters.items()):
            upper, lower = figure.add_subplot(grid[0, k]), figure.add_subplot(grid[1, k])
            draw_master(upper, pixels)
            upper.set_title(f"Master {name}")
            draw_histogram(lower, pixels, unit="response" if name == "flat" else "ADU")
            if k:
                lower.set_ylabel("")
    return Path(path)
