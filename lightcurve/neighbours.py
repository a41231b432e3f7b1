"""The nearby-eclipsing-binary check of a night: its table and its figure."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from lightcurve.columns import NEIGHBOURS
from lightcurve.curve.neb import Neighbour, check_neighbours
from lightcurve.data import Planet
from lightcurve.formats.neb_table import write_nebs
from lightcurve.reduced_night import Night
from lightcurve.report.neb import save_neighbours
from lightcurve.transit.window import mark_transit

log = logging.getLogger(__name__)


def write_neighbours(out: Path, night: Night) -> dict[str, Path]:
    """Check every measured star near the target, and write nebs.csv and a figure.

    out: the run folder.
    Empty where no planet is known, no radius is wanted, or no star is that near.
    """
    radius = night.settings.stars.neb_radius_arcmin
    if night.target.planet is None or not radius:
        return {}
    depth = _known_depth_ppt(night.target.planet)
    found = check_neighbours(
        night.measurements,
        night.curve,
        depth_ppt=depth,
        radius_arcsec=60 * radius,
        in_transit=mark_transit(night.target.planet, night.curve.bjd_tdb),
    )
    log.info("neighbours: %s", describe(found, radius))
    if not found:
        return {}
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    figure = save_neighbours(
        folder / "neighbours.png", found, depth_ppt=depth, radius_arcmin=radius
    )
    table = write_nebs(out / NEIGHBOURS.name, found)
    return {"nebs.csv": table, "figures/neighbours.png": figure}


def describe(found: list[Neighbour], radius_arcmin: float) -> str:
    """Count the dispositions in words."""
    if not found:
        return f"no other star measured within {radius_arcmin:g}'"
    counts = Counter(n.disposition.value for n in found)
    parts = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    return f"{len(found)} within {radius_arcmin:g}': {parts}"


def _known_depth_ppt(planet: Planet) -> float:
    """Depth of its transit, parts per thousand: predicted, for this night may show none."""
    return 1000 * planet.rp_over_rs**2
