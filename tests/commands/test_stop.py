"""Whatever asks the program to end, it ends within two seconds and says so once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightcurve.core.processes import FORKS

PATIENCE_S, LONGEST_S = 2.0, 20.0
ASKED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Each says that it is ready, and goes on for ever.
BUSY = """
import sys, threading, time
from lightcurve.commands.stop import STOP, Stopped
STOP.listen()
def ready():
    print("ready", flush=True)
"""
LOADING = """
ready()
while True:
    time.sleep(60)
"""
SWALLOWED = """
STOP.at_work = True
wait = ready
while True:
    try:
        wait()
        wait = lambda: time.sleep(60)
    except BaseException:
        pass
"""
CLEANED = """
STOP.at_work = True
try:
    ready()
    time.sleep(60)
except Stopped:
    print("cleaned", flush=True)
    STOP.end()
"""
PRINTED = """
import traceback
STOP.at_work = True
try:
    ready()
    time.sleep(60)
except BaseException:  # as libraries do
    traceback.print_exc()
    STOP.end()
"""
AWAITED = """
threading.Thread(target=time.sleep, args=(60,)).start()
STOP.at_work = True
try:
    ready()
    time.sleep(60)
except Stopped:
    sys.exit(3)
"""


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Programs inherit which signals are ignored: in the background of a shell SIGINT is one."""
    before = {number: signal.getsignal(number) for number in ASKED_BY}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stopped(code: str, number: signal.Signals, *words: str, **options) -> tuple[int, str, str]:
    """Send a signal to a program that is ready: its status, what else it wrote, and the errors."""
    command = [sys.executable, "-c", BUSY + code, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, **options) as program:
        assert program.stdout.readline() == "ready\n"
        program.send_signal(number)
        begin = time.monotonic()
        try:
            out, err = program.communicate(timeout=LONGEST_S)
        finally:
            program.kill()
    taken = time.monotonic() - begin
    assert taken < PATIENCE_S + 5 * start_s()
    return program.returncode, out, err


def start_s() -> float:
    """Time that a program takes which does nothing: a busy machine has little for any."""
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return time.monotonic() - begin


@pytest.mark.parametrize("code", [LOADING, SWALLOWED, CLEANED, PRINTED, AWAITED])
def test_it_ends_in_time_and_says_so_once(code: str) -> None:
    status, out, err = stopped(code, signal.SIGINT)
    assert status == 130
    assert err.count("\n") == 1
    assert err.startswith("lightcurve: stopped")
    assert ("cleaned" in out) == (code is CLEANED)


@pytest.mark.skipif(not FORKS, reason="there is no process that others are forked from")
def test_the_folder_of_the_process_that_others_are_forked_from_goes_with_it(tmp_path: Path) -> None:
    code = "from lightcurve.core.processes import warm\nwarm('json')\n" + LOADING
    status, *_ = stopped(code, signal.SIGTERM, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert status == 143
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_each_signal_has_its_status(number: signal.Signals) -> None:
    assert stopped(LOADING, number)[0] == 128 + number


def test_programs_are_told_in_json() -> None:
    _, out, err = stopped(LOADING, signal.SIGTERM, "--json")
    assert json.loads(out)["error"] in err


def test_what_is_to_be_ignored_is() -> None:
    code = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    command = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", BUSY + code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_the_command_is_stopped_before_it_has_begun(tmp_path: Path) -> None:
    """The libraries take a second to load, and what breaks in them then is nobody's concern."""
    command = [sys.executable, "-X", "importtime", "-m", "lightcurve", "inspect", tmp_path]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        while "numpy" not in (line := program.stderr.readline()):
            assert line
        program.send_signal(signal.SIGINT)
        said = [line for line in program.stderr if not line.startswith("import time:")]
    assert program.returncode == 130
    assert len(said) == 1
