"""Every aperture with every number of comparison stars, and the scatter that each reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.config import Settings
from lightcurve.curve.aperture import Slice, take_aperture
from lightcurve.curve.candidates import Candidates, take_present
from lightcurve.curve.detrend import remove_trend
from lightcurve.curve.ensemble import Ensemble, build_ensemble, take_members
from lightcurve.curve.scatter import clipped_scatter, point_to_point
from lightcurve.data import Aperture, Measurements

LADDER = (1, 2, 3, 4, 6, 8, 11, 15, 20, 30, 50, 100)
MIN_POINTS = 5  # good measurements of the target, for a light curve at all
MIN_TO_CHOOSE = 20  # for a scatter known to 16 %: with fewer, the quietest star is a lucky one
MIN_OUTSIDE = 10  # outside the predicted transit, for a scatter to be measured there


@dataclass(frozen=True, slots=True)
class Option:
    """One aperture with one number of comparison stars, and what it reached.

    Attributes
    ----------
    members : tuple of int
        Rows of the plan.
    target_scatter, check_scatter : float
        Relative; NaN where there is no check star.
    """

    aperture: Aperture
    members: tuple[int, ...]
    target_scatter: float
    check_scatter: float

    @property
    def merit(self) -> float:
        """Both scatters together: the smaller the better."""
        return float(np.hypot(self.target_scatter, np.nan_to_num(self.check_scatter)))


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What every option is tried on.

    Attributes
    ----------
    outside : (n_frame,) bool array or None
        Frames outside the predicted transit; None where none is predicted.
    design : (n_frame, n) float array
        Of the trend that is taken out before scatter is measured.
    """

    measurements: Measurements
    settings: Settings
    candidates: Candidates
    outside: np.ndarray | None
    design: np.ndarray

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


def try_aperture(search: Search, aperture: Aperture) -> list[Option]:
    """Try every number of comparison stars at one aperture, quietest stars first.

    With too few points to tell which are quiet, all are tried at once: the brightest, where they
    are more than the settings allow.

    Empty where the target has too few good measurements, or no comparison star any.
    """
    piece, candidates = take_aperture(search.measurements, aperture), search.candidates
    steady = search.settings.apertures.style == "aij"
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
    """Join comparison stars into one.

    rows: (n,) int array, of the plan; weights: as for `build_ensemble`.
    """
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
