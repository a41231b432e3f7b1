"""Which stars of a field vary: more than stars as bright do, or more slowly than noise does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from lightcurve.core.errors import FitError, InputError
from lightcurve.core.robust import MAD_TO_SIGMA, without_runs
from lightcurve.variables.field import Compared, Field, compare_all, usual_of
from lightcurve.variables.period import PeriodSearch, find_period

MIN_POINTS = 15  # of a star
MIN_STARS = 8  # of a field, that tell what is usual there
CONVINCING = 5.0  # sigma of the field's stars
ALIKE = 31  # stars as bright, that tell how much stars differ
WILD = 4.0  # sigma: such a point counts where its neighbours are as far
NEAR_DAYS = 0.1  # between neighbours in time
LEAST_SPREAD = 0.03  # of ln scatter: stars as bright differ by as much where there are few
SAME_LIGHT = 0.7  # correlation of a star with a brighter candidate whose light it has
SYSTEMATIC = 0.8  # correlation with airmass or seeing that is worth a word


class Sign(StrEnum):
    """By what a star was found."""

    SCATTER = "scatter"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A star that varies.

    Attributes
    ----------
    column : int
        Of the field.
    scatter, expected : float
        Relative, of its points, and of stars as bright.
    sigmas : mapping of Sign to float
        How far it stands out of the field's stars by each sign.
    once : bool
        Nothing is left of it without one run of neighbouring points.
    notes : tuple of str
        What speaks against it.
    period : PeriodSearch or None
        None where it could not be looked for.
    """

    column: int
    points: int
    scatter: float
    expected: float
    sigmas: dict[Sign, float]
    once: bool
    notes: tuple[str, ...]
    period: PeriodSearch | None = None

    @property
    def strength(self) -> float:
        """The more convincing of its signs."""
        return max(self.sigmas.values())


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What a search gave.

    scatter, expected : (s,) float arrays, relative; NaN of stars with too few points.
    """

    compared: Compared
    scatter: np.ndarray
    expected: np.ndarray
    variables: tuple[Variable, ...]


def search_field(field: Field) -> Searched:
    """Look for variables among all stars of a field, the most convincing first.

    Those that are found are then no comparison stars, and all are compared anew.

    Raises InputError where too few stars tell what is usual.
    """
    compared = compare_all(field)
    found = np.zeros(len(field.name), dtype=bool)
    for _ in range(3):
        signs, scatter, expected = signs_of(field, compared)
        strong = np.nanmax(np.where(np.isfinite(signs), signs, -np.inf), axis=0) > CONVINCING
        if np.array_equal(strong, found):
            break
        found = strong
        try:
            compared = compare_all(field, without=found)
        except InputError:  # too few are left: those of before
            break
    strongest = signs.max(axis=0)
    seen = [
        (seen_once(field, compared, int(k)), -strongest[k], int(k)) for k in np.flatnonzero(found)
    ]
    variables: list[Variable] = []
    for once, _, k in sorted(seen):
        sigmas = {sign: float(value) for sign, value in zip(Sign, signs[:, k], strict=True)}
        notes = tuple(against(field, compared, k, [v.column for v in variables]))
        points = int(np.isfinite(compared.relative[:, k]).sum())
        variables.append(
            Variable(k, points, float(scatter[k]), float(expected[k]), sigmas, once, notes)
        )
    return Searched(compared, scatter, expected, tuple(variables))


def strongest_run(field: Field, values: np.ndarray) -> np.ndarray:
    """Find the points in a row, of one night and one side of the median, whose sum is the largest.

    values: (n,), NaN where there is none. Returns rows, in order of time.
    """
    order = np.argsort(field.time, kind="stable")
    known = order[np.isfinite(values[order])]
    off = values[known] - np.median(values[known])
    new = (np.diff(np.sign(off), prepend=0) != 0) | (np.diff(field.night[known], prepend=-1) != 0)
    run = np.cumsum(new)
    return np.asarray(known[run == np.argmax(np.abs(np.bincount(run, off)))])


def seen_once(field: Field, compared: Compared, k: int) -> bool:
    """Tell whether nothing is left of a star's variation without its strongest run of points."""
    rest = compared.relative.copy()
    rest[strongest_run(field, rest[:, k]), k] = np.nan
    signs, _, _ = signs_of(field, replace(compared, relative=rest))
    return bool(signs[:, k].max() < CONVINCING)


def beside_a_gap(field: Field, values: np.ndarray) -> bool:
    """Tell whether the strongest run of a star's points is beside frames that lack it."""
    order = np.argsort(field.time, kind="stable")
    place = np.flatnonzero(np.isin(order, strongest_run(field, values)))
    beside = np.array([place[0] - 1, place[-1] + 1])
    beside = order[beside[(beside >= 0) & (beside < len(order))]]
    same = field.night[beside] == field.night[order[place[0]]]
    return bool(np.isnan(values[beside[same]]).any())


def signs_of(field: Field, compared: Compared) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell how far each star stands out of the field by each sign, in sigma of the field.

    Returns (2, s) in the order of `Sign`, and scatter and what is expected of it, (s,) each.
    """
    relative, error = compared.relative, compared.error
    count = np.isfinite(relative).sum(axis=0)
    known = count >= MIN_POINTS
    if known.sum() < MIN_STARS:
        msg = f"{known.sum()} stars have {MIN_POINTS} points and more, {MIN_STARS} are needed"
        raise InputError(msg)
    calm = np.full_like(relative, np.nan)
    for k in np.flatnonzero(known):
        calm[:, k] = calmed(relative[:, k])
    with np.errstate(invalid="ignore"):
        scatter = np.sqrt(np.nanmean((calm - 1) ** 2, axis=0, where=known))
        foretold = np.sqrt(np.nanmean(error**2, axis=0, where=known))
    foretold = np.hypot(foretold, floor_of(compared.level, scatter, foretold))
    more = np.log(scatter / foretold)
    usual = usual_of(compared.level, more)
    slow, pairs = persistence(field, calm)
    chance = np.sqrt(0.5 / np.maximum(count - 1, 1))
    level = compared.level
    signs = np.array([
        _stand_out(level, more - usual, np.maximum(chance, LEAST_SPREAD)),
        _stand_out(level, slow - usual_of(level, slow), 1 / np.sqrt(np.maximum(pairs, 1))),
    ])  # fmt: skip
    return signs, scatter, foretold * np.exp(usual)


def floor_of(level: np.ndarray, scatter: np.ndarray, foretold: np.ndarray) -> float:
    """Tell the noise that no light makes less: what bright stars scatter by beyond their errors."""
    known = np.flatnonzero(np.isfinite(scatter / foretold) & np.isfinite(level))
    bright = known[np.argsort(-level[known], kind="stable")][: max(MIN_STARS, len(known) // 4)]
    more = np.median(scatter[bright] ** 2 - foretold[bright] ** 2)
    return float(np.sqrt(max(more, 0.0)))


def _stand_out(level: np.ndarray, off: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Divide what is off the usual (s,) by how stars as bright differ, or by chance if more."""
    spread = MAD_TO_SIGMA * usual_of(level, np.abs(off), ALIKE)
    return np.asarray(np.nan_to_num(off, nan=-np.inf) / np.fmax(spread, chance))


def calmed(values: np.ndarray) -> np.ndarray:
    """Take single wild points off a curve (n,): three in a row are the star's own."""
    known = np.flatnonzero(np.isfinite(values))
    points = values[known]
    off = points - np.median(points)
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(off)))
    wild = without_runs(np.abs(off) > WILD * sigma, off > 0)
    calm = np.full(len(values), np.nan)
    calm[known[~wild]] = points[~wild] - np.mean(points[~wild]) + 1
    return calm


def persistence(field: Field, calm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlate neighbours in time: Fisher's z of it, and the number of pairs, (s,) each."""
    order = np.argsort(field.time, kind="stable")
    values, near = calm[order] - 1, np.diff(field.time[order]) < NEAR_DAYS
    product = np.where(near[:, None], values[1:] * values[:-1], np.nan)
    pairs = np.isfinite(product).sum(axis=0)
    variance = np.nanmean(values**2, axis=0, where=np.isfinite(values).any(axis=0))
    with np.errstate(invalid="ignore"):
        mean = np.nansum(product, axis=0) / np.maximum(pairs, 1)
        correlation = np.clip(mean / variance, -0.99, 0.99)
    return np.where(pairs >= MIN_POINTS, np.arctanh(correlation), np.nan), pairs


def against(field: Field, compared: Compared, k: int, others: list[int]) -> list[str]:
    """Say what speaks against a star's own variation."""
    own, notes = compared.relative[:, k], []
    if beside_a_gap(field, own):
        notes.append("strongest beside frames in which it could not be measured")
    reach = 2 * field.annulus_px
    for other in others:
        apart = float(np.hypot(field.x[k] - field.x[other], field.y[k] - field.y[other]))
        if apart < reach and correlate(own, compared.relative[:, other]) > SAME_LIGHT:
            notes.append(f"follows {field.name[other]}, {apart:.0f} px away: its light perhaps")
    for name, values in (("airmass", field.airmass), ("seeing", field.fwhm)):
        r = correlate(own, values)
        if abs(r) > SYSTEMATIC:
            notes.append(f"goes with {name} (correlation {r:+.2f})")
    return notes


def correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Correlate two series (n,) where both are known; 0 where they cannot be."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < MIN_POINTS or not np.ptp(one[both]) > 0 or not np.ptp(other[both]) > 0:
        return 0.0
    return float(np.corrcoef(one[both], other[both])[0, 1])


def period_of(field: Field, compared: Compared, k: int) -> PeriodSearch | None:
    """Look for the period of a star; None where there is too little to tell one."""
    flux, error = compared.relative[:, k], compared.error[:, k]
    good = np.isfinite(flux) & np.isfinite(error) & (error > 0)
    order = np.argsort(field.time[good], kind="stable")
    try:
        return find_period(*(v[good][order] for v in (field.time, flux, error)))
    except (FitError, InputError):
        return None
