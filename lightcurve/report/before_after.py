"""A frame before and after calibration, side by side at one stretch, with their histograms."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import Result
from lightcurve.core.robust import robust_scatter
from lightcurve.report.field import sample, thin
from lightcurve.report.style import MODEL, TARGET, plain_log_ticks, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["save_before_after"]

DARK, LIGHT = 3.0, 8.0  # sigma of the calibrated sky shown below and above the level of each
BINS = 200
TILES = 8  # along each side: whose levels tell how even the sky is


def save_before_after(
    path: str | Path, before: np.ndarray, after: np.ndarray, names: tuple[str, str]
) -> dict[str, Result]:
    """Write a picture of both, each about its own level, and their histograms.

    Parameters
    ----------
    before, after : (ny, nx) float arrays
        ADU; one size is not needed. NaN is left out.
    names : tuple of str
        What they are called.

    Returns
    -------
    dict of str to Result
        Level, scatter and unevenness of the sky of each.

    Raises
    ------
    InputError
        When the figure cannot be written.
    """
    images = (before, after)
    found: dict[str, Result] = {}
    values = [sample(image) for image in images]
    levels = [float(np.median(some)) for some in values]
    sigma = max(robust_scatter(values[1]), 1e-6)
    # What is uneven must fit too, and look as uneven as it is.
    reach = max(robust_scatter(some) for some in values) / sigma
    limits = -DARK * max(reach, 1) * sigma, LIGHT * max(reach, 1) * sigma
    with styled_figure(path, (10.0, 7.6)) as figure:
        grid = figure.add_gridspec(2, 2, height_ratios=(2.2, 1))
        for k, (image, level) in enumerate(zip(images, levels, strict=True)):
            axes = figure.add_subplot(grid[0, k])
            small, step = thin(image)
            extent = (-0.5, small.shape[1] * step - 0.5, -0.5, small.shape[0] * step - 0.5)
            axes.imshow(
                small - level, origin="lower", extent=extent, vmin=limits[0], vmax=limits[1],
                cmap="gray",
            )  # fmt: skip
            axes.grid(visible=False)
            axes.set_title(f"{names[k]}: {level:.5g} ADU")
        _histogram(figure.add_subplot(grid[1, :]), values, levels, limits, names)
    for word, image, level, some in zip(("before", "after"), images, levels, values, strict=True):
        uneven = _unevenness(image)
        found |= {
            f"{word}_level": Result(level, "ADU", f"level {word}"),
            f"{word}_scatter": Result(robust_scatter(some), "ADU", f"scatter {word}"),
            f"{word}_uneven": Result(uneven, "ADU", f"unevenness {word}"),
        }
    return found


def _histogram(
    axes: Axes,
    values: list[np.ndarray],
    levels: list[float],
    limits: tuple[float, float],
    names: tuple[str, str],
) -> None:
    """Draw how many pixels have each height above the level, in both."""
    edges = np.linspace(2 * limits[0], 2 * limits[1], BINS)
    for some, level, name, colour in zip(values, levels, names, (MODEL, TARGET), strict=True):
        axes.hist(some - level, bins=edges.tolist(), histtype="step", color=colour, label=name)
    axes.set(yscale="log", xlabel="above the level (ADU)", ylabel="pixels looked at")
    plain_log_ticks(axes.yaxis, (1.0,))
    axes.legend()


def _unevenness(image: np.ndarray) -> float:
    """Scatter of the sky's levels from tile to tile, ADU."""
    rows, columns = (np.linspace(0, size, TILES + 1).astype(int) for size in image.shape)
    levels = [
        np.nanmedian(image[top:bottom, left:right])
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
        if np.isfinite(image[top:bottom, left:right]).any()
    ]
    return float(np.std(levels)) if levels else float("nan")
