"""Place a frame and its sources on the sky: solve it, put a WCS right that is off, refine it."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.chain import SOLVERS, solve
from lightcurve.astrometry.refine import Check, Refined, refine_wcs
from lightcurve.astrometry.register import ReferencePattern, make_reference, register
from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.wcs import describe_wcs, middle_deg, wcs_from_registration
from lightcurve.catalogs.known_stars import light_of
from lightcurve.catalogs.layout import Catalog, Field, Role
from lightcurve.catalogs.services import SERVICES
from lightcurve.core.constants import FWHM_PER_SIGMA, J2000_JD, YEAR_DAYS
from lightcurve.core.data import Detections, Solution
from lightcurve.core.errors import RegistrationError, SolveError
from lightcurve.core.flags import Flag
from lightcurve.core.settings import Settings, SolveSettings
from lightcurve.image.reduced import FoundBy, Placed, Prepared, Sources
from lightcurve.image.sources import disturbed
from lightcurve.setup.solving import describe_solution, request_for
from lightcurve.setup.target import Target, at_night, find_target
from lightcurve.setup.times import time_fault

if TYPE_CHECKING:
    from astropy.wcs import WCS

log = logging.getLogger(__name__)
MOVED_PX = 3.0  # a WCS that was off by more is said to have been
MARGIN = 1.05  # of the cone about the frame
MIN_STARS = 6
MIN_REFUTING = 20  # stars of a catalogue on the frame whose absence tells
PRECISE_ARCSEC = 1.0  # a catalogue worse than this refines no WCS
SURE_SNR = 10.0
OUTLIER = 4.0  # times the distance that a star's light and the floor allow
FLOOR_PX = 0.02  # of a centroid, however bright the star
MIN_ERROR_PX = 0.02  # of a bright star's place, however many photons it has
LOST_CENTRE_FWHM = 0.5  # error of a place that no centroid tells
BLEND_SHIFT_FWHM = 0.1  # by which a neighbour in the aperture may move a centroid
BLENDED_FWHM, BLENDED_SHARE = 2.0, 0.1  # a neighbour so near and so bright moves a centroid


def wanted_target(settings: Settings) -> Target | None:
    """Find the target of the settings, if they name one: it is somewhere on the frame.

    Raises InputError when what is given makes no sense; CatalogError when only a name is given and
    it cannot be resolved.
    """
    given = settings.target
    if not given.name and given.ra is given.dec is given.planet_file is None:
        return None
    return find_target(given, settings.catalogs)


@dataclass(frozen=True, slots=True, eq=False)
class Sighted:
    """The stars of a frame that was placed on the sky: others of its field are placed by them."""

    name: str
    pattern: ReferencePattern
    solution: Solution

    @classmethod
    def of(cls, prepared: Prepared, placed: Placed) -> Sighted | None:
        """Take them of a frame; None where known stars did not confirm its place."""
        stars, solution = prepared.stars, placed.solution
        if solution is None or not solution.n_matched:
            return None
        pattern = make_reference(stars.x, stars.y, stars.flux, prepared.shape)
        return cls(prepared.frame.path.name, pattern, solution)


def solve_frame(prepared: Prepared, settings: Settings, like: Sighted | None = None) -> Solution:
    """Solve a frame with the solvers of the settings: those that search, where `like` is no help.

    Raises SolveError when no solver can.
    """
    target = wanted_target(settings)
    if target is not None:
        target = at_night(target, [prepared.frame.exposure.mid_jd_utc])
    place = None if target is None else (target.ra_deg, target.dec_deg)
    request = request_for(prepared.frame, prepared.stars, settings, place)
    solution = None if like is None else _by_the_sight(request, settings.solve, like)
    solution = solution or solve(request, settings.solve)
    log.info("%s", describe_solution(solution))
    return solution


def _by_the_sight(request: SolveRequest, settings: SolveSettings, like: Sighted) -> Solution | None:
    """Place a frame by its own WCS where stars confirm it, else as one like it; None by neither."""
    own = tuple(name for name in settings.solvers if SOLVERS.get(name).only_claims)
    with suppress(SolveError):
        claimed = solve(request, settings.model_copy(update={"solvers": own}))
        if claimed.n_matched:
            return claimed
    stars, shape, known = request.stars, request.shape, like.solution
    if like.pattern.shape != shape:
        return None
    try:
        found = register(stars.x, stars.y, stars.flux, like.pattern)
    except RegistrationError:
        return None
    wcs = wcs_from_registration(known.wcs, found)
    scale, rotation, parity = describe_wcs(wcs, shape)
    rms = float(np.hypot(np.sqrt(2) * found.rms_px * scale, known.rms_arcsec))
    told = f"by the stars of {like.name}"
    return Solution(wcs, known.solver, found.n_matched, rms, scale, rotation, parity, told)


def field_of(
    prepared: Prepared, solution: Solution, mpc_code: str | None
) -> tuple[Field, tuple[str, ...]]:
    """Describe the piece of sky and the moment of a frame.

    mpc_code: of the observatory.
    Returns field: a cone that holds the frame; notes: what was assumed.
    """
    ny, nx = prepared.frame.pixels.shape
    ra, dec = middle_deg(solution.wcs, (ny, nx))
    radius = MARGIN * 0.5 * float(np.hypot(nx, ny)) * solution.scale_arcsec / 3600
    exposure = prepared.frame.exposure
    mid = exposure.mid_jd_utc
    fault = time_fault(exposure, ra, dec)
    if fault:
        log.warning("%s: %s", prepared.frame.path.name, fault)
    notes: tuple[str, ...] = (fault,)
    if not mid:
        notes = ("no time in the header: stars are taken where they were in 2000.0",)
    epoch = 2000.0 + (mid - J2000_JD) / YEAR_DAYS if mid else 2000.0
    radius = min(radius, 90.0)
    field = Field(ra, dec, radius, epoch, mid, site_code=mpc_code, site=exposure.site)
    return field, tuple(filter(None, notes))


def place_sources(
    sources: Sources, solution: Solution, catalogs: dict[str, Catalog], shape: tuple[int, int]
) -> Placed:
    """Refine the solution with the best catalogue there is, and place the sources.

    shape: (ny, nx). Raises SolveError when nothing had checked the solution, the catalogue refutes
    it, and its stars do not show how far it is off.
    """
    notes: tuple[str, ...] = ()
    best, *surveys = (service.name for service in SERVICES if service.role is Role.STARS)
    others = [name for name in catalogs if name not in {best, *surveys}]
    found = (catalogs[name] for name in (best, *others, *surveys) if name in catalogs)
    catalog = next((one for one in found if _serves(one)), None)
    if catalog is not None:
        solution, note = _refined(sources, solution, catalog, shape)
        notes = (note,) if note else ()
    if solution.off_px > MOVED_PX:
        off = f"the {solution.solver}'s WCS was {solution.off_px:.1f} px off"
        notes = (f"{off}: put right by known stars", *notes)
    placed = on_sky(sources, solution, notes)
    return placed if catalog is None else _counted(placed, solution, catalog)


def _serves(catalog: Catalog) -> bool:
    """Whether a catalogue has the stars, and the precision, to refine a solution."""
    enough = len(catalog) > MIN_STARS
    return enough and bool(np.median(catalog.error_arcsec) < PRECISE_ARCSEC)


def _counted(placed: Placed, solution: Solution, catalog: Catalog) -> Placed:
    """Tell how many stars match within their errors, beside those that fix the WCS.

    Clipped and blended ones do, for their places are known well enough for that alone.
    """
    n = int(placed.match(catalog).mutual.sum())
    text = f"{n} sources match {catalog.title} within their errors"
    log.info("%s", text)
    detail = "; ".join(part for part in (solution.detail, text) if part)
    return replace(placed, solution=replace(solution, detail=detail))


def _refined(
    sources: Sources, solution: Solution, catalog: Catalog, shape: tuple[int, int]
) -> tuple[Solution, str]:
    refined, far, n_sources = _refit(solution.wcs, sources, catalog, shape)
    check = refined.check
    if not check.passed:
        # Whoever has more stars on the frame is right.
        if _refutes(check, catalog, solution) and check.n_inside > solution.n_matched:
            raise _refuted(solution, check, catalog)
        return solution, (
            f"not refined: {check.n_matched} of {check.n_inside} stars of {catalog.title} "
            f"agree with {n_sources} sources"
        )
    scale, rotation, parity = describe_wcs(refined.wcs, shape)
    solution = replace(
        solution, wcs=refined.wcs, n_matched=check.n_matched, rms_arcsec=check.rms_px * scale,
        scale_arcsec=scale, rotation_deg=rotation, parity=parity,
        residuals_arcsec=(refined.ra_rms_arcsec, refined.dec_rms_arcsec),
        off_px=max(solution.off_px, refined.off_px),
    )  # fmt: skip
    order = f", SIP order {refined.order}" if refined.order > 1 else ""
    left = f", {far} left out as far off" if far else ""
    text = (
        f"WCS checked and refined with {catalog.title}{order}: {check.n_matched} stars, rms "
        f"{check.rms_px:.3f} px ({solution.rms_arcsec:.3f} arcsec){left}"
    )
    log.info("%s", text)
    return replace(solution, detail=text), ""


def _refit(
    wcs: WCS, sources: Sources, catalog: Catalog, shape: tuple[int, int]
) -> tuple[Refined, int, int]:
    """Refine a WCS; tell how many matches were left out as far off, and of how many sources."""
    light = light_of(catalog)
    order = np.argsort(-light, kind="stable")
    sky = np.column_stack([catalog.ra_deg, catalog.dec_deg])[order]
    sure = _sure(sources) & ((sources.flags & Flag.SATURATED) == 0)
    ordered = bool(light.any())
    rows = _brightest(sources, sure)
    refined = refine_wcs(wcs, _detections(sources, rows), shape, sky, ordered=ordered)
    # Blends, bleeding stars and large proper motions: far out for what their light allows.
    off = refined.check.distance_px / _allowed_px(sources)[rows[refined.check.here]]
    far = off > OUTLIER * np.median(off) if len(off) else np.zeros(0, dtype=bool)
    if refined.check.passed and far.any():
        kept = np.delete(rows, refined.check.here[far])
        again = refine_wcs(refined.wcs, _detections(sources, kept), shape, sky, ordered=ordered)
        if again.check.passed:
            return replace(again, off_px=refined.off_px), int(far.sum()), len(kept)
    return refined, 0, len(rows)


def _brightest(sources: Sources, rows: np.ndarray) -> np.ndarray:
    """Rows of the sources chosen, brightest first."""
    flux = np.nan_to_num(sources.phot.flux[:, sources.apertures.main])
    return np.flatnonzero(rows)[np.argsort(-flux[rows], kind="stable")]


def _allowed_px(sources: Sources) -> np.ndarray:
    """Error that a source's light allows its centroid, over a floor: sigma over S/N, pixels."""
    fwhm = float(sources.apertures.radii[0] / sources.apertures.multiples[0])
    return np.hypot(FLOOR_PX, fwhm / FWHM_PER_SIGMA / np.maximum(np.nan_to_num(sources.snr), 1.0))


def _sure(sources: Sources) -> np.ndarray:
    return (sources.snr > SURE_SNR) & (sources.found_by == FoundBy.SEARCH)


def _refuted(solution: Solution, check: Check, catalog: Catalog) -> SolveError:
    msg = (
        f"{solution.solver}: its WCS puts {check.n_matched} of {check.n_inside} stars of "
        f"{catalog.title} on one of {check.n_detected} sources, which may be chance"
    )
    return SolveError(msg, n_detected=check.n_detected, n_catalog=check.n_inside)


def _refutes(check: Check, catalog: Catalog, solution: Solution) -> bool:
    """Tell whether so few stars of a good catalogue fall on sources that the WCS must be wrong."""
    sharp = bool(np.median(catalog.error_arcsec) < solution.scale_arcsec)
    return check.refuted and check.n_inside >= MIN_REFUTING and sharp


def _detections(sources: Sources, rows: np.ndarray) -> Detections:
    # Centroids, which are the same with a PSF and without; blends fall out as far off.
    phot, main = sources.phot, sources.apertures.main
    return Detections(
        phot.x[rows], phot.y[rows], phot.flux[rows, main], phot.peak[rows, main], phot.fwhm[rows],
        sky=0.0, sky_rms=0.0,
    )  # fmt: skip


def nowhere(n: int, reason: str) -> Placed:
    """Stand for the places of sources whose frame could not be solved.

    n: sources; reason: why not, in one line.
    """
    unknown = np.full(n, np.nan)
    return Placed(None, unknown, unknown, unknown, unsolved=reason)


def on_sky(sources: Sources, solution: Solution, notes: tuple[str, ...] = ()) -> Placed:
    """Place the sources with a solution."""
    x, y, error_px = positions(sources)
    ra, dec = (np.asarray(v, dtype=float) for v in solution.wcs.all_pix2world(x, y, 0))
    common = solution.rms_arcsec / np.sqrt(2) if np.isfinite(solution.rms_arcsec) else 0.0
    # The rms of the matched stars holds their centroids' errors: bright ones, so hardly any.
    common = common if solution.n_matched else solution.scale_arcsec
    error = np.hypot(error_px * solution.scale_arcsec, common)
    return Placed(solution, ra, dec, error, notes)


def positions(sources: Sources) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take each source's best place.

    That is the centroid of a star alone, which needs no model of it; of a star with a neighbour
    that moves it, and where there is no centroid, the place by the PSF fit. Returns x, y, error:
    (n,) float arrays, pixels; the error is of one coordinate.
    """
    phot, fit = sources.phot, sources.psf_phot
    fwhm = float(sources.apertures.radii[0] / sources.apertures.multiples[0])
    # A centroid is good to the star's sigma over its signal-to-noise ratio.
    error = np.maximum(
        fwhm / FWHM_PER_SIGMA / np.maximum(np.nan_to_num(sources.snr), 1.0), MIN_ERROR_PX
    )
    error = np.hypot(error, _flagged_error(sources, fwhm))
    if fit is None:
        return phot.x, phot.y, error
    fitted = np.isfinite(fit.flux) & (fit.x_err > 0)
    blended = disturbed(phot, fit, sources.apertures, BLENDED_FWHM * fwhm, BLENDED_SHARE)
    fitted &= blended | ((sources.flags & Flag.NO_CENTROID) != 0)
    # The fit takes the neighbour's light off, but of what is clipped it knows no more.
    clipped = np.where(sources.flags & Flag.SATURATED, _flagged_error(sources, fwhm), 0.0)
    of_fit = np.maximum(np.hypot(fit.x_err, fit.y_err) / np.sqrt(2), MIN_ERROR_PX)
    of_fit = np.hypot(of_fit, clipped)
    return (
        np.where(fitted, fit.x, phot.x),
        np.where(fitted, fit.y, phot.y),
        np.where(fitted, of_fit, error),
    )


def _flagged_error(sources: Sources, fwhm: float) -> np.ndarray:
    """Error of a centroid beyond its photons', by what is wrong with it: (n,) pixels.

    Half the width of a clipped core, of which the centre may be anywhere: the radial profile's
    FWHM shows it. What is clipped bleeds to one side, too, so half a FWHM at the least.
    """
    flags = sources.flags
    error = np.where(flags & Flag.CROWDED, BLEND_SHIFT_FWHM * fwhm, 0.0)
    error = np.where(flags & Flag.NO_CENTROID, LOST_CENTRE_FWHM * fwhm, error)
    core = 0.5 * np.maximum(np.nan_to_num(sources.phot.fwhm, nan=fwhm), fwhm)
    return np.where(flags & Flag.SATURATED, np.maximum(core, error), error)
