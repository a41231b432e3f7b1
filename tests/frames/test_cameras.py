"""Camera profiles: which one a header calls, what it adds, and what it never overrules."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.catalogs.services import SERVICES
from lightcurve.core.data import Exposure, FrameKind
from lightcurve.core.dates import jd_from_iso
from lightcurve.core.errors import HeaderError, InputError
from lightcurve.core.settings import make_settings
from lightcurve.frames.cameras import CAMERAS
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.headers import normalise
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_frame
from lightcurve.image.sky import catalogs_for, order_of

T0 = "2025-03-01T02:00:00"
LIGHT = {"BITPIX": 16, "IMAGETYP": "Light", "EXPTIME": 10.0, "DATE-OBS": T0}


def exposure(cards: dict, **settings: dict) -> Exposure:
    header = fits.Header()
    for keyword, value in cards.items():
        header[keyword] = value
    text = header.tostring(endcard=False, padding=False)
    seen, error = normalise(
        parse_cards(text), path="x.fits", shape=(40, 60), settings=make_settings(settings)
    )
    if error is not None:
        raise error
    return seen


def own(tmp_path: Path, text: str) -> dict:
    (tmp_path / "mine.toml").write_text(text)
    return {"profile": str(tmp_path / "mine.toml")}


def test_every_profile_has_its_documents_and_is_called_by_a_header() -> None:
    assert len(CAMERAS.names()) >= 24
    for profile in CAMERAS:
        assert profile.sources, profile.name
        assert profile.match, profile.name
        assert profile.title
        standards = profile.camera.standards
        assert standards is None or SERVICES.get(standards).bands


@pytest.mark.parametrize(
    ("cards", "name"),
    [
        ({"CREATOR": "ZWO Seestar S50", "INSTRUME": "Seestar S50"}, "seestar-s50"),
        ({"INSTRUME": "Seestar S30"}, "seestar-s30"),
        ({"INSTRUME": "Seestar S30 Pro"}, None),  # another telescope
        ({"ORIGIN": "DWARFLAB", "INSTRUME": "DWARFIII"}, "dwarf-3"),
        ({"ORIGIN": "DWARFLAB", "INSTRUME": "DWARFII"}, "dwarf-2"),
        ({"SWCREATE": "N.I.N.A. 3.1", "INSTRUME": "ZWO ASI2600MM Pro"}, "nina-asi"),
        ({"SWCREATE": "MaxIm DL Version 6", "TELESCOP": "iTelescope 24"}, "itelescope"),
        ({"SWCREATE": "MaxIm DL Version 6", "TELESCOP": "C14"}, "maxim"),
        # A camera goes before the program that wrote its header.
        ({"SWCREATE": "MaxIm DL Version 6", "INSTRUME": "GMOS-N"}, "gmos"),
        ({"ORIGIN": "LCOGT", "TELESCOP": "0m4-05", "INSTRUME": "sq33"}, "lco-0m35"),
        ({"ORIGIN": "LCOGT", "TELESCOP": "0m4-05", "INSTRUME": "kb27"}, "lco-0m4"),
        ({"SWCREATE": "SharpCap v4.1.1, 64 bit"}, "sharpcap"),
        ({"SWCREATE": "SharpCap v3.2"}, "sharpcap-3"),
        ({"SWCREATE": "my own"}, None),
        ({"SWCREATE": "N.I.N.A. 3.1", "INSTRUME": "FASIcam"}, None),
        ({"INSTRUME": "Gmosaic"}, None),
        ({"INSTRUME": "LRIS2"}, None),
        ({"INSTRUME": "LRISBLUE"}, "lris"),
        ({"SWCREATE": "MaximumDL"}, None),
        ({"INSTRUME": "F2"}, "flamingos-2"),
        ({"INSTRUME": "FLAMINGOS"}, None),  # another camera, of other telescopes
    ],
)
def test_the_header_calls_its_profile_by_its_own_words(cards: dict, name: str | None) -> None:
    seen = exposure(LIGHT | cards)
    assert seen.profile == name
    if name is not None:
        assert any(value in seen.sources["profile"] for value in cards.values())
    assert exposure(LIGHT | cards, camera={"profile": "none"}).profile is None


def test_a_profile_fills_what_the_header_leaves_out_and_nothing_else() -> None:
    cards = LIGHT | {"INSTRUME": "GMOS-N", "GRATING": "MIRROR", "OBSTYPE": "OBJECT"}
    seen = exposure(cards | {"CCDSUM": "2 2"})
    for name, value in (
        ("gain_e_per_adu", 1.63), ("read_noise_e", 4.14), ("saturation_adu", 65535.0),
        ("telescope_diameter_m", 8.1), ("scale_arcsec", 0.1606),
    ):  # fmt: skip
        assert getattr(seen, name) == pytest.approx(value)
        assert seen.sources[name] == "camera profile gmos"
    assert seen.site.name == "Gemini North"
    assert seen.site.longitude_deg == pytest.approx(-155.469)
    said = {"GAIN": (2.2, "e-/ADU"), "RDNOISE": 3.0, "SATURATE": 50000, "PIXSCALE": 0.15}
    told = exposure(cards | said | {"LATITUDE": 10.0, "LONGITUD": (20.0, "east positive")})
    assert (told.gain_e_per_adu, told.read_noise_e, told.saturation_adu) == (2.2, 3.0, 50000.0)
    assert told.scale_arcsec == 0.15
    assert (told.site.latitude_deg, told.site.longitude_deg) == (10.0, 20.0)
    assert exposure(cards, camera={"gain_e_per_adu": 3.0}).gain_e_per_adu == 3.0


@pytest.mark.parametrize(
    ("cards", "scale", "diameter"),
    [
        ({"INSTRUME": "IMACS Long-Camera"}, 0.111, 6.5),
        ({"INSTRUME": "IMACS Short-Camera"}, 0.2, 6.5),
        # 206.265 arcsec um / mm
        ({"ORIGIN": "Unistellar", "XPIXSZ": 2.9}, 2.9 * 206.265 / 450, 0.114),
        (
            {"ORIGIN": "Unistellar", "XPIXSZ": 1.45, "TELESCOP": "Odyssey Pro"},
            1.45 * 206.265 / 320,
            0.085,
        ),
    ],
)
def test_optics_are_those_of_the_camera_or_telescope_in_use(
    cards: dict, scale: float, diameter: float
) -> None:
    seen = exposure(LIGHT | cards)
    assert seen.scale_arcsec == pytest.approx(scale, rel=1e-4)
    assert seen.telescope_diameter_m == diameter


def test_levels_of_the_camera_are_not_those_of_calibrated_frames() -> None:
    raw = exposure(LIGHT | {"INSTRUME": "IMACS Short-Camera"})
    done = exposure(LIGHT | {"INSTRUME": "IMACS Short-Camera", "CALSTAT": "BDF"})
    assert (raw.saturation_adu, done.saturation_adu) == (60000.0, None)


@pytest.mark.parametrize(
    ("profile", "cards", "kind"),
    [
        ("binospec", {"MASK": "imaging", "SCRN": "stowed"}, "light"),
        ("binospec", {"MASK": "imaging", "SCRN": "deployed"}, "flat"),
        ("binospec", {"MASK": "spectroscopy"}, "spectrum"),
        ("mosfire", {"GRATMODE": "imaging", "MASKNAME": "CLOSED"}, "bad"),
        ("mosfire", {"FILTER": "Dark", "GRATMODE": "imaging"}, "dark"),
        ("lris", {"KOAIMTYP": "object", "SLITNAME": "direct", "TRAPDOOR": "open"}, "light"),
        ("lris", {"KOAIMTYP": "object", "GRISTRAN": "deployed"}, "spectrum"),
        ("gmos", {"OBSTYPE": "BIAS", "OBSCLASS": "dayCal"}, "bias"),
        ("deimos", {"OBSTYPE": "DmFlat", "OBJECT": "M31"}, "flat"),
    ],
)
def test_kinds_are_told_by_the_rules_of_the_camera(profile: str, cards: dict, kind: str) -> None:
    timed = {"EXPTIME": 10.0, "ELAPTIME": 10.0, "TRUITIME": 10.0, "DATE-OBS": T0}
    seen = exposure(timed | cards, camera={"profile": profile})
    assert seen.kind == FrameKind(kind)
    assert f"camera profile {profile}" in seen.sources["kind"]


def test_words_that_this_camera_means_otherwise() -> None:
    coadded = {"INSTRUME": "MOSFIRE", "TRUITIME": 5.8, "COADDONE": 4, "NUMREADS": 16}
    seen = exposure(LIGHT | coadded | {"SYSGAIN": 2.15, "FILTER": "K", "EXPTIME": 1.0})
    assert seen.exposure_s == pytest.approx(23.2)
    assert seen.mid_jd_utc == pytest.approx(jd_from_iso("2025-03-01T02:00:11.6"), abs=1e-8)
    assert (seen.gain_e_per_adu, seen.read_noise_e, seen.filter) == (2.15, 5.8, "Ks")
    two = exposure(LIGHT | {"INSTRUME": "GMOS-S", "FILTER1": "open1-6", "FILTER2": "r_G0326"})
    assert two.filter == "rp"
    # GAIN of these is a setting, fraction or not.
    assert exposure(LIGHT | {"INSTRUME": "Seestar S50", "GAIN": 1.25}).gain_e_per_adu is None


def test_the_moment_of_a_clock_is_that_of_the_program_unless_the_header_says() -> None:
    old = LIGHT | {"SWCREATE": "SharpCap"}
    end = exposure(old)
    assert end.mid_jd_utc == pytest.approx(jd_from_iso("2025-03-01T01:59:55"), abs=1e-8)
    assert any("camera profile sharpcap-3" in line for line in end.warnings)
    said = exposure(old | {"DATE-OBS": (T0, "System Clock:Est. Frame Start")})
    assert said.mid_jd_utc == pytest.approx(jd_from_iso("2025-03-01T02:00:05"), abs=1e-8)
    late = exposure(LIGHT | {"ORIGIN": "LCOGT", "TELESCOP": "0m4-05", "INSTRUME": "sq33"})
    assert late.mid_jd_utc == pytest.approx(jd_from_iso("2025-03-01T02:00:05.72"), abs=1e-8)
    assert "shutter" in late.sources["mid_jd_utc"]


def test_a_keyword_that_is_wrong_for_a_camera_is_not_heeded_and_that_is_said() -> None:
    early = LIGHT | {"MJD-OBS": 60735.08318}  # 13 s before DATE-OBS
    with pytest.raises(HeaderError, match="MJD-OBS"):
        exposure(early)
    lco = exposure(early | {"ORIGIN": "LCOGT", "TELESCOP": "1m0-05", "GAIN": 1.0})
    assert lco.mid_jd_utc == pytest.approx(jd_from_iso("2025-03-01T02:00:05"), abs=1e-8)
    assert any(line.startswith("MJD-OBS") and "lco-1m" in line for line in lco.warnings)
    assert (lco.gain_e_per_adu, lco.guessed) == (1.0, ())


def test_a_gain_of_the_converter_is_a_guess_where_pixels_are_stored_with_more_bits() -> None:
    cards = LIGHT | {"SWCREATE": "N.I.N.A. 3", "GAIN": 120, "EGAIN": 1.0}
    few = exposure(cards | {"INSTRUME": "ZWO ASI294MM Pro"})
    assert (few.gain_e_per_adu, few.guessed) == (1.0, ("gain_e_per_adu",))
    assert any("0.25" in line and "nina-asi" in line for line in few.warnings)
    assert exposure(cards | {"INSTRUME": "ZWO ASI2600MM Pro"}).guessed == ()


def test_scales_come_of_half_a_header_and_half_a_profile() -> None:
    dwarf = {"ORIGIN": "DWARFLAB", "INSTRUME": "DWARF 3"}
    for cards, scale in (({}, 2.750), ({"FOCALLEN": 150.0, "XBINNING": 2, "YBINNING": 2}, 5.500)):
        assert exposure(LIGHT | dwarf | cards).scale_arcsec == pytest.approx(scale, rel=1e-3)


def test_longitudes_of_a_camera_that_counts_to_the_west() -> None:
    cards = LIGHT | {"LATITUDE": 31.68, "LONGITUD": 110.88}
    assert exposure(cards).site is None
    site = exposure(cards | {"CREATOR": "MicroObservatory2014-05-23"}).site
    assert site.longitude_deg == -110.88


def test_a_profile_of_the_users_own(tmp_path: Path) -> None:
    text = """
    [camera]
    gain_e_per_adu = 0.5
    linearity_adu = 40000.0
    [site]
    latitude_deg = 48.0
    longitude_deg = 2.0
    [keywords]
    exposure = ["T-EXP"]
    [filters]
    "F3" = "Rc"
    [[variants]]
    when = { READOUTM = "fast" }
    camera = { read_noise_e = 9.0 }
    """
    camera = own(tmp_path, text)
    seen = exposure(LIGHT | {"T-EXP": 33.0, "FILTER": "F3", "READOUTM": "Fast"}, camera=camera)
    assert (seen.exposure_s, seen.gain_e_per_adu, seen.read_noise_e) == (33.0, 0.5, 9.0)
    assert (seen.filter, seen.linearity_adu, seen.profile) == ("Rc", 40000.0, "mine")
    assert (seen.site.latitude_deg, seen.site.longitude_deg) == (48.0, 2.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[camera]\ngian = 1.0", "camera.gian"),
        ("[camera]\ngain_e_per_adu = -1.0", "camera.gain_e_per_adu"),
        ('[keywords]\nexposures = ["T"]', "did you mean exposure"),
        ('[clocks]\n"DATE-OBS" = "begin"', "DATE-OBS"),
        ('[[kinds]]\nkind = "light"\nwhen = { A = "(" }', "regular expression"),
        ("[camera", "cannot be read"),
        ("[camera]\ngains_e_per_adu = [1.0, 1.1]", "gains_e_per_adu"),
    ],
)
def test_a_faulty_profile_is_one_line(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InputError, match=re.escape(named)) as error:
        exposure(LIGHT, camera=own(tmp_path, text))
    assert "mine.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_profile_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean seestar-s50"):
        make_settings({"camera": {"profile": "seestar-50"}})
    with pytest.raises(InputError, match=r"cannot be read"):
        exposure(LIGHT, camera={"profile": "not_there.toml"})


def test_spectra_bad_frames_and_short_ones_are_left_out_with_a_reason(tmp_path: Path) -> None:
    cards = {"INSTRUME": "MOSFIRE", "DATE-OBS": T0, "TRUITIME": 5.0, "MASKNAME": "OPEN"}
    for name, more in (
        ("a", {"GRATMODE": "imaging"}), ("b", {"GRATMODE": "spectroscopy"}),
        ("c", {"GRATMODE": "imaging", "TRUITIME": 0.5}),
    ):  # fmt: skip
        header = fits.Header()
        header.update(cards | more)
        sky = np.random.default_rng(1).normal(500, 5, (64, 64)).astype(np.int16)
        fits.writeto(tmp_path / f"{name}.fits", sky, header)
    entries = {entry.name: entry for entry in take_inventory(tmp_path).entries}
    assert [entries[f"{name}.fits"].status for name in "abc"] == ["ok", "unused", "unused"]
    assert entries["b.fits"].kind == FrameKind.SPECTRUM
    assert "GRATMODE" in entries["b.fits"].reason
    assert "0.5 s" in entries["c.fits"].reason


def test_amplifiers_without_a_gain_have_that_of_the_profile(tmp_path: Path) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update({"INSTRUME": "BINOSPEC", "MASK": "imaging", "SCRN": "stowed"})
    primary.header.update({"DATE-OBS": T0, "EXPTIME": 10.0})
    parts = [fits.ImageHDU(np.full((8, 10), 1000, np.int16)) for _ in range(2)]
    for k, part in enumerate(parts):
        part.header["DETSEC"] = f"[{1 + 10 * k}:{10 + 10 * k},1:8]"
    fits.HDUList([primary, *parts]).writeto(tmp_path / "b.fits")
    frame = read_frame(tmp_path / "b.fits")
    mean = (1.02 + 1.08) / 2
    assert frame.pixels.shape == (8, 20)
    assert frame.exposure.gain_e_per_adu == pytest.approx(mean)
    assert frame.pixels[0, [0, -1]] * mean == pytest.approx([1020.0, 1080.0])
    # Masters are read without settings: what was named must not change how they are put together.
    other = read_frame(tmp_path / "b.fits", settings=make_settings({"camera": {"profile": "none"}}))
    assert np.array_equal(other.pixels, frame.pixels)


def test_the_catalogue_that_a_profile_names_is_the_first_where_it_serves() -> None:
    image = make_settings({}).image
    assert catalogs_for("rp", 10.0, image, "sdss")[0] == "sdss"
    assert catalogs_for("J", 10.0, image, "sdss")[0] == "twomass"
    assert order_of((), "rp", -60.0, image, "panstarrs")[0] != "panstarrs"
    assert exposure(LIGHT | {"INSTRUME": "MMIRS"}).standards == "twomass"
