"""A survey of many tiny frames: what a frame costs, and what a killed survey loses.

    python -m benchmarks survey [--nights 50] [--frames 200] [--workers 2] [--cluster] [--kill]

One night is simulated and stands in many folders by links. Told are processor time and memory
beside the cost model of docs/cluster.md, and with --kill how many nights were in work when the
survey was killed, and that the next one does these and the rest alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from lightcurve.core.settings import make_settings
from lightcurve.survey.story import Survey, look_at_survey, reduce_survey
from lightcurve.tables.survey_index import State
from sim import tiny_night

SHAPE = (160, 180)
TOLD = {"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}, "figures": "none"}


def make_nights(root: Path, nights: int, frames: int) -> None:
    """Simulate a night, and link its frames into as many folders."""
    first = root / "night-0000"
    tiny_night(first, n_frames=frames, shape=SHAPE, n_stars=40, header_wcs=True)
    for k in range(1, nights):
        folder = root / f"night-{k:04d}"
        folder.mkdir()
        for path in first.iterdir():
            os.link(path, folder / path.name)


def told(found: Survey, wall_s: float) -> None:
    """Say what a survey cost."""
    summary = found.summary
    frames = summary["frames"]["done"]
    size = sum(path.stat().st_size for path in found.index.parent.rglob("*") if path.is_file())
    print(f"{summary['nights']}; {frames} frames in {wall_s:.0f} s")
    for reason in sorted(set(summary["failed"].values())):
        print(f"  failed: {reason}")
    print(f"  processors  {1000 * summary['processor_s_a_frame']:.1f} ms a frame")
    print(f"  results     {size / 1000 / max(frames, 1):.1f} kB a frame")
    print(f"  index       {found.index.stat().st_size / 1000:.0f} kB")
    print(f"  memory      {summary['most_memory_mb']:.0f} MB a worker at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=50)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--kill", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (top / "root").mkdir()
        make_nights(top / "root", asked.nights, asked.frames)
        more: dict[str, object] = {"workers": asked.workers}
        if asked.cluster:
            from distributed import LocalCluster

            cluster = LocalCluster(
                n_workers=asked.workers, threads_per_worker=1, dashboard_address=None,
                host="127.0.0.1",
            )  # fmt: skip
            more["cluster"] = stack.enter_context(cluster).scheduler_address
        if asked.kill:
            kill(top, asked.workers)
        start = time.monotonic()
        found = reduce_survey([top / "root"], make_settings({**TOLD, **more}), top / "out")
        told(found, time.monotonic() - start)


def kill(top: Path, workers: int) -> None:
    """Kill a survey once it has done some nights."""
    command = [
        sys.executable, "-m", "lightcurve", "survey", str(top / "root"), "--out", str(top / "out"),
        "--target", "Tiny-1", "--ra", "20.0", "--dec", "30.0", "--figures", "none",
        "--workers", str(workers),
    ]  # fmt: skip
    with subprocess.Popen(command, start_new_session=True) as going:
        done = 0
        while done < 4 and going.poll() is None:
            time.sleep(1)
            if (top / "out" / "survey.sqlite").is_file():
                done = look_at_survey(top / "out").summary["nights"]["done"]
        os.kill(going.pid, signal.SIGKILL)
    kept = [one for one in look_at_survey(top / "out").nights if one.state == State.DONE]
    begun = len([*(top / "out" / "runs").rglob("run.log")])
    print(f"killed: {len(kept)} nights kept, {begun - len(kept)} in work")


if __name__ == "__main__":
    main()
