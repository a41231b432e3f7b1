"""From the centre of the Earth to the observatory: where a near object stands on the sky."""

from __future__ import annotations

import numpy as np

from lightcurve.constants import DAY_S
from lightcurve.coordinates import directions, unit_vectors
from lightcurve.data import Site
from lightcurve.times import AU_M, tt_minus_utc_s


def topocentric(
    ra_deg: np.ndarray, dec_deg: np.ndarray, distance_au: np.ndarray, site: Site, jd_utc: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move astrometric positions from the geocentre to a site.

    The vector from the geocentre to the object, less that to the site; 8.8" at 1 au at most.

    ra_deg, dec_deg: (n,) arrays, geocentric, ICRS; distance_au: (n,) array, from the geocentre;
    where NaN the position stays.
    Returns ra_deg, dec_deg: (n,) arrays, right ascension in [0, 360).
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
