"""Aperture and comparison stars, chosen together by how quiet the result is out of transit.

Every aperture is tried with every number of comparison stars; frames and points that deserve a flag
get it, and nothing is removed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from lightcurve.core.covariates import SLOW, covariates_of
from lightcurve.core.data import (
    Aperture,
    Criterion,
    CurveRecipe,
    LightCurve,
    Measurements,
    StarRole,
    Style,
)
from lightcurve.core.errors import FitError
from lightcurve.core.flags import Flag
from lightcurve.core.quantities import beside_curve, columns_of
from lightcurve.core.settings import Settings
from lightcurve.curve.aperture import Slice, frame_radius, list_apertures, take_aperture
from lightcurve.curve.candidates import Candidates, pick_candidates, take_present
from lightcurve.curve.detrend import (
    clipped_scatter,
    design_matrix,
    point_to_point,
    remove_trend,
)
from lightcurve.curve.ensemble import Ensemble, build_ensemble, relative_flux, take_members
from lightcurve.curve.outliers import mark_outliers

__all__ = ["MIN_POINTS", "choose_curve", "star_curves"]

CLOUD_FRACTION = 0.6  # of the light expected at that airmass
LADDER = (1, 2, 3, 4, 6, 8, 11, 15, 20, 30, 50, 100)
MIN_POINTS = 5  # good measurements of the target, for a light curve at all
MIN_TO_CHOOSE = 20  # for a scatter known to 16 %: with fewer, the quietest star is a lucky one
MIN_OUTSIDE = 10  # outside the predicted transit, for a scatter to be measured there
MIN_LEVEL = 3  # points outside the transit whose median is taken for 1
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Option:
    """One aperture with one number of comparison stars, and what it reached.

    target_scatter, check_scatter : relative; NaN where there is no check star.
    """

    aperture: Aperture
    members: tuple[int, ...]  # rows of the plan
    target_scatter: float
    check_scatter: float

    @property
    def merit(self) -> float:
        """Both scatters together: the smaller the better."""
        return float(np.hypot(self.target_scatter, np.nan_to_num(self.check_scatter)))


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What every option is tried on."""

    measurements: Measurements
    settings: Settings
    candidates: Candidates
    # (n_frame,) bool, frames outside the predicted transit; None where none is predicted
    outside: np.ndarray | None
    design: np.ndarray  # (n_frame, n), of the trend that is taken out before scatter is measured

    @property
    def scored(self) -> np.ndarray | None:
        """Frames whose scatter counts; None where that of neighbouring points does."""
        if self.outside is None:
            return None
        enough = (self.outside & self.candidates.target_good).sum() >= MIN_OUTSIDE
        return self.outside if enough else None

    @property
    def few(self) -> bool:
        """Whether there are too few points to tell quiet comparison stars from lucky ones."""
        return bool(self.candidates.target_good.sum() < MIN_TO_CHOOSE)


def choose_curve(
    measurements: Measurements, settings: Settings, *, in_transit: np.ndarray | None = None
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

    Raises
    ------
    FitError
        When no comparison star, or no good measurement of the target, is left.
    """
    apertures = list_apertures(measurements, follow_seeing=settings.apertures.style != Style.AIJ)
    candidates = pick_candidates(measurements, settings.stars)
    outside = None if in_transit is None else ~np.asarray(in_transit, dtype=bool)
    design = design_matrix(covariates_of(columns_of(measurements)), SLOW)
    search = Search(measurements, settings, candidates, outside, design)
    options = [option for aperture in apertures for option in try_aperture(search, aperture)]
    if not options:
        msg = f"no light curve: {_why_none(search)}"
        raise FitError(msg)
    best = min(options, key=lambda option: option.merit)
    if search.few and not candidates.forced:
        text = "%d good points are too few to tell quiet comparison stars (%d): %s %d are used"
        number, used = int(candidates.target_good.sum()), len(best.members)
        which = (
            "all" if used == len(candidates.rows) else f"of {len(candidates.rows)} the brightest"
        )
        log.warning(text, number, MIN_TO_CHOOSE, which, used)
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
    ensemble = join_stars(piece, rows, recipe.weighting)
    members = np.full(piece.flux.shape[1], -1)
    members[rows] = np.arange(len(rows))
    flux = np.where(piece.good, piece.flux, np.nan)
    return relative_flux(ensemble, flux, piece.flux_err, members=members)


def mark_clouds(transparency: np.ndarray, airmass: np.ndarray) -> np.ndarray:
    """Find the frames below 60 % of the clear sky, or whose transparency is not known.

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
    return ~finite | (magnitude - line < np.log(CLOUD_FRACTION))


def try_aperture(search: Search, aperture: Aperture) -> list[Option]:
    """Try every number of comparison stars at one aperture, quietest stars first.

    With too few points to tell which are quiet, all are tried at once: the brightest, where they
    are more than the settings allow. Empty where the target has too few good measurements, or no
    comparison star any.
    """
    piece, candidates = take_aperture(search.measurements, aperture), search.candidates
    steady = search.settings.apertures.style == Style.AIJ
    rows = take_present(piece, candidates.rows, steady=steady)
    if not len(rows) or piece.good[:, 0].sum() < MIN_POINTS:
        return []
    stars = search.settings.stars
    ensemble = join_stars(piece, rows, search.settings.weights)
    worth = ensemble.level if search.few else _worth(ensemble, piece, rows)
    order = np.argsort(-worth, kind="stable")
    most = len(rows) if candidates.forced else min(len(rows), stars.max_comparisons)
    smaller = [] if candidates.forced or search.few else [n for n in LADDER if n < most]
    options = []
    for size in [*smaller, most]:
        members = np.sort(order[:size])
        part = take_members(ensemble, members)
        target = _scatter(search, part, piece, 0)
        check = (
            float("nan")
            if candidates.check is None
            else _scatter(search, part, piece, candidates.check)
        )
        if np.isfinite(target):
            options.append(Option(aperture, tuple(rows[members].tolist()), target, check))
    return options


def join_stars(piece: Slice, rows: np.ndarray, weights: str) -> Ensemble:
    """Join comparison stars, rows of the plan, into one; weights as for `build_ensemble`."""
    return build_ensemble(
        piece.flux[:, rows], piece.flux_err[:, rows], good=piece.good[:, rows], weights=weights
    )


def _worth(ensemble: Ensemble, piece: Slice, rows: np.ndarray) -> np.ndarray:
    """Rank of comparison stars: quiet ones first, those often missing later."""
    present = piece.good[:, rows].mean(axis=0)
    return present / np.maximum(ensemble.scatter, 1e-9) ** 2


def _ratio(ensemble: Ensemble, piece: Slice, row: int) -> np.ndarray:
    ratio = np.where(piece.good[:, row], piece.flux[:, row], np.nan) / ensemble.transparency
    return ratio / np.nanmedian(ratio) if np.isfinite(ratio).any() else ratio


def _scatter(search: Search, ensemble: Ensemble, piece: Slice, row: int) -> float:
    """Scatter about a line in airmass and time, over the points that may be looked at.

    Of the target these are the points outside the transit, of the check star all. Without a
    predicted transit, or with next to nothing outside it, both count by the differences of
    neighbouring points.
    """
    ratio = _ratio(ensemble, piece, row)
    if search.scored is None:
        return point_to_point(ratio)
    fit = search.scored if row == 0 else np.ones(len(ratio), dtype=bool)
    flat, _ = remove_trend(ratio, search.design, fit=fit)
    return clipped_scatter(flat[fit])


def _why_none(search: Search) -> str:
    """Say what keeps a light curve from being formed, and what to try."""
    candidates, plan = search.candidates, search.measurements.plan
    number, total = int(candidates.target_good.sum()), len(candidates.target_good)
    if number < MIN_POINTS:
        return (
            f"the target is well measured in {number} of {total} frames, and a curve needs "
            f"{MIN_POINTS}; `lightcurve measure` lists the fluxes and flags of every frame"
        )
    if len(candidates.rows):
        return (
            f"none of the {len(candidates.rows)} comparison candidates is good where the target "
            "is; name other comparison stars with --comp"
        )
    dropped = [
        (row, why) for row, (role, why) in candidates.roles.items() if role == StarRole.FIELD
    ]
    example = f", such as {plan.star_id[dropped[0][0]]} ({dropped[0][1]})" if dropped else ""
    return (
        f"0 comparison candidates are left of {len(dropped)}{example}; see `lightcurve plan`, and "
        "name comparison stars with --comp"
    )


def _form(search: Search, best: Option) -> LightCurve:
    """Build the light curve of the chosen option."""
    measurements = search.measurements
    piece = take_aperture(measurements, best.aperture)
    ensemble = join_stars(piece, np.array(best.members), search.settings.weights)
    ratio = piece.flux[:, 0] / ensemble.transparency
    level, normalised = _level(ratio, piece.good[:, 0], search.outside)
    flux = ratio / level
    error = np.abs(flux) * np.hypot(
        piece.flux_err[:, 0] / piece.flux[:, 0], ensemble.flux_err / ensemble.flux
    )
    flags = piece.flags[:, 0].astype(np.uint16)
    flags = flags | np.where(
        mark_clouds(ensemble.transparency, measurements.airmass), Flag.CLOUD, 0
    )
    flags = flags | np.where(mark_outliers(measurements.jd_utc, flux, error), Flag.OUTLIER, 0)
    flags = flags | np.where(np.isfinite(flux), 0, Flag.NOT_MEASURED)
    columns = columns_of(measurements)
    columns |= {"comparison_flux": ensemble.flux, "transparency": ensemble.transparency}
    return LightCurve(
        file=measurements.file,
        jd_utc=measurements.jd_utc,
        bjd_tdb=measurements.bjd_tdb,
        flux=flux,
        flux_err=error,
        target_flux=piece.flux[:, 0],
        comparison_flux=ensemble.flux,
        flags=flags.astype(np.uint16),
        covariates=covariates_of(columns),
        columns=beside_curve(columns),
        recipe=_recipe(search, best, ensemble, normalised),
    )


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
            "%d good points outside the predicted transit: normalised to the %s", number, words
        )
        return float(np.median(ratio[usable])), words
    words = f"median of {number} points outside the predicted transit"
    if number < min(MIN_OUTSIDE, usable.sum()):
        log.warning("the curve is normalised to the %s, which are few", words)
    return float(np.median(ratio[free])), words


def _recipe(search: Search, best: Option, ensemble: Ensemble, normalised: str) -> CurveRecipe:
    """Collect how the curve came about."""
    candidates = search.candidates
    roles = dict(candidates.roles)
    for row, weight, scatter in zip(best.members, ensemble.weights, ensemble.scatter, strict=True):
        text = f"comparison: weight {weight:.3f}, scatter {100 * scatter:.2f} % against the others"
        roles[row] = (StarRole.COMPARISON, text)
    left_out = set(candidates.rows.tolist()) - set(best.members)
    why = "fainter than those used" if search.few else "the curve is quieter without it"
    roles |= dict.fromkeys(left_out, (StarRole.FIELD, f"candidate, but {why}"))
    return CurveRecipe(
        aperture=best.aperture,
        radius_per_frame_px=frame_radius(search.measurements, best.aperture),
        weighting=search.settings.weights,
        comparison_rows=best.members,
        weights=tuple(float(w) for w in ensemble.weights),
        star_scatter=tuple(float(s) for s in ensemble.scatter),
        check_row=candidates.check,
        roles=roles,
        criterion=Criterion.NEIGHBOURS if search.scored is None else Criterion.OUTSIDE,
        target_scatter=best.target_scatter,
        check_scatter=best.check_scatter,
        normalised=normalised,
        saturation_adu=candidates.saturation_adu,
    )
