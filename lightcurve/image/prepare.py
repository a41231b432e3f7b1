"""Read one frame, calibrate it, and mark what is not to be trusted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.calib.bad_pixel_map import with_user_map
from lightcurve.calib.library import Library
from lightcurve.calib.match import check_masters
from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.data import Assumed, Detections, Frame, Masters, RawFrame
from lightcurve.core.errors import FrameError
from lightcurve.core.flags import PixelFlag, count_pixels
from lightcurve.core.settings import Settings
from lightcurve.frames.read import read_frame
from lightcurve.image.reduced import GUESS_FWHM, Prepared
from lightcurve.phot.background import Background, measure_background
from lightcurve.phot.detect import detect, single_pixels
from lightcurve.phot.finder import as_filtered
from lightcurve.phot.seeing import ANNULUS_FWHM, refuse_large_radii
from lightcurve.phot.trails import find_trails
from lightcurve.setup.camera import CameraValues, settle_camera
from lightcurve.setup.colour import describe_colour, settle_mosaic, split
from lightcurve.setup.cosmic_rays import mark_hits

MAX_COSMIC = 0.01  # of the pixels: with more, it is not cosmic rays that are marked
COSMIC_FWHM = 2.5  # px; narrower stars look like cosmic rays to the search
log = logging.getLogger(__name__)


def border_marked(frame: Frame, border: int) -> Frame:
    """Mark a border of so many pixels on each side."""
    if not border:
        return frame
    bad = frame.bad | np.uint8(PixelFlag.BORDER)
    bad[border:-border, border:-border] = frame.bad[border:-border, border:-border]
    return replace(frame, bad=bad, history=(*frame.history, f"border of {border} px marked"))


def saturation_marked(frame: Frame, raw: RawFrame, level: float | None) -> Frame:
    """Mark pixels at a level that was measured, where the header gave none or a wrong one.

    frame: calibrated. level: ADU of the raw frame.
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

    stars: the brightest of the frame. Returns notes: how many pixels, or why none were looked for.
    """
    wanted = settings.image.cosmic_rays
    if wanted == "auto" and settings.calibration.cosmic_rays:
        wanted = "yes"
    fwhm = float(np.median(stars.fwhm)) if len(stars) else float("nan")
    if wanted == "no":
        return frame, []
    if wanted == "auto":
        reason = _why_no_cosmics(camera, fwhm)
        if reason:
            return frame, [f"cosmic rays not looked for: {reason} (--cosmic-rays yes does it)"]
    marked = mark_hits(frame, camera.noise, saturation_adu=camera.saturation_adu, stars=stars)
    hits = (marked.bad & ~frame.bad & PixelFlag.COSMIC_RAY) != 0
    share = np.count_nonzero(hits) / hits.size
    if wanted == "auto" and share > MAX_COSMIC:
        note = (
            f"cosmic rays not marked: they would be {share:.1%} of the pixels, so gain or read "
            f"noise is not that of the frame (--cosmic-rays yes marks them)"
        )
        return frame, [note]
    return marked, [marked.history[-1]]


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


def single_pixels_marked(
    frame: Frame, background: Background, fwhm: float
) -> tuple[Frame, list[str]]:
    """Mark single pixels that are too sharp for any star, as hot ones are that no dark has told."""
    light = (frame.pixels - background.level).astype(np.float32)
    rows, columns = single_pixels(light, background.rms, frame.bad == 0, fwhm)
    if not len(rows) or len(rows) > MAX_COSMIC * light.size:
        return frame, []
    bad = frame.bad.copy()
    bad[rows, columns] |= np.uint8(PixelFlag.HOT)
    line = f"{len(rows)} single pixels marked that are too sharp for a star"
    return replace(frame, bad=bad, history=(*frame.history, line)), [line]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A frame read and calibrated: its camera, its brightest stars, and what was done to it."""

    frame: Frame
    camera: CameraValues
    stars: Detections
    notes: tuple[str, ...]
    colour: tuple[Assumed, ...] = ()  # which plane of a mosaic it is


def calibrate_frame(path: Path, settings: Settings, masters: Masters | None) -> Reading:
    """Read and calibrate a frame, and mark its border, clipped pixels and cosmic rays.

    Without masters those of the settings' folders are taken, if any. Raises LightcurveError when
    the frame cannot be read, its masters are of another setup, or it is too small for the
    apertures given.
    """
    raw = _read(path, settings)
    masters = Library(settings).masters_for(path) if masters is None else masters
    (raw,), settings = settle_mosaic([raw], settings)
    notes: tuple[str, ...] = ("not calibrated: no master frames were given",)
    if masters is not None:
        let_through = check_masters(masters, raw.exposure, settings.calibration)
        notes = tuple(str(note) for note in dict.fromkeys((*masters.notes, *let_through)))
    own_map = settings.calibration.bad_pixel_map
    if own_map is not None:
        masters = with_user_map(masters, own_map, raw.pixels.shape)
    camera = settle_camera([raw], masters, settings)
    frame = border_marked(reduce_frame(raw, masters), settings.image.border_px)
    frame = saturation_marked(frame, raw, camera.saturation_adu)
    _refuse_nothing_to_see(frame)
    frame, stars = split(frame, settings, saturation_adu=camera.saturation_adu)
    frame, cosmic = cosmic_rays_marked(frame, camera, stars, settings)
    return Reading(
        frame,
        camera,
        stars,
        (*frame.exposure.warnings, *cosmic, *notes),
        describe_colour(raw.exposure, settings),
    )


def without_patterns(
    stars: Detections, shape: tuple[int, ...]
) -> tuple[Detections, tuple[str, ...]]:
    """Leave out what was found where it is so wide that none would have its sky on the frame.

    That is the pattern of a sensor, or noise: measured as stars are, it costs minutes.
    """
    wide = float(np.median(stars.fwhm)) if len(stars) else 0.0
    if 2 * ANNULUS_FWHM[1] * wide <= min(shape):
        return stars, ()
    note = f"no star found: {len(stars)} patches are {wide:.0f} px wide, too wide to have a sky"
    places = {name: getattr(stars, name)[:0] for name in ("x", "y", "flux", "peak", "fwhm")}
    return replace(stars, **places), (note,)


def map_background(reading: Reading, settings: Settings) -> Prepared:
    """Measure the background and mark trails; tell every value the measuring rests on."""
    box = settings.image.background_box_px
    background = measure_background(reading.frame.pixels, reading.frame.bad, box_px=box)
    frame, trail = trails_marked(reading.frame, background, wanted=settings.image.trails)
    stars = reading.stars
    if trail:
        background = measure_background(frame.pixels, frame.bad, box_px=box)
        # Among the brightest peaks were those of the trail: a plate solver must not be given them.
        stars = detect(frame.pixels, frame.bad, saturation_adu=reading.camera.saturation_adu)
    stars, unlike = without_patterns(stars, frame.pixels.shape)
    fwhm = float(np.median(stars.fwhm)) if len(stars) else GUESS_FWHM
    frame, single = single_pixels_marked(frame, background, fwhm)
    seconds, source, assumed = _exposure(frame)
    notes = (*reading.notes, *trail, *unlike, *single, *assumed)
    for note in notes:
        log.info("%s", note)
    values = (
        Assumed("exposure", seconds, "s", source, f"{seconds:g} s"),
        *_values(frame),
        *reading.colour,
    )
    for value in values:
        log.info("%s", value)
    return Prepared(
        frame=frame,
        camera=reading.camera,
        background=background,
        filtered=as_filtered(frame.pixels, frame.bad, background, fwhm),
        stars=stars,
        exposure_s=seconds,
        notes=notes,
        values=(*values, *reading.camera.values),
    )


def _read(path: Path, settings: Settings) -> RawFrame:
    raw = read_frame(path, settings=settings, need_time=False)
    given = settings.apertures
    refuse_large_radii(max(given.radii, default=0.0), given.annulus, raw.pixels.shape)
    if not np.isfinite(raw.pixels).any():
        raise FrameError(path, "no pixel has a value")
    return raw


def _refuse_nothing_to_see(frame: Frame) -> None:
    """Refuse a frame of which no pixel is good, all are alike, or there are two values: a mask."""
    good = frame.pixels[frame.bad == 0]
    if not good.size:
        words = ", ".join(f"{n} {name}" for name, n in count_pixels(frame.bad).items())
        raise FrameError(frame.path, f"no pixel is fit to be measured: {words}")
    if good.min() == good.max():
        msg = f"every pixel has the value {good[0]:g}: there is nothing to measure"
        raise FrameError(frame.path, msg)
    low, high = good.min(), good.max()
    if not np.any((good > low) & (good < high)):
        msg = f"every pixel is {low:g} or {high:g}: a mask, with no sky to measure"
        raise FrameError(frame.path, msg)


def _exposure(frame: Frame) -> tuple[float, str, tuple[str, ...]]:
    """Exposure in seconds, where it is from, and what was assumed."""
    exposure = frame.exposure
    if exposure.exposure_s:
        return exposure.exposure_s, exposure.sources.get("exposure_s", ""), ()
    source = "assumed: not in the header; magnitudes are of the whole exposure"
    return 1.0, source, (f"exposure of 1 s {source}",)


def _values(frame: Frame) -> tuple[Assumed, ...]:
    exposure = frame.exposure
    band, mid, scale = exposure.filter, exposure.mid_jd_utc, exposure.scale_arcsec
    of_mid = exposure.sources.get("mid_jd_utc", "no clock in the header")
    when = f"JD {mid:.6f} UTC" if mid else "not known"
    of_scale = exposure.sources.get("scale_arcsec", "not in the header")
    scale_text = f"{scale:.4g} arcsec/px" if scale else "not known"
    pixels = _statistics(frame)
    of_band = exposure.sources.get("filter", "no keyword")
    return (
        Assumed("filter", band, "", of_band, band or "not known"),
        Assumed("mid-exposure", mid, "JD UTC", of_mid, when),
        Assumed("scale", scale, "arcsec/px", of_scale, scale_text),
        Assumed("pixels", pixels, "", "the frame, calibrated", pixels),
    )


def _statistics(frame: Frame) -> str:
    good = frame.pixels[frame.bad == 0]
    ny, nx = frame.pixels.shape
    return (
        f"{nx} x {ny}, {frame.bad.size - good.size} of them bad; the others from {good.min():.5g} "
        f"to {good.max():.5g} ADU, mean {good.mean(dtype=float):.5g}, median "
        f"{np.median(good):.5g}, standard deviation {good.std(dtype=float):.4g}"
    )
