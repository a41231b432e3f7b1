"""Which stars of a field are known to vary: the AAVSO's index, or a table given by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.catalogs.crossmatch import crossmatch
from lightcurve.catalogs.layout import Catalog
from lightcurve.catalogs.layout import Field as Sky
from lightcurve.catalogs.services import query
from lightcurve.core.constants import J2000_JD
from lightcurve.core.settings import CatalogSettings
from lightcurve.variables.field import Field

INDEX = "vsx"
ERROR_ARCSEC = 1.0  # of the stars' places


@dataclass(frozen=True, slots=True)
class KnownVariable:
    """A star of a catalogue of variables; empty and None for what it does not tell."""

    name: str
    type: str
    period_days: float | None


def known_variables(
    field: Field, settings: CatalogSettings
) -> tuple[dict[int, KnownVariable], str]:
    """Find the known variables of a field, by column; and what became of the question.

    Raises InputError where a catalogue given by hand cannot be read.
    """
    catalogs, reports = query((INDEX,), sky_of(field), settings)
    found: dict[int, KnownVariable] = {}
    for catalog in catalogs.values():
        found = _pair(field, catalog) | found
    told = "; ".join(
        f"{r.title}: {r.n} objects" if not r.reason else f"{r.title}: {r.reason}" for r in reports
    )
    return found, f"{len(found)} known ({told})"


def sky_of(field: Field) -> Sky:
    """Describe the cone that holds the stars."""
    ra, dec = np.radians(field.ra_deg), np.radians(field.dec_deg)
    unit = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    unit = unit[:, np.isfinite(unit).all(axis=0)]
    middle = unit.mean(axis=1)
    middle /= np.linalg.norm(middle)
    radius = float(np.degrees(np.arccos(np.clip(middle @ unit, -1, 1)).max()))
    epoch = 2000.0 + (float(np.nanmedian(field.jd_utc)) - J2000_JD) / 365.25
    return Sky(
        float(np.degrees(np.arctan2(middle[1], middle[0])) % 360),
        float(np.degrees(np.arcsin(middle[2]))), max(radius, 0.01), epoch,
    )  # fmt: skip


def _pair(field: Field, catalog: Catalog) -> dict[int, KnownVariable]:
    reach = max(ERROR_ARCSEC, field.scale_arcsec / 2)
    pairs = crossmatch(
        (field.ra_deg, field.dec_deg, reach),
        (catalog.ra_deg, catalog.dec_deg, catalog.error_arcsec),
    )
    period = catalog.number("period")
    kind = catalog.columns.get("type")
    return {
        int(source): KnownVariable(
            str(catalog.ids[row]), "" if kind is None else str(kind.values[row]),
            float(period[row]) if np.isfinite(period[row]) else None,
        )
        for source, row in zip(pairs.source[pairs.mutual], pairs.row[pairs.mutual], strict=True)
    }  # fmt: skip
