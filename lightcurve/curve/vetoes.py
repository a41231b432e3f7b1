"""What speaks against a star as a comparison star, by the reference frame alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.data import Detections

if TYPE_CHECKING:
    from astropy.wcs import WCS

PEAK_FRACTION = 0.85  # of saturation or linearity: seeing sharper than the reference's adds 15 %
MIN_SNR = 20.0
MAX_NEIGHBOUR = 0.02  # of the star's flux, inside the aperture
MAX_ANNULUS_NEIGHBOUR = 0.5  # of the star's flux, in the sky annulus


def find_vetoes(
    detections: Detections,
    shape: tuple[int, int],
    aperture: float,
    annulus: tuple[float, float],
    ceiling: float,
) -> list[str]:
    """Say why each detection is no comparison candidate.

    detections: of the reference frame; shape: (ny, nx); aperture: radius, pixels; annulus: inner
    and outer radius, pixels; ceiling: saturation or linearity, ADU; infinite when not known.
    Empty for a candidate.
    """
    x, y, flux = detections.x, detections.y, np.maximum(detections.flux, 1e-9)
    ny, nx = shape
    edge = np.minimum.reduce([x + 0.5, y + 0.5, nx - 0.5 - x, ny - 0.5 - y])
    snr = flux / (max(detections.sky_rms, 1e-9) * np.sqrt(np.pi) * aperture)
    inside, around = _neighbours(x, y, flux, 2 * aperture, annulus)
    reasons = []
    for k in range(len(x)):
        if detections.peak[k] >= PEAK_FRACTION * ceiling:
            text = (
                f"too bright: peak {detections.peak[k]:.0f} of {ceiling:.0f} ADU in the reference"
            )
        elif edge[k] < annulus[1]:
            text = f"near the edge: {edge[k]:.0f} px, the sky annulus reaches {annulus[1]:.0f}"
        elif inside[k] > MAX_NEIGHBOUR:
            text = f"crowded: a neighbour of {100 * inside[k]:.0f} % of its flux by the aperture"
        elif around[k] > MAX_ANNULUS_NEIGHBOUR:
            text = f"crowded: a star of {100 * around[k]:.0f} % of its flux in the sky annulus"
        elif snr[k] < MIN_SNR:
            text = f"too faint: signal to noise {snr[k]:.0f} in one frame, {MIN_SNR:.0f} wanted"
        else:
            text = ""
        reasons.append(text)
    return reasons


def _neighbours(
    x: np.ndarray, y: np.ndarray, flux: np.ndarray, near: float, annulus: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Flux of the brightest neighbour over the star's own: nearer than `near`, and in the sky."""
    inside, around = np.zeros(len(x)), np.zeros(len(x))
    if len(x) < 2:
        return inside, around
    from scipy.spatial import cKDTree

    pairs = cKDTree(np.column_stack([x, y])).query_pairs(
        max(near, annulus[1]), output_type="ndarray"
    )
    first, second = np.concatenate([pairs, pairs[:, ::-1]]).T
    separation = np.hypot(x[first] - x[second], y[first] - y[second])
    ratio = flux[second] / flux[first]
    close = separation < near
    sky = (separation >= annulus[0]) & (separation < annulus[1])
    np.maximum.at(inside, first[close], ratio[close])
    np.maximum.at(around, first[sky], ratio[sky])
    return inside, around


def veto_variables(
    veto: list[str],
    detections: Detections,
    wcs: WCS,
    variables: Sequence[tuple[float, float]],
    tolerance: float,
) -> list[str]:
    """Add known variable stars to the vetoes.

    veto: from `find_vetoes`; variables: sequence of (float, float), RA and Dec, degrees; tolerance:
    pixels.
    A new list.
    """
    if not len(variables) or not len(detections):
        return veto
    ra, dec = np.array([(v[0], v[1]) for v in variables], dtype=float).T
    x, y = wcs.wcs_world2pix(ra, dec, 0)
    veto = list(veto)
    for vx, vy in zip(x, y, strict=True):
        distance = np.hypot(detections.x - vx, detections.y - vy)
        row = int(np.argmin(distance))
        if distance[row] <= tolerance and not veto[row]:
            veto[row] = "a known variable star"
    return veto
