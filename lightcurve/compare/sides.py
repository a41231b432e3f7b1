"""The two sides of a comparison: their tables, light curves and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.aij.read_table import AijTable, read_aij_table
from lightcurve.core import times
from lightcurve.core.data import LightCurve, Site
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.setup.target import find_target
from lightcurve.tables.light_curves import TIME_KINDS, Choice, is_ours, read_curve

__all__ = ["split_names", "spread_choices"]

SYSTEMS = {"bjd_tdb": "BJD_TDB", "jd_utc": "JD_UTC"}
FIND = "-"


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two: its table, and its light curve where it has one."""

    table: AijTable
    labels: np.ndarray
    curve: LightCurve | None
    note: str

    def time(self, system: str) -> np.ndarray | None:
        """Take the times of a system, of its light curve or table; None where there are none."""
        if self.curve is not None:
            values = getattr(self.curve, system)
        else:
            values = self.table.times().get(SYSTEMS[system])
        return values if values is not None and np.isfinite(values).any() else None


def split_names(columns: str) -> list[str]:
    """Read names of columns as they are given to an option.

    Parameters
    ----------
    columns : str
        With commas between.
    """
    return [name.strip() for name in columns.split(",") if name.strip()]


def spread_choices(
    paths: tuple[Path, Path], columns: Sequence[str], given: Mapping[str, Sequence[str]]
) -> tuple[Choice, Choice]:
    """Share options out between A and B.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns of the files without header.
    given : mapping of str to sequence of str
        Field of `Choice` to its options. One holds for the files that have such a column or star
        (``time_kind`` for those whose ``time``, given before it, was named); of two, the first is
        for A and the second for B, and ``"-"`` leaves the field to be found.

    Raises
    ------
    InputError
        When more than two are given, neither file has the column, or an option has no use.
    """
    tables, names = zip(*(_table(path, columns) for path in paths), strict=True)
    if columns and not any(names):
        msg = f"--columns: {tables[0].name} and {tables[1].name} both have a header line"
        raise InputError(msg)
    _check_kinds(given)
    fields: list[dict[str, str]] = [{}, {}]
    for name, values in given.items():
        shared = _share(name, values, tables, fields)
        for own, value in zip(fields, shared, strict=True):
            if value != FIND:
                own[name] = value
    first, second = (
        Choice(
            columns=own,
            time=chosen.get("time", ""),
            flux=chosen.get("flux", ""),
            error=chosen.get("error", ""),
            comparison_flux=chosen.get("comparison_flux", ""),
            time_kind=chosen.get("time_kind", ""),
            target=chosen.get("target", Choice().target),
        )
        for own, chosen in zip(names, fields, strict=True)
    )
    return first, second


def _check_kinds(given: Mapping[str, Sequence[str]]) -> None:
    kinds = given.get("time_kind", ())
    strange = [kind for kind in kinds if kind not in (*TIME_KINDS, FIND)]
    if strange:
        msg = f"--time-kind {strange[0]!r}: one of {', '.join(TIME_KINDS)}"
        raise InputError(msg)
    if kinds and not given.get("time"):
        msg = "--time-kind says what --time holds: name the column with --time"
        raise InputError(msg)


def _share(
    name: str,
    values: Sequence[str],
    tables: Sequence[AijTable],
    fields: Sequence[Mapping[str, str]],
) -> Sequence[str]:
    """Give each table its value of an option; ``"-"`` for none."""
    if len(values) > 2:
        msg = f"{' '.join(values)}: {len(values)} columns for two files"
        raise InputError(msg)
    if len(values) == 2:
        return values
    if not values:
        return FIND, FIND
    value = values[0]
    if name == "time_kind":  # of the column of times that was named
        return [value if "time" in own else FIND for own in fields]
    known = [
        table.stars if name == "target" else {*table.columns, *table.words} for table in tables
    ]
    has = [value in names for names in known]
    if not any(has):
        what = "star" if name == "target" else "column"
        msg = f"neither {tables[0].name} nor {tables[1].name} has a {what} {value!r}"
        raise InputError(msg)
    return [value if own else FIND for own in has]


def _table(path: Path, columns: Sequence[str]) -> tuple[AijTable, tuple[str, ...]]:
    """Read a table; names of columns are for those that have no header of their own."""
    try:
        return read_aij_table(path), ()
    except InputError:
        if not columns:
            raise
    return read_aij_table(path, columns=columns), tuple(columns)


def read_side(path: Path, choice: Choice) -> Side:
    """Read a file as a table, and as a light curve where it is one."""
    table = read_aij_table(path, columns=choice.columns or None)
    curve, note = None, ""
    try:
        curve = read_curve(path, choice)
    except InputError as error:
        if is_ours(path, choice):
            raise
        note = f"no light curve: {str(error).removeprefix(f'{table.name}: ')}"
    labels = table.words.get("file", table.labels)
    return Side(table, labels, curve, note)


def in_one_time_system(a: Side, b: Side, settings: Settings, notes: list[str]) -> tuple[Side, Side]:
    """Give both BJD_TDB, where one has only that and the other only JD_UTC, and a target is known.

    settings: its target and site; notes: what was done, or could not be, is appended.
    """
    if a.curve is None or b.curve is None:
        return a, b
    if any(a.time(s) is not None and b.time(s) is not None for s in SYSTEMS):
        return a, b
    target = settings.target
    if target.ra is None and target.planet_file is None:
        notes.append(
            "one has BJD_TDB, the other JD_UTC only: --ra and --dec make their times comparable"
        )
        return a, b
    star = find_target(target)

    def with_bjd(side: Side) -> Side:
        if side.curve is None or side.time("bjd_tdb") is not None:
            return side
        bjd = times.bjd_tdb(side.curve.jd_utc, star.ra_deg, star.dec_deg, site_of(settings))
        notes.append(f"{side.table.name}: BJD_TDB computed from its JD_UTC, {star.source}")
        return replace(side, curve=replace(side.curve, bjd_tdb=bjd))

    return with_bjd(a), with_bjd(b)


def site_of(settings: Settings) -> Site | None:
    """Take the observatory from the settings.

    None when not given.
    """
    site = settings.site
    if (site.latitude_deg is None) != (site.longitude_deg is None):
        msg = "give both --latitude and --longitude, or neither"
        raise InputError(msg)
    if site.latitude_deg is None or site.longitude_deg is None:
        return None
    return Site(site.latitude_deg, site.longitude_deg, site.height_m or 0.0, site.name)
