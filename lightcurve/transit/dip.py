"""A dip that no ephemeris asks for: told, so that a wrong ephemeris hides no transit."""

from __future__ import annotations

import numpy as np

from lightcurve.transit.quality import red_noise_factor

DIPS = "the curve dips"
NONE_FOUND = ("not observed", "no transit", "inconclusive: none found")
SIGMA = 5.0
WIDTHS = (0.5, 0.75, 1.0, 1.25)  # of the transit's duration
STEPS = 120  # middles tried
MIN_INSIDE = 5
MIN_OUTSIDE = 10


def dip_notes(
    verdict: str, time: np.ndarray, residuals: np.ndarray, duration: float
) -> tuple[str, ...]:
    """Remark on a dip elsewhere in a curve without the transit that was looked for.

    Parameters
    ----------
    verdict : str
        From `lightcurve.transit.quality.judge`.
    time : (n,) float array
        BJD_TDB, ascending.
    residuals : (n,) float array
        What is left of the flux.
    duration : float
        Of a transit, days.

    Returns
    -------
    tuple of str
        One note where no transit was found and a dip is deeper than five sigma; else none.
    """
    if not verdict.startswith(NONE_FOUND):
        return ()
    mid, depth, error = find_dip(time, residuals, duration)
    if not depth > SIGMA * error:
        return ()
    return (f"{DIPS} by {100 * depth:.2f} % at {mid:.2f} (BJD_TDB): is the ephemeris right?",)


def find_dip(time: np.ndarray, flux: np.ndarray, duration: float) -> tuple[float, float, float]:
    """Find the box that, beside a parabola, takes most of the scatter away.

    Parameters
    ----------
    time : (n,) float array
        Days, ascending.
    flux : (n,) float array
    duration : float
        Of a transit, days; boxes are half to one and a quarter of it long.

    Returns
    -------
    mid, depth, error : float
        The error is that of least squares at the scatter about parabola and box, widened by the red
        noise that is left (`lightcurve.transit.quality.red_noise_factor`). NaN where no box holds
        five points, with ten outside.
    """
    n = len(time)
    basis = np.linalg.qr(np.vander(time - time.mean(), 3))[0]
    best = (0.0, np.nan, np.nan, np.nan)
    flat = flux - basis @ (basis.T @ flux)
    for mid in np.linspace(time[0], time[-1], STEPS):
        for width in WIDTHS:
            box = (np.abs(time - mid) < width * duration / 2).astype(float)
            if not MIN_INSIDE <= box.sum() <= n - MIN_OUTSIDE:
                continue
            box -= basis @ (basis.T @ box)
            power = float(box @ box)
            depth = -float(box @ flat) / power
            gain = depth**2 * power  # by which the sum of squares falls
            if depth > 0 and gain > best[0]:
                left = flat + depth * box
                noise = float(np.std(left)) * red_noise_factor(time, left)
                best = (gain, float(mid), depth, noise / np.sqrt(power))
    return best[1:]
