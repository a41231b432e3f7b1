"""The third story: the frames of each field in, one deep image and its catalogue out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lightcurve.core.data import Masters
from lightcurve.core.errors import InputError
from lightcurve.core.progress import Clock, Progress, open_log, silent
from lightcurve.core.robust import known_median
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Inventory, take_inventory
from lightcurve.image.reduced import Reduced as Image
from lightcurve.image.story import reduce_image
from lightcurve.night.grouping import FrameSet
from lightcurve.night.lights import choose_lights
from lightcurve.night.masters import make_masters
from lightcurve.night.sets import Reduced, find_sets, reduce_sets
from lightcurve.setup.camera import CameraValues, settle_camera
from lightcurve.setup.colour import settle_mosaic
from lightcurve.setup.solving import read_samples
from lightcurve.setup.target import known_place
from lightcurve.stack.align import Aligned, align
from lightcurve.stack.check import Check, check_stack
from lightcurve.stack.clip import find_middle
from lightcurve.stack.combine import combine, settle_noise
from lightcurve.stack.grid import Grid, make_grid
from lightcurve.stack.layer import Layer
from lightcurve.stack.products import Ready, Stacked, gather, write_checks, write_stack
from lightcurve.stack.reject import Judged, judge
from lightcurve.stack.resample import map_grid, resample_rows
from lightcurve.stack.running_sky import is_wanted, subtract_running_sky
from lightcurve.stack.take import take_frames

__all__ = ["Stack", "stack_folder"]

ROWS = 128  # of the grid that are resampled at a time
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """A stack and what it was made of.

    Attributes
    ----------
    path : Path
        The FITS file: SCI, MASK, ERR, EXPOSURE.
    checks : tuple of Check
        What a careful observer would look at first.
    image : Reduced or None
        Its catalogue; None where none was wanted.
    """

    path: Path
    stacked: Stacked
    ready: Ready
    checks: tuple[Check, ...]
    image: Image | None

    @property
    def left_out(self) -> dict[str, str]:
        """Frames that are not in it, and why."""
        pairs = zip(self.ready.aligned.members, self.ready.judged.reasons, strict=True)
        return {one.name: why for one, why in pairs if why} | self.ready.aligned.failed


def stack_folder(
    folder: Path,
    settings: Settings,
    out: Path,
    *,
    manifest: Path | None = None,
    catalog: bool = True,
    progress: Progress = silent,
) -> list[Reduced[Stack]]:
    """Combine the light frames of a folder: a stack for each field, filter, camera and night.

    Parameters
    ----------
    folder : Path
        Read, never changed.
    out : Path
        Gets the only stack, or a folder for each.
    catalog : bool
        Whether each stack is reduced as a single frame is, too.

    Returns
    -------
    list of Reduced
        One each, in order of time.

    Raises
    ------
    LightcurveError
        What stopped the only one, or each.
    """
    with open_log(out):
        inventory = take_inventory(folder, settings, manifest=manifest, progress=progress)
        apart = settings.select.join_nights or False
        chosen = settings.select.model_copy(update={"join_nights": apart})
        settings = settings.model_copy(update={"select": chosen})
        sets = find_sets(inventory, settings, fewest=2, minority=0.0)

        def stack(_: FrameSet, one: Inventory, place: Path) -> Stack:
            return stack_set(one, settings, place, catalog=catalog, progress=progress)

        return reduce_sets(inventory, sets, out, stack)


def stack_set(
    inventory: Inventory, settings: Settings, out: Path, *, catalog: bool, progress: Progress
) -> Stack:
    """Combine the light frames of an inventory, which belong together."""
    clock = Clock()
    out.mkdir(parents=True, exist_ok=True)
    with open_log(out), TemporaryDirectory(dir=out, prefix=".work-") as work:
        ready = lay_frames(inventory, settings, out, Path(work), clock, progress)
        with clock("combine"):
            blocks = combine(
                ready.layers, ready.middle, settings.stack, settings.calibration.memory_mb
            )
            stacked = gather(blocks, ready)
        if not np.isfinite(stacked.light).any():
            msg = f"no pixel has a value in any of {len(ready.kept)} frames, all are bad"
            raise InputError(msg)
        path = write_stack(out, stacked, ready, settings)
        image = None
        if catalog:
            with clock("catalogue"):
                image = reduce_image(path, settings, out / "catalog", masters=Masters())
        checks = check_stack(stacked, ready, image)
        write_checks(path, checks)
        return Stack(path, stacked, ready, checks, image)


def lay_frames(
    inventory: Inventory, settings: Settings, out: Path, work: Path, clock: Clock,
    progress: Progress,
) -> Ready:  # fmt: skip
    """Calibrate, place and judge frames, and bring those that are kept to one grid.

    work : folder for their pixels, which the layers are read from.
    """
    with clock("calibrate"):
        lights = choose_lights(inventory)
        masters, _ = make_masters(inventory, lights, settings, out / "masters", progress=progress)
        raw, settings = settle_mosaic(read_samples(lights, settings), settings)
        camera = settle_camera(raw, masters, settings)
        members, failed = take_frames(lights, masters, camera, settings, work, progress)
        if not members:
            first = next(iter(failed.values()))
            msg = f"{inventory.folder}: no frame can be calibrated: {first}"
            raise InputError(msg)
    with clock("align"):
        place = known_place(settings.target)
        aligned = align(members, camera.noise, settings, place, progress)
        aligned = replace(aligned, failed={**failed, **aligned.failed})
        if is_wanted(settings.stack, members[0].exposure.filter):
            aligned = subtract_running_sky(aligned, work, progress)
        judged = judge(aligned, settings.stack)
    with clock("resample"):
        warps = [aligned.warps[k] for k in judged.kept]
        shape = aligned.members[0].shape
        grid = make_grid(aligned.solution, warps, shape, settings.stack)
        layers, full = resample(aligned, judged, grid, camera, work, progress)
    with clock("combine"):
        fwhm = known_median(aligned.fwhm_px[judged.kept]) / layers[0].mapping.side
        middle = find_middle(layers, fwhm, settings.calibration.memory_mb)
        layers = settle_noise(layers, middle, settings.stack.clip_sigma)
    return Ready(aligned, judged, grid, camera, tuple(layers), middle, full)


def resample(
    aligned: Aligned, judged: Judged, grid: Grid, camera: CameraValues, work: Path,
    progress: Progress,
) -> tuple[list[Layer], np.ndarray]:  # fmt: skip
    """Bring the frames that are kept to the grid, one by one, each once.

    Returns the layers, on the disk, and in how many frames a pixel is saturated: (ny, nx) uint16.
    """
    layers: list[Layer] = []
    count = np.zeros(grid.shape, np.uint16)
    kept: Sequence[int] = judged.kept.tolist()
    for k in progress(kept, "Resampling", len(kept)):
        member = aligned.members[k]
        factor = scale_of(aligned, k)
        mapping = map_grid(grid.to_frame(aligned.warps[k]), grid.shape)
        surface = member.surface()
        path = work / f"{k}.layer"
        with path.open("wb") as file:
            for start in range(0, grid.shape[0], ROWS):
                rows = slice(start, min(start + ROWS, grid.shape[0]))
                light = resample_rows(surface, mapping, rows)
                (light * np.float32(factor)).tofile(file)
                if surface.full.any():
                    count[rows] += surface.full_at(*mapping.at(rows))
        noise = factor * member.noise_at(mapping.x, mapping.y) * np.sqrt(mapping.area)
        gain = camera.noise.gain_e_per_adu
        seconds = member.exposure.exposure_s or 1.0
        layers.append(Layer(path, mapping, noise, factor / gain, seconds, factor))
    return layers, count


def scale_of(aligned: Aligned, k: int) -> float:
    """Tell what a frame's light is multiplied by to be as the reference shows it."""
    offset = aligned.scales.offset[k]
    if np.isfinite(offset):
        return float(10 ** (0.4 * offset))
    seconds = [aligned.members[j].exposure.exposure_s or 1.0 for j in (aligned.reference, k)]
    return seconds[0] / seconds[1]
