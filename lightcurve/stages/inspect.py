"""What a folder holds, and what a header says."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from lightcurve.config import Settings
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
        rows.append({"name": entry.name, "value": _text(value), "source": source})
    return rows + [{"name": "warning", "value": line, "source": ""} for line in exposure.warnings]


def _text(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)


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
