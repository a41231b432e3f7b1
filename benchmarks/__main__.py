"""Measure speed and memory, each beside its alternative: `make bench` (some minutes).

    python -m benchmarks [NAME ...]

Without names, all but the campaigns of injection, which take hours.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CAMPAIGNS = {"bench_injection", "bench_image"}


def main() -> None:
    there = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    wanted = sys.argv[1:] or [name for name in there if name not in CAMPAIGNS]
    unknown = set(wanted) - set(there)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    for name in wanted:
        print(f"\n{name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
