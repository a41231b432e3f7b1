"""Index files: their series and pieces of sky, `lightcurve index list`, and `index fetch`."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner
from werkzeug import Request, Response

from lightcurve.astrometry.index import check_index
from lightcurve.astrometry.index_series import (
    SERIES,
    best_scales,
    fetch_files,
    files_of,
    healpix,
    scale_sizes,
    scales_for,
    tiles_at,
)
from lightcurve.cli import app
from lightcurve.core.errors import CatalogError, InputError, LightcurveError

PLACE_DEG = (31.042825, 46.687836)
PLACE = ("--ra", "31.042825", "--dec", "46.687836")


@pytest.fixture
def index(shared_data: Path) -> Path:
    return shared_data / "index-tycho2-hatp32.fits"


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["index", *map(str, arguments)])


def unit(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.column_stack([np.cos(ra) * np.cos(dec), np.sin(ra) * np.cos(dec), np.sin(dec)])


def test_pieces_of_the_sky_are_numbered_as_published() -> None:
    # Rings of HEALPix with nside 2 (Gorski et al. 2005), each from its first centre eastwards, and
    # Astrometry.net's numbers of their pieces, from the comments of its healpix.h.
    rings = [
        (11 / 12, 45.0, 90.0, [3, 7, 11, 15]),
        (2 / 3, 22.5, 45.0, [1, 2, 5, 6, 9, 10, 13, 14]),
        (1 / 3, 0.0, 45.0, [19, 0, 23, 4, 27, 8, 31, 12]),
        (0.0, 22.5, 45.0, [18, 21, 22, 25, 26, 29, 30, 17]),
        (-1 / 3, 0.0, 45.0, [16, 35, 20, 39, 24, 43, 28, 47]),
        (-2 / 3, 22.5, 45.0, [33, 34, 37, 38, 41, 42, 45, 46]),
        (-11 / 12, 45.0, 90.0, [32, 36, 40, 44]),
    ]
    for z, first, step, numbers in rings:
        ra = first + step * np.arange(len(numbers))
        dec = np.full(len(ra), np.degrees(np.arcsin(z)))
        assert healpix(unit(ra, dec), 2).tolist() == numbers


@pytest.mark.parametrize("nside", [1, 2])
def test_pieces_of_the_sky_have_one_size_and_hang_together(nside: int) -> None:
    rng = np.random.default_rng(2)
    points = rng.normal(size=(120_000, 3))
    points /= np.linalg.norm(points, axis=1)[:, None]
    numbers = healpix(points, nside)
    counts = np.bincount(numbers, minlength=12 * nside**2)
    expected = len(points) / len(counts)
    assert len(counts) == 12 * nside**2
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    for number in range(len(counts)):
        own = points[numbers == number]
        centre = own.mean(axis=0) / np.linalg.norm(own.mean(axis=0))
        assert (own @ centre).min() > np.cos(np.radians(60 / nside))


def test_a_circle_touches_its_pieces() -> None:
    assert len(tiles_at(*PLACE_DEG, 1.0, 2)) == 1
    assert tiles_at(0.0, 90.0, 1.0, 2) == [3, 7, 11, 15]
    assert tiles_at(0.0, 0.0, 180.0, 1) == list(range(12))
    assert tiles_at(45.0, 0.0, 0.5, 1) == [0, 4, 5, 8]  # where four base pieces meet
    wide, narrow = tiles_at(100.0, -30.0, 8.0, 2), tiles_at(100.0, -30.0, 0.1, 2)
    assert set(narrow) < set(wide)


def test_scales_of_the_series() -> None:
    # As its documentation has them, in arcmin: rounded there.
    for scale, low, high in [(0, 2.0, 2.8), (5, 11, 16), (7, 22, 30), (19, 1400, 2000)]:
        assert scale_sizes(scale) == pytest.approx((low, high), rel=0.07)
    assert scales_for(11, 30) == [4, 5, 6, 7]
    assert scales_for(0.1, 0.2) == [0]
    assert scales_for(1e5, 1e6) == [19]
    assert best_scales((500, 650), 5.16) == [4, 5, 6, 7]
    assert best_scales((2048, 2048), 0.3) == [0, 1, 2, 3]


def test_names_of_files() -> None:
    names = [file.name for file in files_of([6, 7, 8], place=(*PLACE_DEG, 1.0))]
    (tile,) = tiles_at(*PLACE_DEG, 1.0, 2)
    assert names == [f"index-5206-{tile:02d}.fits", "index-4107.fits", "index-4108.fits"]
    assert len(files_of([6])) == 48
    assert len(files_of([6], series="4200")) == 12
    assert files_of([12])[0].url == f"{SERIES['4100'].url}/index-4112.fits"
    mirror = files_of([12], base_url="http://mirror.example/{series}/")
    assert mirror[0].url == "http://mirror.example/4100/index-4112.fits"
    for wrong in (
        {"scales": [20]},
        {"scales": [3], "series": "4100"},
        {"scales": [3], "series": "x"},
    ):
        with pytest.raises(InputError, match="no index files of series"):
            files_of(wrong.pop("scales"), **wrong)
    for address in ("nothing", "ftp://a/b", "http://[/", "file:///etc"):
        with pytest.raises(InputError, match=r"--from .* not an address"):
            files_of([12], base_url=address)


def test_the_list_says_what_a_frame_needs_and_what_covers_it(
    hatp32: list[Path], index: Path
) -> None:
    found = json.loads(run("list", hatp32[0], "--index", index, "--json").stdout)
    assert found["frame"]["low_arcmin"] == pytest.approx(0.1 * 500 * 5.21 / 60)
    assert found["frame"]["high_arcmin"] == pytest.approx(np.hypot(500, 650) * 5.21 / 60)
    assert found["frame"]["best_scales"] == [4, 5, 6, 7]
    (file,) = found["files"]
    assert (file["n_stars"], file["n_near"], file["useful"]) == (858, 858, True)
    assert [row["scale"] for row in found["scales"] if row["covered"]] == [6]
    assert [row["scale"] for row in found["scales"] if row["seen"]] == list(range(2, 11))
    text = run("list", hatp32[0], "--index", index).stdout
    assert "1 of 1 index files can serve it" in text


def test_an_index_of_another_place_or_scale_is_not_useful(hatp32: list[Path], index: Path) -> None:
    for option in (("--ra", "200", "--dec", "-30"), ("--scale", "0.1")):
        found = json.loads(run("list", hatp32[0], "--index", index, *option, "--json").stdout)
        assert found["files"][0]["useful"] is False
    text = run("list", hatp32[0], "--index", index, "--scale", "0.1").stdout
    assert "lightcurve index fetch" in text


def test_without_any_index_the_list_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lightcurve.astrometry.index.SYSTEM_PLACES", (tmp_path / "system",))
    result = run("list")
    assert result.exit_code == 0
    assert "no index files in " in result.stdout
    assert "system" in result.stdout.replace("\n", "")


def serve(server: HTTPServer, name: str, body: bytes | Response) -> None:
    answer = body if isinstance(body, Response) else Response(body)
    server.expect_request(f"/{name}").respond_with_response(answer)


def test_files_are_fetched_once_and_found_afterwards(
    httpserver: HTTPServer,
    hatp32: list[Path],
    index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    asked = []

    def answer(request: Request) -> Response:
        asked.append(request.path)
        return Response(index.read_bytes())

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    base = httpserver.url_for("/{series}").replace("%7B", "{").replace("%7D", "}")
    options = ("fetch", hatp32[0], *PLACE, "--from", base, "--json")
    rows = json.loads(run(*options).stdout)
    (tile, *_) = tiles_at(*PLACE_DEG, 5.0, 2)
    assert f"/5200/index-5204-{tile:02d}.fits" in asked
    assert "/4100/index-4107.fits" in asked
    assert {row["status"] for row in rows} == {"fetched"}
    assert all(Path(row["file"]).read_bytes() == index.read_bytes() for row in rows)
    assert not list(Path(rows[0]["file"]).parent.glob("*.part"))
    before = len(asked)
    assert {row["status"] for row in json.loads(run(*options).stdout)} == {"there"}
    assert len(asked) == before
    # And solving finds them in the user's own folder, without --index.
    result = CliRunner().invoke(app, ["solve", str(hatp32[0])])
    assert result.exit_code == 0, result.stdout


def fetch(server: HTTPServer, folder: Path, **options: object) -> list[tuple[Path, bool]]:
    files = files_of([12], base_url=server.url_for("/").rstrip("/"))
    return list(fetch_files(files, folder, pause_s=0.01, **options))


def lying(body: bytes, length: int) -> Response:
    answer = Response(body)
    answer.automatically_set_content_length = False
    answer.headers["Content-Length"] = str(length)
    return answer


CASES = ("html", "cut", "plain FITS", "absent", "forbidden", "busy", "short", "empty")


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_whole_index_is_not_kept(
    httpserver: HTTPServer, tmp_path: Path, index: Path, case: str
) -> None:
    body = index.read_bytes()
    image = io.BytesIO()
    fits.PrimaryHDU(np.ones((9, 9))).writeto(image)
    answers = {
        "html": (Response("<html>hello</html>"), "not an Astrometry.net index"),
        "cut": (Response(body[:100_800]), "bytes of it are missing"),
        "plain FITS": (Response(image.getvalue()), "SCALE_L"),
        "absent": (Response(status=404), "404"),
        "forbidden": (Response(status=403), "403"),
        "busy": (Response(status=503), "503"),
        "short": (lying(body[:28800], len(body)), "broke off|bytes came"),
        "empty": (Response(b""), "not an Astrometry.net index"),
    }
    answer, reason = answers[case]
    serve(httpserver, "index-4112.fits", answer)
    with pytest.raises(CatalogError, match=reason) as caught:
        fetch(httpserver, tmp_path)
    assert "index-4112.fits" in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_damaged_file_is_fetched_anew(
    httpserver: HTTPServer, tmp_path: Path, index: Path
) -> None:
    (tmp_path / "4100").mkdir()
    (tmp_path / "4100" / "index-4112.fits").write_bytes(index.read_bytes()[:100_800])
    serve(httpserver, "index-4112.fits", index.read_bytes())
    assert [new for _, new in fetch(httpserver, tmp_path)] == [True]
    assert [new for _, new in fetch(httpserver, tmp_path)] == [False]


def test_a_busy_server_is_asked_again(httpserver: HTTPServer, tmp_path: Path, index: Path) -> None:
    for status in (503, 429):
        httpserver.expect_ordered_request("/index-4112.fits").respond_with_data(status=status)
    httpserver.expect_ordered_request("/index-4112.fits").respond_with_data(index.read_bytes())
    ((path, new),) = fetch(httpserver, tmp_path)
    assert new
    assert check_index(path).n_stars == 858


def test_the_limit_holds_whatever_the_server_says(
    httpserver: HTTPServer, tmp_path: Path, index: Path
) -> None:
    def endless(_request: Request) -> Response:
        return Response((b"x" * 65536 for _ in range(1000)), direct_passthrough=True)

    httpserver.expect_ordered_request("/index-4112.fits").respond_with_data(index.read_bytes())
    httpserver.expect_ordered_request("/index-4112.fits").respond_with_handler(endless)
    with pytest.raises(
        InputError, match=r"index-4112.fits is 0.\d+ MB, of the limit 0.1 MB are left"
    ):
        fetch(httpserver, tmp_path, limit_mb=0.1)
    with pytest.raises(InputError, match=r"larger.*--max-mb"):
        fetch(httpserver, tmp_path, limit_mb=1.0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("limit", ["nan", "-1", "0"])
def test_a_limit_that_is_none_is_refused(
    httpserver: HTTPServer, tmp_path: Path, limit: str
) -> None:
    address = httpserver.url_for("/").rstrip("/")
    result = run(
        "fetch", "--number", "12", "--from", address, "--out", tmp_path, f"--max-mb={limit}"
    )
    assert isinstance(result.exception, InputError)
    assert "above zero" in str(result.exception)
    assert not httpserver.log


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = files_of([12], base_url="http://someone:secret@127.0.0.1:9/x?key=hidden")
    with pytest.raises(CatalogError, match=r"127\.0\.0\.1:9/x.*cannot be reached") as caught:
        list(fetch_files(files, tmp_path, pause_s=0.01))
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_folder_that_cannot_be_written_says_so(httpserver: HTTPServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        fetch(httpserver, tmp_path / "file")


def test_what_to_fetch_must_be_known(tmp_path: Path, hatp32: list[Path]) -> None:
    for arguments, words in [
        ((), "which scales"),
        (("--number", "30"), "no index files of series"),
    ]:
        result = run("fetch", *arguments, "--out", tmp_path)
        assert isinstance(result.exception, LightcurveError)
        assert words in str(result.exception)
