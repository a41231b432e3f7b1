"""The profile that stars of a frame have in common, as a smooth function of radius and direction.

It gives the light of a whole pixel for any place of the star in it, so nothing is resampled: cubic
splines of the radius, even about the middle, times waves in the direction. One star with enough
light has a profile of its own; more make it surer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Distance of knots: at the middle what a star of FWHM 2 px needs, and a quarter of the radius far
# out, where light changes slowly.
KNOT_PX, GROWTH = 0.7, 0.25
WAVES = 4  # coma, elongation, three spikes and four
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
    covariance: np.ndarray  # (p, p)
    misfit: float  # rms of what stars differ by from it, over their light there
    table: np.ndarray  # (WAVES + 1, n) complex, by fine steps of the radius
    soft_px2: float

    def terms(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Give what the coefficients are multiplied by, (..., p), at offsets from the centre."""
        return _terms(u, v, self.coefficients.size // (2 * WAVES + 1), self.soft_px2)

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
        along_x = self.at(u - step, v) - self.at(u + step, v)
        along_y = self.at(u, v - step) - self.at(u, v + step)
        return np.stack([along_x, along_y]) / (2 * step)


def _terms(u: np.ndarray, v: np.ndarray, n_knots: int, soft_px2: float) -> np.ndarray:
    """Splines of the radius times waves in the direction, (..., n_knots * (2 WAVES + 1))."""
    squared = u**2 + v**2
    turn = (u + 1j * v) / np.sqrt(squared + soft_px2)
    waves = [np.ones_like(squared)]
    for k in range(1, WAVES + 1):
        wave = turn**k
        waves += [wave.real, wave.imag]
    found = _radial(squared, n_knots)[..., :, None] * np.stack(waves, axis=-1)[..., None, :]
    return found.reshape(*squared.shape, -1)


def _radial(squared: np.ndarray, n_knots: int) -> np.ndarray:
    """Splines (..., n_knots) at squared radii."""
    t = _knot(np.sqrt(squared))[..., None]
    radial = _spline(t - np.arange(n_knots))
    radial[..., 1] += _spline(t + 1)[..., 0]  # mirrored at the middle; the others end there
    return radial


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
    n_knots = int(np.ceil(_knot(np.hypot(u, v).max()))) + 2
    every, squared = 2 * WAVES + 1, u**2 + v**2
    design = flux[:, None] * _radial(squared, n_knots)
    mean, _ = _solve(design, light, variance, np.zeros(n_knots))
    model, open_to, misfit = design @ mean, LOOSE, ROUGH
    # Of a Gaussian's light so much is in its middle pixel; within its sigma it is nearly round.
    soft = 1 / (2 * np.pi * np.abs(mean).max())
    loose = LOOSE * np.abs(mean) + FLOOR * np.abs(mean).max()
    tight = np.repeat(1 / loose**2, every)
    tight[::every] = 0
    design = flux[:, None] * _terms(u, v, n_knots, soft)
    for _ in range(PASSES):
        spread = variance + (misfit * model) ** 2
        use = (light - model) ** 2 < OUTLIER**2 * (spread + (open_to * model) ** 2)
        found, covariance = _solve(design[use], light[use], spread[use], tight)
        model, open_to = design @ found, ROUGH
        beyond = ((light - model) ** 2 - variance)[use].sum()
        misfit = float(np.sqrt(max(beyond, 0.0) / max(np.sum(model[use] ** 2), 1e-30)))
    return Profile(found, covariance, misfit, _table(found.reshape(n_knots, every)), soft)


def _table(coefficients: np.ndarray) -> np.ndarray:
    """Waves (WAVES + 1, n) at fine steps of the radius; coefficients: (n_knots, 2 WAVES + 1)."""
    n_knots = len(coefficients)
    t = np.arange(n_knots * FINE) / FINE
    radial = _spline(t[:, None] - np.arange(n_knots))
    radial[:, 1] += _spline(t + 1)
    waves = np.column_stack(
        [coefficients[:, 0], coefficients[:, 1::2] + 1j * coefficients[:, 2::2]]
    )
    return (radial @ waves).T


def _solve(
    design: np.ndarray, light: np.ndarray, variance: np.ndarray, tight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    error = np.sqrt(variance)
    weighed = design / error[:, None]
    normal = weighed.T @ weighed  # of one array with itself: half the work
    normal += np.diag(tight + 1e-9 * normal.diagonal().max())
    covariance = np.linalg.inv(normal)
    return covariance @ (weighed.T @ (light / error)), covariance
