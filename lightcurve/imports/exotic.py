"""``inits.json`` of EXOTIC (https://github.com/rzellem/EXOTIC, its wiki)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lightcurve.imports.rules import COMMAND, Import, Rule, degrees, left_out, option, positive

_COLOURS = {"gray": "grey", "grey": "grey", "red": "R", "green": "G", "blue": "B"}
_OWN_WAY = "of its own method: not needed here"
_PIXELS = "stars are found by the sky, without pixels: name others with --comp RA,DEC"
_HEADERS = "read from the frames' headers"
CAMERA_KINDS = ("CCD", "CMOS", "DSLR")
_ERRORS = {
    "orbital period uncertainty": "period_days",
    "mid-transit time uncertainty": "t0_bjd_tdb",
    "ratio of planet to stellar radius (rp/rs) uncertainty": "rp_over_rs",
    "ratio of distance to stellar radius (a/rs) uncertainty": "a_over_rs",
    "orbital inclination (deg) uncertainty": "inclination_deg",
    "star effective temperature (+) uncertainty": "teff_k",
    "star metallicity (+) uncertainty": "feh",
    "star surface gravity (+) uncertainty": "logg",
}
_OTHER_SIDE = left_out("one error serves both sides: that of the (+) side")


def _codes(value: Any) -> list[str]:
    """Take codes apart, with commas between or as a list."""
    codes = value if isinstance(value, list) else str(value).split(",")
    return [str(code).strip() for code in codes]


def _camera_kind(value: Any) -> str:
    kind = str(value).strip().upper()
    if kind not in CAMERA_KINDS:
        msg = f"none of {', '.join(CAMERA_KINDS)}"
        raise ValueError(msg)
    return kind


RULES = {
    "directory with fits files": Rule(COMMAND, str, "the folder to run"),
    "directory to save plots": option("--out"),
    "directory of flats": option("--flat"),
    "directory of darks": option("--dark"),
    "directory of biases": option("--bias"),
    "aavso observer code": Rule("settings.observer.aavso_code", str),
    "secondary observer codes": Rule("settings.observer.secondary_codes", _codes),
    "observatory full title": Rule("settings.site.name", str),
    "observation date": left_out(_HEADERS),
    "obs. latitude": Rule("settings.site.latitude_deg", degrees),
    "obs. longitude": Rule("settings.site.longitude_deg", degrees),
    "obs. elevation (meters)": Rule("settings.site.height_m", float),
    "camera type (ccd or dslr)": Rule("settings.observer.camera_kind", _camera_kind),
    "pixel binning": option("--binning", verb="export"),
    "filter name (aavso.org/filters)": option(
        "--filter", "headers say which frames to take", verb="export"
    ),
    "observing notes": option("--notes", verb="export"),
    "plate solution? (y/n)": left_out("plates are always solved"),
    "add comparison stars from aavso? (y/n)": left_out(_PIXELS),
    "target star x & y pixel": left_out("the target is found by its place on the sky"),
    "comparison star(s) x & y pixel": left_out(_PIXELS),
    "demosaic format": Rule("settings.camera.mosaic", lambda value: str(value).upper()),
    "demosaic output": Rule(
        "settings.camera.colour",
        lambda value: _COLOURS.get(str(value).lower()),
        "one colour, or grey: no other mixture",
    ),
    "target star ra": Rule("planet.ra", str),
    "target star dec": Rule("planet.dec", str),
    "planet name": Rule("planet.name", str),
    "host star name": Rule("settings.target.name", str),
    "orbital period (days)": Rule("planet.period_days", float),
    "published mid-transit time (bjd-utc)": Rule(
        "planet.t0_bjd_tdb",
        float,
        "taken as BJD_TDB, as archives have it; were it UTC, 69 s would be missing",
    ),
    "ratio of planet to stellar radius (rp/rs)": Rule("planet.rp_over_rs", float),
    "ratio of distance to stellar radius (a/rs)": Rule("planet.a_over_rs", float),
    "orbital inclination (deg)": Rule("planet.inclination_deg", float),
    "orbital eccentricity (0 if null)": Rule("planet.eccentricity", float),
    "argument of periastron (deg)": Rule("planet.omega_deg", float),
    "star effective temperature (k)": Rule("planet.teff_k", float),
    "star metallicity ([fe/h])": Rule("planet.feh", float),
    "star surface gravity (log(g))": Rule("planet.logg", float),
    "star distance (pc)": Rule(
        "planet.parallax_mas", lambda value: 1000 / float(value), "1000 / distance"
    ),
    "star proper motion ra (mas/yr)": Rule("planet.pm_ra_mas_yr", float),
    "star proper motion dec (mas/yr)": Rule("planet.pm_dec_mas_yr", float),
    "pre-reduced file": Rule(COMMAND, lambda value: f"fit {value}", "a table to fit, no frames"),
    "image scale (ex: 5.21 arcsecs/pixel)": Rule("settings.solve.scale_arcsec", positive),
    "pixel scale (arsec/pixel)": Rule("settings.solve.scale_arcsec", positive),
    "exposure time (s)": left_out(_HEADERS + "; --exposure where they are wrong"),
    "star effective temperature (-) uncertainty": _OTHER_SIDE,
    "star metallicity (-) uncertainty": _OTHER_SIDE,
    "star surface gravity (-) uncertainty": _OTHER_SIDE,
}
RULES |= {key: Rule(f"planet.{name}_err", positive) for key, name in _ERRORS.items()}


def _rule(key: str) -> Rule | None:
    section, _, own = key.partition(" / ")
    known = RULES.get(own) or RULES.get(own.partition(" (")[0]) or RULES.get(own.partition(":")[0])
    return known or (left_out(_OWN_WAY) if section == "optional_info" else None)


def _parse(text: str) -> Mapping[str, Any] | None:
    """Take the sections apart; some versions have each as a list of one."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict) or "planetary_parameters" not in whole:
        return None
    values: dict[str, Any] = {}
    for name in whole:
        section = whole[name]
        section = section[0] if isinstance(section, list) and section else section
        if name != "inits_guide" and isinstance(section, dict):
            values |= {f"{name} / {key}": value for key, value in section.items()}
    return values


EXOTIC = Import("exotic", "inits.json of EXOTIC", _parse, _rule)
