"""What a season is made of: run folders and tables, and each one's own fit."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import LightCurve, Planet, TransitFit
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.guard import guard, reason_of
from lightcurve.core.progress import Progress, each_once
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import printable
from lightcurve.night.fit_table import (
    Known,
    check_place,
    fit_light_curve,
    need_planet,
    tells_exposure,
)
from lightcurve.night.transits import cut_transits
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.run_folder import read_record
from lightcurve.tables.survey_index import CurveRow, State, curves_of, index_of
from lightcurve.transit.limb_darkening import WAVELENGTH_NM
from lightcurve.transit.solve import Solution

__all__ = ["SAME_STAR_DEG", "Told", "find_tables", "label_all"]

OURS = "lightcurve.csv"
TABLES = {".csv", ".dat", ".ecsv", ".fits", ".tbl", ".tsv", ".txt", ".xls"}
EPOCH = ", epoch "  # between the name of a table and one of its transits
SAME_STAR_DEG = 1 / 60  # places of one star, as headers, catalogues and people give them
ONE_TELESCOPE = {"TESS", "Kepler"}  # filters that one alone has
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
        Of those whose table and run tell none, or none that can be: telescopes have their own.
    """

    choice: ColumnChoice | None = None
    filters: tuple[str, ...] = ()
    exposure_s: float | None = None

    def filter_of(self, label: str) -> str | None:
        """Find what is said of the filter of a table; the last that is like its name counts."""
        whole = label.rpartition(EPOCH)[0] or label
        pairs = reversed(self._filters())
        return next((name for like, name in pairs if fnmatchcase(whole, like)), None)

    def check(self, labels: Sequence[str]) -> None:
        """Refuse a filter without a name, or of tables that are not there: InputError."""
        for like, name in self._filters():
            if not name.strip():
                msg = f"--filter {like}= names no filter: NAME=FILTER, or FILTER of all"
                raise InputError(msg)
            if not any(fnmatchcase(label, like) for label in labels):
                msg = f"--filter {like}={name}: no table is called {like}, but {', '.join(labels)}"
                raise InputError(msg)

    def _filters(self) -> list[tuple[str, str]]:
        """Part what is said into names, with wildcards, and filters."""
        parts = [one.rpartition("=") for one in self.filters]
        return [(like if equals else "*", name) for like, equals, name in parts]


@dataclass(frozen=True, slots=True, eq=False)
class SeasonNight:
    """One light curve with its own fit, or why it has none.

    Attributes
    ----------
    label : str
        Of the run folder or table; no two of a season are alike.
    error : str
        Why it could not be read or fitted; empty where it was, and the others are not None then.
    again : bool
        It has another's frames, and is not counted; ``error`` says whose.
    notes : tuple of str
        What was assumed of it.
    """

    label: str
    path: Path
    error: str = ""
    again: bool = False
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
    def quality(self) -> tuple[bool, float]:
        """Sorts those that show a transit first, and of these those that tell it best.

        That is by their scatter over the root of the points: of one light averaged otherwise, too.
        """
        if self.fit is None:
            return not self.found, math.inf
        scatter = self.fit.statistics["residual_scatter_percent"]
        return not self.found, scatter / math.sqrt(max(self.fit.used.sum(), 1))

    @property
    def first(self) -> float:
        """BJD_TDB of its first point used; infinite without a fit."""
        if self.curve is None or self.fit is None:
            return math.inf
        return float(self.curve.bjd_tdb[self.fit.used].min())


def find_tables(paths: Sequence[Path]) -> list[Path]:
    """List the light curves of files and folders: of a folder its runs, or else its tables.

    Of a survey's folder or index, those of its runs that are done.
    Raises InputError when there is no such path, or nothing in it.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            msg = f"{path}: there is no such file or folder"
            raise InputError(msg)
        if index := index_of(path):
            found += [index.parent / row.run / OURS for row in _done(index)]
            continue
        found += _inside(path) if path.is_dir() else [path]
    if not found:
        msg = f"no light curve in {', '.join(map(str, paths))}: give run folders or tables"
        raise InputError(msg)
    return list(dict.fromkeys(found))


def _done(index: Path) -> list[CurveRow]:
    return [row for row in curves_of(index) if row.state == State.DONE]


def of_planet(tables: Sequence[Path], paths: Sequence[Path], planet: Planet) -> list[Path]:
    """Leave out those light curves of surveys that are not of a planet's star.

    Raises InputError where none is left.
    """
    star, others = (planet.ra_deg, planet.dec_deg), set()
    for index in filter(None, map(index_of, paths)):
        for row in _done(index):
            if row.ra_deg is None or row.dec_deg is None:
                continue
            if degrees_apart(star, (row.ra_deg, row.dec_deg)) > SAME_STAR_DEG:
                others.add(index.parent / row.run / OURS)
    kept = [table for table in tables if table not in others]
    if not kept:
        msg = f"none of {len(tables)} light curves is of {planet.name}, by the places in the index"
        raise InputError(msg)
    return kept


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
    return [printable("/".join(parts[-deep:])) for parts in whole]


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
    plain = settings.model_copy(update={"fit": settings.fit.model_copy(update={"sample": False})})
    labels = label_all(tables)
    told.check(labels)
    pairs = list(zip(tables, labels, strict=True))
    for table, label in progress(pairs, "fitting nights", len(pairs)):
        log.info("%s", label)
        with each_once():  # what its transits have in common
            yield from _fit_parts(table, label, (planet, plain, told))


def _fit_parts(table: Path, label: str, by: tuple[Planet, Settings, Told]) -> Iterator[SeasonNight]:
    """Fit the transits of a table."""
    planet, _, told = by
    try:
        with guard(partial(InputError, file=label)):
            curve, record = _read(table, planet, told)
            parts = _parts(curve, planet, label)
    except LightcurveError as error:
        yield _refused(label, table, error)
        return
    for name, part in parts:
        try:
            with guard(partial(InputError, file=name)):
                night = _fit(name, table, part, by, record)
        except LightcurveError as error:
            night = _refused(name, table, error)
        yield night


def _refused(label: str, table: Path, error: LightcurveError) -> SeasonNight:
    reason = reason_of(error, label, table.name)
    log.info("%s: %s", label, reason)
    return SeasonNight(label, table, reason)


def _read(table: Path, planet: Planet, told: Told) -> tuple[LightCurve, dict[str, Any]]:
    """Read a light curve, and what the record of its run says of the night."""
    record = _record(table)
    curve = read_curve(table, told.choice, star=(planet.ra_deg, planet.dec_deg))
    check_place(table, told.choice or ColumnChoice(), planet, record)
    return curve, record


def _parts(curve: LightCurve, planet: Planet, label: str) -> list[tuple[str, LightCurve]]:
    """Cut a light curve into its transits, each labelled with its epoch; or leave it whole.

    What was assumed of it is told with the first.
    """
    parts = [(f"{label}{EPOCH}{one}", part) for one, part in cut_transits(curve, planet).items()]
    if not parts or curve.source is None:
        return parts or [(label, curve)]
    bare = replace(curve.source, notes=())
    return [parts[0], *((name, replace(part, source=bare)) for name, part in parts[1:])]


def _fit(
    label: str,
    table: Path,
    curve: LightCurve,
    by: tuple[Planet, Settings, Told],
    record: Mapping[str, Any],
) -> SeasonNight:
    """Fit a light curve; raises LightcurveError where it cannot be."""
    planet, settings, told = by
    name, where = told.filter_of(label), "option --filter"
    of_table = curve.source.filter if curve.source else ""
    if name is None and not (record.get("filter") or of_table):
        name, where = _in_name(table), "the table's name"
    exposure_s = None if tells_exposure(curve, record) else told.exposure_s
    known = Known(told.choice, exposure_s, name, where)
    fitted = fit_light_curve(curve, planet, settings, known=known, record=record)
    exposure, band = fitted.values
    seconds = exposure.value if isinstance(exposure.value, int | float) else 0.0
    notes = (*map(str, (exposure, band)), *(note.text for note in fitted.fit.notes))
    return SeasonNight(
        label, table, curve=fitted.curve, fit=fitted.fit, solved=fitted.solved,
        filter=str(band.value or ""), exposure_s=float(seconds), notes=notes,
    )  # fmt: skip


def _in_name(table: Path) -> str | None:
    """Find a filter between the underscores of a name, as TESS follow-up has it."""
    words = (table.parent.name if table.name == OURS else table.stem).split("_")[1:]
    return next((word for word in words if word in WAVELENGTH_NM), None)


def without_repeats(nights: Iterable[SeasonNight]) -> Iterator[SeasonNight]:
    """Pass nights on, the best first; of those made of the same frames it alone has its fit.

    Frames are the same where the filters may be, and most mid-exposures are to the second.
    """
    kept: list[SeasonNight] = []
    for night in sorted(nights, key=lambda night: night.quality):
        again = next((one for one in kept if _same_frames(one, night)), None)
        if again is None:
            kept.append(night)
            yield night
        else:
            reason = f"has the frames of {again.label} again: counted once"
            log.info("%s: %s", night.label, reason)
            yield SeasonNight(night.label, night.path, reason, again=True)


def _same_frames(one: SeasonNight, other: SeasonNight) -> bool:
    if one.curve is None or other.curve is None:
        return False
    if one.filter and other.filter and one.filter != other.filter:
        return False
    times, others = (np.sort(c.bjd_tdb[np.isfinite(c.bjd_tdb)]) for c in (one.curve, other.curve))
    if one.filter in ONE_TELESCOPE:  # averaged otherwise, it is the same light
        shared = min(times[-1], others[-1]) - max(times[0], others[0])
        return bool(shared > MOST * min(np.ptp(times), np.ptp(others)))
    near = np.clip(np.searchsorted(times, others), 1, len(times) - 1)
    apart = np.minimum(np.abs(others - times[near]), np.abs(others - times[near - 1]))
    return float(np.mean(apart < 1 / DAY_S)) > MOST
