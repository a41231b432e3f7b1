"""Nothing in a figure lies on anything else, whatever the night and however narrow the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from lightcurve.core.data import Finding
from lightcurve.core.errors import InputError
from lightcurve.night.figures import FIGURES
from lightcurve.report.style import Look, wearing
from overlaps import overlaps
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


@pytest.mark.parametrize("size", [(14.0, 4.0), (3.0, 9.0), (6.0, 4.0)])
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
