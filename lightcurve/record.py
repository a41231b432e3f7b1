"""The record of a run: settings, values with their sources, versions, and what the night was."""

from __future__ import annotations

import hashlib
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightcurve.constants import __version__
from lightcurve.files import write_text
from lightcurve.reduced_night import Night
from lightcurve.transit.output import planet_values

LIBRARIES = ("astropy", "numpy", "scipy", "photutils", "sep", "batman-package", "emcee")


def write_run(
    path: Path, night: Night, summary: Mapping[str, Any], written: Mapping[str, Path]
) -> Path:
    """Write run.toml: settings as used, values with their sources, versions, seed, checksums.

    written: the files of the run, by their names in its folder.
    """
    import tomli_w

    content = {
        "lightcurve": __version__,
        "python": platform.python_version(),
        "seed": night.settings.seed,
        "settings": night.settings.model_dump(mode="json", exclude_none=True),
        "versions": {name: version(name) for name in LIBRARIES},
        "night": _describe_night(night),
        "values": [
            {key: value for key, value in one.record.items() if value is not None}
            for one in night.scene.values
        ],
        "files": {
            name: hashlib.sha256(file.read_bytes()).hexdigest()
            for name, file in written.items()
            if file.is_file() and name != "run.log"
        },
        "result": {name: "" if value is None else value for name, value in summary.items()},
    }
    return write_text(path, tomli_w.dumps(content))


def written_by(path: Path) -> set[str]:
    """List the files that a run says it wrote.

    path: its run.toml.
    Empty where there is none, or it cannot be read.
    """
    try:
        files = tomllib.loads(path.read_text(encoding="utf-8")).get("files", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return set()
    return set(files) if isinstance(files, dict) else set()


def _describe_night(night: Night) -> dict[str, Any]:
    """Collect what later steps, such as a submission, need to know of a night.

    Of plain values; what is not known is left out.
    """
    exposure, target, measured = night.scene.reference.exposure, night.target, night.measurements
    known = {
        "target": target.name,
        "ra_deg": target.ra_deg,
        "dec_deg": target.dec_deg,
        "exposure_s": exposure.exposure_s,
        "filter": exposure.filter,
        "binning": exposure.binning and list(exposure.binning),
        "camera": exposure.camera,
        "shape": list(exposure.shape),
        "telescope": exposure.telescope,
        "site": exposure.site and asdict(exposure.site),
        "radius_px": night.recipe.radius_px,
        "annulus_px": list(measured.annulus),
        "scale_arcsec": night.scene.solution.scale_arcsec,
        "check": night.recipe.check,
        "planet": target.planet and planet_values(target.planet),
    }
    return {name: value for name, value in known.items() if value is not None}
