"""The sky half of the single-image story: where the frame is, and what is known to be there."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from lightcurve.catalogs.service import Field
from lightcurve.clock import Clock
from lightcurve.config import Settings
from lightcurve.coordinates import format_coordinates
from lightcurve.errors import SolveError
from lightcurve.image_stages.catalogs import Known, ask
from lightcurve.image_stages.locate import field_of, place_sources, solve_frame
from lightcurve.image_stages.place import Placed, nowhere
from lightcurve.image_stages.prepare import Prepared
from lightcurve.image_stages.sources import Sources
from lightcurve.image_stages.standards import (
    Standards,
    choose_standards,
    named_in_vain,
    order_of,
    wanted_band,
)

log = logging.getLogger(__name__)

FIELD_MOVED = 0.04  # of its radius; the cone has so much to spare


@dataclass(frozen=True, slots=True, eq=False)
class OnSky:
    """What the sky tells of a frame.

    Attributes
    ----------
    placed : Placed
        Nowhere when the frame could not be solved; nothing else is known then.
    known : Known
    standards : Standards or None
    notes : tuple of str
        What was assumed of time and filter, or why the frame is not solved.
    """

    placed: Placed
    known: Known
    standards: Standards | None
    notes: tuple[str, ...]


def look_up(prepared: Prepared, sources: Sources, settings: Settings, clock: Clock) -> OnSky:
    """Place a frame on the sky and ask what is there; a frame that cannot be solved is nowhere.

    Parameters
    ----------
    prepared : Prepared
    sources : Sources
    settings : Settings
    clock : Clock

    Returns
    -------
    OnSky

    Raises
    ------
    InputError
        When a catalogue file cannot be read, or a service or band is not known.
    """
    try:
        found = _solved(prepared, sources, settings, clock)
    except SolveError as error:
        reason = error.reason
        log.error("%s: not solved: %s", prepared.frame.path.name, reason)
        unsolved = nowhere(len(sources), reason)
        return OnSky(unsolved, Known({}, (), ()), None, (f"not solved: {reason}",))
    centre = found.placed.centre_deg(prepared.frame.pixels.shape)
    log.info("centre: %.6f %+.6f deg, %s", *centre, format_coordinates(*centre))
    return found


def _solved(prepared: Prepared, sources: Sources, settings: Settings, clock: Clock) -> OnSky:
    with clock("solve"):
        solution = solve_frame(prepared, settings)
        field, notes = field_of(prepared, solution, settings.image.mpc_code)
    with clock("catalogues"):
        band, assumed = wanted_band(prepared.frame.exposure.filter, settings.image)
        known = ask(field, band, settings)
    try:
        placed = place_sources(sources, solution, known.catalogs, prepared.frame.pixels.shape)
    except SolveError as error:
        # Nothing had checked that WCS before: the solvers after it may put it right.
        return _by_others(prepared, sources, _after(solution.solver, settings, error), clock, error)
    shape = prepared.frame.pixels.shape
    if _middle_moved(field, placed, shape) > FIELD_MOVED:
        # So far off was the header's WCS that part of the frame has not been asked about.
        notes += placed.notes
        with clock("catalogues"):
            field, _ = field_of(prepared, placed.solution, settings.image.mpc_code)
            known = ask(field, band, settings)
        placed = place_sources(sources, placed.solution, known.catalogs, shape)
    order = order_of(known.by_hand, band, field.dec_deg, settings.image)
    standards = choose_standards(known.catalogs, band, order)
    vain = named_in_vain(settings.image, standards)
    if assumed and standards is not None:
        assumed += f": magnitudes are tied to {standards.band} of {standards.catalog.title}"
    told = tuple(note for note in (assumed, vain) if note)
    return OnSky(placed, known, standards, (*notes, *told))


def _middle_moved(field: Field, placed: Placed, shape: tuple[int, int]) -> float:
    """Distance of the middle of the frame from that of the field, in radii of the field."""
    ra, dec = placed.centre_deg(shape)
    along = ((ra - field.ra_deg + 180) % 360 - 180) * np.cos(np.radians(dec))
    return float(np.hypot(along, dec - field.dec_deg) / field.radius_deg)


def _after(solver: str, settings: Settings, error: SolveError) -> Settings:
    """Leave out the solver that was refuted and those before it."""
    names = settings.solve.solvers
    later = names[names.index(solver) + 1 :]
    if not later:
        raise error
    return settings.model_copy(
        update={"solve": settings.solve.model_copy(update={"solvers": later})}
    )


def _by_others(
    prepared: Prepared, sources: Sources, settings: Settings, clock: Clock, first: SolveError
) -> OnSky:
    try:
        return _solved(prepared, sources, settings, clock)
    except SolveError as error:
        msg = f"{first}; {error.reason}"
        raise SolveError(msg, n_detected=first.n_detected, n_catalog=first.n_catalog) from error
