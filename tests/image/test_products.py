"""What one frame gives: files read back, hostile names, bad files, dead services, odd frames."""

from __future__ import annotations

import csv
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.data import Figures
from lightcurve.core.errors import FrameError
from lightcurve.core.progress import Clock
from lightcurve.core.settings import make_settings
from lightcurve.image.batch import reduce_images
from lightcurve.image.figures import write_figures
from lightcurve.image.story import measure_image, reduce_image
from sim_image import Observatory, offline, render_frame, small_field


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small frame and its catalogue, whose names are hostile."""
    folder = tmp_path_factory.mktemp("small")
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    return small_field(folder, star_name=evil)


@pytest.fixture(scope="module")
def written(small: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all that the small frame gave."""
    out = tmp_path_factory.mktemp("written")
    reduce_image(small[0], offline(small[1], injected=100), out)
    return out


def test_every_product_is_written_and_read_back(written: Path) -> None:
    from astropy.io import fits
    from astropy.table import Table

    for name in ("catalog.csv", "catalog.ecsv", "catalog.vot", "matches.csv", "header.txt",
                 "solution.wcs", "background.fits", "psf.fits", "regions.reg", "report.html",
                 "run.log", "summary.json", "transients.csv", "ey.zip"):  # fmt: skip
        assert (written / name).stat().st_size > 50, name
    tables = [Table.read(written / f"catalog.{kind}") for kind in ("ecsv", "vot", "csv")]
    assert len({len(table) for table in tables}) == 1
    assert tables[0].colnames == tables[2].colnames
    assert all(tables[0][name].description for name in tables[0].colnames)
    assert str(tables[0]["ra"].unit) == "deg"
    assert str(tables[0]["psf_mag"].unit) == "mag"
    assert np.allclose(
        np.ma.filled(tables[0]["psf_mag"], np.nan), np.ma.filled(tables[1]["psf_mag"], np.nan),
        equal_nan=True,
    )  # fmt: skip
    with fits.open(written / "psf.fits") as hdus:
        scale = hdus[0].header["OVERSAMP"] ** 2
        middle = hdus[0].data.reshape(-1, *hdus[0].data.shape[-2:])[0]
        assert middle.sum() / scale == pytest.approx(1, abs=3e-3)
        assert np.median(hdus["FWHM"].data) == pytest.approx(3.0, abs=0.1)
        assert np.median(hdus["ELLIP"].data) < 0.03
    with fits.open(written / "background.fits") as hdus:
        assert [hdu.name for hdu in hdus][1:] == ["RMS", "SOURCES"]
    with zipfile.ZipFile(written / "ey.zip") as archive:
        assert "report.html" in archive.namelist()
        assert not any(name.endswith(".fits") for name in archive.namelist())
    figures = {path.name for path in (written / "figures").iterdir()}
    assert {"image.png", "background.png", "fwhm.png", "psf.png", "magnitudes.png",
            "completeness.png", "zero_point_psf.png", "aperture_psf.png"} <= figures  # fmt: skip
    assert json.loads((written / "summary.json").read_text())["zero_point_stars"] > 20


def test_several_processes_draw_what_one_does(
    small: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reduced = measure_image(small[0], offline(small[1], psf="none", injected=0), Clock())
    monkeypatch.setattr("lightcurve.image.figures._of_sources", lambda *_: ())
    alone = write_figures(tmp_path / "alone", reduced)
    monkeypatch.setattr("lightcurve.image.figures.ready_with", lambda *_: 2)
    together = write_figures(tmp_path / "together", reduced)
    assert list(together.values()) == list(alone.values())
    for one, other in zip(alone, together, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_figures_are_drawn_as_wanted(
    small: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = offline(small[1], psf="none", injected=0)
    page, none = (settings.model_copy(update={"figures": Figures(f)}) for f in ("page", "none"))
    reduce_image(small[0], page, tmp_path)
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"background.png", "fwhm.png", "magnitudes.png"} <= drawn
    assert "image.png" not in drawn
    # Without it none could be drawn.
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    reduce_image(small[0], none, tmp_path)
    assert not list(tmp_path.rglob("*.png"))
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_every_product_is_explained(written: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "image.md").read_text()
    for path in written.iterdir():
        assert f"`{path.name.replace('ey.zip', 'NAME.zip')}" in text, path.name


def test_hostile_texts_do_not_leave_their_place(written: Path) -> None:
    page = (written / "report.html").read_text()
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("<script") == 2


def test_the_same_input_gives_the_same_catalogue(
    small: tuple[Path, Path], written: Path, tmp_path: Path
) -> None:
    reduce_image(small[0], offline(small[1], injected=100), tmp_path)
    for name in ("catalog.csv", "summary.json", "report.html"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_one_bad_file_costs_itself_alone(small: tuple[Path, Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"not a FITS file")
    settings = offline(small[1], psf="none", injected=0, figures="none")
    rows = reduce_images([bad, small[0], small[0]], settings, tmp_path / "out")
    assert [row["status"] for row in rows] == ["failed", "reduced", "reduced"]
    assert "not a FITS file" in rows[0]["reason"]
    assert (tmp_path / "out" / "ey_2" / "catalog.csv").exists()
    rows = reduce_images([tmp_path / "nowhere"], settings, tmp_path / "out")
    assert "no such file" in rows[0]["reason"]


def test_the_command_tells_failures_by_its_status(small: tuple[Path, Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"not a FITS file")
    arguments = ["--offline", "--catalog", str(small[1]), "--out", str(tmp_path), "--sequence"]
    arguments += ["--figures", "none"]
    result = CliRunner().invoke(app, ["image", str(bad), str(small[0]), *arguments, "--json"])
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert rows[0]["quality"] == "failed"
    assert rows[1]["zero_point_stars"] > 20
    assert CliRunner().invoke(app, ["image", str(small[0]), *arguments]).exit_code == 0
    with (tmp_path / "sequence.csv").open() as file:
        row = next(csv.DictReader(file))
    assert row["quality"] == "good"
    assert float(row["fwhm_arcsec"]) == pytest.approx(3.0, abs=0.05)


def test_without_any_catalogue_magnitudes_are_instrumental(small: tuple[Path, Path]) -> None:
    reduced = measure_image(small[0], offline(psf="none"), Clock())
    assert reduced.calibrated.aperture.zero_point is None
    assert np.isnan(reduced.calibrated.aperture.mag).all()
    assert np.isfinite(reduced.calibrated.aperture.inst).any()
    assert any("no catalogue with magnitudes" in note for note in reduced.notes)


def test_dead_services_cost_their_own_columns_alone(
    small: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightcurve.catalogs.services import server_names

    monkeypatch.setenv("ASTROCOLIBRI_API", "a-secret-key")
    closed = "http://127.0.0.1:9"
    settings = make_settings(
        {
            "catalogs": {
                "files": [str(small[1])],
                "timeout_s": 60.0,
                "servers": dict.fromkeys(server_names(), closed),
            },
            "image": {"psf": "none", "injected": 0},
        }
    )
    reduced = measure_image(small[0], settings, Clock())
    status = {report.name: report.status for report in reduced.known.reports}
    asked = ("gaia", "simbad", "vsx", "skybot", "milliquas", "colibri", "tenparsec")
    assert status == {"file": "ok", **dict.fromkeys(asked, "failed")}
    names = reduced.table.colnames
    assert "file_id" in names
    assert not [name for name in names if name.startswith(tuple(f"{one}_" for one in asked))]
    assert reduced.calibrated.aperture.zero_point is not None
    assert len(reduced.notes) > 3
    assert not any("a-secret-key" in str(report) for report in reduced.known.reports)


@pytest.mark.parametrize("n_stars", [0, 1, 2, 5])
def test_a_frame_of_few_stars_is_reduced_all_the_same(n_stars: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(n_stars)
    ra = 100.0 + np.array([-40, 45, -5, 60, -70])[:n_stars] / 3600
    dec = 20.0 + np.array([-60, 30, 5, -50, 70])[:n_stars] / 3600
    site = Observatory(shape=(240, 240))
    mag = rng.uniform(14, 16, n_stars)
    truth = render_frame(tmp_path / "few.fits", ra, dec, mag, site, center=(100.0, 20.0))
    reduced = measure_image(truth.path, offline(), Clock())
    assert n_stars <= len(reduced.sources) <= n_stars + 1
    if n_stars:
        assert reduced.sources.psf is not None
        assert reduced.sources.psf.kind == "moffat"
        assert any("analytic" in note for note in reduced.notes)


def test_half_a_frame_without_values_leaves_the_other_half(
    small: tuple[Path, Path], tmp_path: Path
) -> None:
    from astropy.io import fits

    with fits.open(small[0]) as hdus:
        pixels, header = hdus[0].data.astype(np.float32), hdus[0].header
    for name in ("BZERO", "BSCALE"):
        header.remove(name, ignore_missing=True)
    whole = measure_image(small[0], offline(small[1], psf="none", injected=0), Clock())
    pixels[:, :120] = np.nan
    fits.writeto(tmp_path / "half.fits", pixels, header)
    half = measure_image(tmp_path / "half.fits", offline(small[1], psf="none", injected=0), Clock())
    right = (whole.sources.phot.x > 140).sum()
    assert abs((half.sources.phot.x > 140).sum() - right) <= 1
    pixels[:] = np.nan
    fits.writeto(tmp_path / "none.fits", pixels, header)
    with pytest.raises(FrameError, match="no pixel has a value"):
        measure_image(tmp_path / "none.fits", offline(), Clock())


def test_masters_are_applied_and_trails_and_borders_marked(tmp_path: Path) -> None:
    from lightcurve.core.flags import PixelFlag
    from lightcurve.core.settings import Settings
    from lightcurve.night.calibrate import calibrate_folder
    from sim import tiny_night

    lights, _ = tiny_night(
        tmp_path / "night", n_frames=1, shape=(300, 320), n_stars=40, trail_frames=(0,),
        n_bias=3, n_dark=3, n_flat=3, header_wcs=True, n_dead_columns=1,
    )  # fmt: skip
    calibrate_folder(tmp_path / "night", Settings(), tmp_path / "calibrated")
    masters = tmp_path / "calibrated" / "masters"
    settings = offline(psf="none", injected=0, masters=masters, border_px=8, cosmic_rays="yes")
    reduced = measure_image(lights[0], settings, Clock())
    frame = reduced.prepared.frame
    assert any("master flat" in line for line in frame.history)
    assert not any("not calibrated" in note for note in reduced.notes)
    for flag in (PixelFlag.TRAIL, PixelFlag.BORDER, PixelFlag.COSMIC_RAY):
        assert (frame.bad & flag).any()
    assert (frame.bad & PixelFlag.BORDER)[:8].all()
    x, y = (np.rint(v).astype(int) for v in (reduced.sources.phot.x, reduced.sources.phot.y))
    assert ((frame.bad[y, x] & PixelFlag.TRAIL) == 0).mean() > 0.95


def test_a_master_flat_takes_known_vignetting_out(tmp_path: Path) -> None:
    """Of a lens that loses 45 % of the light in the corners, seen by stars all over the frame."""
    from lightcurve.core.settings import Settings
    from lightcurve.night.calibrate import calibrate_folder
    from sim import tiny_night

    lost, ny, nx = 0.45, 300, 320
    lights, _ = tiny_night(
        tmp_path / "night", n_frames=1, shape=(ny, nx), n_stars=60, vignetting=lost, n_dust=0,
        response_rms=0.0, n_bias=5, n_dark=5, n_flat=5, header_wcs=True, n_dead_columns=0,
    )  # fmt: skip
    calibrate_folder(tmp_path / "night", Settings(), tmp_path / "calibrated")
    masters = tmp_path / "calibrated" / "masters"
    raw, flat = (
        measure_image(lights[0], offline(psf="none", injected=0, **given), Clock())
        for given in ({}, {"masters": masters})
    )
    apart = np.hypot(
        *(np.subtract.outer(getattr(flat.sources.phot, k), getattr(raw.sources.phot, k))
          for k in "xy")
    )  # fmt: skip
    row = apart.argmin(axis=1)
    same = (apart.min(axis=1) < 0.3) & (flat.sources.snr > 100) & (flat.sources.flags == 0)
    assert same.sum() > 25
    x, y = (getattr(flat.sources.phot, k)[same] for k in "xy")
    kept = 1 - lost * _corner_share(x, y, (ny, nx))
    inst = [flat.calibrated.aperture.inst[same], raw.calibrated.aperture.inst[row[same]]]
    gained = 10 ** (-0.4 * (inst[0] - inst[1])) * kept
    assert np.ptp(kept) > 0.25
    # Neighbours and pixels that only the masters mark spoil a few stars.
    off = np.abs(gained / np.median(gained) - 1)
    assert np.median(off) < 0.01
    assert np.percentile(off, 80) < 0.03
    # The sky, vignetted in the raw frame, becomes flat.
    level = flat.prepared.background.level
    assert np.ptp(level[20:-20, 20:-20]) < 0.05 * np.median(level)


def _corner_share(x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Squared distance from the middle, 1 in the corners."""
    ny, nx = shape
    middle = (nx - 1) / 2, (ny - 1) / 2
    return ((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (middle[0] ** 2 + middle[1] ** 2)
