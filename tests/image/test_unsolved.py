"""A frame that no solver can place: all that needs no sky is measured, and it says so."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.progress import Clock
from lightcurve.core.settings import Settings, make_settings
from lightcurve.image.batch import measure_sequence, reduce_images
from lightcurve.image.reduced import Reduced, summarise
from lightcurve.image.story import measure_image, reduce_image
from sim_image import Observatory, offline, render_frame

SITE = Observatory(shape=(300, 300))
CENTER = (100.0, 20.0)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same pixels with a WCS, without one, one that is off, a wrong one; and the stars."""
    from astropy.io import fits

    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(5)
    dec = CENTER[1] + rng.uniform(-130, 130, 60) / 3600
    ra = CENTER[0] + rng.uniform(-130, 130, 60) / 3600 / np.cos(np.radians(20.0))
    mag = rng.uniform(13.5, 17, 60)
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars = folder / "stars.csv"
    stars.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    paths = {name: folder / f"{name}.fits" for name in ("solved", "nowhere", "off", "wrong")}
    for name, path in paths.items():
        render_frame(path, ra, dec, mag, SITE, center=CENTER, header_wcs=name != "nowhere")
    with fits.open(paths["off"], mode="update") as hdus:
        hdus[0].header["CRPIX1"] += 48
        hdus[0].header["CRPIX2"] -= 36
    with fits.open(paths["wrong"], mode="update") as hdus:
        hdus[0].header["CDELT1"] *= 1.8
        hdus[0].header["CDELT2"] *= 1.8
    return {**paths, "stars": stars}


def alone(stars: Path, **image: object) -> Settings:
    """Nobody to ask and no index file on this computer."""
    return make_settings(
        {
            "catalogs": {"files": [str(stars)], "offline": True},
            "solve": {"solvers": ["header"]},
            "image": image,
        }
    )


@pytest.fixture(scope="module")
def pair(frames: dict[str, Path]) -> tuple[Reduced, Reduced]:
    settings = alone(frames["stars"], injected=100)
    return tuple(measure_image(frames[n], settings, Clock()) for n in ("solved", "nowhere"))


def test_the_same_is_measured_as_on_the_solved_frame(pair: tuple[Reduced, Reduced]) -> None:
    solved, nowhere = pair
    assert len(nowhere.sources) == len(solved.sources) > 50
    np.testing.assert_array_equal(nowhere.table["x"], solved.table["x"])
    for one, other in zip(nowhere.calibrated.kinds, solved.calibrated.kinds, strict=True):
        np.testing.assert_array_equal(one.inst, other.inst)
        assert one.zero_point is None
        assert np.isnan(one.mag).all()
    assert nowhere.sources.psf is not None
    assert nowhere.sources.psf.kind == solved.sources.psf.kind


def test_limits_are_instrumental(pair: tuple[Reduced, Reduced]) -> None:
    of_solved, of_nowhere = (summarise(reduced) for reduced in pair)
    for snr in (3, 5, 10):
        name = f"limit_{snr}_sigma"
        assert np.isnan(of_nowhere[f"{name}_mag"])
        expected = of_solved[f"{name}_mag"] - of_solved["zero_point_mag"]
        assert of_nowhere[f"{name}_inst_mag"] == pytest.approx(expected, abs=1e-9)
    found = pair[1].calibrated.completeness
    assert found is not None
    limit = of_nowhere["limit_5_sigma_inst_mag"]
    assert found.found[found.mag < limit - 1].mean() > 0.8


def test_it_says_why_and_that_nothing_of_the_sky_is_known(pair: tuple[Reduced, Reduced]) -> None:
    summary = summarise(pair[1])
    assert summary["status"] == "not solved"
    assert summary["reason"] == "header: the header has no WCS"
    assert np.isnan(summary["ra_deg"])
    assert summary["zero_point_mag"] is None
    assert np.isnan(pair[1].table["ra"]).all()
    assert any("magnitudes and limits are instrumental" in note for note in pair[1].notes)
    assert "not solved" in pair[1].transients.note


def test_every_product_without_a_sky_is_written(frames: dict[str, Path], tmp_path: Path) -> None:
    from astropy.io import fits
    from astropy.table import Table

    reduce_image(frames["nowhere"], alone(frames["stars"], injected=50), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"catalog.csv", "catalog.ecsv", "catalog.vot", "header.txt", "background.fits",
            "calibrated.fits", "psf.fits", "residual.fits", "regions.reg", "report.html",
            "run.log", "summary.json", "nowhere.zip"} <= names  # fmt: skip
    assert not {"matches.csv", "solution.wcs"} & names
    with zipfile.ZipFile(tmp_path / "nowhere.zip") as archive:
        assert {"report.html", "catalog.csv", "regions.reg"} <= set(archive.namelist())
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {"image.png", "background.png", "fwhm.png", "psf.png", "magnitudes.png",
                       "aperture_psf.png", "completeness.png"}  # fmt: skip
    table = Table.read(tmp_path / "catalog.ecsv")
    lines = (tmp_path / "regions.reg").read_text().splitlines()
    assert lines[2] == "image"
    # DS9 counts pixels from 1.
    first = [float(v) for v in lines[3].partition("(")[2].partition(")")[0].split(",")]
    assert first[:2] == pytest.approx([table["x"][0] + 1, table["y"][0] + 1], abs=1e-3)
    assert "NaN" in table["ra"].description
    assert fits.getheader(tmp_path / "calibrated.fits").get("CTYPE1") is None
    assert "not solved" in (tmp_path / "run.log").read_text()
    page = (tmp_path / "report.html").read_text()
    assert "Not solved" in page
    assert "simbad" not in page.split('<script type="application/json"')[0].lower()
    json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)


def test_a_wcs_that_is_off_is_put_right_by_the_catalogue(frames: dict[str, Path]) -> None:
    settings = alone(frames["stars"], psf="none", injected=0)
    reduced, right = (measure_image(frames[n], settings, Clock()) for n in ("off", "solved"))
    (note,) = (note for note in reduced.notes if "px off" in note)
    told = float(note.split(" was ")[1].split(" px")[0])
    # The header's own error, which is random, is a part of it.
    assert told == pytest.approx(60, abs=SITE.wcs_error_px + 0.2)
    assert summarise(reduced)["status"] == "reduced"
    apart = np.hypot(
        (reduced.placed.ra_deg - right.placed.ra_deg) * np.cos(np.radians(CENTER[1])),
        reduced.placed.dec_deg - right.placed.dec_deg,
    )
    assert apart.max() * 3600 < 0.05
    assert reduced.calibrated.aperture.zero_point.value == pytest.approx(
        right.calibrated.aperture.zero_point.value, abs=1e-3
    )


def test_a_wcs_that_the_catalogue_refutes_places_nothing(frames: dict[str, Path]) -> None:
    settings = alone(frames["stars"], psf="none", injected=0)
    reduced = measure_image(frames["wrong"], settings, Clock())
    assert reduced.placed.solution is None
    assert "header: its WCS puts" in reduced.placed.unsolved


def test_a_refuted_wcs_lets_the_solvers_after_it_try(
    frames: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from lightcurve.astrometry.chain import SOLVERS
    from lightcurve.astrometry.header_wcs import solve_header
    from lightcurve.simulate.sky import frame_wcs

    def right(request, settings):
        ny, nx = request.shape
        wcs = frame_wcs(CENTER, ((nx - 1) / 2 + 1, (ny - 1) / 2), SITE.scale, SITE.rotation)
        found = solve_header(replace(request, header=wcs.to_header()), settings)
        return replace(found, solver="local")

    monkeypatch.setitem(SOLVERS.entries, "local", replace(SOLVERS.get("local"), solve=right))
    settings = make_settings(
        {
            "catalogs": {"files": [str(frames["stars"])], "offline": True},
            "solve": {"solvers": ["header", "local"]},
            "image": {"psf": "none", "injected": 0},
        }
    )
    reduced = measure_image(frames["wrong"], settings, Clock())
    assert reduced.placed.solution is not None
    assert reduced.placed.solution.solver == "local"
    assert reduced.placed.solution.n_matched > 40
    assert reduced.calibrated.aperture.zero_point is not None


def test_the_others_go_on_and_the_row_is_flagged(frames: dict[str, Path], tmp_path: Path) -> None:
    settings = alone(frames["stars"], psf="none", injected=0)
    paths = [frames["nowhere"], frames["solved"]]
    rows = reduce_images(paths, settings, tmp_path / "frames")
    assert [row["status"] for row in rows] == ["not solved", "reduced"]
    rows = measure_sequence(paths, settings, tmp_path / "sequence")
    assert [row["status"] for row in rows] == ["not solved", "reduced"]
    assert "not solved" in rows[0]["quality"]
    assert rows[0]["fwhm_px"] == pytest.approx(rows[1]["fwhm_px"], abs=1e-9)
    with (tmp_path / "sequence" / "sequence.csv").open() as file:
        row = next(csv.DictReader(file))
    assert row["status"] == "not solved"
    assert row["zero_point_mag"] == ""
    assert float(row["limit_5_sigma_inst_mag"]) < 0


@pytest.mark.parametrize("extra", [[], ["--sequence"]], ids=["frame", "sequence"])
def test_the_command_fails_with_one_line_and_its_products(
    extra: list[str], frames: dict[str, Path], tmp_path: Path
) -> None:
    arguments = ["--offline", "--solver", "header", "--inject", "0", "--psf", "none"]
    run = CliRunner().invoke(
        app, ["image", str(frames["nowhere"]), *arguments, "-o", str(tmp_path), "--json", *extra]
    )
    assert run.exit_code == 1
    row = json.loads(run.stdout)[0]
    assert (row["status"], row["reason"]) == ("not solved", "header: the header has no WCS")
    assert "nowhere.fits: not solved: header: the header has no WCS\n" in run.stderr
    table = CliRunner().invoke(
        app, ["image", str(frames["nowhere"]), *arguments, "-o", str(tmp_path), *extra]
    )
    assert table.exit_code == 1
    assert "not solved" in table.stdout
    assert "nan" not in table.stdout
    assert "Written to" in table.stdout


def test_airmass_and_scale_are_those_of_the_header(frames: dict[str, Path], tmp_path: Path) -> None:
    from astropy.io import fits

    path = tmp_path / "pointed.fits"
    with fits.open(frames["nowhere"]) as hdus:
        header = hdus[0].header
        header["RA"], header["DEC"] = 270.0, 20.0
        header["PIXSCALE"] = 1.02
        hdus.writeto(path)
    settings = offline(psf="none", injected=0)
    settings = settings.model_copy(
        update={"solve": settings.solve.model_copy(update={"solvers": ("header",)})}
    )
    reduced = measure_image(path, settings, Clock())
    assert reduced.placed.solution is None
    # By the sidereal time of Greenwich and the plain secant.
    mid = 2457205.875 + 150 / 86400
    hour = np.radians(280.46062 + 360.98564737 * (mid - 2451545) - 111.5 - 270.0)
    latitude, dec = np.radians([35.0, 20.0])
    height = np.sin(latitude) * np.sin(dec) + np.cos(latitude) * np.cos(dec) * np.cos(hour)
    assert reduced.calibrated.airmass == pytest.approx(1 / height, rel=0.01)
    summary = summarise(reduced)
    assert summary["scale_arcsec"] == 1.02
    assert summary["fwhm_arcsec"] == pytest.approx(1.02 * summary["fwhm_px"])
