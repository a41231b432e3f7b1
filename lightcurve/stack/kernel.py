"""The kernel that turns one image of a field into another: its seeing, its scale, its small shifts.

A value for each pixel of the kernel, smooth to the degree that stars left out of the fit ask for
(Alard & Lupton 1998, ApJ 503, 325; Bramich 2008, MNRAS 386, L77; Becker et al. 2012, MNRAS 425,
1341), and where they ask for it a plane or a parabola over the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.errors import InputError

MIN_STARS = 6
PER_TERM = 8  # stars for each term of the kernel's change over the field
FOLDS = 4
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of smoothness, against the weight of the stars
BETTER = 0.97  # of the misfit of stars left out: what a richer kernel must come down to
DEGREES = (1, 3, 6)  # terms: the same everywhere, a plane, a parabola
MOST_UNKNOWNS = 2000  # a second of linear algebra
SHARE = 0.9  # of the stars that judge; the others may have changed


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """``sum(planes[k] * (1, u, v, uu, uv, vv)[k])``, with u, v from -1 to 1 over the field.

    planes : (1, 3 or 6, m, m) float array.
    """

    planes: np.ndarray
    shape: tuple[int, int]
    misfit: float  # of stars that it was not fitted to: rms over their errors

    def at(self, x: float, y: float) -> np.ndarray:
        """Tell the kernel at a place: (m, m)."""
        return np.asarray(np.tensordot(_terms(x, y, self.shape, len(self.planes)), self.planes, 1))

    def turn(self, image: np.ndarray) -> np.ndarray:
        """Convolve an image (ny, nx) of finite values: float32."""
        return self._over(image, self.planes)

    def turn_variance(self, variance: np.ndarray) -> np.ndarray:
        """Convolve a variance with the kernel's square, that of the middle of the field."""
        from scipy.signal import fftconvolve

        ny, nx = self.shape
        square = self.at((nx - 1) / 2, (ny - 1) / 2) ** 2
        return np.maximum(fftconvolve(_padded(variance, square), square, "valid"), 0)

    def _over(self, image: np.ndarray, planes: np.ndarray) -> np.ndarray:
        from scipy.signal import fftconvolve

        ny, nx = image.shape
        v, u = np.ogrid[-1 : 1 : ny * 1j, -1 : 1 : nx * 1j]
        padded = _padded(image, planes[0])
        found = fftconvolve(padded, planes[0], "valid")
        for plane, term in zip(planes[1:], (u, v, u * u, u * v, v * v), strict=False):
            found += term * fftconvolve(padded, plane, "valid")
        return np.asarray(found, np.float32)


def _padded(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return np.pad(image, len(kernel) // 2, mode="edge")


def _terms(x: float, y: float, shape: tuple[int, int], n: int) -> np.ndarray:
    ny, nx = shape
    u, v = 2 * x / max(nx - 1, 1) - 1, 2 * y / max(ny - 1, 1) - 1
    return np.array([1.0, u, v, u * u, u * v, v * v][:n])


@dataclass(frozen=True, slots=True, eq=False)
class Star:
    """A star's part in the fit: normal equations of its stamp for a kernel that does not change.

    About the stamp's mean level, so that what is left of the sky has no say.
    """

    x: float
    y: float
    matrix: np.ndarray  # (m*m, m*m)
    vector: np.ndarray  # (m*m,)
    square: float  # of the stamp itself
    pixels: int
    terms: np.ndarray  # (6,), of its place: what a kernel that changes over the field goes by


def read_star(
    template: np.ndarray,
    image: np.ndarray,
    variance: np.ndarray,
    place: tuple[float, float],
    reach: int,
    half: int,
) -> Star | None:
    """Cut a star's stamp out; None where it is not whole.

    template, image, variance: (ny, nx), NaN where there is no value. reach: half the stamp, and
    half: half the kernel, pixels.
    """
    x, y = place
    i, j, wide = round(x), round(y), reach + half
    ny, nx = image.shape
    if not (wide <= i < nx - wide and wide <= j < ny - wide):
        return None
    around = template[j - wide : j + wide + 1, i - wide : i + wide + 1]
    cut = (slice(j - reach, j + reach + 1), slice(i - reach, i + reach + 1))
    light, weight = image[cut].ravel(), 1 / variance[cut].ravel()
    if not (np.isfinite(around).all() and np.isfinite(light).all() and np.isfinite(weight).all()):
        return None
    size = 2 * half + 1
    # Kernel pixel (a, b) takes the template a, b back: a row for each.
    windows = np.lib.stride_tricks.sliding_window_view(around, (2 * reach + 1,) * 2)
    basis = windows[::-1, ::-1].reshape(size * size, -1).astype(float)
    share = weight / weight.sum()
    light = light - share @ light
    basis -= (basis @ share)[:, None]
    weighted = basis * weight
    return Star(
        x, y, weighted @ basis.T, weighted @ light, float((weight * light**2).sum()), light.size,
        _terms(x, y, (ny, nx), DEGREES[-1]),
    )  # fmt: skip


def fit_kernel(
    stars: Sequence[Star], half: int, shape: tuple[int, int]
) -> tuple[Kernel, np.ndarray]:
    """Fit the kernel to stars, without those that are not alike in the two images.

    half: half the kernel, pixels; shape: (ny, nx). Returns it, and which stars it rests on: (n,)
    bool. Raises InputError when there are too few.
    """
    if len(stars) < MIN_STARS:
        msg = f"{len(stars)} whole stars are on both images, {MIN_STARS} are needed to match them"
        raise InputError(msg)
    rough = _rough(half)
    used, richest = np.ones(len(stars), bool), _degrees(len(stars), half)[-1]
    for _ in range(3):
        # By the richest: stars that only another PSF tells apart are to stay.
        misfit = _misfits(stars, _solve(_only(stars, used), rough, STRENGTHS[2], richest))
        middle = float(np.median(misfit[used]))
        kept = misfit <= middle + 5 * 1.48 * float(np.median(np.abs(misfit[used] - middle)))
        if kept.sum() < max(MIN_STARS, len(stars) // 2) or (kept == used).all():
            break
        used = kept
    good = _only(stars, used)
    tried = {(one, 1): _left_out(good, rough, one, 1) for one in STRENGTHS}
    best = min(tried, key=lambda choice: tried[choice])
    for n in _degrees(len(good), half)[1:]:
        richer = best[0], n
        tried[richer] = _left_out(good, rough, *richer)
        best = richer if tried[richer] < BETTER * tried[best] else best
    planes = _solve(good, rough, *best)
    return Kernel(planes.reshape(best[1], 2 * half + 1, -1), shape, tried[best]), used


def _degrees(stars: int, half: int) -> list[int]:
    """Tell of how many terms the change over the field may be: the first is none."""
    size = (2 * half + 1) ** 2
    return [n for n in DEGREES if n == 1 or (stars >= n * PER_TERM and n * size <= MOST_UNKNOWNS)]


def _only(stars: Sequence[Star], used: np.ndarray) -> list[Star]:
    return [star for star, one in zip(stars, used, strict=True) if one]


def _rough(half: int) -> np.ndarray:
    """Measure of roughness: squared second differences along both axes, (m*m, m*m)."""
    size = 2 * half + 1
    second = np.diff(np.eye(size), n=2, axis=0, prepend=0, append=0)[:size]
    one = np.eye(size)
    return np.kron(second.T @ second, one) + np.kron(one, second.T @ second)


def _solve(stars: Sequence[Star], rough: np.ndarray, strength: float, n: int) -> np.ndarray:
    """Solve the normal equations: (n, m*m)."""
    m = len(rough)
    blocks, sides = np.zeros((n, m, n, m)), np.zeros((n, m))
    for star in stars:
        terms = star.terms[:n]
        sides += np.outer(terms, star.vector)
        for a in range(n):
            for b in range(n):
                blocks[a, :, b] += terms[a] * terms[b] * star.matrix
    matrix, vector = blocks.reshape(n * m, n * m), sides.ravel()
    scale = strength * np.trace(matrix) / len(matrix)
    matrix += np.kron(np.eye(n), scale * rough) + 1e-9 * scale * np.eye(n * m)
    return np.asarray(np.linalg.solve(matrix, vector)).reshape(n, m)


def _misfits(stars: Sequence[Star], planes: np.ndarray) -> np.ndarray:
    """Chi-square over pixels of each star: (n,)."""
    found = []
    for star in stars:
        kernel = star.terms[: len(planes)] @ planes
        square = star.square - 2 * kernel @ star.vector + kernel @ star.matrix @ kernel
        found.append(max(float(square), 0.0) / star.pixels)
    return np.array(found)


def _left_out(stars: Sequence[Star], rough: np.ndarray, strength: float, n: int) -> float:
    """Misfit of stars that a fit had no part in: rms over the errors, without the worst tenth."""
    fold = np.arange(len(stars)) % FOLDS
    misfit = np.zeros(len(stars))
    for k in range(FOLDS):
        mine = fold == k
        planes = _solve(_only(stars, ~mine), rough, strength, n)
        misfit[mine] = _misfits(_only(stars, mine), planes)
    return float(np.sqrt(np.mean(np.sort(misfit)[: int(np.ceil(SHARE * len(misfit)))])))
