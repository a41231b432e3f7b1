"""How far a fit may be trusted: red noise, residuals, coverage, verdict, and derived numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import About, Finding, Note, Parameter, Planet, Result, Severity, Verdict
from lightcurve.transit.ephemeris import Prediction, contact_duration
from lightcurve.transit.model import NAMES, TransitModel

__all__ = ["time_averaging"]

RED_NOISE_MINUTES = (8.0, 40.0)
FOUND_DELTA_BIC = 12.0
FOUND_SIGMA = 4.0
HINT_DELTA_BIC = 2.0
FULL_COVERAGE = 0.9
LATE_SIGMA = 3.0
LATE_MINUTES = 30.0  # where the ephemeris has no error
CONTACTS = {"ingress": "before", "egress": "after"}  # and where the baseline beyond it lies
SIGMA = 5.0
WIDTHS = (0.5, 0.75, 1.0, 1.25)  # of the transit's duration
STEPS = 120  # middles tried
MIN_INSIDE = 5
MIN_OUTSIDE = 10
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
    autocorrelations up to lag 10 in white noise (Ljung & Box 1978); ``normality_p`` of Shapiro &
    Wilk (1965). NaN with fewer than 12 points.
    """
    n = len(residuals)
    if n < 12 or not np.std(residuals) > 0:
        return dict.fromkeys(
            ("autocorrelation_lag1", "autocorrelation_p", "normality_p"), float("nan")
        )
    from scipy.stats import chi2, shapiro

    centred = residuals - residuals.mean()
    lags = np.arange(1, min(10, n // 4) + 1)
    correlation = np.array([centred[k:] @ centred[:-k] for k in lags]) / (centred @ centred)
    statistic = n * (n + 2) * np.sum(correlation**2 / (n - lags))
    return {
        "autocorrelation_lag1": float(correlation[0]),
        "autocorrelation_p": float(chi2.sf(statistic, len(lags))),
        "normality_p": float(shapiro(centred).pvalue),
    }


def coverage(time: np.ndarray, mid: float, duration: float) -> dict[str, float]:
    """Work out how much of a transit (days) was observed by the points used, ascending.

    ``coverage_transit``, ``coverage_ingress``, ``coverage_egress``: fractions of the transit, and
    of a sixth of it about first and fourth contact, within 1.5 cadences of a point;
    ``baseline_before_min`` and ``baseline_after_min``, minutes observed outside.
    """
    if len(time) < 2 or not duration > 0:
        names = ("transit", "ingress", "egress")
        sides = {f"baseline_{side}_min": 0.0 for side in CONTACTS.values()}
        return {f"coverage_{name}": 0.0 for name in names} | sides
    start, end, edge = mid - duration / 2, mid + duration / 2, duration / 12
    reach = 1.5 * float(np.median(np.diff(time)))

    def covered(first: float, last: float) -> float:
        grid = np.linspace(first, last, 200)
        place = np.searchsorted(time, grid).clip(1, len(time) - 1)
        nearest = np.minimum(np.abs(grid - time[place - 1]), np.abs(grid - time[place]))
        return float(np.mean(nearest <= reach))

    return {
        "coverage_transit": covered(start, end),
        "coverage_ingress": covered(start - edge, start + edge),
        "coverage_egress": covered(end - edge, end + edge),
        "baseline_before_min": float(max(0.0, start - time[0]) * 1440),
        "baseline_after_min": float(max(0.0, time[-1] - end) * 1440),
    }


def judge(
    delta_bic: float,
    depth_sigma: float,
    cover: dict[str, float],
    prediction: Prediction,
    time: np.ndarray,
) -> Verdict:
    """Judge what the night shows; absence only of a transit of which at least 90 % was observed.

    delta_bic: BIC without minus BIC with transit, at errors that carry scatter and red noise.
    depth_sigma: radius ratio squared over its error. cover: from `coverage` of the best transit.
    """
    if delta_bic > FOUND_DELTA_BIC and depth_sigma > FOUND_SIGMA:
        missing = [name for name, side in CONTACTS.items() if not _whole(cover, name, side)]
        if cover["coverage_transit"] >= FULL_COVERAGE and not missing:
            whole = "observed from before ingress to after egress"
            return Verdict(Finding.TRANSIT, whole, depth_sigma)
        what = " and ".join(missing) + " missing" if missing else "gaps in it"
        percent = min(99.0, 100 * cover["coverage_transit"])
        return Verdict(Finding.PARTIAL, f"{percent:.0f} % observed, {what}", depth_sigma)
    if delta_bic > HINT_DELTA_BIC and depth_sigma > FOUND_SIGMA / 2:
        dip = f"a dip of {depth_sigma:.1f} sigma, not enough to call it a transit"
        return Verdict(Finding.INCONCLUSIVE, dip, depth_sigma)
    seen = coverage(time, prediction.mid, prediction.duration)["coverage_transit"]
    if seen == 0:
        return Verdict(Finding.NOT_OBSERVED, _miss(prediction, time))
    if seen < FULL_COVERAGE:
        part = f"none found, with {100 * seen:.0f} % of the predicted transit observed"
        return Verdict(Finding.INCONCLUSIVE, part)
    where = f"none found near the prediction {prediction.mid:.4f} (BJD_TDB)"
    return Verdict(Finding.NONE, where)


def timing_notes(verdict: Verdict, off: Parameter, prediction: Prediction) -> tuple[Note, ...]:
    """Remark on a transit found at another time than predicted.

    One where O-C (`off`, minutes) is more than three combined sigma, or more than 30 min where the
    ephemeris has no error; else nothing.
    """
    if not verdict.found:
        return ()
    error = math.hypot((off.upper - off.lower) / 2, prediction.mid_err * 1440)
    if abs(off.value) <= (LATE_SIGMA * error if math.isfinite(error) else LATE_MINUTES):
        return ()
    when = "late" if off.value > 0 else "early"
    known = (
        f"{abs(off.value) / error:.1f} sigma of both times together"
        if math.isfinite(error)
        else "the ephemeris gives no error"
    )
    text = (
        f"the transit is {abs(off.value):.1f} min {when} of the ephemeris ({known}): is it the "
        "right planet, are ephemeris and clock right, or is it no transit but a trend?"
    )
    return (Note(text, Severity.WARNING, About.TIMING),)


def _whole(cover: dict[str, float], name: str, side: str) -> bool:
    """Say whether ingress or egress was observed whole, with points outside of it."""
    return cover[f"coverage_{name}"] >= FULL_COVERAGE and cover[f"baseline_{side}_min"] > 0


def _miss(prediction: Prediction, time: np.ndarray) -> str:
    """Say how the data miss the predicted transit."""
    early, late = 1440 * (prediction.ingress - time[-1]), 1440 * (time[0] - prediction.egress)
    if early > 0:
        return f"the data end {early:.0f} min before the predicted ingress"
    if late > 0:
        return f"the data begin {late:.0f} min after the predicted egress"
    return "the data have a gap over the whole predicted transit"


def dip_notes(
    verdict: Verdict, time: np.ndarray, residuals: np.ndarray, duration: float
) -> tuple[Note, ...]:
    """Remark on a dip elsewhere, deeper than five sigma, where no transit was found."""
    if verdict.depth_sigma is not None:
        return ()
    mid, depth, error = find_dip(time, residuals, duration)
    if not depth > SIGMA * error:
        return ()
    text = f"the curve dips by {100 * depth:.2f} % at {mid:.2f} (BJD_TDB): is the ephemeris right?"
    results = {
        "dip_depth_percent": Result(
            100 * depth, "%", lower=100 * (depth - error), upper=100 * (depth + error)
        ),
        "dip_time_bjd_tdb": Result(mid, "BJD_TDB"),
    }
    return (Note(text, Severity.WARNING, About.DIP, results=results),)


def find_dip(time: np.ndarray, flux: np.ndarray, duration: float) -> tuple[float, float, float]:
    """Find the box that, beside a parabola, takes most of the scatter away: mid, depth and error.

    Boxes are half to one and a quarter of the transit's duration long. The error is that of least
    squares at the scatter about parabola and box, widened by the red noise that is left
    (`red_noise_factor`). NaN where no box holds five points, with ten outside.
    """
    n = len(time)
    basis = np.linalg.qr(np.vander(time - time.mean(), 3))[0]
    best = (0.0, np.nan, np.nan, np.nan)
    flat = flux - basis @ (basis.T @ flux)
    for mid in np.linspace(time[0], time[-1], STEPS):
        for width in WIDTHS:
            box = (np.abs(time - mid) < width * duration / 2).astype(float)
            if not MIN_INSIDE <= box.sum() <= n - MIN_OUTSIDE:
                continue
            box -= basis @ (basis.T @ box)
            power = float(box @ box)
            depth = -float(box @ flat) / power
            gain = depth**2 * power  # by which the sum of squares falls
            if depth > 0 and gain > best[0]:
                left = flat + depth * box
                noise = float(np.std(left)) * red_noise_factor(time, left)
                best = (gain, float(mid), depth, noise / np.sqrt(power))
    return best[1:]


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
