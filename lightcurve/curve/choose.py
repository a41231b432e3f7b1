"""Aperture and comparison stars, chosen together by how quiet the result is out of transit.

The transit itself has no vote: the target counts only outside the predicted window, and without a
prediction only by the differences of neighbouring points.
"""

from __future__ import annotations

import numpy as np

from lightcurve.config import Settings
from lightcurve.curve.aperture import Aperture, frame_radius, list_apertures, take_aperture
from lightcurve.curve.candidates import pick_candidates
from lightcurve.curve.detrend import design_matrix
from lightcurve.curve.ensemble import Ensemble, relative_flux
from lightcurve.curve.marks import mark_clouds, mark_outliers
from lightcurve.curve.scatter import scintillation
from lightcurve.curve.search import Option, Search, join_stars, try_aperture
from lightcurve.data import LightCurve, Measurements
from lightcurve.errors import FitError
from lightcurve.flags import Flag

TREND = ("airmass", "time")


def choose_curve(
    measurements: Measurements, settings: Settings, *, in_transit: np.ndarray | None = None
) -> LightCurve:
    """Choose aperture, comparison stars and check star, and form the light curve.

    Parameters
    ----------
    measurements : Measurements
        Row 0 of its plan is the target; the rows with role ``"comparison"`` are candidates.
    settings : Settings
        ``stars`` says how many comparisons and how they are weighted; ``camera`` and ``site`` give
        the scintillation when the telescope's diameter is known.
    in_transit : (n_frame,) bool array, optional
        True where a transit is predicted, with its uncertainty. Without it the target counts by
        the differences of neighbouring points.

    Returns
    -------
    LightCurve
        ``recipe`` holds the aperture, rows, weights and scatter of the comparison stars, the check
        star, ``roles`` for `lightcurve.curve.plan.revise_plan`, and all that was considered.

    Raises
    ------
    FitError
        When no comparison star, or no good measurement of the target, is left.
    """
    apertures = list_apertures(measurements, follow_seeing=settings.apertures.style != "aij")
    candidates = pick_candidates(measurements, settings.stars)
    outside = None if in_transit is None else ~np.asarray(in_transit, dtype=bool)
    if outside is not None and outside.sum() < 10:
        outside = None
    design = design_matrix(_covariates(measurements), TREND)
    search = Search(measurements, settings, candidates, outside, design)
    options = [option for aperture in apertures for option in try_aperture(search, aperture)]
    if not options:
        target = take_aperture(measurements, apertures[0]).good[:, 0].sum()
        msg = (
            f"no light curve: the target has {target} good measurements of "
            f"{len(measurements.jd_utc)}, with {len(candidates.rows)} comparison candidates; see "
            "the flags in the measurements, or name comparison stars"
        )
        raise FitError(msg)
    best = min(options, key=lambda option: option.merit)
    return _form(search, best, options)


def star_curves(measurements: Measurements, light_curve: LightCurve) -> tuple:
    """Divide every star by the ensemble of a light curve.

    Parameters
    ----------
    measurements : Measurements
    light_curve : LightCurve
        From `choose_curve` on these measurements.

    Returns
    -------
    relative, relative_err : (n_frame, n_star) float arrays
        Each with median 1; comparison stars against the others. NaN where flagged unusable.
    """
    recipe = light_curve.recipe
    piece = take_aperture(measurements, Aperture(*recipe["aperture"]))
    rows = np.asarray(recipe["comparison_rows"], dtype=int)
    ensemble = join_stars(piece, rows, recipe["weighting"])
    members = np.full(piece.flux.shape[1], -1)
    members[rows] = np.arange(len(rows))
    flux = np.where(piece.good, piece.flux, np.nan)
    return relative_flux(ensemble, flux, piece.flux_err, members=members)


def _covariates(measurements: Measurements) -> dict[str, np.ndarray]:
    """List what a curve may depend on; a step where the field turns over at the meridian."""
    time = measurements.bjd_tdb - np.nanmean(measurements.bjd_tdb)
    if not np.isfinite(time).any():
        time = measurements.jd_utc - np.mean(measurements.jd_utc)
    covariates = {
        "airmass": measurements.airmass,
        "x": measurements.x[:, 0],
        "y": measurements.y[:, 0],
        "fwhm": measurements.fwhm_px,
        "sky": measurements.star_sky[:, 0],
        "time": time,
    }
    turned = np.cos(np.radians(measurements.rotation_deg - measurements.rotation_deg[0])) < 0
    if turned.any():
        covariates["meridian_flip"] = turned.astype(float)
    return covariates


def _form(search: Search, best: Option, options: list[Option]) -> LightCurve:
    """Build the light curve of the chosen option."""
    measurements, outside = search.measurements, search.outside
    piece = take_aperture(measurements, best.aperture)
    ensemble = join_stars(piece, np.array(best.members), search.settings.weights)
    ratio = piece.flux[:, 0] / ensemble.transparency
    level = np.nanmedian(ratio[outside] if outside is not None else ratio)
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
    return LightCurve(
        file=measurements.file,
        jd_utc=measurements.jd_utc,
        bjd_tdb=measurements.bjd_tdb,
        flux=flux,
        flux_err=error,
        target_flux=piece.flux[:, 0],
        comparison_flux=ensemble.flux,
        flags=flags.astype(np.uint16),
        covariates=_covariates(measurements) | {"comparison_flux": ensemble.transparency},
        recipe=_recipe(search, best, options, ensemble) | {"scintillation": float(np.median(air))},
    )


def _scintillation(
    measurements: Measurements, settings: Settings, ensemble: Ensemble
) -> np.ndarray:
    """Of target and ensemble together; 0 where the telescope's diameter is not known."""
    diameter = settings.camera.telescope_diameter_m
    if diameter is None:
        return np.zeros(len(measurements.jd_utc))
    one_star = scintillation(
        np.where(np.isfinite(measurements.airmass), measurements.airmass, 1.0),
        measurements.exposure_s,
        diameter_m=diameter,
        height_m=settings.site.height_m or 0.0,
    )
    return one_star * np.sqrt(1 + np.sum(ensemble.weights**2))


def _recipe(search: Search, best: Option, options: list[Option], ensemble: Ensemble) -> dict:
    """Collect how the curve came about."""
    measurements, candidates = search.measurements, search.candidates
    radius = frame_radius(measurements, best.aperture)
    roles = dict(candidates.roles)
    for row, weight, scatter in zip(best.members, ensemble.weights, ensemble.scatter, strict=True):
        text = f"comparison: weight {weight:.3f}, scatter {100 * scatter:.2f} % against the others"
        roles[row] = ("comparison", text)
    left_out = set(candidates.rows.tolist()) - set(best.members)
    roles |= dict.fromkeys(left_out, ("field", "candidate, but the curve is quieter without it"))
    return {
        "aperture": (best.aperture.kind, best.aperture.value),
        "aperture_text": str(best.aperture),
        "radius_px": float(np.median(radius)),
        "radius_per_frame_px": radius,
        "annulus_px": measurements.annulus,
        "weighting": search.settings.weights,
        "comparison_rows": best.members,
        "comparisons": tuple(f"C{row + 1}" for row in best.members),
        "weights": tuple(float(w) for w in ensemble.weights),
        "star_scatter": tuple(float(s) for s in ensemble.scatter),
        "check_row": candidates.check,
        "check": None if candidates.check is None else f"K{candidates.check + 1}",
        "criterion": "points outside the predicted transit"
        if search.outside is not None
        else "differences of neighbouring points, no transit predicted",
        "target_scatter": best.target_scatter,
        "check_scatter": best.check_scatter,
        "saturation_adu": candidates.saturation_adu,
        "roles": roles,
        "considered": tuple(
            {
                "aperture": str(option.aperture),
                "n_comparisons": len(option.members),
                "target_scatter": option.target_scatter,
                "check_scatter": option.check_scatter,
            }
            for option in options
        ),
    }
