"""The transits of many planets in a night, and how much of each a site can see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lightcurve.core import times
from lightcurve.core.coordinates import unit_vectors
from lightcurve.core.data import Planet
from lightcurve.core.errors import InputError
from lightcurve.night.outlook import transit_errors
from lightcurve.tonight.precision import Promise
from lightcurve.tonight.sky import NightSky
from lightcurve.transit.ephemeris import MARGIN_SIGMA, central_depth, transit_duration

__all__ = ["Limits"]

SAMPLES = 121  # of a window, for what is seen of it
MINUTES = 1440.0
LONGEST_DAYS = 1.0  # of a transit that one night can say anything of
RANGES = {
    "--altitude": (-5.0, 90.0),
    "--sun": (-90.0, 90.0),
    "--moon": (0.0, 180.0),
    "--share": (0.0, 1.0),
    "--baseline": (0.0, 1440.0),
    "--faintest": (-2.0, 30.0),
    "--depth": (0.0, 100.0),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What an observer asks of a transit.

    Attributes
    ----------
    altitude_deg : float
        Of the star, at least. 30 degrees are two airmasses.
    sun_deg : float
        Of the Sun, at most; -12 is the end of nautical twilight, when stars can be measured.
    moon_deg : float
        From the Moon while that is up, at least.
    share : float
        Of the transit that is seen, at least.
    baseline_min : float
        Wanted before and after it, minutes.
    faintest : float or None
        Gaia G of the star, at most; stars without one are left out then.
    depth_percent : float
        At least.
    """

    altitude_deg: float = 30.0
    sun_deg: float = -12.0
    moon_deg: float = 0.0
    share: float = 0.5
    baseline_min: float = 45.0
    faintest: float | None = None
    depth_percent: float = 0.0

    def __post_init__(self) -> None:
        """Refuse, as InputError, what can be no such limit."""
        given = (
            self.altitude_deg, self.sun_deg, self.moon_deg, self.share, self.baseline_min,
            self.faintest, self.depth_percent,
        )  # fmt: skip
        for (option, (low, high)), value in zip(RANGES.items(), given, strict=True):
            if value is not None and not low <= value <= high:
                msg = f"{option} {value:g} is not within {low:g} to {high:g}"
                raise InputError(msg)


@dataclass(frozen=True, slots=True)
class Chance:
    """A transit that can be seen; moments are JD UTC at the site.

    Attributes
    ----------
    epoch : int
        Periods since the planet's T0.
    mid_bjd_tdb : float
        Predicted mid-transit.
    mid_err_days : float
        Its one-sigma error by T0 and period; NaN where neither has one.
    ingress, mid, egress : float
        First contact, middle, fourth contact.
    first, last : float
        From when to when it can be observed, with the baseline wanted as far as it can be had.
    share, ingress_share, egress_share : float
        What is seen: of all, and of its first and last tenth.
    before_min, after_min : float
        Minutes of baseline that can be had.
    altitudes_deg : (float, float, float)
        At `first`, mid-transit and `last`; the second may be below the limit.
    moon_deg : float
        The least angle from the Moon while both are up; NaN where the Moon is down.
    flip : float
        When the star crosses the meridian, JD UTC; NaN where not from `first` to `last`.
    depth_percent : float
        Without limb darkening.
    minute_percent : float
        Expected error of one minute; NaN where it is not known.
    depth_err_percent, mid_time_err_min : float
        Expected errors of depth and mid-time; NaN where they are not known.
    unsure : bool
        Three sigma of the mid-time are more than the night is dark, or it has no error at all.
    """

    planet: Planet
    epoch: int
    mid_bjd_tdb: float
    mid_err_days: float
    ingress: float
    mid: float
    egress: float
    first: float
    last: float
    share: float
    ingress_share: float
    egress_share: float
    before_min: float
    after_min: float
    altitudes_deg: tuple[float, float, float]
    moon_deg: float
    flip: float
    depth_percent: float
    minute_percent: float
    depth_err_percent: float
    mid_time_err_min: float
    unsure: bool

    @property
    def flip_minute(self) -> float:
        """Minutes from `first` to the flip; NaN without one."""
        return MINUTES * (self.flip - self.first)

    @property
    def score(self) -> float:
        """Depth over its expected error: what is seen, how bright and how deep; NaN if unknown."""
        return self.depth_percent / self.depth_err_percent


@dataclass(frozen=True)
class Planets:
    """Many planets, and what is the same every night, as (n,) float arrays."""

    planets: tuple[Planet, ...]

    def _column(self, name: str) -> np.ndarray:
        return np.array([getattr(planet, name) for planet in self.planets], dtype=float)

    def _error(self, name: str) -> np.ndarray:
        return np.array([planet.errors.get(name, np.nan) for planet in self.planets])

    @cached_property
    def place(self) -> tuple[np.ndarray, np.ndarray]:
        """Right ascension and declination, degrees."""
        return self._column("ra_deg"), self._column("dec_deg")

    @cached_property
    def clock(self) -> tuple[np.ndarray, ...]:
        """T0 and period, and their errors, days."""
        names = ("t0_bjd_tdb", "period_days")
        return *map(self._column, names), *map(self._error, names)

    @cached_property
    def duration(self) -> np.ndarray:
        """From first to fourth contact, days."""
        return np.array([transit_duration(planet) for planet in self.planets])


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Transits of a night: (e,) arrays, and (e, `SAMPLES`) ones of what is seen around each."""

    index: np.ndarray
    epoch: np.ndarray
    bjd: np.ndarray
    mid_err: np.ndarray
    mid: np.ndarray
    half: np.ndarray
    jd: np.ndarray
    altitude: np.ndarray
    moon: np.ndarray
    seen: np.ndarray

    def share(self, low: float, high: float) -> np.ndarray:
        """Share seen of a part of each transit, from -1, first contact, to 1, fourth: (e,)."""
        inside = self.seen[:, slice(*self._samples(low, high))]
        return inside.mean(axis=1)

    @staticmethod
    def _samples(low: float, high: float) -> tuple[int, int]:
        """Which samples are of a part of the transit: a third of them lies on either side of it."""
        third = (SAMPLES - 1) // 3
        return round(third * (3 + low) / 2), round(third * (3 + high) / 2) + 1


def due(planets: Planets, night: NightSky) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the transits whose middle is in a night: (e,) planets, epochs and BJD_TDB."""
    t0, period, _, _ = planets.clock
    begin, end = (times.bjd_tdb(jd, *planets.place, night.site) for jd in (night.first, night.last))
    low, high = (np.ceil((bjd - t0) / period).astype(int) for bjd in (begin, end))
    count = np.where((planets.duration > 0) & (planets.duration < LONGEST_DAYS), high - low, 0)
    index = np.repeat(np.arange(len(t0)), count)
    nth = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    epoch = low[index] + nth
    return index, epoch, t0[index] + epoch * period[index]


def look_at(planets: Planets, night: NightSky, limits: Limits) -> Windows:
    """See what of each transit of a night is above the limits."""
    index, epoch, bjd = due(planets, night)
    _, _, t0_err, period_err = (column[index] for column in planets.clock)
    unknown = np.isnan(t0_err) & np.isnan(period_err)
    error = np.hypot(np.nan_to_num(t0_err), epoch * np.nan_to_num(period_err))
    ra, dec = (column[index] for column in planets.place)
    star = unit_vectors(ra, dec)
    mid = times.utc_from_bjd(bjd, ra, dec, night.site)
    half = planets.duration[index] / 2
    jd = mid[:, None] + _offsets(half, limits.baseline_min / MINUTES)
    above = np.einsum("ekj,ej->ek", times.zenith(jd, night.site), star) if len(index) else jd
    altitude = np.degrees(np.arcsin(np.clip(above, -1, 1)))
    moon, moon_up = night.moon_at(jd)
    cosine = np.einsum("ekj,ej->ek", moon, star)
    apart = np.where(moon_up > 0, np.degrees(np.arccos(np.clip(cosine, -1, 1))), np.nan)
    seen = (altitude >= limits.altitude_deg) & (night.sun_at(jd) <= limits.sun_deg)
    seen &= ~(apart < limits.moon_deg)
    return Windows(
        index, epoch, bjd, np.where(unknown, np.nan, error), mid, half, jd, altitude, apart, seen
    )


def _offsets(half: np.ndarray, baseline: float) -> np.ndarray:
    """Days from mid-transit of samples: a third before, in and after each transit, (e, SAMPLES)."""
    third = (SAMPLES - 1) // 3
    outside = baseline * np.linspace(0, 1, third + 1)[1:]
    inside = half[:, None] * np.linspace(-1, 1, third + 1)
    return np.concatenate([inside[:, :1] - outside[::-1], inside, inside[:, -1:] + outside], axis=1)


def find_chances(
    planets: Planets, night: NightSky, limits: Limits, promise: Promise
) -> tuple[Chance, ...]:
    """List the transits of a night that an observer may want."""
    windows = look_at(planets, night, limits)
    share = windows.share(-1, 1)
    rows = np.flatnonzero((share > 0) & (share >= limits.share))
    dark = sum(end - start for start, end in night.dark(limits.sun_deg))
    found = (
        _chance(planets.planets[windows.index[row]], windows, int(row), (night, dark), promise)
        for row in rows
        if _bright(planets.planets[windows.index[row]], limits)
    )
    return tuple(one for one in found if one.depth_percent >= limits.depth_percent)


def _bright(planet: Planet, limits: Limits) -> bool:
    faintest = limits.faintest
    return faintest is None or (planet.g_mag is not None and planet.g_mag <= faintest)


def _chance(
    planet: Planet,
    windows: Windows,
    row: int,
    of_night: tuple[NightSky, float],
    promise: Promise,
) -> Chance:
    """Say all of one transit."""
    night, dark = of_night
    jd, seen = windows.jd[row], windows.seen[row]
    mid, half, error = (float(a[row]) for a in (windows.mid, windows.half, windows.mid_err))
    first, last = float(jd[seen][0]), float(jd[seen][-1])
    altitude = np.interp([first, mid, last], jd, windows.altitude[row])
    whole, begun, ended = (windows.share(*part)[row] for part in ((-1, 1), (-1, -0.8), (0.8, 1)))
    moon = windows.moon[row][seen]
    moon = moon[np.isfinite(moon)]
    depth, minute = central_depth(planet), promise.minute(planet.g_mag)
    expected = _expected(planet, windows, row, minute, promise.slow)
    return Chance(
        planet, int(windows.epoch[row]), float(windows.bjd[row]), error,
        mid - half, mid, mid + half, first, last, float(whole), float(begun), float(ended),
        max(0.0, MINUTES * (mid - half - first)), max(0.0, MINUTES * (last - mid - half)),
        (float(altitude[0]), float(altitude[1]), float(altitude[2])),
        float(min(moon, default=math.nan)),
        _flip(planet, night, mid, (first, last)), 100 * depth, 100 * minute, 100 * expected[0],
        MINUTES * expected[1] * planet.rp_over_rs**2 / depth,
        not error * MARGIN_SIGMA <= dark,
    )  # fmt: skip


def _expected(
    planet: Planet, windows: Windows, row: int, minute: float, slow: float
) -> tuple[float, float]:
    """Expect errors of depth, relative, and of mid-time, days, from a point a minute seen."""
    grid = np.arange(windows.jd[row, 0], windows.jd[row, -1], 1 / MINUTES)
    seen = np.interp(grid, windows.jd[row], windows.seen[row].astype(float)) > 0.5
    to_bjd = windows.bjd[row] - windows.mid[row]
    errors = transit_errors(planet, grid[seen] + to_bjd, minute * slow)
    return errors or (math.nan, math.nan)


def _flip(planet: Planet, night: NightSky, mid: float, window: tuple[float, float]) -> float:
    """When a star crosses the meridian within a window, above or below the pole; NaN if not."""
    angle = times.hour_angle_deg(mid, planet.ra_deg, planet.dec_deg, night.site)
    crossing = mid - float((angle + 90) % 180 - 90) / times.DEG_PER_DAY
    return crossing if window[0] <= crossing <= window[1] else math.nan
