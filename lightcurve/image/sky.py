"""What is known to be where a frame looks: catalogues by hand, services, standards."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from lightcurve.catalogs.layout import Field, Role, ServiceReport
from lightcurve.catalogs.query import SERVICES, query
from lightcurve.core.coordinates import format_coordinates
from lightcurve.core.data import Solution
from lightcurve.core.errors import InputError, SolveError
from lightcurve.core.settings import Settings
from lightcurve.image.locate import field_of
from lightcurve.image.positions import nowhere
from lightcurve.image.reduced import Known, OnSky, Placed, Prepared, Sources, Standards
from lightcurve.image.standards import (
    catalogs_for,
    choose_standards,
    named_in_vain,
    order_of,
    wanted_band,
)

log = logging.getLogger(__name__)
STANDARDS = "standards"  # among the services to ask: those that have the band
FIELD_MOVED = 0.04  # of its radius; the cone has so much to spare


def ask(field: Field, band: str, settings: Settings) -> Known:
    """Read the catalogues given by hand and ask the services.

    band: for which standards are wanted.
    Raises InputError when a catalogue file cannot be read or a service is not known.
    """
    files = tuple(f"file{n or ''}" for n in (0, *range(2, len(settings.catalogs.files) + 1)))
    by_hand = files if settings.catalogs.files else ()
    names = services_for(band, field.dec_deg, settings, given=bool(by_hand))
    catalogs, reports = query(names, field, settings.catalogs)
    _tell(reports)
    return Known(catalogs, tuple(reports), tuple(name for name in by_hand if name in catalogs))


def _tell(reports: Sequence[ServiceReport]) -> None:
    """Log what each service gave; those skipped for the same reason in one line."""
    skipped: dict[str, list[str]] = {}
    for report in reports:
        if report.status == "skipped":
            skipped.setdefault(report.reason, []).append(report.title)
            continue
        log.info("%s: %s, %d rows%s", report.title, report.status, report.n,
                 f" ({report.reason})" if report.reason else "")  # fmt: skip
    for reason, titles in skipped.items():
        log.info("not asked (%s): %s", reason, ", ".join(titles))


def services_for(band: str, dec_deg: float, settings: Settings, *, given: bool) -> Sequence[str]:
    """Choose the services to ask.

    given: a catalogue was given by hand: no other is asked for standards unless it is named.
    Raises InputError when the catalogue of standards named in the settings is none that has
    magnitudes.
    """
    image = settings.image
    with_bands = [service.name for service in SERVICES if service.bands]
    if image.standards is not None and image.standards not in with_bands:
        msg = f"--standards {image.standards!r}: with magnitudes there are {', '.join(with_bands)}"
        raise InputError(msg)
    wanted = () if given and image.standards is None else catalogs_for(band, dec_deg, image)[:2]
    if image.services is None:
        always = (s.name for s in SERVICES if s.always or s.role is not Role.STARS)
        return tuple(dict.fromkeys((*wanted, *always)))
    named = () if image.standards is None else (image.standards,)
    asked = ((name,) if name != STANDARDS else wanted for name in image.services)
    return tuple(dict.fromkeys((*(name for names in asked for name in names), *named)))


def look_up(
    prepared: Prepared, solution: Solution, settings: Settings
) -> tuple[Field, Known, tuple[str, ...]]:
    """Ask catalogues and services what is on a frame; tell what was assumed for that."""
    field, notes = field_of(prepared, solution, settings.image.mpc_code)
    band, _ = wanted_band(prepared.frame.exposure.filter, settings.image)
    return field, ask(field, band, settings), notes


def find_standards(
    prepared: Prepared, sky: OnSky, settings: Settings
) -> tuple[Standards | None, tuple[str, ...]]:
    """Choose the stars of the zero point; tell what was assumed, and what asked for in vain."""
    if sky.field is None:
        return None, ()
    centre = sky.placed.centre_deg(prepared.shape)
    log.info("centre: %.6f %+.6f deg, %s", *centre, format_coordinates(*centre))
    band, assumed = wanted_band(prepared.frame.exposure.filter, settings.image)
    order = order_of(sky.known.by_hand, band, sky.field.dec_deg, settings.image)
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
