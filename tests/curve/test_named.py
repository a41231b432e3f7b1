"""Stars named by id, sky or pixels become the star that is there, or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from lightcurve.core.errors import InputError
from lightcurve.curve.named import Field, find_star, moved_by, read_pixels
from sim_cube import CubeTruth, simulate_cube

SHAPE = (500, 650)
RA, DEC = 31.0, 46.7


@pytest.fixture(scope="module")
def wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.crpix, wcs.wcs.crval = (325.5, 250.5), (RA, DEC)
    wcs.wcs.cd = np.diag([-5 / 3600, 5 / 3600])
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    return wcs


@pytest.fixture(scope="module")
def plan(wcs):
    made = simulate_cube(np.ones(4), CubeTruth(n_stars=9), np.random.default_rng(3)).plan
    rng = np.random.default_rng(8)
    x, y = rng.uniform(20, 630, 9), rng.uniform(20, 480, 9)
    ra, dec = wcs.all_pix2world(x, y, 0)
    return replace(made, x_ref=x, y_ref=y, ra_deg=ra, dec_deg=dec)


@pytest.mark.parametrize("row", range(9))
def test_every_way_to_name_a_star_finds_it(plan, wcs, row):
    field = Field(wcs, SHAPE)
    x, y = plan.x_ref[row], plan.y_ref[row]
    names = (
        str(plan.star_id[row]),
        f"{plan.ra_deg[row]:.6f},{plan.dec_deg[row]:.6f}",
        f"{x:.2f},{y:.2f}px",
        f"{x + 1:.2f},{y + 1:.2f}fits",
        # AIJ.md: X(FITS) = X(IJ) + 0.5, Y(FITS) = NAXIS2 - Y(IJ) + 0.5
        f"{x + 0.5:.2f},{SHAPE[0] - y - 0.5:.2f} ij",
    )
    assert [find_star(plan, name, field) for name in names] == [row] * len(names)
    if y > 90:
        assert find_star(plan, f"{x:.2f},{y:.2f}", field) == row, "no declination: pixels"


def test_bare_numbers_near_the_field_are_a_place_on_the_sky(plan, wcs):
    field = Field(wcs, SHAPE)
    assert field.place(f"{RA},{DEC}")[:2] == pytest.approx((325, 249.5), abs=1)  # crpix, from 0
    beside = wcs.all_pix2world(-300, 250, 0)
    assert field.place("{:.5f},{:.5f}".format(*beside))[0] == pytest.approx(-300, abs=0.1)
    assert field.place("200,45")[:2] == (200, 45), "far from the field: pixels"
    assert field.place("400,45")[:2] == (400, 45), "no right ascension"
    assert Field(wcs).place(f"{RA},{DEC}")[0] == pytest.approx(325, abs=1)


@pytest.mark.parametrize("name", ["12", "C0", "", "Z4", "1,2,3", "a,b", "10,2x", "1.2.3,4px"])
def test_what_is_no_star_is_refused(plan, wcs, name):
    with pytest.raises(InputError, match=r"no star|no position"):
        find_star(plan, name, Field(wcs, SHAPE))


def test_a_place_without_a_star_tells_the_nearest(plan, wcs):
    x, y = plan.x_ref[4] + 6, plan.y_ref[4] + 8
    with pytest.raises(InputError, match=rf"{plan.star_id[4]}, is 10\.0 px away"):
        find_star(plan, f"{x},{y}px", Field(wcs, SHAPE))
    with pytest.raises(InputError, match="outside"):
        find_star(plan, "900,900", Field(wcs, SHAPE))


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("kind", ["px", "fits", "ij"])
def test_pixels_of_another_frame_are_moved_as_the_target_in_it(plan, wcs, turn, kind):
    """Drifted by (90, -40), or turned over too; one star of the list has left the reference."""
    height = SHAPE[0]
    x, y = (turn * values + off for values, off in ((plan.x_ref, 90.0), (plan.y_ref, -40.0)))
    x, y = np.append(x, turn * 900.0 + 90), np.append(y, turn * 100.0 - 40)
    shown = {"px": (x, y), "fits": (x + 1, y + 1), "ij": (x + 0.5, height - 0.5 - y)}[kind]
    names = [f"{a:.3f},{b:.3f}{kind}" for a, b in zip(*shown, strict=True)]
    detected = np.column_stack([plan.x_ref, plan.y_ref])
    moved = moved_by(names[0], names[1:], (plan.x_ref[0], plan.y_ref[0]), detected, SHAPE)
    assert moved.turn == turn
    field = Field(wcs, SHAPE, moved)
    assert [find_star(plan, name, field) for name in names[:-1]] == list(range(9))
    with pytest.raises(InputError, match="outside"):
        find_star(plan, names[-1], field)


def test_pixels_are_read_as_they_are_counted():
    assert read_pixels("513,401fits") == (512, 400)
    assert read_pixels(" 512.5 , 3.5 ij", (100, 640)) == (512, 96)
    assert read_pixels("512.5,3.5ij") is None, "it counts from the top of a frame"
    assert read_pixels("02:04:10,+46:41:16") is None
