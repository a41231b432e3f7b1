"""What is known of a planet, when its transits happen, and which points may lie in one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.coordinates import read_angle
from lightcurve.core.data import Planet
from lightcurve.core.errors import InputError
from lightcurve.core.files import read_toml
from lightcurve.transit import shape
from lightcurve.transit.discs import occult
from lightcurve.transit.keys import LIMITS, SHAPE_KEYS
from lightcurve.transit.limb_darkening import WAVELENGTH_NM
from lightcurve.transit.orbit import contacts

__all__ = [
    "MARGIN_SIGMA",
    "central_depth",
    "dip_shape",
    "impact_parameter",
    "lacking",
    "make_planet",
    "mark_transit",
    "predict_transit",
    "read_planet",
    "transit_duration",
]

MAX_BYTES = 100_000
REQUIRED = ("name", "ra", "dec", "period_days", "t0_bjd_tdb")  # beside what shapes a transit
# Of these a planet is made as they are; others, of `lightcurve.transit.shape`, lead to them.
DIRECT = ("rp_over_rs", "a_over_rs", "inclination_deg")
ORBIT = ("eccentricity", "omega_deg")
SHARES = ("dilution", "contamination")
OWN = tuple(name for name in LIMITS if name not in {*SHAPE_KEYS, "contamination"})
PAIRS = (
    {"pm_ra_mas_yr", "pm_dec_mas_yr"},
    {"e_cos_omega", "e_sin_omega"},
    {"sqrt_e_cos_omega", "sqrt_e_sin_omega"},
)
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
        t0_bjd_tdb, and what tells the shape of a transit: rp_over_rs, a_over_rs and
        inclination_deg, or any others of `lightcurve.transit.keys.KEYS` that suffice. Optional
        in a table ``[star]``: teff_k, logg, feh, pm_ra_mas_yr (times cos dec) and pm_dec_mas_yr
        (both or none), parallax_mas, epoch_year of ra and dec (J2000), g_mag. ``dilution`` is the
        target's share of the light in the aperture, where it is known better than the frames tell,
        ``contamination`` the light of others over that of the target; a number, or a table of them
        by filter. Any number may have its one-sigma error beside it as NAME_err.

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
    dilutions = _take_dilutions(flat, origin)
    _check_names(flat, origin)
    missing = lacking(flat.keys())
    if missing:
        msg = f"{origin}: {'; and '.join(missing)} missing; a planet file needs "
        msg += f"{', '.join(REQUIRED)}, and what shapes its transit"
        raise InputError(msg)
    numbers = {name: _number(flat, name, origin) for name in LIMITS if name in flat}
    errors = {
        name: _number(flat, f"{name}_err", origin) for name in LIMITS if f"{name}_err" in flat
    }
    own: dict[str, Any] = {name: value for name, value in numbers.items() if name in OWN}
    return Planet(
        name=str(flat["name"]),
        ra_deg=_angle(flat["ra"], "ra", origin),
        dec_deg=_angle(flat["dec"], "dec", origin),
        **own,
        **_shape_of(numbers, errors, origin),
        dilutions=dilutions,
        source=str(flat.get("source", origin)),
    )


def lacking(names: AbstractSet[str]) -> list[str]:
    """Say what a planet needs beyond values of these names; empty where they suffice."""
    return [name for name in REQUIRED if name not in names] + shape.lacking(names)


def _check_names(flat: Mapping[str, Any], origin: str) -> None:
    """Refuse values that are not known, and halves of pairs."""
    known = {*REQUIRED, *LIMITS, *(f"{name}_err" for name in LIMITS), "source"}
    unknown = sorted(set(flat) - known)
    if unknown:
        near = get_close_matches(unknown[0], known, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        msg = f"{origin}: {unknown[0]} is not known{meant}; `lightcurve planets keys` lists what is"
        raise InputError(msg)
    for pair in PAIRS:
        if len(pair & flat.keys()) == 1:
            msg = f"{origin}: give both {' and '.join(sorted(pair))}, or neither"
            raise InputError(msg)


def _shape_of(
    numbers: Mapping[str, float], errors: Mapping[str, float], origin: str
) -> dict[str, Any]:
    """Give the fields of a `Planet` that shape its transit, and all errors."""
    said = {name: value for name, value in numbers.items() if name in SHAPE_KEYS}
    if said.keys() <= {*DIRECT, *ORBIT} and said.keys() >= {*DIRECT}:
        return {**said, "errors": dict(errors)}
    found = shape.work_out(numbers, errors, origin)
    rest = {name: error for name, error in errors.items() if name not in SHAPE_KEYS}
    given = {**said, **{f"{name}_err": errors[name] for name in said if name in errors}}
    return {
        **found.values,
        "errors": rest | found.errors,
        "free": found.free,
        "durations": found.durations,
        "given": given,
        "notes": found.notes,
    }


def _take_dilutions(flat: dict[str, Any], origin: str) -> dict[str, tuple[float, float]]:
    """Take dilution and contamination by filter out of values; of one number, a dilution is left.

    A contamination C, the light of others over that of the target, is a dilution of 1 / (1 + C).
    """
    said = {name: flat.pop(name) for name in SHARES if name in flat}
    if len(said) > 1:
        msg = f"{origin}: give one of {' and '.join(said)}"
        raise InputError(msg)
    for name, value in said.items():
        if not isinstance(value, Mapping):
            pair = {name: value, f"{name}_err": flat.pop(f"{name}_err", 0.0)}
            flat["dilution"], flat["dilution_err"] = _share(pair, name, origin)
            return {}
        filters = [key for key in value if not key.endswith("_err")]
        wrong = [
            key for key in value if key.removesuffix("_err") not in {*filters} & {*WAVELENGTH_NM}
        ]
        if wrong:
            msg = f"{origin}: {name} of {wrong[0]}: filters are {', '.join(WAVELENGTH_NM)}"
            raise InputError(msg)
        pairs = {
            key: {name: value[key], f"{name}_err": value.get(f"{key}_err", 0.0)} for key in filters
        }
        return {key: _share(pair, name, f"{origin}, {key}") for key, pair in pairs.items()}
    return {}


def _share(pair: Mapping[str, Any], name: str, origin: str) -> tuple[float, float]:
    """Read the target's share of the light, and its error."""
    value, error = _number(pair, name, origin), _number(pair, f"{name}_err", origin)
    if name == "dilution":
        return value, error
    share = 1 / (1 + value)
    return share, error * share**2


def predict_transit(planet: Planet, bjd_tdb: float) -> Prediction:
    """Predict the transit nearest a time; its error is sqrt(err(T0)^2 + (epoch err(P))^2)."""
    epoch = round((bjd_tdb - planet.t0_bjd_tdb) / planet.period_days)
    mid = planet.t0_bjd_tdb + epoch * planet.period_days
    errors = planet.errors
    error = float("nan")
    if "t0_bjd_tdb" in errors or "period_days" in errors:
        error = math.hypot(errors.get("t0_bjd_tdb", 0.0), epoch * errors.get("period_days", 0.0))
    duration, inner = transit_duration(planet), transit_duration(planet, inner=True)
    first, last = contacts(planet, planet.rp_over_rs, duration)
    return Prediction(epoch, mid, error, mid + first, mid + last, duration, inner)


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
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(name)
        if not math.isfinite(value):  # OverflowError of hundreds of digits
            raise ValueError(name)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{origin}: {name} must be a number, got {value!r:.40}"
        raise InputError(msg) from error
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
    except (ValueError, TypeError, OverflowError) as error:
        msg = f'{origin}: {name} = {value!r:.40} is no angle; write degrees or "hh:mm:ss"'
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
    middle = (transit.ingress + transit.egress) / 2
    since_contact = transit.duration / 2 - np.abs(bjd_tdb - middle)
    depth = since_contact / transit.ingress_duration
    return np.clip(np.nan_to_num(depth), 0.0, 1.0)
