"""The second story: one frame in, a calibrated, cross-matched catalogue out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lightcurve.core.data import Masters
from lightcurve.core.errors import SolveError
from lightcurve.core.progress import Clock, open_log
from lightcurve.core.settings import Settings
from lightcurve.image.calibrate import calibrate_sources
from lightcurve.image.folder import claimed, state_of
from lightcurve.image.locate import Sighted
from lightcurve.image.prepare import calibrate_frame, map_background
from lightcurve.image.reduced import Reduced
from lightcurve.image.sky import find_standards, locate, not_solved
from lightcurve.image.sources import (
    choose_apertures,
    detect_sources,
    fit_point_spread,
    gather_sources,
    measure_apertures,
    measure_seeing,
)
from lightcurve.image.table import source_table
from lightcurve.image.transients import search_transients
from lightcurve.image.write import write_products

__all__ = ["measure_image", "reduce_image"]


def reduce_image(
    path: Path, settings: Settings, out: Path, *, masters: Masters | None = None
) -> Reduced:
    """Turn one frame into a calibrated, cross-matched catalogue, and write it.

    Parameters
    ----------
    path : Path
        Raw or calibrated; never changed.
    out : Path
        Folder for what it gives; made if it is not there. What this frame gave before is removed
        from it, also when it fails now.
    masters : Masters, optional
        Already read; else those of the settings' folder, if any.

    Raises
    ------
    LightcurveError
        Whatever stands in the way, in one line.
    """
    clock = Clock()
    # Before anything is measured: a frame that changes meanwhile is one that has changed.
    state = state_of(path, settings)
    with open_log(out), claimed(out, path):
        reduced = measure_image(path, settings, clock, masters=masters)
        return replace(reduced, products=write_products(out, reduced, clock, state))


def measure_image(
    path: Path,
    settings: Settings,
    clock: Clock,
    *,
    masters: Masters | None = None,
    like: Sighted | None = None,
) -> Reduced:
    """Turn one frame into a calibrated, cross-matched catalogue, as `reduce_image` writes it.

    like: a frame by whose stars this one is placed on the sky, where it shows the same.
    """
    with clock("calibrate"):
        reading = calibrate_frame(path, settings, masters)
        prepared = map_background(reading, settings)
    with clock("measure"):
        seeing = measure_seeing(prepared)
        apertures = choose_apertures(seeing.fwhm, settings)
        found = detect_sources(prepared, seeing, settings.image)
        phot = measure_apertures(prepared, found.x, found.y, apertures, settings)
        spread = fit_point_spread(prepared, phot, apertures, seeing, settings.image)
        sources = gather_sources(prepared, found, phot, spread, apertures, seeing, settings)
    try:
        sky = locate(prepared, sources, settings, clock, like)
    except SolveError as error:
        sky = not_solved(prepared, sources, error)
    with clock("zero point"):
        standards, notes = find_standards(prepared, sources, sky, settings)
        calibrated = calibrate_sources(prepared, sources, sky.placed, standards, settings)
    with clock("cross-match"):
        pairs = {name: sky.placed.match(one) for name, one in sky.known.catalogs.items()}
        table = source_table(sources, sky.placed, calibrated, sky.known.catalogs, pairs)
        transients = search_transients(
            sources, sky.placed, calibrated, sky.known, pairs, wanted=settings.image.transients
        )
    return Reduced(
        prepared=prepared,
        sources=sources,
        placed=sky.placed,
        known=sky.known,
        pairs=pairs,
        calibrated=calibrated,
        transients=transients,
        table=table,
        settings=settings,
        assumed=(*sky.notes, *notes),
    )
