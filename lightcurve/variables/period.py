"""The period of a variable star: periodograms, candidates, and which of them the light curve has.

Candidates come from periodograms of one and of three harmonics (Lomb-Scargle, by astropy) and of
boxes (BLS, by astropy). Each, its half and its double are fitted by waves of as many harmonics as
there is evidence for, and by eclipses; the best by BIC is the period, and the others are told with
what makes them aliases of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import numpy as np

from lightcurve.core.errors import FitError, InputError
from lightcurve.variables.shapes import (
    SHARPNESS,
    Shaped,
    Weigh,
    by_errors,
    eclipse_terms,
    fit_shape,
    levels,
    nights_of,
    solve_linear,
    wave_terms,
)

OVERSAMPLED = 5  # frequencies a width of a peak
MOST_FREQUENCIES = 1_500_000
MOST_BOXES = 60_000  # periods that boxes are tried at
MIN_POINTS = 12
MOST_TERMS = 10
HARMONICS = 3  # of the second periodogram: eclipses have them
FEW_POINTS = 3000  # up to which several harmonics are quicker by normal equations
TAKEN = 6  # peaks of each periodogram
REFINED = 6  # periods of waves, and of eclipses, that are fitted to the end
TOLD = 8  # candidates that are told
WIDTHS = (0.015, 0.04, 0.09)  # of eclipses that are tried, periods
SHORTEST_DAYS = 0.02
RARELY = 1e-3  # noise alone
CYCLES = 2.0  # that a period is seen for, to be one
CONVINCING = 10.0  # of a BIC, odds of 150 to 1: a wave is taken for eclipses for no less
WIDEST = 0.15  # of eclipses, periods: those of stars in contact have 0.1
ALIASES = {  # cycles a day that observing adds
    "1 a day": 1.0027379, "1 a solar day": 1.0, "2 a day": 2.0, "1 a month": 1 / 29.530589,
    "1 a year": 1 / 365.2422,
}  # fmt: skip
MULTIPLES = {"a half": 2.0, "a third": 3.0, "twice": 0.5, "three times": 1 / 3, "3/2": 2 / 3,
             "2/3": 1.5}  # fmt: skip


class Shape(StrEnum):
    """What the light curve was fitted by at a period."""

    WAVE = "wave"
    ECLIPSES = "eclipses"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A period with what was fitted to the light curve at it.

    Attributes
    ----------
    period, error : float
        Days.
    terms : int
        Harmonics of a wave; of eclipses how many there are in a period, one or two.
    bic : float
        Less that of no variation, with the noise that the best candidate leaves.
    alias : str
        What makes it an alias of the best; empty where nothing does.
    """

    period: float
    error: float
    shape: Shape
    terms: int
    bic: float
    fitted: Shaped
    alias: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PeriodSearch:
    """What was found.

    Attributes
    ----------
    best : Candidate
    others : tuple of Candidate
        The next best, by BIC.
    chance : float
        How probable noise alone makes as high a peak somewhere: false-alarm probability.
    epoch : float
        BJD_TDB of the deepest minimum nearest to the middle of the points.
    minimum_err : float
        Days, of the epoch.
    amplitude : float
        From the least to the most of what was fitted, relative.
    frequency, power, box_power : (k,), (k,), (m,) float arrays
        Cycles a day; Lomb-Scargle power of one harmonic; and of boxes, at `box_period`, (m,).
    doubled : bool
        Twice the period is as good where every other minimum is of another star: two eclipses a
        period that are alike, or one.
    cycles : float
        Periods from the first point to the last.
    """

    best: Candidate
    others: tuple[Candidate, ...]
    chance: float
    epoch: float
    amplitude: float
    frequency: np.ndarray
    power: np.ndarray
    box_period: np.ndarray
    box_power: np.ndarray
    doubled: bool
    cycles: float

    @property
    def found(self) -> bool:
        """Whether chance makes so much of noise in less than one of a thousand cases.

        And it was seen to repeat: what happens once has no period.
        """
        return self.chance < RARELY and self.cycles >= CYCLES


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Times from their middle, values, errors, and a level of each part: (n,), (n, parts)."""

    time: np.ndarray
    value: np.ndarray
    error: np.ndarray
    part: np.ndarray
    levels: np.ndarray
    night: np.ndarray

    @property
    def span(self) -> float:
        """Days from first to last."""
        return float(np.ptp(self.time))

    @property
    def weigh(self) -> Weigh:
        """By the errors."""
        return by_errors(self.error)


def find_period(
    time: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray,
    *,
    part: np.ndarray | None = None,
    shortest: float | None = None,
    longest: float | None = None,
    boxes: bool = True,
) -> PeriodSearch:
    """Find the period of a light curve.

    time, flux, error: (n,) finite float arrays; part: (n,) int array, points whose level is their
    own, such as those of one night. shortest, longest: days; four cadences, and the whole span, if
    not given. boxes: whether eclipses are looked for by boxes too.

    Raises InputError where there are too few points, or too many frequencies; FitError where
    nothing varies.
    """
    part = np.zeros(len(time), dtype=int) if part is None else part
    if len(time) < MIN_POINTS or not np.ptp(time) > 0:
        msg = f"{len(time)} points are too few for a period: {MIN_POINTS} at least"
        raise InputError(msg)
    if not np.ptp(flux) > 0:
        msg = "the light curve does not vary"
        raise FitError(msg)
    middle = float(np.median(time))
    data = _Data(time - middle, flux, error, part, levels(part), nights_of(time))
    low, high = _range(data, shortest, longest)
    frequency = np.arange(low, high, 1 / (OVERSAMPLED * data.span))
    spectra = [periodogram(data, frequency, terms) for terms in (1, HARMONICS)]
    box_period, box_power = box_periodogram(data, low, high) if boxes else (np.zeros(0),) * 2
    tried = [f for power in spectra for f in _peaks(frequency, power)]
    tried += _peaks(1 / box_period, box_power)
    # A range that is narrower than a peak has its highest power at an end.
    fitted = _fit_all(data, tried or [frequency[np.argmax(spectra[0])]], (low, high))
    if not fitted:
        msg = f"{len(time)} points are too few for {data.levels.shape[1]} levels and a period"
        raise InputError(msg)
    best, *others = _ranked(fitted, data)
    others = [replace(one, alias=alias_of(one.period, best.period, data.span)) for one in others]
    shape = best.fitted
    epoch = _minimum(data, best)
    return PeriodSearch(
        best=best,
        others=tuple(others[:TOLD]),
        chance=_chance(data, best, (low, high)),
        epoch=middle + epoch,
        amplitude=float(np.ptp(shape.model - data.levels @ _levels_of(data, shape.model))),
        frequency=frequency,
        power=spectra[0],
        box_period=box_period,
        box_power=box_power,
        doubled=best.terms == 1 if best.shape is Shape.ECLIPSES else False,
        cycles=data.span / best.period,
    )


def _levels_of(data: _Data, model: np.ndarray) -> np.ndarray:
    return solve_linear(data.levels, model, data.weigh)[0]


def _range(data: _Data, shortest: float | None, longest: float | None) -> tuple[float, float]:
    """Lowest and highest frequency, cycles a day; InputError where they are none."""
    steps = np.diff(np.sort(data.time))
    cadence = float(np.median(steps[steps > 0]))
    # Of points a night and fewer the spacing says nothing: sampling is uneven.
    short = max(4 * min(cadence, 0.05), SHORTEST_DAYS) if shortest is None else shortest
    long = data.span if longest is None else longest
    if not 0 < short < long < math.inf:
        msg = f"no period between {short:g} and {long:g} days"
        raise InputError(msg)
    number = OVERSAMPLED * data.span * (1 / short - 1 / long)
    if number > MOST_FREQUENCIES:
        least = OVERSAMPLED * data.span / MOST_FREQUENCIES
        msg = (
            f"{number:.3g} frequencies over {data.span:.0f} days are too many: give a shortest "
            f"period of {max(least, short):.2g} d or more"
        )
        raise InputError(msg)
    return 1 / long, 1 / short


def periodogram(data: _Data, frequency: np.ndarray, terms: int) -> np.ndarray:
    """Share of chi2 that waves explain at each frequency, (k,); evenly spaced, ascending."""
    few = len(data.time) < FEW_POINTS and terms > 1
    if data.levels.shape[1] > 1 or few:
        return _with_levels(data, frequency, terms)
    from astropy.timeseries import LombScargle

    one = LombScargle(data.time, data.value, data.error, nterms=terms)
    method = "auto" if len(frequency) > 200 else "chi2"
    power = one.power(frequency, method=method, assume_regular_frequency=True)
    return np.asarray(np.nan_to_num(power))


def _with_levels(data: _Data, frequency: np.ndarray, terms: int) -> np.ndarray:
    """Do the same where each part has a level of its own: by the normal equations."""
    weight = 1 / data.error**2
    share = data.levels * weight[:, None]
    share /= share.sum(axis=0)

    def without_levels(columns: np.ndarray) -> np.ndarray:
        return np.asarray(columns - data.levels @ (share.T @ columns))

    value = without_levels(data.value[:, None])[:, 0]
    total = float(np.sum(weight * value**2))
    power = np.empty(len(frequency))
    at_once = max(1, 400_000 // len(value))
    for first in range(0, len(frequency), at_once):
        some = slice(first, first + at_once)
        angle = 2 * np.pi * np.outer(data.time, frequency[some])
        first_wave = np.exp(1j * angle)
        turned = [first_wave**k for k in range(1, terms + 1)]
        waves = [part for wave in turned for part in (wave.real, wave.imag)]
        columns = np.stack([without_levels(wave) for wave in waves], axis=2)
        heavy = columns * weight[:, None, None]
        normal = np.einsum("nfa,nfb->fab", heavy, columns)
        right = np.einsum("nfa,n->fa", heavy, value)
        normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(2 * terms)
        solved = np.linalg.solve(normal, right[..., None])[..., 0]
        power[some] = np.einsum("fa,fa->f", solved, right) / total
    return np.clip(power, 0.0, 1.0)


def box_periodogram(data: _Data, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Likelihood of boxes against periods, (m,) each; eclipses of 2 to 15 % of a period."""
    from astropy.timeseries import BoxLeastSquares

    value = data.value - data.levels @ _levels_of(data, data.value)
    high = min(high, 5.0)
    # A fifth of the shortest eclipse over the whole span.
    number = min(int(5 * data.span * (high - low) / 0.02 / 5) + 10, MOST_BOXES)
    if high <= low:
        return np.zeros(0), np.zeros(0)
    period = 1 / np.linspace(high, low, number)
    model = BoxLeastSquares(data.time - data.time.min(), value, data.error)
    power = np.empty(number)
    # Durations are shares of the periods: those within a factor of two are tried together.
    octave = np.floor(np.log2(period / period[0])).astype(int)
    for k in np.unique(octave):
        some = octave == k
        shortest = float(period[some].min())
        durations = shortest * np.array([0.02, 0.05, 0.1, 0.15])
        power[some] = model.power(period[some], durations, oversample=4).power
    return period, np.nan_to_num(power)


def _peaks(frequency: np.ndarray, power: np.ndarray) -> list[float]:
    """Frequencies of the highest peaks, between those of the grid."""
    if len(power) < 3:
        return []
    before, at, after = power[:-2], power[1:-1], power[2:]
    inner = np.flatnonzero((at >= before) & (at > after))
    tops = inner[np.argsort(-at[inner], kind="stable")][:TAKEN]
    bend = np.maximum(2 * at[tops] - before[tops] - after[tops], 1e-300)
    shift = 0.5 * np.clip((after[tops] - before[tops]) / bend, -1, 1)
    return [float(f) for f in frequency[1:-1][tops] + shift * np.gradient(frequency)[1:-1][tops]]


def _fit_all(
    data: _Data, tried: Sequence[float], limits: tuple[float, float]
) -> list[tuple[Shape, int, Shaped]]:
    """Fit waves and eclipses at the likeliest of frequencies, their halves and doubles."""
    low, high = limits
    near = 1 / data.span / OVERSAMPLED
    found: list[float] = []
    for f in (f * m for m in (1.0, 0.5, 2.0) for f in tried):
        if low * (1 - 1e-9) <= f <= high and min([abs(f - g) for g in found] or [near]) >= near:
            found.append(max(f, low))
    waves = sorted(_wave_of(data, f) for f in found)[:REFINED]
    eclipses = sorted(_eclipse_of(data, f) for f in found)[:REFINED]
    fits = [
        (Shape.WAVE, terms, _fit_wave(data, f, terms, limits)) for _, f, terms in waves if terms
    ]
    for chi2, f, middle, width in eclipses:
        for both in (False, True) if chi2 < math.inf else ():
            one = _fit_eclipses(data, (f, middle, width), limits, both=both)
            fits.append((Shape.ECLIPSES, 1 + both, one))
    return fits


def _wave_of(data: _Data, frequency: float) -> tuple[float, float, int]:
    """Choose as many harmonics as there is evidence for, where points can tell them: BIC first."""
    phase = np.sort((data.time * frequency) % 1)
    gap = float(np.max(np.diff(np.append(phase, phase[0] + 1))))
    n, base = len(data.time), data.levels.shape[1]
    most = min(MOST_TERMS, max(1, int(0.5 / gap)), (n - base) // 5)
    columns = np.column_stack([data.levels, wave_terms(data.time, frequency, max(most, 1))])
    tried = []
    for terms in range(1, most + 1):
        half = base + max(most, 1) + np.arange(terms)
        rows = np.concatenate([np.arange(base + terms), half])
        chi2 = solve_linear(columns[:, rows], data.value, data.weigh)[1]
        tried.append((n * math.log(max(chi2, 1e-300)) + 2 * terms * math.log(n), frequency, terms))
    return min(tried, default=(math.inf, frequency, 0))


def _fit_wave(data: _Data, frequency: float, terms: int, limits: tuple[float, float]) -> Shaped:
    """Fit a wave and its frequency, which stays within limits."""

    def terms_of(p: np.ndarray) -> np.ndarray:
        return np.column_stack([data.levels, wave_terms(data.time, float(p[0]), terms)])

    reach = 1 / data.span
    low, high = np.clip([frequency - reach, frequency + reach], *limits)
    bounds = np.array([low]), np.array([high])
    return fit_shape(
        terms_of, np.array([frequency]), np.array([0.1 * reach / terms]), data.value, data.weigh,
        bounds=bounds, night=data.night,
    )  # fmt: skip


def _eclipse_of(data: _Data, frequency: float) -> tuple[float, float, float, float]:
    """Find where an eclipse a period fits best: chi2, frequency, phase and width in periods."""
    if len(data.time) < data.levels.shape[1] + MIN_POINTS:
        return math.inf, frequency, 0.0, 0.0
    return min(
        (_one_eclipse(data, frequency, middle, width), frequency, middle, width)
        for width in WIDTHS
        for middle in np.arange(0, 1, width)
    )


def _fit_eclipses(
    data: _Data,
    start: tuple[float, float, float],
    limits: tuple[float, float],
    *,
    both: bool,
) -> Shaped:
    """Fit one eclipse a period, or two half a period apart, from frequency, phase and width."""
    frequency, middle, width = start
    p = np.array([frequency, middle / frequency, np.log(width), 0.0])
    scale = np.array([0.2 * width / data.span, 0.1 * width / frequency, 0.1, 0.2])
    reach = np.array([3 * width / data.span, 0.3 / frequency, np.inf, np.inf])
    low, high = p - reach, p + reach
    low[0], high[0] = np.clip([low[0], high[0]], *limits)
    low[2:], high[2:] = np.log([0.003, SHARPNESS[0]]), np.log([WIDEST, SHARPNESS[1]])
    shape = partial(_eclipses_on_levels, data, both)
    return fit_shape(shape, p, scale, data.value, data.weigh, bounds=(low, high), night=data.night)


def _eclipses_on_levels(data: _Data, both: bool, p: np.ndarray) -> np.ndarray:  # noqa: FBT001
    return np.column_stack([data.levels, eclipse_terms(data.time, p, both=both)])


def _one_eclipse(data: _Data, frequency: float, middle: float, width: float) -> float:
    """Chi2 of an eclipse that light is lost in and that three points lie in; else infinite."""
    shape = np.array([frequency, middle / frequency, np.log(width), 0.0])
    eclipse = eclipse_terms(data.time, shape, both=False)
    if np.sum(eclipse < -0.3) < 3:
        return math.inf
    weight, chi2 = solve_linear(np.column_stack([data.levels, eclipse]), data.value, data.weigh)
    return chi2 if weight[-1] > 0 else math.inf


def _ranked(fits: Sequence[tuple[Shape, int, Shaped]], data: _Data) -> list[Candidate]:
    """Put fits in the order of their BIC, one a frequency."""
    n = len(data.time)
    nothing = solve_linear(data.levels, data.value, data.weigh)[1]
    free = min(fits, key=lambda fit: fit[2].chi2 / max(n - fit[2].n_parameters, 1))[2]
    noise2 = free.noise2
    ordered = []
    for shape, terms, fitted in fits:
        more = fitted.n_parameters - data.levels.shape[1]
        bic = (fitted.chi2 - nothing) / noise2 + more * math.log(n)
        bic += CONVINCING if shape is Shape.ECLIPSES else 0.0
        f, f_err = float(fitted.p[0]), math.sqrt(fitted.cov[0, 0])
        ordered.append(Candidate(1 / f, f_err / f**2, shape, terms, bic, fitted))
    ordered.sort(key=lambda one: one.bic)
    kept: list[Candidate] = []
    for one in ordered:
        near = (abs(1 / one.period - 1 / other.period) * data.span < 0.5 for other in kept)
        if not any(near):
            kept.append(one)
    return kept


def alias_of(period: float, best: float, span: float) -> str:
    """Say what makes a period an alias of another; empty where nothing does.

    span: days, by which frequencies can be told apart.
    """
    f, true, near = 1 / period, 1 / best, 1.5 / span
    for name, factor in MULTIPLES.items():
        if abs(f - factor * true) < near:
            return f"{name} of it" if name not in {"twice", "three times"} else f"{name} it"
    for of, base in (("", true), (" of a half of it", 2 * true), (" of twice it", true / 2)):
        for name, step in ALIASES.items():
            if any(abs(abs(base + sign * step) - f) < near for sign in (1, -1)):
                return f"alias by {name}{of}"
    return ""


def _minimum(data: _Data, best: Candidate) -> float:
    """Time of the deepest minimum nearest the middle, days from it."""
    fine = np.arange(2000) / 2000 * best.period
    part = best.fitted
    if best.shape is Shape.WAVE:
        columns = wave_terms(data.time, 1 / best.period, best.terms)
        on = wave_terms(fine, 1 / best.period, best.terms)
    else:
        shape = np.append(1 / best.period, part.p[1:])
        both = best.terms == 2
        columns = eclipse_terms(data.time, shape, both=both)
        on = eclipse_terms(fine, shape, both=both)
    weight = solve_linear(np.column_stack([data.levels, columns]), data.value, data.weigh)[0]
    lowest = float(fine[np.argmin(on @ weight[data.levels.shape[1] :])])
    return lowest - best.period * round(lowest / best.period)


def _chance(data: _Data, best: Candidate, limits: tuple[float, float]) -> float:
    """Probability that noise alone makes as high a peak: Baluev (2009, MNRAS 395, 1541).

    Of a wave of d / 2 harmonics: W a z^((d - 1) / 2) exp(-z), with half of the chi2 explained, z,
    in the noise that is left, which nights share; W = f sqrt(4 pi var t).
    """
    from scipy.special import gammaln

    n, nothing = len(data.time), solve_linear(data.levels, data.value, data.weigh)[1]
    fit = best.fitted
    more = fit.n_parameters - data.levels.shape[1]
    free = max(n - fit.n_parameters, 1)
    red = fit.red
    z = 0.5 * free * math.log(max(nothing / max(fit.chi2, 1e-300), 1.0)) / red
    if z <= more / 2:
        return 1.0
    band = (limits[1] - limits[0]) * math.sqrt(4 * math.pi * float(np.var(data.time)))
    terms = max(more // 2, 1)
    ln_fap = math.log(max(band, 1.0)) + (terms - 0.5) * math.log(z) - z
    ln_fap += terms * math.log(2) - gammaln(terms + 0.5)
    return float(min(1.0, math.exp(min(ln_fap, 0.0))))
