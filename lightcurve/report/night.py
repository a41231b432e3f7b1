"""The night at a glance: drift, rotation, sky, seeing and airmass, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.data import Measurements
from lightcurve.report.style import (
    CHECK,
    COMPARISON,
    FIELD,
    MODEL,
    TARGET,
    robust_limits,
    stack_axes,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_series(
    axes: Axes, time: np.ndarray, values: np.ndarray, *, label: str, colour: str = TARGET
) -> list:
    """Draw one quantity along the night.

    time, values: (n,) float arrays; label: of the vertical axis.
    """
    drawn = axes.plot(time, values, "o", ms=2.6, mew=0, color=colour)
    axes.set_ylim(*robust_limits(values, percent=0))
    axes.set_ylabel(label)
    return drawn


def save_night(
    path: str | Path,
    measurements: Measurements,
    *,
    title: str = "The night",
    more: Sequence[tuple[str, np.ndarray]] = (),
) -> Path:
    """Write the figure of drift, rotation, sky, FWHM and airmass.

    Parameters
    ----------
    more : sequence of (str, (n,) float array)
        Further panels: label and values.
    """
    m = measurements
    times, scale = (
        (m.bjd_tdb, "BJD (TDB)") if np.isfinite(m.bjd_tdb).any() else (m.jd_utc, "JD (UTC)")
    )
    day, time = time_axis(times)
    rows = [
        ("Shift (px)", m.shift_x, TARGET),
        ("Rotation (deg)", m.rotation_deg, FIELD),
        ("Sky (ADU)", m.sky, CHECK),
        ("FWHM (px)", m.fwhm_px, COMPARISON),
        *((label, values, TARGET) for label, values in more),
        ("Airmass", m.airmass, FIELD),
    ]
    rows = [row for row in rows if np.isfinite(row[1]).any()]
    with styled_figure(path, (8.0, 0.9 + 1.15 * len(rows))) as figure:
        panels = stack_axes(figure, (1.0,) * len(rows))
        for axes, (label, values, colour) in zip(panels, rows, strict=True):
            draw_series(axes, time, values, label=label, colour=colour)
        first = panels[0]
        first.lines[0].set_label("x")
        first.plot(time, m.shift_y, "o", ms=2.6, mew=0, color=MODEL, label="y")
        first.set_ylim(*robust_limits(np.concatenate([m.shift_x, m.shift_y]), percent=0))
        first.legend(loc="best", ncols=2)
        first.set_title(title)
        if rows[-1][0] == "Airmass":
            panels[-1].invert_yaxis()  # high in the sky is up
        panels[-1].set_xlabel(f"{scale} \N{MINUS SIGN} {day} (days)")
        figure.align_ylabels(panels)
    return Path(path)
