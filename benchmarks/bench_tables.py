"""Tables written rightly and wrongly, of many nights: read as what they are, or refused.

    python -m benchmarks tables --nights 20

Each night has its own star, planet, cadence and noise, 200 tables; 20 nights take two minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from foreign_tables import all_cases
from odd_tables import judge, outcome


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        for seed in range(given.first, given.first + given.nights):
            for case in all_cases(seed):
                result = outcome(path, case)
                fault = judge(result, case)
                counts["fault" if fault else result.split(":")[0]] += 1
                if fault:
                    print(f"night {seed}, {case.name}: {fault}", flush=True)
    shown = ", ".join(f"{kind} {n}" for kind, n in sorted(counts.items()))
    print(f"{sum(counts.values())} tables of {given.nights} nights: {shown}")
    sys.exit(1 if counts["fault"] else 0)


if __name__ == "__main__":
    main()
