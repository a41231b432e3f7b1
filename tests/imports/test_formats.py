"""Settings of other programs, as those write them, and what becomes of each value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lightcurve.core.errors import InputError
from lightcurve.core.settings import make_settings, read_settings
from lightcurve.imports.formats import import_file, read_any_planet, write_imported
from lightcurve.setup.target import find_target
from lightcurve.transit.ephemeris import read_planet

EXOTIC: dict[str, dict[str, Any]] = {
    "inits_guide": {"Title": "not a value"},
    "user_info": {
        "Directory with FITS files": "/data/night one",
        "Directory to Save Plots": "/data/out",
        "Directory of Flats": None,
        "AAVSO Observer Code (blank if none)": "ABC",
        "Obs. Latitude": "-31:16:24",
        "Obs. Longitude": "+149.0697",
        "Obs. Elevation (meters)": 1165,
        "Comparison Star(s) X & Y Pixel": "[[465, 183]]",
        "Demosaic Format": "grbg",
        "Demosaic Output": "green",
        "Shoe size": 44,
    },
    "planetary_parameters": {
        "Target Star RA": "02:04:10.3",
        "Target Star Dec": "-46:41:23",
        "Planet Name": "Far-1 b",
        "Host Star Name": "Far-1",
        "Orbital Period (days)": 2.15,
        "Orbital Period Uncertainty": 1.3e-07,
        "Published Mid-Transit Time (BJD-UTC)": 2455867.4,
        "Ratio of Planet to Stellar Radius (Rp/Rs)": 0.15,
        "Ratio of Distance to Stellar Radius (a/Rs)": 5.3,
        "Ratio of Distance to Stellar Radius (a/Rs) Uncertainty": 0.04,
        "Orbital Inclination (deg)": 88.98,
        "Star Effective Temperature (K)": 6001.0,
        "Star Effective Temperature (+) Uncertainty": 88.0,
        "Star Effective Temperature (-) Uncertainty": -92.0,
        "Star Distance (pc)": 250.0,
    },
    "optional_info": {
        "Exposure Time (s)": 60.0,
        "use_psf_photometry": "y",
        "Image Scale (Ex: 5.21 arcsecs/pixel)": 5.2,
    },
}
HOPS = """
burn_limit: 50000
planet: Near-2b
target_ra_dec: 10:20:30.5 +05:06:07
target_name: Near-2
location: +40:30:00 -10:15:00
period: 3.5
mid_time: 2458000.25
rp_over_rs: 0.11
sma_over_rs: 9.1
inclination: 87.5
eccentricity: 0.0
periastron: 0.0
temperature: 5800.0
logg: 4.4
metallicity: -0.1
time_stamp: exposure end
observation_date_key: DATE-OBS
exposure_time_key: EXPTIME
light_curve_file: Choose Light-curve file
comparison_1_x_position: 512.3
max_comparisons: 7
reduction_complete: true
bias_files: bias
"""
PIPELINE = """
Main Directory: /data/night
Output Directory: /data/out
Light Frame Indicator: lrp
Target Name: WASP-12
RA/DEC: 06:30:32.8,+29:40:20.3
Target Radius: 12
Target Coordinates: 512,498
Source Detection Threshold: 15
Observation Date: 01/31/2024
Mystery Key: 7
"""
METADATA = """
---
telescop: Keck
object: UDF
gain: 1.245
lat-obs: -31:16:24
lon-obs: 149.0697
alt-obs: 1165
ra: 02:04:10
...
"""


def imported(tmp_path: Path, name: str, text: str) -> Any:
    (tmp_path / name).write_text(text)
    return import_file(tmp_path / name)


def test_exotic(tmp_path: Path) -> None:
    found = imported(tmp_path, "inits.json", json.dumps(EXOTIC))
    files = {path.name: path for path in write_imported(found, tmp_path / "out")}
    settings, planet = read_settings(files["settings.toml"]), read_planet(files["planet.toml"])
    assert settings.site.latitude_deg == pytest.approx(-(31 + 16 / 60 + 24 / 3600))
    assert settings.site.longitude_deg == pytest.approx(149.0697)
    assert settings.camera.mosaic == "GRBG"
    assert settings.camera.colour == "G"
    assert settings.solve.scale_arcsec == 5.2
    assert settings.target.name == "Far-1"
    assert planet.ra_deg == pytest.approx(15 * (2 + 4 / 60 + 10.3 / 3600))
    assert planet.dec_deg == pytest.approx(-(46 + 41 / 60 + 23 / 3600))
    assert (planet.period_days, planet.t0_bjd_tdb) == (2.15, 2455867.4)
    assert planet.parallax_mas == pytest.approx(4.0)
    assert planet.errors == {"period_days": 1.3e-7, "a_over_rs": 0.04, "teff_k": 88.0}
    assert settings.observer.aavso_code == "ABC"
    assert not any("--observer-code" in argument for argument in found.arguments)
    assert "--out /data/out" in found.arguments
    assert "/data/night one" in found.arguments


@pytest.mark.parametrize(
    ("camera", "kind"), [("cmos", "CMOS"), ("DSLR", "DSLR"), ("CCD or DSLR", None)]
)
def test_exotic_s_observer(tmp_path: Path, camera: str, kind: str | None) -> None:
    about = {
        "Camera Type (CCD or DSLR)": camera,
        "Secondary Observer Codes (N/A if none)": "DEF, GHI",
        "Pixel Binning": "2x2",
    }
    text = json.dumps(EXOTIC | {"user_info": EXOTIC["user_info"] | about})
    found = imported(tmp_path, "inits.json", text)
    observer = make_settings(found.settings).observer
    assert observer.camera_kind == kind
    assert observer.secondary_codes == ("DEF", "GHI")
    assert "export --binning 2x2" in found.arguments


def test_a_name_in_place_of_a_planet_file_is_shown_the_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--target"):
        read_any_planet(tmp_path / "HAT-P-32 b")


def test_hops(tmp_path: Path) -> None:
    found = imported(tmp_path, "log.yaml", HOPS)
    files = {path.name: path for path in write_imported(found, tmp_path)}
    settings, planet = read_settings(files["settings.toml"]), read_planet(files["planet.toml"])
    assert settings.camera.saturation_adu == 50000
    assert settings.time.stamp == "end"
    assert settings.time.keyword is None
    assert settings.site.latitude_deg == pytest.approx(40.5)
    assert settings.site.longitude_deg == pytest.approx(-10.25)
    assert settings.stars.max_comparisons == 7
    assert planet.ra_deg == pytest.approx(15 * (10 + 20 / 60 + 30.5 / 3600))
    assert planet.dec_deg == pytest.approx(5 + 6 / 60 + 7 / 3600)
    assert (planet.name, planet.a_over_rs, planet.feh) == ("Near-2b", 9.1, -0.1)
    assert found.arguments == ()  # its prompt is no table


def test_hops_without_a_planet_names_the_target(tmp_path: Path) -> None:
    text = HOPS.replace("Near-2b", "Choose Planet").replace("period: 3.5", "period: 0.0")
    found = imported(tmp_path, "log.yaml", text)
    (path,) = write_imported(found, tmp_path)
    target = read_settings(path).target
    assert (target.name, target.ra, target.dec) == ("Near-2", "10:20:30.5", "+05:06:07")


def test_pipeline(tmp_path: Path) -> None:
    found = imported(tmp_path, "config.txt", PIPELINE)
    (path,) = write_imported(found, tmp_path)
    settings = read_settings(path)
    assert settings.target.name == "WASP-12"
    assert (settings.target.ra, settings.target.dec) == ("06:30:32.8", "+29:40:20.3")
    assert settings.apertures.radii == (12.0,)
    assert found.arguments == ("/data/night", "--out /data/out")


def test_metadata(tmp_path: Path) -> None:
    found = imported(tmp_path, "meta.yaml", METADATA)
    (path,) = write_imported(found, tmp_path)
    settings = read_settings(path)
    assert settings.camera.gain_e_per_adu == 1.245
    assert settings.site.latitude_deg == pytest.approx(-31.273333, abs=1e-6)
    assert (settings.site.longitude_deg, settings.site.height_m) == (149.0697, 1165)
    assert (settings.target.name, settings.target.ra) == ("UDF", "02:04:10")


@pytest.mark.parametrize(
    ("name", "text", "keys"),
    [
        ("inits.json", json.dumps(EXOTIC), 11 + 15 + 3),
        ("log.yaml", HOPS, 23 + 2),  # two places are two values each
        ("config.txt", PIPELINE, 10 + 1),
        ("meta.yaml", METADATA, 7),
    ],
)
def test_no_value_is_passed_over_in_silence(
    tmp_path: Path, name: str, text: str, keys: int
) -> None:
    rows = imported(tmp_path, name, text).rows
    assert len(rows) == keys
    assert all(row.to or row.why for row in rows)


def test_a_value_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    rows = imported(tmp_path, "log.yaml", HOPS.replace("period: 3.5", "period: weekly")).rows
    row = next(row for row in rows if row.key == "period")
    assert not row.to
    assert "weekly" in row.why


@pytest.mark.parametrize(
    "text",
    ["", "{", "just words", "[1, 2]", "a: &a [x]\nb: [*a, *a]", '{"planetary_parameters": 3'],
)
def test_another_file_is_named_as_such(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(InputError, match="none of these"):
        import_file(tmp_path / "file")


@pytest.mark.parametrize("name", ["inits.json", "planet.toml"])
def test_what_is_nested_without_end_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a = " * name.endswith("toml") + '{"a":' * 50_000)
    with pytest.raises(InputError):
        read_any_planet(tmp_path / name)
    (tmp_path / name).write_text("a = " * name.endswith("toml") + "[" * 50_000)
    with pytest.raises(InputError):
        read_any_planet(tmp_path / name)


def test_where_json_breaks_is_told(tmp_path: Path) -> None:
    (tmp_path / "inits.json").write_text('{"user_info": {\n"Typo": 1\n"other": 2}}')
    with pytest.raises(InputError, match=r"line 3, column 1\b"):
        import_file(tmp_path / "inits.json")


def test_a_value_out_of_range_stops(tmp_path: Path) -> None:
    (tmp_path / "log.yaml").write_text(HOPS.replace("+40:30:00", "+140:30:00"))
    with pytest.raises(InputError, match="latitude"):
        import_file(tmp_path / "log.yaml")


def test_planets_of_other_programs_serve_as_planet_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inits, log = tmp_path / "inits.json", tmp_path / "log.yaml"
    inits.write_text(json.dumps(EXOTIC))
    log.write_text(HOPS)
    with caplog.at_level("INFO", logger="lightcurve"):
        far, near = read_any_planet(inits), read_any_planet(log)
        again = read_any_planet(inits)
    assert (far.name, far.rp_over_rs, far.errors["a_over_rs"]) == ("Far-1 b", 0.15, 0.04)
    assert far.dec_deg == pytest.approx(-46.68972, abs=1e-4)
    assert "inits.json" in far.source
    assert (near.name, near.period_days, near.teff_k) == ("Near-2b", 3.5, 5800.0)
    told = [message for message in caplog.messages if message.startswith("inits.json")]
    assert any("period_days 2.15" in message for message in told)
    assert any("BJD_TDB" in message for message in told), "what was assumed"
    assert len(told) == len(set(told)), "told once"
    assert max(map(len, told)) < 200
    assert again == far


def test_find_target_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "inits.json"
    path.write_text(json.dumps(EXOTIC))
    target = find_target(make_settings({"target": {"planet_file": str(path)}}).target)
    assert target.planet is not None
    assert (target.name, target.planet.period_days) == ("Far-1 b", 2.15)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ra,dec\n1,2\n", r"none of these: a planet file \(TOML\), inits\.json"),
        (json.dumps({"planetary_parameters": {"Planet Name": "X"}}), "period_days"),
        ('name = "X"\n', "missing"),
    ],
)
def test_what_is_no_planet_is_told_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "planet.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        read_any_planet(path)
    assert "planet.txt" in str(caught.value)
    assert "\n" not in str(caught.value)
