"""A sequence measured by several processes: the same to the byte, and no frame costs another."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcurve.calib.library import Library
from lightcurve.core.data import Figures
from lightcurve.core.errors import FrameError, Why
from lightcurve.core.processes import usable
from lightcurve.core.settings import Settings
from lightcurve.image import workers
from lightcurve.image.batch import measure_sequence
from lightcurve.image.workers import FRAMES_PER_FORK, Frames, Told, count
from sim_image import Observatory, offline, render_frame

SITE = Observatory(shape=(160, 160))
TIME = re.compile(r"^\S+ \S+ |[\d.]+ s$")


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Settings]:
    """Frames of a field, the first of which is not solved and the fourth broken."""
    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(5)
    dec = 20.0 + rng.uniform(-70, 70, 25) / 3600
    ra = 100.0 + rng.uniform(-70, 70, 25) / 3600 / np.cos(np.radians(20.0))
    mag = rng.uniform(13.5, 16, 25)
    frames = [folder / f"light{k}.fits" for k in range(7)]
    for k, path in enumerate(frames):
        center = (100.0, 20.0 + k / 3600)
        render_frame(path, ra, dec, mag, SITE, center=center, seed=k, header_wcs=k in {1, 5})
    frames[3].write_bytes(frames[3].read_bytes()[:3000])
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars = folder / "stars.csv"
    stars.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    return frames, offline(stars)


@pytest.fixture(autouse=True)
def as_for_a_night(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes load what a night needs: what is loaded is heard once, and tests share it."""
    monkeypatch.setattr(workers, "warm", lambda *_: None)


def wanting(settings: Settings, n: int) -> Settings:
    return settings.model_copy(update={"workers": n})


def products(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.log"}


def told(rows: Sequence[dict[str, Any]]) -> str:
    return json.dumps(rows, sort_keys=True).replace("NaN", "null")


def story(folder: Path) -> list[str]:
    """Lines of the log without times."""
    lines = (folder / "run.log").read_text().splitlines()
    return [TIME.sub("", line) for line in lines if "processes measure" not in line]


def test_products_and_log_are_the_same_by_one_process_and_by_two(sky, tmp_path: Path) -> None:
    frames, settings = sky
    asked: list[list[str]] = []
    for n in (1, 2):
        seen: list[str] = []

        def watched(items: Iterable, *_: object, seen: list[str] = seen) -> Iterator:
            for item in items:
                seen.append(item[0].name)
                yield item

        out = tmp_path / str(n)
        # The second time one is given: it stays a row of its own.
        rows = measure_sequence([*frames, frames[2]], wanting(settings, n), out, progress=watched)
        asked.append(seen)
        statuses = [row["status"] for row in rows]
        assert statuses == ["not solved", "reduced", "reduced", "failed", *["reduced"] * 4]
    assert "2 processes measure" in (tmp_path / "2" / "run.log").read_text()
    assert asked[0] == asked[1]
    assert set(products(tmp_path / "1")) == {"sequence.csv", "sequence.jsonl", "sequence.png"}
    assert products(tmp_path / "1") == products(tmp_path / "2")
    assert story(tmp_path / "1") == story(tmp_path / "2")


def test_rows_kept_serve_whatever_the_number_of_processes(sky, tmp_path: Path) -> None:
    frames, settings = sky
    settings = settings.model_copy(update={"figures": Figures.NONE})
    first = measure_sequence(frames, wanting(settings, 2), tmp_path)
    table = (tmp_path / "sequence.csv").read_bytes()
    again = measure_sequence(frames, wanting(settings, 1), tmp_path)
    assert (tmp_path / "sequence.csv").read_bytes() == table
    assert [row["status"] for row in again] == [row["status"] for row in first]
    assert (tmp_path / "run.log").read_text().count("taken from") == 5


def test_who_interrupts_ends_the_processes_and_goes_on_by_the_same_command(
    sky, tmp_path: Path
) -> None:
    frames, settings = sky
    settings = settings.model_copy(update={"figures": Figures.NONE})

    def stopped(items: Iterable[Any], *_: object) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == 5:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        measure_sequence(frames, wanting(settings, 2), tmp_path / "out", progress=stopped)
    assert not multiprocessing.active_children()
    # All that was measured: the frame not solved will be again.
    assert len((tmp_path / "out" / "sequence.jsonl").read_text().splitlines()) == 4
    rows = measure_sequence(frames, wanting(settings, 2), tmp_path / "out")
    assert (tmp_path / "out" / "run.log").read_text().count("taken from") == 3
    at_once = measure_sequence(frames, wanting(settings, 1), tmp_path / "at once")
    # To the last digit: the frames that remained were placed by the stars of the same one.
    assert told(rows) == told(at_once)
    table = (tmp_path / "at once" / "sequence.csv").read_bytes()
    assert (tmp_path / "out" / "sequence.csv").read_bytes() == table


def test_rows_are_written_as_they_come_while_a_service_fails_and_measured_again(
    sky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, settings = sky
    settings = wanting(settings, 1).model_copy(update={"figures": Figures.NONE})
    plain = workers.summarise
    monkeypatch.setattr(
        workers, "summarise", lambda reduced: {**plain(reduced), "failed_services": ["gaia"]}
    )
    kept = tmp_path / "sequence.jsonl"
    written: list[int] = []

    def watched(items: Iterable[Any], *_: object) -> Iterator[Any]:
        for item in items:
            yield item
            written.append(len(kept.read_text().splitlines()))

    measure_sequence(frames[1:3], settings, tmp_path, progress=watched)
    assert written == [1, 2]
    monkeypatch.undo()
    monkeypatch.setattr(workers, "warm", lambda *_: None)
    rows = measure_sequence(frames[1:3], settings, tmp_path)
    assert "taken from" not in (tmp_path / "run.log").read_text()
    assert len(kept.read_text().splitlines()) == 2  # not those of before as well
    assert told(rows) == told(measure_sequence(frames[1:3], settings, tmp_path / "at once"))


def test_when_the_frame_that_placed_others_fails_now_the_next_that_is_solved_does(
    sky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, settings = sky
    settings = wanting(settings, 1).model_copy(update={"figures": Figures.NONE})
    measure_sequence(frames[1:2], settings, tmp_path)
    plain = workers.measure_image

    def failing(path: Path, *rest: Any, **named: Any) -> Any:
        if path == frames[1]:
            raise ZeroDivisionError
        return plain(path, *rest, **named)

    monkeypatch.setattr(workers, "measure_image", failing)
    rows = measure_sequence([frames[1], *frames[4:]], settings, tmp_path)
    assert [row["status"] for row in rows] == ["reduced", "not solved", "reduced", "reduced"]
    assert "placed by it" in (tmp_path / "run.log").read_text()


class DiesOfTheThird:
    """Stand in for measuring; be killed by one frame, as for want of memory."""

    def __init__(self, *_: object) -> None:
        pass

    def __call__(self, files: Sequence[Path]) -> list[Told]:
        if files[0].name == "3":
            os.kill(os.getpid(), signal.SIGKILL)
        return [Told({"file": file.name}, []) for file in files]


def test_a_frame_that_kills_its_process_fails_by_itself(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "Measuring", DiesOfTheThird)
    files = [Path(str(k)) for k in range(5)]
    rows = {}
    with (
        caplog.at_level(logging.WARNING, "lightcurve"),
        closing(Frames(files, Settings(workers=2))) as frames,
    ):
        frames._like = "one that is solved"
        for file in files:
            try:
                rows[file.name] = frames.measure(file, Library(Settings()))
            except FrameError as error:
                rows[file.name] = error.why
    assert "trying 1 frames again" in caplog.text
    assert rows == {k: {"file": k} if k != "3" else Why.DIED for k in "01234"}


def test_few_frames_are_measured_here() -> None:
    assert count(2 * FRAMES_PER_FORK - 1, Settings()) == 1
    assert count(10**5, Settings()) == usable()
    assert count(1000, Settings(workers=3)) == 3
    assert count(2, Settings(workers=3)) == 2
