"""Where the frames of a night are measured: here, by processes of this machine, or on a cluster.

Frames do not depend on one another, so that the numbers are the same wherever they come from. Each
result is kept as it comes.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from lightcurve.core.algebra import one_thread
from lightcurve.core.data import FrameResult, FrameStatus
from lightcurve.core.errors import InputError, Why
from lightcurve.core.files import file_state
from lightcurve.core.progress import Progress, silent
from lightcurve.frames.planes import stored_in
from lightcurve.night.lights import label_files
from lightcurve.night.measure import measure_frame
from lightcurve.night.recipe import Recipe
from lightcurve.night.store import RunStore

log = logging.getLogger(__name__)
FRAMES_PER_TASK = 4
# A process takes a second to start: it must have three to do to be worth it. A small frame costs
# its stars, a large one its bytes; both were measured on one core of a middling machine.
SECONDS_PER_WORKER = 3.0
SECONDS_PER_FRAME, SECONDS_PER_BYTE = 0.012, 1.2e-9
CLUSTER_TIMEOUT_S = 15.0
DIED = "the process that measured it died, twice (out of memory?); try --workers 1"
Work = tuple[tuple[Path, ...], ...]  # tasks of a few frames
Done = Iterator[tuple[Path, FrameResult]]
Measure = Callable[[Sequence[Path], Recipe], list[FrameResult]]


def measure_night(
    paths: Sequence[Path],
    recipe: Recipe,
    store: RunStore,
    *,
    progress: Progress = silent,
) -> list[FrameResult]:
    """Measure all frames that the store does not have yet, and keep each as it comes.

    recipe: its settings say where to run: on a cluster, in a number of processes, or in as many as
    the frames are worth.
    store: results with the same recipe and an unchanged file are taken from it.

    Returns one result a path, in their order, named by `label_files`; no two paths may be alike.

    Raises InputError when the folder of the frames is gone, the store cannot be written, there
    is no cluster at the address given, or it went away. What was measured until then is kept.
    """
    fingerprint = recipe.fingerprint()
    keys = {path: f"{fingerprint} {file_state(stored_in(path))}" for path in paths}
    kept = ((path, store.get(path, keys[path])) for path in paths)
    results = {path: result for path, result in kept if result is not None}
    missing = [path for path in paths if path not in results]
    with one_thread(), _open(missing, recipe) as done:
        for path, result in progress(done, "Measuring frames", len(missing)):
            _refuse_lost_folder(path, result)
            # What could not be read may be read next time: it is not kept.
            if result.exposure is not None:
                store.put(path, keys[path], result)
            results[path] = result
    return [replace(results[path], file=label) for path, label in label_files(paths).items()]


def _refuse_lost_folder(path: Path, result: FrameResult) -> None:
    if result.exposure is None and not path.parent.is_dir():
        msg = (
            f"{path.parent}: is not there any more (a share that went away?); frames measured are "
            "kept, the same command goes on from here"
        )
        raise InputError(msg)


def measure_frames(paths: Sequence[Path], recipe: Recipe) -> list[FrameResult]:
    """Measure a few frames: the unit of work sent to another process; in the order of `paths`."""
    with one_thread():
        return [measure_frame(path, recipe) for path in paths]


@contextmanager
def _open(paths: Sequence[Path], recipe: Recipe) -> Iterator[Done]:
    """Choose where to measure, and close it at the end."""
    settings = recipe.settings
    if settings.cluster is not None and paths:
        with _cluster(settings.cluster) as client:
            yield _on_cluster(paths, recipe, client)
    elif (workers := settings.workers or worth(paths)) > 1 and len(paths) > 1:
        log.info("%d processes measure", min(workers, len(paths)))
        yield _in_pool(paths, recipe, min(workers, len(paths)))
    else:
        yield ((path, measure_frame(path, recipe)) for path in paths)


def worth(paths: Sequence[Path]) -> int:
    """Count the processes that are worth starting.

    paths: frames to measure.
    One for each three seconds of work, and not more than this process may have processors.
    """
    cubes = {stored_in(path) for path in paths}.difference(paths)  # each is read once in all
    size = sum(path.stat().st_size for path in (*paths, *cubes) if path.is_file())
    seconds = SECONDS_PER_FRAME * len(paths) + SECONDS_PER_BYTE * size
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(usable or 1, int(seconds / SECONDS_PER_WORKER)))


def _tasks(paths: Sequence[Path], size: int = FRAMES_PER_TASK) -> Work:
    return tuple(tuple(paths[i : i + size]) for i in range(0, len(paths), size))


def _run(
    work: Work,
    submit: Callable[[Sequence[Path]], Future],
    lost: list[Path],
    died: type[Exception] = BrokenExecutor,
) -> Done:
    """Yield results in order; frames whose process died are added to `lost`."""
    futures = [submit(task) for task in work]
    for task, future in zip(work, futures, strict=True):
        try:
            results = future.result()
        except died:
            lost.extend(task)
            continue
        yield from zip(task, results, strict=True)


_OF_THIS_PROCESS: dict[str, Any] = {}


def _begin(recipe: Recipe, measure: Measure) -> None:
    """Prepare a process of a pool: Ctrl-C, which a terminal sends to it too, ends it in silence."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _OF_THIS_PROCESS.update(recipe=recipe, measure=measure)


def _work(paths: Sequence[Path]) -> list[FrameResult]:
    return _OF_THIS_PROCESS["measure"](paths, _OF_THIS_PROCESS["recipe"])


def _pool(workers: int, recipe: Recipe, measure: Measure) -> ProcessPoolExecutor:
    # A fresh process: one that is forked may inherit a lock that some thread of this one holds.
    # It gets the recipe when it starts. Sent with every task it would fill the queue's pipe, and
    # whoever writes into that waits for ever when the process dies that should read from it.
    context = get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(recipe, measure))


def _to(pool: Executor) -> Callable[[Sequence[Path]], Future]:
    return lambda task: pool.submit(_work, task)


def _in_pool(
    paths: Sequence[Path], recipe: Recipe, workers: int, measure: Measure = measure_frames
) -> Done:
    """Measure in processes of this machine; one that dies costs at most the frame it died of."""
    work = _tasks(paths)
    while work:
        lost: list[Path] = []
        with _pool(workers, recipe, measure) as pool:
            yield from _run(work, _to(pool), lost)
        # The first of the lost ones were at work: each is tried by itself, the rest together.
        at_work = workers * FRAMES_PER_TASK
        if lost:
            log.warning("a measuring process died; going on with %d frames", len(lost))
        for path in lost[:at_work]:
            yield path, _alone(path, recipe, measure)
        work = _tasks(lost[at_work:])


def _alone(path: Path, recipe: Recipe, measure: Measure) -> FrameResult:
    """Measure a frame in a process of its own, so that it can take nothing with it."""
    with _pool(1, recipe, measure) as pool:
        try:
            return pool.submit(_work, (path,)).result()[0]
        except BrokenExecutor:
            return FrameResult(path.name, FrameStatus.FAILED, DIED, why=Why.DIED)


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        msg = f"--cluster {address}: needs Dask: pip install 'lightcurve[cluster]'"
        raise InputError(msg) from error
    try:
        client = Client(address, timeout=CLUSTER_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        msg = f"--cluster {address}: no scheduler answers there within {CLUSTER_TIMEOUT_S:g} s"
        raise InputError(msg) from error
    with client:
        yield client


def _on_cluster(
    paths: Sequence[Path], recipe: Recipe, client: Any, measure: Measure = measure_frames
) -> Done:
    """Measure on a Dask cluster that sees the same files under the same names.

    Dask itself gives the work of a worker that died to another one, and gives up work that some
    workers died of: of such frames each is tried by itself.
    """
    from distributed import KilledWorker

    log.info("%d workers of the cluster measure", len(client.scheduler_info()["workers"]))
    folder = recipe.masters_folder
    whole = replace(recipe, masters_folder=folder.absolute() if folder else None)
    names = {path.absolute(): path for path in paths}
    lost: list[Path] = []
    deadly: list[Path] = []
    try:
        shared = client.scatter(whole, broadcast=True)
        executor = client.get_executor()

        def submit(task: Sequence[Path]) -> Future:
            return executor.submit(measure, task, shared)

        for path, result in _run(_tasks(list(names)), submit, lost, KilledWorker):
            yield names[path], result
        for path, result in _run(_tasks(lost, 1), submit, deadly, KilledWorker):
            yield names[path], result
    except (CancelledError, OSError) as error:
        msg = (
            f"--cluster: it went away ({type(error).__name__}); frames measured are kept, the same "
            "command goes on from here"
        )
        raise InputError(msg) from error
    for path in deadly:
        yield names[path], FrameResult(path.name, FrameStatus.FAILED, DIED, why=Why.DIED)
