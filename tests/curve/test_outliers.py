"""Outliers: single points that no local model explains; never the beginning of a slope."""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest

from lightcurve.core.data import Planet
from lightcurve.core.robust import without_runs
from lightcurve.curve.outliers import _neighbours, _off, _off_both, _Series, mark_outliers
from lightcurve.simulate.observatory import Night
from lightcurve.simulate.to_order import transit_of
from lightcurve.transit.solve import find_wild

NOISE = 0.002
PLANET = Planet(
    name="Deep-1 b", ra_deg=20.0, dec_deg=30.0, period_days=1.3, t0_bjd_tdb=2460586.75,
    rp_over_rs=0.16, a_over_rs=8.0, inclination_deg=88.5,
)  # fmt: skip


def trapezoid(n: int) -> np.ndarray:
    """2 % deep, half the series long, with ingress of 7 % of it."""
    return 1 - 0.02 * np.clip((0.25 - np.abs(np.linspace(-0.5, 0.5, n))) / 0.07 + 1, 0, 1)


def simulated(n: int) -> np.ndarray:
    start = 2460586.75 - 0.09
    return transit_of(PLANET, Night(), start + np.linspace(0, 0.18, n))


SHAPES = {
    "flat": np.ones, "sloped": lambda n: 1 + 2 * NOISE * np.arange(n), "trapezoid": trapezoid,
    "simulated": simulated,
}  # fmt: skip


def marked(flux: np.ndarray, time: np.ndarray | None = None) -> np.ndarray:
    time = np.arange(len(flux)) / 500.0 if time is None else time
    return mark_outliers(time, flux, np.full(len(flux), NOISE))


@pytest.mark.parametrize(("n", "series"), [(12, 300), (100, 100), (500, 20), (2000, 6)])
def test_white_noise_has_no_outliers(n: int, series: int) -> None:
    """At most one point in 30,000 is called one, whatever the length."""
    rng = np.random.default_rng(n)
    found = sum(marked(1 + NOISE * rng.normal(size=n)).sum() for _ in range(series))
    assert found <= max(1, n * series / 30_000)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_lone_point_is_found(name: str, sign: int) -> None:
    """A few of six sigma hide in a steep ingress, where it may be the ingress that bends."""
    rng, n = np.random.default_rng(5), 120
    shape = SHAPES[name](n)
    for size, wanted in ((6, 0.78), (12, 0.9), (25, 1)):
        hits, others = 0, 0
        places = rng.integers(1, n - 1, 60)
        for place in places:
            flux = shape + NOISE * rng.normal(size=n)
            flux[place] = shape[place] + size * sign * NOISE
            found = marked(flux)
            hits += found[place]
            others += found.sum() - found[place]
        assert hits >= wanted * len(places)
        assert others <= 3


@pytest.mark.parametrize("half_width", [2.0, 2.5, 3.0, 4.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_short_eclipse_or_flare_is_none(half_width: float, sign: int) -> None:
    """Four points and more, the outer ones far less off than the inner, wherever they fall."""
    rng, lost = np.random.default_rng(12), 0
    for depth in (10, 20, 50):
        for _ in range(15):
            apart = np.abs(np.arange(60) - 30 - rng.uniform(-0.5, 0.5))
            shape = 1 + sign * depth * NOISE * np.clip(1 - apart / half_width, 0, None)
            lost += marked(shape + NOISE * rng.normal(size=60)).any()
    assert lost <= 3


@pytest.mark.parametrize("left_out", [0, 12])
def test_all_points_at_once_are_as_one_by_one(left_out: int) -> None:
    rng = np.random.default_rng(left_out)
    time = np.cumsum(np.where(rng.random(120) < 0.1, 0.3, rng.uniform(0.9, 1.1, 120) / 100))
    series = _Series(time, rng.normal(1, NOISE, 120), rng.uniform(1, 2, 120) * NOISE)
    good = np.delete(np.arange(120), rng.choice(120, left_out, replace=False))
    plain = np.zeros(120)
    for k in range(120):
        sides = _neighbours(time, good, (k, k))
        if all(map(len, sides)):
            plain[k] = _off(series, k, np.concatenate(sides))
    assert 60 < np.count_nonzero(plain) < 120
    np.testing.assert_allclose(_off_both(series, good), plain, rtol=1e-9, atol=1e-12)


def test_a_long_night_costs_as_much_more_as_it_is_longer() -> None:
    flux, took = 1 + NOISE * np.random.default_rng(13).normal(size=16_000), {1000: [], 16_000: []}
    for _ in range(3):
        for n, spent in took.items():
            start = process_time()
            marked(flux[:n])
            spent.append(process_time() - start)
    assert min(took[16_000]) < 16 * 4 * min(took[1000])  # 256 times if each looked at all


@pytest.mark.parametrize("step", [2.5, 5, 10, 25])
@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_ingress_at_an_end_is_none(step: float, k: int) -> None:
    """The last or first `k` points fall by `step` sigma each."""
    rng, lost = np.random.default_rng(6), 0
    for trial in range(50):
        flux = np.ones(60)
        flux[-k:] -= NOISE * step * np.arange(1, k + 1)
        flux = flux[:: 1 if trial % 2 else -1] + NOISE * rng.normal(size=60)
        lost += marked(flux).any()
    assert lost <= 2


@pytest.mark.parametrize("step", [2.5, 5, 10, 25])
def test_ingress_beside_a_gap_is_none(step: float) -> None:
    rng = np.random.default_rng(7)
    time = np.concatenate([np.arange(40), np.arange(70, 110)]) / 500.0
    ramp = np.clip(np.arange(110) - 36, 0, 36)[np.r_[0:40, 70:110]]
    lost = [marked(1 - NOISE * (step * ramp - rng.normal(size=80)), time).any() for _ in range(40)]
    assert np.sum(lost) <= 1


@pytest.mark.parametrize("name", SHAPES)
def test_only_a_bright_point_beside_a_gap_is_found(name: str) -> None:
    """A faint one may be in the transit; the gap is anywhere, also in ingress and egress."""
    rng, n, hits, others, faint = np.random.default_rng(8), 80, 0, 0, 0
    for begin in range(8, n - 20):
        flux, time = SHAPES[name](n) + NOISE * rng.normal(size=n), np.arange(n) / 500.0
        seen = np.r_[0:begin, begin + 10 : n]
        k = begin - rng.integers(2)  # the last before it, or the first after it
        wild = flux[seen]
        wild[k] += 15 * NOISE
        found = marked(wild, time[seen])
        hits, others = hits + found[k], others + found.sum() - found[k]
        wild[k] -= 30 * NOISE
        faint += marked(wild, time[seen])[k]
    # On a slope of two sigma a point the other side of the gap may be as bright.
    assert hits >= (n - 28) * (0.35 if name == "sloped" else 0.75)
    assert others <= 2
    assert faint == 0


@pytest.mark.parametrize("n", [5, 10, 25])
def test_the_last_points_of_a_rising_star_are_none(n: int) -> None:
    """13 % over the series: that of WW CrA, ten frames of 1.2 %, and better ones."""
    rng = np.random.default_rng(8)
    for noise in (0.012, NOISE):
        for power in (1, 2, 4):
            rise = 1 + 0.13 * np.linspace(0, 1, n) ** power
            for _ in range(15):
                flux = rise + noise * rng.normal(size=n)
                assert not mark_outliers(np.arange(n) / 500, flux, np.full(n, noise)).any()


@pytest.mark.parametrize("n", [5, 6, 8, 12])
def test_a_short_series_has_none_by_chance_whatever_its_errors_say(n: int) -> None:
    """Of three bends the median deviation may be next to nothing."""
    rng = np.random.default_rng(14)
    found = sum(
        mark_outliers(
            np.arange(n) / 500, 1 + NOISE * rng.normal(size=n), np.full(n, NOISE / 5)
        ).sum()
        for _ in range(300)
    )
    assert found <= 0.003 * 300 * n
    star = np.array([0.9885, 1.0, 1.0021, 0.9879, 1.0148])  # beside WW CrA, five frames of 1.2 %
    assert not mark_outliers(np.arange(5) / 500, star, np.full(5, 0.003)).any()


@pytest.mark.parametrize("n", [12, 16, 20])
def test_a_cosmic_ray_in_a_short_series_is_found(n: int) -> None:
    rng, hits = np.random.default_rng(15), 0
    for _ in range(100):
        flux, place = 1 + NOISE * rng.normal(size=n), rng.integers(1, n - 1)
        flux[place] += 15 * NOISE
        hits += marked(flux)[place]
    assert hits >= 90


def test_three_in_a_row_are_none_and_two_are() -> None:
    rng = np.random.default_rng(9)
    for size, expected in ((1, 1), (2, 2), (3, 0), (4, 0)):
        flux = 1 + NOISE * rng.normal(size=80)
        flux[40 : 40 + size] = 1 + 15 * NOISE
        assert marked(flux)[40 : 40 + size].sum() == expected


def test_order_and_nan_do_not_matter() -> None:
    rng = np.random.default_rng(10)
    time = np.arange(80) / 500.0
    flux = 1 + NOISE * rng.normal(size=80)
    flux[30], flux[50], time[60] = 1.05, np.nan, np.nan
    found = marked(flux, time)
    assert np.flatnonzero(found).tolist() == [30]
    turn = rng.permutation(80)
    np.testing.assert_array_equal(marked(flux[turn], time[turn]), found[turn])
    assert not marked(np.full(6, np.nan)).any()


def test_runs() -> None:
    far = np.array([1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1], dtype=bool)
    above = np.array([1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1], dtype=bool)
    kept = [True, False, True, True, False, False, False, False, True, True, True]
    assert without_runs(far, above).tolist() == kept
    assert without_runs(far[:0], above[:0]).tolist() == []


def test_the_fit_leaves_out_no_run() -> None:
    rng = np.random.default_rng(11)
    flux = NOISE * rng.normal(size=60)
    flux[20], flux[-4:] = 8 * NOISE, -9 * NOISE
    used = np.ones(61, dtype=bool)
    used[3] = False
    wild = find_wild(np.arange(61.0), np.insert(flux / NOISE, 3, 99.0), used)
    assert np.flatnonzero(wild).tolist() == [21]
