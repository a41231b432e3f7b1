"""Field, stars, film and frames of the page, used as a reader does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from browser import choose_theme, complaints, needs_browser, open_browser, open_page, resize
from lightcurve.core.data import FrameResult, FrameStatus, Picture, Registration
from lightcurve.report.page.bundle import write_night_page
from lightcurve.report.page.contents import Lost, block
from lightcurve.report.page.film import field_sheet, make_film
from sim_page import make_page

pytestmark = needs_browser
NX, NY = 360, 240  # of the frames
OUT, LOST = 6, 3  # the star that is in no cube; frames without a measurement
HOSTILE = "<img src=x onerror=\"document.title='broken'\">" + "n" * 120 + ".fits"


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        choose_theme(browser, "dark")  # bright stars on black
        yield browser


def grey(light: np.ndarray) -> np.ndarray:
    return (20 + 200 * light).astype(np.uint8)


def sky(x, y, shape=(NY, NX)) -> np.ndarray:
    rows, columns = np.indices(shape)
    spread = [
        np.exp(-((columns - a) ** 2 + (rows - b) ** 2) / 8) for a, b in zip(x, y, strict=True)
    ]
    return grey(np.clip(np.sum(spread, axis=0), 0, 1))


def page_of(n=40, *, name="star"):
    """Stars at known places; the field turns over half way."""
    page = make_page(n, 8, name=name)
    rng = np.random.default_rng(4)
    x, y = rng.uniform(30, NX - 30, 8), rng.uniform(30, NY - 30, 8)
    stars = [
        replace(
            star, x=float(x[k]), y=float(y[k]), in_cube=k != OUT,
            role="target" if k == 0 else "field" if k >= 5 else "comparison",
            curve={"low": 0.9, "step": 0.001,
                   "values": block(rng.integers(80, 120, n).astype(np.uint8))},
        )
        for k, star in enumerate(page.stars)
    ]  # fmt: skip
    results, places = [], []
    matrices = np.array([[[1.0, 0, 0], [0, 1, 0]], [[-1.0, 0, NX - 1], [0, -1, NY - 1]]])
    moved = matrices @ np.array([x, y, np.ones(8)])
    skies = [sky(*xy)[1::3, 1::3] for xy in moved]
    for k in range(n):
        turned = int(k >= n // 2)
        matrix, (at_x, at_y) = matrices[turned], moved[turned]
        left, bottom = round(at_x[0]) - 15, round(at_y[0]) - 15
        thumb = sky([at_x[0] - left], [at_y[0] - bottom], (31, 31))
        results.append(
            FrameResult(
                f"{k}", FrameStatus.MEASURED, registration=Registration(
                    matrix, 9, 0.1, 180.0 * turned, 1.0, False, 0.0),
                field_picture=Picture(skies[turned], 0, 0, 3, 100.0, 5.0, -1, 6),
                target_picture=Picture(thumb, left, bottom, 1, 100.0, 5.0, -1, 6),
            )
        )  # fmt: skip
        places.append((at_x[0], at_y[0]))
    lost = [replace(results[0], registration=None, target_picture=None) for _ in range(LOST)]
    picture = field_sheet(Picture(sky(x, y), 0, 0, 1, 100.0, 5.0, -1, 6))
    return replace(
        page,
        stars=stars,
        lost=[Lost(name, f"why {k} {name}", "few_stars") for k in range(LOST)],
        choice={
            "rows": [1, 2, 3, 4], "aperture": 0, "weighting": "scatter", "covariates": [],
            "excluded": [],
        },
        picture={
            **picture, "file": name, "radius": 5.0, "annulus": [9.0, 14.0], "north": [0.0, 1.0],
            "east": [-1.0, 0.0], "scale_arcsec": 1.5,
        },
        film=make_film(results, np.array(places), np.arange(n) == 7, lost),
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    page = page_of()
    return page, write_night_page(tmp_path_factory.mktemp("page") / "report.html", page)


@pytest.fixture
def opened(browser, written):
    page, path = written
    open_page(browser, path)
    return page


def place_of(browser, page, row, zoom=1.0):
    """Where a star is, CSS pixels from the middle of the picture."""
    width = browser.execute_script("return document.querySelector('#field .frame').clientWidth")
    star = page.stars[row]
    scale = zoom * width / NX
    return scale * (star.x + 0.5 - NX / 2), scale * (NY / 2 - star.y - 0.5)


def drawn(browser):
    """Wait until what was asked for is on the screen."""
    twice = "(done) => requestAnimationFrame(() => requestAnimationFrame(done))"
    browser.execute_script(f"return new Promise({twice})")


def click_star(browser, page, row, *, zoom=1.0, double=False):
    from selenium.webdriver import ActionChains

    marks = browser.find_element("css selector", "#field canvas.marks")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", marks)
    x, y = place_of(browser, page, row, zoom)
    chain = ActionChains(browser).move_to_element_with_offset(marks, round(x), round(y))
    (chain.double_click() if double else chain.click()).perform()
    drawn(browser)


def text(browser, selector):
    drawn(browser)
    return browser.execute_script(
        "return document.querySelector(arguments[0]).textContent", selector
    )


def tick(browser, page, row):
    drawn(browser)
    label = f"{page.stars[row].id} in the ensemble"
    return browser.find_element("css selector", f"[aria-label='{label}']")


def rows_of(browser, section):
    """Texts of the rows of a table that are drawn."""
    drawn(browser)
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map("
        "(row) => [...row.cells].map((cell) => cell.textContent))",
        f"{section} .window tbody tr:not(.gap)",
    )


def test_a_click_on_a_star_tells_of_it_also_zoomed(browser, opened):
    click_star(browser, opened, 3)
    assert opened.stars[3].id in text(browser, "#star h3")
    assert text(browser, "#star .reason") == opened.stars[3].reason
    assert opened.stars[3].id in text(browser, "#stars tr[aria-selected=true]")
    browser.find_element("css selector", "#field .tools button").click()
    near = min(range(8), key=lambda k: np.hypot(*place_of(browser, opened, k)))
    click_star(browser, opened, near, zoom=1.3)
    assert opened.stars[near].id in text(browser, "#star h3")
    assert complaints(browser) == []


def test_a_star_is_taken_out_and_in_by_picture_button_and_tick(browser, opened):
    def used():
        return {row[1] for row in rows_of(browser, "#stars") if row[2] == "comparison"}

    own = {opened.stars[k].id for k in (1, 2, 3, 4)}
    assert used() == own
    click_star(browser, opened, 2, double=True)
    assert used() == own - {opened.stars[2].id}
    click_star(browser, opened, 5)
    browser.find_element("css selector", "#star button").click()
    assert used() == own - {opened.stars[2].id} | {opened.stars[5].id}
    for row in (2, 5):
        tick(browser, opened, row).click()
    assert used() == own
    click_star(browser, opened, OUT, double=True)
    click_star(browser, opened, 0, double=True)
    assert used() == own
    assert not tick(browser, opened, OUT).is_enabled()


def test_stars_are_sorted_and_filtered(browser, opened):
    browser.find_element("xpath", "//*[@id='stars']//th[8]/button").click()
    at = [float(row[7]) for row in rows_of(browser, "#stars")]
    assert at == sorted(at)
    browser.find_element("xpath", "//*[@id='stars']//th[8]/button").click()
    at = [float(row[7]) for row in rows_of(browser, "#stars")]
    assert at == sorted(at, reverse=True)
    browser.find_element("css selector", "#stars option[value=field]").click()
    assert {row[1] for row in rows_of(browser, "#stars")} == {opened.stars[k].id for k in (5, 6, 7)}


RING = """
const canvas = document.querySelector(arguments[0]), scale = canvas.width / canvas.clientWidth;
const [x, y, r] = [...arguments].slice(1).map((v) => v * scale);
const context = canvas.getContext("2d");
return [0, 1, 2, 3].map((k) => {
  const [a, b] = [Math.cos(k * Math.PI / 2), Math.sin(k * Math.PI / 2)];
  const { data } = context.getImageData(x + r * a - 2, y + r * b - 2, 4, 4);
  const coloured = [...data].map((v, i) => (i % 4 === 1 ? v - data[i - 1] : 0)); // green over red
  return Math.max(...coloured);
});"""

BRIGHT = """
const canvas = document.querySelector("#film canvas.marks");
const scale = canvas.width / canvas.clientWidth;
const [x, y] = [...arguments].map((v) => v * scale);
return canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];"""
THUMBNAIL = """
const canvas = document.querySelector("#film .close canvas"), half = canvas.width / 2;
const at = (x, y) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
return [at(half, half), at(half / 3, half / 3)];"""


@pytest.mark.parametrize("frame", [3, 33])
def test_the_film_shows_each_frame_with_its_apertures_where_its_stars_are(browser, opened, frame):
    browser.execute_script(
        "const s = document.querySelector('#film input'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input'))", frame,
    )  # fmt: skip
    assert f"{frame + 1} of 40" in text(browser, "#film .told")
    width = browser.execute_script("return document.querySelector('#film .frame').clientWidth")
    star, zoom = opened.stars[2], width / NX
    x, y = (star.x, star.y) if frame < 20 else (NX - 1 - star.x, NY - 1 - star.y)
    place = [zoom * (x + 0.5), zoom * (NY - y - 0.5)]
    found = browser.execute_script(RING, "#film canvas.marks", *place, 5 * zoom)
    assert min(found) > 60
    assert browser.execute_script(BRIGHT, *place) > 80
    middle, corner = browser.execute_script(THUMBNAIL)
    assert middle > corner + 100


def test_the_film_plays_and_pauses(browser, opened):
    play = browser.find_element("css selector", "#film .play")
    play.click()
    browser.execute_script("return new Promise((done) => setTimeout(done, 700))")
    play.click()
    seen = text(browser, "#film .told b")
    assert int(seen.split()[0]) >= 3
    browser.execute_script("return new Promise((done) => setTimeout(done, 300))")
    assert text(browser, "#film .told b") == seen


def test_lost_frames_come_first_with_reason_and_picture(browser, opened):
    items = browser.find_elements("css selector", "#frames .lost li")
    assert len(items) == LOST
    assert all(item.find_elements("css selector", "canvas") for item in items)
    assert opened.lost[1].reason in items[1].text


def test_a_click_on_a_frame_pins_it(browser, opened):
    browser.find_element("css selector", "#frames .window tbody tr:not(.gap):nth-child(4)").click()
    assert opened.frames.file[2] in text(browser, "#frame-card")
    assert "3 of 40" in text(browser, "#film .told")
    assert browser.find_elements("css selector", "#frame-card canvas")


def test_thousands_of_frames_stay_quick(browser, tmp_path):
    page = make_page(2000, 40)
    open_page(browser, write_night_page(tmp_path / "report.html", page))
    assert len(rows_of(browser, "#frames")) < 100
    spent = browser.execute_script(
        "const began = performance.now();"
        "document.querySelectorAll('#frames th button')[3].click();"
        "document.querySelectorAll('#frames th button')[3].click();"
        "return performance.now() - began"
    )
    assert spent < 300  # ms
    flux = [row[3] for row in rows_of(browser, "#frames")]
    assert flux == sorted(flux, reverse=True)
    browser.execute_script(
        "const w = document.querySelector('#frames .window'); w.scrollTop = w.scrollHeight;"
        "return new Promise((done) => setTimeout(done, 100))"
    )
    assert float(rows_of(browser, "#frames")[-1][3]) == pytest.approx(
        page.curve.flux.min(), abs=1e-4
    )


@pytest.mark.parametrize("width", [400, 1200])
def test_hostile_names_and_a_phone(browser, tmp_path, width):
    resize(browser, width, 800)
    complaints(browser)
    page = page_of(12, name=HOSTILE)
    open_page(browser, write_night_page(tmp_path / "report.html", page))
    click_star(browser, page, 1)
    assert browser.title != "broken"
    assert complaints(browser) == []
    assert page.stars[1].reason == text(browser, "#star .reason")
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(wide) <= 0
    resize(browser, 1200, 900)


def test_a_run_without_pictures_gives_a_page_all_the_same(browser, tmp_path):
    page = replace(page_of(), picture=None, film=None)
    open_page(browser, write_night_page(tmp_path / "report.html", page))
    assert complaints(browser) == []
    browser.find_element("css selector", "#stars .window tbody tr:not(.gap):nth-child(4)").click()
    assert page.stars[2].id in text(browser, "#star h3")
    assert rows_of(browser, "#frames")
