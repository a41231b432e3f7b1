"""Any aperture from the ladder that was measured: one for the night, or one that follows seeing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import Aperture, ApertureKind, Measurements
from lightcurve.core.flags import UNUSABLE

__all__ = ["Slice", "frame_radius", "interpolation_weights", "take_aperture"]

FWHM_FACTORS = (0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5)


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """The cube at one aperture.

    Attributes
    ----------
    radius : (n_frame,) float array
        Pixels.
    flux, flux_err, peak : (n_frame, n_star) float arrays
        ADU.
    flags : (n_frame, n_star) uint16 array
    good : (n_frame, n_star) bool array
        Finite, positive and without a flag that forbids its use.
    """

    radius: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    peak: np.ndarray
    flags: np.ndarray
    good: np.ndarray


def list_apertures(measurements: Measurements, *, follow_seeing: bool = True) -> list[Aperture]:
    """List the apertures that the ladder offers.

    follow_seeing: also radii in FWHM, where the ladder spans them in nine frames of ten.
    """
    radii, fwhm = measurements.radii, measurements.fwhm_px
    if measurements.fwhm_factor is not None:
        return [Aperture(ApertureKind.WIDTH, measurements.fwhm_factor)]
    fixed = [Aperture(ApertureKind.FIXED, float(r)) for r in radii]
    if not follow_seeing or len(radii) < 4 or not np.isfinite(fwhm).any():
        return fixed
    scaled = []
    for factor in FWHM_FACTORS:
        wanted = factor * fwhm[np.isfinite(fwhm)]
        if np.mean((wanted >= radii[0]) & (wanted <= radii[-1])) >= 0.9:
            scaled.append(Aperture(ApertureKind.FWHM, factor))
    return fixed + scaled


def frame_radius(measurements: Measurements, aperture: Aperture) -> np.ndarray:
    """Work out the radius of an aperture in every frame, (n_frame,) pixels, kept inside the ladder.

    A frame without FWHM takes the night's median.
    """
    if aperture.kind == ApertureKind.WIDTH and measurements.radius_used is not None:
        return measurements.radius_used
    if aperture.kind == ApertureKind.FIXED:
        return np.full(len(measurements.jd_utc), aperture.value)
    fwhm = measurements.fwhm_px
    fwhm = np.where(np.isfinite(fwhm), fwhm, np.nanmedian(fwhm))
    return np.clip(aperture.value * fwhm, measurements.radii[0], measurements.radii[-1])


def take_aperture(measurements: Measurements, aperture: Aperture) -> Slice:
    """Read the cube at an aperture.

    Between the radii of the ladder, flux and error are interpolated by a cubic through the four
    nearest radii; flags and peak are those of the next radius outside.
    """
    radius = frame_radius(measurements, aperture)
    weights = interpolation_weights(measurements.radii, radius)
    flux = _apply(measurements.flux, weights)
    error = _apply(measurements.flux_err, weights)
    outer = np.searchsorted(measurements.radii, radius - 1e-9).clip(max=len(measurements.radii) - 1)
    index = outer[:, None, None]
    flags = np.take_along_axis(measurements.flags, index, axis=2)[:, :, 0]
    peak = np.take_along_axis(measurements.peak, index, axis=2)[:, :, 0]
    finite = np.isfinite(flux) & np.isfinite(error)
    good = finite & (np.nan_to_num(flux) > 0) & ((flags & int(UNUSABLE)) == 0)
    return Slice(radius=radius, flux=flux, flux_err=error, peak=peak, flags=flags, good=good)


def interpolation_weights(radii: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Lagrange weights of the (up to) four radii nearest each wanted one within their range.

    radii: (n_radius,) float array, pixels, ascending. wanted: (n_frame,) float array, pixels.
    Returns (n_frame, n_radius) float array; rows add up to 1; exact for a cubic in the radius.
    """
    order = min(4, len(radii))
    first = np.clip(np.searchsorted(radii, wanted) - order // 2, 0, len(radii) - order)
    weights = np.zeros((len(wanted), len(radii)))
    rows = np.arange(len(wanted))
    nodes = radii[first[:, None] + np.arange(order)]
    for j in range(order):
        basis = np.ones(len(wanted))
        for k in range(order):
            if k != j:
                basis *= (wanted - nodes[:, k]) / (nodes[:, j] - nodes[:, k])
        weights[rows, first + j] = basis
    return weights


def _apply(cube: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum over the radii; a NaN counts only where its weight is not zero."""
    total = np.einsum("fsr,fr->fs", np.nan_to_num(cube), weights)
    lost = np.einsum("fsr,fr->fs", (~np.isfinite(cube)).astype(float), (weights != 0) * 1.0) > 0
    return np.where(lost, np.nan, total)
