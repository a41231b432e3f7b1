"""Sources with places on the sky, and how good those are."""

from __future__ import annotations

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import Solution
from lightcurve.core.flags import Flag
from lightcurve.image.reduced import Placed, Sources
from lightcurve.image.sources import disturbed

MIN_ERROR_PX = 0.02  # of a bright star's place, however many photons it has
LOST_CENTRE_FWHM = 0.5  # error of a place that no centroid tells
BLEND_SHIFT_FWHM = 0.1  # by which a neighbour in the aperture may move a centroid
BLENDED_FWHM, BLENDED_SHARE = 2.0, 0.1  # a neighbour so near and so bright moves a centroid


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
    that moves it, and where there is no centroid, the place by the PSF fit.

    Returns x, y, error: (n,) float arrays, pixels; the error is of one coordinate.
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
