"""Where planet and star are on the sky: Kepler's orbit about mid-transit, and its contacts."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

KEPLER_ROUNDS = 12
GRID = 801  # moments, of three times the duration: contacts come to some hundredths of a minute


class Orbit(Protocol):
    """What of a planet tells its orbit."""

    @property
    def period_days(self) -> float:
        """Of a revolution."""

    @property
    def a_over_rs(self) -> float:
        """Semi-major axis."""

    @property
    def inclination_deg(self) -> float:
        """Of the orbit, to the sky."""

    @property
    def eccentricity(self) -> float:
        """0 of a circle."""

    @property
    def omega_deg(self) -> float:
        """Argument of the star's periastron."""


def contacts(orbit: Orbit, rp: float, duration: float) -> tuple[float, float]:
    """Find first and last contact, days from conjunction, of a transit that takes about so long.

    An eccentric planet is quicker on one side: its transit is not in the middle of its contacts.
    """
    if not orbit.eccentricity or not duration > 0:
        return -duration / 2, duration / 2
    since = np.linspace(-1.5 * duration, 1.5 * duration, GRID)
    beyond = projected_distance(orbit, since)[0] - (1 + rp)
    inside = np.flatnonzero(beyond < 0)
    if not len(inside) or inside[0] == 0 or inside[-1] == GRID - 1:
        return -duration / 2, duration / 2
    first, last = slice(inside[0] - 1, inside[0] + 1), slice(inside[-1], inside[-1] + 2)
    start = np.interp(0.0, -beyond[first], since[first])
    return float(start), float(np.interp(0.0, beyond[last], since[last]))


def projected_distance(orbit: Orbit, since: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of planet and star on the sky, and its change by time: stellar radii, and a day.

    since: (n,) float array, days since mid-transit (as batman has it: conjunction). Infinite where
    the planet is behind the star.
    """
    e, omega = orbit.eccentricity, math.radians(orbit.omega_deg)
    motion, root = 2 * math.pi / orbit.period_days, math.sqrt(1 - e**2)
    half = math.sqrt((1 - e) / (1 + e)) * math.tan((math.pi / 2 - omega) / 2)
    first = 2 * math.atan(half)
    mean = motion * since + first - e * math.sin(first)
    anomaly = mean + e * np.sin(mean)
    for _ in range(KEPLER_ROUNDS if e else 0):
        anomaly -= (anomaly - e * np.sin(anomaly) - mean) / (1 - e * np.cos(anomaly))
    # In the plane of the orbit, towards periastron and across; and their changes.
    along, across = np.cos(anomaly) - e, root * np.sin(anomaly)
    pace = motion / (1 - e * np.cos(anomaly))
    along_by_time, across_by_time = -np.sin(anomaly) * pace, root * np.cos(anomaly) * pace
    cosine, sine = math.cos(omega), math.sin(omega)
    x, y = along * cosine - across * sine, along * sine + across * cosine
    vx = along_by_time * cosine - across_by_time * sine
    vy = along_by_time * sine + across_by_time * cosine
    tilt = math.cos(math.radians(orbit.inclination_deg))
    z = np.hypot(x, y * tilt)
    change = (x * vx + y * vy * tilt**2) / np.maximum(z, 1e-15)
    return np.where(y > 0, orbit.a_over_rs * z, np.inf), orbit.a_over_rs * change
