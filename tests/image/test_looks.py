"""What sources look like, on a rendered field of stars, galaxies, spikes, hot pixels, a trail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial import cKDTree

from field import (
    FieldSpec,
    Rendered,
    Stars,
    draw,
    place_stars,
    read_out,
    sky_electrons,
    write_catalog,
    write_frame,
)
from field_defects import add_galaxies, add_hot_pixels, add_spikes, add_trail, bleed
from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.core.progress import Clock
from lightcurve.image.reduced import Look, Reduced
from lightcurve.image.story import measure_image
from sim_image import offline

SPEC = FieldSpec(
    shape=(420, 420), n_stars=90, flux_range=(1500, 2e5), spacing_px=14, fwhm_px=(3.2,)
)
BRIGHT = (300.0, 120.0)


@dataclass(frozen=True)
class Case:
    stars: Stars
    galaxies: Stars
    on_galaxies: Stars
    hot: tuple[np.ndarray, np.ndarray]
    from_trail: np.ndarray
    reduced: Reduced

    def at(self, x: np.ndarray, y: np.ndarray, px: float = 2.0) -> np.ndarray:
        """Rows of the table at places (n,), -1 where none is."""
        table = self.reduced.table
        away, row = cKDTree(np.column_stack([table["x"], table["y"]])).query(
            np.column_stack([x, y])
        )
        return np.where(away < px, row, -1)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    rng = np.random.default_rng(12)
    stars = place_stars(SPEC, rng)
    stars = stars.only(np.hypot(stars.x - BRIGHT[0], stars.y - BRIGHT[1]) > 60)
    light = draw(SPEC, stars, sky_electrons(SPEC))
    bright = Stars(*(np.array([v]) for v in (*BRIGHT, 6e6, "star")))
    draw(SPEC, bright, light)
    add_spikes(SPEC, light, bright, 0.004)
    gx, gy = (g.ravel() for g in np.meshgrid(np.arange(60, 400, 110.0), (250.0, 390.0)))
    galaxies = Stars(gx, gy, np.geomspace(6e3, 1e5, gx.size), np.full(gx.size, "galaxy"))
    add_galaxies(SPEC, light, galaxies, np.linspace(2.0, 5.0, gx.size), rng)
    on_galaxies = galaxies.only(np.arange(3, gx.size - 1))
    away = np.linspace(8.0, 12.0, len(on_galaxies))
    on_galaxies = Stars(
        on_galaxies.x + 0.6 * away, on_galaxies.y - 0.8 * away, np.full(away.size, 4000.0),
        np.full(away.size, "star"),
    )  # fmt: skip
    draw(SPEC, on_galaxies, light)
    bleed(light, 1.2e5)
    from_trail = add_trail(light, (0.0, 20.0), 9.0, 5000.0, 1.5)
    hot = add_hot_pixels(light, 60, rng)
    on_star = np.rint(stars.x[20:30]).astype(int) + 2, np.rint(stars.y[20:30]).astype(int)
    light[on_star[1], on_star[0]] += 20000
    hot = tuple(np.append(a, b) for a, b in zip(hot, on_star, strict=True))
    folder = tmp_path_factory.mktemp("looks")
    frame = Rendered(SPEC, read_out(SPEC, light, rng), light, stars)
    path = write_frame(folder / "f.fits", frame)
    catalog = write_catalog(folder / "stars.csv", SPEC, stars)
    reduced = measure_image(path, offline(catalog, injected=0), Clock())
    return Case(stars, galaxies, on_galaxies, hot, from_trail, reduced)


def clear(case: Case, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places that neither the trail, nor a galaxy or the edge disturbs."""
    inside = (np.minimum(x, y) > 8) & (np.maximum(x, y) < 411)
    away = case.from_trail[np.rint(y).astype(int).clip(0, 419), np.rint(x).astype(int).clip(0, 419)]
    far = cKDTree(np.column_stack([case.galaxies.x, case.galaxies.y]))
    return inside & (away > 16) & (far.query(np.column_stack([x, y]))[0] > 30)


def test_stars_are_stars_and_good_also_with_a_hot_pixel_on_them(case: Case) -> None:
    there = clear(case, case.stars.x, case.stars.y)
    rows = case.at(case.stars.x[there], case.stars.y[there])
    assert there.sum() > 40
    assert (rows >= 0).all()
    table = case.reduced.table[rows]
    assert (table["class"] == Look.STAR).mean() > 0.95
    assert (table["quality"] == "good").mean() > 0.95


def test_galaxies_are_extended_and_have_all_their_light(case: Case) -> None:
    rows = case.at(case.galaxies.x, case.galaxies.y, 3.0)
    assert (rows >= 0).all()
    table = case.reduced.table[rows]
    assert (table["class"] == Look.EXTENDED).all()
    true = 22.0 - 2.5 * np.log10(case.galaxies.flux / 60)
    off = np.asarray(table["kron_mag"]) - true
    # Two and a half radii hold 94 to 98 % of a disc.
    assert np.median(np.abs(off)) < 0.08
    assert np.median(np.asarray(table["psf_mag"]) - true) > 0.3
    stars = case.reduced.table["class"] == Look.STAR
    assert not np.isfinite(case.reduced.table["kron_mag"][stars]).any()


def test_stars_on_galaxies_are_found_and_measured(case: Case) -> None:
    rows = case.at(case.on_galaxies.x, case.on_galaxies.y)
    assert (rows >= 0).all()
    table = case.reduced.table[rows]
    off = np.asarray(table["psf_flux"]) - case.on_galaxies.flux
    # Without the galaxies' light taken off they would be some 40 % too bright, and extended.
    assert np.abs(off).max() < 0.2 * 4000
    # What the ellipses leave about a star is in its error: without, 3 to 6 of them.
    assert np.abs(off / np.asarray(table["psf_flux_err"])).max() < 3
    assert (table["class"] == Look.STAR).all()


def test_what_is_good_is_there_and_is_not_saturated(case: Case) -> None:
    table = case.reduced.table
    good = table["quality"] == "good"
    x = np.concatenate([case.stars.x, case.galaxies.x, case.on_galaxies.x])
    y = np.concatenate([case.stars.y, case.galaxies.y, case.on_galaxies.y])
    away = cKDTree(np.column_stack([x, y])).query(np.column_stack([table["x"], table["y"]]))[0]
    # The spikes, the bleeding, the trail and 70 hot pixels would be some hundred more.
    assert (away[good] > 2.5).sum() <= 2
    assert not (np.asarray(table["flags"])[good] & Flag.SATURATED).any()
    (row,) = case.at(*(np.array([v]) for v in BRIGHT), 4.0)
    assert row >= 0
    assert table["class"][row] == Look.UNKNOWN


def test_single_pixels_are_marked_and_no_others(case: Case) -> None:
    bad = case.reduced.prepared.frame.bad
    marked = (bad & PixelFlag.HOT) != 0
    bright = np.zeros_like(marked)
    column, row = (np.rint(v).astype(int) for v in case.hot)
    bright[row, column] = True
    assert (marked & ~bright).sum() <= 2
    assert marked[row[-10:], column[-10:]].sum() >= 8


def test_a_trail_is_masked_as_wide_as_it_is_seen(case: Case) -> None:
    trail = (case.reduced.prepared.frame.bad & PixelFlag.TRAIL) != 0
    away = case.from_trail
    # 5000 (1 + (d / 3)^2)^-2.5 e- is a quarter of the sky's noise of 23 e- at 9 px.
    assert trail[away < 8].mean() > 0.99
    assert trail[away > 14].mean() < 0.01
    # A plate solver is given none of the peaks along it.
    stars = case.reduced.prepared.stars
    assert not trail[np.rint(stars.y).astype(int), np.rint(stars.x).astype(int)].any()


def test_the_negative_tells_how_pure_the_list_is(case: Case) -> None:
    purity = case.reduced.calibrated.purity
    assert purity.share > 0.97
    mag, share, error = purity.curve()
    assert len(mag) == len(share) == len(error) >= 2
    assert share.min() > 0.85
