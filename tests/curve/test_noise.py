"""The field's own noise as it was put in; and errors that equal the scatter, whatever the night."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from lightcurve.core.data import Measurements, Site
from lightcurve.core.settings import make_settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.noise import (
    FieldNoise,
    measure_field_noise,
    star_scintillation,
    with_noise,
)
from sim_cube import CubeTruth, simulate_cube

DEFAULT = make_settings({})
STARWISE = ("flux", "flux_err", "area", "peak", "flags")


@dataclass(frozen=True)
class Kind:
    """A kind of night: stars beside the target, its light, the sky, and what is known."""

    others: int = 40
    n_frames: int = 80
    electrons: float = 3e5
    sky: float = 50.0
    floor: float = 0.002
    diameter_m: float = 0.0
    exposure_s: float = 60.0
    air: float = 1.0  # scintillation over that of the formula
    told: bool = True  # whether the headers have gain and telescope
    cloud: bool = False
    shared: float = 1.0  # variance of the sky in an aperture over that its pixels' scatter tells
    radii: tuple[int, ...] = (1, 3)  # of the ladder


GAIN = 1.5


def night(kind: Kind, seed: int) -> Measurements:
    """Simulate fluxes in ADU with a floor, and scintillation, in every star by itself."""
    truth = CubeTruth(
        n_stars=1 + kind.others, target_electrons=kind.electrons, sky_electrons=kind.sky,
        exposure_s=kind.exposure_s, cadence_s=kind.exposure_s + 20, cloud=kind.cloud,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    cube = simulate_cube(np.ones(kind.n_frames), truth, rng)
    cube = replace(cube, telescope_diameter_m=kind.diameter_m or None)
    own = np.hypot(kind.floor, kind.air * star_scintillation(cube))[:, None, None]
    own = 1 + own * rng.normal(size=(kind.n_frames, truth.n_stars, 1))
    cube = replace(
        cube, flux=cube.flux * own / GAIN, star_sky=cube.star_sky / GAIN, peak=cube.peak / GAIN,
        star_sky_std=cube.star_sky_std / GAIN / np.sqrt(kind.shared),
        telescope_diameter_m=cube.telescope_diameter_m if kind.told else None,
    )  # fmt: skip
    assumed = GAIN if kind.told else 1.0
    sky = cube.area * (1 + cube.area / cube.n_sky[:, :, None]) * cube.star_sky_std[:, :, None] ** 2
    cube = replace(cube, flux_err=np.sqrt(np.maximum(cube.flux, 0) / assumed + sky))
    cut = {name: getattr(cube, name)[:, :, list(kind.radii)] for name in STARWISE}
    return replace(cube, radii=cube.radii[list(kind.radii)], **cut)


def settled(kind: Kind, seed: int) -> Measurements:
    cube, known = night(kind, seed), GAIN if kind.told else None
    noise = measure_field_noise(cube, gain_e_per_adu=known)
    return with_noise(cube, noise, assumed_gain=known or 1.0)


BRIGHT = Kind(electrons=5e7, exposure_s=10.0, floor=0.0005, diameter_m=0.1)
FAINT = Kind(electrons=5e3, sky=400.0)
KINDS = {
    "dense": Kind(), "gain not told": Kind(told=False), "clouds": Kind(cloud=True),
    "six others": Kind(6), "three others": Kind(3), "two others": Kind(2), "one other": Kind(1),
    "two others, gain not told": Kind(2, told=False), "clouds, four others": Kind(4, cloud=True),
    "faint": FAINT, "faint, four others": replace(FAINT, others=4),
    "faint, gain not told": replace(FAINT, told=False),
    "faint, interpolated": replace(FAINT, shared=4.0),
    "faint, interpolated, four others": replace(FAINT, shared=4.0, others=4),
    "interpolated, not told": Kind(shared=4.0, told=False),
    "scintillation": BRIGHT, "scintillation, not told": replace(BRIGHT, told=False),
    "half of the formula's": replace(BRIGHT, air=0.5), "four bright": replace(BRIGHT, others=4),
    "no floor": Kind(electrons=5e6, floor=0.0), "long": Kind(n_frames=250),
    "smallest aperture": Kind(radii=(0,)), "largest aperture": Kind(radii=(5,)),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_errors_equal_the_scatter_about_the_truth(name: str) -> None:
    """Known to 2 to 3 %: by as many frames as that takes."""
    kind = KINDS[name]
    pulls = []
    for seed in range(max(6, 1600 // kind.n_frames)):
        curve = choose_curve(settled(kind, 100 + seed), DEFAULT)
        off = (curve.flux - np.average(curve.flux, weights=1 / curve.flux_err**2)) / curve.flux_err
        pulls.append(np.sum(off**2) / (len(off) - 1))
    assert np.sqrt(np.mean(pulls)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("others", "told"), [(40, True), (40, False)])
def test_errors_of_ten_frames_equal_the_scatter(others: int, told: bool) -> None:
    """The floor is known to 20 % in a night of these: the mean of many is right."""
    pulls = []
    for seed in range(60):
        curve = choose_curve(settled(Kind(others, 10, told=told, radii=(2,)), seed), DEFAULT)
        off = (curve.flux - np.mean(curve.flux)) / curve.flux_err
        pulls.append(np.sum(off**2) / 9)
    assert np.sqrt(np.mean(pulls)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("floor", [0.002, 0.004])
def test_gain_and_floor_are_found(floor: float) -> None:
    kind = Kind(120, 150, electrons=1e5, floor=floor, told=False, radii=(2,))
    found = [measure_field_noise(night(kind, seed)) for seed in range(6)]
    pulls = [(one.gain_e_per_adu - GAIN) / one.gain_err for one in found]
    assert all(one.gain_told for one in found)
    assert abs(np.mean(pulls)) < 1.5
    assert np.mean([one.gain_e_per_adu for one in found]) == pytest.approx(GAIN, rel=0.1)
    assert np.mean([one.usual_floor for one in found]) == pytest.approx(floor, rel=0.1)


def test_a_known_gain_is_kept_unless_the_stars_contradict_it() -> None:
    cubes = [night(Kind(floor=0.003, electrons=1e5, radii=(2,)), seed) for seed in range(12)]
    kept = [measure_field_noise(cube, gain_e_per_adu=GAIN) for cube in cubes]
    assert {(one.gain_e_per_adu, one.gain_err, one.gain_told) for one in kept} == {
        (GAIN, 0.0, True)
    }
    assert np.mean([one.usual_floor for one in kept]) == pytest.approx(0.003, rel=0.05)
    wrong = [measure_field_noise(cube, gain_e_per_adu=4 * GAIN) for cube in cubes[:4]]
    assert all(one.gain_err > 0 for one in wrong)
    assert np.mean([one.gain_e_per_adu for one in wrong]) == pytest.approx(GAIN, rel=0.2)


def test_the_sky_shared_by_pixels_is_found_and_not_where_there_is_none() -> None:
    for shared in (1.0, 3.0):
        kind = replace(FAINT, shared=shared)
        found = [
            measure_field_noise(night(kind, seed), gain_e_per_adu=GAIN).sky for seed in range(8)
        ]
        assert np.mean(found, axis=0) == pytest.approx(shared, rel=0.1)
        if shared == 1.0:
            assert np.all(np.array(found) == 1.0)


def test_the_floor_is_that_of_each_aperture() -> None:
    """A third of a per cent more in the smallest, as where stars move about in it."""
    cube = night(Kind(), 1)
    rng = np.random.default_rng(2)
    flux = cube.flux.copy()
    flux[:, :, 0] *= 1 + 0.0033 * rng.normal(size=flux.shape[:2])
    found = measure_field_noise(replace(cube, flux=flux), gain_e_per_adu=GAIN).floor
    assert found == pytest.approx([np.hypot(0.0033, 0.002), 0.002], rel=0.15)


def test_two_stars_are_enough_and_one_is_not() -> None:
    found = [measure_field_noise(night(Kind(1), seed), gain_e_per_adu=GAIN) for seed in range(12)]
    assert {one.n_stars for one in found} == {2}
    assert np.sqrt(np.mean([one.usual_floor**2 for one in found])) == pytest.approx(0.002, rel=0.25)
    assert measure_field_noise(night(Kind(0), 2)) is None
    assert measure_field_noise(night(Kind(n_frames=5), 2)) is None


def test_stars_alike_do_not_tell_the_gain() -> None:
    """But they tell the noise of stars as bright."""
    cube = night(Kind(told=False, n_frames=200), 3)
    alike = cube.flux[:, :1].repeat(41, axis=1)
    rng = np.random.default_rng(4)
    flux = alike / alike.mean(axis=0) * 1e5 * (1 + 0.004 * rng.normal(size=alike.shape))
    cube = replace(cube, flux=flux)
    found = measure_field_noise(cube)
    assert not found.gain_told
    error = with_noise(replace(cube, flux_err=np.sqrt(flux)), found, assumed_gain=1.0).flux_err
    assert np.median(error / flux) == pytest.approx(0.004, rel=0.03)


def test_errors_follow_the_noise() -> None:
    """Photons of another gain and the floor, added in squares."""
    cube = night(Kind(), 3)
    found = FieldNoise(4.0, 0.1, np.array([0.01, 0.02]), 50, np.array([1.0, 3.0]))
    noisy = with_noise(cube, found, assumed_gain=2.0)
    flux = np.maximum(cube.flux, 0)
    sky = np.maximum(cube.flux_err**2 - flux / 2, 0)
    expected = flux / 4 + found.sky * sky + (found.floor * flux) ** 2
    np.testing.assert_allclose(noisy.flux_err**2, np.maximum(expected, 0), rtol=1e-6)


@pytest.mark.parametrize("floor", [0.0, 0.004, 0.02])
def test_the_floor_is_what_the_field_shows_with_a_telescope_or_without(floor: float) -> None:
    cube = night(replace(BRIGHT, radii=(2,)), 1)
    air = star_scintillation(cube)
    assert 0.004 < np.median(air) < 0.02
    noise = FieldNoise(GAIN, 0.0, np.array([floor]), 40, np.ones(1))
    plain = replace(cube, telescope_diameter_m=None)
    with_air, without = (
        np.mean(with_noise(one, noise, assumed_gain=GAIN).flux_err ** 2 / one.flux**2)
        for one in (cube, plain)
    )
    assert with_air == pytest.approx(without, rel=0.03)


def test_without_other_stars_the_scintillation_is_that_of_the_formula() -> None:
    cube = night(replace(BRIGHT, others=0), 1)
    extra = (
        with_noise(cube, None, assumed_gain=GAIN).flux_err ** 2 - cube.flux_err**2
    ) / cube.flux**2
    np.testing.assert_allclose(extra[:, 0, 0], star_scintillation(cube) ** 2, rtol=1e-6)


def test_scintillation_is_that_of_the_headers_telescope_and_site() -> None:
    def variance(place: Site, diameter: float = 0.2, **settings: dict[str, object]) -> float:
        cube = replace(night(Kind(3), 1), site=place, telescope_diameter_m=diameter)
        return np.median(star_scintillation(cube, make_settings(settings))) ** 2

    low, high = Site(40.0, 0.0, 0.0), Site(40.0, 0.0, 4000.0)
    assert variance(low) > 0
    # Osborn et al. (2015): exp(-2 h / 8000 m), and D^(-4/3).
    assert variance(high) / variance(low) == pytest.approx(np.exp(-1))
    assert variance(low, 0.4) / variance(low) == pytest.approx(2 ** (-4 / 3))
    assert variance(high, site={"height_m": 0.0}) == pytest.approx(variance(low))
    assert variance(low, camera={"telescope_diameter_m": 0.4}) == pytest.approx(variance(low, 0.4))
    assert variance(low, apertures={"style": "aij"}) == 0  # whose errors have none


@pytest.mark.parametrize("unknown", [3, 80])
def test_a_frame_without_an_exposure_has_the_scintillation_of_the_others(unknown: int) -> None:
    cube = night(replace(BRIGHT, others=3), 1)
    seconds = cube.exposure_s.copy()
    seconds[:unknown], seconds[1] = np.nan, 0.0
    found = star_scintillation(replace(cube, exposure_s=seconds))
    expected = star_scintillation(cube) if unknown < 80 else np.zeros(80)
    np.testing.assert_allclose(found, expected)
