"""Cosmic rays: marked, never painted over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.data import Frame
from lightcurve.flags import PixelFlag

SATURATION_UNKNOWN = 1e9


def mark_cosmic_rays(
    frame: Frame,
    *,
    gain_e_per_adu: float,
    read_noise_e: float,
    clip_sigma: float = 4.5,
    max_passes: int = 4,
) -> Frame:
    """Mark pixels hit by cosmic rays, by the method of van Dokkum (2001, L.A.Cosmic).

    Parameters
    ----------
    frame : Frame
        Calibrated. Pixels already marked bad are not looked at.
    gain_e_per_adu, read_noise_e : float
        Of the camera; the noise they predict is what a hit has to stand out from.
    clip_sigma : float
        Contrast of a hit against that noise. On frames whose stars are narrower than two pixels
        cores of stars are marked too: raise it, or leave the search out.
    max_passes : int
        Passes over the frame; the first finds most, and each takes as long.

    Returns
    -------
    Frame
        `PixelFlag.COSMIC_RAY` added; the pixels are the same.
    """
    from astroscrappy import detect_cosmics

    bad = frame.bad != 0
    # astroscrappy does arithmetic on masked pixels too: NaN would spread.
    pixels = np.where(np.isfinite(frame.pixels), frame.pixels, 0).astype(np.float32)
    saturation = frame.exposure.saturation_adu or SATURATION_UNKNOWN
    hits, _ = detect_cosmics(
        pixels,
        inmask=bad,
        sigclip=clip_sigma,
        gain=gain_e_per_adu,
        readnoise=read_noise_e,
        satlevel=saturation * gain_e_per_adu,
        cleantype="medmask",
        niter=max_passes,
    )
    marked = frame.bad | np.where(hits, np.uint8(PixelFlag.COSMIC_RAY), np.uint8(0))
    line = f"{np.count_nonzero(hits)} pixels marked as hit by cosmic rays (L.A.Cosmic)"
    return replace(frame, bad=marked, history=(*frame.history, line))
