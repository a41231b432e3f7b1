"""Names of settings: all there are, which is meant by a name that is none, and where one stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

__all__ = ["flat"]

UNITS = {
    "_e_per_adu": "electrons per ADU",
    "_e_per_s": "electrons per second",
    "_mag_per_airmass": "magnitudes per airmass",
    "_arcmin": "arc minutes",
    "_arcsec": "arc seconds",
    "_adu": "ADU",
    "_deg": "degrees",
    "_hours": "hours",
    "_days": "days",
    "_fwhm": "times the FWHM",
    "_sigma": "sigma",
    "_px": "pixels",
    "_mb": "MB",
    "_e": "electrons",
    "_m": "metres",
    "_s": "seconds",
    "_c": "degrees C",
}
# What settings were called before, and what other programs and headers call them.
OTHER_WORDS = {
    "aavsocode": "observer.aavso_code",
    "obscode": "observer.aavso_code",
    "observercode": "observer.aavso_code",
    "cameratype": "observer.camera_kind",
    "lat": "site.latitude_deg",
    "sitelat": "site.latitude_deg",
    "obslatitude": "site.latitude_deg",
    "lon": "site.longitude_deg",
    "long": "site.longitude_deg",
    "sitelong": "site.longitude_deg",
    "obslongitude": "site.longitude_deg",
    "altitude": "site.height_m",
    "elev": "site.height_m",
    "elevation": "site.height_m",
    "obselevation": "site.height_m",
    "egain": "camera.gain_e_per_adu",
    "ccdgain": "camera.gain_e_per_adu",
    "rdnoise": "camera.read_noise_e",
    "ron": "camera.read_noise_e",
    "readnoise": "camera.read_noise_e",
    "fullwell": "camera.saturation_adu",
    "maxlin": "camera.linearity_adu",
    "bayerpat": "camera.mosaic",
    "bayer": "camera.mosaic",
    "aptdia": "camera.telescope_diameter_m",
    "aperture": "apertures.radii",
    "radius": "apertures.radii",
    "sky": "apertures.annulus",
    "pixelscale": "solve.scale_arcsec",
    "pixscale": "solve.scale_arcsec",
    "comparisonstars": "stars.comparisons",
    "comps": "stars.comparisons",
    "comp": "stars.comparisons",
    "checkstar": "stars.check",
    "detrend": "fit.covariates",
    "object": "target.name",
    "planet": "target.planet_file",
    "timezone": "time.utc_offset_hours",
    "exptime": "time.exposure_s",
    "threads": "workers",
}


def unit_of(name: str) -> str:
    """Say in words in which unit a setting is, by the end of its name; empty for none."""
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "")


def leaves(model: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """List the settings of a pydantic model: ``"section.name"`` and field, sections in them."""
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from leaves(field.annotation, f"{above}{name}.")
        else:
            yield above + name, field


def meant(model: Any, wrong: Sequence[str]) -> str:
    """Find the setting that a wrong name may be meant for, ``"section.name"``; empty for none.

    wrong: the name in its parts, sections first. One of the same section goes before another.
    """
    *sections, name = wrong
    all_names = [one for one, _ in leaves(model)]
    within = ".".join((*sections, ""))
    ordered = sorted(all_names, key=lambda one: not one.startswith(within))
    short: dict[str, str] = {}
    for one in ordered:
        last = one.rsplit(".", 1)[-1]
        short.setdefault(last, one)
        short.setdefault(_without_unit(last), one)
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    other = OTHER_WORDS.get(plain, "")
    known_as = [one for one in (short.get(name), other if other in all_names else None) if one]
    if known_as:
        return min(known_as, key=lambda one: not one.startswith(within))
    groups = {one.split(".")[0]: one.split(".")[0] for one in all_names if "." in one}
    here = {last: one for last, one in short.items() if one.startswith(within)} if sections else {}
    for known in (here, {**short, **({} if sections else groups)}):
        if near := get_close_matches(name.lower(), known, n=1, cutoff=0.7):
            return known[near[0]]
    return ""


def _without_unit(name: str) -> str:
    end = next((end for end in UNITS if name.endswith(end)), "")
    return name.removesuffix(end)


def line_of(text: str, place: Sequence[str]) -> int | None:
    """Find the line of a TOML text in which a value, given by the parts of its name, is set.

    Counted from 1; None where it cannot be told, as in tables within a line.
    """
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            section = _parts(header[1])
            if section == tuple(place):
                return number
        elif (key := re.match(r"\s*([\w.\"' -]+?)\s*=", line)) and (
            section + _parts(key[1]) == tuple(place)
        ):
            return number
    return None


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Lay nested values out by ``"section.name"``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{name}.")
        else:
            found[above + name] = value
    return found
