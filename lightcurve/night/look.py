"""Any light curve looked at without a planet: its scatter, its trend and its figure."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

from lightcurve.core.data import Figures, Products, Result
from lightcurve.core.files import json_text, write_text
from lightcurve.core.progress import open_log
from lightcurve.night.drawing import draw_wanted
from lightcurve.night.finished import Finished
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.look import look_at_curve

__all__ = ["look_at_table"]

log = logging.getLogger(__name__)


def look_at_table(
    path: Path, out: Path, choice: ColumnChoice, *, figures: Figures = Figures.ALL
) -> Products:
    """Look at a light curve of any source, and write its numbers and figures into a folder.

    Raises InputError where the table cannot be read, or has too few points.
    """
    with open_log(out):
        curve = read_curve(path, choice, any_scale=True)
        look = look_at_curve(curve)
        for note in curve.source.notes if curve.source else ():
            log.info("%s", note)
        drawn = draw_wanted(out / "figures", Finished(curve, {}, name=path.name), figures)
        numbers = write_text(
            out / "look.json", json_text({"table": path.name, "look": asdict(look)}, 2)
        )
    points = Result(look.points, "", "points", f"{look.points} of {len(curve.flux)}")
    summary = {"points": points, **look.results()}
    paths = {"look.json": numbers}
    paths |= {f"figures/{figure.name}": figure for figure in drawn.values()}
    return Products(out, paths, {}, summary)
