"""Hostile frames and settings through the program's commands, each in a child that may be killed.

    python -m benchmarks fuzz --of frames --n 20000
    python -m benchmarks fuzz --of joined --n 5000       by what joins frames with one another
    python -m benchmarks fuzz --of settings --n 500
    python -m benchmarks fuzz --of frames --only 1234     one case again, its files kept

Nothing may be found: no traceback, crash, hang, silent failure, warning of a library, control
character on the terminal, nor memory out of proportion. 20,000 frames take about half an hour.
"""

from __future__ import annotations

import argparse
import functools
import gc
import importlib
import os
import pkgutil
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer.main

import odd_frames
import odd_settings
from corral import Ran, faults, run_command

SECONDS, MEGABYTES = 40.0, 1500  # of a processor; more than the program had before


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of campaign: what it needs, and a case by its number."""

    prepare: Callable[[Path], object]
    case: Callable[[object, int, Path], odd_frames.Case]


KINDS = {
    "frames": Kind(odd_frames.prepare, odd_frames.case),
    "joined": Kind(odd_frames.prepare, functools.partial(odd_frames.case, of=odd_frames.JOINING)),
    "settings": Kind(odd_settings.prepare, odd_settings.case),
}


def warm() -> None:
    """Load the program and what it loads late, once for all children."""
    import lightcurve

    for module in pkgutil.walk_packages(lightcurve.__path__, "lightcurve."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in (
        "scipy.optimize",
        "scipy.ndimage",
        "scipy.spatial",
        "astropy.wcs",
        "photutils.aperture",
        "photutils.psf",
        "astropy.coordinates",
        "astropy.time",
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "rich.table",
        "pandas",
        "astropy.table",
        "astropy.stats",
        "batman",
        "scipy.stats",
        "scipy.interpolate",
        "scipy.signal",
    ):
        importlib.import_module(name)
    # Built anew for each command line otherwise, a sixth of a second each time.
    typer.main.get_command = functools.cache(typer.main.get_command)
    gc.freeze()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--of", choices=sorted(KINDS), default="frames")
    parser.add_argument("--n", type=int, default=1000, help="frames, or settings")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int, help="the case to run again")
    given = parser.parse_args()
    kind = KINDS[given.of]
    keep = given.only is not None
    root = Path(tempfile.mkdtemp(prefix=f"fuzz-{given.of}-"))
    os.environ |= {"XDG_CACHE_HOME": str(root / "cache"), "XDG_CONFIG_HOME": str(root / "config")}
    try:
        warm()
        sound = kind.prepare(root / "sound")
        found = campaign(kind, sound, given, root)
    finally:
        print(f"files in {root}") if keep else shutil.rmtree(root)
    sys.exit(1 if found else 0)


def campaign(
    kind: Kind, sound: object, given: argparse.Namespace, root: Path
) -> dict[str, list[int]]:
    """Run cases until there were inputs enough; print each fault of a new cause, and the counts."""
    found: dict[str, list[int]] = defaultdict(list)
    ended: Counter[str] = Counter()
    begun, inputs, number = time.monotonic(), 0, given.first if given.only is None else given.only
    while inputs < (given.n if given.only is None else 1):
        folder = root / f"case{number}"
        folder.mkdir()
        case = kind.case(sound, number, folder)
        ran = run_command(case.commands, folder, seconds=SECONDS, megabytes=2 * MEGABYTES)
        ended[
            "hung"
            if ran.hung
            else f"signal {ran.killed_by}"
            if ran.killed_by
            else f"status {ran.status}"
        ] += 1
        inputs += case.inputs
        for fault in faults(ran, megabytes=MEGABYTES):
            if not found[fault]:
                words = " ".join(case.commands[0])[:90]
                print(f"case {number}: {words!r} ({case.told[:160]}): {fault}", flush=True)
            found[fault].append(number)
        if given.only is not None:
            show(ran)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        number += 1
    print(
        f"{sum(ended.values())} cases, {inputs} inputs, {time.monotonic() - begun:.0f} s: "
        f"{dict(ended)}"
    )
    for fault, numbers in sorted(found.items(), key=lambda one: -len(one[1])):
        print(f"{len(numbers):5} {fault} (cases {', '.join(map(str, numbers[:4]))})")
    print(f"{len(found)} kinds of fault" if found else "nothing found")
    return found


def show(ran: Ran) -> None:
    print(
        f"{ran.out}\n-- standard error\n{ran.err}\n-- log\n{ran.log}\n"
        f"status {ran.status}, {ran.seconds:.1f} s, {ran.more_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
