"""Comparison stars one by one, the field's scatter, and neighbours that may feign a transit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.data import StarRole
from lightcurve.curve.neb import BAND_MARGIN_MAG, CLEARED, LIKELY, Disposition, Neighbour
from lightcurve.report.style import (
    CHECK,
    COMPARISON,
    FIELD,
    FLAGGED,
    MODEL,
    ROLE_COLOUR,
    half_width,
    legend_above,
    plain_log_ticks,
    robust_limits,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MAX_CURVES", "save_neighbours", "save_noise", "save_star_curves"]

GROUPS = {
    "cleared": ({Disposition.CLEARED, Disposition.TOO_FAINT}, COMPARISON, "o"),
    "likely cleared": ({Disposition.LIKELY}, CHECK, "s"),
    "not cleared": ({Disposition.NOT_CLEARED, Disposition.LOW_FLUX}, MODEL, "D"),
}
MAX_NAMED = 4  # of those that are not cleared
MAX_CURVES = 24  # drawn in one figure
# By their roles, and how large.
MARKERS = {
    StarRole.TARGET: ("*", 11.0),
    StarRole.COMPARISON: ("D", 3.4),
    StarRole.CHECK: ("s", 5.0),
    StarRole.FIELD: ("o", 4.0),
}
SMOOTHED = 11  # stars, for the noise expected of them


def draw_neighbours(axes: Axes, neighbours: Sequence[Neighbour], *, depth_ppt: float) -> dict:
    """Draw the scatter of neighbours against their magnitude, with the bounds of clearance.

    depth_ppt: of the target's transit.
    Returns ``points``: label to line; ``bounds``: list of lines.
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
    for label, (dispositions, colour, marker) in GROUPS.items():
        group = sorted((n for n in shown if n.disposition in dispositions), key=_brightness)
        if not group:
            continue
        x, y = [n.delta_mag for n in group], [n.rms_ppt for n in group]
        told = f"{label}{_named([n.star_id for n in group if not n.disposition.cleared])}"
        (points[label],) = axes.plot(x, y, marker, color=colour, label=told, ms=5, mew=0)
    axes.set_yscale("log")
    plain_log_ticks(axes.yaxis)
    axes.set_xlabel("Fainter than the target by (mag)")
    axes.set_ylabel("Scatter (parts per thousand)")
    legend_above(axes)
    return {"points": points, "bounds": bounds}


def _brightness(neighbour: Neighbour) -> float:
    return neighbour.delta_mag


def _named(names: Sequence[str]) -> str:
    """Name stars, from left to right, for the legend."""
    if not names:
        return ""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f": {', '.join(names[:MAX_NAMED])}{more}"


def save_neighbours(
    path: str | Path,
    neighbours: Sequence[Neighbour],
    *,
    depth_ppt: float,
    radius_arcmin: float,
    title: str = "",
) -> Path:
    """Write the figure of the nearby-eclipsing-binary check.

    Parameters
    ----------
    depth_ppt : float
        Of the target's transit.
    radius_arcmin : float
        Within which they were looked for.
    title : str
        Goes before what was found.
    """
    cleared = sum(n.disposition.cleared for n in neighbours)
    found = (
        f"{cleared} of {len(neighbours)} stars within {radius_arcmin:g}' are cleared "
        f"of feigning a transit of {depth_ppt:.1f} ppt"
    )
    with styled_figure(path, (7.0, 4.6), title=f"{title}: {found}" if title else found) as figure:
        draw_neighbours(figure.add_subplot(), neighbours, depth_ppt=depth_ppt)
    return Path(path)


def draw_star_curves(
    axes: Axes,
    time: np.ndarray,
    relative: np.ndarray,
    *,
    names: Sequence[str],
    roles: Sequence[str],
) -> dict:
    """Draw relative curves of several stars one below the other, on one scale.

    time: (n,) float array; relative: (n, n_star) float array, each with median 1; names, roles: of
    the stars. Returns ``curves`` (list of lines, shifted by ``offsets``), ``offsets`` (n_star,) in
    per cent, and ``scatter`` (n_star,) in per cent.
    """
    percent = 100 * (relative - 1)
    scatter = np.array([half_width(column) for column in percent.T])
    known = scatter[np.isfinite(scatter)]
    step = max(6.0 * float(np.median(known)) if known.size else 0.0, 0.2)
    offsets = -step * np.arange(relative.shape[1])
    curves = []
    for k, (name, role) in enumerate(zip(names, roles, strict=True)):
        colour = ROLE_COLOUR.get(role, FIELD)
        axes.axhline(offsets[k], color=FLAGGED, lw=0.7, zorder=1)
        shown = np.clip(percent[:, k], -0.75 * step, 0.75 * step) + offsets[k]
        curves += axes.plot(time, shown, "o", ms=2.2, mew=0, color=colour, zorder=2)
        style: dict[str, Any] = {
            "transform": axes.get_yaxis_transform(),
            "va": "center",
            "fontsize": "small",
        }
        axes.text(-0.01, offsets[k], name, color=colour, ha="right", fontweight="bold", **style)
        axes.text(1.005, offsets[k], f"{scatter[k]:.2f} %", ha="left", **style)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(offsets[-1] - 0.8 * step, 0.8 * step)
    axes.set_xlim(*robust_limits(time[np.isfinite(time)], margin=0.02, percent=0))
    return {"curves": curves, "offsets": offsets, "scatter": scatter}


def save_star_curves(
    path: str | Path,
    times: np.ndarray,
    relative: np.ndarray,
    *,
    names: Sequence[str],
    roles: Sequence[str],
    title: str = "Each star against the others",
) -> Path:
    """Write the figure of comparison-star curves.

    Parameters
    ----------
    times : (n,) float array
        Julian dates.
    relative : (n, n_star) float array
        Each with median 1; at most 24 are shown, the first ones.
    """
    relative, names, roles = relative[:, :MAX_CURVES], names[:MAX_CURVES], roles[:MAX_CURVES]
    day, time = time_axis(times)
    height = 1.0 + 0.36 * max(len(names), 3)
    with styled_figure(path, (8.0, height), title=title) as figure:
        axes = figure.add_subplot()
        draw_star_curves(axes, time, relative, names=names, roles=roles)
        axes.set_xlabel(f"BJD (TDB) \N{MINUS SIGN} {day} (days)")
        axes.set_title("scatter", loc="right", fontsize="small", fontweight="normal")
    return Path(path)


def noise_curve(magnitude: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn the noise expected of each star into a curve along the magnitudes.

    magnitude, noise: (n_star,) float arrays, stars without both are left out.
    Returns magnitude, noise: (n,) float arrays, in order of magnitude; the noise is the median of
    `SMOOTHED` neighbours, fewer near the ends: a star on a high sky is no step in the curve.
    """
    known = np.flatnonzero(np.isfinite(magnitude) & np.isfinite(noise))
    order = known[np.argsort(magnitude[known], kind="stable")]
    values, last = noise[order], len(order) - 1
    reach = [min(SMOOTHED // 2, k, last - k) for k in range(len(order))]
    smooth = [np.median(values[k - r : k + r + 1]) for k, r in enumerate(reach)]
    return magnitude[order], np.array(smooth, dtype=float)


def draw_noise(
    axes: Axes,
    magnitude: np.ndarray,
    scatter: np.ndarray,
    *,
    roles: Sequence[str],
    model: Mapping[str, np.ndarray] | None = None,
) -> dict:
    """Draw the scatter of each star's curve against its brightness, with the noise model.

    magnitude: (n_star,) float array.
    scatter: (n_star,) float array, of relative flux, from point to point; values that are not
    positive are left out.
    model: expected relative noise of each star, (n_star,), by source (``"photons"``, ``"sky"``,
    ``"total"`` ...); drawn as `noise_curve`.
    Returns ``points``: role to line; ``model``: name to line.
    """
    role_of = np.asarray(roles)
    usable = np.isfinite(magnitude) & (np.nan_to_num(scatter) > 0)
    points = {}
    for role in (StarRole.FIELD, StarRole.COMPARISON, StarRole.CHECK, StarRole.TARGET):
        chosen = usable & (role_of == role)
        if not chosen.any():
            continue
        marker, size = MARKERS[role]
        layer = 4 if role in {StarRole.TARGET, StarRole.CHECK} else 3
        (points[role],) = axes.plot(magnitude[chosen], 100 * scatter[chosen], marker, ms=size)
        points[role].set(mew=0, color=ROLE_COLOUR[role], label=role, zorder=layer)
    lines = {}
    dashes = iter(((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 3)), (0, (8, 3))) * 2)
    model = model or {}
    for name, noise in model.items():
        total = name == "total" or len(model) == 1
        along, smooth = noise_curve(magnitude, noise)
        (lines[name],) = axes.plot(
            along,
            100 * smooth,
            color=MODEL if total else FIELD,
            lw=1.8 if total else 1.0,
            ls="-" if total else next(dashes),
            zorder=2,
            label="noise model" if total else name,
        )
    if usable.any():
        axes.set_yscale("log")
        axes.set_ylim(100 * scatter[usable].min() / 2, 100 * scatter[usable].max() * 1.6)
        plain_log_ticks(axes.yaxis)
    axes.set_xlabel("Instrumental magnitude")
    axes.set_ylabel("Point-to-point scatter (%)")
    legend_above(axes)
    return {"points": points, "model": lines}


def save_noise(
    path: str | Path,
    magnitude: np.ndarray,
    scatter: np.ndarray,
    *,
    roles: Sequence[str],
    model: Mapping[str, np.ndarray] | None = None,
    title: str = "Scatter against brightness",
) -> Path:
    """Write the figure of scatter against brightness.

    Parameters
    ----------
    magnitude, scatter : (n_star,) float arrays
        See `draw_noise`.
    model : mapping of str to (n_star,) float array, optional
    """
    with styled_figure(path, (7.0, 4.4), title=title) as figure:
        draw_noise(figure.add_subplot(), magnitude, scatter, roles=roles, model=model)
    return Path(path)
