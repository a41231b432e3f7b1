"""The figure of a night to come: how high its transits are, and when each can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.report.style import FLAGGED, INK, legend_above, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "NightShown", "save_night"]

COLOURS = ("C0", "C1", "C2", "C4", "C5", "C3")
SHADES = ((0.0, 0.10), (-6.0, 0.20), (-12.0, 0.30), (-18.0, 0.40))  # Sun below, opacity
HOURS = 24.0
ROW = 0.26  # inches, of a transit
MARGIN_DAYS = 1 / 24  # before sunset and after sunrise


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A transit: moments are JD UTC.

    Attributes
    ----------
    altitude : (n,) float array
        Degrees, at the times of the night.
    window : (float, float)
        From when to when it can be observed.
    contacts : (float, float, float)
        Ingress, middle and egress.
    mid_err, flip : float
        Days, and when the star crosses the meridian; NaN for none.
    """

    name: str
    altitude: np.ndarray
    window: tuple[float, float]
    contacts: tuple[float, float, float]
    mid_err: float
    flip: float


@dataclass(frozen=True, slots=True, eq=False)
class NightShown:
    """A night: (n,) float arrays of JD UTC and the altitudes of Sun and Moon, degrees.

    Attributes
    ----------
    lowest_deg : float
        Altitude at which stars are observed, at least.
    """

    jd: np.ndarray
    sun: np.ndarray
    moon: np.ndarray
    curves: tuple[Curve, ...]
    lowest_deg: float


def save_night(
    path: str | Path, night: NightShown, *, title: str = "", facts: Sequence[str] = ()
) -> Path:
    """Write the figure of a night: altitudes above, and below when each transit can be seen.

    title, facts: see `styled_figure`.
    """
    rows = max(len(night.curves), 1)
    with styled_figure(path, (8.0, 4.6 + ROW * rows), title=title, facts=facts) as figure:
        grid = figure.add_gridspec(2, 1, height_ratios=(3.2, ROW * rows + 0.3))
        high = figure.add_subplot(grid[0])
        low = figure.add_subplot(grid[1], sharex=high)
        day = np.floor(night.jd[0] - 0.5) + 0.5  # 0 h UTC
        for axes in (high, low):
            _shade(axes, night, day)
        _draw_altitudes(high, night, day)
        _draw_windows(low, night, day)
        _limit(high, night, day)
        low.set_xlabel("Hours UTC")
        low.xaxis.set_major_formatter(lambda hours, _: f"{hours % HOURS:g}")
        legend_above(high)
    return Path(path)


def _hours(jd: np.ndarray | float, day: float) -> np.ndarray:
    return HOURS * (np.asarray(jd) - day)


def _shade(axes: Axes, night: NightShown, day: float) -> None:
    """Darken the ground as the Sun goes down."""
    for sun, opacity in SHADES:
        axes.fill_between(
            _hours(night.jd, day), 0, 1, where=night.sun < sun, color=FLAGGED, alpha=opacity,
            lw=0, transform=axes.get_xaxis_transform(), zorder=0,
        )  # fmt: skip


def _draw_altitudes(axes: Axes, night: NightShown, day: float) -> None:
    """Draw each star, thick in its transit, and the Moon."""
    hours = _hours(night.jd, day)
    for k, curve in enumerate(night.curves):
        colour = COLOURS[k % len(COLOURS)]
        axes.plot(hours, curve.altitude, color=colour, lw=0.7)
        grid = np.linspace(curve.contacts[0], curve.contacts[2], 50)
        axes.plot(
            _hours(grid, day), np.interp(grid, night.jd, curve.altitude), color=colour, lw=3.5,
            solid_capstyle="butt",
        )  # fmt: skip
    axes.plot(hours, night.moon, color=INK, lw=1.2, ls="--", label="Moon")
    axes.axhline(night.lowest_deg, color=INK, lw=0.8, ls=":", label="lowest altitude")
    axes.set(ylim=(0, 90), ylabel="Altitude (degrees)")
    axes.tick_params(labelbottom=False)


def _draw_windows(axes: Axes, night: NightShown, day: float) -> None:
    """Draw when each transit can be seen, itself, its middle with one sigma, and the meridian."""
    labels = {"window": "can be observed", "flip": "meridian"}
    for k, curve in enumerate(night.curves):
        colour = COLOURS[k % len(COLOURS)]
        ends = _hours(np.array(curve.window), day)
        axes.plot(ends, [k, k], color=colour, lw=2.0, alpha=0.5, label=labels.pop("window", ""))
        first, mid, last = _hours(np.array(curve.contacts), day)
        axes.plot([first, last], [k, k], color=colour, lw=7.0, solid_capstyle="butt")
        error = HOURS * np.nan_to_num(curve.mid_err)
        axes.errorbar(mid, k, xerr=error, fmt="|", color=INK, ms=8, elinewidth=0.8)
        if np.isfinite(curve.flip):
            flip = _hours(curve.flip, day)
            axes.plot(flip, k, "v", color=INK, mfc="none", ms=5, label=labels.pop("flip", ""))
    axes.set(ylim=(max(len(night.curves), 1) - 0.4, -0.6))
    axes.set_yticks(range(len(night.curves)), [curve.name for curve in night.curves])
    legend_above(axes)


def _limit(axes: Axes, night: NightShown, day: float) -> None:
    """Show the night from before sunset, and all windows; a day where the Sun does not set."""
    down = night.jd[night.sun < 0]
    ends = [end for curve in night.curves for end in (*curve.window, *curve.contacts)]
    first = min([*down[:1], *ends, night.jd[-1]]) - MARGIN_DAYS
    last = max([*down[-1:], *ends, night.jd[0]]) + MARGIN_DAYS
    axes.set_xlim(*(float(_hours(jd, day)) for jd in (first, last)))
