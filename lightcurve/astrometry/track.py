"""The path of a moving object on the sky: through two places, or through an ephemeris."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.coordinates import directions, unit_vectors
from lightcurve.core.errors import InputError

__all__ = ["Track"]

FEWEST_CURVED = 4  # nodes that a cubic needs
ROUND_S = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Places of an object at some times, and a way between and beyond them.

    Between few places it moves on a great circle at a constant rate; through four and more a cubic
    spline of the unit vectors leads, which of nodes ten minutes apart keeps to 1 mas whatever
    passes the Earth outside the Moon's orbit.

    Attributes
    ----------
    jd_utc : (n,) float array
        Ascending, two at the least.
    ra_deg, dec_deg : (n,) float arrays
        ICRS, as seen from the observer's place.
    name : str
        Of the object.
    source : str
        Where the places are from.

    Raises
    ------
    InputError
        When there are not two times, each after the one before.
    """

    jd_utc: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    name: str
    source: str

    def __post_init__(self) -> None:
        """Refuse what is no path."""
        if len(self.jd_utc) < 2 or (np.diff(self.jd_utc) * 86400 < ROUND_S).any():
            msg = f"{self.name}: two places at two times are needed, in the order of time"
            raise InputError(msg)

    def at(self, jd_utc: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Tell right ascension and declination, degrees, at each time: (n,) float arrays."""
        when = np.atleast_1d(np.asarray(jd_utc, dtype=float))
        nodes = unit_vectors(self.ra_deg, self.dec_deg)
        if len(nodes) >= FEWEST_CURVED:
            return directions(_curved(self.jd_utc, nodes, when))
        piece = np.clip(np.searchsorted(self.jd_utc, when) - 1, 0, len(nodes) - 2)
        start, end = self.jd_utc[piece], self.jd_utc[piece + 1]
        share = (when - start) / (end - start)
        return directions(_on_circle(nodes[piece], nodes[piece + 1], share))

    def rate_arcsec_s(self, jd_utc: float) -> float:
        """Tell how fast it moves, arc seconds per second."""
        ra, dec = self.at(np.array([jd_utc - 30 / 86400, jd_utc + 30 / 86400]))
        one, other = unit_vectors(ra, dec)
        return float(np.degrees(np.linalg.norm(other - one)) * 3600 / 60)


def _curved(times: np.ndarray, nodes: np.ndarray, when: np.ndarray) -> np.ndarray:
    from scipy.interpolate import CubicSpline

    # Days from the first node: of a Julian date itself the spline loses digits.
    return np.asarray(CubicSpline(times - times[0], nodes)(when - times[0]))


def _on_circle(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Go a share of the way along great circles; one, other: (n, 3) unit vectors."""
    angle = np.arctan2(np.linalg.norm(np.cross(one, other), axis=1), (one * other).sum(axis=1))
    whole = np.maximum(np.sin(angle), 1e-300)
    still = angle < 1e-12
    first = np.where(still, 1.0, np.sin((1 - share) * angle) / whole)
    second = np.where(still, 0.0, np.sin(share * angle) / whole)
    return first[:, None] * one + second[:, None] * other
