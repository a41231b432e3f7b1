"""The light curve of one aperture and one set of comparison stars, with its recipe.

Frames and points that deserve a flag get it, and nothing is removed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

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
)
from lightcurve.core.flags import Flag
from lightcurve.core.quantities import beside_curve, columns_of
from lightcurve.core.settings import Settings
from lightcurve.curve.aperture import Slice, frame_radius, take_aperture
from lightcurve.curve.blend import Blend
from lightcurve.curve.candidates import Candidates, carry_on, pick_candidates
from lightcurve.curve.check import judge_check, measure_drift
from lightcurve.curve.clouds import mark_clouds
from lightcurve.curve.detrend import design_matrix
from lightcurve.curve.ensemble import Ensemble, build_ensemble, build_ensembles, relative_flux
from lightcurve.curve.outliers import mark_outliers
from lightcurve.curve.response import measure_response
from lightcurve.curve.worth import Question, ask

__all__ = ["MIN_POINTS", "Search", "baseline_of", "prepare_search", "star_curves"]

MIN_POINTS = 5  # good measurements of the target, for a light curve at all
MIN_OUTSIDE = 10  # outside the predicted transit, for a scatter to be measured there
MIN_LEVEL = 3  # points outside the transit whose median is taken for 1
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Option:
    """One aperture with one set of comparison stars, weighed in one way.

    error : expected, of what the user wants, at the depth that other stars' light leaves.
    by_hand : somebody named it: nothing was weighed against it.
    excluded : names of files whose points were taken out by hand.
    """

    aperture: Aperture
    members: tuple[int, ...]  # rows of the plan
    weighting: str
    error: float = float("nan")
    by_hand: bool = False
    excluded: tuple[str, ...] = ()

    def without(self, measurements: Measurements) -> np.ndarray:
        """Mark the frames whose points were taken out, (n_frame,) bool."""
        return np.isin(measurements.file, self.excluded)


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


def prepare_search(
    measurements: Measurements,
    settings: Settings,
    *,
    in_transit: np.ndarray | None = None,
    dip: np.ndarray | None = None,
    blend: Blend | None = None,
    earlier: Search | None = None,
) -> Search:
    """Settle candidates, check star and what is asked.

    earlier: the search of fewer frames of the same night, whose candidates stay. All else as for
    `lightcurve.curve.choose.choose_curve`; in_transit, dip: (n_frame,) arrays.
    """
    design = baseline_of(measurements)
    if earlier is None:
        candidates = pick_candidates(measurements, settings.stars, design)
    else:
        candidates = carry_on(earlier.candidates, measurements)
    outside = None if in_transit is None else ~np.asarray(in_transit, dtype=bool)
    good = candidates.target_good
    enough = outside is not None and (outside & good).sum() >= MIN_OUTSIDE
    scored = outside if enough else None
    question = ask(measurements.jd_utc, design, dip=dip, scored=scored, good=good)
    return Search(measurements, settings, candidates, question, outside, blend)


class Level(NamedTuple):
    """What becomes 1, and what it rests on."""

    value: float
    words: str
    few: bool = False


class Joined(NamedTuple):
    """The comparison stars of an option joined, and the target over them."""

    piece: Slice
    ensemble: Ensemble
    ratio: np.ndarray  # (n_frame,), target over transparency, ADU
    level: Level


def join_option(search: Search, option: Option) -> Joined:
    """Join the comparison stars of an option, and find the level of the target over them."""
    return join_options(search, [(option, take_aperture(search.measurements, option.aperture))])[0]


def join_options(search: Search, options: Sequence[tuple[Option, Slice]]) -> list[Joined]:
    """Join as `join_option` many options at once, of as many stars each, weighed in one way.

    options: with the cube at the aperture of each.
    """
    first, _ = options[0]
    flux, flux_err, good = (
        np.stack([values(piece)[:, option.members] for option, piece in options], axis=1)
        for values in (attrgetter("flux"), attrgetter("flux_err"), attrgetter("good"))
    )
    ensembles = build_ensembles(
        flux, flux_err, good=good, weights=first.weighting, baseline=search.question.design
    )
    joined = []
    for (_, piece), ensemble in zip(options, ensembles, strict=True):
        ratio = piece.flux[:, 0] / ensemble.transparency
        level = _level(ratio, piece.good[:, 0], search.outside)
        joined.append(Joined(piece, ensemble, ratio, level))
    return joined


def form_curve(search: Search, option: Option) -> LightCurve:
    """Build the light curve of the chosen option, with its recipe."""
    joined = join_option(search, option)
    if joined.level.few:
        log.warning("the curve is normalised to the %s, which are few", joined.level.words)
    curve = sketch_curve(search, option, joined)
    checked = _judge(search, option, joined)
    recipe = _recipe(search, option, joined, checked)
    return replace(curve, recipe=recipe, stars=_star_curves(search, option, joined))


def sketch_curve(search: Search, option: Option, joined: Joined) -> LightCurve:
    """Build a light curve that does not say how it was made, nor what other stars do."""
    measurements, piece, ensemble = search.measurements, joined.piece, joined.ensemble
    flux = joined.ratio / joined.level.value
    error = np.abs(flux) * np.hypot(*foretell(ensemble, piece, 0))
    outlier = mark_outliers(measurements.jd_utc, flux, error)
    marks = {
        Flag.NO_COMPARISON: ~np.isfinite(ensemble.transparency),
        Flag.CLOUD: mark_clouds(ensemble, measurements.airmass),
        Flag.OUTLIER: outlier | option.without(measurements),
        Flag.NOT_MEASURED: ~np.isfinite(piece.flux[:, 0]),
    }
    flags = piece.flags[:, 0].astype(np.uint16)
    for flag, where in marks.items():
        flags = flags | np.where(where, flag, 0)
    columns = columns_of(measurements)
    columns |= {"comparison_flux": ensemble.flux, "transparency": ensemble.transparency}
    others, dilution = {}, None
    if search.blend is not None:
        light, dilution = _of_others(search.blend, piece.radius.tobytes())
        others = {OTHER_LIGHT: light} if search.blend.companions else {}
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
        dilution=dilution,
    )


@lru_cache(maxsize=32)
def _of_others(blend: Blend, radius: bytes) -> tuple[np.ndarray, Dilution]:
    """Other stars' light, (n_frame,), and dilution in an aperture of radius (n_frame,), as bytes.

    Choices that differ in comparison stars have them in common.
    """
    radii = np.frombuffer(radius)
    return blend.other_light(radii), blend.share(radii)


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


def ratio_of(ensemble: Ensemble, piece: Slice, row: int) -> np.ndarray:
    """Curve of a star, normalised, (n_frame,); NaN where it or the ensemble is missing."""
    ratio = np.where(piece.good[:, row], piece.flux[:, row], np.nan) / ensemble.transparency
    return ratio / np.nanmedian(ratio) if np.isfinite(ratio).any() else ratio


def foretell(ensemble: Ensemble, piece: Slice, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors of a star and of the ensemble, (n_frame,) each."""
    return piece.flux_err[:, row] / piece.flux[:, row], ensemble.flux_err / ensemble.flux


def _star_curves(search: Search, option: Option, joined: Joined) -> StarCurves:
    """Hold each comparison star against the others, and the check star, last, against all.

    One comparison star alone says nothing of itself.
    """
    check, rows, piece = search.candidates.check.row, option.members, joined.piece
    member = {row: k for k, row in enumerate(rows)} if len(rows) > 1 else {}
    names = {row: f"C{row + 1}" for row in member}
    if check is not None:
        member[check], names[check] = -1, f"K{check + 1}"
    own = list(member)
    flux = np.where(piece.good[:, own], piece.flux[:, own], np.nan)
    members = np.array([*member.values()], dtype=int)
    curves = relative_flux(joined.ensemble, flux, piece.flux_err[:, own], members=members)
    return StarCurves(tuple(names.values()), *curves)


def _level(ratio: np.ndarray, good: np.ndarray, outside: np.ndarray | None) -> Level:
    """Find the level that becomes 1, outside the transit where there is one."""
    usable = good & np.isfinite(ratio)
    if outside is None:
        return Level(float(np.median(ratio[usable])), "median of all points")
    free = usable & outside
    number = int(free.sum())
    if number < MIN_LEVEL:
        words = "median of all points, inside the predicted transit too"
        return Level(float(np.median(ratio[usable])), words, few=True)
    words = f"median of {number} points outside the predicted transit"
    few = number < min(MIN_OUTSIDE, usable.sum())
    return Level(float(np.median(ratio[free])), words, few=few)


def _judge(
    search: Search, option: Option, joined: Joined
) -> tuple[CheckVerdict, np.ndarray | None]:
    """Judge the check star at the aperture chosen, and warn where it misbehaves.

    Where comparison stars show what drifting over the chip does, that is taken off before: the
    target has covariates for it. Returns that curve too, (n_frame,), else None.
    """
    row, reason = search.candidates.check
    piece, ensemble, rows = joined.piece, joined.ensemble, np.array(option.members)
    if row is None:
        log.warning("no check star: %s", reason)
        return CheckVerdict(None, reason), None
    raw = ratio_of(ensemble, piece, row)
    response = measure_response(search.measurements, piece, search.candidates.rows)
    if response is not None:
        piece = replace(piece, flux=piece.flux / response, flux_err=piece.flux_err / response)
        ensemble = join_stars(piece, rows, option.weighting, search.question.design)
    ratio = ratio_of(ensemble, piece, row)
    error = np.hypot(*foretell(ensemble, piece, row))
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
    joined: Joined,
    checked: tuple[CheckVerdict, np.ndarray | None],
) -> CurveRecipe:
    """Collect how the curve came about."""
    ensemble = joined.ensemble
    ratio = ratio_of(ensemble, joined.piece, 0)
    ratio = np.where(best.without(search.measurements), np.nan, ratio)
    candidates = search.candidates
    roles = dict(candidates.roles)
    for row, weight, own in zip(best.members, ensemble.weights, ensemble.scatter, strict=True):
        text = f"comparison: weight {weight:.3f}, scatter {100 * own:.2f} % against the others"
        roles[row] = (StarRole.COMPARISON, text)
    left_out = set(candidates.rows.tolist()) - set(best.members)
    full = len(best.members) >= search.settings.stars.max_comparisons
    why = "those used are worth more" if full else "the curve is quieter without it"
    why = "not taken by hand" if best.by_hand else why
    roles |= dict.fromkeys(left_out, (StarRole.FIELD, f"candidate, but {why}"))
    return CurveRecipe(
        aperture=best.aperture,
        radius_per_frame_px=frame_radius(search.measurements, best.aperture),
        weighting=best.weighting,
        comparison_rows=best.members,
        weights=tuple(float(w) for w in ensemble.weights),
        star_scatter=tuple(float(s) for s in ensemble.scatter),
        check_row=candidates.check.row,
        roles=roles,
        criterion=Criterion.NEIGHBOURS if search.question.scored is None else Criterion.OUTSIDE,
        target_scatter=search.question.noise(ratio).point,
        normalised=joined.level.words,
        saturation_adu=candidates.saturation_adu,
        check_verdict=checked[0],
        check_flux=checked[1],
        excluded=best.excluded,
    )
