"""The reference frame: not the one with most stars, but one whose stars the night has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import Detections
from lightcurve.setup.reference import rank_samples, why_poor
from lightcurve.setup.solving import Sample

SIDE = 600
N = 90


def _sample(x, y, flux, *, fwhm=3.0, header=None):
    """A frame's stars: those on the chip, brightest first."""
    keep = (x > 0) & (x < SIDE) & (y > 0) & (y < SIDE)
    order = np.flatnonzero(keep)[np.argsort(-flux[keep])]
    stars = Detections(
        x[order], y[order], flux[order], flux[order] / 9, np.full(len(order), fwhm), 100.0, 5.0
    )
    frame = SimpleNamespace(pixels=np.zeros((SIDE, SIDE)), header=header or {})
    return Sample(frame, stars)


class Field:
    """Stars over more sky than a frame shows, and frames of it; all in plain numpy."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.x, self.y = self.rng.uniform(-SIDE, 2 * SIDE, (2, 9 * N))
        self.flux = 10 ** self.rng.uniform(2.0, 4.5, 9 * N)

    def frame(self, shift=(0.0, 0.0), *, faintest=100.0, **given):
        dx, dy = np.asarray(shift) + self.rng.normal(0, 4, 2)
        x = self.x + dx + self.rng.normal(0, 0.1, 9 * N)
        y = self.y + dy + self.rng.normal(0, 0.1, 9 * N)
        flux = self.flux * np.exp(self.rng.normal(0, 0.03, 9 * N))
        seen = flux > faintest
        return _sample(x[seen], y[seen], flux[seen], **given)

    def cloudy(self):
        return self.frame(faintest=1500.0)

    def displaced(self):
        return self.frame((0.55 * SIDE, -0.2 * SIDE))

    def bumped(self):
        """Each star twice, the telescope was kicked; more detections than any."""
        good = self.frame().stars
        x, y = np.tile(good.x, 2), np.tile(good.y, 2)
        x[len(good) :] += 14.0
        return _sample(x, y, np.concatenate([good.flux, 0.9 * good.flux]))

    def cluttered(self):
        """Twice as many stars that no other frame has."""
        good = self.frame(faintest=300.0).stars
        x, y = self.rng.uniform(0, SIDE, (2, 2 * N))
        flux = 10 ** self.rng.uniform(2.0, 4.5, 2 * N)
        return _sample(*(np.concatenate(v) for v in ((good.x, x), (good.y, y), (good.flux, flux))))

    def blurred(self):
        return self.frame(fwhm=4.5)

    def elsewhere(self):
        return Field(int(self.rng.integers(100, 999))).frame()


MISLEADING = ("cloudy", "displaced", "bumped", "cluttered", "blurred", "elsewhere")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", MISLEADING)
def test_a_frame_that_misleads_is_not_the_reference(kind, seed):
    """It lies in the middle of the night, and comes first."""
    field = Field(seed)
    bad = getattr(field, kind)()
    samples = [bad, *(field.frame() for _ in range(4))]
    assert rank_samples(samples)[-1] is bad


@pytest.mark.parametrize("kind", ["cloudy", "displaced"])
def test_two_of_five_may_mislead(kind):
    field = Field(7)
    bad = [getattr(field, kind)() for _ in range(2)]
    ranked = rank_samples([*bad, *(field.frame() for _ in range(3))])
    assert not set(map(id, ranked[:3])) & set(map(id, bad))


def test_the_one_clear_frame_of_a_cloudy_night_is_taken():
    field = Field(5)
    clear = field.frame()
    assert rank_samples([*(field.cloudy() for _ in range(4)), clear])[0] is clear


def test_among_equals_the_middle_of_the_night_goes_first():
    samples = [Field(3).frame() for _ in range(5)]
    assert rank_samples(samples) == samples


def test_after_a_flip_the_frames_still_know_each_other():
    field = Field(4)
    turned = []
    for _ in range(2):
        good = field.frame().stars
        turned.append(_sample(SIDE - good.x, SIDE - good.y, good.flux))
    bad = field.displaced()
    samples = [bad, *turned, field.frame(), field.frame()]
    assert rank_samples(samples)[-1] is bad


def test_few_stars_are_counted():
    """Two stars are no pattern: more of them serve better."""
    rng = np.random.default_rng(0)
    few, more = (_sample(*rng.uniform(100, 500, (2, n)), np.full(n, 1e4)) for n in (2, 4))
    assert rank_samples([few, more])[0] is more


def test_a_frame_that_is_placed_comes_first():
    field = Field(2)
    placed = field.frame(header={"CTYPE1": "RA---TAN"})
    samples = [field.frame(), replace(placed), field.frame()]
    assert rank_samples(samples)[0].frame is placed.frame


def named(sample: Sample, name: str) -> Sample:
    sample.frame.path = Path(name)
    return sample


def test_what_was_begun_with_stays_unless_another_is_far_better() -> None:
    """A frame of clouds or out of focus gives way, a slightly worse or drifted one does not."""
    field = Field(5)
    later = [named(field.frame(), f"{k}.fits") for k in range(5)]
    assert why_poor(named(field.frame(), "first.fits"), later) == ""
    assert why_poor(named(field.frame(fwhm=4.0), "first.fits"), later) == ""
    assert why_poor(named(field.frame((0.3 * SIDE, 0.0)), "first.fits"), later) == ""
    assert why_poor(named(field.frame(fwhm=5.0), "first.fits"), later)
    assert why_poor(named(field.cloudy(), "first.fits"), later)
    assert why_poor(named(field.elsewhere(), "first.fits"), later)
    # Where the whole night is as bad nothing is gained.
    clouds = [named(field.cloudy(), f"{k}.fits") for k in range(5)]
    assert why_poor(named(field.cloudy(), "first.fits"), clouds) == ""
