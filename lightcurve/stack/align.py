"""Every frame placed on the reference by their common stars, which also tell how it sees them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.astrometry.register import ReferencePattern, make_reference, register
from lightcurve.core.data import Detections, Solution
from lightcurve.core.errors import InputError, LightcurveError, RegistrationError, SolveError
from lightcurve.core.flags import Flag
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import Progress
from lightcurve.core.settings import Settings
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.noise import NoiseModel
from lightcurve.setup.reference import rank_samples
from lightcurve.setup.solving import Sample, describe_solution, request_for, solve_frame
from lightcurve.stack.scales import Scales, find_scales
from lightcurve.stack.take import Member
from lightcurve.stack.warp import Warp, fit, fit_best, of_matrix

MAX_STARS = 300
N_SAMPLES = 7  # frames that are held against one another for the reference
# Of the widest frame that is likely to stay: of a star that is twice as wide in one frame as in
# another, both have the same share of the light in it to 1 %.
RADIUS_FWHM, SKY_FWHM = 2.0, (4.0, 7.0)
LEAST_RADIUS = 3.0
SHARP_FLAGS = Flag.EDGE | Flag.SATURATED | Flag.BAD_PIXEL | Flag.NO_CENTROID | Flag.NEGATIVE_FLUX
TIED_SNR = 20.0  # of a star: its centroid is good to a tenth of a pixel
GRID = 15
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Frames placed on the reference.

    Attributes
    ----------
    members : tuple of Member
        That could be placed; `reference` is the row of one.
    warps : tuple of Warp
        From the reference's pixels to each frame's.
    rms_px, fwhm_px : (n,) float arrays
        Of the stars on each frame: about its warp in one axis, and how wide they are.
    """

    members: tuple[Member, ...]
    reference: int
    warps: tuple[Warp, ...]
    rms_px: np.ndarray
    n_stars: np.ndarray
    fwhm_px: np.ndarray
    scales: Scales
    solution: Solution | None
    unsolved: str
    failed: dict[str, str]


def align(
    members: Sequence[Member],
    noise: NoiseModel,
    settings: Settings,
    place: tuple[float, float] | None,
    progress: Progress,
) -> Aligned:
    """Place frames on one of them by their stars, and compare how bright they show these.

    place: RA and Dec near the field, degrees, where they are known. Raises InputError when fewer
    than two frames can be placed on one another, or none shows a star.
    """
    if not any(np.isfinite(member.stars.fwhm).any() for member in members):
        msg = f"{len(members)} frames show no star to be placed and scaled by"
        raise InputError(msg)
    reference = _choose_reference(members)
    first = members[reference]
    solution, unsolved = _solve(first, settings, place)
    pattern = make_reference(first.stars.x, first.stars.y, first.stars.flux, first.shape)
    placed, warps, failed = [], [], {}
    for member in members:
        try:
            with guard_frame(member.path):
                warps.append(_place(member, pattern, solution, settings, place))
            placed.append(member)
        except LightcurveError as error:
            failed[member.name] = error.beside(member.path.name)
            log.warning("%s: %s", member.name, failed[member.name])
    if len(placed) < min(len(members), 2):
        msg = f"no frame shows the stars of {first.name}: {next(iter(failed.values()))}"
        raise InputError(msg)
    return _refined(
        placed, placed.index(first), warps, noise, (solution, unsolved, failed), progress
    )


def _choose_reference(members: Sequence[Member]) -> int:
    """Row of the frame with most stars that others have too, and sharp ones."""
    rows = np.unique(np.linspace(0, len(members) - 1, N_SAMPLES).round().astype(int))
    # From the middle outward: it overlaps most with the rest when the field drifts.
    some = [members[k] for k in sorted(rows, key=lambda k: abs(k - len(members) / 2))]
    best = rank_samples([Sample(member.frame, member.stars) for member in some])[0]
    return next(k for k, member in enumerate(members) if member.path == best.frame.path)


def _solve(
    member: Member, settings: Settings, place: tuple[float, float] | None
) -> tuple[Solution | None, str]:
    request = request_for(member.frame, member.stars, settings, place)
    try:
        solution = solve_frame(request, settings.solve)
    except SolveError as error:
        log.warning("%s is not solved: %s", member.name, error)
        return None, str(error)
    log.info("%s: %s", member.name, describe_solution(solution))
    return solution, ""


def _place(
    member: Member,
    pattern: ReferencePattern,
    solution: Solution | None,
    settings: Settings,
    place: tuple[float, float] | None,
) -> Warp:
    """Find a frame by its pattern of stars, or where that fails by its own place on the sky."""
    stars: Detections = member.stars
    try:
        return of_matrix(register(stars.x, stars.y, stars.flux, pattern).matrix, member.shape)
    except RegistrationError as error:
        if solution is None:
            raise
        own, why = _solve(member, settings, place)
        if own is None:
            msg = f"{error}; {why}"
            raise RegistrationError(msg) from error
        return _by_sky(solution, own, member.shape)


def _by_sky(reference: Solution, own: Solution, shape: tuple[int, int]) -> Warp:
    """Go from the reference's pixels over the sky to those of a frame (ny, nx)."""
    y, x = (
        one.ravel() for one in np.mgrid[0 : shape[0] - 1 : GRID * 1j, 0 : shape[1] - 1 : GRID * 1j]
    )
    sky = own.wcs.all_pix2world(x, y, 0)
    there = np.column_stack(reference.wcs.all_world2pix(*sky, 0))
    return fit(there, np.column_stack([x, y]), shape, 3)[0]


def _refined(
    members: list[Member],
    reference: int,
    warps: list[Warp],
    noise: NoiseModel,
    told: tuple[Solution | None, str, dict[str, str]],
    progress: Progress,
) -> Aligned:
    """Measure the reference's stars in every frame, and fit the warps to their places."""
    x, y = _stars_of(members[reference])
    fwhm = np.array([_width(member) for member in members])
    radius = max(RADIUS_FWHM * float(np.nanpercentile(fwhm, 75)), LEAST_RADIUS)
    sky = tuple(max(k * radius / RADIUS_FWHM, radius + 2 + 3 * j) for j, k in enumerate(SKY_FWHM))
    places, flux, error = (np.full((len(members), len(x)), np.nan) for _ in range(3))
    places = np.full((len(members), len(x), 2), np.nan)
    for k in progress(range(len(members)), "Aligning", len(members)):
        frame = members[k].frame
        phot = measure_stars(
            np.array(frame.pixels), np.array(frame.bad), *warps[k](x, y),
            np.array([radius]), (sky[0], sky[1]), noise,
        )  # fmt: skip
        bad = (phot.flags[:, 0] & SHARP_FLAGS) != 0
        flux[k] = np.where(bad, np.nan, phot.flux[:, 0])
        error[k] = phot.flux_err[:, 0]
        places[k] = np.column_stack([phot.x, phot.y])
        places[k][bad | (phot.flux[:, 0] < TIED_SNR * phot.flux_err[:, 0])] = np.nan
        if np.isfinite(phot.fwhm[~bad]).any():
            fwhm[k] = np.nanmedian(phot.fwhm[~bad])
    rms, number = np.full(len(members), np.nan), np.zeros(len(members), int)
    here = places[reference]
    for k, member in enumerate(members):
        both = np.isfinite(here).all(axis=1) & np.isfinite(places[k]).all(axis=1)
        if both.sum() >= 6:
            warps[k], used, rms[k] = fit_best(here[both], places[k][both], member.shape)
            number[k] = used.sum()
    scales = find_scales(flux, error, reference)
    return Aligned(tuple(members), reference, tuple(warps), rms, number, fwhm, scales, *told)


def _stars_of(member: Member) -> tuple[np.ndarray, np.ndarray]:
    """Places of a frame's brightest stars."""
    best = np.argsort(-member.stars.flux)[:MAX_STARS]
    return member.stars.x[best], member.stars.y[best]


def _width(member: Member) -> float:
    known = member.stars.fwhm[np.isfinite(member.stars.fwhm)]
    return float(np.median(known)) if known.size else float("nan")
