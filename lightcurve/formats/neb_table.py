"""The table of the nearby-eclipsing-binary check, as TFOP's observers hand it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from lightcurve.curve.neb import Neighbour
from lightcurve.formats.columns import NEIGHBOURS, read_table

TITLE = "TFOP NEB Search Table for:"
COLUMNS = (
    *("Star", "from target", "PA (deg.)", "dmag", "RMS(ppt)", "NEBdepth(ppt)", "NEBdepth/RMS"),
    "Disposition",
)
# Our words -> those of AstroImageJ's macro, which marks what is left to do.
DISPOSITIONS = {
    "Not cleared": "***Not Cleared***",
    "Not cleared - flux too low": "***Not Cleared-flux too low***",
}


def read_neighbours(path: Path) -> list[Neighbour]:
    """Read nebs.csv.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Neighbour
        A number that is not known is NaN.

    Raises
    ------
    InputError
        When it is missing or not ours.
    """
    table = read_table(path, NEIGHBOURS)
    columns = [
        table.words(n) if n in {"star", "disposition"} else map(float, table.numbers(n))
        for n in ["star", *(field.name for field in fields(Neighbour)[1:])]
    ]
    return [Neighbour(*row) for row in zip(*columns, strict=True)]


def neb_text(base: str, facts: Mapping[str, str], neighbours: Sequence[Neighbour]) -> str:
    """Lay the check out: what it rests on, then a line for each star.

    Parameters
    ----------
    base : str
        Name that the bundle's files begin with.
    facts : mapping of str to str
        Such as aperture, depth, ingress and egress.
    neighbours : sequence of Neighbour

    Returns
    -------
    str
        Tab separated; distances in arc seconds.
    """
    lines = [f"{TITLE}\t{base}", *(f"{name}:\t{value}" for name, value in facts.items()), ""]
    lines.append("\t".join(COLUMNS))
    for n in neighbours:
        numbers = (
            f'{n.separation_arcsec:.2f}"', f"{n.position_angle_deg:.1f}", f"{n.delta_mag:.2f}",
            f"{n.rms_ppt:.2f}", f"{n.depth_ppt:.2f}", f"{n.ratio:.2f}",
        )  # fmt: skip
        disposition = DISPOSITIONS.get(n.disposition, n.disposition)
        lines.append("\t".join((n.star_id, *numbers, disposition)))
    return "\n".join(lines) + "\n"
