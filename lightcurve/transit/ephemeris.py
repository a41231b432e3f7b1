"""What is known of a planet, when its transits happen, and which points may lie in one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.coordinates import read_angle
from lightcurve.core.data import Planet
from lightcurve.core.errors import InputError
from lightcurve.core.files import read_toml
from lightcurve.transit.discs import occult

__all__ = [
    "LIMITS",
    "MARGIN_SIGMA",
    "REQUIRED",
    "central_depth",
    "dip_shape",
    "impact_parameter",
    "make_planet",
    "mark_transit",
    "predict_transit",
    "read_planet",
    "transit_duration",
]

MAX_BYTES = 100_000
REQUIRED = (
    "name",
    "ra",
    "dec",
    "period_days",
    "t0_bjd_tdb",
    "rp_over_rs",
    "a_over_rs",
    "inclination_deg",
)
LIMITS = {
    "period_days": (0.01, 1e6),
    "t0_bjd_tdb": (2.0e6, 3.0e6),
    "rp_over_rs": (1e-4, 1.0),
    "a_over_rs": (1.0, 1e5),
    "inclination_deg": (0.0, 180.0),
    "eccentricity": (0.0, 0.95),
    "omega_deg": (-360.0, 720.0),
    "teff_k": (1000.0, 60000.0),
    "logg": (0.0, 9.0),
    "feh": (-6.0, 2.0),
    "pm_ra_mas_yr": (-2e4, 2e4),  # Barnard's star has 1e4
    "pm_dec_mas_yr": (-2e4, 2e4),
    "parallax_mas": (0.0, 1e3),
    "epoch_year": (1800.0, 2200.0),
    "dilution": (0.01, 1.0),
    "g_mag": (-2.0, 25.0),
}
MARGIN_SIGMA = 3.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """The transit nearest to a moment.

    mid, mid_err : BJD_TDB and its one-sigma error from T0 and period; NaN where neither has an
        error.
    ingress, egress : first and fourth contact.
    duration, inner : days from first to fourth contact, and from second to third; 0 where there are
        no such.
    """

    epoch: int  # periods since T0
    mid: float
    mid_err: float
    ingress: float
    egress: float
    duration: float
    inner: float

    @property
    def ingress_duration(self) -> float:
        """Days from first to second contact: half of a grazing transit."""
        return (self.duration - self.inner) / 2


def read_planet(path: str | Path) -> Planet:
    """Read a planet file.

    Parameters
    ----------
    path : path-like
        TOML with name, ra, dec (degrees, or sexagesimal hours and degrees as text), period_days,
        t0_bjd_tdb, rp_over_rs, a_over_rs, inclination_deg; optional eccentricity, omega_deg and a
        table ``[star]`` with teff_k, logg, feh, pm_ra_mas_yr (times cos dec) and pm_dec_mas_yr
        (both or none), parallax_mas, epoch_year of ra and dec (J2000), g_mag (Gaia). ``dilution``
        is the target's share of the light in the aperture, where it is known better than the
        frames tell.
        Any number may have its one-sigma error beside it as NAME_err.

    Raises
    ------
    InputError
        When the file is missing, too large, not TOML, or a value is missing, unknown or out of
        its range.
    """
    return make_planet(read_toml(path, "a planet file", max_bytes=MAX_BYTES), Path(path).name)


def make_planet(values: Mapping[str, Any], origin: str) -> Planet:
    """Check a planet's values, as in a planet file; stellar ones in ``star`` or beside the others.

    Parameters
    ----------
    origin : str
        Named in errors and kept as the source.

    Raises
    ------
    InputError
        Naming the first value at fault.
    """
    flat = {k: v for k, v in values.items() if k != "star"}
    star = values.get("star", {})
    flat |= star if isinstance(star, Mapping) else {"star": star}
    missing = [name for name in REQUIRED if name not in flat]
    if missing:
        msg = f"{origin}: {', '.join(missing)} missing; a planet file needs {', '.join(REQUIRED)}"
        raise InputError(msg)
    known = {*REQUIRED, *LIMITS, *(f"{name}_err" for name in LIMITS), "source"}
    unknown = sorted(set(flat) - known)
    if unknown:
        msg = f"{origin}: {unknown[0]} is not known; known are {', '.join(sorted(known))}"
        raise InputError(msg)
    if ("pm_ra_mas_yr" in flat) != ("pm_dec_mas_yr" in flat):
        msg = f"{origin}: give both pm_ra_mas_yr and pm_dec_mas_yr, or neither"
        raise InputError(msg)
    numbers = {name: _number(flat, name, origin) for name in LIMITS if name in flat}
    errors = {
        name: _number(flat, f"{name}_err", origin) for name in LIMITS if f"{name}_err" in flat
    }
    return Planet(
        name=str(flat["name"]),
        ra_deg=_angle(flat["ra"], "ra", origin),
        dec_deg=_angle(flat["dec"], "dec", origin),
        **numbers,
        errors=errors,
        source=str(flat.get("source", origin)),
    )


def predict_transit(planet: Planet, bjd_tdb: float) -> Prediction:
    """Predict the transit nearest a time; its error is sqrt(err(T0)^2 + (epoch err(P))^2)."""
    epoch = round((bjd_tdb - planet.t0_bjd_tdb) / planet.period_days)
    mid = planet.t0_bjd_tdb + epoch * planet.period_days
    errors = planet.errors
    error = float("nan")
    if "t0_bjd_tdb" in errors or "period_days" in errors:
        error = math.hypot(errors.get("t0_bjd_tdb", 0.0), epoch * errors.get("period_days", 0.0))
    duration, inner = transit_duration(planet), transit_duration(planet, inner=True)
    half = duration / 2
    return Prediction(epoch, mid, error, mid - half, mid + half, duration, inner)


def transit_duration(planet: Planet, *, inner: bool = False) -> float:
    """Work out the days from first to fourth contact of a planet as known; 0 for no transit.

    inner: from second to third contact instead.
    """
    b, rp = impact_parameter(planet), planet.rp_over_rs
    return float(contact_duration(planet, rp=rp, a=planet.a_over_rs, b=b, inner=inner))


def central_depth(planet: Planet) -> float:
    """Work out the light that a planet takes at mid-transit from a star without limb darkening."""
    return float(occult(np.array([impact_parameter(planet)]), planet.rp_over_rs, 0.0, 0.0)[0][0])


def impact_parameter(planet: Planet) -> float:
    """Work out the impact parameter, stellar radii, not negative, of a planet as it is known."""
    cosine = abs(math.cos(math.radians(planet.inclination_deg)))
    return planet.a_over_rs * cosine * _distance_factor(planet)


def contact_duration(
    planet: Planet,
    *,
    rp: float | np.ndarray,
    a: float | np.ndarray,
    b: float | np.ndarray,
    inner: bool = False,
) -> float | np.ndarray:
    """Work out the duration of a transit, days, from rp, a and b in stellar radii.

    Winn (2010, arXiv:1001.2010), equations 14 to 16; 0 where there are no such contacts. inner:
    from second to third contact instead of first to fourth.
    """
    reach = (1 - rp if inner else 1 + rp) ** 2 - b**2
    cosine = b / (a * _distance_factor(planet))
    exists = (reach > 0) & (np.abs(cosine) < 1)
    sine = np.sqrt(np.where(exists, 1 - cosine**2, 1.0))
    chord = np.sqrt(np.where(exists, reach, 0.0)) / (a * sine)
    speed = math.sqrt(1 - planet.eccentricity**2) / (1 + _e_sin_omega(planet))
    duration = planet.period_days / math.pi * np.arcsin(np.minimum(1.0, chord)) * speed
    return float(duration) if np.ndim(duration) == 0 else duration


def inclination(planet: Planet, a: float, b: float) -> float:
    """Work out the inclination, degrees, that gives an impact parameter; NaN where none does."""
    cosine = b / (a * _distance_factor(planet))
    return math.degrees(math.acos(cosine)) if abs(cosine) <= 1 else float("nan")


def _e_sin_omega(planet: Planet) -> float:
    return planet.eccentricity * math.sin(math.radians(planet.omega_deg))


def _distance_factor(planet: Planet) -> float:
    """Distance of planet and star at mid-transit over the semi-major axis."""
    return (1 - planet.eccentricity**2) / (1 + _e_sin_omega(planet))


def _number(values: Mapping[str, Any], name: str, origin: str) -> float:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        msg = f"{origin}: {name} must be a number, got {value!r}"
        raise InputError(msg)
    low, high = (0.0, math.inf) if name.endswith("_err") else LIMITS[name]
    if not low <= value <= high:
        msg = f"{origin}: {name} = {value:g} is outside {low:g} to {high:g}"
        raise InputError(msg)
    return float(value)


def _angle(value: Any, name: str, origin: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError(name)
        degrees = read_angle(value, hours=name == "ra")
    except (ValueError, TypeError) as error:
        msg = f'{origin}: {name} = {value!r} is no angle; write degrees or "hh:mm:ss"'
        raise InputError(msg) from error
    low, high = (0.0, 360.0) if name == "ra" else (-90.0, 90.0)
    if not low <= degrees <= high:
        msg = f"{origin}: {name} = {degrees:g} is outside {low:g} to {high:g} degrees"
        raise InputError(msg)
    return degrees


def mark_transit(planet: Planet, bjd_tdb: np.ndarray) -> np.ndarray:
    """Mark the points that may lie in the transit predicted nearest to their median time.

    From ingress to egress, widened on both sides by three sigma of the predicted mid-time; by
    nothing where the ephemeris has no error.
    bjd_tdb: (n,) float array. Returns (n,) bool array, False at NaN.
    """
    transit = predict_transit(planet, float(np.nanmedian(bjd_tdb)))
    margin = np.nan_to_num(MARGIN_SIGMA * transit.mid_err)
    return (bjd_tdb > transit.ingress - margin) & (bjd_tdb < transit.egress + margin)


def dip_shape(planet: Planet, bjd_tdb: np.ndarray) -> np.ndarray:
    """Draw the shape of the transit predicted nearest to the points' median time.

    A trapezoid between the contacts: 0 outside, 1 from the second to the third, of a grazing one at
    the middle; 0 everywhere for a planet that does not transit.
    bjd_tdb: (n,) float array. Returns (n,) float array, 0 at NaN.
    """
    transit = predict_transit(planet, float(np.nanmedian(bjd_tdb)))
    if not transit.duration > 0:
        return np.zeros(len(bjd_tdb))
    since_contact = transit.duration / 2 - np.abs(bjd_tdb - transit.mid)
    depth = since_contact / transit.ingress_duration
    return np.clip(np.nan_to_num(depth), 0.0, 1.0)
