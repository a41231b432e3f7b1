"""Headers of many programs, normalised."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headers import exposure, header_of
from lightcurve.core.coordinates import sexagesimal
from lightcurve.core.data import Exposure, FrameKind, Stamp
from lightcurve.core.dates import jd_from_iso
from lightcurve.core.errors import HeaderError
from lightcurve.core.settings import SiteSettings
from lightcurve.frames.cameras import Profile
from lightcurve.frames.cards import Cards, by_cards, decimals, number, parse_cards
from lightcurve.frames.dialects import CLOCKS, KEYWORDS, KIND_WORDS
from lightcurve.frames.headers import normalise
from lightcurve.frames.kinds import kind_by_keyword, kind_by_name, normalise_filter
from lightcurve.frames.location import degrees
from lightcurve.frames.read import read_frame


def program(shared_data: Path, name: str) -> Exposure:
    text = (shared_data / "odd-fits/photonfinder_headers" / f"header_{name}.hdr").read_text(
        "latin1"
    )
    if "\n" in text:
        text = "".join(line.ljust(80)[:80] for line in text.splitlines())
    return normalise(parse_cards(text), path=f"{name}.fits", shape=(1, 1))[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nina", {"exposure_s": 30, "gain_e_per_adu": 1.0022427, "temperature_c": -10}),
        (
            "sharpcap",
            {"exposure_s": 2, "dec_deg": 89.049177, "scale_arcsec": 3.164, "kind": "unknown"},
        ),
        (
            "maximdl",
            {"filter": "SII", "ra_deg": 275.2005, "dec_deg": -16.183, "scale_arcsec": 1.0711},
        ),
        ("apt", {"ra_deg": 23.75, "dec_deg": 30.740278, "scale_arcsec": 2.3875, "kind": "light"}),
        ("sgp_fixed_wcs", {"ra_deg": 283.39554, "gain_e_per_adu": 3.99, "scale_arcsec": 0.65415}),
        ("dwarflab", {"exposure_s": 15, "binning": (2, 2), "ra_deg": None}),
        ("seestar", {"exposure_s": 10, "ra_deg": 240.1125, "gain_e_per_adu": None}),
        ("pixinsight", {"exposure_s": 120, "gain_e_per_adu": 3.62, "dec_deg": 28.7504}),
        ("app2", {"kind": "flat", "gain_e_per_adu": None, "exposure_s": 1.28}),
    ],
)
def test_programs(shared_data: Path, name: str, expected: dict) -> None:
    found = program(shared_data, name)
    for field, value in expected.items():
        got = getattr(found, field)
        assert got == (pytest.approx(value, rel=1e-3) if isinstance(value, float) else value), field


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("nina", "2021-03-02T20:19:00.455"),
        ("maximdl", "2018-07-04T14:03:03.414"),
        ("apt", "2018-09-17T21:04:46"),
        ("sgp_fixed_wcs", "2020-05-30T00:22:49.0968820"),
        ("sharpcap", "2019-04-29T20:25:27.8219583"),  # the frame was grabbed 2 s later
    ],
)
def test_program_times(shared_data: Path, name: str, start: str) -> None:
    assert program(shared_data, name).start_jd_utc == pytest.approx(jd_from_iso(start), abs=2e-9)


@pytest.mark.parametrize(
    ("name", "east"),
    [("maximdl", 149.0644), ("apt", 3.6833), ("sgp_fixed_wcs", 3.7167), ("seestar", 3.69361)],
)
def test_program_sites(shared_data: Path, name: str, east: float) -> None:
    assert program(shared_data, name).site.longitude_deg == pytest.approx(east, abs=1e-3)


def test_real_night(hatp32: list[Path]) -> None:
    for path in hatp32:
        frame = read_frame(path)
        found, utc = frame.exposure, frame.header["UT-OBS"]
        assert (found.mid_jd_utc - jd_from_iso(utc)) * 86400 == pytest.approx(30, abs=1e-3)
        assert found.site.longitude_deg == pytest.approx(-110.88)
        assert found.warnings == ()
    assert "HA" in found.sources["site"]
    assert found.temperature_c == pytest.approx(-2.15, abs=5)
    unset = {f for f in ("kind", "filter", "ra_deg", "scale_arcsec") if f not in found.sources}
    assert not unset


SITE = {"LATITUDE": 31.68, "LONGITUD": 110.88}


@pytest.mark.parametrize(
    ("cards", "gain"),
    [
        ({"GAIN": 2.0, "RDNOISE": 6.0}, 2.0),
        ({"GAIN": 2, "READNOIS": 6}, 2.0),
        ({"GAIN": 2}, None),
        ({"GAIN": 120, "RDNOISE": 1.5}, None),
        ({"GAIN": 1.7}, 1.7),
    ],
)
def test_a_gain_without_a_unit_is_held_against_the_noise(cards: dict, gain: float | None) -> None:
    """A program that writes the setting of an amplifier does not know its read noise."""
    found = exposure(cards)
    assert found.gain_e_per_adu == gain
    assert found.guessed == (() if gain is None else ("gain_e_per_adu",))


def test_longitude_without_evidence_is_not_guessed() -> None:
    found = exposure(SITE)
    assert found.site is None
    assert any("--longitude" in line for line in found.warnings)


@pytest.mark.parametrize(
    ("cards", "east"),
    [
        ({"LONGITUD": (110.88, "degrees West")}, -110.88),
        ({"LONGITUD": (110.88, "[deg +E]")}, 110.88),
        ({"LONGITUD": -110.88}, -110.88),
        ({"LONGITUD": 249.12}, -110.88),
        ({"LONGITUD": "110 52 48 W"}, -110.88),
        ({"LST": "00:06:18"}, -110.88),
        ({"RA": 31.312099, "DEC": 46.769087, "TELALT": "+62.592"}, -110.88),
        ({"DATE-OBS": "2017-12-19T18:33:43.317-0700"}, -110.88),
        ({"DATE-LOC": "2017-12-20T09:33:43.317"}, 110.88),
    ],
)
def test_longitude_is_settled_by_evidence(cards: dict, east: float) -> None:
    found = exposure({**SITE, **cards})
    assert found.site.longitude_deg == pytest.approx(east, abs=1e-6)
    assert found.site.height_m == 0
    assert "assumed" in found.sources["site"]


def test_contradicting_evidence_is_reported() -> None:
    found = exposure({**SITE, "LST": "00:06:18", "DATE-LOC": "2017-12-20T09:33:43.317"})
    assert found.site is None
    assert "contradicts itself" in found.warnings[0]
    site = SiteSettings(latitude_deg=1, longitude_deg=2, height_m=3)
    assert exposure(SITE, site=site).site.longitude_deg == 2


@pytest.mark.parametrize(
    ("cards", "ra"),
    [
        ({"RA": "02:04:10.278", "DEC": "+46:41:16.21"}, 31.042825),
        ({"RA": 31.042825, "DEC": 46.687836}, 31.042825),
        ({"RA": (2.0695217, "[h] J2000"), "DEC": 46.687836}, 31.042825),
        ({"OBJCTRA": "02 04 10.278", "OBJCTDEC": "+46 41 16.21"}, 31.042825),
        ({"RA": (12.5, "00:50.0 Right Ascension"), "DEC": 46.687836}, 12.5),
        ({"RA": (12.5, "12:30.0 Right Ascension"), "DEC": 46.687836}, 187.5),
        ({"RA": 0.0, "DEC": 0.0, "CTYPE1": "RA---TAN", "CRVAL1": 7.5, "CRVAL2": 46.687836}, 7.5),
        ({"RA": 999.0, "DEC": 46.0, "OBJRA": "02:04:10.278", "OBJDEC": "46.687836"}, 31.042825),
    ],
)
def test_pointing(cards: dict, ra: float) -> None:
    found = exposure(cards)
    assert found.ra_deg == pytest.approx(ra, abs=1e-6)
    assert found.dec_deg == pytest.approx(46.687836, abs=1e-5)


@pytest.mark.parametrize(
    "cards",
    [
        {"GLON": 10.0, "GLAT": 90.0},
        {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", "CRVAL1": 10.0, "CRVAL2": 90.0},
        {"CTYPE1": "GLAT-TAN", "CTYPE2": "GLON-TAN", "CRVAL1": 90.0, "CRVAL2": 10.0},
        {"RA": 0.0, "DEC": 0.0, "GLON": 10.0, "GLAT": 90.0},
    ],
)
def test_a_galactic_place_is_a_pointing(cards: dict) -> None:
    found = exposure(cards)
    # The north pole of the Galaxy, by ESA's Hipparcos catalogue.
    assert (found.ra_deg, found.dec_deg) == pytest.approx((192.85948, 27.12825), abs=1e-5)
    assert "galactic" in found.sources["ra_deg"]


@pytest.mark.parametrize(
    ("cards", "field", "value"),
    [
        ({"FOCALLEN": 1000, "XPIXSZ": 9.0}, "scale_arcsec", 1.856383),
        ({"PIXSIZE": (0.5, "arcsec/pixel")}, "scale_arcsec", 0.5),
        ({"PIXSIZE": (9.0, "micron"), "FOCALLEN": 1000}, "scale_arcsec", 1.856383),
        ({"PIXSIZE": 9.0, "FOCALLEN": 20000}, "scale_arcsec", 0.0928191),
        ({"PIXSIZE": 0.93, "FOCALLEN": 2000}, "scale_arcsec", 0.93),
        ({"PIXSIZE": 0.26}, "scale_arcsec", 0.26),
        ({"PIXSIZE": 9.0}, "scale_arcsec", None),
        ({"PIXSIZE": 9.0, "FOCALLEN": 1000}, "scale_arcsec", None),  # 9 um, or 44 um: 2 x 2 binned?
        ({"XPIXSZ": 9.0, "FOCALLEN": 1000, "XBINNING": 2}, "scale_arcsec", 1.856383),
        ({"PIXSIZE1": 4.5, "FOCALLEN": 1000, "XBINNING": 2}, "scale_arcsec", 1.856383),
        (
            {"XPIXSZ": (4.5, "[um] unbinned pixel"), "FOCALLEN": 1000, "XBINNING": 2},
            "scale_arcsec",
            1.856383,
        ),
        (
            {"PIXSIZE1": (9.0, "after binning"), "FOCALLEN": 1000, "XBINNING": 2},
            "scale_arcsec",
            1.856383,
        ),
        ({"APERTURE": "f/6.3", "FOCALLEN": 1260}, "telescope_diameter_m", 0.2),
        ({"APERTURE": 5.0, "FOCALLEN": 250}, "telescope_diameter_m", 0.05),
        ({"APERTURE": 200, "FOCALLEN": 1000}, "telescope_diameter_m", 0.2),
        ({"APERTURE": 30, "FOCALLEN": 160}, "telescope_diameter_m", 0.03),
        ({"APERTURE": 0.4, "FOCALLEN": 4000}, "telescope_diameter_m", 0.4),
        ({"APERTURE": (200.0, "[mm]")}, "telescope_diameter_m", 0.2),
        ({"FOCRATIO": 8.0, "FOCALLEN": 2400}, "telescope_diameter_m", 0.3),
        ({"FOCRATIO": 8.0, "FOCALLEN": 2400, "APTDIA": 304.8}, "telescope_diameter_m", 0.3048),
        ({"APERTURE": 2.5, "FOCALLEN": 25000}, "telescope_diameter_m", None),  # 10 m f/2.5 or 2.5 m
        ({"APERTURE": 5.0}, "telescope_diameter_m", None),
        ({"APERTURE": "V2"}, "telescope_diameter_m", None),
        (
            {"CTYPE1": "RA---TAN", "CD1_1": 0.0, "CD1_2": 1e-3, "CD2_1": -1e-3, "CD2_2": 0.0},
            "scale_arcsec",
            3.6,
        ),
        ({"CTYPE1": "RA---TAN", "CDELT1": -1e-3, "CDELT2": 1e-3}, "scale_arcsec", 3.6),
        ({"GAIN": 120}, "gain_e_per_adu", None),
        ({"GAIN": (1.5, "electrons per ADU")}, "gain_e_per_adu", 1.5),
        ({"GAIN": (2.0, "[ADU/e-]")}, "gain_e_per_adu", 0.5),
        ({"EGAIN": 1e-300}, "gain_e_per_adu", None),
        ({"EGAIN": 1e300, "GAIN": 1.5}, "gain_e_per_adu", 1.5),
        ({"GAIN": 1.37}, "gain_e_per_adu", 1.37),
        ({"GAIN": "2 e-/ADU"}, "gain_e_per_adu", 2.0),
        ({"RDNOISE": (3.0, "ADU"), "EGAIN": 2.0}, "read_noise_e", 6.0),
        ({"CAMTEMP": (271.0, "Kelvin")}, "temperature_c", -2.15),
        ({"CAMTEMP": (-1, "in Kelvin, =-1 if no data")}, "temperature_c", None),
        ({"CCDSUM": "2 2"}, "binning", (2, 2)),
        ({"BINNING": "2x1"}, "binning", (2, 1)),
        ({"XBINNING": 3}, "binning", (3, 3)),
        ({"SATURATE": "65535"}, "saturation_adu", 65535.0),
        ({"EXPTIME": "60,5"}, "exposure_s", 60.5),
        ({"EXPTIME": (500, "[ms]")}, "exposure_s", 0.5),
        ({"EXPTIME": "500 ms"}, "exposure_s", 0.5),
        ({"EXPTIME": "500ms"}, "exposure_s", 0.5),
        ({"EXPTIME": "250 us"}, "exposure_s", 2.5e-4),
        ({"EXPTIME": "1.5 min"}, "exposure_s", 90.0),
        ({"EXPTIME": "0.01 h"}, "exposure_s", 36.0),
        ({"EXPTIME": "60 s"}, "exposure_s", 60.0),
        ({"EXPTIME": "1.2E+01 sec"}, "exposure_s", 12.0),
        ({"RDNOISE": "3 ADU", "EGAIN": 2.0}, "read_noise_e", 6.0),
        ({"GAIN": "2 ADU/e-"}, "gain_e_per_adu", 0.5),
        ({"CAMTEMP": "100 K"}, "temperature_c", -173.15),
        ({"FOCALLEN": "1.2 m", "XPIXSZ": "0.009 mm"}, "scale_arcsec", 1.546986),
        ({"APTDIA": "0.3 m"}, "telescope_diameter_m", 0.3),
        ({"EXPTIME": (0.005, "[d] time on source")}, "exposure_s", 432.0),
        ({"EXPTIME": (2.0, "exposure in minutes")}, "exposure_s", 120.0),
        ({"FILTER1": "Air", "FILTER2": "rp"}, "filter", "rp"),
        ({"BAYERPAT": "RGGB"}, "mosaic", "RGGB"),
        ({"BAYERPAT": "RGGB", "IMAGETYP": "Master Light"}, "mosaic", None),
        ({"BAYERPAT": "RGGB", "STACKCNT": 187}, "mosaic", None),
        ({"BAYERPAT": "RGGB", "NAXIS1": 60, "NAXIS2": 50, "NAXIS3": 3}, "mosaic", None),
    ],
)
def test_values(cards: dict, field: str, value: object) -> None:
    found = exposure(cards)
    assert getattr(found, field) == (pytest.approx(value) if isinstance(value, float) else value)
    assert (field in found.sources) == (value is not None)


@pytest.mark.parametrize(
    ("cards", "wrong"),
    [
        ({"SITELAT": 131.68, "SITELONG": -10.88}, "SITELAT"),
        ({"SITELAT": "somewhere", "SITELONG": -10.88}, "SITELAT"),
        ({"SITELAT": 31.68, "SITELONG": -9999.0}, "SITELONG"),
    ],
)
def test_what_can_be_no_place_on_earth_is_named(cards: dict, wrong: str) -> None:
    found = exposure(cards)
    assert found.site is None
    assert any(line.startswith(wrong) and "--l" in line for line in found.warnings)
    settled = exposure(cards, site={"latitude_deg": 31.68, "longitude_deg": -10.88})
    assert settled.site is not None
    assert not any(line.startswith(wrong) for line in settled.warnings)


def test_settings_override() -> None:
    found = exposure({"EGAIN": 2.0}, camera={"gain_e_per_adu": 3.0, "saturation_adu": 100.0})
    assert (found.gain_e_per_adu, found.saturation_adu) == (3.0, 100.0)
    assert found.sources["gain_e_per_adu"] == "setting camera.gain_e_per_adu"


def test_two_scales_are_reported() -> None:
    assert "--scale" in exposure({"PIXSCALE": 1.0, "FOCALLEN": 1000, "XPIXSZ": 9.0}).warnings[0]


SPELLINGS = {
    "U": "U;Johnson U;U-Bessell;Bessel-U;Johnson-Cousins U",
    "B": (
        "B;B_Bessell;B-Johnson;Astrodon-B (Johnson);Baader B Bessel;b;B-band;JohnsonB;"
        "Johnson/Bessell B;Bessel B;B (Johnson);Astrodon B;B Photometric"
    ),
    "V": "V;v;V-band;V band;JohnsonV;Johnson V;V_Johnson;Bessell V;Empty/V;V/Clear;Clear, V;PhotV;"
    "Astrodon V;Chroma V;V filter;V (Bessell);Baader V;Johnson-Cousins V;Bessel-V",
    "Rc": "R;Rc;R_c;R (Cousins);Cousins R;R-Cousins;CousinsR;Bessell R;Bessel R;Johnson R;R band;"
    "Baader R;Astrodon Rc;Open/R",
    "Ic": "I;Ic;I (Cousins);Cousins I;Ic-Cousins;Bessell I;I-band;Kron-Cousins I",
    "up": "u;u';up;SDSS u;SDSS u';sloan_u;SDSS-u;u_SDSS;SU",
    "gp": (
        "g;gprime;g_prime;SDSS G;SDSS_sloan_g;PS1_g;g_PS1;g';gp;SDSS g;SDSS-g';sloan g;"
        "Sloan g';g_sdss;SDSS gp;SG;Astrodon Sloan g"
    ),
    "rp": (
        "r;rprime;r prime;PS1 r;ps1_r;r_ps1;SDSS R;r';rp;SDSS r;SDSS-r';SDSS_r;Sloan r';"
        "sloan_r;r_SDSS;SDSSr;SR;Baader SLOAN/SDSS r'"
    ),
    "ip": "i;i';ip;SDSS i;SDSS-i';Sloan i;i_sdss;SI;i-band",
    "zp": "z;z';zp;SDSS z;Sloan z;SDSS-z';z_sdss;SZ",
    "zs": (
        "zs;Sloan z_s;SDSS z-s';SDSS_sloan_z_s;Baader SDSS/SLOAN z-s';Astrodon z_s;PS1_z;z_s;"
        "PS1 z;Pan-STARRS z;PanSTARRS zs;z-short"
    ),
    "Y": "y;Y;PS1 y;Pan-STARRS Y",
    "CV": (
        "White;Vide;Aucun;Ohne Filter;sin filtro;No_Filter;Clear;C;Open;Empty;None;No Filter;"
        "UV/IR cut;UVIR Cut;IRCUT;Luxuvircut;CV;clr;air"
    ),
    "L": "L;Lum;Luminance;Astrodon L;Baader L",
    "CBB": "CBB;exoplanet-BB;Exoplanet BB;Astrodon Exo;Exo-BB;clear-blue-blocking",
    "RP": "GaiaRP;Gaia_RP;Rp;G_RP;Gaia RP;RP",
    "BP": "Bp;G_BP;Gaia BP",
    "G": "Gaia G",
    "TG": "G;Green;TG;Astrodon Green;green filter",
    "TR": "Red;TR",
    "TB": "Blue;TB",
    "HA": "Ha 7nm;Ha_6.5nm;Antlia 3nm Ha;Ha;H-alpha;Halpha;H_alpha",
    "OIII": "OIII 6.5nm;[OIII];OIII;O III;O3",
    "SII": "SII;S II",
}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Clear", "CV"),
        ("V", "V"),
        ("r'", "rp"),
        ("r", "rp"),
        ("R", "Rc"),
        ("Bessell R", "Rc"),
        ("SDSS-i", "ip"),
        ("H-alpha", "HA"),
        ("My <b>", "My <b>"),
        ("Johnson_V", "V"),
        *((text, name) for name, spellings in SPELLINGS.items() for text in spellings.split(";")),
    ],
)
def test_filters(text: str, name: str) -> None:
    assert normalise_filter(text) == name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Light Frame", "light"),
        ("BIAS", "bias"),
        ("Flat Field", "flat"),
        ("DARKFLAT", "dark flat"),
        ("Dark Flat", "dark flat"),
        ("zero", "bias"),
        ("SKYFLAT", "flat"),
        ("OBJECT", "light"),
        ("MasterFlat", "flat"),
        ("FLAT,SKY", "flat"),
        ("EXPOSE", "light"),
    ],
)
def test_kind_by_keyword(text: str, kind: str) -> None:
    cards = parse_cards(f"IMAGETYP= '{text}'".ljust(80))
    assert kind_by_keyword(cards)[0] == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("flat_V_001.fit", "flat"),
        ("flats/img1.fits", "flat"),
        ("DarkFlat-3.fts", "dark flat"),
        ("night/bias12.fits", "bias"),
        ("M31_flatiron.fits", None),
        ("kp.flat.001.fits.gz", "flat"),
        ("x/zero.fits", None),
    ],
)
def test_kind_by_name(path: str, kind: str | None) -> None:
    found = kind_by_name(Path(path))
    assert (found and found[0]) == kind


def test_numbers_and_angles() -> None:
    assert [number(t) for t in ("1,5", "1.5D2", "60 s", "abc", "1:2", "nan", "1e999")] == [
        1.5, 150.0, 60.0, None, None, None, None,
    ]  # fmt: skip
    assert (decimals("58107.065"), decimals("58107.065000000002"), decimals("5")) == (3, 3, 0)
    assert sexagesimal("-00 30 00") == -0.5
    assert degrees("149 03 52 W") == pytest.approx(-149.064444)
    assert degrees("12.5S") == -12.5
    assert sexagesimal("12:61:00") is None


def test_what_a_step_made_of_a_header_holds_for_those_that_say_the_same() -> None:
    calls = []

    @by_cards
    def sum_of(cards: Cards, first: str, second: str) -> float:
        calls.append(first)
        return sum(number(cards[k].text) for k in (first, second) if k in cards)

    def ask(text: str, **camera: object) -> float:
        cards = parse_cards("".join(f"{line:<80}" for line in text.split("|")))
        return sum_of(cards.of(Profile(**camera) if camera else None, ""), "A", "B")

    a, b, other = (f"{key:<8}= {value}" for key, value in (("A", 1), ("B", 2), ("C", 5)))
    assert [ask(a), ask(f"{a}|{other}"), ask(f"{other}|{a}")] == [1, 1, 1]
    assert len(calls) == 1
    assert ask(f"{a}|{b}") == 3  # one more that was asked for is there
    assert ask(f"{a}|{b}".replace("2", "3")) == 4
    assert ask(other) == 0  # and one less
    assert len(calls) == 4
    assert ask(a, west_positive=True) == ask(a, west_positive=True) == 1  # of another camera
    assert len(calls) == 5
    with pytest.raises(KeyError):
        by_cards(lambda cards: cards["D"])(parse_cards(""))
    with pytest.raises(TypeError, match="cannot be remembered"):
        by_cards(lambda cards: dict(cards.items()))(parse_cards(""))


def test_steps_within_steps_know_what_each_asked_for() -> None:
    inner = by_cards(lambda cards: cards["A"].text)
    outer = by_cards(lambda cards: inner(cards) + cards["B"].text)
    said = [[f"{k:<8}= {v:<70}" for k, v in pair] for pair in (
        (("A", 1), ("B", 2)), (("A", 1), ("B", 3)), (("A", 4), ("B", 2)),
    )]  # fmt: skip
    assert [outer(parse_cards("".join(cards))) for cards in said] == ["12", "13", "42"]


def test_a_dialect_is_taught_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = {
        "T-BEGIN": "2020-03-01T02:00:00", "T-EXP": 30.0, "T-FILT": "V", "T-KIND": "Licht",
        "T-LAT": 40.0, "T-LON": (8.5, "east positive"), "T-SCALE": 1.5, "T-XBIN": 2,
    }  # fmt: skip
    # What was read by other tables is not to be remembered.
    monkeypatch.setattr("lightcurve.frames.cards._Made.holds_for", lambda *_: False)
    monkeypatch.setitem(CLOCKS.dates, "T-BEGIN", Stamp.START)
    monkeypatch.setitem(KIND_WORDS, "licht", FrameKind.LIGHT)
    for quantity, keyword in (
        ("exposure", "T-EXP"), ("filter", "T-FILT"), ("kind", "T-KIND"), ("latitude", "T-LAT"),
        ("longitude", "T-LON"), ("scale", "T-SCALE"), ("binning_x", "T-XBIN"),
    ):  # fmt: skip
        aliases = KEYWORDS.quantities
        monkeypatch.setitem(aliases, quantity, (*aliases[quantity], keyword))
    text = header_of(cards).tostring(endcard=False, padding=False)
    seen, error = normalise(parse_cards(text), path="x.fits", shape=(10, 20))
    assert error is None
    assert (seen.exposure_s, seen.filter, seen.kind) == (30.0, "V", "light")
    assert seen.mid_jd_utc == pytest.approx(jd_from_iso("2020-03-01T02:00:15"), abs=1e-8)
    assert (seen.site.latitude_deg, seen.site.longitude_deg) == (40.0, 8.5)
    assert (seen.scale_arcsec, seen.binning) == (1.5, (2, 2))


ALIASES = sorted({k for names in KEYWORDS.quantities.values() for k in names if " " not in k})
ALIASES += [
    *CLOCKS.dates,
    *CLOCKS.numbers,
    "RA",
    "DEC",
    "OBJCTRA",
    "OBJCTDEC",
    "CTYPE1",
    "CRVAL1",
    "CRVAL2",
]
ALIASES += ["CD1_1", "CD1_2", "CD2_1", "CD2_2", "TIMESYS", "UT"]
VALUES = st.one_of(
    st.text(st.characters(codec="ascii"), max_size=60),
    st.floats().map(repr),
    st.integers().map(str),
    st.sampled_from(
        ["'", "T", "''", "2017-12-20T01:33:43", "12:00:00", "1 2 3", "<script>", "../x"]
    ),
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(ALIASES), VALUES, max_size=20), st.booleans())
def test_any_values_give_an_exposure_or_a_header_error(cards: dict, quoted: bool) -> None:
    mark = "'" if quoted else ""
    text = "".join(f"{k:<8}= {mark}{v}{mark}".ljust(80)[:80] for k, v in cards.items())
    found, error = normalise(parse_cards(text), path="x.fits", shape=(1, 1))
    assert (found.mid_jd_utc is None) == (error is not None)
    assert error is None or isinstance(error, HeaderError)
    assert error is None or "\n" not in str(error)
    if found.ra_deg is not None:
        assert 0 <= found.ra_deg < 360


def test_the_positive_exposure_of_two_is_taken_and_told() -> None:
    seen = exposure({"EXPTIME": 0.0, "EXPOSURE": 60.0})
    assert (seen.exposure_s, seen.sources["exposure_s"]) == (60.0, "header EXPOSURE")
    assert any("EXPTIME = 0, EXPOSURE = 60 s taken" in line for line in seen.warnings)
    assert exposure({"EXPTIME": 0.0, "EXPOSURE": 0.0, "IMAGETYP": "bias"}).exposure_s == 0


def test_an_exposure_that_is_given_is_of_light_frames_only() -> None:
    given = {"time": {"exposure_s": 30.0}}
    assert exposure({"EXPTIME": 60.0, "IMAGETYP": "light"}, **given).exposure_s == 30
    assert exposure({"EXPTIME": "?"}, **given).exposure_s == 30
    assert exposure({"EXPTIME": 60.0, "IMAGETYP": "dark"}, **given).exposure_s == 60


def test_a_stack_is_timed_from_its_start_to_its_end() -> None:
    stack = {"EXPTIME": 10.0, "STACKCNT": 187, "DATE-OBS": "2025-05-13T22:00:00"}
    whole = exposure({**stack, "DATE-END": "2025-05-13T23:00:00"})
    assert whole.mid_jd_utc == pytest.approx(jd_from_iso("2025-05-13T22:30:00"), abs=1e-7)
    assert whole.exposure_s == 10
    open_ended = exposure({**stack, "TOTALEXP": 1870.0})
    assert open_ended.mid_jd_utc == pytest.approx(jd_from_iso("2025-05-13T22:15:35"), abs=1e-7)
    assert open_ended.time_uncertainty_s == pytest.approx(935.5)
    assert any("935 s later" in line for line in open_ended.warnings)
    given = exposure({**stack, "TOTALEXP": 1870.0}, time={"exposure_s": 3600.0})
    assert given.mid_jd_utc == pytest.approx(jd_from_iso("2025-05-13T22:30:00"), abs=1e-7)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("R Harris k1004", "Rc"), ("r_G0326", "rp"), ("z' (Astrodon Sloan Gen 2)", "zp"),
        ("SDSS g k1017", "gp"), ("k1017", "k1017"),
    ],
)  # fmt: skip
def test_numbers_of_a_makers_list_are_no_part_of_a_filter(text: str, name: str) -> None:
    assert normalise_filter(text) == name


def test_of_several_longitudes_that_is_taken_which_most_agree_with() -> None:
    cards = {"SITELAT": 46.9, "LONG-OBS": -98.45, "SITELONG": -96.45, "LONGITUD": -96.453}
    seen = exposure(cards)
    assert seen.site.longitude_deg == -96.45
    assert any("LONG-OBS" in line for line in seen.warnings)
    alike = exposure({"SITELAT": 46.9, "LONG-OBS": -96.45, "SITELONG": -96.451})
    assert (alike.site.longitude_deg, alike.warnings) == (-96.45, ())
