"""A command run in a child of its own that may crash, hang or take memory: what came of it."""

from __future__ import annotations

import logging
import os
import re
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

BUG = 70  # status of a child whose error nobody caught
_WARNING = re.compile(r"^.*\b(?!Report)\w*Warning: .*$", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LOG = "fuzz.log"
PATIENCE = 10  # as long on the clock as on a processor, for machines that have more to do


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    killed_by: int
    seconds: float
    more_mb: float
    out: str
    err: str
    log: str = ""
    hung: bool = False


def run_command(
    commands: Sequence[Sequence[str]], folder: Path, *, seconds: float, megabytes: int
) -> Ran:
    """Run commands of the program in a fork of this process, in `folder`, within limits.

    The status is that of the last that failed.
    """
    before, begun = _memory_mb(), time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which a child has none of
        pid = os.fork()
    if not pid:
        _be_child(commands, folder, seconds, megabytes)
    waiting = os.pidfd_open(pid)
    hung = not select.select([waiting], [], [], PATIENCE * seconds)[0]
    os.close(waiting)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # also what it left behind
    if hung:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, how, used = os.wait4(pid, 0)
    texts = [(folder / name).read_text("utf-8", "replace") for name in (".out", ".err", LOG)]
    signalled = os.WTERMSIG(how) if os.WIFSIGNALED(how) else 0
    status = os.WEXITSTATUS(how) if os.WIFEXITED(how) else -1
    took = time.monotonic() - begun
    return Ran(status, signalled, took, used.ru_maxrss / 1024 - before, *texts, hung)


def _memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _be_child(
    commands: Sequence[Sequence[str]], folder: Path, seconds: float, megabytes: int
) -> None:
    status = BUG
    try:
        warnings.resetwarnings()  # as a terminal would be shown them
        os.setsid()
        os.chdir(folder)
        for number, name in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (
            os.fdopen(number, "w", encoding="utf-8", buffering=1) for number in (1, 2)
        )
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + megabytes * 2**20,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        logging.getLogger("lightcurve").addHandler(logging.FileHandler(LOG, "w", encoding="utf-8"))
        statuses = [_command(words) for words in commands]
        status = next((one for one in reversed(statuses) if one), 0)
    except BaseException:  # noqa: BLE001  (a fork of a test must never go on)
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _command(words: Sequence[str]) -> int:
    from lightcurve.cli import main

    with patch.object(sys, "argv", ["lightcurve", *words]):
        try:
            main()
        except SystemExit as stopped:
            return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    return 0


def faults(ran: Ran, *, megabytes: int) -> list[str]:
    """Name what a command must never do, each with what tells one cause from another."""
    found = []
    if ran.hung or ran.killed_by == signal.SIGXCPU:
        found.append("hang")
    elif ran.killed_by:
        found.append(f"abort: signal {ran.killed_by}")
    elif ran.status == BUG:
        found.append(f"traceback: {_cause(ran.err)}")
    elif ran.status and not (ran.err + ran.out).strip():
        found.append(f"silent: status {ran.status}")
    if "please report" in ran.out + ran.err:
        found.append(f"guarded: {_cause(ran.log)}")
    if ran.status != BUG and "Traceback (most recent" in ran.err:
        found.append(f"traceback told: {_cause(ran.err)}")
    found += [f"warning: {line[-150:]}" for line in _WARNING.findall(ran.err + ran.out)[:1]]
    if match := _CONTROL.search(ran.out + ran.err):
        found.append(f"control character {match[0]!r}")
    if ran.more_mb > megabytes or "MemoryError" in ran.err:
        found.append("memory")
    return found


def _cause(text: str) -> str:
    """Shorten a traceback to its error and the last line of ours that it went through."""
    places = re.findall(r'File "[^"]*?/(lightcurve/[^"]+)", line (\d+)', text)
    errors = re.findall(
        r"^(?:[\d\-:, ]*ERROR )?([A-Za-z_.]*(?:Error|Exception|Warning|Interrupt)\b.*)$",
        text,
        re.MULTILINE,
    )
    where = ":".join(places[-1]) if places else "?"
    return f"{where} {(errors or ['?'])[-1][:110]}"
