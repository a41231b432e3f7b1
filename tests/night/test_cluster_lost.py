"""What becomes of frames that a cluster's workers die of, and of a cluster that goes away.

The cluster is a stand-in that raises what Dask raises; `test_cluster` has a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from lightcurve.core.data import FrameResult
from lightcurve.core.errors import InputError
from lightcurve.night import workers

distributed = pytest.importorskip("distributed", reason="needs Dask")
PATHS = [Path(f"/night/{k:03d}.fits") for k in range(11)]


@dataclass(frozen=True)
class Recipe:
    """All that travelling to a cluster asks of a recipe."""

    masters_folder: Path | None = None


class StandIn:
    """A client whose workers run in this process, and fail as they are told."""

    def __init__(self, trouble: Callable[[Sequence[Path]], Exception | None]) -> None:
        self.trouble = trouble
        self.tasks: list[tuple[Path, ...]] = []

    def scheduler_info(self) -> dict:
        return {"workers": {"one": {}, "two": {}}}

    def scatter(self, recipe: Recipe, *, broadcast: bool) -> Recipe:
        assert broadcast
        return recipe

    def get_executor(self) -> SimpleNamespace:
        return SimpleNamespace(submit=self.submit)

    def submit(self, measure: Callable, task: Sequence[Path], recipe: Recipe) -> Future:
        self.tasks.append(tuple(task))
        future: Future = Future()
        error = self.trouble(task)
        if error is None:
            future.set_result(measure(task, recipe))
        else:
            future.set_exception(error)
        return future


def measure(paths: Sequence[Path], _: Recipe) -> list[FrameResult]:
    return [FrameResult(path.name, "measured") for path in paths]


def test_a_frame_that_kills_every_worker_is_a_row_and_no_more() -> None:
    def deadly(task: Sequence[Path]) -> Exception | None:
        killed = distributed.KilledWorker("measure", None, 3)
        return killed if PATHS[5] in task else None

    client = StandIn(deadly)
    done = dict(workers._on_cluster(PATHS, Recipe(), client, measure))
    assert sorted(done) == PATHS
    lost = [path for path in PATHS if done[path].status != "measured"]
    assert lost == [PATHS[5]]
    assert "died" in done[PATHS[5]].reason
    assert (PATHS[5],) in client.tasks  # it was tried by itself
    assert (PATHS[4],) in client.tasks  # and so were those of its task


@pytest.mark.parametrize("error", [CancelledError(), OSError("Timed out trying to connect")])
def test_a_cluster_that_goes_away_is_one_line(error: Exception) -> None:
    client = StandIn(lambda task: error if PATHS[6] in task else None)
    frames = workers._on_cluster(PATHS, Recipe(), client, measure)
    assert [next(frames)[0] for _ in range(4)] == PATHS[:4]  # kept before it went away
    with pytest.raises(InputError, match=r"went away.*goes on from here"):
        next(frames)
