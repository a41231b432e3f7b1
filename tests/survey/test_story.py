"""Surveys: which folders are nights, what is kept of them, and what is not done again."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from lightcurve.core.errors import InputError, Why
from lightcurve.core.settings import Settings, make_settings
from lightcurve.night.demo import write_planet
from lightcurve.night.store import open_store
from lightcurve.night.workers import dask_client
from lightcurve.season.nights import find_tables, of_planet
from lightcurve.survey import story
from lightcurve.survey.find import find_nights, look_into
from lightcurve.survey.reduce import Outcome, ReduceNight
from lightcurve.survey.story import enqueue, look_at_survey, reduce_survey
from lightcurve.tables.run_tables import read_lightcurve
from lightcurve.tables.survey_index import (
    INDEX,
    CurveRow,
    NightRow,
    State,
    curves_of,
    nights_of,
    open_index,
)
from sim import tiny_night
from sim_run import PLANET as TINY
from sim_season import PLANET
from typed import run


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"SIMPLE")


def test_nights_are_folders_with_frames_and_their_calibration(tmp_path: Path) -> None:
    root, out = tmp_path / "2026", tmp_path / "2026" / "out"
    touch(root, "stray.fits", "darks/d1.fits", "a/2026-01-01/l1.fits", "a/2026-01-01/darks/d1.fits",
          "a/2026-01-02/lights/l1.fit", "a/2026-01-02/Flats/f1.fits", "b/l1.fits.gz",
          "b/more/x.fits",
          "text/readme.txt", ".hidden/l1.fits", "old/run.toml", "old/masters/dark.fits",
          "out/survey.sqlite", "out/x/l1.fits")  # fmt: skip
    found = find_nights([root], out)
    assert {str(path.relative_to(root)) for path, _ in found} == {
        "a/2026-01-01",
        "a/2026-01-02",
        "b",
    }
    assert {name for _, name in found} == {"2026/a/2026-01-01", "2026/a/2026-01-02", "2026/b"}
    assert find_nights([root, root / "a"], out) == found
    other = tmp_path / "x" / "2026"
    touch(other, "B/l1.fits")
    names = [name.lower() for _, name in find_nights([root, other], out)]
    assert len(names) == len(set(names)) == 4
    with pytest.raises(InputError):
        find_nights([tmp_path / "none"], out)


@pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="names are text there")
def test_a_folder_whose_name_is_no_text_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "good/l1.fits", "bad\udcff/l1.fits")
    assert [path.name for path, _ in find_nights([tmp_path], tmp_path / "out")] == ["good"]


@pytest.mark.parametrize("names", [("l1.fits", "darks/d.fits"), ("lights/l1.fits", "bias/b.fits")])
def test_a_root_may_be_a_night(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path / "night", *names)
    assert [p.name for p, _ in find_nights([tmp_path / "night"], tmp_path / "out")] == ["night"]


def test_a_night_is_another_when_its_files_or_settings_are(tmp_path: Path) -> None:
    touch(tmp_path, "night/l1.fits", "night/l2.fits")

    def row(**changes: object) -> NightRow:
        return next(look_into([(tmp_path / "night", "night")], make_settings(dict(changes))))

    first = row()
    assert (first.frames, first.bytes, first.run) == (2, 12, "runs/night")
    assert row(workers=3, figures="none").digest == first.digest
    assert row(seed=7).digest != first.digest
    touch(tmp_path, "night/l3.fits")
    assert row().digest != first.digest


def night(name: str, **changes: object) -> NightRow:
    return replace(NightRow(f"/{name}", f"runs/{name}", "d", 3, 100), **changes)


def test_the_index_keeps_what_is_put_and_one_process_writes(tmp_path: Path) -> None:
    curves = (CurveRow("/a", "V", "runs/a/V", State.DONE, scatter_percent=0.4),
              CurveRow("/a", "R", "runs/a/R", State.FAILED, "why"))  # fmt: skip
    with open_index(tmp_path) as index:
        index.put([night("a"), night("b")])
        index.finish(night("a", state=State.DONE), curves)
        assert nights_of(tmp_path / INDEX) == [night("b"), night("a", state=State.DONE)]
        assert set(curves_of(tmp_path / INDEX)) == set(curves)
        with pytest.raises(InputError) as held, open_index(tmp_path):
            pass
        assert held.value.why is Why.HELD
        index.finish(night("a", state=State.FAILED), curves[:1])
    assert curves_of(tmp_path / INDEX) == [curves[0]]
    assert look_at_survey(tmp_path).summary["nights"] == {"waiting": 1, "done": 0, "failed": 1}


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        look_at_survey(tmp_path)
    (tmp_path / INDEX).write_bytes(b"something else that is long enough to be looked at" * 20)
    with pytest.raises(InputError):
        look_at_survey(tmp_path)
    with pytest.raises(InputError), open_index(tmp_path):
        pass
    (tmp_path / INDEX).unlink()
    with sqlite3.connect(tmp_path / INDEX) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(InputError):
        look_at_survey(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE nights SET frames = 'many'",
        "UPDATE nights SET seconds = NULL",
        "UPDATE nights SET state = 'lost'",
        "UPDATE nights SET run = '/etc'",
        "UPDATE nights SET run = 'runs/../..'",
        "UPDATE curves SET run = NULL",
        "UPDATE curves SET folder = x'ff'",
        "UPDATE curves SET target = CAST(x'ff' AS TEXT)",
        "UPDATE curves SET ra_deg = 'east'",
        "ALTER TABLE nights RENAME digest TO other",
        "DROP TABLE curves; CREATE VIEW curves AS SELECT * FROM nights",
        "CREATE TRIGGER t AFTER INSERT ON nights BEGIN DELETE FROM curves; END",
    ],
)
def test_an_index_that_others_changed_is_refused(tmp_path: Path, change: str) -> None:
    with open_index(tmp_path) as index:
        index.finish(night("a"), [CurveRow("/a", "V", "runs/a", State.DONE)])
    with closing(sqlite3.connect(tmp_path / INDEX)) as other, other:
        other.executescript(change)
    with pytest.raises(InputError):
        look_at_survey(tmp_path)
    if "curves SET" not in change:
        with pytest.raises(InputError), open_index(tmp_path) as index:
            index.nights()


def test_a_place_that_is_no_number_is_not_known(tmp_path: Path) -> None:
    curve = CurveRow("/a", "V", "runs/a", State.DONE, ra_deg=np.inf, dec_deg=np.nan)
    with open_index(tmp_path) as index:
        index.finish(night("a"), [curve])
    (read,) = curves_of(tmp_path / INDEX)
    assert read.ra_deg is read.dec_deg is None


def test_only_what_is_new_waits_and_the_largest_comes_first(tmp_path: Path) -> None:
    rows = [night("a"), night("b", bytes=900), night("c")]
    with open_index(tmp_path) as index:
        assert [row.folder for row in enqueue(index, rows, retry=False)] == ["/b", "/a", "/c"]
        index.finish(night("a", state=State.DONE), ())
        index.finish(night("b", state=State.FAILED), ())
        left = enqueue(index, rows, retry=False)
        assert [row.folder for row in left] == ["/c"]
        assert [row.folder for row in enqueue(index, rows, retry=True)] == ["/b", "/c"]
        again = enqueue(index, [night("a", digest="other", run="runs/x")], retry=False)
        assert again == [night("a", digest="other")]
        # A new folder of the same name, of another root, has a run of its own.
        assert enqueue(index, [night("z", run="runs/a")], retry=False)[0].run == "runs/a-2"


def inline(until: int) -> Callable[..., Iterator[tuple[NightRow, Outcome]]]:
    """Stand in for the processes: do nights here, and be stopped at one of them."""

    def spread(
        tasks: Iterable[NightRow], do: ReduceNight, _: int
    ) -> Iterator[tuple[NightRow, Outcome | None]]:
        for k, task in enumerate(tasks):
            if k == until:
                raise KeyboardInterrupt
            yield task, do(task)

    return spread


def test_a_survey_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_night(tmp_path / "root" / "n1", n_frames=16, shape=(160, 180), n_stars=40,
               header_wcs=True)  # fmt: skip
    copytree(tmp_path / "root" / "n1", tmp_path / "root" / "n2")
    touch(tmp_path / "root", "broken/l1.fits")
    planet = write_planet(tmp_path / "planet.toml", TINY)
    settings = make_settings({"target": {"planet_file": str(planet)}, "figures": "none",
                              "fit": {"sample": False}})  # fmt: skip
    root, out = tmp_path / "root", tmp_path / "out"
    monkeypatch.setattr(story, "warm", lambda *_: None)
    monkeypatch.setattr(story, "spread", inline(1))
    with pytest.raises(KeyboardInterrupt):
        reduce_survey([root], settings, out)
    assert look_at_survey(out).summary["nights"] == {"waiting": 2, "done": 1, "failed": 0}
    monkeypatch.setattr(story, "spread", inline(99))
    # What a killed survey left at work holds its run: the night waits for the next time.
    held = out / next(n.run for n in look_at_survey(out).nights if n.folder.endswith("n2"))
    held.mkdir(parents=True)
    with open_store(held):
        found = reduce_survey([root], settings, out)
    assert found.summary["nights"] == {"waiting": 1, "done": 1, "failed": 1}
    found = reduce_survey([root], settings, out)
    assert found.summary["nights"] == {"waiting": 0, "done": 2, "failed": 1}
    assert all(reason for reason in found.summary["failed"].values())
    assert found.summary["most_memory_mb"] > 10
    for row in found.curves:
        table = read_lightcurve(out / row.run / "lightcurve.csv")
        assert row.measured == row.frames == len(table.flux) == 16
        assert row.first_bjd_tdb == pytest.approx(np.min(table.bjd_tdb), abs=1e-9)
        assert row.target == TINY.name
        assert row.verdict
        assert (row.ra_deg, row.dec_deg) == pytest.approx((20.0, 30.0))
    before = [one.finished for one in found.nights]
    monkeypatch.setattr(story, "spread", inline(0))
    with pytest.raises(KeyboardInterrupt):
        reduce_survey([root], settings, out, retry=True)
    assert [one.finished for one in look_at_survey(out).nights if one.state == State.DONE] == [
        one for one, night in zip(before, found.nights, strict=True) if night.state == State.DONE
    ]
    assert '"done": 2' in run("survey", "--status", "--out", out, "--json")
    assert "waiting" in run("survey", "--status", "--out", out)
    run("survey", "--out", out, status=2)
    with pytest.raises(InputError):
        reduce_survey([tmp_path / "out"], Settings(), tmp_path / "other")


def test_a_night_that_kills_its_process_is_told() -> None:
    def dies(*_: object) -> Iterator[tuple[NightRow, None]]:
        yield night("a"), None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(story, "spread", dies)
        (outcome,) = story._in_pool([night("a")], ReduceNight(Settings(), Path()), 1)
    assert outcome.night.state == State.FAILED
    assert outcome.night.reason


def done(one: NightRow) -> Outcome:
    """Stand in for the reduction of a night."""
    return Outcome(replace(one, state=State.DONE), (CurveRow(one.folder, "", one.run, State.DONE),))


# What Dask's own threads leave behind at their end is not ours to mend.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_reduces_each_night_once() -> None:
    from distributed import LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0",
            protocol="tcp://", host="127.0.0.1",
        ) as cluster,
        dask_client(cluster.scheduler_address) as client,
    ):  # fmt: skip
        queue = [night(str(k)) for k in range(9)]
        outcomes = list(story._on_cluster(queue, done, client))
    assert sorted(one.night.folder for one in outcomes) == [row.folder for row in queue]
    assert {one.night.state for one in outcomes} == {State.DONE}


def test_a_season_takes_the_planet_of_a_survey(tmp_path: Path) -> None:
    near = {"target": "Season b", "ra_deg": PLANET.ra_deg, "dec_deg": PLANET.dec_deg}
    with open_index(tmp_path) as index:
        for k in range(3):
            rows = [CurveRow(f"/{k}", "", f"runs/{k}", State.DONE, **near),
                    CurveRow(f"/{k}", "o", f"runs/{k}o", State.DONE, target="Other b", ra_deg=10.0,
                             dec_deg=-5.0),
                    CurveRow(f"/{k}", "f", f"runs/{k}f", State.FAILED, **near)]  # fmt: skip
            index.finish(night(str(k), state=State.DONE), rows)
    for path in (tmp_path, tmp_path / INDEX):
        tables = find_tables([path])
        assert len(tables) == 6
        kept = of_planet(tables, [path], PLANET)
        assert {table.parent.name for table in kept} == {"0", "1", "2"}
        assert all(table.name == "lightcurve.csv" for table in kept)
