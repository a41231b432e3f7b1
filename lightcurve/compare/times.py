"""Check the barycentric times of a table, and say what mistake they look like."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.aij.read_table import COARSE_DAYS, AijTable
from lightcurve.core import times
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import About, Site
from lightcurve.tables.light_curves import BARYCENTRIC, CIVIL

HELIOCENTRIC = ("HJD_UTC", "HJD_UTC_MOBS")
SCALE_NOT_TOLD = ("BJD", "BJD_MOBS", "HJD", "HJD_MOBS")
BJD_TOLERANCE_S = 1.0  # AstroImageJ's own formula is good to 0.2 s


@dataclass(frozen=True, slots=True)
class TimeCheck:
    """A table's barycentric or heliocentric times against those of its JD_UTC.

    column : of the table.
    n, n_beyond : rows compared, and those that are off by more than rounding and formulas
        explain.
    median_s, least_s, most_s : Table minus computed, seconds.
    tolerance_s : of the median.
    agrees : median and every row.
    explanation : a mistake that would give just these times; empty when none is known.
    """

    column: str
    n: int
    n_beyond: int
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
    """Compare each BJD_TDB and HJD_UTC of a table with those of its JD_UTC.

    jd, bjd: (n_row,) float arrays, JD_UTC, and BJD_TDB computed from it; place: (float, float), RA
    and Dec, degrees.
    """
    found, checks = table.times(), []
    hjd = times.hjd_utc(jd, *place, site)
    civil_cut = any(is_cut(table, name) for name in CIVIL)
    for name in (n for n in (*BARYCENTRIC, *HELIOCENTRIC) if n in found):
        off = (found[name] - (hjd if name in HELIOCENTRIC else bjd)) * DAY_S
        off = off[np.isfinite(off)]
        if off.size:
            check = _judge(name, off, cut=civil_cut or is_cut(table, name))
            if name in BARYCENTRIC and not check.agrees:
                why = _explain(table, found[name], jd, place, site, check.tolerance_s)
                check = replace(check, explanation=why)
            checks.append(check)
    return checks


def is_cut(table: AijTable, name: str) -> bool:
    """Tell whether a table's times were cut to three decimals."""
    return any(note.about is About.COARSE_TIMES and note.subject == name for note in table.unusable)


def _judge(name: str, off: np.ndarray, *, cut: bool) -> TimeCheck:
    """Judge by the median and by every row.

    Times cut to 3 decimals scatter by 43 s each; their median is far better than one.
    """
    rounding = 2 * COARSE_DAYS * DAY_S if cut else 0.0
    tolerance = BJD_TOLERANCE_S + 3 * rounding / off.size**0.5
    median = float(np.median(off))
    n_beyond = int(np.sum(np.abs(off) > BJD_TOLERANCE_S + rounding))
    return TimeCheck(
        column=name,
        n=off.size,
        n_beyond=n_beyond,
        median_s=median,
        least_s=float(off.min()),
        most_s=float(off.max()),
        tolerance_s=tolerance,
        agrees=abs(median) <= tolerance and n_beyond == 0,
        explanation="",
    )


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
    exposure = table.columns.get("EXPTIME", np.full(len(jd), np.nan)) / DAY_S
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
    off = {why: (given - values) * DAY_S for why, values in wrong.items()}
    medians = {
        why: abs(float(np.median(v[np.isfinite(v)])))
        for why, v in off.items()
        if np.isfinite(v).any()
    }
    best = min(medians, key=medians.__getitem__, default="")
    return best if best and medians[best] <= tolerance else ""
