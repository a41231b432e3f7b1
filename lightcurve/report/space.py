"""Figures of light from space: whole sectors, each transit in its place, and the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.report.style import (
    ACCENT,
    FLAGGED,
    MODEL,
    bin_points,
    legend_above,
    point_size,
    robust_limits,
    styled_figure,
)

__all__ = ["SectorShown", "TransitShown", "save_pixels", "save_sectors", "save_transits"]

MOST_SECTORS, MOST_TRANSITS, ACROSS = 12, 24, 4  # panels
AVERAGE_DAYS = 0.02
BINS = 30


@dataclass(frozen=True, slots=True, eq=False)
class SectorShown:
    """One light curve: (n,) arrays, and the (k,) middles of its transits, BJD_TDB."""

    label: str
    time: np.ndarray
    flux: np.ndarray
    middles: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class TransitShown:
    """One transit without its trend: hours from where it was expected; model and flux, (n,)."""

    label: str
    hours: np.ndarray
    flux: np.ndarray
    model: np.ndarray
    late: float  # hours


def save_sectors(
    path: str | Path, sectors: Sequence[SectorShown], *, title: str = "", facts: Sequence[str] = ()
) -> Path:
    """Write whole light curves below one another, their transits marked; title, facts: as ever."""
    shown = sectors[:MOST_SECTORS]
    with styled_figure(path, (9.0, 1.2 + 1.9 * len(shown)), title=title, facts=facts) as figure:
        for axes, one in zip(np.ravel(figure.subplots(len(shown), 1)), shown, strict=True):
            day = math.floor(np.nanmin(one.time))
            flux = 100 * one.flux
            axes.plot(one.time - day, flux, ".", ms=point_size(len(flux)) / 2, mew=0,
                      color=FLAGGED, alpha=0.5)  # fmt: skip
            x, y, _ = bin_points(one.time - day, flux, AVERAGE_DAYS)
            axes.plot(x, y, ".", ms=2.5, color="C0")
            low, high = robust_limits(flux, percent=0.02)
            for middle in one.middles - day:
                axes.plot([middle] * 2, [high, high - 0.07 * (high - low)], color=MODEL, lw=1.6)
            axes.set_ylim(low, high)
            axes.set(xlabel=f"BJD_TDB \N{MINUS SIGN} {day}", ylabel="Flux (%)")
            axes.set_title(one.label, fontsize="small", loc="left")
    return Path(path)


def save_transits(path: str | Path, transits: Sequence[TransitShown], *, title: str = "") -> Path:
    """Write each transit in its place, with its model and where it was expected."""
    shown = transits[:MOST_TRANSITS]
    across = min(ACROSS, len(shown))
    down = math.ceil(len(shown) / across)
    values = np.concatenate([100 * one.flux for one in shown])
    with styled_figure(path, (9.0, 0.8 + 1.9 * down), title=title) as figure:
        panels = np.ravel(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False))
        for axes, one in zip(panels, shown, strict=False):
            order = np.argsort(one.hours)
            hours, flux = one.hours[order], 100 * one.flux[order]
            many = len(hours) > 3 * BINS
            axes.plot(hours, flux, ".", ms=point_size(len(flux)) / 1.5 if many else 4, mew=0,
                      color="C0", alpha=0.4 if many else 1)  # fmt: skip
            if many:
                axes.errorbar(*bin_points(hours, flux, np.ptp(hours) / BINS), fmt=".", ms=4,
                              color="C0", elinewidth=0.8)  # fmt: skip
            axes.plot(hours, 100 * one.model[order], color=MODEL, lw=1.2)
            axes.axvline(one.late, color=ACCENT, lw=0.8, ls=":")
            axes.set_title(one.label, fontsize="small")
        for k, axes in enumerate(panels):
            axes.set_visible(k < len(shown))
            axes.tick_params(labelbottom=k + across >= len(shown))
        panels[0].set_ylim(*robust_limits(values, percent=0.1))
        figure.supxlabel("Hours from the expected mid-transit", fontsize="medium")
        figure.supylabel("Flux (%)", fontsize="medium")
    return Path(path)


def save_pixels(
    path: str | Path,
    image: np.ndarray,
    aperture: np.ndarray,
    sky: np.ndarray,
    place: tuple[float, float],
    *,
    title: str = "",
) -> Path:
    """Write the median picture of a star's pixels with those that were summed.

    Parameters
    ----------
    image : (ny, nx) float array
    aperture, sky : (ny, nx) bool arrays
    place : (float, float)
        Of the star, x and y.
    """
    from matplotlib.colors import PowerNorm

    known = image[np.isfinite(image)]
    top = float(known.max())
    with styled_figure(path, (5.0, 4.4), title=title) as figure:
        axes = figure.add_subplot()
        shown = axes.imshow(np.maximum(image, 0.0), origin="lower", cmap="gray_r",
                            norm=PowerNorm(0.4, 0.0, top), interpolation="nearest")  # fmt: skip
        axes.grid(visible=False)
        for mask, colour, name in ((aperture, MODEL, "summed"), (sky, ACCENT, "sky")):
            lines = _outline(mask)
            for k, (x, y) in enumerate(lines):
                axes.plot(x, y, color=colour, lw=1.6 if mask is aperture else 0.7,
                          label=name if not k else "")  # fmt: skip
        axes.plot(*place, "x", color="C0", ms=8, label="the star")
        axes.set(xlabel="Column (px)", ylabel="Row (px)")
        figure.colorbar(shown, ax=axes, label="e/s", shrink=0.8)
        legend_above(axes)
    return Path(path)


def _outline(mask: np.ndarray) -> list[tuple[list[float], list[float]]]:
    """List the edges between pixels of a mask and others, as lines: x and y of two ends each."""
    padded = np.pad(mask, 1)
    lines = []
    for y, x in zip(*np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1]), strict=True):
        lines.append(([x - 0.5, x + 0.5], [y - 0.5, y - 0.5]))
    for y, x in zip(*np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1]), strict=True):
        lines.append(([x - 0.5, x - 0.5], [y - 0.5, y + 0.5]))
    return lines
