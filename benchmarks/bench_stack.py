"""What a stack keeps of its frames: depth, light, errors; memory and time beside other programs.

    python -m benchmarks.bench_stack quality FOLDER...   of frames that are there
    python -m benchmarks.bench_stack quality             of simulated ones
    python -m benchmarks.bench_stack injected [FOLDER...]   faint stars put into the frames
    python -m benchmarks.bench_stack pulls                  of stars in a stack's catalogue
    python -m benchmarks.bench_stack memory
    python -m benchmarks.bench_stack beside [--ccdproc PYTHON] [--swarp SWarp]

`PYTHON` is an interpreter that has ccdproc and reproject. Depth: scatter of sums in blank circles
of the stack over the least that those of its frames allow, about what all frames have in common.
Where no circle is blank for the stack, stars are put into every other frame before it is resampled,
and measured in the stack of these less the stack of the rest, which has all other light as well.
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
from dithered import Dithered, render, stars_image
from lightcurve.core.progress import Clock, silent
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import Settings, StackSettings, make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.phot.background import measure_background
from lightcurve.phot.circles import circle_sums
from lightcurve.stack.clip import find_middle
from lightcurve.stack.combine import combine
from lightcurve.stack.products import Ready, Stacked, gather
from lightcurve.stack.story import lay_frames, resample, scale_of, stack_folder
from lightcurve.stack.take import light_file

RADIUS = 3.0
N_CIRCLES = 4000
CELL = 9  # px: one star is put into each
SNR = 10.0  # that it has at the best in the stack of half the frames
DARK = 1.0  # of a frame's noise: more light of others would add to it
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


def injected(folder: Path) -> list[list[object]]:
    """Light of faint stars put into half the frames, and its scatter over the least possible.

    The halves are every other frame, whose chip and weather are alike, and those before and after
    the middle of the night, which have nothing in common but the sky.
    """
    settings = offline()
    rows = []
    for name in ("every other", "earlier"):
        with tempfile.TemporaryDirectory() as place:
            work = Path(place)
            inventory = take_inventory(folder, settings)
            ready = lay_frames(inventory, settings, work, work, Clock(), silent)
            order = np.arange(len(ready.layers))
            first = order % 2 == 0 if name == "every other" else order < len(order) // 2
            rows.append([name, *_injected(ready, settings, work, first)])
    return rows


def _injected(ready: Ready, settings: Settings, work: Path, first: np.ndarray) -> list[object]:
    """Put stars into some of the layers' frames: (n,) bool; work: folder of their pixels."""
    stacked = gather(combine(ready.layers, ready.middle, settings.stack, 500), ready)
    noise = _frames_noise(stacked, ready)
    x, y = _places(stacked, float(np.median(noise)))
    least = [1 / (noise[half] ** -2).sum() for half in (first, ~first)]
    light = SNR * float(np.sqrt(least[0]))
    for row in ready.judged.kept[first]:
        _put_stars(ready, int(row), light, x, y)
    resample(ready.aligned, ready.judged, ready.grid, ready.camera, work, silent)
    halves = [_combined(ready, half) for half in (first, ~first)]
    share = noise[first] ** -2 * least[0]
    within = (share * _within(ready.aligned.fwhm_px[ready.judged.kept[first]])).sum()
    sums = circle_sums(halves[0] - halves[1], x, y, np.array([RADIUS]))[:, 0]
    sums = sums[np.isfinite(sums)] / (light * within)
    photons = np.array([layer.photons for layer in ready.layers])[first]
    variance = sum(least) + light * within * float((share**2 * photons).sum())
    spread, number = robust_scatter(sums), len(sums)
    ratio = spread / np.sqrt(variance) * light * within
    return [len(ready.layers), number,
            f"{np.median(sums):.3f} +- {1.25 * spread / number**0.5:.3f}",
            f"{ratio:.3f} +- {1.17 * ratio / (2 * number) ** 0.5:.3f}"]  # fmt: skip


def _frames_noise(stacked: Stacked, ready: Ready) -> np.ndarray:
    """Scatter of sums in circles of each frame about the stack, where that is dark to a frame."""
    rough = float(np.median([np.median(layer.noise) for layer in ready.layers]))
    x, y = _places(stacked, rough * np.sqrt(np.pi) * RADIUS)
    found = []
    for layer, share in zip(ready.layers, stacked.weights, strict=True):
        rest = layer.rows(slice(0, stacked.light.shape[0])) - stacked.light
        sums = _finite(circle_sums(rest, x, y, np.array([RADIUS]))[:, 0])
        # What the stack has of the frame itself is missing in the difference.
        found.append(robust_scatter(sums) / np.sqrt(1 - share))
    return np.array(found)


def _places(stacked: Stacked, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Places in cells of the grid that most frames show, dark beside the noise of a circle."""
    rng = np.random.default_rng(3)
    ny, nx = stacked.light.shape
    y, x = np.mgrid[CELL : ny - CELL : CELL, CELL : nx - CELL : CELL].reshape(2, -1).astype(float)
    x, y = x + rng.uniform(-1, 1, x.size), y + rng.uniform(-1, 1, y.size)
    shown = (stacked.count >= 0.8 * stacked.count.max()) & (stacked.bad == 0)
    hidden = circle_sums((~shown).astype(np.float32), x, y, np.array([RADIUS + 1]))[:, 0]
    light = circle_sums(np.nan_to_num(stacked.light), x, y, np.array([RADIUS]))[:, 0]
    free = (hidden < 1e-6) & (np.abs(light) < DARK * noise)
    return x[free], y[free]


def _put_stars(ready: Ready, row: int, light: float, x: np.ndarray, y: np.ndarray) -> None:
    """Add stars at places on the grid to a frame's pixels on the disk."""
    member = ready.aligned.members[row]
    there = ready.grid.to_frame(ready.aligned.warps[row])(x, y)
    flux = np.full(len(x), light / scale_of(ready.aligned, row))
    pixels = np.memmap(light_file(member.stem), np.float32, "r+", shape=member.shape)
    pixels += stars_image(member.shape, *there, flux, ready.aligned.fwhm_px[row])
    pixels.flush()


def _within(fwhm_px: np.ndarray) -> np.ndarray:
    """Share of a Gaussian star's light in the circle, its pixels' width included."""
    return 1 - np.exp(-(RADIUS**2) / (2 * ((fwhm_px / 2.3548) ** 2 + 1 / 12)))


def _combined(ready: Ready, half: np.ndarray) -> np.ndarray:
    """Stack some of the layers, (n,) bool: (ny, nx) float32."""
    some = [ready.layers[k] for k in np.flatnonzero(half)]
    middle = find_middle(some, float(np.nanmedian(ready.aligned.fwhm_px)), 500)
    return np.concatenate([one.light for one in combine(some, middle, StackSettings(), 500)])


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


def pulls(root: Path) -> None:
    """Scatter of fluxes in a stack's catalogue about the truth, over their errors."""
    from astropy.io import fits
    from astropy.table import Table
    from astropy.wcs import WCS

    spec = Dithered(12, (800, 800), 350, sky=800.0, flux=(4e2, 8e3), cosmics=0, trail=None)
    folder = root / "frames"
    truth = render(folder, spec, seed=8)
    (one,) = stack_folder(folder, offline(), root / "out", catalog=True)
    made = one.made
    if made is None:
        raise SystemExit(str(one.error))
    table = Table.read(root / "out" / "catalog" / "catalog.ecsv")
    aligned = made.ready.aligned
    path = aligned.members[aligned.reference].path
    matrix = truth.matrices[int(path.stem.split("_")[1])]
    sky = WCS(fits.getheader(path)).all_pix2world(
        *(matrix[:, :2] @ np.stack([truth.x, truth.y]) + matrix[:, 2:]), 0
    )
    x, y = WCS(fits.getheader(made.path)).all_world2pix(*sky, 0)
    rows = []
    apart = np.hypot(x - x[:, None], y - y[:, None])
    alone = np.sort(apart, axis=1)[:, 1] > 14
    off = np.hypot(x[alone, None] - table["x"], y[alone, None] - table["y"])
    found = off.argmin(axis=1)
    ny, nx = made.stacked.light.shape
    inside = (np.abs(x[alone] - nx / 2) < nx / 2 - 30) & (np.abs(y[alone] - ny / 2) < ny / 2 - 30)
    good = (off.min(axis=1) < 1) & inside
    flux = truth.flux[alone][good]
    names = [n.removesuffix("_flux_err") for n in table.colnames if n.endswith("_flux_err")]
    for name in names:
        seen, error = (
            np.array(table[f"{name}_{one}"])[found[good]] for one in ("flux", "flux_err")
        )
        scale = np.nanmedian((seen / flux)[flux > np.median(flux)])
        rest = _finite((seen - scale * flux) / error)
        rows.append([name, len(rest), f"{np.median(rest):+.3f}", f"{robust_scatter(rest):.3f}"])
    show("pulls", ["flux", "stars", "median", "scatter / error"], rows)


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
    parser.add_argument("what", choices=("quality", "injected", "pulls", "memory", "beside"))
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--ccdproc")
    parser.add_argument("--swarp")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        if given.what == "memory":
            memory(Path(root))
        elif given.what == "pulls":
            pulls(Path(root))
        elif given.what == "beside":
            beside(Path(root), given.ccdproc, given.swarp)
        else:
            folders = {str(folder): folder for folder in given.folders}
            if not folders:
                for k, (name, spec) in enumerate(SIMULATED.items()):
                    folders[name] = Path(root) / str(k)
                    render(folders[name], spec, seed=10 + k)
            if given.what == "injected":
                head = ["frames", "half", "used", "stars", "light", "scatter / least"]
                found = {name: injected(one) for name, one in folders.items()}
                rows = [[name, *row] for name, several in found.items() for row in several]
                show("injected", head, rows)
                return
            head = ["frames", "used", "depth", "halves / ERR", "sums / ERR x NOISECOR", "mmag"]
            show("quality", head, [[name, *quality(one)] for name, one in folders.items()])


if __name__ == "__main__":
    main()
