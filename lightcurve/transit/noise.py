"""Noise with a memory: how much of it there is, how long it lasts, and how to take it out.

White noise is joined by a wander of amplitude A and correlation time tau, with covariance
A^2 exp(-|dt| / tau). Time-averaging sees too little of it, because the fit has already followed
the wander; restricted likelihood counts what the fit absorbed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_POINTS = 600  # the covariance matrix grows with the square
MIN_POINTS = 40
EVIDENCE = 0.5  # gain in ln likelihood: low, for missing red noise costs more than assuming some
AMPLITUDES = np.geomspace(0.1, 4.0, 20)  # of the white noise
N_TIMES = 8


@dataclass(frozen=True, slots=True, eq=False)
class RedNoise:
    """A wander under the white noise.

    Attributes
    ----------
    amplitude : float
        Over the (median) white noise of a point.
    time_days : float
        Correlation time.
    gain : float
        In ln likelihood against white noise alone.
    whiten : (n, n) float array
        Turns residuals, in the units of the flux, into independent ones of equal variance.
    """

    amplitude: float
    time_days: float
    gain: float
    whiten: np.ndarray


def find_red_noise(
    time: np.ndarray,
    residuals: np.ndarray,
    errors: np.ndarray,
    *,
    design: np.ndarray,
    longest_days: float,
) -> RedNoise | None:
    """Measure red noise in the residuals of a fit.

    Parameters
    ----------
    time : (n,) float array
        Days.
    residuals, errors : (n,) float arrays
        In the units of the flux; the errors give the white noise up to a factor.
    design : (n, p) float array
        Derivatives of the fitted model by its free parameters, in any units.
    longest_days : float
        Longest correlation time looked for; the shortest is two cadences.

    Returns
    -------
    RedNoise or None
        None where white noise is enough (gain under 0.5 in ln likelihood), and for fewer than 40 or
        more than 600 points.

    Notes
    -----
    Restricted maximum likelihood (Patterson & Thompson 1971, Biometrika 58, 545) on a grid of
    amplitude and time, the scale of all noise being free.
    """
    n = len(time)
    shortest = 2 * float(np.median(np.diff(time))) if n > 1 else np.inf
    if not MIN_POINTS <= n <= MAX_POINTS or shortest >= longest_days:
        return None
    scale = errors / np.median(errors)
    system = np.column_stack([_orthonormal(design / scale[:, None]) * scale[:, None], residuals])
    tau, amplitude = np.meshgrid(np.geomspace(shortest, longest_days, N_TIMES), AMPLITUDES)
    # The first of the grid has no red noise at all.
    amplitude = np.append(0.0, amplitude.ravel())
    tau = np.append(shortest, tau.ravel())
    whitened, determinant = _innovations(time, system, scale, amplitude, tau)
    likelihood = _likelihood(whitened, determinant)
    best = int(np.argmax(likelihood))
    gain = float(likelihood[best] - likelihood[0])
    if not gain >= EVIDENCE:
        return None
    pick = slice(best, best + 1)
    whiten, _ = _innovations(time, np.eye(n), scale, amplitude[pick], tau[pick])
    return RedNoise(float(amplitude[best]), float(tau[best]), gain, whiten[0] / np.median(errors))


def _innovations(
    time: np.ndarray,
    columns: np.ndarray,
    scale: np.ndarray,
    amplitude: np.ndarray,
    tau: np.ndarray,
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


def _likelihood(whitened: np.ndarray, determinant: np.ndarray) -> np.ndarray:
    """Restricted ln likelihood of the last column, given the others, up to a constant."""
    size, design = whitened.shape[1], whitened[:, :, :-1]
    values = whitened[:, :, -1]
    basis, triangle = np.linalg.qr(design)
    explained = np.einsum("gnp,gn->gp", basis, values)
    rest = np.maximum(np.sum(values**2, axis=1) - np.sum(explained**2, axis=1), 1e-300)
    freedom = size - design.shape[2]
    absorbed = np.log(np.abs(np.diagonal(triangle, axis1=1, axis2=2))).sum(axis=1)
    return -(0.5 * determinant + absorbed + 0.5 * freedom * np.log(rest / freedom))
