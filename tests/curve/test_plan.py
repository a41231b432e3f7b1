"""Star plan: a made-up field in which each star's fate is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.wcs import WCS

from lightcurve.core.data import Detections
from lightcurve.core.errors import InputError
from lightcurve.core.settings import StarSettings
from lightcurve.curve.named import find_star
from lightcurve.curve.plan import plan_stars, revise_plan

SHAPE = (400, 600)
#            target  good   good   saturated edge  pair   pair  faint
X = np.array([300.0, 100.0, 200.0, 400.0, 590.0, 450.0, 458.0, 100.0])
Y = np.array([200.0, 100.0, 300.0, 300.0, 200.0, 100.0, 100.0, 300.0])
FLUX = np.array([1e4, 2e4, 3e4, 9e4, 2e4, 1.5e4, 1e4, 500.0])
PEAK = np.array([900.0, 1500, 2500, 4095, 1500, 1200, 900, 150])


@pytest.fixture
def wcs() -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 20.0]
    wcs.wcs.crpix = [301.0, 201.0]
    wcs.wcs.cdelt = [-1 / 3600, 1 / 3600]
    return wcs


def _detections(rows=slice(None)):
    return Detections(
        x=X[rows],
        y=Y[rows],
        flux=FLUX[rows],
        peak=PEAK[rows],
        fwhm=np.full(len(X[rows]), 3.0),
        sky=100.0,
        sky_rms=5.0,
    )


def _plan(wcs, rows=slice(None), ra=150.0, dec=20.0, variables=(), **stars):
    return plan_stars(
        _detections(rows),
        wcs,
        ra,
        dec,
        SHAPE,
        StarSettings(**stars),
        aperture_px=6.0,
        annulus_px=(10.0, 16.0),
        saturation_adu=4095.0,
        scale_arcsec=1.0,
        variables=variables,
    )


def _position(wcs, k):
    ra, dec = wcs.all_pix2world(X[k], Y[k], 0)
    return f"{float(ra):.6f},{float(dec):+.6f}"


def test_each_star_has_its_role_and_reason(wcs):
    plan = _plan(wcs)
    assert plan.star_id.tolist() == ["T1", "C2", "C3", "S4", "S5", "S6", "S7", "S8"]
    assert plan.flux_ref[:3].tolist() == [1e4, 3e4, 2e4]
    reason = dict(zip(plan.x_ref, plan.reason, strict=True))
    assert "too bright" in reason[400.0]
    assert "edge" in reason[590.0]
    assert "crowded" in reason[450.0]
    assert "crowded" in reason[458.0]
    assert "too faint" in reason[100.0] or "candidate" in reason[100.0]
    assert "too faint" in plan.reason[7]
    assert all(plan.reason)


def test_a_bright_neighbour_between_aperture_and_sky_is_seen(wcs):
    """2.84 times as bright, 1.02 times as far away as twice the aperture."""
    x = np.array([300.0, 100.0, 112.3, 200.0])
    one = np.ones(4)
    stars = Detections(
        x=x, y=200.0 * one, flux=np.array([1e4, 8e3, 2.27e4, 1e4]), peak=900.0 * one,
        fwhm=4.0 * one, sky=100.0, sky_rms=5.0,
    )  # fmt: skip
    plan = plan_stars(
        stars, wcs, 150.0, 20.0, SHAPE, StarSettings(), aperture_px=6.0, annulus_px=(15.0, 24.0)
    )
    role = dict(zip(plan.x_ref, plan.role, strict=True))
    assert (role[100.0], role[200.0]) == ("field", "comparison")
    crowding = dict(zip(plan.x_ref, plan.crowding, strict=True))
    assert crowding[100.0] > 1 > crowding[112.3] > crowding[200.0] == 0


def test_where_no_star_is_alone_the_least_crowded_must_do(wcs):
    """Pairs of equal stars, each with some per cent of the other's light in its aperture."""
    x = np.tile([100.0, 250.0, 400.0], 2) + np.repeat([0.0, 11.0], 3)
    y, one = np.tile([100.0, 200.0, 300.0], 2), np.ones(6)
    x, y, one = np.append(x, 550.0), np.append(y, 100.0), np.ones(7)
    stars = Detections(
        x=x, y=y, flux=1e4 * one, peak=900 * one, fwhm=4.0 * one, sky=100.0, sky_rms=5.0
    )
    alone, ring = {"aperture_px": 6.0}, {"annulus_px": (30.0, 40.0)}
    ra, dec = wcs.all_pix2world(550.0, 100.0, 0)
    plan = plan_stars(stars, wcs, float(ra), float(dec), SHAPE, StarSettings(), **alone, **ring)
    assert plan.crowding[0] == 0
    assert np.all((plan.crowding[1:] > 1) & (plan.crowding[1:] < 3))
    assert plan.role[1:].tolist() == ["comparison"] * 6
    many = Detections(
        x=np.append(x, 60.0 + 80 * np.arange(6)), y=np.append(y, np.full(6, 350.0)),
        flux=np.full(13, 1e4), peak=np.full(13, 900.0), fwhm=np.full(13, 4.0), sky=100.0,
        sky_rms=5.0,
    )  # fmt: skip
    plan = plan_stars(many, wcs, float(ra), float(dec), SHAPE, StarSettings(), **alone, **ring)
    assert np.all(plan.crowding[plan.role == "comparison"] <= 1)


def test_a_star_that_stands_in_the_sky_all_night_bars_none(wcs):
    """Twice as bright, and clipped: a comparison star beside it, but no check star."""
    x, y = np.array([300.0, 100.0, 119.0, 450.0]), np.full(4, 200.0)
    one, flux = np.ones(4), np.array([1e5, 5e4, 1e5, 5e4])
    stars = Detections(x=x, y=y, flux=flux, peak=flux / 30, fwhm=4.0 * one, sky=100.0, sky_rms=5.0)
    plan = plan_stars(
        stars, wcs, 150.0, 20.0, SHAPE, StarSettings(), aperture_px=6.0, annulus_px=(15.0, 24.0)
    )
    found = {x: (r, c) for x, r, c in zip(plan.x_ref, plan.role, plan.crowding, strict=True)}
    assert found[100.0][0] == found[119.0][0] == found[450.0][0] == "comparison"
    assert found[100.0][1] > found[119.0][1] > 0.5 > found[450.0][1] == 0


def test_target_without_a_detection_is_placed_by_coordinates(wcs):
    plan = _plan(wcs, slice(1, None))
    assert (plan.x_ref[0], plan.y_ref[0]) == pytest.approx((300.0, 200.0), abs=1e-3)
    assert "coordinates alone" in plan.reason[0]
    assert np.isnan(plan.flux_ref[0])
    assert not plan.target_detected
    assert not revise_plan(plan, {0: ("target", "another reason")}).target_detected
    assert _plan(wcs).target_detected


def test_target_outside_is_an_error_with_numbers(wcs):
    with pytest.raises(InputError, match=r"outside the frame.*600 x 400"):
        _plan(wcs, ra=151.0)
    with pytest.raises(InputError, match="outside the frame"):
        _plan(wcs, ra=330.0, dec=-20.0)


def test_no_star_at_all(wcs):
    assert _plan(wcs, slice(0, 0)).role.tolist() == ["target"]


def test_known_variables_are_no_candidates(wcs):
    ra, dec = (float(v) for v in wcs.all_pix2world(X[2], Y[2], 0))
    plan = _plan(wcs, variables=[(ra, dec)])
    assert plan.role[plan.x_ref == 200.0] == ["field"]
    assert "variable" in plan.reason[plan.x_ref == 200.0][0]


def test_users_choice_wins(wcs):
    plan = _plan(wcs, comparisons=(_position(wcs, 4), "C3"), check="C2")
    roles = dict(zip(plan.x_ref, plan.role, strict=True))
    assert roles[590.0] == "comparison"
    assert plan.role[2] == "comparison"
    assert plan.role[1] == "check"
    assert plan.star_id[1] == "K2"
    plan = _plan(wcs, exclude=("2",))
    assert plan.role[1] == "field"
    assert "excluded" in plan.reason[1]


@pytest.mark.parametrize(
    ("stars", "words"),
    [
        ({"comparisons": ("C99",)}, "no star"),
        ({"comparisons": ("T1",)}, "target cannot"),
        ({"comparisons": ("150.05,20.0",)}, "nearest"),
        ({"exclude": ("nonsense,20",)}, "no position"),
        ({"check": "1,2,3"}, "no position"),
        ({"check": "T1"}, "target cannot be its own check star"),
        ({"comparisons": ("C3", "S2"), "check": "C2"}, "--comp S2 and --check C2 name the same"),
    ],
)
def test_a_wrong_choice_is_named(wcs, stars, words):
    with pytest.raises(InputError, match=words):
        _plan(wcs, **stars)


def test_a_list_may_have_the_target_and_stars_that_are_elsewhere(wcs, caplog):
    here, away = _position(wcs, 4), "150.05,20.0"
    listed = {"file": Path("last_night.csv")}
    with caplog.at_level("WARNING", logger="lightcurve"):
        plan = _plan(wcs, comparisons=("150.0,20.0", here, away), check=away, **listed)
    assert plan.role[0] == "target"
    chosen = [x for x, role in zip(plan.x_ref, plan.role, strict=True) if role == "comparison"]
    assert chosen == [590.0]
    comparisons, check = caplog.messages
    assert "last_night.csv: 1 of 3" in comparisons
    assert away in comparisons
    assert "1 of 1" in check
    with pytest.raises(InputError, match=r"last_night.csv: none of 2"):
        _plan(wcs, comparisons=("150.0,20.0", away), **listed)


def test_sexagesimal_and_revision(wcs):
    plan = _plan(wcs)
    assert find_star(plan, "10:00:00.0,+20:00:00", wcs) == 0
    revised = revise_plan(plan, {2: ("check", "because")})
    assert revised.star_id[2] == "K3"
    assert revised.reason[2] == "because"
    assert plan.role[2] == "comparison"


def test_at_most_max_stars(wcs):
    assert len(_plan(wcs, max_stars=4)) == 4


def test_stars_near_the_target_are_kept_before_brighter_ones(wcs):
    plan = _plan(wcs, max_stars=3, neb_radius_arcmin=3.0)
    near = np.hypot(X - X[0], Y - Y[0]) <= 180
    assert set(plan.x_ref) <= set(X[near])
    assert plan.role.tolist() == ["target", "comparison", "field"]
