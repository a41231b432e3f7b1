"""What a table tells of the space telescope it is from: times, quality bits, exposure, crowding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.aij.read_table import AijTable
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Dilution, Note
from lightcurve.core.table_text import parse_numbers
from lightcurve.core.words import COLUMNS
from lightcurve.tables.time_kinds import FIRST_CCD, SOON, kind_of_name

__all__ = ["BY_BITS", "MISSIONS", "mission_told"]

# In BKJD Kepler's last point is 3591, in BTJD the first of TESS 1325.
ONLY_KEPLER, ONLY_TESS = 1300.0, 3600.0
FIRST_IN_TDB = 5.0  # version of Kepler's files; those before call UTC TDB (STScI, 2013)
CLOSE = 0.1  # of the light that is not the star's: how well the catalogue behind CROWDSAP tells it


@dataclass(frozen=True, slots=True)
class Mission:
    """A space telescope, and the bits of its columns of quality.

    bits : by value, what each says. spoilt : those of which a flux is not the star's; the others
        tell of what was put right, of the whole camera, or of searches for planets.
    """

    kind: str  # of its times, as `kind_of_name` knows it
    filter: str
    bits: Mapping[int, str]
    spoilt: int


# TESS Science Data Products Description, EXP-TESS-ARC-ICD-0014. Left out is what the archive
# advises, but for impulsive outliers: deep and short transits are taken for them.
_TESS = Mission(
    "btjd", "TESS",
    {
        1: "attitude tweak", 2: "safe mode", 4: "coarse pointing", 8: "Earth point",
        16: "argabrightening", 32: "reaction wheels desaturated", 64: "cosmic ray in aperture",
        128: "excluded by hand", 256: "discontinuity corrected", 512: "impulsive outlier",
        1024: "cosmic ray in collateral data", 2048: "stray light in the camera",
        4096: "scattered light", 8192: "not for planet search", 16384: "bad calibration",
        32768: "too few stars to correct by",
    },
    1 | 2 | 4 | 8 | 16 | 32 | 128 | 4096 | 16384,
)  # fmt: skip
# Kepler Archive Manual, KDMC-10008-006, table 2-3, with K2's thruster firings.
_KEPLER = Mission(
    "bkjd", "Kepler",
    {
        1: "attitude tweak", 2: "safe mode", 4: "coarse pointing", 8: "Earth point",
        16: "reaction wheel at zero speed", 32: "reaction wheels desaturated",
        64: "argabrightening", 128: "cosmic ray in aperture", 256: "excluded by hand",
        1024: "sensitivity dropout", 2048: "impulsive outlier", 4096: "argabrightening on the CCD",
        8192: "cosmic ray in collateral data", 16384: "detector anomaly", 32768: "no fine point",
        65536: "no data", 131072: "rolling band in aperture", 262144: "rolling band in pixels",
        524288: "thrusters possibly firing", 1048576: "thrusters firing",
    },
    1 | 2 | 4 | 8 | 32 | 64 | 256 | 16384 | 65536 | 1048576,
)  # fmt: skip
MISSIONS = {"TESS": _TESS, "BTJD": _TESS, "KEPLER": _KEPLER, "K2": _KEPLER, "BKJD": _KEPLER}
OF_ZERO = {2457000.0: "TESS", 2454833.0: "KEPLER"}  # of the dates of their files
BY_BITS = {"quality", "sap_quality", "tess_flags"}  # columns whose bits are the mission's


def mission_of(table: AijTable) -> str:
    """Read from a table's comments or cards which of `MISSIONS` it is of; empty for none."""
    return mission_told(table.told)


def mission_told(told: Mapping[str, str]) -> str:
    """Read which of `MISSIONS` comments or cards, by key, are of; empty for none."""
    found = [told.get(key, "").upper() for key in ("MISSION", "TELESCOP", "TIME FORMAT")]
    zero = parse_numbers([told.get("BJDREFI", "")])
    found.append("" if zero is None else OF_ZERO.get(float(zero[0]), ""))
    return next((mission for mission in found if mission in MISSIONS), "")


def spoilt_by_bits(told: Mapping[str, str], quality: np.ndarray) -> np.ndarray:
    """Mark the cadences that the mission's bits say are spoilt, (n,) bool; none of no mission."""
    mission = mission_told(told)
    spoilt = MISSIONS[mission].spoilt if mission else 0
    return (np.nan_to_num(quality).astype(np.int64) & spoilt) != 0


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
    values, mission = table.columns[name], mission_of(table)
    middle = float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan
    kind = _by_cards(table) or (MISSIONS[mission].kind if mission else "")
    if not kind and any(own.lower() in _small(table) for own in COLUMNS.tables.own_fluxes[1:]):
        kind = "bkjd" if 0 < middle < ONLY_KEPLER else "btjd" if middle > ONLY_TESS else ""
    return kind if _fits(kind, values) else ""


def _by_cards(table: AijTable) -> str:
    zero = parse_numbers([table.told.get(key, "") for key in ("BJDREFI", "BJDREFF")])
    scale = table.told.get("TIMESYS", "").lower()
    if zero is None or not zero[0] > 0 or scale not in {"tdb", "utc"}:
        return ""
    if mission_of(table) in {"KEPLER", "K2"} and number_told(table, "FILEVER") < FIRST_IN_TDB:
        scale = "utc"
    return f"bjd_{scale}-{np.nansum(zero):.12g}"


def number_told(table: AijTable, key: str) -> float:
    """Read a number from a table's comments or cards; NaN where there is none."""
    values = parse_numbers([table.told.get(key, "")])
    return float("nan") if values is None else float(values[0])


def _small(table: AijTable) -> set[str]:
    return {name.lower() for name in table.columns}


def _fits(kind: str, values: np.ndarray) -> bool:
    """Whether values are dates of that kind; those of a camera, not of some other age."""
    told = kind_of_name(kind)
    known = values[np.isfinite(values)]
    if told is None or not known.size:
        return False
    return FIRST_CCD < float(np.median(known)) + told.zero < SOON


def spoilt_points(table: AijTable, name: str) -> tuple[np.ndarray, str] | None:
    """Mark the points whose flux is not the star's, by a column of a mission's bits, (n,) bool.

    Beside them what the bits say, in words. None where the column has no such bits.
    """
    mission = mission_of(table)
    if not mission or name.lower() not in BY_BITS:
        return None
    known, values = MISSIONS[mission], np.nan_to_num(table.columns[name]).astype(np.int64)
    told: dict[bool, list[str]] = {True: [], False: []}
    for bit, words in known.bits.items():
        if count := int(((values & bit) != 0).sum()):
            told[bool(bit & known.spoilt)].append(f"{count} {words}")
    kept = f"; kept: {', '.join(told[False])}" if told[False] else ""
    return spoilt_by_bits(table.told, values), ", ".join(told[True]) + kept


def exposure_told(table: AijTable) -> float | None:
    """Work out how long a cadence of a mission lasts, seconds, frames and their readouts alike.

    By its cards, frames times frame time; else the time between points, for these telescopes expose
    without a pause. None for other tables.
    """
    if not mission_of(table):
        return None
    frames = number_told(table, "NUM_FRM")
    one = number_told(table, "FRAMETIM")
    if not one > 0:
        one = number_told(table, "INT_TIME") + np.nan_to_num(number_told(table, "READTIME"))
    if frames * one > 0:
        return round(frames * one, 3)
    step = number_told(table, "TIMEDEL")
    if not step > 0:
        name = next((n for n in table.columns if n.upper() in {"TIME", "JD_TDB"}), "")
        times = table.columns.get(name, np.zeros(0))
        steps = np.diff(np.unique(times[np.isfinite(times)]))
        step = float(np.median(steps)) if steps.size else 0.0
    return round(step * DAY_S, 3) or None


def crowding_told(table: AijTable, flux: str) -> tuple[Dilution | None, tuple[Note, ...]]:
    """Take the share of the light that is the star's from CROWDSAP, where it was not used yet.

    flux: name of the column. PDCSAP_FLUX is corrected for it, SAP_FLUX is not.
    """
    share = number_told(table, "CROWDSAP")
    if not 0 < share <= 1:
        return None, ()
    if flux.upper() == "PDCSAP_FLUX":
        text = f"{flux} is corrected for other stars' light already (CROWDSAP {share:.4f})"
        return None, (Note(text, subject="CROWDSAP"),)
    if flux.upper() != "SAP_FLUX":
        return None, ()
    return Dilution(share, CLOSE * (1 - share), "CROWDSAP of the file, for this aperture"), ()
