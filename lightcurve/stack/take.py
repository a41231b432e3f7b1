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
from lightcurve.core.progress import Progress
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Entry
from lightcurve.frames.read import read_frame
from lightcurve.phot.background import measure_background
from lightcurve.setup.camera import CameraValues
from lightcurve.setup.colour import mark_clipped, split
from lightcurve.setup.cosmic_rays import mark_hits

COARSE = 16  # px between the places at which a frame's noise is kept; its mesh is coarser
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A frame of a stack.

    Attributes
    ----------
    frame : Frame
        Its pixels and bits lie on the disk: the sky is taken off.
    noise : (my, mx) float32 array
        Scatter of a sky pixel, ADU, at every `COARSE` pixels.
    """

    path: Path
    name: str
    frame: Frame
    stars: Detections
    noise: np.ndarray
    sky_adu: float

    @property
    def exposure(self) -> Exposure:
        """What its header says."""
        return self.frame.exposure

    @property
    def light(self) -> np.ndarray:
        """Pixels above the sky, ADU: (ny, nx) float32."""
        return self.frame.pixels

    @property
    def full(self) -> np.ndarray:
        """Saturated pixels: (ny, nx) bool."""
        return (self.frame.bad & PixelFlag.SATURATED) != 0

    @property
    def holes(self) -> np.ndarray:
        """Pixels without a value of their own: (ny, nx) bool; saturated ones have one."""
        bits = np.uint8(255 & ~PixelFlag.SATURATED)
        return ((self.frame.bad & bits) != 0) | ~np.isfinite(self.frame.pixels)

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
    light = frame.pixels - background.level
    kept = replace(
        frame,
        pixels=_on_disk(stem.with_suffix(".light"), light),
        bad=_on_disk(stem.with_suffix(".bad"), frame.bad),
    )
    noise = background.rms[::COARSE, ::COARSE].copy()
    sky = float(np.median(background.level[::COARSE, ::COARSE]))
    return Member(entry.path, entry.name, kept, stars, noise, sky)


def _on_disk(path: Path, values: np.ndarray) -> np.ndarray:
    """Write an array and map it; nothing of it stays in memory."""
    values.tofile(path)
    return np.memmap(path, values.dtype, "r+", shape=values.shape)
