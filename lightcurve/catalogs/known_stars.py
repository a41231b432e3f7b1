"""Stars of a catalogue, by which plate solutions are checked and refined."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from lightcurve.catalogs.bands import bands_of
from lightcurve.catalogs.catalog_file import read_file
from lightcurve.catalogs.layout import Catalog, Field
from lightcurve.catalogs.services import query, reference_frames
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.errors import CatalogError, InputError
from lightcurve.core.settings import CatalogSettings

__all__ = ["StarSource", "light_of", "star_source", "stars_by_hand"]

log = logging.getLogger(__name__)
SAME_EPOCH = 0.02  # years: 0.2 arcsec for the fastest star
WIDER = 1.5  # asked for at once, so that a field that drifts needs no second question


@dataclass(frozen=True, slots=True)
class StarSource:
    """Where known stars come from.

    Attributes
    ----------
    needs_place : bool
        Whether a frame must be solved roughly before its stars can be asked for.
    stars : callable
        ``stars(field)`` gives RA and Dec, degrees, at the field's epoch, the brightest first,
        as (n, 2) array; raises `CatalogError` when the service fails.
    """

    name: str
    needs_place: bool
    stars: Callable[[Field], np.ndarray]


def star_source(name: str, settings: CatalogSettings) -> StarSource:
    """Find the source that a name stands for.

    Parameters
    ----------
    name : str
        A file, or one of `reference_frames`.

    Raises
    ------
    InputError
        When there is neither such a file nor such a service, or the file holds no stars.
    """
    if Path(name).is_file():
        return _of_file(Path(name))
    services = reference_frames()
    if name.lower() in services:
        return _of_service(name.lower(), settings)
    msg = f"--catalog {name}: no such file, and no such service ({', '.join(services)})"
    raise InputError(msg)


def stars_by_hand(settings: CatalogSettings, epoch_jyear: float) -> np.ndarray | None:
    """Read the stars of the catalogue files in the settings; of several files, of the longest.

    Returns RA and Dec, degrees, at an epoch, (n, 2), the brightest first; None without a file.
    Raises InputError when a file cannot be read.
    """
    epoch = _rounded(epoch_jyear)
    lists = [_all_stars(Path(file), _changed(Path(file)), epoch) for file in settings.files]
    return max(lists, key=len, default=None)


def _rounded(epoch_jyear: float) -> float:
    return round(epoch_jyear / SAME_EPOCH) * SAME_EPOCH


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=4)
def _all_stars(path: Path, _changed_ns: int, epoch_jyear: float) -> np.ndarray:
    # All the sky: the place of the frame is not known yet.
    return brightest_first(read_file(path, Field(0.0, 0.0, 180.0, epoch_jyear)))


def _of_file(path: Path) -> StarSource:
    first = read_file(path)
    for note in first.notes:
        log.info("%s: %s", path.name, note)
    if not len(first):
        msg = f"{path.name}: holds no stars"
        raise InputError(msg)

    def stars(field: Field) -> np.ndarray:
        return _all_stars(path, _changed(path), _rounded(field.epoch_jyear))

    return StarSource(path.name, needs_place=False, stars=stars)


def _of_service(name: str, settings: CatalogSettings) -> StarSource:
    kept: dict[str, tuple[Field, np.ndarray]] = {}
    failures: list[CatalogError] = []
    # What the settings give by hand is for magnitudes; here one service is wanted.
    alone = settings.model_copy(update={"files": ()})

    def stars(field: Field) -> np.ndarray:
        if failures:
            # A service that is down stays so for this run: no frame waits for it again.
            raise failures[0]
        if "last" in kept and _holds(kept["last"][0], field):
            return kept["last"][1]
        wide = replace(field, radius_deg=WIDER * field.radius_deg)
        catalogs, (report,) = query((name,), wide, alone)
        if name not in catalogs:
            failures.append(CatalogError(report.title, report.reason))
            raise failures[0]
        kept["last"] = wide, brightest_first(catalogs[name])
        return kept["last"][1]

    return StarSource(name, needs_place=True, stars=stars)


def _holds(wide: Field, field: Field) -> bool:
    """Tell whether a cone lies in another, at nearly the same epoch."""
    apart = degrees_apart((wide.ra_deg, wide.dec_deg), (field.ra_deg, field.dec_deg))
    same = abs(wide.epoch_jyear - field.epoch_jyear) <= SAME_EPOCH
    return same and apart + field.radius_deg <= wide.radius_deg


def brightest_first(catalog: Catalog) -> np.ndarray:
    """Order a catalogue's places (n, 2) by their light."""
    sky = np.column_stack([catalog.ra_deg, catalog.dec_deg])
    return sky[np.argsort(-light_of(catalog), kind="stable")]


def light_of(catalog: Catalog) -> np.ndarray:
    """Tell each star's brightness, (n,), in the band in which it is brightest; 0 of none known."""
    columns = bands_of(catalog).values()
    if not columns:
        return np.zeros(len(catalog))
    mags = np.fmin.reduce([catalog.number(column) for column in columns])
    return np.nan_to_num(10 ** (-0.4 * mags))
