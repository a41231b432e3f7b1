"""Figures of the quality of a folder's frames: along the night, and over the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.phot.shapes import REGIONS, Shapes, region_of
from lightcurve.report.style import (
    COMPARISON,
    FLAGGED,
    MODEL,
    TARGET,
    robust_limits,
    show_beyond,
    stack_axes,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["save_field_map", "save_quality"]

PANELS = (
    ("fwhm_px", "FWHM (px)", COMPARISON),
    ("ellipticity", "ellipticity", COMPARISON),
    ("sky_adu", "sky (ADU)", MODEL),
    ("sky_gradient_adu", "gradient (ADU)", MODEL),
    ("stars", "stars", TARGET),
    ("transparency", "transparency", TARGET),
    ("step_px", "step (px)", TARGET),
)
CELLS = 6  # along the shorter side
FEWEST = 3  # stars of a cell that is shown


def save_quality(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write panels frame by frame; frames that are not used are grey crosses.

    Parameters
    ----------
    rows : sequence of mappings
        With ``use`` and the names of `PANELS`; None is left out.
    """
    number = 1 + np.arange(len(rows))
    used = np.array([row["use"] == "yes" for row in rows])
    title = f"{len(rows)} frames, {int(used.sum())} of them used"
    with styled_figure(path, (8.0, 0.9 + 1.2 * len(PANELS)), title=title, aligned=True) as figure:
        stack = stack_axes(figure, (1.0,) * len(PANELS))
        for axes, (name, label, colour) in zip(stack, PANELS, strict=True):
            y = np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=float)
            axes.plot(number[used], y[used], "o", ms=3, color=colour)
            axes.plot(number[~used], y[~used], "x", ms=4, color=FLAGGED)
            axes.set_ylabel(label)
            if np.isfinite(y).any():
                axes.set_ylim(*robust_limits(y, percent=1))
                show_beyond(axes, number.astype(float), y)
        stack[-1].set_xlabel("number of the frame")
    return Path(path)


def save_field_map(path: str | Path, shapes: Shapes, shape: tuple[int, int]) -> Path:
    """Write how wide stars are over the field, and how long and in what direction.

    Parameters
    ----------
    shapes : Shapes
        Of all frames together.
    shape : tuple of int
        (ny, nx) of the frames.
    """
    cell = min(shape) / CELLS
    size = [max(round(length / cell), 1) for length in shape]
    row, column = (
        np.clip((at / length * n).astype(int), 0, n - 1)
        for at, length, n in zip((shapes.y, shapes.x), shape, size, strict=True)
    )
    with styled_figure(path, (11.0, 1.2 + 4.2 * shape[0] / shape[1])) as figure:
        left, right = figure.subplots(1, 2)
        widths = np.full(size, np.nan)
        for j, i in np.ndindex(*size):
            there = shapes.only((row == j) & (column == i))
            if there.x.size < FEWEST:
                continue
            widths[j, i] = there.width
            _whisker(right, ((i + 0.5) * shape[1] / size[1], (j + 0.5) * shape[0] / size[0]), there,
                     5 * cell)  # fmt: skip
        image = left.imshow(
            widths, origin="lower", extent=(0, shape[1], 0, shape[0]), cmap="viridis"
        )
        figure.colorbar(image, ax=left, label="FWHM (px)", fraction=0.046)
        _regions(left, shapes, shape)
        left.set(title="width", xlabel="x (px)", ylabel="y (px)")
        right.set(
            title=f"ellipticity (a whisker of {0.1 * 5 * cell:.0f} px is 0.1)", xlabel="x (px)",
            xlim=(0, shape[1]), ylim=(0, shape[0]), aspect="equal",
        )  # fmt: skip
    return Path(path)


def _whisker(axes: Axes, at: tuple[float, float], stars: Shapes, length: float) -> None:
    """Draw a line along the long axis, as long as the ellipticity."""
    angle = np.radians(stars.angle_deg)
    half = stars.ellipticity * length / 2 * np.array([np.cos(angle), np.sin(angle)])
    axes.plot([at[0] - half[0], at[0] + half[0]], [at[1] - half[1], at[1] + half[1]], color=TARGET)


def _regions(axes: Axes, shapes: Shapes, shape: tuple[int, int]) -> None:
    """Write the width and the ellipticity of each of the five regions where it lies."""
    ny, nx = shape
    region = region_of(shapes.x, shapes.y, shape)
    places = ((0.5, 0.5), (0.17, 0.12), (0.83, 0.12), (0.17, 0.88), (0.83, 0.88))
    for k, (name, (x, y)) in enumerate(zip(REGIONS, places, strict=True)):
        there = shapes.only(region == k)
        if there.x.size:
            text = f"{name.replace('_', ' ')}\n{there.width:.2f} px, {there.ellipticity:.2f}"
            axes.text(
                x * nx, y * ny, text, ha="center", va="center", fontsize="small",
                bbox={"facecolor": "white", "alpha": 0.75, "lw": 0},
            )  # fmt: skip
