"""What a table says itself of its column of times, and which space telescope's it is."""

from __future__ import annotations

import numpy as np

from lightcurve.aij.read_table import AijTable
from lightcurve.core.table_text import parse_numbers
from lightcurve.core.words import COLUMNS
from lightcurve.tables.time_kinds import FIRST_CCD, SOON, kind_of_name

MISSIONS = {"TESS": "btjd", "KEPLER": "bkjd", "K2": "bkjd", "BTJD": "btjd", "BKJD": "bkjd"}
# In BKJD Kepler's last point is 3591, in BTJD the first of TESS 1325.
ONLY_KEPLER, ONLY_TESS = 1300.0, 3600.0


def mission_of(table: AijTable) -> str:
    """Read from a table's comments or cards which of `MISSIONS` it is of; empty for none."""
    found = (table.told.get(key, "").upper() for key in ("MISSION", "TELESCOP", "TIME FORMAT"))
    return next((mission for mission in found if mission in MISSIONS), "")


def kind_told(table: AijTable, name: str) -> str:
    """Tell as which kind a table itself says that its column of times is to be read.

    By its unit, by the cards of its FITS table, by its mission; else, where its fluxes are of TESS
    or Kepler, by dates that only one of them has. Empty where nothing does, or it does not fit.
    """
    unit = table.units.get(name, "")
    by_unit = kind_of_name(unit)
    if by_unit is not None and by_unit.scale and not by_unit.is_text:
        return unit
    if name.upper() != "TIME" or name not in table.columns:
        return ""
    values = table.columns[name]
    middle = float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan
    kind = _by_cards(table) or MISSIONS.get(mission_of(table), "")
    if not kind and any(own.lower() in _small(table) for own in COLUMNS.tables.own_fluxes[1:]):
        kind = "bkjd" if 0 < middle < ONLY_KEPLER else "btjd" if middle > ONLY_TESS else ""
    return kind if _fits(kind, values) else ""


def _by_cards(table: AijTable) -> str:
    zero = parse_numbers([table.told.get(key, "") for key in ("BJDREFI", "BJDREFF")])
    if zero is None or not zero[0] > 0 or table.told.get("TIMESYS", "").upper() != "TDB":
        return ""
    return f"bjd_tdb-{np.nansum(zero):.12g}"


def _small(table: AijTable) -> set[str]:
    return {name.lower() for name in table.columns}


def _fits(kind: str, values: np.ndarray) -> bool:
    """Whether values are dates of that kind; those of a camera, not of some other age."""
    told = kind_of_name(kind)
    known = values[np.isfinite(values)]
    if told is None or not known.size:
        return False
    return FIRST_CCD < float(np.median(known)) + told.zero < SOON
