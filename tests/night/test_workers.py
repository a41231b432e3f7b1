"""The same numbers wherever frames are measured, and what happens when a process dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core import processes
from lightcurve.core.data import Frame, FrameResult
from lightcurve.core.errors import InputError
from lightcurve.core.files import file_state
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night import workers
from lightcurve.night.lights import label_files
from lightcurve.night.measure import in_turn, measure_frame, measure_side_by_side, together
from lightcurve.night.prepare import prepare_night
from lightcurve.night.recipe import Recipe
from lightcurve.night.register_or_solve import place_frame
from lightcurve.night.store import encode_result, open_store
from lightcurve.setup.target import find_target
from sim import tiny_night

N_FRAMES = 6
LIBRARIES = {"astropy", "lightcurve", "numpy", "photutils", "scipy", "sep", "threadpoolctl"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny_night(folder, n_frames=N_FRAMES, shape=(200, 240), n_stars=40, header_wcs=True, n_bias=3)
    settings = make_settings({"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}})
    target = find_target(settings.target)
    return prepare_night(take_inventory(folder, settings), target, settings, folder / "masters")


def measured(scene, folder: Path, **options: object) -> list[bytes]:
    folder.mkdir()
    recipe = options.pop("recipe", scene.recipe)
    with open_store(folder) as store:
        results = workers.measure_night(scene.lights, recipe, store, **options)
    return [encode_result(result) for result in results]


def with_settings(recipe: Recipe, **changes: object) -> Recipe:
    return replace(recipe, settings=recipe.settings.model_copy(update=changes))


def test_processes_give_the_same_bits(scene, tmp_path: Path) -> None:
    here = measured(scene, tmp_path / "here")
    there = measured(scene, tmp_path / "there", recipe=with_settings(scene.recipe, workers=2))
    assert here == there


def test_frames_side_by_side_give_the_bits_of_each_alone(scene, tmp_path: Path) -> None:
    """Also beside those that are broken, of another size, without stars, or not there."""
    broken, small, empty = (tmp_path / f"{name}.fits" for name in ("broken", "small", "empty"))
    broken.write_bytes(scene.lights[0].read_bytes()[:9000])
    with fits.open(scene.lights[1]) as hdus:
        data, header = hdus[0].data, hdus[0].header
        fits.PrimaryHDU(data[:150], header).writeto(small)
        fits.PrimaryHDU(np.full_like(data, 100), header).writeto(empty)
    one, two, three, *rest = scene.lights
    paths = [one, broken, two, small, empty, tmp_path / "none.fits", three, *rest]
    alone = [encode_result(measure_frame(path, scene.recipe)) for path in paths]
    assert alone == [encode_result(one) for one in measure_side_by_side(paths, scene.recipe)]
    failed = [result.status for result in measure_side_by_side(paths, scene.recipe)]
    assert [path for path, how in zip(paths, failed, strict=True) if how == "failed"] == [
        broken, small, empty, tmp_path / "none.fits",
    ]  # fmt: skip


def test_what_nobody_foresaw_costs_its_frame_alone(scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def register(whole: Frame, *args: object) -> object:
        if whole.path == scene.lights[1]:
            raise ZeroDivisionError
        return place_frame(whole, *args)

    monkeypatch.setattr("lightcurve.night.measure.place_frame", register)
    results = [*measure_side_by_side(scene.lights, scene.recipe)]
    assert [r.status for r in results] == ["measured", "failed", *["measured"] * (N_FRAMES - 2)]
    assert "ZeroDivisionError" in results[1].reason


def test_works_are_taken_on_by_turns() -> None:
    done = []

    def work(name: str, steps: int) -> Generator[None, None, str]:
        for k in range(steps):
            done.append(f"{name}{k}")
            yield
        return name

    assert in_turn([work("a", 2), work("b", 0), work("c", 3)]) == ["a", "b", "c"]
    assert done == ["a0", "c0", "a1", "c1", "c2"]


def loads_anew(path: Path, recipe: Recipe) -> set[str]:
    """Measure a frame; name the modules of libraries that were not there before."""
    before = set(sys.modules)
    workers.measure_frames([path], recipe)
    return {name.partition(".")[0] for name in set(sys.modules) - before} & LIBRARIES


@pytest.mark.skipif(not processes.FORKS, reason="each loads its own here")
def test_a_forked_process_has_all_that_a_frame_needs(scene) -> None:
    """What it had to load for itself would be a second of each process's time."""
    do = partial(loads_anew, recipe=scene.recipe)
    assert dict(processes.spread(scene.lights[:1], do, 1)) == {scene.lights[0]: set()}


def die_of_the_third(paths: Sequence[Path], recipe: Recipe) -> list[FrameResult]:
    """Stand in for measuring; be killed by one frame, as for want of memory."""
    if any(path.name == "003.fits" for path in paths):
        os.kill(os.getpid(), signal.SIGKILL)
    return [FrameResult(path.name, "measured", str(recipe.shape)) for path in paths]


def test_a_dead_process_costs_its_frame_alone(scene) -> None:
    paths = [Path(f"{k:03d}.fits") for k in range(6)]
    done = dict(workers._in_pool(paths, scene.recipe, 1, die_of_the_third))
    assert set(done) == set(paths)
    failed = [path.name for path, result in done.items() if result.status == "failed"]
    assert failed == ["003.fits"]
    assert "died" in done[Path("003.fits")].reason


def test_a_folder_that_goes_away_stops_the_run_and_keeps_the_rest(scene, tmp_path: Path) -> None:
    gone = tmp_path / "gone" / scene.lights[-1].name
    night = (*scene.lights[:-1], gone)
    with open_store(tmp_path) as store:
        with pytest.raises(InputError, match="not there any more"):
            workers.measure_night(night, scene.recipe, store)
        key = f"{scene.recipe.fingerprint()} {file_state(night[0])}"
        assert store.get(night[0], key).status == "measured"


def test_a_frame_that_could_not_be_read_is_tried_again(scene, tmp_path: Path) -> None:
    late = tmp_path / "late.fits"
    with open_store(tmp_path) as store:
        first = workers.measure_night((late,), scene.recipe, store)[0]
        assert first.status == "failed"
        late.write_bytes(scene.lights[0].read_bytes())
        assert workers.measure_night((late,), scene.recipe, store)[0].status == "measured"


def test_processes_are_started_where_they_are_worth_it(tmp_path: Path, monkeypatch) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"1")
    with large.open("wb") as file:
        file.truncate(33_000_000)  # a hole: no byte is written
    usable = len(os.sched_getaffinity(0))
    monkeypatch.setattr(processes, "_loaded", [])
    assert workers.worth([small] * 142) == 1  # a night of small frames takes two seconds
    assert workers.worth([small] * 1000) == min(8, usable)
    assert workers.worth([large] * 20) == 1
    assert workers.worth([large] * 300) == min(10, usable)
    monkeypatch.setattr(processes, "_loaded", list(processes.LOADED))
    assert workers.worth([small] * 142) == min(4, usable)
    assert workers.worth([small] * 30) == 1


@pytest.mark.parametrize(
    ("n", "workers_"), [(0, 2), (1, 2), (7, 2), (8, 2), (30, 2), (31, 3), (142, 2), (142, 40)]
)
def test_tasks_hold_every_frame_once_and_end_singly(n: int, workers_: int) -> None:
    paths = [Path(str(k)) for k in range(n)]
    tasks = workers._tasks(paths, workers_, 12)
    assert [path for task in tasks for path in task] == paths
    sizes = [len(task) for task in tasks]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-2 * workers_ :] == [1] * min(2 * workers_, n)
    # Who begins a task last, after all others are done, holds them up by no more than their share.
    left = n - np.cumsum([0, *sizes])[:-1]
    assert all(
        size == 1 or size * workers_ <= rest / 2 for size, rest in zip(sizes, left, strict=True)
    )


def test_a_large_frame_is_a_task_of_its_own() -> None:
    """A run that is stopped, or a process that dies, costs no more than it."""
    large, small = (Mock(shape=shape) for shape in ((4096, 4096), (500, 650)))
    paths = [Path(str(k)) for k in range(100)]
    assert {len(task) for task in workers._tasks(paths, 2, together(large))} == {1}
    assert len(workers._tasks(paths, 2, together(small))[0]) == 12


def test_groups_hold_every_frame_once() -> None:
    paths = [Path(str(k)) for k in range(9)]
    groups = workers._groups(paths, 4)
    assert [len(group) for group in groups] == [4, 4, 1]
    assert [path for group in groups for path in group] == paths


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "x.fits", tmp_path / "b" / "x.fits"
    assert label_files([one, other]) == {one: "a/x.fits", other: "b/x.fits"}
    assert label_files([one]) == {one: "x.fits"}
    assert label_files([]) == {}


def test_cosmic_rays_are_marked_where_asked(scene) -> None:
    calibration = scene.recipe.settings.calibration.model_copy(update={"cosmic_rays": True})
    asked = with_settings(scene.recipe, calibration=calibration)
    assert asked.fingerprint() != scene.recipe.fingerprint()
    assert workers.measure_frames(scene.lights[:1], asked)[0].status == "measured"


def test_shape_of_what_is_kept(scene, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        results = workers.measure_night(scene.lights, scene.recipe, store)
        again = workers.measure_night(scene.lights, scene.recipe, store)
    assert [encode_result(r) for r in results] == [encode_result(r) for r in again]
    assert all(np.isfinite(r.photometry.flux[0]).any() for r in results)
