"""What becomes of frames that a cluster's workers die of, and of a cluster that goes away.

The cluster is a stand-in that raises what Dask raises; `test_cluster` has a real one.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
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


def say_nothing(caller: socket.socket) -> None:
    caller.recv(1 << 16)
    time.sleep(1)


def speak_http(caller: socket.socket) -> None:
    caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def hang_up(caller: socket.socket) -> None:
    caller.close()


@pytest.mark.parametrize("answer", [say_nothing, speak_http, hang_up])
def test_whoever_is_no_scheduler_is_told_in_time(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CLUSTER_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    with caller, suppress(OSError):
                        answer(caller)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        begin = time.monotonic()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match="no scheduler answers"), workers.dask_client(address):
            pass
        assert time.monotonic() - begin < 60  # else it would wait for ever
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
