"""The page stands alone, and nothing that a header says can break out of it."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from lightcurve.core.errors import InputError
from lightcurve.report.fit import save_time_averaging
from lightcurve.report.html import Section
from lightcurve.report.page.bundle import render_page, write_night_page
from lightcurve.report.page.contents import Fine, block
from sim_page import make_page

EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.handlers, self.words = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in {"src", "href", "action"}]
        self.handlers += [k for k, _ in attrs if k.startswith("on")]

    def handle_data(self, data):
        self.words.append(data)


def read(html: str) -> _Tags:
    tags = _Tags()
    tags.feed(html)
    return tags


def data_of(html: str) -> dict:
    return json.loads(re.search(r'id="night">(.*?)</script>', html, re.S)[1])


@pytest.fixture
def figure(tmp_path):
    return save_time_averaging(tmp_path / "figure.png", np.arange(1, 9.0), np.ones(8), np.ones(8))


def test_names_are_text_and_nothing_else(figure):
    sections = (Section(EVIL, (EVIL,), {figure: EVIL}),)
    html = render_page(make_page(name=EVIL, sections=sections, figures={figure: EVIL}))
    page = read(html)
    assert page.tags.count("script") == 3, "data, Bokeh, and ours"
    assert page.tags.count("img") == 2
    assert not page.handlers
    assert EVIL in page.words
    assert all(a.startswith(("data:image/png;base64,", "data:,", "#")) for a in page.addresses)
    assert data_of(html)["frames"]["file"][0] == f"{EVIL}-0000.fits"


def test_nothing_may_run_but_what_is_named_by_its_digest():
    html = render_page(make_page())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "connect-src" not in policy
    assert not re.search(r"script-src[^;]*unsafe", policy)


def test_the_library_of_the_charts_comes_whole_with_its_licence():
    packed = re.search(r'id="bokeh">(.*?)</script>', render_page(make_page()), re.S)[1]
    code = gzip.decompress(base64.b64decode(packed)).decode()
    for words in ("Bokeh Contributors", "this list of conditions", "THIS SOFTWARE IS PROVIDED"):
        assert words in code[:2000]


def test_the_night_is_told_without_scripts():
    page = make_page(40)
    read_words = " ".join(read(render_page(page)).words)
    for text in (page.verdict.text, *(value for _, value in page.facts), *page.warnings):
        assert text in read_words
    assert render_page(page).count("<circle") >= 38, "points of the still picture"


def test_same_page_same_bytes(tmp_path):
    first = write_night_page(tmp_path / "a.html", make_page()).read_bytes()
    assert write_night_page(tmp_path / "b.html", make_page()).read_bytes() == first


def test_a_large_night_is_under_a_megabyte_without_its_cube():
    assert len(render_page(make_page(500, 150))) < 1.2e6


def test_numbers_come_through_and_nan_is_null():
    page = make_page(9)
    page.curve.flux[3] = np.nan
    told = data_of(render_page(page))
    assert told["curve"]["flux"][3] is None
    assert np.allclose(told["frames"]["bjd_tdb"], page.frames.bjd_tdb, rtol=0, atol=1e-9)
    known = np.isfinite(page.curve.flux)
    shown = np.array(told["curve"]["flux"], dtype=float)
    assert np.allclose(shown[known], page.curve.flux[known], rtol=1e-6)


@pytest.mark.parametrize("kind", ["f4", "f8", "u2", "u1"])
def test_blocks_hold_every_value(kind):
    values = np.arange(24, dtype=kind).reshape(2, 3, 4)
    told = block(values)
    unpacked = np.frombuffer(gzip.decompress(base64.b64decode(told["gzip"])), f"<{told['dtype']}")
    assert np.array_equal(unpacked.reshape(told["shape"]), values)


def test_the_still_picture_draws_no_line_from_night_to_night():
    page = make_page()
    fine = page.curve.fine
    both = Fine(*(np.concatenate([v, [np.nan], v + 0.01]) for v in (fine.time, fine.flux)))
    for told, stretches in ((fine, 1), (both, 2)):
        html = render_page(replace(page, curve=replace(page.curve, fine=told)))
        line = re.search(r'class="model" d="([^"]*)"', html)[1]
        assert (line.count("M"), "nan" in line) == (stretches, False)


def test_a_night_without_a_time_or_a_number_has_a_page():
    n = 3
    page = make_page(n)
    for values in (page.frames.bjd_tdb, page.frames.jd_utc, page.curve.flux, page.curve.detrended):
        values[:] = np.nan
    assert "<h1" in render_page(page)


def test_a_missing_or_foreign_figure_is_named(tmp_path):
    for content in (None, b"GIF89a"):
        path = tmp_path / "figure.png"
        if content:
            path.write_bytes(content)
        with pytest.raises(InputError, match=r"figure\.png"):
            render_page(make_page(sections=(Section("y", figures={path: "z"}),)))
        with pytest.raises(InputError, match=r"figure\.png"):
            render_page(make_page(figures={path: "z"}))
