"""The story of light from space: files or a name in, light curves and the transits in them out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tomli_w

from lightcurve.catalogs.mast import MastWish
from lightcurve.core.data import Planet, Products
from lightcurve.core.data.curves import NOTHING_WRITTEN
from lightcurve.core.errors import FitError
from lightcurve.core.files import write_text
from lightcurve.core.progress import Progress, open_log, silent, stage
from lightcurve.core.settings import Settings
from lightcurve.season.nights import Told
from lightcurve.season.story import Season, join_season
from lightcurve.setup.target import find_target
from lightcurve.space.products import (
    draw_pixels,
    draw_season,
    draw_sectors,
    summarise,
    write_curve,
    write_page,
    write_summary,
)
from lightcurve.space.take import SpaceCurve, check_one_star, gather, take_all
from lightcurve.tables.light_curves import ColumnChoice
from lightcurve.transit.fit_values import planet_values
from lightcurve.transit.search import Box, box_planet, search_transits

__all__ = ["SpaceRun", "follow_star"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class SpaceRun:
    """A star seen from space.

    Attributes
    ----------
    curves : tuple of SpaceCurve
        In the order of time.
    planet : Planet or None
        Whose transits were looked for; None where none were found without one.
    box : Box or None
        What the search found, where there was one.
    season : Season or None
        Of all transits; None where there is none.
    """

    curves: tuple[SpaceCurve, ...]
    planet: Planet | None
    box: Box | None
    season: Season | None
    products: Products = NOTHING_WRITTEN


def follow_star(
    inputs: Sequence[str],
    settings: Settings,
    out: Path,
    choice: ColumnChoice | None = None,
    *,
    wish: MastWish | None = None,
    progress: Progress = silent,
) -> SpaceRun:
    """Take light curves of a star from files of space telescopes, and time its transits.

    Parameters
    ----------
    inputs : sequence of str
        Light-curve files, target pixel files, cut-outs, and folders of them, of one star; or its
        name alone, for which files are fetched from MAST.
    settings : Settings
        Its target, fit and seed are used. Without a planet its transits are searched for.
    out : Path
        Gets a light curve of each, and what a season leaves; made if need be.
    choice : ColumnChoice, optional
        Which columns are meant.
    wish : MastWish, optional
        What is fetched for a name; by default the best light curve of each sector.

    Raises
    ------
    InputError
        When no file can be read, or they are of several stars.
    CatalogError
        When files cannot or may not be fetched.
    """
    choice = choice or ColumnChoice()
    with open_log(out):
        files, settings = gather(inputs, settings, out, wish or MastWish())
        curves = take_all(files, choice, progress)
        check_one_star(curves)
        with stage("looking for the planet"):
            planet, box = find_planet(curves, settings)
        if planet is None:  # else the season tells it
            for one in curves:
                for note in one.notes:
                    log.info("%s: %s", one.label, note)
        written = {f"lightcurves/{one.label}.fits": write_curve(out, one) for one in curves}
        if planet is not None and box is not None:
            path = out / "planet.toml"
            written["planet.toml"] = write_text(path, tomli_w.dumps(planet_values(planet)))
            target = settings.target.model_copy(update={"planet_file": path, "name": ""})
            settings = settings.model_copy(update={"target": target})
        season = None
        if planet is not None:
            season = time_transits(curves, settings, out, choice, progress)
        with stage("drawing"):
            written |= draw_pixels(out, curves)
            written |= draw_sectors(out, curves, planet, season)
            written |= draw_season(out, season)
            if season is not None:
                written["report.html"] = write_page(out, curves, season, written)
    run = SpaceRun(curves, planet, box, season)
    return finish(run, out, written)


def find_planet(
    curves: Sequence[SpaceCurve], settings: Settings
) -> tuple[Planet | None, Box | None]:
    """Find whose transits are looked for: as the settings say, else by a search of all curves."""
    if settings.target.planet_file or settings.target.name:
        planet = find_target(settings.target, settings.catalogs).planet
        if planet is not None:
            return planet, None
        log.info("%s is not known as a planet: its transits are searched for", settings.target.name)
    time = np.concatenate([one.curve.bjd_tdb[one.good] for one in curves])
    flux = np.concatenate([one.curve.flux[one.good] for one in curves])
    order = np.argsort(time)
    box = search_transits(time[order], flux[order])
    if box is None or not box.found:
        log.info("no transits found by boxes")
        return None, box
    log.info(
        "transits found by boxes: period %.6g d, T0 %.5f, depth %.3g %%, %.3g h long, %d of them",
        box.period, box.t0, 100 * box.depth, 24 * box.duration, box.transits,
    )  # fmt: skip
    star = next((one for one in curves if one.place), curves[0])
    name = star.told.get("OBJECT") or star.label
    return box_planet(box, f"{name} (found)", *(star.place or (0.0, 0.0))), box


def time_transits(
    curves: Sequence[SpaceCurve],
    settings: Settings,
    out: Path,
    choice: ColumnChoice,
    progress: Progress,
) -> Season | None:
    """Fit all transits, each by itself and together; None where none shows."""
    try:
        return join_season(
            [one.path for one in curves], settings, out, Told(choice), progress=progress
        )
    except FitError as error:
        log.warning("%s", error)
        return None


def finish(run: SpaceRun, out: Path, written: dict[str, Path]) -> SpaceRun:
    """Collect what was written, and what of it is worth printing."""
    summary = summarise(run)
    written["summary.json"] = write_summary(out, run, summary)
    season = run.season.products.paths if run.season else {}
    return replace(run, products=Products(out, {**season, **written}, {}, summary))
