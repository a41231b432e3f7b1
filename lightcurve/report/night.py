"""The night at a glance: frame by frame, seeing profile, curve of growth, and the master frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import LightCurve, StarRole
from lightcurve.core.quantities import Panel
from lightcurve.report.field import sample, thin
from lightcurve.report.style import (
    FIELD,
    INK,
    MODEL,
    ROLE_COLOUR,
    TARGET,
    bin_points,
    half_width,
    legend_above,
    page_width,
    plain_log_ticks,
    point_size,
    robust_limits,
    show_beyond,
    stack_axes,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from matplotlib.patches import StepPatch

__all__ = ["save_growth", "save_masters", "save_night", "save_seeing_profile", "star_profile"]

SKY_FILL = "#F0E442"
CORE_PX = 1.5  # where a star's highest pixel lies


@dataclass(frozen=True, slots=True, eq=False)
class StarProfile:
    """Pixels of one star against their distance from its centre.

    radius, value : (n,) float arrays, distance of each pixel's centre, pixels; its value above
        the sky over the peak, the highest pixel within `CORE_PX` or, where it is higher, the
        highest ring.
    bin_radius, bin_value : (n_bin,) float arrays, means in rings half a pixel wide.
    """

    star_id: str
    role: StarRole
    radius: np.ndarray
    value: np.ndarray
    bin_radius: np.ndarray
    bin_value: np.ndarray
    fwhm: float  # pixels; NaN when not known


def save_night(
    path: str | Path,
    curve: LightCurve,
    panels: Sequence[tuple[Panel, Mapping[str, np.ndarray]]],
    *,
    title: str = "The night",
) -> Path:
    """Write the figure of drift, rotation, sky, FWHM, airmass and what else has a panel.

    Parameters
    ----------
    panels : sequence of (Panel, mapping of str to (n,) float array)
        From the top, with legends and values.
    """
    known = np.isfinite(curve.bjd_tdb).any()
    times, scale = (curve.bjd_tdb, "BJD (TDB)") if known else (curve.jd_utc, "JD (UTC)")
    day, time = time_axis(times)
    with styled_figure(path, (8.0, 0.9 + 1.15 * len(panels)), title=title, aligned=True) as figure:
        stack = stack_axes(figure, (1.0,) * len(panels))
        for axes, (panel, series) in zip(stack, panels, strict=True):
            draw_panel(axes, time, panel, series)
        stack[-1].set_xlabel(f"{scale} \N{MINUS SIGN} {day} (days)")
    return Path(path)


def draw_panel(
    axes: Axes, time: np.ndarray, panel: Panel, series: Mapping[str, np.ndarray]
) -> list[Line2D]:
    """Draw one quantity along the night; time, and each of the series: (n,) float arrays."""
    drawn = []
    looks = ((ROLE_COLOUR[panel.colour_of], "o"), (MODEL, "s"))
    for (colour, marker), (legend, values) in zip(looks, series.items(), strict=False):
        size = 0.75 * point_size(len(time))
        drawn += axes.plot(time, values, marker, ms=size, mew=0, color=colour, label=legend)
    axes.set_ylim(*robust_limits(np.concatenate(list(series.values())), percent=0))
    axes.set_ylabel(panel.label)
    if len(series) > 1:
        legend_above(axes)
    if panel.inverted:
        axes.invert_yaxis()
    return drawn


def save_seeing_profile(
    path: str | Path,
    profiles: Sequence[StarProfile],
    *,
    radius: float,
    annulus: tuple[float, float],
    times: np.ndarray,
    fwhm: np.ndarray,
    title: str = "",
    facts: Sequence[str] = (),
    scale_arcsec: float | None = None,
) -> Path:
    """Write the seeing profile figure: profiles of one frame, and FWHM along the night.

    Parameters
    ----------
    profiles : sequence of StarProfile
        The target first.
    radius : float
        Chosen aperture in the frame shown, pixels.
    times, fwhm : (n,) float arrays
        BJD_TDB and the frames' FWHM in pixels.
    scale_arcsec : float, optional
        Arc seconds per pixel.
    """
    day, time = time_axis(times)
    with styled_figure(path, (8.0, 5.6), title=title, facts=facts) as figure:
        grid = figure.add_gridspec(2, 1, height_ratios=(2.2, 1))
        upper, lower = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
        draw_profile(upper, profiles, radius, annulus)
        draw_fwhm(lower, time, fwhm, scale_arcsec=scale_arcsec)
        lower.set_xlabel(f"BJD (TDB) \N{MINUS SIGN} {day} (days)")
    return Path(path)


def draw_growth(
    axes: Axes, radii: np.ndarray, flux: np.ndarray, *, roles: Sequence[str], radius: float
) -> dict:
    """Draw the cumulative flux of stars with the radius of the aperture.

    radii: (n_radius,) float array, pixels.
    flux: (n_star, n_radius) float array, ADU above the sky; each star is shown relative to its
    largest radius. roles: of each star. radius: of the chosen aperture, pixels.
    Returns ``curves`` (list of lines) and ``aperture`` (line).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = flux / flux[:, -1:]
    curves = []
    for share, role in sorted(
        zip(growth, roles, strict=True), key=lambda pair: pair[1] == StarRole.TARGET
    ):
        target = role == StarRole.TARGET
        curves += axes.plot(
            radii, share, "o-" if target else "-", color=ROLE_COLOUR.get(role, FIELD), ms=3,
            lw=1.9 if target else 0.9, alpha=1.0 if target else 0.6,
            label="target" if target else f"{role} stars", zorder=3 if target else 2,
        )  # fmt: skip
    aperture = axes.axvline(radius, color=MODEL, lw=1.4, label=f"aperture {radius:.2f} px")
    axes.axhline(1, color=FIELD, lw=0.8)
    axes.set(xlabel="Aperture radius (px)", ylabel="Flux inside (largest aperture = 1)")
    axes.set_xlim(0, radii[-1] * 1.03)
    axes.set_ylim(0, max(1.1, min(1.4, robust_limits(growth)[1])))
    legend_above(axes, first_of_each(axes))
    return {"curves": curves, "aperture": aperture}


def draw_snr(axes: Axes, radii: np.ndarray, snr: np.ndarray, radius: float) -> list:
    """Draw the target's signal to noise with the radius of the aperture.

    radii, snr: (n_radius,) float arrays; radius: chosen aperture.
    """
    drawn = axes.plot(radii, snr, "o-", color=TARGET, ms=3)
    axes.axvline(radius, color=MODEL, lw=1.4)
    axes.set(xlabel="Aperture radius (px)", ylabel="Signal to noise of the target")
    axes.set_xlim(0, radii[-1] * 1.03)
    axes.set_ylim(0, None)
    return drawn


def save_growth(
    path: str | Path,
    radii: np.ndarray,
    flux: np.ndarray,
    flux_err: np.ndarray,
    *,
    roles: Sequence[str],
    radius: float,
    title: str = "",
) -> Path:
    """Write the cumulative flux figure.

    Parameters
    ----------
    radii : (n_radius,) float array
    flux, flux_err : (n_star, n_radius) float arrays
        ADU, of one frame or the median over frames; the target in row 0.
    radius : float
        Chosen aperture, pixels.
    """
    with styled_figure(path, (8.0, 3.6), title=title) as figure:
        grid = figure.add_gridspec(1, 2, width_ratios=(1.5, 1))
        left, right = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
        draw_growth(left, radii, flux, roles=roles, radius=radius)
        with np.errstate(divide="ignore", invalid="ignore"):
            draw_snr(right, radii, flux[0] / flux_err[0], radius)
    return Path(path)


def draw_master(axes: Axes, pixels: np.ndarray) -> AxesImage:
    """Draw a master frame between its 1 and 99 % points; pixels: (ny, nx) float array."""
    small, step = thin(pixels)
    ny, nx = small.shape
    values = sample(small)
    low, high = np.percentile(values, [1, 99]) if values.size else (0.0, 1.0)
    extent = (-0.5, nx * step - 0.5, -0.5, ny * step - 0.5)
    image = axes.imshow(small, vmin=low, vmax=high, cmap="gray", extent=extent)
    axes.grid(visible=False)
    return image


def draw_histogram(axes: Axes, pixels: np.ndarray, *, unit: str = "ADU") -> StepPatch:
    """Draw how often each value occurs, on a logarithmic scale."""
    finite = sample(pixels)
    low, high = np.percentile(finite, [0.05, 99.95]) if finite.size else (0.0, 1.0)
    pad = 0.3 * (high - low) or 0.5
    counts, edges = np.histogram(finite, bins=80, range=(low - pad, high + pad))
    share = counts / max(counts.sum(), 1)
    least = 0.5 / max(counts.sum(), 1)
    patch = axes.stairs(
        np.maximum(share, least), edges, fill=True, baseline=least, color=TARGET, alpha=0.75
    )
    axes.set_yscale("log")
    axes.set_ylim(least, None)
    plain_log_ticks(axes.yaxis, (1.0,))
    median = float(np.median(finite)) if finite.size else float("nan")
    axes.axvline(median, color=FIELD, lw=1)
    axes.set_xlabel(f"{unit}\nmedian {median:.4g}, scatter {half_width(finite):.3g}")
    axes.set_ylabel("Share of pixels")
    return patch


def save_masters(path: str | Path, masters: Mapping[str, np.ndarray], *, title: str = "") -> Path:
    """Write the master frames with their histograms.

    Parameters
    ----------
    masters : mapping of str to (ny, nx) float array
        Such as ``{"bias": ..., "dark": ..., "flat": ...}``; the flat's unit is relative response.
    """
    n = len(masters)
    ny, nx = next(iter(masters.values())).shape
    width = page_width(max(3.0 * n, 4.0))
    picture = (width - 0.9) / (1.28 * n) * min(ny / nx, 1.5)
    height = picture + 2.35
    with styled_figure(path, (width, height), title=title) as figure:
        grid = figure.add_gridspec(2, n, height_ratios=(picture, 1.1))
        for k, (name, pixels) in enumerate(masters.items()):
            upper, lower = figure.add_subplot(grid[0, k]), figure.add_subplot(grid[1, k])
            draw_master(upper, pixels)
            upper.set_title(f"Master {name}")
            draw_histogram(lower, pixels, unit="response" if name == "flat" else "ADU")
            if k:
                lower.set_ylabel("")
    return Path(path)


def star_profile(
    pixels: np.ndarray,
    centre: tuple[float, float],
    sky: float,
    outer: float,
    *,
    star_id: str = "",
    role: StarRole = StarRole.TARGET,
    fwhm: float = float("nan"),
) -> StarProfile:
    """Collect a star's pixels for the seeing profile.

    Parameters
    ----------
    pixels : (ny, nx) float array
        NaN pixels are left out.
    centre : tuple of float
        x, y in pixels.
    sky : float
        Level per pixel.
    outer : float
        How far out, pixels.
    fwhm : float
        As measured.

    Returns
    -------
    StarProfile
        Empty arrays where the star is outside the frame or without light.
    """
    x, y = centre
    ny, nx = pixels.shape
    empty = np.empty(0)
    nothing = StarProfile(star_id, role, empty, empty, empty, empty, fwhm)
    if not (np.isfinite([x, y, sky]).all() and -outer < x < nx + outer and -outer < y < ny + outer):
        return nothing
    rows = slice(max(int(y - outer), 0), min(int(y + outer) + 2, ny))
    cols = slice(max(int(x - outer), 0), min(int(x + outer) + 2, nx))
    grid_y, grid_x = np.mgrid[rows, cols]
    distance = np.hypot(grid_x - x, grid_y - y)
    value = pixels[rows, cols].astype(float) - sky
    keep = (distance <= outer) & np.isfinite(value)
    radius, value = distance[keep], value[keep]
    bin_radius, bin_value, _ = bin_points(radius, value, 0.5)
    if not bin_value.size or bin_value.max() <= 0:
        return nothing
    peak = max(bin_value.max(), value[radius <= CORE_PX].max(initial=0.0))
    return StarProfile(star_id, role, radius, value / peak, bin_radius, bin_value / peak, fwhm)


def draw_profile(
    axes: Axes, profiles: Sequence[StarProfile], radius: float, annulus: tuple[float, float]
) -> dict:
    """Draw radial profiles with aperture and sky annulus.

    profiles: the target first; its pixels are drawn, of the others the mean curves.
    radius, annulus: of aperture and sky, pixels.
    Returns ``pixels`` (line), ``curves`` (list of lines), ``aperture`` (line), ``sky`` (patch).
    """
    target = profiles[0]
    (dots,) = axes.plot(
        target.radius, target.value, "o", ms=2.8, mew=0, color=TARGET, alpha=0.45, rasterized=True
    )
    curves = [_profile_curve(axes, profile) for profile in reversed(profiles)]
    aperture = axes.axvline(radius, color=MODEL, lw=1.4, label=f"aperture {radius:.2f} px")
    sky = axes.axvspan(*annulus, color=SKY_FILL, alpha=0.28, lw=0, label="sky")
    fwhm = target.fwhm
    if np.isfinite(fwhm):
        axes.plot([0, fwhm / 2], [0.5, 0.5], color=INK, lw=1.0, label=f"half of FWHM {fwhm:.2f} px")
    axes.set(xlabel="Distance from the centre (px)", ylabel="Brightness (peak = 1)")
    axes.set_xlim(0, annulus[1] * 1.08)
    axes.set_ylim(-0.08, 1.22)
    legend_above(axes, first_of_each(axes))
    return {"pixels": dots, "curves": curves, "aperture": aperture, "sky": sky}


def _profile_curve(axes: Axes, profile: StarProfile) -> Line2D:
    target = profile.role == StarRole.TARGET
    label = profile.star_id if target else f"{profile.role} stars"
    (line,) = axes.plot(
        profile.bin_radius, profile.bin_value, color=ROLE_COLOUR.get(profile.role, FIELD),
        lw=1.9 if target else 0.9, alpha=1.0 if target else 0.6, label=label,
    )  # fmt: skip
    return line


def first_of_each(axes: Axes) -> list:
    """List legend entries, one for each label, the last drawn first."""
    handles, labels = axes.get_legend_handles_labels()
    return list(dict(zip(reversed(labels), reversed(handles), strict=True)).values())


def draw_fwhm(
    axes: Axes, time: np.ndarray, fwhm: np.ndarray, *, scale_arcsec: float | None = None
) -> list:
    """Draw the FWHM along the night, values beyond the axis as triangles at its edge.

    time, fwhm: (n,) float arrays, days and pixels; scale_arcsec: per pixel, adds an axis in arc
    seconds on the right. Returns the points, then the triangles.
    """
    drawn = axes.plot(time, fwhm, "o", ms=2.8, mew=0, color=TARGET)
    axes.set_ylim(*robust_limits(fwhm))
    drawn += show_beyond(axes, time, fwhm)
    axes.set_ylabel("FWHM (px)")
    if scale_arcsec:
        right = axes.secondary_yaxis(
            "right",
            functions=(
                lambda pixels: np.multiply(pixels, scale_arcsec),
                lambda arcsec: np.divide(arcsec, scale_arcsec),
            ),
        )
        right.set_ylabel("FWHM (arcsec)")
        right.spines["right"].set_visible(True)
    return drawn
