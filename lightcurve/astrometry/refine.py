"""Check a WCS by the stars of the frame, and refine it; the outcome is never worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.transform import fit_transform
from lightcurve.astrometry.wcs import fit_wcs, move_wcs, sip_order
from lightcurve.core.data import Detections

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = [
    "MAX_FALSE_PROBABILITY",
    "MIN_FRACTION",
    "Check",
    "Refined",
    "refine_wcs",
    "stars_on_frame",
]

MATCH_PX = 3.0
MIN_MATCHED = 6  # with fewer no match is believed, of frames or of catalogues
MIN_FRACTION = 0.3
MAX_FALSE_PROBABILITY = 1e-6
# Matched stars needed for each order: three or more for each of its coefficients on an axis.
STARS_FOR_ORDER = {1: MIN_MATCHED, 2: 20, 3: 40, 4: 80}


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """How far a WCS agrees with a frame's stars.

    Attributes
    ----------
    here, there : (m,) int arrays
        Rows of the matched detections and of the stars given.
    distance_px : (m,) float array
    n_inside : int
        Stars given that fall on the frame.
    probability : float
        Chance of so many matches if the WCS were wrong.
    """

    here: np.ndarray
    there: np.ndarray
    distance_px: np.ndarray
    n_inside: int
    probability: float
    n_detected: int = 0

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
    def passed(self) -> bool:
        """Whether the WCS is to be believed."""
        enough = max(MIN_MATCHED, MIN_FRACTION * min(self.n_inside, self.n_detected))
        return self.n_matched >= enough and self.probability < MAX_FALSE_PROBABILITY


def check_wcs(
    wcs: WCS,
    stars: Detections,
    shape: tuple[int, int],
    sky: np.ndarray,
    *,
    tolerance_px: float = MATCH_PX,
) -> Check:
    """Match stars of known places, RA and Dec, with a frame's own, one to one, the closest first.

    Of the two lists the shorter one is on trial: each of its k stars meets one of the other's n
    by chance with ``p = 1 - exp(-n pi t^2 / A)``; the binomial tail is the probability stated.
    """
    from scipy.spatial import cKDTree
    from scipy.special import bdtrc

    rows, predicted = stars_on_frame(wcs, shape, sky)
    none = np.zeros(0, dtype=int)
    if not len(rows) or not len(stars):
        return Check(none, none, np.zeros(0), len(rows), 1.0, len(stars))
    tree = cKDTree(np.column_stack([stars.x, stars.y]))
    distance, nearest = tree.query(predicted, distance_upper_bound=tolerance_px)
    there = np.flatnonzero(np.isfinite(distance))
    there = there[np.argsort(distance[there], kind="stable")]
    here, first = np.unique(nearest[there], return_index=True)
    there = there[first]
    fewer, more = sorted((len(rows), len(stars)))
    p = -np.expm1(-more * np.pi * tolerance_px**2 / (shape[0] * shape[1]))
    chance = float(bdtrc(len(here) - 1, fewer, p)) if len(here) else 1.0
    return Check(here, rows[there], distance[there], len(rows), chance, len(stars))


def stars_on_frame(
    wcs: WCS, shape: tuple[int, int], sky: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which stars fall on a frame.

    shape: (ny, nx). sky: (n, 2) float array, ICRS right ascension and declination, degrees.
    Returns their rows, (m,), and pixels, (m, 2), 0-based.
    """
    ny, nx = shape
    # Without distortion first: its inverse need not exist far outside the frame.
    rough = np.column_stack(wcs.wcs_world2pix(sky[:, 0], sky[:, 1], 0)) if len(sky) else sky
    margin = 0.1 * max(shape)
    near = ((rough > -margin) & (rough < (nx + margin, ny + margin))).all(axis=1)
    rows = np.flatnonzero(near)
    if wcs.sip is None or not len(rows):
        xy = rough[rows]
    else:
        xy = np.column_stack(wcs.all_world2pix(sky[rows, 0], sky[rows, 1], 0, quiet=True))
    inside = ((xy > -0.5) & (xy < (nx - 0.5, ny - 0.5))).all(axis=1)
    return rows[inside], xy[inside]


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """A refined WCS and what it rests on.

    Attributes
    ----------
    check : Check
        Of that WCS.
    order : int
        More than 1 when SIP terms were fitted, 1 when the WCS that came in was moved; 0 when it is
        the one that came in.
    ra_rms_arcsec, dec_rms_arcsec : float
        Residuals of the matched stars in right ascension (on the sky) and in declination.
    """

    wcs: WCS
    check: Check
    order: int
    ra_rms_arcsec: float
    dec_rms_arcsec: float


def refine_wcs(wcs: WCS, stars: Detections, shape: tuple[int, int], sky: np.ndarray) -> Refined:
    """Fit a WCS anew to the catalogue stars that fall on detected ones.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Good to a few pixels.
    shape : tuple of int
        (ny, nx).
    sky : (n, 2) float array
        RA and Dec, degrees, at the frame's epoch.

    Returns
    -------
    Refined
        The WCS given when fewer than `MIN_MATCHED` stars agree with it, or when it fits better.
    """
    best = _outcome(wcs, 0, stars, shape, sky)
    current, tolerance = wcs, MATCH_PX
    for order in _orders(wcs):
        for _ in range(2):
            check = check_wcs(current, stars, shape, sky, tolerance_px=tolerance)
            good = _without_outliers(check)
            if good.sum() < STARS_FOR_ORDER[order]:
                return best
            here = np.column_stack([stars.x, stars.y])[check.here[good]]
            current = _fit(here, sky[check.there[good]], shape, current, order)
            tolerance = max(1.5, min(MATCH_PX, 4 * check.rms_px))
        found = _outcome(current, order, stars, shape, sky)
        # An order that does not help is passed over: lenses distort in the third, not the second.
        if _better(found, best):
            best = found
        current = best.wcs if best.order else current
    return best


def _orders(wcs: WCS) -> list[int]:
    """List the orders to try: a distortion that is known is not exchanged for a simpler one."""
    return [1, *range(max(sip_order(wcs), 2), max(STARS_FOR_ORDER) + 1)]


def _fit(here: np.ndarray, sky: np.ndarray, shape: tuple[int, int], wcs: WCS, order: int) -> WCS:
    """Fit a WCS to stars; to the first order it is the given one moved, its distortion and all."""
    if order == 1 and _is_tangent(wcs):
        predicted = np.column_stack(wcs.all_world2pix(*sky.T, 0, quiet=True))
        # Of few stars only shift, turn and scale: more would run away in the corners.
        return move_wcs(wcs, fit_transform(predicted, here), shape)
    ny, nx = shape
    centre = np.array([(nx - 1) / 2, (ny - 1) / 2])
    crval = np.array(wcs.all_pix2world(*centre, 0), dtype=float)
    return fit_wcs(here, sky, crval, centre, order=order)


def _is_tangent(wcs: WCS) -> bool:
    """Tell whether a WCS is TAN or TAN-SIP and nothing more."""
    usual = list(wcs.wcs.ctype) in (["RA---TAN", "DEC--TAN"], ["RA---TAN-SIP", "DEC--TAN-SIP"])
    return usual and not wcs.wcs.get_pv() and wcs.wcs.lonpole in {180.0, 999.0}


def _without_outliers(check: Check) -> np.ndarray:
    if not check.n_matched:
        return np.zeros(0, dtype=bool)
    return check.distance_px <= max(3 * float(np.median(check.distance_px)), 0.1)


def _outcome(
    wcs: WCS, order: int, stars: Detections, shape: tuple[int, int], sky: np.ndarray
) -> Refined:
    check = check_wcs(wcs, stars, shape, sky, tolerance_px=MATCH_PX / 2)
    if not check.n_matched:
        return Refined(wcs, check, order, float("nan"), float("nan"))
    ra, dec = wcs.all_pix2world(stars.x[check.here], stars.y[check.here], 0)
    d_dec = dec - sky[check.there, 1]
    d_ra = ((ra - sky[check.there, 0] + 180) % 360 - 180) * np.cos(np.radians(dec))
    rms = (3600 * float(np.sqrt(np.mean(d**2))) for d in (d_ra, d_dec))
    return Refined(wcs, check, order, *rms)


def _better(found: Refined, best: Refined) -> bool:
    """Compare residuals, and see that no star is lost for it.

    A higher order must lower the Bayesian information criterion of the 2 n coordinates,
    ``4 n ln(rms) + 2 k ln(2 n)`` with k fitted terms an axis: by few stars much, by many little.
    """
    k = found.check.n_matched
    if k < MIN_MATCHED or k < 0.9 * best.check.n_matched:
        return False
    if best.check.n_matched < MIN_MATCHED or k > 1.1 * best.check.n_matched:
        return True
    if found.order > 1:
        more = _terms(found.order) - _terms(max(best.order, 1))
        demand = float(np.exp(-more * np.log(2 * k) / (2 * k)))
        return found.check.rms_px < demand * best.check.rms_px
    return _reduced(found) < _reduced(best)


def _terms(order: int) -> int:
    """Count the coefficients of a polynomial in x and y."""
    return (order + 1) * (order + 2) // 2


def _reduced(outcome: Refined) -> float:
    """Residual per degree of freedom; the WCS that came in was not fitted to these stars."""
    n = outcome.check.n_matched
    used = _terms(1) if outcome.order else 0
    return outcome.check.rms_px * float(np.sqrt(n / max(n - used, 1)))
