"""Whole commands on the real night, from the shell to their last word, beside reading its frames.

    python -m benchmarks.bench_run

Wanted: `run` with a sampled fit in at most 60 times reading the frames, without fit and figures in
20; `demo` in 5 s, `plan` in 1.5 s, `tune` in 1 s, `--help` in 0.25 s. EXOTIC 4.3 took 215 s for the
same frames (19 s of them sampling) on a machine of two such cores. As installed: compiled modules
are kept, whatever the environment says; without them each process takes 0.4 s more to compile the
program anew.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits

from benchmarks.timing import show

DATA = Path(__file__).parents[2] / "shared" / "data"
NIGHT = DATA / "hatp32"
KNOWN = (
    "--planet", str(DATA / "planets" / "hatp32b.toml"),
    "--index", str(DATA / "index-tycho2-hatp32.fits"), "--offline",
)  # fmt: skip
EXOTIC_S = 215.0
TIMES = 3
COMMANDS = {
    "run": ("run", str(NIGHT), *KNOWN, "--out", "run-{k}"),
    "run --no-fit --figures none": (
        *("run", str(NIGHT), *KNOWN, "--no-fit", "--figures", "none", "--out", "curve-{k}"),
    ),
    "plan": ("plan", str(NIGHT), *KNOWN),
    "tune": ("tune", "run-0", "--weights", "sum"),
    "tune --no-sample": ("tune", "run-0", "--weights", "sum", "--no-sample"),
    "demo": ("demo", "--out", "demo-{k}"),
    "--help": ("--help",),
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if not DATA.is_dir():
        print("needs the real night beside the checkout: left out")
        return
    with TemporaryDirectory() as folder:
        reading = best(lambda _: read_all())
        rows = [("EXOTIC 4.3 on the same frames, once", EXOTIC_S, f"{EXOTIC_S / reading:.0f}")]
        for name, words in COMMANDS.items():
            seconds = best(partial(command, words, Path(folder)))
            rows.append((name, round(seconds, 2), f"{seconds / reading:.0f}"))
    head = ("lightcurve", "s", f"times reading the frames, {reading:.3f} s")
    show(f"whole commands, the best of {TIMES}", head, rows)


def best(do: Callable[[int], object]) -> float:
    """Time what is done, given the number of the time, seconds: the least of a few."""
    taken = []
    for k in range(TIMES):
        start = time.perf_counter()
        do(k)
        taken.append(time.perf_counter() - start)
    return min(taken)


def command(words: Sequence[str], folder: Path, k: int) -> None:
    """Run a command of the program to its end, as a shell does; what it writes is new each time."""
    told = [word.format(k=k) for word in words]
    command = [sys.executable, "-m", "lightcurve", *told]
    installed = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=folder, capture_output=True, check=True, env=installed)


def read_all() -> None:
    for path in sorted(NIGHT.glob("*.FITS")):
        np.asarray(fits.getdata(path), dtype=np.float32)


if __name__ == "__main__":
    main()
