"""A frame, its template, and the difference, with what has changed; and close pictures of that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lightcurve.report.field import draw_image, stretch, thin
from lightcurve.report.style import ACCENT, styled_figure

__all__ = ["save_difference"]

CLOSE = 5
HALF_PX = 15


def save_difference(
    path: str | Path,
    image: np.ndarray,
    template: np.ndarray,
    light: np.ndarray,
    changes: Sequence[tuple[float, float, str]],
) -> Path:
    """Write the three images with the changes marked, and the surest of these close by.

    Parameters
    ----------
    image, template, light : (ny, nx) float arrays
        The frame, the template on its pixels, and the difference; NaN where there is no value.
    changes : sequence of (float, float, str)
        Places, pixels, and what each is; the surest first.

    Raises
    ------
    InputError
        When the figure cannot be written.
    """
    ny, nx = image.shape
    rows = min(len(changes), CLOSE)
    height = float(np.clip(3.6 * ny / nx, 2.0, 7.0))
    with styled_figure(path, (11.0, height + 0.6 + (1.6 if rows else 0.0))) as figure:
        grid = figure.add_gridspec(
            2 if rows else 1, 1, height_ratios=[height, 1.6][: 1 + bool(rows)]
        )
        above = grid[0].subgridspec(1, 3)
        for k, (pixels, title) in enumerate(
            ((image, "Frame"), (template, "Template"), (light, "Difference"))
        ):
            axes = figure.add_subplot(above[k])
            small, step = thin(np.asarray(pixels, float))
            draw_image(axes, small, step)
            axes.set_title(title)
            if k != 1 and changes:
                places = np.array([change[:2] for change in changes])
                axes.plot(*places.T, "o", ms=9, mfc="none", mec=ACCENT, mew=0.9)
        if rows:
            below = grid[1].subgridspec(1, CLOSE)
            for k, (x, y, name) in enumerate(changes[:CLOSE]):
                parts = [stretch(_around(one, x, y)) for one in (image, template, light)]
                gap = np.ones((2 * HALF_PX + 1, 1))
                axes = figure.add_subplot(below[k])
                axes.imshow(np.hstack([parts[0], gap, parts[1], gap, parts[2]]), vmin=0, vmax=1)
                axes.grid(visible=False)
                axes.set(xticks=[], yticks=[])
                axes.set_title(f"{name} at {x:.0f}, {y:.0f}", fontsize="small")
    return Path(path)


def _around(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """Cut a square out; NaN beyond the image."""
    padded = np.pad(np.asarray(image, float), HALF_PX, constant_values=np.nan)
    i, j = round(x), round(y)
    return padded[j : j + 2 * HALF_PX + 1, i : i + 2 * HALF_PX + 1]
