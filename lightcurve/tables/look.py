"""What any light curve is like without a model: its scatter, and its trend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import LightCurve, Result
from lightcurve.core.errors import InputError
from lightcurve.core.flags import NO_POINT
from lightcurve.core.robust import robust_scatter

__all__ = ["look_at_curve"]

HOURS = 24.0
FEWEST = 3  # points of which a line leaves one over


@dataclass(frozen=True, slots=True)
class Look:
    """What a light curve is like: times in hours, everything else in per cent of its level.

    scatter : about the straight line, robust. step_scatter : between neighbours, which no slow
    trend enters. trend, trend_err : of the line, per hour; the error is that of the scatter.
    """

    points: int
    hours: float
    scatter: float
    step_scatter: float
    error: float
    trend: float
    trend_err: float

    def results(self) -> dict[str, Result]:
        """Say it as people read it."""
        trend = f"{self.trend:+.3g} +- {self.trend_err:.2g} % an hour"
        shown = {
            "span": (self.hours, "h", "span", f"{self.hours:.2f} h"),
            "scatter": (self.scatter, "%", "scatter about a line", f"{self.scatter:.3g} %"),
            "step_scatter": (
                self.step_scatter, "%", "scatter between neighbours", f"{self.step_scatter:.3g} %"
            ),
            "error": (self.error, "%", "median of the errors", f"{self.error:.3g} %"),
            "trend": (self.trend, "%/h", "trend", trend),
        }  # fmt: skip
        return {name: Result(*one) for name, one in shown.items()}


def look_at_curve(curve: LightCurve) -> Look:
    """Measure the scatter and the straight trend of the points that are not flagged out.

    Raises InputError where fewer than three are left, or all at one time.
    """
    days = np.where(np.isfinite(curve.bjd_tdb), curve.bjd_tdb, curve.jd_utc)
    good = np.isfinite(days) & np.isfinite(curve.flux) & (curve.flags & int(NO_POINT) == 0)
    order = np.argsort(days[good], kind="stable")
    hours, flux = HOURS * days[good][order], 100 * curve.flux[good][order]
    if len(flux) < FEWEST or np.ptp(hours) == 0:
        msg = f"{len(flux)} usable points, at {len(np.unique(hours))} times: nothing to measure"
        raise InputError(msg)
    hours = hours - hours.mean()
    slope, level = np.polyfit(hours, flux, 1)
    residuals = flux - level - slope * hours
    scatter = robust_scatter(residuals) * np.sqrt(len(flux) / (len(flux) - 2))
    return Look(
        points=len(flux),
        hours=float(np.ptp(hours)),
        scatter=float(scatter),
        step_scatter=float(robust_scatter(np.diff(flux), about=0.0) / np.sqrt(2)),
        error=float(np.nanmedian(100 * curve.flux_err[good])),
        trend=float(slope),
        trend_err=float(scatter / np.sqrt(np.sum(hours**2))),
    )
