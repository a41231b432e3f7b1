"""What a fit solves: priors on the parameters, and level times transit in noise and trend."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import KnownDuration, Planet, Severity
from lightcurve.transit.ephemeris import contact_duration, impact_parameter, predict_transit
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import TransitModel

A_RELATIVE = 0.05  # of a/R*, where the planet file gives no error
B_ERROR = 0.10  # of the impact parameter, where it gives no error of the inclination
LEAST_B_ERROR = 0.01
MIN_WINDOW_DAYS = 0.02
TAILS = 2.0  # degrees of freedom of Student's t: a size is known to a factor of three or so
LOOSENINGS = 5
MAX_RP = 1.5  # stellar radii: a brown dwarf beside a red dwarf is as large as its star


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """Independent priors, in the order of `lightcurve.transit.model.NAMES`.

    centre, width : (6,) float arrays, Gaussian; the width is infinite where there is none.
    lower, upper : (6,) float arrays, beyond these the probability is 0.
    """

    centre: np.ndarray
    width: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    notes: tuple[str, ...]  # where each came from
    planet: Planet | None = None  # whose durations are known, where these tell its orbit

    def pulls(self, theta: np.ndarray) -> np.ndarray:
        """Work out how many sigma parameters, (..., 6), lie from what is expected: (..., 6 + d).

        0 where there is no Gaussian; last come the d durations.
        """
        own = (theta - self.centre) / self.width
        return np.concatenate([own, self.duration_pulls(theta)], axis=-1)

    def duration_pulls(self, theta: np.ndarray) -> np.ndarray:
        """Work out how many sigma the durations of parameters, (..., 6), are off: (..., d)."""
        planet = self.planet
        known = () if planet is None else planet.durations
        if planet is None or not known:
            return np.zeros((*theta.shape[:-1], 0))
        rp, a, b = theta[..., 1], theta[..., 2], theta[..., 3]
        off = [
            (contact_duration(planet, rp=rp, a=a, b=b, inner=one.inner) - one.days) / one.err
            for one in known
        ]
        return np.stack(off, axis=-1)

    def contain(self, theta: np.ndarray) -> np.ndarray:
        """Say which parameters, (..., 6), are possible: (...) bool array."""
        inside = np.all((theta >= self.lower) & (theta <= self.upper), axis=-1)
        possible: np.ndarray = inside & (theta[..., 3] < 1 + theta[..., 1])
        return possible


def make_priors(planet: Planet, time: np.ndarray, filter_name: str | None = None) -> Priors:
    """Collect the priors for one night, `time` in BJD_TDB.

    The mid-time may lie within five sigma of the prediction, or three quarters of the duration,
    whichever is more, but never nearer to another epoch.
    """
    prediction = predict_transit(planet, float(np.mean(time)))
    sigma = 0.0 if math.isnan(prediction.mid_err) else prediction.mid_err
    window = max(5 * sigma, 0.75 * prediction.duration, MIN_WINDOW_DAYS)
    window = min(window, planet.period_days / 2)
    a, b = planet.a_over_rs, impact_parameter(planet)
    (a_err, a_note), (b_err, b_note) = _axis_prior(planet), _impact_prior(planet, b)
    q, q_width, limb_note = limb_darkening_prior(
        planet.teff_k, filter_name, logg=planet.logg, feh=planet.feh, errors=planet.errors
    )
    notes = (
        f"mid-time searched within {window * 1440:.0f} min of that of epoch {prediction.epoch}",
        *(str(note) for note in planet.notes if note.severity is Severity.INFO),
        a_note,
        b_note,
        *map(_duration_note, planet.durations),
        limb_note,
    )
    centre = np.array([prediction.mid, planet.rp_over_rs, a, b, q[0], q[1]])
    return Priors(
        centre=centre,
        width=np.array([np.inf, np.inf, a_err, b_err, *q_width]),
        lower=np.array([prediction.mid - window, 0.0, max(1.01, a / 3), 0.0, 0.0, 0.0]),
        upper=np.array([prediction.mid + window, MAX_RP, 3 * a, 1 + MAX_RP, 1.0, 1.0]),
        notes=notes,
        planet=planet,
    )


def _axis_prior(planet: Planet) -> tuple[float, str]:
    """Tell one sigma of a/R*, infinite where only a duration tells it, and words of it."""
    a, known = planet.a_over_rs, planet.errors.get("a_over_rs")
    if "a_over_rs" in planet.free:
        return math.inf, f"a/R* free, {a:.3f} to begin with"
    spread = orbit_spread(planet)
    error = math.hypot(known or A_RELATIVE * a, spread * a)
    note = f"a/R* {a:.3f} +- {error:.3f}"
    note += "" if known else " (5 % taken: the planet file has no error)"
    wider = f", {100 * spread:.1f} % of it for the errors of eccentricity and omega"
    return error, note + (wider if spread else "")


def _impact_prior(planet: Planet, b: float) -> tuple[float, str]:
    """Tell one sigma of the impact parameter, infinite where it may be any, and words of it."""
    if "impact_parameter" in planet.free:
        return math.inf, f"impact parameter free, {b:.3f} to begin with"
    error, angle = planet.errors.get("impact_parameter"), planet.errors.get("inclination_deg")
    if error is None and angle:
        error = planet.a_over_rs * math.sin(math.radians(planet.inclination_deg))
        error *= math.radians(angle)
    note = "" if error else " (0.1 taken: the planet file has no error of the inclination)"
    error = max(error, LEAST_B_ERROR) if error else B_ERROR
    return error, f"impact parameter {b:.3f} +- {error:.3f}{note}"


def _duration_note(known: KnownDuration) -> str:
    which = "from second to third contact" if known.inner else "from first to fourth contact"
    return f"duration {24 * known.days:.3f} +- {24 * known.err:.3f} h expected, {which}"


def orbit_spread(planet: Planet) -> float:
    """Tell how far, relative, errors of eccentricity and omega let durations be off."""
    e, omega = planet.eccentricity, math.radians(planet.omega_deg)
    e_err = planet.errors.get("eccentricity", 0.0)
    along, round_ = 1 + e * math.sin(omega), 1 - e**2
    by_e = math.sin(omega) / along + e / round_  # of the logarithm of along over the root of round_
    by_omega = e * math.cos(omega) / along
    return math.hypot(by_e * e_err, by_omega * math.radians(planet.errors.get("omega_deg", 0.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """All that is not level times transit: white or red noise, and a trend with its priors.

    The coefficients of the trend are integrated out: with priors N(0, S) a trend X adds X S X^T to
    the covariance C of the noise (Rasmussen & Williams 2006, ch. 2.7), and parameters are as
    uncertain as all trends together leave them. `whiten` multiplies by the inverse root of both,
    C^-1/2 first, then I - Q D Q^T with Q s V^T = C^-1/2 X S^1/2 and D = 1 - 1 / sqrt(1 + s^2).
    """

    root: np.ndarray  # C^-1/2: (n, n), or (n,) where the noise is white
    trend: np.ndarray  # X, (n, k)
    prior: np.ndarray  # one sigma of each coefficient as physics has it, (k,)
    width: np.ndarray  # the same as the data have loosened it: roots of the diagonal of S
    basis: np.ndarray  # Q, (n, k)
    shrink: np.ndarray  # D, (k,)

    def whiten(self, values: np.ndarray) -> np.ndarray:
        """Make values, (n,) or (n, m), independent with unit variance, trend and all."""
        plain = self.plain(values)
        inside = self.basis.T @ plain
        return plain - self.basis @ (inside.T * self.shrink).T

    def plain(self, values: np.ndarray) -> np.ndarray:
        """Make values, (n,) or (n, m), independent with unit variance, the trend left in."""
        return self.root @ values if self.root.ndim == 2 else (values.T * self.root).T

    def coefficients(
        self, values: np.ndarray, free: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the trend in values, (n,): mean (k,) and covariance (k, k) of its coefficients.

        free: (n, m), columns beside the trend that may take what they like.
        """
        design, data = self.plain(self.trend), self.plain(values)
        if free is not None:
            basis = np.linalg.qr(self.plain(free))[0]
            design, data = design - basis @ (basis.T @ design), data - basis @ (basis.T @ data)
        cov = np.linalg.inv(design.T @ design + np.diag(self.width**-2.0))
        return cov @ (design.T @ data), cov

    @property
    def freedom(self) -> float:
        """Count the coefficients that the data determine and not the priors."""
        return float(np.sum(1 - (1 - self.shrink) ** 2))

    def loosen(self, values: np.ndarray, free: np.ndarray) -> Noise:
        """Widen the priors that values, (n,), contradict, whatever the (n, m) free columns take.

        A size is known to a factor of some: the priors have the tails of Student's t, whose width
        given the coefficients is found by expectation and maximisation (Lange, Little & Taylor
        1989, JASA 84, 881).
        """
        noise = self
        for _ in range(LOOSENINGS):
            mean, cov = noise.coefficients(values, free)
            power = mean**2 + np.diag(cov)
            width = np.sqrt((TAILS * self.prior**2 + power) / (TAILS + 1))
            noise = make_noise(self.root, self.trend, self.prior, width)
        return noise


def make_noise(
    root: np.ndarray, trend: np.ndarray, prior: np.ndarray, width: np.ndarray | None = None
) -> Noise:
    """Put noise and trend together, as `Noise` has them."""
    width = prior if width is None else width
    whitened = root @ trend if root.ndim == 2 else trend * root[:, None]
    basis, strength, _ = np.linalg.svd(whitened * width, full_matrices=False)
    return Noise(root, trend, prior, width, basis, 1 - 1 / np.sqrt(1 + strength**2))


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One light curve to be fitted: flux = level times transit, and noise.

    time, flux, flux_err : (n,) float arrays, the points used; errors as they were given.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    model: TransitModel  # at `time`
    priors: Priors
    noise: Noise

    def solve(self, transit: np.ndarray) -> tuple[float, np.ndarray]:
        """Find the level that suits a transit (ones for none) best, and the residuals.

        These are whitened.
        """
        data, unit = self.noise.whiten(np.column_stack([self.flux, transit])).T
        level = float(unit @ data) / float(unit @ unit)
        return level, data - level * unit

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """Stack data and prior residuals, (n + 6 + d,) sigmas; very large where impossible."""
        transit = self.model(theta) if self.priors.contain(theta) else None
        if transit is None or not np.isfinite(transit[0]):
            return np.full(len(self.time) + self.priors.pulls(theta).size, 1e3)
        return np.concatenate([self.solve(transit)[1], self.priors.pulls(theta)])

    def log_probabilities(self, thetas: np.ndarray) -> np.ndarray:
        """Compute the log posterior of parameters (m, 6), up to a constant: (m,).

        Minus infinity where they are impossible.
        """
        chance = np.full(len(thetas), -np.inf)
        possible = np.flatnonzero(self.priors.contain(thetas))
        transits = np.array([self.model(theta) for theta in thetas[possible]])
        transits = transits.reshape(-1, len(self.time))
        known = np.isfinite(transits[:, 0])
        possible, unit = possible[known], self.noise.whiten(transits[known].T)
        data = self.noise.whiten(self.flux)
        level = (data @ unit) / np.sum(unit**2, axis=0)
        left = data[:, None] - level * unit
        pulls = self.priors.pulls(thetas[possible])
        chance[possible] = -0.5 * (np.sum(left**2, axis=0) + np.sum(pulls**2, axis=1))
        return chance

    def detrend(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Find level, trend (k,) and its covariance (k, k) beside a transit."""
        transit = self.model(theta)
        level, _ = self.solve(transit)
        return level, *self.noise.coefficients(self.flux - level * transit)

    def plain_residuals(self, theta: np.ndarray) -> np.ndarray:
        """Work out the residuals as they are plotted, in the units of the flux."""
        level, coefficients, _ = self.detrend(theta)
        return self.flux - level * self.model(theta) - self.noise.trend @ coefficients
