"""What a folder holds, and what a header says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lightcurve.config import Settings
from lightcurve.data import Site
from lightcurve.dates import iso_from_jd
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_frame
from lightcurve.progress import Progress, silent


def inspect_file(path: Path, settings: Settings) -> list[dict[str, Any]]:
    """List what a file's header says, normalised, and where each value stands.

    Parameters
    ----------
    path : Path
    settings : Settings

    Returns
    -------
    list of dict
        With name, value and source.
    """
    exposure = read_frame(path, settings=settings, need_time=False).exposure
    rows = []
    for entry in fields(exposure):
        value = getattr(exposure, entry.name)
        if entry.name in {"sources", "warnings"} or value is None:
            continue
        source = exposure.sources.get(entry.name, "")
        rows += [
            {"name": name, "value": text, "source": source}
            for name, text in _written(entry.name, value).items()
        ]
    return rows + [{"name": "warning", "value": line, "source": ""} for line in exposure.warnings]


def _written(name: str, value: Any) -> dict[str, str]:
    """Write a value as people do; a Julian date also as a calendar date."""
    if isinstance(value, Site):
        return {name: _place(value)}
    if name == "shape":
        return {"width_x_height": f"{value[1]}x{value[0]}"}
    if name == "binning":
        return {name: f"{value[0]}x{value[1]}"}
    if name.endswith("_jd_utc"):
        return {name: f"{value:.6f}", name.replace("_jd_", "_"): iso_from_jd(value)}
    return {name: f"{value:.9g}" if isinstance(value, float) else str(value)}


def _place(site: Site) -> str:
    latitude = f"{abs(site.latitude_deg):.6g} {'S' if site.latitude_deg < 0 else 'N'}"
    # Some headers count from 0 to 360 to the east.
    east = (site.longitude_deg + 180) % 360 - 180
    longitude = f"{abs(east):.6g} {'W' if east < 0 else 'E'}"
    return ", ".join(filter(None, (site.name, latitude, longitude, f"{site.height_m:.6g} m")))


def inspect_folder(
    folder: Path,
    settings: Settings,
    *,
    manifest: Path | None = None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """List the files of a folder: kind, setup, use, reason.

    Parameters
    ----------
    folder : Path
    settings : Settings
    manifest : Path, optional
    progress : Progress

    Returns
    -------
    list of dict
    """
    return take_inventory(folder, settings, manifest=manifest, progress=progress).rows()


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sum up what a folder holds.

    Parameters
    ----------
    rows : sequence of mapping
        Of `inspect_folder`.

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
    lights = [row for row in rows if row["kind"] == "light"]
    moments = sorted(row["mid_utc"] for row in lights if row["mid_utc"])
    if moments:
        lines.append(f"lights from {moments[0]} to {moments[-1]} UTC, mid-exposure")
    kinds = {row["kind"] for row in rows}
    missing = [kind for kind in ("light", "bias", "dark", "flat") if kind not in kinds]
    if missing:
        lines.append(f"no {', no '.join(missing)}")
    for name, words in (("mid_utc", "time"), ("exposure_s", "exposure"), ("filter", "filter")):
        without = sum(row[name] in (None, "") for row in lights)
        if without:
            lines.append(f"{without} of {len(lights)} lights without {words}")
    return lines
