"""Zero points and limits against what was put in; background, finder, trails, widths."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.errors import FitError
from lightcurve.core.flags import PixelFlag
from lightcurve.phot import depth
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.background import Background, measure_background
from lightcurve.phot.depth import blank_fluxes, blank_places, measure_limits
from lightcurve.phot.finder import find_sources
from lightcurve.phot.methods import FINDERS
from lightcurve.phot.noise import NoiseModel
from lightcurve.phot.seeing import fit_gaussians, measure_widths
from lightcurve.phot.trails import find_trails
from lightcurve.phot.zero_point import apply_zero_point, fit_zero_point, instrumental
from lightcurve.simulate.render import expose, render_stars, satellite_trail


def frame(
    rng: np.random.Generator,
    *,
    shape: tuple[int, int] = (400, 420),
    n_stars: int = 40,
    slope: float = 0.0,
    fwhm: float = 3.0,
    extra: float | np.ndarray = 0.0,
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """A frame in ADU, its true sky, and x, y, flux (ADU) of its stars."""
    ny, nx = shape
    x, y = rng.uniform(20, nx - 20, n_stars), rng.uniform(20, ny - 20, n_stars)
    flux = np.exp(rng.uniform(7, 11, n_stars))
    sky = 200 + slope * np.arange(nx) + np.zeros(shape)
    electrons = 2.0 * (render_stars(shape, x, y, flux, fwhm) + sky) + extra
    pixels = expose(electrons, 0.0, rng, gain=2.0, read_noise=5.0).astype(np.float32)
    return pixels, sky, (x, y, flux)


def unmarked(pixels: np.ndarray) -> np.ndarray:
    return np.zeros(pixels.shape, np.uint8)


def mapped(pixels: np.ndarray, bad: np.ndarray) -> Background:
    return measure_background(pixels, bad)


def test_background_and_noise_are_those_put_in() -> None:
    pixels, sky, _ = frame(np.random.default_rng(1), slope=0.1)
    background = mapped(pixels, unmarked(pixels))
    noise = np.sqrt(sky / 2 + 25 / 4)
    assert np.abs(np.median(background.level - sky)) < 0.25
    assert np.std(background.level - sky) < 0.1 * np.median(noise)
    assert np.median(background.rms / noise) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("shape", "transposed"), [((400, 420), False), ((530, 707), True)])
def test_a_sloping_sky_is_known_up_to_the_border(shape: tuple[int, int], transposed: bool) -> None:
    pixels, sky, _ = frame(np.random.default_rng(11), shape=shape, slope=0.1)
    if transposed:
        pixels, sky = np.ascontiguousarray(pixels.T), sky.T
    error = mapped(pixels, unmarked(pixels)).level - sky
    sides = [error[:, :4], error[:, -4:], error[:4], error[-4:]]
    # A map that is constant beyond the middles of its outermost cells is 3 ADU off.
    assert max(abs(float(side.mean())) for side in sides) < 0.7


def test_background_is_right_where_the_noise_is_about_one_adu() -> None:
    rng = np.random.default_rng(12)
    pixels = np.round(rng.normal(100.3, 1.0, (400, 420))).astype(np.float32)
    background = mapped(pixels, unmarked(pixels))
    assert np.median(background.level) == pytest.approx(100.3, abs=0.02)


def test_background_agrees_with_photutils_under_the_same_mask() -> None:
    from astropy.stats import SigmaClip
    from photutils.background import Background2D, SExtractorBackground

    pixels, _, _ = frame(np.random.default_rng(2), shape=(384, 448))
    ours = mapped(pixels, unmarked(pixels))
    theirs = Background2D(
        pixels, (64, 64), mask=ours.sources, filter_size=3, sigma_clip=SigmaClip(3),
        bkg_estimator=SExtractorBackground(),
    )  # fmt: skip
    inner = (slice(40, -40), slice(40, -40))
    difference = (ours.level - theirs.background)[inner]
    assert np.abs(difference).max() < 0.25 * np.median(ours.rms)


def test_background_is_finite_where_everything_is_bad() -> None:
    pixels, _, _ = frame(np.random.default_rng(3))
    pixels[:, :200] = np.nan
    bad = unmarked(pixels)
    bad[:, :200] = PixelFlag.NOT_FINITE
    background = mapped(pixels, bad)
    assert np.isfinite(background.level).all()
    assert np.isfinite(background.rms).all()
    assert background.sources[:, 120:].mean() < 0.5


@pytest.mark.parametrize("method", FINDERS.names())
def test_bright_isolated_stars_are_found_where_they_are(method: str) -> None:
    rng = np.random.default_rng(4)
    gx, gy = np.meshgrid(np.arange(30, 390, 40), np.arange(30, 370, 40))
    x, y = (g.ravel() + rng.uniform(-3, 3, g.size) for g in (gx, gy))
    electrons = 2.0 * (render_stars((400, 420), x, y, np.full(len(x), 4e3), 3.0) + 200)
    pixels = expose(electrons, 0.0, rng, gain=2.0, read_noise=5.0).astype(np.float32)
    background = mapped(pixels, unmarked(pixels))
    found = find_sources(pixels, unmarked(pixels), background, 3.0, method=method)
    distance = np.hypot(found.x[:, None] - x, found.y[:, None] - y).min(axis=0)
    assert distance.max() < 1.0
    assert len(found) <= len(x) + 3


def test_hot_pixels_and_columns_are_no_stars() -> None:
    rng = np.random.default_rng(5)
    pixels, _, _ = frame(rng, n_stars=0)
    rows, columns = rng.integers(5, 395, 50), rng.integers(5, 415, 50)
    pixels[rows, columns] += 3000
    pixels[:, 200] += 400
    background = mapped(pixels, unmarked(pixels))
    found = find_sources(pixels, unmarked(pixels), background, 2.5)
    assert len(found) <= 3


def test_widths_of_gaussians_are_theirs() -> None:
    pixels, sky, (x, y, flux) = frame(np.random.default_rng(6), n_stars=60, fwhm=3.4)
    bright = flux > 8e3
    light = pixels - sky
    variance = sky + np.maximum(light, 0)
    widths = measure_widths(light, variance, light > -1e9, x[bright], y[bright], 2.5)
    assert widths.fwhm == pytest.approx(3.4, abs=0.05)
    assert widths.fwhm_err < 0.03


def test_a_profile_that_is_no_star_has_no_width() -> None:
    flat = np.ones((1, 13))
    assert np.isnan(fit_gaussians(flat, 1.3)[0]) or fit_gaussians(flat, 1.3)[0] < 7


def test_a_trail_is_marked_whole_and_stars_are_not() -> None:
    rng = np.random.default_rng(7)
    trail = satellite_trail((400, 420), 4.0, np.random.default_rng(9), peak=300.0)
    pixels, _, _ = frame(rng, extra=trail)
    trails = find_trails(pixels, unmarked(pixels), mapped(pixels, unmarked(pixels)))
    assert len(trails.lines) == 1
    assert trails.mask[trail > 100].mean() > 0.97
    assert trails.mask.mean() < 3 * (trail > 10).mean()
    clean, _, _ = frame(rng)
    assert not find_trails(clean, unmarked(clean), mapped(clean, unmarked(clean))).lines


def stars(
    rng: np.random.Generator, n: int = 80, *, intrinsic: float = 0.0, colour_term: float = 0.0
) -> tuple[np.ndarray, ...]:
    """Instrumental and catalogue magnitudes with errors, and colours; zero point 22.3 at 0.8."""
    true = rng.uniform(10, 16, n)
    colour = rng.normal(0.8, 0.4, n)
    inst_err = 0.002 + 0.03 * 10 ** (0.2 * (true - 16))
    cat_err = np.full(n, 0.01)
    inst = true - 22.3 - colour_term * (colour - 0.8) + rng.normal(0, inst_err)
    cat = true + rng.normal(0, np.hypot(cat_err, intrinsic))
    return inst, inst_err, cat, cat_err, colour


@pytest.mark.parametrize("intrinsic", [0.0, 0.04])
def test_zero_point_and_its_error_are_honest(intrinsic: float) -> None:
    pulls = []
    for seed in range(40):
        inst, inst_err, cat, cat_err, _ = stars(
            np.random.default_rng([8, seed]), intrinsic=intrinsic
        )
        zero = fit_zero_point(inst, inst_err, cat, cat_err)
        pulls.append((zero.value - 22.3) / zero.err)
    assert abs(np.mean(pulls)) < 0.5
    assert 0.7 < np.std(pulls) < 1.4
    assert zero.intrinsic == pytest.approx(intrinsic, abs=0.015)


def test_wrong_stars_are_clipped() -> None:
    rng = np.random.default_rng(9)
    inst, inst_err, cat, cat_err, _ = stars(rng)
    cat[:12] += rng.choice([-1, 1], 12) * rng.uniform(0.3, 3, 12)
    zero = fit_zero_point(inst, inst_err, cat, cat_err)
    assert zero.value == pytest.approx(22.3, abs=0.008)
    assert not zero.used[:12].any()


def test_a_colour_term_is_found_and_applied() -> None:
    rng = np.random.default_rng(10)
    inst, inst_err, cat, cat_err, colour = stars(rng, colour_term=0.12)
    zero = fit_zero_point(inst, inst_err, cat, cat_err, colour=colour)
    assert zero.colour_term == pytest.approx(0.12, abs=4 * zero.colour_term_err)
    mag, _ = apply_zero_point(zero, inst, inst_err, colour)
    assert np.std(mag - cat) < 0.03
    unknown, _ = apply_zero_point(zero, inst, inst_err, np.full(len(inst), np.nan))
    assert np.allclose(unknown, inst + zero.value)


def test_too_few_stars_give_no_zero_point() -> None:
    one = np.array([10.0, 11.0])
    with pytest.raises(FitError, match="2 usable stars"):
        fit_zero_point(one - 20, one * 0 + 0.01, one, one * 0 + 0.01)


def test_instrumental_magnitudes_are_of_a_second() -> None:
    mag, err = instrumental(np.array([1000.0, -5.0]), np.array([10.0, 3.0]), 10.0)
    assert mag[0] == pytest.approx(-5.0)
    assert err[0] == pytest.approx(0.010857, abs=1e-5)
    assert np.isnan(mag[1])


def test_blank_apertures_need_memory_of_a_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.normal(100, 5, (150, 150))
    pixels = pixels.astype(np.float32)
    pixels[10:35, :80] = np.nan
    places = tuple(rng.uniform(25, 120, (2, 40)))
    at_once = blank_fluxes(pixels, places, 4.0, (12.0, 20.0))
    blocks, sky_of = [], depth.clipped_sky
    monkeypatch.setattr(depth, "PIXELS_AT_ONCE", 20_000)
    monkeypatch.setattr(depth, "clipped_sky", lambda v: blocks.append(v.size) or sky_of(v))
    assert np.array_equal(blank_fluxes(pixels, places, 4.0, (12.0, 20.0)), at_once, equal_nan=True)
    assert max(blocks) <= 20_000
    stars = measure_stars(
        pixels, unmarked(pixels), *places, np.array([4.0]), (12.0, 20.0), NoiseModel(), max_shift=0
    )
    far = places[1] > 40  # of what is not finite, which is filled in stars
    assert np.array_equal(at_once[far], stars.flux[far, 0])


def test_measured_limits_are_the_analytic_ones_on_white_noise() -> None:
    rng = np.random.default_rng(11)
    pixels, _, _ = frame(rng, shape=(600, 600), n_stars=20)
    background = mapped(pixels, unmarked(pixels))
    x, y = blank_places(background.sources, 5.0, 20.0, rng)
    fluxes = blank_fluxes(pixels.astype(np.float32), (x, y), 4.0, (12.0, 20.0))
    limits = measure_limits(
        fluxes, radius_px=4.0, pixel_rms=float(np.median(background.rms)),
        n_sky=np.pi * (20**2 - 12**2), gain_e_per_adu=2.0, zero_point=20.0, exposure_s=60.0,
    )  # fmt: skip
    area, n_sky = np.pi * 4.0**2, np.pi * (20**2 - 12**2)
    empty = np.sqrt(area * (1 + area / n_sky)) * float(np.median(background.rms))
    for limit in limits.limits:
        assert limit.measured == pytest.approx(limit.analytic, abs=0.1)
        flux = 60 * 10 ** (-0.4 * (limit.analytic - 20))
        assert flux / np.sqrt(empty**2 + flux / 2) == pytest.approx(limit.snr)


def test_limits_of_the_smallest_gain_are_numbers() -> None:
    limits = measure_limits(
        np.zeros(0), radius_px=4.0, pixel_rms=3.0, n_sky=500.0, gain_e_per_adu=1e-300,
        zero_point=20.0, exposure_s=60.0,
    )  # fmt: skip
    for limit in limits.limits:  # light alone: snr^2 electrons
        faintest = 20 - 2.5 * (2 * np.log10(limit.snr) + 300 - np.log10(60))
        assert limit.analytic == pytest.approx(faintest)


def test_a_frame_without_blank_sky_has_no_measured_limit() -> None:
    x, _ = blank_places(np.ones((200, 200), dtype=bool), 4.0, 20.0, np.random.default_rng(1))
    assert len(x) == 0
    limits = measure_limits(
        np.zeros(0), radius_px=4.0, pixel_rms=3.0, n_sky=500.0, gain_e_per_adu=1.0,
        zero_point=20.0, exposure_s=1.0,
    )  # fmt: skip
    assert np.isnan(limits.limits[0].measured)
    assert np.isfinite(limits.limits[0].analytic)
