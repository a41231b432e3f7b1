"""Read one frame, calibrate it, and mark what is not to be trusted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.calib.cosmics import mark_cosmic_rays
from lightcurve.calib.reduce import reduce_frame
from lightcurve.calib.store import load_masters
from lightcurve.camera import CameraValues, settle_camera
from lightcurve.config import Settings
from lightcurve.data import Detections, Frame, Masters
from lightcurve.errors import FrameError
from lightcurve.flags import PixelFlag
from lightcurve.frames.read import read_frame
from lightcurve.phot.detect import detect
from lightcurve.phot.mesh import Background, measure_background
from lightcurve.phot.seeing import refuse_large_radii
from lightcurve.phot.trails import find_trails

log = logging.getLogger(__name__)

COSMIC_PASSES = 2
COSMIC_FWHM = 2.5  # px; narrower stars look like cosmic rays to the search


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame ready to be measured.

    Attributes
    ----------
    frame : Frame
        Calibrated, with everything bad marked.
    camera : CameraValues
    background : Background
    stars : Detections
        The brightest stars, found quickly, for the plate solver.
    exposure_s : float
        What magnitudes are reckoned by.
    notes : tuple of str
        What was repaired, left out or assumed.
    values : tuple of (name, value, source)
        Every value the measuring rests on.
    """

    frame: Frame
    camera: CameraValues
    background: Background
    stars: Detections
    exposure_s: float
    notes: tuple[str, ...]
    values: tuple[tuple[str, str, str], ...]

    @property
    def good(self) -> np.ndarray:
        """Pixels without any mark: (ny, nx) bool."""
        return self.frame.bad == 0


def prepare_frame(path: Path, settings: Settings, *, masters: Masters | None = None) -> Prepared:
    """Read, calibrate and mask a frame.

    Parameters
    ----------
    path : Path
    settings : Settings
    masters : Masters, optional
        Already read; else those of the settings' folder, if any.

    Returns
    -------
    Prepared

    Raises
    ------
    LightcurveError
        When the frame cannot be read or does not fit its masters, or is too small for the
        apertures given.
    """
    raw = read_frame(path, settings=settings, need_time=False)
    given = settings.apertures
    refuse_large_radii(max(given.radii, default=0.0), given.annulus, raw.pixels.shape)
    if not np.isfinite(raw.pixels).any():
        raise FrameError(path, "no pixel has a value")
    if masters is None and settings.image.masters is not None:
        masters = load_masters(settings.image.masters)
    camera = settle_camera([raw], masters, settings)
    frame = _with_border(
        reduce_frame(raw, masters), max(settings.camera.border_px, settings.image.border_px)
    )
    frame = _saturation_marked(frame, raw, camera.saturation_adu)
    stars = detect(frame.pixels, frame.bad, saturation_adu=camera.saturation_adu)
    frame, cosmic = _cosmic_rays(frame, camera, stars, settings)
    background = measure_background(
        frame.pixels, frame.bad, box_px=settings.image.background_box_px
    )
    frame, trail = _trails(frame, background, wanted=settings.image.trails)
    exposure = frame.exposure
    notes = [*exposure.warnings, *cosmic, *trail]
    if masters is None:
        notes.append("not calibrated: no master frames were given")
    seconds, source = exposure.exposure_s, exposure.sources.get("exposure_s", "")
    if not seconds:
        seconds, source = 1.0, "assumed: not in the header; magnitudes are of the whole exposure"
        notes.append(f"exposure of 1 s {source}")
    for note in notes:
        log.info("%s", note)
    values = (("exposure", f"{seconds:g} s", source), *_values(frame), *camera.sources)
    return Prepared(frame, camera, background, stars, seconds, tuple(notes), values)


def _values(frame: Frame) -> tuple[tuple[str, str, str], ...]:
    exposure = frame.exposure
    mid, source = exposure.mid_jd_utc, exposure.sources.get("mid_jd_utc", "no clock in the header")
    return (
        ("filter", exposure.filter or "not known", exposure.sources.get("filter", "no keyword")),
        ("mid-exposure", f"JD {mid:.6f} UTC" if mid else "not known", source),
    )


def _with_border(frame: Frame, border: int) -> Frame:
    """Mark a border of so many pixels."""
    if not border:
        return frame
    bad = frame.bad | np.uint8(PixelFlag.BORDER)
    bad[border:-border, border:-border] = frame.bad[border:-border, border:-border]
    return replace(frame, bad=bad, history=(*frame.history, f"border of {border} px marked"))


def _saturation_marked(frame: Frame, raw: Frame, level: float | None) -> Frame:
    """Mark pixels at a level that was measured, where the header gave none or a wrong one."""
    if level is None or level == raw.exposure.saturation_adu:
        return frame
    full = raw.pixels >= level
    bad = frame.bad | np.where(full, np.uint8(PixelFlag.SATURATED), np.uint8(0))
    return replace(frame, bad=bad)


def _cosmic_rays(
    frame: Frame, camera: CameraValues, stars: Detections, settings: Settings
) -> tuple[Frame, list[str]]:
    wanted = settings.image.cosmic_rays
    fwhm = float(np.median(stars.fwhm)) if len(stars) else float("nan")
    if wanted == "no":
        return frame, []
    if wanted == "auto":
        reason = _why_no_cosmics(camera, fwhm)
        if reason:
            return frame, [f"cosmic rays not looked for: {reason} (--cosmic-rays yes does it)"]
    noise = camera.noise
    marked = mark_cosmic_rays(
        frame,
        gain_e_per_adu=noise.gain_e_per_adu,
        read_noise_e=noise.read_noise_e,
        max_passes=COSMIC_PASSES,
    )
    return marked, [marked.history[-1]]


def _why_no_cosmics(camera: CameraValues, fwhm: float) -> str:
    if np.isnan(fwhm):
        return "no star tells how wide stars are"
    if fwhm < COSMIC_FWHM:
        return f"stars {fwhm:.1f} px wide cannot be told from them"
    if not camera.gain_known or not camera.noise.read_noise_e:
        return "gain or read noise is not known"
    return ""


def _trails(frame: Frame, background: Background, *, wanted: bool) -> tuple[Frame, list[str]]:
    if not wanted:
        return frame, []
    trails = find_trails(frame.pixels, frame.bad, background)
    if not trails.lines:
        return frame, []
    bad = frame.bad | np.where(trails.mask, np.uint8(PixelFlag.TRAIL), np.uint8(0))
    line = f"{len(trails.lines)} trail(s) marked, {np.count_nonzero(trails.mask)} pixels"
    return replace(frame, bad=bad, history=(*frame.history, line)), [line]
