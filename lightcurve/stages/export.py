"""Files to submit, made from a run folder and what its observer adds."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lightcurve.data import LightCurve
from lightcurve.errors import InputError
from lightcurve.formats.aij_table import read_aij_table
from lightcurve.formats.exofop import base_name
from lightcurve.formats.export import EXPORTS, export
from lightcurve.formats.submission import Submission, points_told
from lightcurve.formats.tables import read_lightcurve
from lightcurve.stages.bundle import bundle_files
from lightcurve.stages.run_folder import (
    aligned_model,
    comparison_places,
    read_fit_json,
    read_record,
)
from lightcurve.transit.ephemeris import make_planet
from lightcurve.transit.output import fit_from_json

log = logging.getLogger(__name__)

# What a kind of file cannot do without, and what to give where the run does not know it.
REQUIRED = {
    "aavso-exoplanet": ("observer_code", "camera", "binning", "filter", "exposure_s"),
    "aavso-exotic": ("observer_code", "camera", "binning", "filter", "exposure_s"),
    "aavso-extended": ("observer_code", "camera", "filter", "target_magnitude"),
    "exoclock": ("planet_name", "filter", "exposure_s"),
    "etd": ("planet_name", "filter", "exposure_s"),
    "exofop": ("tic", "observatory", "filter", "exposure_s"),
    "ecsv": (),
}
ASK = {
    "observer_code": "your AAVSO observer code (--observer-code)",
    "camera": "the kind of camera, CCD, CMOS or DSLR (--camera)",
    "binning": "the binning, such as 1x1 (--binning)",
    "filter": "the filter (--filter)",
    "exposure_s": "the exposure in seconds (--exposure)",
    "target_magnitude": "the star's magnitude in this filter (--magnitude)",
    "planet_name": "the planet's name (--planet-name)",
    "tic": "the TIC number (--tic)",
    "observatory": "the observatory's short name (--observatory)",
}
# Option, least and most of what an observer can give.
NUMBERS = {
    "exposure_s": ("--exposure", 0.001, 86400.0),
    "planet_number": ("--planet-number", 1, 99),
    "target_magnitude": ("--magnitude", -30.0, 40.0),
    "check_magnitude": ("--check-magnitude", -30.0, 40.0),
}
CAMERAS = ("CCD", "CMOS", "DSLR")


@dataclass(frozen=True, slots=True)
class Observer:
    """What only the observer knows, and what overrides the run; None where not given.

    Attributes
    ----------
    observer_code, camera, filter, observatory, tic, star_name, planet_name, chart, notes : str
    secondary_codes : tuple of str
    exposure_s, target_magnitude, check_magnitude : float
    binning : tuple of int
    planet_number : int
    """

    observer_code: str | None = None
    secondary_codes: tuple[str, ...] = ()
    camera: str | None = None
    binning: tuple[int, int] | None = None
    filter: str | None = None
    exposure_s: float | None = None
    observatory: str | None = None
    star_name: str | None = None
    planet_name: str | None = None
    tic: str | None = None
    planet_number: int | None = None
    target_magnitude: float | None = None
    check_magnitude: float | None = None
    chart: str | None = None
    notes: str | None = None


def export_run(kind: str, run: Path, out: Path, observer: Observer) -> list[Path]:
    """Write the files of one kind for a run.

    Parameters
    ----------
    kind : str
        A key of `lightcurve.formats.export.EXPORTS`.
    run : Path
        Folder of a finished run; read only.
    out : Path
        Folder for the files; made if need be.
    observer : Observer

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        When the kind is unknown, the folder is no run, or a value is missing or wrong.
    """
    if kind not in EXPORTS:
        msg = f'no export "{kind}"; there are {", ".join(EXPORTS)}'
        raise InputError(msg)
    record = read_record(run)
    if "night" not in record:
        msg = f"{run}: no run.toml of a finished run in it"
        raise InputError(msg)
    values = merged(record["night"], observer)
    need(kind, values)
    check_numbers(values)
    with TemporaryDirectory() as scratch:
        submission = make_submission(run, record["night"], values)
        if kind == "exofop":
            files = bundle_files(run, record, base_name(submission), Path(scratch))
            submission = replace(submission, files=files)
        if kind == "aavso-exotic":
            submission = replace(submission, comparisons=comparison_places(run))
        paths = export(kind, out, submission)
    log.info(points_told(submission))
    return paths


def merged(night: Mapping[str, Any], observer: Observer) -> dict[str, Any]:
    """Join what a run knows with what its observer says, who wins.

    Parameters
    ----------
    night : mapping
        From run.toml.
    observer : Observer

    Returns
    -------
    dict
        Fields of `Submission`, without those that nobody knows.

    Raises
    ------
    InputError
        When the camera is of no known kind.
    """
    planet = night.get("planet", {}).get("name", "")
    target = str(night.get("target", ""))
    known = {
        # A planet is named after its star, with a letter.
        "star_name": re.sub(r"\s+[b-i]$", "", target) or planet,
        "planet_name": planet,
        "filter": night.get("filter"),
        "exposure_s": night.get("exposure_s"),
        "binning": tuple(night["binning"]) if "binning" in night else None,
    }
    given = {name: value for name, value in asdict(observer).items() if value is not None}
    values = {**{name: value for name, value in known.items() if value}, **given}
    camera = str(values.get("camera", "")).upper()
    if camera and camera not in CAMERAS:
        msg = f"--camera: {values['camera']!r} is none of {', '.join(CAMERAS)}"
        raise InputError(msg)
    return values | ({"camera": camera} if camera else {})


def need(kind: str, values: Mapping[str, Any]) -> None:
    """Stop where a value is missing that a kind of file cannot do without.

    Parameters
    ----------
    kind : str
    values : mapping

    Raises
    ------
    InputError
        Naming each, with the option that gives it.
    """
    missing = [ASK[name] for name in REQUIRED[kind] if values.get(name) in (None, "", ())]
    if missing:
        msg = f"{kind} needs {'; '.join(missing)}"
        raise InputError(msg)


def check_numbers(values: Mapping[str, Any]) -> None:
    """Stop at a number that cannot be.

    Parameters
    ----------
    values : mapping
        From `merged`.

    Raises
    ------
    InputError
        Naming the option.
    """
    for name, (option, least, most) in NUMBERS.items():
        value = values.get(name)
        if value is not None and not least <= value <= most:
            msg = f"{option}: {value:g} is not within {least:g} to {most:g}"
            raise InputError(msg)


def make_submission(run: Path, night: Mapping[str, Any], values: Mapping[str, Any]) -> Submission:
    """Collect a run's light curve, fit and check star.

    Parameters
    ----------
    run : Path
    night : mapping
        From run.toml.
    values : mapping
        From `merged`.

    Returns
    -------
    Submission

    Raises
    ------
    InputError
        When a file is missing or not as it was written.
    """
    curve = read_lightcurve(run / "lightcurve.csv")
    fields = {name: value for name, value in values.items() if name != "check_magnitude"}
    if "planet" in night:
        fields["planet"] = make_planet(night["planet"], "run.toml")
    if values.get("check_magnitude") is not None:
        fields |= {
            "check_name": night.get("check", ""),
            "check_magnitude": check_magnitudes(run, night, curve, values["check_magnitude"]),
        }
    content = read_fit_json(run)
    if content is not None:
        fields["fit"] = fit_from_json(content, aligned_model(run, curve))
    return Submission(curve, **{"exposure_s": 0.0, "filter": "", **fields})


def check_magnitudes(
    run: Path, night: Mapping[str, Any], curve: LightCurve, magnitude: float
) -> np.ndarray:
    """Work out the check star's magnitude in each frame.

    Parameters
    ----------
    run : Path
    night : mapping
        From run.toml.
    curve : LightCurve
    magnitude : float
        Of the check star, which its median gets.

    Returns
    -------
    (n,) float array
        NaN where it was not measured.

    Raises
    ------
    InputError
        When the run has no check star in its table.
    """
    table = read_aij_table(run / "measurements.csv")
    number = str(night.get("check", ""))[1:]
    column = next((c for c in (f"rel_flux_{k}{number}" for k in "TC") if c in table.columns), None)
    if not number or column is None:
        msg = f"{run}: measurements.csv has no check star; leave --check-magnitude out"
        raise InputError(msg)
    flux = dict(zip(table.labels, table.columns[column], strict=True))
    relative = np.array([flux.get(str(file), np.nan) for file in curve.file])
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = magnitude - 2.5 * np.log10(relative / np.nanmedian(relative))
    return np.where(np.isfinite(shown), shown, np.nan)
