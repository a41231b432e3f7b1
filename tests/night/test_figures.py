"""Which figures a night has all for."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import Figures, Masters
from lightcurve.night import drawing, figures
from lightcurve.night.drawing import Drawing, draw_together
from lightcurve.night.figures import FIGURES, ON_PAGE
from sim_finished import finished


@pytest.mark.parametrize(
    ("masters", "drawn"),
    [
        (None, False),
        (Masters(bad=np.ones((3, 4), np.uint8)), False),  # hot pixels that the lights show
        (Masters(flat=np.ones((3, 4), np.float32)), True),
    ],
)
def test_masters_are_drawn_where_there_is_a_picture_of_one(masters, drawn):
    night = SimpleNamespace(has_pixels=True, scene=SimpleNamespace(masters=masters))
    finished = SimpleNamespace(night=night, need_night=lambda: night)
    assert bool(FIGURES.get("masters").lacks(finished)) is not drawn


def test_a_run_draws_what_is_wanted_of_it(tmp_path):
    night = finished(n=40, stars=2)
    page = Drawing(tmp_path / "page", Figures.PAGE).paths(night)
    assert {"corner", "covariates"} < set(page) < set(ON_PAGE)
    assert set(page.values()) == set((tmp_path / "page").iterdir())
    assert Drawing(tmp_path / "none", Figures.NONE).paths(night) == {}
    assert not (tmp_path / "none").exists()


def test_several_processes_draw_what_one_does(tmp_path):
    night, names = finished(n=40, stars=2), ("corner", "light_curve", "covariates")
    alone = draw_together(tmp_path / "alone", night, names, 1)
    together = draw_together(tmp_path / "together", night, names, 2)
    assert list(together) == list(alone) == list(names)
    for name in names:
        assert together[name].read_bytes() == alone[name].read_bytes()


@pytest.mark.parametrize("trouble", ["none can be had", "one dies"])
def test_what_no_process_draws_is_drawn_here(trouble, tmp_path, monkeypatch):
    def spread(tasks, do, n):
        first, *others = tasks
        draw(do.folder, night, [first])
        drew.clear()
        yield first, first
        if trouble == "none can be had":
            raise BlockingIOError
        yield from ((other, None) for other in others)

    def draw(folder, night, names):
        drew[names[0]] = threading.current_thread()
        folder.mkdir(exist_ok=True)
        (folder / f"{names[0]}.png").touch()

    drew = {}
    monkeypatch.setattr(drawing, "spread", spread)
    monkeypatch.setattr(drawing, "ready_with", lambda *_: 2)
    monkeypatch.setattr(drawing, "draw", draw)
    night = finished(n=40, stars=2)
    with Drawing(tmp_path) as beside:
        beside.begin(replace(night, fit=None), early=True)
        drawn = beside.paths(night)
    assert {"light_curve", "star_curves"} < set(drawn)
    assert set(drawn.values()) == set(tmp_path.iterdir())
    # Beside a thread that draws, nothing that goes by matplotlib or warnings can be relied on.
    assert set(drew.values()) == {threading.main_thread()}


def test_one_figure_is_drawn_apart_too(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(drawing, "spread", lambda names, *_: asked.extend(names) or ())
    assert draw_together(tmp_path, finished(n=40, stars=2), ["light_curve"], 2) == {}
    assert asked == ["light_curve"]


def test_what_processes_draw_meanwhile_is_what_is_drawn_at_the_end(tmp_path, monkeypatch):
    night = finished(n=40, stars=2)
    with Drawing(tmp_path / "end") as here:
        wanted = here.paths(night)
    monkeypatch.setattr(drawing, "ready_with", lambda *_: 2)
    come: list[str] = []
    with Drawing(tmp_path / "meanwhile") as beside:
        beside.begin(replace(night, fit=None), early=True)
        drawn = beside.paths(night, each=lambda path: come.append(path.stem))
    assert list(drawn) == list(wanted)
    assert sorted(come) == sorted(drawn)
    for name, path in drawn.items():
        assert path.read_bytes() == wanted[name].read_bytes()


def test_a_figure_that_fails_meanwhile_is_told_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "ready_with", lambda *_: 2)
    (tmp_path / "figures").write_text("no folder")
    with Drawing(tmp_path / "figures") as beside:
        beside.begin(finished(n=40, stars=2), early=True)
        with pytest.raises(OSError, match="figures"):
            beside.paths(finished(n=40, stars=2))


@pytest.mark.parametrize("told", [ValueError, KeyboardInterrupt])
def test_a_run_that_fails_meanwhile_leaves_the_figures_of_the_one_before(
    told, tmp_path, monkeypatch
):
    monkeypatch.setattr(drawing, "ready_with", lambda *_: 2)
    figures, night = tmp_path / "figures", replace(finished(n=40, stars=2), fit=None)
    figures.mkdir()
    for name in FIGURES.names():
        (figures / f"{name}.png").write_text("of the run before")
    drawn = threading.Event()
    monkeypatch.setattr(drawing, "spread", lambda names, do, _: map(drawn_of(do, drawn), names))
    with suppress(told), Drawing(figures) as beside:
        beside.begin(night, early=True)
        assert drawn.wait(60)
        raise told
    assert {path.read_text() for path in figures.iterdir()} == {"of the run before"}
    assert told is KeyboardInterrupt or list(tmp_path.iterdir()) == [figures]


def test_what_lies_beside_the_figures_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "ready_with", lambda *_: 2)
    (tmp_path / ".figures").mkdir()
    (tmp_path / ".figures" / "mine.txt").write_text("mine")
    with Drawing(tmp_path / "figures") as beside:
        beside.begin(finished(n=40, stars=2), early=True)
    assert (tmp_path / ".figures" / "mine.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [".figures"]


def drawn_of(do, drawn):
    def draw(name):
        do.folder.mkdir(exist_ok=True)
        (do.folder / f"{name}.png").touch()
        drawn.set()
        return name, name

    return draw


@pytest.mark.parametrize(("told", "waits"), [(KeyboardInterrupt, False), (ValueError, True)])
def test_who_is_told_to_end_does_not_wait_for_figures(told, waits, tmp_path, monkeypatch):
    def draw_slowly(*_, **__):
        drawn.wait(0.5 if waits else 60)
        ended.append(True)
        return {}

    ended, drawn = [], threading.Event()
    monkeypatch.setattr(drawing, "ready_with", lambda *_: 2)
    monkeypatch.setattr(drawing, "draw_together", draw_slowly)
    beside = Drawing(tmp_path)
    beside.begin(finished(n=40, stars=2))
    with pytest.raises(told), beside:
        raise told
    assert bool(ended) is waits
    drawn.set()


def test_a_title_says_that_not_all_stars_are_drawn() -> None:
    flux = np.random.default_rng(1).normal(1, 0.01, (50, 31))
    assert figures._quiet(flux, 24).startswith("31 stars (the first 24 drawn), each against")
    assert figures._quiet(flux[:, :24], 24).startswith("24 stars, each against")
