"""A frame of the real night: reading alone, beside all of registering and measuring it.

    python -m benchmarks.bench_frames

Wanted: with 100 stars at 8 radii, on one core and each frame registered from scratch, at most 15
times what astropy needs to read the frame and turn it into float32 (aim: 8).
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
from lightcurve.night.measure import measure_frame
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

    def plain(k: int) -> object:
        """Measure 7 stars at one radius with photutils, without registration."""
        pixels = fits.getdata(paths[k]).astype(float)
        places = np.column_stack([x, y])
        apertures = [CircularAperture(places, 4.0), CircularAnnulus(places, *recipe.annulus)]
        return aperture_photometry(pixels, apertures)

    seconds = in_turn(
        {
            "astropy reads, to float32": lambda k: fits.getdata(paths[k]).astype(np.float32),
            f"photutils, {PLAIN_STARS} stars, 1 radius": plain,
            f"lightcurve, {len(recipe.plan)} stars, {len(recipe.radii)} radii": (
                lambda k: measure_frame(paths[k], recipe)
            ),
        },
        len(paths),
    )
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
