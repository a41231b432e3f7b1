"""Nearby-eclipsing-binary check: neighbours whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.settings import make_settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.neb import Disposition, check_neighbours, delta_magnitude, dispose
from lightcurve.curve.plan import revise_plan
from sim_cube import CubeTruth, simulate_cube


@pytest.mark.parametrize(
    ("counts", "depth", "rms", "expected"),
    [
        (1.9, 50, 1, Disposition.LOW_FLUX),
        (float("nan"), 50, 1, Disposition.LOW_FLUX),
        (100, 1000, 500, Disposition.TOO_FAINT),
        (100, 50, 10, Disposition.CLEARED),
        (100, 49, 10, Disposition.LIKELY),
        (100, 29, 10, Disposition.NOT_CLEARED),
        (100, 29, float("nan"), Disposition.NOT_CLEARED),
    ],
)
def test_dispositions(counts, depth, rms, expected):
    assert dispose(counts, depth, rms) == expected


def test_delta_magnitude():
    target = np.array([100.0, 200.0, np.nan])
    assert delta_magnitude(target / 10, target) == pytest.approx(2.5)
    assert delta_magnitude(-target, target) == 15
    assert np.isnan(delta_magnitude(target * np.nan, target))


def test_an_eclipsing_neighbour_is_not_cleared():
    cube = simulate_cube(np.ones(120), CubeTruth(), np.random.default_rng(1))
    # Two bright neighbours of the target, one of which loses 4 % for a third of the night.
    bright = np.argsort(-cube.plan.flux_ref)
    quiet, eclipsing = (int(row) for row in bright[bright != 0][:2])
    flux = cube.flux.copy()
    flux[40:80, eclipsing] *= 0.96
    ra, dec = cube.plan.ra_deg.copy(), cube.plan.dec_deg.copy()
    ra[quiet], dec[quiet] = ra[0], dec[0] + 30 / 3600
    ra[eclipsing], dec[eclipsing] = ra[0] + 60 / 3600, dec[0]
    cube = replace(cube, flux=flux, plan=replace(cube.plan, ra_deg=ra, dec_deg=dec))
    curve = choose_curve(cube, make_settings({}))
    neighbours = check_neighbours(cube, curve, depth_ppt=40.0, radius_arcsec=1e4)
    found = {n.star_id: n for n in neighbours}
    names = revise_plan(cube.plan, curve.recipe.roles).star_id
    assert set(names[1:]) == set(found)
    assert set(cube.plan.star_id) - {"T1"} != set(found)
    near, far = (found[names[row]] for row in (quiet, eclipsing))
    assert near.separation_arcsec == pytest.approx(30, abs=0.01)
    assert near.position_angle_deg == pytest.approx(0, abs=0.01)
    assert far.separation_arcsec == pytest.approx(60, abs=0.01)
    assert far.position_angle_deg == pytest.approx(90, abs=0.1)
    expected = -2.5 * np.log10(cube.plan.flux_ref[quiet] / cube.plan.flux_ref[0])
    assert near.delta_mag == pytest.approx(expected, abs=0.01)
    assert near.depth_ppt == pytest.approx(40 * 10 ** (0.4 * (near.delta_mag - 0.5)))
    assert near.disposition == Disposition.CLEARED
    assert far.disposition == Disposition.NOT_CLEARED
    assert cube.plan.star_id[0] not in found
