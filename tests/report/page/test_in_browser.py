"""The page in a real browser."""

from __future__ import annotations

import pytest

from browser import complaints, needs_browser, open_browser, open_page, requests
from lightcurve.report.page.bundle import write_night_page
from sim_page import make_page

pytestmark = needs_browser
HOSTILE = (
    "</script><script>document.title='broken'</script>",
    "\"'><img src=x onerror=\"document.title='broken'\">",
    "\u202egnirts\u202c \u05e9\u05dc\u05d5\u05dd",
    "n" * 300,
)


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


def test_the_page_starts_without_a_complaint_or_a_request(browser, tmp_path):
    path = write_night_page(tmp_path / "report.html", make_page())
    open_page(browser, path)
    assert complaints(browser) == []
    assert [url for url in requests(browser) if not url.startswith("data:")] == [path.as_uri()]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_and_not_run(browser, tmp_path, name):
    page = make_page(12, 3, name=name)
    open_page(browser, write_night_page(tmp_path / "report.html", page))
    assert complaints(browser) == []
    assert browser.title != "broken"
    assert browser.execute_script("return document.querySelector('h1').textContent") == page.title
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(wide) <= 0, "nothing reaches beyond the page"
