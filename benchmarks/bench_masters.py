"""Time and memory of a master of many frames, beside ccdproc with the same clipping.

    python benchmarks/bench_masters.py [--frames 50] [--size 4096] [--ccdproc PYTHON]

`PYTHON` is an interpreter that has ccdproc (it is no dependency of this project); each program
runs in a process of its own, so that its peak memory is its own.
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

OURS = """
import json, resource, sys, time
from pathlib import Path
from lightcurve.calib.combine import combine
paths = [Path(p) for p in sys.argv[1:]]
start, cpu = time.perf_counter(), time.process_time()
mean = combine(paths).image
print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "mean": float(mean.mean(dtype=float))}))
"""
CCDPROC = """
import json, resource, sys, time
import numpy as np
from astropy.stats import mad_std
from ccdproc import combine
start, cpu = time.perf_counter(), time.process_time()
mean = combine(sys.argv[1:], method="average", sigma_clip=True, sigma_clip_low_thresh=5,
    sigma_clip_high_thresh=5, sigma_clip_func="median", sigma_clip_dev_func="mad_std",
    mem_limit=500e6, dtype=np.float32, unit="adu").data
print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "mean": float(mean.mean(dtype=float))}))
"""


def write_frames(folder: Path, n: int, size: int) -> list[Path]:
    """Write `n` bias frames of 16 bits with a few cosmic rays."""
    from astropy.io import fits

    rng = np.random.default_rng(1)
    pattern = rng.normal(1000, 3, (size, size)).astype(np.float32)
    paths = []
    for i in range(n):
        image = rng.standard_normal((size, size), dtype=np.float32)
        image *= 8
        image += pattern
        hits = rng.integers(0, size, (2, 200))
        image[tuple(hits)] += 5000
        paths.append(folder / f"bias-{i:03d}.fits")
        fits.PrimaryHDU(np.rint(image).astype(np.uint16)).writeto(paths[-1])
    return paths


def read_all(paths: list[Path]) -> float:
    """Seconds to read and decode the frames with astropy."""
    from astropy.io import fits

    start = time.perf_counter()
    for path in paths:
        with fits.open(path, memmap=False) as hdus:
            np.asarray(hdus[0].data, dtype=np.float32)
    return time.perf_counter() - start


def run(python: str, program: str, paths: list[Path]) -> dict:
    """Run one program on the frames in a process of its own."""
    command = [python, "-c", program, *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def time_reduction(size: int) -> float:
    """Seconds to reduce one frame with bias, dark, flat and bad pixels: the best of five."""
    from astropy.io import fits

    from lightcurve.calib.reduce import reduce_frame
    from lightcurve.core.data import Exposure, Frame, Masters

    rng = np.random.default_rng(2)
    raw, bias, dark = (rng.uniform(500, 1500, (size, size)).astype(np.float32) for _ in range(3))
    masters = Masters(
        bias=bias,
        dark=dark,
        dark_exposure_s=120.0,
        flat=np.ones((size, size), np.float32),
        bad=np.zeros((size, size), np.uint8),
    )
    exposure = Exposure(exposure_s=60.0, saturation_adu=65535.0, shape=(size, size))
    frame = Frame(raw, np.zeros((size, size), np.uint8), exposure, fits.Header(), Path("a.fits"))
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        reduce_frame(frame, masters)
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--ccdproc", metavar="PYTHON", help="interpreter that has ccdproc")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lightcurve-bench-") as folder:
        paths = write_frames(Path(folder), options.frames, options.size)
        print(f"{options.frames} frames of {options.size} x {options.size} px, 16 bits")
        print(f"read and decode (astropy)  {read_all(paths):8.2f} s")
        ours = run(sys.executable, OURS, paths)
        line = "{:26} {seconds:8.2f} s  cpu {cpu:8.2f} s  peak {peak_mb:6.0f} MB  mean {mean:.4f}"
        print(line.format("lightcurve", **ours))
        if options.ccdproc:
            other = run(options.ccdproc, CCDPROC, paths)
            print(line.format("ccdproc", **other))
            print(f"ccdproc / lightcurve       {other['seconds'] / ours['seconds']:8.2f}")
    print(f"reduce one frame           {1000 * time_reduction(options.size):8.1f} ms")


if __name__ == "__main__":
    main()
