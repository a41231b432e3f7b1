"""What a reader does to the page, and what comes of it, against what the program makes of it."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from browser import complaints, needs_browser, open_browser, open_page
from lightcurve.report.page.bundle import write_night_page
from sim_playable import make_playable

MOST_BYTES = 3_000_000
MOST_MS = 1000.0  # on a busy machine; a tenth of it where nothing else runs
FILM_BYTES = 600_000  # that the film may take beside the rest


@pytest.fixture(scope="module")
def night():
    return make_playable()


@pytest.fixture(scope="module")
def opened(night, tmp_path_factory):
    with open_browser(1500, 1100) as browser:
        path = tmp_path_factory.mktemp("page") / "report.html"
        open_page(browser, write_night_page(path, night.page))
        yield browser
        assert complaints(browser) == []


@pytest.fixture
def browser(opened):
    yield opened
    opened.execute_script("document.getElementById('back').click(); scrollTo(0, 0)")


def click(browser, selector: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def choose(browser, control: str, value: object) -> None:
    script = """const s = document.getElementById(arguments[0]); s.value = arguments[1];
        s.dispatchEvent(new Event("change"));"""
    browser.execute_script(script, control, str(value))


def told(browser, column: int = 0) -> dict[str, float]:
    """The numbers of the page, to full precision: of the reader's choice, or the program's (1)."""
    script = """const rows = [...document.querySelectorAll("#numbers tbody tr")];
    return Object.fromEntries(rows.map((row) => {
        const cell = row.querySelectorAll("td")[arguments[0]];
        return [cell.dataset.name, Number(cell.title)];
    }))"""
    return browser.execute_script(script, column)


def line(browser) -> list[str]:
    return shlex.split(browser.execute_script("return document.getElementById('tune-line').value"))


def assert_as_program(numbers, night, choice) -> None:
    _, fit = night.by_program(choice)
    assert numbers["scatter"] == pytest.approx(100 * fit.scatter, rel=1e-6)
    assert numbers["bic"] == pytest.approx(fit.bic, rel=1e-6)
    assert numbers["mid_time"] == pytest.approx(fit.mid_time, abs=1e-6, rel=0)
    assert numbers["depth"] == pytest.approx(100 * fit.depth, rel=1e-6)
    assert numbers["rp_over_rs"] == pytest.approx(fit.rp_over_rs, rel=1e-6)
    assert numbers["n_points"] == fit.n_points


@needs_browser
def test_a_star_is_clicked_out_and_in(browser, night):
    row = night.choice.rows[0]
    click(browser, f'.chip[data-row="{row}"]')
    choice = replace(night.choice, rows=night.choice.rows[1:])
    assert_as_program(told(browser), night, choice)
    assert_as_program(told(browser, 1), night, night.choice)
    assert line(browser)[3:] == ["--drop", night.measurements.plan.star_id[row]]
    click(browser, f'.chip[data-row="{row}"]')
    assert len(line(browser)) == 3, "nothing differs from the program's choice"


def weights(browser) -> dict[str, float]:
    """Shares in the ensemble that the table of stars tells, by star."""
    script = """return [...document.querySelectorAll("#stars tbody tr:not(.gap)")].map((row) =>
        [row.cells[1].textContent, Number(row.cells[3].textContent)]).filter(([, w]) => w > 0)"""
    return dict(browser.execute_script(script))


@needs_browser
def test_weights_stand_beside_their_stars(browser, night):
    name = night.measurements.plan.star_id
    for rows in (night.choice.rows, night.choice.rows[1:]):
        curve, _ = night.by_program(replace(night.choice, rows=rows))
        expected = zip(curve.recipe.comparison_rows, curve.recipe.weights, strict=True)
        shown = {str(name[row]): weight for row, weight in expected}
        assert weights(browser) == pytest.approx(shown, abs=6e-4)
        click(browser, f'.chip[data-row="{night.choice.rows[0]}"]')


@needs_browser
def test_another_aperture_and_other_weights(browser, night):
    other = 1 if night.choice.aperture != 1 else 2
    choose(browser, "aperture", other)
    assert_as_program(told(browser), night, replace(night.choice, aperture=other))
    choose(browser, "weighting", "sum")
    choice = replace(night.choice, aperture=other, weighting="sum")
    assert_as_program(told(browser), night, choice)
    assert line(browser)[-2:] == ["--weights", "sum"]


@needs_browser
def test_detrending_by_what_is_ticked(browser, night):
    click(browser, '#choice input[value="fwhm"]')
    choice = replace(night.choice, covariates=("airmass", "fwhm"))
    assert_as_program(told(browser), night, choice)
    assert line(browser)[3:] == ["--covariate", "airmass", "--covariate", "fwhm"]
    click(browser, '#choice input[value="fwhm"]')
    click(browser, '#choice input[value="airmass"]')
    assert_as_program(told(browser), night, replace(night.choice, covariates=()))
    assert line(browser)[3:] == ["--covariate", "none"]


@needs_browser
def test_a_point_is_left_out_once_its_frame_was_shown(browser, night):
    body = browser.find_element("css selector", "body")
    body.send_keys(*[Keys.ARROW_RIGHT] * 10, Keys.ENTER)
    shown = browser.execute_script(
        "return document.querySelector('#frame-card strong').textContent"
    )
    body.send_keys("x")
    choice = replace(night.choice, excluded=(shown,))
    assert_as_program(told(browser), night, choice)
    assert line(browser)[3:] == ["--exclude", shown]
    card = browser.find_element("id", "frame-card").text
    assert "by hand" in card
    assert "outlier" not in card
    drawn = """const d = Bokeh.documents[0].roots()[0].renderers[0].data_source.data;
        return d.fill.indexOf("rgba(0,0,0,0)")"""
    assert browser.execute_script(drawn) == night.page.frames.file.index(shown), "a hollow point"


@needs_browser
@pytest.mark.parametrize(
    ("control", "key"),
    [
        ("#choice .chip", Keys.SPACE),
        ("#choice .ticks input", Keys.SPACE),
        ("#aperture", Keys.ARROW_DOWN),
        ("#stars tbody input:enabled", Keys.SPACE),
    ],
)
def test_the_keyboard_stays_at_what_it_changed(browser, control, key):
    before = line(browser)
    browser.find_element("css selector", control).send_keys(key)
    WebDriverWait(browser, 5).until(lambda b: line(b) != before)
    stays = "return document.querySelector(arguments[0]) === document.activeElement"
    assert browser.execute_script(stays, control)


@needs_browser
def test_the_answer_is_seen_from_wherever_a_star_is_clicked(browser, night):
    seen = "return getComputedStyle(document.getElementById('answer')).display !== 'none'"
    click(browser, f'.chip[data-row="{night.choice.rows[0]}"]')
    assert not browser.execute_script(seen), "the curve itself is in sight"
    browser.execute_script("document.querySelector('footer').scrollIntoView()")
    WebDriverWait(browser, 5).until(lambda b: b.execute_script(seen))
    click(browser, "#answer button")
    assert not browser.execute_script(seen)


@needs_browser
def test_the_line_to_copy_is_safe_in_a_shell(night, tmp_path):
    names = ['it\'s "$HOME" `x` \\ ;rm -r.fits', "a b\u202ec.fits", "-x.fits"]
    files = [*names, *night.page.frames.file[len(names) :]]
    page = replace(night.page, frames=replace(night.page.frames, file=files))
    with open_browser() as browser:
        open_page(browser, write_night_page(tmp_path / "report.html", page))
        body = browser.find_element("css selector", "body")
        for _ in names:
            body.send_keys(Keys.ARROW_RIGHT, Keys.ENTER, "x")
        assert line(browser)[3::2] == ["--exclude"] * len(names)
        assert line(browser)[4::2] == names
        assert complaints(browser) == []


@needs_browser
def test_stars_that_the_page_has_no_room_for_are_told(night, tmp_path):
    cube = dict(night.page.cube) | {"rows": [r if r != 2 else 99 for r in night.page.cube["rows"]]}
    gone = sum(row not in cube["rows"] for row in night.choice.rows)
    assert gone == 1
    with open_browser() as browser:
        open_page(browser, write_night_page(tmp_path / "a.html", night.page))
        assert not browser.find_elements("id", "without-room")
        page = replace(night.page, cube=cube)
        open_page(browser, write_night_page(tmp_path / "b.html", page))
        told_of = browser.find_element("id", "without-room").text
        n = len(night.choice.rows)
        assert f"{n - 1} of" in told_of
        assert f" {n} " in told_of


@needs_browser
def test_a_choice_that_gives_no_curve_is_told(browser, night):
    for row in night.choice.rows:
        click(browser, f'.chip[data-row="{row}"]')
    said = "return document.getElementById('said').textContent"
    assert browser.execute_script(said)
    click(browser, "#back")
    assert not browser.execute_script(said)


@needs_browser
def test_a_large_night_answers_at_once(tmp_path):
    large = make_playable(500, 150)
    path = write_night_page(tmp_path / "report.html", large.page)
    assert path.stat().st_size < MOST_BYTES - FILM_BYTES
    with open_browser() as browser:
        open_page(browser, path)
        took = []
        for row in large.choice.rows[:5]:
            click(browser, f'.chip[data-row="{row}"]')
            took.append(
                browser.execute_script("return Number(document.documentElement.dataset.took)")
            )
        assert min(took) < MOST_MS
        assert complaints(browser) == []
