"""The curve of a night that grows: when it is chosen anew, and what it is in between."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import Measurements
from lightcurve.core.errors import FitError
from lightcurve.core.settings import make_settings
from lightcurve.curve.retake import choice_of, retake
from lightcurve.night import live_curve
from lightcurve.night.live_curve import LiveCurve
from lightcurve.setup.target import Target
from sim_cube import CubeTruth, simulate_cube

N = 64
SETTINGS = make_settings({"workers": 1})
TARGET = Target("Sim", 100.0, 0.0, "test")
NOISE = SimpleNamespace(gain_e_per_adu=1.0)
SCENE = SimpleNamespace(recipe=object(), camera=SimpleNamespace(noise=NOISE, gain_known=True))


@pytest.fixture(scope="module")
def night() -> Measurements:
    return simulate_cube(np.ones(N), CubeTruth(n_stars=14), np.random.default_rng(4))


def first(m: Measurements, number: int) -> Measurements:
    """Take the first frames."""
    of_frames = {
        field.name: value[:number]
        for field in fields(m)
        if isinstance(value := getattr(m, field.name), np.ndarray) and len(value) == N
    }
    return replace(m, **of_frames)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of frames at which stars and aperture were chosen."""
    numbers: list[int] = []
    plain = live_curve.choose_for

    def counted(target: Target, m: Measurements, settings: object) -> object:
        numbers.append(len(m.file))
        return plain(target, m, settings)

    monkeypatch.setattr(live_curve, "choose_for", counted)
    return numbers


def form(curve: LiveCurve, m: Measurements, scene: object = SCENE) -> tuple:
    return curve.form(m, scene, TARGET)


def test_who_waits_for_a_frame_does_not_wait_for_a_choice(night, chosen):
    """Only the first is made where a curve is asked for, the others between two looks."""
    curve = LiveCurve(SETTINGS)
    for number in range(16, N + 1):
        before = len(chosen)
        form(curve, first(night, number))
        assert len(chosen) == before + (number == 16)
        assert curve.renew() == (len(chosen) > max(before, 1))
    assert chosen == [16, 20, 25, 32, 40, 50, 63]


def test_what_does_not_hold_any_more_is_chosen_at_once(night, chosen):
    curve = LiveCurve(SETTINGS)
    assert not curve.renew()
    form(curve, first(night, 40))
    form(curve, first(night, 30))  # frames were taken away
    form(curve, first(night, 31), SimpleNamespace(**vars(SCENE) | {"recipe": 0}))
    assert chosen == [40, 30, 31]


def test_a_choice_that_cannot_be_made_leaves_the_last(night, chosen, monkeypatch):
    curve = LiveCurve(SETTINGS)
    form(curve, first(night, 32))
    before, _ = form(curve, first(night, 48))

    def fail(*_: object) -> None:
        msg = "too few"
        raise FitError(msg)

    monkeypatch.setattr(live_curve, "choose_for", fail)
    assert not curve.renew()
    after, _ = form(curve, first(night, 48))
    assert np.array_equal(before.flux, after.flux)
    assert after.recipe.target_scatter == before.recipe.target_scatter


def test_in_between_the_curve_is_that_of_the_choice(night, chosen):
    """As by everything worked out from all frames, to the last bit."""
    curve = LiveCurve(SETTINGS)
    at_first, m = form(curve, first(night, 40))
    choice = choice_of(at_first, m, SETTINGS)
    for number in (41, 44, 49):
        now, m = form(curve, first(night, number))
        plain = retake(m, SETTINGS, choice)
        for name in ("flux", "flux_err", "comparison_flux", "flags"):
            assert np.array_equal(getattr(now, name), getattr(plain, name)), name
        assert str(now.recipe.check_verdict) == str(plain.recipe.check_verdict)
        assert now.recipe.target_scatter == plain.recipe.target_scatter
    assert chosen == [40]
