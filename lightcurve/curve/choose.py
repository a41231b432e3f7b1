"""Aperture and comparison stars, chosen together by the expected error of what is wanted.

Every aperture is tried with all comparison stars, and with fewer where that is quieter beyond luck.
The check star has no vote. Frames and points that deserve a flag get it, and nothing is removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.algebra import one_thread
from lightcurve.core.data import Aperture, LightCurve, Measurements, StarRole, Style
from lightcurve.core.errors import FitError
from lightcurve.core.flags import UNUSABLE, count_flags
from lightcurve.core.processes import divide
from lightcurve.core.settings import Settings
from lightcurve.curve.aperture import Slice, list_apertures, take_aperture
from lightcurve.curve.blend import Blend
from lightcurve.curve.candidates import cover, take_present
from lightcurve.curve.detrend import column_median
from lightcurve.curve.ensemble import Ensemble, take_members
from lightcurve.curve.form import (
    MIN_POINTS,
    Option,
    Search,
    foretell,
    form_curve,
    join_stars,
    prepare_search,
    ratio_of,
)
from lightcurve.curve.worth import is_quieter, measure_wander

__all__ = ["choose_curve"]

CONSIDERED = 2  # times as many comparison stars as are used at most: fainter ones weigh less
LADDER = (1, 2, 3, 4, 6, 8, 11, 15, 20, 30, 50, 100)


def choose_curve(
    measurements: Measurements,
    settings: Settings,
    *,
    in_transit: np.ndarray | None = None,
    dip: np.ndarray | None = None,
    blend: Blend | None = None,
    processes: int = 1,
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
    processes : int
        That try apertures, where they stand ready: `lightcurve.core.processes.ready_with`.

    Raises
    ------
    FitError
        When no comparison star, or no good measurement of the target, is left.
    """
    apertures = list_apertures(measurements, follow_seeing=settings.apertures.style != Style.AIJ)
    search = prepare_search(measurements, settings, in_transit=in_transit, dip=dip, blend=blend)
    tried = {id(one): found for one, found in divide(apertures, _Tried(search), processes)}
    options = [option for aperture in apertures for option in tried[id(aperture)]]
    if not options:
        msg = f"no light curve: {_why_none(search)}"
        raise FitError(msg)
    best = min(options, key=lambda option: option.error)
    return form_curve(search, best)


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a process does with an aperture; the search, which is large, travels once."""

    search: Search

    def __call__(self, aperture: Aperture) -> list[Option]:
        with one_thread():
            return try_aperture(self.search, aperture)


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
    weights = search.settings.weights
    ensemble = join_stars(piece, rows, weights, search.question.design)
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
        ratio = ratio_of(part, piece, 0)
        if np.isfinite(ratio).sum() < MIN_POINTS:
            continue
        residual = search.question.residual(ratio)
        if full is not None and not is_quieter(residual, full):
            continue
        full = residual if full is None else full
        error = search.question.error(ratio, np.hypot(*foretell(part, piece, 0)), wander)
        if not np.isnan(error):
            options.append(Option(aperture, tuple(rows[members].tolist()), weights, error / share))
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


def _worth(ensemble: Ensemble, present: np.ndarray) -> np.ndarray:
    """Rank of comparison stars: quiet ones first, those often missing later."""
    return present.mean(axis=0) / np.maximum(ensemble.scatter, 1e-9) ** 2


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
