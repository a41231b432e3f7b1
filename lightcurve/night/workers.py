"""Where the frames of a night are measured: here, by processes of this machine, or on a cluster.

Frames do not depend on one another, so that the numbers are the same wherever they come from. Each
result is kept as it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightcurve.core.algebra import one_thread
from lightcurve.core.data import FrameResult, FrameStatus
from lightcurve.core.errors import InputError, Why
from lightcurve.core.files import file_state
from lightcurve.core.processes import DIED, load_meanwhile, ready_with, surviving, usable, warm
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.planes import stored_in
from lightcurve.night.lights import label_files
from lightcurve.night.measure import measure_side_by_side, together
from lightcurve.night.recipe import Recipe
from lightcurve.night.store import RunStore

__all__ = ["dask_client"]

log = logging.getLogger(__name__)
FRAMES_PER_TASK = 4  # of a cluster, of whose workers nobody knows how many there will be
# What a process needs is loaded in a second, for all where they are forked: it must have some to do
# to be worth it, and less where one to fork them from is ready. A small frame costs its stars, a
# large one its bytes; both were measured on one core of a middling machine.
SECONDS_PER_WORKER, SECONDS_PER_FORK = 1.5, 0.4
SECONDS_PER_FRAME, SECONDS_PER_BYTE = 0.012, 1.2e-9
# What the story loads next, a third of a second: while other processes measure it only waits.
NEXT = ("scipy.interpolate", "jinja2", "PIL.Image")
CLUSTER_TIMEOUT_S = 15.0
Work = tuple[tuple[Path, ...], ...]  # tasks of a few frames
Done = Iterator[tuple[Path, FrameResult]]
Measure = Callable[[Sequence[Path], Recipe], list[FrameResult]]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a process does with a few frames; the recipe, which is large, travels once."""

    measure: Measure
    recipe: Recipe

    def __call__(self, paths: Sequence[Path]) -> list[FrameResult]:
        return self.measure(paths, self.recipe)


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
        return list(measure_side_by_side(paths, recipe))


@contextmanager
def _open(paths: Sequence[Path], recipe: Recipe) -> Iterator[Done]:
    """Choose where to measure, and close it at the end."""
    settings = recipe.settings
    if settings.cluster is not None and paths:
        with dask_client(settings.cluster) as client:
            yield _on_cluster(paths, recipe, client)
    elif (workers := _count(paths, settings)) > 1:
        log.info("%d processes measure", workers)
        load_meanwhile(*NEXT)
        yield _in_pool(paths, recipe, workers)
    else:
        yield zip(paths, measure_side_by_side(paths, recipe), strict=True)


def get_ready(paths: Sequence[Path], settings: Settings) -> None:
    """Let the processes that will measure these frames load meanwhile what they need."""
    if settings.cluster is None and _count(paths, settings) > 1:
        warm()


def _count(paths: Sequence[Path], settings: Settings) -> int:
    return min(settings.workers or worth(paths), len(paths))


def worth(paths: Sequence[Path]) -> int:
    """Count the processes that are worth starting.

    paths: frames to measure.
    One for each second and a half of work, or less of it where they stand ready, and not more than
    this process may have processors.
    """
    cubes = {stored_in(path) for path in paths}.difference(paths)  # each is read once in all
    size = sum(path.stat().st_size for path in (*paths, *cubes) if path.is_file())
    seconds = SECONDS_PER_FRAME * len(paths) + SECONDS_PER_BYTE * size
    each = SECONDS_PER_FORK if ready_with(__name__) > 1 else SECONDS_PER_WORKER
    return max(1, min(usable(), int(seconds / each)))


def _tasks(paths: Sequence[Path], workers: int, most: int) -> Work:
    """Take as many frames at a time as are measured side by side, and ever fewer towards the end.

    A task is at most half of what is left for each process: then none waits long for another.
    most: frames of a task, which are kept once all of it is done.
    """
    tasks, left = [], list(paths)
    while left:
        n = min(max(len(left) // (2 * workers), 1), most)
        tasks.append(tuple(left[:n]))
        left = left[n:]
    return tuple(tasks)


def _groups(paths: Sequence[Path], n: int) -> Work:
    return tuple(tuple(paths[k : k + n]) for k in range(0, len(paths), n))


def _run(
    work: Work,
    submit: Callable[[Sequence[Path]], Future],
    lost: list[Path],
    died: type[Exception],
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


def _in_pool(
    paths: Sequence[Path], recipe: Recipe, workers: int, measure: Measure = measure_frames
) -> Done:
    """Measure in processes of this machine; one that dies costs at most the frame it died of."""
    tasks = _tasks(paths, workers, together(recipe))
    for path, result in surviving(tasks, _Measured(measure, recipe), workers):
        failed = FrameResult(path.name, FrameStatus.FAILED, DIED, why=Why.DIED)
        yield path, failed if result is None else result


async def _identity(address: str) -> None:
    """Ask who is there; raises what Dask does, or ValueError where it is no scheduler."""
    from distributed import rpc

    async with rpc(address, timeout=CLUSTER_TIMEOUT_S) as who:
        if (await who.identity()).get("type") != "Scheduler":
            msg = "no scheduler"
            raise ValueError(msg)


@contextmanager
def dask_client(address: str) -> Iterator[Any]:
    """Talk to a Dask cluster as long as the block lasts.

    Raises InputError where Dask is not installed, or no scheduler answers at the address.
    """
    import asyncio

    try:
        from distributed import Client
    except ImportError as error:
        msg = f"--cluster {address}: needs Dask: pip install 'lightcurve[cluster]'"
        raise InputError(msg) from error
    try:
        # Of somebody who takes a call and says nothing its client never lets go.
        asyncio.run(asyncio.wait_for(_identity(address), CLUSTER_TIMEOUT_S))
        client = Client(address, timeout=CLUSTER_TIMEOUT_S, set_as_default=False)
    except Exception as error:  # of whatever speaks there
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

        for path, result in _run(_groups(list(names), FRAMES_PER_TASK), submit, lost, KilledWorker):
            yield names[path], result
        for path, result in _run(_groups(lost, 1), submit, deadly, KilledWorker):
            yield names[path], result
    except (CancelledError, OSError) as error:
        msg = (
            f"--cluster: it went away ({type(error).__name__}); frames measured are kept, the same "
            "command goes on from here"
        )
        raise InputError(msg) from error
    for path in deadly:
        yield names[path], FrameResult(path.name, FrameStatus.FAILED, DIED, why=Why.DIED)
