"""Diagrams of one frame (widths, zero point, errors, completeness) and of a sequence of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import FrameStatus, Quality
from lightcurve.report.style import (
    ACCENT,
    COMPARISON,
    FIELD,
    FLAGGED,
    MODEL,
    TARGET,
    plain_log_ticks,
    robust_limits,
    show_beyond,
    stack_axes,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "ZeroPointPoints",
    "save_completeness",
    "save_kinds_compared",
    "save_magnitudes",
    "save_sequence",
    "save_widths",
    "save_zero_point",
]

KIND_COLOUR = (TARGET, MODEL)
MAX_SHOWN = 1.2  # mag; an error beyond it is that of no star
MAX_DAYS = 1.5
PANELS = (
    ("zero_point_mag", "zero point (mag)", TARGET),
    ("fwhm_arcsec", "FWHM (arcsec)", COMPARISON),
    ("limit_5_sigma_mag", "5 sigma limit (mag)", TARGET),
    ("sky_adu", "sky (ADU)", MODEL),
)


def save_widths(
    path: str | Path,
    widths: np.ndarray,
    used: np.ndarray,
    *,
    fwhm: float,
    fwhm_err: float,
    scale_arcsec: float,
) -> Path:
    """Write the histogram of the stars' FWHM.

    Parameters
    ----------
    widths : (n,) float array
        Pixels.
    used : (n,) bool array
        Left after clipping.
    fwhm, fwhm_err, scale_arcsec : float
        The scale is NaN where it is not known.
    """
    with styled_figure(path, (6.4, 3.4)) as figure:
        axes = figure.add_subplot()
        known = widths[np.isfinite(widths)]
        low, high = robust_limits(widths[used], margin=1.5, percent=1)
        edges = np.linspace(low, high, int(np.clip(len(known) / 4, 12, 40))).tolist()
        axes.hist(widths[used], edges, color=TARGET, alpha=0.75, label=f"used ({used.sum()})")
        rest = np.isfinite(widths) & ~used
        if rest.any():
            axes.hist(widths[rest], edges, color=FLAGGED, label=f"left out ({rest.sum()})")
        axes.axvline(fwhm, color=MODEL, lw=1.2)
        axes.set(xlabel="FWHM (px)", ylabel="stars", xlim=(low, high))
        digits = int(np.clip(np.ceil(-np.log10(max(fwhm_err, 1e-4))), 2, 3))
        width = f"{fwhm:.{digits}f} \N{PLUS-MINUS SIGN} {fwhm_err:.{digits}f} px"
        on_sky = f", {fwhm * scale_arcsec:.2f} arcsec" if np.isfinite(scale_arcsec) else ""
        axes.set_title(f"FWHM {width}{on_sky}")
        axes.legend()
    return Path(path)


@dataclass(frozen=True, slots=True, eq=False)
class ZeroPointPoints:
    """The stars behind one zero point, for `save_zero_point`.

    Attributes
    ----------
    catalog, found, sigma, colour : (n,) float arrays
        Magnitudes of the catalogue and ours, their joint error, and the colour (NaN: not known).
    used : (n,) bool array
    """

    catalog: np.ndarray
    found: np.ndarray
    sigma: np.ndarray
    colour: np.ndarray
    used: np.ndarray
    band: str
    colour_name: str
    text: str


def save_zero_point(path: str | Path, points: ZeroPointPoints) -> Path:
    """Write the calibrated magnitudes against the catalogue's, and what is left."""
    with_colour = bool(np.isfinite(points.colour).any())
    with styled_figure(path, (9.6, 4.3)) as figure:
        cells = figure.add_gridspec(2, 2)
        axes = figure.add_subplot(cells[:, 0])
        _draw_one_to_one(axes, points)
        residual = points.catalog - points.found
        against = [(points.catalog, f"catalogue, {points.band} (mag)")]
        if with_colour:
            against.append((points.colour, f"{points.colour_name} (mag)"))
        for k, (x, label) in enumerate(against):
            rows = k if with_colour else slice(None)
            axes = figure.add_subplot(cells[rows, 1])
            _draw_residuals(axes, x, residual, points)
            axes.set_xlabel(label)
            if k == 0:
                axes.set_title("What is left")
    return Path(path)


def _draw_one_to_one(axes: Axes, points: ZeroPointPoints) -> None:
    used = points.used
    if not used.all():
        axes.plot(points.catalog[~used], points.found[~used], "x", color=FLAGGED, label="left out")
    axes.errorbar(
        points.catalog[used], points.found[used], points.sigma[used], fmt="o", ms=3, lw=0.6,
        color=COMPARISON, label=f"used ({used.sum()})",
    )  # fmt: skip
    low, high = robust_limits(points.catalog)
    scatter = float(np.std((points.catalog - points.found)[used])) if used.any() else 0.0
    line = np.array([low, high])
    axes.plot(line, line, color=MODEL, lw=1)
    for k in (1, 2):
        axes.fill_between(
            line, line - k * scatter, line + k * scatter, color=MODEL, alpha=0.1, lw=0
        )
    axes.set(xlim=(low, high), ylim=(low, high), title=points.text)
    axes.set(xlabel=f"catalogue, {points.band} (mag)", ylabel="this frame (mag)")
    axes.legend(loc="upper left")


def _draw_residuals(
    axes: Axes, x: np.ndarray, residual: np.ndarray, points: ZeroPointPoints
) -> None:
    used = points.used
    axes.errorbar(
        x[used], residual[used], points.sigma[used], fmt="o", ms=3, lw=0.6, color=COMPARISON
    )
    limits = robust_limits(residual[used], margin=0.4, percent=0) if used.any() else (-1, 1)
    axes.set_ylim(*limits)
    axes.plot(x[~used], residual[~used], "x", color=FLAGGED)
    show_beyond(axes, x[~used], residual[~used])
    axes.axhline(0, color=MODEL, lw=1)
    axes.set_ylabel("cat. \N{MINUS SIGN} frame")


def save_magnitudes(
    path: str | Path,
    kinds: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    band: str,
    limits: Mapping[float, float],
) -> Path:
    """Write the histogram of magnitudes, and their errors.

    Parameters
    ----------
    kinds : mapping of str to tuple of (n,) float arrays
        Name to magnitudes and errors.
    limits : mapping of float to float
        Signal-to-noise ratio to magnitude.
    """
    with styled_figure(path, (9.6, 3.8)) as figure:
        cells = figure.add_gridspec(1, 2)
        left, right = (figure.add_subplot(cells[k]) for k in range(2))
        # Their limits, too: what is written beside the axes would take their room.
        shown = [mag[error < MAX_SHOWN] for mag, error in kinds.values()]
        together = np.concatenate([*shown, [one for one in limits.values() if np.isfinite(one)]])
        low, high = robust_limits(together, percent=0.0, margin=0.03)
        edges = np.linspace(low, high, 41).tolist()
        for (name, (mag, error)), colour in zip(kinds.items(), KIND_COLOUR, strict=False):
            known = np.isfinite(mag) & np.isfinite(error) & (error > 0)
            left.hist(
                mag[known], edges, histtype="step", lw=1.3, color=colour,
                label=f"{name} ({known.sum()})",
            )  # fmt: skip
            right.plot(mag[known], error[known], ".", ms=2.5, color=colour, label=name)
        for snr, limit in limits.items():
            if np.isfinite(limit):
                left.axvline(limit, color=FIELD, lw=0.8, ls=":")
                left.text(
                    limit, 1.01, f"{snr:g}\N{GREEK SMALL LETTER SIGMA}", fontsize="small",
                    ha="center",
                    transform=left.get_xaxis_transform(), color=FIELD,
                )  # fmt: skip
                right.plot(limit, 1.0857 / snr, "d", ms=5, mfc="none", color=FIELD)
        left.set(xlabel=f"{band} (mag)", ylabel="sources", title="How many", xlim=(low, high))
        right.set(xlabel=f"{band} (mag)", ylabel="error (mag)", title="How well", yscale="log")
        right.set(xlim=(low, high), ylim=(None, min(right.get_ylim()[1], MAX_SHOWN)))
        plain_log_ticks(right.yaxis, (1.0, 3.0))
        left.legend(loc="upper left")
        right.legend(loc="upper left")
    return Path(path)


def save_kinds_compared(
    path: str | Path, mag: np.ndarray, difference: np.ndarray, error: np.ndarray, *, band: str
) -> Path:
    """Write aperture less PSF magnitudes.

    Parameters
    ----------
    mag, difference, error : (n,) float arrays
        PSF magnitude, aperture less PSF, and its error.
    """
    with styled_figure(path, (6.4, 3.4)) as figure:
        axes = figure.add_subplot()
        known = np.isfinite(mag + difference + error)
        axes.errorbar(
            mag[known], difference[known], error[known], fmt=".", ms=3, lw=0.4, color=TARGET,
            ecolor=FLAGGED,
        )  # fmt: skip
        sure = known & (error < 0.1)
        low, high = robust_limits(difference[sure], margin=0.5, percent=1)
        axes.set_ylim(min(low, -0.05), max(high, 0.05))
        show_beyond(axes, mag[known], difference[known])
        axes.axhline(0, color=MODEL, lw=1)
        axes.set(xlabel=f"PSF, {band} (mag)", ylabel="aperture \N{MINUS SIGN} PSF (mag)")
        axes.set_title("Aperture against PSF: crowding shows below the line")
    return Path(path)


def save_completeness(
    path: str | Path,
    curve: tuple[np.ndarray, np.ndarray, np.ndarray],
    purity: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    half: float,
    limits: Mapping[float, float],
    n: int,
    band: str,
) -> Path:
    """Write the share of the stars put in that is found, and of sources that is no noise.

    Parameters
    ----------
    curve, purity : tuple of (k,) float arrays
        Magnitude, share, its error, of either.
    half : float
        Magnitude at which one half is found.
    limits : mapping of float to float
        Signal-to-noise ratio to magnitude.
    n : int
        Stars put in.
    """
    mag, share, error = curve
    with styled_figure(path, (6.4, 3.4)) as figure:
        axes = figure.add_subplot()
        axes.errorbar(*purity, fmt="s-", ms=4, lw=1.2, color=COMPARISON)
        axes.errorbar(mag, share, error, fmt="o-", ms=4, lw=1.2, color=TARGET)
        if np.isfinite(half):
            axes.plot([mag.min(), half, half], [0.5, 0.5, 0], color=MODEL, lw=1, ls="--")
        for snr, limit in limits.items():
            if np.isfinite(limit):
                axes.axvline(limit, color=ACCENT, lw=0.8, ls=":")
                axes.text(
                    limit,
                    1.05,
                    f"{snr:g}\N{GREEK SMALL LETTER SIGMA}",
                    fontsize="small",
                    ha="center",
                )
        axes.set(xlabel=f"{band} (mag)", ylabel="share", ylim=(-0.03, 1.12))
        text = f"Purity (squares), completeness (dots) of {n} stars put in"
        axes.set_title(f"{text}, half at {half:.2f}" if np.isfinite(half) else text)
    return Path(path)


def save_sequence(path: str | Path, rows: Sequence[Mapping]) -> Path:
    """Write four panels over time, or frame by frame where there are several nights.

    Frames that are not good are grey crosses.

    Parameters
    ----------
    rows : sequence of mappings
        With ``status``, ``mid_jd_utc``, ``quality`` and the names of `PANELS`; None is left out.
    """
    shown = [row for row in rows if row.get("status") != FrameStatus.FAILED]
    columns = {
        name: np.array([_number(row.get(name)) for row in shown])
        for name in ("mid_jd_utc", *(panel[0] for panel in PANELS))
    }
    good = np.array([row.get("quality") == Quality.GOOD for row in shown])
    times = columns["mid_jd_utc"]
    # Over several nights the gaps would leave the frames no room.
    timed = bool(np.isfinite(times).all() and times.size and np.ptp(times) < MAX_DAYS)
    day, x = time_axis(times) if timed else (0, 1 + np.arange(len(shown), dtype=float))
    with styled_figure(path, (8.0, 7.2)) as figure:
        axes = stack_axes(figure, (1.0,) * len(PANELS))
        for axis, (name, label, colour) in zip(axes, PANELS, strict=True):
            y = columns[name]
            if not np.isfinite(y).any():
                axis.text(0.5, 0.5, "not measured", transform=axis.transAxes, ha="center")
                axis.set(yticks=[], ylabel=label)
                continue
            axis.plot(x[good], y[good], "o", ms=3, color=colour)
            axis.plot(x[~good], y[~good], "x", ms=4, color=FLAGGED)
            axis.set_ylim(*robust_limits(y, percent=1))
            show_beyond(axis, x, y)
            axis.set_ylabel(label)
        axes[0].set_title(f"{len(rows)} frames, {int(good.sum())} of them good")
        if not timed:
            from matplotlib.ticker import MaxNLocator

            whole = MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10])
            axes[-1].xaxis.set_major_locator(whole)
        axes[-1].set_xlabel(f"JD UTC \N{MINUS SIGN} {day}" if timed else "number of the frame")
    return Path(path)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
