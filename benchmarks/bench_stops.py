"""Every command stopped at random moments by every signal: minutes.

    python -m benchmarks stops [--kills 100] [--seed 1] [--only run image ...]

Each time: the program ends within two seconds, with one line and the signal's status, no traceback,
and no process of its own goes on. What each command leaves behind is taken up by the same command
once more, whose tables must be those of one that nobody stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lightcurve.catalogs.services import server_names

PROGRAM = (sys.executable, "-m", "lightcurve")
PATIENCE_S = 2.0
MARK = "LIGHTCURVE_STOPS"  # in the environment of all that a command starts
SIGNALS = (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
TABLES = (".csv", ".ecsv", ".tbl")
SOLVE_FIELD = """#!/bin/sh
sleep 600 & sleep 600
"""
# Name to words; {out} is where it writes, {top} has the night, a run, and a frame.
COMMANDS = {
    "run": "run {top}/night --planet {top}/planet.toml --workers 2 --out {out}",
    "watch": "watch {top}/night --planet {top}/planet.toml --workers 1 --out {out} --every 1 "
    "--idle 0 --serve 0",
    "image": "image {top}/frame.fits --offline --out {out}",
    "services": "image {top}/frame.fits --out {out}",
    "stack": "stack {top}/few --offline --out {out}",
    "difference": "difference {top}/few --template {top}/frame.fits --offline --out {out}",
    "calibrate": "calibrate {top}/night --out {out}",
    "calib": "calib badpix {top}/night --out {out}",
    "tune": "tune {top}/run",
    "fit": "fit {top}/run/lightcurve.csv --planet {top}/planet.toml --out {out}",
    "demo": "demo --out {out}",
    "simulate": "simulate {out}",
    "inspect": "inspect {top}/night",
    "solve": "solve {top}/frame.fits --solver solve-field",
    "archive": "run {top}/night --target Nobody-9 --out {out}",
    "measure": "measure {top}/night --planet {top}/planet.toml --out {out}",
    "doctor": "doctor",
}
SILENT = ("services", "archive", "doctor")  # their servers take a question and say nothing
RESUMED = ("run", "watch", "image", "stack", "difference")


@dataclass(frozen=True, slots=True)
class Bench:
    """Where everything lies, and how long each command takes."""

    top: Path
    took: dict[str, float]

    def out(self, name: str, what: str = "out") -> Path:
        """Name the folder that a command writes into."""
        return self.top / what / name

    def start(self, name: str, what: str = "out") -> subprocess.Popen[bytes]:
        """Start a command in a session of its own."""
        out = self.out(name, what)
        out.mkdir(parents=True, exist_ok=True)
        words = COMMANDS[name].format(top=self.top, out=out).split()
        solver = f"{self.top}/bin:" if name == "solve" else ""
        environment = {
            **os.environ,
            "PATH": f"{solver}{os.environ['PATH']}",
            MARK: str(self.top),
            **self.silent_services(name),
        }
        with self.said(name).open("wb") as said:
            return subprocess.Popen(
                [*PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=said, start_new_session=True, env=environment,
            )  # fmt: skip

    def silent_services(self, name: str) -> dict[str, str]:
        """Let `services` ask servers that take a question and say nothing."""
        config = str(self.top / ("silent.toml" if name in SILENT else "none.toml"))
        return {"LIGHTCURVE_CONFIG": config, "LIGHTCURVE_CACHE_DIR": str(self.top / "cache")}

    def said(self, name: str) -> Path:
        """Name the file of what a command said last."""
        return self.top / f"{name}.err"


def prepare(top: Path) -> Bench:
    """Make a night, a run of it, a frame and some frames of it, and a solver that hangs."""
    subprocess.run([*PROGRAM, "-q", "demo", "--out", top], check=True, stdout=subprocess.DEVNULL)
    (top / "none.toml").touch()
    shutil.copy(top / "night" / "light_0001.fits", top / "frame.fits")
    (top / "few").mkdir()
    for k in range(1, 6):
        shutil.copy(top / "night" / f"light_{k:04d}.fits", top / "few")
    (top / "bin").mkdir()
    program = top / "bin" / "solve-field"
    program.write_text(SOLVE_FIELD)
    program.chmod(0o755)
    return Bench(top, {})


def silent_server(top: Path) -> socket.socket:
    """Take every question and say nothing; settings in silent.toml name it for all services."""
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    lines = [f'{name} = "{address}"' for name in server_names()]
    (top / "silent.toml").write_text("\n".join(["[catalogs.servers]", *lines, ""]))
    return server


def left(bench: Bench) -> list[int]:
    """Find processes that a command started and that go on: they have its mark."""
    mark = f"{MARK}={bench.top}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_until_it_listens(number: int) -> None:
    """Wait for the first line of the program: Python itself, as it starts, prints a traceback."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            lines = Path(f"/proc/{number}/status").read_text().splitlines()
        except OSError:
            return
        caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")), 0)
        if caught >> (signal.SIGHUP - 1) & 1:  # the last that the program asks for
            return
        time.sleep(0.005)


def stop_once(bench: Bench, name: str, rng: random.Random) -> list[str]:
    """Start a command, stop it somewhere, and tell what was wrong with its end."""
    longest = bench.took[name] if rng.random() < 0.6 else min(1.5, bench.took[name])
    number, to_group = rng.choice(SIGNALS), rng.random() < 0.5
    moment = rng.uniform(0, longest)
    process = bench.start(name)
    wait_until_it_listens(process.pid)
    time.sleep(moment)
    if process.poll() is not None:
        return []
    (os.killpg if to_group else os.kill)(process.pid, number)
    sent = time.monotonic()
    troubles = []
    try:
        status = process.wait(10 * PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    if (late := time.monotonic() - sent) > PATIENCE_S:
        troubles.append(f"ended after {late:.1f} s")
    while (still := left(bench)) and time.monotonic() - sent < PATIENCE_S + 1:
        time.sleep(0.2)
    troubles += [f"{len(still)} processes go on"] * bool(still)
    for one in still:
        os.kill(one, signal.SIGKILL)
    text = bench.said(name).read_text(errors="replace")
    wanted = {-signal.SIGKILL} if number == signal.SIGKILL else {128 + number, 0, 1}
    troubles += [f"status {status}"] * (status not in wanted)
    troubles += ["a traceback"] * ("Traceback" in text or "Exception ignored" in text)
    told = text.count("lightcurve: stopped;")
    troubles += [f"told {told} times"] * (status > 1 and told != 1)
    how = f"{number.name} to {'group' if to_group else 'process'} at {moment:.2f} s"
    return [f"{name}: {how}: {trouble}" for trouble in troubles]


def tables(folder: Path) -> dict[str, str]:
    """Digest all tables below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.suffix in TABLES
    }  # fmt: skip


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    return parser.parse_args()


def main() -> None:
    asked = parsed()
    # Shells let what runs in the background ignore it, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rng = random.Random(asked.seed)  # noqa: S311  (moments, no secrets)
    with tempfile.TemporaryDirectory() as name:
        bench = prepare(Path(name))
        server = silent_server(bench.top)
        troubles: list[str] = []
        for command in asked.only:
            begin = time.monotonic()
            process = bench.start(command, "whole")
            try:
                process.wait(300 if command in RESUMED else 8)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            bench.took[command] = time.monotonic() - begin
            print(
                f"{command}: {bench.took[command]:.1f} s, status {process.returncode}", flush=True
            )
        counts: Counter[str] = Counter()
        for k in range(asked.kills):
            command = asked.only[k % len(asked.only)]
            found = stop_once(bench, command, rng)
            counts[command] += 1
            for trouble in found:
                print(trouble, flush=True)
            troubles += found
        for command in set(RESUMED) & set(asked.only):
            bench.start(command).wait()
            if tables(bench.out(command)) != tables(bench.out(command, "whole")):
                troubles.append(f"{command}: OTHER TABLES after {counts[command]} stops")
                print(troubles[-1])
    server.close()
    print(f"{counts.total()} stops of {len(counts)} commands: {len(troubles)} troubles")
    sys.exit(bool(troubles))


if __name__ == "__main__":
    main()
