"""The transit fit: trend and transit together, least squares first, then sampling."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import About, Dilution, LightCurve, Note, Planet, Severity, TransitFit
from lightcurve.core.errors import FitError
from lightcurve.core.flags import NO_POINT
from lightcurve.core.settings import FitSettings
from lightcurve.transit.bins import make_bins
from lightcurve.transit.detect import Dip, Search, make_search, predicted_shape
from lightcurve.transit.ephemeris import Prediction, impact_parameter, predict_transit
from lightcurve.transit.judge import (
    FALSE_ALARM,
    Evidence,
    dip_notes,
    judge,
    seen_of,
    time_of,
    timing_notes,
)
from lightcurve.transit.model import NAMES
from lightcurve.transit.quality import (
    coverage,
    fold_about,
    red_noise_factor,
    residual_tests,
    summarise,
)
from lightcurve.transit.red_noise import RedNoise
from lightcurve.transit.sample import Posterior, draw_normal, sample_orbit
from lightcurve.transit.solve import (
    Points,
    Solution,
    covariance,
    find_wild,
    flat_problem,
    gain_of_transit,
    influences,
    predict,
    solve_points,
    widen,
)
from lightcurve.transit.trend import Trend

__all__ = ["fit_transit", "solve_curve"]

log = logging.getLogger(__name__)
MIN_POINTS = 12
NO_NOISE = 1e-12  # of the light: rounding of numbers alone
UNDILUTED = 0.998  # a depth 0.2 % too small is no error that a night could show
CHANGING = 0.002  # of the light, from frame to frame: the size of a shallow transit
NOT_SAMPLED = FitSettings(sample=False)
WORTH_A_LOOK = 2.5  # sigma of a dip; noise alone makes one of two somewhere in most nights
CONTACT_TIMES = ("mid_time_bjd_tdb", "duration_days", "ingress_duration_days")
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
        Points with a flag of `NO_POINT` take no part.
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
    return solve_curve(
        light_curve, planet, exposure_s=exposure_s, filter_name=filter_name, settings=settings,
        rng=rng,
    )[0]  # fmt: skip


def solve_curve(
    light_curve: LightCurve,
    planet: Planet,
    *,
    exposure_s: float | None,
    filter_name: str | None = None,
    settings: FitSettings | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[TransitFit, Solution]:
    """Fit as `fit_transit`, and keep what was solved: the points with their noise, and its answer.

    Raises FitError as `fit_points`.
    """
    good = (light_curve.flags & int(NO_POINT)) == 0
    asked = None if settings is None else settings.dilution
    planet, measured = diluted_as(planet, light_curve.dilution, asked, filter_name)
    points = Points(
        time=light_curve.bjd_tdb,
        flux=light_curve.flux,
        flux_err=np.where(good, light_curve.flux_err, np.nan),
        exposure_s=exposure_s or 0.0,
        covariates=light_curve.covariates,
        filter_name=filter_name,
        stars=light_curve.stars,
    )
    fit, best = solve_and_judge(points, planet, settings=settings, rng=rng)
    fit = replace(fit, notes=(*fit.notes, *_dilution_notes(planet, measured, filter_name)))
    if exposure_s is not None:
        return fit, best
    log.warning("%s", NO_EXPOSURE)
    return replace(fit, notes=(*fit.notes, Note(NO_EXPOSURE, Severity.WARNING))), best


def diluted_as(
    planet: Planet,
    measured: Dilution | None,
    asked: tuple[float, float] | None,
    filter_name: str | None,
) -> tuple[Planet, Dilution | None]:
    """Let a planet's light be diluted as was asked, or else as `diluted` has it; and by what."""
    planet = planet.seen_in(filter_name)
    if asked is not None:
        planet, measured = replace(planet, dilution=None), Dilution(*asked, "as given")
    return diluted(planet, measured), measured


def diluted(planet: Planet, measured: Dilution | None) -> Planet:
    """Let a planet's light be diluted as was measured; what its file says comes first."""
    if planet.dilution is not None or measured is None or measured.value >= UNDILUTED:
        return planet
    errors = {**planet.errors, "dilution": measured.err}
    return replace(planet, dilution=measured.value, errors=errors)


def _dilution_notes(
    planet: Planet, measured: Dilution | None, filter_name: str | None
) -> tuple[Note, ...]:
    """Say how much of the light is the target's, who says so, and what it means."""
    share = planet.dilution
    if share is None and planet.dilutions:
        text = (
            f"other stars' light is not taken off: {planet.source} tells it in "
            f"{', '.join(planet.dilutions)}, and not in {filter_name or 'a filter not known'}"
        )
        log.warning("%s", text)
        return (Note(text, Severity.WARNING, About.DILUTION),)
    if share is None:
        return ()
    err = planet.errors.get("dilution", 0.0)
    given = measured is None or share != measured.value
    source = f"of {planet.source}" if given or measured is None else measured.source
    text = (
        f"other stars' light in the aperture: {100 * share:.1f} +- {100 * err:.1f} % is the "
        f"target's ({source}); depth and Rp/R* are corrected for it, and given uncorrected too"
    )
    if measured is not None and given and measured.value < UNDILUTED:
        text += f"; the {100 * measured.value:.1f} % of {measured.source} are left aside"
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
    return solve_and_judge(points, planet, settings=settings, rng=rng)[0]


def solve_and_judge(
    points: Points,
    planet: Planet,
    *,
    settings: FitSettings | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[TransitFit, Solution]:
    """Fit as `fit_points`, and keep the solution."""
    settings = settings or FitSettings()
    rng = np.random.default_rng(1) if rng is None else rng
    _check_geometry(planet)
    here = _examine(points, planet, settings)
    prediction, near = here.prediction, here.near
    there = None if near.chance < FALSE_ALARM else _examine_elsewhere(here, points, settings)
    tests = _test(here, near, there)
    night = there if there is not None and tests.is_elsewhere else here
    best, time = night.best, night.time
    found = tests.is_near or tests.is_elsewhere
    posterior = _posterior(best, settings if found else NOT_SAMPLED, rng)
    parameters = summarise(posterior.samples, planet, prediction)
    contacts = prediction.mid, prediction.duration, prediction.ingress_duration
    shown = [parameters[k].value for k in CONTACT_TIMES] if found else contacts
    cover = coverage(fold_about(time, shown[0], planet.period_days), *shown)
    timing = time_of(parameters["o_minus_c_minutes"], prediction)
    verdict = judge(tests, timing, cover, time)
    model, trend = predict(points, best, night.trend, found=found)
    left = points.flux / (model * trend) - 1
    statistics = {
        **_goodness(night, points, model * trend),
        **_prediction_numbers(prediction),
        **tests.numbers(),
        **cover,
        **posterior.diagnostics(),
    }
    warned = (
        *(note for note in planet.notes if note.severity is Severity.WARNING),
        *timing_notes(verdict, timing),
        *dip_notes(tests),
        *_repeated(points.time[night.used]),
        *map(_constant, night.trend.left_out),
    )
    for note in warned:
        log.warning("%s", note)
    told = (
        *best.problem.priors.notes,
        _trend_note(night.trend, settings),
        _noise_note(night.red, night.beta),
        *_bins_note(night),
        posterior.note() if found else "no transit found: nothing sampled",
    )
    fit = TransitFit(
        parameters=parameters if found else {},
        model=model,
        trend=trend,
        residuals=left,
        used=night.used,
        statistics=statistics,
        covariates=night.trend.names,
        influences=influences(best, night.trend) if found else (),
        verdict=verdict,
        samples=posterior.samples if found else None,
        sample_names=NAMES if found else (),
        notes=(*warned, *map(Note, told)),
        unproven={} if found else parameters,
        solution=_solution(best) if found else {},
    )
    return fit, best


def _solution(best: Solution) -> dict[str, float]:
    """List what the likeliest transit is drawn with."""
    share = best.problem.model.planet.dilution
    other = {} if share is None else {"dilution": share}
    return dict(zip(NAMES, best.theta.tolist(), strict=True)) | other


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """A night solved with its best transit near a prediction, and searched for any."""

    best: Solution
    trend: Trend  # at all points
    red: RedNoise | None
    beta: float
    used: np.ndarray
    search: Search

    @property
    def time(self) -> np.ndarray:
        """BJD_TDB of the points used."""
        return self.best.problem.time

    @property
    def prediction(self) -> Prediction:
        """The transit looked for."""
        return predict_transit(self.best.problem.model.planet, float(np.mean(self.time)))

    @property
    def near(self) -> Dip:
        """The likeliest dip where the fit may have its mid-time."""
        priors = self.best.problem.priors
        return self.search.near(self.prediction, priors.lower[0], priors.upper[0])

    @property
    def anywhere(self) -> Dip:
        """The likeliest dip of the night."""
        return self.search.best(self.search.time[0], self.search.time[-1])


def _examine(points: Points, planet: Planet, settings: FitSettings) -> Examined:
    """Solve a night, and get the search for transits ready."""
    best, trend, red, used = _solve_without_wild(points, planet, settings)
    problem = best.problem
    beta = red_noise_factor(problem.time, problem.plain_residuals(best.theta))
    if red is None:  # Red noise that has been modelled is in the errors already.
        best = widen(best, beta)
    return Examined(best, trend, red, beta, used, _search(best, points, used))


def _search(best: Solution, points: Points, used: np.ndarray) -> Search:
    """Get the search for transits ready; raises FitError where the points have no noise."""
    problem, flat = best.problem, flat_problem(best)
    level = problem.solve(problem.model(best.theta))[0]
    residuals = problem.plain_residuals(best.theta) / problem.flux_err
    if not np.std(residuals * problem.flux_err) > NO_NOISE * level:
        msg = f"{len(residuals)} points have one flux, without noise: rounded, or not measured"
        raise FitError(msg)
    planet, stars = problem.model.planet, points.stars
    bins = make_bins(points.time[used], points.flux_err[used], points.exposure_s, planet)
    return make_search(
        problem.time,
        problem.flux / level,
        problem.flux_err * np.std(residuals) / level,
        held=flat.noise.trend * problem.noise.width / level,
        shape=predicted_shape(planet, problem.priors, points.exposure_s),
        stars=None if stars is None else bins.stars(stars.at(used)),
    )


def _examine_elsewhere(here: Examined, points: Points, settings: FitSettings) -> Examined | None:
    """Solve a night again about its likeliest dip, where that is none of the predicted time."""
    priors, dip = here.best.problem.priors, here.anywhere
    if not dip.sigma > WORTH_A_LOOK or priors.lower[0] <= dip.mid <= priors.upper[0]:
        return None
    planet = here.best.problem.model.planet
    errors = {k: e for k, e in planet.errors.items() if k not in {"t0_bjd_tdb", "period_days"}}
    return _examine(points, replace(planet, t0_bjd_tdb=dip.mid, errors=errors), settings)


def _test(here: Examined, near: Dip, there: Examined | None) -> Evidence:
    """Put together what the night says of the predicted transit."""
    prediction = here.prediction
    limit, excluded = here.search.exclude(prediction)
    return Evidence(
        prediction,
        near,
        None if there is None else there.anywhere,
        gain=gain_of_transit(here.best),
        limit=limit,
        excluded=excluded,
        depth=here.search.shape.depth,
        seen=seen_of(prediction, here.time),
    )


def _check_geometry(planet: Planet) -> None:
    """Refuse an orbit that passes the star by, or into it: nothing can be predicted of it."""
    nearest = planet.a_over_rs * (1 - planet.eccentricity)
    if nearest <= 1:
        msg = (
            f"{planet.name}: a_over_rs {planet.a_over_rs:g} with eccentricity "
            f"{planet.eccentricity:g} takes it {nearest:.2f} R* near, into its star; check both of "
            f"{planet.source or 'the planet'}"
        )
        raise FitError(msg)
    b, rp = impact_parameter(planet), planet.rp_over_rs
    if b < 1 + rp:
        return
    msg = (
        f"{planet.name}: impact parameter {b:.3f}, not below 1 + Rp/R* = {1 + rp:.3f}: this orbit "
        f"does not transit; check inclination_deg {planet.inclination_deg:g}, a_over_rs "
        f"{planet.a_over_rs:g}, eccentricity and omega_deg of {planet.source or 'the planet'}"
    )
    raise FitError(msg)


def _repeated(time: np.ndarray) -> tuple[Note, ...]:
    """Remark on times that several points share."""
    again = len(time) - len(np.unique(time))
    if not again:
        return ()
    text = (
        f"{again} of {len(time)} points have the time of another: is a table joined twice, or are "
        "its times cut to too few decimals?"
    )
    return (Note(text, Severity.WARNING, About.COARSE_TIMES),)


def _solve_without_wild(
    points: Points, planet: Planet, settings: FitSettings
) -> tuple[Solution, Trend, RedNoise | None, np.ndarray]:
    """Solve, leave wild points out and solve again, twice at most; the points used come last."""
    used = _usable(points)
    solved = solve_points(points, planet, settings, used)
    for _ in range(2):
        told = np.prod(predict(points, *solved[:2]), axis=0)
        wild = find_wild(points.time, _off(points, told), used)
        if not wild.any():
            break
        used = used & ~wild
        solved = solve_points(points, planet, settings, used)
    return (*solved, used)


def _off(points: Points, told: np.ndarray) -> np.ndarray:
    """How far points are from what is told of them, in errors, (n,); NaN without an error."""
    return (points.flux - told) / np.where(points.flux_err > 0, points.flux_err, np.nan)


def _posterior(best: Solution, settings: FitSettings, rng: np.random.Generator) -> Posterior:
    draw = sample_orbit if settings.sample else draw_normal
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
        "red_noise_stars": 0.0 if red is None else float(red.n_stars),
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
    moments, good, total = len(np.unique(points.time[used])), int(used.sum()), len(used)
    if moments < MIN_POINTS:
        told = f"{good} usable points of {total}"
        if moments < good:
            told += f", at {moments} different times: look at its times"
        elif good < total:
            told += ": look at its flags and errors"
        msg = f"{told}; a transit fit needs {MIN_POINTS} points of a light curve"
        raise FitError(msg)
    return used


def _goodness(night: Examined, points: Points, told: np.ndarray) -> dict[str, float]:
    """Say how well the fit does; told: (n,), what it has for each point."""
    best, used, flux = night.best, night.used, points.flux
    size, dipped = int(used.sum()), np.prod(predict(points, best, night.trend), axis=0)
    chi2 = float(np.sum(_off(points, dipped)[used] ** 2))
    return {
        "n_points": float(size),
        "n_left_out": float(len(used) - size),
        "residual_scatter_percent": 100 * float(np.std((flux / told - 1)[used])),
        "chi2": chi2,
        "reduced_chi2": chi2 / max(1, size - best.n_parameters),
        "bic": chi2 + best.penalty + best.n_parameters * float(np.log(size)),
        "delta_bic_no_transit": gain_of_transit(best),
        "beta": night.beta,
        **_red_noise_numbers(night.red),
        "supersample": float(best.problem.model.supersample),
        **residual_tests(_off(points, told)[used]),
    }


def _trend_note(offered: Trend, settings: FitSettings) -> str:
    names = ", ".join(offered.names) or "none"
    if settings.covariates is not None:
        return f"detrended by {names}, as asked"
    return f"marginalised over trends in {names}, as large as physics allows"


def _bins_note(night: Examined) -> tuple[str, ...]:
    n, bins = int(night.used.sum()), len(night.time)
    text = f"{n} points fitted as {bins} means, the model averaged over the same stretches of time"
    return (text,) if bins < n else ()


def _constant(name: str) -> Note:
    text = f"covariate {name} left out: constant, or missing in more than a tenth of the points"
    return Note(text, Severity.WARNING, subject=name)


def _noise_note(red: RedNoise | None, beta: float) -> str:
    if red is None:
        return f"no red noise told from white: errors widened by beta = {beta:.2f}"
    beforehand = f"as {red.n_stars} other stars show it" if red.n_stars else "of any strength"
    return (
        f"red noise, beforehand {beforehand}: {red.amplitude:.2f} times the white with a memory of "
        f"{red.time_days * 1440:.0f} min takes part in the fit (probability by the target alone "
        f"{100 * red.probability:.0f} %)"
    )
