"""Check a WCS by the stars of the frame, put it right where it is off, and refine it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.overlay import (
    MIN_FRACTION,
    MIN_MATCHED,
    REAL,
    Fit,
    Judged,
    affine,
    on_frame,
    overlay,
)
from lightcurve.astrometry.wcs import as_tangent, grid_over, sip_order
from lightcurve.core.data import Detections
from lightcurve.core.errors import RegistrationError

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["Check", "Refined", "refine_wcs", "stars_on_frame"]

DEPTH, MIN_KNOWN = 2, 60  # known stars for each of the frame's own, and at least
AROUND = 0.25  # of the frame, on each side: so far off are its stars looked for
SHARP_PX = 4.0  # FWHM up to which a pixel is a pixel
SIP_REACHES = 0.1  # of the frame: beyond it the inverse of a distortion need not exist


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """How far a WCS agrees with a frame's stars.

    Attributes
    ----------
    here, there : (m,) int arrays
        Rows of the matched detections and of the stars given.
    distance_px : (m,) float array
    n_inside, n_detected : int
        Stars given that fall on the frame, and the frame's own.
    fraction : float
        Matched beyond what chance does, of those that could be, by fits without them.
    probability : float
        Chance of so many matches if the WCS were wrong, by the stars around each.
    worst_px : float
        Error in the worst place of the frame, by residuals and number of the matched stars.
    sure : bool
        The match can be no chance, and no part of the frame speaks against it.
    passed : bool
        It is sure, and the WCS holds all over the frame to a pixel, or a quarter of the FWHM.
    """

    here: np.ndarray
    there: np.ndarray
    distance_px: np.ndarray
    n_inside: int
    n_detected: int
    fraction: float = 0.0
    probability: float = 1.0
    worst_px: float = float("inf")
    sure: bool = False
    passed: bool = False

    @property
    def n_matched(self) -> int:
        """Count the matched stars."""
        return len(self.here)

    @property
    def rms_px(self) -> float:
        """Both axes together; NaN without a match."""
        return float(np.sqrt(np.mean(self.distance_px**2))) if len(self.here) else float("nan")

    @property
    def possible(self) -> bool:
        """Whether there are stars enough to say anything."""
        return min(self.n_inside, self.n_detected) >= MIN_MATCHED

    @property
    def refuted(self) -> bool:
        """Whether so few stars match that the WCS must be wrong."""
        return self.possible and self.fraction < MIN_FRACTION


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """A refined WCS and what it rests on.

    Attributes
    ----------
    check : Check
        Of that WCS.
    order : int
        Of the fit: more than 1 when SIP terms were fitted, 1 when the WCS that came in was moved; 0
        when it is the one that came in.
    off_px : float
        By how much the WCS that came in was off in the middle of the frame.
    ra_rms_arcsec, dec_rms_arcsec : float
        Residuals of the matched stars in right ascension (on the sky) and in declination.
    """

    wcs: WCS
    check: Check
    order: int
    off_px: float
    ra_rms_arcsec: float
    dec_rms_arcsec: float


def refine_wcs(
    wcs: WCS,
    stars: Detections,
    shape: tuple[int, int],
    sky: np.ndarray,
    *,
    ordered: bool = False,
) -> Refined:
    """Lay a frame's stars over those of a catalogue, and fit its WCS anew.

    The pattern of many pairs tells where they belong together, the nearest neighbours how exactly,
    and held out stars how many terms that is worth and whether it can be chance: see `overlay`.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Good to some tens of pixels; where `ordered`, to a quarter of the frame, and turned anyhow.
    stars : Detections
        Brightest first.
    shape : tuple of int
        (ny, nx).
    sky : (n, 2) float array
        RA and Dec, degrees, at the frame's epoch.
    ordered : bool
        The brightest are first: as many are taken as the frame's own stars call for, unless only
        all of them agree.

    Returns
    -------
    Refined
        The WCS given where its check is not sure.
    """
    own = np.column_stack([stars.x, stars.y])
    rows, points = stars_on_frame(wcs, shape, sky, margin=AROUND)
    n_inside = int(on_frame(points, shape).sum())
    if min(n_inside if not ordered else len(points), len(own)) < 2:
        none = np.zeros(0, dtype=int)
        return _unchanged(wcs, Check(none, none, np.zeros(0), n_inside, len(own)))
    # In pixels as coarse as the stars are blurred; all begin at -0.5.
    unit = _unit_px(stars)
    coarse = replace(stars, x=(stars.x + 0.5) / unit - 0.5, y=(stars.y + 0.5) / unit - 0.5)
    size = shape[0] / unit, shape[1] / unit
    judged = _lay_over(coarse, (points + 0.5) / unit - 0.5, size, ordered=ordered)
    real = judged.pairs.weight > REAL
    check = Check(
        judged.pairs.star[real], rows[judged.pairs.point[real]], unit * judged.pairs.distance[real],
        judged.n_inside, len(own), judged.fraction, judged.probability,
        unit * judged.worst_px, judged.sure, judged.passed,
    )  # fmt: skip
    if not check.sure:
        return _unchanged(wcs, check)
    fit = replace(judged.fit, terms=unit * judged.fit.terms, shape=shape)
    return _moved(wcs, fit, check, stars, sky)


def _depths(points: np.ndarray, shape: tuple[float, float], n_detected: int) -> list[int]:
    """How many points to take, brightest first: of a deep catalogue some would be near any star."""
    wanted = max(DEPTH * n_detected, MIN_KNOWN)
    inside = np.cumsum(on_frame(points, shape))
    cut = int(np.searchsorted(inside, wanted)) + 1
    return [cut, len(points)] if cut < len(points) else [len(points)]


def _lay_over(
    stars: Detections, points: np.ndarray, shape: tuple[float, float], *, ordered: bool
) -> Judged:
    """Lay stars over points (n, 2), of some depth and from some way off."""
    own = np.column_stack([stars.x, stars.y])
    depths = _depths(points, shape, len(own)) if ordered else [len(points)]
    for n in depths:
        judged = overlay(own, points[:n], shape)
        begun = None if judged.passed or not ordered else _by_triangles(stars, points[:n], shape)
        if begun is not None:
            judged = max(judged, overlay(own, points[:n], shape, begun), key=lambda one: one.passed)
        if judged.passed:
            break
    return judged


def _unit_px(stars: Detections) -> float:
    """How many pixels go for one: of blurred stars places are as much less sure."""
    known = stars.fwhm[np.isfinite(stars.fwhm)]
    return max(1.0, float(np.median(known)) / SHARP_PX) if len(known) else 1.0


def _by_triangles(stars: Detections, points: np.ndarray, shape: tuple[float, float]) -> Fit | None:
    """Look for the pattern of the brightest anywhere on and around the frame, turned anyhow."""
    from lightcurve.astrometry.register import make_reference, register

    rank = np.arange(len(points), 0, -1, dtype=float)
    pattern = make_reference(points[:, 0], points[:, 1], rank, (round(shape[0]), round(shape[1])))
    try:
        found = register(stars.x, stars.y, stars.flux, pattern)
    except RegistrationError:
        return None
    linear = np.linalg.inv(found.matrix[:, :2])
    return affine(np.column_stack([linear, -linear @ found.matrix[:, 2]]), shape)


def _moved(wcs: WCS, fit: Fit, check: Check, stars: Detections, sky: np.ndarray) -> Refined:
    """Carry a WCS over by a fit of the frame's pixels to its own."""
    grid = grid_over(fit.shape)
    there = np.column_stack(wcs.all_pix2world(*fit(grid).T, 0))
    order = max(sip_order(wcs), fit.order, 1)
    moved, _ = as_tangent(grid, there, order)
    ny, nx = fit.shape
    middle = np.array([[(nx - 1) / 2, (ny - 1) / 2]])
    ra, dec = moved.all_pix2world(stars.x[check.here], stars.y[check.here], 0)
    d_dec = dec - sky[check.there, 1]
    d_ra = ((ra - sky[check.there, 0] + 180) % 360 - 180) * np.cos(np.radians(dec))
    rms = (3600 * float(np.sqrt(np.mean(d**2))) for d in (d_ra, d_dec))
    off = float(np.hypot(*(fit(middle) - middle)[0]))
    return Refined(moved, check, max(fit.order, 1), off, *rms)


def _unchanged(wcs: WCS, check: Check) -> Refined:
    return Refined(wcs, check, 0, 0.0, float("nan"), float("nan"))


def stars_on_frame(
    wcs: WCS, shape: tuple[int, int], sky: np.ndarray, *, margin: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which stars fall on a frame.

    shape: (ny, nx). sky: (n, 2) float array, ICRS right ascension and declination, degrees.
    margin: of the frame's longer side, on each side of it.
    Returns their rows, (m,), and pixels, (m, 2), 0-based.
    """
    ny, nx = shape
    # Without distortion first: its inverse need not exist far outside the frame.
    rough = np.column_stack(wcs.wcs_world2pix(sky[:, 0], sky[:, 1], 0)) if len(sky) else sky
    xy, reach = rough, SIP_REACHES * max(shape)
    near = np.flatnonzero(((rough > -reach) & (rough < (nx + reach, ny + reach))).all(axis=1))
    if wcs.sip is not None and len(near):
        xy = rough.copy()
        xy[near] = np.column_stack(wcs.all_world2pix(sky[near, 0], sky[near, 1], 0, quiet=True))
    edge = margin * max(shape)
    inside = ((xy > -0.5 - edge) & (xy < (nx - 0.5 + edge, ny - 0.5 + edge))).all(axis=1)
    rows = np.flatnonzero(inside)
    return rows, xy[rows]
