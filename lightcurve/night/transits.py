"""Many transits in one light curve: each in its own window, and all folded into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from lightcurve.core.data import CurveSource, LightCurve, Note, Planet
from lightcurve.core.errors import FitError
from lightcurve.core.flags import NO_POINT
from lightcurve.transit.ephemeris import MARGIN_SIGMA, predict_transit, transit_duration

__all__ = ["cut_transits"]

REACH = 1.5  # durations from mid-transit: one on either side
BESIDE = 12  # points on either side of a transit, whose level is then known as well as its depth
FEWEST = 3  # points on either side for a slope, in all for a level
ARRAYS = (
    "file", "jd_utc", "bjd_tdb", "flux", "flux_err", "target_flux", "comparison_flux", "flags",
)  # fmt: skip
ONE_NIGHT = 1.0  # days: what is longer is no night, and its trend no straight line


def take_points(curve: LightCurve, rows: np.ndarray) -> LightCurve:
    """Take some points of a light curve; rows: (m,) int array, in the order wanted."""
    return replace(
        curve,
        **{name: getattr(curve, name)[rows] for name in ARRAYS},
        covariates={name: values[rows] for name, values in curve.covariates.items()},
        columns={name: values[rows] for name, values in curve.columns.items()},
        stars=curve.stars and curve.stars.at(rows),
    )


def cut_transits(curve: LightCurve, planet: Planet) -> dict[int, LightCurve]:
    """Cut a light curve of several transits into one of each, as far as half a period at most.

    Returns them by epoch, in order. Empty where the light curve is best left whole: it has points
    in no predicted transit, or in a single one and is no longer than a night.
    """
    time = np.where(np.isfinite(curve.bjd_tdb), curve.bjd_tdb, curve.jd_utc)
    epoch = np.round((time - planet.t0_bjd_tdb) / planet.period_days)
    off = np.abs(time - planet.t0_bjd_tdb - epoch * planet.period_days)
    good = np.isfinite(off) & np.isfinite(curve.flux) & ((curve.flags & int(NO_POINT)) == 0)
    duration = transit_duration(planet)
    inside = good & (off < duration / 2)
    seen = np.unique(epoch[inside])
    if not len(seen) or (len(seen) == 1 and np.ptp(time[good]) < ONE_NIGHT):
        return {}
    beside = duration / 2 + BESIDE * float(np.median(np.diff(np.unique(time[good]))))
    parts = {}
    for one in seen:
        error = np.nan_to_num(
            predict_transit(planet, float(time[inside & (epoch == one)][0])).mid_err
        )
        reach = max(REACH * duration, beside) + MARGIN_SIGMA * error
        parts[int(one)] = take_points(curve, np.flatnonzero((epoch == one) & (off < reach)))
    return parts


def fold_transits(parts: Mapping[int, LightCurve], planet: Planet) -> LightCurve:
    """Fold light curves of one transit each, by epoch, onto the middle one, without their trends.

    The level and slope of each are those of its points outside the predicted transit. Dates are
    those of the middle epoch. Raises FitError where none has such points.
    """
    middle = sorted(parts)[len(parts) // 2]
    flat = [_flat(curve, planet, epoch, middle) for epoch, curve in sorted(parts.items())]
    known = [curve for curve in flat if curve is not None]
    if not known:
        msg = f"no points beside any transit of {planet.name}: nothing tells its depth"
        raise FitError(msg)
    joined: dict[str, Any] = {n: np.concatenate([getattr(c, n) for c in known]) for n in ARRAYS}
    whole = replace(known[0], **joined)
    text = (
        f"{len(known)} transits, each by its own level and slope, folded by the period of "
        f"{planet.period_days:.7g} d onto epoch {middle}"
    )
    source = whole.source or CurveSource("")
    told = replace(source, notes=(*source.notes, Note(text)))
    return take_points(replace(whole, source=told), np.argsort(whole.bjd_tdb, kind="stable"))


def _flat(curve: LightCurve, planet: Planet, epoch: int, middle: int) -> LightCurve | None:
    """Take level and slope out of one transit, and put it at another epoch; None without them."""
    predicted = predict_transit(planet, planet.t0_bjd_tdb + epoch * planet.period_days)
    off = curve.bjd_tdb - predicted.mid
    margin = MARGIN_SIGMA * np.nan_to_num(predicted.mid_err)
    good = np.isfinite(off + curve.flux) & ((curve.flags & int(NO_POINT)) == 0)
    outside = good & (np.abs(off) > predicted.duration / 2 + margin)
    sides = min((outside & (off < 0)).sum(), (outside & (off > 0)).sum())
    if outside.sum() < FEWEST:
        return None
    hours = 24 * off
    trend = Polynomial.fit(hours[outside], curve.flux[outside], int(sides >= FEWEST))(hours)
    return replace(
        curve,
        bjd_tdb=curve.bjd_tdb + (middle - epoch) * planet.period_days,
        jd_utc=np.full(len(off), np.nan), flux=curve.flux / trend,
        flux_err=curve.flux_err / trend, covariates={}, columns={}, stars=None,
    )  # fmt: skip
