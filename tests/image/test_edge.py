"""Odd frames through the command: each ends with a result or with one line that says why not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from lightcurve.cli import app
from sim_image import Observatory, render_frame

N_STARS = 40
SITE = Observatory(shape=(240, 240))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small frame of known stars."""
    rng = np.random.default_rng(5)
    dec = 20.0 + rng.uniform(-100, 100, N_STARS) / 3600
    ra = 100.0 + rng.uniform(-100, 100, N_STARS) / 3600 / np.cos(np.radians(20.0))
    path = tmp_path_factory.mktemp("edge") / "ey.fits"
    render_frame(path, ra, dec, rng.uniform(13.5, 17, N_STARS), SITE, center=(100.0, 20.0))
    return path


def reduce(path: Path) -> tuple[Result, dict]:
    """Run the command with nobody to ask, and without what takes long."""
    arguments = ["--offline", "--solver", "header", "--inject", "0", "--psf", "none", "--json"]
    run = CliRunner().invoke(app, ["image", str(path), *arguments, "-o", str(path.parent)])
    assert run.exception is None or isinstance(run.exception, SystemExit)
    (row,) = json.loads(run.stdout)
    assert "\n" not in row["reason"]
    return run, row


def changed(rendered: Path, path: Path, change) -> Path:
    """Write the frame with other pixels, as they are, and the same header."""
    from astropy.io import fits

    with fits.open(rendered) as hdus:
        pixels, header = hdus[0].data.astype(float), hdus[0].header
    for name in ("BZERO", "BSCALE"):
        header.remove(name, ignore_missing=True)
    fits.writeto(path, change(pixels), header)
    return path


SEEN = {
    "cube": lambda p: np.stack([0.8 * p, p, 0.6 * p]).astype(np.uint16),
    "colour last": lambda p: np.stack([0.8 * p, p, 0.6 * p], axis=-1).astype(np.uint16),
    "int32": lambda p: p.astype(np.int32),
    "negative int32": lambda p: (p - 5000).astype(np.int32),
    "float64": lambda p: p,
    "sky taken off": lambda p: (p - np.median(p)).astype(np.float32),
    "fractions": lambda p: (p / 65535).astype(np.float32),
}


@pytest.mark.parametrize("kind", SEEN)
def test_the_same_stars_are_found_however_pixels_are_kept(
    kind: str, rendered: Path, tmp_path: Path
) -> None:
    _, plain = reduce(rendered)
    run, row = reduce(changed(rendered, tmp_path / "odd.fits", SEEN[kind]))
    assert run.exit_code == 0
    assert row["status"] == "reduced"
    assert row["sources"] == pytest.approx(plain["sources"], abs=1)
    assert row["fwhm_px"] == pytest.approx(plain["fwhm_px"], rel=0.005)
    limit = "limit_5_sigma_inst_mag"
    assert row[limit] == pytest.approx(plain[limit], abs=0.02)


UNSEEN = {
    "all NaN": (lambda p: np.full_like(p, np.nan), "no pixel has a value"),
    "constant": (lambda p: np.full_like(p, 1000), "every pixel has the value 1000"),
    "zeros": (np.zeros_like, "every pixel has the value 0"),
    "saturated": (
        lambda p: np.full(p.shape, 65535, np.uint16), "no pixel is fit .* 57600 saturated"
    ),
    "flux": (lambda p: 1e-12 * p, "no count: bring the frame to ADU"),
    "few pixels": (lambda p: p[:3, :3], "3 x 3 px is too small"),
    "one row": (lambda p: p[:1], "240 x 1 px is too small"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNSEEN)
def test_a_frame_without_anything_to_see_is_refused_in_one_line(
    kind: str, rendered: Path, tmp_path: Path
) -> None:
    change, reason = UNSEEN[kind]
    run, row = reduce(changed(rendered, tmp_path / "odd.fits", change))
    assert run.exit_code == 1
    assert row["status"] == "failed"
    assert re.search(reason, row["reason"])


@pytest.mark.parametrize(
    ("length", "reason"),
    [(0, "is empty"), (1000, "no END card"), (40_000, "is cut short")],
    ids=["empty", "header cut", "pixels cut"],
)
def test_a_truncated_file_is_refused_in_one_line(
    length: int, reason: str, rendered: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cut.fits"
    path.write_bytes(rendered.read_bytes()[:length])
    run, row = reduce(path)
    assert run.exit_code == 1
    assert reason in row["reason"]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: np.random.default_rng(0).normal(1000, 26, p.shape).astype(np.uint16),
        lambda p: p[110:130, 110:130],
    ],
    ids=["no stars", "20 x 20 px"],
)
def test_a_frame_of_no_or_few_stars_still_gives_its_products(
    change, rendered: Path, tmp_path: Path
) -> None:
    run, row = reduce(changed(rendered, tmp_path / "odd.fits", change))
    assert run.exit_code == 0
    assert row["sources"] <= 2
    for name in ("catalog.csv", "catalog.vot", "report.html", "summary.json", "odd.zip"):
        assert (tmp_path / "odd" / name).stat().st_size > 0


def test_with_a_wcs_and_no_catalogue_magnitudes_are_instrumental(rendered: Path) -> None:
    run, row = reduce(rendered)
    assert run.exit_code == 0
    assert row["status"] == "reduced"
    assert row["zero_point_mag"] is None
    assert row["limit_5_sigma_mag"] is None
    assert row["limit_5_sigma_inst_mag"] < 0
    assert row["ra_deg"] == pytest.approx(100.0, abs=0.01)
    page = (rendered.with_suffix("") / "report.html").read_text()
    assert "there is no catalogue with magnitudes" in page


def test_without_an_exposure_magnitudes_are_of_the_whole_of_it(
    rendered: Path, tmp_path: Path
) -> None:
    from astropy.io import fits

    path = tmp_path / "odd.fits"
    with fits.open(rendered) as hdus:
        del hdus[0].header["EXPTIME"]
        hdus.writeto(path)
    _, plain = reduce(rendered)
    run, row = reduce(path)
    assert run.exit_code == 0
    lost = plain["limit_5_sigma_inst_mag"] - row["limit_5_sigma_inst_mag"]
    assert lost == pytest.approx(2.5 * np.log10(SITE.exposure), abs=1e-6)
    assert "exposure of 1 s assumed" in (tmp_path / "odd" / "run.log").read_text()


def test_cosmic_rays_are_marked_and_neither_noise_nor_stars(rendered: Path, tmp_path: Path) -> None:
    """Ten hits in a frame whose sky is taken off, which hides how much noise it has."""
    from astropy.io import fits

    from lightcurve.core.flags import PixelFlag

    rng = np.random.default_rng(1)
    y, x = rng.integers(20, 220, (2, 10))

    def hit(p):
        p = p - np.median(p)
        p[y, x] += 3000
        return p.astype(np.float32)

    run, _ = reduce(changed(rendered, tmp_path / "odd.fits", hit))
    assert run.exit_code == 0
    with fits.open(tmp_path / "odd" / "calibrated.fits") as hdus:
        marked = (hdus["BAD"].data & PixelFlag.COSMIC_RAY) != 0
    assert marked[y, x].sum() >= 8
    # Of a star cut by the edge nobody knows how wide it is.
    rows, columns = np.nonzero(marked[10:-10, 10:-10])
    away = np.hypot(rows[:, None] + 10 - y, columns[:, None] + 10 - x).min(axis=1)
    assert (away > 3).sum() <= 2


def test_apertures_of_a_frame_of_single_pixels_have_names_of_their_own(
    rendered: Path, tmp_path: Path
) -> None:
    def speckled(pixels: np.ndarray) -> np.ndarray:
        random = np.random.default_rng(1).random(pixels.shape)
        return np.where(random < 0.02, 60000, pixels).astype(np.uint16)

    _, row = reduce(changed(rendered, tmp_path / "odd.fits", speckled))
    assert "mistake" not in row["reason"]
