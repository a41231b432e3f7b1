"""The shape of a transit from what is known of planet and star: any set of values that suffices.

Each quantity may follow in several ways; the first that is known is used, the others are held
against it. Errors are propagated by drawing all values many times. Winn (2010, arXiv:1001.2010),
equations 14 to 16 and 30.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import KnownDuration, Note, Severity
from lightcurve.core.errors import InputError
from lightcurve.transit.keys import LIMITS
from lightcurve.transit.limb_darkening import star_quadratic

Known = Mapping[str, np.ndarray]  # values drawn, (DRAWS + 1,) each, as given first

DRAWS = 4000
GRAVITATION = 6.6743e-8  # cm3 g-1 s-2
SUN_DENSITY = 1.41  # g/cm3: IAU 2015 nominal mass and radius
SUN_GRAVITY = 4.438  # log of cm/s2
AU_SOLAR_RADII, JUPITER_SOLAR_RADII, EARTH_SOLAR_RADII = 215.032, 0.10276, 0.0091681
CONTRADICTION = 3.0  # sigma
PLAIN_ERROR = 0.05  # of a value given without its error, where values are held against each other
DURATION_ERROR = 0.05  # of a duration given without its error
DEPTH_MODEL = 0.04  # of Rp/R* from a depth: the filter that it was measured in is not known
UNKNOWN_B = 0.5  # the middle of what is possible
CONTACTS = (("duration_hours", False), ("full_duration_hours", True))
RED = "TESS"  # the light in which candidates are mostly found


@dataclass(frozen=True, slots=True)
class Way:
    """How a quantity follows from others: their names, and the formula."""

    needs: tuple[str, ...]
    find: Callable[[Known], np.ndarray]


def of_density(density: np.ndarray, period_days: np.ndarray) -> np.ndarray:
    """Work out a/R* by Kepler's third law, of g/cm3; the planet's mass is neglected."""
    period = period_days * DAY_S
    return np.asarray((GRAVITATION * density * period**2 / (3 * np.pi)) ** (1 / 3))


def of_depth(known: Known, b: np.ndarray | None = None) -> np.ndarray:
    """Work Rp/R* out from the light lost at mid-transit, percent, at an impact parameter.

    A small planet takes k^2 I(mu) of the disc's mean brightness, 1 - u1/3 - u2/6 in units of I(1).
    """
    star = {name: float(known[name][0]) for name in ("teff_k", "logg", "feh") if name in known}
    u1, u2 = star_quadratic(RED, **star)
    at = np.full(DRAWS + 1, UNKNOWN_B) if b is None else b
    mu = np.sqrt(np.clip(1 - at**2, 0.0, 1.0))
    bright = (1 - u1 * (1 - mu) - u2 * (1 - mu) ** 2) / (1 - u1 / 3 - u2 / 6)
    error = np.random.default_rng(2).normal(1.0, DEPTH_MODEL, DRAWS + 1)
    error[0] = 1.0
    return np.asarray(np.sqrt(known["depth_percent"] / 100 / bright) * error)


RADIUS_WAYS = (
    Way(("rp_over_rs",), lambda v: v["rp_over_rs"]),
    Way(
        ("radius_earth", "radius_sun"),
        lambda v: v["radius_earth"] * EARTH_SOLAR_RADII / v["radius_sun"],
    ),
    Way(
        ("radius_jupiter", "radius_sun"),
        lambda v: v["radius_jupiter"] * JUPITER_SOLAR_RADII / v["radius_sun"],
    ),
    Way(
        ("radius_ratio_squared_percent",),
        lambda v: np.sqrt(v["radius_ratio_squared_percent"] / 100),
    ),
    Way(("depth_percent",), of_depth),
)
AXIS_WAYS = (
    Way(("a_over_rs",), lambda v: v["a_over_rs"]),
    Way(("density_g_cm3",), lambda v: of_density(v["density_g_cm3"], v["period_days"])),
    Way(
        ("mass_sun", "radius_sun"),
        lambda v: of_density(SUN_DENSITY * v["mass_sun"] / v["radius_sun"] ** 3, v["period_days"]),
    ),
    Way(
        ("semi_major_axis_au", "radius_sun"),
        lambda v: v["semi_major_axis_au"] * AU_SOLAR_RADII / v["radius_sun"],
    ),
    Way(
        ("logg", "radius_sun"),
        lambda v: of_density(
            SUN_DENSITY * 10 ** (v["logg"] - SUN_GRAVITY) / v["radius_sun"], v["period_days"]
        ),
    ),
)
ORBIT_WAYS = (
    Way(
        ("e_cos_omega", "e_sin_omega"),
        lambda v: np.array([v["e_cos_omega"], v["e_sin_omega"]]),
    ),
    Way(
        ("sqrt_e_cos_omega", "sqrt_e_sin_omega"),
        lambda v: (
            np.array([v["sqrt_e_cos_omega"], v["sqrt_e_sin_omega"]])
            * np.hypot(v["sqrt_e_cos_omega"], v["sqrt_e_sin_omega"])
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a planet file says of the shape of a transit.

    values : of rp_over_rs, a_over_rs, inclination_deg, eccentricity and omega_deg.
    errors : of these and of impact_parameter; without those that are not known.
    free : which of a_over_rs and impact_parameter nothing tells but the durations.
    """

    values: dict[str, float]
    errors: dict[str, float]
    free: tuple[str, ...]
    durations: tuple[KnownDuration, ...]
    notes: tuple[Note, ...]


def lacking(names: AbstractSet[str]) -> list[str]:
    """Say what a transit's shape needs beyond values of these names; empty where they suffice."""
    missing = []
    if not _possible(RADIUS_WAYS, names):
        missing.append(f"the planet's size ({_either(RADIUS_WAYS)})")
    if "duration_hours" not in names and not _possible(AXIS_WAYS, names):
        missing.append(f"how long a transit takes (duration_hours, {_either(AXIS_WAYS)})")
    return missing


def work_out(values: Mapping[str, float], errors: Mapping[str, float], origin: str) -> Shape:
    """Work the shape out of values of which `lacking` finds none.

    Raises
    ------
    InputError
        Where they make no sense together, with the numbers.
    """
    known = _draw(values, errors)
    known |= _orbit(known, origin)
    known["rp"], notes = _first(RADIUS_WAYS, known, "Rp/R*")
    axis, more = (
        _first(AXIS_WAYS, known, "a/R*") if _possible(AXIS_WAYS, known.keys()) else (None, [])
    )
    b = _impact(known, axis)
    if "duration_hours" not in known or (axis is not None and b is not None):
        found = _checked(known, axis, b)
    else:
        found = _by_duration(known, axis, b, origin)
    axis, b, free, told = found
    if _way(RADIUS_WAYS, known).needs == ("depth_percent",):
        known["rp"] = of_depth(known, b)
    return _laid_out(known, errors, (axis, b), free, [*notes, *more, *told], origin)


def _laid_out(
    known: dict[str, np.ndarray],
    errors: Mapping[str, float],
    orbit: tuple[np.ndarray, np.ndarray],
    free: tuple[str, ...],
    notes: list[Note],
    origin: str,
) -> Shape:
    axis, b = orbit
    cosine = b / (axis * known["distance"])
    if not abs(cosine[0]) <= 1 or not axis[0] >= 1:
        msg = f"{origin}: a/R* {axis[0]:.3g} with impact parameter {b[0]:.3g} is no orbit"
        raise InputError(msg)
    names = ("rp_over_rs", "a_over_rs", "inclination_deg", "eccentricity", "omega_deg")
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    columns = (known["rp"], axis, angle, known["e"], known["omega"], b)
    drawn = dict(zip((*names, "impact_parameter"), columns, strict=True))
    found = {name: float(drawn[name][0]) for name in names}
    given = {name: float(known[name][0]) for name in names if name in known}
    found |= {name: v for name, v in given.items() if math.isclose(v, found[name], rel_tol=1e-9)}
    for name in ("rp_over_rs", "a_over_rs"):
        low, high = LIMITS[name]
        if not low <= found[name] <= high:
            msg = f"{origin}: {name} is {found[name]:.4g} by the other values, outside "
            raise InputError(msg + f"{low:g} to {high:g}: are their units right?")
    loose = {*free, *(["inclination_deg"] if free else [])}
    spreads = {name: _spread(column) for name, column in drawn.items() if name not in loose}
    told = {name: error for name, error in spreads.items() if error > 0 and name not in known}
    told |= {
        n: error
        for n, error in errors.items()
        if n in drawn and n not in loose - {"inclination_deg"}
    }
    if {"a_over_rs", "inclination_deg"} <= known.keys():
        told.pop("impact_parameter", None)  # that of the inclination counts
    durations = tuple(
        KnownDuration(hours[0] / 24, errors.get(name, DURATION_ERROR * hours[0]) / 24, inner)
        for name, inner in CONTACTS
        if free and (hours := known.get(name)) is not None
    )
    return Shape(found, told, free, durations, tuple(notes))


def _draw(values: Mapping[str, float], errors: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Draw all values as their errors allow, the values themselves first."""
    rng = np.random.default_rng(1)
    drawn = {}
    for name, value in values.items():
        column = np.full(DRAWS + 1, value)
        if errors.get(name):
            column[1:] += errors[name] * rng.normal(size=DRAWS)
            column = np.clip(column, *LIMITS.get(name, (-np.inf, np.inf)))
        drawn[name] = column
    return drawn


def _spread(column: np.ndarray) -> float:
    """Half of what holds the middle 68 % of the draws; 0 of what has no error."""
    low, high = np.percentile(column[1:], [15.865, 84.135])
    return float(high - low) / 2


def _shown(column: np.ndarray) -> str:
    error = _spread(column)
    return f"{column[0]:.4g}" + (f" +- {error:.2g}" if error else "")


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """How many sigma two quantities differ, of which one without an error has a plain one."""
    plain = [PLAIN_ERROR * abs(column[0]) for column in (one, other) if not _spread(column)]
    return float(abs(one[0] - other[0]) / math.hypot(_spread(one - other), *plain, 1e-12))


def _possible(ways: tuple[Way, ...], names: AbstractSet[str]) -> bool:
    return any(names >= set(way.needs) for way in ways)


def _either(ways: tuple[Way, ...]) -> str:
    return " or ".join(" with ".join(way.needs) for way in ways)


def _way(ways: tuple[Way, ...], known: Known) -> Way:
    return next(way for way in ways if known.keys() >= set(way.needs))


def _first(ways: tuple[Way, ...], known: Known, what: str) -> tuple[np.ndarray, list[Note]]:
    """Find a quantity in the first way that is open, and hold the others against it."""
    used, *others = (way for way in ways if known.keys() >= set(way.needs))
    column = used.find(known)
    name, notes = " and ".join(used.needs), []
    if len(used.needs) > 1 or used is not ways[0]:
        notes.append(Note(f"{what} {_shown(column)} worked out from {name}"))
    for way in others:
        other = way.find(known)
        if _apart(column, other) > CONTRADICTION:
            text = (
                f"{what} is {_shown(column)} by {name}, but {_shown(other)} by "
                f"{' and '.join(way.needs)}, {_apart(column, other):.1f} sigma apart: the former "
                "is used, being nearer to what transits show"
            )
            notes.append(Note(text, Severity.WARNING))
    return column, notes


def _orbit(known: Known, origin: str) -> dict[str, np.ndarray]:
    """Find eccentricity and argument of periastron, degrees, and what they make of durations.

    speed: of a duration, over that of a circular orbit. distance: of the bodies at mid-transit, in
    semi-major axes.
    """
    if _possible(ORBIT_WAYS, known.keys()):
        way = _way(ORBIT_WAYS, known)
        x, y = way.find(known)
        e, omega = np.hypot(x, y), np.degrees(np.arctan2(y, x))
        if not e[0] < LIMITS["eccentricity"][1]:
            msg = f"{origin}: {_either((way,))} make an eccentricity of {e[0]:.3g}"
            raise InputError(msg)
        e = np.minimum(e, LIMITS["eccentricity"][1])
    else:
        e = known.get("eccentricity", np.zeros(DRAWS + 1))
        omega = known.get("omega_deg", np.full(DRAWS + 1, 90.0))
    along = 1 + e * np.sin(np.radians(omega))
    speed, distance = np.sqrt(1 - e**2) / along, (1 - e**2) / along
    return {"e": e, "omega": omega, "speed": speed, "distance": distance}


def _impact(known: Known, axis: np.ndarray | None) -> np.ndarray | None:
    """Tell the impact parameter, where it is given or the orbit and its inclination are."""
    if "impact_parameter" in known:
        return known["impact_parameter"]
    if axis is None or "inclination_deg" not in known:
        return None
    cosine = np.abs(np.cos(np.radians(known["inclination_deg"])))
    return np.asarray(axis * cosine * known["distance"])


def _sine(known: Known, name: str, origin: str) -> np.ndarray:
    """Sine of half the angle on the orbit between two contacts; a duration's name."""
    angle = np.pi * known[name] / 24 / known["period_days"] / known["speed"]
    if not 0 <= angle[0] < np.pi / 2:
        msg = (
            f"{origin}: {name} = {known[name][0]:g} is more than an orbit of "
            f"{24 * known['period_days'][0]:.4g} h allows"
        )
        raise InputError(msg)
    return np.sin(np.minimum(angle, np.pi / 2))


def _by_duration(
    known: Known, axis: np.ndarray | None, b: np.ndarray | None, origin: str
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], list[Note]]:
    """Find what is not known of a/R* and impact parameter from the durations, and what is free."""
    rp, distance, notes = known["rp"], known["distance"], []
    outer = _sine(known, "duration_hours", origin)
    if axis is not None:
        square = ((1 + rp) ** 2 - (outer * axis) ** 2) / (1 - (outer / distance) ** 2)
        longest = np.arcsin(np.minimum((1 + rp) / axis, 1)) / np.arcsin(outer)
        longest *= known["duration_hours"]
        if square[0] >= 0 or _apart(known["duration_hours"], longest) <= CONTRADICTION:
            text = "impact parameter told by the duration alone, beside a/R*"
            if square[0] < 0:
                text += f", which allows {_shown(longest)} h in a central transit at most"
            return axis, _root(square), ("impact_parameter",), [Note(text)]
        text = (
            f"duration_hours {_shown(known['duration_hours'])} is more than the "
            f"{_shown(longest)} of a central transit at a/R* {_shown(axis)}: the duration is used, "
            "being seen, and a/R* is left free"
        )
        notes.append(Note(text, Severity.WARNING))
    if b is not None:
        reach = (1 + rp) ** 2 - b**2
        if not reach[0] > 0:
            msg = f"{origin}: impact parameter {b[0]:.3g} with Rp/R* {rp[0]:.3g} does not transit"
            raise InputError(msg)
        axis = _root(np.maximum(reach, 0) / outer**2 + (b / distance) ** 2)
        return axis, b, ("a_over_rs",), [*notes, Note("a/R* told by the duration alone")]
    if "inclination_deg" in known:
        cosine = np.abs(np.cos(np.radians(known["inclination_deg"])))
        axis = (1 + rp) / np.hypot(outer * np.sqrt(1 - cosine**2), cosine * distance)
        text = "a/R* told by the duration alone, beside the inclination"
        return axis, axis * cosine * distance, ("a_over_rs",), [*notes, Note(text)]
    told = "a/R* told by the duration alone, at any impact parameter that transits"
    b = np.full(DRAWS + 1, UNKNOWN_B)
    if "full_duration_hours" in known:
        told = "a/R* and impact parameter told by both durations alone"
        ratio = (_sine(known, "full_duration_hours", origin) / outer) ** 2
        if not ratio[0] < 1:
            msg = (
                f"{origin}: full_duration_hours {known['full_duration_hours'][0]:g}, from second "
                "to third contact, is not less than duration_hours, from first to fourth, "
                f"{known['duration_hours'][0]:g}"
            )
            raise InputError(msg)
        b = _root(((1 - rp) ** 2 - ratio * (1 + rp) ** 2) / np.maximum(1 - ratio, 1e-9))
    axis = _root(((1 + rp) ** 2 - b**2) / outer**2 + (b / distance) ** 2)
    return axis, b, ("a_over_rs", "impact_parameter"), [*notes, Note(told)]


def _root(square: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(square, 0.0))


def _checked(
    known: Known, axis: np.ndarray | None, b: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], list[Note]]:
    """Take a/R* and impact parameter as told; one that is not known may be any."""
    if axis is None:
        msg = "neither a/R* nor a duration"
        raise ValueError(msg)
    if b is None:
        text = "impact parameter not known: any that transits is taken to be as likely"
        return axis, np.full(DRAWS + 1, UNKNOWN_B), ("impact_parameter",), [Note(text)]
    notes = []
    for name, inner in CONTACTS:
        reach = (1 - known["rp"] if inner else 1 + known["rp"]) ** 2 - b**2
        if name not in known or not reach[0] > 0:
            continue
        sine = np.sqrt(np.maximum(1 - (b / axis / known["distance"]) ** 2, 1e-9))
        chord = np.minimum(_root(reach) / (axis * sine), 1)
        hours = 24 * known["period_days"] / np.pi * np.arcsin(chord) * known["speed"]
        if _apart(hours, known[name]) > CONTRADICTION:
            text = (
                f"{name} is {_shown(known[name])}, but a/R* {_shown(axis)} and impact parameter "
                f"{_shown(b)} make it {_shown(hours)}, {_apart(hours, known[name]):.1f} sigma "
                "apart: the latter are used; leave one of them out to use the duration"
            )
            notes.append(Note(text, Severity.WARNING))
    return axis, b, (), notes
