"""Every value that the measuring rests on is shown, with where it came from."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import Exposure, Solution
from lightcurve.core.errors import InputError
from lightcurve.core.settings import make_settings
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.headers import normalise
from lightcurve.night.prepare import list_values, refuse_overlap
from lightcurve.setup.camera import settle_camera

SEEING = "seeing of the reference"


def exposure_of(*cards: str, **settings: object) -> Exposure:
    text = "".join(card.ljust(80) for card in cards)
    made = make_settings(settings)
    return normalise(parse_cards(text), path="x.fits", shape=(100, 100), settings=made)[0]


def values_of(exposure: Exposure, **settings: object) -> dict[str, tuple[str, str]]:
    target = SimpleNamespace(ra_deg=31.0, dec_deg=46.0, source="option")
    solution = Solution(
        wcs=None, solver="local", n_matched=9, rms_arcsec=0.2, scale_arcsec=1.0,
        rotation_deg=0.0, parity=1,
    )  # fmt: skip
    made = make_settings(settings)
    recipe = SimpleNamespace(
        settings=made,
        radii=np.array(made.apertures.radii or (3.0, 4.0)),
        annulus=made.apertures.annulus or (8.0, 12.0),
    )
    camera = SimpleNamespace(values=())
    listed = list_values(target, exposure, camera, solution, recipe)
    return {value.name: (value.text, value.source) for value in listed}


TIMED = ("DATE-OBS= '2026-01-01T00:00:00'", "EXPTIME = 60.0")


def test_an_exposure_that_is_not_known_is_said_so():
    exposure = exposure_of("DATE-AVG= '2026-01-01T00:00:30.0'")
    assert exposure.mid_jd_utc is not None
    assert exposure.start_jd_utc is None  # it is not the middle
    assert "no exposure time" in exposure.warnings[0]
    assert values_of(exposure)["exposure"][0] == "not known"
    assert values_of(exposure_of(*TIMED))["exposure"] == ("60 s", "header EXPTIME")


@pytest.mark.parametrize(
    ("apertures", "radii", "annulus"),
    [
        ({}, SEEING, SEEING),
        ({"radii": [4.0]}, "setting apertures.radii", SEEING),
        ({"annulus": [9.0, 14.0]}, SEEING, "setting apertures.annulus"),
    ],
    ids=["seeing", "radius", "annulus"],
)
def test_radii_and_annulus_have_each_its_own_source(apertures, radii, annulus):
    values = values_of(exposure_of(*TIMED), apertures=apertures)
    assert values["radii"][1] == radii
    assert values["sky annulus"][1] == annulus


def test_what_the_settings_give_is_called_a_setting():
    given = {
        "camera": {"gain_e_per_adu": 1.5, "read_noise_e": 9.0, "saturation_adu": 6e4},
        "site": {"latitude_deg": 40.0, "longitude_deg": -3.0, "height_m": 600.0},
    }
    sources = exposure_of(*TIMED, **given).sources
    for name in given["camera"]:
        assert sources[name] == f"setting camera.{name}"
    assert sources["site"].split("; ") == [f"setting site.{name}" for name in given["site"]]


@pytest.mark.parametrize(
    ("card", "metres", "source"),
    [
        ("APTDIA  = 152.4 /Aperture diameter of telescope in mm", 0.1524, "mm by its comment"),
        ("APTDIA  = 203.2", 0.2032, "mm by the SBIG convention"),
        ("APTDIA  = 0.6 / [m] clear aperture", 0.6, "m by its comment"),
        ("APTDIA  = 40.0 / cm", 0.4, "cm by its comment"),
        ("APTDIA  = 8.0 / inches", 0.2032, "inch by its comment"),
        ("APTDIA  = 0.0 /Aperture diameter of telescope in mm", None, ""),
        ("APTDIA  = 0.6", None, ""),
    ],
    ids=["mm", "no unit", "m", "cm", "inch", "not set", "no mm"],
)
def test_the_telescope_s_diameter_is_read_with_its_unit(card, metres, source):
    exposure = exposure_of(*TIMED, card)
    assert exposure.telescope_diameter_m == (metres and pytest.approx(metres))
    assert source in exposure.sources.get("telescope_diameter_m", "")
    # A number that cannot be millimetres is neither believed nor turned into metres.
    assert any("--telescope-diameter" in w for w in exposure.warnings) == card.endswith("0.6")
    shown = values_of(exposure)["telescope"]
    assert shown[0].startswith(f"{metres:.4g} m across" if metres else "diameter not known")


def test_a_diameter_given_overrides_the_header():
    given = {"telescope_diameter_m": 0.3}
    exposure = exposure_of(*TIMED, "APTDIA  = 203.2", camera=given)
    assert values_of(exposure)["telescope"] == (
        "0.3 m across, for scintillation", "setting camera.telescope_diameter_m"
    )  # fmt: skip
    assert "not used: Astro" in values_of(exposure, apertures={"style": "aij"})["telescope"][0]
    timeless = exposure_of("DATE-AVG= '2026-01-01T00:00:30.0'", "APTDIA  = 203.2")
    assert "not used: no scint" in values_of(timeless)["telescope"][0]


def test_dark_current_without_an_exposure_is_not_left_out_in_silence(caplog):
    caplog.set_level(logging.WARNING, logger="lightcurve")
    made = make_settings({"camera": {"dark_current_e_per_s": 0.5}})
    for cards, electrons, told in (
        (TIMED, 30.0, "30 e- in 60 s"),
        (("DATE-AVG= '2026-01-01T00:00:30.0'",), 0.0, "0.5 e-/s"),
    ):
        pixels = np.zeros((9, 9), np.float32)
        frame = SimpleNamespace(exposure=exposure_of(*cards), pixels=pixels, header={})
        camera = settle_camera([frame], None, made)
        assert camera.noise.dark_e == electrons
        assert {value.name: value.text for value in camera.values}["dark"] == told
    assert "dark: 0.5 e-/s" in caplog.text  # a warning
    assert "dark: 30 e-" not in caplog.text


@pytest.mark.parametrize(
    ("cards", "top", "n", "told"),
    [
        (("CREATOR = 'MicroObservatory'",), 60000, 50, True),
        (("SATURATE= 4095",), 60000, 50, True),
        (("SATURATE= 4095",), 60000, 5, False),  # hot pixels, a cosmic ray
        (("SATURATE= 46000",), 65535, 50, False),  # full before the converter's top
        (("SATURATE= 4095", "CALSTAT = 'BDF'"), 60000, 50, False),  # no counts of a converter
    ],
)
def test_a_level_beyond_which_pixels_count_on_is_doubted(
    cards: tuple[str, ...], top: int, n: int, told: bool
) -> None:
    pixels = np.full((100, 100), 1000, np.uint16)
    pixels.flat[:n] = np.linspace(0.95 * top, top, n)
    frame = SimpleNamespace(exposure=exposure_of(*TIMED, *cards), pixels=pixels, header={})
    camera = settle_camera([frame], None, make_settings({}))
    (level,) = [value for value in camera.values if value.name == "saturation"]
    assert (level.guessed, "--saturation" in level.source) == (told, told)


@pytest.mark.parametrize(
    ("apertures", "message"),
    [
        ({"radii": [15.0]}, r"15 px .*chosen from the seeing.* begins at 10 px: give --annulus"),
        ({"annulus": [6.0, 12.0]}, r"9 px .*\(--annulus\).* begins at 6 px: give --radius"),
    ],
    ids=["radius", "annulus"],
)
def test_no_aperture_reaches_into_the_sky_that_the_seeing_gives(apertures, message):
    settings = make_settings({"apertures": apertures})
    radii = np.array(apertures.get("radii", [3.0, 9.0]))
    with pytest.raises(InputError, match=message):
        refuse_overlap(radii, apertures.get("annulus", (10.0, 16.0)), settings)
    refuse_overlap(np.array([10.0]), (10.0, 16.0), settings)
