"""The bad pixels of a folder: what `run` would find, as a map to keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.calib.bad_pixel_map import write_map
from lightcurve.calib.warm import frames_looked_at
from lightcurve.core.data import CALIBRATION, Exposure, FrameKind, Note, Result
from lightcurve.core.errors import InputError
from lightcurve.core.flags import count_pixels
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night.lights import choose_lights
from lightcurve.night.masters import build, typical
from lightcurve.night.sets import one_set

__all__ = ["map_bad_pixels"]


def map_bad_pixels(
    folder: Path, settings: Settings, out: Path, *, progress: Progress = silent
) -> tuple[dict[str, Result], tuple[Note, ...]]:
    """Map the bad pixels that darks, flats, or else light frames of a folder show.

    Parameters
    ----------
    out : Path
        FITS image of `PixelFlag` bits, or a list where its name ends with .toml.

    Returns
    -------
    dict of str to Result
        The map and how many pixels of each kind are in it.
    tuple of Note
        What it was made of, as `run` says it.

    Raises
    ------
    InputError
        When light frames are of several setups, or there is nothing to tell from.
    """
    inventory = take_inventory(folder, settings, progress=progress)
    if inventory.used(FrameKind.LIGHT):
        inventory = one_set(inventory, settings)
        lights = choose_lights(inventory)
        light, paths = typical(lights), [entry.path for entry in lights]
    else:
        # Without a light frame they have each other to suit, in all but filter and exposure.
        some = [entry for kind in CALIBRATION for entry in inventory.used(kind)]
        light, paths = (some[0].exposure if some else Exposure()), []
    masters = build(inventory, light, paths, settings, progress=progress)
    bad = masters.bad
    if bad is None and not frames_looked_at(paths):
        msg = f"{folder}: no darks, no flats, and {len(paths)} light frames tell of no bad pixels"
        raise InputError(msg)
    if bad is None:
        bad = np.zeros(light.shape, np.uint8)
    inputs = tuple(name for names in masters.inputs.values() for name in names)
    inputs = inputs or tuple(path.name for path in frames_looked_at(paths))
    write_map(out, bad, inputs)
    counts = {name: Result(n, "px", name) for name, n in count_pixels(bad).items()}
    share = float((bad != 0).mean())
    return {
        "map": Result(str(out), label="map"),
        "frames": Result(len(inputs), label="frames"),
        **counts,
        "share": Result(share, label="share of all pixels"),
    }, masters.notes
