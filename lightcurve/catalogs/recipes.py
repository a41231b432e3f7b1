"""Which catalogues serve a band first, and formulae from one system of magnitudes to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
GIVEN = "magnitude of the file, band not named"
# Where a catalogue states no error, or 0 as APASS does for stars seen once.
UNKNOWN_ERROR_MAG = 0.05
# The colour that a catalogue offers for a colour term.
COLOURS = (
    ("BP", "RP"),
    ("B", "V"),
    ("g_ps1", "r_ps1"),
    ("g_sdss", "r_sdss"),
    ("g_skymapper", "r_skymapper"),
)


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
    reference : str
    """

    standard: str
    first: str
    bands: tuple[str, ...] = ()
    terms: tuple[float, ...] = ()
    limits: tuple[float, float] = (-np.inf, np.inf)
    scatter_mag: float = 0.0
    reference: str = ""

    def needs(self) -> tuple[str, ...]:
        """Return the bands that must be there."""
        return tuple(dict.fromkeys((self.first, *self.bands)))


_GAIA_DOC = "Gaia DR3 documentation, table 5.9"
_TONRY = "Tonry et al. 2012, ApJ 750, 99, table 6"
_VEGA = {"V": "V (Johnson, Vega)", "B": "B (Johnson, Vega)", "R": "Rc (Cousins, Vega)"}
_VEGA["I"] = "Ic (Cousins, Vega)"


def _gaia(name: str, terms: tuple[float, ...], limits: tuple[float, float], s: float) -> Recipe:
    return Recipe(name, "G", ("BP", "RP"), terms, limits, s, _GAIA_DOC)


def _ps1(name: str, first: str, terms: tuple[float, ...], scatter: float) -> Recipe:
    return Recipe(name, first, ("g_ps1", "r_ps1"), terms, (-0.5, 2.0), scatter, _TONRY)


def _plain(standard: str, band: str) -> Recipe:
    return Recipe(standard, band)


# Best first; a catalogue serves by the first recipe whose bands it has.
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "U": (_plain("U (Johnson, Vega)", "U"),),
    "B": (_plain(_VEGA["B"], "B"), _ps1(_VEGA["B"], "g_ps1", (0.213, 0.587), 0.034)),
    "V": (
        _plain(_VEGA["V"], "V"),
        _ps1(_VEGA["V"], "r_ps1", (0.006, 0.474), 0.012),
        _gaia(_VEGA["V"], (0.02704, -0.01424, 0.2156, -0.01426), (-0.5, 5.0), 0.030),
        _plain("VT (Tycho, Vega)", "VT"),
    ),
    "Rc": (
        _plain(_VEGA["R"], "R"),
        _ps1(_VEGA["R"], "r_ps1", (-0.138, -0.131), 0.015),
        _gaia(_VEGA["R"], (0.02275, -0.3961, 0.1243, 0.01396, -0.003775), (0.0, 4.0), 0.032),
    ),
    "Ic": (
        _plain(_VEGA["I"], "I"),
        _ps1(_VEGA["I"], "i_ps1", (-0.367, -0.149), 0.016),
        _gaia(_VEGA["I"], (-0.01753, -0.76, 0.0991), (-0.5, 4.5), 0.038),
    ),
    "up": (_plain("u (SDSS, AB)", "u_sdss"), _plain("u (SkyMapper, AB)", "u_skymapper")),
    **{
        name: (
            _plain(f"{b} (Pan-STARRS1, AB)", f"{b}_ps1"),
            _plain(f"{b} (SkyMapper, AB)", f"{b}_skymapper"),
            _plain(f"{b} (SDSS, AB)", f"{b}_sdss"),
            *extra,
        )
        for name, b, extra in (
            (
                "gp",
                "g",
                (_gaia("g (SDSS, AB)", (-0.2199, 0.6365, 0.1548, -0.0064), (0.3, 3.0), 0.075),),
            ),
            (
                "rp",
                "r",
                (
                    _gaia(
                        "r (SDSS, AB)",
                        (0.09837, -0.08592, -0.1907, 0.1701, -0.02263),
                        (0.0, 3.0),
                        0.038,
                    ),
                ),
            ),
            (
                "ip",
                "i",
                (_gaia("i (SDSS, AB)", (0.293, -0.6404, 0.09609, 0.002104), (0.5, 2.0), 0.041),),
            ),
            ("zs", "z", ()),
        )
    },
    "Y": (_plain("y (Pan-STARRS1, AB)", "y_ps1"),),
    **{b: (_plain(f"{b} (2MASS, Vega)", b),) for b in "JHK"},
    "G": (
        _plain("G (Gaia, Vega)", "G"),
        _plain("r (Pan-STARRS1, AB)", "r_ps1"),
        _plain("V (Johnson, Vega)", "V"),
        _plain("VT (Tycho, Vega)", "VT"),
    ),
    "BP": (_plain("BP (Gaia, Vega)", "BP"),),
    "RP": (_plain("RP (Gaia, Vega)", "RP"),),
}
# Filters that no survey has: tied to the band that is most like them.
LIKE = {
    "CV": "G",
    "L": "G",
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
SLOAN = {"up", "gp", "rp", "ip", "zs", "Y"}
