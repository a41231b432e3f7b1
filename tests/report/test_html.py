"""The report stands alone, and nothing in a header can break out of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from lightcurve.core.data import Parameter
from lightcurve.core.errors import InputError
from lightcurve.report.fit import save_time_averaging
from lightcurve.report.html import (
    Report,
    Section,
    parameter_table,
    render_report,
    round_together,
    table_of,
    write_report,
)

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


@pytest.fixture
def figure(tmp_path):
    return save_time_averaging(tmp_path / "figure.png", np.arange(1, 9.0), np.ones(8), np.ones(8))


def _report(figure):
    rows = [{"file": EVIL, "n": 3, "x": 1.23456789, "reason": None}, {"file": "b", "x": np.nan}]
    return Report(
        title=EVIL,
        subtitle=EVIL,
        facts={EVIL: EVIL},
        warnings=(EVIL,),
        sections=(
            Section(EVIL, (EVIL,), {figure: EVIL}, (table_of(rows, title=EVIL, folded=True),)),
        ),
        footer=EVIL,
    )


def test_header_values_are_text_and_nothing_else(figure):
    page = _Tags()
    html = render_report(_report(figure))
    page.feed(html)
    assert "script" not in page.tags
    assert page.tags.count("img") == 1
    assert not page.handlers
    assert EVIL in page.words
    assert all(a.startswith(("data:image/png;base64,", "#")) for a in page.addresses)
    assert not re.search(r"https?://", html), "no outside address"
    assert "default-src 'none'" in html


def test_same_report_same_bytes(figure, tmp_path):
    first = write_report(tmp_path / "report.html", _report(figure)).read_bytes()
    assert write_report(tmp_path / "report.html", _report(figure)).read_bytes() == first


def test_a_missing_or_foreign_figure_is_named(tmp_path):
    for content in (None, b"GIF89a"):
        path = tmp_path / "figure.png"
        if content:
            path.write_bytes(content)
        with pytest.raises(InputError, match=r"figure\.png"):
            render_report(Report("x", sections=(Section("y", figures={path: "z"}),)))


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (
            Parameter(2458107.71203, 2458107.71093, 2458107.71313),
            ("2458107.7120", "0.0011", "0.0011"),
        ),
        (Parameter(0.1508, 0.1498, 0.1519), ("0.1508", "0.0010", "0.0011")),
        (Parameter(1234.0, 1200.0, 1300.0), ("1234", "34", "66")),
        (Parameter(3.0, np.nan, np.nan), ("3", "", "")),
    ],
)
def test_values_are_rounded_to_their_errors(parameter, expected):
    assert round_together(parameter) == expected
    assert parameter_table({"a_b": parameter}).rows[0][:2] == ("a b", expected[0])
