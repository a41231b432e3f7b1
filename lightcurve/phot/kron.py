"""Sources wider than stars: ellipses of their second moments, and light within Kron's radius."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.glow import Ellipses

__all__ = ["ellipses_of", "kron_light"]

THIN = 1 / 12  # px^2, the variance of a pixel: no source is thinner (SExtractor)
KRON_TIMES, LEAST_KRON = 2.5, 1.4  # of Kron's radius; in units of the semi-major axis, at least
MOST_KRON = 6.0  # semi-major axes within which Kron's radius is measured


def ellipses_of(
    labels: np.ndarray, light: np.ndarray, good: np.ndarray
) -> tuple[np.ndarray, Ellipses]:
    """Find the ellipses that have the second moments of sources.

    labels: (ny, nx) int array, the number of the source that a pixel belongs to, or 0. light:
    (ny, nx) float array. good: (ny, nx) bool array.
    Returns the numbers (k,), ascending, of the sources that have light, and their ellipses.
    """
    y, x = np.nonzero((labels > 0) & good & (light > 0))
    numbers, source = np.unique(labels[y, x], return_inverse=True)
    weight = light[y, x].astype(float)
    total = np.bincount(source, weight)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(source, weight * values) / total

    middle_x, middle_y = mean(x), mean(y)
    u, v = x - middle_x[source], y - middle_y[source]
    xx, yy, xy = mean(u * u), mean(v * v), mean(u * v)
    while (thin := xx * yy - xy**2 < THIN**2).any():
        xx, yy = xx + THIN * thin, yy + THIN * thin
    size, bend = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    angle = np.degrees(np.arctan2(2 * xy, xx - yy)) / 2
    minor = np.sqrt(np.maximum(size - bend, 0))
    return numbers, Ellipses(middle_x, middle_y, np.sqrt(size + bend), minor, angle)


def kron_light(
    light: np.ndarray,
    variance: np.ndarray,
    labels: np.ndarray,
    numbers: np.ndarray,
    ellipses: Ellipses,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure the light within Kron's radius (1980, ApJS 43, 305) of sources.

    That is 2.5 times the first moment. What belongs to other sources is taken from the other side.

    light, variance: (ny, nx) float arrays, ADU and ADU^2, 0 where a pixel is not to be used.
    labels, numbers, ellipses: as `ellipses_of` takes and gives them.
    Returns flux and its error, ADU, and the semi-major axis of the aperture, pixels: (k,) each, NaN
    where the first moment is not within 6 semi-major axes.
    """
    found = np.full((3, len(numbers)), np.nan)
    for k, number in enumerate(numbers):
        found[:, k] = _kron_of((light, variance), labels, number, _Ellipse.of(ellipses, k))
    return found[0], found[1], found[2]


@dataclass(frozen=True, slots=True)
class _Ellipse:
    """One of them; angle: radians."""

    x: float
    y: float
    major: float
    minor: float
    angle: float

    @classmethod
    def of(cls, all_of_them: Ellipses, k: int) -> _Ellipse:
        one = (float(getattr(all_of_them, name)[k]) for name in all_of_them.__slots__)
        x, y, major, minor, angle_deg = one
        return cls(x, y, major, minor, float(np.radians(angle_deg)))

    def box(self, times: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of a frame in which it lies, so many times as large."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        half_x = times * np.hypot(self.major * cos, self.minor * sin)
        half_y = times * np.hypot(self.major * sin, self.minor * cos)
        sides = (self.y, half_y, shape[0]), (self.x, half_x, shape[1])
        rows, columns = (
            slice(max(round(c - half), 0), min(round(c + half), n - 1) + 1) for c, half, n in sides
        )
        return rows, columns


def _kron_of(
    images: tuple[np.ndarray, np.ndarray], labels: np.ndarray, number: int, ellipse: _Ellipse
) -> tuple[float, float, float]:
    """Flux, error and semi-major axis for one source; NaN where there is no Kron radius."""
    import sep

    def seen(times: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Light and variance of the source alone in a box, and where it is in that."""
        box = ellipse.box(times, labels.shape)
        x, y = ellipse.x - box[1].start, ellipse.y - box[0].start
        others = (labels[box] != number) & (labels[box] != 0) & (images[1][box] > 0)
        light, variance = (_mirrored(image[box], others, x, y) for image in images)
        return light, variance, x, y

    light, _, x, y = seen(MOST_KRON)
    shape = ellipse.major, ellipse.minor, ellipse.angle
    radius = float(sep.kron_radius(light, [x], [y], *shape, MOST_KRON)[0][0])
    if radius > MOST_KRON:
        return np.nan, np.nan, np.nan
    times = KRON_TIMES * max(radius, LEAST_KRON)
    light, variance, x, y = seen(times)
    flux, error, _ = sep.sum_ellipse(light, [x], [y], *shape, times, var=variance, subpix=0)
    return float(flux[0]), float(error[0]), times * ellipse.major


def _mirrored(image: np.ndarray, others: np.ndarray, x: float, y: float) -> np.ndarray:
    """Take from the other side of x, y what belongs to others; 0 where that is theirs, too."""
    row, column = np.nonzero(others)
    there = 2 * round(y) - row, 2 * round(x) - column
    inside = (there[0] >= 0) & (there[0] < image.shape[0])
    inside &= (there[1] >= 0) & (there[1] < image.shape[1])
    alone = image.copy()
    alone[row, column] = 0.0
    alone[row[inside], column[inside]] = alone[there[0][inside], there[1][inside]]
    return alone
