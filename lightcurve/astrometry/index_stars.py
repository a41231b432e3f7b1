"""The stars in Astrometry.net index files."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from lightcurve.coordinates import unit_vectors


def index_stars(
    index_files: Sequence[Path], ra_deg: float, dec_deg: float, radius_deg: float
) -> np.ndarray:
    """Read the stars that index files have in one place.

    Returns
    -------
    (n, 2) float array
        RA and Dec, degrees; none twice. Files whose star table is not understood give none.
    """
    # Frames of one night ask for nearly the same place: what is near is read once for them all.
    about = 1.2 ** np.ceil(np.log(max(radius_deg, 0.01)) / np.log(1.2))
    step = about / 2
    dec = round(dec_deg / step) * step
    turn = step / max(np.cos(np.radians(min(abs(dec_deg), 89.0))), 0.02)
    ra = round(ra_deg / turn) * turn
    near = _stars_within(tuple(index_files), ra, float(np.clip(dec, -90, 90)), about + step)
    inside = near @ unit_vectors(ra_deg, dec_deg) > np.cos(np.radians(radius_deg))
    x, y, z = near[inside].T
    return np.column_stack([np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z))])


@lru_cache(maxsize=4)
def _stars_within(
    index_files: tuple[Path, ...], ra_deg: float, dec_deg: float, radius_deg: float
) -> np.ndarray:
    """Directions of the stars in a circle, as (n, 3) array; none twice."""
    centre, least = unit_vectors(ra_deg, dec_deg), np.cos(np.radians(radius_deg))
    found = [np.empty((0, 3))]
    for path in index_files:
        found += [block[block @ centre > least] for block in _star_vectors(path)]
    # The series repeat stars from scale to scale: 1e-7 rad is 0.02 arcsec.
    return np.unique(np.concatenate(found).round(7), axis=0)


def _star_vectors(path: Path, block: int = 1_000_000) -> list[np.ndarray]:
    """Directions of the stars in an index: integers between the bounds of its star tree."""
    from astropy.io import fits

    where = {}
    with fits.open(path, memmap=True) as hdus:
        for hdu in hdus[1:]:
            name = str(hdu.header.get("TTYPE1", "")).strip()
            size = hdu.header["NAXIS1"], hdu.header["NAXIS2"]
            where[name] = (hdu.fileinfo()["datLoc"], *size)
    if not {"kdtree_data_stars", "kdtree_range_stars"} <= set(where):
        return []
    offset, width, n = where["kdtree_data_stars"]
    kind = {6: "<u2", 12: "<u4", 24: "<f8"}.get(width)
    if kind is None or n == 0:
        return []
    data = np.memmap(path, dtype=kind, mode="r", offset=offset, shape=(n, 3))
    if kind == "<f8":
        return [data[k : k + block] for k in range(0, n, block)]
    with path.open("rb") as file:
        file.seek(where["kdtree_range_stars"][0])
        low_x, low_y, low_z, *_, scale = struct.unpack("<7d", file.read(56))
    low = np.array([low_x, low_y, low_z])
    return [data[k : k + block] / scale + low for k in range(0, n, block)]
