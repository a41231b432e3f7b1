"""Mark the pixels of a frame that are not to be trusted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.calib.cosmics import mark_cosmic_rays
from lightcurve.camera import CameraValues
from lightcurve.config import Settings
from lightcurve.data import Detections, Frame, RawFrame
from lightcurve.flags import PixelFlag
from lightcurve.phot.mesh import Background
from lightcurve.phot.trails import find_trails

COSMIC_PASSES = 2
SHARP, STAR_FWHM = 0.7, 2.0  # of the stars' FWHM: narrower is no star; so far a star reaches
BRIGHT_E = 1e4  # electrons in the highest pixel: 100 times their noise
MAX_COSMIC = 0.01  # of the pixels: with more, it is not cosmic rays that are marked
COSMIC_FWHM = 2.5  # px; narrower stars look like cosmic rays to the search


def border_marked(frame: Frame, border: int) -> Frame:
    """Mark a border of so many pixels.

    border : pixels on each side.
    """
    if not border:
        return frame
    bad = frame.bad | np.uint8(PixelFlag.BORDER)
    bad[border:-border, border:-border] = frame.bad[border:-border, border:-border]
    return replace(frame, bad=bad, history=(*frame.history, f"border of {border} px marked"))


def saturation_marked(frame: Frame, raw: RawFrame, level: float | None) -> Frame:
    """Mark pixels at a level that was measured, where the header gave none or a wrong one.

    frame : calibrated.
    level : ADU of the raw frame.
    """
    if level is None or level == raw.exposure.saturation_adu:
        return frame
    full = raw.pixels >= level
    bad = frame.bad | np.where(full, np.uint8(PixelFlag.SATURATED), np.uint8(0))
    return replace(frame, bad=bad)


def cosmic_rays_marked(
    frame: Frame, camera: CameraValues, stars: Detections, settings: Settings
) -> tuple[Frame, list[str]]:
    """Mark cosmic rays, where the settings want it and noise and stars allow.

    stars : the brightest of the frame.
    Returns notes : how many pixels, or why none were looked for.
    """
    wanted = settings.image.cosmic_rays
    fwhm = float(np.median(stars.fwhm)) if len(stars) else float("nan")
    if wanted == "no":
        return frame, []
    if wanted == "auto":
        reason = _why_no_cosmics(camera, fwhm)
        if reason:
            return frame, [f"cosmic rays not looked for: {reason} (--cosmic-rays yes does it)"]
    settled = replace(frame.exposure, saturation_adu=camera.saturation_adu)
    marked = mark_cosmic_rays(
        replace(frame, exposure=settled),
        gain_e_per_adu=camera.noise.gain_e_per_adu,
        read_noise_e=_dark_noise(frame, camera),
        max_passes=COSMIC_PASSES,
    )
    hits = (marked.bad & ~frame.bad & PixelFlag.COSMIC_RAY) != 0
    hits &= ~_on_stars(hits, stars, fwhm, camera.noise.gain_e_per_adu)
    share = np.count_nonzero(hits) / hits.size
    if wanted == "auto" and share > MAX_COSMIC:
        note = (
            f"cosmic rays not marked: they would be {share:.1%} of the pixels, so gain or read "
            f"noise is not that of the frame (--cosmic-rays yes marks them)"
        )
        return frame, [note]
    note = f"{np.count_nonzero(hits)} pixels marked as hit by cosmic rays (L.A.Cosmic)"
    bad = frame.bad | np.where(hits, np.uint8(PixelFlag.COSMIC_RAY), np.uint8(0))
    return replace(frame, bad=bad, history=(*frame.history, note)), [note]


def _on_stars(hits: np.ndarray, stars: Detections, fwhm: float, gain: float) -> np.ndarray:
    """Tell which marked pixels are of the brightest stars, whose own shape stands out of noise.

    Only about stars as wide as the others: what is sharper is a hit.
    """
    from scipy.spatial import cKDTree

    bright = (stars.peak * gain > BRIGHT_E) & (stars.fwhm > SHARP * fwhm)
    found = np.zeros(hits.shape, dtype=bool)
    if not bright.any():
        return found
    y, x = np.nonzero(hits)
    tree = cKDTree(np.column_stack([stars.x[bright], stars.y[bright]]))
    away, _ = tree.query(np.column_stack([x, y]))
    found[y, x] = away < STAR_FWHM * fwhm
    return found


def _dark_noise(frame: Frame, camera: CameraValues) -> float:
    """Noise of a pixel without light, electrons: the camera's, or what the frame shows.

    A sky that was taken off has left its noise.
    """
    gain = camera.noise.gain_e_per_adu
    low, sky = np.percentile(frame.pixels[frame.bad == 0], [15.865, 50])
    rest = ((sky - low) * gain) ** 2 - max(sky, 0.0) * gain
    return float(np.sqrt(max(camera.noise.read_noise_e**2, rest)))


def _why_no_cosmics(camera: CameraValues, fwhm: float) -> str:
    if np.isnan(fwhm):
        return "no star tells how wide stars are"
    if fwhm < COSMIC_FWHM:
        return f"stars {fwhm:.1f} px wide cannot be told from them"
    if not camera.gain_known or not camera.noise.read_noise_e:
        return "gain or read noise is not known"
    return ""


def trails_marked(frame: Frame, background: Background, *, wanted: bool) -> tuple[Frame, list[str]]:
    """Mark trails of satellites and aeroplanes."""
    if not wanted:
        return frame, []
    trails = find_trails(frame.pixels, frame.bad, background)
    if not trails.lines:
        return frame, []
    bad = frame.bad | np.where(trails.mask, np.uint8(PixelFlag.TRAIL), np.uint8(0))
    line = f"{len(trails.lines)} trail(s) marked, {np.count_nonzero(trails.mask)} pixels"
    return replace(frame, bad=bad, history=(*frame.history, line)), [line]
