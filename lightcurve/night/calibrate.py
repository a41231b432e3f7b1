"""Calibrate a folder and keep the frames."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.calib.reduce import reduce_frame, write_frame
from lightcurve.calib.repair import repaired
from lightcurve.core.data import Frame, FrameStatus, Masters, RawFrame
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import Progress, open_log, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory, take_inventory
from lightcurve.frames.names import product_stems
from lightcurve.frames.read import read_frame
from lightcurve.night.grouping import FrameSet
from lightcurve.night.lights import choose_lights, label_files
from lightcurve.night.masters import make_masters
from lightcurve.night.sets import find_sets, reduce_sets
from lightcurve.phot.background import measure_background, pixel_error
from lightcurve.report.before_after import save_before_after
from lightcurve.setup.camera import CameraValues, settle_camera
from lightcurve.setup.cosmic_rays import mark_hits
from lightcurve.setup.solving import read_samples

__all__ = ["calibrate_folder"]

log = logging.getLogger(__name__)


def calibrate_folder(
    folder: Path,
    settings: Settings,
    out: Path,
    *,
    manifest: Path | None = None,
    repair: bool = False,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Write every light frame of a folder calibrated, and the masters.

    Parameters
    ----------
    out : Path
        Gets ``masters/`` and one FITS file a frame, float32, with the bad-pixel map as extension,
        and before_after.png of the first;
        where the frames are of several filters, nights ... a folder for each that does.
    repair : bool
        Give bad pixels the median of the good ones around; the map still tells which they were.

    Returns
    -------
    list of dict
        With file, status and reason.

    Raises
    ------
    InputError
        When there are no calibration frames, or a frame would be written over.
    """
    inventory = take_inventory(folder, settings, manifest=manifest, progress=progress)
    sets = find_sets(inventory, settings, fewest=1)

    def calibrate(_: FrameSet, one: Inventory, place: Path) -> list[dict[str, Any]]:
        return _calibrate(one, settings, place, progress, repair=repair)

    done = reduce_sets(inventory, sets, out, calibrate)
    rows = [row for one in done for row in one.made or ()]
    rows += [
        {"file": entry.path.name, "status": FrameStatus.UNUSED, "reason": one.unused}
        for one in sets
        if one.unused
        for entry in one.lights
    ]
    return rows + [
        {"file": entry.path.name, "status": FrameStatus.FAILED, "reason": str(one.error)}
        for one in done
        if one.error is not None
        for entry in one.frames.lights
    ]


def _calibrate(
    inventory: Inventory, settings: Settings, out: Path, progress: Progress, *, repair: bool
) -> list[dict[str, Any]]:
    """Calibrate the light frames of an inventory, which belong together."""
    with open_log(out):
        lights = choose_lights(inventory)
        labels = label_files([entry.path for entry in lights])
        targets = _name_targets(list(labels.values()), out)
        _keep_frames(targets.values(), inventory)
        masters, _ = make_masters(inventory, lights, settings, out / "masters", progress=progress)
        if masters is None or not masters.of:
            msg = f"{inventory.folder}: no bias, dark or flat frames to calibrate with"
            raise InputError(msg)
        camera = _camera(lights, masters, settings)
        rows: list[dict[str, Any]] = []
        pictured = False
        for path, label in progress(labels.items(), "Calibrating", len(labels)):
            row = {"file": label, "status": FrameStatus.CALIBRATED, "reason": ""}
            try:
                with guard_frame(path):
                    raw = read_frame(path, settings=settings)
                    frame = reduce_frame(raw, masters)
                    if settings.calibration.cosmic_rays:
                        level = camera.saturation_adu
                        frame = mark_hits(frame, camera.noise, saturation_adu=level)
                    frame = repaired(frame) if repair else frame
                    write_frame(targets[label], frame, _error(frame, camera, settings))
            except LightcurveError as error:
                row |= {"status": FrameStatus.FAILED, "reason": str(error)}
            rows.append(row)
            if not pictured and row["status"] == FrameStatus.CALIBRATED:
                _draw(out / "before_after.png", raw, frame, (label, targets[label].name))
                pictured = True
    return rows


def _error(frame: Frame, camera: CameraValues, settings: Settings) -> np.ndarray:
    """Error of each pixel, ADU."""
    box = settings.image.background_box_px
    background = measure_background(frame.pixels, frame.bad, box_px=box)
    return pixel_error(frame.pixels, background, camera.noise.gain_e_per_adu)


def _draw(path: Path, raw: RawFrame, frame: Frame, names: tuple[str, str]) -> None:
    """Draw a frame before and after; a figure that cannot be written costs no frame."""
    try:
        save_before_after(path, raw.pixels, frame.pixels, names)
    except LightcurveError as error:
        log.warning("%s", error)


def _camera(lights: Sequence[Entry], masters: Masters, settings: Settings) -> CameraValues:
    """Gain and read noise, by which hits of cosmic rays are told; as `run` settles them."""
    return settle_camera(read_samples(lights, settings), masters, settings)


def _name_targets(labels: Sequence[str], out: Path) -> dict[str, Path]:
    """Name the file that each frame becomes; no two alike."""
    pairs = zip(labels, product_stems(labels), strict=True)
    return {label: out / f"{stem}_cal.fits" for label, stem in pairs}


def _keep_frames(targets: Iterable[Path], inventory: Inventory) -> None:
    """Refuse to write over a frame of the folder."""
    given = {entry.path.resolve() for entry in inventory.entries if entry.status == FrameStatus.OK}
    for path in targets:
        if path.resolve() in given:
            msg = f"{path}: the calibrated frame would replace this one; choose another --out"
            raise InputError(msg)
