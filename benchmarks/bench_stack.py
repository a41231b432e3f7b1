"""What a stack keeps of its frames: depth, light, errors; memory and time beside other programs.

    python -m benchmarks.bench_stack quality FOLDER...   of frames that are there
    python -m benchmarks.bench_stack quality             of simulated ones
    python -m benchmarks.bench_stack memory
    python -m benchmarks.bench_stack beside [--ccdproc PYTHON] [--swarp SWarp]

`PYTHON` is an interpreter that has ccdproc and reproject. Depth: scatter of sums in blank circles
of the stack over the least that those of its frames allow, about what all frames have in common.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import show
from lightcurve.core.progress import Clock, silent
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import Settings, StackSettings, make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.phot.aperture import circle_sums
from lightcurve.phot.background import measure_background
from lightcurve.stack.combine import combine
from lightcurve.stack.products import Ready, Stacked, gather
from lightcurve.stack.story import lay_frames
from tests.support.dithered import Dithered, render

RADIUS = 3.0
N_CIRCLES = 4000
SIMULATED = {
    "20 frames, sky-limited": Dithered(20, (512, 512), 400, sky=1500.0, trail=4),
    "8 frames, 2.1 to 2.6 px": Dithered(8, (512, 512), 300, (2.1, 2.6), sky=200.0),
    "40 frames, seeing 2.5 to 4 px": Dithered(40, (400, 400), 250, (2.5, 4.0), turn_deg=3.0),
}
OURS = """
import json, resource, sys, time, logging
from pathlib import Path
from lightcurve.core.settings import make_settings
from lightcurve.stack.story import stack_folder
settings = make_settings({"catalogs": {"offline": True}, "solve": {"solvers": ["header"]},
    "calibration": {"memory_mb": 100, "warm_from_lights": False}})
start, cpu = time.perf_counter(), time.process_time()
stack_folder(Path(sys.argv[1]), settings, Path(sys.argv[2]), catalog=False)
print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
CCDPROC = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import numpy as np
from astropy.wcs import WCS
from ccdproc import CCDData, combine, wcs_project
start, cpu = time.perf_counter(), time.process_time()
paths = sorted(Path(sys.argv[1]).glob("*.fits"))
first = CCDData.read(paths[0], unit="adu")
images = []
for path in paths:
    one = CCDData.read(path, unit="adu")
    one.data = (one.data - np.median(one.data)).astype(np.float32)
    images.append(wcs_project(one, first.wcs, target_shape=first.shape, order="bilinear"))
mean = combine(images, method="average", sigma_clip=True, sigma_clip_low_thresh=4,
    sigma_clip_high_thresh=4, sigma_clip_func="median", sigma_clip_dev_func="mad_std",
    mem_limit=100e6, dtype=np.float32)
print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def offline(**more: object) -> Settings:
    solve = {"solvers": ["header"]}
    return make_settings({"catalogs": {"offline": True}, "solve": solve, **more})


def quality(folder: Path) -> list[object]:
    """Depth, light of stars and errors of the stack of a folder's only set."""
    settings = offline()
    with tempfile.TemporaryDirectory() as work:
        inventory = take_inventory(folder, settings)
        ready = lay_frames(inventory, settings, Path(work), Path(work), Clock(), silent)
        stacked = gather(combine(ready.layers, ready.middle, settings.stack, 500), ready)
        depth, sums = _depth(stacked, ready)
        bright, n = _stars(stacked, ready)
    return [len(ready.layers), f"{depth:.3f}", f"{stacked.pull:.3f}", f"{sums:.3f}",
            f"{bright[0]:+.1f} +- {bright[1]:.1f} ({n})"]  # fmt: skip


def _depth(stacked: Stacked, ready: Ready) -> tuple[float, float]:
    """Scatter of blank circles over the least possible, and over ERR x NOISECOR."""
    rng = np.random.default_rng(2)
    background = measure_background(stacked.light, stacked.bad)
    ny, nx = stacked.light.shape
    # Twice as many as there are layers everywhere: what is left has no star, and all frames.
    x, y = rng.uniform(8, nx - 9, 20 * N_CIRCLES), rng.uniform(8, ny - 9, 20 * N_CIRCLES)
    radii = np.array([RADIUS + 1])
    full = stacked.count >= 0.9 * len(ready.layers)
    blocked = (background.sources | ~full | (stacked.bad != 0)).astype(np.float32)
    free = np.flatnonzero(circle_sums(blocked, x, y, radii)[:, 0] < 1e-6)[:N_CIRCLES]
    x, y = x[free], y[free]
    radii = np.array([RADIUS])

    def sums(image: np.ndarray) -> np.ndarray:
        return circle_sums(np.ascontiguousarray(image, np.float32), x, y, radii)[:, 0]

    weights = np.zeros(2)
    information = 0.0
    for k, layer in enumerate(ready.layers):
        light = layer.rows(slice(0, ny))
        alone = sums(light - stacked.light)
        # What the stack has of the frame itself is missing in the difference.
        share = stacked.weights[k]
        information += (1 - share) / robust_scatter(alone[np.isfinite(alone)]) ** 2
        weights[k % 2] += share
    both = []
    for half in (0, 1):
        some = ready.layers[half::2]
        blocks = combine(some, ready.middle, StackSettings(), 500)
        both.append(np.concatenate([block.light for block in blocks]))
    a, b = weights / weights.sum()
    # Of a x - b y the noise is that of the mean, and no star is in it but for a less b.
    spread = robust_scatter(_finite(sums(both[0] - both[1]))) * np.sqrt(a * b)
    quadrature = np.sqrt(sums(stacked.error**2)) * stacked.sums
    of_map = robust_scatter(_finite(sums(both[0] - both[1]) * np.sqrt(a * b) / quadrature))
    return float(spread * np.sqrt(information)), of_map


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def _stars(stacked: Stacked, ready: Ready) -> tuple[tuple[float, float], int]:
    """Light of bright stars in the stack against the mean of the frames', in mmag."""
    from lightcurve.phot.detect import detect

    ny = stacked.light.shape[0]
    found = detect(stacked.light, stacked.bad, max_stars=400, saturation_adu=None)
    radius = np.array([2.5 * float(np.nanmedian(ready.aligned.fwhm_px[ready.judged.kept]))])

    def flux(image: np.ndarray, bad: np.ndarray) -> np.ndarray:
        """Light in circles, above the sky that was taken off; NaN where a pixel is bad."""
        marked = (bad != 0).astype(np.float32)
        light = np.where(bad != 0, np.float32(0), image)
        of_light, of_bad = (
            circle_sums(one, found.x, found.y, radius)[:, 0] for one in (light, marked)
        )
        return np.where(of_bad < 1e-6, of_light, np.nan)

    whole = flux(stacked.light, stacked.bad)
    alone = np.array([
        flux(light, ~np.isfinite(light))
        for light in (layer.rows(slice(0, ny)) for layer in ready.layers)
    ])  # fmt: skip
    seen = np.isfinite(alone).sum(axis=0) >= 0.9 * len(alone)
    middle = np.nanmedian(alone[:, seen], axis=0)
    scatter = 1.4826 * np.nanmedian(np.abs(alone[:, seen] - middle), axis=0)
    mean = np.array([
        np.nanmean(np.where(np.abs(one - m) < 4 * s, one, np.nan))
        for one, m, s in zip(alone[:, seen].T, middle, scatter, strict=True)
    ])  # fmt: skip
    error = scatter / np.sqrt(len(alone))
    good = np.isfinite(whole[seen]) & (mean > 500 * error)
    off = 2500 * np.log10(mean[good] / whole[seen][good])
    return (float(np.median(off)), robust_scatter(off)), int(good.sum())


def run(code: str, python: str, *arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [python, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def memory(root: Path) -> None:
    rows = []
    for n in (20, 100, 400):
        folder = root / f"n{n}"
        render(folder, Dithered(n, (512, 512), 200), seed=4)
        took = run(OURS, sys.executable, str(folder), str(root / f"out{n}"))
        rows.append([n, f"{took['peak_mb']:.0f}", f"{took['seconds']:.1f}", f"{took['cpu']:.1f}"])
    show("frames of 512 x 512 px", ["frames", "peak MB", "s", "CPU s"], rows)


def beside(root: Path, python: str | None, swarp: str | None) -> None:
    folder = root / "frames"
    render(folder, Dithered(20, (1024, 1024), 800), seed=5)
    rows = []
    took = run(OURS, sys.executable, str(folder), str(root / "out"))
    rows.append(["lightcurve stack", *(f"{took[name]:.1f}" for name in ("seconds", "cpu")),
                 f"{took['peak_mb']:.0f}"])  # fmt: skip
    if python:
        took = run(CCDPROC, python, str(folder))
        rows.append(["ccdproc, bilinear", *(f"{took[name]:.1f}" for name in ("seconds", "cpu")),
                     f"{took['peak_mb']:.0f}"])  # fmt: skip
    if swarp:
        start = time.perf_counter()
        files = [str(path) for path in sorted(folder.glob("*.fits"))]
        options = ["-COMBINE_TYPE", "CLIPPED", "-NTHREADS", "1", "-WRITE_XML", "N",
                   "-VERBOSE_TYPE", "QUIET", "-WEIGHT_TYPE", "NONE"]  # fmt: skip
        subprocess.run([swarp, *files, *options], cwd=root, check=True, capture_output=True)
        rows.append(["SWarp, Lanczos 3, WCS given", f"{time.perf_counter() - start:.1f}", "", ""])
    show("20 frames of 1024 x 1024 px", ["program", "s", "CPU s", "peak MB"], rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("quality", "memory", "beside"))
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--ccdproc")
    parser.add_argument("--swarp")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        if given.what == "memory":
            memory(Path(root))
        elif given.what == "beside":
            beside(Path(root), given.ccdproc, given.swarp)
        else:
            folders = {str(folder): folder for folder in given.folders}
            if not folders:
                for k, (name, spec) in enumerate(SIMULATED.items()):
                    folders[name] = Path(root) / str(k)
                    render(folders[name], spec, seed=10 + k)
            head = ["frames", "used", "depth", "halves / ERR", "sums / ERR x NOISECOR", "mmag"]
            show("quality", head, [[name, *quality(one)] for name, one in folders.items()])


if __name__ == "__main__":
    main()
