"""Settings: what they say of a wrong value, and what offline leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from lightcurve.astrometry.chain import SOLVERS
from lightcurve.commands.options import OPTIONS, merged_settings
from lightcurve.core.coordinates import parse_coordinates
from lightcurve.core.data import Site
from lightcurve.core.errors import InputError, Why
from lightcurve.core.settings import Settings, make_settings, read_settings
from lightcurve.curve.weightings import BY_SCATTER, PLAIN_SUM, WEIGHTINGS

OFFLINE = {"catalogs": {"offline": True}}
OVERLAP = (
    "an aperture (--radius) of 12 px reaches into the sky annulus (--annulus), "
    "which begins at 10 px"
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"apertures": {"annulus": [14, 9]}},
            "the sky annulus (--annulus) needs 0 < inner < outer, got 14 9",
        ),
        (
            {"apertures": {"radii": [4, 12], "annulus": [10, 16]}},
            OVERLAP,
        ),
        (
            OFFLINE | {"solve": {"solvers": ["nova"]}},
            "solver nova asks a server, which --offline forbids: name another --solver",
        ),
        (
            {"camera": {"gain_e_per_adu": -1.0}},
            "camera.gain_e_per_adu: Input should be greater than 0, got -1.0",
        ),
        ({"target": {"namee": "x"}}, "no setting target.namee; did you mean target.name?"),
        ({"targt": {"name": "x"}}, "no setting targt; did you mean target?"),
        (
            {"stars": {"comparisons": "C5"}},
            "stars.comparisons: should be a list, between [ and ], got 'C5'",
        ),
        ({"camera": 5}, "camera: should be a section with settings of its own, got 5"),
        (
            {"camera": {"gian": 1.0}},
            "no setting camera.gian; did you mean camera.gain_e_per_adu?",
        ),
    ],
    ids=["annulus", "overlap", "offline", "value", "near", "section", "list", "table", "name"],
)
def test_a_wrong_value_is_named_once(values, message, tmp_path: Path):
    with pytest.raises(InputError) as caught:
        make_settings(values)
    assert str(caught.value) == message
    with pytest.raises(InputError) as caught:
        make_settings(values, "my.toml")
    assert str(caught.value) == f"my.toml: {message}"


@pytest.mark.parametrize("image", [{"services": ["gaja"]}, {"standards": "gaja"}], ids=str)
def test_a_service_that_is_none_is_refused_by_the_settings(image: dict):
    with pytest.raises(InputError, match=r"did you mean gaia\?"):
        make_settings({"image": image})
    known = make_settings({"image": {"services": ["standards", "simbad"], "standards": "gaia"}})
    assert known.image.services == ("standards", "simbad")


def test_options_are_named_as_they_are_typed():
    for given, message in (
        ({"apertures.annulus": (14.0, 9.0)}, "the sky annulus (--annulus) needs"),
        ({"camera.gain_e_per_adu": -1.0}, "--gain: Input should be greater than 0"),
    ):
        with pytest.raises(InputError) as caught:
            merged_settings(None, given)
        assert str(caught.value).startswith(message)


def test_offline_leaves_the_server_out_and_settings_stay_frozen(tmp_path: Path):
    alone = tuple(s.name for s in SOLVERS if not s.asks_a_server)
    for settings in (make_settings(OFFLINE), Settings(**OFFLINE)):
        assert settings.solve.solvers == alone
    assert "nova" in Settings().solve.solvers
    with pytest.raises(ValidationError):
        settings.solve = Settings().solve
    path = tmp_path / "s.toml"
    path.write_text('[solve]\nsolvers = ["nova", "local"]\n[catalogs]\noffline = true\n')
    assert read_settings(path).solve.solvers == ("local",)


@pytest.mark.parametrize("dec", ["146", "+91:00:00"])
def test_a_declination_beyond_the_pole_is_named(dec):
    with pytest.raises(InputError, match=r"\(--dec\) is not between -90 and \+90 degrees"):
        parse_coordinates("31.04", dec)


def test_weights_that_the_style_does_not_have_are_refused_not_ignored():
    assert make_settings({"apertures": {"style": "aij"}}).weights == "sum"
    assert make_settings({"stars": {"weights": "sum"}}).weights == "sum"
    with pytest.raises(InputError, match="--weights scatter is not of --style aij"):
        make_settings({"apertures": {"style": "aij"}, "stars": {"weights": "scatter"}})


def test_each_style_weighs_as_the_registered_weightings_say():
    aij = make_settings({"apertures": {"style": "aij"}})
    assert WEIGHTINGS.get(aij.weights) is PLAIN_SUM
    assert WEIGHTINGS.get(Settings().weights) is BY_SCATTER
    with pytest.raises(InputError, match="--weights scatter is not of --style aij"):
        make_settings({"apertures": {"style": "aij"}, "stars": {"weights": "scatter"}})


def test_no_covariate_goes_with_no_other():
    assert make_settings({"fit": {"covariates": ["none"]}}).fit.covariates == ()
    with pytest.raises(InputError, match="none goes alone"):
        make_settings({"fit": {"covariates": ["none", "x"]}})


@pytest.mark.parametrize(
    ("image", "border"), [({}, 8), ({"border_px": 3}, 8), ({"border_px": 9}, 9)]
)
def test_the_border_of_old_settings_is_read(image: dict, border: int):
    old = {"camera": {"border_px": 8, "gain_e_per_adu": 2.0}, "image": image}
    settings = make_settings(old)
    assert settings.image.border_px == border
    assert settings.camera.gain_e_per_adu == 2.0
    with pytest.raises(InputError, match="border_px"):
        make_settings({"camera": {"border_px": "wide"}})


@pytest.mark.parametrize(
    ("given", "missing"),
    [("latitude_deg", "--longitude"), ("longitude_deg", "--latitude")],
)
def test_half_a_place_is_refused_and_the_other_half_named(given: str, missing: str) -> None:
    with pytest.raises(InputError, match=f"give {missing}"):
        make_settings({"site": {given: 31.0}}).site.site()


def test_a_place_is_given_whole_or_not() -> None:
    assert Settings().site.site() is None
    given = make_settings({"site": {"latitude_deg": 31.0, "longitude_deg": -110.0}}).site.site()
    assert given == Site(31.0, -110.0, 0.0)


def test_the_record_of_a_run_is_a_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('lightcurve = "0.1"\nseed = 3\n[settings]\nseed = 3\n[settings.camera]\n'
                    'read_noise_e = 9.0\n[versions]\nnumpy = "2"\n')  # fmt: skip
    assert read_settings(path).camera.read_noise_e == 9.0
    path.write_text("lightcurve = 3\n")
    with pytest.raises(InputError, match="no setting lightcurve"):
        read_settings(path)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, option in OPTIONS.items()
        if option.kind in {Path, list[Path]} and name != "target.planet_file"
    ],
)
def test_a_file_that_is_not_there_is_named_with_its_option(name: str, tmp_path: Path) -> None:
    absent, there = tmp_path / "absent", tmp_path / "there.csv"
    there.write_text("")
    several, flag = OPTIONS[name].kind == list[Path], OPTIONS[name].flag
    for given in ([there, absent], [str(absent)]) if several else (absent, str(absent)):
        with pytest.raises(InputError) as told:
            merged_settings(None, {name: given})
        assert str(told.value).startswith(f"{flag} {absent}: ")
        assert told.value.why is Why.NAMED
    if several:
        assert merged_settings(None, {name: [there]})


@pytest.mark.parametrize(
    "values",
    [
        {"time": {"clock_correction_s": float("nan")}},
        {"time": {"clock_correction_s": 1e300}},
        {"image": {"threshold_sigma": float("inf")}},
        {"fit": {"covariates": 5}},
        {"camera": 5},
    ],
    ids=str,
)
def test_what_is_no_setting_is_refused(values: dict) -> None:
    with pytest.raises(InputError):
        make_settings(values)
