"""Candidates are what is new: no catalogue, however shallow, partial or odd, makes a star one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightcurve.catalogs.layout import Catalog, Column
from lightcurve.core.progress import Clock
from lightcurve.image.reduced import Known, Reduced, Search
from lightcurve.image.story import measure_image
from lightcurve.image.transients import search_transients
from sim_image import Observatory, Rendered, ey_uma_frame, offline

SITE = Observatory(shape=(900, 900), scale=1.4)


@pytest.fixture(scope="module")
def frame(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rendered, Reduced]:
    catalog = shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"
    truth = ey_uma_frame(tmp_path_factory.mktemp("ey") / "ey.fits", catalog, SITE)
    quick = {"psf": "none", "injected": 0, "cosmic_rays": "no"}
    return truth, measure_image(truth.path, offline(catalog, **quick), Clock())


def search(reduced: Reduced, catalog: Catalog) -> Search:
    known = Known({"file": catalog}, (), ("file",))
    pairs = {"file": reduced.placed.match(catalog)}
    return search_transients(
        reduced.sources, reduced.placed, reduced.calibrated, known, pairs, wanted=True
    )


def catalog_of(reduced: Reduced) -> Catalog:
    return reduced.known.catalogs["file"]


def bright_and_alone(truth: Rendered, *, left: bool = True) -> int:
    """A star that would be missed, in one half of the frame."""
    half = truth.x < 450 if left else truth.x > 450
    chosen = np.flatnonzero((truth.mag > 14) & (truth.mag < 16.5) & truth.on_frame(80) & half)
    xy = np.column_stack([truth.x, truth.y])
    apart = [np.sort(np.hypot(*(xy - xy[k]).T))[1] for k in chosen]
    return int(chosen[int(np.argmax(apart))])


def nearest(truth: Rendered, reduced: Reduced, row: int) -> int:
    x, y = reduced.sources.phot.x[row], reduced.sources.phot.y[row]
    return int(np.argmin(np.hypot(truth.x - x, truth.y - y)))


def without(truth: Rendered, catalog: Catalog, star: int) -> Catalog:
    far = np.hypot(
        (catalog.ra_deg - truth.ra[star]) * np.cos(np.radians(truth.dec[star])),
        catalog.dec_deg - truth.dec[star],
    )
    return catalog.rows(far > 1 / 3600)


def plain(catalog: Catalog) -> Catalog:
    return replace(catalog, columns={})


def shallow(catalog: Catalog) -> Catalog:
    return catalog.rows(catalog.number("ps1_r_mag") < 15.5)


def part(catalog: Catalog) -> Catalog:
    return catalog.rows(catalog.ra_deg > np.percentile(catalog.ra_deg, 12))


def thinned(catalog: Catalog) -> Catalog:
    return catalog.rows(np.random.default_rng(5).random(len(catalog)) < 0.6)


def few(catalog: Catalog) -> Catalog:
    return catalog.rows(np.argsort(catalog.number("ps1_r_mag"))[:6])


def odd(catalog: Catalog) -> Catalog:
    """Magnitudes on a scale of their own, of a band far from the frame's."""
    mag = catalog.number("ps1_r_mag") + 9 + 2 * np.nan_to_num(catalog.number("gaia_bp_mag") - 16)
    return replace(catalog, columns={"mag": Column(mag, "mag")})


def of_one_colour(catalog: Catalog) -> Catalog:
    return replace(catalog, columns={"jkc_b_mag": Column(catalog.number("ps1_g_mag"), "mag")})


@pytest.mark.parametrize(
    "kind", [lambda c: c, plain, shallow, part, thinned, few, odd, of_one_colour],
    ids=["whole", "plain", "shallow", "part", "thinned", "few", "odd", "one"],
)  # fmt: skip
def test_ordinary_stars_are_no_candidates(frame: tuple[Rendered, Reduced], kind) -> None:
    reduced = frame[1]
    assert search(reduced, kind(catalog_of(reduced))).candidates == ()


@pytest.mark.parametrize("kind", [lambda c: c, plain, part, odd, of_one_colour],
                         ids=["whole", "plain", "part", "odd", "one"])  # fmt: skip
def test_a_new_star_is_found_with_any_catalogue(frame: tuple[Rendered, Reduced], kind) -> None:
    truth, reduced = frame
    catalog = kind(catalog_of(reduced))
    inside = [bright_and_alone(truth, left=left) for left in (True, False)]
    star = max(inside, key=lambda one: truth.ra[one])
    found = search(reduced, without(truth, catalog, star))
    assert [nearest(truth, reduced, one.row) for one in found.candidates] == [star]


def test_a_star_that_flared_is_one(frame: tuple[Rendered, Reduced]) -> None:
    truth, reduced = frame
    catalog = catalog_of(reduced)
    star = bright_and_alone(truth)
    before = np.array(catalog.number("ps1_r_mag"))
    here = np.argmin(np.hypot(catalog.ra_deg - truth.ra[star], catalog.dec_deg - truth.dec[star]))
    before[here] += 3.0
    faint = replace(catalog, columns={"ps1_r_mag": Column(before, "mag")})
    found = search(reduced, faint)
    assert [nearest(truth, reduced, one.row) for one in found.candidates] == [star]
    assert "3.0 mag brighter" in found.candidates[0].reason


def test_stars_that_the_seeing_joins_are_no_candidate(frame: tuple[Rendered, Reduced]) -> None:
    """Each star of the catalogue as two, 2.4 arc seconds to both sides of where it is seen."""
    reduced = frame[1]
    one = catalog_of(reduced)
    step = 2.4 / 3600 / np.cos(np.radians(one.dec_deg))
    fainter = {"ps1_r_mag": Column(one.number("ps1_r_mag") + 0.753, "mag")}
    ra = np.concatenate([one.ra_deg - step, one.ra_deg + step])
    twice = np.concatenate([np.arange(len(one))] * 2)
    pairs = replace(replace(one, columns=fainter).rows(twice), ra_deg=ra)
    assert search(reduced, pairs).candidates == ()


def test_nothing_is_new_where_there_is_no_catalogue(frame: tuple[Rendered, Reduced]) -> None:
    reduced = frame[1]
    empty = search(reduced, catalog_of(reduced).rows(np.zeros(0, dtype=int)))
    assert empty.candidates == ()
    assert empty.note
