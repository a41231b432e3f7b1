"""What a season is made of: run folders and tables, and each one's own fit."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import LightCurve, Planet, TransitFit
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.guard import guard, reason_of
from lightcurve.core.progress import Progress
from lightcurve.core.settings import Settings
from lightcurve.night.fit_table import Known, check_place, fit_light_curve, need_planet
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.run_folder import read_record
from lightcurve.transit.model import WAVELENGTH_NM
from lightcurve.transit.solve import Solution

__all__ = ["Told"]

OURS = "lightcurve.csv"
TABLES = {".csv", ".dat", ".ecsv", ".fits", ".tbl", ".tsv", ".txt", ".xls"}
MOST = 0.8  # of the points: some frames are left out of one table and not of another
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What the user says of the tables.

    Attributes
    ----------
    filters : tuple of str
        ``FILTER`` of all, or ``NAME=FILTER`` of those whose name, or whose folder's, is like NAME.
    exposure_s : float or None
        Of all, where it stands in neither table nor run.
    """

    choice: ColumnChoice | None = None
    filters: tuple[str, ...] = ()
    exposure_s: float | None = None

    def filter_of(self, label: str) -> str | None:
        """Find what is said of the filter of a table; the last that is like its name counts."""
        pairs = [("*", f) if "=" not in f else tuple(f.rsplit("=", 1)) for f in self.filters]
        return next((name for like, name in reversed(pairs) if fnmatchcase(label, like)), None)


@dataclass(frozen=True, slots=True, eq=False)
class SeasonNight:
    """One light curve with its own fit, or why it has none.

    Attributes
    ----------
    label : str
        Of the run folder or table; no two of a season are alike.
    error : str
        Why it could not be read or fitted; empty where it was, and the others are not None then.
    notes : tuple of str
        What was assumed of it.
    """

    label: str
    path: Path
    error: str = ""
    curve: LightCurve | None = None
    fit: TransitFit | None = None
    solved: Solution | None = None
    filter: str = ""
    exposure_s: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether it shows a transit."""
        return self.fit is not None and self.fit.found

    @property
    def first(self) -> float:
        """BJD_TDB of its first point used; infinite without a fit."""
        if self.curve is None or self.fit is None:
            return math.inf
        return float(self.curve.bjd_tdb[self.fit.used].min())


def find_tables(paths: Sequence[Path]) -> list[Path]:
    """List the light curves of files and folders: of a folder its runs, or else its tables.

    Raises InputError when there is no such path, or nothing in it.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            msg = f"{path}: there is no such file or folder"
            raise InputError(msg)
        found += _inside(path) if path.is_dir() else [path]
    if not found:
        msg = f"no light curve in {', '.join(map(str, paths))}: give run folders or tables"
        raise InputError(msg)
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> list[Path]:
    if (folder / OURS).is_file():
        return [folder / OURS]
    runs = sorted(folder.rglob(OURS))
    tables = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in TABLES)
    return [*runs, *tables]


def label_all(tables: Sequence[Path]) -> list[str]:
    """Name tables by file, and runs by folder, with as much of the path as tells them apart."""
    whole = [(p.parent if p.name == OURS else p).resolve().parts for p in tables]
    deep = 1
    while len({parts[-deep:] for parts in whole}) < len(whole) and deep < max(map(len, whole)):
        deep += 1
    return ["/".join(parts[-deep:]) for parts in whole]


def find_planet(tables: Sequence[Path], settings: Settings) -> Planet:
    """Find whose transits these are: as the settings say, or else the planet of the first run.

    Raises InputError where neither tells.
    """
    records = (_record(table) for table in tables)
    record = next((one for one in records if "planet" in one), None)
    return need_planet(settings, record)


def _record(table: Path) -> dict[str, Any]:
    """Read the night's entries of run.toml beside a lightcurve.csv; empty elsewhere."""
    if table.name != OURS:
        return {}
    night: dict[str, Any] = read_record(table.parent).get("night", {})
    return night


def fit_nights(
    tables: Sequence[Path], planet: Planet, settings: Settings, told: Told, progress: Progress
) -> Iterator[SeasonNight]:
    """Fit each light curve by itself; what cannot be read or fitted says why, and others go on."""
    pairs = list(zip(tables, label_all(tables), strict=True))
    for table, label in progress(pairs, "fitting nights", len(pairs)):
        log.info("%s", label)
        try:
            with guard(partial(InputError, file=label)):
                yield _fit_night(table, label, planet, settings, told)
        except LightcurveError as error:
            reason = reason_of(error, label, table.name)
            log.warning("%s: %s", label, reason)
            yield SeasonNight(label, table, reason)


def _fit_night(
    table: Path, label: str, planet: Planet, settings: Settings, told: Told
) -> SeasonNight:
    """Read a light curve and fit it; raises LightcurveError where either cannot be."""
    record = _record(table)
    curve = read_curve(table, told.choice, star=(planet.ra_deg, planet.dec_deg))
    check_place(table, told.choice or ColumnChoice(), planet, record)
    name, where = told.filter_of(label), "option --filter"
    of_table = curve.source.filter if curve.source else ""
    if name is None and not (record.get("filter") or of_table):
        name, where = _in_name(label), "the table's name"
    known = Known(told.choice, told.exposure_s, name, where)
    plain = settings.model_copy(update={"fit": settings.fit.model_copy(update={"sample": False})})
    fitted = fit_light_curve(curve, planet, plain, known=known, record=record)
    exposure, band = fitted.values
    seconds = exposure.value if isinstance(exposure.value, int | float) else 0.0
    notes = (*map(str, (exposure, band)), *(note.text for note in fitted.fit.notes))
    return SeasonNight(
        label, table, "", fitted.curve, fitted.fit, fitted.solved, str(band.value or ""),
        float(seconds), notes,
    )  # fmt: skip


def _in_name(label: str) -> str | None:
    """Find a filter between the underscores of a name, as TESS follow-up has it."""
    words = Path(label).stem.split("_")[1:]
    return next((word for word in words if word in WAVELENGTH_NM), None)


def without_repeats(nights: Iterable[SeasonNight]) -> Iterator[SeasonNight]:
    """Pass nights on; of those made of the same frames the first alone with its fit.

    Frames are the same where the filters may be, and most mid-exposures are to the second.
    """
    kept: list[SeasonNight] = []
    for night in nights:
        again = next((one for one in kept if _same_frames(one, night)), None)
        if again is None:
            kept.append(night)
            yield night
        else:
            reason = f"has the frames of {again.label} again: counted once"
            log.warning("%s: %s", night.label, reason)
            yield SeasonNight(night.label, night.path, reason)


def _same_frames(one: SeasonNight, other: SeasonNight) -> bool:
    if one.curve is None or other.curve is None:
        return False
    if one.filter and other.filter and one.filter != other.filter:
        return False
    times, others = (np.sort(c.bjd_tdb[np.isfinite(c.bjd_tdb)]) for c in (one.curve, other.curve))
    near = np.clip(np.searchsorted(times, others), 1, len(times) - 1)
    apart = np.minimum(np.abs(others - times[near]), np.abs(others - times[near - 1]))
    return float(np.mean(apart < 1 / DAY_S)) > MOST
