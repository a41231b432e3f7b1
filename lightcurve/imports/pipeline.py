"""``config.txt`` of Astro_Fits_Pipeline and TransitForge: lines of ``key: value``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightcurve.imports.rules import COMMAND, Import, Rule, left_out, option
from lightcurve.imports.texts import read_lines

_MARKS = {"main directory", "light frame indicator", "target coordinates", "target radius"}
_KINDS = left_out("frames are told by their headers")
_PIXELS = "stars are found by the sky, without pixels: name others with --comp RA,DEC"
PLACE = "ra/dec"


def _radius(value: Any) -> tuple[float, ...]:
    radius = float(value)
    if radius <= 0:
        msg = f"a radius of {radius:g} px"
        raise ValueError(msg)
    return (radius,)


RULES = {
    "main directory": Rule(COMMAND, str, "the folder to run"),
    "output directory": option("--out"),
    "light frame indicator": _KINDS,
    "bias indicator": _KINDS,
    "flat indicator": _KINDS,
    "catalogue indicator": _KINDS,
    "target name": Rule("settings.target.name", str),
    f"{PLACE} / ra": Rule("settings.target.ra", str),
    f"{PLACE} / dec": Rule("settings.target.dec", str),
    "target radius": Rule(
        "settings.apertures.radii", _radius, "this one alone; leave it out and the best is chosen"
    ),
    "target coordinates": left_out("the target is found by its place on the sky"),
    "comparison coordinates": left_out(_PIXELS),
    "validation coordinates": left_out(_PIXELS),
    "source detection threshold": left_out("chosen from each frame's noise"),
    "main plot title": left_out("figures are named after target and night"),
    "observation date": left_out("read from the frames' headers"),
    "observer name": left_out("told to `lightcurve export` by its options"),
}


def _parse(text: str) -> Mapping[str, Any] | None:
    values = read_lines(text)
    known = {key.lower() for key in values or {}}
    if values is None or not any(key.startswith(mark) for key in known for mark in _MARKS):
        return None
    apart: dict[str, Any] = {}
    for key, value in values.items():
        halves = value.split(",")
        if key.lower() == PLACE and len(halves) == 2:
            apart |= {f"{key} / ra": halves[0].strip(), f"{key} / dec": halves[1].strip()}
        else:
            apart[key] = value
    return apart


def _rule(key: str) -> Rule | None:
    return RULES.get(key) or RULES.get(key.partition(" (")[0])


PIPELINE = Import("pipeline", "config.txt of Astro_Fits_Pipeline", _parse, _rule)
