"""The whole job on the real night, from the shell to the report with a sampled fit.

    python -m benchmarks.bench_run

Wanted: at least 15 times as fast as EXOTIC 4.3 on the same frames, which took 215 s (19 s of them
sampling) on a machine of two such cores; 14.3 s.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.timing import show

DATA = Path(__file__).parents[2] / "shared" / "data"
EXOTIC_S = 215.0


def main() -> None:
    if not DATA.is_dir():
        print("needs the real night beside the checkout: left out")
        return
    rows = []
    with TemporaryDirectory() as folder:
        for k in range(3):
            command = [
                sys.executable, "-m", "lightcurve", "run", str(DATA / "hatp32"), "--json",
                "--planet", str(DATA / "planets" / "hatp32b.toml"),
                "--index", str(DATA / "index-tycho2-hatp32.fits"), "--out", f"{folder}/{k}",
            ]  # fmt: skip
            start = time.perf_counter()
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds = time.perf_counter() - start
            measured = json.loads(answer.stdout)["summary"]["frames_measured"]["value"]
            rows.append((k + 1, f"{seconds:.1f}", f"{EXOTIC_S / seconds:.1f}", measured))
    show("lightcurve run", ("run", "s", "times as fast as EXOTIC", "frames measured"), rows)


if __name__ == "__main__":
    main()
