"""The parts of a stack against what is known: light, noise, outliers, scales and places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dithered import stars_image
from lightcurve.astrometry.wcs import tangent_wcs
from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import Combine, Solution
from lightcurve.core.errors import InputError
from lightcurve.core.settings import StackSettings
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.noise import NoiseModel
from lightcurve.stack.clip import around, find_middle, find_outliers
from lightcurve.stack.combine import combine, median, median_variance
from lightcurve.stack.grid import make_grid
from lightcurve.stack.layer import Layer
from lightcurve.stack.resample import Surface, map_grid, resample_rows, variance_share
from lightcurve.stack.scales import find_scales
from lightcurve.stack.warp import fit_best, of_matrix


def surface_of(light: np.ndarray, holes: np.ndarray | None = None) -> Surface:
    none = np.zeros(light.shape, dtype=bool)
    return Surface.of(light.astype(np.float32), none if holes is None else holes, none)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 3.0])
def test_light_is_conserved_at_any_scale_and_turn(scale: float) -> None:
    v, u = np.mgrid[0:90, 0:90]
    light = 1e4 * np.exp(-((u - 44.3) ** 2 + (v - 45.8) ** 2) / (2 * 1.4**2))
    turn = scale * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    n = int(60 / scale)
    middle = np.full(2, (n - 1) / 2)
    warp = of_matrix(np.column_stack([turn, [44.0, 46.0] - turn @ middle]), (90, 90))
    mapping = map_grid(warp, (n, n))
    brought = np.nan_to_num(resample_rows(surface_of(light), mapping, slice(0, n)))
    assert brought.sum() == pytest.approx(light.sum(), rel=2e-3)
    y, x = ((one * brought).sum() / brought.sum() for one in np.mgrid[0:n, 0:n])
    there = np.concatenate(warp(np.array([x]), np.array([y])))
    assert there == pytest.approx([44.3, 45.8], abs=0.05)


def test_a_pixel_has_the_noise_that_is_told(rng: np.random.Generator) -> None:
    light = rng.normal(0, 1, (400, 400))
    mapping = map_grid(
        of_matrix(np.array([[1.0, 0.01, 3.2], [-0.01, 1.0, 8.4]]), (400, 400)), (360, 360)
    )
    rows = slice(20, 340)
    brought = resample_rows(surface_of(light), mapping, rows)[:, 20:340]
    expected = variance_share(mapping, rows)[:, 20:340]
    assert np.nanvar(brought) == pytest.approx(expected.mean(), rel=0.02)
    quiet = expected < np.median(expected)
    assert np.nanvar(brought[quiet]) == pytest.approx(expected[quiet].mean(), rel=0.03)


def test_a_hole_stays_one() -> None:
    holes = np.zeros((40, 40), dtype=bool)
    holes[20, 20] = True
    light = np.ones((40, 40))
    light[20, 20] = 1e6
    mapping = map_grid(of_matrix(np.array([[1.0, 0, 0.5], [0, 1.0, 0.5]]), (40, 40)), (38, 38))
    brought = resample_rows(surface_of(light, holes), mapping, slice(0, 38))
    assert np.isnan(brought[19:21, 19:21]).all()
    assert np.isnan(brought).sum() == 4
    assert np.nanmax(np.abs(brought - 1)) < 1e-5


def layers_of(folder: Path, light: np.ndarray, noise: np.ndarray) -> list[Layer]:
    still = of_matrix(np.eye(2, 3), light.shape[1:])
    mapping = map_grid(still, light.shape[1:])
    layers = []
    for k, (one, sigma) in enumerate(zip(light, noise, strict=True)):
        one.astype(np.float32).tofile(folder / f"{k}")
        layers.append(
            Layer(folder / f"{k}", mapping, np.full(mapping.x.shape, sigma), 1e-6, 60.0, 1.0)
        )
    return layers


@pytest.mark.parametrize("how", list(Combine))
def test_means_are_weighted_and_errors_hold(
    tmp_path: Path, rng: np.random.Generator, how: Combine
) -> None:
    noise = np.array([1.0, 1.0, 2.0, 1.5, 1.0, 1.2, 1.0, 3.0, 1.0])
    light = rng.normal(0, noise[:, None, None], (9, 120, 130))
    if how is not Combine.MEAN:
        light[4, 60:63, 10:100] += 50  # a trail
    layers = layers_of(tmp_path, light, noise)
    middle = find_middle(layers, 2.5, 0.3)
    blocks = list(combine(layers, middle, StackSettings(combine=how), 1))
    assert len(blocks) > 3  # a megabyte at a time
    whole, error = (np.concatenate([getattr(b, n) for b in blocks]) for n in ("light", "error"))
    assert whole.shape == (120, 130)
    if how is not Combine.MEDIAN:
        assert np.std(whole) == pytest.approx((1 / noise**2).sum() ** -0.5, rel=0.03)
        assert np.std(whole / error) == pytest.approx(1, abs=0.04)
    assert np.abs(whole[60:63, 10:100]).max() < 3
    middle = find_middle(layers, 2.5, 500)
    (small,) = combine(layers, middle, StackSettings(combine=how), 500)
    assert np.array_equal(small.light, whole, equal_nan=True)  # whatever the blocks


def test_two_values_leave_the_lower(tmp_path: Path, rng: np.random.Generator) -> None:
    light = rng.normal(0, 1, (2, 30, 30)).astype(np.float32)
    light[1, 10, 10] += 200
    middle = find_middle(layers_of(tmp_path, light, np.ones(2)), 2.5, 500)
    low, high = (find_outliers(one, np.ones_like(one), 0.1, middle, 5) for one in light)
    assert high[10, 10]
    assert not low.any()


def test_what_is_around_is_the_most_that_any_pixel_gives(rng: np.random.Generator) -> None:
    light = np.exp(rng.normal(0, 2, (25, 21)))
    v, u = np.mgrid[0:25, 0:21]
    sigma, reach = 2 * 2.5 / FWHM_PER_SIGMA, 4
    near = (np.abs(v - v[12, 9]) <= reach) & (np.abs(u - u[12, 9]) <= reach)
    fall = np.exp(-((v - 12) ** 2 + (u - 9) ** 2) / (2 * sigma**2))
    assert around(light, 2.5)[12, 9] == pytest.approx((light * fall)[near].max(), rel=1e-6)


def test_medians_and_their_noise(rng: np.random.Generator) -> None:
    values = rng.normal(0, 1, (6, 200, 200))
    values[3, :, :100] = np.nan
    found = median(values)
    assert np.allclose(found, np.nanmedian(values, axis=0))
    for n, part in ((5, found[:, :100]), (6, found[:, 100:])):
        assert np.var(part) * n == pytest.approx(float(median_variance(np.array(n))), rel=0.05)


def test_scales_of_clouded_frames(rng: np.random.Generator) -> None:
    """Stars that vary and stars that are missing do not move a frame's zero point."""
    flux = np.exp(rng.uniform(7, 11, 60))
    clouds = rng.uniform(0.3, 1.0, 12)
    error = np.sqrt(flux * clouds[:, None] + 100)
    seen = rng.normal(flux * clouds[:, None], error)
    seen[3, :20] = np.nan
    seen[7, 5] *= 3
    scales = find_scales(seen, error, 2)
    truth = -2.5 * np.log10(clouds / clouds[2])
    assert scales.offset[2] == 0
    assert np.abs(scales.offset - truth).max() < 0.01


def test_the_order_of_a_warp_is_what_stars_ask_for(rng: np.random.Generator) -> None:
    here = rng.uniform(0, 1000, (120, 2))
    turned = here @ np.array([[0.9998, 0.02], [-0.02, 0.9998]]).T + [12, -7]
    noise = rng.normal(0, 0.03, here.shape)
    plain, used, rms = fit_best(here, turned + noise, (1000, 1000))
    assert plain.order == 1
    assert rms == pytest.approx(0.03, rel=0.2)
    bent = turned + noise + 3 * ((here - 500) / 500) ** 3
    bent[:3] += 40  # stars mistaken for others
    curved, used, _ = fit_best(here, bent, (1000, 1000))
    assert curved.order == 3
    assert not used[:3].any()


@pytest.mark.parametrize("center", ["150.2,20.0", "330.0,-20.0"])
def test_a_grid_beside_all_frames_is_refused(center: str) -> None:
    place = tangent_wcs(np.array([150.0, 20.0]), np.array([50.0, 50.0]), np.diag([-1, 1]) / 3600)
    solution = Solution(place, "known", 9, 0.1, 1.0, 0.0, 1)
    here = of_matrix(np.eye(2, 3), (100, 100))
    make_grid(solution, [here], (100, 100), StackSettings(size=(60, 60), center="150.0,20.0"))
    with pytest.raises(InputError):
        make_grid(solution, [here], (100, 100), StackSettings(size=(60, 60), center=center))


@pytest.mark.parametrize(("light", "apart", "within"), [(0.0, 6, 0.05), (300.0, 13, 0.11)])
def test_errors_of_stars_on_resampled_frames(
    tmp_path: Path, rng: np.random.Generator, light: float, apart: int, within: float
) -> None:
    """Neighbours share noise: fluxes in circles of any size scatter by what is told of them."""
    gain, sky, shape = 2.0, 40.0, (260, 260)
    v, u = (one.ravel() for one in np.mgrid[20:240:apart, 20:240:apart].astype(float))
    layers = []
    for k in range(8):
        angle, (du, dv) = rng.uniform(-0.02, 0.02), rng.uniform(-2, 2, 2)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        warp = of_matrix(np.column_stack([turn, np.array([du, dv])]), shape)
        mapping = map_grid(warp, shape)
        stars = stars_image(shape, *warp(u, v), np.full(u.size, light), 2.8)
        frame = rng.poisson(gain * (stars + sky)) / gain - sky
        resample_rows(surface_of(frame), mapping, slice(0, shape[0])).tofile(tmp_path / f"{k}")
        noise = np.full(mapping.x.shape, np.sqrt(sky / gain))
        layers.append(Layer(tmp_path / f"{k}", mapping, noise, 1 / gain, 60.0, 1.0))
    (block,) = combine(
        layers, find_middle(layers, 2.8, 500), StackSettings(combine="mean"), 500
    )  # fmt: skip
    dark = np.isfinite(block.light) & (block.light < 3 * block.error)
    of_sums = float(np.sqrt(np.median((block.sky_variance / block.error**2)[dark])))
    assert 1.08 < of_sums < 1.2
    camera = NoiseModel(gain_e_per_adu=8 * gain, of_sums=of_sums)
    phot = measure_stars(
        block.light, np.zeros(shape, np.uint8), u, v, np.array([1.5, 2.5, 4.0]), (6.0, 9.0),
        camera, max_shift=0.0,
    )  # fmt: skip
    for k in range(3):
        flux, error = phot.flux[:, k], phot.flux_err[:, k]
        pulls = (flux - np.nanmedian(flux)) / error
        assert np.isfinite(pulls).sum() > 200
        assert np.nanstd(pulls) == pytest.approx(1, abs=within)
    # A profile that lies still, by its own pixels: what a fit weighs.
    y, x = np.mgrid[-6:7, -6:7]
    profile = np.exp(-(x**2 + y**2) / (2 * (2.8 / FWHM_PER_SIGMA) ** 2))
    sums = np.array([
        (block.light[int(b) - 6 : int(b) + 7, int(a) - 6 : int(a) + 7] * profile).sum()
        for a, b in zip(u, v, strict=True)
    ])  # fmt: skip
    alone = np.nanmedian(block.error[dark]) * np.sqrt((profile**2).sum())
    if light == 0:
        assert np.nanstd(sums) / alone == pytest.approx(camera.of_profile(2.8), rel=within)


@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_a_grid_is_known_to_meet_a_frame_or_to_lie_far_from_it(scale: float) -> None:
    for corner in ((-100.0, -100.0), (85.0, 40.0), (40.0, -0.9 * 100 * scale), (-99 * scale, 10.0)):
        warp = of_matrix(np.column_stack([scale * np.eye(2), corner]), (90, 90))
        x, y = warp(*(one.ravel() for one in np.meshgrid(np.arange(100.0), np.arange(100.0))))
        inside = ((x > 0) & (x < 89) & (y > 0) & (y < 89)).any()
        assert map_grid(warp, (100, 100)).meets((90, 90)) or not inside
    far = of_matrix(np.column_stack([scale * np.eye(2), [200 * scale + 90, 0.0]]), (90, 90))
    assert not map_grid(far, (100, 100)).meets((90, 90))
