"""The curve of a night that grows: when it is chosen anew, and what it is in between."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import Measurements
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


def form(curve: LiveCurve, m: Measurements, *, busy: bool, scene: object = SCENE) -> tuple:
    return curve.form(m, scene, TARGET, busy=busy)


def test_who_waits_for_a_frame_does_not_wait_for_a_choice(night, chosen):
    """Each frame is seen while it is written, too, and then there is time."""
    curve = LiveCurve(SETTINGS)
    for number in range(16, N + 1):
        form(curve, first(night, number - 1), busy=False)
        form(curve, first(night, number), busy=True)
    assert chosen == [15, 19, 24, 30, 38, 48, 60]


def test_a_night_without_a_break_is_chosen_anew_too(night, chosen):
    curve = LiveCurve(SETTINGS)
    for number in range(16, N + 1):
        form(curve, first(night, number), busy=True)
    assert chosen == [16, 24, 36, 54]
    form(curve, first(night, 30), busy=True)  # frames were taken away
    form(curve, first(night, 31), busy=True, scene=SimpleNamespace(**vars(SCENE) | {"recipe": 0}))
    assert chosen[4:] == [30, 31]


def test_in_between_the_curve_is_that_of_the_choice(night, chosen):
    """As by everything worked out from all frames, to the last bit."""
    curve = LiveCurve(SETTINGS)
    at_first, m = form(curve, first(night, 40), busy=False)
    choice = choice_of(at_first, m, SETTINGS)
    for number in (41, 44, 49):
        now, m = form(curve, first(night, number), busy=True)
        plain = retake(m, SETTINGS, choice)
        for name in ("flux", "flux_err", "comparison_flux", "flags"):
            assert np.array_equal(getattr(now, name), getattr(plain, name)), name
        assert str(now.recipe.check_verdict) == str(plain.recipe.check_verdict)
        assert now.recipe.target_scatter == plain.recipe.target_scatter
    assert chosen == [40]
