"""Mid-times of many transits: the ephemeris they follow, and those that do not follow it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import Planet

__all__ = ["Ephemeris", "Times", "fit_ephemeris", "known_ephemeris"]

RARELY = 0.05  # mid-times that scatter so much by chance: their errors are scaled


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Mid-times of transits.

    Attributes
    ----------
    epoch : (n,) int array
        Periods since T0 of the planet file.
    mid : (n,) float array
        BJD_TDB.
    cov : (n, n) float array
        Their covariance, days^2.
    """

    epoch: np.ndarray
    mid: np.ndarray
    cov: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """One sigma of each, days, (n,)."""
        return np.sqrt(np.diag(self.cov))

    def of(self, rows: np.ndarray) -> Times:
        """Take some of them, (n,) bool array."""
        return Times(self.epoch[rows], self.mid[rows], self.cov[np.ix_(rows, rows)])


@dataclass(frozen=True, slots=True, eq=False)
class Ephemeris:
    """A linear ephemeris: T0 at an epoch, and the period.

    Attributes
    ----------
    epoch : int
        Of T0, counted as the planet file counts.
    t0, period : float
        BJD_TDB and days.
    cov : (2, 2) float array
        Of T0 and period, days^2; NaN where no errors are known.
    chi2, freedom : float, int
        Of the mid-times it was made of.
    scaled : float
        By this the errors were multiplied, since mid-times scatter more than theirs; else 1.
    """

    epoch: int
    t0: float
    period: float
    cov: np.ndarray
    chi2: float = math.nan
    freedom: int = 0
    scaled: float = 1.0

    def at(self, epoch: np.ndarray) -> np.ndarray:
        """Work out mid-times, BJD_TDB, (n,), of epochs, (n,) array."""
        return self.t0 + (np.asarray(epoch) - self.epoch) * self.period

    def error(self, epoch: np.ndarray) -> np.ndarray:
        """Work out one sigma of mid-times, days, (n,), of epochs, (n,) array."""
        n = np.asarray(epoch, dtype=float) - self.epoch
        variance = self.cov[0, 0] + 2 * n * self.cov[0, 1] + n**2 * self.cov[1, 1]
        return np.asarray(np.sqrt(variance))

    @property
    def correlation(self) -> float:
        """Of T0 and period."""
        return float(self.cov[0, 1] / math.sqrt(self.cov[0, 0] * self.cov[1, 1]))


def known_ephemeris(planet: Planet) -> Ephemeris:
    """Take the ephemeris of a planet file, its T0 and period taken as independent."""
    t0_err, period_err = (planet.errors.get(n, math.nan) for n in ("t0_bjd_tdb", "period_days"))
    cov = np.diag([t0_err**2, period_err**2])
    return Ephemeris(0, planet.t0_bjd_tdb, planet.period_days, cov)


def fit_ephemeris(times: Times, known: Ephemeris) -> Ephemeris:
    """Fit T0 and period to mid-times, by their whole covariance.

    T0 is put at the epoch where it is least correlated with the period. Errors are scaled by the
    root of the reduced chi2 where chance makes so large a one in less than one case of twenty.
    Of one epoch alone, the period stays as it was known.
    """
    from scipy.special import chdtrc

    centre = float(np.mean(times.epoch))
    alone = len(np.unique(times.epoch)) == 1
    design = np.column_stack([np.ones(len(times.epoch)), times.epoch - centre])[:, : 2 - alone]
    inverse = np.linalg.inv(times.cov)
    away = times.mid - known.at(times.epoch)
    cov = np.linalg.inv(design.T @ inverse @ design)
    found = cov @ (design.T @ inverse @ away)
    left = away - design @ found
    total, freedom = float(left @ inverse @ left), len(away) - len(found)
    rare = freedom > 0 and chdtrc(freedom, total) < RARELY
    scaled = math.sqrt(total / freedom) if rare else 1.0
    if alone:
        epoch = int(times.epoch[0])
        both = np.diag([cov[0, 0] * scaled**2, known.cov[1, 1]])
        t0 = float(known.at(np.array(epoch)) + found[0])
        return Ephemeris(epoch, t0, known.period, both, total, freedom, scaled)
    line = of_line(known, centre, found, cov * scaled**2)
    return replace(line, chi2=total, freedom=freedom, scaled=scaled)


def of_line(known: Ephemeris, centre: float, line: np.ndarray, cov: np.ndarray) -> Ephemeris:
    """Make an ephemeris of a line, (2,): days from what was known at an epoch, and their slope.

    cov: (2, 2). T0 is put at the epoch where it is least correlated with the period.
    """
    epoch = round(centre - cov[0, 1] / cov[1, 1])
    shift = np.array([[1.0, epoch - centre], [0.0, 1.0]])
    t0 = float(known.at(np.array(epoch)) + line[0] + (epoch - centre) * line[1])
    return Ephemeris(epoch, t0, known.period + float(line[1]), shift @ cov @ shift.T)


def with_known(times: Times, known: Ephemeris) -> Times:
    """Add what an ephemeris with errors says, as two mid-times that are as uncertain as it is."""
    epoch = np.array([known.epoch, known.epoch + 1])
    steps = np.array([[1.0, 0.0], [1.0, 1.0]])
    size = len(times.mid)
    cov = np.zeros((size + 2, size + 2))
    cov[:size, :size], cov[size:, size:] = times.cov, steps @ known.cov @ steps.T
    mids = np.append(times.mid, known.at(epoch))
    return Times(np.append(times.epoch, epoch), mids, cov)
