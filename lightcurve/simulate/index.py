"""The star list behind a synthetic field, as a catalogue that a pattern matcher reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.simulate.sky import StarField


def write_catalog(path: str | Path, stars: StarField) -> Path:
    """Write stars as a FITS table with the columns RA, DEC (deg, ICRS) and MAG.

    Parameters
    ----------
    path : path-like
        Overwritten where it is there.
    stars : StarField

    Returns
    -------
    Path
    """
    from astropy.io import fits

    order = np.argsort(stars.mag, kind="stable")
    columns = [
        fits.Column("RA", "D", unit="deg", array=stars.ra_deg[order]),
        fits.Column("DEC", "D", unit="deg", array=stars.dec_deg[order]),
        fits.Column("MAG", "D", unit="mag", array=stars.mag[order]),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="STARS")
    table.writeto(path, overwrite=True)
    return Path(path)
