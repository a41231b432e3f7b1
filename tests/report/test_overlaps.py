"""Nothing in a figure lies on anything else, whatever the night and however narrow the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from lightcurve.core.data import Finding
from lightcurve.core.errors import InputError
from lightcurve.night.figures import FIGURES
from lightcurve.report.field import save_field
from lightcurve.report.layout import WHOLE
from lightcurve.report.night import (
    save_growth,
    save_masters,
    save_seeing_profile,
    star_profile,
)
from lightcurve.report.stars import save_noise
from lightcurve.report.style import STYLES, Look, wearing
from overlaps import overlaps
from sim_cube import CubeTruth, simulate_cube
from sim_finished import finished

HOSTILE = "$\\frac{x}_$ <b>a_b^c</b> \n\t\x07 \u6a2a\u6d5c\u306e\u661f %s {0} " + "W" * 120
FRAMELESS = [one.name for one in FIGURES if not one.lacks(finished(n=12))]
NIGHTS = {
    "plain": {},
    "no fit": {"found": None},
    "no planet": {"found": None, "planet": None, "check": False},
    "no transit": {"found": Finding.NONE},
    "eight points": {"n": 8, "hours": 1.0, "stars": 1},
    "two thousand": {"n": 2000},
    "huge outliers": {"wild": 900.0},
    "wild but not far": {"wild": 0.05},
    "deep": {"rp": 0.6},
    "shallow": {"rp": 0.02, "scatter": 2e-4},
    "begins in transit": {"starts": -0.2, "found": Finding.PARTIAL},
    "many stars": {"stars": 60},
    "three minutes": {"n": 30, "hours": 0.05},
    "hostile names": {"name": HOSTILE, "telescope": HOSTILE},
}


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw a figure of a night in a look; gives the figure."""
    made = []

    class Kept(Figure):
        def __init__(self, **options):
            super().__init__(**options)
            made.append(self)

    monkeypatch.setattr("matplotlib.figure.Figure", Kept)

    def draw(name, night, look):
        with wearing(look):
            FIGURES.get(name).draw(tmp_path / f"{name}.png", night)
        return made.pop()

    return draw


@pytest.mark.parametrize("kind", NIGHTS)
def test_the_light_curve_of_any_night_fits_one_column(drawn, kind):
    night = finished(**NIGHTS[kind])
    assert overlaps(drawn("light_curve", night, Look("column", dpi=100))) == []


@pytest.mark.parametrize("style", ["column", "talk"])
@pytest.mark.parametrize("name", FRAMELESS)
def test_every_figure_in_every_style(drawn, name, style):
    assert overlaps(drawn(name, finished(n=60, name=HOSTILE), Look(style, dpi=80))) == []


@pytest.mark.parametrize("size", [(14.0, 4.0), (3.0, 9.0), (6.0, 4.0), (7.1, 4.0)])
def test_any_size(drawn, size):
    figure = drawn("light_curve", finished(n=60), Look(size=size, dpi=80))
    assert tuple(figure.get_size_inches()) == pytest.approx(size)
    assert overlaps(figure) == []


def test_a_size_without_room_is_one_clear_error(drawn, tmp_path):
    with pytest.raises(InputError, match=r"light_curve.png: 1.5 x 1.2 inches .* --size"):
        drawn("light_curve", finished(n=60), Look(size=(1.5, 1.2)))
    assert not list(tmp_path.iterdir())


def test_what_is_overprinted_is_found(drawn):
    """The finder itself: words on points, on words, and beyond the edge."""
    figure = drawn("light_curve", finished(n=60), Look(dpi=80))
    axes = figure.axes[0]
    time, flux = axes.lines[0].get_data()
    axes.text(time[5], flux[5], "on points")
    figure.text(0.01, 0.97, "on the title")
    figure.text(0.99, 0.5, "beyond the edge")
    told = " ".join(overlaps(figure))
    assert all(words in told for words in ("on points", "on the title", "beyond the edge"))


def test_nothing_known_is_still_a_figure(drawn):
    night = finished(n=20, found=None)
    nothing = np.full(20, np.nan)
    empty = replace(night, curve=replace(night.curve, flux=nothing, flux_err=nothing, stars=None))
    for name in ("light_curve", "night"):
        assert overlaps(drawn(name, empty, Look(dpi=80))) == []


@pytest.mark.parametrize("size", [(9 / 2.54, 8 / 2.54), (7.1, 4.0)])
def test_a_low_light_curve_keeps_flux_and_residuals(drawn, size):
    figure = drawn("light_curve", finished(n=60), Look(size=size, dpi=80))
    assert [axes.get_ylabel() for axes in figure.axes] == ["Relative flux", "Residual (%)"]


@pytest.mark.parametrize("style", STYLES)
def test_long_names_of_covariates_leave_each_other_room(drawn, style):
    night = finished(n=60)
    long = ("time", "airmass", "x", "y", "fwhm", "sky", "comparison_flux", "other_light")
    values = {name: np.arange(60.0) for name in long}
    curve = replace(night.curve, covariates=values)
    fit = replace(night.fit, covariates=long)
    assert overlaps(drawn("covariates", replace(night, curve=curve, fit=fit), Look(style))) == []


@pytest.mark.parametrize("style", ["screen", "column"])
def test_figures_of_frames_in_narrow_and_wide(monkeypatch, tmp_path, style):
    made = []

    class Kept(Figure):
        def __init__(self, **options):
            super().__init__(**options)
            made.append(self)

    monkeypatch.setattr("matplotlib.figure.Figure", Kept)
    rng = np.random.default_rng(2)
    cube = simulate_cube(np.ones(20), CubeTruth(n_stars=30), rng)
    plan, roles = cube.plan, list(cube.plan.role)
    pixels = rng.normal(100, 5, (250, 1000))
    profile = star_profile(pixels, (60.0, 60.0), 90.0, 12.0, star_id="T1", fwhm=4.0)
    growth = np.sort(rng.uniform(0.1, 1, (3, 8)), axis=1)
    with wearing(Look(style, dpi=80)):
        save_field(tmp_path / "a.png", pixels, plan, radius=4.0, outer=12.0, title=HOSTILE)
        save_seeing_profile(
            tmp_path / "b.png",
            [profile],
            radius=4.0,
            annulus=(6.0, 10.0),
            times=cube.bjd_tdb,
            fwhm=cube.fwhm_px,
            scale_arcsec=1.2,
            title=HOSTILE,
            facts=(HOSTILE,),
        )
        save_growth(
            tmp_path / "c.png",
            np.arange(1.0, 9),
            growth,
            0.01 * growth,
            roles=["target", "comparison", "check"],
            radius=4.0,
            title=HOSTILE,
        )
        save_noise(
            tmp_path / "d.png",
            rng.uniform(-12, -6, 30),
            rng.uniform(0.001, 0.1, 30),
            roles=roles,
            title=HOSTILE,
        )
        save_masters(tmp_path / "e.png", {"bias": pixels, "flat": pixels / 100}, title=HOSTILE)
    assert {k: found for k, figure in enumerate(made) if (found := overlaps(figure))} == {}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", [(500, 650), (1080, 1920), (1920, 1080), (300, 1000)])
def test_nothing_of_a_field_is_cut_off_in_the_file(tmp_path, style, shape):
    rng = np.random.default_rng(2)
    plan = simulate_cube(np.ones(5), CubeTruth(n_stars=30), rng).plan
    for title in ("A field", "A field of which there is much to say " * 4):
        with wearing(Look(style, dpi=80)):
            path = save_field(
                tmp_path / "a.png", rng.normal(100, 5, shape), plan,
                radius=4.0, outer=12.0, title=title,
            )  # fmt: skip
        dots = imread(path)[..., :3]
        for edge in (dots[0], dots[-1], dots[:, 0], dots[:, -1]):
            assert (edge == dots[0, 0]).all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ["HAT-P-32 b", "2023-02-2", "UT", "CV", "transit, depth 2.25"]),
        ({"found": None}, ["HAT-P-32 b", "142 points", "0.4"]),
        ({"found": Finding.NONE}, ["no transit"]),
        ({"found": Finding.INCONCLUSIVE}, ["cannot be told"]),
    ],
)
def test_titles_state_what_was_found(options, told):
    headline = finished(**options).headline
    assert [words for words in told if words not in headline] == [], headline


def test_facts_have_values_with_errors_and_units():
    observed, fitted = finished().facts
    for words in ("Cecilia", "filter CV", "60 s", "142 of 142", "4.2 px (21.7 arcsec)", "12 comp"):
        assert words in observed
    for words in ("BJD (TDB)", "min", "Rp/R* 0.1500 \N{PLUS-MINUS SIGN} 0.0061", "3.048", " h, "):
        assert words in fitted.replace(WHOLE, " "), fitted


def test_no_title_is_no_head_at_all(drawn):
    figure = drawn("light_curve", finished(n=30), Look(title="", dpi=80))
    assert not figure.texts
