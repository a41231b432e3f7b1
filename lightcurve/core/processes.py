"""Processes of this machine that work side by side; what one dies of costs its task alone.

Each has a pipe of its own. In one that all share, who dies in the middle of an answer leaves half
of it there, and whoever reads that waits for ever.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, TypeVar

from lightcurve.core.garbage import keep_loaded

__all__ = [
    "DIED", "FORKS", "LOADED", "divide", "load_meanwhile", "ready_with", "spread", "surviving",
    "usable", "warm", "warm_beside", "warm_to_draw",
]  # fmt: skip

T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger(__name__)
PATIENCE_S = 120.0  # until what is waited for is named
BROKEN = (EOFError, OSError)  # what a pipe says whose other end is no more
# Whoever ends the program tells a whole group: these processes end when the one that started them
# does, and none of them has a word to say.
NOT_THEIRS = {"SIGINT", "SIGTERM", "SIGHUP"}
FORKS = sys.platform == "linux"
# What measures frames and makes a curve of them; what saving figures and their contours would load
# in each process else.
LOADED = (
    *("lightcurve.night.workers", "lightcurve.curve.choose"),
    *("scipy.ndimage", "scipy.spatial", "sep", "astropy.io.fits", "threadpoolctl"),
)
DRAWING = (
    *("matplotlib.backends.backend_agg", "matplotlib.figure"),
    *("PIL.JpegImagePlugin", "contourpy", "astropy.wcs"),
)
DIED = "the process that measured it died, twice (out of memory?); try --workers 1"
MOST = 4  # processes: a dozen figures keep no more at work
_loaded: list[str] = []  # what those of this program were told to load


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection

    def send(self, value: object) -> None:
        # That it is dead is told by what is read from it.
        with suppress(*BROKEN):
            self.pipe.send(value)

    def send_packed(self, value: bytes | memoryview) -> None:
        with suppress(*BROKEN):
            self.pipe.send_bytes(value)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def spread(tasks: Iterable[T], do: Callable[[T], R], n: int) -> Iterator[tuple[T, R | None]]:
    """Do all tasks in up to `n` processes: each with its result as it comes.

    The result is None where the process died. do: is sent to each process once, so that it may hold
    much; what it raises is raised here.
    """
    waiting, packed = deque(tasks), ForkingPickler.dumps(do)
    at_work: dict[_Worker, T] = {}
    try:
        while waiting or at_work:
            fresh: list[_Worker] = []
            while waiting and len(at_work) < n:
                fresh.append(_start())
                at_work[fresh[-1]] = waiting.popleft()
            for one in fresh:  # all load what they need before the first is waited for
                one.send_packed(packed)
                one.send(at_work[one])
            ready = _answers(at_work)
            for one in [one for one in at_work if one.pipe in ready]:
                task, result = at_work[one], _answer(one)
                if result is not None and waiting:
                    at_work[one] = waiting.popleft()
                    one.send(at_work[one])
                else:
                    del at_work[one]
                    one.end()
                yield task, result
    finally:
        for one in at_work:
            one.end()


def surviving(
    groups: Iterable[Sequence[T]], do: Callable[[Sequence[T]], Sequence[R]], n: int
) -> Generator[tuple[T, R | None], None, None]:
    """Do groups of tasks in up to `n` processes: each task with its result as it comes.

    A process that dies costs at most the task it died of, whose result is None: those of its group
    are tried again.
    """
    lost: list[T] = []
    for group, results in spread(groups, do, n):
        if results is None:
            lost.extend(group)
        else:
            yield from zip(group, results, strict=True)
    if lost:
        log.warning("a measuring process died; trying %d frames again, one by one", len(lost))
    # One at a time has all memory to itself, and can take no other with it.
    for (task,), results in spread([(task,) for task in lost], do, 1):
        yield task, None if results is None else results[0]


def divide(tasks: Sequence[T], do: Callable[[T], R], n: int) -> Iterator[tuple[T, R]]:
    """Do all tasks in up to `n` processes, and here what none of them did: each with its result.

    Raises whatever `do` raises.
    """
    left = {id(task): task for task in tasks}
    if min(n, len(tasks)) > 1:
        with suppress(OSError):  # where no more processes can be had
            for task, result in spread(tasks, do, n):
                if result is not None:
                    del left[id(task)]
                    yield task, result
    for task in left.values():
        yield task, do(task)


def _answers(at_work: Mapping[_Worker, object]) -> list[object]:
    """Wait for pipes with an answer. Where none comes, say once in a while what is waited for.

    A slow machine is waited for as long as it takes; a process that somebody has stopped can be
    killed, and its work is tried again.
    """
    patience = PATIENCE_S
    while not (ready := connection.wait([one.pipe for one in at_work], patience)):
        for one, task in at_work.items():
            log.warning(
                "no answer for %.0f s from process %d, which is at %s: if it is stopped, "
                "`kill -CONT %d` lets it go on", patience, one.process.pid, _named(task),
                one.process.pid,
            )  # fmt: skip
        patience *= 2
    return list(ready)


def _named(task: object) -> str:
    """Name frames, or whatever else a process was given."""
    parts = task if isinstance(task, list | tuple) else (task,)
    return ", ".join(one.name if isinstance(one, Path) else str(one) for one in parts[:3])


def _answer(worker: _Worker) -> Any:
    """Take a worker's result; None where it has died."""
    try:
        result, error = worker.pipe.recv()
    except BROKEN:
        return None
    if error is not None:
        raise error
    return result


def warm(*modules: str) -> bool:
    """Begin to load what the processes will need, and do not wait for it; say if they can share it.

    On Linux they are forked from one that has loaded it, and does nothing else: that takes
    hundredths of a second, and they share what it loaded. Elsewhere not all libraries bear being
    forked, and some folders for passing files hold no sockets: there each process loads its own.

    modules: names, `LOADED` where none is given; heard the first time alone.
    """
    if not FORKS:
        return False
    from multiprocessing import forkserver  # which not every system has

    names = _loaded or list(modules or LOADED)
    forkserver.set_forkserver_preload(["lightcurve.core.uncollected", *names])
    try:
        with _deaf():
            forkserver.ensure_running()
    except OSError as error:
        log.info("no process to fork others from (%s): each loads what it needs", error)
        return False
    _loaded[:] = names
    return True


def warm_beside(*modules: str) -> None:
    """Begin to load modules, as `warm`, where there are processors for more than this process."""
    if usable() > 1:
        warm(*modules)


def warm_to_draw(*modules: str) -> None:
    """Begin to load modules that draw figures, where there are processors to draw several at once.

    Heard the first time alone, as `warm`.
    """
    warm_beside(*DRAWING, *modules)


def load_meanwhile(*modules: str) -> None:
    """Begin to load modules in this process, which is about to wait for others."""
    threading.Thread(target=lambda: [*map(import_module, modules)], daemon=True).start()


def ready_with(module: str, wanted: int | None = None) -> int:
    """Count the processes that work of tenths of a second is for: 1 where they load a module first.

    module: what the work needs, as `warm` was told. wanted: at most; None for as many as are worth
    it.
    """
    return min(wanted or usable(), MOST) if module in _loaded else 1


def usable() -> int:
    """Count the processors that this process may have."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start() -> _Worker:
    # A fresh process: one that is forked may inherit a lock that some thread of this one holds.
    make = get_context("forkserver").Process if warm() else get_context("spawn").Process
    pipe, theirs = connection.Pipe()
    process = make(target=_serve, args=(theirs,), daemon=True)
    with _deaf():
        process.start()
    theirs.close()
    return _Worker(process, pipe)


@contextmanager
def _deaf() -> Iterator[None]:
    """Let processes started meanwhile never hear of what is to end this one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which hears again what is not to be heard here
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, [getattr(signal, name) for name in NOT_THEIRS]
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection) -> None:
    """Do what comes through the pipe, until nothing more can come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems where it cannot be blocked before
    keep_loaded()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What libraries have to say is nobody's concern; ours is in the results.
    logging.getLogger().addHandler(logging.NullHandler())
    logging.captureWarnings(capture=True)
    with suppress(*BROKEN):
        do = pipe.recv()
        while True:
            pipe.send(_attempt(do, pipe.recv()))


def _attempt(do: Callable[[T], R], task: T) -> tuple[R | None, Exception | None]:
    try:
        return do(task), None
    except Exception as error:  # noqa: BLE001  (raised anew where the task was given)
        error.add_note(traceback.format_exc())
        return None, error


def _end_with_parent() -> None:
    """End in the middle of the work when the process that wants it is no more, however it ended."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
