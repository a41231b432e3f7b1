"""One artificial comparison star out of many real ones.

The model is flux[i, j] = level[j] * transparency[i]: each star has a level, each frame a
transparency. A star that is missing in a frame (drift, saturation, a satellite) takes its level
out with its flux, so that no step appears.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.core.robust import MAD_TO_SIGMA
from lightcurve.curve.weightings import BY_SCATTER, WEIGHTINGS, Weighed, weighted_mean

__all__ = ["Ensemble", "build_ensemble", "relative_flux"]

POINTS_PER_COLUMN = 5  # of the baseline: with fewer it would follow the noise
MAX_DRIFT = 0.9  # of the star's level
WILD_DRIFT = 3.0  # of what drifts differ by


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Comparison stars taken together.

    flux, flux_err : (n_frame,) float arrays, ADU: the transparency times the sum of all levels;
        with weights ``"sum"`` and no star missing the plain sum of fluxes. NaN where no star is
        left.
    normalised, error : (n_frame, n_star) float arrays, flux over level, and its error as
        weighed.
    """

    flux: np.ndarray
    flux_err: np.ndarray
    transparency: np.ndarray  # (n_frame,), median 1
    weights: np.ndarray  # (n_star,), mean share of each star in the transparency; they add up to 1
    level: np.ndarray  # (n_star,), flux at transparency 1, ADU
    scatter: np.ndarray  # (n_star,), relative scatter of each star against all the others
    used: np.ndarray  # (n_frame, n_star) bool, what took part
    share: np.ndarray  # (n_frame, n_star), weight of each star in each frame, not normalised
    normalised: np.ndarray
    error: np.ndarray


def build_ensemble(
    flux: np.ndarray,
    flux_err: np.ndarray,
    *,
    good: np.ndarray | None = None,
    weights: str = BY_SCATTER.name,
    baseline: np.ndarray | None = None,
) -> Ensemble:
    """Join comparison stars at one aperture into one.

    flux, flux_err: (n_frame, n_star) float arrays, ADU.
    good: (n_frame, n_star) bool array, false leaves a measurement out; by default all that are
        finite and positive take part.
    weights: one of `lightcurve.curve.weightings.WEIGHTINGS`.
    baseline: (n_frame, k) design matrix, a constant first, of what each star may drift with
    against all together: that is taken off, so that it makes no step where a star comes or goes,
    nor costs it weight. A plain sum is left plain.
    Raises InputError with no star, an unknown weighting, or a star without a good measurement.
    """
    some = None if good is None else good[:, None]
    sets = flux[:, None], flux_err[:, None]
    return build_ensembles(*sets, good=some, weights=weights, baseline=baseline)[0]


def build_ensembles(
    flux: np.ndarray,
    flux_err: np.ndarray,
    *,
    good: np.ndarray | None = None,
    weights: str = BY_SCATTER.name,
    baseline: np.ndarray | None = None,
) -> list[Ensemble]:
    """Join each of several sets of as many stars, (n_frame, n_set, n_star), by itself.

    All else as for `build_ensemble`.
    """
    weighting = WEIGHTINGS.get(weights)
    usable = np.isfinite(flux) & np.isfinite(flux_err) & (np.nan_to_num(flux) > 0)
    used = usable if good is None else usable & good
    measured = used.any(axis=0)
    if flux.shape[-1] == 0 or not measured.all():
        msg = (
            f"the ensemble needs comparison stars with good measurements, "
            f"{int(measured.sum(axis=-1).min())} of {flux.shape[-1]} have any"
        )
        raise InputError(msg)
    flux, flux_err = np.where(used, flux, np.nan), np.where(used, flux_err, np.nan)
    weighed = weighting.weigh(flux, flux_err)
    if baseline is not None and not weighting.of_aij and flux.shape[-1] > 1:
        flux = _without_drift(flux, weighed, baseline)
        weighed = weighting.weigh(flux, flux_err)
    return [_finish(flux[:, k], weighed.one(k)) for k in range(flux.shape[1])]


def _without_drift(flux: np.ndarray, weighed: Weighed, baseline: np.ndarray) -> np.ndarray:
    """Give all stars of a set, (n_frame, n_set, n_star), the drift that is typical of them.

    Each star's is fitted against all together where it is not alone, and not where there are few
    such frames. Typical is not that of the quietest stars, which have most weight.
    """
    normalised = flux / weighed.level
    ratio = normalised / weighted_mean(normalised, weighed.share)[..., None]
    several = weighed.used & (weighed.used.sum(axis=-1, keepdims=True) > 1)
    told = several.sum(axis=0) >= POINTS_PER_COLUMN * baseline.shape[1]
    drift, error = _fit_drifts(ratio[:, told], several[:, told], baseline)
    own, flat = baseline @ drift.T, flux.copy()
    number = np.append(0, np.cumsum(told.sum(axis=-1)))
    for k, (first, last) in enumerate(pairwise(number.tolist())):
        if first == last:
            continue
        of_set = slice(first, last)
        common = (baseline @ _typical(drift[of_set], error[of_set]))[:, None]
        safe = (np.abs(own[:, of_set] - 1) < MAX_DRIFT) & (np.abs(common - 1) < MAX_DRIFT)
        flat[:, k, told[k]] *= np.where(safe.all(axis=0), common / own[:, of_set], 1.0)
    return flat


def _fit_drifts(
    ratio: np.ndarray, used: np.ndarray, baseline: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit what each star, (n_frame, n), drifts with over its level, and the errors: (n, k) each."""
    drift, error = np.empty((2, ratio.shape[1], baseline.shape[1]))
    # Stars that are used in the same frames are fitted together.
    masks, which = np.unique(used.T, axis=0, return_inverse=True)
    for number, mask in enumerate(masks):
        stars = np.flatnonzero(which.ravel() == number)
        design, values = baseline[mask], ratio[np.ix_(mask, stars)]
        fitted = np.linalg.lstsq(design, values, rcond=None)[0]
        noise = np.std(values - design @ fitted, axis=0)
        spread = noise[:, None] * np.sqrt(np.diag(np.linalg.pinv(design.T @ design)))
        drift[stars], error[stars] = (fitted / fitted[0]).T, spread / np.abs(fitted[0])[:, None]
    return drift, error


def _typical(drift: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Average drifts (n_star, k) by their errors and by how much they differ; wild ones are not."""
    middle = np.median(drift, axis=0)
    differ = (MAD_TO_SIGMA * np.median(np.abs(drift - middle), axis=0)) ** 2
    variance = error**2 + np.maximum(differ - np.median(error, axis=0) ** 2, 0)
    near = (drift - middle) ** 2 <= WILD_DRIFT**2 * np.maximum(variance, differ)
    weight = np.where(near, 1 / np.maximum(variance, 1e-30), 0.0)
    return (weight * drift).sum(axis=0) / weight.sum(axis=0)


def relative_flux(
    ensemble: Ensemble, flux: np.ndarray, flux_err: np.ndarray, *, members: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Divide stars by the ensemble; a member is divided by the ensemble without itself.

    flux, flux_err: (n_frame, n_star) float arrays, ADU.
    members: (n_star,) int array, column of each star in the ensemble, -1 for a star that is no
        member (the default).
    Both results are over the median of the star's own curve; NaN where star or ensemble is missing.
    """
    relative, error = np.full(flux.shape, np.nan), np.full(flux.shape, np.nan)
    columns = np.full(flux.shape[1], -1) if members is None else np.asarray(members)
    ensemble_err = ensemble.flux_err / ensemble.flux
    transparency = np.repeat(ensemble.transparency[:, None], flux.shape[1], axis=1)
    inside = np.flatnonzero(columns >= 0)
    if len(inside) and len(ensemble.level) > 1:
        own = ensemble.share[:, columns[inside]]
        total = ensemble.share.sum(axis=1, keepdims=True)
        parts = np.nan_to_num(ensemble.normalised[:, columns[inside]])
        rest = np.where(total - own > 0, total - own, np.nan)
        transparency[:, inside] = (total * transparency[:, inside] - own * parts) / rest
    for k in range(flux.shape[1]):
        ratio = flux[:, k] / transparency[:, k]
        if not np.isfinite(ratio).any():
            continue
        middle = np.nanmedian(ratio)
        relative[:, k] = ratio / middle
        error[:, k] = np.abs(relative[:, k]) * np.hypot(flux_err[:, k] / flux[:, k], ensemble_err)
    return relative, error


def _finish(flux: np.ndarray, weighed: Weighed) -> Ensemble:
    """Form the joint flux and its error: sqrt(sum (share error)^2) / sum share."""
    level, share, error = weighed.level, weighed.share, weighed.error
    transparency = weighted_mean(flux / level, share)
    middle = np.nanmedian(transparency)
    transparency, level = transparency / middle, level * middle
    total = share.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((share**2 * np.nan_to_num(error) ** 2).sum(axis=1)) / total / middle
        weights = np.nanmean(np.where(total[:, None] > 0, share / total[:, None], np.nan), axis=0)
    scale = level.sum()
    return Ensemble(
        flux=transparency * scale,
        flux_err=np.where(total > 0, spread * scale, np.nan),
        transparency=transparency,
        weights=weights / weights.sum(),
        level=level,
        scatter=weighed.scatter,
        used=weighed.used,
        share=share,
        normalised=flux / level,
        error=error / middle,
    )


def take_members(ensemble: Ensemble, members: np.ndarray) -> Ensemble:
    """Keep only some stars (columns) of an ensemble, at the weights and levels they have."""
    weighed = Weighed(
        level=ensemble.level[members],
        share=ensemble.share[:, members],
        scatter=ensemble.scatter[members],
        used=ensemble.used[:, members],
        error=ensemble.error[:, members],
    )
    return _finish(ensemble.normalised[:, members] * weighed.level, weighed)
