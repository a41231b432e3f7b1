"""A night to come: when it is dark, and where Sun and Moon are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lightcurve.core import times
from lightcurve.core.data import Site
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import InputError

STEPS = 288  # of five minutes, in a day: Sun and Moon go evenly between them
# What ERFA's Sun, Moon and turning of the Earth are good for, and UTC without more leap seconds.
FIRST_JD, LAST_JD = 2415385.5, 2488069.5  # 1901 to 2099


@dataclass(frozen=True, slots=True, eq=False)
class NightSky:
    """The sky of a site from one noon to the next, by its longitude.

    Attributes
    ----------
    evening : str
        Date of its evening there, ``2026-11-30``.
    jd : (n,) float array
        UTC, every five minutes.
    sun_deg, moon_deg : (n,) float arrays
        Altitudes.
    moon : (n, 3) float array
        ICRS unit vectors to the Moon, from the site.
    moon_lit : float
        Share of its disc, in the middle of the night.
    """

    site: Site
    evening: str
    jd: np.ndarray = field(repr=False)
    sun_deg: np.ndarray = field(repr=False)
    moon_deg: np.ndarray = field(repr=False)
    moon: np.ndarray = field(repr=False)
    moon_lit: float

    @property
    def first(self) -> float:
        """Its first noon, JD UTC."""
        return float(self.jd[0])

    @property
    def last(self) -> float:
        """Its second noon."""
        return float(self.jd[-1])

    def dark(self, sun_deg: float) -> tuple[tuple[float, float], ...]:
        """List from when to when, JD UTC, the Sun is lower than so many degrees."""
        above = self.sun_deg - sun_deg
        turns = np.flatnonzero(np.diff(above < 0))
        part = above[turns] / (above[turns] - above[turns + 1])
        ends = self.jd[turns] + part * (self.jd[turns + 1] - self.jd[turns])
        edges = [self.first] if above[0] < 0 else []
        edges += [*map(float, ends), *([self.last] if above[-1] < 0 else [])]
        return tuple(zip(edges[::2], edges[1::2], strict=True))

    def sun_at(self, jd: np.ndarray) -> np.ndarray:
        """Altitude of the Sun, degrees; jd: float array of any shape."""
        return np.interp(jd, self.jd, self.sun_deg)

    def moon_at(self, jd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Look where the Moon is: its unit vector, (..., 3), and its altitude, degrees."""
        place = np.stack([np.interp(jd, self.jd, axis) for axis in self.moon.T], axis=-1)
        place /= np.linalg.norm(place, axis=-1, keepdims=True)
        return place, np.interp(jd, self.jd, self.moon_deg)


def evening_of(jd_utc: float, site: Site) -> float:
    """Count the day, JD of the noon at Greenwich, of the night that goes on at a site or is next.

    A night is over when the Sun has risen after its middle.
    """
    late = jd_utc + site.longitude_deg / 360
    over = late % 1 > 0.5 and times.sun_altitude_deg(jd_utc, site) > 0
    return float(np.floor(late) + over)


def look_up(day: float, site: Site) -> NightSky:
    """Work out the sky of a night.

    day: JD of the noon at Greenwich on the date of its evening.

    Raises InputError for a date that nobody can compute.
    """
    if not FIRST_JD < day < LAST_JD:
        msg = f"a night of JD {day:.0f} is not within 1901 to 2099: --date"
        raise InputError(msg)
    jd = day - site.longitude_deg / 360 + np.linspace(0, 1, STEPS + 1)
    moon, lit = times.moon(jd, site)
    height = np.sum(times.zenith(jd, site) * moon, axis=-1)
    return NightSky(
        site, iso_from_jd(day)[:10], jd, times.sun_altitude_deg(jd, site),
        np.degrees(np.arcsin(np.clip(height, -1, 1))), moon, float(lit[STEPS // 2]),
    )  # fmt: skip
