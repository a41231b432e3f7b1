"""Place a frame on the sky: solve it, ask what is there, refine with what was found."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.astrometry.chain import SolveRequest, solve
from lightcurve.astrometry.refine import refine_wcs
from lightcurve.astrometry.wcs import describe_wcs
from lightcurve.catalogs.crossmatch import Matches, crossmatch
from lightcurve.catalogs.service import Catalog, Field
from lightcurve.config import Settings
from lightcurve.data import Detections, Solution
from lightcurve.flags import Flag
from lightcurve.image_stages.prepare import Prepared
from lightcurve.image_stages.sources import Sources, disturbed
from lightcurve.reference import describe_solution, submission_file
from lightcurve.target import find_target

log = logging.getLogger(__name__)

J2000 = 2451545.0
MARGIN = 1.05  # of the cone about the frame
MIN_ERROR_PX = 0.02  # of a bright star's place, however many photons it has
BLENDED_FWHM, BLENDED_SHARE = 2.0, 0.1  # a neighbour so near and so bright moves a centroid
MIN_STARS = 6
PRECISE_ARCSEC = 1.0  # a catalogue worse than this refines no WCS
SURE_SNR = 10.0
OUTLIER = 4.0  # times the median distance of matched stars
# The more precise first: what the WCS is refined with.
ASTROMETRIC = ("gaia", "gaia_synthetic", "panstarrs", "skymapper", "sdss", "twomass", "apass")


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Sources with places on the sky.

    Attributes
    ----------
    solution : Solution
    ra_deg, dec_deg : (n,) float arrays
    error_arcsec : (n,) float array
        One standard deviation in one coordinate: of the centroid, and of the solution.
    notes : tuple of str
        Why the solution could not be refined; empty when it was.
    """

    solution: Solution
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    error_arcsec: np.ndarray
    notes: tuple[str, ...] = ()

    def only(self, rows: np.ndarray) -> Placed:
        """Keep some of the sources."""
        columns = ("ra_deg", "dec_deg", "error_arcsec")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def match(self, catalog: Catalog) -> Matches:
        """Pair the sources with a catalogue's objects within the errors of both."""
        return crossmatch(
            (self.ra_deg, self.dec_deg, self.error_arcsec),
            (catalog.ra_deg, catalog.dec_deg, catalog.error_arcsec),
        )


def solve_frame(prepared: Prepared, settings: Settings) -> Solution:
    """Solve a frame with the solvers of the settings.

    Parameters
    ----------
    prepared : Prepared
    settings : Settings

    Returns
    -------
    Solution

    Raises
    ------
    SolveError
        When no solver can.
    """
    frame, target = prepared.frame, settings.target
    exposure = frame.exposure
    ra, dec = exposure.ra_deg, exposure.dec_deg
    if target.ra is not None or target.planet_file is not None or target.name:
        found = find_target(target)
        ra, dec = found.ra_deg, found.dec_deg
    request = SolveRequest(
        stars=prepared.stars,
        shape=frame.pixels.shape,
        header=frame.header,
        path=frame.path,
        ra_deg=ra,
        dec_deg=dec,
        scale_arcsec=settings.solve.scale_arcsec or exposure.scale_arcsec,
        state_file=submission_file(frame.path),
    )
    solution = solve(request, settings.solve)
    log.info("%s", describe_solution(solution))
    return solution


def field_of(prepared: Prepared, solution: Solution) -> tuple[Field, tuple[str, ...]]:
    """Describe the piece of sky and the moment of a frame.

    Parameters
    ----------
    prepared : Prepared
    solution : Solution

    Returns
    -------
    field : Field
        A cone that holds the frame.
    notes : tuple of str
        What was assumed.
    """
    ny, nx = prepared.frame.pixels.shape
    ra, dec = (float(v) for v in solution.wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0))
    radius = MARGIN * 0.5 * float(np.hypot(nx, ny)) * solution.scale_arcsec / 3600
    exposure = prepared.frame.exposure
    mid = exposure.mid_jd_utc
    notes = () if mid else ("no time in the header: stars are taken where they were in 2000.0",)
    epoch = 2000.0 + (mid - J2000) / 365.25 if mid else 2000.0
    return Field(ra, dec, min(radius, 90.0), epoch, mid, site=exposure.site), notes


def place_sources(
    sources: Sources, solution: Solution, catalogs: dict[str, Catalog], shape: tuple[int, int]
) -> Placed:
    """Refine the solution with the best catalogue there is, and place the sources.

    Parameters
    ----------
    sources : Sources
    solution : Solution
    catalogs : dict of str to Catalog
    shape : tuple of int
        (ny, nx).

    Returns
    -------
    Placed
    """
    notes: tuple[str, ...] = ()
    by_hand = [name for name in catalogs if name not in ASTROMETRIC]
    catalog = next(
        (catalogs[n] for n in (*ASTROMETRIC[:1], *by_hand, *ASTROMETRIC[1:])
         if n in catalogs and len(catalogs[n]) > MIN_STARS and _is_precise(catalogs[n])), None,
    )  # fmt: skip
    if catalog is not None:
        solution, note = _refined(sources, solution, catalog, shape)
        notes = (note,) if note else ()
    return on_sky(sources, solution, notes)


def on_sky(sources: Sources, solution: Solution, notes: tuple[str, ...] = ()) -> Placed:
    """Place the sources with a solution.

    Parameters
    ----------
    sources : Sources
    solution : Solution
    notes : tuple of str

    Returns
    -------
    Placed
    """
    x, y, error_px = positions(sources)
    ra, dec = (np.asarray(v, dtype=float) for v in solution.wcs.all_pix2world(x, y, 0))
    common = solution.rms_arcsec / np.sqrt(2) if np.isfinite(solution.rms_arcsec) else 0.0
    # The rms of the matched stars holds their centroids' errors: bright ones, so hardly any.
    common = common if solution.n_matched else solution.scale_arcsec
    error = np.hypot(error_px * solution.scale_arcsec, common)
    return Placed(solution, ra, dec, error, notes)


def _is_precise(catalog: Catalog) -> bool:
    return bool(np.median(catalog.error_arcsec) < PRECISE_ARCSEC)


def positions(sources: Sources) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take each source's best place.

    That is the centroid of a star alone, which needs no model of it; of a star with a neighbour
    that moves it, and where there is no centroid, the place by the PSF fit.

    Parameters
    ----------
    sources : Sources

    Returns
    -------
    x, y, error : (n,) float arrays
        Pixels; the error is of one coordinate.
    """
    phot, fit = sources.phot, sources.psf_phot
    fwhm = float(sources.apertures.radii[0] / sources.apertures.multiples[0])
    # A centroid is good to the star's sigma over its signal-to-noise ratio.
    error = np.maximum(fwhm / 2.355 / np.maximum(np.nan_to_num(sources.snr), 1.0), MIN_ERROR_PX)
    if fit is None:
        return phot.x, phot.y, error
    fitted = np.isfinite(fit.flux) & (fit.x_err > 0)
    blended = disturbed(phot, fit, sources.apertures, BLENDED_FWHM * fwhm, BLENDED_SHARE)
    fitted &= blended | ((sources.flags & Flag.NO_CENTROID) != 0)
    of_fit = np.maximum(np.hypot(fit.x_err, fit.y_err) / np.sqrt(2), MIN_ERROR_PX)
    return (
        np.where(fitted, fit.x, phot.x),
        np.where(fitted, fit.y, phot.y),
        np.where(fitted, of_fit, error),
    )


def _refined(
    sources: Sources, solution: Solution, catalog: Catalog, shape: tuple[int, int]
) -> tuple[Solution, str]:
    sky = np.column_stack([catalog.ra_deg, catalog.dec_deg])
    sure = (sources.snr > SURE_SNR) & ((sources.flags & Flag.SATURATED) == 0)
    sure &= sources.found_by == "search"
    refined = refine_wcs(solution.wcs, _detections(sources, sure), shape, sky)
    # Blends, bleeding stars and large proper motions: far out for what their light allows.
    off = refined.check.distance_px
    far = off > OUTLIER * np.median(off) if len(off) else np.zeros(0, dtype=bool)
    if far.any():
        sure[np.flatnonzero(sure)[refined.check.here[far]]] = False
        refined = refine_wcs(refined.wcs, _detections(sources, sure), shape, sky)
    check = refined.check
    if not check.possible or not check.passed:
        return solution, (
            f"not refined: {check.n_matched} of {check.n_inside} stars of {catalog.title} "
            f"agree with {sure.sum()} sources"
        )
    scale, rotation, parity = describe_wcs(refined.wcs, shape)
    solution = replace(
        solution, wcs=refined.wcs, n_matched=check.n_matched, rms_arcsec=check.rms_px * scale,
        scale_arcsec=scale, rotation_deg=rotation, parity=parity,
        residuals_arcsec=(refined.ra_rms_arcsec, refined.dec_rms_arcsec),
    )  # fmt: skip
    order = f", SIP order {refined.order}" if refined.order > 1 else ""
    left = f", {far.sum()} left out as far off" if far.any() else ""
    text = (
        f"WCS checked and refined with {catalog.title}{order}: {check.n_matched} stars, rms "
        f"{check.rms_px:.3f} px ({solution.rms_arcsec:.3f} arcsec){left}"
    )
    log.info("%s", text)
    return replace(solution, detail=text), ""


def _detections(sources: Sources, rows: np.ndarray) -> Detections:
    # Centroids, which are the same with a PSF and without; blends fall out as far off.
    phot, main = sources.phot, sources.apertures.main
    columns = (phot.x, phot.y, phot.flux[:, main], phot.peak[:, main], phot.fwhm)
    return Detections(*(column[rows] for column in columns), 0.0, 0.0)
