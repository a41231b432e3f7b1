"""Aperture and comparison stars, chosen together by the expected error of what is wanted.

Every aperture is tried with all comparison stars, and with fewer where that is quieter beyond luck.
The check star has no vote. Frames and points that deserve a flag get it, and nothing is removed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.covariates import COVARIATES, OTHER_LIGHT, SLOW, covariates_of
from lightcurve.core.data import (
    Aperture,
    CheckVerdict,
    Criterion,
    CurveRecipe,
    Dilution,
    LightCurve,
    Measurements,
    StarCurves,
    StarRole,
    Style,
)
from lightcurve.core.errors import FitError
from lightcurve.core.flags import UNUSABLE, Flag, count_flags
from lightcurve.core.quantities import beside_curve, columns_of
from lightcurve.core.robust import MAD_TO_SIGMA
from lightcurve.core.settings import Settings
from lightcurve.curve.aperture import Slice, frame_radius, list_apertures, take_aperture
from lightcurve.curve.blend import Blend
from lightcurve.curve.candidates import Candidates, cover, pick_candidates, take_present
from lightcurve.curve.check import judge_check, measure_drift
from lightcurve.curve.detrend import column_median, design_matrix
from lightcurve.curve.ensemble import Ensemble, build_ensemble, relative_flux, take_members
from lightcurve.curve.outliers import mark_outliers
from lightcurve.curve.response import measure_response
from lightcurve.curve.worth import Question, ask, is_quieter, measure_wander

__all__ = ["MIN_POINTS", "choose_curve", "star_curves"]

MIN_WITNESSES = 3  # comparison stars in a frame, to show that they agree
PATCHY_SIGMA = 2.0  # their scatter in one frame over their errors: chance alone gives 1 +- 0.5
NO_OTHERS = 1e-6  # share of all others
CLOUD_FRACTION = 0.6  # of the light expected at that airmass
CONSIDERED = 2  # times as many comparison stars as are used at most: fainter ones weigh less
LADDER = (1, 2, 3, 4, 6, 8, 11, 15, 20, 30, 50, 100)
MIN_POINTS = 5  # good measurements of the target, for a light curve at all
MIN_OUTSIDE = 10  # outside the predicted transit, for a scatter to be measured there
MIN_LEVEL = 3  # points outside the transit whose median is taken for 1
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Option:
    """One aperture with one set of comparison stars.

    error : expected, of what the user wants, at the depth that other stars' light leaves.
    scatter : of the target.
    """

    aperture: Aperture
    members: tuple[int, ...]  # rows of the plan
    error: float
    scatter: float


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What every option is tried on."""

    measurements: Measurements
    settings: Settings
    candidates: Candidates
    question: Question
    # (n_frame,) bool, frames outside the predicted transit; None where none is predicted
    outside: np.ndarray | None
    blend: Blend | None = None

    def dilution(self, radius: np.ndarray) -> Dilution | None:
        """Tell the target's share of the light in an aperture of radius (n_frame,), pixels."""
        return None if self.blend is None else self.blend.share(radius)


def choose_curve(
    measurements: Measurements,
    settings: Settings,
    *,
    in_transit: np.ndarray | None = None,
    dip: np.ndarray | None = None,
    blend: Blend | None = None,
) -> LightCurve:
    """Choose aperture, comparison stars and check star, and form the light curve with its recipe.

    Parameters
    ----------
    measurements : Measurements
        Row 0 of its plan is the target; the rows with role ``"comparison"`` are candidates.
    settings : Settings
        ``stars`` says how many comparisons and how they are weighted. The telescope's diameter and
        the height of its site, for the scintillation, are these or else the header's.
    in_transit : (n_frame,) bool array, optional
        True where a transit is predicted, with its uncertainty. Without it the target counts by
        the differences of neighbouring points.
    dip : (n_frame,) float array, optional
        Shape of the predicted transit, 0 outside and 1 at its deepest: with it the errors of depth
        and mid-time decide, without it that of the level.
    blend : Blend, optional
        The target and the stars near it: an aperture counts by how much of a depth it leaves.

    Raises
    ------
    FitError
        When no comparison star, or no good measurement of the target, is left.
    """
    apertures = list_apertures(measurements, follow_seeing=settings.apertures.style != Style.AIJ)
    design = baseline_of(measurements)
    candidates = pick_candidates(measurements, settings.stars, design)
    outside = None if in_transit is None else ~np.asarray(in_transit, dtype=bool)
    good = candidates.target_good
    enough = outside is not None and (outside & good).sum() >= MIN_OUTSIDE
    scored = outside if enough else None
    question = ask(measurements.jd_utc, design, dip=dip, scored=scored, good=good)
    search = Search(measurements, settings, candidates, question, outside, blend)
    options = [option for aperture in apertures for option in try_aperture(search, aperture)]
    if not options:
        msg = f"no light curve: {_why_none(search)}"
        raise FitError(msg)
    best = min(options, key=lambda option: option.error)
    return _form(search, best)


def star_curves(measurements: Measurements, light_curve: LightCurve) -> tuple:
    """Divide every star by the ensemble of a light curve chosen from these measurements.

    Returns
    -------
    relative, relative_err : (n_frame, n_star) float arrays
        Each with median 1; comparison stars against the others. NaN where flagged unusable.
    """
    recipe = light_curve.need_recipe()
    piece = take_aperture(measurements, recipe.aperture)
    rows = np.asarray(recipe.comparison_rows, dtype=int)
    ensemble = join_stars(piece, rows, recipe.weighting, baseline_of(measurements))
    members = np.full(piece.flux.shape[1], -1)
    members[rows] = np.arange(len(rows))
    flux = np.where(piece.good, piece.flux, np.nan)
    return relative_flux(ensemble, flux, piece.flux_err, members=members)


def mark_clouds(ensemble: Ensemble, airmass: np.ndarray) -> np.ndarray:
    """Find the frames in which clouds may have dimmed the target otherwise than its comparisons.

    Below 60 % of the clear sky (`dimmed`), and the comparison stars, each divided by all, are off
    by more than their errors allow, or are too few to show it. A cloud that dims all alike has made
    the errors larger, and no more.
    """
    off = against_others(ensemble)
    # The half that is known best: what faint stars do says nothing of a few per cent.
    known = np.where(np.isfinite(off), ensemble.error, np.nan)
    n_best = np.maximum(np.isfinite(off).sum(axis=1) // 2, MIN_WITNESSES)[:, None]
    off[np.argsort(np.argsort(known, axis=1), axis=1) >= n_best] = np.nan
    enough = np.isfinite(off).sum(axis=1) >= MIN_WITNESSES
    patchy = np.ones(len(off), dtype=bool)
    patchy[enough] = MAD_TO_SIGMA * np.nanmedian(np.abs(off[enough]), axis=1) > PATCHY_SIGMA
    return dimmed(ensemble.transparency, airmass) & patchy


def against_others(ensemble: Ensemble) -> np.ndarray:
    """Hold all stars that were measured against the mean of the others: (n_frame, n_star) sigmas.

    Some take no part in the mean because they are off. NaN where there are no others.
    """
    total = ensemble.share.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = ensemble.share / total
        noise = (own * np.nan_to_num(ensemble.error)) ** 2
        of_others = (noise.sum(axis=1, keepdims=True) - noise) / (1 - own) ** 2
        off = (ensemble.normalised - ensemble.transparency[:, None]) / (1 - own)
        off = off / np.sqrt(ensemble.error**2 + of_others)
    return np.where(1 - own > NO_OTHERS, off, np.nan)


def dimmed(transparency: np.ndarray, airmass: np.ndarray) -> np.ndarray:
    """Find the frames below 60 % of the clear sky; not those whose transparency is not known.

    The clear-sky line log T = a - k X is fitted to the upper envelope: points below are dropped.
    """
    finite = np.isfinite(transparency) & (np.nan_to_num(transparency) > 0)
    magnitude = np.log(np.where(finite, transparency, 1.0))
    column = np.where(np.isfinite(airmass), airmass, 1.0)
    design = np.column_stack([np.ones(len(column)), column - column.mean()])
    if finite.sum() < 10 or np.ptp(column[finite]) < 0.05:
        design = design[:, :1]
    use, line = finite, np.zeros(len(column))
    for _ in range(10):
        if use.sum() < 5:
            break
        coefficients = np.linalg.lstsq(design[use], magnitude[use], rcond=None)[0]
        if len(coefficients) == 2:
            coefficients[1] = min(coefficients[1], 0.0)
        line = design @ coefficients
        spread = max(float(np.std(magnitude[use] - line[use])), 0.02)
        use = finite & (magnitude > line - 1.5 * spread)
    return finite & (magnitude - line < np.log(CLOUD_FRACTION))


def try_aperture(search: Search, aperture: Aperture) -> list[Option]:
    """Try all comparison stars at one aperture, and fewer where the curve is quieter beyond luck.

    At weights that fit their noise more stars never harm: fewer are better only where the weights
    are wrong. Empty where the target has too few good measurements, or no comparison star any.
    """
    piece, candidates = take_aperture(search.measurements, aperture), search.candidates
    steady = search.settings.apertures.style == Style.AIJ
    rows = take_present(piece, candidates.rows, steady=steady)
    if not len(rows) or piece.good[:, 0].sum() < MIN_POINTS:
        return []
    if not candidates.forced:
        rows = _promising(piece, rows, CONSIDERED * search.settings.stars.max_comparisons)
    ensemble = join_stars(piece, rows, search.settings.weights, search.question.design)
    present = ensemble.used & piece.good[:, :1]
    order = np.argsort(-_worth(ensemble, present), kind="stable")
    most = len(rows) if candidates.forced else search.settings.stars.max_comparisons
    options: list[Option] = []
    dilution = search.dilution(piece.radius)
    share = 1.0 if dilution is None else dilution.value
    full: np.ndarray | None = None
    wander = measure_wander(ensemble)
    for size in _sizes(min(most, len(rows)), forced=candidates.forced):
        members = np.sort(cover(present, order[:size], order))
        part = take_members(ensemble, members)
        ratio = _ratio(part, piece, 0)
        if np.isfinite(ratio).sum() < MIN_POINTS:
            continue
        residual = search.question.residual(ratio)
        if full is not None and not is_quieter(residual, full):
            continue
        full = residual if full is None else full
        error = search.question.error(ratio, np.hypot(*_foretold(part, piece, 0)), wander)
        if not np.isnan(error):
            scatter = search.question.noise(ratio).point
            options.append(Option(aperture, tuple(rows[members].tolist()), error / share, scatter))
    return options


def _promising(piece: Slice, rows: np.ndarray, most: int) -> np.ndarray:
    """Keep the stars whose errors foretell most weight, and those that frames cannot do without."""
    if len(rows) <= most:
        return rows
    present = piece.good[:, rows] & piece.good[:, :1]
    error = np.full(present.shape, np.nan)
    error[present] = (piece.flux_err[:, rows] / np.where(present, piece.flux[:, rows], 1.0))[
        present
    ]
    weight = present.mean(axis=0) / column_median(error) ** 2
    order = np.argsort(-np.nan_to_num(weight), kind="stable")
    return rows[np.sort(cover(present, order[:most], order))]


def _sizes(most: int, *, forced: bool) -> list[int]:
    """Numbers of comparison stars to try, the largest first."""
    return [most] if forced else [most, *(n for n in reversed(LADDER) if n < most)]


def baseline_of(measurements: Measurements) -> np.ndarray:
    """Stack what every night drifts with, and steps where it has such: (n_frame, k), as a trend.

    The fit takes it up: it has no say in what is chosen.
    """
    covariates = covariates_of(columns_of(measurements))
    steps = (c.name for c in COVARIATES if c.step and c.name in covariates)
    return design_matrix(covariates, (*SLOW, *steps))


def join_stars(piece: Slice, rows: np.ndarray, weights: str, baseline: np.ndarray) -> Ensemble:
    """Join comparison stars, rows of the plan, into one; all else as for `build_ensemble`."""
    return build_ensemble(
        piece.flux[:, rows], piece.flux_err[:, rows], good=piece.good[:, rows], weights=weights,
        baseline=baseline,
    )  # fmt: skip


def _worth(ensemble: Ensemble, present: np.ndarray) -> np.ndarray:
    """Rank of comparison stars: quiet ones first, those often missing later."""
    return present.mean(axis=0) / np.maximum(ensemble.scatter, 1e-9) ** 2


def _ratio(ensemble: Ensemble, piece: Slice, row: int) -> np.ndarray:
    """Curve of a star, normalised, (n_frame,); NaN where it or the ensemble is missing."""
    ratio = np.where(piece.good[:, row], piece.flux[:, row], np.nan) / ensemble.transparency
    return ratio / np.nanmedian(ratio) if np.isfinite(ratio).any() else ratio


def _foretold(ensemble: Ensemble, piece: Slice, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors of a star and of the ensemble, (n_frame,) each."""
    return piece.flux_err[:, row] / piece.flux[:, row], ensemble.flux_err / ensemble.flux


def _why_none(search: Search) -> str:
    """Say what keeps a light curve from being formed, and what to try."""
    candidates, plan = search.candidates, search.measurements.plan
    number, total = int(candidates.target_good.sum()), len(candidates.target_good)
    if number < MIN_POINTS:
        flags = search.measurements.flags[:, 0, len(search.measurements.radii) // 2].astype(int)
        why = count_flags(flags[flags & int(UNUSABLE) != 0] & int(UNUSABLE), "")
        return (
            f"the target is well measured in {number} of {total} frames"
            f"{f' ({why})' if why else ''}, and a curve needs {MIN_POINTS}; "
            "`lightcurve measure` lists the fluxes and flags of every frame"
        )
    left = len(candidates.rows)
    if left == 0 and not (plan.role == StarRole.COMPARISON).any():
        brightest = f"; {plan.star_id[1]}: {plan.reason[1]}" if len(plan) > 1 else ""
        return f"none of the {len(plan) - 1} other stars is fit to be compared with{brightest}"
    dropped = [
        (row, why) for row, (role, why) in candidates.roles.items() if role == StarRole.FIELD
    ]
    example = f", such as {plan.star_id[dropped[0][0]]} ({dropped[0][1]})" if dropped else ""
    where = f" and good in fewer than {MIN_POINTS} of the target's {number} frames" if left else ""
    return (
        f"{left} comparison candidates are left of {left + len(dropped)}{where}, without "
        f"{len(dropped)}{example}; see `lightcurve plan`, and name comparison stars with --comp"
    )


def _form(search: Search, best: Option) -> LightCurve:
    """Build the light curve of the chosen option."""
    measurements = search.measurements
    piece = take_aperture(measurements, best.aperture)
    rows = np.array(best.members)
    ensemble = join_stars(piece, rows, search.settings.weights, search.question.design)
    ratio = piece.flux[:, 0] / ensemble.transparency
    level, normalised = _level(ratio, piece.good[:, 0], search.outside)
    flux = ratio / level
    error = np.abs(flux) * np.hypot(*_foretold(ensemble, piece, 0))
    marks = {
        Flag.NO_COMPARISON: ~np.isfinite(ensemble.transparency),
        Flag.CLOUD: mark_clouds(ensemble, measurements.airmass),
        Flag.OUTLIER: mark_outliers(measurements.jd_utc, flux, error),
        Flag.NOT_MEASURED: ~np.isfinite(piece.flux[:, 0]),
    }
    flags = piece.flags[:, 0].astype(np.uint16)
    for flag, where in marks.items():
        flags = flags | np.where(where, flag, 0)
    checked = _judge(search, ensemble, piece, rows)
    columns = columns_of(measurements)
    columns |= {"comparison_flux": ensemble.flux, "transparency": ensemble.transparency}
    blend = search.blend
    others = {OTHER_LIGHT: blend.other_light(piece.radius)} if blend and blend.companions else {}
    return LightCurve(
        file=measurements.file,
        jd_utc=measurements.jd_utc,
        bjd_tdb=measurements.bjd_tdb,
        flux=flux,
        flux_err=error,
        target_flux=piece.flux[:, 0],
        comparison_flux=ensemble.flux,
        flags=flags.astype(np.uint16),
        covariates=covariates_of(columns | others),
        columns=beside_curve(columns) | others,
        recipe=_recipe(search, best, ensemble, normalised, checked),
        dilution=search.dilution(piece.radius),
        stars=_star_curves(search, ensemble, piece, rows),
    )


def _star_curves(search: Search, ensemble: Ensemble, piece: Slice, rows: np.ndarray) -> StarCurves:
    """Hold each comparison star against the others, and the check star, last, against all.

    rows: (n,) int array, of the plan. One comparison star alone says nothing of itself.
    """
    check = search.candidates.check.row
    member = {int(row): k for k, row in enumerate(rows)} if len(rows) > 1 else {}
    names = {row: f"C{row + 1}" for row in member}
    if check is not None:
        member[check], names[check] = -1, f"K{check + 1}"
    own = list(member)
    flux = np.where(piece.good[:, own], piece.flux[:, own], np.nan)
    members = np.array([*member.values()], dtype=int)
    curves = relative_flux(ensemble, flux, piece.flux_err[:, own], members=members)
    return StarCurves(tuple(names.values()), *curves)


def _level(ratio: np.ndarray, good: np.ndarray, outside: np.ndarray | None) -> tuple[float, str]:
    """Level that becomes 1, outside the transit where there is one, and what it rests on."""
    usable = good & np.isfinite(ratio)
    if outside is None:
        return float(np.median(ratio[usable])), "median of all points"
    free = usable & outside
    number = int(free.sum())
    if number < MIN_LEVEL:
        words = "median of all points, inside the predicted transit too"
        log.warning(
            "good points outside the predicted transit: %d; normalised to the %s", number, words
        )
        return float(np.median(ratio[usable])), words
    words = f"median of {number} points outside the predicted transit"
    if number < min(MIN_OUTSIDE, usable.sum()):
        log.warning("the curve is normalised to the %s, which are few", words)
    return float(np.median(ratio[free])), words


def _judge(
    search: Search, ensemble: Ensemble, piece: Slice, rows: np.ndarray
) -> tuple[CheckVerdict, np.ndarray | None]:
    """Judge the check star at the aperture chosen, and warn where it misbehaves.

    Where comparison stars show what drifting over the chip does, that is taken off before: the
    target has covariates for it. Returns that curve too, (n_frame,), else None.
    """
    row, reason = search.candidates.check
    if row is None:
        log.warning("no check star: %s", reason)
        return CheckVerdict(None, reason), None
    raw = _ratio(ensemble, piece, row)
    response = measure_response(search.measurements, piece, search.candidates.rows)
    if response is not None:
        piece = replace(piece, flux=piece.flux / response, flux_err=piece.flux_err / response)
        ensemble = join_stars(piece, rows, search.settings.weights, search.question.design)
    ratio = _ratio(ensemble, piece, row)
    error = np.hypot(*_foretold(ensemble, piece, row))
    time, per_bin = search.measurements.jd_utc, search.question.per_bin
    flux, flux_err = (values[:, rows] for values in (piece.flux, piece.flux_err))
    members = relative_flux(ensemble, flux, flux_err, members=np.arange(len(rows)))
    verdict = judge_check(
        f"K{row + 1}", time, ratio, error, per_bin=per_bin,
        field=measure_drift(time, *members, per_bin),
    )  # fmt: skip
    taken_off = raw / ratio
    if response is not None:
        verdict = replace(verdict, by_place=float(np.nanmax(taken_off) - np.nanmin(taken_off)))
    if verdict.troubles or verdict.reason:
        log.warning("check star %s", verdict)
    return verdict, None if response is None else ratio


def _recipe(
    search: Search,
    best: Option,
    ensemble: Ensemble,
    normalised: str,
    checked: tuple[CheckVerdict, np.ndarray | None],
) -> CurveRecipe:
    """Collect how the curve came about."""
    candidates = search.candidates
    roles = dict(candidates.roles)
    for row, weight, scatter in zip(best.members, ensemble.weights, ensemble.scatter, strict=True):
        text = f"comparison: weight {weight:.3f}, scatter {100 * scatter:.2f} % against the others"
        roles[row] = (StarRole.COMPARISON, text)
    left_out = set(candidates.rows.tolist()) - set(best.members)
    full = len(best.members) >= search.settings.stars.max_comparisons
    why = "those used are worth more" if full else "the curve is quieter without it"
    roles |= dict.fromkeys(left_out, (StarRole.FIELD, f"candidate, but {why}"))
    return CurveRecipe(
        aperture=best.aperture,
        radius_per_frame_px=frame_radius(search.measurements, best.aperture),
        weighting=search.settings.weights,
        comparison_rows=best.members,
        weights=tuple(float(w) for w in ensemble.weights),
        star_scatter=tuple(float(s) for s in ensemble.scatter),
        check_row=candidates.check.row,
        roles=roles,
        criterion=Criterion.NEIGHBOURS if search.question.scored is None else Criterion.OUTSIDE,
        target_scatter=best.scatter,
        normalised=normalised,
        saturation_adu=candidates.saturation_adu,
        check_verdict=checked[0],
        check_flux=checked[1],
    )
