"""The page of a night that was reduced, whatever is missing of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from browser import complaints, needs_browser, open_browser, open_page
from lightcurve.core.settings import make_settings
from lightcurve.night.page import in_time, own_curve
from lightcurve.transit.fit import NOT_SAMPLED, fit_points
from lightcurve.transit.model import transit_flux
from lightcurve.transit.solve import Points
from sim import tiny_night
from sim_finished import finished
from sim_points import MID, PLANET
from undrawn import reduce_night

HOSTILE = {
    2: "it's <img src=x onerror=alert(1)>&.fits",
    3: "\u202ea b.fits",
    4: "n" * 200 + ".fits",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames, some with names that are none; no planet."""
    folder = tmp_path_factory.mktemp("night")
    tiny_night(folder, n_frames=8, shape=(300, 330), n_stars=40, header_wcs=True)
    for number, name in HOSTILE.items():
        (folder / f"light_{number:04d}.fits").rename(folder / name)
    settings = make_settings({"target": {"name": "Tiny <1>", "ra": "20.0", "dec": "30.0"}})
    return reduce_night(folder, settings, folder / "run").products.folder


def test_the_page_has_what_the_table_has(run: Path) -> None:
    page = (run / "report.html").read_text()
    data = json.loads(re.search(r'id="night">(.*?)</script>', page, re.S)[1])
    table = Table.read(run / "lightcurve.csv", format="ascii.csv", comment="#")
    assert data["frames"]["file"] == list(table["file"])
    assert set(HOSTILE.values()) <= set(data["frames"]["file"])
    assert np.allclose(data["curve"]["flux"], table["rel_flux"], rtol=1e-6)
    assert data["curve"]["detrended"] is None
    assert data["verdict"]["finding"] == ""
    assert data["title"].startswith("Tiny <1>")


@needs_browser
def test_a_night_of_few_frames_without_a_planet_comes_to_life(run: Path) -> None:
    with open_browser() as browser:
        open_page(browser, run / "report.html")
        assert complaints(browser) == []
        wide = "const e = document.documentElement; return e.scrollWidth - e.clientWidth"
        assert browser.execute_script(wide) <= 0, "nothing reaches beyond the page"
        drawn = "return Bokeh.documents[0].roots()[0].renderers[0].data_source.data.raw"
        assert len(browser.execute_script(drawn)) == 8


def test_a_night_over_midnight_is_one_date_and_a_season_is_two() -> None:
    assert in_time(2455922.72862, 2455923.25) == "2011-12-27 05:29 to 18:00 UTC"
    assert in_time(2455922.75, 2456019.5) == "2011-12-27 06:00 to 2012-04-02 00:00 UTC"


def test_the_line_of_the_model_goes_through_the_model_of_the_points() -> None:
    """Of a star whose light others dilute, and of two nights that are joined."""
    n, exposure_s = 120, 600.0
    time = MID + np.concatenate([np.linspace(-0.15, 0.15, n // 2), np.linspace(2.65, 2.95, n // 2)])
    theta, planet = np.array([MID, 0.12, 8.0, 0.28, 0.35, 0.36]), replace(PLANET, dilution=0.7)
    flux = transit_flux(time, theta, planet, exposure_days=exposure_s / 86400)
    flux += np.random.default_rng(3).normal(0, 0.001, n)
    points = Points(time, flux, np.full(n, 0.001), exposure_s)
    fit = fit_points(points, planet, settings=NOT_SAMPLED)
    curve = replace(finished(n).curve, flux=flux, bjd_tdb=time)
    fine = own_curve(curve, fit, PLANET, exposure_s).fine
    assert fine is not None
    there = np.isfinite(fine.time)
    line = np.interp(time, fine.time[there], fine.flux[there])
    assert line == pytest.approx(fit.model, abs=2e-5)
    assert np.isnan(fine.time).sum() == 1, "no line from night to night"
