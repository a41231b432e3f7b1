"""Standard stars for the zero point: which catalogue, which band, which of its stars."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from lightcurve.catalogs.bands import (
    LIKE,
    RECIPES,
    Recipe,
    bands_of,
    colour,
    magnitudes,
    recipe_for,
    sources_for,
    standard_filter,
)
from lightcurve.catalogs.layout import Catalog
from lightcurve.catalogs.standard_stars import unfit
from lightcurve.core.errors import InputError
from lightcurve.core.settings import ImageSettings
from lightcurve.frames.kinds import normalise_filter
from lightcurve.image.reduced import Standards

log = logging.getLogger(__name__)
MIN_STANDARDS = 5  # in the whole field; with fewer the next catalogue is looked at


def wanted_band(filter_name: str | None, settings: ImageSettings) -> tuple[str, str]:
    """Settle the band of the magnitudes.

    filter_name: of the frame.
    Returns band: key of `lightcurve.catalogs.bands.RECIPES`; note: what was assumed; empty for
    nothing.
    Raises InputError when the settings name a band that is none.
    """
    if settings.band is None:
        return standard_filter(filter_name)
    name = settings.band if settings.band in RECIPES else normalise_filter(settings.band)
    if name not in RECIPES and name not in LIKE:
        msg = f"--band {settings.band!r}: there are {', '.join((*RECIPES, *LIKE))}"
        raise InputError(msg)
    return standard_filter(name)


def catalogs_for(band: str, dec_deg: float, settings: ImageSettings) -> tuple[str, ...]:
    """List the services that may give standards.

    Returns tuple of str: the best first.
    """
    if settings.standards is not None:
        return (settings.standards,)
    return sources_for(band, dec_deg)


def order_of(
    by_hand: tuple[str, ...], band: str, dec_deg: float, settings: ImageSettings
) -> tuple[str, ...]:
    """Put the catalogues in the order in which they are looked at for standards.

    by_hand : names of catalogues given by hand.
    Returns tuple of str: the one named, those given by hand, those that fit.
    """
    named = () if settings.standards is None else (settings.standards,)
    return tuple(dict.fromkeys((*named, *by_hand, *sources_for(band, dec_deg))))


def named_in_vain(settings: ImageSettings, standards: Standards | None) -> str:
    """Tell that the catalogue named for standards is not the one that gave them.

    Returns str: empty where it is.
    """
    name = settings.standards
    if name is None or (standards is not None and standards.catalog.name == name):
        return ""
    other = "no other does" if standards is None else f"{standards.catalog.title} is taken"
    return f"--standards {name}: it gave none, or too few, for this band here; {other}"


def choose_standards(
    catalogs: Mapping[str, Catalog], band: str, order: tuple[str, ...]
) -> Standards | None:
    """Take the standards of the first catalogue that has the band, and stars fit to serve in it.

    catalogs : those that answered; catalogues given by hand stand first.
    order : names, the best first; a name that is no service is a catalogue given by hand.
    Returns Standards or None: None when no catalogue has any magnitude.
    """
    too_few = []
    for name in order:
        catalog = catalogs.get(name)
        if catalog is None or not len(catalog):
            continue
        columns = bands_of(catalog)
        recipe = recipe_for(band, columns)
        if recipe is None:
            continue
        found = _standards(catalog, recipe, columns, ())
        if np.count_nonzero(found.reasons == "") >= MIN_STANDARDS:
            return found
        too_few.append(found)
    if too_few:
        return max(too_few, key=lambda found: np.count_nonzero(found.reasons == ""))
    for name in order:
        catalog = catalogs.get(name)
        columns = bands_of(catalog) if catalog is not None else {}
        if catalog is not None and columns:
            first = next(iter(columns))
            note = f"{catalog.title} has no {band}: magnitudes are tied to its {first}"
            return _standards(
                catalog, Recipe(f"{first} of {catalog.title}", first), columns, (note,)
            )
    return None


def _standards(
    catalog: Catalog, recipe: Recipe, columns: Mapping[str, str], notes: tuple[str, ...]
) -> Standards:
    mag, error = magnitudes(catalog, recipe, columns)
    values, name = colour(catalog, columns)
    sound = columns[recipe.first].replace("_mag", "_ok")
    reasons = unfit(catalog, mag, error, values, flag=sound)
    for note in notes:
        log.warning("%s", note)
    log.info(
        "standards: %s in %s, %d of %d stars fit to serve",
        catalog.title, recipe.standard, np.count_nonzero(reasons == ""), len(catalog),
    )  # fmt: skip
    return Standards(catalog, recipe.standard, mag, error, values, name, reasons, notes)
