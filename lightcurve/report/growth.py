"""The curve of growth: how much of a star lies inside an aperture, and what noise comes with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.report.style import (
    FIELD,
    MODEL,
    ROLE_COLOUR,
    TARGET,
    robust_limits,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
from lightcurve.report.seeing import first_of_each


def draw_growth(
    axes: Axes, radii: np.ndarray, flux: np.ndarray, *, roles: Sequence[str], radius: float
) -> dict:
    """Draw the cumulative flux of stars with the radius of the aperture.

    radii: (n_radius,) float array, pixels; flux: (n_star, n_radius) float array, ADU above the sky;
    each star is shown relative to its largest radius; roles: of each star; radius: chosen aperture.
    ``curves`` (list of lines) and ``aperture`` (line).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = flux / flux[:, -1:]
    curves = []
    for share, role in sorted(
        zip(growth, roles, strict=True), key=lambda pair: pair[1] == "target"
    ):
        target = role == "target"
        curves += axes.plot(
            radii,
            share,
            "o-" if target else "-",
            color=ROLE_COLOUR.get(role, FIELD),
            ms=3,
            lw=1.9 if target else 0.9,
            alpha=1.0 if target else 0.6,
            label="target" if target else f"{role} stars",
            zorder=3 if target else 2,
        )
    aperture = axes.axvline(radius, color=MODEL, lw=1.4, label=f"aperture {radius:.2f} px")
    axes.axhline(1, color=FIELD, lw=0.8)
    axes.set(xlabel="Aperture radius (px)", ylabel="Flux inside (largest aperture = 1)")
    axes.set_xlim(0, radii[-1] * 1.03)
    axes.set_ylim(0, max(1.1, min(1.4, robust_limits(growth)[1])))
    axes.legend(*first_of_each(axes), loc="lower right")
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
    with styled_figure(path, (8.0, 3.6)) as figure:
        grid = figure.add_gridspec(
            1, 2, width_ratios=(1.5, 1), left=0.08, right=0.985, top=0.9, bottom=0.14, wspace=0.22
        )
        left, right = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
        draw_growth(left, radii, flux, roles=roles, radius=radius)
        with np.errstate(divide="ignore", invalid="ignore"):
            draw_snr(right, radii, flux[0] / flux_err[0], radius)
        left.set_title(title)
    return Path(path)
