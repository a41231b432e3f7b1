"""What is known to be where a frame looks: catalogues by hand, services, standard stars."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from lightcurve.catalogs.bands import (
    LIKE,
    RECIPES,
    Recipe,
    bands_of,
    colour,
    magnitudes,
    recipe_for,
    sources_for,
    standard_filter,
)
from lightcurve.catalogs.layout import Catalog, Field, Outcome, Role, ServiceReport
from lightcurve.catalogs.services import SERVICES, query
from lightcurve.catalogs.standard_stars import unfit
from lightcurve.core.coordinates import format_coordinates
from lightcurve.core.data import Solution
from lightcurve.core.errors import InputError, SolveError
from lightcurve.core.progress import Clock
from lightcurve.core.settings import STANDARDS, ImageSettings, Settings
from lightcurve.frames.kinds import normalise_filter
from lightcurve.image.locate import field_of, nowhere, place_sources, solve_frame
from lightcurve.image.reduced import Known, OnSky, Placed, Prepared, Sources, Standards

log = logging.getLogger(__name__)
FIELD_MOVED = 0.04  # of its radius; the cone has so much to spare
MIN_STANDARDS = 5  # in the whole field; with fewer the next catalogue is looked at


def locate(prepared: Prepared, sources: Sources, settings: Settings, clock: Clock) -> OnSky:
    """Solve a frame, ask the catalogues what is there, and refine the solution with the answers."""
    with clock("solve"):
        solution = solve_frame(prepared, settings)
    with clock("catalogues"):
        field, known, notes = look_up(prepared, solution, settings)
    try:
        placed = place_sources(sources, solution, known.catalogs, prepared.shape)
    except SolveError as refuted:
        # Nothing had checked that WCS before: the solvers after it may put it right.
        with besides(refuted):
            return locate(prepared, sources, later_solvers(settings, solution, refuted), clock)
    if placed.solution is not None and has_moved(field, placed, prepared.shape):
        # So far off was the header's WCS that part of the frame has not been asked about.
        notes += placed.notes
        with clock("catalogues"):
            field, known, _ = look_up(prepared, placed.solution, settings)
        placed = place_sources(sources, placed.solution, known.catalogs, prepared.shape)
    return OnSky(placed, known, field, notes)


def look_up(
    prepared: Prepared, solution: Solution, settings: Settings
) -> tuple[Field, Known, tuple[str, ...]]:
    """Ask catalogues and services what is on a frame; tell what was assumed for that."""
    field, notes = field_of(prepared, solution, settings.image.mpc_code)
    band, _ = wanted_band(prepared.frame.exposure.filter, settings.image)
    preferred = prepared.frame.exposure.standards
    return field, ask(field, band, settings, preferred), notes


def ask(field: Field, band: str, settings: Settings, preferred: str | None = None) -> Known:
    """Read the catalogues given by hand and ask the services.

    band: for which standards are wanted. preferred: the service that the camera's profile names.
    Raises InputError when a catalogue file cannot be read or a service is not known.
    """
    files = tuple(f"file{n or ''}" for n in (0, *range(2, len(settings.catalogs.files) + 1)))
    by_hand = files if settings.catalogs.files else ()
    names = services_for(band, field.dec_deg, settings, preferred, given=bool(by_hand))
    catalogs, reports = query(names, field, settings.catalogs)
    _tell(reports)
    return Known(catalogs, tuple(reports), tuple(name for name in by_hand if name in catalogs))


def _tell(reports: Sequence[ServiceReport]) -> None:
    """Log what each service gave; those skipped for the same reason in one line."""
    skipped: dict[str, list[str]] = {}
    for report in reports:
        if report.status == Outcome.SKIPPED:
            skipped.setdefault(report.reason, []).append(report.title)
            continue
        reason = f" ({report.reason})" if report.reason else ""
        log.info("%s: %s, %d rows%s", report.title, report.status, report.n, reason)
    for reason, titles in skipped.items():
        log.info("not asked (%s): %s", reason, ", ".join(titles))


def services_for(
    band: str, dec_deg: float, settings: Settings, preferred: str | None = None, *, given: bool
) -> Sequence[str]:
    """Choose the services to ask.

    preferred: first asked for standards, where it has the band and the field.
    given: a catalogue was given by hand; no other is asked for standards unless it is named.
    Raises InputError when the catalogue of standards named in the settings has no magnitudes.
    """
    image = settings.image
    with_bands = [service.name for service in SERVICES if service.bands]
    if image.standards is not None and image.standards not in with_bands:
        msg = f"--standards {image.standards!r}: with magnitudes there are {', '.join(with_bands)}"
        raise InputError(msg)
    wanted = (
        ()
        if given and image.standards is None
        else catalogs_for(band, dec_deg, image, preferred)[:2]
    )
    if image.services is None:
        always = (s.name for s in SERVICES if s.always or s.role is not Role.STARS)
        return tuple(dict.fromkeys((*wanted, *always)))
    named = () if image.standards is None else (image.standards,)
    asked = ((name,) if name != STANDARDS else wanted for name in image.services)
    return tuple(dict.fromkeys((*(name for names in asked for name in names), *named)))


def find_standards(
    prepared: Prepared, sky: OnSky, settings: Settings
) -> tuple[Standards | None, tuple[str, ...]]:
    """Choose the stars of the zero point; tell what was assumed, and what asked for in vain."""
    if sky.field is None:
        return None, ()
    centre = sky.placed.centre_deg(prepared.shape)
    log.info("centre: %.6f %+.6f deg, %s", *centre, format_coordinates(*centre))
    band, assumed = wanted_band(prepared.frame.exposure.filter, settings.image)
    preferred = prepared.frame.exposure.standards
    order = order_of(sky.known.by_hand, band, sky.field.dec_deg, settings.image, preferred)
    standards = choose_standards(sky.known.catalogs, band, order)
    vain = named_in_vain(settings.image, standards)
    if assumed and standards is not None:
        assumed += f": magnitudes are tied to {standards.band} of {standards.catalog.title}"
    return standards, tuple(note for note in (assumed, vain) if note)


def has_moved(field: Field, placed: Placed, shape: tuple[int, int]) -> bool:
    """Tell whether the middle of the frame is too far from that of the field."""
    ra, dec = placed.centre_deg(shape)
    along = ((ra - field.ra_deg + 180) % 360 - 180) * np.cos(np.radians(dec))
    return float(np.hypot(along, dec - field.dec_deg) / field.radius_deg) > FIELD_MOVED


def later_solvers(settings: Settings, solution: Solution, refuted: SolveError) -> Settings:
    """Leave out the solver that was refuted and those before it; the error where none is left."""
    names = settings.solve.solvers
    later = names[names.index(solution.solver) + 1 :]
    if not later:
        raise refuted
    return settings.model_copy(
        update={"solve": settings.solve.model_copy(update={"solvers": later})}
    )


@contextmanager
def besides(first: SolveError) -> Iterator[None]:
    """Name an earlier failure beside a later one."""
    try:
        yield
    except SolveError as error:
        if error is first:
            raise
        msg = f"{first}; {error.reason}"
        raise SolveError(msg, n_detected=first.n_detected, n_catalog=first.n_catalog) from error


def not_solved(prepared: Prepared, sources: Sources, error: SolveError) -> OnSky:
    """Go on without a place on the sky, saying why."""
    reason = error.reason
    log.error("%s: not solved: %s", prepared.frame.path.name, reason)
    return OnSky(nowhere(len(sources), reason), Known({}, (), ()), None, (f"not solved: {reason}",))


def wanted_band(filter_name: str | None, settings: ImageSettings) -> tuple[str, str]:
    """Settle the band of the magnitudes.

    Returns band, a key of `lightcurve.catalogs.bands.RECIPES`, and note: what was assumed; empty
    for nothing. Raises InputError when the settings name a band that is none.
    """
    if settings.band is None:
        return standard_filter(filter_name)
    name = settings.band if settings.band in RECIPES else normalise_filter(settings.band)
    if name not in RECIPES and name not in LIKE:
        msg = f"--band {settings.band!r}: there are {', '.join((*RECIPES, *LIKE))}"
        raise InputError(msg)
    return standard_filter(name)


def catalogs_for(
    band: str, dec_deg: float, settings: ImageSettings, preferred: str | None = None
) -> tuple[str, ...]:
    """List the services that may give standards, the best first."""
    if settings.standards is not None:
        return (settings.standards,)
    return tuple(sorted(sources_for(band, dec_deg), key=lambda name: name != preferred))


def order_of(
    by_hand: tuple[str, ...],
    band: str,
    dec_deg: float,
    settings: ImageSettings,
    preferred: str | None = None,
) -> tuple[str, ...]:
    """Put the catalogues in the order in which they are looked at for standards.

    by_hand : names of catalogues given by hand.
    preferred : by the camera's profile, where it fits.
    Returns the one named, those given by hand, those that fit.
    """
    named = () if settings.standards is None else (settings.standards,)
    fit = sorted(sources_for(band, dec_deg), key=lambda name: name != preferred)
    return tuple(dict.fromkeys((*named, *by_hand, *fit)))


def named_in_vain(settings: ImageSettings, standards: Standards | None) -> str:
    """Tell that the catalogue named for standards is not the one that gave them; else nothing."""
    name = settings.standards
    if name is None or (standards is not None and standards.catalog.name == name):
        return ""
    other = "no other does" if standards is None else f"{standards.catalog.title} is taken"
    return f"--standards {name}: it gave none, or too few, for this band here; {other}"


def choose_standards(
    catalogs: Mapping[str, Catalog], band: str, order: tuple[str, ...]
) -> Standards | None:
    """Take the standards of the first catalogue that has the band, and stars fit to serve in it.

    catalogs : those that answered; catalogues given by hand stand first.
    order : names, the best first; a name that is no service is a catalogue given by hand.
    Returns None when no catalogue has any magnitude.
    """
    too_few = []
    for name in order:
        catalog = catalogs.get(name)
        if catalog is None or not len(catalog):
            continue
        columns = bands_of(catalog)
        recipe = recipe_for(band, columns)
        if recipe is None:
            continue
        found = _standards(catalog, recipe, columns, ())
        if np.count_nonzero(found.reasons == "") >= MIN_STANDARDS:
            return found
        too_few.append(found)
    if too_few:
        return max(too_few, key=lambda found: np.count_nonzero(found.reasons == ""))
    for name in order:
        catalog = catalogs.get(name)
        columns = bands_of(catalog) if catalog is not None else {}
        if catalog is not None and columns:
            first = next(iter(columns))
            note = f"{catalog.title} has no {band}: magnitudes are tied to its {first}"
            return _standards(
                catalog, Recipe(f"{first} of {catalog.title}", first), columns, (note,)
            )
    return None


def _standards(
    catalog: Catalog, recipe: Recipe, columns: Mapping[str, str], notes: tuple[str, ...]
) -> Standards:
    mag, error = magnitudes(catalog, recipe, columns)
    values, name = colour(catalog, columns)
    sound = columns[recipe.first].replace("_mag", "_ok")
    reasons = unfit(catalog, mag, error, values, flag=sound)
    for note in notes:
        log.warning("%s", note)
    log.info(
        "standards: %s in %s, %d of %d stars fit to serve",
        catalog.title, recipe.standard, np.count_nonzero(reasons == ""), len(catalog),
    )  # fmt: skip
    return Standards(catalog, recipe.standard, mag, error, values, name, reasons, notes)
