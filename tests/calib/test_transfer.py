"""Gain, read noise, full well and linearity of cameras rendered three ways are what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.one_by_one import camera_noise, sort_frames
from lightcurve.core.data import Result
from lightcurve.core.errors import CalibrationError, FrameError, InputError
from lightcurve.report.camera import save_camera
from renderer import NightSpec, Sensor, write_calibration
from sim import tiny_night

SHAPE, BIAS = (320, 400), 480.0


def plain_camera(folder: Path, gain: float, read_e: float, well_e: float, bend: float) -> None:
    """Two biases and a series of flats of a camera in plain numpy."""
    rng = np.random.default_rng(4)
    y, x = np.indices(SHAPE)
    response = rng.normal(1, 0.012, SHAPE) * (1 - 0.2 * np.hypot(x - 200, y - 160) / 256)

    def write(name: str, kind: str, seconds: float) -> None:
        held = rng.poisson(0.08 * well_e * seconds * response).astype(float)
        held = np.minimum(held * (1 - bend * held / well_e), well_e)
        adu = np.clip(np.rint(BIAS + (held + rng.normal(0, read_e, SHAPE)) / gain), 0, 65535)
        header = fits.Header({"IMAGETYP": kind, "EXPTIME": seconds})
        fits.PrimaryHDU(adu.astype(np.uint16), header).writeto(folder / name)

    for k in range(2):
        write(f"b{k}.fits", "bias", 0.0)
        for seconds in (0.2, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0):
            write(f"f{seconds:g}_{k}.fits", "flat", seconds)


def number(found: dict[str, Result], name: str) -> float:
    value = found[name].value
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize(
    ("gain", "read_e", "well_e", "bend"),
    [(0.4, 3.0, 15000.0, 0.0), (1.7, 9.0, 60000.0, 0.04), (4.0, 20.0, 150000.0, 0.0)],
)
def test_a_series_of_flats_tells_all(
    gain: float, read_e: float, well_e: float, bend: float, tmp_path: Path
) -> None:
    plain_camera(tmp_path, gain, read_e, well_e, bend)
    found = camera_noise(*sort_frames([tmp_path]))
    assert number(found, "gain_e_per_adu") == pytest.approx(gain, rel=0.01)
    # Rounding to whole numbers is noise of the reading too.
    assert number(found, "read_noise_e") == pytest.approx(
        np.hypot(read_e, gain / 12**0.5), rel=0.02
    )
    assert found["full_well_reached"].value == "true"
    assert number(found, "full_well_e") == pytest.approx(well_e, rel=0.2)  # the steps of the series
    # Bent as q (1 - b q): off by 1 % where b q is, above the line of the lower half.
    top = 0.35 * well_e / gain if bend else number(found, "full_well_adu")
    assert number(found, "linear_to_adu") == pytest.approx(top, rel=0.35)
    path = save_camera(tmp_path / "camera.png", found)
    assert path.stat().st_size > 10_000


def test_a_gap_without_values_changes_nothing(tmp_path: Path) -> None:
    plain_camera(tmp_path, 1.7, 9.0, 60000.0, 0.0)
    for path in tmp_path.glob("*.fits"):
        pixels, header = fits.getdata(path).astype(np.float32), fits.getheader(path)
        pixels[:, 150:175] = np.nan
        for keyword in ("BZERO", "BSCALE"):
            header.remove(keyword, ignore_missing=True)
        fits.writeto(path, pixels, header, overwrite=True)
    found = camera_noise(*sort_frames([tmp_path]))
    assert number(found, "gain_e_per_adu") == pytest.approx(1.7, rel=0.01)
    assert number(found, "read_noise_adu") == pytest.approx(np.hypot(9 / 1.7, 12**-0.5), rel=0.02)
    assert number(found, "full_well_e") == pytest.approx(60000, rel=0.2)
    counts = found["difference_count"].value
    assert isinstance(counts, list)
    assert sum(counts) == SHAPE[0] * (SHAPE[1] - 25)


def test_a_series_that_ends_below_the_well_says_so(tmp_path: Path) -> None:
    plain_camera(tmp_path, 1.5, 8.0, 60000.0, 0.0)
    for path in tmp_path.glob("f1[0-9]_*.fits"):
        path.unlink()
    found = camera_noise(*sort_frames([tmp_path]))
    assert found["full_well_reached"].value == "false"
    assert number(found, "linear_to_adu") == number(found, "full_well_adu")


def test_the_second_renderer(tmp_path: Path) -> None:
    spec = NightSpec(shape=(300, 340), gain=2.3, read_e=11.0, n_bias=2, n_dark=0, n_flat=8)
    write_calibration(spec, tmp_path, Sensor(spec, np.random.default_rng(1)), 2460310.0)
    found = camera_noise(*sort_frames([tmp_path]))
    assert number(found, "gain_e_per_adu") == pytest.approx(2.3, rel=0.01)
    assert number(found, "read_noise_e") == pytest.approx(np.hypot(11, 2.3 / 12**0.5), rel=0.02)


def test_our_simulator(tmp_path: Path) -> None:
    tiny_night(
        tmp_path, n_frames=1, shape=(300, 340), n_bias=2, n_dark=0, n_flat=8, gain_e_per_adu=0.9,
        read_noise_e=6.0,
    )  # fmt: skip
    found = camera_noise(*sort_frames([tmp_path]))
    assert number(found, "gain_e_per_adu") == pytest.approx(0.9, rel=0.01)
    assert number(found, "read_noise_e") == pytest.approx(np.hypot(6, 0.9 / 12**0.5), rel=0.02)


def test_two_biases_alone_and_a_gain(tmp_path: Path) -> None:
    plain_camera(tmp_path, 1.5, 8.0, 60000.0, 0.0)
    biases = sorted(tmp_path.glob("b*.fits"))
    alone = camera_noise(biases)
    assert number(alone, "read_noise_adu") == pytest.approx(np.hypot(8 / 1.5, 12**-0.5), rel=0.02)
    assert "read_noise_e" not in alone
    given = camera_noise(biases, gain_e_per_adu=1.5)
    assert number(given, "read_noise_e") == 1.5 * number(alone, "read_noise_adu")
    counts = given["difference_count"].value
    assert isinstance(counts, list)
    assert sum(counts) == SHAPE[0] * SHAPE[1]


def test_a_frame_beside_itself_is_no_pair(tmp_path: Path) -> None:
    plain_camera(tmp_path, 1.5, 6.0, 6e4, 0.0)
    biases, flats = sort_frames([tmp_path])
    with pytest.raises(InputError, match="twice as a bias"):
        camera_noise([biases[0], tmp_path / "." / biases[0].name])
    with pytest.raises(InputError, match="twice as a flat"):
        camera_noise(biases[:2], [flats[0], flats[0]])
    with pytest.raises(InputError, match="--gain"):
        camera_noise(biases[:2], gain_e_per_adu=0.0)


def test_what_does_not_tell_it_is_refused(tmp_path: Path) -> None:
    plain_camera(tmp_path, 1.5, 8.0, 60000.0, 0.0)
    biases, flats = sort_frames([tmp_path])
    with pytest.raises(InputError, match="two biases"):
        camera_noise(biases[:1])
    with pytest.raises(InputError, match="two flats of one exposure"):
        camera_noise(biases, [path for path in flats if path.name.endswith("_0.fits")])
    small, odd = tmp_path / "small.fits", tmp_path / "odd.fits"
    fits.PrimaryHDU(np.zeros((64, 64), np.uint16), fits.getheader(biases[0])).writeto(small)
    with pytest.raises(CalibrationError, match="size"):
        camera_noise([biases[0], small])
    fits.PrimaryHDU(np.zeros((64, 64), np.uint16)).writeto(odd)
    with pytest.raises(FrameError, match="does not say"):
        sort_frames([odd])


def test_flats_of_automatic_exposure_make_pairs(tmp_path: Path) -> None:
    """Dome flats of 6.98, 7.13 and 7.15 s: no two alike."""
    plain_camera(tmp_path, 1.5, 8.0, 60000.0, 0.0)
    biases, flats = sort_frames([tmp_path])
    chosen = [path for path in flats if path.name.startswith(("f4_", "f6_"))]
    for path, seconds in zip(chosen, (3.9, 4.1, 5.95, 6.0), strict=True):
        fits.setval(path, "EXPTIME", value=seconds)
    found = camera_noise(biases, chosen)
    assert number(found, "gain_e_per_adu") == pytest.approx(1.5, rel=0.02)
    assert found["exposure_s"].value == pytest.approx([4.0, 5.975])
