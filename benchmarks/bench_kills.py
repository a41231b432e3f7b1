"""A night killed at each step there is, every run going on where the last was killed: minutes.

The tests kill it on each side of every kind of write; here it is each write, and figures are drawn.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from killed import NIGHT, SETTINGS, digests, reduce_until
from lightcurve.night.story import reduce_night
from sim import tiny_night


@dataclass
class Countdown:
    """Is true of the n-th moment."""

    left: int

    def __call__(self, _moment: str) -> bool:
        """Count down."""
        self.left -= 1
        return self.left == 0


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    context = multiprocessing.get_context("forkserver")
    with tempfile.TemporaryDirectory() as name:
        folder, whole, out = (Path(name, place) for place in ("night", "whole", "run"))
        tiny_night(folder, **NIGHT)
        reduce_night(folder, SETTINGS, whole)
        for step in itertools.count(1):
            arguments = (Countdown(step), folder, SETTINGS, out, reduce_night)
            run = context.Process(target=reduce_until, args=arguments)
            run.start()
            run.join()
            if run.exitcode != -signal.SIGKILL:
                break
        same = digests(out) == digests(whole) and not list(out.glob(".*.part"))
        print(f"killed {step - 1} times: {'the same tables' if same else 'OTHER TABLES'}")
    sys.exit(run.exitcode or not same)


if __name__ == "__main__":
    main()
