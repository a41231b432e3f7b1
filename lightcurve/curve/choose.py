"""Aperture and comparison stars, chosen together by how quiet the result is out of transit.

The transit itself has no vote: the target counts only outside the predicted window, and without a
prediction only by the differences of neighbouring points. With few points nothing is chosen: all
candidates take part.
"""

from __future__ import annotations

import logging

import numpy as np

from lightcurve.config import Settings
from lightcurve.covariates import covariates_of
from lightcurve.curve.air import star_scintillation, usable_diameter
from lightcurve.curve.aperture import frame_radius, list_apertures, take_aperture
from lightcurve.curve.candidates import pick_candidates
from lightcurve.curve.detrend import design_matrix
from lightcurve.curve.ensemble import Ensemble, relative_flux
from lightcurve.curve.marks import mark_clouds, mark_outliers
from lightcurve.curve.search import (
    MIN_OUTSIDE,
    MIN_POINTS,
    MIN_TO_CHOOSE,
    Option,
    Search,
    join_stars,
    try_aperture,
)
from lightcurve.data import Criterion, CurveRecipe, LightCurve, Measurements
from lightcurve.errors import FitError
from lightcurve.flags import Flag
from lightcurve.quantities import beside_curve, columns_of

TREND = ("airmass", "time")
MIN_LEVEL = 3  # points outside the transit whose median is taken for 1

log = logging.getLogger(__name__)


def choose_curve(
    measurements: Measurements, settings: Settings, *, in_transit: np.ndarray | None = None
) -> LightCurve:
    """Choose aperture, comparison stars and check star, and form the light curve.

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

    Returns
    -------
    LightCurve
        With its recipe.

    Raises
    ------
    FitError
        When no comparison star, or no good measurement of the target, is left.
    """
    apertures = list_apertures(measurements, follow_seeing=settings.apertures.style != "aij")
    candidates = pick_candidates(measurements, settings.stars)
    outside = None if in_transit is None else ~np.asarray(in_transit, dtype=bool)
    design = design_matrix(covariates_of(columns_of(measurements)), TREND)
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
    dropped = [(row, why) for row, (role, why) in candidates.roles.items() if role == "field"]
    example = f", such as {plan.star_id[dropped[0][0]]} ({dropped[0][1]})" if dropped else ""
    return (
        f"0 comparison candidates are left of {len(dropped)}{example}; see `lightcurve plan`, and "
        "name comparison stars with --comp"
    )


def star_curves(measurements: Measurements, light_curve: LightCurve) -> tuple:
    """Divide every star by the ensemble of a light curve.

    Parameters
    ----------
    light_curve : LightCurve
        From `choose_curve` on these measurements.

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


def _form(search: Search, best: Option) -> LightCurve:
    """Build the light curve of the chosen option."""
    measurements = search.measurements
    piece = take_aperture(measurements, best.aperture)
    ensemble = join_stars(piece, np.array(best.members), search.settings.weights)
    ratio = piece.flux[:, 0] / ensemble.transparency
    level, normalised = _level(ratio, piece.good[:, 0], search.outside)
    flux = ratio / level
    air = _scintillation(measurements, search.settings, ensemble)
    error = np.abs(flux) * np.sqrt(
        (piece.flux_err[:, 0] / piece.flux[:, 0]) ** 2
        + (ensemble.flux_err / ensemble.flux) ** 2
        + air**2
    )
    flags = piece.flags[:, 0].astype(np.uint16)
    flags = flags | np.where(
        mark_clouds(ensemble.transparency, measurements.airmass), Flag.CLOUD, 0
    )
    flags = flags | np.where(mark_outliers(flux, error), Flag.OUTLIER, 0)
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
        recipe=_recipe(search, best, ensemble, normalised, float(np.median(air))),
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


def _scintillation(
    measurements: Measurements, settings: Settings, ensemble: Ensemble
) -> np.ndarray:
    """Of target and ensemble together."""
    one_star = star_scintillation(measurements, settings)
    still = np.count_nonzero(one_star == 0)
    if still and usable_diameter(measurements, settings):
        text = "errors of %d frames carry no scintillation: their exposure is not known"
        log.warning(text, still)
    return one_star * np.sqrt(1 + np.sum(ensemble.weights**2))


def _recipe(
    search: Search, best: Option, ensemble: Ensemble, normalised: str, scintillation: float
) -> CurveRecipe:
    """Collect how the curve came about."""
    candidates = search.candidates
    roles = dict(candidates.roles)
    for row, weight, scatter in zip(best.members, ensemble.weights, ensemble.scatter, strict=True):
        text = f"comparison: weight {weight:.3f}, scatter {100 * scatter:.2f} % against the others"
        roles[row] = ("comparison", text)
    left_out = set(candidates.rows.tolist()) - set(best.members)
    why = "fainter than those used" if search.few else "the curve is quieter without it"
    roles |= dict.fromkeys(left_out, ("field", f"candidate, but {why}"))
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
        scintillation=scintillation,
        saturation_adu=candidates.saturation_adu,
    )
