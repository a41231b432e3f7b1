"""AstroImageJ's differential photometry: plain sums, each star left out of its own."""

from __future__ import annotations

import numpy as np

__all__ = ["relative_fluxes"]


def leave_one_out(
    flux: np.ndarray, error: np.ndarray, comparison: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the comparison stars (n_star,) for each star, itself left out; (n_frame, n_star).

    NaN where a comparison star of the sum is NaN.
    """
    others = comparison[:, None] & ~np.eye(len(comparison), dtype=bool)
    # Only comparison stars enter the product: NaN times 0 is NaN.
    total = flux[:, comparison] @ others[comparison].astype(float)
    variance = error[:, comparison] ** 2 @ others[comparison].astype(float)
    if np.isnan(total).any():
        total, variance = _sum_without_spill(flux, error, others)
    return total, np.sqrt(variance)


def _sum_without_spill(
    flux: np.ndarray, error: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum star by star, so that a NaN reaches only the sums it belongs to."""
    total = np.stack([flux[:, use].sum(axis=1) for use in others.T], axis=1)
    variance = np.stack([(error[:, use] ** 2).sum(axis=1) for use in others.T], axis=1)
    return total, variance


def ratio(
    flux: np.ndarray, error: np.ndarray, total: np.ndarray, total_err: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Divide fluxes by sums of comparison stars; 0 where the sum is 0, as AstroImageJ has it.

    The error is ``relative * sqrt((error/flux)^2 + (total_err/total)^2)``, AstroImageJ's formula:
    it carries the sign of the ratio.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = flux / total
        size = np.hypot(error / total, relative * total_err / total)
        relative_err = np.copysign(size, relative)
    empty = total == 0
    return np.where(empty, 0.0, relative), np.where(empty, 0.0, relative_err)


def relative_fluxes(
    flux: np.ndarray, error: np.ndarray, comparison: np.ndarray
) -> dict[str, np.ndarray]:
    """Form the relative flux of every star by AstroImageJ's rules.

    flux, error: (n_frame, n_star) float arrays, ADU.
    comparison: (n_star,) bool array; a comparison star is not divided by itself.
    Returns (n_frame, n_star) float arrays: rel_flux, rel_flux_err and rel_flux_SNR, and the sums
    tot_C_cnts and tot_C_err that each star was divided by; NaN where a star of the sum is.
    """
    total, total_err = leave_one_out(flux, error, comparison)
    relative, relative_err = ratio(flux, error, total, total_err)
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = relative / relative_err
    return {
        "rel_flux": relative,
        "rel_flux_err": relative_err,
        "rel_flux_SNR": snr,
        "tot_C_cnts": total,
        "tot_C_err": total_err,
    }
