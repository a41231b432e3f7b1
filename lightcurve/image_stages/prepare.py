"""Read one frame, calibrate it, and mark what is not to be trusted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.calib.reduce import reduce_frame
from lightcurve.calib.store import load_masters
from lightcurve.camera import CameraValues, settle_camera
from lightcurve.config import Settings
from lightcurve.data import Assumed, Detections, Frame, Masters, RawFrame
from lightcurve.errors import FrameError
from lightcurve.flags import count_pixels
from lightcurve.frames.read import read_frame
from lightcurve.image_stages.data import Prepared
from lightcurve.image_stages.masks import (
    border_marked,
    cosmic_rays_marked,
    saturation_marked,
    trails_marked,
)
from lightcurve.phot.detect import detect
from lightcurve.phot.mesh import measure_background
from lightcurve.phot.seeing import refuse_large_radii

log = logging.getLogger(__name__)

FRACTIONS = 1e-3, 1.0  # the highest pixel of a frame that was divided by its full scale
FULL_SCALE = 65535.0
COUNTS = ("", "adu", "count", "counts", "dn")


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A frame read and calibrated: its camera, its brightest stars, and what was done to it."""

    frame: Frame
    camera: CameraValues
    stars: Detections
    notes: tuple[str, ...]


def calibrate_frame(path: Path, settings: Settings, masters: Masters | None) -> Reading:
    """Read and calibrate a frame, and mark its border, clipped pixels and cosmic rays.

    Without masters those of the settings' folder are taken, if any. `LightcurveError` when the
    frame cannot be read or does not fit its masters, or is too small for the apertures given.
    """
    raw = _read(path, settings)
    masters = _masters(masters, settings)
    raw, scaled = (raw, ()) if masters is not None else _in_adu(raw)
    camera = settle_camera([raw], masters, settings)
    frame = border_marked(
        reduce_frame(raw, masters), max(settings.camera.border_px, settings.image.border_px)
    )
    frame = saturation_marked(frame, raw, camera.saturation_adu)
    _refuse_nothing_to_see(frame)
    stars = detect(frame.pixels, frame.bad, saturation_adu=camera.saturation_adu)
    frame, cosmic = cosmic_rays_marked(frame, camera, stars, settings)
    none = () if masters is not None else ("not calibrated: no master frames were given",)
    return Reading(frame, camera, stars, (*frame.exposure.warnings, *scaled, *cosmic, *none))


def map_background(reading: Reading, settings: Settings) -> Prepared:
    """Measure the background and mark trails; tell every value the measuring rests on."""
    background = measure_background(
        reading.frame.pixels, reading.frame.bad, box_px=settings.image.background_box_px
    )
    frame, trail = trails_marked(reading.frame, background, wanted=settings.image.trails)
    seconds, source, assumed = _exposure(frame)
    notes = (*reading.notes, *trail, *assumed)
    for note in notes:
        log.info("%s", note)
    values = (Assumed("exposure", seconds, "s", source, f"{seconds:g} s"), *_values(frame))
    for value in values:
        log.info("%s", value)
    return Prepared(
        frame=frame,
        camera=reading.camera,
        background=background,
        stars=reading.stars,
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


def _masters(masters: Masters | None, settings: Settings) -> Masters | None:
    folder = settings.image.masters
    return load_masters(folder) if masters is None and folder is not None else masters


def _in_adu(frame: RawFrame) -> tuple[RawFrame, tuple[str, ...]]:
    """Bring pixels that are fractions of full scale, as some programs save them, back to ADU."""
    values = frame.pixels[np.isfinite(frame.pixels)]
    if values.max() > FRACTIONS[1] or (values == np.rint(values)).all():
        return frame, ()
    unit = str(frame.header.get("BUNIT", "")).strip()
    if values.max() < FRACTIONS[0] or unit.lower() not in COUNTS:
        msg = (
            f"its highest pixel is {values.max():.3g} {unit or '(no BUNIT)'}, which is no count: "
            f"bring the frame to ADU first"
        )
        raise FrameError(frame.path, msg)
    note = f"pixels are fractions, {values.max():.3g} at most: taken times {FULL_SCALE:.0f} ADU"
    pixels = frame.pixels * np.float32(FULL_SCALE)
    return replace(frame, pixels=pixels, history=(*frame.history, note)), (note,)


def _refuse_nothing_to_see(frame: Frame) -> None:
    """Refuse a frame of which no pixel is good, or all are alike."""
    good = frame.pixels[frame.bad == 0]
    if not good.size:
        words = ", ".join(f"{n} {name}" for name, n in count_pixels(frame.bad).items())
        raise FrameError(frame.path, f"no pixel is fit to be measured: {words}")
    if good.min() == good.max():
        msg = f"every pixel has the value {good[0]:g}: there is nothing to measure"
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
