"""Survey images by hips2fits, through the real client: on the frame's pixels, or left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightcurve.astrometry.wcs import describe_wcs
from lightcurve.catalogs.hips import ask_cutout, surveys
from lightcurve.core.data import Solution
from lightcurve.core.errors import CatalogError
from lightcurve.core.progress import Clock
from lightcurve.core.settings import CatalogSettings, make_settings
from lightcurve.image.figures import candidates_figure
from lightcurve.image.reduced import Candidate, Reduced, Search
from lightcurve.image.story import measure_image
from lightcurve.image.templates import ask_templates, cards_around
from lightcurve.simulate.sky import frame_wcs
from services_server import ServicesServer
from services_tables import CENTRE
from sim_image import Observatory, ey_uma_frame, offline

HALF = 20
BOTH = ("hips2fits", "hips2fits_bis")


def settings(server: ServicesServer, **changes: object) -> CatalogSettings:
    return CatalogSettings(servers=server.servers, timeout_s=20, **changes)


def solution() -> Solution:
    """A frame that is turned by 140 degrees and off its middle."""
    wcs = frame_wcs(CENTRE, (300.0, 200.0), 1.7, 140.0)
    scale, rotation, parity = describe_wcs(wcs, (400, 600))
    return Solution(wcs, "header", 0, float("nan"), scale, rotation, parity, "")


def brightest(server: ServicesServer) -> tuple[float, float]:
    table = server.tables["II/349/ps1"]
    k = int(np.argmin(np.where(np.isfinite(table["rmag"]), table["rmag"], 99)))
    return float(table["RAJ2000"][k]), float(table["DEJ2000"][k])


def test_a_survey_lies_on_the_pixels_of_the_frame(services: ServicesServer) -> None:
    known = solution()
    ra, dec = brightest(services)
    x, y = (float(v) for v in known.wcs.all_world2pix(ra, dec, 0))
    place = (round(x) + 5, round(y) - 3)
    cutout = ask_cutout(cards_around(known, place, HALF), "rp", settings(services))
    assert cutout.title == "Pan-STARRS r"
    assert cutout.pixels.shape == (2 * HALF + 1, 2 * HALF + 1)
    rows, columns = np.indices(cutout.pixels.shape)
    light = np.where(np.hypot(columns - (x - place[0] + HALF), rows - (y - place[1] + HALF)) < 6,
                     cutout.pixels, 0)  # fmt: skip
    assert (light * columns).sum() / light.sum() == pytest.approx(x - place[0] + HALF, abs=0.1)
    assert (light * rows).sum() / light.sum() == pytest.approx(y - place[1] + HALF, abs=0.1)


def test_the_question_is_that_of_astroquery(services: ServicesServer) -> None:
    """Its own client writes the same WCS, but for how it is laid out."""
    from astropy.wcs import WCS
    from astroquery.hips2fits import hips2fits

    cards = cards_around(solution(), (310, 220), HALF)
    ask_cutout(cards, "rp", settings(services))
    asked = services.asked[-1][1]
    theirs = hips2fits.query_with_wcs(
        hips="CDS/P/PanSTARRS/DR1/r", wcs=WCS(cards), get_query_payload=True
    )
    ours = services.questions[-1]
    assert set(ours) <= set(theirs)
    assert (ours["hips"], ours["format"]) == (theirs["hips"], theirs["format"])
    one, other = (WCS(json.loads(text["wcs"])) for text in (ours, theirs))
    corners = np.array([[0.0, 0], [40, 0], [0, 40], [40, 40]])
    np.testing.assert_allclose(
        one.wcs_pix2world(corners, 0), other.wcs_pix2world(corners, 0), atol=1e-9
    )
    assert "hips2fits" in asked


def test_where_one_survey_did_not_look_the_next_is_asked(services: ServicesServer) -> None:
    cards = cards_around(solution(), (300, 200), HALF)
    services.trouble["hips2fits"] = "no Pan-STARRS"
    assert ask_cutout(cards, "gp", settings(services)).title == "DSS2 red"
    assert [one for one, _ in surveys("gp", -60.0)] == ["CDS/P/DSS2/red"]
    assert surveys("J", -60.0)[0][1] == "2MASS J"
    services.trouble["hips2fits"] = "no survey"
    other = cards_around(solution(), (200, 200), HALF)
    assert ask_cutout(other, "gp", settings(services)) is None


def test_a_cutout_is_asked_for_once(services: ServicesServer) -> None:
    cards = cards_around(solution(), (300, 200), HALF)
    first = ask_cutout(cards, "rp", settings(services))
    n = len(services.asked)
    again = ask_cutout(cards, "rp", settings(services, offline=True))
    assert len(services.asked) == n
    np.testing.assert_array_equal(first.pixels, again.pixels)
    with pytest.raises(CatalogError, match="offline"):
        ask_cutout(cards_around(solution(), (9, 9), HALF), "rp", settings(services, offline=True))


def test_the_other_server_is_asked_where_one_fails(services: ServicesServer) -> None:
    services.trouble["hips2fits"] = "500"
    cards = cards_around(solution(), (300, 200), HALF)
    assert ask_cutout(cards, "rp", settings(services)).title == "Pan-STARRS r"
    assert services.asked[-1][0] == "hips2fits_bis"


@pytest.mark.parametrize("trouble", ["500", "html", "nothing", "truncated", "cut", "flood"])
def test_what_is_no_image_is_said_to_be_none(
    services: ServicesServer, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightcurve.catalogs.http_cache.MAX_BYTES", 3_000_000)
    services.trouble |= dict.fromkeys(BOTH, trouble)
    with pytest.raises(CatalogError) as raised:
        ask_cutout(cards_around(solution(), (300, 200), HALF), "rp", settings(services))
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def reduced(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Reduced:
    """A frame with three sources called candidates."""
    catalog = shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"
    site = Observatory(shape=(500, 500), scale=2.0, rotation=70.0)
    truth = ey_uma_frame(tmp_path_factory.mktemp("ey") / "ey.fits", catalog, site)
    quick = {"psf": "none", "injected": 0, "cosmic_rays": "no"}
    found = measure_image(truth.path, offline(catalog, **quick), Clock())
    three = tuple(Candidate(k, 100.0, "made up") for k in (2, 5, 9))
    return replace(found, transients=Search(three, {}))


def online(reduced: Reduced, server: ServicesServer, **image: object) -> Reduced:
    changed = make_settings(
        {"catalogs": {"servers": server.servers, "timeout_s": 5}, "image": image}
    )
    return replace(reduced, settings=changed)


def test_candidates_are_shown_with_a_survey(
    reduced: Reduced, services: ServicesServer, tmp_path: Path
) -> None:
    seen = ask_templates(online(reduced, services), 12)
    assert [candidate.row for candidate in reduced.transients.candidates] == list(seen)
    # A star of the catalogue: the survey has it in the middle, where the candidate is.
    for cutout in seen.values():
        assert np.unravel_index(np.argmax(cutout.pixels), cutout.pixels.shape) == (12, 12)
    (drawing,) = candidates_figure(tmp_path / "candidates.png", online(reduced, services))
    assert "Pan-STARRS r" in drawing.caption
    assert drawing.save(drawing.path).stat().st_size


def test_candidates_are_shown_without_one_where_the_service_fails(
    reduced: Reduced, services: ServicesServer, tmp_path: Path
) -> None:
    services.trouble |= dict.fromkeys(BOTH, "500")
    (drawing,) = candidates_figure(tmp_path / "candidates.png", online(reduced, services))
    assert "Pan-STARRS" not in drawing.caption
    # The first candidate's question alone, at both servers, each twice.
    assert len({question for _, question in services.asked}) <= 2
    services.calm()
    assert ask_templates(online(reduced, services, services=("gaia",)), 12) == {}
    assert ask_templates(reduced, 12) == {}  # offline
    assert not services.asked
