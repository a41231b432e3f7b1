"""How far a fit may be trusted: red noise, residuals, coverage, and derived numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Parameter, Planet
from lightcurve.transit.ephemeris import Prediction, contact_duration
from lightcurve.transit.model import NAMES, TransitModel

__all__ = ["coverage", "time_averaging"]

RED_NOISE_MINUTES = (8.0, 40.0)
FULL_COVERAGE = 0.9
SEEN = 0.5  # of ingress or egress: less tells neither when it began nor how long it took
CONTACTS = {"ingress": "before", "egress": "after"}  # and where the baseline beyond it lies
UNITS = {
    "mid_time_bjd_tdb": "BJD_TDB",
    "rp_over_rs": "stellar radii",
    "a_over_rs": "stellar radii",
    "impact_parameter": "stellar radii",
    "q1": "",
    "q2": "",
    "u1": "",
    "u2": "",
    "inclination_deg": "deg",
    "duration_days": "d",
    "ingress_duration_days": "d",
    "depth_percent": "%",
    "radius_ratio_squared_percent": "%",
    "stellar_density_g_cm3": "g/cm3",
    "o_minus_c_minutes": "min",
    "dilution": "",
    "rp_over_rs_uncorrected": "stellar radii",
    "depth_uncorrected_percent": "%",
}
LEAST_SHARE = 0.01
GRAVITATION = 6.6743e-8  # cm3 g-1 s-2
DEPTH_SAMPLES = 1000
MOST_UNLIKE = 150.0  # beyond which the formula of the chance would rise again
MAX_SIZES = 40  # of the bins over which residuals are averaged


def time_averaging(
    time: np.ndarray, residuals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scatter of binned residuals against the size of the bins, 1 to a fifth of the points.

    Parameters
    ----------
    time, residuals : (n,) float arrays
        Days, and in any unit.

    Returns
    -------
    size : (k,) int array
        Points a bin.
    minutes : (k,) float array
        The same in time, at the median cadence.
    scatter, white : (k,) float arrays
        Standard deviation of the bin means, and what white noise would give:
        sigma_1 / sqrt(N) sqrt(M / (M - 1)) with M bins of N points (Pont et al. 2006, MNRAS 373,
        231; Winn et al. 2008, ApJ 683, 1076). Every phase of the bins is averaged.
    """
    n = len(residuals)
    cadence = float(np.median(np.diff(time))) * 1440 if n > 1 else float("nan")
    largest = max(1, n // 5)
    size = np.unique(np.linspace(1, largest, min(MAX_SIZES, largest)).astype(int))
    total = np.concatenate([[0.0], np.cumsum(residuals - residuals.mean())])
    scatter = np.array([np.sqrt(np.mean(((total[k:] - total[:-k]) / k) ** 2)) for k in size])
    bins = n / size
    white = scatter[0] / np.sqrt(size) * np.sqrt(np.maximum(1 - 1 / bins, 1e-9))
    return size, size * cadence, scatter, white


def red_noise_factor(time: np.ndarray, residuals: np.ndarray) -> float:
    """Work out beta, by which red noise widens the errors of slow features.

    Mean of scatter over white noise for bins of 8 to 40 min, not below 1; time in days.
    """
    if len(residuals) < 20:
        return 1.0
    _, minutes, scatter, white = time_averaging(time, residuals)
    inside = (minutes >= RED_NOISE_MINUTES[0]) & (minutes <= RED_NOISE_MINUTES[1])
    inside &= scatter > 0
    if not inside.any():
        return 1.0
    return max(1.0, float(np.mean(scatter[inside] / white[inside])))


def residual_tests(residuals: np.ndarray) -> dict[str, float]:
    """Test residuals, in order of time and in units of their errors, for memory and for shape.

    ``autocorrelation_lag1``; ``autocorrelation_p``, the chance of so large a sum of squared
    autocorrelations up to lag 10 in white noise (Ljung & Box 1978); ``normality_p`` of Anderson &
    Darling (1954). NaN with fewer than 12 points.
    """
    n = len(residuals)
    if n < 12 or not np.std(residuals) > 0:
        return dict.fromkeys(
            ("autocorrelation_lag1", "autocorrelation_p", "normality_p"), float("nan")
        )
    from scipy.special import chdtrc

    centred = residuals - residuals.mean()
    lags = np.arange(1, min(10, n // 4) + 1)
    correlation = np.array([centred[k:] @ centred[:-k] for k in lags]) / (centred @ centred)
    statistic = n * (n + 2) * np.sum(correlation**2 / (n - lags))
    return {
        "autocorrelation_lag1": float(correlation[0]),
        "autocorrelation_p": float(chdtrc(len(lags), statistic)),
        "normality_p": normal_chance(anderson_darling(residuals)),
    }


def anderson_darling(values: np.ndarray) -> float:
    """Tell how unlike a normal distribution values, (n,), are, its mean and width being theirs.

    As of infinitely many: with Stephens' correction for their number. (`scipy.stats` has the
    statistic, but takes longer to load than a fit without sampling takes.)
    """
    from scipy.special import log_ndtr

    n = len(values)
    sigmas = np.sort((values - values.mean()) / values.std(ddof=1))
    odd = 2 * np.arange(n) + 1
    squared = -n - float(np.mean(odd * (log_ndtr(sigmas) + log_ndtr(-sigmas[::-1]))))
    return squared * (1 + 0.75 / n + 2.25 / n**2)


def normal_chance(statistic: float) -> float:
    """Chance of so large a statistic of normal values (D'Agostino & Stephens 1986, table 4.9)."""
    a = min(statistic, MOST_UNLIKE)
    if a >= 0.6:
        return math.exp(1.2937 - 5.709 * a + 0.0186 * a**2)
    if a >= 0.34:
        return math.exp(0.9177 - 4.279 * a - 1.38 * a**2)
    if a >= 0.2:
        return 1 - math.exp(-8.318 + 42.796 * a - 59.938 * a**2)
    return 1 - math.exp(-13.436 + 101.14 * a - 223.73 * a**2)


def fold_about(time: np.ndarray, mid: float, period: float) -> np.ndarray:
    """Put times, (n,), days, of several transits about one mid-time, ascending."""
    return np.sort(time - period * np.rint((time - mid) / period))


def coverage(time: np.ndarray, mid: float, duration: float, ingress: float) -> dict[str, float]:
    """Work out how much of a transit was observed by the points used.

    time: (n,) float array, days, ascending. mid, duration, ingress: of the transit, days.
    ``coverage_transit``, ``coverage_ingress``, ``coverage_egress``: fractions of the transit, and
    from first to second and from third to fourth contact, within 1.5 cadences
    of a point; ``baseline_before_min`` and ``baseline_after_min``, minutes observed outside.
    """
    steps = np.diff(np.unique(time))
    if not steps.size or not duration > 0:
        names = ("transit", "ingress", "egress")
        sides = {f"baseline_{side}_min": 0.0 for side in CONTACTS.values()}
        return {f"coverage_{name}": 0.0 for name in names} | sides
    start, end = mid - duration / 2, mid + duration / 2
    reach = 1.5 * float(np.median(steps))

    def covered(first: float, last: float) -> float:
        grid = np.linspace(first, last, 200)
        place = np.searchsorted(time, grid).clip(1, len(time) - 1)
        nearest = np.minimum(np.abs(grid - time[place - 1]), np.abs(grid - time[place]))
        return float(np.mean(nearest <= reach))

    return {
        "coverage_transit": covered(start, end),
        "coverage_ingress": covered(start, start + ingress),
        "coverage_egress": covered(end - ingress, end),
        "baseline_before_min": float(max(0.0, start - time[0]) * 1440),
        "baseline_after_min": float(max(0.0, time[-1] - end) * 1440),
    }


def summarise(samples: np.ndarray, planet: Planet, prediction: Prediction) -> dict[str, Parameter]:
    """Work out medians and 16 and 84 % points of samples (n, 6), fitted and derived.

    ``depth_percent`` is the light lost at mid-transit, limb darkening included;
    ``radius_ratio_squared_percent`` is what some archives call depth. ``o_minus_c_minutes`` carries
    the error of the observed time alone. Where the planet's light is diluted, the error of that is
    in radius ratio and depth, which are those of the star alone; ``..._uncorrected`` are those of a
    star that gave all the light.
    """
    told, seen = planet.dilution, samples
    shares = np.ones(len(samples))
    if told is not None:
        shares = _shares(told, planet.errors.get("dilution", 0.0), len(samples))
        samples = samples.copy()
        samples[:, 1] *= np.sqrt(told / shares)
    columns = dict(zip(NAMES, samples.T, strict=True))
    _, rp, a, b, q1, q2 = samples.T
    duration = contact_duration(planet, rp=rp, a=a, b=b)
    sine = np.sin(np.radians(planet.omega_deg))
    factor = (1 - planet.eccentricity**2) / (1 + planet.eccentricity * sine)
    columns |= {
        "u1": 2 * np.sqrt(q1) * q2,
        "u2": np.sqrt(q1) * (1 - 2 * q2),
        "inclination_deg": np.degrees(np.arccos(np.clip(b / (a * factor), 0, 1))),
        "duration_days": duration,
        "ingress_duration_days": (duration - contact_duration(planet, rp=rp, a=a, b=b, inner=True))
        / 2,
        "depth_percent": 100 * _mid_transit_loss(samples, planet),
        "radius_ratio_squared_percent": 100 * rp**2,
        "stellar_density_g_cm3": 3 * np.pi / GRAVITATION / (planet.period_days * DAY_S) ** 2 * a**3,
        "o_minus_c_minutes": (columns["mid_time_bjd_tdb"] - prediction.mid) * 1440,
    }
    if told is not None:
        columns |= {
            "dilution": shares,
            "rp_over_rs_uncorrected": seen[:, 1] * np.sqrt(told),
            "depth_uncorrected_percent": 100 * told * _mid_transit_loss(seen, planet),
        }
    return {name: _parameter(values, UNITS[name]) for name, values in columns.items()}


def _shares(share: float, error: float, n: int) -> np.ndarray:
    """Draw the target's share of the light, (n,), from what is known of it."""
    return np.clip(np.random.default_rng(1).normal(share, error, n), LEAST_SHARE, 1.0)


def _mid_transit_loss(samples: np.ndarray, planet: Planet) -> np.ndarray:
    """Compute the light lost at mid-transit, of at most a thousand samples, evenly picked."""
    picked = samples[:: max(1, len(samples) // DEPTH_SAMPLES)].copy()
    moment = picked[0, 0]
    picked[:, 0] = moment
    model = TransitModel(np.array([moment]), replace(planet, dilution=None), 0.0)
    return 1 - np.array([model(theta)[0] for theta in picked])


def _parameter(values: np.ndarray, unit: str) -> Parameter:
    lower, middle, upper = np.percentile(values[np.isfinite(values)], [15.865, 50, 84.135])
    return Parameter(float(middle), float(lower), float(upper), unit)
