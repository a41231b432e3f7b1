"""Light of a brighter source is told from sources beside it."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.beside import light_of_brighter

FWHM = 3.0
V, U = np.mgrid[:201, :201]


def bump(x: float, y: float, height: float) -> np.ndarray:
    return height * np.exp(-4 * np.log(2) * ((U - x) ** 2 + (V - y) ** 2) / (2 * FWHM**2))


def judge(image: np.ndarray, x: float, y: float, height: float) -> bool:
    place = np.array([x]), np.array([y])
    star = np.array([100.0]), np.array([100.0]), np.array([40000.0])
    return bool(light_of_brighter(image, place, np.array([height]), star, FWHM)[0])


def test_what_has_its_like_on_the_other_side_is_none() -> None:
    sky = np.random.default_rng(1).normal(0, 1, U.shape)
    star = bump(100, 100, 40000) + sky
    alone = star + bump(112, 105, 60)
    assert not judge(alone, 112, 105, 60)
    assert judge(alone + bump(88, 95, 40), 112, 105, 60)
    # A neighbour elsewhere speaks against nothing.
    assert not judge(alone + bump(95, 112, 60), 112, 105, 60)


def test_what_is_as_bright_as_all_around_is_none_and_far_off_it_is_one() -> None:
    rough = np.random.default_rng(2).normal(0, 30, U.shape)
    image = bump(100, 100, 40000) + rough + bump(112, 105, 60)
    assert judge(image, 112, 105, 60)
    far = bump(100, 100, 40000) + bump(180, 100, 60) + bump(20, 100, 60)
    assert not judge(far, 180, 100, 60)
