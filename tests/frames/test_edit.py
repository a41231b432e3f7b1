"""Cards written into copies: pixels and every other card as they were."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from headers import header_of
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.frames.edit import Change, parse_assignment, write_changed
from lightcurve.frames.fixes import find_fixes
from lightcurve.frames.read import read_frame

PIXELS = np.arange(1200, dtype=np.uint16).reshape(30, 40) + 40000
CARDS = {
    "OBJECT": "Vega", "EXPTIME": (30.0, "seconds"), "DATE-OBS": "2020-03-01T02:00:00",
    "LONGTEXT": "x" * 150,
}  # fmt: skip


def written(folder: Path, cards: dict, name: str = "a.fits") -> Path:
    fits.writeto(folder / name, PIXELS, header_of(cards))
    return folder / name


def packed(folder: Path, kind: str) -> Path:
    plain = written(folder, CARDS)
    if kind == "gz":
        path = folder / "a.fits.gz"
        path.write_bytes(gzip.compress(plain.read_bytes()))
        return path
    if kind == "fz":
        path = folder / "a.fits.fz"
        header = header_of(CARDS)
        fits.CompImageHDU(PIXELS, header, compression_type="RICE_1").writeto(path)
        return path
    if kind == "extension":
        path = folder / "a.fits"
        first = fits.PrimaryHDU(header=fits.Header({"OBJECT": "Vega"}))
        own = header_of({k: v for k, v in CARDS.items() if k != "OBJECT"})
        fits.HDUList([first, fits.ImageHDU(PIXELS, own)]).writeto(path, overwrite=True)
        return path
    return plain


@pytest.mark.parametrize("kind", ["plain", "gz", "fz", "extension"])
def test_only_what_was_asked_for_changes(tmp_path: Path, kind: str) -> None:
    path = packed(tmp_path, kind)
    before = path.read_bytes()
    given = ["OBJECT=WASP-12", "EXPTIME=31.5", "LONGTEXT=short / told", "FLAG=T", "CODE='007'"]
    copy = write_changed(path, tmp_path / "out", [parse_assignment(text) for text in given])
    assert (copy.name, path.read_bytes()) == (path.name, before)
    assert (before[:2] == b"\x1f\x8b") == (copy.read_bytes()[:2] == b"\x1f\x8b")
    with fits.open(copy) as hdus:
        hdus.verify("exception")
        image = hdus[0] if kind in {"plain", "gz"} else hdus[1]
        assert np.array_equal(image.data, PIXELS)
        header = image.header
        where = hdus[0].header if kind == "extension" else header
        assert (where["OBJECT"], header["EXPTIME"], header["FLAG"]) == ("WASP-12", 31.5, True)
        assert (header["LONGTEXT"], header["CODE"]) == ("short", "007")
        assert header.comments["EXPTIME"] == "seconds"
        assert header["DATE-OBS"] == CARDS["DATE-OBS"]
        assert any("EXPTIME was 30.0" in line for line in header["HISTORY"])
    assert read_frame(copy).exposure.object_name == "WASP-12"


def test_text_stays_text(tmp_path: Path) -> None:
    path = written(tmp_path, CARDS)
    copy = write_changed(path, tmp_path / "out", [parse_assignment("OBJECT=47")])
    assert fits.getheader(copy)["OBJECT"] == "47"


def test_a_checksum_that_is_true_no_more_is_taken_out(tmp_path: Path) -> None:
    fits.PrimaryHDU(PIXELS, header_of(CARDS)).writeto(tmp_path / "a.fits", checksum=True)
    copy = write_changed(tmp_path / "a.fits", tmp_path / "out", [Change("OBJECT", "X")])
    assert "CHECKSUM" not in fits.getheader(copy)
    fits.open(copy, checksum=True).close()  # warnings are errors


@pytest.mark.parametrize(
    "text",
    [
        "NAXIS1=3",
        "BZERO=0",
        "no card",
        "=3",
        "TOOLONGKEY",
        "ZBITPIX=8",
        "A=b\nc",
        "END=1",
        "OBJECT=\u00e9",
    ],
)
def test_what_cannot_be_written(text: str) -> None:
    with pytest.raises(InputError):
        parse_assignment(text)


def test_a_file_is_never_replaced_by_its_copy(tmp_path: Path) -> None:
    path = written(tmp_path, CARDS)
    with pytest.raises(InputError, match="--out"):
        write_changed(path, tmp_path, [Change("OBJECT", "X")])


def fixed(folder: Path, cards: dict, **options: object) -> dict[str, object]:
    base = {"DATE-OBS": "2020-03-01T02:00:00", "EXPTIME": 30.0, "IMAGETYP": "Light"}
    path = written(folder, {**base, **cards})
    return {one.keyword: one.value for one in find_fixes(path, Settings(**options))[0]}


SITE = {"SITELAT": -30.17, "SITELONG": -70.8, "SITEELEV": 2200.0}
JD = {"JD_UTC": pytest.approx(2458909.5 + 7215 / 86400, abs=1e-7)}
PLACE = {"RA": 150.0, "DEC": -20.0, "OBJCTRA": "10 00 00.00", "OBJCTDEC": "-20 00 00.0"}


@pytest.mark.parametrize(
    ("cards", "changes"),
    [
        ({}, JD),
        ({"EXPTIME": (30000.0, "[ms]")}, {"EXPTIME": 30.0, **JD}),
        ({"DATE-OBS": "2020-02-29T22:00:00-0400"}, {"DATE-OBS": "2020-03-01T02:00:00.000", **JD}),
        ({"DATE-OBS": "2020-03-01", "TIME-OBS": "02:00:00"},
         {"DATE-OBS": "2020-03-01T02:00:00.000", **JD}),
        ({"RA": 150.0, "DEC": -20.0}, {"OBJCTRA": "10 00 00.00", "OBJCTDEC": "-20 00 00.0", **JD}),
        ({"OBJCTRA": "10 00 00", "OBJCTDEC": "-20 00 00"}, {"RA": 150.0, "DEC": -20.0, **JD}),
        ({**PLACE, "RA": 10.0}, {"RA": 150.0, "DEC": -20.0, **JD}),
        ({**PLACE, "RA": "10:00:00", "DEC": "-20:00:00"}, JD),
        ({"SITELAT": -30.17, "LONGITUD": (70.8, "west")}, {"SITELONG": -70.8, **JD}),
        ({"SITELAT": "-30 10 12", "SITELONG": "-70 48 00"}, JD),
        ({"FILTER1": "Johnson V"}, {"FILTER": "V", **JD}),
        ({"GAIN": (1.5, "e-/ADU"), "READNOIS": 7.0}, {"EGAIN": 1.5, "RDNOISE": 7.0, **JD}),
        ({"GAIN": 120}, JD),
        ({"IMAGETYP": "Dark", **PLACE, **SITE}, {}),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong(tmp_path: Path, cards: dict, changes: dict) -> None:
    assert fixed(tmp_path, cards) == changes


def test_airmass_and_altitude_are_those_of_the_middle(tmp_path: Path) -> None:
    import astropy.units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    found = fixed(tmp_path, {**PLACE, **SITE})
    with iers.conf.set_temp("auto_download", value=False):
        place = EarthLocation(lat=-30.17 * u.deg, lon=-70.8 * u.deg, height=2200 * u.m)
        frame = AltAz(obstime=Time("2020-03-01T02:00:15", scale="utc"), location=place)
        seen = SkyCoord(150 * u.deg, -20 * u.deg).transform_to(frame)
    assert found["CENTALT"] == pytest.approx(seen.alt.deg, abs=0.01)
    assert found["AIRMASS"] == pytest.approx(float(seen.secz), rel=2e-3)
    # What is right within what pointings and formulae leave is left alone; what is wrong is not.
    right = {"AIRMASS": round(found["AIRMASS"], 2), "OBJCTALT": round(found["CENTALT"])}
    assert fixed_again(tmp_path, right) == set(JD)
    assert fixed_again(tmp_path, {**right, "AIRMASS": 2.9}) == {"AIRMASS", *JD}


def fixed_again(folder: Path, cards: dict) -> set[str]:
    (folder / "a.fits").unlink()
    return set(fixed(folder, {**PLACE, **SITE, **cards}))


def test_what_is_given_counts(tmp_path: Path) -> None:
    found = fixed(
        tmp_path, {"OBJECT": "unknown"},
        target={"name": "WASP-12", "ra": "06:30:32.8", "dec": "29.67"},
        site={"latitude_deg": 30.0, "longitude_deg": 10.0, "height_m": 100.0},
        time={"exposure_s": 40.0}, camera={"gain_e_per_adu": 2.0},
    )  # fmt: skip
    assert (found["OBJECT"], found["OBJCTRA"]) == ("WASP-12", "06 30 32.80")
    assert (found["SITELAT"], found["SITELONG"], found["SITEELEV"]) == (30.0, 10.0, 100.0)
    assert (found["EXPTIME"], found["EGAIN"]) == (40.0, 2.0)


GIVEN = {"name": "caf\u00e9", "ra": "06:30:32.8", "dec": "29.67"}


@pytest.mark.parametrize("cards", [{}, PLACE, {"RA": 6.5, "DEC": 29.7}])
def test_a_place_that_is_given_leaves_no_other_beside_it(tmp_path: Path, cards: dict) -> None:
    path = written(
        tmp_path,
        {"DATE-OBS": "2020-03-01T02:00:00", "EXPTIME": 30.0, "IMAGETYP": "Light", **SITE, **cards},
    )
    changes, _ = find_fixes(path, Settings(target=GIVEN))
    copy = write_changed(path, tmp_path / "copies", changes)
    seen = read_frame(copy).exposure
    assert (seen.ra_deg, seen.dec_deg) == pytest.approx((97.63667, 29.67), abs=1e-4)
    assert seen.object_name == "caf?"
    assert not any("apart" in line or "hours" in line for line in seen.warnings)
    # Cards of where it stood over the horizon are of the place given as well.
    assert find_fixes(copy, Settings())[0] == []


def test_a_pointing_within_the_field_stays(tmp_path: Path) -> None:
    found = fixed(tmp_path, {"RA": 98.0, "DEC": 29.5}, target=GIVEN)
    assert "RA" not in found
    assert found["OBJCTRA"] == "06 30 32.80"


def test_frames_that_are_not_of_the_sky_get_no_target(tmp_path: Path) -> None:
    assert fixed(tmp_path, {"IMAGETYP": "Dark"}, target=GIVEN) == {}


@pytest.mark.parametrize("wcs", [False, True])
def test_a_copy_reads_as_its_frame_did_and_needs_no_more(tmp_path: Path, wcs: bool) -> None:
    cards = {
        "RA": "10:00:00", "DEC": "-20:00:00", "OBJCTRA": "10 00 00", "OBJCTDEC": "-20 00 00",
        "EQUINOX": 2020.2, "SITELAT": -30.17, "LONGITUD": (70.8, "west"),
    }  # fmt: skip
    if wcs:
        cards |= {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": -20.0,
                  "CRPIX1": 20.0, "CRPIX2": 15.0, "CDELT1": -1e-3, "CDELT2": 1e-3}  # fmt: skip
    path = written(tmp_path, {"DATE-OBS": "2020-03-01T02:00:00", "EXPTIME": 30.0, **cards})
    changes, _ = find_fixes(path, Settings())
    copy = write_changed(path, tmp_path / "out", changes)
    before, after = (read_frame(one, need_time=False).exposure for one in (path, copy))
    assert after.ra_deg == pytest.approx(before.ra_deg, abs=1e-4)
    assert after.dec_deg == pytest.approx(before.dec_deg, abs=1e-4)
    assert after.mid_jd_utc == pytest.approx(before.mid_jd_utc, abs=1e-8)
    assert after.site.longitude_deg == pytest.approx(before.site.longitude_deg)
    assert find_fixes(copy, Settings())[0] == []
    assert (fits.getheader(copy)["EQUINOX"] == 2020.2) == wcs


def test_the_gains_of_amplifiers_are_left_to_them(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "odd-fits/neoexchange/mef_raw_test_frame.fits"
    changes, _ = find_fixes(path, Settings())
    copy = write_changed(path, tmp_path, changes)
    assert np.array_equal(read_frame(copy).pixels, read_frame(path).pixels)
    assert find_fixes(copy, Settings())[0] == []


def test_a_profile_is_written_and_no_header_is_overruled_by_it(tmp_path: Path) -> None:
    found = fixed(tmp_path, {"SATURATE": 3000.0}, camera={"profile": "seestar-s50"})
    assert (found["APTDIA"], "SATURATE" in found) == (50.0, False)
