"""Noise with a memory: how much of it there is, how long it lasts, and how to take it out.

White noise is joined by a wander of amplitude A and correlation time tau, with covariance
A^2 exp(-|dt| / tau). Time-averaging sees too little of it, because the fit has already followed
the wander; restricted likelihood counts what the fit absorbed. One night tells A and tau only
roughly, and the likeliest values are as often too small as too large, which costs more: all of
them take part, each by its probability. What the other stars of the field show of it, through the
same air and optics and on the same pixels, says how probable each is beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lightcurve.core.data import StarCurves

__all__ = ["find_red_noise"]

MAX_POINTS = 600  # the covariance matrix grows with the square
MIN_POINTS = 40
AMPLITUDES = np.geomspace(0.1, 4.0, 20)  # of the white noise
N_TIMES = 8
FEW_AMPLITUDES, FEW_TIMES = np.geomspace(0.15, 4.0, 8), 5  # of the grid where shapes are looked for
LARGE = 100.0  # of a logarithm of odds
# Stars of a field are alike: their wanders to a factor of two or so in amplitude and time, but for
# a tenth of them, of which nothing is known.
ALIKE = np.log(1.5)
UNLIKE = 0.1
MIN_STARS = 2
MEASURED = 0.9  # of the points, for a star to say something


@dataclass(frozen=True, slots=True, eq=False)
class RedNoise:
    """A wander under the white noise."""

    # over the (median) white noise of a point: root mean square of what is probable
    amplitude: float
    time_days: float  # correlation time, the (geometric) mean of the same
    probability: float  # that there is any, at even odds beforehand
    # (n, n), turns residuals, in the units of the flux, into independent ones of equal variance
    whiten: np.ndarray
    n_stars: int = 0  # of the field, whose own noise told what to expect


def find_red_noise(
    time: np.ndarray,
    residuals: np.ndarray,
    errors: np.ndarray,
    *,
    design: np.ndarray,
    longest_days: float,
    trend: np.ndarray | None = None,
    stars: StarCurves | None = None,
) -> RedNoise | None:
    """Measure red noise in the residuals of a fit; errors give the white noise up to a factor.

    Restricted likelihood (Patterson & Thompson 1971, Biometrika 58, 545) on a grid of amplitude
    and time, even in their logarithms, the scale of all noise being free. The covariance is the
    mean of the grid's covariances, weighted by their probabilities. Beforehand no amplitude is
    more probable than another, nor than none (most nights wander, and where white noise was given
    as much room as all amplitudes together, errors came out too small on those that do), or as
    `stars`, (n, k), have it.

    time, residuals, errors: (n,) float arrays, days, and the last two in one unit.
    design: (n, p), derivatives of the fitted model by its free parameters, in any units;
    trend: (n, k), those by parameters that priors hold to 0, in units of the priors' sigma;
    longest_days: longest correlation time looked for; the shortest is two cadences. None for fewer
    than 40 or more than 600 points, and without any scatter.
    """
    n = len(time)
    shortest = _shortest(time)
    if not MIN_POINTS <= n <= MAX_POINTS or shortest >= longest_days or not residuals.any():
        return None
    scale = errors / np.median(errors)
    free = _orthonormal(design / scale[:, None]) * scale[:, None]
    held = np.zeros((n, 0)) if trend is None else trend
    system = np.column_stack([free, held, residuals])
    amplitude, tau = _grid(shortest, longest_days)
    whitened, determinant = _innovations(time, system, scale, amplitude, tau)
    beneath = _lay_beneath(whitened, free.shape[1], held.shape[1], float(np.median(errors)))
    likelihood, level = (values[:, 0] for values in _likelihood(beneath, determinant))
    weight = np.exp(likelihood - likelihood.max())
    odds = weight[1:].mean() / max(weight[0], 1e-300)
    weight *= noise_prior(time, stars, errors, held, longest_days)
    weight /= weight.sum()
    power = weight * level
    covariance = np.diag(power.sum() * scale**2)
    gaps = np.abs(time[:, None] - time)
    for moment in np.unique(tau):
        wander = np.sum((power * amplitude**2)[tau == moment])
        covariance += wander * np.exp(-gaps / moment)
    covariance /= power.sum()
    whiten = np.linalg.inv(np.linalg.cholesky(covariance)) / np.median(errors)
    strength = power * amplitude**2
    return RedNoise(
        amplitude=float(np.sqrt(strength.sum() / power.sum())),
        time_days=float(np.exp(np.sum(strength * np.log(tau)) / strength.sum())),
        probability=float(odds / (1 + odds)),
        whiten=whiten,
        n_stars=n_stars if (n_stars := int(_telling(stars).sum())) >= MIN_STARS else 0,
    )


def noise_prior(
    time: np.ndarray,
    stars: StarCurves | None,
    errors: np.ndarray,
    held: np.ndarray,
    longest_days: float,
) -> np.ndarray:
    """How probable each noise of the grid is before the target is looked at, (grid,).

    By a field whose stars are alike: how likely it makes all of their curves says which wander is
    typical of it. Of k stars, each against the others, k - 1 are independent.

    errors: (n,), white noise of the target; held: (n, k), trends in units of their priors' sigma;
    both relative to the flux where there are stars.
    """
    amplitude, tau = _grid(_shortest(time), longest_days)
    broad = np.ones(len(tau))
    broad[0] = N_TIMES
    broad /= broad.sum()
    likelihood = _of_stars(time, stars, float(np.median(errors)), held, longest_days)
    n_stars = likelihood.shape[1]
    if n_stars < MIN_STARS:
        return broad
    alike = _kernel(amplitude, tau, broad)
    typical = np.log(alike @ np.exp(likelihood)).sum(axis=1) * (n_stars - 1) / n_stars
    weight = broad * np.exp(typical - typical.max())
    return weight @ alike / weight.sum()


def _kernel(amplitude: np.ndarray, tau: np.ndarray, broad: np.ndarray) -> np.ndarray:
    """How probable a star's own noise is where one is typical of the field, (typical, own)."""
    place = np.log(np.column_stack([np.maximum(amplitude, 1e-9), tau])) / ALIKE
    near = np.exp(-0.5 * np.sum((place[:, None] - place) ** 2, axis=2))
    return (1 - UNLIKE) * near / near.sum(axis=1, keepdims=True) + UNLIKE * broad


def _of_stars(
    time: np.ndarray,
    stars: StarCurves | None,
    unit: float,
    held: np.ndarray,
    longest_days: float,
) -> np.ndarray:
    """Likelihood of each noise of the grid for each star, its most 0, as logarithms (grid, star).

    A wander is a share of the light, as large for bright as for faint stars: amplitudes are in
    `unit`, the white noise of the target.
    """
    use = _telling(stars)
    if stars is None or not use.any():
        return np.zeros((1, 0))
    flux, error = stars.flux[:, use], stars.flux_err[:, use]
    own = np.nanmedian(error, axis=0)
    scale = np.median(np.where(error > 0, error / own, 1.0), axis=1)
    for column in flux.T:
        gap = ~np.isfinite(column)
        column[gap] = np.interp(time[gap], time[~gap], column[~gap])
    amplitude, tau = _grid(_shortest(time), longest_days)
    system = np.column_stack([np.ones(len(time)), held, flux])
    whitened, determinant = _innovations(time, system, scale, amplitude, tau)
    # A prior on a trend is a measurement as good as one point of a typical star.
    beneath = _lay_beneath(whitened, 1, held.shape[1], float(np.median(own)))
    likelihood = _likelihood(beneath, determinant)[0]
    grid = likelihood[1:].reshape(len(AMPLITUDES), N_TIMES, -1)
    faint = np.log(AMPLITUDES[0] / 2)
    moved = np.empty_like(grid)
    for k, size in enumerate(own):
        for j in range(N_TIMES):
            moved[:, j, k] = np.interp(
                np.log(AMPLITUDES * unit / size),
                np.append(faint, np.log(AMPLITUDES)),
                np.append(likelihood[0, k], grid[:, j, k]),
            )
    likelihood = np.concatenate([likelihood[:1], moved.reshape(-1, len(own))])
    return likelihood - likelihood.max(axis=0)


def _telling(stars: StarCurves | None) -> np.ndarray:
    """Tell the stars that were measured throughout, (k,)."""
    seen = np.zeros((1, 0)) if stars is None else np.isfinite(stars.flux)
    return seen.mean(axis=0) >= MEASURED


def _shortest(time: np.ndarray) -> float:
    """Two cadences; infinite for a single moment."""
    steps = np.diff(np.unique(time))
    return 2 * float(np.median(steps)) if steps.size else np.inf


def _grid(shortest: float, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes and times of the grid; the first of them is white noise."""
    tau, amplitude = np.meshgrid(np.geomspace(shortest, longest, N_TIMES), AMPLITUDES)
    return np.append(0.0, amplitude.ravel()), np.append(shortest, tau.ravel())


def _innovations(
    time: np.ndarray, columns: np.ndarray, scale: np.ndarray, amplitude: np.ndarray, tau: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whiten columns by a Kalman filter, for every amplitude and time of a grid at once.

    Returns (grid, n, column) innovations of unit variance and the ln determinant of each
    covariance, (grid,). An exponential covariance is that of a first-order Markov process, so
    the filter needs no matrix.
    """
    mean = np.zeros((len(tau), columns.shape[1]))
    variance = amplitude**2
    white = np.empty((len(tau), *columns.shape))
    determinant = np.zeros(len(tau))
    for k in range(len(time)):
        if k:
            memory = np.exp((time[k - 1] - time[k]) / tau)
            mean = mean * memory[:, None]
            variance = memory**2 * variance + amplitude**2 * (1 - memory**2)
        total = variance + scale[k] ** 2
        surprise = columns[k] - mean
        white[:, k] = surprise / np.sqrt(total)[:, None]
        determinant += np.log(total)
        mean = mean + (variance / total)[:, None] * surprise
        variance = variance * scale[k] ** 2 / total
    return white, determinant


def _orthonormal(design: np.ndarray) -> np.ndarray:
    """Basis of the columns, without those that add nothing."""
    left, values, _ = np.linalg.svd(
        design / np.maximum(np.linalg.norm(design, axis=0), 1e-300), full_matrices=False
    )
    return left[:, values > 1e-6 * values[0]]


class _Beneath(NamedTuple):
    """Whitened columns, for every noise of a grid, parted into those beneath and what lies on them.

    Rows of priors have been added to the (n,) points.
    """

    basis: np.ndarray  # (grid, row, k), orthonormal, of those beneath
    others: np.ndarray  # (grid, row, column)
    absorbed: np.ndarray  # (grid,), ln of the volume that those beneath span


def _lay_beneath(whitened: np.ndarray, n_free: int, n_held: int, unit: float) -> _Beneath:
    """Part columns (grid, n, column): the first may take what they like, the next are held to 0.

    A prior is a measurement of 0, as good as a point, whose error is `unit`.
    """
    k = n_free + n_held
    prior = np.zeros((n_held, whitened.shape[2]))
    prior[:, n_free:k] = unit * np.eye(n_held)
    rows = np.broadcast_to(prior, (len(whitened), *prior.shape))
    system = np.concatenate([whitened, rows], axis=1)
    basis, triangle = np.linalg.qr(system[:, :, :k])
    absorbed = np.log(np.abs(np.diagonal(triangle, axis1=1, axis2=2))).sum(axis=1)
    return _Beneath(basis, system[:, :, k:], absorbed)


def _likelihood(beneath: _Beneath, determinant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Restricted ln likelihood of each other column, and its variance, (grid, column) each."""
    basis, values = beneath.basis, beneath.others
    explained = basis.transpose(0, 2, 1) @ values
    rest = np.maximum(np.sum(values**2, axis=1) - np.sum(explained**2, axis=1), 1e-300)
    freedom = basis.shape[1] - basis.shape[2]
    level = rest / freedom
    base = 0.5 * determinant + beneath.absorbed
    return -(base[:, None] + 0.5 * freedom * np.log(level)), level


@dataclass(frozen=True, slots=True, eq=False)
class Amplitudes:
    """How much of each of k shapes there is in a series, for g noises of a grid.

    The scale of each noise is free.
    """

    base: np.ndarray  # (g,) ln of prior times likelihood but for the residuals
    freedom: float
    rest: np.ndarray  # (g,) sum of squares without a shape
    cross: np.ndarray  # (g, k)
    power: np.ndarray  # (g, k)
    unit: np.ndarray  # (n, k), whitened shapes of length 1 in the likeliest noise

    def gains(self) -> np.ndarray:
        """Twice the ln of how much likelier the data are with each shape than without, (k,).

        With the amplitude that suits best, not below 0, and on the mean over all noises: as chi2
        of one degree of freedom where there is no such shape.
        """
        best = np.maximum(self.cross, 0) ** 2 / np.where(self.power > 0, self.power, np.inf)
        return 2 * (self._evidence(self.rest[:, None] - best) - self._evidence(self.rest[:, None]))

    def estimate(self) -> np.ndarray:
        """Amplitude of each shape, (k,), on the mean over all noises; 0 where nothing tells it."""
        power = np.where(self.power > 0, self.power, np.inf)
        rest = self.rest[:, None] - self.cross**2 / power
        weight = self.base[:, None] - 0.5 * self.freedom * np.log(rest)
        weight = np.exp(weight - weight.max(axis=0))
        return np.sum(weight * self.cross / power, axis=0) / weight.sum(axis=0)

    def odds(self, tried: np.ndarray) -> np.ndarray:
        """How likely the data are with amplitudes (m,) of the shapes, over without: (m, k)."""
        amplitude = tried[:, None, None]
        rest = self.rest[:, None] + amplitude * (amplitude * self.power - 2 * self.cross)
        ratio = self._evidence(rest) - self._evidence(self.rest[:, None])
        return np.exp(np.minimum(ratio, LARGE))

    def _evidence(self, rest: np.ndarray) -> np.ndarray:
        """Ln of the mean likelihood over noises, with sums of squares (..., g, k): (..., k)."""
        likelihood = self.base[:, None] - 0.5 * self.freedom * np.log(rest)
        top = likelihood.max(axis=-2)
        return top + np.log(np.mean(np.exp(likelihood - top[..., None, :]), axis=-2))


def find_amplitudes(
    time: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    *,
    free: np.ndarray,
    held: np.ndarray,
    shapes: np.ndarray,
    longest_days: float,
    prior: np.ndarray | None = None,
) -> Amplitudes:
    """Look for shapes (n, k) in values at ascending times (n,), whatever the noise is.

    errors: white noise, within some ten per cent. free: (n, p), columns of any size that lie
    beneath; held: (n, q), columns held to 0, in units of their priors' sigma. prior: by
    `noise_prior` of the same times and longest_days; all noises are equally likely without.
    """
    shortest = _shortest(time)
    amplitude, tau, weight = np.zeros(1), np.ones(1), np.ones(1)
    if shortest < longest_days:
        grids = np.meshgrid(np.geomspace(shortest, longest_days, FEW_TIMES), FEW_AMPLITUDES)
        tau, amplitude = (np.append(shortest, grids[0]), np.append(0.0, grids[1]))
        weight = np.full(len(tau), 1 / len(tau))
        if prior is not None:
            weight = _gathered(prior, _grid(shortest, longest_days), (amplitude, tau))
    scale = errors / np.median(errors)
    free = _orthonormal(free / scale[:, None]) * scale[:, None]
    system = np.column_stack([free, held, values, shapes])
    whitened, determinant = _innovations(time, system, scale, amplitude, tau)
    basis, others, absorbed = _lay_beneath(
        whitened, free.shape[1], held.shape[1], float(np.median(errors))
    )
    beside = others - basis @ (basis.transpose(0, 2, 1) @ others)
    data, whole = beside[:, :, 0], beside[:, :, 1:]
    freedom = float(len(time) - free.shape[1])
    rest, power = np.sum(data**2, axis=1), np.sum(whole**2, axis=1)
    base = np.log(weight * len(weight)) - (0.5 * determinant + absorbed)
    likeliest = int(np.argmax(base - 0.5 * freedom * np.log(rest)))
    return Amplitudes(
        base=base,
        freedom=freedom,
        rest=rest,
        cross=np.einsum("gn,gnk->gk", data, whole),
        power=power,
        unit=whole[likeliest] / np.sqrt(np.maximum(power[likeliest], 1e-300)),
    )


def _gathered(
    prior: np.ndarray, grid: tuple[np.ndarray, np.ndarray], few: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Sum the prior of a grid of amplitudes and times over the nearest points of another."""
    places = [np.log(np.column_stack([np.maximum(a, 1e-9), tau])) for a, tau in (grid, few)]
    apart = np.sum((places[0][:, None] - places[1]) ** 2, axis=2)
    total = np.bincount(np.argmin(apart, axis=1), prior, minlength=len(few[0]))
    return np.maximum(total, 1e-12)
