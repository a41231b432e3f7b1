"""The transit fit: trend and transit together, least squares first, then sampling."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import About, Dilution, LightCurve, Note, Planet, Severity, TransitFit
from lightcurve.core.errors import FitError
from lightcurve.core.flags import Flag
from lightcurve.core.settings import FitSettings
from lightcurve.transit.ephemeris import Prediction, predict_transit
from lightcurve.transit.model import NAMES, TransitModel
from lightcurve.transit.quality import (
    coverage,
    dip_notes,
    judge,
    red_noise_factor,
    residual_tests,
    summarise,
    timing_notes,
)
from lightcurve.transit.red_noise import RedNoise
from lightcurve.transit.sample import Posterior, draw_normal, sample_posterior
from lightcurve.transit.solve import (
    Points,
    Solution,
    covariance,
    find_wild,
    gain_of_transit,
    influences,
    solve_points,
    widen,
)
from lightcurve.transit.trend import Trend

__all__ = ["fit_transit"]

log = logging.getLogger(__name__)
LEFT_OUT = (
    Flag.EDGE | Flag.SATURATED | Flag.NEGATIVE_FLUX | Flag.CLOUD | Flag.OUTLIER | Flag.NOT_MEASURED
)
MIN_POINTS = 12
UNDILUTED = 0.998  # a depth 0.2 % too small is no error that a night could show
CHANGING = 0.002  # of the light, from frame to frame: the size of a shallow transit
NO_EXPOSURE = "exposure not known: the model is not averaged over it"


def fit_transit(
    light_curve: LightCurve,
    planet: Planet,
    *,
    exposure_s: float | None,
    filter_name: str | None = None,
    settings: FitSettings | None = None,
    rng: np.random.Generator | None = None,
) -> TransitFit:
    """Fit a transit and a linear trend to a light curve, as `fit_points` does.

    Parameters
    ----------
    light_curve : LightCurve
        Points flagged as cloud, outlier, saturated, at the edge or not measured take no part.
    exposure_s : float or None
        The model is averaged over it; where it is not known it is not, and a note says so.
    filter_name : str, optional
        For the limb darkening; the names of `Exposure.filter`.
    settings : FitSettings, optional
        Detrending and sampling; by default as in a run.
    rng : numpy.random.Generator, optional
        For the sampling; seed 1 by default.

    Raises
    ------
    FitError
        As `fit_points`.
    """
    good = (light_curve.flags & int(LEFT_OUT)) == 0
    planet = diluted(planet, light_curve.dilution)
    points = Points(
        time=light_curve.bjd_tdb,
        flux=light_curve.flux,
        flux_err=np.where(good, light_curve.flux_err, np.nan),
        exposure_s=exposure_s or 0.0,
        covariates=light_curve.covariates,
        filter_name=filter_name,
    )
    fit = fit_points(points, planet, settings=settings, rng=rng)
    fit = replace(fit, notes=(*fit.notes, *_dilution_notes(planet, light_curve.dilution)))
    if exposure_s is not None:
        return fit
    log.warning("%s", NO_EXPOSURE)
    return replace(fit, notes=(*fit.notes, Note(NO_EXPOSURE, Severity.WARNING)))


def diluted(planet: Planet, measured: Dilution | None) -> Planet:
    """Let a planet's light be diluted as was measured; what its file says comes first."""
    if planet.dilution is not None or measured is None or measured.value >= UNDILUTED:
        return planet
    errors = {**planet.errors, "dilution": measured.err}
    return replace(planet, dilution=measured.value, errors=errors)


def _dilution_notes(planet: Planet, measured: Dilution | None) -> tuple[Note, ...]:
    """Say how much of the light is the target's, who says so, and what it means."""
    share = planet.dilution
    if share is None:
        return ()
    err = planet.errors.get("dilution", 0.0)
    given = measured is None or share != measured.value
    source = f"of {planet.source}" if given or measured is None else measured.source
    text = (
        f"other stars' light in the aperture: {100 * share:.1f} +- {100 * err:.1f} % is the "
        f"target's ({source}); depth and Rp/R* are corrected for it, and given uncorrected too"
    )
    if measured is not None and not given and measured.change > CHANGING:
        text += f"; it changes by {100 * measured.change:.1f} % with the seeing"
    log.warning("%s", text)
    return (Note(text, Severity.WARNING, About.DILUTION),)


def fit_points(
    points: Points,
    planet: Planet,
    *,
    settings: FitSettings | None = None,
    rng: np.random.Generator | None = None,
) -> TransitFit:
    """Fit a transit and a linear trend to plain arrays.

    `model`, `trend` and `residuals` (flux over the product of both, minus 1) run over all points;
    they are NaN where time or flux are. Raises FitError with fewer than 12 usable points, or a
    forced covariate that is not there.

    Errors are scaled so that the best fit has a reduced chi2 of 1. Where the residuals wander,
    the wander's covariance takes part in the fit; where that cannot be told from white noise, the
    errors are widened by the time-averaging factor beta. ``delta_bic_no_transit`` and the
    posterior are at those errors; ``chi2`` and ``bic`` are at the errors as given.
    A point more than five robust standard deviations off the first fit is left out.
    """
    settings = settings or FitSettings()
    rng = np.random.default_rng(1) if rng is None else rng
    best, offered, red, used = _solve_without_wild(points, planet, settings)
    time, residuals = best.problem.time, best.problem.plain_residuals(best.theta)
    beta = red_noise_factor(time, residuals)
    if red is None:  # Red noise that has been modelled is in the errors already.
        best = widen(best, beta)
    posterior = _posterior(best, settings, rng)
    prediction = predict_transit(planet, float(np.mean(time)))
    parameters = summarise(posterior.samples, planet, prediction)
    mid, duration = (parameters[k].value for k in ("mid_time_bjd_tdb", "duration_days"))
    cover = coverage(time, mid, duration)
    depth = parameters["radius_ratio_squared_percent"]
    depth_sigma = 2 * depth.value / (depth.upper - depth.lower)
    delta_bic = gain_of_transit(best)
    model, trend = _predict(points, planet, best, offered)
    left = points.flux / (model * trend) - 1
    statistics = {
        "n_points": float(used.sum()),
        "n_left_out": float(len(used) - used.sum()),
        "residual_scatter_percent": 100 * float(np.std(left[used])),
        **_goodness(best, residuals),
        "delta_bic_no_transit": delta_bic,
        "beta": beta,
        **_red_noise_numbers(red),
        **_prediction_numbers(prediction),
        "supersample": float(best.problem.model.supersample),
        **residual_tests(residuals / best.problem.flux_err),
        **cover,
        **posterior.diagnostics(),
    }
    verdict = judge(delta_bic, depth_sigma, cover, prediction, time)
    timing = timing_notes(verdict, parameters["o_minus_c_minutes"], prediction)
    timing += dip_notes(verdict, time, left[used], prediction.duration)
    timing += tuple(_constant(name) for name in offered.left_out)
    for note in timing:
        log.warning("%s", note)
    told = (*best.problem.priors.notes, _trend_note(offered, settings), _noise_note(red, beta))
    return TransitFit(
        parameters=parameters,
        model=model,
        trend=trend,
        residuals=left,
        used=used,
        statistics=statistics,
        covariates=offered.names,
        influences=influences(best, offered),
        verdict=verdict,
        samples=posterior.samples,
        sample_names=NAMES,
        notes=(*timing, *map(Note, (*told, posterior.note()))),
    )


def _solve_without_wild(
    points: Points, planet: Planet, settings: FitSettings
) -> tuple[Solution, Trend, RedNoise | None, np.ndarray]:
    """Solve, leave wild points out and solve again, twice at most; the points used come last."""
    used = _usable(points)
    solved = solve_points(points, planet, settings, used)
    for _ in range(2):
        wild = find_wild(solved[0], used)
        if not wild.any():
            break
        used = used & ~wild
        solved = solve_points(points, planet, settings, used)
    return (*solved, used)


def _posterior(best: Solution, settings: FitSettings, rng: np.random.Generator) -> Posterior:
    draw = sample_posterior if settings.sample else draw_normal
    return draw(
        best.problem,
        best.theta,
        covariance(best),
        rng=rng,
        max_steps=settings.max_steps,
    )


def _red_noise_numbers(red: RedNoise | None) -> dict[str, float]:
    return {
        "red_noise_probability": float("nan") if red is None else red.probability,
        "red_noise_over_white": 0.0 if red is None else red.amplitude,
        "red_noise_minutes": float("nan") if red is None else red.time_days * 1440,
    }


def _prediction_numbers(prediction: Prediction) -> dict[str, float]:
    return {
        "epoch": float(prediction.epoch),
        "predicted_mid_bjd_tdb": prediction.mid,
        "prediction_error_minutes": prediction.mid_err * 1440,
    }


def _usable(points: Points) -> np.ndarray:
    used = np.isfinite(points.time) & np.isfinite(points.flux) & np.isfinite(points.flux_err)
    used &= np.nan_to_num(points.flux_err) > 0
    moments = len(np.unique(points.time[used]))
    if moments < MIN_POINTS:
        msg = (
            f"{used.sum()} usable points of {len(used)}, at {moments} different times; a transit "
            f"fit needs {MIN_POINTS}: look at the flags and the times of the light curve"
        )
        raise FitError(msg)
    return used


def _goodness(solution: Solution, residuals: np.ndarray) -> dict[str, float]:
    """chi2 and BIC of the plain residuals at the errors as given."""
    chi2 = float(np.sum((residuals / solution.problem.flux_err) ** 2))
    size = len(residuals)
    return {
        "chi2": chi2,
        "reduced_chi2": chi2 / max(1, size - solution.n_parameters),
        "bic": chi2 + solution.penalty + solution.n_parameters * float(np.log(size)),
    }


def _predict(
    points: Points, planet: Planet, solution: Solution, offered: Trend
) -> tuple[np.ndarray, np.ndarray]:
    """Transit and trend at all points, used or not."""
    finite = np.isfinite(points.time)
    model = np.full(len(points.time), np.nan)
    whole = TransitModel(points.time[finite], planet, points.exposure_s / DAY_S)
    model[finite] = whole(solution.theta)
    level, coefficients, _ = solution.problem.detrend(solution.theta)
    return model, level + offered.columns @ coefficients


def _trend_note(offered: Trend, settings: FitSettings) -> str:
    names = ", ".join(offered.names) or "none"
    if settings.covariates is not None:
        return f"detrended by {names}, as asked"
    return f"marginalised over trends in {names}, as large as physics allows"


def _constant(name: str) -> Note:
    text = f"covariate {name} left out: constant, or missing in more than a tenth of the points"
    return Note(text, Severity.WARNING, subject=name)


def _noise_note(red: RedNoise | None, beta: float) -> str:
    if red is None:
        return f"no red noise told from white: errors widened by beta = {beta:.2f}"
    return (
        f"red noise of {red.amplitude:.2f} times the white with a memory of "
        f"{red.time_days * 1440:.0f} min takes part in the fit (probability "
        f"{100 * red.probability:.0f} %)"
    )
