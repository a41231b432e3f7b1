"""What a table must agree with before a transit is fitted to it: cadence, ephemeris, depth."""

from __future__ import annotations

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import LightCurve, Planet
from lightcurve.core.errors import InputError
from lightcurve.core.flags import NO_POINT
from lightcurve.core.robust import robust_scatter
from lightcurve.tables.light_curves import ColumnChoice
from lightcurve.transit.ephemeris import dip_shape, mark_transit

MOST_CAMERAS = 4.0  # exposures that may overlap: of as many telescopes in one table, where told
ONE_CAMERA = 1.2  # times may be cut to the second
HALF_DAY = 0.5
RISE_SIGMA = 6.0
RISE_SHARE = (0.4, 2.5)  # of the predicted depth, as a magnitude would rise
FEWEST = 4  # points in the deeper half of the transit, and elsewhere


def check_exposure(exposure_s: float, curve: LightCurve, most: float = MOST_CAMERAS) -> None:
    """Refuse an exposure that cannot be.

    most : how many times as long as points are apart it may be.

    Raises InputError when it is negative, longer than the light curve, or longer than that, as
    milliseconds are.
    """
    days = np.where(np.isfinite(curve.bjd_tdb), curve.bjd_tdb, curve.jd_utc)
    times = np.unique(days[np.isfinite(days)])
    night_s = float(np.ptp(times)) * DAY_S
    step_s = float(np.median(np.diff(times))) * DAY_S if len(times) > 1 else np.inf
    longest = min(night_s, max(most * step_s, 1.0)) if night_s > 0 else np.inf
    if not 0 <= exposure_s <= longest:
        msg = (
            f"exposure {exposure_s:g} s: points {step_s:.3g} s apart in a light curve of "
            f"{night_s:.0f} s are no such exposures (milliseconds? several telescopes?); give "
            "--exposure in seconds"
        )
        raise InputError(msg, file=curve.source.table if curve.source else "")


def check_epoch(curve: LightCurve, planet: Planet, choice: ColumnChoice) -> None:
    """Refuse shortened dates that miss the transit, and would not half a day earlier or later.

    MJD is JD - 2400000.5, and many write it without the half. Raises InputError; never where the
    kind of times was given.
    """
    source = curve.source
    if source is None or choice.time_kind or "MJD" not in source.time_column.upper():
        return
    if mark_transit(planet, curve.bjd_tdb).any():
        return
    if mark_transit(planet, curve.bjd_tdb - HALF_DAY).any():
        msg = (
            f"{source.time_column} as MJD misses the transit of {planet.name}, as JD - 2400000 it "
            f"would not: give --time {source.time_column} with --time-kind, mjd_utc or "
            "jd_utc-2400000"
        )
        raise InputError(msg, file=source.table)


def check_sense(curve: LightCurve, planet: Planet, choice: ColumnChoice) -> None:
    """Refuse a curve that rises where and as much as the planet's transit should make it fall.

    Raises InputError; never where the kind of brightness was given, or light was divided.
    """
    source = curve.source
    named = choice.flux_kind or choice.comparison_flux
    if source is None or named or source.flux_column in {"", f"Source-Sky_{choice.target}"}:
        return
    good = np.isfinite(curve.flux) & np.isfinite(curve.bjd_tdb) & (curve.flags & int(NO_POINT) == 0)
    time, flux = curve.bjd_tdb[good], curve.flux[good]
    shape = dip_shape(planet, time) if len(time) else np.zeros(0)
    if min((shape > 0.5).sum(), (shape <= 0.5).sum()) < FEWEST:
        return
    rise, error = _rise(time, flux, shape)
    share = rise / planet.rp_over_rs**2
    if rise > RISE_SIGMA * error and RISE_SHARE[0] < share < RISE_SHARE[1]:
        msg = (
            f"{source.flux_column} rises by {100 * rise:.2g} % where the transit of {planet.name} "
            f"should make it fall by {100 * planet.rp_over_rs**2:.2g} %: magnitudes? "
            "--flux-kind says it, mag or flux (in Python: flux_kind=)"
        )
        raise InputError(msg, file=source.table)


def _rise(time: np.ndarray, flux: np.ndarray, shape: np.ndarray) -> tuple[float, float]:
    """Fit the shape of a transit, upside down, beside a slope: its height and error."""
    hours = (time - time.mean()) / max(float(np.ptp(time)), 1e-9)
    matrix = np.column_stack([shape, np.ones_like(hours), hours])
    found, *_ = np.linalg.lstsq(matrix, flux, rcond=None)
    noise = robust_scatter(flux - matrix @ found)
    return float(found[0]), float(noise * np.sqrt(np.linalg.pinv(matrix.T @ matrix)[0, 0]))
