"""Frames of 4096 x 4096 px with calibration: beside reading them, and with two processes.

    python -m benchmarks.bench_large [--frames 8] [--size 4096] [--repeats 100]

Wanted: at most 1.5 times reading and decoding; two processes at least 1.9 times as fast as one.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits

from benchmarks.timing import in_turn, show
from lightcurve.core.processes import LOADED, warm_beside
from lightcurve.core.settings import Settings, make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night.measure import measure_frame
from lightcurve.night.prepare import prepare_night
from lightcurve.night.scene import Scene
from lightcurve.night.store import open_store
from lightcurve.night.workers import measure_night
from lightcurve.setup.target import find_target
from lightcurve.simulate.night import simulate_night
from lightcurve.simulate.observatory import Night, SimCamera
from lightcurve.simulate.sky import SimTarget, make_field

RA, DEC = 20.0, 30.0
REPEATS = 100  # of each frame: 800 make a night beside which starting processes is little


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


def seconds_of(scene: Scene, folder: Path, workers: int, repeats: int) -> float:
    """Time measuring all frames, each several times under other names.

    By another digest the masters are others: one process, too, has to read them and to make of them
    what it needs, as each of several has to.
    """
    folder.mkdir()
    paths = []
    for path in scene.lights:
        for k in range(repeats):
            link = folder / f"{k}_{path.name}"
            link.symlink_to(path)
            paths.append(link)
    settings = scene.recipe.settings.model_copy(update={"workers": workers})
    recipe = replace(scene.recipe, settings=settings, masters_digest=f"for {workers}")
    with open_store(folder) as store:
        start = time.perf_counter()
        measure_night(paths, recipe, store)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    wanted = parser.parse_args()
    settings = make_settings(
        {"target": {"name": "Bench-1", "ra": str(RA), "dec": str(DEC)}, "stars": {"max_stars": 100}}
    )
    with TemporaryDirectory() as folder:
        night = Path(folder) / "night"
        make_night(night, wanted.frames, wanted.size)
        warm_beside(*LOADED)  # as `run` does: the processes load while the night is prepared
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
        one, two = (seconds_of(scene, Path(folder) / f"w{n}", n, wanted.repeats) for n in (1, 2))
    reading = next(iter(seconds.values()))
    show(
        f"frames of {wanted.size} x {wanted.size} px, 16 bits",
        ("", "ms a frame", "times reading"),
        [(name, f"{1e3 * s:.0f}", f"{s / reading:.2f}") for name, s in seconds.items()],
    )
    show(
        "processes",
        ("", "frames/s", "times one"),
        [
            (n, f"{len(paths) * wanted.repeats / s:.1f}", f"{one / s:.2f}")
            for n, s in ((1, one), (2, two))
        ],
    )


if __name__ == "__main__":
    main()
