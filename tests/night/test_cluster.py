"""A real Dask cluster of separate processes gives the numbers of this process, to the last bit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from distributed import LocalCluster

from lightcurve.core.data import FrameResult
from lightcurve.core.errors import InputError
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night import workers
from lightcurve.night.prepare import prepare_night
from lightcurve.night.recipe import Recipe
from lightcurve.night.scene import Scene
from lightcurve.night.store import encode_result, open_store
from lightcurve.setup.target import find_target
from sim import tiny_night

N_FRAMES = 24
LAST = f"light_{N_FRAMES - 1:04d}.fits"

# What Dask's own processes and threads leave behind at their end is not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_night(folder, n_frames=N_FRAMES, shape=(160, 180), n_stars=40, header_wcs=True, n_bias=3)
    settings = make_settings({"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}})
    target = find_target(settings.target)
    return prepare_night(take_inventory(folder, settings), target, settings, folder / "masters")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


def measured(scene: Scene, folder: Path, address: str | None) -> list[bytes]:
    folder.mkdir()
    settings = scene.recipe.settings.model_copy(update={"cluster": address})
    with open_store(folder) as store:
        results = workers.measure_night(
            scene.lights, replace(scene.recipe, settings=settings), store
        )
    return [encode_result(result) for result in results]


def test_a_cluster_gives_the_same_bits(scene, cluster, tmp_path: Path) -> None:
    here = measured(scene, tmp_path / "here", None)
    assert measured(scene, tmp_path / "there", cluster.scheduler_address) == here


def wait_to_be_killed(notes: Path, paths: Sequence[Path], recipe: Recipe) -> list[FrameResult]:
    """Stand in for measuring: who has the last frame first waits with it, and is no more."""
    if any(path.name == LAST for path in paths):
        first = not list(notes.iterdir())
        (notes / str(os.getpid())).touch()
        if first:
            time.sleep(600)
    return workers.measure_frames(paths, recipe)


def test_a_worker_killed_in_the_middle_changes_nothing(scene, cluster, tmp_path: Path) -> None:
    here = measured(scene, tmp_path / "here", None)
    notes = tmp_path / "notes"
    notes.mkdir()
    measure = partial(wait_to_be_killed, notes)
    there, victim = {}, None
    with workers.dask_client(cluster.scheduler_address) as client:
        for path, result in workers._on_cluster(scene.lights, scene.recipe, client, measure):
            there[path] = encode_result(result)
            if victim is None:
                while not (victim := next(notes.iterdir(), None)):
                    time.sleep(0.01)
                os.kill(int(victim.name), signal.SIGKILL)
    assert [there[path] for path in scene.lights] == here
    # The last frames were lost with their worker, and done again by another.
    assert len(list(notes.iterdir())) == 2


def test_nobody_at_the_address(scene, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(workers, "CLUSTER_TIMEOUT_S", 1.0)
    with pytest.raises(InputError, match="no scheduler answers"):
        measured(scene, tmp_path / "run", "tcp://127.0.0.1:9")
