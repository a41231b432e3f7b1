"""Where the camera stopped counting: peaks that do not rise with the light, whatever level that is.

A star's highest pixel holds the same share of its light as that of the other stars in the frame. A
peak that stays where it is while that share asks for more is clipped, by the converter, the well or
a soft bend before it; no header is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import Measurements
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.curve.detrend import column_median

__all__ = ["mark_saturated"]

UNUSABLE = Flag.EDGE | Flag.NOT_MEASURED | Flag.FEW_SKY_PIXELS | Flag.NEGATIVE_FLUX
MIN_SNR = 30.0  # below it the highest pixel is one of the noise
MIN_STARS, MIN_POINTS = 4, 8
SURE = 25.0  # by which a plateau must lower chi-square: five sigma
LEAST_SLOPE = 0.5  # of a peak with its prediction; that of a close double in changing seeing is 0.6
ABOVE = 1.1  # times the plateau: a camera that counted so far did not stop there
LOWEST = 2.0  # percentile of the peaks on the plateau at which it begins
NEAR_TOP = 0.5  # of the night's highest star: fainter ones are far from any ceiling
MAX_STEPS = 40  # places along a curve where a plateau may begin
PASSES = 3
MIN_EQUAL = 10  # measurements of the very same number: a star's noise repeats one a few times
MORE_THAN_BELOW = 2  # times as many as have the next lower number; noise alone makes it fewer


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Logarithms of measured and of predicted heights of the stars' peaks above the sky.

    measured, predicted : (n_frame, n_star) float arrays, NaN where a star will not do
    scatter : float, of the difference, star and star apart: sub-pixel places and noise
    """

    measured: np.ndarray
    predicted: np.ndarray
    scatter: float


def mark_saturated(measurements: Measurements) -> tuple[Measurements, float | None]:
    """Flag the measurements that reach the level at which the night's peaks stop rising.

    Parameters
    ----------
    measurements : Measurements
        Their ``peak`` and ``flux`` at the middle radius are held against each other: those of one
        star over the frames, and those of all stars.

    Returns
    -------
    measurements : Measurements
        With `Flag.SATURATED` at every radius whose highest pixel is on the plateau or above.
    level : float or None
        Where it begins, ADU as in ``peak``; None where peaks rise as they should.
    """
    level = saturation_level(measurements)
    if level is None:
        return measurements, None
    full = np.nan_to_num(measurements.peak) >= level
    flags = measurements.flags | np.where(full, np.uint16(Flag.SATURATED), np.uint16(0))
    return replace(measurements, flags=flags), level


def saturation_level(measurements: Measurements) -> float | None:
    """Find the level, ADU, at which the camera stops counting; None where nothing shows it."""
    plateau = plateau_level(measurements)
    return pile_up(measurements.peak[:, :, -1]) if plateau is None else plateau


def pile_up(peak: np.ndarray) -> float | None:
    """Find the very highest number that peaks (n_frame, n_star) have, where many have the same.

    More than have the next lower: of whole numbers that noise alone spreads fewer have the highest.
    """
    values, counts = np.unique(peak[np.isfinite(peak)], return_counts=True)
    if not len(values) or counts[-1] < MIN_EQUAL:
        return None
    below = counts[-2] if len(values) > 1 else 0
    return float(values[-1]) if counts[-1] > MORE_THAN_BELOW * below else None


def plateau_level(measurements: Measurements) -> float | None:
    """Find the level, ADU, at which peaks stop; None where they do not, or it cannot be told."""
    k = len(measurements.radii) // 2
    peaks = _peaks(measurements, k)
    if peaks is None:
        return None
    raw = np.where(np.isfinite(peaks.measured), measurements.peak[:, :, k], np.nan)
    on_plateau = np.zeros(raw.shape, dtype=bool)
    highest = column_median(raw)
    for star in np.flatnonzero(highest >= NEAR_TOP * np.nanmax(highest)):
        on_plateau[:, star] |= _flat(peaks.predicted[:, star], peaks.measured[:, star], peaks)
    on_plateau |= _flat_together(peaks)
    if not on_plateau.any():
        return None
    level = float(np.percentile(raw[on_plateau], LOWEST))
    # No matter how flat: where several peaks went higher, the camera did not stop there.
    beyond = np.sum(raw > ABOVE * np.median(raw[on_plateau]))
    return None if beyond > 0.1 * on_plateau.sum() else level


def _peaks(measurements: Measurements, k: int) -> Peaks | None:
    """Predict every peak from its star's flux and the share that peaks have in that frame.

    The share is that of the median star; those found below it are left out of the next pass, so
    that clipped ones do not tell what is not clipped. None where there are too few stars.
    """
    m = measurements
    flux, error = m.flux[:, :, k], m.flux_err[:, :, k]
    height = m.peak[:, :, k] - m.star_sky
    with np.errstate(invalid="ignore", divide="ignore"):
        use = (m.flags[:, :, k] & int(UNUSABLE) == 0) & (flux > MIN_SNR * error) & (height > 0)
        share = np.where(use, np.log(height / flux), np.nan)
        light = np.where(use, np.log(flux), np.nan)
    enough = use.sum(axis=1) >= MIN_STARS
    if not enough.any():
        return None
    share, light = (
        np.where(enough[:, None], share, np.nan),
        np.where(enough[:, None], light, np.nan),
    )
    told = share
    for _ in range(PASSES):
        of_frame = column_median(told.T)
        off = share - of_frame[:, None]
        scatter = robust_scatter(told - of_frame[:, None])
        told = np.where(off > -3 * scatter, share, np.nan)
    scatter = max(robust_scatter(told - column_median(told.T)[:, None]), 1e-3)
    return Peaks(share + light, light + of_frame[:, None], scatter)


def _flat(predicted: np.ndarray, measured: np.ndarray, peaks: Peaks) -> np.ndarray:
    """Points (n,) of one star that lie on a plateau; none where a line tells them as well."""
    good = np.isfinite(predicted) & np.isfinite(measured)
    on = np.zeros(len(good), dtype=bool)
    if good.sum() >= MIN_POINTS:
        on[good] = _on_plateau(predicted[good], measured[good], peaks.scatter)
    return on


def _flat_together(peaks: Peaks) -> np.ndarray:
    """Points (n_frame, n_star) of stars that, each by its median, lie on one plateau together.

    A single one may be a galaxy or a double, whose peak holds less of its light.
    """
    star = np.isfinite(peaks.measured).sum(axis=0) >= 1
    x, y = (column_median(v[:, star]) for v in (peaks.predicted, peaks.measured))
    on = np.zeros(peaks.measured.shape, dtype=bool)
    if star.sum() < MIN_POINTS:
        return on
    flat = _on_plateau(x, y, peaks.scatter, anchored=True)
    if flat.sum() >= 2 and np.ptp(y[flat]) < 0.3 * np.ptp(x[flat]):
        on[:, np.flatnonzero(star)[flat]] = True
    return on & (peaks.predicted - peaks.measured > 2 * peaks.scatter)


def _on_plateau(
    x: np.ndarray, y: np.ndarray, scatter: float, *, anchored: bool = False
) -> np.ndarray:
    """Hold a line of slope 0.5 to 1.1 against one of slope 1 that ends in a plateau.

    anchored: the line of slope 1 goes through 0, as that of many stars together must. Returns the
    points (n,) on the plateau; none unless it lowers chi-square by 25.
    """
    slope = np.clip(np.cov(x, y)[0, 1] / max(np.var(x, ddof=1), 1e-12), LEAST_SLOPE, 1.1)
    line = (y - slope * x) - np.median(y - slope * x)
    order = np.argsort(x, kind="stable")
    best, first = np.inf, len(x)
    for n in np.unique(np.linspace(0, len(x) - 3, MAX_STEPS).astype(int)):
        low, high = order[:n], order[n:]
        rise = 0.0 if anchored or n == 0 else float(np.median(y[low] - x[low]))
        plateau = float(np.median(y[high]))
        # Nothing on the plateau may be predicted below it.
        if n and x[high].min() + rise < plateau - scatter:
            continue
        left = _cost(y[low] - x[low] - rise, scatter) + _cost(y[high] - plateau, scatter)
        if left < best:
            best, first = left, n
    flat = np.zeros(len(x), dtype=bool)
    if _cost(line, scatter) - best > SURE:
        flat[order[first:]] = True
    return flat


def _cost(residuals: np.ndarray, scatter: float) -> float:
    """Chi-square in which no point counts more than nine."""
    return float(np.sum(np.minimum((residuals / scatter) ** 2, 9.0)))
