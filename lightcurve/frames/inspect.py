"""What a folder holds, and what a header says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lightcurve.core.data import Assumed, FrameKind, Site
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.settings import Settings
from lightcurve.frames.read import read_frame

__all__ = ["inspect_file", "summarise"]

NO_VALUES = {"sources", "warnings", "guessed", "overhead"}
UNITS = {
    "start_jd_utc": "JD UTC",
    "mid_jd_utc": "JD UTC",
    "time_uncertainty_s": "s",
    "exposure_s": "s",
    "telescope_diameter_m": "m",
    "gain_e_per_adu": "e-/ADU",
    "read_noise_e": "e-",
    "saturation_adu": "ADU",
    "ra_deg": "deg",
    "dec_deg": "deg",
    "scale_arcsec": "arcsec/px",
    "temperature_c": "deg C",
}


def inspect_file(path: Path, settings: Settings) -> list[Assumed]:
    """List what a file's header says, normalised, and its sources; warnings are values, too."""
    exposure = read_frame(path, settings=settings, need_time=False).exposure
    rows = []
    for entry in fields(exposure):
        value = getattr(exposure, entry.name)
        if entry.name not in NO_VALUES and value is not None:
            rows += _written(entry.name, value, exposure.sources.get(entry.name, ""))
    return rows + [Assumed("warning", line, "", "", line) for line in exposure.warnings]


def _written(name: str, value: Any, source: str) -> list[Assumed]:
    """Write a value for programs and people; a Julian date also as a calendar date."""
    if isinstance(value, Site):
        place = (value.latitude_deg, value.longitude_deg, value.height_m)
        return [Assumed(name, place, "deg, deg, m", source, _place(value))]
    if name == "shape":
        return [Assumed("width_x_height", value[::-1], "px", source, f"{value[1]}x{value[0]}")]
    if name == "binning":
        return [Assumed(name, value, "px", source, f"{value[0]}x{value[1]}")]
    if name.endswith("_jd_utc"):
        moment = iso_from_jd(value)
        date = Assumed(name.replace("_jd_", "_"), moment, "", source, moment)
        return [Assumed(name, value, UNITS[name], source, f"{value:.6f}"), date]
    text = f"{value:.9g}" if isinstance(value, float) else str(value)
    return [Assumed(name, value, UNITS.get(name, ""), source, text)]


def _place(site: Site) -> str:
    latitude = f"{abs(site.latitude_deg):.6g} {'S' if site.latitude_deg < 0 else 'N'}"
    # Some headers count from 0 to 360 to the east.
    east = (site.longitude_deg + 180) % 360 - 180
    longitude = f"{abs(east):.6g} {'W' if east < 0 else 'E'}"
    return ", ".join(filter(None, (site.name, latitude, longitude, f"{site.height_m:.6g} m")))


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sum up what a folder holds, from the rows of its `Inventory`.

    Returns
    -------
    list of str
        Files of each kind, filter and exposure; the first and the last time of the lights; what
        is missing of them and of the calibration frames.
    """
    groups = Counter((row["kind"], row["filter"], row["exposure_s"]) for row in rows)
    lines = []
    for (kind, band, exposure), n in sorted(groups.items(), key=str):
        what = (kind, band, None if exposure is None else f"{exposure:g} s")
        lines.append(f"{n} x {', '.join(str(word) for word in what if word)}")
    lights = [row for row in rows if row["kind"] == FrameKind.LIGHT]
    moments = sorted(row["mid_utc"] for row in lights if row["mid_utc"])
    if moments:
        lines.append(f"lights from {moments[0]} to {moments[-1]} UTC, mid-exposure")
    kinds = {row["kind"] for row in rows}
    missing = [
        kind
        for kind in (FrameKind.LIGHT, FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT)
        if kind not in kinds
    ]
    if missing:
        lines.append(f"no {', no '.join(missing)}")
    for name, words in (("mid_utc", "time"), ("exposure_s", "exposure"), ("filter", "filter")):
        without = sum(row[name] in (None, "") for row in lights)
        if without:
            lines.append(f"{without} of {len(lights)} lights without {words}")
    return lines
