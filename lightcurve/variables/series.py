"""The light curves of one star, joined: run folders and tables of any program."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import LightCurve
from lightcurve.core.errors import InputError
from lightcurve.core.flags import NO_POINT
from lightcurve.core.times import bjd_tdb, hjd_utc
from lightcurve.night.keep import read_night
from lightcurve.season.nights import SAME_STAR_DEG, find_tables, label_all
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.run_folder import read_record
from lightcurve.tables.time_kinds import kind_of_name
from lightcurve.variables.field import compare_all, join_runs

log = logging.getLogger(__name__)
OURS = "lightcurve.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Points of one star, in order of time.

    time : (n,) float array, of the `scale`, BJD_TDB or, where a table has none, JD_UTC.
    flux, error : (n,) float arrays, relative; of the level of each part.
    part : (n,) int array, rows of `labels`: tables that have no level in common.
    star : right ascension and declination, degrees, where they are known.
    """

    name: str
    time: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    part: np.ndarray
    labels: tuple[str, ...]
    scale: str
    star: tuple[float, float] | None = None

    def heliocentric(self, moment: float) -> float:
        """Tell a moment as HJD_UTC, at the centre of the Earth; NaN where it cannot be."""
        if self.star is None:
            return math.nan
        jd = moment
        for _ in range(3 if self.scale == "BJD_TDB" else 0):
            jd += moment - float(bjd_tdb(jd, *self.star, None))
        return float(hjd_utc(jd, *self.star, None))


def read_series(
    paths: Sequence[Path],
    choice: ColumnChoice | None = None,
    *,
    name: str = "",
    star: tuple[float, float] | None = None,
) -> Series:
    """Join the light curves of run folders, folders of them, and tables.

    star: as the user tells it; else that of the first run. Raises InputError where a table cannot
    be read, has no usable point, or has other times than the others, and where runs are of several
    stars.
    """
    tables = find_tables(paths)
    labels = label_all(tables)
    record = _of_one_star(dict(zip(labels, map(_night, tables), strict=True)))
    if star is None and "ra_deg" in record:
        star = float(record["ra_deg"]), float(record["dec_deg"])
    joined = _at_one_level(tables, labels)
    if joined is not None:
        return replace(joined, name=name or str(record.get("target") or labels[0]), star=star)
    curves = [_told(read_curve(t, choice, any_scale=True, star=star), choice) for t in tables]
    barycentric = [np.isfinite(_usable(c).bjd_tdb).all() for c in curves]
    if any(barycentric) and not all(barycentric):
        odd = labels[barycentric.index(False)]
        msg = f"{odd} has no BJD_TDB and other tables have: give --ra, --dec and --time-kind"
        raise InputError(msg)
    scale = "BJD_TDB" if all(barycentric) else "JD_UTC"
    if scale == "JD_UTC":
        log.warning("times are JD_UTC: up to 8.3 minutes from those at the Sun, over a season")
    joined = _join((_part(k, c, scale) for k, c in enumerate(curves)), labels, scale)
    more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
    name = name or str(record.get("target") or labels[0] + more)
    return replace(joined, name=name, star=star)


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """List the folders of finished runs among paths and in folders; raises InputError without."""
    runs = [table.parent for table in find_tables(paths) if table.name == OURS]
    if not runs:
        msg = f"no run folder in {', '.join(map(str, paths))}: all stars are in those alone"
        raise InputError(msg)
    return runs


def _of_one_star(records: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Take what the first run tells; records: of all tables, empty where they are of no run.

    Raises InputError where runs are of several stars.
    """
    told = {name: record for name, record in records.items() if "ra_deg" in record}
    places = {name: (float(r["ra_deg"]), float(r["dec_deg"])) for name, r in told.items()}
    first = next(iter(places), "")
    for name, place in places.items():
        apart = degrees_apart(places[first], place)
        if apart > SAME_STAR_DEG:
            msg = f"{name}: its target is {apart:.2g} degrees from that of {first}: give one star's"
            raise InputError(msg)
    return told.get(first) or next(filter(None, records.values()), {})


def _told(curve: LightCurve, choice: ColumnChoice | None) -> LightCurve:
    """Refuse times of the Sun or the barycentre of which nothing tells the scale: InputError."""
    column = curve.source.time_column if curve.source else ""
    kind = kind_of_name(column)
    if kind and kind.place and not kind.scale and not (choice and choice.time_kind):
        found = f"{kind.place.lower()}jd"
        msg = (
            f"nothing tells the scale of {column}: --time-kind {found}_utc or {found}_tdb, with "
            "--ra and --dec"
        )
        raise InputError(msg)
    return curve


def _night(table: Path) -> dict[str, Any]:
    if table.name != OURS:
        return {}
    night: dict[str, Any] = read_record(table.parent).get("night", {})
    return night


def _at_one_level(tables: Sequence[Path], labels: Sequence[str]) -> Series | None:
    """Join runs of one field by the stars they have in common; None where that cannot be."""
    if len(tables) < 2 or any(table.name != OURS for table in tables):
        return None
    try:
        nights = [read_night(table.parent) for table in tables]
        field = join_runs(nights, labels)
        compared = compare_all(field)
    except InputError as why:
        log.warning("each run keeps a level of its own: %s", why)
        return None
    flux, error = compared.relative[:, 0], compared.error[:, 0]
    good = np.isfinite(flux) & (error > 0) & ((field.flags & int(NO_POINT)) == 0)
    rows = np.flatnonzero(good)[np.argsort(field.time[good], kind="stable")]
    if not len(rows):
        return None
    log.info("%d runs at one level, by %d stars", len(tables), len(compared.members))
    part = np.zeros(len(rows), dtype=int)
    return Series("", field.time[rows], flux[rows], error[rows], part, tuple(labels), "BJD_TDB")


def _usable(curve: LightCurve) -> LightCurve:
    """Take points with a flux and no flag that bars them."""
    good = np.isfinite(curve.flux) & ((curve.flags & int(NO_POINT)) == 0)
    good &= np.isfinite(curve.bjd_tdb) | np.isfinite(curve.jd_utc)
    return replace(
        curve, bjd_tdb=curve.bjd_tdb[good], jd_utc=curve.jd_utc[good], flux=curve.flux[good],
        flux_err=curve.flux_err[good],
    )  # fmt: skip


def _part(number: int, whole: LightCurve, scale: str) -> tuple[np.ndarray, ...]:
    curve = _usable(whole)
    time = curve.bjd_tdb if scale == "BJD_TDB" else curve.jd_utc
    usual = np.nanmedian(curve.flux_err) if np.isfinite(curve.flux_err).any() else math.nan
    error = np.where(curve.flux_err > 0, curve.flux_err, usual)
    return time, curve.flux, error, np.full(len(time), number)


def _join(parts: Iterable[tuple[np.ndarray, ...]], labels: Sequence[str], scale: str) -> Series:
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    time, flux, error, part = (column[order] for column in columns)
    if not len(time):
        msg = f"no usable point in {', '.join(labels)}; see their flags"
        raise InputError(msg)
    if not np.isfinite(error).all():
        error = np.full(len(time), float(np.std(np.diff(flux)) / math.sqrt(2)) or 1.0)
    return Series("", time, flux, error, part, tuple(labels), scale)
