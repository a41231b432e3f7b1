"""The clipped sky of many stars at once is that of a loop over one star at a time."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.sky import AMONG_STARS, MAX_PASSES, clipped_sky, least_sigma


def clipped_plainly(values: np.ndarray, least: float) -> tuple[float, float, int]:
    """Clip one star's pixels, each pass anew from all of them."""
    known = np.sort(values[np.isfinite(values)])
    if not known.size:
        return np.nan, np.nan, 0
    low, middle = (known[int((len(known) - 1) * q)] for q in (0.16, 0.5))
    offset = known - middle
    mean, spread, kept = 0.0, max(float(middle - low), 2 * least), offset[:0]
    for _ in range(MAX_PASSES):
        limits = (np.float32(mean + side * AMONG_STARS.sigma * spread) for side in (-1, 1))
        before, kept = kept, offset[(offset >= next(limits)) & (offset <= next(limits))]
        if np.array_equal(kept, before):
            break
        mean = kept.mean(dtype=float) if kept.size else 0.0
        square = (kept.astype(float) ** 2).mean() if kept.size else 0.0
        spread = max(float(np.sqrt(max(square - mean**2, 0.0))), least)
    return middle + mean, max(spread / AMONG_STARS.keeps, least), len(kept)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("n", [1, 200])
def test_the_sky_of_all_stars_is_that_of_each(n: int, whole: bool) -> None:
    rng = np.random.default_rng([n, whole])
    values = rng.normal(rng.uniform(50, 4000, (n, 1)), rng.uniform(0.5, 40, (n, 1)), (n, 460))
    stars = rng.random((n, 460)) < rng.uniform(0, 0.4, (n, 1))  # some have neighbours, some none
    values += np.where(stars, rng.exponential(300, (n, 460)), 0)
    values = (np.rint(values) if whole else values).astype(np.float32)
    for k in range(0, n, 5):
        values[k, rng.integers(0, 460, 1 + k // 5)] = rng.choice([np.nan, 1e30, -3e38, np.inf])
    values[7::50] = np.nan
    values[9::50] = 12.0
    found = clipped_sky(values)
    level = np.nan_to_num(found[0])
    least = np.broadcast_to(least_sigma(np.sort(values, axis=1), level), n)
    plain = np.array([clipped_plainly(*one) for one in zip(values, least, strict=True)]).T
    for ours, theirs in zip(found, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7)
