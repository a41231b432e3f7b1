"""How much of the light in an aperture is the target's, against light that was put there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Measurements, StarRole
from lightcurve.curve.blend import (
    Blend,
    Companion,
    _grown,
    centred,
    companions_measured,
    field_profile,
)
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.noise import NoiseModel
from sim_cube import CubeTruth, simulate_cube

SKY, SIDE = 100.0, 320
LADDER = (0.75, 1.0, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3)  # of apertures, in FWHM


def moffat(x: np.ndarray, y: np.ndarray, fwhm: float, beta: float) -> np.ndarray:
    r2 = (x**2 + y**2) * 4 * (2 ** (1 / beta) - 1) / fwhm**2
    return (1 + r2) ** -beta


def gauss(x: np.ndarray, y: np.ndarray, fwhm: float, _: float) -> np.ndarray:
    return np.exp(-4 * np.log(2) * (x**2 + y**2) / fwhm**2)


def image(places, light, fwhm, profile, beta, rng) -> np.ndarray:
    """Stars in pixels, each of 5 x 5 points, with photon noise; gain 1."""
    v, u = (np.mgrid[: 5 * SIDE, : 5 * SIDE] + 0.5) / 5 - 0.5
    total = np.full((SIDE, SIDE), SKY)
    for (x, y), flux in zip(places, light, strict=True):
        x0, y0 = max(int(x) - 40, 0), max(int(y) - 40, 0)
        part = np.s_[5 * y0 : 5 * (y0 + 81), 5 * x0 : 5 * (x0 + 81)]
        values = profile(u[part] - x, v[part] - y, fwhm, beta)
        ny, nx = (n // 5 for n in values.shape)
        box = values.reshape(ny, 5, nx, 5).mean(axis=(1, 3))
        area = profile(*np.meshgrid(*[np.arange(-60, 61) / 1.0] * 2), fwhm, beta).sum()
        total[y0 : y0 + ny, x0 : x0 + nx] += flux * box / area
    return rng.poisson(total).astype(np.float32)


def night(beside, *, fwhm=3.2, profile=moffat, beta=3.0, seed=2, everywhere=()) -> Measurements:
    """Six frames of a target with stars beside it (x, y, light), and of a field.

    everywhere: stars beside each star of the field.
    """
    rng = np.random.default_rng(seed)
    field = [(60, 60), (250, 70), (70, 250), (255, 250), (160, 50), (50, 160), (265, 160)]
    target = np.array([160.3, 161.8])
    places = np.array([target, *field, *(target + np.array([x, y]) for x, y, _ in beside)])
    light = 4e5 * np.array([1.0, *rng.uniform(0.4, 2.0, len(field)), *(q for *_, q in beside)])
    for x, y, q in everywhere:
        places = np.vstack([places, np.add(field, (x, y))])
        light = np.append(light, q * light[1 : len(field) + 1])
    widths = fwhm * rng.uniform(0.9, 1.15, 6)
    radii, annulus = fwhm * np.array(LADDER), (4.5 * fwhm, 8 * fwhm)
    found = []
    for width in widths:
        pixels = image(places, light, width, profile, beta, rng)
        bad = np.zeros(pixels.shape, np.uint8)
        found.append(measure_stars(pixels, bad, *places.T, radii, annulus, NoiseModel(1, 3)))
    names = ("flux", "flux_err", "flags", "peak", "x", "y", "fwhm")
    cube = {name: np.stack([getattr(one, name) for one in found]) for name in names}
    plain = simulate_cube(np.ones(6), CubeTruth(n_stars=len(places)), np.random.default_rng(1))
    role = [StarRole.TARGET] + [StarRole.COMPARISON] * 7
    role += [StarRole.FIELD] * (len(places) - len(role))
    plan = replace(plain.plan, role=np.array(role), x_ref=places[:, 0], y_ref=places[:, 1])
    return replace(plain, plan=plan, radii=radii, annulus=annulus, fwhm_px=widths, **cube)


def true_share(radius, fwhm, beside, profile, beta) -> float:
    """The target's part of the light in a circle about it, by counting fine points."""
    v, u = np.mgrid[-radius:radius:200j, -radius:radius:200j]
    inside = u**2 + v**2 <= radius**2
    own = (profile(u, v, fwhm, beta) * inside).sum()
    others = sum(q * (profile(u - x, v - y, fwhm, beta) * inside).sum() for x, y, q in beside)
    return float(own / (own + others))


def true_light(radius, fwhm, profile, beta) -> float:
    """Light of a star in a circle about it, in any unit."""
    v, u = np.mgrid[-radius:radius:400j, -radius:radius:400j]
    area = (2 * radius / 400) ** 2
    return float((profile(u, v, fwhm, beta) * (u**2 + v**2 <= radius**2)).sum() * area)


@pytest.mark.parametrize(("profile", "beta"), [(gauss, 0.0), (moffat, 2.7), (moffat, 4.0)])
def test_the_share_in_every_aperture_is_that_put_in(profile, beta):
    beside = [(6.0, 7.5, 0.2)]  # at 3 FWHM
    cube = night(beside, profile=profile, beta=beta)
    shape = field_profile(cube)
    found = companions_measured(cube, shape)
    assert len(found) == 1
    assert found[0].light == pytest.approx(0.2, abs=max(3 * found[0].err, 0.006))
    blend = Blend(shape, cube.fwhm_px, found)
    width = float(np.median(cube.fwhm_px))
    for radius in cube.radii:
        share = blend.share(np.full(6, radius))
        truth = true_share(radius, width, beside, profile, beta)
        assert share.value == pytest.approx(truth, abs=max(2 * share.err, 0.003))
    assert share.value < 0.9
    assert share.change > blend.share(np.full(6, cube.radii[0])).change


def test_what_the_seeing_lets_in_is_foretold_frame_by_frame():
    """Within a tenth of what fine points give, from sharp frames to soft ones."""
    beside = [(5.0, 5.0, 0.3)]
    cube = night(beside)
    widths = np.array([2.6, 3.0, 3.4, 4.0, 4.6, np.nan])
    blend = Blend(field_profile(cube), widths, companions_measured(cube, field_profile(cube)))
    found = blend.other_light(np.full(6, 5.0))
    true = [1 / true_share(5.0, width, beside, moffat, 3.0) - 1 for width in widths[:-1]]
    np.testing.assert_allclose(found[:-1], true, rtol=0.1)
    assert np.isnan(found[-1])
    assert 1 / (1 + np.median(found[:-1])) == pytest.approx(blend.share(np.full(6, 5.0)).value)


def test_neighbours_are_taken_apart_from_each_other():
    beside = [(6.0, 3.0, 0.5), (-7.0, 4.0, 2.0), (1.0, -12.0, 0.1)]
    cube = night(beside)
    found = companions_measured(cube, field_profile(cube))
    for one, (x, y, light) in zip(found, beside, strict=True):
        assert (one.x, one.y) == pytest.approx((x, y))
        assert one.light == pytest.approx(light, rel=0.06)


@pytest.mark.parametrize("apart", [1.0, 1.3, 1.5, 1.8, 2.2])
def test_a_close_neighbour_is_told_as_well_as_its_error_says(apart):
    """However near: two centroids that come to rest in one place are no error."""
    fwhm = 3.2
    cube = night([(apart * fwhm * 0.8, apart * fwhm * 0.6, 0.3)], fwhm=fwhm)
    found = companions_measured(cube, field_profile(cube))
    assert len(found) == (apart > 1.0)  # nearer than that its image alone tells it
    for one in found:
        assert one.light == pytest.approx(0.3, abs=max(3 * one.err, 0.03))


@pytest.mark.parametrize(("profile", "beta"), [(gauss, 0.0), (moffat, 3.0)])
def test_neighbours_of_the_field_stars_do_not_widen_the_profile(profile, beta):
    """Their light in the widest apertures is no wing, which would reach the target from afar."""
    beside, radius = [(12.0, 16.0, 1.0)], 4.8  # at 6.2 FWHM
    cube = night(beside, profile=profile, beta=beta, everywhere=[(12.0, 1.0, 0.8)])
    shape = field_profile(cube)
    width = float(np.median(cube.fwhm_px))
    circle = np.array([1.5, 3.0]) * width
    for r, told in zip(circle, np.interp(circle / width, shape.radius, shape.light), strict=True):
        all_of_it = true_light(40.0, width, profile, beta)
        assert told == pytest.approx(true_light(r, width, profile, beta) / all_of_it, abs=0.05)
    share = Blend(shape, cube.fwhm_px, companions_measured(cube, shape)).share(np.full(6, radius))
    truth = true_share(radius, width, beside, profile, beta)
    assert share.value == pytest.approx(truth, abs=0.001)


def test_beside_a_target_without_light_nothing_is_measured():
    cube = night([(6.0, 7.5, 0.2)])
    flux = cube.flux.copy()
    flux[:, 0] = -1.0
    dark = replace(cube, flux=flux)
    assert companions_measured(dark, field_profile(dark)) == ()


def test_alone_the_light_is_the_targets():
    cube = night([])
    shape = field_profile(cube)
    assert companions_measured(cube, shape) == ()
    share = Blend(shape, cube.fwhm_px, ()).share(np.full(6, 5.0))
    assert (share.value, share.err) == (1.0, 0.0)


def test_of_an_unresolved_equal_pair_half_the_light_is_the_targets():
    cube = night([])
    pair = (Companion(3.2, 0.0, 1.0, 0.05, "a catalogue"),)
    share = Blend(field_profile(cube), cube.fwhm_px, pair).share(np.full(6, 5.0))
    assert share.value == pytest.approx(0.5, abs=0.003)
    assert share.err == pytest.approx(0.25 * np.hypot(0.05, 0.05), rel=0.3)


def test_a_centroid_rests_between_close_stars_and_on_the_one_of_wide_ones():
    light = np.array([1.0, 1.0])
    for apart, expected in ((3.0, 1.5), (12.0, 0.0)):
        middle = centred(np.array([(0.0, 0.0), (apart, 0.0)]), light, 3.2)
        assert middle == pytest.approx((expected, 0.0), abs=0.05)


def test_a_growth_that_ends_early_is_not_carried_on() -> None:
    radius = np.array([12.0, 16, 20, 24, 29, 35, 43, 90])
    light = np.array([0.14, 0.25, 0.4, 0.6, 0.9, 1, 1, 1])
    grown = _grown(radius, light, np.linspace(0, 200, 500))
    assert grown.max() == 1
    assert np.all(np.diff(grown) >= 0)
    np.testing.assert_allclose(
        _grown(radius, light, np.append(radius, 400.0))[:-1], light, atol=0.01
    )
