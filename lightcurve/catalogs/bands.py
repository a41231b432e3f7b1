"""Which catalogue gives the magnitudes for a filter, and by which formula."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lightcurve.catalogs.query import SERVICES
from lightcurve.catalogs.recipes import (
    COLOURS,
    FILE,
    GIVEN,
    LIKE,
    NORTH,
    OWN,
    PREFERRED,
    RECIPES,
    SLOAN,
    SOUTH,
    UNKNOWN_ERROR_MAG,
    Recipe,
)
from lightcurve.catalogs.service import Catalog


def standard_filter(name: str | None) -> tuple[str, str]:
    """Say which band a filter is tied to.

    Parameters
    ----------
    name : str or None
        As `lightcurve.frames.filters.normalise_filter` gives it.

    Returns
    -------
    band : str
        Key of `RECIPES`.
    note : str
        Empty, or what was assumed.
    """
    if name in RECIPES:
        return name, ""
    if name in LIKE:
        return LIKE[name], f"filter {name}: {LIKE[name]} is the band most like it"
    return "G", f"filter {name or 'not named'}: taken to be like Gaia G, a guess"


def sources_for(band: str, dec_deg: float) -> tuple[str, ...]:
    """List the catalogues that serve a band at a declination, the best first.

    Parameters
    ----------
    band : str
        Key of `RECIPES`.
    dec_deg : float

    Returns
    -------
    tuple of str
        Names of services.
    """
    sloan = NORTH if dec_deg >= 0 else SOUTH
    order: tuple[str, ...] = sloan if band in SLOAN else OWN.get(band, PREFERRED)
    # Those that no order names, last.
    services = (SERVICES.get(name) for name in dict.fromkeys((*order, *SERVICES.names())))
    return tuple(
        one.name
        for one in services
        if recipe_for(band, one.bands) is not None
        and one.reach_deg[0] <= dec_deg <= one.reach_deg[1]
    )


def bands_of(catalog: Catalog) -> dict[str, str]:
    """List the bands that a catalogue really has.

    Returns
    -------
    dict
        Band to column with at least one value.
    """
    service = SERVICES.entries.get(catalog.name)
    known = service.bands if service is not None and service.bands else FILE
    return {b: c for b, c in known.items() if np.isfinite(catalog.number(c)).any()}


def recipe_for(band: str, columns: Mapping[str, str]) -> Recipe | None:
    """Find how a catalogue gives a band.

    Parameters
    ----------
    band : str
        Key of `RECIPES`.
    columns : mapping
        Bands of the catalogue to its columns.

    Returns
    -------
    Recipe or None
    """
    found = (r for r in RECIPES[band] if all(b in columns for b in r.needs()))
    return next(found, Recipe(GIVEN, "given") if "given" in columns else None)


def magnitudes(
    catalog: Catalog, recipe: Recipe, columns: Mapping[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Work out magnitudes and their errors.

    Parameters
    ----------
    catalog : Catalog
    recipe : Recipe
    columns : mapping
        As in `recipe_for`.

    Returns
    -------
    mag, mag_err : (n,) arrays
        NaN where a band is missing or the colour is outside the recipe's limits. Errors: those of
        the bands carried through the formula, and the scatter about it. Where the catalogue states
        none for a band, 0.05 mag.
    """
    first, error = _band(catalog, columns[recipe.first])
    if not recipe.bands:
        return first, np.hypot(error, recipe.scatter_mag)
    (blue, blue_err), (red, red_err) = (_band(catalog, columns[b]) for b in recipe.bands)
    colour = blue - red
    inside = (colour >= recipe.limits[0]) & (colour <= recipe.limits[1])
    powers = range(len(recipe.terms))
    change = sum((recipe.terms[k] * colour**k for k in powers), start=np.zeros(len(colour)))
    slope = sum(
        (k * recipe.terms[k] * colour ** (k - 1) for k in powers if k), start=np.zeros(len(colour))
    )
    # A band that is both changed and part of the colour counts once, with both its parts.
    own = {recipe.first: np.ones(len(colour))}
    for name, part in zip(recipe.bands, (slope, -slope), strict=True):
        own[name] = own.get(name, 0.0) + part
    errors = {recipe.first: error, recipe.bands[0]: blue_err, recipe.bands[1]: red_err}
    total = sum((own[n] * errors[n]) ** 2 for n in own)
    mag = np.where(inside, first + change, np.nan)
    return mag, np.where(inside, np.sqrt(total + recipe.scatter_mag**2), np.nan)


def _band(catalog: Catalog, column: str) -> tuple[np.ndarray, np.ndarray]:
    error = catalog.number(f"{column}_err")
    return catalog.number(column), np.where(error > 0, error, UNKNOWN_ERROR_MAG)


def colour(catalog: Catalog, columns: Mapping[str, str]) -> tuple[np.ndarray, str]:
    """Give a colour of every star, for a colour term.

    Parameters
    ----------
    catalog : Catalog
    columns : mapping
        As in `recipe_for`.

    Returns
    -------
    colour : (n,) array
        NaN where there is none.
    name : str
        ``"BP-RP"`` ..., empty where the catalogue has no two bands.
    """
    if "bp_rp" in catalog.columns:
        return catalog.number("bp_rp"), "BP-RP"
    for blue, red in COLOURS:
        if blue in columns and red in columns:
            values = catalog.number(columns[blue]) - catalog.number(columns[red])
            return values, f"{blue.partition('_')[0]}-{red.partition('_')[0]}"
    return np.full(len(catalog), np.nan), ""
