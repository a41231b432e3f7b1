"""Header dialects against their own conventions, and star lists read from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from lightcurve.core.data import Site
from lightcurve.core.errors import InputError
from lightcurve.simulate.dialects import sexagesimal, utc, zone_hours
from lightcurve.simulate.observatory import sidereal_deg
from lightcurve.simulate.sky import (
    SimTarget,
    StarField,
    make_field,
    read_star_list,
    stars_with_target,
)
from sim import tiny_night

WHIPPLE = Site(latitude_deg=31.68, longitude_deg=-110.88, height_m=1268.0, name="Whipple")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def first_header(folder: Path, dialect: str, **options: object) -> tuple[fits.Header, float]:
    paths, truth = tiny_night(folder, dialect=dialect, n_frames=1, n_stars=2, **options)
    return fits.getheader(paths[0]), truth.night.start_jd_utc


@pytest.mark.parametrize("dialect", ["standard", "maxim", "nina", "lco"])
def test_date_obs_is_the_start_in_utc(tmp_path: Path, dialect: str) -> None:
    header, start = first_header(tmp_path, dialect, start_jd_utc=2460586.7654321)
    assert Time(header["DATE-OBS"]).jd == pytest.approx(start, abs=0.6e-3 / 86400)
    assert header["EXPTIME"] == 60


def test_microobservatory_clocks_contradict_as_in_life(tmp_path: Path) -> None:
    header, start = first_header(tmp_path, "microobservatory", site=WHIPPLE)
    local, suffix = header["DATE-OBS"][:-5], header["DATE-OBS"][-5:]
    assert suffix == "-0700"
    assert Time(local).jd + 7 / 24 == pytest.approx(start, abs=1e-8)
    assert header["UT-OBS"].endswith("-0000")
    assert Time(header["UT-OBS"][:-5]).jd == pytest.approx(start, abs=1e-8)
    assert header["MJD-OBS"] == round(start - 2400000.5, 3)
    assert header["LONGITUD"] == 110.88
    assert "IMAGETYP" not in header
    assert fits.getheader(tmp_path / "light_0001.fits")["BITPIX"] == 16
    sidereal = Time(start, format="jd", location=(-110.88, 31.68))
    true_lst = sidereal.sidereal_time("mean", model="IAU2006").deg
    assert (header["HA"] + header["RA"]) % 360 == pytest.approx(true_lst, abs=0.01)
    hours, minutes, seconds = map(float, header["LST-OBS"].split(":"))
    told = 15 * (hours + minutes / 60 + seconds / 3600)
    assert (true_lst - told) % 360 == pytest.approx(7 * 15.041, abs=0.01)


def test_sidereal_time_of_a_real_frame() -> None:
    """The header of a real MicroObservatory frame of 2017-12-20: LST-OBS from the local clock."""
    start = Time("2017-12-20T01:33:43.317").jd
    told = 15 * (17 + 4 / 60 + 23 / 3600)
    assert sidereal_deg(start - 7 / 24, -110.88) == pytest.approx(told, abs=0.005)
    hour_angle = (sidereal_deg(start, -110.88) - 31.312099) % 360
    assert hour_angle == pytest.approx(330.063740, abs=0.02)


def test_microobservatory_small_numbers_are_signed(tmp_path: Path) -> None:
    header, _ = first_header(tmp_path, "microobservatory", full_scale_adu=4095, n_dark=1)
    assert "BZERO" not in header
    assert fits.getheader(tmp_path / "dark_0001.fits")["FILTER"] == "Opaque"


def test_nina_gain_is_a_setting(tmp_path: Path) -> None:
    header, start = first_header(tmp_path, "nina", gain_e_per_adu=0.8)
    assert (header["GAIN"], header["EGAIN"]) == (120, 0.8)
    assert Time(header["DATE-LOC"]).jd == pytest.approx(start - 7 / 24, abs=1e-8)
    scale = 206.264806 * header["XPIXSZ"] / header["FOCALLEN"]
    assert scale == pytest.approx(1.2, rel=1e-4)


def test_maxim_is_sexagesimal(tmp_path: Path) -> None:
    header, start = first_header(tmp_path, "maxim", n_flat=1, pointing_error_arcmin=0.0)
    assert header["IMAGETYP"] == "Light Frame"
    assert header["SITELONG"] == "-111 30 00.0"
    assert header["OBJCTRA"] == "01 20 00.0"
    assert header["OBJCTDEC"] == "+30 00 00.0"
    assert header["JD"] == pytest.approx(start, abs=1e-8)
    assert fits.getheader(tmp_path / "flat_0001.fits")["IMAGETYP"] == "Flat Frame"


def test_lco_words(tmp_path: Path) -> None:
    header, _ = first_header(tmp_path, "lco", n_flat=1, site=WHIPPLE)
    assert header["OBSTYPE"] == "EXPOSE"
    assert header["LONGITUD"] == -110.88
    assert header["CCDSUM"] == "1 1"
    assert header["UTSTART"] in header["DATE-OBS"]
    assert fits.getheader(tmp_path / "flat_0001.fits")["OBSTYPE"] == "SKYFLAT"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "+00:00:00.0"),
        (-0.5, "-00:30:00.0"),
        (12.99999999, "+13:00:00.0"),
        (-31.2734, "-31:16:24.2"),
    ],
)
def test_sexagesimal_never_shows_sixty(value: float, text: str) -> None:
    assert sexagesimal(value) == text


def test_utc_and_zones() -> None:
    assert utc(2451545.0).isoformat() == "2000-01-01T12:00:00+00:00"
    assert [zone_hours(x) for x in (-110.88, 0.0, 149.06, 249.12)] == [-7, 0, 10, -7]


def test_made_up_field(rng: np.random.Generator) -> None:
    field = make_field(rng, (10.0, 60.0), (0.5, 0.3), 3000, mag_range=(9, 15), slope=0.3)
    ra = (field.ra_deg - 10) * np.cos(np.radians(field.dec_deg))
    assert np.abs(ra).max() < 0.2505
    assert np.abs(field.dec_deg - 60).max() < 0.1515
    assert np.all(np.diff(field.mag) >= 0)
    share = np.mean(field.mag < 13)
    expected = (10**3.9 - 10**2.7) / (10**4.5 - 10**2.7)
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / 3000))


@pytest.mark.parametrize("name", ["stars.csv", "stars.ecsv", "stars.fits", "stars.txt"])
def test_star_lists_of_every_kind(tmp_path: Path, name: str) -> None:
    table = Table(
        {"RAJ2000": [10.1, 10.2, 10.3], "DEJ2000": [1.0, 2.0, 3.0], "Vmag": [12.0, 9.0, 11.0]}
    )
    formats = {"csv": "ascii.csv", "ecsv": "ascii.ecsv", "fits": "fits", "txt": "ascii.basic"}
    table.write(tmp_path / name, format=formats[name.split(".")[1]])
    field = read_star_list(tmp_path / name, 2)
    assert field.mag.tolist() == [9, 11]
    assert field.ra_deg.tolist() == [10.2, 10.3]
    assert field.dec_deg.tolist() == [2, 3]


def test_empty_magnitudes_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "stars.csv"
    path.write_text("ra,dec,mag\n1,2,\n3,4,9.5\n")
    assert read_star_list(path).ra_deg.tolist() == [3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,2\n", "no column of right ascension; it has x, y"),
        ("ra,dec,mag\n1:2:3,2,5\n", "column ra .* not a number"),
        ("ra,dec,mag\n1,2,\n", "no row of 1"),
        ("", "cannot be read as a star list"),
        ("stars", "no column of right ascension|cannot be read as a star list"),
        (None, "cannot be read as a star list"),
    ],
)
def test_star_list_errors(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "stars.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_star_list(path)


def test_an_image_is_no_star_list(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(InputError, match=r"image.fits: cannot be read as a star list"):
        read_star_list(tmp_path / "image.fits")


def test_real_star_lists(shared_data: Path) -> None:
    tycho = read_star_list(shared_data / "tycho2-hatp32.fits")
    refcat = read_star_list(shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv", 50)
    apass = read_star_list(shared_data / "ey-uma" / "all_apass_ey_uma.ecsv")
    assert (len(tycho), len(refcat)) == (858, 50)
    assert np.ptp(tycho.dec_deg) < 4.1
    assert abs(np.median(refcat.ra_deg) - np.median(apass.ra_deg)) < 0.2


def test_catalogue_goes_round(tmp_path: Path, rng: np.random.Generator) -> None:
    field = make_field(rng, (10.0, 60.0), (0.5, 0.3), 20)
    columns = {"RA": field.ra_deg, "DEC": field.dec_deg, "MAG": field.mag}
    Table(columns).write(tmp_path / "stars.fits")
    again = read_star_list(tmp_path / "stars.fits")
    assert np.array_equal(again.ra_deg, field.ra_deg)
    assert np.array_equal(again.mag, field.mag)


def test_target_takes_its_own_place() -> None:
    field = StarField(np.array([359.9999, 10.0]), np.array([5.0, 5.0]), np.array([9.0, 10.0]))
    target = SimTarget("t", 0.0001, 5.0, 8.0)  # 0.7 arcsec away, across the zero of right ascension
    assert stars_with_target(target, field).mag.tolist() == [8, 10]
    assert stars_with_target(target, field, same_arcsec=0.5).mag.tolist() == [8, 9, 10]
