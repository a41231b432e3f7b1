"""What catalogues say of each source, as columns beside it and as a list of all matches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lightcurve.catalogs.crossmatch import Matches
from lightcurve.catalogs.service import Catalog, Column


def nearest_columns(catalog: Catalog, matches: Matches, n: int) -> dict[str, Column]:
    """Write the nearest object of a catalogue beside each source.

    Parameters
    ----------
    catalog : Catalog
    matches : Matches
        Of the sources with that catalogue.
    n : int
        Number of sources.

    Returns
    -------
    dict
        Column name, beginning with the catalogue's, to `Column` of `n` values: the identifier, the
        separation, its error's share, the number of objects within the radius, whether the source
        is also the nearest to that object, and every column of the catalogue. NaN or ``""`` where
        there is no match.
    """
    name, title = catalog.name, catalog.title
    source, row = matches.source[matches.nearest], matches.row[matches.nearest]

    def spread(values: np.ndarray) -> np.ndarray:
        blank = "" if values.dtype.kind == "U" else np.nan
        made = np.full(n, blank, dtype=values.dtype)
        made[source] = values
        return made

    separation = matches.separation_arcsec[matches.nearest]
    count = np.bincount(matches.source, minlength=n).astype(float)
    only = matches.mutual[matches.nearest].astype(float)
    columns = {
        f"{name}_id": Column(spread(catalog.ids[row]), "", f"Nearest object of {title}"),
        f"{name}_separation": Column(spread(separation), "arcsec", "Distance from it"),
        f"{name}_sigmas": Column(
            spread(matches.sigmas[matches.nearest]), "", "Distance over its error"
        ),
        f"{name}_matches": Column(count, "", f"Objects of {title} within the errors"),
        f"{name}_mutual": Column(spread(only), "", "1 if no other source is nearer to it"),
    }
    for key, column in catalog.columns.items():
        columns[f"{name}_{key}"] = Column(
            spread(column.values[row]), column.unit, f"{title}: {column.description}"
        )
    return columns


def match_list(
    catalogs: Mapping[str, Catalog], matches: Mapping[str, Matches]
) -> dict[str, Column]:
    """List all matches of all catalogues, one row each.

    Parameters
    ----------
    catalogs, matches : mapping
        Under the same names.

    Returns
    -------
    dict
        Columns ``source`` (index from 0), ``catalog``, ``id``, ``separation``, ``sigmas`` and
        ``nearest`` (1 or 0), ordered by source and separation.
    """
    names = [name for name in matches if len(matches[name])]
    if not names:
        return {"source": Column(np.zeros(0), "", "Index of the source")}
    join = {
        key: np.concatenate([getattr(matches[name], key) for name in names])
        for key in ("source", "separation_arcsec", "sigmas", "nearest")
    }
    catalog = np.concatenate([np.full(len(matches[name]), name) for name in names])
    ids = np.concatenate([catalogs[name].ids[matches[name].row] for name in names])
    order = np.lexsort((join["separation_arcsec"], join["source"]))
    return {
        "source": Column(join["source"][order].astype(float), "", "Index of the source"),
        "catalog": Column(catalog[order], "", "Catalogue or service"),
        "id": Column(ids[order], "", "Object"),
        "separation": Column(join["separation_arcsec"][order], "arcsec", "Distance from it"),
        "sigmas": Column(join["sigmas"][order], "", "Distance over its error"),
        "nearest": Column(
            join["nearest"][order].astype(float), "", "1 for the nearest in its list"
        ),
    }


def match_summary(
    catalogs: Mapping[str, Catalog], matches: Mapping[str, Matches], n: int
) -> np.ndarray:
    """Write one line for each source that says what it is in which catalogue.

    Parameters
    ----------
    catalogs, matches : mapping
        Under the same names.
    n : int
        Number of sources.

    Returns
    -------
    (n,) str array
        ``"simbad: V* EY UMa; vsx: EY UMa"``; empty where there is no match.
    """
    lines: list[list[str]] = [[] for _ in range(n)]
    for name, found in matches.items():
        pairs = zip(found.source[found.nearest], found.row[found.nearest], strict=True)
        for source, row in pairs:
            lines[source].append(f"{name}: {catalogs[name].ids[row]}")
    return np.array(["; ".join(line) for line in lines], dtype=str)
