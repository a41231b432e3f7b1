"""Cosmic rays marked in a calibrated frame, and the cores of its stars spared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.calib.bad_pixels import mark_cosmic_rays
from lightcurve.core.data import Detections, Frame
from lightcurve.core.flags import PixelFlag
from lightcurve.phot.noise import NoiseModel
from lightcurve.setup.colour import find

__all__ = ["mark_hits"]

PASSES = 2
SHARP, STAR_FWHM = 0.7, 2.0  # of the stars' FWHM: narrower is no star; so far a star reaches
BRIGHT_E = 1e4  # electrons in the highest pixel: 100 times their noise


def mark_hits(
    frame: Frame,
    noise: NoiseModel,
    *,
    saturation_adu: float | None,
    stars: Detections | None = None,
) -> Frame:
    """Mark pixels hit by cosmic rays; not those of bright stars, whose shape stands out of noise.

    Parameters
    ----------
    frame : Frame
        Calibrated.
    noise : NoiseModel
        Gain and read noise of its pixels.
    stars : Detections, optional
        The brightest of the frame; found if not given.

    Returns
    -------
    Frame
        `PixelFlag.COSMIC_RAY` added, and how many in its history; the pixels are the same.
    """
    if stars is None:
        stars = find(frame, saturation_adu=saturation_adu)
    marked = mark_cosmic_rays(
        replace(frame, exposure=replace(frame.exposure, saturation_adu=saturation_adu)),
        gain_e_per_adu=noise.gain_e_per_adu,
        read_noise_e=noise.read_noise_e,
        max_passes=PASSES,
    )
    hits = (marked.bad & ~frame.bad & PixelFlag.COSMIC_RAY) != 0
    hits &= ~_on_stars(hits, stars, noise.gain_e_per_adu)
    note = f"{np.count_nonzero(hits)} pixels marked as hit by cosmic rays (L.A.Cosmic)"
    bad = frame.bad | np.where(hits, np.uint8(PixelFlag.COSMIC_RAY), np.uint8(0))
    return replace(frame, bad=bad, history=(*frame.history, note))


def _on_stars(hits: np.ndarray, stars: Detections, gain: float) -> np.ndarray:
    """Tell which marked pixels are of bright stars: as wide as the others, what is sharper is hit.

    hits: (ny, nx) bool.
    """
    from scipy.spatial import cKDTree

    found = np.zeros(hits.shape, dtype=bool)
    fwhm = float(np.median(stars.fwhm)) if len(stars) else np.nan
    bright = (stars.peak * gain > BRIGHT_E) & (stars.fwhm > SHARP * fwhm)
    if not bright.any():
        return found
    y, x = np.nonzero(hits)
    tree = cKDTree(np.column_stack([stars.x[bright], stars.y[bright]]))
    away, _ = tree.query(np.column_stack([x, y]))
    found[y, x] = away < STAR_FWHM * fwhm
    return found
