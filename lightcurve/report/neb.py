"""The nearby-eclipsing-binary check: scatter of each neighbour against how much fainter it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.curve.neb import BAND_MARGIN_MAG, CLEARED, LIKELY, Disposition, Neighbour
from lightcurve.report.style import CHECK, COMPARISON, FIELD, MODEL, plain_log_ticks, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUPS = {
    "cleared": ({Disposition.CLEARED, Disposition.TOO_FAINT}, COMPARISON),
    "likely cleared": ({Disposition.LIKELY}, CHECK),
    "not cleared": ({Disposition.NOT_CLEARED, Disposition.LOW_FLUX}, MODEL),
}


def draw_neighbours(axes: Axes, neighbours: Sequence[Neighbour], *, depth_ppt: float) -> dict:
    """Draw the scatter of neighbours against their magnitude, with the bounds of clearance.

    depth_ppt: of the target's transit.
    ``points``: label to line; ``bounds``: list of lines.
    """
    shown = [n for n in neighbours if np.isfinite(n.delta_mag) and n.rms_ppt > 0]
    magnitudes = [n.delta_mag for n in shown] or [0.0]
    grid = np.linspace(min(magnitudes) - 0.5, max(magnitudes) + 0.5, 100)
    needed = depth_ppt * 10 ** (0.4 * (grid - BAND_MARGIN_MAG))
    bounds = []
    for ratio, style, word in ((CLEARED, "-", "cleared"), (LIKELY, "--", "likely cleared")):
        label = f"{word} below: eclipse {ratio:g} times the scatter"
        bounds += axes.plot(grid, needed / ratio, color=FIELD, ls=style, label=label)
    points = {}
    for label, (dispositions, colour) in GROUPS.items():
        group = [n for n in shown if n.disposition in dispositions]
        if group:
            x, y = [n.delta_mag for n in group], [n.rms_ppt for n in group]
            (points[label],) = axes.plot(x, y, "o", color=colour, label=label, ms=5, mew=0)
    for n in (n for n in shown if not n.disposition.cleared):
        axes.annotate(
            n.star_id, (n.delta_mag, n.rms_ppt), (3, 3), textcoords="offset points", fontsize=7
        )
    axes.set_yscale("log")
    plain_log_ticks(axes.yaxis)
    axes.set_xlabel("Fainter than the target by (mag)")
    axes.set_ylabel("Scatter (parts per thousand)")
    axes.legend(loc="best")
    return {"points": points, "bounds": bounds}


def save_neighbours(
    path: str | Path, neighbours: Sequence[Neighbour], *, depth_ppt: float, radius_arcmin: float
) -> Path:
    """Write the figure of the nearby-eclipsing-binary check.

    Parameters
    ----------
    depth_ppt : float
        Of the target's transit.
    radius_arcmin : float
        Within which they were looked for.
    """
    with styled_figure(path, (7.0, 4.6)) as figure:
        axes = figure.add_axes((0.1, 0.115, 0.87, 0.81))
        draw_neighbours(axes, neighbours, depth_ppt=depth_ppt)
        axes.set_title(
            f"Could a neighbour feign a transit of {depth_ppt:.1f} ppt? "
            f"{len(neighbours)} stars within {radius_arcmin:g}'"
        )
    return Path(path)
