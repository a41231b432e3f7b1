"""Files to submit, made from a run folder and what its observer adds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lightcurve.aij.read_table import read_aij_table
from lightcurve.core.data import LightCurve
from lightcurve.core.errors import InputError
from lightcurve.core.registry import did_you_mean
from lightcurve.core.settings import ObserverSettings
from lightcurve.exports.exofop import base_name, bundle_files
from lightcurve.exports.formats import EXPORTS, all_details, export
from lightcurve.exports.submission import CHECK_MAGNITUDE, Export, Extra, Submission, points_told
from lightcurve.tables.run_folder import (
    aligned_model,
    comparison_places,
    read_fit_json,
    read_record,
)
from lightcurve.tables.run_tables import read_lightcurve
from lightcurve.transit.ephemeris import make_planet
from lightcurve.transit.fit_values import fit_from_json

__all__ = ["export_run"]

log = logging.getLogger(__name__)
NOTHING: tuple[Any, ...] = (None, "", (), [])
NO_OBSERVER: Mapping[str, Any] = {}


def export_run(
    kind: str,
    run: Path,
    out: Path,
    given: Mapping[str, Any],
    observer: ObserverSettings | None = None,
) -> list[Path]:
    """Write the files of one kind for a run.

    Parameters
    ----------
    kind : str
        A name of `lightcurve.exports.formats.EXPORTS`.
    run : Path
        Folder of a finished run; read only.
    out : Path
        Folder for the files; made if need be.
    given : mapping of str to object
        What the observer says, by name or keyword of a `lightcurve.exports.submission.Detail`; it
        overrides the run.
    observer : ObserverSettings, optional
        Whose night it is; what it does not say, the settings of the run may.

    Raises
    ------
    InputError
        When the kind is unknown, the folder is no run, or a value is missing or wrong.
    """
    wanted = EXPORTS.get(kind)
    record = read_record(run)
    if "night" not in record:
        msg = f"{run}: no run.toml of a finished run in it"
        raise InputError(msg)
    told = dict(record.get("settings", {}).get("observer", {}))
    told |= observer.model_dump(exclude_unset=True) if observer else {}
    details = settle_details(record["night"], given, told)
    _check_needs(wanted, details)
    with TemporaryDirectory() as scratch:
        submission = make_submission(run, record["night"], details)
        if Extra.BUNDLE in wanted.takes:
            files = bundle_files(run, record, base_name(submission), Path(scratch))
            submission = replace(submission, files=files)
        if Extra.COMPARISONS in wanted.takes:
            submission = replace(submission, comparisons=comparison_places(run))
        paths = export(kind, out, submission)
    log.info(points_told(submission))
    return paths


def settle_details(
    night: Mapping[str, Any], given: Mapping[str, Any], observer: Mapping[str, Any] = NO_OBSERVER
) -> dict[str, Any]:
    """Join what a run (run.toml's `night`) knows with what is given, which wins.

    observer: the settings of ``[observer]``, for what neither says.

    Raises InputError for a name that no export knows.
    """
    names = {name: d.name for d in all_details() for name in (d.name, d.keyword)}
    for name in given:
        if name not in names:
            msg = f"no option {name} of an export{did_you_mean(name, names)}"
            raise InputError(msg)
    given = {names[name]: value for name, value in given.items()}
    details = {}
    for detail in all_details():
        value = given.get(detail.name)
        if value in NOTHING:
            value = detail.of_run(night) or observer.get(detail.of_observer)
        if value not in NOTHING:
            details[detail.name] = detail.read(value)
    return details


def _check_needs(wanted: Export, details: Mapping[str, Any]) -> None:
    """Stop where a value is missing that a kind of file cannot do without."""
    missing = [f"{d.ask} ({d.flag})" for d in wanted.needs if details.get(d.name) in NOTHING]
    if missing:
        msg = f"{wanted.name} needs {'; '.join(missing)}"
        raise InputError(msg)


def make_submission(run: Path, night: Mapping[str, Any], details: Mapping[str, Any]) -> Submission:
    """Collect a run's light curve, fit and check star; details: from `settle_details`."""
    curve = read_lightcurve(run / "lightcurve.csv")
    submission = Submission(curve, details)
    if "planet" in night:
        submission = replace(submission, planet=make_planet(night["planet"], "run.toml"))
    magnitude = CHECK_MAGNITUDE.of(submission)
    if magnitude is not None:
        submission = replace(
            submission,
            check_name=night.get("check", ""),
            check_magnitude=_check_magnitudes(run, night, curve, magnitude),
        )
    content = read_fit_json(run)
    if content is not None:
        submission = replace(submission, fit=fit_from_json(content, aligned_model(run, curve)))
    return submission


def _check_magnitudes(
    run: Path, night: Mapping[str, Any], curve: LightCurve, magnitude: float
) -> np.ndarray:
    """Work out the check star's magnitude in each frame.

    magnitude: of the check star, which its median gets.
    Returns (n,) float array, NaN where it was not measured.
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
