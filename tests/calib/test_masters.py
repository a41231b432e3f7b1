"""Masters and reduction: what a simulated camera added is taken off again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.calib.master_files import load_masters, read_masters, write_master, write_masters
from lightcurve.calib.masters import build_masters
from lightcurve.calib.match import by_exposure, choose_frames
from lightcurve.calib.reduce import reduce_frame, write_frame
from lightcurve.core.data import Exposure, Masters, Note, RawFrame, Severity
from lightcurve.core.errors import CalibrationError, FrameError, InputError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.settings import CalibrationSettings

SHAPE = (256, 320)
GAIN, READ_NOISE = 2.0, 8.0
HOT, DEAD, COLUMN = (30, 40), (50, 60), 200


class Camera:
    """A camera with known faults: bias pattern, dark current, response, hot and dead pixels."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder, self.rng = folder, np.random.default_rng(seed)
        y, x = np.indices(SHAPE)
        self.bias = 1000 + 5 * np.sin(x / 7) + 0.01 * y
        self.rate = 0.2 + 0.1 * x / SHAPE[1]
        self.rate[HOT] = 40
        off = np.hypot(x - SHAPE[1] / 2, y - SHAPE[0] / 2) / 160
        self.response = 1 - 0.3 * off**2 + self.rng.normal(0, 0.01, SHAPE)
        self.response[DEAD] = 0.05
        self.response[:, COLUMN] *= 0.6
        good = np.ones(SHAPE, dtype=bool)
        good[HOT] = good[DEAD] = False
        good[:, COLUMN] = False
        self.response /= self.response[good].mean()
        self.good = good
        self.count = 0

    def expose(self, light: np.ndarray | float, seconds: float) -> np.ndarray:
        """Raw frame of `light` ADU per pixel at mean response."""
        electrons = self.rng.poisson(GAIN * (light * self.response + self.rate * seconds))
        noise = self.rng.normal(0, READ_NOISE, SHAPE)
        adu = self.bias + (electrons + noise) / GAIN
        return np.clip(np.rint(adu), 0, 65535).astype(np.uint16)

    def take(self, kind: str, n: int, light: float, seconds: float, **facts) -> list:
        """Write n exposures; some with a cosmic ray."""
        facts = {"binning": (1, 1), "temperature_c": -10.0, "camera": "A", **facts}
        exposure = Exposure(kind=kind, exposure_s=seconds, shape=SHAPE, **facts)
        frames = []
        for _ in range(n):
            raw = self.expose(light, seconds)
            y, x = self.rng.integers(0, SHAPE[0]), self.rng.integers(0, SHAPE[1])
            raw[y, x] = min(int(raw[y, x]) + 3000, 65535)
            path = self.folder / f"{kind.replace(' ', '')}-{self.count:03d}.fits"
            self.count += 1
            fits.PrimaryHDU(raw).writeto(path)
            frames.append((path, exposure))
        return frames


def light_exposure(**facts) -> Exposure:
    facts = {"exposure_s": 60.0, "binning": (1, 1), "temperature_c": -10.0, "camera": "A", **facts}
    return Exposure(kind="light", shape=SHAPE, filter="V", **facts)


def frame_of(raw: np.ndarray, exposure: Exposure) -> RawFrame:
    return RawFrame(
        raw.astype(np.float32),
        np.zeros(raw.shape, np.uint8),
        exposure,
        fits.Header(),
        Path("light.fits"),
    )


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    camera = Camera(tmp_path_factory.mktemp("camera"))
    groups = {
        "bias": camera.take("bias", 20, 0, 0.0),
        "dark": camera.take("dark", 12, 0, 120.0),
        "flat": camera.take("flat", 6, 20000, 4.0, filter="V")
        + camera.take("flat", 6, 30000, 6.0, filter="V")
        + camera.take("flat", 2, 30000, 6.0, filter="B"),
        "dark_flat": camera.take("dark flat", 8, 0, 4.0),
    }
    return camera, groups


@pytest.fixture(scope="module")
def masters(night):
    return build_masters(light_exposure(), **night[1], settings=CalibrationSettings())


def test_masters_are_the_camera(night, masters):
    camera, _ = night
    good = camera.good
    # Noise of the mean of 20 exposures: sqrt(8^2 / 4 + 1/12) / sqrt(20) = 0.9 ADU.
    assert abs((masters.bias - camera.bias)[good].mean()) < 0.02
    assert (masters.bias - camera.bias)[good].std() < 1.05
    assert masters.dark_exposure_s == 120
    assert not masters.dark_includes_bias
    assert abs((masters.dark - 120 * camera.rate)[good].mean()) < 0.1
    assert abs((masters.flat / camera.response)[good].mean() - 1) < 2e-4
    assert (masters.flat / camera.response)[good].std() < 0.003
    assert masters.flat[masters.bad == 0].mean() == pytest.approx(1, abs=1e-5)
    assert len(masters.inputs["flat"]) == 12


def test_bad_pixels_are_found_and_few_others(night, masters):
    assert masters.bad[HOT] & PixelFlag.HOT
    assert masters.bad[DEAD] & PixelFlag.DEAD
    assert np.all(masters.bad[:, COLUMN] & PixelFlag.DEAD)
    assert np.count_nonzero(masters.bad) <= 2 + SHAPE[0] + 3


def test_gain_and_read_noise_are_recovered(masters):
    assert masters.gain_e_per_adu == pytest.approx(GAIN, rel=0.02)
    assert masters.read_noise_e == pytest.approx(READ_NOISE, rel=0.03)


def test_calibrating_a_simulated_frame_gives_back_the_scene(night, masters):
    camera, _ = night
    y, x = np.indices(SHAPE)
    scene = 500 + 8000 * np.exp(-((x - 100) ** 2 + (y - 120) ** 2) / 50)
    exposure = light_exposure()
    frame = frame_of(camera.expose(scene, 60.0), exposure)
    reduced = reduce_frame(frame, masters)
    good = reduced.bad == 0
    error = (reduced.pixels - scene)[good]
    noise = np.sqrt((scene * camera.response + camera.rate * 60) / GAIN + (READ_NOISE / GAIN) ** 2)
    assert abs(error.mean()) < 0.2
    assert np.std(error / (noise / camera.response)[good]) == pytest.approx(1, abs=0.03)
    assert reduced.bad[HOT] & PixelFlag.HOT
    assert reduced.pixels.dtype == np.float32
    assert len(reduced.history) == 4
    assert frame.history == ()


def test_without_masters_the_frame_comes_back():
    frame = frame_of(np.ones((3, 3)), light_exposure())
    assert reduce_frame(frame, None).pixels is frame.pixels


@settings(max_examples=40)
@given(st.floats(0.1, 50), st.floats(1, 600), st.floats(1, 600))
def test_reduction_inverts_the_camera(gain, seconds, dark_seconds):
    rng = np.random.default_rng(9)
    scene, bias, rate = rng.uniform(100, 1000, (3, 6, 7))
    flat = rng.uniform(0.5, 1.5, (6, 7))
    raw = gain * (scene * flat + rate * seconds) + bias
    masters = Masters(
        bias=bias.astype(np.float32),
        dark=(gain * rate * dark_seconds).astype(np.float32),
        dark_exposure_s=dark_seconds,
        flat=flat.astype(np.float32),
    )
    frame = frame_of(raw, light_exposure(exposure_s=seconds))
    back = reduce_frame(frame, masters).pixels / gain
    np.testing.assert_allclose(back, scene, atol=1e-6 * raw.max() / gain / 0.5 + 1e-3)


def test_bad_values_are_marked_never_mended():
    raw = np.full((4, 4), 100.0)
    raw[0, 0] = np.nan
    raw[1, 1] = 4095
    flat = np.ones((4, 4), np.float32)
    flat[2, 2], flat[2, 3], flat[3, 3] = 0, np.nan, -1
    user = np.zeros((4, 4), np.uint8)
    user[3, 0] = PixelFlag.USER
    bias = np.full((4, 4), 50, np.float32)
    marks = np.where(raw >= 4095, np.uint8(PixelFlag.SATURATED), np.uint8(0))
    frame = replace(frame_of(raw, light_exposure(saturation_adu=4095.0)), bad=marks)
    reduced = reduce_frame(frame, Masters(bias=bias, flat=flat, bad=user))
    assert reduced.bad[0, 0] == PixelFlag.NOT_FINITE
    assert reduced.bad[1, 1] == PixelFlag.SATURATED
    for place in ((2, 2), (2, 3), (3, 3)):
        assert reduced.bad[place] == PixelFlag.DEAD | PixelFlag.NOT_FINITE
        assert np.isnan(reduced.pixels[place])
    assert reduced.bad[3, 0] == PixelFlag.USER
    assert reduced.pixels[0, 1] == 50
    assert np.array_equal(frame.bad, marks)
    assert frame.pixels[0, 1] == 100


def test_a_dark_with_bias_serves_its_exposure_only(night):
    _, groups = night
    only_darks = {"bias": [], "dark": groups["dark"], "flat": [], "dark_flat": []}
    masters = build_masters(
        light_exposure(exposure_s=120.0), **only_darks, settings=CalibrationSettings()
    )
    assert masters.dark_includes_bias
    frame = frame_of(masters.dark + 7, light_exposure(exposure_s=120.0))
    np.testing.assert_allclose(reduce_frame(frame, masters).pixels, 7, atol=1e-3)
    with pytest.raises(FrameError, match="exposed 60 s, the dark 120 s"):
        reduce_frame(frame_of(masters.dark, light_exposure()), masters)
    with pytest.raises(CalibrationError, match=r"120 s, the light frames 60 s"):
        build_masters(light_exposure(), **only_darks, settings=CalibrationSettings())
    lenient = build_masters(
        light_exposure(), **only_darks, settings=CalibrationSettings(allow_mismatch=True)
    )
    assert any(n.severity is Severity.WARNING and n.subject == "dark" for n in lenient.notes)
    reduced = reduce_frame(frame_of(lenient.dark, light_exposure()), lenient)
    assert np.abs(reduced.pixels).max() == 0


def test_a_dark_needs_the_exposure_of_the_frame():
    masters = Masters(dark=np.ones((2, 2), np.float32), dark_exposure_s=10.0)
    with pytest.raises(FrameError, match="exposure time is not known, so"):
        reduce_frame(frame_of(np.ones((2, 2)), light_exposure(exposure_s=None)), masters)


def test_flats_of_several_exposures_without_dark_flats(night):
    camera, groups = night
    masters = build_masters(
        light_exposure(), **{**groups, "dark_flat": []}, settings=CalibrationSettings()
    )
    assert abs((masters.flat / camera.response)[camera.good].mean() - 1) < 2e-4


def test_flats_alone_say_that_their_pedestal_stays(night):
    _, groups = night
    alone = {"bias": [], "dark": [], "flat": groups["flat"], "dark_flat": []}
    masters = build_masters(light_exposure(), **alone, settings=CalibrationSettings())
    assert any("pedestal" in note.text for note in masters.notes)
    assert masters.gain_e_per_adu is None


def test_overexposed_flats_are_named(night):
    _, groups = night
    masters = build_masters(
        light_exposure(saturation_adu=33000.0), **groups, settings=CalibrationSettings()
    )
    (note,) = (n for n in masters.notes if "of saturation" in n.text)
    assert note.severity is Severity.WARNING
    assert note.text.startswith("flat: 6 of 12 frames")


def test_a_user_map_joins_the_bad_pixels(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("columns = [3]", encoding="utf-8")
    nothing = {"bias": [], "dark": [], "flat": [], "dark_flat": []}
    settings = CalibrationSettings(bad_pixel_map=path)
    masters = build_masters(light_exposure(), **nothing, settings=settings)
    assert np.all(masters.bad[:, 3] == PixelFlag.USER)
    assert np.count_nonzero(masters.bad) == SHAPE[0]


def test_a_write_that_fails_leaves_the_old_master(tmp_path, monkeypatch):
    path = tmp_path / "master_bias.fits"
    write_master(path, np.ones((3, 3), np.float32), kind="bias")
    before = path.read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fits.PrimaryHDU, "writeto", full)
    with pytest.raises(InputError, match="No space left"):
        write_master(path, np.zeros((3, 3), np.float32), kind="bias")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["master_bias.fits"]


def test_nothing_given_gives_empty_masters():
    nothing = {"bias": [], "dark": [], "flat": [], "dark_flat": []}
    masters = build_masters(light_exposure(), **nothing, settings=CalibrationSettings())
    assert masters.bias is masters.dark is masters.flat is masters.bad is None
    frame = frame_of(np.ones(SHAPE), light_exposure())
    np.testing.assert_array_equal(reduce_frame(frame, masters).pixels, frame.pixels)


@pytest.mark.parametrize(
    ("kind", "facts", "message"),
    [
        ("bias", {"shape": (10, 10)}, r"size is 10x10, that of the light frames 320x256"),
        ("dark", {"binning": (2, 2)}, r"binning is 2x2, that of the light frames 1x1"),
        ("flat", {"filter": "B"}, r"filter is B, that of the light frames V"),
        ("flat", {"camera": "Z"}, r"camera is Z, that of the light frames A"),
    ],
)
def test_setups_that_differ_are_errors(kind, facts, message):
    own = Exposure(kind=kind, **{"shape": SHAPE, "binning": (1, 1), "camera": "A", **facts})
    groups = {"bias": [], "dark": [], "flat": [], "dark_flat": []}
    groups[kind] = [(Path("absent.fits"), own)]
    with pytest.raises(CalibrationError, match=message):
        build_masters(light_exposure(), **groups, settings=CalibrationSettings())


def test_mismatches_let_through_are_named(night):
    _, groups = night
    warm = light_exposure(temperature_c=5.0, gain_e_per_adu=1.0)
    masters = build_masters(
        warm,
        **{**groups, "flat": groups["flat"][-2:]},
        settings=CalibrationSettings(allow_mismatch=True),
    )
    notes = {n.text for n in masters.notes if n.severity is Severity.WARNING}
    assert "bias: temperature is -10, that of the light frames 5" in notes
    assert "flat: filter is B, that of the light frames V" in notes


def test_darks_of_the_nearest_temperature_serve(tmp_path):
    camera = Camera(tmp_path)
    cold = camera.take("dark", 3, 0, 60.0, temperature_c=-20.0)
    cool = camera.take("dark", 3, 0, 60.0, temperature_c=-5.0)
    warm = camera.take("dark", 3, 0, 60.0, temperature_c=20.0)
    chosen, notes = choose_frames(
        "dark", warm + cold + cool, light_exposure(), CalibrationSettings()
    )
    assert chosen == cool
    assert notes == [
        Note("dark: 6 of 9 frames left out: temperature is not -5", subject="dark"),
        Note(
            "dark: temperature is -5, that of the light frames -10",
            Severity.WARNING,
            subject="dark",
        ),
    ]
    nearer, _ = choose_frames("dark", cool + cold, light_exposure(), CalibrationSettings())
    assert nearer == cool


def test_frames_of_another_filter_are_left_out(night, masters):
    assert any("2 of 14 frames left out: filter is not V" in note.text for note in masters.notes)


def test_a_frame_of_another_size_is_named(masters):
    with pytest.raises(FrameError, match=r"light\.fits: is 5 x 4 px, the master bias 320 x 256"):
        reduce_frame(frame_of(np.ones((4, 5)), light_exposure()), masters)


def test_exposures_a_hundredth_apart_are_one():
    group = [(Path(str(t)), Exposure(exposure_s=t)) for t in (60.0, 60.2, 30.0, None)]
    assert [len(members) for members in by_exposure(group).values()] == [2, 1, 1]


def test_masters_come_back_from_disk(tmp_path, masters):
    written = write_masters(tmp_path, masters)
    assert len(written) == 4
    assert not list(tmp_path.glob(".*"))
    back = load_masters(tmp_path)
    for name in ("bias", "dark", "flat", "bad"):
        np.testing.assert_array_equal(getattr(back, name), getattr(masters, name))
        assert getattr(back, name).dtype == getattr(masters, name).dtype
        assert getattr(back, name).dtype.isnative
    for name in ("dark_exposure_s", "dark_includes_bias", "gain_e_per_adu", "read_noise_e"):
        assert getattr(back, name) == getattr(masters, name)
    assert back.notes == masters.notes
    assert {k: v for k, v in masters.inputs.items() if k != "dark flat"} == back.inputs


def test_masters_may_stay_in_their_files(tmp_path, masters):
    write_masters(tmp_path, masters)
    left = load_masters(tmp_path, sums=False, mapped=True)
    for name in ("bias", "dark", "flat", "bad"):
        np.testing.assert_array_equal(getattr(left, name), getattr(masters, name))
    write_masters(tmp_path, Masters(bias=masters.bias + 1))  # others may be made meanwhile
    np.testing.assert_array_equal(left.bias, masters.bias)
    np.testing.assert_array_equal(load_masters(tmp_path).bias, masters.bias + 1)


def test_a_master_says_what_it_is(tmp_path, masters):
    write_masters(tmp_path, masters)
    header = fits.getheader(tmp_path / "master_dark.fits")
    assert header["LCPRODCT"] == "master dark"
    assert header["IMAGETYP"] == "master dark"
    assert header["NCOMBINE"] == 12
    assert header["EXPTIME"] == 120
    assert header["CREATOR"].startswith("lightcurve ")
    assert sum("combined" in line for line in header["HISTORY"]) == 12
    assert {"CHECKSUM", "DATASUM", "DATE"} <= set(header)


def test_masters_no_longer_made_do_not_stay(tmp_path, masters):
    write_masters(tmp_path, masters)
    write_masters(tmp_path, Masters(bias=masters.bias))
    assert load_masters(tmp_path).flat is None


def test_damaged_or_foreign_masters_are_refused(tmp_path):
    with pytest.raises(CalibrationError, match="no master frames"):
        load_masters(tmp_path)
    path = tmp_path / "master_bias.fits"
    write_master(path, np.ones((20, 30), np.float32), kind="bias", inputs=["ü" * 200])
    data = bytearray(path.read_bytes())
    data[-2000] ^= 1
    path.write_bytes(data)
    with pytest.raises(FrameError, match="make it again"):
        load_masters(tmp_path)
    path.write_bytes(data[:3000])
    with pytest.raises(FrameError, match="make it again"):
        load_masters(tmp_path)
    fits.PrimaryHDU(np.ones((3, 3))).writeto(path, overwrite=True)
    with pytest.raises(FrameError, match="LCPRODCT"):
        load_masters(tmp_path)
    for name in "ab":
        write_master(tmp_path / f"{name}.fits", np.ones((3, 3), np.float32), kind="flat")
    with pytest.raises(CalibrationError, match="second master flat"):
        read_masters([tmp_path / "a.fits", tmp_path / "b.fits"])


def test_a_hostile_file_name_ends_in_no_header(tmp_path):
    frame = replace(
        frame_of(np.ones(SHAPE), light_exposure()), history=("read from a\n\tb\u00e9.fits",)
    )
    written = write_frame(tmp_path / "x_cal.fits", frame)
    assert "read from a??b?.fits" in list(fits.getheader(written)["HISTORY"])
