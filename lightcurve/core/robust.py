"""The scatter of values by an estimator that a few wild ones do not move."""

from __future__ import annotations

import numpy as np

__all__ = [
    "MAD_TO_SIGMA",
    "RUN",
    "image_median",
    "known_median",
    "median_error",
    "medians",
    "robust_scatter",
    "without_runs",
]

SAMPLE = 1_000_000  # pixels: their median is that of all to a thousandth of their scatter
RUN = 3  # points in a row that are no accident
MAD_TO_SIGMA = 1.482602218505602  # of a normal distribution: 1 over its upper quartile


def robust_scatter(values: np.ndarray, *, about: float | None = None) -> float:
    """Work out the standard deviation, 1.4826 MAD, by the median absolute deviation.

    values: float array of any shape; what is not finite is left out.
    about: deviations are taken from it instead of from the median.
    Returns NaN when nothing is left.
    """
    good = values[np.isfinite(values)]
    if not good.size:
        return float("nan")
    centre = medians(good) if about is None else about
    return float(MAD_TO_SIGMA * medians(np.abs(good - centre)))


def medians(values: np.ndarray) -> np.ndarray:
    """Work out medians along the last axis: those of `numpy.median`, in a fifth of its time.

    values: (m, n) float array, or of any other shape, n > 0; all must be finite.
    Returns (m,) float array of the same kind.
    """
    half = values.shape[-1] // 2
    ordered = np.partition(values, half, axis=-1)
    if values.shape[-1] % 2:
        return ordered[..., half]
    return (ordered[..., :half].max(axis=-1) + ordered[..., half]) / 2


def known_median(values: np.ndarray) -> float:
    """Work out the median of what is finite in `values`, of any shape; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(medians(known)) if known.size else float("nan")


def image_median(image: np.ndarray) -> float:
    """Work out the median of what is finite of an image, by a million of its pixels or all.

    image: (ny, nx) array. Its pixels are taken at odd steps: of all colours of a mosaic. NaN
    without any.
    """
    return known_median(image.ravel()[:: image.size // SAMPLE | 1])


def median_error(values: np.ndarray) -> float:
    """Work out the error of the median of finite values (n,): sqrt(pi / 2) sigma / sqrt(n)."""
    return float(1.2533 * robust_scatter(values) / np.sqrt(values.size))


def without_runs(far: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Keep those of the points that are far off which are alone, or two, on their side.

    Three in a row are what the sky or the star did: noise or accidents seldom strike thrice.

    Parameters
    ----------
    far, above : (n,) bool arrays
        In order of time: points far from a model, and those above it.

    Returns
    -------
    (n,) bool array
        Without three or more neighbours on the same side.
    """
    side = np.where(far, np.where(above, 1, -1), 0)
    starts = np.flatnonzero(np.diff(side, prepend=2))
    lengths = np.diff(starts, append=len(side))
    return far & (np.repeat(lengths, lengths) < RUN)
