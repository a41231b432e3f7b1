"""What is known to be where a frame looks: catalogues by hand, services, standard stars."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from lightcurve.catalogs.bands import (
    GIVEN,
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
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import STANDARDS, ImageSettings, Settings
from lightcurve.frames.kinds import normalise_filter
from lightcurve.image.calibrate import catalogue_offsets
from lightcurve.image.locate import Sighted, field_of, nowhere, place_sources, solve_frame
from lightcurve.image.reduced import Known, OnSky, Placed, Prepared, Sources, Standards

__all__ = ["ask", "choose_standards", "order_of", "refusal", "wanted_band"]

log = logging.getLogger(__name__)
FIELD_MOVED = 0.04  # of its radius; the cone has so much to spare
MIN_TELLING = 10  # stars by which a filter's band is told
MAX_SCATTER = 0.2  # mag about the band that fits best: more, and none does
TELLING = 3.0  # so much worse must the band be that fits worst
UNKNOWN = "G"  # the band whose catalogues are asked where the filter is not known
MIN_STANDARDS = 5  # in the whole field; with fewer the next catalogue is looked at


def locate(
    prepared: Prepared,
    sources: Sources,
    settings: Settings,
    clock: Clock,
    like: Sighted | None = None,
) -> OnSky:
    """Solve a frame, ask the catalogues what is there, and refine the solution with the answers."""
    with clock("solve"):
        solution = solve_frame(prepared, settings, like)
    with clock("catalogues"):
        field, known, notes = look_up(prepared, solution, settings)
    try:
        placed = place_sources(sources, solution, known.catalogs, prepared.shape)
    except SolveError as refuted:
        # Nothing had checked that WCS before: the solvers after it may put it right.
        with besides(refuted):
            others = settings if like else later_solvers(settings, solution, refuted)
            return locate(prepared, sources, others, clock)
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


def ask(field: Field, band: str | None, settings: Settings, preferred: str | None = None) -> Known:
    """Read the catalogues given by hand and ask the services.

    band: for which standards are wanted; None where the filter is not known. preferred: the service
    that the camera's profile names. Raises InputError when a catalogue file cannot be read or a
    service is not known.
    """
    by_hand, of_files = query((), field, settings.catalogs)
    band = band or UNKNOWN
    recipes = [recipe_for(band, bands_of(one)) for one in by_hand.values()]
    given = any(recipe is not None and not recipe.near for recipe in recipes)
    names = services_for(band, field.dec_deg, settings, preferred, given=given)
    online = settings.catalogs.model_copy(update={"files": ()})
    catalogs, reports = query(names, field, online)
    reports = [*of_files, *reports]
    _tell(reports)
    return Known(by_hand | catalogs, tuple(reports), tuple(by_hand))


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
    given: a catalogue with the band was given by hand; no other is asked for standards unless it
    is named.
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
    prepared: Prepared, sources: Sources, sky: OnSky, settings: Settings
) -> tuple[Standards | None, tuple[str, ...]]:
    """Choose the stars of the zero point; tell what was assumed, and what asked for in vain."""
    if sky.field is None:
        return None, ()
    centre = sky.placed.centre_deg(prepared.shape)
    log.info("centre: %.6f %+.6f deg, %s", *centre, format_coordinates(*centre))
    band, assumed = wanted_band(prepared.frame.exposure.filter, settings.image)
    if band is None:
        standards, told = _by_the_stars(prepared, sources, sky, settings)
        return standards, (f"{assumed}: {told}",)
    standards = _standards_of(band, prepared, sky, settings)
    vain = named_in_vain(settings.image, standards)
    if standards is None:
        return None, tuple(filter(None, (assumed, vain, refusal(band, sky.known.catalogs))))
    if assumed:
        assumed += f": magnitudes are tied to {standards.band} of {standards.catalog.title}"
    return standards, tuple(note for note in (assumed, vain) if note)


def _standards_of(
    band: str, prepared: Prepared, sky: OnSky, settings: Settings
) -> Standards | None:
    if sky.field is None:
        return None
    preferred = prepared.frame.exposure.standards
    order = order_of(sky.known.by_hand, band, sky.field.dec_deg, settings.image, preferred)
    return choose_standards(sky.known.catalogs, band, order)


def refusal(band: str, catalogs: Mapping[str, Catalog]) -> str:
    """Say which bands there are, where none is near enough to the one wanted."""
    there = {one.title: ", ".join(bands_of(one)) for one in catalogs.values() if bands_of(one)}
    if not there:
        return "there is no catalogue with magnitudes: --catalog FILE brings one"
    told = "; ".join(f"{title}: {bands}" for title, bands in there.items())
    return f"no catalogue has {band} or a formula for it ({told}): --band NAME ties to another"


def _by_the_stars(
    prepared: Prepared, sources: Sources, sky: OnSky, settings: Settings
) -> tuple[Standards | None, str]:
    """Find the band on whose scale the frame's own stars lie best, whatever their colours.

    Returns None, and why, where they do not tell: by too few, or because no band fits, or all do.
    """
    advice = "no zero point; --band NAME gives the one nearest"
    known = {band: _standards_of(band, prepared, sky, settings) for band in RECIPES}
    only = [one for one in known.values() if one is not None]
    if only and all(one.band == GIVEN for one in only):
        return only[0], f"magnitudes are tied to those of {only[0].catalog.title}"
    tried = {
        band: (found, offset)
        for band, found in known.items()
        if found is not None and not found.near
        for offset in [catalogue_offsets(prepared, sources, sky.placed, found)]
        if np.isfinite(offset).sum() >= MIN_TELLING
    }
    if not tried:
        return None, f"fewer than {MIN_TELLING} stars of any catalogue tell its band: {advice}"
    most = max(np.isfinite(offset).sum() for _, offset in tried.values())
    tried = {b: one for b, one in tried.items() if np.isfinite(one[1]).sum() >= most / 2}
    common = np.all([np.isfinite(offset) for _, offset in tried.values()], axis=0)
    if common.sum() < MIN_TELLING:
        return None, f"the same stars do not have all bands: {advice}"
    scatter = {band: robust_scatter(offset[common]) for band, (_, offset) in tried.items()}
    order = sorted(scatter, key=scatter.__getitem__)
    best = order[0]
    told = ", ".join(f"{band} {scatter[band]:.3f}" for band in order[:3])
    if scatter[best] > MAX_SCATTER:
        return None, f"its stars agree with no band (scatter in mag: {told}): {advice}"
    if scatter[order[-1]] < TELLING * scatter[best]:
        return None, f"its stars are too alike in colour to tell its band ({told}): {advice}"
    found = tried[best][0]
    where = f"{found.band} of {found.catalog.title}"
    return found, (
        f"{common.sum()} of its stars agree best with {best} (scatter in mag: {told}): "
        f"magnitudes are tied to {where}; --band NAME gives another"
    )


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
    log.info("%s: not solved: %s", prepared.frame.path.name, reason)
    return OnSky(nowhere(len(sources), reason), Known({}, (), ()), None, (f"not solved: {reason}",))


def wanted_band(filter_name: str | None, settings: ImageSettings) -> tuple[str | None, str]:
    """Settle the band of the magnitudes.

    Returns band, a key of `lightcurve.catalogs.bands.RECIPES`, None where the filter is not known,
    and note: what was assumed; empty for nothing. Raises InputError when the settings name a band
    that is none.
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
    Returns None when no catalogue has the band, nor bands that a formula makes it of.
    """
    known = [catalogs[name] for name in order if name in catalogs and len(catalogs[name])]
    found = [
        _standards(one, recipe, columns, band)
        for one in known
        for columns in [bands_of(one)]
        for recipe in [recipe_for(band, columns)]
        if recipe is not None
    ]
    # Whatever the order, another band serves only where none has this one.
    found.sort(key=lambda one: one.near)
    fit = [np.count_nonzero(one.reasons == "") for one in found]
    enough = (one for one, n in zip(found, fit, strict=True) if n >= MIN_STANDARDS)
    return next(enough, found[int(np.argmax(fit))] if found else None)


def _standards(
    catalog: Catalog, recipe: Recipe, columns: Mapping[str, str], band: str
) -> Standards:
    mag, error = magnitudes(catalog, recipe, columns)
    values, name = colour(catalog, columns)
    sound = [f"{columns[b].removesuffix('_mag')}_ok" for b in recipe.needs()]
    # Stars that scatter about a formula are no worse measured.
    stated = np.sqrt(np.maximum(error**2 - recipe.scatter_mag**2, 0.0))
    reasons = unfit(catalog, mag, stated, values, flags=sound)
    near = f"{catalog.title} has no {band}: magnitudes are tied to {recipe.standard}, the nearest"
    return Standards(
        catalog, recipe.standard, mag, error, values, name, reasons,
        (near,) if recipe.near else (), recipe.told, recipe.near,
    )  # fmt: skip
