"""A dip that no ephemeris asks for: told, so that a wrong ephemeris hides no transit."""

from __future__ import annotations

import numpy as np

from lightcurve.data import About, Note, Severity, Verdict
from lightcurve.transit.quality import red_noise_factor

SIGMA = 5.0
WIDTHS = (0.5, 0.75, 1.0, 1.25)  # of the transit's duration
STEPS = 120  # middles tried
MIN_INSIDE = 5
MIN_OUTSIDE = 10


def dip_notes(
    verdict: Verdict, time: np.ndarray, residuals: np.ndarray, duration: float
) -> tuple[Note, ...]:
    """Remark on a dip elsewhere in a curve without the transit that was looked for.

    verdict: from `lightcurve.transit.quality.judge`; time: (n,) float array, BJD_TDB, ascending;
    residuals: (n,) float array, what is left of the flux; duration: of a transit, days.
    One note where no transit was found and a dip is deeper than five sigma; else none.
    """
    if verdict.depth_sigma is not None:
        return ()
    mid, depth, error = find_dip(time, residuals, duration)
    if not depth > SIGMA * error:
        return ()
    text = f"the curve dips by {100 * depth:.2f} % at {mid:.2f} (BJD_TDB): is the ephemeris right?"
    return (Note(text, Severity.WARNING, About.DIP),)


def find_dip(time: np.ndarray, flux: np.ndarray, duration: float) -> tuple[float, float, float]:
    """Find the box that, beside a parabola, takes most of the scatter away.

    time: (n,) float array, days, ascending; flux: (n,) float array; duration: of a transit, days;
    boxes are half to one and a quarter of it long.
    Returns mid, depth, error: the error is that of least squares at the scatter about parabola and
    box, widened by the red noise that is left (`lightcurve.transit.quality.red_noise_factor`). NaN
    where no box holds five points, with ten outside.
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
