"""Frames of 4096 x 4096 px with calibration: beside reading them, and with two processes.

    python -m benchmarks.bench_large [--frames 8] [--size 4096] [--night 100] [--folder /dev/shm]

The frames of the night are copies of the few simulated; they take 3.4 GB of the folder.

Wanted: at most 1.5 times reading and decoding; two processes at least 1.9 times as fast as one.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits

from benchmarks.timing import in_turn, show
from lightcurve.core.data import FrameStatus
from lightcurve.core.processes import LOADED, spread, warm
from lightcurve.core.settings import Settings, make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night.measure import measure_frame
from lightcurve.night.prepare import prepare_night
from lightcurve.night.recipe import Recipe
from lightcurve.night.scene import Scene
from lightcurve.night.store import open_store
from lightcurve.night.workers import measure_night
from lightcurve.setup.target import find_target
from lightcurve.simulate.night import simulate_night
from lightcurve.simulate.observatory import Night, SimCamera
from lightcurve.simulate.sky import SimTarget, make_field

RA, DEC = 20.0, 30.0
ROUNDS = 3  # in turn; of each number of processes the best counts


def make_night(folder: Path, n_frames: int, size: int) -> None:
    """Simulate frames of a rich field, with bias, dark and flat frames."""
    camera = SimCamera(shape=(size, size))
    night = Night(n_frames=n_frames, ra_deg=RA, dec_deg=DEC)
    side = size * camera.scale_arcsec / 3600
    field = make_field(
        np.random.default_rng(2), (RA, DEC), (side, side), 1500, mag_range=(9.0, 15.0)
    )
    target = SimTarget("Bench-1", RA, DEC, 11.0)
    flux = np.ones(n_frames)
    simulate_night(
        folder, night, camera, field, target, flux, n_bias=3, n_dark=3, n_flat=3, header_wcs=True
    )


def prepared(folder: Path, settings: Settings) -> Scene:
    """Settle what measuring needs."""
    target = find_target(settings.target)
    return prepare_night(take_inventory(folder, settings), target, settings, folder / "masters")


def copies(paths: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Copy frames in turn until there are so many, each with bytes of its own on the disk."""
    folder.mkdir()
    made = [folder / f"light_{k:04d}.fits" for k in range(count)]
    for k, path in enumerate(made):
        shutil.copyfile(paths[k % len(paths)], path)
    return made


def seconds_of(paths: Sequence[Path], recipe: Recipe, workers: int) -> float:
    """Time measuring all frames in a process that has measured none before, nor read a master."""
    settings = recipe.settings.model_copy(update={"workers": workers})
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(measure_cold, paths, replace(recipe, settings=settings)).result()


def measure_cold(paths: Sequence[Path], recipe: Recipe) -> float:
    """Time measuring all frames, libraries loaded and the process to fork others from started.

    Both were done while the night was prepared.
    """
    for name in LOADED:
        import_module(name)
    warm()
    list(spread([0], abs, 1))  # answered when all is loaded there
    with TemporaryDirectory() as folder, open_store(Path(folder)) as store:
        start = time.perf_counter()
        results = measure_night(paths, recipe, store)
        seconds = time.perf_counter() - start
    if not all(result.status == FrameStatus.MEASURED for result in results):
        msg = "frames failed: what was timed is not measuring"
        raise RuntimeError(msg)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--night", type=int, default=100, help="frames that processes measure")
    parser.add_argument("--folder", type=Path, help="where the frames are written")
    wanted = parser.parse_args()
    settings = make_settings(
        {"target": {"name": "Bench-1", "ra": str(RA), "dec": str(DEC)}, "stars": {"max_stars": 100}}
    )
    with TemporaryDirectory(dir=wanted.folder) as folder:
        night = Path(folder) / "night"
        make_night(night, wanted.frames, wanted.size)
        scene = prepared(night, settings)
        paths, recipe = scene.lights, scene.recipe
        seconds = in_turn(
            {
                "astropy reads, to float32": lambda k: fits.getdata(paths[k]).astype(np.float32),
                "lightcurve, calibrated, 100 stars, 8 radii": (
                    lambda k: measure_frame(paths[k], recipe)
                ),
            },
            len(paths),
        )
        many = copies(paths, Path(folder) / "many", wanted.night)
        rounds = [[seconds_of(many, recipe, n) for n in (1, 2)] for _ in range(ROUNDS)]
        one, two = np.min(rounds, axis=0)
    reading = next(iter(seconds.values()))
    show(
        f"frames of {wanted.size} x {wanted.size} px, 16 bits",
        ("", "ms a frame", "times reading"),
        [(name, f"{1e3 * s:.0f}", f"{s / reading:.2f}") for name, s in seconds.items()],
    )
    show(
        f"{len(many)} frames, processes",
        ("", "s", "frames/s", "times one"),
        [
            (n, f"{s:.2f}", f"{len(many) / s:.1f}", f"{one / s:.2f}")
            for n, s in ((1, one), (2, two))
        ],
    )


if __name__ == "__main__":
    main()
