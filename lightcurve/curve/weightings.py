"""How comparison stars are weighed: one entry for each way.

A star has a level, a frame a transparency (see `lightcurve.curve.ensemble`). A weighting settles
the levels, each star's share in each frame, and which measurements take part. It does so for many
sets of as many stars at once, each by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightcurve.core.registry import Registry
from lightcurve.curve.bends import measure_excess, neighbours
from lightcurve.curve.detrend import column_median, column_scatter

__all__ = ["WEIGHTINGS"]

CLIP_SIGMA = 5.0
MAX_ITERATIONS = 60
TOLERANCE = 1e-4
MIN_BENDS = 4
OWN_ROUNDS = 4  # a wild star is taken for noise of the others in the first
MORE_SIGMA = 2.0
PRIOR_POINTS = 20  # that errors foretold are worth: a variance known to a third


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What a weighting settles of each set of stars."""

    level: np.ndarray  # (n_set, n_star), of each star, ADU, up to a common factor
    # (n_frame, n_set, n_star), weight of each star in each frame, not normalised; 0 where it takes
    # no part
    share: np.ndarray
    scatter: np.ndarray  # (n_set, n_star), relative, of each star against the others
    used: np.ndarray  # (n_frame, n_set, n_star) bool, what takes part
    error: np.ndarray  # (n_frame, n_set, n_star), of each flux over its level

    def one(self, k: int) -> Weighed:
        """Take one set: the same without its axis."""
        return Weighed(
            self.level[k], self.share[:, k], self.scatter[k], self.used[:, k], self.error[:, k]
        )


@dataclass(frozen=True, slots=True)
class Weighting:
    """A way to weigh comparison stars.

    name : as typed. help : one line for ``--help``.
    """

    name: str
    help: str
    # ``weigh(flux, flux_err)`` of (n_frame, n_set, n_star) ADU, NaN where a star takes no part;
    # every star has a measurement
    weigh: Callable[[np.ndarray, np.ndarray], Weighed]
    of_aij: bool = False  # the one of the style `aij`; of the others the first is our own


def _fit_levels(flux: np.ndarray, share_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Alternate between levels and transparency until the levels of a set stand still."""
    level, moving, finite = column_median(flux), np.arange(flux.shape[1]), np.isfinite(flux)
    for _ in range(MAX_ITERATIONS):
        some, old = flux[:, moving], level[moving]
        share = np.where(finite[:, moving], share_of(old), 0.0)
        transparency = weighted_mean(some / old, share)
        level[moving] = new = _known_median(some / transparency[..., None])
        moving = moving[~(np.abs(new / old - 1).max(axis=-1) < TOLERANCE)]
        if not len(moving):
            break
    return level


def _by_scatter(flux: np.ndarray, flux_err: np.ndarray) -> Weighed:
    """Iterate levels, scatters and the list of wild measurements of each set together."""
    level = _fit_levels(flux, np.ones_like)
    photon, finite = flux_err / flux, np.isfinite(flux)
    foretold, count = column_median(photon), finite.sum(axis=0)
    usual = column_median(photon.swapaxes(1, 2).reshape(-1, flux.shape[1]))
    scatter, used = np.hypot(foretold, usual[:, None]), finite.copy()
    moving = np.arange(flux.shape[1])
    for _ in range(MAX_ITERATIONS):
        old, was = scatter[moving], used[:, moving]
        variance = np.fmax(old, photon[:, moving]) ** 2
        share = np.where(was, 1 / variance, 0.0)
        _, ratio = leave_one_out(flux[:, moving] / level[moving], share)
        middle = _known_median(ratio)
        new = _own_scatter(column_scatter(ratio, middle), old, foretold[moving], count[moving])
        new = np.where(np.isfinite(new), new, old)
        # Levels and scatters move half way: two stars could otherwise swap weights for ever.
        scatter[moving] = np.sqrt(old * new)
        level[moving] *= np.sqrt(middle)
        variance = np.fmax(new**2, variance) + _variance_of_others(share)
        some = finite[:, moving]
        kept = some & ~((ratio / middle - 1) ** 2 > CLIP_SIGMA**2 * variance)
        # A frame in which every star is wild is the frame's fault, not the stars'.
        used[:, moving] = kept = np.where(kept.any(axis=-1, keepdims=True), kept, some)
        settled = np.abs(np.log(new / old)).max(axis=-1) < TOLERANCE
        moving = moving[~(settled & (kept == was).all(axis=(0, 2)))]
        if not len(moving):
            break
    share = np.where(used, 1 / np.fmax(scatter, photon) ** 2, 0.0)
    normalised = flux / level
    return Weighed(level, share, scatter, used, normalised * _own_noise(normalised, share, photon))


def _own_noise(normalised: np.ndarray, share: np.ndarray, photon: np.ndarray) -> np.ndarray:
    """Relative noise of each star, as `photon`: its error, or more where it shows more.

    More only beyond what chance does, or the errors of quiet stars would be large on the average.
    """
    triples = neighbours(np.arange(len(normalised), dtype=float))
    if triples.shape[1] < MIN_BENDS or normalised.shape[-1] == 1:
        return photon
    relative, more = np.where(share > 0, normalised, np.nan), np.ones(normalised.shape[1:])
    for _ in range(OWN_ROUNDS):
        ratio, spread = measure_excess(relative, share, more * photon**2, triples)
        more = np.where(more * ratio > 1 + MORE_SIGMA * spread, more * ratio, 1.0)
    return np.sqrt(more) * photon


def _own_scatter(
    measured: np.ndarray, scatter: np.ndarray, photon: np.ndarray, count: np.ndarray
) -> np.ndarray:
    """Scatter of the star alone: what is measured holds that of the other stars' mean too.

    A scatter of few points (n_set, n_star) is small or large by chance: it is drawn towards what
    its errors foretell, by as much as those of the field's stars are too small.
    """
    inverse = 1 / scatter**2
    others = inverse.sum(axis=-1, keepdims=True) - inverse
    mean = 1 / np.where(others > 0, others, np.inf)
    # With few stars the difference is uncertain: at least a third of what was measured is kept.
    own = np.fmax(measured**2 - mean, measured**2 / 3)
    expected = photon**2 * column_median((own / photon**2).T)[:, None]
    own = (count * own + PRIOR_POINTS * expected) / (count + PRIOR_POINTS)
    return np.sqrt(np.fmax(own, photon**2))


def leave_one_out(normalised: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transparency by the other stars, and each star's flux over it; the last axis is of stars."""
    if normalised.shape[-1] == 1:
        return np.ones_like(normalised), np.where(np.isfinite(normalised), 1.0, np.nan)
    filled = np.where(share > 0, normalised * share, 0.0)
    weight = share.sum(axis=-1, keepdims=True) - share
    with np.errstate(invalid="ignore", divide="ignore"):
        light = filled.sum(axis=-1, keepdims=True) - filled
        others = np.where(weight > 0, light / weight, np.nan)
        return others, normalised / others


def _variance_of_others(share: np.ndarray) -> np.ndarray:
    """Relative variance of the mean of all other stars: shares are 1 / sigma^2.

    A quiet star beside a noisy one alone is not wild where that one is off.
    """
    weight = share.sum(axis=-1, keepdims=True) - share
    return 1 / np.where(weight > 0, weight, np.inf)


def _known_median(values: np.ndarray) -> np.ndarray:
    """Median over frames; 1 for a star that no other was there to compare with."""
    median = column_median(values)
    return np.where(np.isnan(median), 1.0, median)


def weighted_mean(normalised: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Mean over the stars, the last axis; NaN where none has a share.

    normalised: may be NaN where the share is 0.
    """
    total = share.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(share > 0, normalised * share, 0.0).sum(axis=-1) / total
    return np.where(total > 0, mean, np.nan)


def _by_flux(flux: np.ndarray, flux_err: np.ndarray) -> Weighed:
    """Add fluxes as they are: a star's share is its level."""
    used = np.isfinite(flux)
    level = _fit_levels(flux, np.asarray)
    share = np.where(used, level, 0.0)
    scatter = column_scatter(leave_one_out(flux / level, share)[1])
    return Weighed(level, share, scatter, used, flux_err / level)


# Broeg et al. 2005, AN 326, 134.
BY_SCATTER = Weighting("scatter", "quiet stars count more, wild points not at all", _by_scatter)
PLAIN_SUM = Weighting("sum", "plain sum of fluxes, as AstroImageJ", _by_flux, of_aij=True)
WEIGHTINGS: Registry[Weighting] = Registry("comparison weighting", BY_SCATTER, PLAIN_SUM)
