"""``log.yaml`` and ``log_profile.yaml`` of HOPS (https://github.com/ExoWorldsSpies/hops)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightcurve.imports.rules import COMMAND, Import, Rule, degrees, left_out, positive
from lightcurve.imports.texts import read_yaml

_MARKS = {"burn_limit", "sma_over_rs", "observation_date_key", "target_ra_key"}
_STAMPS = {"exposure start": "start", "mid-exposure": "mid", "exposure end": "end"}
_HEADERS = "read from the frames' headers"
_KINDS = "calibration frames are told by their headers"
_STARS = re.compile(r"(comparison_\d+|target)_(aperture|[xyru]_position|active)")
PAIRS = {
    "target_ra_dec": ("target_ra_dec / ra", "target_ra_dec / dec"),
    "location": ("location / latitude", "location / longitude"),
}
PROMPTS = (
    "Choose Planet", "Choose Light-curve file", "hh:mm:ss +dd:mm:ss", "dd:mm:ss dd:mm:ss",
    "No filter chosen", "Target name", "Autosave",
)  # fmt: skip
_USUAL = {"EXPTIME", "EXPOSURE", "DATE-OBS", "TIME-OBS", "UT", "FILTER"}


def _unusual(value: Any) -> str | None:
    words = [word.strip() for word in str(value).split(",")]
    return None if set(words) & _USUAL else words[0]


def _saturation(value: Any) -> float | None:
    level = float(value)
    return level if 0 < level < 65535 else None


def _true(value: Any) -> float | None:
    """Read a number of the planet: HOPS has 0 where nothing was chosen."""
    return float(value) or None


RULES = {
    "burn_limit": Rule(
        "settings.camera.saturation_adu", _saturation, "saturated from here; not the top of 16 bits"
    ),
    "planet": Rule("planet.name", str),
    "target_ra_dec / ra": Rule("planet.ra", str),
    "target_ra_dec / dec": Rule("planet.dec", str),
    "target_name": Rule("settings.target.name", str),
    "location / latitude": Rule("settings.site.latitude_deg", degrees),
    "location / longitude": Rule("settings.site.longitude_deg", degrees),
    "period": Rule("planet.period_days", positive),
    "mid_time": Rule("planet.t0_bjd_tdb", positive),
    "rp_over_rs": Rule("planet.rp_over_rs", positive),
    "sma_over_rs": Rule("planet.a_over_rs", positive),
    "inclination": Rule("planet.inclination_deg", positive),
    "eccentricity": Rule("planet.eccentricity", float),
    "periastron": Rule("planet.omega_deg", _true, "0 is taken for not given"),
    "temperature": Rule("planet.teff_k", positive),
    "logg": Rule("planet.logg", positive),
    "metallicity": Rule("planet.feh", float),
    "time_stamp": Rule("settings.time.stamp", lambda value: _STAMPS[str(value)]),
    "observation_date_key": Rule("settings.time.keyword", _unusual, "where it is no usual one"),
    "observation_files": left_out("frames are told by their headers"),
    "observatory_lat": Rule("settings.site.latitude_deg", degrees),
    "observatory_long": Rule("settings.site.longitude_deg", degrees),
    "observatory_alt": Rule("settings.site.height_m", float),
    "observatory": Rule("settings.site.name", str),
    "light_curve_file": Rule(COMMAND, lambda value: f"fit {value}"),
    "observer": left_out("told to `lightcurve export` by its options"),
    "max_comparisons": Rule("settings.stars.max_comparisons", int),
    "directory": Rule(COMMAND, str, "the folder to run"),
}
# Families of keys, and why they are left out.
_GROUPS = (
    (re.compile(r".*_key|filter|camera|telescope|binning|focal_length|pixel_.*|aperture"),
     _HEADERS),
    (re.compile(r"(bias|dark|flat|dark_flat)_files"), _KINDS),
    (re.compile(r"master_.*_method|bin_fits"), "masters are clipped means; frames are not binned"),
    (_STARS, "stars are found by the sky, without pixels: name others with --comp RA,DEC"),
    (re.compile(r".*_(complete|version)|trash|___\d+"), "of its own progress"),
    (re.compile(r"(auto|manual|simbad)_target_.*|target_ra_dec_choice|manual_planet"),
     "the target is that of target_ra_dec"),
    (re.compile(r".*horizon.*|observatory_time_zone"), "of its planning of nights"),
)  # fmt: skip


def _rule(key: str) -> Rule | None:
    if key in RULES:
        return RULES[key]
    for pattern, why in _GROUPS:
        if pattern.fullmatch(key):
            return left_out(why)
    return left_out("of its own method: not needed here")


def _parse(text: str) -> Mapping[str, Any] | None:
    """Take the keys apart; of places, which are two values in one, make two."""
    values = read_yaml(text)
    if values is None or len(_MARKS & values.keys()) < 2:
        return None
    apart: dict[str, Any] = {}
    for key, value in values.items():
        halves = str(value).split()
        if key in PAIRS and len(halves) == 2 and halves[0].strip("+-")[:1].isdigit():
            apart |= dict(zip(PAIRS[key], halves, strict=True))
        else:
            apart[key] = value
    return apart


# Where HOPS asks for a number, 0 stands for none, and so do its prompts.
HOPS = Import("hops", "log.yaml or log_profile.yaml of HOPS", _parse, _rule, PROMPTS)
