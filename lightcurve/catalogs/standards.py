"""Stars of known magnitude in the band of a frame, from the best catalogue there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.catalogs.bands import (
    bands_of,
    colour,
    magnitudes,
    recipe_for,
    sources_for,
    standard_filter,
)
from lightcurve.catalogs.quality import DEFAULT, Cuts, unfit
from lightcurve.catalogs.recipes import Recipe
from lightcurve.catalogs.service import Catalog

ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Standards:
    """A catalogue's stars as standards in one band.

    Attributes
    ----------
    catalog : Catalog
    recipe : Recipe
        How the magnitudes came about; its `standard` names the system.
    mag, mag_err : (n,) float arrays
        Of every star of the catalogue; NaN where there is none.
    colour : (n,) float array
    colour_name : str
        ``"BP-RP"`` ...; empty where there is no colour.
    reasons : (n,) str array
        Why a star is not a standard; empty where it is.
    notes : tuple of str
        What was assumed of the filter, and which better catalogues had too few.
    """

    catalog: Catalog
    recipe: Recipe
    mag: np.ndarray
    mag_err: np.ndarray
    colour: np.ndarray
    colour_name: str
    reasons: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def fit(self) -> np.ndarray:
        """Stars that are standards, (n,) bool."""
        return self.reasons == ""


def services_for(filter_name: str | None, dec_deg: float) -> tuple[str, ...]:
    """List the services that have standards for a filter, the best first.

    Parameters
    ----------
    filter_name : str or None
        Normalised.
    dec_deg : float

    Returns
    -------
    tuple of str
    """
    return sources_for(standard_filter(filter_name)[0], dec_deg)


def find_standards(
    catalogs: Mapping[str, Catalog],
    filter_name: str | None,
    dec_deg: float,
    cuts: Cuts = DEFAULT,
    *,
    enough: int = ENOUGH,
) -> Standards | None:
    """Take standards from the first catalogue that has enough: files given by hand go first.

    Parameters
    ----------
    catalogs : mapping
        Of `lightcurve.catalogs.query.query`.
    filter_name : str or None
        Normalised.
    dec_deg : float
    cuts : Cuts
    enough : int
        Standards below which the next catalogue is tried.

    Returns
    -------
    Standards or None
        That with enough, else that with most; None where no catalogue has the band.
    """
    band, note = standard_filter(filter_name)
    files = tuple(name for name in catalogs if name.startswith("file"))
    best: Standards | None = None
    notes = [note] if note else []
    for name in (*files, *sources_for(band, dec_deg)):
        found = _standards(catalogs[name], band, cuts) if name in catalogs else None
        if found is None:
            continue
        n = int(found.fit.sum())
        if best is None or n > best.fit.sum():
            best = found
        if n >= enough:
            break
        notes.append(f"{found.catalog.title} has {n} standards in {band}")
    if best is None:
        return None
    values = (best.mag, best.mag_err, best.colour, best.colour_name, best.reasons)
    return Standards(best.catalog, best.recipe, *values, tuple(notes))


def _standards(catalog: Catalog, band: str, cuts: Cuts) -> Standards | None:
    columns = bands_of(catalog)
    recipe = recipe_for(band, columns)
    if recipe is None:
        return None
    mag, mag_err = magnitudes(catalog, recipe, columns)
    values, name = colour(catalog, columns)
    sound = columns[recipe.first].replace("_mag", "_ok")
    reasons = unfit(catalog, mag, mag_err, values, cuts, flag=sound)
    return Standards(catalog, recipe, mag, mag_err, values, name, reasons)
