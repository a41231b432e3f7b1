"""A transit by plain least squares in milliseconds, for trying choices out.

The same mathematics stands in ``report/page/assets/transit.js``, where a page works it out again
when a star, an aperture or a point is clicked: each is the other's test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.covariates import standardise
from lightcurve.core.data import Dilution, LightCurve, Planet
from lightcurve.core.flags import NO_POINT
from lightcurve.transit.discs import occult
from lightcurve.transit.ephemeris import impact_parameter
from lightcurve.transit.fit import diluted_as
from lightcurve.transit.limb_darkening import from_kipping
from lightcurve.transit.model import supersample_factor
from lightcurve.transit.orbit import projected_distance
from lightcurve.transit.problem import MAX_RP, make_priors
from lightcurve.transit.trend import says_something

__all__ = ["QuickFit", "curve_time", "predicted_shape", "quick_fit", "share_of_target"]

SCAN = 40  # mid-times tried first, over all that it may have
LEAST_RP = 1e-4
DEPENDENT = 1e-6  # of a column's length that other columns leave of it: it tells nothing new
MAX_ROUNDS, MAX_HALVINGS = 60, 30
CONVERGED, NEAR_ENOUGH = 1e-10, 1e-3  # errors of mid-time and radius together
ROUNDING = 1e-12  # of chi2
FAR = 0.1  # errors
FINE = 400
OF_TRANSIT = 2  # parameters


@dataclass(frozen=True, slots=True)
class Shape:
    """A transit whose mid-time and Rp/R* are looked for; the rest is known.

    Attributes
    ----------
    rp_over_rs : float
        Where the search begins.
    mid, window_days : float
        The predicted mid-time, BJD_TDB, and how far from it the program's own fit would look.
    u1, u2 : float
        Quadratic limb darkening expected of star and filter.
    supersample : int
        Moments of an exposure over which the model is averaged.
    """

    period_days: float
    a_over_rs: float
    inclination_deg: float
    eccentricity: float
    omega_deg: float
    rp_over_rs: float
    u1: float
    u2: float
    mid: float
    window_days: float
    exposure_days: float
    supersample: int


@dataclass(frozen=True, slots=True, eq=False)
class QuickFit:
    """Level, straight lines in covariates and a transit, fitted by least squares at white errors.

    Attributes
    ----------
    used : (n,) bool array
        Points that took part.
    trend, detrended, model, residual : (n,) float arrays
        Level and lines; the flux over them; the transit alone, 1 where there is none; and flux over
        trend and model, minus 1. NaN where flux or time are.
    fine_time, fine_flux : (m,) float arrays
        The transit at times of its own; empty where there is none.
    covariates : tuple of str
        Those that took part: constant ones, and those that others tell, do not.
    scatter : float
        Standard deviation of the residuals used.
    chi2, bic : float
        At the errors as given; chi2 + p ln n, where p counts level, lines and both of the transit.
    mid_time, mid_time_err, rp_over_rs, rp_over_rs_err, depth : float or None
        BJD_TDB; the errors are from the normal matrix, scaled so that the reduced chi2 is 1. The
        depth is the light lost at mid-transit, limb darkening included, of the star alone. None
        without a planet, or where the points do not tell a transit.
    """

    used: np.ndarray
    trend: np.ndarray
    detrended: np.ndarray
    model: np.ndarray
    residual: np.ndarray
    fine_time: np.ndarray
    fine_flux: np.ndarray
    covariates: tuple[str, ...]
    scatter: float
    chi2: float
    bic: float
    n_points: int
    mid_time: float | None = None
    mid_time_err: float | None = None
    rp_over_rs: float | None = None
    rp_over_rs_err: float | None = None
    depth: float | None = None


def quick_fit(
    light_curve: LightCurve,
    planet: Planet | None,
    covariates: Sequence[str] = (),
    *,
    exposure_s: float | None = None,
    filter_name: str | None = None,
    dilution: tuple[float, float] | None = None,
) -> QuickFit:
    """Fit a level, straight lines in covariates and, where a planet is known, its transit.

    Points with a flag of `NO_POINT`, and without time, flux or error, take no part; no other is
    left out.

    Parameters
    ----------
    covariates : sequence of str
        Names of `LightCurve.covariates`; what the curve does not have is left out.
    exposure_s, filter_name
        As for `lightcurve.transit.fit.fit_transit`.
    dilution : tuple of float, optional
        The target's share of the light and its error, as `FitSettings` has it.
    """
    time = curve_time(light_curve)
    used = (light_curve.flags & int(NO_POINT)) == 0
    used &= np.isfinite(time) & np.isfinite(light_curve.flux)
    used &= np.nan_to_num(light_curve.flux_err) > 0
    names, columns = _columns(light_curve, covariates, used)
    series = _Series(time, light_curve.flux, light_curve.flux_err, used, columns)
    transit = None
    if planet is not None:
        shape = predicted_shape(planet, light_curve.bjd_tdb, exposure_s, filter_name)
        share = share_of_target(planet, light_curve.dilution, dilution, filter_name)
        transit = None if shape is None else _Transit(shape, share)
    return _lay_out(series, names, transit)


def curve_time(light_curve: LightCurve) -> np.ndarray:
    """Pick the times of a curve, (n,): BJD_TDB, or JD_UTC where there is no other."""
    barycentric = np.isfinite(light_curve.bjd_tdb).any()
    return light_curve.bjd_tdb if barycentric else light_curve.jd_utc


def share_of_target(
    planet: Planet,
    measured: Dilution | None,
    asked: tuple[float, float] | None,
    filter_name: str | None,
) -> float:
    """Tell how much of the light is the target's, as the program's own fit takes it."""
    share = diluted_as(planet, measured, asked, filter_name)[0].dilution
    return 1.0 if share is None else share


def predicted_shape(
    planet: Planet, bjd_tdb: np.ndarray, exposure_s: float | None, filter_name: str | None
) -> Shape | None:
    """Foretell the transit nearest to times.

    bjd_tdb: (n,) float array. None where none is known, or the orbit passes the star by.
    """
    time = bjd_tdb[np.isfinite(bjd_tdb)]
    if not len(time) or impact_parameter(planet) >= 1 + planet.rp_over_rs:
        return None
    priors = make_priors(planet, time, filter_name)
    exposure_days = (exposure_s or 0.0) / DAY_S
    u1, u2 = from_kipping(*priors.centre[4:].tolist())
    return Shape(
        period_days=planet.period_days,
        a_over_rs=planet.a_over_rs,
        inclination_deg=planet.inclination_deg,
        eccentricity=planet.eccentricity,
        omega_deg=planet.omega_deg,
        rp_over_rs=planet.rp_over_rs,
        u1=u1,
        u2=u2,
        mid=float(priors.centre[0]),
        window_days=float(priors.upper[0] - priors.centre[0]),
        exposure_days=exposure_days,
        supersample=supersample_factor(planet, exposure_days),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """What is fitted: time, flux, flux_err, used, (n,) each; columns (n, k), a constant first."""

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    used: np.ndarray
    columns: np.ndarray

    def suit(self, transit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the coefficients of the columns that suit a transit, and what is left, in errors."""
        error, used = self.flux_err[self.used], self.used
        design, data = self.columns[used] * (transit / error)[:, None], self.flux[used] / error
        coefficients = np.linalg.lstsq(design, data, rcond=None)[0]
        return coefficients, data - design @ coefficients


@dataclass(frozen=True, slots=True)
class _Transit:
    """A transit of known shape in diluted light; mid-times are days from the predicted one."""

    shape: Shape
    share: float

    def light(self, time: np.ndarray, mid: float, rp: float) -> tuple[np.ndarray, ...]:
        """Flux at times (n,), BJD_TDB, averaged over the exposure, and it by mid and by rp."""
        shape = self.shape
        parts = (np.arange(shape.supersample) + 0.5) / shape.supersample - 0.5
        since = (time - shape.mid - mid)[:, None] + shape.exposure_days * parts
        z, z_by_time = projected_distance(shape, since.ravel())
        loss, by_rp, by_z = occult(z, rp, shape.u1, shape.u2)
        mean = [v.reshape(since.shape).mean(axis=1) for v in (loss, -by_z * z_by_time, by_rp)]
        return 1 - self.share * mean[0], -self.share * mean[1], -self.share * mean[2]


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """A transit tried, the coefficients that suit it best, and what is left, in errors.

    by_mid, by_rp : the step to the best one, were all straight. left : its length, in errors.
    mid_err, rp_err : at the errors of the points.
    """

    mid: float
    rp: float
    coefficients: np.ndarray
    residual: np.ndarray
    by_mid: float
    by_rp: float
    left: float
    mid_err: float
    rp_err: float

    @property
    def chi2(self) -> float:
        """Sum of the squares."""
        return float(self.residual @ self.residual)

    def after(self, other: _Trial) -> bool:
        """Say whether this is better than another."""
        nearer = self.left < other.left or other.left > FAR
        return nearer and self.chi2 <= other.chi2 * (1 + ROUNDING)

    @classmethod
    def at(cls, series: _Series, transit: _Transit, mid: float, rp: float) -> _Trial | None:
        """Try a transit; None where the points do not tell it, such as one alone in it."""
        used, error = series.used, series.flux_err[series.used]
        light = transit.light(series.time[used], mid, rp)
        coefficients, residual = series.suit(light[0])
        columns = series.columns[used]
        trend, (flux, by_mid, by_rp) = columns @ coefficients, (v / error for v in light)
        design = np.column_stack([columns * flux[:, None], trend * by_mid, trend * by_rp])
        q, r = np.linalg.qr(design)
        lengths = np.linalg.norm(design[:, -2:], axis=0)
        if np.any(np.abs(np.diag(r)[-2:]) <= DEPENDENT * lengths):
            return None
        (a, b), (_, c) = r[-2:, -2:].tolist()
        first, second = (q[:, -2:].T @ residual).tolist()
        return cls(
            mid, rp, coefficients, residual,
            by_mid=(first - b * second / c) / a, by_rp=second / c, left=math.hypot(first, second),
            mid_err=math.hypot(1 / a, b / (a * c)), rp_err=abs(1 / c),
        )  # fmt: skip


def _columns(
    light_curve: LightCurve, asked: Sequence[str], used: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Stack a constant and covariates standardised over the points used; dependent ones not."""
    names: tuple[str, ...] = ()
    columns = np.ones((len(used), 1))
    for name in asked:
        values = light_curve.covariates.get(name)
        if values is None or not used.any() or not says_something(values, used):
            continue
        more = np.column_stack([columns, standardise(values, used)])
        if used.sum() <= more.shape[1]:
            continue
        left = abs(np.linalg.qr(more[used])[1][-1, -1])
        if left > DEPENDENT * np.linalg.norm(more[used, -1]):
            columns, names = more, (*names, name)
    return names, columns


def _lay_out(series: _Series, names: tuple[str, ...], transit: _Transit | None) -> QuickFit:
    """Fit, and lay out what was found at all points."""
    used, columns, n = series.used, series.columns, int(series.used.sum())
    usable = np.isfinite(series.time) & np.isfinite(series.flux)
    model, fine_time, fine_flux = np.where(usable, 1.0, np.nan), np.zeros(0), np.zeros(0)
    found = None if transit is None else _find(series, transit)
    numbers: dict[str, float] = {}
    if transit is None or found is None:
        p = columns.shape[1]
        coefficients, left = series.suit(np.ones(n)) if n else (np.full(p, np.nan), np.zeros(0))
    else:
        best, mid_err, rp_err = found
        p, coefficients, left = columns.shape[1] + OF_TRANSIT, best.coefficients, best.residual
        moment = _Transit(replace(transit.shape, exposure_days=0.0, supersample=1), 1.0)
        mid = transit.shape.mid + best.mid
        model[usable] = transit.light(series.time[usable], best.mid, best.rp)[0]
        fine_time = np.linspace(np.nanmin(series.time), np.nanmax(series.time), FINE)
        fine_flux = transit.light(fine_time, best.mid, best.rp)[0]
        depth = 1 - float(moment.light(np.array([mid]), best.mid, best.rp)[0][0])
        numbers = {"mid_time": mid, "mid_time_err": mid_err, "rp_over_rs": best.rp}
        numbers |= {"rp_over_rs_err": rp_err, "depth": depth}
    trend = np.where(usable, columns @ coefficients, np.nan)
    residual = series.flux / (trend * model) - 1
    chi2 = float(left @ left) if n else math.nan
    return QuickFit(
        used=used,
        trend=trend,
        detrended=series.flux / trend,
        model=model,
        residual=residual,
        fine_time=fine_time,
        fine_flux=fine_flux,
        covariates=names,
        scatter=float(np.std(residual[used])) if n else math.nan,
        chi2=chi2,
        bic=chi2 + p * math.log(n) if n else math.nan,
        n_points=n,
        **numbers,
    )


def _find(series: _Series, transit: _Transit) -> tuple[_Trial, float, float] | None:
    """Find the best transit by Gauss and Newton, from the best of a scan, and its errors.

    Level and lines are solved for at every step. A step is halved that makes things worse, and near
    the end one after which more is left to go: where a contact falls on a point, chi2 bends. None
    where the points do not tell it: mid-time and size within the bounds, and better than these.
    """
    shape, time = transit.shape, series.time[series.used]
    freedom = len(time) - series.columns.shape[1] - OF_TRANSIT
    if freedom < 1:
        return None
    here = _Trial.at(series, transit, _scan(series, transit), shape.rp_over_rs)
    for _ in range(MAX_ROUNDS):
        if here is None or here.left < CONVERGED:
            break
        steps = ((here.by_mid * 0.5**k, here.by_rp * 0.5**k) for k in range(MAX_HALVINGS))
        trials = (
            _Trial.at(series, transit, here.mid + by_mid, here.rp + by_rp)
            for by_mid, by_rp in steps
            if abs(here.mid + by_mid) < shape.window_days and LEAST_RP < here.rp + by_rp < MAX_RP
        )
        better = next((trial for trial in trials if trial is None or trial.after(here)), here)
        if better is here:
            break
        here = better
    if here is None:
        return None
    scale = math.sqrt(here.chi2 / freedom)
    mid_err, rp_err = scale * here.mid_err, scale * here.rp_err
    told = here.left < NEAR_ENOUGH and mid_err < shape.window_days and rp_err < here.rp
    return (here, mid_err, rp_err) if told else None


def _scan(series: _Series, transit: _Transit) -> float:
    """Find the mid-time, of those that a transit may have, that suits best: the first guess."""
    error, used = series.flux_err[series.used], series.used
    mids, light = _candidates(transit, series.time[np.isfinite(series.time)].tobytes())
    light = light[:, used[np.isfinite(series.time)]] / error
    data = series.flux[used] / error
    # All at once: what is left is the data without their shadow on the columns.
    basis = np.linalg.qr(series.columns[used] * light[..., None])[0]
    left = data - (basis @ (data @ basis)[..., None])[..., 0]
    return float(mids[np.argmin((left**2).sum(axis=1))])


@lru_cache(maxsize=8)
def _candidates(transit: _Transit, time: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Mid-times to be tried, (m,), and the light at times (n,), their bytes, of each: (m, n).

    Fits of one night have the times in common, and the planet.
    """
    shape, moments = transit.shape, np.frombuffer(time)
    window = shape.window_days
    mids = np.array([0.0, *(window * ((2 * k + 1) / SCAN - 1) for k in range(SCAN))])
    quick = _Transit(replace(shape, supersample=1), transit.share)
    since = (moments - mids[:, None]).ravel()
    light = quick.light(since, 0.0, shape.rp_over_rs)[0]
    return mids, light.reshape(len(mids), len(moments))
