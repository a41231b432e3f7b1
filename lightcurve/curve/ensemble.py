"""One artificial comparison star out of many real ones.

The model is flux[i, j] = level[j] * transparency[i]: each star has a level, each frame a
transparency. A star that is missing in a frame (drift, saturation, a satellite) takes its level
out with its flux, so that no step appears.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightcurve.curve.scatter import column_median, column_scatter
from lightcurve.errors import InputError

CLIP_SIGMA = 5.0
MAX_ITERATIONS = 60
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Comparison stars taken together.

    Attributes
    ----------
    flux, flux_err : (n_frame,) float arrays
        ADU: the transparency times the sum of all levels; with weights ``"sum"`` and no star
        missing the plain sum of fluxes. NaN where no star is left.
    transparency : (n_frame,) float array
        Median 1.
    weights : (n_star,) float array
        Mean share of each star in the transparency; they add up to 1.
    level : (n_star,) float array
        Flux at transparency 1, ADU.
    scatter : (n_star,) float array
        Relative scatter of each star against all the others.
    used : (n_frame, n_star) bool array
        What took part.
    share : (n_frame, n_star) float array
        Weight of each star in each frame, not normalised.
    normalised, error : (n_frame, n_star) float arrays
        Flux over level, and its error as weighed.
    """

    flux: np.ndarray
    flux_err: np.ndarray
    transparency: np.ndarray
    weights: np.ndarray
    level: np.ndarray
    scatter: np.ndarray
    used: np.ndarray
    share: np.ndarray
    normalised: np.ndarray
    error: np.ndarray


def build_ensemble(
    flux: np.ndarray,
    flux_err: np.ndarray,
    *,
    good: np.ndarray | None = None,
    weights: str = "scatter",
) -> Ensemble:
    """Join comparison stars into one.

    Parameters
    ----------
    flux, flux_err : (n_frame, n_star) float arrays
        ADU at one aperture; NaN where not measured.
    good : (n_frame, n_star) bool array, optional
        False leaves a measurement out; by default all that are finite and positive take part.
    weights : str
        ``"scatter"``: inverse variance, from each star's scatter against the others (Broeg et
        al. 2005, AN 326, 134), single wild measurements left out. ``"sum"``: fluxes added as
        they are, as AstroImageJ does.

    Returns
    -------
    Ensemble

    Raises
    ------
    InputError
        With no star, an unknown weighting, or a star without a single good measurement.
    """
    if weights not in ("scatter", "sum"):
        msg = f'comparison weights must be "scatter" or "sum", got "{weights}"'
        raise InputError(msg)
    usable = np.isfinite(flux) & np.isfinite(flux_err) & (np.nan_to_num(flux) > 0)
    used = usable if good is None else usable & good
    if flux.shape[1] == 0 or not used.any(axis=0).all():
        msg = (
            f"the ensemble needs comparison stars with good measurements, "
            f"{int(used.any(axis=0).sum())} of {flux.shape[1]} have any"
        )
        raise InputError(msg)
    flux, flux_err = np.where(used, flux, np.nan), np.where(used, flux_err, np.nan)
    if weights == "sum":
        level = _fit_levels(flux, np.asarray)
        share = np.where(used, level, 0.0)
        scatter = column_scatter(_leave_one_out(flux / level, share)[1])
        error = flux_err / level
    else:
        level, share, scatter, used, error = _weigh(flux, flux_err)
    return _finish(flux, level, share=share, scatter=scatter, used=used, error=error)


def relative_flux(
    ensemble: Ensemble, flux: np.ndarray, flux_err: np.ndarray, *, members: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Divide stars by the ensemble; a member is divided by the ensemble without itself.

    Parameters
    ----------
    ensemble : Ensemble
    flux, flux_err : (n_frame, n_star) float arrays
        ADU.
    members : (n_star,) int array, optional
        Column of each star in the ensemble, -1 for a star that is no member (the default).

    Returns
    -------
    relative, relative_err : (n_frame, n_star) float arrays
        Over the median of the star's own curve; NaN where the star or the ensemble is missing.
    """
    relative, error = np.full(flux.shape, np.nan), np.full(flux.shape, np.nan)
    columns = np.full(flux.shape[1], -1) if members is None else np.asarray(members)
    ensemble_err = ensemble.flux_err / ensemble.flux
    transparency = np.repeat(ensemble.transparency[:, None], flux.shape[1], axis=1)
    inside = np.flatnonzero(columns >= 0)
    if len(inside) and len(ensemble.level) > 1:
        normalised = np.where(ensemble.used[:, columns[inside]], flux[:, inside], np.nan)
        own = ensemble.share[:, columns[inside]]
        total = ensemble.share.sum(axis=1, keepdims=True)
        parts = np.nan_to_num(normalised) / ensemble.level[columns[inside]]
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


def _fit_levels(flux: np.ndarray, share_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Alternate between levels and transparency until the levels stand still."""
    level = np.nanmedian(flux, axis=0)
    for _ in range(MAX_ITERATIONS):
        share = np.where(np.isfinite(flux), share_of(level), 0.0)
        transparency = _weighted_mean(flux / level, share)
        new = _column_median(flux / transparency[:, None])
        change = np.max(np.abs(new / level - 1))
        level = new
        if change < TOLERANCE:
            break
    return level


def _weigh(flux: np.ndarray, flux_err: np.ndarray) -> tuple:
    """Iterate levels, scatters and the list of wild measurements together."""
    level = _fit_levels(flux, np.ones_like)
    photon = flux_err / flux
    scatter = np.hypot(np.nanmedian(photon, axis=0), np.nanmedian(photon))
    used = np.isfinite(flux)
    for _ in range(MAX_ITERATIONS):
        sigma = np.fmax(scatter, photon)
        share = np.where(used, 1 / sigma**2, 0.0)
        normalised = flux / level
        _, ratio = _leave_one_out(normalised, share)
        middle = _column_median(ratio)
        new_scatter = _own_scatter(column_scatter(ratio), scatter, np.nanmedian(photon, axis=0))
        new_scatter = np.where(np.isfinite(new_scatter), new_scatter, scatter)
        # Levels and scatters move half way: two stars could otherwise swap weights for ever.
        change = np.max(np.abs(np.log(new_scatter / scatter)))
        scatter = np.sqrt(scatter * new_scatter)
        level = level * np.sqrt(middle)
        wild = np.abs(ratio / middle - 1) > CLIP_SIGMA * np.fmax(new_scatter, sigma)
        new_used = np.isfinite(flux) & ~wild
        # A frame in which every star is wild is the frame's fault, not the stars'.
        new_used = np.where(new_used.any(axis=1, keepdims=True), new_used, np.isfinite(flux))
        settled = change < TOLERANCE and np.array_equal(used, new_used)
        used = new_used
        if settled:
            break
    sigma = np.fmax(scatter, photon)
    share = np.where(used, 1 / sigma**2, 0.0)
    error = sigma * np.where(np.isfinite(flux), flux / level, np.nan)
    return level, share, scatter, used, error


def _own_scatter(measured: np.ndarray, scatter: np.ndarray, photon: np.ndarray) -> np.ndarray:
    """Scatter of the star alone: what is measured holds that of the other stars' mean too."""
    inverse = 1 / scatter**2
    others = inverse.sum() - inverse
    mean = 1 / np.where(others > 0, others, np.inf)
    # With few stars the difference is uncertain: at least a third of what was measured is kept.
    return np.sqrt(np.fmax(np.fmax(measured**2 - mean, measured**2 / 3), photon**2))


def _leave_one_out(normalised: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transparency by the other stars, and each star's flux over it, (n_frame, n_star)."""
    if normalised.shape[1] == 1:
        return np.ones_like(normalised), np.where(np.isfinite(normalised), 1.0, np.nan)
    filled = np.nan_to_num(normalised) * share
    weight = share.sum(axis=1, keepdims=True) - share
    with np.errstate(invalid="ignore", divide="ignore"):
        others = np.where(weight > 0, (filled.sum(axis=1, keepdims=True) - filled) / weight, np.nan)
        return others, normalised / others


def _column_median(values: np.ndarray) -> np.ndarray:
    """Median of each column; 1 for a star that no other was there to compare with."""
    median = column_median(values)
    return np.where(np.isnan(median), 1.0, median)


def _weighted_mean(normalised: np.ndarray, share: np.ndarray) -> np.ndarray:
    total = share.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (np.nan_to_num(normalised) * share).sum(axis=1) / total
    return np.where(total > 0, mean, np.nan)


def _finish(
    flux: np.ndarray,
    level: np.ndarray,
    *,
    share: np.ndarray,
    scatter: np.ndarray,
    used: np.ndarray,
    error: np.ndarray,
) -> Ensemble:
    """Form the joint flux and its error: sqrt(sum (share error)^2) / sum share."""
    transparency = _weighted_mean(flux / level, share)
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
        scatter=scatter,
        used=used,
        share=share,
        normalised=flux / level,
        error=error / middle,
    )


def take_members(ensemble: Ensemble, members: np.ndarray) -> Ensemble:
    """Keep only some stars of an ensemble, at the weights they have.

    Parameters
    ----------
    ensemble : Ensemble
    members : (k,) int array
        Columns to keep.

    Returns
    -------
    Ensemble
        Levels and scatters are those found with all stars.
    """
    return _finish(
        ensemble.normalised[:, members] * ensemble.level[members],
        ensemble.level[members],
        share=ensemble.share[:, members],
        scatter=ensemble.scatter[members],
        used=ensemble.used[:, members],
        error=ensemble.error[:, members],
    )
