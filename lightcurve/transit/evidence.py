"""The evidence for mid-times that follow a line and something more, of any size.

All is linear in its parameters, so that the marginal likelihoods are normal integrals (Rasmussen &
Williams 2006, ch. 2.7). Those of T0 and period, which all models have, are flat, and cancel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.transit.times import Ephemeris, Times

# One sigma of a variation, minutes, each as likely by its logarithm: from what no observer could
# see to the largest of known planets.
SIZES = np.geomspace(0.1, 300.0, 24)
MINUTES = 1440.0


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """Models of one kind: a line and k columns, m kinds of them, at each of the `SIZES`.

    log_evidence : (m, size) over that of the line. mean : (m, size, 2 + k). cov : (..., 2 + k,
    2 + k). Minutes, of columns of size 1.
    """

    log_evidence: np.ndarray
    mean: np.ndarray
    cov: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """How likely each is, of all of them, (m, size)."""
        likely = np.exp(self.log_evidence - self.log_evidence.max())
        return np.asarray(likely / likely.sum())

    @property
    def total(self) -> float:
        """Logarithm of the evidence for all, each as likely beforehand."""
        return log_mean(self.log_evidence)

    def weighed(self, prior: np.ndarray) -> Models:
        """Weigh the kinds by how likely they are beforehand, (m,)."""
        log = self.log_evidence + np.log(prior / prior.mean())[:, None]
        return replace(self, log_evidence=log)

    def average(self) -> tuple[np.ndarray, np.ndarray]:
        """Average over all: T0 and period, minutes and minutes a half span, and covariance."""
        weight, lines = self.weight[..., None], self.mean[..., :2]
        mean = (weight * lines).sum((0, 1))
        off = lines - mean
        spread = np.einsum("ms,msi,msj->ij", self.weight, off, off)
        within = np.einsum("ms,msij->ij", self.weight, self.cov[..., :2, :2])
        return mean, spread + within


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Mid-times in minutes from what was known, and epochs from -1 to 1: (n,) and (n, n)."""

    centre: float
    half: float  # span of the epochs
    phase: np.ndarray
    late: np.ndarray
    cov: np.ndarray

    @classmethod
    def of(cls, times: Times, known: Ephemeris) -> Data:
        """Lay mid-times out."""
        first, last = int(times.epoch.min()), int(times.epoch.max())
        centre, half = (first + last) / 2, max((last - first) / 2, 0.5)
        late = (times.mid - known.at(times.epoch)) * MINUTES
        return cls(centre, half, (times.epoch - centre) / half, late, times.cov * MINUTES**2)

    def columns(self, waves: np.ndarray, epoch: np.ndarray) -> np.ndarray:
        """Sine and cosine of frequencies, (m,) cycles an epoch, at epochs (n,): (m, n, 2)."""
        turns = 2 * np.pi * waves[:, None] * (epoch - self.centre)
        return np.stack([np.sin(turns), np.cos(turns)], axis=-1)

    def solve(self, columns: np.ndarray) -> Models:
        """Solve for a line and k columns, (m, n, k), whose sizes have normal priors."""
        m, n, k = columns.shape
        inverse = np.linalg.inv(self.cov)
        line = np.column_stack([np.ones(n), self.phase])
        design = np.concatenate([np.broadcast_to(line, (m, n, 2)), columns], axis=-1)
        weighed = np.einsum("ij,mjk->mik", inverse, design)
        normal = np.einsum("mik,mil->mkl", design, weighed)
        right = np.einsum("mik,i->mk", weighed, self.late)
        prior = np.zeros((len(SIZES), 2 + k))
        prior[:, 2:] = SIZES[:, None] ** -2
        matrix = normal[:, None] + prior[:, :, None] * np.eye(2 + k)
        cov = np.linalg.inv(matrix)
        mean = np.einsum("mskl,ml->msk", cov, right)
        log = 0.5 * np.einsum("msk,mk->ms", mean, right) - 0.5 * np.linalg.slogdet(matrix)[1]
        log -= k * np.log(SIZES)
        own, bare = normal[0, :2, :2], right[0, :2]
        without = 0.5 * float(bare @ np.linalg.solve(own, bare)) - 0.5 * np.linalg.slogdet(own)[1]
        return Models(log - without, mean, cov)

    def log_evidence(self, cov: np.ndarray) -> float:
        """Logarithm of the evidence for a line, at a covariance, up to a constant."""
        root = np.linalg.cholesky(cov)
        line = np.column_stack([np.ones(len(self.phase)), self.phase])
        design, late = np.linalg.solve(root, line), np.linalg.solve(root, self.late)
        normal = design.T @ design
        found = np.linalg.solve(normal, design.T @ late)
        left = late - design @ found
        return float(
            -np.log(np.diag(root)).sum() - 0.5 * np.linalg.slogdet(normal)[1] - 0.5 * left @ left
        )


def log_mean(values: np.ndarray) -> float:
    """Logarithm of the mean of what values are logarithms of."""
    top = float(values.max())
    return top + math.log(float(np.exp(values - top).mean()))
