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
    system = np.column_stack([_orthonormal(design / scale[:, None]), residuals / scale])
    apart = np.abs(time[:, None] - time)
    white = _likelihood(system, np.ones(n))
    best = (white, 0.0, shortest, None)
    for tau in np.geomspace(shortest, longest_days, N_TIMES):
        values, vectors = np.linalg.eigh(np.exp(-apart / tau) / np.outer(scale, scale))
        turned = vectors.T @ system
        for amplitude in AMPLITUDES:
            variance = 1 + amplitude**2 * np.maximum(values, 0)
            likelihood = _likelihood(turned, variance)
            if likelihood > best[0]:
                best = (likelihood, amplitude, tau, vectors.T / np.sqrt(variance)[:, None])
    gain = best[0] - white
    if best[3] is None or gain < EVIDENCE:
        return None
    return RedNoise(float(best[1]), float(best[2]), float(gain), best[3] / errors)


def _orthonormal(design: np.ndarray) -> np.ndarray:
    """Basis of the columns, without those that add nothing."""
    left, values, _ = np.linalg.svd(
        design / np.maximum(np.linalg.norm(design, axis=0), 1e-300), full_matrices=False
    )
    return left[:, values > 1e-6 * values[0]]


def _likelihood(system: np.ndarray, variance: np.ndarray) -> float:
    """Restricted ln likelihood of the last column, given the others, up to a constant."""
    whitened = system / np.sqrt(variance)[:, None]
    basis, triangle = np.linalg.qr(whitened[:, :-1])
    rest = whitened[:, -1] - basis @ (basis.T @ whitened[:, -1])
    freedom = len(variance) - basis.shape[1]
    absorbed = np.sum(np.log(np.abs(np.diag(triangle))))
    spread = 0.5 * freedom * np.log(max(float(rest @ rest), 1e-300) / freedom)
    return -float(0.5 * np.sum(np.log(variance)) + absorbed + spread)
