"""Where a star or planet stands at a moment: proper motion on unit vectors, and parallax."""

from __future__ import annotations

import numpy as np

from lightcurve.core.constants import DAY_S, J2000_JD, YEAR_DAYS
from lightcurve.core.coordinates import directions, unit_vectors
from lightcurve.core.data import Motion, Site
from lightcurve.core.times import AU_M, earth_au, tt_minus_utc_s

__all__ = ["place_at"]

# Typical of field stars of magnitude 12 to 18 (Gaia): allowed for where the motion is not known.
UNKNOWN_MOTION_MAS = 10.0


def moved(
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
    pm_ra: np.ndarray,
    pm_dec: np.ndarray,
    years: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Move stars by their proper motion, along great circles at constant speed in space.

    ``p' = p + years (mu_a e + mu_d n)``, with `e` and `n` the unit vectors to the east and north
    (ESA SP-1200, vol. 1, 1.5.5, without radial velocity and parallax). pm_ra, pm_dec: mas/yr, that
    in right ascension times cos dec; where either is NaN the star stays. years: Julian, negative
    for the past. Right ascension comes out in [0, 360).
    """
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
    known = np.isfinite(pm_ra) & np.isfinite(pm_dec)
    to_rad = np.radians(1 / 3.6e6) * np.asarray(years)
    a = np.where(known, pm_ra, 0.0) * to_rad
    d = np.where(known, pm_dec, 0.0) * to_rad
    return directions(unit_vectors(ra_deg, dec_deg) + a[:, None] * east + d[:, None] * north)


def place_at(
    ra_deg: float, dec_deg: float, motion: Motion | None, jd_utc: float
) -> tuple[float, float]:
    """Tell where a star stands at a moment, seen from the Earth.

    Parameters
    ----------
    ra_deg, dec_deg : float
        ICRS, at the epoch of the motion.
    motion : Motion, optional
        None leaves it where it is.

    Returns
    -------
    tuple of float
        Right ascension and declination, degrees.
    """
    if motion is None:
        return ra_deg, dec_deg
    years = 2000.0 + (jd_utc - J2000_JD) / YEAR_DAYS - motion.epoch_year
    proper = (np.array([motion.pm_ra_mas_yr]), np.array([motion.pm_dec_mas_yr]))
    seen = unit_vectors(*moved(np.array([ra_deg]), np.array([dec_deg]), *proper, years))
    ra, dec = directions(seen - np.radians(motion.parallax_mas / 3.6e6) * earth_au(jd_utc)[1])
    return float(ra[0]), float(dec[0])


def topocentric(
    ra_deg: np.ndarray, dec_deg: np.ndarray, distance_au: np.ndarray, site: Site, jd_utc: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move astrometric positions from the geocentre to a site.

    The vector from the geocentre to the object, less that to the site; 8.8" at 1 au at most. Where
    the distance from the geocentre is NaN the position stays.
    """
    import erfa

    place = erfa.gd2gc(
        1, np.radians(site.longitude_deg), np.radians(site.latitude_deg), site.height_m
    )
    day, part = np.floor(jd_utc), jd_utc - np.floor(jd_utc)
    # UT1 taken for UTC (0.9 s at most, 0.4 km) and no polar motion: 0.001" at 1 au.
    turn = erfa.c2t06a(day, part + tt_minus_utc_s(jd_utc) / DAY_S, day, part, 0.0, 0.0)
    here = turn.T @ place / AU_M
    ra, dec = directions(unit_vectors(ra_deg, dec_deg) * distance_au[:, None] - here)
    known = np.isfinite(distance_au) & (distance_au > 0)
    return np.where(known, ra, ra_deg), np.where(known, dec, dec_deg)
