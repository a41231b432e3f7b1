"""The profile that stars of a frame have in common, as a smooth function of radius and direction.

It gives the light of a whole pixel for any place of the star in it, so nothing is resampled: cubic
splines of the radius, even about the middle, times waves in the direction. One star with enough
light has a profile of its own; more make it surer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# Distance of knots: at the middle what a star of FWHM 2 px needs, and a quarter of the radius far
# out, where light changes slowly.
KNOT_PX, GROWTH = 0.7, 0.25
WAVES = 4  # coma, elongation, three spikes and four
EVERY = 2 * WAVES + 1  # terms of a knot
SPAN = 4  # knots whose splines reach a place
LOOSE = 0.5  # of waves over the mean at that radius, before anything is seen of them
FLOOR = 1e-4  # of the mean's peak, likewise
PASSES = 2
FINE = 200  # of a knot's distance, for look-up
OUTLIER = 5.0  # errors: neighbours, cosmic rays
ROUGH = 0.02  # by which stars of one frame differ, until it is seen: no bright one settles all


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Light of a pixel over the light of the star."""

    coefficients: np.ndarray  # (p,)
    normal: np.ndarray  # (p, p), the inverse of their covariance
    misfit: float  # rms of what stars differ by from it, over their light there
    table: np.ndarray  # (WAVES + 1, n) complex, by fine steps of the radius
    soft_px2: float

    def terms(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Give what the coefficients are multiplied by, (..., p), at offsets from the centre."""
        radial = _radial(_knot(np.hypot(u, v)), self.coefficients.size // EVERY)
        found = _terms(radial, _waves(u, v, self.soft_px2))
        return np.moveaxis(found, 0, -1)

    def variance(self, terms: np.ndarray) -> np.ndarray:
        """Give the variance (...) of sums of the coefficients; terms: (..., p)."""
        rows = terms.reshape(-1, terms.shape[-1])
        found = (np.linalg.solve(self.normal, rows.T) * rows.T).sum(axis=0)
        return found.reshape(terms.shape[:-1])

    def at(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Give the profile (...) at offsets from the centre, pixels."""
        squared = u**2 + v**2
        t = np.minimum(_knot(np.sqrt(squared)) * FINE, self.table.shape[1] - 1.5)
        k = t.astype(int)
        waves = self.table.take(k, axis=1)
        waves += (t - k) * (self.table.take(k + 1, axis=1) - waves)
        turn = (u - 1j * v) / np.sqrt(squared + self.soft_px2)
        found = waves[-1]
        for wave in waves[-2::-1]:  # Horner's scheme
            found = found * turn + wave
        return found.real

    def slopes(self, u: np.ndarray, v: np.ndarray, step: float = 0.05) -> np.ndarray:
        """Give the change (2, ...) for a star that moves by a pixel along x and along y."""
        x = self.at(np.stack([u - step, u + step, u, u]), np.stack([v, v, v - step, v + step]))
        return (x[::2] - x[1::2]) / (2 * step)


def _waves(u: np.ndarray, v: np.ndarray, soft_px2: float) -> np.ndarray:
    """Waves in the direction, (EVERY, ...)."""
    turn = (u + 1j * v) / np.sqrt(u**2 + v**2 + soft_px2)
    waves, wave = np.ones((EVERY, *turn.shape)), np.ones_like(turn)
    for k in range(1, EVERY, 2):
        wave = wave * turn
        waves[k], waves[k + 1] = wave.real, wave.imag
    return waves


def _radial(t: np.ndarray, n: int, first: np.ndarray | int = 0) -> np.ndarray:
    """Splines (n, ...) about the first knots, and those that follow, at t knots (...)."""
    radial = _spline(np.stack([t - first - k for k in range(n)]))
    radial[1] += _spline(t + 1)  # mirrored at the middle; the others end there
    return radial


def _terms(radial: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Multiply splines (k, ...) by waves, (k * EVERY, ...)."""
    return (radial[:, None] * waves).reshape(-1, *waves.shape[1:])


def _first_knot(t: np.ndarray, n_knots: int) -> np.ndarray:
    """Find the first of the `SPAN` knots whose splines reach t knots from the middle."""
    return np.clip(t.astype(int) - 1, 0, n_knots - SPAN)


def _knot(radius: np.ndarray | float) -> np.ndarray:
    """Count knots from the middle to a radius, pixels."""
    return np.arcsinh(GROWTH * np.asarray(radius) / KNOT_PX) / GROWTH


def _spline(t: np.ndarray) -> np.ndarray:
    """Cubic B-spline."""
    x = np.abs(t)
    outer, inner = np.maximum(2 - x, 0), np.maximum(1 - x, 0)
    return (outer * outer * outer - 4 * inner * inner * inner) / 6


def fit_profile(
    light: np.ndarray, variance: np.ndarray, u: np.ndarray, v: np.ndarray, flux: np.ndarray
) -> Profile:
    """Fit pixels (n,) of stars: light above the sky, its variance, offsets, flux of the star."""
    t = _knot(np.hypot(u, v))
    n_knots = max(int(np.ceil(t.max())) + 2, SPAN)
    order = np.argsort(_first_knot(t, n_knots).astype(np.int16), kind="stable")  # by counting
    t, light, variance, u, v, flux = (one[order] for one in (t, light, variance, u, v, flux))
    first = _first_knot(t, n_knots)
    ends = np.searchsorted(first, np.arange(n_knots - SPAN + 2)).tolist()
    radial = flux * _radial(t, SPAN, first)
    of_mean = _Local(radial, ends, 1)
    mean = np.linalg.solve(*of_mean.equations(light, variance, np.zeros(n_knots)))
    model, open_to, misfit = of_mean.model(mean), LOOSE, ROUGH
    # Of a Gaussian's light so much is in its middle pixel; within its sigma it is nearly round.
    soft = 1 / (2 * np.pi * np.abs(mean).max())
    loose = LOOSE * np.abs(mean) + FLOOR * np.abs(mean).max()
    tight = np.repeat(1 / loose**2, EVERY)
    tight[::EVERY] = 0
    local = _Local(_terms(radial, _waves(u, v, soft)), ends)
    for _ in range(PASSES):
        spread = variance + (misfit * model) ** 2
        use = (light - model) ** 2 < OUTLIER**2 * (spread + (open_to * model) ** 2)
        normal, right = local.equations(light, np.where(use, spread, np.inf), tight)
        found = np.linalg.solve(normal, right)
        model, open_to = local.model(found), ROUGH
        beyond = ((light - model) ** 2 - variance)[use].sum()
        misfit = float(np.sqrt(max(beyond, 0.0) / max(np.sum(model[use] ** 2), 1e-30)))
    table = _table(found.reshape(n_knots, EVERY))
    return Profile(found, normal, misfit, table, soft)


@dataclass(frozen=True, slots=True, eq=False)
class _Local:
    """Equations of pixels, in the order of the first of the few knots that each is near."""

    design: np.ndarray  # (SPAN * each, n), of those knots alone
    ends: list[int]  # pixels of the first knot k are from ends[k] to ends[k + 1]
    each: int = EVERY  # terms of a knot

    def _parts(self) -> Iterator[tuple[slice, slice]]:
        """Give the pixels of each first knot, and which of all terms they have."""
        for k, (start, stop) in enumerate(pairwise(self.ends)):
            yield slice(start, stop), slice(k * self.each, (k + SPAN) * self.each)

    def model(self, coefficients: np.ndarray) -> np.ndarray:
        """Give the light (n,) that coefficients (p,) say."""
        return np.concatenate(
            [coefficients[terms] @ self.design[:, some] for some, terms in self._parts()]
        )

    def equations(
        self, light: np.ndarray, variance: np.ndarray, tight: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give the normal matrix (p, p) and right side (p,); tight: (p,) weight of being 0."""
        weight = 1 / np.sqrt(variance)
        weighed, light = self.design * weight, light * weight
        normal, right = np.zeros((len(tight), len(tight))), np.zeros(len(tight))
        for some, terms in self._parts():
            part = weighed[:, some]
            normal[terms, terms] += part @ part.T  # of one array with itself: half the work
            right[terms] += part @ light[some]
        normal += np.diag(tight + 1e-9 * normal.diagonal().max())
        return normal, right


def _table(coefficients: np.ndarray) -> np.ndarray:
    """Waves (WAVES + 1, n) at fine steps of the radius; coefficients: (n_knots, EVERY)."""
    waves = np.column_stack(
        [coefficients[:, 0], coefficients[:, 1::2] + 1j * coefficients[:, 2::2]]
    )
    # From a knot to the next those of the knot before to two beyond; before the middle as behind.
    ends = np.zeros((2, WAVES + 1))
    knots = np.lib.stride_tricks.sliding_window_view(np.vstack([waves[1:2], waves, ends]), SPAN, 0)
    steps = _spline(np.arange(-1, SPAN - 1)[:, None] - np.arange(FINE) / FINE)
    return (knots @ steps).swapaxes(0, 1).reshape(WAVES + 1, -1)
