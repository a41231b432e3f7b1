"""The archive of space telescopes, on loopback: what is asked, fetched, and refused."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from werkzeug import Request, Response

from lightcurve.catalogs.mast import MastProduct, MastWish, fetch_files
from lightcurve.core.errors import CatalogError
from lightcurve.core.settings import CatalogSettings

ROWS = [
    {"obsid": 1, "provenance_name": "QLP", "sequence_number": 40},
    {"obsid": 2, "provenance_name": "SPOC", "sequence_number": 40},
    {"obsid": 3, "provenance_name": "TGLC", "sequence_number": 41},
    {"obsid": 9, "provenance_name": "someone", "sequence_number": 42},
]
FILES = {
    1: ["hlsp_qlp_s0040_llc.fits"],
    2: ["tess-s0040_s_lc.fits", "tess-s0040_s_tp.fits", "tess-s0040_a_fast-lc.fits", "x.pdf",
        "../../evil_lc.fits"],
    3: ["hlsp_tglc_s0041_llc.fits"],
}  # fmt: skip


@pytest.fixture
def archive(httpserver):
    asked = []

    def answer(request: Request) -> Response:
        question = json.loads(request.args["request"])
        asked.append(question)
        if question["service"] == "Mast.Caom.Filtered.Position":
            data = ROWS
        else:
            data = [
                {"productFilename": name, "dataURI": f"mast:TESS/{name}"}
                for k in question["params"]["obsid"].split(",")
                for name in FILES[int(k)]
            ]
        return Response(json.dumps({"status": "COMPLETE", "data": data}))

    def download(request: Request) -> Response:
        asked.append(request.args["uri"])
        return Response(request.args["uri"].encode())

    def cut(request: Request) -> Response:
        asked.append(dict(request.args))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("../tess-s0040-2-3_astrocut.fits", b"pixels")
            archive.writestr("readme.txt", b"no")
        return Response(packed.getvalue())

    httpserver.expect_request("/api/v0/invoke").respond_with_handler(answer)
    httpserver.expect_request("/api/v0.1/Download/file").respond_with_handler(download)
    httpserver.expect_request("/tesscut/api/v0.1/astrocut").respond_with_handler(cut)
    settings = CatalogSettings(servers={"mast": httpserver.url_for("")}, timeout_s=20)
    return settings, asked


def test_of_each_sector_the_best_light_curve_is_fetched_once(archive, tmp_path):
    settings, asked = archive
    found = fetch_files(120.0, -40.0, MastWish(), settings, tmp_path / "files")
    assert [p.name for p in found] == ["hlsp_tglc_s0041_llc.fits", "tess-s0040_s_lc.fits"]
    assert found[1].read_bytes() == b"mast:TESS/tess-s0040_s_lc.fits"
    assert asked[0]["params"]["position"] == "120.000000, -40.000000, 0.003"
    number = len(asked)
    fetch_files(120.0, -40.0, MastWish(), settings, tmp_path / "files")
    assert len(asked) == number + 2  # no file again
    assert [p.name for p in tmp_path.iterdir()] == ["files"]


def test_authors_sectors_and_pixels_are_chosen(archive, tmp_path):
    settings, _ = archive
    qlp = fetch_files(1.0, 2.0, MastWish(author="QLP"), settings, tmp_path)
    assert [p.name for p in qlp] == ["hlsp_qlp_s0040_llc.fits"]
    one = fetch_files(1.0, 2.0, MastWish(sectors=(41,)), settings, tmp_path)
    assert [p.name for p in one] == ["hlsp_tglc_s0041_llc.fits"]
    pixels = fetch_files(1.0, 2.0, MastWish(MastProduct.PIXELS), settings, tmp_path)
    assert [p.name for p in pixels] == ["tess-s0040_s_tp.fits"]
    with pytest.raises(CatalogError, match="cutouts"):
        fetch_files(1.0, 2.0, MastWish(sectors=(77,)), settings, tmp_path)


def test_cut_outs_are_unpacked_into_the_folder_alone(archive, tmp_path):
    settings, asked = archive
    wish = MastWish(MastProduct.CUTOUTS, sectors=(40,))
    found = fetch_files(120.0, -40.0, wish, settings, tmp_path / "files")
    assert found == [tmp_path / "files" / "tess-s0040-2-3_astrocut.fits"]
    assert asked[-1]["sector"] == "40"


def test_what_is_no_answer_is_an_error_of_one_line(httpserver, tmp_path):
    settings = CatalogSettings(servers={"mast": httpserver.url_for("")}, timeout_s=20)
    for body in ("<html>down</html>", '{"status": "ERROR", "msg": "no"}', '{"data": 3}', "[]"):
        httpserver.clear()
        httpserver.expect_request("/api/v0/invoke").respond_with_data(body)
        httpserver.expect_request("/tesscut/api/v0.1/astrocut").respond_with_data(body)
        for wish in (MastWish(), MastWish(MastProduct.CUTOUTS)):
            with pytest.raises(CatalogError):
                fetch_files(1.0, 2.0, wish, settings, tmp_path)


def test_without_network_files_that_were_fetched_serve(tmp_path):
    settings = CatalogSettings(offline=True)
    with pytest.raises(CatalogError, match="may not be asked"):
        fetch_files(1.0, 2.0, MastWish(), settings, tmp_path)
    (tmp_path / "a_lc.fits").write_bytes(b"x")
    assert fetch_files(1.0, 2.0, MastWish(), settings, tmp_path) == [tmp_path / "a_lc.fits"]
