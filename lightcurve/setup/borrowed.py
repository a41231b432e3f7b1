"""A place on the sky taken over from a frame of the same field that has one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from lightcurve.astrometry.register import make_reference, register
from lightcurve.astrometry.wcs import describe_wcs, move_wcs
from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.data import Solution
from lightcurve.core.errors import LightcurveError, RegistrationError, SolveError
from lightcurve.core.guard import guard_frame
from lightcurve.core.settings import Settings
from lightcurve.frames.entries import Entry
from lightcurve.frames.read import read_frame
from lightcurve.setup.colour import split
from lightcurve.setup.solving import Sample, request_for, solve_frame, spread
from lightcurve.setup.target import Target

__all__ = ["borrow_place"]

log = logging.getLogger(__name__)


def borrow_place(
    solved: SolveError, samples: Sequence[Sample], others: Sequence[Entry], target: Target,
    settings: Settings,
) -> tuple[Sample, Solution]:  # fmt: skip
    """Place a sample by the star pattern of another light frame of the folder that has a WCS.

    Parameters
    ----------
    solved : SolveError
        Why no sample could be solved by itself.
    others : sequence of Entry
        Light frames with a WCS: of another filter, night, telescope.

    Returns
    -------
    sample : Sample
    solution : Solution
        Of the sample; as far checked as that of the other frame was.

    Raises
    ------
    SolveError
        `solved`, where no other frame serves.
    """
    for other, found in _placed(others, target, settings):
        stars = other.stars
        pattern = make_reference(stars.x, stars.y, stars.flux, other.frame.pixels.shape)
        for sample in samples:
            shape = sample.frame.pixels.shape
            try:
                own = register(sample.stars.x, sample.stars.y, sample.stars.flux, pattern)
            except RegistrationError as error:
                log.info("%s: not placed by %s: %s", sample.frame.path.name, other.frame.path.name,
                         error)  # fmt: skip
                continue
            wcs = move_wcs(found.wcs, own.matrix, shape)
            scale, rotation, parity = describe_wcs(wcs, shape)
            name = other.frame.path.name
            detail = f"{own.n_matched} stars as in {name}, that by {found.solver}: {found.detail}"
            log.warning("%s: placed on the sky by %s", sample.frame.path.name, name)
            checked = own.n_matched if found.n_matched else 0
            rms = float(own.rms_px * scale) if checked else found.rms_arcsec
            return sample, Solution(
                wcs, "registration", checked, rms, scale, rotation, parity, detail
            )
    raise solved


def _placed(
    others: Sequence[Entry], target: Target, settings: Settings
) -> Iterator[tuple[Sample, Solution]]:
    """Read and solve a few of many frames; those that cannot be are passed over."""
    place = target.ra_deg, target.dec_deg
    for entry in spread(others):
        try:
            with guard_frame(entry.path):
                whole = reduce_frame(read_frame(entry.path, settings=settings), None)
                frame, stars = split(whole, settings, saturation_adu=whole.exposure.saturation_adu)
                request = request_for(frame, stars, settings, place)
                solution = solve_frame(request, settings.solve)
        except LightcurveError as error:
            log.info("%s: %s", entry.name, error)
            continue
        yield Sample(frame, stars), solution
