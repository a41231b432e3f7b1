"""The figure of a moving object: its light, how far it is off its path, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.report.style import (
    COMPARISON,
    FLAGGED,
    TARGET,
    robust_limits,
    show_beyond,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["save_moving"]

PICTURES = 8


def save_moving(
    path: str | Path,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    stamps: Sequence[tuple[np.ndarray, tuple[float, float]]],
) -> Path:
    """Write magnitudes and offsets over time, and pictures of the object.

    Parameters
    ----------
    rows : sequence of mappings
        Of sights: ``mid_jd_utc``, ``mag``, ``mag_err``, ``band``, ``off_ra_arcsec``,
        ``off_dec_arcsec``, ``error_arcsec``, ``x``, ``y``, ``reason``.
    stamps : sequence of ((ny, nx) float array, (float, float))
        Pixels around the object, of the first rows, and where it is in them (x, y).
    """
    columns = ("mid_jd_utc", "mag", "mag_err", "off_ra_arcsec", "off_dec_arcsec", "error_arcsec")
    table = {column: np.array([float(row[column]) for row in rows]) for column in columns}
    good = np.array([not row["reason"] for row in rows])
    day, x = time_axis(table["mid_jd_utc"])
    with styled_figure(path, (8.0, 6.6)) as figure:
        grid = figure.add_gridspec(3, PICTURES, height_ratios=(1.2, 1.0, 0.7))
        light = figure.add_subplot(grid[0, :])
        off = figure.add_subplot(grid[1, :], sharex=light)
        light.tick_params(labelbottom=False)
        _light(light, x, table, good, next((row["band"] for row in rows if row["band"]), ""))
        for column, colour, label in (
            ("off_ra_arcsec", TARGET, "east"),
            ("off_dec_arcsec", COMPARISON, "north"),
        ):
            off.errorbar(
                x[good], table[column][good], table["error_arcsec"][good], fmt="o", ms=3,
                color=colour, label=label, lw=0.8,
            )  # fmt: skip
        off.axhline(0, color=FLAGGED, lw=0.8)
        off.set(xlabel=f"JD UTC \N{MINUS SIGN} {day}", ylabel="off its path (arcsec)")
        if good.any():
            off.legend(ncols=2)
        light.set_title(f"{name}: {good.sum()} places in {len(rows)} frames")
        shown = np.unique(np.linspace(0, len(stamps) - 1, min(PICTURES, len(stamps))).astype(int))
        for k, which in enumerate(shown):
            pixels, place = stamps[int(which)]
            _picture(figure.add_subplot(grid[2, k]), pixels, place, x[which])
    return Path(path)


def _light(
    axes: Axes, x: np.ndarray, table: Mapping[str, np.ndarray], good: np.ndarray, band: str
) -> None:
    """Draw magnitudes, the bright ones above; those of frames without a place in grey."""
    mag, error = table["mag"], table["mag_err"]
    known = np.isfinite(mag)
    axes.set_ylabel(f"magnitude, {band}" if band else "magnitude")
    if not known.any():
        axes.text(0.5, 0.5, "no zero point", transform=axes.transAxes, ha="center")
        return
    for rows, colour in ((known & good, TARGET), (known & ~good, FLAGGED)):
        axes.errorbar(x[rows], mag[rows], error[rows], fmt="o", ms=3, color=colour, lw=0.8)
    rows = known & good if (known & good).any() else known
    ends = np.concatenate([mag[rows] - error[rows], mag[rows] + error[rows]])
    axes.set_ylim(*robust_limits(ends, percent=1))
    show_beyond(axes, x[known], mag[known])
    axes.invert_yaxis()


def _picture(axes: Axes, pixels: np.ndarray, place: tuple[float, float], when: float) -> None:
    """Draw the pixels around the object, with a ring about it."""
    low, high = np.nanpercentile(pixels, (5, 99.7)) if np.isfinite(pixels).any() else (0, 1)
    axes.imshow(pixels, origin="lower", cmap="gray_r", vmin=low, vmax=max(high, low + 1e-9))
    axes.plot(*place, "o", ms=10, mfc="none", mec=TARGET, mew=0.8)
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{when:.4f}", fontsize="small")
