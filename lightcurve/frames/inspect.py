"""What a folder holds, and what a header says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lightcurve.core.data import Assumed, FrameKind, Site
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.settings import Settings
from lightcurve.frames.agreement import Word, other_words
from lightcurve.frames.read import read_cards, read_frame

__all__ = ["inspect_file", "summarise"]

LENGTHS = 2  # of exposures, each named
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
    "linearity_adu": "ADU",
    "ra_deg": "deg",
    "dec_deg": "deg",
    "scale_arcsec": "arcsec/px",
    "temperature_c": "deg C",
}


@dataclass(frozen=True, slots=True)
class Inspected:
    """A value of a header, and the other cards that speak of it."""

    value: Assumed
    words: tuple[Word, ...] = ()

    def others(self, *, agree: bool) -> list[Word]:
        """Those that agree, also those that cannot be compared; or those that do not."""
        return [word for word in self.words if (word.agrees is not False) == agree]

    @property
    def row(self) -> tuple[str, ...]:
        """Name, text, source, what agrees and what does not: a row of a table for people."""
        both = ("; ".join(map(str, self.others(agree=agree))) for agree in (True, False))
        return (*self.value.row, *both)

    @property
    def record(self) -> dict[str, Any]:
        """The value's record, and what other cards say of it, for programs."""
        return {**self.value.record, "others": [asdict(word) for word in self.words]}


def inspect_file(path: Path, settings: Settings) -> list[Inspected]:
    """List what a file's header says, normalised, its sources, and what else speaks of each value.

    Warnings are values, too.
    """
    frame = read_frame(path, settings=settings, need_time=False)
    exposure = frame.exposure
    words = other_words(read_cards(path, settings.camera.profile)[0], exposure, path, settings)
    rows = []
    for entry in fields(exposure):
        value = getattr(exposure, entry.name)
        others = words.get(entry.name, ())
        if entry.name in NO_VALUES or value == () or (value is None and not others):
            continue
        told = _written(entry.name, value, exposure.sources.get(entry.name, ""))
        rows += [Inspected(told[0], others), *map(Inspected, told[1:])]
    warnings = (Assumed("warning", line, "", "", line) for line in exposure.warnings)
    return rows + [Inspected(one) for one in warnings]


def _written(name: str, value: Any, source: str) -> list[Assumed]:
    """Write a value for programs and people; a Julian date also as a calendar date."""
    if value is None:
        return [Assumed(name, None, UNITS.get(name, ""), "", "not known")]
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
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    text = f"{value:.9g}" if isinstance(value, float) else str(value)
    return [Assumed(name, value, UNITS.get(name, ""), source, text)]


def _range(exposures: Sequence[float | None]) -> str:
    """Say how long frames were exposed: each length, or of many the shortest and the longest."""
    known = sorted({value for value in exposures if value is not None})
    if len(known) > LENGTHS:
        return f"{known[0]:g} to {known[-1]:g} s"
    return f"{' and '.join(f'{value:g}' for value in known)} s" if known else ""


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
    groups: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    for row in rows:
        groups[str(row["kind"]), row["filter"] or ""].append(row["exposure_s"])
    lines = []
    for (kind, band), exposures in sorted(groups.items()):
        told = (kind, band, _range(exposures))
        lines.append(f"{len(exposures)} x {', '.join(filter(None, told))}")
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
