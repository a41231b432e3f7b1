"""The light curve: relative flux, comparison stars, check star; with the fit when there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import LightCurve, TransitFit
from lightcurve.core.flags import Flag
from lightcurve.report.style import (
    CHECK,
    COMPARISON,
    FIELD,
    FLAGGED,
    MODEL,
    TARGET,
    bin_points,
    robust_limits,
    show_beyond,
    stack_axes,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["save_light_curve"]

BIN_DAYS = 10 / 1440  # ten minutes


def draw_points(
    axes: Axes,
    time: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray | None,
    *,
    good: np.ndarray | None = None,
    colour: str = TARGET,
) -> dict:
    """Draw flux against time: good points full, flagged ones hollow, those beyond as triangles.

    time, flux: (n,) float arrays, days and relative flux; error: (n,) float array or None.
    good: (n,) bool array, by default all.
    Returns ``points`` (line), ``errors`` (container or None), ``flagged`` and ``beyond`` (lists).
    """
    good = np.ones(len(flux), dtype=bool) if good is None else good
    errors = None
    if error is not None:
        errors = axes.errorbar(
            time[good], flux[good], error[good], fmt="none", ecolor=colour, elinewidth=0.7,
            alpha=0.35, zorder=2,
        )  # fmt: skip
    (points,) = axes.plot(time[good], flux[good], "o", color=colour, ms=3.2, mew=0, zorder=3)
    bad = ~good & np.isfinite(flux)
    flagged = (
        axes.plot(
            time[bad], flux[bad], "o", ms=3.4, mfc="none", mec=FLAGGED, zorder=2, label="flagged"
        )
        if bad.any()
        else []
    )
    axes.set_ylim(*robust_limits(flux[good]))
    return {
        "points": points,
        "errors": errors,
        "flagged": flagged,
        "beyond": show_beyond(axes, time, flux),
    }


def draw_binned(axes: Axes, time: np.ndarray, flux: np.ndarray, width: float = BIN_DAYS) -> list:
    """Draw means in bins of time with their errors.

    time, flux: (n,) float arrays; width: days. Returns the error bar container, or nothing without
    points.
    """
    x, y, error = bin_points(time, flux, width)
    if not x.size:
        return []
    label = f"{width * 1440:.0f} min bins"
    return [
        axes.errorbar(
            x,
            y,
            np.nan_to_num(error),
            fmt="s",
            ms=4.2,
            color="#1a1a1a",
            mfc="white",
            mew=1.0,
            elinewidth=1.0,
            zorder=5,
            label=label,
        )
    ]


def draw_events(axes: Axes, events: dict[str, float], *, text: bool = True) -> list:
    """Mark predicted ingress, middle and egress; those outside the time axis are left out.

    events: name to time in the unit of the axis, whose limits are set.
    text: write the names along the lines.
    """
    drawn = []
    first, last = axes.get_xlim()
    for name, when in ((n, t) for n, t in events.items() if first <= t <= last):
        drawn.append(axes.axvline(when, color=FIELD, lw=0.9, ls=(0, (4, 3)), zorder=1))
        if text:
            axes.text(
                when,
                0.02,
                f" {name}",
                transform=axes.get_xaxis_transform(),
                fontsize=7,
                color="#555555",
                rotation=90,
                ha="right",
                va="bottom",
            )
    return drawn


def draw_comparison(axes: Axes, time: np.ndarray, flux: np.ndarray) -> list:
    """Draw the joint flux of the comparison stars over its median, those beyond as triangles.

    time, flux: (n,) float arrays. Returns the points, then the triangles.
    """
    relative = flux / np.nanmedian(flux)
    drawn = axes.plot(time, relative, "o", ms=2.6, mew=0, color=COMPARISON)
    axes.set_ylim(*robust_limits(relative))
    axes.set_ylabel("Comparison\nstars")
    return drawn + show_beyond(axes, time, relative)


def save_light_curve(
    path: str | Path,
    light_curve: LightCurve,
    *,
    title: str = "",
    fit: TransitFit | None = None,
    check: tuple[str, np.ndarray, np.ndarray] | None = None,
    predicted: dict[str, float] | None = None,
) -> Path:
    """Write the light curve figure.

    Parameters
    ----------
    fit : TransitFit, optional
        Adds the model, the detrended curve with binned points, and the residuals.
    check : tuple of str and two (n,) float arrays, optional
        Name of the check star, its relative flux as judged, and as measured.
    predicted : dict of str to float, optional
        Such as ``{"ingress": bjd, "egress": bjd}``.
    """
    bjd = light_curve.bjd_tdb
    scale, times = (
        ("BJD (TDB)", bjd) if np.isfinite(bjd).any() else ("JD (UTC)", light_curve.jd_utc)
    )
    day, time = time_axis(times)
    finite = np.isfinite(light_curve.flux) & np.isfinite(time)
    # A rough clock moves a point aside, which says nothing against its flux.
    clear = (light_curve.flags & ~np.uint16(Flag.TIME_UNCERTAIN)) == 0
    good = finite & (fit.used if fit is not None else clear)
    ensemble = bool(np.isfinite(light_curve.comparison_flux).any())
    heights = (3.0, *((3.0, 1.3) if fit is not None else ()), *((1.1,) * (ensemble + bool(check))))
    with styled_figure(path, (8.0, 0.9 + 1.05 * sum(heights))) as figure:
        panels = stack_axes(figure, heights, left=0.13)  # room for two lines beside long numbers
        events = {name: when - day for name, when in (predicted or {}).items()}
        rest = iter(panels)
        _panel_flux(next(rest), time, light_curve, good, fit)
        if fit is not None:
            _panel_detrended(next(rest), time, light_curve, good, fit)
            _panel_residuals(next(rest), time, good, fit)
        if ensemble:
            draw_comparison(next(rest), time, light_curve.comparison_flux)
        if check:
            _panel_check(next(rest), time, *check)
        panels[0].set_xlim(*robust_limits(time[np.isfinite(time)], margin=0.03, percent=0))
        for k, axes in enumerate(panels):
            draw_events(axes, events, text=k == 0)
        panels[0].set_title(title)
        panels[-1].set_xlabel(f"{scale} \N{MINUS SIGN} {day} (days)")
        figure.align_ylabels(panels)
    return Path(path)


def _panel_flux(
    axes: Axes, time: np.ndarray, curve: LightCurve, good: np.ndarray, fit: TransitFit | None
) -> None:
    draw_points(axes, time, curve.flux, curve.flux_err, good=good)
    if fit is not None:
        order = np.argsort(time)
        none = not fit.found
        both = (fit.trend if none else fit.model * fit.trend)[order]
        label = "trend" if none else "transit and trend"
        axes.plot(time[order], both, color=MODEL, zorder=4, label=label)
    else:
        draw_binned(axes, time[good], curve.flux[good])
    axes.set_ylabel("Relative flux")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")


def _panel_detrended(
    axes: Axes, time: np.ndarray, curve: LightCurve, good: np.ndarray, fit: TransitFit
) -> None:
    detrended = curve.flux / fit.trend
    draw_points(axes, time, detrended, curve.flux_err / fit.trend, good=good)
    draw_binned(axes, time[good], detrended[good])
    if fit.found:
        order = np.argsort(time)
        axes.plot(time[order], fit.model[order], color=MODEL, lw=1.8, zorder=4, label="transit")
    axes.set_ylabel("Detrended flux")
    axes.legend(loc="best", ncols=2)


def _panel_residuals(axes: Axes, time: np.ndarray, good: np.ndarray, fit: TransitFit) -> None:
    residuals = 100 * fit.residuals
    draw_points(axes, time, residuals, None, good=good)
    draw_binned(axes, time[good], residuals[good])
    axes.axhline(0, color=MODEL, lw=1.0)
    scatter = fit.statistics.get("residual_scatter_percent", float(np.nanstd(residuals[good])))
    axes.text(
        0.995, 0.95, f"scatter {scatter:.2f} %", transform=axes.transAxes, ha="right", va="top",
        fontsize=8,
    )  # fmt: skip
    axes.set_ylabel("Residual (%)")


def _panel_check(
    axes: Axes, time: np.ndarray, name: str, judged: np.ndarray, measured: np.ndarray
) -> None:
    if measured is not judged:
        axes.plot(time, measured, "o", color=FIELD, ms=2.0, mew=0)
        axes.text(
            0.995, 0.06, "grey: before what its places on the chip do was taken off",
            transform=axes.transAxes, ha="right", va="bottom", fontsize=7,
        )  # fmt: skip
    draw_points(axes, time, judged, None, colour=CHECK)
    axes.axhline(1, color=FIELD, lw=0.8)
    axes.set_ylabel(f"Check star\n{name}")
