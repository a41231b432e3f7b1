"""All that one frame gave, and the few numbers that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.image_stages.data import (
    Calibrated,
    Placed,
    Reduced,
)

if TYPE_CHECKING:
    pass


def summarise(reduced: Reduced) -> Mapping[str, Any]:
    """Collect the numbers worth printing, and a row of the table of many frames."""
    prepared, sources = reduced.prepared, reduced.sources
    exposure, widths, placed = prepared.frame.exposure, sources.widths, reduced.placed
    return {
        "file": prepared.frame.path.name,
        "status": "not solved" if placed.unsolved else "reduced",
        "reason": placed.unsolved,
        "mid_jd_utc": exposure.mid_jd_utc,
        "exposure_s": prepared.exposure_s,
        "filter": exposure.filter,
        **_place(placed, prepared.frame.pixels.shape),
        "scale_arcsec": reduced.scale_arcsec,
        "sources": len(sources),
        "fwhm_px": widths.fwhm,
        "fwhm_arcsec": widths.fwhm * reduced.scale_arcsec,
        "fwhm_err_px": widths.fwhm_err,
        "sky_adu": _median(prepared.background.level),
        "sky_rms_adu": _median(prepared.background.rms),
        **_brightness(reduced.calibrated),
        "candidates": len(reduced.transients.candidates),
        "psf": sources.psf.kind if sources.psf is not None else "none",
        "failed_services": [r.name for r in reduced.known.reports if r.status == "failed"],
    }


def _place(placed: Placed, shape: tuple[int, int]) -> dict[str, Any]:
    """Where the frame is and how well that is known; NaN and 0 stars where it is not."""
    ra, dec = placed.centre_deg(shape)
    solution = placed.solution
    rms = float("nan") if solution is None else solution.rms_arcsec / solution.scale_arcsec
    return {
        "ra_deg": ra,
        "dec_deg": dec,
        "astrometry_stars": 0 if solution is None else solution.n_matched,
        "astrometry_rms_px": rms,
    }


def _brightness(calibrated: Calibrated) -> dict[str, Any]:
    """Zero points and limits; instrumental limits are there without a zero point, too."""
    standards, zero = calibrated.standards, calibrated.aperture.zero_point
    psf_zero = calibrated.psf.zero_point if calibrated.psf is not None else None
    found = calibrated.completeness
    depths = {f"limit_{one.snr:g}_sigma": one.measured for one in calibrated.limits.limits}
    depths["completeness_50"] = float("nan") if found is None else found.magnitude_at(0.5)
    in_band = 0.0 if zero else float("nan")
    return {
        "band": standards.band if standards else None,
        "standards": standards.catalog.title if standards else None,
        "matched_standards": len(calibrated.rows),
        "zero_point_mag": zero.value if zero else None,
        "zero_point_err_mag": zero.err if zero else None,
        "zero_point_scatter_mag": zero.scatter if zero else None,
        "zero_point_stars": zero.n_used if zero else 0,
        "psf_zero_point_mag": psf_zero.value if psf_zero else None,
        "zero_point_no_air_mag": _above_air(calibrated),
        "airmass": calibrated.airmass,
        **{f"{name}_mag": mag + in_band for name, mag in depths.items()},
        **{f"{name}_inst_mag": mag - (zero.value if zero else 0.0) for name, mag in depths.items()},
    }


def _above_air(calibrated: Calibrated) -> float | None:
    zero = calibrated.aperture.zero_point
    if zero is None or not calibrated.extinction_mag:
        return None
    return zero.value + calibrated.extinction_mag


def _median(pixels: np.ndarray) -> float:
    return float(np.median(pixels))
