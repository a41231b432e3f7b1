"""All that one frame gave, and the few numbers that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.config import Settings
from lightcurve.image_stages.calibrate import Calibrated
from lightcurve.image_stages.catalogs import Known
from lightcurve.image_stages.place import Placed
from lightcurve.image_stages.prepare import Prepared
from lightcurve.image_stages.sources import Sources
from lightcurve.image_stages.transients import Search

if TYPE_CHECKING:
    from astropy.table import Table


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """One frame, reduced.

    Attributes
    ----------
    prepared : Prepared
    sources : Sources
    placed : Placed
    known : Known
    calibrated : Calibrated
    transients : Search
    table : astropy.table.Table
        The catalogue.
    settings : Settings
    assumed : tuple of str
        What was assumed of time and filter.
    """

    prepared: Prepared
    sources: Sources
    placed: Placed
    known: Known
    calibrated: Calibrated
    transients: Search
    table: Table
    settings: Settings
    assumed: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything worth a warning, once."""
        parts = (
            *self.assumed, *self.prepared.notes, *self.sources.notes, *self.placed.notes,
            *self.known.notes(), *self.calibrated.notes,
        )  # fmt: skip
        return tuple(dict.fromkeys(parts))


def summarise(reduced: Reduced) -> Mapping[str, Any]:
    """Collect the numbers worth printing, and a row of the table of many frames.

    Parameters
    ----------
    reduced : Reduced

    Returns
    -------
    dict
    """
    prepared, sources, calibrated = reduced.prepared, reduced.sources, reduced.calibrated
    solution, zero = reduced.placed.solution, calibrated.aperture.zero_point
    exposure, scale = prepared.frame.exposure, solution.scale_arcsec
    widths = sources.widths
    limits = {f"limit_{one.snr:g}_sigma_mag": one.measured for one in calibrated.limits.limits}
    ny, nx = prepared.frame.pixels.shape
    ra, dec = (float(v) for v in solution.wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0))
    psf_zero = calibrated.psf.zero_point if calibrated.psf is not None else None
    return {
        "file": prepared.frame.path.name,
        "mid_jd_utc": exposure.mid_jd_utc,
        "exposure_s": prepared.exposure_s,
        "filter": exposure.filter,
        "band": calibrated.standards.band if calibrated.standards is not None else None,
        "standards": calibrated.standards.catalog.title if calibrated.standards else None,
        "ra_deg": ra,
        "dec_deg": dec,
        "scale_arcsec": scale,
        "astrometry_stars": solution.n_matched,
        "astrometry_rms_px": solution.rms_arcsec / scale,
        "sources": len(sources),
        "matched_standards": len(calibrated.rows),
        "fwhm_px": widths.fwhm,
        "fwhm_arcsec": widths.fwhm * scale,
        "fwhm_err_px": widths.fwhm_err,
        "sky_adu": _median(prepared.background.level),
        "sky_rms_adu": _median(prepared.background.rms),
        "zero_point_mag": zero.value if zero else None,
        "zero_point_err_mag": zero.err if zero else None,
        "zero_point_scatter_mag": zero.scatter if zero else None,
        "zero_point_stars": zero.n_used if zero else 0,
        "psf_zero_point_mag": psf_zero.value if psf_zero else None,
        "zero_point_no_air_mag": _above_air(calibrated),
        "airmass": calibrated.airmass,
        **limits,
        "completeness_50_mag": _half_found(calibrated),
        "candidates": len(reduced.transients.candidates),
        "psf": sources.psf.kind if sources.psf is not None else "none",
    }


def _half_found(calibrated: Calibrated) -> float | None:
    found = calibrated.completeness
    return None if found is None else found.magnitude_at(0.5)


def _above_air(calibrated: Calibrated) -> float | None:
    zero = calibrated.aperture.zero_point
    if zero is None or not calibrated.extinction_mag:
        return None
    return zero.value + calibrated.extinction_mag


def _median(pixels: np.ndarray) -> float:
    return float(np.median(pixels))
