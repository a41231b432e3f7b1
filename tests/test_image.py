"""The single-image story: a frame rendered from the real EY UMa catalogue, and a real frame."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sim_image import Observatory, Rendered, enclosed_share, ey_uma_frame, render_frame
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.clock import Clock
from lightcurve.config import Settings, make_settings
from lightcurve.errors import InputError
from lightcurve.flags import Flag
from lightcurve.image import measure_image, reduce_image, reduce_images
from lightcurve.image_stages.place import positions
from lightcurve.image_stages.reduced import Reduced

SITE = Observatory(shape=(830, 830), scale=1.5)


@dataclass(frozen=True)
class Case:
    """A rendered frame, what came of it, and which source is which star (-1: none)."""

    truth: Rendered
    reduced: Reduced
    source: np.ndarray
    isolated: np.ndarray
    snr: np.ndarray


def offline(*catalogs: Path, **image: object) -> Settings:
    return make_settings(
        {"catalogs": {"files": [str(c) for c in catalogs], "offline": True}, "image": image}
    )


def matched(truth: Rendered, reduced: Reduced) -> Case:
    from scipy.spatial import cKDTree

    xy = np.column_stack([truth.x, truth.y])
    x, y, _ = positions(reduced.sources)
    distance, source = cKDTree(np.column_stack([x, y])).query(xy)
    apart = cKDTree(xy).query(xy, k=2)[0][:, 1]
    apertures = reduced.sources.apertures
    radius = apertures.radii[apertures.main]
    light = truth.flux * enclosed_share(truth.site, radius)
    area = np.pi * radius**2
    site = truth.site
    sky = (site.sky * site.exposure + site.read_noise**2) / site.gain**2
    snr = light / np.sqrt(area * sky + light / site.gain)
    isolated = (apart > 5 * site.fwhm) & truth.on_frame(15)
    return Case(truth, reduced, np.where(distance < 2, source, -1), isolated, snr)


@pytest.fixture(scope="module")
def catalog(shared_data: Path) -> Path:
    return shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"


@pytest.fixture(scope="module")
def cases(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """The same field with three draws of the noise."""
    folder = tmp_path_factory.mktemp("ey")
    found = []
    for seed in (1, 2, 3):
        truth = ey_uma_frame(folder / f"ey{seed}.fits", catalog, SITE, seed=seed)
        found.append(matched(truth, measure_image(truth.path, offline(catalog), Clock())))
    return found


@pytest.fixture(scope="module")
def case(cases: list[Case]) -> Case:
    return cases[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small frame and its catalogue, whose names are hostile."""
    folder = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(5)
    dec = 20.0 + rng.uniform(-100, 100, 40) / 3600
    ra = 100.0 + rng.uniform(-100, 100, 40) / 3600 / np.cos(np.radians(20.0))
    mag = rng.uniform(13.5, 17, 40)
    site = Observatory(shape=(240, 240))
    truth = render_frame(folder / "ey.fits", ra, dec, mag, site, center=(100.0, 20.0))
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    lines = [f"{r:.8f},{d:.8f},{m:.4f},{evil}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars = folder / "stars.csv"
    stars.write_text("\n".join(["ra,dec,rmag,Name", *lines]) + "\n")
    return truth.path, stars


@pytest.fixture(scope="module")
def written(small: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all that the small frame gave."""
    out = tmp_path_factory.mktemp("written")
    reduce_image(small[0], offline(small[1], injected=100), out)
    return out


def good(case: Case) -> np.ndarray:
    """Isolated, found, unsaturated stars above 10 sigma."""
    flags = case.reduced.sources.flags[case.source]
    return case.isolated & (case.snr > 10) & (case.source >= 0) & ((flags & Flag.SATURATED) == 0)


def test_isolated_stars_above_ten_sigma_are_found(cases: list[Case]) -> None:
    for case in cases:
        wanted = case.isolated & (case.snr > 10)
        assert wanted.sum() > 100
        assert (case.source[wanted] < 0).sum() <= 2


def test_few_sources_are_none(case: Case) -> None:
    from scipy.spatial import cKDTree

    x, y, _ = positions(case.reduced.sources)
    tree = cKDTree(np.column_stack([case.truth.x, case.truth.y]))
    assert (tree.query(np.column_stack([x, y]))[0] > 3).sum() <= 3


def test_places_are_right_to_a_tenth_of_a_pixel(case: Case) -> None:
    chosen = good(case)
    rows = case.source[chosen]
    placed, truth = case.reduced.placed, case.truth
    d_ra = (placed.ra_deg[rows] - truth.ra[chosen]) * np.cos(np.radians(truth.dec[chosen]))
    d_dec = placed.dec_deg[rows] - truth.dec[chosen]
    for offset in (d_ra, d_dec):
        assert np.sqrt(np.mean(offset**2)) * 3600 / truth.site.scale < 0.1
    assert placed.solution.rms_arcsec / placed.solution.scale_arcsec < 0.1


def test_zero_points_are_right_to_a_hundredth(case: Case) -> None:
    site, apertures = case.truth.site, case.reduced.sources.apertures
    for kind, radius in zip(case.reduced.calibrated.kinds, [*apertures.radii, None], strict=True):
        share = 1.0 if radius is None else enclosed_share(site, radius)
        true = site.zero_point_adu + 2.5 * np.log10(share)
        assert kind.zero_point is not None
        assert kind.zero_point.value == pytest.approx(true, abs=0.01)
        assert kind.zero_point.n_used > 80


def test_magnitudes_have_honest_errors_in_apertures_and_by_the_psf(cases: list[Case]) -> None:
    for which in ("aperture", "psf"):
        pulls = []
        for case in cases:
            chosen = good(case)
            rows, kind = case.source[chosen], getattr(case.reduced.calibrated, which)
            pulls.append((kind.mag[rows] - case.truth.mag[chosen]) / kind.err[rows])
        pull = np.concatenate(pulls)
        pull = pull[np.isfinite(pull)]
        assert len(pull) > 280
        assert 0.9 < np.std(pull) < 1.2
        assert abs(np.mean(pull)) < 0.3


def test_the_measured_limit_is_where_stars_put_in_have_that_ratio(case: Case) -> None:
    calibrated = case.reduced.calibrated
    limits = {one.snr: one.measured for one in calibrated.limits.limits}
    found = calibrated.completeness
    assert found is not None
    assert found.magnitude_of_snr(5.0) == pytest.approx(limits[5.0], abs=0.1)
    mag, share, _ = found.curve()
    assert share[mag < limits[10.0]].min() > 0.9
    assert share[-1] < 0.2
    assert limits[10.0] < found.magnitude_at(0.5) < limits[3.0] + 0.3


def test_pairs_are_told_apart_better_by_the_psf(catalog: Path, tmp_path: Path) -> None:
    site = Observatory(shape=(700, 700))
    rng = np.random.default_rng(3)
    gx, gy = np.meshgrid(np.arange(-310, 320, 36), np.arange(-310, 320, 36))
    n = gx.size
    paired = np.arange(n) % 3 == 0
    angle, apart = rng.uniform(0, 2 * np.pi, n), rng.uniform(1.2, 1.9, n) * site.fwhm
    east, north = gx.ravel() + rng.uniform(-3, 3, n), gy.ravel() + rng.uniform(-3, 3, n)
    east = np.append(east, (east + apart * np.cos(angle))[paired]) * site.scale / 3600
    north = np.append(north, (north + apart * np.sin(angle))[paired]) * site.scale / 3600
    dec = 20.0 + north
    ra = 100.0 + east / np.cos(np.radians(dec))
    mag = rng.uniform(14, 17, n)
    mag = np.append(mag, mag[paired] + rng.uniform(0, 1.5, paired.sum()))
    truth = render_frame(tmp_path / "pairs.fits", ra, dec, mag, site, center=(100.0, 20.0))
    stars = tmp_path / "stars.csv"
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    reduced = measure_image(truth.path, offline(stars, injected=0), Clock())
    case = matched(truth, reduced)
    close = np.concatenate([np.flatnonzero(paired), np.arange(n, len(mag))])
    close = close[truth.on_frame(15)[close]]
    assert (case.source[close] >= 0).mean() > 0.95
    close = close[case.source[close] >= 0]
    rows = case.source[close]
    off = {
        kind.name: np.abs(kind.mag[rows] - mag[close])
        for kind in (reduced.calibrated.aperture, reduced.calibrated.psf)
    }
    medians = [float(np.nanmedian(values)) for values in off.values()]
    assert medians[1] < 0.02
    assert medians[1] < 0.2 * medians[0]


def test_a_new_star_is_the_only_candidate(catalog: Path, tmp_path: Path) -> None:
    from astropy.table import Table

    truth = ey_uma_frame(tmp_path / "new.fits", catalog, SITE)
    table = Table.read(catalog)
    mag = np.asarray(table["rmag"], dtype=float)
    alone = np.flatnonzero((mag > 15) & (mag < 16.5) & truth.on_frame(60))
    xy = np.column_stack([truth.x, truth.y])
    apart = [np.sort(np.hypot(*(xy - xy[k]).T))[1] for k in alone]
    new = int(alone[int(np.argmax(apart))])
    table.remove_row(new)
    table.write(tmp_path / "without.ecsv")
    reduced = measure_image(truth.path, offline(tmp_path / "without.ecsv", injected=0), Clock())
    candidates = reduced.transients.candidates
    assert len(candidates) == 1
    row = candidates[0].row
    assert (
        np.hypot(
            reduced.sources.phot.x[row] - truth.x[new], reduced.sources.phot.y[row] - truth.y[new]
        )
        < 1
    )
    assert "no star there" in candidates[0].reason
    assert reduced.transients.vetoes["a catalogued star"] > 50


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
        assert hdus[0].data.sum() / scale == pytest.approx(1, abs=1e-3)
    with fits.open(written / "background.fits") as hdus:
        assert [hdu.name for hdu in hdus][1:] == ["RMS", "SOURCES"]
    with zipfile.ZipFile(written / "ey.zip") as archive:
        assert "report.html" in archive.namelist()
        assert not any(name.endswith(".fits") for name in archive.namelist())
    figures = {path.name for path in (written / "figures").iterdir()}
    assert {"image.png", "background.png", "fwhm.png", "psf.png", "magnitudes.png",
            "completeness.png", "zero_point_psf.png", "aperture_psf.png"} <= figures  # fmt: skip
    assert json.loads((written / "summary.json").read_text())["zero_point_stars"] > 20


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
    settings = offline(small[1], psf="none", injected=0)
    rows = reduce_images([bad, small[0], small[0]], settings, tmp_path / "out")
    assert [row["status"] for row in rows] == ["failed", "reduced", "reduced"]
    assert "not a FITS file" in rows[0]["reason"]
    assert (tmp_path / "out" / "ey_2" / "catalog.csv").exists()
    with pytest.raises(InputError, match="no such file"):
        reduce_images([tmp_path / "nowhere"], settings, tmp_path / "out")


def test_the_command_tells_failures_by_its_status(small: tuple[Path, Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"not a FITS file")
    arguments = ["--offline", "--catalog", str(small[1]), "--out", str(tmp_path), "--sequence"]
    result = CliRunner().invoke(app, ["image", str(bad), str(small[0]), *arguments, "--json"])
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert rows[0]["quality"] == "failed"
    assert rows[1]["zero_point_stars"] > 20
    assert CliRunner().invoke(app, ["image", str(small[0]), *arguments]).exit_code == 0
    with (tmp_path / "sequence.csv").open() as file:
        row = next(csv.DictReader(file))
    assert row["quality"] == "good"
    assert float(row["fwhm_arcsec"]) == pytest.approx(3.46, abs=0.1)


def test_without_any_catalogue_magnitudes_are_instrumental(small: tuple[Path, Path]) -> None:
    reduced = measure_image(small[0], offline(psf="none"), Clock())
    assert reduced.calibrated.aperture.zero_point is None
    assert np.isnan(reduced.calibrated.aperture.mag).all()
    assert np.isfinite(reduced.calibrated.aperture.inst).any()
    assert any("no catalogue with magnitudes" in note for note in reduced.notes)


def test_dead_services_cost_their_own_columns_alone(
    small: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightcurve.catalogs.servers import SERVERS

    monkeypatch.setenv("ASTROCOLIBRI_API", "a-secret-key")
    closed = "http://127.0.0.1:9"
    settings = make_settings(
        {
            "catalogs": {
                "files": [str(small[1])],
                "timeout_s": 5.0,
                "servers": dict.fromkeys(SERVERS, closed),
            },
            "image": {"psf": "none", "injected": 0},
        }
    )
    reduced = measure_image(small[0], settings, Clock())
    status = {report.name: report.status for report in reduced.known.reports}
    assert status.pop("file") == "ok"
    assert set(status.values()) <= {"failed", "skipped"}
    assert "failed" in status.values()
    assert reduced.calibrated.aperture.zero_point is not None
    assert len(reduced.notes) > 3
    assert not any("a-secret-key" in str(report) for report in reduced.known.reports)


def test_a_real_frame_has_its_stars_matched(
    hatp32: list[Path], shared_data: Path, tmp_path: Path
) -> None:
    settings = make_settings(
        {
            "catalogs": {"files": [str(shared_data / "tycho2-hatp32.fits")], "offline": True},
            "solve": {"index": [str(shared_data / "index-tycho2-hatp32.fits")]},
            "target": {"ra": "02:04:10.278", "dec": "+46:41:16.21"},
            "image": {"psf": "single", "injected": 0},
        }
    )
    reduced = measure_image(hatp32[0], settings, Clock())
    solution = reduced.placed.solution
    assert solution.n_matched >= 30
    assert solution.rms_arcsec / solution.scale_arcsec < 0.2
    assert reduced.calibrated.aperture.zero_point is not None
