"""Which catalogued stars are fit to be standards, and why the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.catalogs.layout import Catalog
from lightcurve.catalogs.services import SERVICES
from lightcurve.core.coordinates import unit_vectors

__all__ = ["unfit"]


@dataclass(frozen=True, slots=True)
class Cuts:
    """Limits for standards."""

    # renormalised unit weight error; above 1.4 a star is likely double (Lindegren 2018)
    max_ruwe: float = 1.4
    max_mag_err: float = 0.1
    colour: tuple[float, float] = (-3.0, 3.0)  # lowest and highest
    min_detections: float = 2
    # light of other stars within this radius is counted against a star; 0 for no test
    neighbour_arcsec: float = 10.0
    max_neighbour_flux: float = 0.02  # fraction of the star's own


DEFAULT = Cuts()


def unfit(
    catalog: Catalog,
    mag: np.ndarray,
    mag_err: np.ndarray,
    colour: np.ndarray,
    cuts: Cuts = DEFAULT,
    *,
    flags: Sequence[str] = (),
) -> np.ndarray:
    """Say of each star why it is not a standard.

    A value that a catalogue does not have is not held against its stars.

    Parameters
    ----------
    mag, mag_err, colour : (n,) arrays
        In the band wanted; the colour may be NaN.
    flags : sequence of str
        Columns that are 1 where a band is sound (Gaia synthetic photometry).

    Returns
    -------
    (n,) str array
        The first reason, empty for a standard.
    """
    number = catalog.number
    sound = [number(name) for name in flags]
    unsound = np.any([np.isfinite(one) & (one != 1) for one in sound], axis=0) if sound else False
    tests = (
        ("no magnitude", ~np.isfinite(mag)),
        ("saturated in the survey", mag < _saturation_mag(catalog)),
        ("magnitude not sound", np.broadcast_to(unsound, len(catalog))),
        ("error too large", mag_err > cuts.max_mag_err),
        ("variable", catalog.text("variable") == "VARIABLE"),
        ("likely double (RUWE)", number("ruwe") > cuts.max_ruwe),
        ("colour", (colour < cuts.colour[0]) | (colour > cuts.colour[1])),
        ("blended or extended (BP, RP excess)", _excess(catalog)),
        ("galaxy", _extended(catalog)),
        ("seen once", number("n_detections") < cuts.min_detections),
        ("neighbours", _crowded(catalog, mag, cuts)),
    )
    reasons = np.full(len(catalog), "", dtype="U40")
    for reason, fails in reversed(tests):
        reasons[fails] = reason
    return reasons


def _saturation_mag(catalog: Catalog) -> float:
    known = SERVICES.entries.get(catalog.name)
    return -np.inf if known is None else known.saturation_mag


def _excess(catalog: Catalog) -> np.ndarray:
    """Tell stars whose BP and RP hold light that G does not: 3 sigma of Riello et al. 2021, eq. 18.

    sigma = 0.0059898 + 8.817481e-12 G^7.618399
    """
    g = catalog.number("g_mag")
    sigma = 0.0059898 + 8.817481e-12 * np.abs(g) ** 7.618399
    return np.abs(catalog.number("c_star")) > 3 * sigma


def _extended(catalog: Catalog) -> np.ndarray:
    """Tell galaxies by what each survey says: class, likeness, or PSF less Kron magnitude."""
    point_less_kron = catalog.number("r_mag") - catalog.number("r_kron_mag")
    return (
        (catalog.number("class") == 3)
        | (catalog.number("star_likeness") < 0.5)
        | (point_less_kron > 0.1)
    )


def _crowded(catalog: Catalog, mag: np.ndarray, cuts: Cuts) -> np.ndarray:
    """Tell stars with too much light of others within the radius."""
    from scipy.spatial import cKDTree

    crowded = np.zeros(len(catalog), dtype=bool)
    bright = np.flatnonzero(np.isfinite(mag))
    if cuts.neighbour_arcsec <= 0 or len(bright) < 2:
        return crowded
    tree = cKDTree(unit_vectors(catalog.ra_deg[bright], catalog.dec_deg[bright]))
    reach = 2 * np.sin(np.radians(cuts.neighbour_arcsec / 3600) / 2)
    pairs = tree.query_pairs(reach, output_type="ndarray")
    flux = 10 ** (-0.4 * (mag[bright] - np.min(mag[bright])))
    others = np.bincount(pairs[:, 0], flux[pairs[:, 1]], minlength=len(bright))
    others += np.bincount(pairs[:, 1], flux[pairs[:, 0]], minlength=len(bright))
    crowded[bright] = others > cuts.max_neighbour_flux * flux
    return crowded
