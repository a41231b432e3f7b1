"""Options and inputs that the single-image story must refuse, or tell apart, in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.coordinates import format_coordinates
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.settings import Settings, make_settings
from lightcurve.image import sources as sources_module
from lightcurve.image.batch import measure_sequence, reduce_images
from lightcurve.image.prepare import calibrate_frame, map_background
from lightcurve.image.sky import wanted_band
from lightcurve.image.sources import (
    choose_apertures,
    detect_sources,
    measure_apertures,
    measure_seeing,
)
from sim_image import offline, small_field


def real_settings(shared_data: Path, **image) -> Settings:
    return make_settings(
        {
            "catalogs": {"files": [str(shared_data / "tycho2-hatp32.fits")], "offline": True},
            "solve": {"index": [str(shared_data / "index-tycho2-hatp32.fits")]},
            "image": {"injected": 0, "transients": False, **image},
        }
    )


def empty_frame(path: Path) -> Path:
    from astropy.io import fits

    noise = np.random.default_rng(1).normal(100, 3, (200, 300)).astype(np.float32)
    fits.writeto(path, noise)
    return path


@pytest.mark.parametrize(
    ("apertures", "option"),
    [({"radii": [500.0]}, "--radius"), ({"annulus": (9.0, 500.0)}, "--annulus")],
    ids=["radius", "annulus"],
)
def test_apertures_larger_than_the_frame_are_refused(
    apertures: dict, option: str, tmp_path: Path
) -> None:
    path = empty_frame(tmp_path / "f.fits")
    with pytest.raises(InputError, match=f"{option}.* 500 px .* the frame is 300 x 200 px"):
        calibrate_frame(path, make_settings({"apertures": apertures}), None)


def test_stars_measured_in_blocks_are_the_same(
    hatp32: list[Path], shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = real_settings(shared_data, psf="none")
    prepared = map_background(calibrate_frame(hatp32[0], settings, None), settings)
    seeing = measure_seeing(prepared)
    found = detect_sources(prepared, seeing, settings.image)
    places = found.x, found.y
    apertures = choose_apertures(seeing.fwhm, settings)
    whole = measure_apertures(prepared, *places, apertures, settings)
    monkeypatch.setattr(sources_module, "BLOCK_PIXELS", 800_000)
    parts = measure_apertures(prepared, *places, apertures, settings)
    assert len(parts.x) == len(whole.x)
    main = apertures.main
    bright = whole.flux[:, main] > 50 * whole.flux_err[:, main]
    np.testing.assert_allclose(parts.sky[:50], whole.sky[:50], rtol=1e-6)
    # The centroid window is of each block's own stars: blends move by a little.
    np.testing.assert_allclose(parts.flux[bright], whole.flux[bright], rtol=0.01)


def test_a_frame_without_stars_says_so(tmp_path: Path) -> None:
    reading = calibrate_frame(empty_frame(tmp_path / "f.fits"), Settings(), None)
    prepared = map_background(reading, Settings())
    assert "no star tells" in " ".join(prepared.notes)
    assert "nan" not in " ".join(prepared.notes)


@pytest.mark.parametrize("sequence", [False, True], ids=["frames", "sequence"])
def test_a_missing_path_costs_its_own_row(tmp_path: Path, *, sequence: bool) -> None:
    job = measure_sequence if sequence else reduce_images
    frame, stars = small_field(tmp_path)
    settings = offline(stars, psf="none", injected=0)
    rows = job([tmp_path / "none.fits", frame], settings, tmp_path / "out")
    assert [row["status"] for row in rows] == ["failed", "reduced"]
    assert rows[0]["file"] == "none.fits"
    assert rows[0]["reason"].startswith("no such file")


def test_the_command_tells_a_missing_path_in_valid_json(tmp_path: Path) -> None:
    run = CliRunner().invoke(
        app, ["image", str(tmp_path / "none.fits"), "-o", str(tmp_path / "o"), "--json"]
    )
    assert run.exit_code == 1
    assert json.loads(run.stdout)[0]["status"] == "failed"


def test_nothing_is_said_to_be_written_where_the_folder_is_a_file(tmp_path: Path) -> None:
    frame = empty_frame(tmp_path / "f.fits")
    out = tmp_path / "afile"
    out.write_text("")
    run = CliRunner().invoke(app, ["image", str(frame), "-o", str(out), "--offline"])
    assert run.exit_code == 1
    assert "Written to" not in run.output


@pytest.mark.parametrize(
    ("catalogs", "image", "told"),
    [
        ({"files": ["STARS"]}, {}, "stars.csv"),
        ({}, {"band": "Q"}, "--band 'Q': there are U, B, V"),
        ({}, {"standards": "simbad"}, "--standards 'simbad'"),
    ],
    ids=["catalog", "band", "standards"],
)
def test_what_would_fail_every_frame_is_refused_at_once(
    catalogs: dict, image: dict, told: str, tmp_path: Path
) -> None:
    stars = tmp_path / "stars.csv"
    stars.write_text("what,ever\n1,2\n")
    files = [str(stars) for _ in catalogs.get("files", ())]
    settings = make_settings({"catalogs": {"files": files, "offline": True}, "image": image})
    with pytest.raises(InputError, match=told):
        reduce_images([empty_frame(tmp_path / "f.fits")], settings, tmp_path / "out")


@pytest.mark.parametrize(("given", "band"), [("V", "V"), ("r'", "rp"), ("BP", "BP")], ids=str)
def test_bands_are_known_by_their_usual_names(given: str, band: str) -> None:
    settings = make_settings({"image": {"band": given}})
    assert wanted_band("CV", settings.image) == (band, "")


def test_messages_of_libraries_do_not_reach_the_terminal() -> None:
    lines = (
        "import logging",
        "from lightcurve.commands.shell import show_messages",
        "show_messages(quiet=False)",
        "logging.getLogger('urllib3.connectionpool').warning('Retrying (Retry(total=2))')",
        "logging.getLogger('lightcurve.image.story').warning('our own')",
    )
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert run.stderr == "our own\n"
    assert not run.stdout


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((31.042825, 46.6878361), "02:04:10.28 +46:41:16.2"),
        ((359.9999999, -0.5), "00:00:00.00 -00:30:00.0"),
    ],
    ids=["usual", "edge"],
)
def test_places_are_written_as_people_do(place: tuple[float, float], text: str) -> None:
    assert format_coordinates(*place) == text


@pytest.mark.parametrize(
    ("target", "told"),
    [({"ra": "10:00:00"}, "both --ra and --dec"), ({"name": "No Such Star"}, "may not be asked")],
    ids=["half a place", "unknown name"],
)
def test_a_target_that_is_nowhere_is_refused_at_once_and_nobody_asked(
    target: dict, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "cache"))
    settings = make_settings({"catalogs": {"offline": True}, "target": target})
    with pytest.raises(LightcurveError, match=told):
        reduce_images([empty_frame(tmp_path / "f.fits")], settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()
