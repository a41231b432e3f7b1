"""Times and the sky overhead: barycentric and heliocentric dates, airmass.

Everything here is pure and works on arrays. The Earth's place comes from ERFA (`epv00`: 5 km or
15 us RMS in the barycentric position), its turning from `gst00b` with UT1 taken for UTC: their
difference, under 0.9 s, moves the observer by 0.4 km (1.4 us of light) and a star's altitude by
13". No table is downloaded, so a date of next year gives the same answer in any year.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lightcurve.core.constants import DAY_S, J2000_JD
from lightcurve.core.coordinates import unit_vectors
from lightcurve.core.data import Site
from lightcurve.core.dates import EARLIEST_JD, LATEST_JD, julian_day

__all__ = [
    "AU_M",
    "airmass",
    "altitude_deg",
    "bjd_tdb",
    "earth_au",
    "hjd_utc",
    "only_julian_dates",
    "sidereal_deg",
    "sun_altitude_deg",
    "tt_minus_utc_s",
]

SPEED_OF_LIGHT_AU_PER_DAY = 173.1446326846693
AU_M = 149597870700.0
DEG_PER_DAY = 360.98564736629  # by which the Earth turns under the stars


def only_julian_dates(values: np.ndarray) -> np.ndarray:
    """Keep what can be the Julian date of an observation.

    values: (n,) float array.
    Returns (n,) float array, NaN where a value is not within 1950 to 2150: another date, or none.
    """
    return np.where((values > EARLIEST_JD) & (values < LATEST_JD), values, np.nan)


@lru_cache(maxsize=1)
def _leap_seconds() -> tuple[np.ndarray, np.ndarray]:
    """Julian dates at which TAI-UTC changed, and its value from then on (seconds)."""
    import erfa

    table = erfa.leap_seconds.get()
    days = [julian_day(int(year), int(month), 1) for year, month, _ in table]
    return np.array(days), np.array([row[2] for row in table], dtype=float)


def tt_minus_utc_s(jd_utc: np.ndarray | float) -> np.ndarray:
    """Difference of Terrestrial Time and UTC, seconds; after the last known leap second it stays.

    From 1972 on exact; before, TAI-UTC is held at its value of the last step.
    jd_utc: float or (n,) float array. Returns () or (n,) float array.
    """
    days, tai_utc = _leap_seconds()
    place = np.searchsorted(days, np.asarray(jd_utc, dtype=float), side="right") - 1
    return tai_utc[np.maximum(place, 0)] + 32.184


def tdb_from_utc(jd_utc: np.ndarray | float) -> np.ndarray:
    """Barycentric Dynamical Time at the geocentre (the observer's place adds under 3 us)."""
    import erfa

    jd_utc = np.asarray(jd_utc, dtype=float)
    tt_days = tt_minus_utc_s(jd_utc) / DAY_S
    day = np.floor(jd_utc)
    tdb_tt_s = erfa.dtdb(day, jd_utc - day + tt_days, 0.0, 0.0, 0.0, 0.0)
    return jd_utc + (tt_days + tdb_tt_s / DAY_S)


def bjd_tdb(
    jd_utc: np.ndarray | float,
    ra_deg: np.ndarray | float,
    dec_deg: np.ndarray | float,
    site: Site | None,
) -> np.ndarray:
    """Barycentric Julian date on the TDB scale (Eastman, Siverd & Gaudi 2010, eq. 10).

    The Roemer delay of a star at infinite distance; the Shapiro delay (under 0.1 ms away from
    the Sun) is left out.

    Parameters
    ----------
    jd_utc : float or (n,) float array
        Mid-exposure.
    ra_deg, dec_deg : float or (n,) float array
        ICRS; of many stars, one of each time.
    site : Site or None
        None stands for the centre of the Earth: up to 21 ms off.

    Returns
    -------
    () or (n,) float array
        NaN where `jd_utc` is.
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    _, barycentric = earth_au(jd_utc)
    return tdb_from_utc(jd_utc) + _delay(barycentric, jd_utc, unit_vectors(ra_deg, dec_deg), site)


def utc_from_bjd(
    bjd: np.ndarray | float,
    ra_deg: np.ndarray | float,
    dec_deg: np.ndarray | float,
    site: Site | None,
) -> np.ndarray:
    """Turn a barycentric date on the TDB scale into the JD UTC at which it is seen at a site.

    The inverse of `bjd_tdb`, to 0.1 ms: the delay changes by 1e-4 of the time by which it is wrong.
    The arguments are those of `bjd_tdb`. Returns () or (n,) float array; NaN where `bjd` is.
    """
    bjd = np.asarray(bjd, dtype=float)
    seen = bjd
    for _ in range(3):
        seen = seen + (bjd - bjd_tdb(seen, ra_deg, dec_deg, site))
    return seen


def hjd_utc(
    jd_utc: np.ndarray | float, ra_deg: float, dec_deg: float, site: Site | None
) -> np.ndarray:
    """Heliocentric Julian date on the UTC scale, as older observers' tables have it.

    jd_utc: float or (n,) float array, mid-exposure; the other arguments are those of `bjd_tdb`.
    Returns () or (n,) float array; NaN where `jd_utc` is.
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    heliocentric, _ = earth_au(jd_utc)
    return jd_utc + _delay(heliocentric, jd_utc, unit_vectors(ra_deg, dec_deg), site)


def _delay(
    earth: np.ndarray, jd_utc: np.ndarray, star: np.ndarray, site: Site | None
) -> np.ndarray:
    """Days by which light comes earlier to the observer than to where `earth` is counted from.

    star: unit vector, (3,), or (n, 3), one of each time.
    """
    place = earth + _observer_au(jd_utc, site)
    along = place @ star if star.ndim == 1 else np.sum(place * star, axis=-1)
    return along / SPEED_OF_LIGHT_AU_PER_DAY


def earth_au(jd_utc: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Heliocentric and barycentric place of the Earth, au, ICRS axes: two (..., 3) arrays.

    jd_utc: () or (n,) float array.
    """
    import erfa

    jd_utc = np.asarray(jd_utc, dtype=float)
    # Outside 1900-2100 ERFA warns and its answer is not defined: NaN, as for any bad time.
    known = np.abs(jd_utc - J2000_JD) < 36524.0
    day = np.where(known, jd_utc, J2000_JD)
    helio, bary = erfa.epv00(np.floor(day), day % 1 + tt_minus_utc_s(day) / DAY_S)
    lost = ~known[..., None]
    return np.where(lost, np.nan, helio["p"]), np.where(lost, np.nan, bary["p"])


def _turned(jd_utc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrix to the true equator of date, (..., 3, 3), and sidereal time there, radians."""
    import erfa

    day, fraction = np.floor(jd_utc), jd_utc % 1
    with np.errstate(invalid="ignore"):  # NaN in, NaN out
        matrix = erfa.pnm00b(day, fraction + tt_minus_utc_s(jd_utc) / DAY_S)
        return matrix, erfa.gst00b(day, fraction)


def _observer_au(jd_utc: np.ndarray, site: Site | None) -> np.ndarray:
    """Place of the observer from the centre of the Earth, (..., 3), au, ICRS axes."""
    import erfa

    if site is None:
        return np.zeros(3)
    x, y, z = erfa.gd2gc(
        1, np.radians(site.longitude_deg), np.radians(site.latitude_deg), site.height_m
    )
    matrix, sidereal = _turned(jd_utc)
    cos, sin = np.cos(sidereal), np.sin(sidereal)
    of_date = np.stack([x * cos - y * sin, x * sin + y * cos, np.full_like(cos, z)], axis=-1)
    return np.einsum("...ji,...j->...i", matrix, of_date) / AU_M


def altitude_deg(
    jd_utc: np.ndarray | float, ra_deg: float, dec_deg: float, site: Site
) -> np.ndarray:
    """Altitude of an ICRS direction without refraction (aberration, 20", left out), degrees.

    jd_utc: float or (n,) float array. Returns () or (n,) float array; NaN where `jd_utc` is.
    """
    return _altitude(np.asarray(jd_utc, dtype=float), unit_vectors(ra_deg, dec_deg), site)


def sun_altitude_deg(jd_utc: np.ndarray | float, site: Site) -> np.ndarray:
    """Altitude of the Sun's centre without refraction, degrees.

    jd_utc: float or (n,) float array. Returns () or (n,) float array; NaN outside 1900 to 2100.
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    sun = -earth_au(jd_utc)[0]
    return _altitude(jd_utc, sun / np.linalg.norm(sun, axis=-1, keepdims=True), site)


def sidereal_deg(jd_utc: np.ndarray | float, site: Site) -> np.ndarray:
    """Local apparent sidereal time, degrees from 0 to 360.

    jd_utc: float or (n,) float array. Returns () or (n,) float array.
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    return (np.degrees(_turned(jd_utc)[1]) + site.longitude_deg) % 360


def hour_angle_deg(jd_utc: float, ra_deg: float, dec_deg: float, site: Site) -> float:
    """Hour angle of an ICRS direction, degrees from -180 to 180: negative before the meridian."""
    matrix, sidereal = _turned(np.asarray(jd_utc, dtype=float))
    x, y, _ = matrix @ unit_vectors(ra_deg, dec_deg)
    angle = np.degrees(sidereal - np.arctan2(y, x)) + site.longitude_deg
    return float((angle + 180) % 360 - 180)


def zenith(jd_utc: np.ndarray, site: Site) -> np.ndarray:
    """Where the zenith is among the stars: (..., 3) ICRS unit vectors, at times of one night.

    The sine of a star's altitude is the product with its own vector. The Earth turns evenly from
    the middle of the times on, its axis fixed: to 1" within a day.
    jd_utc: float array of any shape.
    """
    middle = np.mean(jd_utc, keepdims=True).reshape(())
    matrix, sidereal = _turned(middle)
    angle = sidereal + np.radians(site.longitude_deg + DEG_PER_DAY * (jd_utc - middle))
    high, flat = (f(np.radians(site.latitude_deg)) for f in (np.sin, np.cos))
    of_date = np.stack(
        [flat * np.cos(angle), flat * np.sin(angle), np.full(angle.shape, high)], axis=-1
    )
    return of_date @ matrix


def moon(jd_utc: np.ndarray, site: Site) -> tuple[np.ndarray, np.ndarray]:
    """Where the Moon is, as seen from a site, and which share of its disc is lit.

    jd_utc: (n,) float array. Returns (n, 3) ICRS unit vectors (ERFA's `moon98`: to 10"), and (n,)
    float array.
    """
    import erfa

    day, fraction = np.floor(jd_utc), jd_utc % 1
    place = erfa.moon98(day, fraction + tt_minus_utc_s(jd_utc) / DAY_S)["p"]
    to_sun = -earth_au(jd_utc)[0] - place
    seen = place - _observer_au(jd_utc, site)
    cosine = -np.sum(to_sun * place, axis=-1) / np.linalg.norm(to_sun, axis=-1)
    lit = (1 + cosine / np.linalg.norm(place, axis=-1)) / 2
    return seen / np.linalg.norm(seen, axis=-1, keepdims=True), lit


def _altitude(jd_utc: np.ndarray, direction: np.ndarray, site: Site) -> np.ndarray:
    """Altitude of directions, (3,) or (..., 3), ICRS unit vectors."""
    matrix, sidereal = _turned(jd_utc)
    star = np.einsum("...ij,...j->...i", matrix, direction)
    local = sidereal + np.radians(site.longitude_deg)
    latitude = np.radians(site.latitude_deg)
    meridian = np.cos(local) * star[..., 0] + np.sin(local) * star[..., 1]
    sine = np.cos(latitude) * meridian + np.sin(latitude) * star[..., 2]
    return np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))


def airmass(
    jd_utc: np.ndarray | float, ra_deg: float, dec_deg: float, site: Site | None
) -> np.ndarray:
    """Relative airmass from the true altitude (Young 1994, Appl. Opt. 33, 1108, eq. 7).

    jd_utc: float or (n,) float array; the other arguments are those of `bjd_tdb`.
    Returns () or (n,) float array; NaN below the horizon and without a site.
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    if site is None:
        return np.full(jd_utc.shape, np.nan)
    altitude = altitude_deg(jd_utc, ra_deg, dec_deg, site)
    c = np.where(altitude >= 0, np.sin(np.radians(altitude)), np.nan)
    above = 1.002432 * c**2 + 0.148386 * c + 0.0096467
    return above / (c**3 + 0.149864 * c**2 + 0.0102963 * c + 0.000303978)
