"""Tell whether the star of a table is the planet's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.coordinates import degrees_apart
from lightcurve.data import Planet
from lightcurve.errors import InputError
from lightcurve.formats.aij_table import read_aij_table
from lightcurve.formats.curves import Choice, is_ours

SAME_STAR_DEG = 0.1  # wide of all proper motions and of a plate solution gone slightly wrong


def check_place(path: Path, choice: Choice, planet: Planet) -> None:
    """Refuse a table whose star is not the planet's.

    Parameters
    ----------
    path : Path
        Of the table; only those of AstroImageJ say where their stars are.

    Raises
    ------
    InputError
        When they are more than 0.1 deg apart.
    """
    if is_ours(path, choice):
        return
    table = read_aij_table(path, columns=choice.columns or None)
    ra, dec = (table.star(name, choice.target) for name in ("RA", "DEC"))
    if not (np.isfinite(ra).any() and np.isfinite(dec).any()):
        return
    place = 15 * float(np.nanmedian(ra)), float(np.nanmedian(dec))
    apart = degrees_apart(place, (planet.ra_deg, planet.dec_deg))
    if 0 <= place[0] < 360 and abs(place[1]) <= 90 and apart > SAME_STAR_DEG:
        msg = (
            f"{path.name}: star {choice.target} is at {place[0]:.4f} {place[1]:+.4f} deg, "
            f"{planet.name} of the planet file {apart:.3g} deg away: another star's --planet?"
        )
        raise InputError(msg)
