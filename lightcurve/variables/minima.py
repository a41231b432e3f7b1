"""Times of minimum: where a light curve has them, and when, by two methods.

The time is that of an eclipse profile fitted with its level, slope, width and sharpness, in white
or red noise. Beside it stands that of Kwee & van Woerden (1956, BAN 12, 327), who fold the light
curve where both branches agree best.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lightcurve.core.robust import robust_scatter
from lightcurve.transit.red_noise import find_red_noise
from lightcurve.variables.shapes import (
    SHARPNESS,
    Shaped,
    Weigh,
    by_errors,
    dip,
    fit_shape,
    nights_of,
    solve_linear,
)

MIN_POINTS = 8  # in a minimum: six parameters, and something to tell the noise by
SMOOTH_MINUTES = (6.0, 15.0, 40.0)  # over which neighbours are averaged to find minima
SIGNIFICANT = 6.0  # sigma of such a mean, that a minimum is deep
BRANCH = 0.35  # of the depth, that both sides of a whole minimum have
KWEE_DEPTH = 0.8  # of the depth, up to which branches are folded
REACH = 2.0  # widths, at half of the rise that both sides have, that a minimum is fitted beyond
MOST_POINTS = 500  # in a fit: more are averaged first
TRIES = 200  # of simulated minima, that tell the error of a fold
MOST_BENDS = 3  # terms x^2, x^4, x^6: no more was needed by eclipses of discs, or Gaussians
FOLDED = 4  # points of a branch, at least
BLOCK = 500  # points that are averaged at once


@dataclass(frozen=True, slots=True, eq=False)
class Minimum:
    """A minimum with its times, of the scale of the light curve.

    Attributes
    ----------
    time, error : float
        By the eclipse profile; days.
    depth, depth_err : float
        Relative to the light beside it.
    width : float
        Days, of the profile at half of its depth.
    kwee, kwee_err, kwee_formal : float
        By Kwee and van Woerden: the time, its error by simulation with the noise that was found,
        and by their own formula. NaN where a branch has too few points.
    sides : tuple of float
        Share of the depth that the light regains before and after.
    fitted : (2, n) float array
        Times of its points, and the fit at them.
    points : int
    memory : float
        How probable it is that the noise has one, by even odds beforehand.
    """

    time: float
    error: float
    depth: float
    depth_err: float
    width: float
    kwee: float
    kwee_err: float
    kwee_formal: float
    sides: tuple[float, float]
    fitted: np.ndarray
    points: int
    memory: float

    @property
    def whole(self) -> bool:
        """Whether both branches were seen for a third of the depth and more."""
        return min(self.sides) >= BRANCH


class Noise(NamedTuple):
    """Of one minimum: (n, n), makes it of independent unit numbers; and `Minimum.memory`."""

    root: np.ndarray
    memory: float


@dataclass(frozen=True, slots=True)
class Form:
    """What of a profile is free: its sharpness, bends of its sides, and a slope of the light."""

    free: bool = False
    bends: int = 0
    slope: bool = False

    def columns(self, t: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Lay out level, eclipse, and what else there is: (n, 2 to 6)."""
        x = (t - p[0]) / np.exp(p[1])
        eclipse = -dip(x, sharpness_of(p))
        more = [(x / 2) ** (2 * k) * eclipse for k in range(1, self.bends + 1)]
        more += [t / max(float(np.ptp(t)), 1e-9)] if self.slope else []
        return np.column_stack([np.ones(len(t)), eclipse, *more])

    def lost(self, t: np.ndarray, shaped: Shaped) -> np.ndarray:
        """Tell the light lost at times (n,), (n,)."""
        of_eclipse = slice(1, 2 + self.bends)
        return np.asarray(-self.columns(t, shaped.p)[:, of_eclipse] @ shaped.linear[of_eclipse])


class _Tried(NamedTuple):
    shaped: Shaped
    bic: float
    form: Form


def find_minima(
    time: np.ndarray, flux: np.ndarray, error: np.ndarray, *, rng: np.random.Generator
) -> list[Minimum]:
    """Find and time all minima of a light curve, each within a night.

    time, flux, error: (n,) finite float arrays, in order of time.
    """
    night, found = nights_of(time), []
    for k in np.unique(night):
        rows = np.flatnonzero(night == k)
        for first, last in windows(time[rows], flux[rows], error[rows]):
            some = rows[first:last]
            one = time_minimum(time[some], flux[some], error[some], rng=rng)
            found += [] if one is None else [one]
    return found


def windows(time: np.ndarray, flux: np.ndarray, error: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield first and last row of the minima of one night.

    By the shortest running mean in which one is significant; later ones may not overlap.
    """
    from scipy.signal import find_peaks, peak_widths

    taken: list[tuple[int, int]] = []
    if len(time) < MIN_POINTS:
        return
    white = white_noise(flux)
    if not white > 0:
        return
    cadence = float(np.median(np.diff(time)))
    for minutes in SMOOTH_MINUTES:
        size = max(3, round(minutes / 1440 / max(cadence, 1e-9)))
        if size > len(time) // 3:
            break
        smooth, share = running_mean(time, flux, error, size * cadence / 2.355)
        # Where points are few a mean tells less.
        least = SIGNIFICANT * white * share
        peaks, facts = find_peaks(-smooth, prominence=least)
        if not len(peaks):
            continue
        spans = peak_widths(-smooth, peaks, rel_height=0.5, prominence_data=(
            facts["prominences"], facts["left_bases"], facts["right_bases"]))  # fmt: skip
        for k in np.argsort(-facts["prominences"]):
            reach = REACH * float(spans[0][k])
            first = round(max(facts["left_bases"][k], spans[2][k] - reach))
            last = round(min(facts["right_bases"][k], spans[3][k] + reach)) + 1
            overlap = any(first < b and a < last for a, b in taken)
            if last - first >= MIN_POINTS and not overlap:
                taken.append((first, last))
                yield first, last


def white_noise(flux: np.ndarray) -> float:
    """Tell the noise of points (n,) by their steps; by all where most are rounded to none."""
    steps = np.diff(flux)
    rms = math.sqrt(float(np.mean(steps**2)))
    return (robust_scatter(steps, about=0.0) or rms) / math.sqrt(2)


def running_mean(
    time: np.ndarray, flux: np.ndarray, error: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbours by a Gaussian in time: (n,), and the noise of each, (n,), over a point's.

    In blocks, each with what lies within four sigma of it: some nights have 100,000 points.
    """
    mean, share = np.empty(len(time)), np.empty(len(time))
    for first in range(0, len(time), BLOCK):
        rows = slice(first, first + BLOCK)
        near = slice(*np.searchsorted(time, time[rows][[0, -1]] + [-4 * sigma, 4 * sigma]))
        weight = np.exp(-0.5 * ((time[rows, None] - time[near]) / sigma) ** 2) / error[near] ** 2
        total = weight.sum(axis=1)
        mean[rows] = weight @ flux[near] / total
        share[rows] = np.sqrt((weight**2).sum(axis=1)) / total
    return mean, share


def time_minimum(
    time: np.ndarray, flux: np.ndarray, error: np.ndarray, *, rng: np.random.Generator
) -> Minimum | None:
    """Time one minimum: (n,) points about it, in order of time; None where no light is lost."""
    if len(time) > MOST_POINTS:
        time, flux, error = _averaged(time, flux, error)
    if len(time) < MIN_POINTS:
        return None
    middle = float(time[0] + time[-1]) / 2
    t = time - middle
    profile = fit_profile(t, flux, error)
    if profile is None:
        return None
    shaped, noise, form = profile
    moment, light, k = float(shaped.p[0]), shaped.linear[0], len(shaped.p) + 1
    error_of = math.sqrt(shaped.cov[0, 0])
    if not t[0] <= moment <= t[-1] or not error_of < np.ptp(t):  # it may be anywhere
        return None
    lost = form.lost(t, shaped)
    fine = np.linspace(t[0], t[-1], 1000)
    deep = fine[form.lost(fine, shaped) > shaped.linear[1] / 2]
    ends = 1 - lost[[0, -1]] / shaped.linear[1]
    inside = lost >= (1 - KWEE_DEPTH) * shaped.linear[1]
    kwee = fold_with_error(t[inside], flux[inside], shaped.model[inside], noise.root[inside], rng)
    return Minimum(
        time=middle + moment, error=error_of,
        depth=float(shaped.linear[1] / light),
        depth_err=math.sqrt(shaped.cov[k, k]) / light, width=float(np.ptp(deep)),
        kwee=middle + kwee[0], kwee_err=kwee[1], kwee_formal=kwee[2],
        sides=(float(ends[0]), float(ends[1])),
        fitted=np.array([time, shaped.model]), points=len(t), memory=noise.memory,
    )  # fmt: skip


def _averaged(
    time: np.ndarray, flux: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average neighbours until as many are left as are fitted."""
    group = np.arange(len(time)) * MOST_POINTS // len(time)
    weight = 1 / error**2
    total = np.bincount(group, weight)
    return (
        np.bincount(group, weight * time) / total,
        np.bincount(group, weight * flux) / total,
        1 / np.sqrt(total),
    )


def fit_profile(
    t: np.ndarray, flux: np.ndarray, error: np.ndarray
) -> tuple[Shaped, Noise, Form] | None:
    """Fit an eclipse profile with as much freedom as there is evidence for, in the noise found.

    Of its linear parameters the first is the light beside it, the next that lost. None where none
    is lost.
    """
    forms = [Form(bends=k) for k in range(MOST_BENDS + 1)] + [
        Form(free=True, bends=k) for k in (0, 1)
    ]
    start = _start(t, flux, by_errors(error))
    tried = [_fit(t, flux, by_errors(error), form, start) for form in forms]
    best = min(tried, key=lambda one: one.bic)
    sloped = _fit(t, flux, by_errors(error), replace(best.form, slope=True), start)
    best = min((best, sloped), key=lambda one: one.bic)
    shaped = best.shaped
    noise = find_noise(t, flux - shaped.model, error, shaped)
    if noise.memory > 0:
        whiten = np.linalg.inv(noise.root)
        shaped = _fit(t, flux, whiten.__matmul__, best.form, shaped.p).shaped
    return (shaped, noise, best.form) if shaped.linear[0] > 0 and shaped.linear[1] > 0 else None


def find_noise(t: np.ndarray, residual: np.ndarray, error: np.ndarray, shaped: Shaped) -> Noise:
    """Find the noise of a fit: white, or with a memory as far as there is evidence for it."""
    white = np.diag(shaped.noise2 * error**2)
    red = find_red_noise(
        t, residual, error, design=shaped.derivatives, longest_days=float(np.ptp(t)) / 2
    )
    if red is None:
        return Noise(np.sqrt(white), 0.0)
    root = np.linalg.inv(red.whiten)
    of_red = root @ root.T
    left = red.whiten @ residual
    scale = float(left @ left) / max(len(t) - shaped.n_parameters, 1)
    both = white + red.probability * (scale * of_red - white)
    return Noise(np.linalg.cholesky(both), red.probability)


def _fit(t: np.ndarray, flux: np.ndarray, weigh: Weigh, form: Form, start: np.ndarray) -> _Tried:
    """Fit a profile of a form."""
    k = 2 + form.free
    span, step = float(np.ptp(t)), float(np.ptp(t)) / (len(t) - 1)
    low = np.array([t[0], math.log(step / 2), math.log(SHARPNESS[0])])[:k]
    high = np.array([t[-1], math.log(2 * span), math.log(SHARPNESS[1])])[:k]
    scale = np.array([0.1 * math.exp(start[1]), 0.1, 0.2])[:k]
    start = np.append(start, 0.0)[:k]
    start = np.clip(start, low + 1e-3 * scale, high - 1e-3 * scale)
    shaped = fit_shape(lambda p: form.columns(t, p), start, scale, flux, weigh, bounds=(low, high))
    n = len(t)
    bic = n * math.log(max(shaped.chi2, 1e-300)) + shaped.n_parameters * math.log(n)
    return _Tried(shaped, bic if n > shaped.n_parameters + 1 else math.inf, form)


def _start(t: np.ndarray, flux: np.ndarray, weigh: Weigh) -> np.ndarray:
    """Find where an eclipse fits roughly: moment, ln width, ln sharpness."""
    span = float(np.ptp(t))
    trials = []
    for width in span * np.array([0.04, 0.08, 0.15, 0.25]):
        for moment in np.linspace(t[0], t[-1], 25)[1:-1]:
            p = np.array([moment, math.log(width), 0.0])
            linear, chi2 = solve_linear(Form().columns(t, p), flux, weigh)
            trials.append((math.inf if linear[1] <= 0 else chi2, *p))
    return np.array(min(trials)[1:])


def sharpness_of(p: np.ndarray) -> float:
    """Sharpness of a profile whose third parameter, where there is one, is its logarithm."""
    return math.exp(p[2]) if len(p) > 2 else 1.0


def kwee_van_woerden(time: np.ndarray, value: np.ndarray) -> tuple[float, float]:
    """Time a minimum by folding its branches (Kwee & van Woerden 1956); the time, and its error.

    time, value: (n,), ascending, of a minimum; brightness of any kind. It is interpolated linearly
    to as many evenly spaced points; the sums of squares of the differences of both branches,
    folded at three neighbouring half steps, make a parabola. The error is by their formula, with
    half of the pairs taken for independent, as of interpolated values; NaN where the sums have no
    minimum. Both are NaN where a branch has too few points.
    """
    moment, error = fold_all(time, value[:, None])
    return float(moment[0]), float(error[0])


def fold_all(time: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Time many minima at the same moments (n,), values (n, m): times and formal errors, (m,)."""
    n, m = values.shape
    # Folds in half steps, about which at least half of the points have partners.
    least = max(n // 2, 2 * FOLDED)
    twice = np.arange(least, 2 * (n - 1) - least + 1)
    if len(twice) < 3:
        return np.full(m, np.nan), np.full(m, np.nan)
    grid = np.linspace(time[0], time[-1], n)
    even = np.column_stack([np.interp(grid, time, one) for one in values.T])
    common = np.minimum(twice, 2 * (n - 1) - twice) // 2
    sums = np.array([
        [_sum(even, fold + k, pairs) for k in (-1, 0, 1)]
        for fold, pairs in zip(twice.tolist(), common.tolist(), strict=True)
    ])  # fmt: skip
    best, column = np.argmin(sums[:, 1] / common[:, None], axis=0), np.arange(m)
    for _ in twice:  # to where the middle one of three folds of as many pairs is the least
        move = np.argmin(sums[best, :, column], axis=1) - 1
        best = np.clip(best + move, 0, len(twice) - 1)
    one, two, three = sums[best, :, column].T
    half = (grid[1] - grid[0]) / 2
    a, b = (one + three) / 2 - two, (three - one) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        moment = grid[0] + half * (twice[best] - b / (2 * a))
        of_pairs = np.maximum(common[best] / 2 - 1, 1)
        error = half * np.sqrt((4 * a * two - b**2) / of_pairs) / (2 * a)
    good = (a > 0) & (np.abs(b) <= 2 * a)
    return np.where(good, moment, np.nan), np.where(good, error, np.nan)


def _sum(even: np.ndarray, fold: int, pairs: int) -> np.ndarray:
    """Sum the squares of differences of pairs about a fold, counted in half steps: (m,)."""
    first = fold // 2 + 1
    right = even[first : first + pairs]
    left = even[fold - first - pairs + 1 : fold - first + 1][::-1]
    return np.asarray(np.sum((right - left) ** 2, axis=0))


def fold_with_error(
    time: np.ndarray,
    flux: np.ndarray,
    model: np.ndarray,
    noise: np.ndarray,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Time a minimum by Kwee and van Woerden, with its error by simulation, and by their formula.

    model: (n,), what was fitted; noise: (n, m), makes noise of independent unit numbers (m,).
    """
    moment, formal = kwee_van_woerden(time, flux)
    if not math.isfinite(moment):
        return math.nan, math.nan, math.nan
    made = model[:, None] + noise @ rng.standard_normal((noise.shape[1], TRIES))
    times = fold_all(time, made)[0]
    times = times[np.isfinite(times)]
    error = robust_scatter(times) if len(times) > TRIES / 2 else math.nan
    return moment, error, formal
