"""Check the barycentric times of a table, and say what mistake they look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve import times
from lightcurve.data import Site
from lightcurve.formats.aij_table import COARSE_DAYS, AijTable
from lightcurve.formats.curves import BARYCENTRIC, CIVIL

BJD_TOLERANCE_S = 1.0  # AstroImageJ's own formula is good to 0.2 s


@dataclass(frozen=True, slots=True)
class TimeCheck:
    """A table's barycentric times against those of its JD_UTC.

    Attributes
    ----------
    column : str
        Of the table.
    median_s, least_s, most_s : float
        Table minus computed, seconds.
    tolerance_s : float
    agrees : bool
    explanation : str
        A mistake that would give just these times; empty when none is known.
    """

    column: str
    median_s: float
    least_s: float
    most_s: float
    tolerance_s: float
    agrees: bool
    explanation: str


def check_times(
    table: AijTable,
    jd: np.ndarray,
    bjd: np.ndarray,
    place: tuple[float, float],
    site: Site | None,
) -> list[TimeCheck]:
    """Compare each barycentric column of a table with the BJD_TDB of its JD_UTC.

    Parameters
    ----------
    table : AijTable
    jd, bjd : (n_row,) float arrays
        JD_UTC, and BJD_TDB computed from it.
    place : (float, float)
        RA and Dec, degrees.
    site : Site or None

    Returns
    -------
    list of TimeCheck
    """
    found, checks = table.times(), []
    coarse = any(name in note and "decimals" in note for note in table.unusable for name in CIVIL)
    for name in (n for n in BARYCENTRIC if n in found):
        off = (found[name] - bjd) * times.DAY_S
        off = off[np.isfinite(off)]
        if not off.size:
            continue
        cut = coarse or any(note.startswith(f"{name} is cut") for note in table.unusable)
        # Times cut to 3 decimals scatter by 43 s each; their median is far better than one.
        rounding = 2 * COARSE_DAYS * times.DAY_S / off.size**0.5 if cut else 0.0
        tolerance = BJD_TOLERANCE_S + 3 * rounding
        median = float(np.median(off))
        agrees = abs(median) <= tolerance
        why = "" if agrees else _explain(table, found[name], jd, place, site, tolerance)
        checks.append(
            TimeCheck(name, median, float(off.min()), float(off.max()), tolerance, agrees, why)
        )
    return checks


def _explain(
    table: AijTable,
    given: np.ndarray,
    jd: np.ndarray,
    place: tuple[float, float],
    site: Site | None,
    tolerance: float,
) -> str:
    """Find the mistake whose times come nearest to these, if any is within the tolerance."""
    ra, dec = place
    exposure = table.columns.get("EXPTIME", np.full(len(jd), np.nan)) / times.DAY_S
    wrong = {
        "as if the star were at RA = Dec = 0": times.bjd_tdb(jd, 0.0, 0.0, site),
        "as if RA in hours were degrees": times.bjd_tdb(jd, ra / 15, dec, site),
        "as if RA in degrees were hours": times.bjd_tdb(jd, ra * 15 % 360, dec, site),
        "they are JD_UTC, not corrected at all": jd,
        "they are JD on the TDB scale, without the light travel time": times.tdb_from_utc(jd),
        "they are HJD_UTC": times.hjd_utc(jd, ra, dec, site),
        "they are on the UTC scale": times.bjd_tdb(jd, ra, dec, site)
        - (times.tdb_from_utc(jd) - jd),
        "they mark the start of the exposure": times.bjd_tdb(jd - exposure / 2, ra, dec, site),
        "half the exposure was added twice": times.bjd_tdb(jd + exposure / 2, ra, dec, site),
    }
    own = [table.columns.get(name, np.empty(0)) for name in ("RAOBJ2K", "DECOBJ2K")]
    if all(np.isfinite(values).any() for values in own):
        there = 15 * float(np.nanmedian(own[0])), float(np.nanmedian(own[1]))
        text = f"as for the coordinates in RAOBJ2K, DECOBJ2K: {there[0]:.4f} {there[1]:+.4f} deg"
        wrong[text] = times.bjd_tdb(jd, *there, site)
    off = {why: (given - values) * times.DAY_S for why, values in wrong.items()}
    medians = {
        why: abs(float(np.median(v[np.isfinite(v)])))
        for why, v in off.items()
        if np.isfinite(v).any()
    }
    best = min(medians, key=medians.get, default="")
    return best if best and medians[best] <= tolerance else ""
