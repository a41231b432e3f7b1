"""Cubes: each plane a frame with its own time, or an error that says what to give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.data import FrameKind
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import FrameError, HeaderError
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_frame
from lightcurve.night.lights import choose_lights
from lightcurve.night.measure_table import measure_folder
from sim import tiny_night

N, START = 7, 2459000.6


def put_cube(folder: Path, shape: tuple[int, ...] = (N, 40, 50), **cards: object) -> Path:
    """Write a cube whose plane k is k counts high."""
    header = fits.Header({"IMAGETYP": "LIGHT", "DATE-OBS": "2020-05-31T02:24:00.000"})
    header.update({key.replace("_", "-"): value for key, value in cards.items()})
    planes = np.arange(shape[0], dtype=np.int16)
    path = folder / "cube.fits"
    fits.writeto(
        path, np.ones(shape, np.int16) * planes[(...,) + (None,) * (len(shape) - 1)], header
    )
    return path


def planes(folder: Path, **time: object):
    settings = make_settings({"time": time})
    return choose_lights(take_inventory(folder, settings)), settings


@pytest.mark.parametrize(
    ("cards", "time", "cadence_s", "exposure_s"),
    [
        ({"EXPTIME": 2.0, "KCT": 2.5}, {}, 2.5, 2.0),
        ({"EXPTIME": 0.5, "FRATE": 1.25}, {}, 0.8, 0.5),
        ({"EXPTIME": 2.0}, {"cadence_s": 3.0}, 3.0, 2.0),
        ({"EXPTIME": 2.0, "KCT": 2.5}, {"cadence_s": 3.0}, 3.0, 2.0),
        # Six cadences and one exposure from the first start to the last end.
        ({"EXPTIME": 2.0, "DATE-END": "2020-05-31T02:24:20.000"}, {}, 3.0, 2.0),
        # The exposure is that of all planes.
        ({"EXPTIME": 14.0, "DATE-END": "2020-05-31T02:24:20.000"}, {}, 3.0, 2.0),
        ({"EXPTIME": 14.0, "KCT": 2.0}, {}, 2.0, 2.0),
        ({"EXPTIME": 2.0, "KCT": 2.5, "NUMFRAME": N, "MJD-AVG": 58999.75}, {}, 2.5, 2.0),
    ],
)
def test_each_plane_has_its_own_time(tmp_path, cards, time, cadence_s, exposure_s) -> None:
    put_cube(tmp_path, **cards)
    lights, settings = planes(tmp_path, **time)
    assert [entry.name for entry in lights] == [f"cube.fits[{k}]" for k in range(N)]
    for k, entry in enumerate(lights):
        frame = read_frame(entry.path, settings=settings)
        assert (frame.pixels == k).all()
        assert frame.pixels.shape == (40, 50)
        middle = START + (k * cadence_s + exposure_s / 2) / 86400
        for exposure in (entry.exposure, frame.exposure):
            assert exposure.exposure_s == pytest.approx(exposure_s)
            assert (exposure.mid_jd_utc - middle) * 86400 == pytest.approx(0, abs=1e-3)
        assert "DATE-END" not in frame.header
        assert frame.header["DATE-OBS"] >= "2020-05-31T02:24:00"


def test_a_cube_without_times_asks_for_them(tmp_path: Path) -> None:
    put_cube(tmp_path, EXPTIME=2.0)
    with pytest.raises(HeaderError, match=r"a cube of 7 planes.*--cadence SECONDS") as told:
        planes(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["DATE-OBS", "JD", "mjd_obs"])
@pytest.mark.parametrize("header_has_one", [True, False])
def test_a_table_beside_the_cube_has_the_times(
    tmp_path: Path, name: str, *, header_has_one: bool
) -> None:
    """Uneven ones; those of another length, and columns that are no times, are passed over."""
    path = put_cube(tmp_path, EXPTIME=2.0)
    starts = START + np.array([0, 3, 7, 30, 33, 36, 80]) / 86400
    if name == "DATE-OBS":
        column = fits.Column(name, "A24", array=[iso_from_jd(jd) for jd in starts])
    else:
        column = fits.Column(name, "D", array=starts - 2400000.5 * (name != "JD"))
    other = fits.Column("GAIN", "D", array=np.arange(N) * 1.0)
    with fits.open(path, mode="append") as hdus:
        if not header_has_one:
            del hdus[0].header["DATE-OBS"]
        hdus.append(fits.BinTableHDU.from_columns([fits.Column("JD", "D", array=starts[:3])]))
        hdus.append(fits.BinTableHDU.from_columns([other, column]))
        hdus.writeto(tmp_path / "new.fits")
    path.unlink()
    for k, entry in enumerate(planes(tmp_path)[0]):
        middle = entry.exposure.mid_jd_utc
        assert (middle - starts[k]) * 86400 == pytest.approx(1.0, abs=1e-3)


def test_an_exposure_that_fits_no_cadence_is_an_error(tmp_path: Path) -> None:
    put_cube(tmp_path, EXPTIME=3.5, KCT=2.5)
    with pytest.raises(HeaderError, match=r"exposures of 3.5 s cannot follow.*--exposure SEC"):
        planes(tmp_path)


@pytest.mark.parametrize("shape", [(3, 40, 50), (4, 40, 50), (1, 40, 50), (40, 50, 3)])
def test_colours_are_no_times(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = put_cube(tmp_path, shape, EXPTIME=2.0)
    assert len(planes(tmp_path)[0]) == 1
    assert read_frame(path).pixels.shape == (40, 50)


def test_few_planes_with_a_word_of_their_times_are_frames(tmp_path: Path) -> None:
    put_cube(tmp_path, (3, 40, 50), EXPTIME=2.0, KCT=2.5)
    assert len(planes(tmp_path)[0]) == 3
    with pytest.raises(FrameError, match="no such plane: the image has 3"):
        read_frame(tmp_path / "cube.fits[3]")


def test_a_cube_of_calibration_frames_needs_no_times(tmp_path: Path) -> None:
    path = put_cube(tmp_path, IMAGETYP="BIAS", EXPTIME=0.0)
    with fits.open(path) as hdus:  # tiles, and a fourth axis
        fits.CompImageHDU(hdus[0].data, hdus[0].header).writeto(tmp_path / "tiles.fits")
        fits.writeto(tmp_path / "four.fits", hdus[0].data[:, None], hdus[0].header)
    inventory = take_inventory(tmp_path)
    assert len(inventory.used(FrameKind.BIAS)) == 3 * N
    for name in ("tiles.fits", "four.fits"):
        assert (read_frame(tmp_path / f"{name}[5]").pixels == 5).all()


def test_a_night_in_one_cube(tmp_path: Path) -> None:
    """The same fluxes and times as of the frames one by one."""
    frames, _ = tiny_night(
        tmp_path / "frames", n_frames=8, shape=(200, 240), n_stars=30, header_wcs=True,
        dialect="standard", exposure_s=20.0, cadence_s=25.0,
    )  # fmt: skip
    header = fits.getheader(frames[0])
    data = np.stack([fits.getdata(path) for path in frames])
    (tmp_path / "cube").mkdir()
    header["KCT"] = 25.0
    fits.writeto(tmp_path / "cube" / "night.fits", data, header)
    settings = make_settings(
        {"target": {"ra": "20", "dec": "30"}, "solve": {"solvers": ["header"]}, "workers": 1}
    )
    one = measure_folder(tmp_path / "frames", settings, tmp_path / "one").measurements
    cube = measure_folder(tmp_path / "cube", settings, tmp_path / "two").measurements
    assert np.allclose(cube.jd_utc, one.jd_utc, rtol=0, atol=0.01 / 86400)
    assert [name.split("[")[1] for name in cube.file] == [f"{k}]" for k in range(8)]
    assert len(cube.plan) == len(one.plan)
    assert np.nanmax(np.abs(cube.flux / one.flux - 1)) < 1e-3
