"""`lightcurve solve`: lines, JSON, sidecars, copies, a catalogue, and frames that do not solve."""

from __future__ import annotations

import gzip
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS, FITSFixedWarning
from typer.testing import CliRunner

from lightcurve.astrometry.local import solve_local
from lightcurve.astrometry.request import SolveRequest
from lightcurve.catalogs.layout import Catalog, Column, Field, ServiceReport
from lightcurve.cli import app
from lightcurve.core.errors import InputError
from lightcurve.core.settings import SolveSettings
from lightcurve.frames.read import read_frame
from lightcurve.phot.detect import detect

pytest.importorskip("astrometry")
TARGET = (31.042825, 46.687836)
KEYS = [
    "file", "status", "solver", "ra_deg", "dec_deg", "scale_arcsec", "rotation_deg", "parity",
    "n_matched", "rms_arcsec", "reason",
]  # fmt: skip


@pytest.fixture
def index(shared_data: Path) -> str:
    return str(shared_data / "index-tycho2-hatp32.fits")


def wcs_of(header: fits.Header) -> WCS:
    # What astropy remarks on: the header-only file has no image, and these frames' dates disagree.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        return WCS(header)


def solve(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["solve", *map(str, arguments)])


def rows_of(*arguments: object) -> list[dict]:
    return json.loads(solve(*arguments, "--json").stdout)


def test_a_folder_is_solved_line_by_line(hatp32: list[Path], index: str, tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    for path in hatp32[:2]:
        shutil.copy(path, tmp_path / "night")
    result = solve(tmp_path / "night", "--index", index, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    for path, line in zip(hatp32[:2], lines, strict=False):
        assert line.startswith(f"{path.name}: solved by local, ")
        assert " stars, rms " in line
        assert "scale 5.16" in line
        wcs = wcs_of(fits.getheader(tmp_path / "out" / f"{path.stem}.wcs"))
        assert np.hypot(*(np.array(wcs.world_to_pixel_values(*TARGET)) - (423, 286))) < 8
    assert "2 of 2 frames solved" in lines


def test_calibration_frames_in_a_folder_are_skipped(
    hatp32: list[Path], index: str, tmp_path: Path
) -> None:
    shutil.copy(hatp32[0], tmp_path / "light.fits")
    dark = fits.PrimaryHDU(np.full((60, 80), 100, dtype=np.int16))
    dark.header["IMAGETYP"] = "Dark Frame"
    dark.writeto(tmp_path / "one.fits")
    result = solve(tmp_path, "--index", index)
    assert result.exit_code == 0
    assert "one.fits: skipped: a dark frame" in result.stdout
    assert "1 of 1 frames solved" in result.stdout
    # Named by itself it is tried, as it may be labelled wrongly.
    (row,) = rows_of(tmp_path / "one.fits", "--index", index)
    assert row["status"] == "failed"


def test_json_says_what_each_frame_gave(hatp32: list[Path], index: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.fits"
    fits.PrimaryHDU(np.full((60, 80), 100, dtype=np.int16)).writeto(empty)
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE")
    result = solve(hatp32[0], tmp_path, "--index", index, "--json")
    assert result.exit_code == 1
    good, broken, nothing = json.loads(result.stdout)
    assert set(KEYS) <= set(good)
    assert (good["file"], good["status"], good["solver"]) == (hatp32[0].name, "solved", "local")
    assert (good["ra_deg"], good["dec_deg"]) == pytest.approx((31.2485, 46.7409), abs=1e-3)
    assert good["scale_arcsec"] == pytest.approx(5.164, abs=0.003)
    assert good["rotation_deg"] == pytest.approx(179.82, abs=0.05)
    assert (good["parity"], good["reason"]) == (-1, "")
    assert good["n_matched"] > 30
    for row, name in ((broken, "broken.fits"), (nothing, "empty.fits")):
        assert (row["file"], row["status"], row["solver"]) == (name, "failed", None)
        assert row["reason"]
    assert "stars, 4 are needed" in nothing["reason"]
    assert "empty.fits: failed: " in solve(empty, "--index", index).stdout


def test_a_frame_without_a_usable_time_is_solved(
    hatp32: list[Path], index: str, tmp_path: Path
) -> None:
    pixels, header = fits.getdata(hatp32[3], header=True)
    for name in ("DATE-OBS", "UT-OBS", "MJD-OBS", "DATE-END"):
        header.remove(name, ignore_missing=True)
    fits.writeto(tmp_path / "timeless.fits", pixels, header)
    (row,) = rows_of(tmp_path / "timeless.fits", "--index", index)
    assert row["status"] == "solved"


def test_equal_names_do_not_overwrite_each_other(
    hatp32: list[Path], index: str, tmp_path: Path
) -> None:
    for name, k in [
        ("east/light_1.fits", 0), ("west/light_1.fits", 100), ("west/light_1.FIT", 60),
        ("east/other.fit", 50), ("east/sky.fits", 30), ("west/sky.fts", 90),
        ("west/sky.fits.fits", 91),
    ]:  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(hatp32[k], tmp_path / name)
    out, east, west = tmp_path / "out", tmp_path / "east", tmp_path / "west"
    rows = rows_of(east, west, east, "--index", index, "--out", out)
    products = {
        "east/light_1.fits": "east/light_1",
        "other.fit": "other",
        "sky.fits": "sky.fits",
        "light_1.FIT": "light_1",
        "west/light_1.fits": "west/light_1",
        "sky.fits.fits": "sky.fits.fits",
        "sky.fts": "sky.fts",
    }
    assert [row["file"] for row in rows] == list(products)
    written = {str(p.relative_to(out)) for p in out.rglob("*.wcs")}
    assert written == {f"{name}.wcs" for name in products.values()}
    for row in rows:
        wcs = wcs_of(fits.getheader(out / f"{products[row['file']]}.wcs"))
        centre = wcs.all_pix2world(324.5, 249.5, 0)
        assert np.allclose(centre, (row["ra_deg"], row["dec_deg"]), rtol=0, atol=1e-7)


def test_a_wrong_place_in_the_header_is_told_and_can_be_overruled(
    hatp32: list[Path], index: str, tmp_path: Path
) -> None:
    (row,) = rows_of(hatp32[0], "--index", index, "--ra", "200", "--dec", "-40")
    assert row["status"] == "failed"
    assert "within 5 deg of 200.000 -40.000 at 5.21 arcsec/px" in row["reason"]
    assert "--blind" in row["reason"]
    (row,) = rows_of(hatp32[0], "--index", index, "--ra", "200", "--dec", "-40", "--blind")
    assert row["status"] == "solved"
    assert row["ra_deg"] == pytest.approx(31.2485, abs=1e-3)


def test_a_header_that_nothing_checks_says_so(
    hatp32: list[Path], index: str, tmp_path: Path
) -> None:
    rows_of(hatp32[0], "--index", index, "--out", tmp_path, "--write-copy")
    (copy,) = tmp_path.glob("*_wcs.fits")
    (row,) = rows_of(copy, "--solver", "header")
    assert (row["status"], row["n_matched"], row["rms_arcsec"]) == ("solved", 0, None)
    assert "0 known stars" in row["reason"]
    assert "solved by header" in solve(copy, "--solver", "header").stdout


def test_an_index_that_is_none_stops_before_the_first_frame(
    hatp32: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "text.fits").write_text("no index")
    for name, words in [("gone", "no such file or folder"), ("text.fits", "text.fits: not an")]:
        result = solve(*hatp32[:2], "--index", tmp_path / name)
        assert isinstance(result.exception, InputError)
        assert words in str(result.exception)
        assert not result.stdout


def test_only_options_that_do_something_are_offered() -> None:
    for command in (["solve", "x.fits"], ["index", "list"], ["index", "fetch"], ["inspect", "x"]):
        for option in ("--workers", "--seed", "--radius", "--comp"):
            result = CliRunner().invoke(app, [*command, option, "2"])
            assert result.exit_code == 2
            assert "No such option" in result.output


def test_a_place_given_needs_no_service_for_the_name(
    hatp32: list[Path], index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def archive(name: str, _settings: object) -> None:
        asked.append(name)

    monkeypatch.setattr("lightcurve.catalogs.exoplanet_archive.find_planet", archive)
    (tmp_path / "settings.toml").write_text(
        '[target]\nname = "HAT-P-32 b"\nra = "31.042825"\ndec = "46.687836"\n'
    )
    result = solve(hatp32[0], "--index", index, "--config", tmp_path / "settings.toml")
    assert result.exit_code == 0
    assert not any(asked)


def packed(path: Path, kind: str, folder: Path) -> Path:
    """The frame as this kind of file."""
    pixels, header = fits.getdata(path, header=True)
    out = folder / {"fz": "a.fits.fz", "gz": "a.fits.gz", "mef": "a.fits", "plain": "a.fit"}[kind]
    if kind == "fz":
        image = fits.CompImageHDU(pixels, header, compression_type="RICE_1")
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(out)
    elif kind == "gz":
        out.write_bytes(gzip.compress(path.read_bytes()))
    elif kind == "mef":
        parts = [fits.PrimaryHDU(), fits.ImageHDU(pixels, header), fits.ImageHDU(pixels[::2])]
        fits.HDUList([*parts, fits.BinTableHDU(Table({"a": [1, 2]}))]).writeto(out)
    else:
        shutil.copy(path, out)
    return out


@pytest.mark.parametrize("kind", ["plain", "fz", "gz", "mef"])
def test_a_copy_has_the_wcs_and_nothing_else_changed(
    hatp32: list[Path], index: str, tmp_path: Path, kind: str
) -> None:
    frame = packed(hatp32[0], kind, tmp_path)
    before, pixels = frame.read_bytes(), fits.getdata(hatp32[0])
    out = tmp_path / "out"
    (row,) = rows_of(frame, "--index", index, "--out", out, "--write-copy")
    assert row["status"] == "solved", row["reason"]
    assert frame.read_bytes() == before
    copy = out / ("a_wcs.fits.fz" if kind == "fz" else "a_wcs.fits")
    with fits.open(copy) as hdus, fits.open(frame) as original:
        image = next(hdu for hdu in hdus if hdu.data is not None)
        assert np.array_equal(image.data, pixels)
        wcs = wcs_of(image.header)
        assert np.allclose(wcs.wcs.crval, wcs_of(fits.getheader(out / "a.wcs")).wcs.crval)
        assert image.header["OBJECT"] == fits.getheader(hatp32[0])["OBJECT"]
        assert image.header["WCSSOLV"] == "local"
        assert [type(h) for h in hdus] == [type(h) for h in original]
        assert [h.shape for h in hdus if h.is_image] == [h.shape for h in original if h.is_image]
    if kind == "fz":
        raw = {"disable_image_compression": True}
        with fits.open(copy, **raw) as hdus, fits.open(frame, **raw) as original:
            assert np.array_equal(hdus[1].data, original[1].data)
    # The copy's header is now a solver of its own, checked against the index.
    (again,) = rows_of(copy, "--index", index, "--solver", "header")
    assert again["solver"] == "header"
    assert np.allclose(
        [again["ra_deg"], again["dec_deg"]], [row["ra_deg"], row["dec_deg"]], rtol=0, atol=1e-5
    )


def test_a_copy_never_replaces_a_frame(hatp32: list[Path], index: str, tmp_path: Path) -> None:
    for name in ("a.fits", "a_wcs.fits"):
        shutil.copy(hatp32[0], tmp_path / name)
    result = solve(tmp_path, "--index", index, "--out", tmp_path, "--write-copy")
    assert result.exit_code != 0
    assert "would replace this frame" in str(result.exception)
    assert (tmp_path / "a_wcs.fits").read_bytes() == hatp32[0].read_bytes()
    result = solve(tmp_path, "--index", index, "--write-copy")
    assert "--out" in str(result.exception)


def catalog_at(shared: Path, folder: Path, years: float, name: str) -> Path:
    """Tycho stars where motions of 2 arcsec a year had them so many years before the frame."""
    table = fits.getdata(shared / "tycho2-hatp32.fits")
    ra, dec = (np.array(table[column], dtype=float) for column in ("RA", "DEC"))
    rng = np.random.default_rng(1)
    motion = rng.normal(0, 2000, (2, len(ra)))
    rows = Table(
        {
            "ra": ra - motion[0] * years / 3.6e6 / np.cos(np.radians(dec)),
            "dec": dec - motion[1] * years / 3.6e6,
            "pmra": motion[0],
            "pmdec": motion[1],
            "VTmag": np.array(table["MAG_VT"], dtype=float),
            "ref_epoch": np.full(len(ra), OBSERVED - years),
        }
    )
    rows.write(folder / name)
    return folder / name


OBSERVED = 2017.969  # Julian year of the night


@pytest.mark.parametrize("name", ["stars.ecsv", "stars.csv", "stars.fits"])
def test_proper_motions_are_applied(
    hatp32: list[Path], shared_data: Path, index: str, tmp_path: Path, name: str
) -> None:
    stars = catalog_at(shared_data, tmp_path, 8.0, name)
    (row,) = rows_of(hatp32[0], "--index", index, "--catalog", stars)
    (plain,) = rows_of(hatp32[0], "--index", index)
    assert row["n_matched"] >= plain["n_matched"] - 3
    assert row["rms_arcsec"] < plain["rms_arcsec"] + 0.1
    assert np.allclose(
        [row["ra_deg"], row["dec_deg"]], [plain["ra_deg"], plain["dec_deg"]], rtol=0, atol=2e-4
    )


def test_stars_that_are_not_there_refute_a_solution(
    hatp32: list[Path], shared_data: Path, index: str, tmp_path: Path
) -> None:
    # Places of 2017 said to be of 1990: the motions carry them 50 arcsec away from where they are.
    stars = catalog_at(shared_data, tmp_path, 0.0, "stars.ecsv")
    text = stars.read_text().replace(str(OBSERVED), "1990.0")
    stars.write_text(text)
    (row,) = rows_of(hatp32[0], "--index", index, "--solver", "local", "--catalog", stars)
    assert row["status"] == "failed"
    assert "may be chance" in row["reason"]


def test_without_a_time_the_motions_are_not_known(
    hatp32: list[Path], shared_data: Path, index: str, tmp_path: Path
) -> None:
    pixels, header = fits.getdata(hatp32[3], header=True)
    for name in ("DATE-OBS", "UT-OBS", "MJD-OBS", "DATE-END"):
        header.remove(name, ignore_missing=True)
    fits.writeto(tmp_path / "timeless.fits", pixels, header)
    stars = shared_data / "tycho2-hatp32.fits"
    (row,) = rows_of(tmp_path / "timeless.fits", "--index", index, "--catalog", stars)
    assert row["status"] == "solved"
    assert row["reason"] == "its time is not known: tycho2-hatp32.fits taken as of 2000.0"


def test_a_catalogue_that_will_not_do_says_why(hatp32: list[Path], tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("x,y\n1,2\n")
    (tmp_path / "empty.csv").write_text("ra,dec\n")
    for name, words in [
        ("names.csv", "no columns of positions"),
        ("empty.csv", "empty.csv: "),
        ("gone.csv", "no such file, and no such service"),
    ]:
        result = solve(hatp32[0], "--catalog", tmp_path / name)
        assert isinstance(result.exception, InputError)
        assert words in str(result.exception)


def gaia_like(frame: Path, index: str, epochs: list[float]) -> object:
    """A service that answers with the stars of a frame, and as many again too faint to be seen."""
    image = read_frame(frame)
    stars = detect(image.pixels, image.bad)
    request = SolveRequest(stars, image.pixels.shape, image.header, frame, *TARGET, 5.16)
    wcs = solve_local(request, SolveSettings(index=(Path(index),))).wcs
    rng = np.random.default_rng(4)
    faint = rng.uniform(0, [650, 500], (2 * len(stars), 2))
    seen = np.column_stack([stars.x, stars.y])
    ra, dec = wcs.all_pix2world(*np.vstack([faint, seen]).T, 0)
    mag = np.append(rng.uniform(17, 20, len(faint)), 22 - 2.5 * np.log10(stars.flux))

    def query(names: tuple[str, ...], field: Field, settings: object) -> tuple:
        epochs.append(field.epoch_jyear)
        columns = {"g_mag": Column(mag, "mag")}
        none = np.full(len(ra), "")
        found = Catalog("gaia", "Gaia", none, ra, dec, mag * 0, field.epoch_jyear, columns)
        return {"gaia": found}, [ServiceReport("gaia", "Gaia", "ok", len(ra))]

    return query


def test_a_service_refines_what_was_solved(
    hatp32: list[Path], index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    monkeypatch.setattr("lightcurve.catalogs.known_stars.query", gaia_like(hatp32[1], index, asked))
    rows = rows_of(*hatp32[:3], "--index", index, "--catalog", "gaia")
    plain = rows_of(*hatp32[:3], "--index", index)
    assert asked == [pytest.approx(OBSERVED, abs=0.01)]  # once for all three
    for row, before in zip(rows, plain, strict=True):
        assert (row["status"], row["reason"], row["solver"]) == ("solved", "", "local")
        # Tycho's stars are 46, and good to an arcsecond by now.
        assert row["n_matched"] > 3 * before["n_matched"]
        assert row["rms_arcsec"] < 0.8 * before["rms_arcsec"]
        assert row["ra_deg"] == pytest.approx(before["ra_deg"], abs=3e-4)


def test_a_service_that_is_down_costs_the_refinement_only(
    hatp32: list[Path], index: str, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text(
        "[catalogs]\ntimeout_s = 2\n[catalogs.servers]\n"
        'vizier = "http://127.0.0.1:9"\ngaia = "http://127.0.0.1:9"\n'
    )
    rows = rows_of(
        *hatp32[:2], "--index", index, "--catalog", "gaia", "--config", tmp_path / "settings.toml"
    )
    for row in rows:
        assert row["status"] == "solved"
        assert row["n_matched"] > 30
        assert row["reason"].startswith("not refined: Gaia")
