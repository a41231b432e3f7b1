"""The page in a real browser."""

from __future__ import annotations

import json

import numpy as np
import pytest
from werkzeug import Response

from browser import (
    choose_theme,
    complaints,
    needs_browser,
    open_browser,
    open_page,
    requests,
    resize,
)
from lightcurve.report.page.bundle import render_page, write_night_page
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


def over(browser, panel: str, across: float, down: float = 0.5):
    """Move the pointer to a place of a panel, as shares of its width and height."""
    from selenium.webdriver.common.action_chains import ActionChains

    element = browser.find_element("css selector", f'[data-panel="{panel}"] .plot')
    dx, dy = (
        (share - 0.5) * element.size[side] for share, side in ((across, "width"), (down, "height"))
    )
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    ActionChains(browser, duration=20).move_to_element_with_offset(
        element, int(dx), int(dy)
    ).perform()
    return element


def leave(browser) -> None:
    """Move the pointer away from the charts."""
    from selenium.webdriver.common.action_chains import ActionChains

    title = browser.find_element("css selector", ".instrument h2")
    ActionChains(browser, duration=20).move_to_element(title).perform()


def texts(browser, selector: str) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
    )


@pytest.mark.parametrize("panel", ["curve", "residual", "FWHM (px)"])
def test_a_frame_pointed_at_is_marked_in_all_panels(browser, tmp_path, panel):
    page = make_page()
    open_page(browser, write_night_page(tmp_path / "report.html", page))
    assert not any(texts(browser, ".panel output"))
    over(browser, panel, 0.5)
    assert all(texts(browser, ".panel output"))
    (name,) = texts(browser, "#frame-card strong")
    shown = page.frames.file.index(name)
    assert abs(shown - len(page.frames.file) / 2) < 5, "a frame of the middle of the night"
    (fwhm,) = texts(browser, '[data-panel="FWHM (px)"] output')
    assert float(fwhm) == pytest.approx(page.frames.columns["fwhm_px"].values[shown], rel=1e-4)
    assert complaints(browser) == []


def test_arrows_step_through_the_night(browser, tmp_path):
    from selenium.webdriver.common.keys import Keys

    page = make_page()
    open_page(browser, write_night_page(tmp_path / "report.html", page))
    body = browser.find_element("css selector", "body")
    body.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert texts(browser, "#frame-card strong") == [page.frames.file[1]]


def test_a_click_keeps_a_frame(browser, tmp_path):
    open_page(browser, write_night_page(tmp_path / "report.html", make_page()))
    over(browser, "curve", 0.3).click()
    kept = texts(browser, "#frame-card strong")
    over(browser, "curve", 0.7)
    assert texts(browser, "#frame-card strong") != kept
    leave(browser)
    assert texts(browser, "#frame-card strong") == kept


def test_a_frame_is_told_to_the_digits_that_its_night_shows(browser, tmp_path):
    page = make_page()
    open_page(browser, write_night_page(tmp_path / "report.html", page))
    over(browser, "curve", 0.3).click()
    labels, values = texts(browser, "#frame-card dt"), texts(browser, "#frame-card dd")
    shown = dict(zip(labels, values, strict=True))
    k = page.frames.file.index(*texts(browser, "#frame-card strong"))
    for label, name in (("comparison flux", "comparison_flux"), ("FWHM", "fwhm_px"), ("x", "x")):
        values = page.frames.columns[name].values
        number, unit = shown[label].split(" ")
        assert unit == {"comparison_flux": "ADU"}.get(name, "px")
        decimals = len(number.partition(".")[2])
        step = np.median(np.abs(np.diff(values)))
        assert float(number) == pytest.approx(values[k], abs=0.6 * 10.0**-decimals)
        assert 0.1 * step <= max(10.0**-decimals, 0.1 * step) <= step


PRINTED = """
return [...document.querySelectorAll('.on-paper')].map((drawing) => {
  const [width, height] = drawing.getAttribute("viewBox").split(" ").slice(2).map(Number);
  const box = drawing.getBoundingClientRect();
  const fills = [...drawing.querySelectorAll("path")].map((path) => path.getAttribute("fill"));
  const words = [...drawing.querySelectorAll("text")].map((text) => text.textContent);
  return {fills, words, width: box.width, stretched: box.width / box.height / (width / height)};
});
"""
AS_PRINTED = {"width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False}


def test_on_paper_all_is_light_and_as_wide_as_the_page(browser, tmp_path):
    choose_theme(browser, "dark")
    open_page(browser, write_night_page(tmp_path / "report.html", make_page()))
    resize(browser, 1920, 900)
    try:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", AS_PRINTED)
        curve, *others = browser.execute_script(PRINTED)
        assert browser.execute_script("return getComputedStyle(document.body).color").count(
            "28, 35"
        )
        assert "rgb(0, 114, 178)" in curve["fills"], "the blue of the light theme"
        assert others[-1]["words"][-1].endswith("(days)")
        for drawing in (curve, *others):
            assert 600 < drawing["width"] <= 720
            assert drawing["stretched"] == pytest.approx(1, abs=0.01)
            assert drawing["words"], "numbers on its axis"
        wide = "return document.documentElement.scrollWidth"
        assert browser.execute_script(wide) <= 720, "nothing is shrunk to fit"
        browser.execute_script("dispatchEvent(new Event('afterprint'))")
        assert browser.execute_script(PRINTED) == []
        assert complaints(browser) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


BEYOND = """
return Bokeh.documents[0].roots().map((plot) => {
  const arrows = plot.renderers.find((r) => r.glyph.marker?.field === "marker").data_source.data;
  return [arrows.x.length, arrows.marker[0], arrows.y[0], plot.y_range.start, plot.y_range.end];
});
"""


def test_points_beyond_a_panel_leave_a_mark_at_its_edge(browser, tmp_path):
    page = make_page()
    page.curve.detrended[5], page.curve.residual[9] = 3.0, -2.0
    airmass = page.frames.columns["airmass"].values
    open_page(browser, write_night_page(tmp_path / "report.html", page))
    panels = texts(browser, ".caption span")
    told = dict(zip(panels, browser.execute_script(BEYOND), strict=True))
    for name, marker in (("Relative flux", "triangle"), ("Residuals (%)", "inverted_triangle")):
        number, drawn, at, start, end = told[name]
        assert (number, drawn) == (1, marker)
        assert 0 < (at - start) / (end - start) < 1, "within the panel"
    assert told["Airmass"][0] == 0
    browser.execute_script(
        "for (const plot of Bokeh.documents[0].roots()) plot.y_range.setv({start: 100, end: 1.2})"
    )
    now = dict(zip(panels, browser.execute_script(BEYOND), strict=True))
    assert now["Airmass"][:2] == [int((airmass < 1.2).sum()), "triangle"], "small values are up"
    browser.execute_script(
        "for (const plot of Bokeh.documents[0].roots()) plot.y_range.setv({start: 200, end: -200})"
    )
    within = dict(zip(panels, browser.execute_script(BEYOND), strict=True))
    assert within["Airmass"][0] == within["Relative flux"][0] == 0


POINTS_SEEN = """
return Bokeh.documents[0].roots().flatMap((plot) => plot.renderers
  .filter((r) => r.glyph.type === "Scatter" && r.level !== "overlay" && r.visible)
  .map((r) => {
    const of = (axis) => r.data_source.data[r.glyph[axis].field];
    const inside = (v, { start, end }) => (v - start) * (v - end) <= 0;
    return [...of("x")].filter((x, k) =>
      inside(x, plot.x_range) && inside(of("y")[k], plot.y_range)).length;
  }));
"""


def test_times_are_not_printed_over_one_another(browser, tmp_path):
    open_page(browser, write_night_page(tmp_path / "report.html", make_page()))
    policies = "return Bokeh.documents[0].roots().map((p) => p.below[0].major_label_policy.type)"
    assert set(browser.execute_script(policies)) == {"NoOverlap"}
    assert complaints(browser) == []


def test_every_panel_shows_its_points(browser, tmp_path):
    open_page(browser, write_night_page(tmp_path / "report.html", make_page(60)))
    curve, bins, *others = browser.execute_script(POINTS_SEEN)
    assert curve > 55
    assert bins > 9
    assert all(number > 9 for number in others)
    assert sum(number > 55 for number in others) >= 6


def test_a_live_page_takes_new_frames_and_keeps_the_zoom(browser, httpserver):
    from selenium.webdriver.support.ui import WebDriverWait

    night = {"stamp": 1, "n": 30}
    short = make_page(30)

    def page(_):
        beat = {"stamp": night["stamp"], "every_s": 0.2, "beat": "live.json"}
        return Response(render_page(make_page(night["n"], live=beat)), content_type="text/html")

    httpserver.expect_request("/report.html").respond_with_handler(page)
    httpserver.expect_request("/live.json").respond_with_handler(
        lambda _: Response(json.dumps({"stamp": night["stamp"]}), content_type="application/json")
    )
    browser.get(httpserver.url_for("/report.html"))
    wait = WebDriverWait(browser, 10)
    wait.until(lambda b: b.execute_script("return document.documentElement.dataset.ready"))
    zoom = float(short.frames.bjd_tdb[3] % 1), float(short.frames.bjd_tdb[20] % 1)
    set_range = (
        "Bokeh.documents[0].roots()[0].x_range.setv({start: arguments[0], end: arguments[1]})"
    )
    browser.execute_script(set_range, *zoom)
    night |= {"stamp": 2, "n": 31}
    number = "return Bokeh.documents[0].roots()[0].renderers[0].data_source.data.x.length"
    wait.until(lambda b: b.execute_script(number) == 31)
    now = "const r = Bokeh.documents[0].roots()[0].x_range; return [r.start, r.end]"
    assert browser.execute_script(now) == pytest.approx(zoom)
    assert "31 of 32" in texts(browser, ".facts dd")
    assert complaints(browser) == []
