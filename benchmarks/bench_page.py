"""What the page weighs and how fast it reckons: nights of 150 stars, by V8 as a browser has it."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import asdict

from benchmarks.timing import show
from lightcurve.report.page.bundle import render_page
from page_scripts import Scripts
from sim_playable import make_playable

SIZES = (150, 500, 2000)
WARM = 8  # times until V8 has compiled all


def weigh(n_frames: int) -> tuple[object, ...]:
    """Make a page: frames, its bytes, stars to choose from, milliseconds of a choice when warm."""
    night = make_playable(n_frames, 150)
    page = night.page
    with closing(Scripts()) as scripts:
        scripts.keep("data", {"cube": page.cube, "frames": {"file": list(page.frames.file)}})
        scripts.keep("choice", {k: list(v) if isinstance(v, tuple) else v
                                for k, v in asdict(night.choice).items()})  # fmt: skip
        spent = []
        for _ in range(2 * WARM):
            start = time.perf_counter()
            scripts.run("app.engine.recompute(data, choice).scatter")
            spent.append(1e3 * (time.perf_counter() - start))
    size = len(render_page(page).encode())
    return n_frames, size, len(page.cube["rows"]), f"{spent[0]:.0f}", f"{min(spent[WARM:]):.0f}"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    head = ("frames", "bytes", "stars to choose from", "first, ms", "warm, ms")
    show("the page, without film and figures", head, [weigh(n) for n in SIZES])


if __name__ == "__main__":
    main()
