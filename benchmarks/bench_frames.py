"""A frame of the real night: reading alone, beside all of registering and measuring it.

    python -m benchmarks.bench_frames

Wanted: with 100 stars at 8 radii, on one core and each frame registered from scratch, at most 6
times what astropy needs to read the frame and turn it into float32 (aim: 4). Frames are taken as a
run takes them, a few at a time; alone, too.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from astropy.io import fits
from photutils.aperture import CircularAnnulus, CircularAperture, aperture_photometry

from benchmarks.timing import in_turn, show
from lightcurve.core.settings import make_settings
from lightcurve.night.measure import MOST_TOGETHER, measure_frame, measure_side_by_side
from lightcurve.night.nights import plan_nights

DATA = Path(__file__).parents[2] / "shared" / "data"
N_STARS, PLAIN_STARS = 100, 7


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if not DATA.is_dir():
        print("needs the real night beside the checkout: left out")
        return
    settings = make_settings(
        {
            "target": {"planet_file": DATA / "planets" / "hatp32b.toml"},
            "solve": {"index": [DATA / "index-tycho2-hatp32.fits"]},
            "stars": {"max_stars": N_STARS},
        }
    )
    scene = plan_nights(DATA / "hatp32", settings)[1][0].made.scene
    paths, recipe = scene.lights, scene.recipe
    x, y = recipe.plan.x_ref[:PLAIN_STARS], recipe.plan.y_ref[:PLAIN_STARS]

    def plain(path: Path) -> object:
        """Measure 7 stars at one radius with photutils, without registration."""
        pixels = fits.getdata(path).astype(float)
        places = np.column_stack([x, y])
        apertures = [CircularAperture(places, 4.0), CircularAnnulus(places, *recipe.annulus)]
        return aperture_photometry(pixels, apertures)

    ways = {
        "astropy reads, to float32": lambda some: [
            fits.getdata(path).astype(np.float32) for path in some
        ],
        f"photutils, {PLAIN_STARS} stars, 1 radius": lambda some: [plain(path) for path in some],
        f"lightcurve, {len(recipe.plan)} stars, {len(recipe.radii)} radii": lambda some: list(
            measure_side_by_side(some, recipe)
        ),
        "the same, one by one": lambda some: [measure_frame(path, recipe) for path in some],
    }
    whole = len(paths) // MOST_TOGETHER
    tasks = [paths[MOST_TOGETHER * k :][:MOST_TOGETHER] for k in range(whole)]
    of_tasks = in_turn(
        {name: (lambda k, way=way: way(tasks[k])) for name, way in ways.items()}, whole
    )
    seconds = {name: s / MOST_TOGETHER for name, s in of_tasks.items()}
    reading = next(iter(seconds.values()))
    show(
        f"{len(paths)} frames of {recipe.shape[1]} x {recipe.shape[0]} px",
        ("", "ms a frame", "frames/s", "times reading"),
        [(n, f"{1e3 * s:.2f}", f"{1 / s:.0f}", f"{s / reading:.1f}") for n, s in seconds.items()],
    )


if __name__ == "__main__":
    # Processor time is that of all threads: one is what is meant.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
