"""Light curves of hard nights as tables: a known transit, and what spoils it, by physics.

What each kind does to the flux is worked out from the cause (a flat, clouds, a sky), not from the
columns that a fit is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from lightcurve.core.data import Planet
from lightcurve.transit.ephemeris import contact_duration, impact_parameter
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux
from lightcurve.transit.solve import Points

MID = 2460000.6
PLANET = Planet(
    name="Hard b", ra_deg=100.0, dec_deg=0.0, period_days=2.8, t0_bjd_tdb=MID, rp_over_rs=0.12,
    a_over_rs=8.0, inclination_deg=88.0, teff_k=5800.0,
    errors={"a_over_rs": 0.4, "inclination_deg": 0.7},
)  # fmt: skip


@dataclass(slots=True)
class Night:
    """One night in the making: (n,) arrays; flux and errors are relative."""

    time: np.ndarray
    rng: np.random.Generator
    gain: np.ndarray  # by which what spoils the night multiplies the flux
    noise: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def phase(self) -> np.ndarray:
        """From -1 to 1 over the night."""
        return 2 * (self.time - self.time.mean()) / np.ptp(self.time)


def arch(night: Night) -> None:
    """Extinct a target 0.2 to 0.6 mag redder than its comparison stars by 5 mmag/mag less."""
    extinct = night.rng.choice([-1, 1]) * night.rng.uniform(0.2, 0.6) * 0.01
    night.gain *= 10 ** (-0.4 * extinct * (night.columns["airmass"] - 1))


def vignetting(night: Night) -> None:
    """Let the field drift by 30 px over a flat that lacks the vignetting, a third at the corner."""
    _drift(night, 30.0)


def far_drift(night: Night) -> None:
    """The same by 250 px."""
    _drift(night, 250.0)


def _drift(night: Night, pixels: float) -> None:
    angle = night.rng.uniform(0, 2 * np.pi)
    bend = 1 + 0.3 * night.rng.normal() * night.phase
    start = night.rng.uniform(300, 1700, 2)
    for k, name in enumerate("xy"):
        along = 0.5 * pixels * night.phase * bend * (np.cos(angle), np.sin(angle))[k]
        night.columns[name] = start[k] + along + 0.2 * night.rng.normal(size=len(night.time))
    x, y = night.columns["x"], night.columns["y"]
    light = 1 - 0.33 * ((x - 1000) ** 2 + (y - 1000) ** 2) / (2 * 1000.0**2)
    # Comparison stars stand elsewhere, and lose on average half as much.
    other = night.rng.uniform(300, 1700, (2, 6))
    shift = np.array([x - x[0], y - y[0]])[:, None, :] + other[:, :, None]
    lost = 1 - 0.33 * np.sum((shift - 1000) ** 2, axis=0) / (2 * 1000.0**2)
    night.gain *= light / lost.mean(axis=0) * lost.mean() / light.mean()


def flip(night: Night) -> None:
    """Turn the field over between -0.5 and 0.5 of the night: a step, and other slopes after it."""
    after = night.phase > night.rng.uniform(-0.5, 0.5)
    x = 900 + 4 * night.phase + 0.2 * night.rng.normal(size=len(after))
    night.columns["x"] = np.where(after, 2000 - x, x)
    night.columns["meridian_flip"] = after.astype(float)
    step, slopes = night.rng.uniform(-0.01, 0.01), 3e-4 * night.rng.normal(size=2)
    night.gain *= 1 + step * after + np.where(after, *slopes) * (x - 900)


def clouds(night: Night) -> None:
    """Pass three clouds over; 3 mmag of each magnitude is left, and the noise grows."""
    lost = np.zeros(len(night.time))
    for middle in night.rng.uniform(-1, 1, 3):
        lost += night.rng.uniform(0.2, 1.0) * np.exp(-0.5 * ((night.phase - middle) / 0.08) ** 2)
    night.columns["comparison_flux"] = 10 ** (-0.4 * lost)
    night.gain *= 10 ** (-0.4 * night.rng.choice([-1, 1]) * 3e-3 * lost)
    night.noise = night.noise * 10 ** (0.2 * lost)


def bump(night: Night) -> None:
    """Let the seeing swell by half during the transit, which no star minds."""
    swell = np.exp(-0.5 * ((night.phase - 0.2 * night.rng.normal()) / 0.3) ** 2)
    night.columns["fwhm"] *= 1 + 0.5 * swell


def seeing(night: Night) -> None:
    """Lose 1 to 3 % of the light with the seeing, a tenth more of the target's."""
    _wander_seeing(night)
    lost = night.rng.uniform(0.01, 0.03) * (night.columns["fwhm"] / 4.0) ** 2
    night.gain *= 1 - 0.1 * night.rng.choice([-1, 1]) * lost


def moon(night: Night) -> None:
    """Let the sky grow fourfold; it is measured 0.1 % wrong, in an aperture as bright as it."""
    sky = 400 * np.exp(0.7 * night.phase)
    night.columns["sky"] = sky + 2 * night.rng.normal(size=len(sky))
    night.gain *= 1 + 1e-3 * night.rng.normal() * sky / 400


def wander(night: Night) -> None:
    """Add a wander half as strong as the noise with a memory of 20 minutes."""
    gaps = np.abs(night.time[:, None] - night.time)
    root = np.linalg.cholesky(np.exp(-gaps * 1440 / 20) + 1e-9 * np.eye(len(gaps)))
    night.gain *= 1 + 0.5 * np.median(night.noise) * (root @ night.rng.normal(size=len(gaps)))


def slope(night: Night) -> None:
    """Let the star fade or brighten by up to 1 % over the night."""
    night.gain *= 1 + night.rng.uniform(-0.005, 0.005) * night.phase


def _wander_seeing(night: Night) -> None:
    steps = np.cumsum(night.rng.normal(size=len(night.time))) / np.sqrt(len(night.time))
    night.columns["fwhm"] = 4.0 * np.exp(0.3 * (steps - steps.mean()))


KINDS: dict[str, tuple[Callable[[Night], None], ...]] = {
    "clear": (),
    "arch": (arch,),
    "vignetting": (vignetting,),
    "far drift": (far_drift,),
    "flip": (flip,),
    "clouds": (clouds,),
    "bump": (bump,),
    "seeing": (seeing,),
    "moon": (moon,),
    "slope": (slope,),
    "wander": (wander,),
    "all": (arch, vignetting, seeing, clouds, moon, slope),
}


def hard_night(
    kind: str,
    seed: int,
    *,
    n: int = 160,
    noise: float = 0.002,
    ratio: tuple[float, float] = (0.08, 0.14),
) -> tuple[Points, np.ndarray, float]:
    """Make a night of one kind: the table, the true parameters (6,) and the true duration, days."""
    rng = np.random.default_rng([seed, *kind.encode()])
    time = MID + rng.uniform(-0.02, 0.02) + np.linspace(-0.11, 0.11, n)
    night = Night(time, rng, np.ones(n), np.full(n, noise))
    culmination = rng.uniform(-1, 1)
    night.columns = {
        "airmass": 1.05 + 0.25 * (night.phase - culmination) ** 2,
        "x": 500 + 0.5 * rng.normal(size=n),
        "y": 700 + 0.5 * rng.normal(size=n),
        "fwhm": 4.0 * np.exp(0.05 * rng.normal(size=n)),
        "sky": 400 + 5 * rng.normal(size=n),
        "comparison_flux": 1 + 0.003 * rng.normal(size=n),
    }
    for spoil in KINDS[kind]:
        spoil(night)
    theta = _draw(rng, ratio)
    flux = transit_flux(time, theta, PLANET, exposure_days=100 / 86400) * night.gain
    flux = flux * (1 + night.noise * rng.normal(size=n))
    points = Points(time, flux, night.noise, 100.0, night.columns, "V")
    duration = contact_duration(PLANET, rp=theta[1], a=theta[2], b=theta[3])
    return points, theta, float(duration)


def without_covariates(points: Points) -> Points:
    """Take away what a fit could detrend with."""
    return replace(points, covariates={})


def _draw(rng: np.random.Generator, ratio: tuple[float, float]) -> np.ndarray:
    """Draw a transit from what is known of the planet."""
    q, width, _ = limb_darkening_prior(PLANET.teff_k, "V")
    b = impact_parameter(PLANET)
    b_err = PLANET.a_over_rs * np.radians(PLANET.errors["inclination_deg"])
    while True:
        theta = np.array(
            [
                MID + rng.uniform(-0.01, 0.01),
                rng.uniform(*ratio),
                rng.normal(PLANET.a_over_rs, PLANET.errors["a_over_rs"]),
                rng.normal(b, b_err),
                *(q + width * rng.normal(size=2)),
            ]
        )
        if np.all(theta[2:] > 0) and np.all(theta[4:] < 1):
            return theta
