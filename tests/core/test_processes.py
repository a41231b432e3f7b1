"""Processes that die at any moment cost their task, and never the patience of who waits."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import Mock

import pytest

from lightcurve.core import processes
from lightcurve.core.garbage import RARELY
from lightcurve.core.processes import FORKS, LOADED, spread, warm

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PARENT = """
import sys, time
sys.path.insert(0, {here!r})
from test_processes import linger
from lightcurve.core.processes import spread
if __name__ == "__main__":
    list(spread([{notes!r}] * 2, linger, 2))
"""


def double(number: int) -> int:
    return 2 * number


def die_of_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_in_the_middle_of_an_answer(number: int) -> bytes:
    """Write half of an answer, as who is killed while it writes has done."""
    if number == 3:
        pipe = max(int(one.name) for one in Path("/proc/self/fd").iterdir() if is_socket(one))
        os.write(pipe, (10**6).to_bytes(4, "big") + b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)
    return b"whole"


def is_socket(file: Path) -> bool:
    try:
        return str(file.readlink()).startswith("socket:")
    except OSError:
        return False


def hear(_: int) -> bool:
    for one in ENDS:
        os.kill(os.getpid(), one)
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # where there is no mask
    return ignored and set(ENDS) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())


def has_loaded(name: str) -> bool:
    return name in sys.modules


def looks_for_cycles(_: int) -> tuple[bool, int, bool]:
    return gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count() > 0


def stop_at_three(path: Path) -> str:
    if path.name == "3":
        os.kill(os.getpid(), signal.SIGSTOP)
    return path.name


def refuse(number: int) -> int:
    msg = f"no {number}"
    raise ValueError(msg)


def linger(notes: str) -> None:
    (Path(notes) / str(os.getpid())).touch()
    time.sleep(600)


def held(much: bytes, number: int) -> int:
    return len(much) + number


def test_each_task_has_its_result() -> None:
    assert dict(spread(range(7), double, 2)) == {k: 2 * k for k in range(7)}
    assert dict(spread((), double, 2)) == {}


def test_what_the_work_holds_may_be_larger_than_a_pipe() -> None:
    assert dict(spread([1], partial(held, bytes(10**6)), 1)) == {1: 10**6 + 1}


@pytest.mark.parametrize("do", [die_of_three, die_in_the_middle_of_an_answer])
def test_who_dies_loses_its_task_alone(do) -> None:
    if do is not die_of_three and not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    done = dict(spread(range(5), do, 2))
    assert [k for k, result in done.items() if result is None] == [3]
    assert set(done) == set(range(5))


def test_what_the_work_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="no 1"):
        list(spread([1], refuse, 1))


@pytest.mark.skipif(not FORKS, reason="each loads its own here")
def test_they_begin_with_what_frames_need() -> None:
    warm()
    assert dict(spread(LOADED, has_loaded, 1)) == dict.fromkeys(LOADED, True)


def test_they_look_for_what_holds_itself_but_not_among_what_they_began_with() -> None:
    assert dict(spread([1], looks_for_cycles, 1)) == {1: (True, RARELY, True)}


@pytest.mark.skipif(not FORKS, reason="each loads its own here")
def test_so_do_others_that_a_program_forks_from_the_same_one() -> None:
    warm()
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        assert pool.submit(gc.isenabled).result()


def test_what_ends_the_program_is_not_told_to_them() -> None:
    assert dict(spread([1], hear, 1)) == {1: True}
    assert not set(ENDS) & signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_they_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = tmp_path / "parent.py"
    notes = tmp_path / "notes"
    notes.mkdir()
    code.write_text(PARENT.format(here=str(Path(__file__).parent), notes=str(notes)))
    with subprocess.Popen([sys.executable, code]) as parent:
        try:
            wait_for(lambda: len(list(notes.iterdir())) == 2)
        finally:
            parent.kill()
    wait_for(lambda: not any(is_alive(int(one.name)) for one in notes.iterdir()))


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(done, most_s: float = 60.0) -> None:
    end = time.monotonic() + most_s
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal")
def test_who_is_stopped_is_named_and_goes_on_when_told(monkeypatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE_S", 0.2)
    said: list[str] = []

    class Continue(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            os.kill(record.args[1], signal.SIGCONT)

    handler = Continue()
    processes.log.addHandler(handler)
    try:
        done = dict(spread([Path("a", str(k)) for k in range(5)], stop_at_three, 1))
    finally:
        processes.log.removeHandler(handler)
    assert [done[Path("a", str(k))] for k in range(5)] == list("01234")
    assert any(" at 3:" in one for one in said)


@pytest.mark.skipif(not FORKS, reason="processes are forked on Linux alone")
def test_a_folder_that_holds_no_sockets_costs_nothing_but_time(monkeypatch):
    """As one whose path is longer than the 107 characters that a socket's may have."""
    monkeypatch.setattr(
        "multiprocessing.forkserver.ensure_running", partial(os.stat, "/no such folder")
    )
    monkeypatch.setattr(processes, "_loaded", [])
    assert not warm()
    assert processes.ready_with(LOADED[0]) == 1
    assert sorted(spread([1, 2, 3], double, 2)) == [(1, 2), (2, 4), (3, 6)]


def test_where_no_more_can_be_started_none_is_left(monkeypatch):
    one = processes._start()
    monkeypatch.setattr(processes, "_start", Mock(side_effect=[one, BlockingIOError]))
    with pytest.raises(BlockingIOError):
        list(spread([1, 2], double, 2))
    assert not one.process.is_alive()
    assert one.pipe.closed
