"""The course of zero point, seeing, limit and sky over a sequence of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lightcurve.report.style import (
    COMPARISON,
    FLAGGED,
    MODEL,
    TARGET,
    robust_limits,
    show_beyond,
    stack_axes,
    styled_figure,
    time_axis,
)

MAX_DAYS = 1.5
PANELS = (
    ("zero_point_mag", "zero point (mag)", TARGET),
    ("fwhm_arcsec", "FWHM (arcsec)", COMPARISON),
    ("limit_5_sigma_mag", "5 sigma limit (mag)", TARGET),
    ("sky_adu", "sky (ADU)", MODEL),
)


def save_sequence(path: str | Path, rows: Sequence[Mapping]) -> Path:
    """Write four panels over time, or frame by frame where there are several nights.

    Frames that are not good are grey crosses.

    Parameters
    ----------
    rows : sequence of mappings
        With ``status``, ``mid_jd_utc``, ``quality`` and the names of `PANELS`; None is left out.
    """
    shown = [row for row in rows if row.get("status") != "failed"]
    columns = {
        name: np.array([_number(row.get(name)) for row in shown])
        for name in ("mid_jd_utc", *(panel[0] for panel in PANELS))
    }
    good = np.array([row.get("quality") == "good" for row in shown])
    times = columns["mid_jd_utc"]
    # Over several nights the gaps would leave the frames no room.
    timed = bool(np.isfinite(times).all() and times.size and np.ptp(times) < MAX_DAYS)
    day, x = time_axis(times) if timed else (0, 1 + np.arange(len(shown), dtype=float))
    with styled_figure(path, (8.0, 7.2)) as figure:
        axes = stack_axes(figure, (1.0,) * len(PANELS), left=0.11)
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
