"""The light curve: relative flux, comparison stars, check star; with the fit when there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    INK,
    MODEL,
    RAW,
    TARGET,
    bin_points,
    is_low,
    legend_above,
    point_size,
    robust_limits,
    show_beyond,
    stack_axes,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["save_light_curve"]

BIN_DAYS = 10 / 1440
FEWEST = 2.0  # points a bin, below which bins show nothing new
HEAD = 1.3  # inches, of title, facts and legend
LEAST_PANEL = 0.42  # inches, of a panel as high as the unit of `heights`
GAP = 0.25  # between raw and detrended flux, of what the latter spans


def draw_points(
    axes: Axes,
    time: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray | None,
    *,
    good: np.ndarray | None = None,
    colour: str = TARGET,
    marker: str = "o",
    label: str = "",
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
    size = point_size(len(flux))
    (points,) = axes.plot(
        time[good], flux[good], marker, color=colour, ms=size, mew=0, zorder=3, label=label or None
    )
    bad = ~good & np.isfinite(flux)
    flagged = (
        axes.plot(
            time[bad],
            flux[bad],
            "o",
            ms=size,
            mfc="none",
            mec=FLAGGED,
            mew=0.6,
            zorder=2,
            label="flagged",
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


def draw_binned(
    axes: Axes,
    time: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray | None = None,
    width: float = BIN_DAYS,
) -> list:
    """Draw means in bins of time with their errors, those of the points where they are known.

    time, flux, error: (n,) float arrays; width: days. Returns the error bar container, or nothing
    where bins hold hardly more than a point each.
    """
    if error is not None and not (np.isfinite(error) & (error > 0)).any():
        error = None
    x, y, of_bins = bin_points(time, flux, width, error)
    if not x.size or np.isfinite(flux).sum() < FEWEST * x.size:
        return []
    return [
        axes.errorbar(
            x, y, np.nan_to_num(of_bins), fmt="s", ms=1.15 * point_size(0), color=INK,
            mfc=axes.get_facecolor(), mew=0.8, elinewidth=0.9, zorder=5,
            label=f"{width * 1440:.0f} min bins",
        )
    ]  # fmt: skip


def draw_events(axes: Axes, events: Mapping[str, float]) -> list:
    """Mark predicted ingress and egress; those outside the time axis are left out.

    events: name to time in the unit of the axis, whose limits are set.
    """
    first, last = axes.get_xlim()
    inside = {name: when for name, when in events.items() if first <= when <= last}
    label = f"{', '.join(inside)} predicted"
    return [
        axes.axvline(
            when, color=FIELD, lw=0.9, ls=(0, (4, 3)), zorder=1, label=label if not k else None
        )
        for k, when in enumerate(inside.values())
    ]


def draw_comparison(axes: Axes, time: np.ndarray, flux: np.ndarray) -> list:
    """Draw the joint flux of the comparison stars over its median, those beyond as triangles.

    time, flux: (n,) float arrays. Returns the points, then the triangles.
    """
    relative = flux / np.nanmedian(flux)
    drawn = axes.plot(time, relative, "D", ms=0.75 * point_size(len(flux)), mew=0, color=COMPARISON)
    axes.set_ylim(*robust_limits(relative))
    axes.set_ylabel("Comparison\nstars")
    return drawn + show_beyond(axes, time, relative)


def save_light_curve(
    path: str | Path,
    light_curve: LightCurve,
    *,
    title: str = "",
    facts: Sequence[str] = (),
    fit: TransitFit | None = None,
    smooth: tuple[np.ndarray, np.ndarray] | None = None,
    check: tuple[str, np.ndarray] | None = None,
    predicted: Mapping[str, float] | None = None,
) -> Path:
    """Write the light curve figure.

    Parameters
    ----------
    title : str
        What the light curve shows, stated.
    facts : sequence of str
        Lines below it.
    fit : TransitFit, optional
        Adds the trend, the detrended curve with binned points, and the residuals.
    smooth : tuple of two (k,) float arrays, optional
        Time and flux of the transit's model; by default it is drawn from point to point.
    check : tuple of str and (n,) float array, optional
        Name of the check star and its relative flux, as judged.
    predicted : mapping of str to float, optional
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
    heights = (5.0 if fit is not None else 3.0, *((1.4,) if fit is not None else ()))
    if is_low(HEAD + LEAST_PANEL * (sum(heights) + 1.1 * (ensemble + bool(check)))):
        ensemble, check = False, None  # else their ticks lie on each other
    heights += (1.1,) * (ensemble + bool(check))
    with styled_figure(
        path, (8.0, HEAD + 1.05 * sum(heights)), title=title, facts=facts, aligned=True
    ) as figure:
        panels = stack_axes(figure, heights)
        rest = iter(panels)
        if fit is None:
            _panel_flux(next(rest), time, light_curve, good)
        else:
            line = None if smooth is None else (smooth[0] - day, smooth[1])
            _panel_fit(next(rest), time, light_curve, good, fit, line)
            _panel_residuals(next(rest), time, light_curve, good, fit)
        if ensemble:
            draw_comparison(next(rest), time, light_curve.comparison_flux)
        if check:
            _panel_check(next(rest), time, *check)
        panels[0].set_xlim(*robust_limits(time[np.isfinite(time)], margin=0.03, percent=0))
        events = {name: when - day for name, when in (predicted or {}).items()}
        for axes in panels:
            draw_events(axes, events)
        legend_above(panels[0])
        panels[-1].set_xlabel(f"{scale} \N{MINUS SIGN} {day} (days)")
    return Path(path)


def _panel_flux(axes: Axes, time: np.ndarray, curve: LightCurve, good: np.ndarray) -> None:
    draw_points(axes, time, curve.flux, curve.flux_err, good=good, label="relative flux")
    draw_binned(axes, time[good], curve.flux[good], curve.flux_err[good])
    axes.set_ylabel("Relative flux")


def _panel_fit(
    axes: Axes,
    time: np.ndarray,
    curve: LightCurve,
    good: np.ndarray,
    fit: TransitFit,
    smooth: tuple[np.ndarray, np.ndarray] | None,
) -> None:
    """Draw the detrended curve with its model, and above it the raw one with trend and model."""
    order = np.argsort(time)
    detrended, error = curve.flux / fit.trend, curve.flux_err / fit.trend
    low, high = robust_limits(detrended[good])
    raw_low, raw_high = robust_limits(curve.flux[good])
    # Whole steps of the axis can be read off it.
    offset = _round_up(high - raw_low + GAP * (high - low) / 1.24)
    draw_points(
        axes, time, curve.flux + offset, None, good=good, colour=RAW, marker="D",
        label=f"raw + {offset:g}",
    )  # fmt: skip
    both = (fit.trend * fit.model)[order] + offset
    what = "trend and transit" if fit.found else "trend"
    axes.plot(time[order], both, color=MODEL, lw=0.9, ls="--", zorder=4, label=what)
    draw_points(axes, time, detrended, error, good=good, label="detrended")
    draw_binned(axes, time[good], detrended[good], error[good])
    if fit.found:
        drawn = (time[order], fit.model[order]) if smooth is None or not smooth[0].size else smooth
        axes.plot(*drawn, color=MODEL, zorder=6, label="transit")
    else:
        axes.axhline(1, color=MODEL, lw=0.9, zorder=4)
    axes.set_ylim(low, raw_high + offset)
    for line in axes.lines:  # marks of what lies beyond were made for other limits
        if line.get_marker() in ("^", "v"):
            line.remove()
    for values in (curve.flux + offset, detrended):
        show_beyond(axes, time, values)
    axes.set_ylabel("Relative flux")


def _round_up(value: float) -> float:
    """Take the next number up of two digits."""
    if not (np.isfinite(value) and value > 0):
        return 0.0
    step = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.ceil(value / step - 1e-9) * step:.2g}")


def _panel_residuals(
    axes: Axes, time: np.ndarray, curve: LightCurve, good: np.ndarray, fit: TransitFit
) -> None:
    residuals = 100 * fit.residuals
    error = 100 * curve.flux_err / (fit.trend * fit.model)
    draw_points(axes, time, residuals, None, good=good)
    draw_binned(axes, time[good], residuals[good], error[good])
    axes.axhline(0, color=MODEL, lw=0.9, zorder=1)
    axes.set_ylabel("Residual (%)")


def _panel_check(axes: Axes, time: np.ndarray, name: str, judged: np.ndarray) -> None:
    draw_points(axes, time, judged, None, colour=CHECK, marker="s")
    axes.axhline(1, color=FIELD, lw=0.8)
    axes.set_ylabel(f"Check star\n{name}")
