"""Which of many sources is the object: the one that moves as it does, and no star."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lightcurve.astrometry.track import Track
from lightcurve.image.sights import find_offset

FWHM = 3.0  # arcsec
RA, DEC = 150.0, 30.0
OFF = (-31.0, 24.0)


@dataclass
class Seen:
    """What the search takes of a frame."""

    mid_jd_utc: float
    near: np.ndarray
    fwhm_arcsec: float = FWHM


def looks(rate: float, *, found: float, stars: int, n: int = 10) -> tuple[list[Seen], Track]:
    """Frames 200 s apart; rate: arcsec a second; found: share in which a source is detected."""
    rng = np.random.default_rng(5)
    jd = 2461000.0 + np.arange(n) * 200 / 86400
    east = rate * (jd - jd[0]) * 86400
    track = Track(jd[[0, -1]], RA + east[[0, -1]] / 3600 / np.cos(np.radians(DEC)),
                  np.full(2, DEC), "x", "given")  # fmt: skip
    field = rng.uniform(-100, 100, (stars, 2))
    seen = []
    for t, moved in zip(jd, east, strict=True):
        every = np.vstack([field, [moved + OFF[0], OFF[1]], rng.uniform(-100, 100, (3, 2))])
        every = every[rng.uniform(size=len(every)) < found] + rng.normal(0, 0.2, 2)
        near = every / 3600 / [np.cos(np.radians(DEC)), 1] + [RA, DEC]
        seen.append(Seen(t, np.column_stack([near, np.full(len(near), 15.0)])))
    return seen, track


@pytest.mark.parametrize(("rate", "found"), [(0.008, 1.0), (0.02, 0.8), (0.2, 0.7)])
def test_it_is_found_among_stars_half_a_minute_off_its_path(rate, found):
    (east, north), number = find_offset(*looks(rate, found=found, stars=120))
    assert (east, north) == pytest.approx(OFF, abs=0.5)
    assert number >= 4


@pytest.mark.parametrize(("rate", "found"), [(0.008, 1.0), (0.02, 0.8), (0.002, 1.0)])
def test_a_star_is_never_taken_for_it(rate, found):
    seen, track = looks(rate, found=found, stars=120)
    for one in seen:  # the object is too faint
        off = (one.near[:, :2] - np.column_stack(track.at(one.mid_jd_utc))) * 3600
        off[:, 0] *= np.cos(np.radians(DEC))
        one.near = one.near[np.hypot(*(off - OFF).T) > 2 * FWHM]
    assert find_offset(seen, track)[1] == 0
