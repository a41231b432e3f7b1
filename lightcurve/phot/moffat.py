"""Moffat profiles fitted to many stars at once: each its width and ellipticity, one exponent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.cutouts import gather
from lightcurve.phot.surface import MAX_ORDER, Surface, fit_surface

__all__ = ["core_of"]

FALL_RANGE = (0.005, 0.67)  # of 1 / beta; at the first it is a Gaussian
START_BETA = 3.0
BOX_FWHM = 2.5  # radius of the pixels that are fitted
PROFILE_ERROR = 0.03  # a star's own light, too, is known no better than the profile can be true
SOFT_SIGMA = 2.0  # beyond it a pixel counts for less
MAX_ITERATIONS = 15
SETTLED = 1e-3  # relative change of the width, of most stars
DAMPING = 1e-3
MAX_CHANGE = 0.3  # of a width, and of 1 / beta, in one step
FINE_FWHM = 2.5  # narrower stars want three nodes of the integral over a pixel, wider ones two
TOO_FAR = 1.0  # FWHM: a fit that ends there is one of something else
SIZE_ERROR = 0.01  # of ln FWHM, at least: a bright star is no surer of what its place is like
MIN_SHAPES = 3
POOR = 3.0  # times the median chi-square: what fits so badly does not settle the exponent


@dataclass(frozen=True, slots=True, eq=False)
class MoffatStars:
    """What was fitted; arrays (n,), NaN where a fit ran away.

    Attributes
    ----------
    x, y : (n,) float arrays
        Pixels.
    fwhm : (n,) float array
        Geometric mean of the two axes, pixels, before pixels spread it.
    e1, e2 : (n,) float arrays
        (a^2 - b^2) / (a^2 + b^2) of the axes, times cosine and sine of twice the long one's angle.
    size_err : (n,) float array
        Of ln FWHM; of e1 and e2 it is about twice that.
    chi2 : (n,) float array
        Per pixel.
    beta : float
        Of all.
    """

    x: np.ndarray
    y: np.ndarray
    fwhm: np.ndarray
    e1: np.ndarray
    e2: np.ndarray
    size_err: np.ndarray
    chi2: np.ndarray
    beta: float


def core_of(beta: float) -> float:
    """Core radius of a Moffat profile over its FWHM."""
    return float(1 / (2 * np.sqrt(2 ** (1 / beta) - 1)))


def fit_moffats(
    light: np.ndarray,
    variance: np.ndarray,
    good: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    fwhm: float,
    max_beta: float = 1 / FALL_RANGE[0],
) -> MoffatStars:
    """Fit ``C (1 + q / beta)^-beta``, q quadratic in the offset, over pixels (Moffat 1969).

    By damped Gauss-Newton steps of all stars together; pixels that are far off count for less.

    Parameters
    ----------
    light : (ny, nx) float array
        Above the sky.
    variance : (ny, nx) float array
        Of a pixel, with the photon noise of the stars.
    good : (ny, nx) bool array
    x, y : (n,) float arrays
        Pixels.
    fwhm : float
        To start from, pixels.
    max_beta : float
        Of the exponent; a Gaussian's is infinite.

    Returns
    -------
    MoffatStars
    """
    boxes = _cut(light, variance, good, x, y, fwhm)
    least = 1 / max_beta
    curved = START_BETA / (core_of(START_BETA) * fwhm) ** 2
    n = len(x)
    start = np.zeros((n, 6))  # height, place, and the quadratic form's xx, xy, yy
    start[:, 0] = np.maximum(np.max(boxes.light, axis=1, initial=0.0), 1e-9)
    start[:, 1], start[:, 2] = x, y
    start[:, 3] = start[:, 5] = curved
    p, fall = start, 1 / START_BETA
    chi2, normal = np.ones(n), np.tile(np.eye(6), (n, 1, 1))
    for _ in range(MAX_ITERATIONS if n else 0):
        step, fall_step, chi2, normal = _step(boxes, p, fall, least)
        p = _moved(p, step)
        fall += fall_step
        change = np.abs(step[:, 3] + step[:, 5]) / (p[:, 3] + p[:, 5])
        if np.quantile(change, 0.8) < SETTLED and abs(fall_step) < SETTLED:
            break
    return _told(p, 1 / fall, chi2, normal, (x, y))


@dataclass(frozen=True, slots=True, eq=False)
class _Boxes:
    """Pixels (n, p) about stars; column, row: where they are; sigma: infinite for no use."""

    light: np.ndarray
    sigma: np.ndarray
    column: np.ndarray
    row: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray


def _cut(
    light: np.ndarray, variance: np.ndarray, good: np.ndarray, x: np.ndarray, y: np.ndarray,
    fwhm: float,
) -> _Boxes:  # fmt: skip
    half = int(np.ceil(BOX_FWHM * fwhm))
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
    circle = np.hypot(dx, dy) <= BOX_FWHM * fwhm
    boxes, noise, whole = (
        np.nan_to_num(gather(image, column, row, half)[:, circle])
        for image in (light, variance, good * 1.0)
    )
    use = (whole == 1) & (noise > 0)
    sigma = np.sqrt(np.where(use, noise + (PROFILE_ERROR * boxes) ** 2, np.inf))
    nodes, weights = np.polynomial.legendre.leggauss(3 if fwhm < FINE_FWHM else 2)
    return _Boxes(
        boxes, sigma, column[:, None] + dx[circle], row[:, None] + dy[circle], nodes / 2,
        weights / 2,
    )  # fmt: skip


def _step(
    boxes: _Boxes, p: np.ndarray, fall: float, least: float
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Find the steps (n, 6) and that of 1 / beta; chi-square per pixel, and the normal matrices."""
    model, slopes = _model(boxes, p, fall)
    off = (boxes.light - model) / boxes.sigma
    root = (1 + (off / SOFT_SIGMA) ** 2) ** -0.25  # square root of the weight of a soft norm
    slopes *= (root / boxes.sigma)[:, None]
    right = np.matmul(slopes, (off * root)[:, :, None])[:, :, 0]
    full = np.matmul(slopes, slopes.transpose(0, 2, 1))
    count = np.isfinite(boxes.sigma).sum(axis=1)
    chi2 = (np.minimum(off, 1e6) ** 2).sum(axis=1) / np.maximum(count, 1)
    normal, mixed = full[:, :6, :6], full[:, :6, 6]
    diagonal = np.einsum("nii->ni", normal)
    damped = normal + (DAMPING * diagonal + 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300)[
        :, :, None
    ] * np.eye(6)
    both = np.linalg.solve(damped, np.stack([right[:, :6], mixed], axis=2))
    # The exponent is common: what is left of its equation when each star's own are eliminated.
    fair = chi2 <= POOR * np.median(chi2)
    bend = (full[:, 6, 6] - (mixed * both[:, :, 1]).sum(axis=1))[fair].sum()
    pull = (right[:, 6] - (mixed * both[:, :, 0]).sum(axis=1))[fair].sum()
    wanted = np.clip(pull / max(bend, 1e-12), -MAX_CHANGE, MAX_CHANGE)
    fall_step = float(np.clip(fall + wanted, least, FALL_RANGE[1])) - fall
    return both[:, :, 0] - fall_step * both[:, :, 1], fall_step, chi2, normal


def _model(boxes: _Boxes, p: np.ndarray, fall: float) -> tuple[np.ndarray, np.ndarray]:
    """Model (n, p) and its slopes (n, 7, p) by the six parameters of a star and 1 / beta."""
    height, x, y, xx, xy, yy = (column[:, None] for column in p.T)
    shape = boxes.light.shape
    slopes = np.zeros((len(p), 7, shape[1]))
    model, by_fall, along, down = np.zeros((4, *shape))
    for du, wu in zip(boxes.nodes, boxes.weights, strict=True):
        u = boxes.column - x + du
        # All slopes but the last are sums of one quantity times powers of u and of v.
        sums = np.zeros((3, *shape))
        for dv, wv in zip(boxes.nodes, boxes.weights, strict=True):
            v = boxes.row - y + dv
            squared = u * (xx * u + 2 * xy * v) + yy * v * v
            inner = 1 + fall * squared
            log = np.log(inner) / fall
            value = wu * wv * np.exp(-log)
            slope = value / inner
            model += value
            by_fall += value * log - slope * squared
            sums[0] += slope
            sums[1] += slope * v
            sums[2] += slope * v * v
        along += u * sums[0]
        down += sums[1]
        slopes[:, 3] += u * u * sums[0]
        slopes[:, 4] += 2 * u * sums[1]
        slopes[:, 5] += sums[2]
    slopes[:, 0] = model
    slopes[:, 1] = -2 * (xx * along + xy * down)
    slopes[:, 2] = -2 * (xy * along + yy * down)
    slopes[:, 1:6] *= -height[:, None]
    slopes[:, 6] = by_fall * (height / fall)
    return height * model, slopes


def _moved(p: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Take a step, shortened where the quadratic form or the place would change too much."""
    size = (p[:, 3] + p[:, 5]) / 2
    change = np.abs(step[:, 3:]).max(axis=1) / size
    shift = np.hypot(step[:, 1], step[:, 2]) * np.sqrt(size)
    short = 1 / np.maximum(np.maximum(change / MAX_CHANGE, shift / MAX_CHANGE), 1)
    moved = p + short[:, None] * step
    # What is no ellipse any more becomes a circle again.
    bad = moved[:, 3] * moved[:, 5] <= 1.05 * moved[:, 4] ** 2
    bad |= (moved[:, 3] <= 0) | (moved[:, 5] <= 0)
    moved[bad, 3] = moved[bad, 5] = size[bad]
    moved[bad, 4] = 0.0
    return moved


def _told(
    p: np.ndarray, beta: float, chi2: np.ndarray, normal: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
) -> MoffatStars:  # fmt: skip
    """Turn quadratic forms into widths and ellipticities."""
    height, x, y, xx, xy, yy = p.T
    with np.errstate(invalid="ignore", divide="ignore"):
        det = xx * yy - xy**2
        fwhm = det**-0.25 * beta**0.5 / core_of(beta)
        e1, e2 = (yy - xx) / (xx + yy), -2 * xy / (xx + yy)
        slope = np.stack([yy, -2 * xy, xx], axis=1) / (4 * det[:, None])
        diagonal = np.einsum("nii->ni", normal)
        covariance = np.linalg.inv(
            normal + (1e-9 * diagonal + 1e-300)[:, :, None] * np.eye(normal.shape[1])
        )
        size_err = np.sqrt(np.einsum("ni,nij,nj->n", slope, covariance[:, 3:, 3:], slope))
        lost = np.hypot(x - places[0], y - places[1]) > TOO_FAR * fwhm
    lost |= (height <= 0) | ~np.isfinite(fwhm * size_err) | (np.hypot(e1, e2) > 0.9)
    x, y, fwhm, e1, e2, size_err, chi2 = (
        np.where(lost, np.nan, column) for column in (x, y, fwhm, e1, e2, size_err, chi2)
    )
    return MoffatStars(x, y, fwhm, e1, e2, size_err, chi2, beta)


def shape_over_field(stars: MoffatStars, fwhm: float, max_order: int = MAX_ORDER) -> Surface:
    """Give ln FWHM, e1 and e2 over the field; round and of the FWHM given with fewer than 3."""
    known = np.isfinite(stars.fwhm)
    if known.sum() < MIN_SHAPES:
        start = np.array([[np.log(fwhm), 0.0, 0.0]])
        return fit_surface(np.zeros(1), np.zeros(1), start, np.ones(1), 0)
    values = np.column_stack([np.log(stars.fwhm), stars.e1, stars.e2])[known]
    weight = 1 / np.hypot(stars.size_err[known], SIZE_ERROR)
    return fit_surface(stars.x[known], stars.y[known], values, weight, max_order)
