"""Steps of the single-image story on the sky: what is known to be there, and what calibrates."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from lightcurve.catalogs.service import Field
from lightcurve.config import Settings
from lightcurve.coordinates import format_coordinates
from lightcurve.data import Solution
from lightcurve.errors import SolveError
from lightcurve.image_stages.catalogs import ask
from lightcurve.image_stages.data import Known, OnSky, Placed, Prepared, Sources, Standards
from lightcurve.image_stages.locate import field_of
from lightcurve.image_stages.place import nowhere
from lightcurve.image_stages.standards import choose_standards, named_in_vain, order_of, wanted_band

log = logging.getLogger(__name__)

FIELD_MOVED = 0.04  # of its radius; the cone has so much to spare


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
