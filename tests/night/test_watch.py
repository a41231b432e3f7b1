"""A folder that fills while it is watched."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from astropy.io import fits
from typer.testing import CliRunner

from lightcurve.cli import INTERRUPTED, app, main
from lightcurve.commands.watch import _stopped
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings, make_settings
from lightcurve.frames import entries as stock
from lightcurve.night import drawing, live_curve, page
from lightcurve.night.nights import reduce_nights
from lightcurve.night.watch import FolderLook, Watch, begin_watch, finish_watch, watch_folder
from sim import tiny_night

N_FRAMES = 30
TABLES = ("lightcurve.csv", "measurements.csv", "stars.csv", "frames.csv", "comparisons.csv")
WHERE = {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}


def settings() -> Settings:
    return make_settings({"target": WHERE, "workers": 1})


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Frames in order of time; from the middle on the mount is on the other side of its pier."""
    folder = tmp_path_factory.mktemp("night")
    lights, _ = tiny_night(
        folder, n_frames=N_FRAMES, shape=(240, 260), n_stars=20, header_wcs=True, n_bias=3
    )
    for path in lights[N_FRAMES // 2 :]:
        with fits.open(path, mode="update") as hdus:
            hdus[0].data = np.ascontiguousarray(hdus[0].data[::-1, ::-1])
            for card in [card for card in hdus[0].header if card.startswith(("C", "PC"))]:
                if card[:5] in {"CTYPE", "CRVAL", "CRPIX", "CDELT", "CUNIT"} or card[:2] == "CD":
                    del hdus[0].header[card]
    return lights


@pytest.fixture(autouse=True)
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time, and nothing here looks at them."""
    monkeypatch.setattr(drawing, "draw_together", Mock(return_value={}))
    monkeypatch.setattr(page, "write_page", Mock(side_effect=lambda path, *_, **__: path))


@dataclass
class Night:
    """A watched folder, and what its looks gave."""

    folder: Path
    out: Path
    now: float = 0.0
    stars: set[tuple[str, ...]] = field(default_factory=set)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.begin()

    def begin(self) -> None:
        self.watch = begin_watch(self.folder, settings(), self.out)
        self.watch.clock = lambda: self.now

    def put(self, path: Path) -> None:
        shutil.copyfile(path, self.folder / path.name)
        # Of its own, however coarse the clock of the disk is.
        self.now += 1
        os.utime(self.folder / path.name, ns=(int(self.now * 1e9),) * 2)

    def look(self) -> FolderLook:
        self.now += 10
        look = self.watch.look()
        for one in look.nights:
            if one.scene is not None:
                self.stars.add(tuple(str(plan_id)[1:] for plan_id in one.scene.recipe.plan.star_id))
        return look

    def take(self, path: Path) -> int:
        """Put a frame, and count what was measured once it has settled."""
        self.put(path)
        before = self.look()
        assert before.growing == 1
        return sum(one.measured for one in self.look().nights)


def same_tables(one: Path, other: Path) -> None:
    for name in TABLES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_night_in_disorder_ends_as_a_run(
    frames: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames late, out of order and rewritten, a flip, a restart: nothing is done twice."""
    read: list[Path] = []
    plain = stock.read_cards

    def counted(path: Path, *rest: object) -> object:
        read.append(path)
        return plain(path, *rest)

    monkeypatch.setattr(stock, "read_cards", counted)
    night = Night(tmp_path / "in", tmp_path / "out")
    order = [*frames[:16], *np.random.default_rng(3).permutation(frames[16:])]
    for number, path in enumerate(order[:22], start=1):
        read.clear()
        measured = night.take(path)
        # The first frames settle the night, and are measured then.
        assert measured == (1 if number > 15 else 15 if number == 15 else 0)
        assert read == [night.folder / path.name]
    night.put(order[4])  # written again: measured again, and nothing else
    night.put(order[18])
    night.look()
    assert [one.measured for one in night.look().nights] == [2]
    assert [one.measured for one in night.look().nights] == [0]
    night.watch.close()
    night.begin()  # another process goes on
    night.look()
    assert len(night.look().nights[0].results) == 22
    for path in order[22:]:
        assert night.take(path) == 1
    finish_watch(night.watch)
    assert len(night.stars) == 1
    whole = tmp_path / "whole"
    reduce_nights(night.folder, settings(), whole)
    same_tables(night.out, whole)


def test_what_is_awaited_is_said(frames: list[Path], tmp_path: Path) -> None:
    """No folder, an empty one, too few frames, a share that goes away: none ends the watch."""
    night = Night(tmp_path / "in", tmp_path / "out")
    night.folder.rmdir()
    looks = watch_folder(night.watch, poll_s=10, idle_s=50, sleep=lambda _: None)
    night.watch.clock = lambda: night.now
    for _ in range(3):
        night.now += 1000
        look = next(looks)
        assert look.waiting
        assert not look.nights
    night.folder.mkdir()
    assert next(looks).waiting
    for path in frames[:15]:
        night.put(path)
    (night.folder / "next.fits.part").write_bytes(b"half")
    (night.folder / ".next.fits").write_bytes(b"half")
    next(looks)
    look = next(looks)
    assert (look.nights[0].measured, look.files) == (15, 16)
    night.folder.rename(tmp_path / "away")
    gone = next(looks)
    assert gone.waiting
    assert len(gone.nights[0].results) == 15
    (tmp_path / "away").rename(night.folder)
    back = next(looks)
    assert not back.waiting
    assert len(back.nights[0].results) == 15
    assert next(looks).nights[0].measured == 0
    night.now += 100
    assert len(list(looks)) == 1


def test_what_is_no_frame_yet_is_one_later(frames: list[Path], tmp_path: Path) -> None:
    """A truncated frame is lost until it is whole; a deleted one is gone."""
    night = Night(tmp_path / "in", tmp_path / "out")
    for path in frames[:16]:
        night.put(path)
    half = night.folder / frames[16].name
    half.write_bytes(frames[16].read_bytes()[:50_000])
    night.look()
    assert len(night.look().nights[0].lost) == 1
    assert night.take(frames[16]) == 1
    half.unlink()
    night.look()
    assert len(night.look().nights[0].results) == 16
    night.put(frames[16])
    finish_watch(night.watch)
    reduce_nights(night.folder, settings(), tmp_path / "whole")
    same_tables(night.out, tmp_path / "whole")


def test_a_second_filter_gets_a_folder_of_its_own(frames: list[Path], tmp_path: Path) -> None:
    night = Night(tmp_path / "in", tmp_path / "out")
    for path in frames[:18]:
        night.put(path)
    night.look()
    assert night.look().nights[0].folder == night.out
    for number, path in enumerate(frames[18:]):
        changed = night.folder / path.name
        with fits.open(path) as hdus:
            hdus[0].header["FILTER"] = "R"
            hdus[0].header["DATE-OBS"] = hdus[0].header["DATE-OBS"]
            hdus.writeto(changed)
        night.look()
        several = night.look().nights
        if number >= 4:
            assert [one.folder for one in several] == [night.out / "V", night.out / "Rc"]
            assert sum(one.measured for one in several[:1]) == 0
    finish_watch(night.watch)
    reduce_nights(night.folder, settings(), tmp_path / "whole")
    same_tables(night.out / "V", tmp_path / "whole" / "V")


def test_calibration_frames_that_come_late_are_told(frames: list[Path], tmp_path: Path) -> None:
    """What is measured stays until the end, which is then as a run makes it."""
    night = Night(tmp_path / "in", tmp_path / "out")
    for path in frames[:17]:
        night.put(path)
    night.look()
    assert night.look().nights[0].changes == ()
    for path in sorted(frames[0].parent.glob("bias*")):
        night.put(path)
    night.look()
    look = night.look().nights[0]
    assert (len(look.changes), look.measured) == (1, 0)
    finish_watch(night.watch)
    reduce_nights(night.folder, settings(), tmp_path / "whole")
    same_tables(night.out, tmp_path / "whole")


def test_the_command_ends_as_a_run(frames: list[Path], tmp_path: Path) -> None:
    where = ["--target", "Tiny-1", "--ra", "20.0", "--dec", "30.0", "--workers", "1"]
    folder = tmp_path / "in"
    folder.mkdir()
    for path in frames[:16]:
        shutil.copyfile(path, folder / path.name)
    raw = frames[16].read_bytes()
    (folder / "cut.fits").write_bytes(raw[:20000])
    (folder / "text.fits").write_text("no frame")
    with fits.open(frames[17]) as hdus:  # without a star
        noise = np.random.default_rng(1).normal(1000, 10, hdus[0].data.shape)
        hdus[0].data = noise.astype(hdus[0].data.dtype)
        hdus.writeto(folder / frames[17].name, output_verify="ignore")
    watch = ["watch", str(folder), *where, "--every", "0.1", "--idle", "0"]
    answer = CliRunner().invoke(app, [*watch, "--out", str(tmp_path / "out")])
    assert answer.exit_code == 0
    assert "frames" in answer.stdout
    run = ["run", str(folder), *where, "--out", str(tmp_path / "whole")]
    assert CliRunner().invoke(app, run, catch_exceptions=False).exit_code == 0
    same_tables(tmp_path / "out", tmp_path / "whole")


def test_ctrl_c_writes_what_there_is(
    frames: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in frames[:17]:
        shutil.copyfile(path, tmp_path / path.name)
    turns: list[float] = []

    def sleep(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    arguments = ["watch", str(tmp_path), "--target", "Tiny-1", "--ra", "20.0", "--dec", "30.0"]
    out = tmp_path / "out"
    answer = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert answer.exit_code == 130
    assert len((out / "lightcurve.csv").read_text().splitlines()) == 18
    assert "--idle 0" in answer.stdout


@pytest.mark.parametrize("json", [False, True])
def test_what_a_script_reads_has_no_words_in_it(
    json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _stopped(Mock(out=tmp_path), json=json)
    told = capsys.readouterr()
    assert ("--idle 0" in told.out, "--idle 0" in told.err) == (not json, json)


def test_an_address_is_of_a_port(tmp_path: Path) -> None:
    arguments = ["watch", str(tmp_path), "--target", "Tiny-1", "--ra", "20.0", "--dec", "30.0"]
    answer = CliRunner().invoke(app, [*arguments, "--bind", "192.0.2.1"])
    assert isinstance(answer.exception, InputError)


def test_its_end_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lightcurve.commands.watch._show", Mock(side_effect=KeyboardInterrupt))
    words = ["lightcurve", "watch", str(tmp_path / "night"), "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == INTERRUPTED
    told = capsys.readouterr()
    assert (told.out + told.err).count("stopped;") == 1
    assert str(tmp_path / "run") in told.out


def test_who_waits_for_nothing_is_told_at_once_that_nothing_is_there(tmp_path: Path) -> None:
    for name in ("dull_1.fits", "dull_2.fits"):
        fits.PrimaryHDU(np.zeros((40, 50), np.int16)).writeto(tmp_path / name)
    watch = begin_watch(tmp_path, settings(), tmp_path / "out")
    looks = list(watch_folder(watch, poll_s=10, idle_s=0, sleep=lambda _: None))
    assert len(looks) < 5
    assert not any(look.nights for look in looks)


def test_stars_are_chosen_anew_when_a_look_has_been_shown() -> None:
    done: list[str] = []
    watch = Mock()
    watch.look.side_effect = lambda: done.append("look") or FolderLook()
    watch.renew.side_effect = lambda: done.append("renew")
    looks = watch_folder(watch, sleep=lambda _: done.append("sleep"))
    for _ in range(2):
        next(looks)
        done.append("shown")
    assert done == ["look", "shown", "renew", "sleep", "look", "shown"]


def test_what_was_chosen_anew_is_shown_by_the_next_look(
    frames: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that has no new frame."""
    chosen = Mock(wraps=live_curve.choose_for)
    monkeypatch.setattr(live_curve, "choose_for", chosen)
    watch = begin_watch(tmp_path / "in", settings(), tmp_path / "out")
    (tmp_path / "in").mkdir()
    for path in frames[:16]:
        shutil.copyfile(path, tmp_path / "in" / path.name)
    watch.look()
    watch.look()
    for path in frames[16:21]:
        shutil.copyfile(path, tmp_path / "in" / path.name)
    watch.look()
    shown = watch.look().nights[0]
    assert (len(shown.results), chosen.call_count) == (21, 1)
    watch.renew()
    assert chosen.call_count == 2
    renewed = watch.look().nights[0]
    assert renewed.curve is not shown.curve
    watch.renew()
    assert watch.look().nights[0].curve is renewed.curve  # nothing is done twice
    watch.close()
