"""A stack, how long each of its pixels was exposed, and what was left out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.report.field import draw_image, thin
from lightcurve.report.style import styled_figure

__all__ = ["save_stack"]


def save_stack(
    path: str | Path, light: np.ndarray, exposure: np.ndarray, rejected: np.ndarray, facts: str
) -> Path:
    """Write a stack, its exposure map, and how many frames were left out of each pixel.

    Parameters
    ----------
    light, exposure : (ny, nx) float arrays
        ADU and seconds; NaN where there is nothing.
    rejected : (ny, nx) int array

    Raises
    ------
    InputError
        When the figure cannot be written.
    """
    ny, nx = light.shape
    height = float(np.clip(6.4 * ny / nx + 1.0, 3.4, 9.0))
    with styled_figure(path, (11.0, height)) as figure:
        grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 1))
        axes = figure.add_subplot(grid[:, :2])
        small, step = thin(light)
        draw_image(axes, small, step)
        axes.set_title(f"Stack: {facts}")
        maps = ((exposure, "Exposure (s)"), (rejected, "Values left out"))
        for k, (image, title) in enumerate(maps):
            beside = figure.add_subplot(grid[k, 2])
            part, step = thin(np.asarray(image, float))
            extent = (-0.5, part.shape[1] * step - 0.5, -0.5, part.shape[0] * step - 0.5)
            high = max(float(np.nanpercentile(part, 99.9)), 1.0)
            drawn = beside.imshow(part, origin="lower", extent=extent, vmin=0, vmax=high)
            figure.colorbar(drawn, ax=beside, shrink=0.8)
            beside.grid(visible=False)
            beside.set_title(title)
    return Path(path)
