"""What a series of flats says of a camera: photon transfer, linearity, full well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.calib.gain import WHOLE, CameraNoise, blocks, measure_noise, variance_of
from lightcurve.core.errors import CalibrationError
from lightcurve.core.robust import median_error

SHORT = 0.9  # of the largest variance: brighter flats with less overflow
LOWER_HALF = 0.5  # of the full well: what is fitted, for near the top cameras bend
LINEAR = 0.01
CHANGES = 3.0  # sigma: of a gain that changes with the signal, as where a camera bends
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Point:
    """Two flats of one light."""

    exposure_s: float | None
    signal_adu: float  # above the bias
    variance_adu2: float  # of one flat, without its fixed pattern


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a series says; None where it does not reach so far.

    full_well_adu, full_well_reached : signal of the most noise, where brighter flats have less;
        else of the brightest flats.
    deviation : (n,) of each point's signal from proportion to the exposure, relative; NaN where not
        known.
    """

    noise: CameraNoise
    points: tuple[Point, ...]
    full_well_adu: float
    full_well_reached: bool
    deviation: np.ndarray
    linear_to_adu: float | None


def read_noise_adu(bias_pair: Pair) -> tuple[float, float]:
    """Read noise of two biases, ADU, by their difference, and its standard error."""
    first, second = _whole(bias_pair)
    found = np.sqrt(variance_of(first - second) / 2)
    return float(np.median(found)), median_error(found)


def measure_transfer(
    pairs: Sequence[tuple[float | None, Pair]], bias_pair: Pair, saturation_adu: float | None
) -> Transfer:
    """Measure a camera by pairs of flats, each with its exposure in seconds.

    The gain is that which pairs of up to half of the full well give. Raises CalibrationError when
    no pair tells it.
    """
    points = [_point(seconds, pair, bias_pair) for seconds, pair in pairs]
    order = sorted(range(len(points)), key=lambda k: points[k].signal_adu)
    points = [points[k] for k in order]
    noises: list[CameraNoise | None] = []
    reason = ""
    for k in order:
        try:
            noises.append(measure_noise(pairs[k][1], bias_pair, saturation_adu=saturation_adu))
        except CalibrationError as error:
            noises.append(None)
            reason = str(error)
    last, reached = _last_whole(points)
    full = points[last].signal_adu
    most = max(LOWER_HALF * full, points[0].signal_adu)
    told = [(p.signal_adu, n) for p, n in zip(points, noises, strict=True) if n is not None]
    lower = [one for one in told if one[0] <= most] or told[:1]
    if not lower:
        raise CalibrationError(reason)
    deviation, linear_to = _linearity(points, last)
    return Transfer(
        _joined(*zip(*lower, strict=True)), tuple(points), full, reached, deviation, linear_to
    )


def _whole(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Cut images into blocks, without those of which half has no value in one of them."""
    cut = [blocks(image) for image in images]
    use = np.min([np.isfinite(one).mean(axis=1) for one in cut], axis=0) >= WHOLE
    return [one[use] for one in cut]


def _point(seconds: float | None, pair: Pair, bias_pair: Pair) -> Point:
    first, second, *biases = _whole((*pair, *bias_pair))
    bias = sum(np.nanmedian(one, axis=1) for one in biases) / 2
    one, two = (np.nanmean(flat, axis=1) - bias for flat in (first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        k = np.where(two > 0, one / two, 1.0)
    variance = variance_of(first - k[:, None] * second) / (1 + k**2)
    return Point(seconds, float(np.median(one + two)) / 2, float(np.median(variance)))


def _last_whole(points: Sequence[Point]) -> tuple[int, bool]:
    """Find the point of the most noise, and whether a brighter one has clearly less."""
    variance = np.array([point.variance_adu2 for point in points])
    last = int(np.argmax(variance))
    reached = bool(np.any(variance[last:] < SHORT * variance[last]))
    return (last, True) if reached else (len(points) - 1, False)


def _joined(signal: Sequence[float], noises: Sequence[CameraNoise]) -> CameraNoise:
    """Join pairs by their errors: the mean gain, or where it changes with the signal that at none.

    The biases, and so the read noise in ADU, are the same in all.
    """
    errors = np.array([one.gain_err for one in noises])
    gains, best = np.array([one.gain_e_per_adu for one in noises]), noises[int(errors.argmin())]
    gain, err = float(np.average(gains, weights=errors**-2)), float((errors**-2).sum() ** -0.5)
    if len(gains) > 2:
        (slope, at_none), cov = np.polyfit(signal, gains, 1, w=1 / errors, cov="unscaled")
        if abs(slope) > CHANGES * cov[0, 0] ** 0.5:
            gain, err = float(at_none), float(cov[1, 1] ** 0.5)
    read = best.read_noise_e / best.gain_e_per_adu * gain
    of_bias = max((best.read_noise_err / max(best.read_noise_e, 1e-9)) ** 2
                  - (best.gain_err / best.gain_e_per_adu) ** 2, 0.0)  # fmt: skip
    read_err = read * float(np.sqrt(of_bias + (err / gain) ** 2))
    return CameraNoise(gain, err, read, read_err, sum(one.n_blocks for one in noises))


def _linearity(points: Sequence[Point], last: int) -> tuple[np.ndarray, float | None]:
    """Deviations (n,) from a line in the exposure, and the level up to which they are small.

    The line is that of the points of up to half of the full well, each by its own light; it need
    not pass through zero, for shutters have delays.
    """
    signal = np.array([point.signal_adu for point in points])
    seconds = np.array([np.nan if p.exposure_s is None else p.exposure_s for p in points])
    usable = np.isfinite(seconds) & (np.arange(len(points)) <= last)
    fitted = usable & (signal <= LOWER_HALF * signal[last])
    if len(set(seconds[fitted])) < 2:
        fitted = usable
    if len(set(seconds[fitted])) < 2 or len(set(seconds[usable])) < 3:
        return np.full(len(points), np.nan), None
    slope, offset = np.polyfit(seconds[fitted], signal[fitted], 1, w=1 / signal[fitted])
    deviation = signal / (slope * seconds + offset) - 1
    bent = usable & (np.abs(deviation) > LINEAR)
    straight = signal[usable & (signal < signal[bent].min(initial=np.inf))]
    return deviation, float(straight.max()) if straight.size else None
