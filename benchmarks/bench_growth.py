"""How time and memory grow with the number of frames and of stars.

    python -m benchmarks.bench_growth [--picture FILE.png]

Each number is measured in a process of its own. Wanted: peak memory that does not grow with the
frames, time that grows as the first power of frames and of stars, at most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.timing import show

FRAMES = (20, 50, 100, 200, 400)
STARS = (12, 25, 50, 100, 200)
N_FILES = 20
SIDE = 900
CHILD = """
import json, resource, sys, time
from pathlib import Path
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night.prepare import prepare_night
from lightcurve.night.reduced import stack_results
from lightcurve.night.store import open_store
from lightcurve.night.workers import measure_night
from lightcurve.setup.target import find_target
folder, out, stars, n = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
settings = make_settings({"target": {"name": "Bench-1", "ra": "20.0", "dec": "30.0"},
                          "stars": {"max_stars": stars}, "workers": 1})
target = find_target(settings.target)
scene = prepare_night(take_inventory(folder, settings), target, settings, out / "masters")
frames = [out / f"{k:04d}.fits" for k in range(n)]  # the same files under many names
for k, frame in enumerate(frames):
    frame.symlink_to(scene.lights[k % len(scene.lights)].resolve())
with open_store(out) as store:
    start = time.process_time()
    results = measure_night(frames, scene.recipe, store)
    stack_results(results, scene.recipe)
    seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak, "stars": len(scene.recipe.plan)}))
"""


def make_files(folder: Path) -> None:
    """Simulate the frames that all measurements share."""
    from lightcurve.simulate.night import simulate_night
    from lightcurve.simulate.observatory import Night, SimCamera
    from lightcurve.simulate.sky import SimTarget, make_field

    camera = SimCamera(shape=(SIDE, SIDE))
    night = Night(n_frames=N_FILES, ra_deg=20.0, dec_deg=30.0)
    side = SIDE * camera.scale_arcsec / 3600
    field = make_field(
        np.random.default_rng(3), (20.0, 30.0), (side, side), 600, mag_range=(9.0, 14.0)
    )
    target = SimTarget("Bench-1", 20.0, 30.0, 11.0)
    simulate_night(folder, night, camera, field, target, np.ones(N_FILES), header_wcs=True)


def measured(night: Path, out: Path, frames: int, stars: int) -> dict[str, float]:
    """Measure so many frames (those of a night under many names) of so many stars."""
    out.mkdir()
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(night), str(out), str(stars), str(frames)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(child.stdout.splitlines()[-1])


def exponent(numbers: list[float], values: list[float]) -> float:
    """Fit the power with which values grow."""
    return float(np.polyfit(np.log(numbers), np.log(values), 1)[0])


def draw(path: Path, frames: dict[int, dict], stars: dict[int, dict]) -> None:
    """Draw the growth, with its exponents."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, data, key, name, unit in (
        (panels[0], frames, "seconds", "frames", "processor time (s)"),
        (panels[1], stars, "seconds", "stars", "processor time (s)"),
        (panels[2], frames, "peak_mb", "frames", "peak memory (MB)"),
    ):
        numbers = [row["stars"] for row in data.values()] if name == "stars" else list(data)
        values = [row[key] for row in data.values()]
        axes.loglog(numbers, values, "o-")
        axes.set(xlabel=name, ylabel=unit, title=f"power {exponent(numbers, values):.2f}")
        axes.set_ylim(min(values) / 2, max(values) * 2)
        axes.set_xticks(numbers, [str(number) for number in numbers])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(visible=True, which="major", alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path)
    picture = parser.parse_args().picture
    with TemporaryDirectory() as folder:
        place = Path(folder)
        night = place / "night"
        make_files(night)
        frames = {n: measured(night, place / f"f{n}", n, 100) for n in FRAMES}
        stars = {n: measured(night, place / f"s{n}", 60, n) for n in STARS}
    show(
        f"frames of {SIDE} x {SIDE} px, 100 stars",
        ("frames", "s", "ms a frame", "peak MB"),
        [
            (n, f"{r['seconds']:.2f}", f"{1e3 * r['seconds'] / n:.1f}", f"{r['peak_mb']:.0f}")
            for n, r in frames.items()
        ],
    )
    show(
        "60 frames",
        ("stars", "s", "ms a frame"),
        [
            (r["stars"], f"{r['seconds']:.2f}", f"{1e3 * r['seconds'] / 60:.1f}")
            for r in stars.values()
        ],
    )
    powers = [
        exponent(list(frames), [r[k] for r in frames.values()]) for k in ("seconds", "peak_mb")
    ]
    print("\n  time grows as frames^{:.2f}, memory as frames^{:.2f}".format(*powers))
    if picture:
        draw(picture, frames, stars)


if __name__ == "__main__":
    main()
