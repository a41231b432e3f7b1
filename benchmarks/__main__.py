"""Measure speed and memory, each beside its alternative: `make bench` (some minutes).

    python -m benchmarks [NAME ...]
    python -m benchmarks NAME --OPTION ...

Without names, all but the campaigns, which take hours or want frames. Options are those of the one
that is named.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CAMPAIGNS = {
    "campaign",
    "candidates",
    "colour",
    "difference",
    "faults",
    "fuzz",
    "image",
    "injection",
    "kills",
    "live",
    "looks",
    "tables",
    "trust",
    "purity",
    "season",
    "space",
    "stops",
    "survey",
    "variables",
    "verdicts",
}


def main() -> None:
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return
    there = sorted(
        path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
    )
    named = [name.removeprefix("bench_") for name in sys.argv[1:]]
    first_option = next((k for k, word in enumerate(named) if word.startswith("-")), len(named))
    options = sys.argv[1 + first_option :]
    wanted = named[:first_option] or [name for name in there if name not in CAMPAIGNS]
    unknown = set(wanted) - set(there)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    for name in wanted:
        print(f"\n{name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.bench_{name}", *options]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
