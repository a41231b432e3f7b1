"""The PSF: its shape recovered, its fit against rendered stars, close pairs, fallbacks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RectBivariateSpline

from lightcurve.phot import psf_fit
from lightcurve.phot.epsf import build_psf
from lightcurve.phot.moffat import fit_moffats
from lightcurve.phot.psf import Psf, Sampler, moffat, moffat_psf, psf_boxes
from lightcurve.phot.psf_fit import PsfPhotometry, fit_psf, refit_psf
from lightcurve.phot.surface import fit_surface
from lightcurve.phot.trails import in_trails, trail_sides
from lightcurve.simulate.render import expose, render_stars

GAIN, READ_NOISE, SKY = 1.5, 8.0, 300.0


def starfield(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, flux: np.ndarray, *, fwhm: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """Light above the sky (ADU) and the variance of a sky pixel; fluxes in ADU."""
    shape = (300, 300)
    light = GAIN * render_stars(shape, x, y, flux, fwhm, beta=3.5) + SKY
    pixels = expose(light, 100.0, rng, gain=GAIN, read_noise=READ_NOISE).astype(float)
    variance = (SKY + READ_NOISE**2) / GAIN**2 + 1 / 12
    return pixels - 100.0 - SKY / GAIN, np.full(shape, variance)


def grid_of_stars(rng: np.random.Generator, step: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Places a good way apart, anywhere within their pixels."""
    gx, gy = np.meshgrid(np.arange(20, 285, step), np.arange(20, 285, step))
    return tuple(g.ravel() + rng.uniform(-2, 2, g.size) for g in (gx, gy))


def true_psf(fwhm: float = 3.0) -> Psf:
    return moffat_psf((fwhm, 0.0, 0.0), 3.5, 17.0, 2)


def test_moffat_integrates_to_one() -> None:
    u, v = np.meshgrid(np.arange(-60.0, 61), np.arange(-60.0, 61))
    assert moffat(u, v, (3.5, 0.2, 0.2), 3.5).sum() == pytest.approx(1, abs=1e-3)


def test_moffat_pixels_are_those_rendered_exactly() -> None:
    u, v = np.meshgrid(np.arange(-20.0, 21) - 0.3, np.arange(-20.0, 21) + 0.2)
    image = render_stars((41, 41), [20.3], [19.8], [1.0], 3.0, beta=3.5)
    assert np.abs(moffat(u, v, (3.0, 0.0, 0.0), 3.5) - image).max() < 2e-3 * image.max()


@pytest.mark.parametrize("oversampling", [2, 4])
def test_boxes_are_those_of_a_spline_by_scipy(oversampling: int) -> None:
    rng = np.random.default_rng(2)
    psf = moffat_psf((3.0, -0.1, 0.1), 3.0, 14.0, oversampling)
    dx, dy = rng.uniform(-0.5, 0.5, (2, 5))
    values = psf_boxes(psf, 40 + dx, 30 + dy, 8)
    by_x, by_y = Sampler.of(psf).slopes(40 + dx, 30 + dy, 8).reshape(2, 5, 17, 17)
    offset = np.arange(-8, 9)
    nodes = np.linspace(-psf.half_px, psf.half_px, len(psf.grid))
    spline = RectBivariateSpline(nodes, nodes, psf.grid)
    for k in range(5):
        u, v = np.meshgrid(offset - dx[k], offset - dy[k])
        assert np.allclose(values[k], spline.ev(v, u), atol=2e-6)
        assert np.allclose(by_x[k], -spline.ev(v, u, dy=1), atol=2e-4)
        assert np.allclose(by_y[k], -spline.ev(v, u, dx=1), atol=2e-4)


def test_boxes_of_a_psf_that_varies_are_those_of_the_psf_at_each_place() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.uniform(10, 90, (2, 40))
    values = np.stack([np.log(3 + 0.01 * x), 0.002 * (y - 50), 0 * x], axis=1)
    psf = moffat_psf(fit_surface(x, y, values, np.ones(40)), 3.0, 14.0, 2)
    assert psf.order > 0
    boxes = psf_boxes(psf, x, y, 8)
    alone = [psf_boxes(psf.at(*one), *one[:, None], 8)[0] for one in np.stack([x, y], axis=1)]
    assert np.allclose(boxes, alone, rtol=0, atol=1e-12)


def test_enclosed_light_of_a_moffat_is_known() -> None:
    psf = moffat_psf((3.0, 0.0, 0.0), 3.5, 40.0, 2)
    core = 3.0 / (2 * np.sqrt(2 ** (1 / 3.5) - 1))
    for radius in (6.0, 12.0):
        expected = 1 - (1 + (radius / core) ** 2) ** (1 - 3.5)
        assert psf.enclosed(radius) == pytest.approx(expected, abs=0.004)
    assert psf.enclosed(0.0) == 0


def test_shape_is_recovered_from_noisy_stars() -> None:
    rng = np.random.default_rng(3)
    x, y = grid_of_stars(rng)
    light, variance = starfield(rng, x, y, np.full(len(x), 3e4))
    noise = variance + np.maximum(light, 0) / GAIN
    found = fit_moffats(light, noise, light > -1e9, x, y, 2.5)
    assert np.median(found.fwhm) == pytest.approx(3.0, abs=0.03)
    assert np.median(found.e1) == pytest.approx(0.0, abs=0.01)
    assert found.beta == pytest.approx(3.5, abs=0.25)


def test_effective_psf_is_the_true_one_to_a_percent() -> None:
    rng = np.random.default_rng(4)
    x, y = grid_of_stars(rng)
    light, variance = starfield(rng, x, y, np.exp(rng.uniform(9, 11.5, len(x))))
    rows = np.arange(len(x))
    psf = build_psf(light, variance, light > -1e9, (x, y), rows, 3.3, gain_e_per_adu=GAIN)
    true = true_psf()
    half = round(6 * psf.oversampling)
    ours, theirs = (
        p.grid[len(p.grid) // 2 - half :, len(p.grid) // 2 - half :][: 2 * half, : 2 * half]
        for p in (psf, true)
    )
    assert psf.kind == "epsf"
    assert np.abs(ours - theirs).max() < 0.015 * theirs.max()


def test_stars_sharper_than_a_pixel_are_fitted() -> None:
    rng = np.random.default_rng(4)
    x, y = grid_of_stars(rng)
    light, variance = starfield(rng, x, y, np.full(x.size, 2e4), fwhm=0.75)
    good, rows = np.ones(light.shape, dtype=bool), np.arange(x.size)
    psf = build_psf(light, variance, good, (x, y), rows, 1.5, gain_e_per_adu=GAIN)
    assert np.isfinite(psf.grid).all()
    phot = fit_psf(light, variance, good, psf, x, y, gain_e_per_adu=GAIN)
    assert np.std(phot.flux) < 0.1 * 2e4
    assert np.median(phot.flux) == pytest.approx(2e4, rel=0.05)


def test_few_stars_give_an_analytic_psf_that_says_so() -> None:
    rng = np.random.default_rng(5)
    x, y = grid_of_stars(rng)
    light, variance = starfield(rng, x[:10], y[:10], np.full(10, 3e4))
    places = (x[:10], y[:10])
    psf = build_psf(light, variance, light > -1e9, places, np.arange(10), 3.0, gain_e_per_adu=GAIN)
    assert psf.kind == "moffat"
    assert "analytic" in psf.notes[-1]
    none = np.zeros(0, dtype=int)
    psf = build_psf(light, variance, light > -1e9, places, none, 3.0, gain_e_per_adu=GAIN)
    assert (psf.fwhm, psf.n_stars) == (pytest.approx(3.0), 0)


def test_fluxes_and_places_have_honest_errors() -> None:
    flux_pulls, x_pulls = [], []
    for seed in range(4):
        rng = np.random.default_rng([6, seed])
        x, y = grid_of_stars(rng)
        flux = np.exp(rng.uniform(7.5, 11, len(x)))
        light, variance = starfield(rng, x, y, flux)
        start_x, start_y = x + rng.normal(0, 0.3, len(x)), y + rng.normal(0, 0.3, len(x))
        fit = fit_psf(
            light, variance, light > -1e9, true_psf(), start_x, start_y, gain_e_per_adu=GAIN
        )
        flux_pulls.append((fit.flux - flux) / fit.flux_err)
        x_pulls.append((fit.x - x) / fit.x_err)
        assert np.median(fit.chi2) == pytest.approx(0.94, abs=0.08)
    assert 0.9 < np.std(np.concatenate(flux_pulls)) < 1.12
    assert abs(np.mean(np.concatenate(flux_pulls))) < 0.25
    assert 0.9 < np.std(np.concatenate(x_pulls)) < 1.15


def test_pairs_closer_than_two_widths_are_told_apart() -> None:
    rng = np.random.default_rng(7)
    x, y = grid_of_stars(rng)
    angle = rng.uniform(0, 2 * np.pi, len(x))
    apart = rng.uniform(1.1, 1.8, len(x)) * 3.0
    both_x = np.concatenate([x, x + apart * np.cos(angle)])
    both_y = np.concatenate([y, y + apart * np.sin(angle)])
    flux = np.concatenate([np.full(len(x), 3e4), rng.uniform(3e3, 3e4, len(x))])
    light, variance = starfield(rng, both_x, both_y, flux)
    fit = fit_psf(
        light, variance, light > -1e9, true_psf(), both_x + rng.normal(0, 0.2, len(both_x)),
        both_y, gain_e_per_adu=GAIN,
    )  # fmt: skip
    pull = (fit.flux - flux) / fit.flux_err
    assert np.median(np.abs(fit.flux / flux - 1)) < 0.02
    assert 0.85 < np.std(pull) < 1.3


def test_stars_that_are_fixed_or_known_before_end_where_all_of_them_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(9)
    x, y = grid_of_stars(rng, 12.0)
    flux = np.exp(rng.uniform(7, 11, len(x)))
    light, variance = starfield(rng, x, y, flux)
    stars = light, variance, light > -1e9, true_psf(), x + 0.2, y - 0.1

    def fit(before: np.ndarray | None = None) -> PsfPhotometry:
        return fit_psf(*stars, gain_e_per_adu=GAIN, flux=before)

    monkeypatch.setattr(psf_fit, "SETTLED", 1.0)
    monkeypatch.setattr(psf_fit, "MAX_ITERATIONS", 8)
    fast, known = fit(), fit(np.where(rng.random(len(x)) < 0.5, flux, np.nan))
    monkeypatch.setattr(psf_fit, "STILL_SIGMA", -1.0)
    plain = fit()
    for one in (fast, known):
        off = np.abs(one.flux - plain.flux) / plain.flux_err
        assert np.quantile(off, 0.99) < 0.02
        assert np.quantile(np.abs(one.flux_err / plain.flux_err - 1), 0.99) < 1e-3


def test_what_is_fitted_again_near_a_change_ends_where_a_fit_of_all_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(psf_fit, "SETTLED", 1.0)
    monkeypatch.setattr(psf_fit, "MAX_ITERATIONS", 8)
    rng = np.random.default_rng(12)
    x, y = grid_of_stars(rng, 12.0)
    flux = np.exp(rng.uniform(8, 11, len(x)))
    late = rng.choice(len(x), 20, replace=False)
    there = np.setdiff1d(np.arange(len(x)), late)
    ghosts = rng.uniform(20, 280, (2, 15))  # sources that are none
    light, variance = starfield(rng, x, y, flux)
    good = np.ones(light.shape, dtype=bool)
    good[140:143, 50:52] = False
    frame = light, variance, good, true_psf()
    before = fit_psf(
        *frame, np.append(x[there], ghosts[0]), np.append(y[there], ghosts[1]), gain_e_per_adu=GAIN
    )
    keep = np.arange(len(before.x)) < len(there)
    more = np.column_stack([x[late] + 0.2, y[late]])
    part = refit_psf(*frame, before, keep=keep, more=more, gain_e_per_adu=GAIN)
    rows = np.append(there, late)
    whole = fit_psf(*frame, part.x, part.y, gain_e_per_adu=GAIN, flux=part.flux)
    assert np.abs((part.flux - flux[rows]) / part.flux_err).max() < 5
    off = np.abs(part.flux - whole.flux) / whole.flux_err
    assert np.median(off) < 0.01
    assert np.quantile(off, 0.99) < 0.2
    assert np.quantile(np.abs(part.flux_err / whole.flux_err - 1), 0.99) < 0.01
    assert np.median(np.abs(part.residual - whole.residual)) < 0.05
    untouched = np.isin(part.flux, before.flux)
    assert 0.3 * len(rows) < untouched.sum() < 0.95 * len(rows)


def test_what_a_brighter_star_hid_finds_its_place_however_little_was_left_of_it() -> None:
    rng = np.random.default_rng(15)
    x, y = grid_of_stars(rng, 24.0)
    angle = rng.uniform(0, 2 * np.pi, len(x))
    beside = x + 3.0 * np.cos(angle), y + 3.0 * np.sin(angle)
    flux = np.repeat([4e4, 2e3], len(x))
    light, variance = starfield(rng, np.append(x, beside[0]), np.append(y, beside[1]), flux)
    frame = light, variance, light > -1e9, true_psf()
    alone = fit_psf(*frame, x, y, gain_e_per_adu=GAIN)
    found = np.column_stack(beside) + rng.normal(0, 0.4, (len(x), 2))
    pairs = refit_psf(*frame, alone, keep=x > 0, more=found, gain_e_per_adu=GAIN)
    late = slice(len(x), None)
    free = pairs.x_err[late] > 0  # held are those taken for too faint to move
    assert free.mean() > 0.9
    off = (pairs.x[late] - beside[0])[free] / pairs.x_err[late][free]
    assert np.std(off) < 1.5
    assert np.median((pairs.flux[late] - 2e3) / pairs.flux_err[late]) == pytest.approx(0, abs=0.7)


def test_without_a_change_nothing_is_fitted_again_and_a_lone_star_may_go() -> None:
    light, variance = starfield(
        np.random.default_rng(13), np.array([60.0, 200.0, 150.0]), np.array([60.0, 200.0, 90.0]),
        np.full(3, 2e4),
    )  # fmt: skip
    frame = light, variance, light > -1e9, true_psf()
    x = np.array([60.0, 200.0, 150.0])
    fit = fit_psf(*frame, x, np.array([60.0, 200.0, 90.0]), gain_e_per_adu=GAIN)
    same = np.ones(3, dtype=bool)
    none = np.zeros((0, 2))
    assert refit_psf(*frame, fit, keep=same, more=none, gain_e_per_adu=GAIN) is fit
    less = refit_psf(*frame, fit, keep=x < 190, more=none, gain_e_per_adu=GAIN)
    assert (less.flux == fit.flux[[0, 2]]).all()
    assert less.residual[200, 200] == pytest.approx(light[200, 200], rel=1e-4)
    nothing = refit_psf(*frame, fit, keep=~same, more=none, gain_e_per_adu=GAIN)
    assert len(nothing.flux) == 0
    assert np.allclose(nothing.residual, light, rtol=1e-4, atol=1e-2)


def test_a_star_without_a_flux_has_all_fitted_again_when_it_goes() -> None:
    rng = np.random.default_rng(14)
    x, y = grid_of_stars(rng, 20.0)
    light, variance = starfield(rng, x, y, np.full(len(x), 2e4))
    good = np.ones(light.shape, dtype=bool)
    column, row = round(x[20]), round(y[20])
    good[row - 6 : row + 7, column - 6 : column + 7] = False
    frame = light, variance, good, true_psf()
    fit = fit_psf(*frame, x, y, gain_e_per_adu=GAIN)
    assert np.isnan(fit.flux[20])
    keep = np.arange(len(x)) != 20
    part = refit_psf(*frame, fit, keep=keep, more=np.zeros((0, 2)), gain_e_per_adu=GAIN)
    whole = fit_psf(*frame, x[keep], y[keep], gain_e_per_adu=GAIN)
    assert np.abs((part.flux - whole.flux) / whole.flux_err).max() < 0.1
    assert np.abs(part.residual - whole.residual).max() < 5


def test_bad_pixels_do_not_count_and_lost_stars_have_no_flux() -> None:
    rng = np.random.default_rng(8)
    x, y = grid_of_stars(rng)
    light, variance = starfield(rng, x, y, np.full(len(x), 2e4))
    good = np.ones(light.shape, dtype=bool)
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    light[row[:20], column[:20] + 1] = 1e6
    good[row[:20], column[:20] + 1] = False
    good[row[20] - 6 : row[20] + 7, column[20] - 6 : column[20] + 7] = False
    fit = fit_psf(light, variance, good, true_psf(), x, y, gain_e_per_adu=GAIN)
    assert np.abs(fit.flux[:20] / 2e4 - 1).max() < 0.15
    assert np.isnan(fit.flux[20])


def test_an_empty_frame_gives_an_empty_answer() -> None:
    light = np.zeros((60, 60))
    none = np.zeros(0)
    fit = fit_psf(light, light + 1, light == 0, true_psf(), none, none, gain_e_per_adu=1.0)
    assert len(fit.flux) == 0
    assert fit.residual.shape == (60, 60)


def test_charge_trails_are_told_from_neighbours_on_all_sides() -> None:
    rng = np.random.default_rng(10)
    x, y = grid_of_stars(rng, 40.0)
    flux = np.full(len(x), 5e4)
    none = np.zeros(len(x))
    residual = np.zeros((300, 300), dtype=np.float32)
    fit = PsfPhotometry(x, y, none, none, flux, none + 100, none + 1, none == 0, residual)
    trail = (x + 7.0, y + rng.uniform(-0.5, 0.5, len(y)))
    assert trail_sides(fit, true_psf(), trail) == ((1, 0),)
    assert in_trails(fit, true_psf(), trail, ((1, 0),)).all()
    angle = rng.uniform(0, 2 * np.pi, len(x))
    around = (x + 7.0 * np.cos(angle), y + 7.0 * np.sin(angle))
    assert trail_sides(fit, true_psf(), around) == ()
    assert not in_trails(fit, true_psf(), around, ()).any()
    residual[:] = flux[0]  # as bright as a star: no trail is
    assert not in_trails(fit, true_psf(), trail, ((1, 0),)).any()
