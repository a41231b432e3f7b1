"""Limb darkening of a star in a filter, from model atmospheres, and how far to trust it.

The table holds the quadratic law fitted to the ATLAS intensities of Claret & Bloemen (2011,
A&A 529, A75; SDSS: Claret 2004, A&A 428, 1001), by temperature, gravity, [Fe/H] and band
(`benchmarks/limb_darkening.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

__all__ = ["WAVELENGTH_NM", "from_kipping", "limb_darkening_prior"]

FILE = Path(__file__).with_suffix(".npz")
HC_OVER_K = 1.438777e7  # nm K
# Effective wavelengths, nm. Unfiltered CCDs peak in the red; the names are those of `Exposure`.
WAVELENGTH_NM = {
    "U": 365, "B": 440, "V": 550, "R": 640, "Rc": 640, "I": 790, "Ic": 790, "up": 355, "gp": 475,
    "rp": 622, "ip": 763, "zp": 905, "zs": 870, "z": 900, "i": 763, "r": 622, "g": 475, "J": 1250,
    "H": 1650, "K": 2200, "Ks": 2160, "TB": 460, "TG": 530, "TR": 610, "CV": 600, "CR": 640,
    "Clear": 600, "I+z": 850, "CBB": 650, "TESS": 790, "L": 550, "G": 640,
    "BP": 520, "RP": 780, "Y": 1000, "Kepler": 640, "HA": 656, "OIII": 501, "SII": 672,
}  # fmt: skip
# Bands of the table under another name.
SAME = {
    "Rc": "R", "Ic": "I", "Ks": "K", "zs": "zp", "z": "zp", "i": "ip", "r": "rp", "g": "gp",
}  # fmt: skip
# Light that no band of the table has alone: the bands it is made of, each with its share of a flat
# spectrum (response times width). CCDs lose a quarter to a half of the blue and the far red.
CCD = {"gp": 0.75 * 140, "rp": 0.9 * 140, "ip": 0.7 * 150, "zp": 0.35 * 120}
BROAD = {
    "CV": CCD,
    "CR": CCD,
    "Clear": CCD,
    "CBB": CCD | {"gp": 0.75 * 50},  # from 500 nm on
    "L": {"B": 40.0, "gp": 120.0, "V": 30.0, "rp": 130.0},
    "TESS": {"rp": 0.5 * 90, "ip": 150.0, "zp": 0.9 * 150},  # 600 to 1000 nm
    "G": {"B": 0.5 * 70, "gp": 0.7 * 120, "rp": 0.72 * 140, "ip": 0.68 * 150, "zp": 0.4 * 150},
    "BP": {"B": 0.6 * 80, "gp": 0.7 * 130, "V": 0.7 * 50, "rp": 0.7 * 100},
    "RP": {"rp": 0.5 * 60, "ip": 0.75 * 150, "zp": 0.5 * 150},
    "I+z": {"ip": 0.6 * 100, "zp": 0.5 * 150},
}  # fmt: skip
LADDER = ("U", "B", "gp", "V", "rp", "R", "ip", "I", "zp", "J", "H", "K")  # by wavelength
UNFILTERED = "Clear"
# What is taken for a star of which nothing is known: the Sun, give or take what most hosts are.
TYPICAL = {"teff_k": (5772.0, 1000.0), "logg": (4.4, 0.3), "feh": (0.0, 0.2)}
# One sigma of a value given without its error.
PLAIN_ERROR = {"teff_k": 100.0, "logg": 0.1, "feh": 0.1}
# Of q1 and q2. Measured limb darkening lies 0.05 to 0.2 in u1 and u2 from that of any models
# (Espinoza & Jordan 2015, MNRAS 450, 1879; Patel & Espinoza 2022, AJ 163, 228).
FLOOR = 0.1
COOL_FLOOR, COOL_K = 0.2, 4500.0  # molecules: models differ by twice as much
BEYOND = {"teff_k": 0.1 / 500, "logg": 0.1, "feh": 0.05}  # more for each unit beyond the table
WORDS = {"teff_k": "{:.0f} K", "logg": "logg {:.2f}", "feh": "[Fe/H] {:+.2f}"}


@dataclass(frozen=True, slots=True, eq=False)
class LimbTable:
    """Quadratic coefficients of each band: (band, feh, logg, teff, 2)."""

    bands: tuple[str, ...]
    axes: Mapping[str, np.ndarray]  # of feh, logg and teff_k, ascending
    cells: np.ndarray

    def quadratic(
        self, shares: Mapping[str, float], teff_k: float, logg: float, feh: float
    ) -> tuple[float, float]:
        """Interpolate u1 and u2 of light made of bands; beyond the table its edge is taken."""
        rows = [self.bands.index(band) for band in shares]
        cells = np.tensordot(np.array(list(shares.values())), self.cells[rows], axes=1)
        for axis, value in zip(self.axes.values(), (feh, logg, teff_k), strict=True):
            place = float(np.interp(value, axis, np.arange(len(axis))))
            low = min(int(place), len(axis) - 2)
            cells = cells[low] + (place - low) * (cells[low + 1] - cells[low])
        return float(cells[0]), float(cells[1])

    def nearest(self, name: str, value: float) -> float:
        """Give the value of the table nearest to one."""
        axis = self.axes[name]
        return float(np.clip(value, axis[0], axis[-1]))

    def beyond(self, name: str, value: float) -> float:
        """Tell how far a value lies beyond the table; 0 inside."""
        return abs(value - self.nearest(name, value))


@cache
def the_table() -> LimbTable:
    """Read the table that comes with the package."""
    with np.load(FILE) as held:
        axes = {"feh": held["feh"], "logg": held["logg"], "teff_k": held["teff"]}
        return LimbTable(tuple(held["bands"].tolist()), axes, held["cells"] * held["unit"])


def limb_darkening_prior(
    teff_k: float | None,
    filter_name: str | None,
    *,
    logg: float | None = None,
    feh: float | None = None,
    errors: Mapping[str, float] | None = None,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Expect Kipping's q1 and q2 of a star in a filter.

    Parameters
    ----------
    teff_k : float or None
        Of the star; what is not known of it is taken as the Sun's, with a wide error.
    filter_name : str or None
        A key of `WAVELENGTH_NM`; light without a filter is assumed where it is none.
    logg, feh : float or None
        Of the star.
    errors : mapping of str to float, optional
        One sigma of ``teff_k``, ``logg`` and ``feh``.

    Returns
    -------
    centre, width : (2,) float arrays
        q1, q2 (Kipping 2013, MNRAS 435, 2152), and one sigma: 0.1, or 0.2 for a star below 4500 K,
        by which models and stars differ, with the errors of the star's values, and more where these
        lie beyond the table.
    note : str
        What was assumed.
    """
    given = {"teff_k": teff_k, "logg": logg, "feh": feh}
    known = {name: value for name, value in given.items() if value is not None}
    star = {name: value for name, (value, _) in TYPICAL.items()} | known
    sigma = {
        name: (errors or {}).get(name) or PLAIN_ERROR[name] if name in known else TYPICAL[name][1]
        for name in star
    }
    table = the_table()
    shares, band = band_shares(filter_name, star["teff_k"])
    beyond = {name: table.beyond(name, value) for name, value in star.items()}
    u1, u2 = table.quadratic(shares, **star)
    floor = COOL_FLOOR if star["teff_k"] < COOL_K else FLOOR
    parts = [np.full(2, floor + sum(BEYOND[name] * far for name, far in beyond.items()))]
    for name, value in star.items():
        sides = [
            to_kipping(*table.quadratic(shares, **{**star, name: value + step}))
            for step in (-sigma[name], sigma[name])
        ]
        parts.append((sides[1] - sides[0]) / 2)
    width = np.sqrt(np.sum(np.square(parts), axis=0))
    words = [
        WORDS[name].format(star[name]) + ("" if name in known else " (assumed)") for name in star
    ]
    outside = [WORDS[name].format(table.nearest(name, star[name])) for name in star if beyond[name]]
    edge = f", beyond the table: taken at {', '.join(outside)}" if outside else ""
    note = (
        f"limb darkening: quadratic, ATLAS models (Claret & Bloemen 2011), {band}, star of "
        f"{', '.join(words)}{edge}: u1 {u1:.2f}, u2 {u2:.2f}; prior width {width[0]:.2f} in q1, "
        f"{width[1]:.2f} in q2"
    )
    return to_kipping(u1, u2), width, note


def star_quadratic(
    filter_name: str, teff_k: float = 5772.0, logg: float = 4.4, feh: float = 0.0
) -> tuple[float, float]:
    """Expect u1 and u2 of a star in a filter."""
    shares, _ = band_shares(filter_name, teff_k)
    return the_table().quadratic(shares, teff_k, logg, feh)


def band_shares(filter_name: str | None, teff_k: float) -> tuple[dict[str, float], str]:
    """Tell which bands of the table a filter's light is made of, their shares, and words of it.

    A filter that is none of them and no broad one lies between two bands, by its wavelength.
    """
    if filter_name in SAME or filter_name in the_table().bands:
        return {SAME.get(filter_name, filter_name): 1.0}, filter_name
    if filter_name in BROAD:
        parts = BROAD[filter_name]
        return _weighted(parts, teff_k), f"{filter_name} (made of {', '.join(parts)})"
    if filter_name in WAVELENGTH_NM:
        nm = WAVELENGTH_NM[filter_name]
        above = next(k for k, band in enumerate(LADDER) if WAVELENGTH_NM[band] > nm)
        low, high = LADDER[above - 1 : above + 1]
        share = (nm - WAVELENGTH_NM[low]) / (WAVELENGTH_NM[high] - WAVELENGTH_NM[low])
        return {low: 1 - share, high: share}, f"{filter_name} ({nm} nm, between {low} and {high})"
    unknown = f"filter {filter_name!r} is unknown" if filter_name else "no filter is known"
    return _weighted(BROAD[UNFILTERED], teff_k), f"{unknown}: taken as light without filter"


def _weighted(parts: Mapping[str, float], teff_k: float) -> dict[str, float]:
    """Weight bands by the photons of a black body; the shares sum to 1."""
    photons = {
        band: share * WAVELENGTH_NM[band] ** -4.0
        / math.expm1(HC_OVER_K / WAVELENGTH_NM[band] / teff_k)
        for band, share in parts.items()
    }  # fmt: skip
    total = sum(photons.values())
    return {band: value / total for band, value in photons.items()}


def fit_quadratic(mu: np.ndarray, loss: np.ndarray) -> tuple[float, float]:
    """Fit u1, u2 to the light lost at mu, (n,) each, that of the centre being 1.

    I(mu)/I(1) = 1 - u1 (1 - mu) - u2 (1 - mu)^2, each part of the disc by its area, mu d mu.
    """
    design = np.column_stack([1 - mu, (1 - mu) ** 2])
    root = np.sqrt(mu)
    u1, u2 = np.linalg.lstsq(design * root[:, None], loss * root, rcond=None)[0]
    return float(u1), float(u2)


def to_kipping(u1: float, u2: float) -> np.ndarray:
    """Turn quadratic coefficients into Kipping's, kept inside 0.01 to 0.99.

    q1 = (u1 + u2)^2 and q2 = u1 / (2 (u1 + u2)).
    """
    total = max(u1 + u2, 1e-6)
    return np.clip([total**2, 0.5 * u1 / total], 0.01, 0.99)


def from_kipping(q1: float, q2: float) -> tuple[float, float]:
    """Turn Kipping's coefficients, any pair between 0 and 1, into the quadratic ones."""
    root = float(np.sqrt(q1))
    return 2 * root * q2, root * (1 - 2 * q2)
