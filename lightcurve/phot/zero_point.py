"""From instrumental to catalogue magnitudes: one constant, and a colour term if wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.errors import FitError

__all__ = ["POGSON", "ZeroPoint", "apply_zero_point", "fit_zero_point", "instrumental"]

MIN_STARS = 3
MIN_FOR_COLOUR = 10
CLIP_SIGMA = 3.0
MAX_OFFSET_MAG = 0.5  # from the median: what is farther is another star, or a variable
MAX_PASSES = 20
POGSON = 2.5 / np.log(10)


@dataclass(frozen=True, slots=True, eq=False)
class ZeroPoint:
    """What turns an instrumental magnitude into a calibrated one.

    ``m = m_inst + value + colour_term (colour - colour_mean)``

    Attributes
    ----------
    value, err : float
        Magnitude of a star of 1 ADU a second, and the error of this constant.
    scatter : float
        Standard deviation of the stars used about the fit.
    intrinsic : float
        Scatter beyond what the errors explain.
    colour_term, colour_term_err : float
        0 when none was asked for.
    colour_mean : float
        Colour for which `value` holds; NaN without a colour term.
    used : (n,) bool array
        Stars that the fit rests on.
    residual, sigma : (n,) float arrays
        Catalogue less calibrated magnitude, and its error with the intrinsic scatter.
    """

    value: float
    err: float
    scatter: float
    intrinsic: float
    colour_term: float
    colour_term_err: float
    colour_mean: float
    used: np.ndarray
    residual: np.ndarray
    sigma: np.ndarray

    @property
    def n_used(self) -> int:
        """Count the stars that the fit rests on."""
        return int(self.used.sum())


def fit_zero_point(
    inst_mag: np.ndarray,
    inst_err: np.ndarray,
    cat_mag: np.ndarray,
    cat_err: np.ndarray,
    *,
    colour: np.ndarray | None = None,
) -> ZeroPoint:
    """Fit the zero point, clipping at 3 sigma.

    A weighted mean (or line in colour) of catalogue less instrumental magnitude. To each star's
    error is added the scatter that makes chi-square one per degree of freedom: what the catalogue
    and the frame have beyond their stated errors.

    Parameters
    ----------
    inst_mag, inst_err, cat_mag, cat_err : (n,) float arrays
        Of matched stars; rows that are not finite are left out. Unknown catalogue errors (NaN)
        count as 0: the added scatter finds them.
    colour : (n,) float array, optional
        Fits a colour term as well.

    Raises
    ------
    FitError
        When fewer than 3 stars, or 10 with a colour term, are left.
    """
    offset = cat_mag - inst_mag
    known = np.isfinite(offset) & np.isfinite(inst_err)
    if colour is not None:
        known &= np.isfinite(colour)
    needed = MIN_STARS if colour is None else MIN_FOR_COLOUR
    _require(int(known.sum()), needed)
    variance = np.nan_to_num(inst_err) ** 2 + np.nan_to_num(cat_err) ** 2
    mean = float(np.median(colour[known])) if colour is not None else float("nan")
    terms = np.ones((len(offset), 1))
    if colour is not None:
        terms = np.column_stack([terms, np.nan_to_num(colour - mean)])
    used = known & (np.abs(offset - np.median(offset[known])) <= MAX_OFFSET_MAG)
    for _ in range(MAX_PASSES):
        _require(int(used.sum()), needed)
        p, covariance, intrinsic = _weighted(terms[used], offset[used], variance[used])
        residual = offset - terms @ p
        sigma = np.sqrt(variance + intrinsic**2)
        keep = known & (np.abs(residual) <= np.minimum(CLIP_SIGMA * sigma, MAX_OFFSET_MAG))
        if np.array_equal(keep, used):
            break
        used = keep
    errors = np.sqrt(np.diag(covariance))
    return ZeroPoint(
        value=float(p[0]),
        err=float(errors[0]),
        scatter=float(np.std(residual[used], ddof=len(p))),
        intrinsic=intrinsic,
        colour_term=float(p[1]) if colour is not None else 0.0,
        colour_term_err=float(errors[1]) if colour is not None else 0.0,
        colour_mean=mean,
        used=used,
        residual=residual,
        sigma=sigma,
    )


def apply_zero_point(
    zero_point: ZeroPoint,
    inst_mag: np.ndarray,
    inst_err: np.ndarray,
    colour: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Calibrate magnitudes.

    inst_mag, inst_err: (n,) float arrays. colour: (n,) float array, optional; a star without one
    (NaN) is given the mean colour of the calibrating stars.
    Returns magnitudes and errors, (n,) each, that of the zero point, common to all, included.
    """
    mag = inst_mag + zero_point.value
    if colour is not None and zero_point.colour_term:
        mag = mag + zero_point.colour_term * np.nan_to_num(colour - zero_point.colour_mean)
    return mag, np.hypot(inst_err, zero_point.err)


def instrumental(
    flux: np.ndarray, flux_err: np.ndarray, exposure_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Turn fluxes into magnitudes ``-2.5 log10(flux / exposure)`` and their errors.

    flux, flux_err: (n,) float arrays, ADU. Returns (n,) float arrays, NaN for fluxes not positive.
    """
    flux = np.where(flux > 0, flux, np.nan)
    return -2.5 * np.log10(flux / exposure_s), POGSON * flux_err / flux


def _require(n: int, needed: int) -> None:
    if n < needed:
        msg = f"no zero point: {n} usable stars match the catalogue, {needed} are needed"
        raise FitError(msg)


def _weighted(
    terms: np.ndarray, offset: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Least squares, with the extra variance that makes chi-square the degrees of freedom."""
    freedom = len(offset) - terms.shape[1]

    def solve(extra: float) -> tuple[np.ndarray, np.ndarray, float]:
        weight = 1.0 / np.maximum(variance + extra, 1e-12)
        covariance = np.linalg.inv(terms.T @ (weight[:, None] * terms))
        p = covariance @ (terms.T @ (weight * offset))
        return p, covariance, float((weight * (offset - terms @ p) ** 2).sum())

    low, high = 0.0, float(np.var(offset)) + 1e-12
    if solve(low)[2] > freedom:
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if solve(middle)[2] > freedom else (low, middle)
    else:
        high = 0.0
    p, covariance, _ = solve(high)
    return p, covariance, float(np.sqrt(high))
