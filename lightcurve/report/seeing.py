"""Seeing profile and curve of growth, to judge where the aperture lies and its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.report.style import (
    FIELD,
    MODEL,
    ROLE_COLOUR,
    TARGET,
    bin_points,
    robust_limits,
    show_beyond,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["save_seeing_profile", "star_profile"]

SKY_FILL = "#F0E442"
CORE_PX = 1.5  # where a star's highest pixel lies


@dataclass(frozen=True, slots=True, eq=False)
class StarProfile:
    """Pixels of one star against their distance from its centre.

    radius, value : (n,) float arrays, distance of each pixel's centre, pixels; its value above
        the sky over the peak, the highest pixel within `CORE_PX` or, where it is higher, the
        highest ring.
    bin_radius, bin_value : (n_bin,) float arrays, means in rings half a pixel wide.
    fwhm : pixels; NaN when not known.
    """

    star_id: str
    role: str
    radius: np.ndarray
    value: np.ndarray
    bin_radius: np.ndarray
    bin_value: np.ndarray
    fwhm: float


def star_profile(
    pixels: np.ndarray,
    centre: tuple[float, float],
    sky: float,
    outer: float,
    *,
    star_id: str = "",
    role: str = "target",
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

    profiles: the target first; its pixels are drawn, of the others the mean curves; radius:
    aperture, pixels.
    ``pixels`` (line), ``curves`` (list of lines), ``aperture`` (line), ``sky`` (patch).
    """
    target = profiles[0]
    (dots,) = axes.plot(
        target.radius, target.value, "o", ms=2.8, mew=0, color=TARGET, alpha=0.45, rasterized=True
    )
    curves = [_profile_curve(axes, profile) for profile in reversed(profiles)]
    aperture = axes.axvline(radius, color=MODEL, lw=1.4)
    sky = axes.axvspan(*annulus, color=SKY_FILL, alpha=0.28, lw=0)
    fwhm = target.fwhm
    if np.isfinite(fwhm):
        axes.plot([0, fwhm / 2], [0.5, 0.5], color="#333333", lw=1.0)
        axes.text(
            fwhm / 2 + 0.15,
            0.5,
            f"FWHM {fwhm:.2f} px",
            va="center",
            fontsize=8,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
        )
    style: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "fontsize": 8, "va": "top"}
    axes.text(radius, 0.99, f" aperture {radius:.2f} px", color=MODEL, **style)
    axes.text(float(np.mean(annulus)), 0.9, "sky", color="#7a7000", ha="center", **style)
    axes.set(xlabel="Distance from the centre (px)", ylabel="Brightness (peak = 1)")
    axes.set_xlim(0, annulus[1] * 1.08)
    axes.set_ylim(-0.08, 1.22)
    axes.legend(*first_of_each(axes), loc="center right")
    return {"pixels": dots, "curves": curves, "aperture": aperture, "sky": sky}


def _profile_curve(axes: Axes, profile: StarProfile) -> Line2D:
    target = profile.role == "target"
    label = profile.star_id if target else f"{profile.role} stars"
    (line,) = axes.plot(
        profile.bin_radius,
        profile.bin_value,
        color=ROLE_COLOUR.get(profile.role, FIELD),
        lw=1.9 if target else 0.9,
        alpha=1.0 if target else 0.6,
        label=label,
    )
    return line


def first_of_each(axes: Axes) -> tuple[list, list]:
    """List legend entries, one for each label, the last drawn first."""
    handles, labels = axes.get_legend_handles_labels()
    entries = dict(zip(reversed(labels), reversed(handles), strict=True))
    return list(entries.values()), list(entries)


def draw_fwhm(
    axes: Axes, time: np.ndarray, fwhm: np.ndarray, *, scale_arcsec: float | None = None
) -> list:
    """Draw the FWHM along the night, values beyond the axis as triangles at its edge.

    time, fwhm: (n,) float arrays, pixels; scale_arcsec: adds an axis in arc seconds on the right.
    The points, then the triangles.
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


def save_seeing_profile(
    path: str | Path,
    profiles: Sequence[StarProfile],
    *,
    radius: float,
    annulus: tuple[float, float],
    times: np.ndarray,
    fwhm: np.ndarray,
    title: str = "",
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
    with styled_figure(path, (8.0, 5.6)) as figure:
        grid = figure.add_gridspec(
            2, 1, height_ratios=(2.2, 1), left=0.08, right=0.92, top=0.94, bottom=0.09, hspace=0.3
        )
        upper, lower = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
        draw_profile(upper, profiles, radius, annulus)
        draw_fwhm(lower, time, fwhm, scale_arcsec=scale_arcsec)
        lower.set_xlabel(f"BJD (TDB) \N{MINUS SIGN} {day} (days)")
        upper.set_title(title)
    return Path(path)
