"""The stars of a synthetic field, made up or read from any list, and the frame's way to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.core.words import COLUMNS

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.wcs import WCS

__all__ = ["SimTarget"]

WORDS = COLUMNS.catalogs
BRIGHTEST = -2.0  # magnitude; a number below stands for none, in tables that have -99 and the like


@dataclass(frozen=True, slots=True, eq=False)
class StarField:
    """Stars on the sky; ra_deg, dec_deg, mag: (n,) float arrays; ICRS, degrees."""

    ra_deg: np.ndarray
    dec_deg: np.ndarray
    mag: np.ndarray

    def __len__(self) -> int:
        """Count the stars."""
        return len(self.mag)


@dataclass(frozen=True, slots=True)
class SimTarget:
    """The star whose flux varies; magnitude is that of a relative flux of 1."""

    name: str
    ra_deg: float
    dec_deg: float
    mag: float


def frame_wcs(
    center: tuple[float, float],
    at_pixel: tuple[float, float],
    scale_arcsec: float,
    rotation_deg: float = 0.0,
    *,
    mirrored: bool = False,
) -> WCS:
    """Build the gnomonic (TAN) projection of a frame.

    center: right ascension and declination of the tangent point, degrees.
    at_pixel: (x, y), 0-based, where it falls.
    scale_arcsec: per pixel.
    rotation_deg: position angle of the +y axis, from north through east.
    mirrored: when not, east is left where north is up, as on the sky.
    """
    from astropy.wcs import WCS

    cos, sin = np.cos(np.radians(rotation_deg)), np.sin(np.radians(rotation_deg))
    hand = 1.0 if mirrored else -1.0
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = center
    wcs.wcs.crpix = [at_pixel[0] + 1.0, at_pixel[1] + 1.0]
    wcs.wcs.cd = np.array([[hand * cos, sin], [-hand * sin, cos]]) * scale_arcsec / 3600
    wcs.wcs.set()
    return wcs


def make_field(
    rng: np.random.Generator,
    center: tuple[float, float],
    fov: tuple[float, float],
    n_stars: int,
    *,
    mag_range: tuple[float, float] = (9.0, 14.5),
    slope: float = 0.3,
) -> StarField:
    """Make up a field: even on the tangent plane, numbers rising with magnitude.

    center: (ra, dec), degrees.
    fov: (width, height), degrees, along right ascension and declination.
    mag_range: (bright, faint).
    slope: star counts follow N(<m) ~ 10^(slope m); 0.6 for evenly filled space, less in fact.
    Returns the stars, brightest first.
    """
    wcs = frame_wcs(center, (0.0, 0.0), 3600.0)
    x, y = rng.uniform(-0.5, 0.5, (2, n_stars)) * np.array(fov)[:, None]
    ra, dec = wcs.all_pix2world(x, y, 0)
    low, high = 10.0 ** (slope * np.array(mag_range))
    mag = np.sort(np.log10(rng.uniform(low, high, n_stars)) / slope)
    return StarField(ra_deg=np.asarray(ra), dec_deg=np.asarray(dec), mag=mag)


def read_star_list(path: str | Path, max_rows: int | None = None) -> StarField:
    """Read real stars from a table: FITS, ECSV, or text with a header line.

    max_rows: keep so many of the brightest. Returns brightest first; rows without a finite position
    and magnitude (`BRIGHTEST` or fainter) are left out. Raises InputError when the file cannot be
    read, lacks a column or holds no star.
    """
    path = Path(path)
    table = _read_table(path)
    ra, dec = (
        _column(table, WORDS.ra, path, "right ascension"),
        _column(table, WORDS.dec, path, "declination"),
    )
    mag = _column(table, WORDS.magnitudes_of_any_band, path, "magnitude")
    good = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(mag) & (mag >= BRIGHTEST)
    order = np.flatnonzero(good)[np.argsort(mag[good], kind="stable")][:max_rows]
    if not len(order):
        msg = f"{path.name}: no row of {len(mag)} has a position and a magnitude"
        raise InputError(msg)
    return StarField(ra_deg=ra[order], dec_deg=dec[order], mag=mag[order])


def stars_with_target(
    target: SimTarget, field: StarField, *, same_arcsec: float = 2.0
) -> StarField:
    """Put the target before the field's stars, in place of its own entry where it has one.

    same_arcsec : field stars nearer than this to the target are taken to be the target.
    Returns StarField: row 0 is the target.
    """
    turn = (field.ra_deg - target.ra_deg + 180) % 360 - 180
    d_ra = turn * np.cos(np.radians(target.dec_deg))
    other = np.hypot(d_ra, field.dec_deg - target.dec_deg) * 3600 > same_arcsec
    return StarField(
        ra_deg=np.append(target.ra_deg, field.ra_deg[other]),
        dec_deg=np.append(target.dec_deg, field.dec_deg[other]),
        mag=np.append(target.mag, field.mag[other]),
    )


def _read_table(path: Path) -> Table:
    from astropy.table import Table

    suffixes = [suffix.lower() for suffix in path.suffixes]
    try:
        if ".fits" in suffixes or ".fit" in suffixes:
            return Table.read(path, format="fits", hdu=1)
        text = path.read_text(encoding="utf-8")
        kind = "ascii.ecsv" if text.startswith("# %ECSV") else "ascii"
        return Table.read(text.splitlines(), format=kind)
    except (OSError, ValueError, IndexError, UnicodeDecodeError) as error:
        said = (getattr(error, "strerror", None) or str(error)).strip()
        reason = said.splitlines()[0] if said else type(error).__name__
        msg = f"{path.name}: cannot be read as a star list ({reason}); give FITS, ECSV or CSV"
        raise InputError(msg) from error


def _column(table: Table, names: tuple[str, ...], path: Path, what: str) -> np.ndarray:
    """Find the first of `names` in the table, whatever its case, as floats (NaN where empty)."""
    known = {name.lower(): name for name in reversed(table.colnames)}
    for name in names:
        if name.lower() in known:
            there = known[name.lower()]
            column = np.ma.asarray(table[there])
            try:
                return np.ma.filled(column.astype(float), np.nan)
            except (ValueError, TypeError) as error:
                msg = f"{path.name}: column {there} ({what}) holds something not a number"
                raise InputError(msg) from error
    msg = (
        f"{path.name}: no column of {what}; it has {', '.join(table.colnames[:12])}: "
        f"name one {names[0]} or {names[2]}"
    )
    raise InputError(msg)
