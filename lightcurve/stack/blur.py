"""How much wider stars are in a stack than in its frames: the same stars, measured alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.robust import known_median
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.detect import detect
from lightcurve.phot.noise import NoiseModel
from lightcurve.stack.align import LEAST_RADIUS, RADIUS_FWHM, SHARP_FLAGS, SKY_FWHM

if TYPE_CHECKING:
    from lightcurve.stack.products import Ready, Stacked

MAX_STARS, MIN_STARS = 200, 5
N_FRAMES = 9  # over the night; each costs a look at all stars


def measure_blur(stacked: Stacked, ready: Ready) -> float:
    """Tell the width of the stack's stars in that of the same stars in its frames, on the sky.

    The median over some frames of the median over the stars; NaN with fewer than `MIN_STARS`.
    """
    stars = detect(stacked.light, stacked.bad, max_stars=MAX_STARS)
    fwhm = known_median(ready.aligned.fwhm_px[ready.judged.kept])
    if len(stars) < MIN_STARS or not np.isfinite(fwhm):
        return float("nan")
    side = float(np.median([layer.mapping.side for layer in ready.layers]))
    own = side * _widths(stacked.light, stacked.bad, stars.x, stars.y, fwhm / side)
    kept = ready.judged.kept
    ratios = []
    for k in kept[np.unique(np.linspace(0, len(kept) - 1, N_FRAMES).astype(int))]:
        frame = ready.aligned.members[k].frame
        x, y = ready.grid.to_frame(ready.aligned.warps[k])(stars.x, stars.y)
        ratio = own / _widths(np.array(frame.pixels), np.array(frame.bad), x, y, fwhm)
        known = ratio[np.isfinite(ratio)]
        if len(known) >= MIN_STARS:
            ratios.append(np.median(known))
    return float(np.median(ratios)) if ratios else float("nan")


def _widths(
    light: np.ndarray, bad: np.ndarray, x: np.ndarray, y: np.ndarray, fwhm: float
) -> np.ndarray:
    """FWHM of stars at some places, (n,) pixels; NaN of those that something spoils.

    fwhm: about what it is, by which the circles go.
    """
    radius = max(RADIUS_FWHM * fwhm, LEAST_RADIUS)
    inner, outer = (k * radius / RADIUS_FWHM for k in SKY_FWHM)
    phot = measure_stars(light, bad, x, y, np.array([radius]), (inner, outer), NoiseModel())
    return np.where((phot.flags[:, 0] & SHARP_FLAGS) != 0, np.nan, phot.fwhm)
