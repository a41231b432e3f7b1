"""Bands of every catalogue, formulae between systems, and which serves for a filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.catalogs.layout import Catalog
from lightcurve.catalogs.services import SERVICES

__all__ = [
    "GIVEN",
    "LIKE",
    "RECIPES",
    "Recipe",
    "bands_of",
    "colour",
    "magnitudes",
    "recipe_for",
    "sources_for",
    "standard_filter",
]

GIVEN = "magnitude of the file, band not named"
# Where a catalogue states no error, or 0 as APASS does for stars seen once.
UNKNOWN_ERROR_MAG = 0.05
AS_GOOD_MAG = 0.02  # two surveys of one band differ by as much
# The colour that a catalogue offers for a colour term.
COLOURS = (
    ("BP", "RP"),
    ("B", "V"),
    ("g_ps1", "r_ps1"),
    ("g_sdss", "r_sdss"),
    ("g_skymapper", "r_skymapper"),
    ("V", "I"),
    ("BT", "VT"),
)

# Of a file given by hand.
FILE = {
    "G": "gaia_g_mag",
    "BP": "gaia_bp_mag",
    "RP": "gaia_rp_mag",
    **{b: f"jkc_{b.lower()}_mag" for b in "UBVRI"},
    **{f"{b}_sdss": f"sdss_{b}_mag" for b in "ugriz"},
    **{f"{b}_ps1": f"ps1_{b}_mag" for b in "grizy"},
    **{b: f"twomass_{b.lower()}_mag" for b in "JHK"},
    "VT": "tycho_vt_mag",
    "BT": "tycho_bt_mag",
    "given": "mag",
}

# Filters that no survey has: tied to the band that is most like them.
LIKE = {
    "CV": "G",
    "L": "G",
    "CR": "Rc",
    "CBB": "RP",
    "TR": "Rc",
    "TG": "V",
    "TB": "B",
    "HA": "rp",
    "SII": "rp",
    "OIII": "gp",
    "Ks": "K",
}
PREFERRED = ("gaia_synthetic", "apass", "panstarrs", "skymapper", "sdss", "gaia", "twomass")
OWN = {b: ("gaia", *(n for n in PREFERRED if n != "gaia")) for b in ("G", "BP", "RP")}
NORTH = ("panstarrs", "sdss", "gaia_synthetic", "skymapper", "apass", "gaia")
SOUTH = ("skymapper", "gaia_synthetic", "panstarrs", "sdss", "apass", "gaia")
SLOAN = {"up", "gp", "rp", "ip", "zp", "zs", "Y"}
_GAIA_DOC = "Gaia DR3 documentation, section 5.5.1"
_TONRY = "Tonry et al. 2012, ApJ 750, 99, table 6"
_LUPTON = "Lupton 2005, SDSS DR16 algorithms"
_JESTER = "Jester et al. 2005, AJ 130, 873, table 1"
_JORDI = "Jordi, Grebel & Ammon 2006, A&A 460, 339, table 3"
_TYCHO = "ESA 1997, SP-1200, section 1.3, appendix 4"
_VEGA = {"V": "V (Johnson, Vega)", "B": "B (Johnson, Vega)"}
_VEGA |= {"R": "Rc (Cousins, Vega)", "I": "Ic (Cousins, Vega)"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A magnitude in one system from magnitudes in another.

    Attributes
    ----------
    standard : str
        What comes out, for people: ``"V (Johnson, Vega)"``.
    first, bands : str, tuple of str
        The band that is changed, and the two whose difference is the colour (none: as it stands).
    terms : tuple of float
        ``m = first + sum(terms[k] colour^k)``.
    limits : tuple of float
        Colours for which it holds.
    scatter_mag : float
        Of stars about it.
    near : bool
        It is another band than that wanted, taken for want of one nearer, as `standard` says.
    """

    standard: str
    first: str
    bands: tuple[str, ...] = ()
    terms: tuple[float, ...] = ()
    limits: tuple[float, float] = (-np.inf, np.inf)
    scatter_mag: float = 0.0
    reference: str = ""
    near: bool = False

    @property
    def told(self) -> str:
        """Say where the formula is from, and how good it is; empty for a band as it stands."""
        if not self.bands:
            return ""
        made = ", ".join(self.needs())
        return f"of {made} ({self.reference}), good to {self.scatter_mag:g} mag a star"

    def needs(self) -> tuple[str, ...]:
        """Return the bands that must be there."""
        return tuple(dict.fromkeys((self.first, *self.bands)))


def _gaia(name: str, terms: tuple[float, ...], limits: tuple[float, float], s: float) -> Recipe:
    return Recipe(name, "G", ("BP", "RP"), terms, limits, s, _GAIA_DOC)


def _to_gaia(colour: tuple[str, str], first: str, terms: tuple[float, ...], s: float) -> Recipe:
    return Recipe("G (Gaia, Vega)", first, colour, terms, (-0.3, 2.5), s, _GAIA_DOC)


def _ps1(name: str, first: str, terms: tuple[float, ...], scatter: float) -> Recipe:
    return Recipe(name, first, ("g_ps1", "r_ps1"), terms, (-0.5, 2.0), scatter, _TONRY)


def _sdss(name: str, first: str, red: str, terms: tuple[float, ...], scatter: float) -> Recipe:
    """By the colour of a band of the SDSS and the next redder one."""
    colour = (f"{first}_sdss", f"{red}_sdss")
    return Recipe(name, colour[0], colour, terms, (-0.5, 2.0), scatter, _LUPTON)


def _stands_in(name: str, first: str, scatter: float) -> Recipe:
    """Take another band as it is; scatter: what the colours of stars make of the difference."""
    return Recipe(name, first, scatter_mag=scatter, near=True)


_R_TERMS = (0.09837, -0.08592, -0.1907, 0.1701, -0.02263)
_BLUE = (-0.3, 1.6)  # B - V of the stars of Jester et al. and of the Tycho catalogue
_SDSS_OF_OTHERS = {
    "g": (
        _gaia("g (SDSS, AB)", (-0.2199, 0.6365, 0.1548, -0.0064), (0.3, 3.0), 0.075),
        Recipe("g (SDSS, AB)", "V", ("B", "V"), (-0.12, 0.60), _BLUE, 0.02, _JESTER),
    ),
    "r": (
        _gaia("r (SDSS, AB)", _R_TERMS, (0.0, 3.0), 0.038),
        Recipe("r (SDSS, AB)", "V", ("B", "V"), (0.11, -0.42), _BLUE, 0.03, _JESTER),
    ),
    "i": (
        _gaia("i (SDSS, AB)", (0.293, -0.6404, 0.09609, 0.002104), (0.5, 2.0), 0.041),
        Recipe("i (SDSS, AB)", "I", ("R", "I"), (0.329, 0.247), (-0.2, 1.8), 0.03, _JORDI),
    ),
}
_NEAR_INFRARED = {
    "J": ((-0.01798, -1.389, 0.09338), 0.048),
    "H": ((0.1048, -2.011, 0.1758), 0.078),
    "K": ((0.0981, -2.089, 0.1579), 0.086),
}
# Best first; a catalogue serves by the first recipe whose bands it has.
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "U": (Recipe("U (Johnson, Vega)", "U"),),
    "B": (
        Recipe(_VEGA["B"], "B"),
        _ps1(_VEGA["B"], "g_ps1", (0.213, 0.587), 0.034),
        _sdss(_VEGA["B"], "g", "r", (0.2271, 0.3130), 0.011),
        Recipe(_VEGA["B"], "BT", ("BT", "VT"), (0.0, -0.240), _BLUE, 0.05, _TYCHO),
    ),
    "V": (
        Recipe(_VEGA["V"], "V"),
        _ps1(_VEGA["V"], "r_ps1", (0.006, 0.474), 0.012),
        _gaia(_VEGA["V"], (0.02704, -0.01424, 0.2156, -0.01426), (-0.5, 5.0), 0.030),
        _sdss(_VEGA["V"], "g", "r", (-0.0038, -0.5784), 0.005),
        Recipe(_VEGA["V"], "VT", ("BT", "VT"), (0.0, -0.090), _BLUE, 0.03, _TYCHO),
        _stands_in("VT (Tycho, Vega)", "VT", 0.04),
    ),
    "Rc": (
        Recipe(_VEGA["R"], "R"),
        _ps1(_VEGA["R"], "r_ps1", (-0.138, -0.131), 0.015),
        _gaia(_VEGA["R"], (0.02275, -0.3961, 0.1243, 0.01396, -0.003775), (0.0, 4.0), 0.032),
        _sdss(_VEGA["R"], "r", "i", (-0.1439, -0.2936), 0.007),
    ),
    "Ic": (
        Recipe(_VEGA["I"], "I"),
        _ps1(_VEGA["I"], "i_ps1", (-0.367, -0.149), 0.016),
        _gaia(_VEGA["I"], (-0.01753, -0.76, 0.0991), (-0.5, 4.5), 0.038),
        _sdss(_VEGA["I"], "i", "z", (-0.3974, -0.3780), 0.006),
        _sdss(_VEGA["I"], "r", "i", (-0.3820, -1.2444), 0.008),
    ),
    "up": (Recipe("u (SDSS, AB)", "u_sdss"), Recipe("u (SkyMapper, AB)", "u_skymapper")),
    **{
        name: (
            Recipe(f"{b} (Pan-STARRS1, AB)", f"{b}_ps1"),
            Recipe(f"{b} (SkyMapper, AB)", f"{b}_skymapper"),
            Recipe(f"{b} (SDSS, AB)", f"{b}_sdss"),
            *_SDSS_OF_OTHERS.get(b, ()),
        )
        for name, b in (("gp", "g"), ("rp", "r"), ("ip", "i"), ("zs", "z"))
    },
    "zp": (
        Recipe("z (SDSS, AB)", "z_sdss"),
        _ps1("z (SDSS, AB)", "z_ps1", (0.013, -0.039, -0.012), 0.010),
        Recipe("z (Pan-STARRS1, AB)", "z_ps1"),
        Recipe("z (SkyMapper, AB)", "z_skymapper"),
    ),
    "Y": (Recipe("y (Pan-STARRS1, AB)", "y_ps1"),),
    **{
        b: (Recipe(f"{b} (2MASS, Vega)", b), _gaia(f"{b} (2MASS, Vega)", terms, (-0.5, 2.5), s))
        for b, (terms, s) in _NEAR_INFRARED.items()
    },
    "G": (
        Recipe("G (Gaia, Vega)", "G"),
        _to_gaia(("V", "I"), "V", (-0.01597, -0.02809, -0.2483, 0.03656, -0.002939), 0.027),
        _to_gaia(("g_sdss", "i_sdss"), "g_sdss", (-0.1064, -0.4964, -0.09339, 0.004444), 0.087),
        _to_gaia(("B", "V"), "V", (-0.04749, -0.0124, -0.2901, 0.02008), 0.048),
        _to_gaia(("BT", "VT"), "VT", (-0.01077, -0.0682, -0.2387, 0.02342), 0.064),
        _stands_in("r (Pan-STARRS1, AB)", "r_ps1", 0.10),
        _stands_in("r (SkyMapper, AB)", "r_skymapper", 0.10),
        _stands_in("r (SDSS, AB)", "r_sdss", 0.10),
        _stands_in("V (Johnson, Vega)", "V", 0.15),
        _stands_in("VT (Tycho, Vega)", "VT", 0.15),
    ),
    "BP": (Recipe("BP (Gaia, Vega)", "BP"),),
    "RP": (
        Recipe("RP (Gaia, Vega)", "RP"),
        _stands_in("i (Pan-STARRS1, AB)", "i_ps1", 0.05),
        _stands_in("i (SkyMapper, AB)", "i_skymapper", 0.05),
        _stands_in("i (SDSS, AB)", "i_sdss", 0.05),
        _stands_in(_VEGA["I"], "I", 0.05),
    ),
}


def standard_filter(name: str | None) -> tuple[str | None, str]:
    """Say which band, a key of `RECIPES`, a filter is tied to, and what was assumed, if anything.

    Parameters
    ----------
    name : str or None
        As `lightcurve.frames.kinds.normalise_filter` gives it.

    Returns
    -------
    band : str or None
        None where the filter is not known: the stars of a frame may tell.
    note : str
    """
    if name in RECIPES:
        return name, ""
    if name in LIKE:
        return LIKE[name], f"filter {name}: {LIKE[name]} is the band most like it"
    return None, f"filter {name}: not known" if name else "no filter is named"


def sources_for(band: str, dec_deg: float) -> tuple[str, ...]:
    """List the catalogues that serve a band (of `RECIPES`) at a declination, the best first."""
    sloan = NORTH if dec_deg >= 0 else SOUTH
    order: tuple[str, ...] = sloan if band in SLOAN else OWN.get(band, PREFERRED)
    # Those that no order names, last.
    services = (SERVICES.get(name) for name in dict.fromkeys((*order, *SERVICES.names())))
    found = [
        (recipe, one.name)
        for one in services
        for recipe in [recipe_for(band, one.bands)]
        if recipe is not None and one.reach_deg[0] <= dec_deg <= one.reach_deg[1]
    ]
    # The band itself, or a formula as good, goes before one that stars scatter about.
    found.sort(key=lambda one: (one[0].near, one[0].scatter_mag > AS_GOOD_MAG))
    return tuple(name for _, name in found)


def bands_of(catalog: Catalog) -> dict[str, str]:
    """List the bands that a catalogue really has, with their columns."""
    service = SERVICES.entries.get(catalog.name)
    known = service.bands if service is not None and service.bands else FILE
    return {b: c for b, c in known.items() if np.isfinite(catalog.number(c)).any()}


def recipe_for(band: str, columns: Mapping[str, str]) -> Recipe | None:
    """Find how a catalogue gives a band of `RECIPES` by its own bands, mapped to its columns."""
    found = (r for r in RECIPES[band] if all(b in columns for b in r.needs()))
    return next(found, Recipe(GIVEN, "given") if "given" in columns else None)


def magnitudes(
    catalog: Catalog, recipe: Recipe, columns: Mapping[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Work out magnitudes and their errors; columns as in `recipe_for`.

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
    """Give a colour of every star, (n,), and its name, ``"BP-RP"`` ..., for a colour term.

    NaN, and no name, where the catalogue has no two bands; columns as in `recipe_for`.
    """
    if "bp_rp" in catalog.columns:
        return catalog.number("bp_rp"), "BP-RP"
    for blue, red in COLOURS:
        if blue in columns and red in columns:
            values = catalog.number(columns[blue]) - catalog.number(columns[red])
            return values, f"{blue.partition('_')[0]}-{red.partition('_')[0]}"
    return np.full(len(catalog), np.nan), ""
