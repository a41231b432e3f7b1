"""A still picture of the light curve, as SVG: what is read where scripts do not run."""

from __future__ import annotations

import numpy as np

from lightcurve.report.page.contents import Curve, Page
from lightcurve.report.style import robust_limits

WIDTH, HEIGHT = 960.0, 360.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 12.0, 12.0, 34.0


def sketch_curve(page: Page) -> dict[str, object]:
    """Lay out points, model and axes of the program's curve in a box of `WIDTH` by `HEIGHT`.

    Returns places for the template: ``points`` (x, y), ``model`` (a path, broken
    where the model has a gap), ``x_ticks`` and ``y_ticks`` (place, words), ``day`` (whole days left
    out of the words).
    """
    curve, time = page.curve, page.frames.bjd_tdb
    if not np.isfinite(time).any():
        time = page.frames.jd_utc
    flux = curve.flux if curve.detrended is None else curve.detrended
    day = float(np.floor(np.nanmin(time))) if np.isfinite(time).any() else 0.0
    x_of = _Scale(time - day, LEFT, WIDTH - RIGHT, margin=0.02, percent=0.0)
    y_of = _Scale(flux, HEIGHT - BOTTOM, TOP, margin=0.12, percent=0.5)
    shown = np.isfinite(time) & np.isfinite(flux)
    shown &= (flux >= y_of.low) & (flux <= y_of.high)
    return {
        "width": WIDTH, "height": HEIGHT, "left": LEFT, "top": TOP,
        "right": WIDTH - RIGHT, "bottom": HEIGHT - BOTTOM, "day": f"{day:.0f}",
        "points": [
            (f"{x:.1f}", f"{y:.1f}")
            for x, y in zip(x_of(time[shown] - day), y_of(flux[shown]), strict=True)
        ],
        "model": _line(curve, day, x_of, y_of),
        "x_ticks": x_of.ticks(),
        "y_ticks": y_of.ticks(),
    }  # fmt: skip


def _line(curve: Curve, day: float, x_of: _Scale, y_of: _Scale) -> str:
    if curve.fine is None:
        return ""
    there = np.isfinite(curve.fine.time) & np.isfinite(curve.fine.flux)
    begins = there & ~np.concatenate([[False], there[:-1]])
    x, y = x_of(curve.fine.time - day), y_of(curve.fine.flux)
    return "".join(
        f"{'M' if begins[k] else 'L'}{x[k]:.1f} {y[k]:.1f}" for k in np.flatnonzero(there)
    )


class _Scale:
    """From values to places in the box."""

    def __init__(
        self, values: np.ndarray, first: float, last: float, *, margin: float, percent: float
    ) -> None:
        self.low, self.high = robust_limits(values, margin=margin, percent=percent)
        self.first, self.last = first, last

    def __call__(self, values: np.ndarray) -> np.ndarray:
        share = (values - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def ticks(self) -> list[tuple[str, str]]:
        """Places and words of round values within, about six."""
        step = 10 ** np.floor(np.log10((self.high - self.low) / 3))
        step *= next(k for k in (1, 2, 5, 10) if (self.high - self.low) / (step * k) <= 7)
        first, last = np.ceil(self.low / step), np.floor(self.high / step)
        values = np.arange(first, last + 1) * step
        return [(f"{x:.1f}", f"{v:.10g}") for x, v in zip(self(values), values, strict=True)]
