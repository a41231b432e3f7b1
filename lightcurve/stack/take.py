"""Frames of a stack, each calibrated, its sky measured and its stars found; kept on the disk."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.data import Detections, Exposure, Frame, Masters
from lightcurve.core.errors import LightcurveError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import Progress
from lightcurve.core.settings import Settings
from lightcurve.frames.entries import Entry
from lightcurve.frames.read import read_frame
from lightcurve.phot.background import measure_background
from lightcurve.phot.trails import find_trails
from lightcurve.setup.camera import CameraValues
from lightcurve.setup.colour import mark_clipped, split
from lightcurve.setup.cosmic_rays import mark_hits
from lightcurve.stack.resample import Surface

COARSE = 16  # px between the places at which a frame's noise is kept; its mesh is coarser
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A frame of a stack; its pixels and bits lie on the disk, above the sky.

    Attributes
    ----------
    empty : Frame
        Without pixels.
    stem : Path
        Of the files that have them, (ny, nx) float32 and uint8.
    noise : (my, mx) float32 array
        Scatter of a sky pixel, ADU, at every `COARSE` pixels.
    """

    path: Path
    name: str
    empty: Frame
    stem: Path
    shape: tuple[int, int]
    stars: Detections
    noise: np.ndarray
    sky_adu: float

    @property
    def exposure(self) -> Exposure:
        """What its header says."""
        return self.empty.exposure

    @property
    def frame(self) -> Frame:
        """The frame, its files mapped as long as it is held: what is mapped counts as memory."""
        pixels = np.memmap(light_file(self.stem), np.float32, "r", shape=self.shape)
        bad = np.memmap(bad_file(self.stem), np.uint8, "r", shape=self.shape)
        return replace(self.empty, pixels=pixels, bad=bad)

    def surface(self) -> Surface:
        """Lay a surface through its good pixels; saturated ones have a value of their own."""
        frame = self.frame
        bits = np.uint8(255 & ~PixelFlag.SATURATED)
        holes = ((frame.bad & bits) != 0) | ~np.isfinite(frame.pixels)
        full = (frame.bad & np.uint8(PixelFlag.SATURATED)) != 0
        return Surface.of(np.asarray(frame.pixels), holes, full)

    def noise_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Scatter of a sky pixel at some places of the frame, ADU; of the edge's beyond it."""
        from scipy.ndimage import map_coordinates

        places = np.stack([y, x]) / COARSE
        return map_coordinates(self.noise, places, order=1, mode="nearest")


def take_frames(
    lights: Sequence[Entry],
    masters: Masters | None,
    camera: CameraValues,
    settings: Settings,
    work: Path,
    progress: Progress,
) -> tuple[list[Member], dict[str, str]]:
    """Calibrate frames one by one; say why of those that cannot be.

    work: folder that their pixels are kept in.
    """
    members, failed = [], {}
    for k, entry in enumerate(progress(lights, "Calibrating", len(lights))):
        try:
            with guard_frame(entry.path):
                members.append(_take(entry, masters, camera, settings, work / f"{k}"))
        except LightcurveError as error:
            failed[entry.name] = error.beside(entry.path.name)
            log.warning("%s: %s", entry.name, failed[entry.name])
    return members, failed


def _take(
    entry: Entry, masters: Masters | None, camera: CameraValues, settings: Settings, stem: Path
) -> Member:
    raw = mark_clipped(read_frame(entry.path, settings=settings), camera.saturation_adu)
    level = camera.saturation_adu
    full = None if level is None else raw.pixels >= level
    frame = reduce_frame(raw, masters)
    if full is not None and full.any():
        frame = replace(
            frame, bad=frame.bad | np.where(full, np.uint8(PixelFlag.SATURATED), np.uint8(0))
        )
    frame, stars = split(frame, settings, saturation_adu=level)
    if settings.calibration.cosmic_rays:
        frame = mark_hits(frame, camera.noise, saturation_adu=level, stars=stars)
    background = measure_background(
        frame.pixels, frame.bad, box_px=settings.image.background_box_px
    )
    if settings.image.trails:
        # On a bright star a satellite's light is no outlier that pixels alone could tell.
        trails = find_trails(frame.pixels, frame.bad, background)
        mark = np.where(trails.mask, np.uint8(PixelFlag.TRAIL), np.uint8(0))
        frame = replace(frame, bad=frame.bad | mark)
    light = frame.pixels - background.level
    light.astype(np.float32).tofile(light_file(stem))
    frame.bad.tofile(bad_file(stem))
    nothing = np.empty((0, 0))
    empty = replace(frame, pixels=nothing, bad=nothing)
    noise = background.rms[::COARSE, ::COARSE].copy()
    sky = float(np.median(background.level[::COARSE, ::COARSE]))
    return Member(entry.path, entry.name, empty, stem, light.shape, stars, noise, sky)


def light_file(stem: Path) -> Path:
    """Name the file of a frame's pixels."""
    return stem.with_suffix(".light")


def bad_file(stem: Path) -> Path:
    """Name the file of a frame's `PixelFlag` bits."""
    return stem.with_suffix(".bad")
