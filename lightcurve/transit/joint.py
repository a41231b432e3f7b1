"""Many light curves of one planet fitted as one: a shape that all share, and times.

Each light curve is a `Problem`, whose level, trend and red noise are integrated out as in its own
fit. Its six parameters are a linear function of those of the whole, so that what is shared and what
is not is one matrix a light curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.transit.model import NAMES
from lightcurve.transit.problem import Priors, Problem
from lightcurve.transit.solve import Solution, jacobian

__all__ = ["Joint", "JointSolution", "fit_together"]

MID, RADIUS = 0, 1  # places in `NAMES`
ORBIT = (2, 3)
LIMBS = (4, 5)
SHARE = "dilution_sigma:"
SHARE_SIGMAS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """Light curves that share parameters.

    Attributes
    ----------
    names : tuple of str
        Of the k parameters: those of `NAMES`, with ``:FILTER`` where each filter has its own, and
        ``mid:N`` (days from where the N-th light curve's own fit has it), or ``t0`` and ``period``
        (days from the ephemeris given); and ``dilution_sigma:FILTER``, how many of its errors the
        target's share of the light is off, where it has one.
    maps : tuple of (6, k) float arrays
        What each light curve's parameters are per unit of these.
    offsets : tuple of (6,) float arrays
        And where these are 0.
    priors : Priors
        Of the k parameters, counted once.
    """

    names: tuple[str, ...]
    problems: tuple[Problem, ...]
    maps: tuple[np.ndarray, ...]
    offsets: tuple[np.ndarray, ...]
    priors: Priors

    def theta(self, k: int, p: np.ndarray) -> np.ndarray:
        """Work out the parameters of the k-th light curve, (6,), from those of all, p: (k,)."""
        return np.asarray(self.maps[k] @ p + self.offsets[k])

    def residuals(self, p: np.ndarray) -> np.ndarray:
        """Stack data and prior residuals, sigmas, (n + k + d,); p: (k,)."""
        parts = [
            one.residuals(self.theta(k, p))[: len(one.time)] for k, one in enumerate(self.problems)
        ]
        durations = self.problems[0].priors.duration_pulls(self.theta(0, p))
        return np.concatenate([*parts, self.priors.pulls(p), durations])

    def jacobian(self, p: np.ndarray) -> np.ndarray:
        """Differentiate the residuals, (n + k + d, k); p: (k,)."""
        parts = [
            jacobian(one, self.theta(k, p)) @ self.maps[k] for k, one in enumerate(self.problems)
        ]
        data = [part[: len(one.time)] for part, one in zip(parts, self.problems, strict=True)]
        durations = parts[0][len(data[0]) + len(NAMES) :]
        return np.vstack([*data, np.diag(1 / self.priors.width), durations])

    def log_probabilities(self, thetas: np.ndarray) -> np.ndarray:
        """Compute the log posterior of parameters (m, k), up to a constant: (m,).

        Minus infinity where they are impossible. Priors count once, not for each light curve.
        """
        inside = np.all((thetas >= self.priors.lower) & (thetas <= self.priors.upper), axis=1)
        chance = np.where(inside, -0.5 * np.sum(self.priors.pulls(thetas) ** 2, axis=1), -np.inf)
        for k, one in enumerate(self.problems):
            own = thetas @ self.maps[k].T + self.offsets[k]
            chance += one.log_probabilities(own) + 0.5 * np.sum(one.priors.pulls(own) ** 2, axis=1)
            if k == 0:
                chance -= 0.5 * np.sum(one.priors.duration_pulls(own) ** 2, axis=1)
        return chance


@dataclass(frozen=True, slots=True, eq=False)
class JointSolution:
    """The likeliest parameters of a `Joint`, (k,), and their covariance, (k, k)."""

    joint: Joint
    p: np.ndarray
    cov: np.ndarray
    chi2: float

    def mids(self) -> tuple[np.ndarray, np.ndarray]:
        """Tell the light curves' mid-times, BJD_TDB, (m,), and their covariance, days^2, (m, m)."""
        joint = self.joint
        rows = np.array([matrix[MID] for matrix in joint.maps])
        times = [joint.theta(k, self.p)[MID] for k in range(len(joint.problems))]
        return np.array(times), rows @ self.cov @ rows.T


def fit_together(
    solutions: Sequence[Solution],
    filters: Sequence[str],
    *,
    depth_by_filter: bool = False,
    ephemeris: tuple[np.ndarray, float, float] | None = None,
) -> JointSolution:
    """Let light curves share a/R* and impact parameter, and those of one filter limb darkening.

    Parameters
    ----------
    solutions : sequence of Solution
        Each light curve's own.
    filters : sequence of str
        Of each; light curves of which it is not known share one name.
    depth_by_filter : bool
        Whether Rp/R* is each filter's own.
    ephemeris : ((m,) int array, float, float), optional
        Epochs, T0 (BJD_TDB) and period (days) that mid-times follow; without it each is free.

    Returns
    -------
    JointSolution
        The likeliest by least squares. Priors of each parameter are those of the first light curve
        that has it.
    """
    joint = share(solutions, filters, depth_by_filter=depth_by_filter, ephemeris=ephemeris)
    return solve_joint(joint, start(joint, solutions))


def share(
    solutions: Sequence[Solution],
    filters: Sequence[str],
    *,
    depth_by_filter: bool,
    ephemeris: tuple[np.ndarray, float, float] | None,
) -> Joint:
    """Set up what light curves share, as `fit_together` has it."""
    bands = tuple(dict.fromkeys(filters))
    radii = bands if depth_by_filter else ("",)
    times = [f"mid:{k}" for k in range(len(solutions))] if ephemeris is None else ["t0", "period"]
    names = (
        *times,
        *(NAMES[RADIUS] + (f":{band}" if band else "") for band in radii),
        *(NAMES[k] for k in ORBIT),
        *(f"{NAMES[k]}:{band}" for band in bands for k in LIMBS),
        *dict.fromkeys(
            SHARE + band
            for one, band in zip(solutions, filters, strict=True)
            if radius_by_share(one)
        ),
    )
    place = {name: k for k, name in enumerate(names)}
    maps, offsets = [], []
    for k, (one, band) in enumerate(zip(solutions, filters, strict=True)):
        matrix, offset = np.zeros((len(NAMES), len(names))), np.zeros(len(NAMES))
        if ephemeris is None:
            matrix[MID, place[f"mid:{k}"]], offset[MID] = 1.0, one.theta[MID]
        else:
            epochs, t0, period = ephemeris
            matrix[MID, :2], offset[MID] = (1.0, epochs[k]), t0 + epochs[k] * period
        own = {RADIUS: band if depth_by_filter else "", **dict.fromkeys(LIMBS, band)}
        for row, name in list(enumerate(NAMES))[1:]:
            key = f"{name}:{own[row]}" if own.get(row) or row in LIMBS else name
            matrix[row, place[key]] = 1.0
        if by_share := radius_by_share(one):
            matrix[RADIUS, place[SHARE + band]] = by_share
        maps.append(matrix)
        offsets.append(offset)
    problems = tuple(one.problem for one in solutions)
    return Joint(names, problems, tuple(maps), tuple(offsets), _shared(names, problems, maps))


def radius_by_share(solution: Solution) -> float:
    """Work out by how much Rp/R* is off where the target's share of the light is by its error.

    What is seen is share times k^2: one night's light alone does not tell them apart, and the light
    curves of one filter have the same other light in them.
    """
    planet = solution.problem.model.planet
    if planet.dilution is None:
        return 0.0
    return float(solution.theta[RADIUS]) * planet.errors.get("dilution", 0.0) / planet.dilution / 2


def _shared(
    names: Sequence[str], problems: Sequence[Problem], maps: Sequence[np.ndarray]
) -> Priors:
    """Collect the priors of parameters from the light curves that have them; of times, none."""
    size = len(names)
    centre, width = np.zeros(size), np.full(size, np.inf)
    lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
    for problem, matrix in reversed(list(zip(problems, maps, strict=True))):
        for row in range(RADIUS, len(NAMES)):
            column = int(np.argmax(matrix[row]))
            centre[column], width[column] = problem.priors.centre[row], problem.priors.width[row]
            lower[column], upper[column] = problem.priors.lower[row], problem.priors.upper[row]
    shares = [k for k, name in enumerate(names) if name.startswith(SHARE)]
    width[shares], lower[shares], upper[shares] = 1.0, -SHARE_SIGMAS, SHARE_SIGMAS
    return Priors(centre, width, lower, upper, problems[0].priors.notes)


def solve_joint(joint: Joint, first: np.ndarray) -> JointSolution:
    """Solve for the likeliest parameters by least squares, from first, (k,), on."""
    from scipy.optimize import least_squares

    scale = _scales(joint)
    lower, upper = joint.priors.lower - 1e-9, joint.priors.upper + 1e-9
    found = least_squares(
        lambda u: joint.residuals(scale * u),
        np.clip(first, lower, upper) / scale,
        jac=lambda u: joint.jacobian(scale * u) * scale,
        bounds=(lower / scale, upper / scale),
        max_nfev=60,
    )
    p = np.clip(scale * found.x, joint.priors.lower, joint.priors.upper)
    matrix = joint.jacobian(p) * scale
    # What neither data nor priors hold is as wide as its bounds, as in `solve.covariance`.
    free, span = np.isinf(joint.priors.width), joint.priors.upper - joint.priors.lower
    bounds = np.diag(np.where(free, (2 * scale / span) ** 2, 0.0))
    cov = np.linalg.pinv(matrix.T @ matrix + bounds, hermitian=True) * np.outer(scale, scale)
    return JointSolution(joint, p, cov, 2 * float(found.cost))


def _scales(joint: Joint) -> np.ndarray:
    """Typical size of a change of each parameter: its prior's width, or a day's and radius's."""
    free = {"period": 1e-5, NAMES[RADIUS]: 0.01}
    plain = [free.get(name.split(":")[0], 1e-3) for name in joint.names]
    return np.where(np.isfinite(joint.priors.width), joint.priors.width, plain)


def start(joint: Joint, solutions: Sequence[Solution]) -> np.ndarray:
    """Begin where the priors are, with the mean of the light curves' own radii, (k,)."""
    first = joint.priors.centre.copy()
    for column, name in enumerate(joint.names):
        if name.split(":")[0] == NAMES[RADIUS]:
            own = [
                one.theta[RADIUS]
                for one, matrix in zip(solutions, joint.maps, strict=True)
                if matrix[RADIUS, column]
            ]
            first[column] = float(np.median(own))
    return first
