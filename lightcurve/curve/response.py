"""What the places of the chip do to stars that drift over it, as the comparison stars show it.

Without flats, or with wrong ones, a star that moves on the chip grows or fades as the place that it
is on answers. The answer is one smooth surface for all stars: the curves of some tell it, and it
tells what another does that had no part in it. Whether it does is tried on each star with the
surface of the others; where that foretells them no better than none, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import Measurements
from lightcurve.curve.aperture import Slice

DEGREE = 6  # lenses darken by even powers of the distance, and off the middle by odd ones
# Of each coefficient, one sigma, in logarithms: from what flats leave to what vignetting takes.
SIZES = (0.003, 0.01, 0.03, 0.1, 0.3)
MIN_STARS = 8  # some directions to drift in, and enough to see that all obey
LUCK_SIGMA = 3.0  # by which stars must be foretold better
MAX_FRAMES = 1000  # of a longer series every second, third ...
ROUNDS = 5
TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Curves of stars against all together, and what each coefficient of a surface would add.

    weight, curve, share : (n_frame, n_star) float arrays: 1 / variance, logarithms, part in the
        mean. columns : (n_frame, n_star, k).
    """

    weight: np.ndarray
    curve: np.ndarray
    share: np.ndarray
    columns: np.ndarray

    def excess(self, surface: np.ndarray) -> np.ndarray:
        """Mean square of each star's curve over its errors (n_star,), a surface taken off.

        surface: (k,), or (n_star, k) where each star has its own.
        """
        # Its own part in the mean made its curve flatter; and the others' mean is noisy too.
        rest = 1 - self.share
        weight = self.weight * rest
        surfaces = np.broadcast_to(surface, self.columns.shape[1:])
        left = (self.curve - np.einsum("fsk,sk->fs", self.columns, surfaces)) / rest
        left = left - np.sum(weight * left, axis=0) / weight.sum(axis=0)
        return np.sum(weight * left**2, axis=0) / np.count_nonzero(weight, axis=0)

    def equations(self) -> tuple[np.ndarray, np.ndarray]:
        """Form what each star says of a surface: normal (n_star, k, k) and right (n_star, k)."""
        weighed = self.columns * self.weight[..., None]
        normal = np.einsum("fsj,fsk->sjk", weighed, self.columns, optimize=True)
        return normal, np.einsum("fsj,fs->sj", weighed, self.curve)

    def fits(self, sizes: Sequence[float]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Fit a surface (k,) of each size; and what is left of each star (n_star,) by the others'.

        A star that does what no surface says counts as less than the others.
        """
        of_star, right_of = self.equations()
        found = []
        for size in sizes:
            prior, counts = np.eye(of_star.shape[1]) / size**2, np.ones(len(of_star))
            for _ in range(ROUNDS):
                normal, right = np.tensordot(counts, of_star, 1) + prior, counts @ right_of
                surface = np.linalg.solve(normal, right)
                left = self.excess(surface)
                counts = 1 / np.maximum(left / np.median(left), 1)
            without = normal - counts[:, None, None] * of_star, right - counts[:, None] * right_of
            of_others = np.linalg.solve(without[0], without[1][..., None])[..., 0]
            found.append((surface, self.excess(of_others)))
        return found


def measure_response(
    measurements: Measurements, piece: Slice, rows: np.ndarray
) -> np.ndarray | None:
    """Measure what places do to the light of all stars, (n_frame, n_star), over the usual.

    rows: (n,) int array of the plan: stars that may tell it. 1 where a star was not found. None
    where they do not tell it.
    """
    places = _powers(measurements.x, measurements.y)
    told = _compare(piece, rows, places) if len(rows) >= MIN_STARS else None
    if told is None:
        return None
    before = told.excess(np.zeros(places.shape[2]))
    surface, after = min(told.fits(SIZES), key=lambda f: np.log(f[1]).mean())
    gain = np.log(before / after)
    if not gain.mean() > LUCK_SIGMA * gain.std(ddof=1) / np.sqrt(len(gain)):
        return None
    return np.exp(np.nan_to_num(places @ surface))


def _powers(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Powers of places (n_frame, n_star), of 1 and less about the middle: (n_frame, n_star, k)."""
    half = max(np.nanmax(v) - np.nanmin(v) for v in (x, y)) / 2
    u, v = ((a - (np.nanmax(a) + np.nanmin(a)) / 2) / max(half, TINY) for a in (x, y))
    of_u, of_v = (np.cumprod(np.stack([np.ones_like(a), *[a] * DEGREE]), axis=0) for a in (u, v))
    return np.stack([of_u[i] * of_v[d - i] for d in range(1, DEGREE + 1) for i in range(d + 1)], -1)


def _compare(piece: Slice, rows: np.ndarray, places: np.ndarray) -> Told | None:
    """Hold stars against each other in frames where there are several; None with too few stars."""
    frames = slice(None, None, 1 + len(places) // MAX_FRAMES)
    columns = places[frames][:, rows]
    good = piece.good[frames][:, rows] & np.isfinite(columns).all(axis=2)
    good &= good.sum(axis=1, keepdims=True) >= MIN_STARS
    often = good.sum(axis=0) >= MIN_STARS
    good, columns, rows = good[:, often], columns[:, often], rows[often]
    good &= good.sum(axis=1, keepdims=True) > 1
    if len(rows) < MIN_STARS:
        return None
    flux = np.where(good, piece.flux[frames][:, rows], 1.0)
    error = np.where(good, piece.flux_err[frames][:, rows], np.inf)
    weight = (flux / error) ** 2
    both = np.concatenate([columns, np.log(flux)[..., None]], axis=2)
    both = _about_means(np.where(good[..., None], both, 0.0), weight)
    share = weight / np.maximum(weight.sum(axis=1, keepdims=True), TINY)
    return Told(weight, both[..., -1], share, both[..., :-1])


def _about_means(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Take the means of stars and of frames off values (n_frame, n_star, k)."""
    of_star, of_frame = (np.maximum(weight.sum(axis=axis), TINY) for axis in (0, 1))
    for _ in range(ROUNDS):
        values = values - np.einsum("fsk,fs->sk", values, weight) / of_star[:, None]
        mean = np.einsum("fsk,fs->fk", values, weight) / of_frame[:, None]
        values = values - mean[:, None, :]
    return np.where(weight[..., None] > 0, values, 0.0)
