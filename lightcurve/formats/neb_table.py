"""The table of the nearby-eclipsing-binary check, as TFOP's observers hand it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from lightcurve.columns import NEIGHBOURS
from lightcurve.curve.neb import Disposition, Neighbour
from lightcurve.errors import InputError
from lightcurve.formats.columns import read_table, write_table

TITLE = "TFOP NEB Search Table for:"
COLUMNS = (
    *("Star", "from target", "PA (deg.)", "dmag", "RMS(ppt)", "NEBdepth(ppt)", "NEBdepth/RMS"),
    "Disposition",
)
# Our words -> those of AstroImageJ's macro, which marks what is left to do.
DISPOSITIONS = {
    Disposition.NOT_CLEARED: "***Not Cleared***",
    Disposition.LOW_FLUX: "***Not Cleared-flux too low***",
}


def write_nebs(path: Path, neighbours: Sequence[Neighbour]) -> Path:
    """Write nebs.csv: one row a neighbour."""
    rows = [
        {"star": (row := asdict(n)).pop("star_id"), **row, "disposition": n.disposition.value}
        for n in neighbours
    ]
    return write_table(path, NEIGHBOURS, rows)


def read_neighbours(path: Path) -> list[Neighbour]:
    """Read nebs.csv.

    A number that is not known is NaN.
    """
    table = read_table(path, NEIGHBOURS)
    names = [field.name for field in fields(Neighbour)[1:-1]]
    try:
        dispositions = [Disposition(words) for words in table.words("disposition")]
    except ValueError as error:
        msg = f"{path.name}: {error}"
        raise InputError(msg) from error
    numbers = (map(float, table.numbers(name)) for name in names)
    return [
        Neighbour(*row) for row in zip(table.words("star"), *numbers, dispositions, strict=True)
    ]


def neb_text(base: str, facts: Mapping[str, str], neighbours: Sequence[Neighbour]) -> str:
    """Lay the check out: what it rests on, then a line for each star.

    base: name that the bundle's files begin with; facts: Such as aperture, depth, ingress and
    egress.
    Tab separated; distances in arc seconds.
    """
    lines = [f"{TITLE}\t{base}", *(f"{name}:\t{value}" for name, value in facts.items()), ""]
    lines.append("\t".join(COLUMNS))
    for n in neighbours:
        numbers = (
            f'{n.separation_arcsec:.2f}"', f"{n.position_angle_deg:.1f}", f"{n.delta_mag:.2f}",
            f"{n.rms_ppt:.2f}", f"{n.depth_ppt:.2f}", f"{n.ratio:.2f}",
        )  # fmt: skip
        disposition = DISPOSITIONS.get(n.disposition, n.disposition.value)
        lines.append("\t".join((n.star_id, *numbers, disposition)))
    return "\n".join(lines) + "\n"
