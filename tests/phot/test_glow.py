"""Light of galaxies along ellipses, on galaxies of known light with stars on them."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.glow import Ellipses, light_along

SHAPE = (160, 200)
RMS = 2.0
V, U = np.mgrid[: SHAPE[0], : SHAPE[1]]


def galaxy(x: float, y: float, index: float, angle_deg: float, flat: float) -> np.ndarray:
    """Sersic profile of half-light radius 12 px and 200 ADU there, without a PSF."""
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    u, v = U - x, V - y
    away = np.hypot(u * cos + v * sin, (v * cos - u * sin) / flat)
    return 200 * np.exp(-(2 * index - 1 / 3) * ((np.hypot(away, 1) / 12) ** (1 / index) - 1))


def one(x: float, y: float, major: float, angle_deg: float, flat: float) -> Ellipses:
    return Ellipses(*(np.array([v]) for v in (x, y, major, flat * major, angle_deg)))


@pytest.mark.parametrize("index", [1.0, 4.0])
def test_a_galaxy_is_taken_off_and_a_star_on_it_is_not(index: float) -> None:
    rng = np.random.default_rng(1)
    light = galaxy(90.3, 75.6, index, 30.0, 0.5)
    star = 3000 / (2 * np.pi * 1.6**2) * np.exp(-((U - 106) ** 2 + (V - 81) ** 2) / 2 / 1.6**2)
    seen = light + star + rng.normal(0, RMS, SHAPE)
    good = np.ones(SHAPE, dtype=bool)
    good[60:64] = False
    seen[60:64] = 1e5
    glow = light_along(seen, good, np.full(SHAPE, RMS), one(90.3, 75.6, 9.0, 30.0, 0.5))
    near = np.hypot(U - 106, V - 81) < 6
    # What the wide galaxy has where it is followed no farther, 2.6 ADU, stays under the star.
    assert (seen - glow)[near].sum() == pytest.approx(3000, rel=0.05 if index < 4 else 0.07)
    away = np.hypot(U - 90.3, V - 75.6)
    beside = (away > 8) & (away < 40) & ~near & good
    # A pixel of the frame has 20 to 600 ADU there.
    assert np.std((seen - glow)[beside]) < 1.5 * RMS
    far = 200 * np.exp(-(2 * index - 1 / 3) * (6 ** (1 / index) - 1))  # at 72 px
    assert np.mean((seen - glow)[beside]) == pytest.approx(far, abs=0.3 * RMS)


def test_nothing_is_added_where_there_is_nothing_and_no_step_is_left_at_the_end() -> None:
    rng = np.random.default_rng(2)
    blank = rng.normal(0, RMS, SHAPE)
    good = np.ones(SHAPE, dtype=bool)
    glow = light_along(blank, good, np.full(SHAPE, RMS), one(3.0, 150.0, 4.0, 0.0, 1.0))
    assert np.abs(glow).sum() < 50 * RMS
    wide = 300 * np.exp(-np.hypot(U - 100, V - 80) / 90)
    glow = light_along(wide, good, np.full(SHAPE, RMS), one(100.0, 80.0, 5.0, 0.0, 1.0))
    edge = np.abs(np.hypot(U - 100, V - 80) - 40) < 3
    assert np.ptp(glow[edge]) < 20
