"""Periods that were put in come back, between the gaps of days, and noise has none."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.timeseries import LombScargle
from numpy.testing import assert_allclose

from lightcurve.core.errors import InputError
from lightcurve.variables.period import Shape, _Data, alias_of, find_period, periodogram
from lightcurve.variables.shapes import levels, nights_of
from sim_variable import contact, eclipses, nights, wave

NOISE = 0.01


@pytest.mark.parametrize(
    ("curve", "period", "shape"),
    [(wave, 1.6575, Shape.WAVE), (contact, 0.3817, None), (eclipses, 1.3025, Shape.ECLIPSES)],
)
def test_a_period_comes_back_within_its_error(curve, period, shape) -> None:
    rng = np.random.default_rng(1)
    time = nights(rng, 14, 60, minutes=10)
    flux = curve((time - 2459000.3) / period) + rng.normal(0, NOISE, len(time))
    found = find_period(time, flux, np.full(len(time), NOISE), shortest=0.2)
    best = found.best
    assert abs(best.period - period) < 4 * best.error < 0.002 * period
    assert shape in {None, best.shape}
    assert found.found
    if curve is not wave:
        away = (found.epoch - 2459000.3) / period
        assert abs(away - round(away)) < 0.02
    assert all(other.bic >= best.bic for other in found.others)


def test_levels_of_their_own_do_not_hide_it() -> None:
    rng = np.random.default_rng(2)
    time = nights(rng, 14, 60, minutes=10)
    part = nights_of(time)
    flux = contact(time / 0.3817) + rng.normal(0, 0.3, 14)[part] + rng.normal(0, NOISE, len(time))
    found = find_period(
        time, flux, np.full(len(time), NOISE), part=part, boxes=False, shortest=0.15
    )
    assert abs(found.best.period - 0.3817) < 4 * found.best.error < 1e-4


def test_power_with_levels_is_that_of_astropy_where_there_is_one() -> None:
    rng = np.random.default_rng(3)
    time = np.sort(rng.uniform(0, 10, 60))
    flux, error = rng.normal(1, 0.1, 60), rng.uniform(0.05, 0.2, 60)
    frequency = np.linspace(0.2, 5, 50)
    # Two parts at the same level that are told to be two: fitted as such by astropy's matrix.
    part = (time > 5).astype(int)
    data = _Data(time, flux, error, part, levels(part), nights_of(time))
    power = periodogram(data, frequency, 2)
    for f, found in zip(frequency, power, strict=True):
        design = np.column_stack(
            [part == 0, part == 1, *(fn(2 * np.pi * k * f * time) for k in (1, 2)
                                     for fn in (np.sin, np.cos))]
        ) / error[:, None]  # fmt: skip
        left = [np.linalg.lstsq(design[:, :k], flux / error, rcond=None)[1][0] for k in (2, 6)]
        assert found == pytest.approx(1 - left[1] / left[0], abs=1e-6)
    one = _Data(time, flux, error, 0 * part, levels(0 * part), nights_of(time))
    assert_allclose(
        periodogram(one, frequency, 2), LombScargle(time, flux, error, nterms=2).power(frequency)
    )


def test_noise_has_no_period() -> None:
    rng = np.random.default_rng(4)
    time = nights(rng, 10, 30, minutes=10)
    found = find_period(
        time, rng.normal(1, NOISE, len(time)), np.full(len(time), NOISE), shortest=0.2
    )
    assert not found.found
    assert found.chance > 0.01


def test_aliases_have_names() -> None:
    assert alias_of(1 / (1 / 0.3 + 1), 0.3, 1000) == "alias by 1 a solar day"
    assert alias_of(1 / (1 / 0.3 - 1.0027379), 0.3, 1000) == "alias by 1 a day"
    assert alias_of(0.6, 0.3, 100) == "twice it"
    assert alias_of(0.15, 0.3, 100) == "a half of it"
    assert alias_of(0.2718, 0.3, 1e5) == ""


def test_too_little_and_too_much_are_refused() -> None:
    few = np.arange(5.0)
    with pytest.raises(InputError, match="5 points"):
        find_period(few, few, few + 1)
    time = np.sort(np.random.default_rng(5).uniform(0, 4000, 50))
    with pytest.raises(InputError, match="shortest"):
        find_period(time, np.sin(time), np.ones(50), shortest=0.001)


@pytest.mark.parametrize(
    ("shortest", "longest"), [(3.0, 4.0), (0.7, 0.7001), (0, None), (None, np.inf)]
)
def test_a_period_is_one_of_those_that_were_asked_for(shortest, longest) -> None:
    rng = np.random.default_rng(6)
    time = np.sort(rng.uniform(0, 4.5, 60))
    flux = 1 + 0.02 * time + rng.normal(0, NOISE, 60)
    curve = time, flux, np.full(60, NOISE)
    if not shortest or longest == np.inf:
        with pytest.raises(InputError, match="no period between"):
            find_period(*curve, shortest=shortest, longest=longest)
        return
    found = find_period(*curve, shortest=shortest, longest=longest)
    for one in (found.best, *found.others):
        assert shortest * (1 - 1e-9) <= one.period <= longest * (1 + 1e-9)
