"""Metadata YAML of AstroPhotography: FITS keywords, for headers that lack them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightcurve.frames.dialects import KEYWORDS
from lightcurve.imports.rules import Import, Rule, degrees, left_out, positive
from lightcurve.imports.texts import read_yaml

_KEYWORD = re.compile(r"[A-Za-z0-9_-]{1,8}")
_BY_HEADER = "of single frames: `lightcurve header set` writes it into copies"
# What a header calls a quantity, and the setting that stands for it where headers are silent.
SETTINGS = {
    "latitude": Rule("settings.site.latitude_deg", degrees),
    "longitude": Rule("settings.site.longitude_deg", degrees, "east positive"),
    "height": Rule("settings.site.height_m", float),
    "site_name": Rule("settings.site.name", str),
    "object_name": Rule("settings.target.name", str),
    "gain": Rule("settings.camera.gain_e_per_adu", positive),
    "read_noise": Rule("settings.camera.read_noise_e", float),
    "saturation": Rule("settings.camera.saturation_adu", positive),
    "scale": Rule("settings.solve.scale_arcsec", positive),
    "exposure": Rule("settings.time.exposure_s", positive, "of all light frames"),
    "mosaic": Rule("settings.camera.mosaic", lambda value: str(value).upper()),
}
_PLACES = {
    "ra-obj": Rule("settings.target.ra", str),
    "dec-obj": Rule("settings.target.dec", str),
    "ra": Rule("settings.target.ra", str),
    "dec": Rule("settings.target.dec", str),
}


def _rule(key: str) -> Rule | None:
    if key in _PLACES:
        return _PLACES[key]
    for quantity, keywords in KEYWORDS.quantities.items():
        if key.upper() in keywords:
            return SETTINGS.get(quantity, left_out(_BY_HEADER))
    return left_out(_BY_HEADER)


def _parse(text: str) -> Mapping[str, Any] | None:
    values = read_yaml(text)
    if not values or not all(_KEYWORD.fullmatch(key) for key in values):
        return None
    flat = not any(isinstance(value, dict | list) for value in values.values())
    return values if flat else None


METADATA = Import("metadata", "metadata YAML of AstroPhotography", _parse, _rule)
