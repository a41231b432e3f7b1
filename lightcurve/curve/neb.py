"""Could a neighbour, and not the target, be what fades? The nearby-eclipsing-binary check.

A fainter star whose light falls into the aperture of a survey must fade far more than the target
to feign its transit. A star whose own curve is quiet enough to rule that out is cleared; the
dispositions are those of AstroImageJ's NEB macro.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from lightcurve.core.coordinates import directions, unit_vectors
from lightcurve.core.data import LightCurve, Measurements
from lightcurve.curve.aperture import take_aperture
from lightcurve.curve.form import star_curves
from lightcurve.curve.plan import revise_plan

__all__ = ["BAND_MARGIN_MAG", "CLEARED", "LIKELY", "Disposition", "Neighbour", "check_neighbours"]

BAND_MARGIN_MAG = 0.5  # a neighbour may be this much brighter in the survey's band
CLEARED, LIKELY = 5.0, 3.0
MIN_COUNTS_PER_PIXEL = 2.0
TOO_FAINT_PPT = 1000.0


class Disposition(Enum):
    """What the check says of a star, in the words of AstroImageJ's macro."""

    CLEARED = "Cleared"
    TOO_FAINT = "Cleared-too faint"
    LIKELY = "Likely cleared"
    NOT_CLEARED = "Not cleared"
    LOW_FLUX = "Not cleared - flux too low"

    @property
    def cleared(self) -> bool:
        """Whether the star can be no cause, beyond doubt."""
        return self in {Disposition.CLEARED, Disposition.TOO_FAINT}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One star's part in the check.

    Attributes
    ----------
    separation_arcsec, position_angle_deg : float
        From the target; the angle from north through east.
    delta_mag : float
        Fainter than the target by this, from the fluxes; 15 where the flux is not positive.
    rms_ppt : float
        Of its curve about the mean, parts per thousand.
    depth_ppt : float
        Eclipse that would feign the target's transit.
    ratio : float
        Depth over rms.
    """

    star_id: str
    ra_deg: float
    dec_deg: float
    separation_arcsec: float
    position_angle_deg: float
    delta_mag: float
    rms_ppt: float
    depth_ppt: float
    ratio: float
    disposition: Disposition


def check_neighbours(
    measurements: Measurements,
    light_curve: LightCurve,
    *,
    depth_ppt: float,
    radius_arcsec: float = 150.0,
    in_transit: np.ndarray | None = None,
) -> list[Neighbour]:
    """Check every measured star within a radius of the target.

    Parameters
    ----------
    light_curve : LightCurve
        From `lightcurve.curve.choose.choose_curve`: its aperture and comparison stars are used.
    depth_ppt : float
        Of the target's transit, parts per thousand.
    in_transit : (n_frame,) bool array, optional
        Curves are normalised outside it.

    Returns
    -------
    list of Neighbour
        Nearest first, named by their roles in the light curve. An eclipse is needed of
        depth * 10^(0.4 (dmag - 0.5)).
    """
    recipe = light_curve.need_recipe()
    relative, error = star_curves(measurements, light_curve)
    piece = take_aperture(measurements, recipe.aperture)
    separation, angle = _offsets(measurements)
    near = np.flatnonzero((separation <= radius_arcsec) & (np.arange(len(separation)) > 0))
    area = np.pi * piece.radius**2
    outside = np.ones(len(relative), dtype=bool) if in_transit is None else ~in_transit
    if outside.sum() < 3:
        outside = np.ones(len(relative), dtype=bool)
    plan = revise_plan(measurements.plan, recipe.roles)
    found = []
    for row in near[np.argsort(separation[near], kind="stable")]:
        flux = piece.flux[:, row]
        delta = delta_magnitude(flux, piece.flux[:, 0])
        rms = _rms_ppt(relative[:, row], error[:, row], outside)
        needed = depth_ppt * 10 ** (0.4 * (delta - BAND_MARGIN_MAG))
        finite = np.isfinite(flux)
        counts = float(np.mean(flux[finite] / area[finite])) if finite.any() else float("nan")
        found.append(
            Neighbour(
                star_id=str(plan.star_id[row]),
                ra_deg=float(plan.ra_deg[row]),
                dec_deg=float(plan.dec_deg[row]),
                separation_arcsec=float(separation[row]),
                position_angle_deg=float(angle[row]),
                delta_mag=delta,
                rms_ppt=rms,
                depth_ppt=float(needed),
                ratio=float(needed / rms) if rms > 0 else float("nan"),
                disposition=dispose(counts, float(needed), rms),
            )
        )
    return found


def dispose(counts_per_pixel: float, depth_ppt: float, rms_ppt: float) -> Disposition:
    """Judge one star as AstroImageJ does, by its mean flux above the sky, ADU a pixel."""
    if not counts_per_pixel >= MIN_COUNTS_PER_PIXEL:
        return Disposition.LOW_FLUX
    if depth_ppt >= TOO_FAINT_PPT:
        return Disposition.TOO_FAINT
    if not rms_ppt > 0:
        return Disposition.NOT_CLEARED
    ratio = depth_ppt / rms_ppt
    if ratio >= CLEARED:
        return Disposition.CLEARED
    return Disposition.LIKELY if ratio >= LIKELY else Disposition.NOT_CLEARED


def delta_magnitude(flux: np.ndarray, target: np.ndarray) -> float:
    """Work out how much fainter than the target a star is.

    The median over the frames (AstroImageJ weighs each frame by the inverse square of its distance
    from the mean, which the median imitates without its poles); a frame with flux that is not
    positive counts as 15; NaN without a frame.
    """
    both = np.isfinite(flux) & np.isfinite(target) & (np.nan_to_num(target) > 0)
    if not both.any():
        return float("nan")
    ratio = flux[both] / target[both]
    return float(np.median(np.where(ratio > 0, -2.5 * np.log10(np.maximum(ratio, 1e-6)), 15.0)))


def _rms_ppt(relative: np.ndarray, error: np.ndarray, outside: np.ndarray) -> float:
    """Scatter about the weighted mean outside the transit, ppt of that mean."""
    finite = np.isfinite(relative) & np.isfinite(error) & (np.nan_to_num(error) > 0)
    base = finite & outside if (finite & outside).sum() >= 3 else finite
    if finite.sum() < 3:
        return float("nan")
    mean = np.average(relative[base], weights=1 / error[base] ** 2)
    return float(1000 * np.sqrt(np.mean((relative[finite] / mean - 1) ** 2)))


def _offsets(measurements: Measurements) -> tuple[np.ndarray, np.ndarray]:
    """Separation, arc seconds, and position angle, degrees, of every star from the target."""
    ra, dec = measurements.plan.ra_deg, measurements.plan.dec_deg
    north, east = unit_vectors(ra[0], dec[0] + 90), unit_vectors(ra[0] + 90, 0.0)
    # Seen with the target as the pole, and north as the zero of the angle.
    axes = np.stack([north, east, unit_vectors(ra[0], dec[0])])
    angle, latitude = directions(unit_vectors(ra, dec) @ axes.T)
    return (90 - latitude) * 3600, np.round(angle, 8) % 360  # north is 0, never a hair below 360
