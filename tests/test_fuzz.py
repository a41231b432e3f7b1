"""Hostile and broken input: a result or a named reason, no traceback, no hang, no bad number."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import odd_frames
from corral import faults, run_command
from lightcurve.core.errors import FrameError, LightcurveError
from lightcurve.core.settings import make_settings
from lightcurve.frames.inspect import inspect_file
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_cards, read_frame
from lightcurve.night.measure import measure_frame
from lightcurve.night.prepare import prepare_night
from lightcurve.night.scene import Scene
from lightcurve.phot.detect import detect
from lightcurve.setup.target import find_target
from sim import tiny_night

N_FILES = 5000
LONGEST_S = 10
SAMPLE = (9, 1132)  # cases
HOSTILE = (
    b"<script>alert(1)</script>", b"'../../../etc/passwd'", b"'%s%n{0}{x.y}$(id)`id`'", b"NaN",
    b"-Inf", b"1E999", b"'2020-13-45T99:99:99'", b"'99999-01-01'", b"-1", b"0", b"T", b"''",
    b"9" * 60,    b"'\\x00\\n\\r'", b"(1.0, 2.0)", b"'1e-320'",
)  # fmt: skip
KEYS = (
    "DATE-OBS", "EXPTIME", "JD", "MJD-OBS", "FILTER", "GAIN", "RDNOISE", "SATURATE", "SITELAT",
    "SITELONG", "OBJCTRA", "OBJCTDEC", "XBINNING", "CCD-TEMP", "IMAGETYP", "OBJECT", "BSCALE",
    "BZERO", "CTYPE1", "CRVAL1", "CD1_1", "TIMESYS", "UT", "EQUINOX",
)  # fmt: skip


@contextmanager
def no_hang() -> Iterator[None]:
    """Fail a file that takes too long."""

    def stop(_number: int, _frame: object) -> None:
        msg = f"took over {LONGEST_S} s"
        raise TimeoutError(msg)

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def mutated(content: bytes, dice: random.Random) -> bytes:
    """Change a few bytes or cards, cut the file anywhere, or double a part of it."""
    data = bytearray(content)
    kind = dice.random()
    if kind < 0.25:
        del data[dice.randrange(len(data) + 1) :]
    elif kind < 0.35:
        start = dice.randrange(len(data))
        data[start:start] = data[start : start + 80 * dice.randrange(1, 40)]
    for _ in range(dice.randrange(4)):
        card = 80 * dice.randrange(max(1, min(len(data), 8640) // 80))
        if dice.random() < 0.5:
            key = dice.choice(KEYS).encode().ljust(8)
            data[card : card + 80] = (key + b"= " + dice.choice(HOSTILE)).ljust(80)[:80]
        else:
            value = dice.choice(HOSTILE)[:70]
            data[card + 10 : card + 10 + len(value)] = value
    for _ in range(dice.randrange(5) if data else 0):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data)


def _attempt(reader: Callable[[Path], object], path: Path) -> object | None:
    """Read a file; where it will not do, the error is one line."""
    try:
        return reader(path)
    except FrameError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either is right
        assert len(str(error)) < 600  # noqa: PT017
        return None


def test_five_thousand_mutated_files(shared_data: Path, tmp_path: Path) -> None:
    seeds = [
        path.read_bytes()
        for path in sorted((shared_data / "odd-fits").rglob("*"))
        if path.is_file() and path.stat().st_size < 60_000
    ]
    assert len(seeds) > 40
    dice = random.Random(11)  # noqa: S311
    path, read = tmp_path / "x.fits", 0
    for k in range(N_FILES):
        path.write_bytes(mutated(seeds[k % len(seeds)], dice))
        with no_hang():
            _attempt(read_cards, path)
            frame = _attempt(read_frame, path)
        if frame is not None:
            read += 1
            assert np.array_equal(~np.isfinite(frame.pixels), frame.bad & 1 > 0)
            jd, seconds = frame.exposure.mid_jd_utc, frame.exposure.exposure_s
            assert jd is None or 2378497 < jd < 2524594  # 1800 to 2200
            assert seconds is None or 0 <= seconds < 1e7
    assert read > N_FILES / 20


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_night(folder, n_frames=3, shape=(160, 180), n_stars=40, header_wcs=True)
    settings = make_settings({"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}})
    target = find_target(settings.target)
    return prepare_night(take_inventory(folder, settings), target, settings, folder / "masters")


def test_mutated_lights_are_measured_or_say_why(scene: Scene, tmp_path: Path) -> None:
    content, dice = scene.lights[0].read_bytes(), random.Random(12)  # noqa: S311
    path, counts = tmp_path / "x.fits", {"measured": 0, "failed": 0}
    for _ in range(300):
        path.write_bytes(mutated(content, dice))
        with no_hang():
            result = measure_frame(path, scene.recipe)
        counts[result.status] += 1
        assert "\n" not in result.reason
        assert result.reason or result.status == "measured"
    assert min(counts.values()) > 30


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((160, 180), np.nan, np.float32),
        np.full((160, 180), np.inf, np.float32),
        np.zeros((160, 180), np.float32),
        np.full((160, 180), 65535, np.uint16),
        np.full((160, 180), 3e38, np.float32),
        np.tile(np.array([0, 65535], np.uint16), (160, 90)),
        np.where(np.arange(180) < 90, np.nan, 100.0).astype(np.float32) * np.ones((160, 1), "f4"),
        np.random.default_rng(0).normal(size=(160, 180)).astype(np.float32) * 1e30,
    ],
    ids=["nan", "inf", "zero", "full", "huge", "stripes", "half", "noise"],
)
def test_pixels_of_no_use(scene: Scene, tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "x.fits"
    header = fits.getheader(scene.lights[0])
    for key in ("BZERO", "BSCALE"):
        header.remove(key, ignore_missing=True)
    fits.writeto(path, pixels, header)
    result = measure_frame(path, scene.recipe)
    assert result.status == "failed"
    assert "stars" in result.reason


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (19, 19), (20, 20), (64, 7), (21, 300)])
def test_odd_shapes(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).normal(100, 3, shape).astype(np.float32)
    try:
        found = detect(noise)
    except LightcurveError as error:
        assert "too small" in str(error)  # noqa: PT017 - either is right
    else:
        assert len(found) < 5


def test_a_sample_of_the_campaign_through_the_commands(tmp_path: Path) -> None:
    """``python -m benchmarks fuzz`` tries as many as are wanted; these are mean ones."""
    sound = odd_frames.prepare(tmp_path / "sound")
    for number in SAMPLE:
        folder = tmp_path / f"{number}"
        folder.mkdir()
        case = odd_frames.case(sound, number, folder)
        ran = run_command(case.commands, folder, seconds=20, megabytes=3000)
        assert not faults(ran, megabytes=1500), case.told


def test_a_million_cards_and_a_size_bomb(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    card = b"COMMENT " + b"x" * 72
    path.write_bytes(b"SIMPLE  =                    T".ljust(80) + card * 1_000_000)
    with no_hang(), pytest.raises(FrameError, match="header cards"):
        read_frame(path)
    cards = {"SIMPLE": "T", "BITPIX": "8", "NAXIS": "2", "NAXIS1": "40000", "NAXIS2": "40000"}
    text = "".join(f"{key:<8}= {value:>20}".ljust(80) for key, value in cards.items())
    path.write_bytes((text + "END".ljust(80)).ljust(2880).encode())
    with no_hang(), pytest.raises(FrameError, match=r"cut short|claims"):
        read_frame(path)


def test_hostile_headers_stay_text(tmp_path: Path) -> None:
    """What a header says is shown, escaped where it must be, and never followed as a path."""
    pixels = np.random.default_rng(2).normal(100, 3, (50, 60)).astype(np.float32)
    header = fits.Header()
    header["DATE-OBS"], header["EXPTIME"] = "2020-01-01T01:02:03", 10.0
    header["OBJECT"], header["FILTER"] = "<img src=x onerror=alert(1)>", "../../../V"
    fits.writeto(tmp_path / "evil.fits", pixels, header)
    values = {
        one.value.name: one.value.value
        for one in inspect_file(tmp_path / "evil.fits", make_settings({}))
    }
    assert "V" in values["filter"]
    rows = take_inventory(tmp_path, make_settings({})).rows()
    assert [row["file"] for row in rows] == ["evil.fits"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.fits"]
