"""Magnitudes as files: a table, the AAVSO's extended format, and what VStar reads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.constants import __version__
from lightcurve.core.data import Products, Result
from lightcurve.core.files import json_text, write_text
from lightcurve.core.table_text import csv_text
from lightcurve.exports.aavso import filter_code
from lightcurve.exports.aavso_extended import Observations, write_observations
from lightcurve.exports.submission import file_word

if TYPE_CHECKING:
    from lightcurve.variables.magnitudes import Tied
    from lightcurve.variables.story import Magnitudes

TABLE = ("bjd_tdb", "jd_utc", "mag", "mag_err", "mag_err_total", "airmass", "check_mag", "run")


def write_magnitudes(out: Path, found: Magnitudes) -> Products:
    """Write all products of a star's magnitudes."""
    word = file_word(found.name)
    paths = {
        "magnitudes.csv": write_text(out / "magnitudes.csv", csv_text(TABLE, table_rows(found))),
        "vstar.txt": write_text(out / f"{word}_vstar.txt", vstar_text(found)),
        "magnitudes.json": write_text(
            out / "magnitudes.json", json_text(values_of(found), indent=2)
        ),
    }
    if found.observer_code:
        path = out / f"AID_AAVSO_{word}.txt"
        paths["aavso"] = write_observations(path, observations_of(found))
    return Products(out, paths, {}, summarise(found))


def table_rows(found: Magnitudes) -> list[list[Any]]:
    """List the points; empty cells for what is not known."""
    field, tied = found.field, found.tied
    check = np.full(len(field.time), np.nan) if tied.check is None else tied.check.magnitude
    columns = (
        field.time[tied.rows], field.jd_utc[tied.rows], tied.magnitude, tied.error, tied.total,
        field.airmass[tied.rows], check[tied.rows],
    )  # fmt: skip
    return [
        [*("" if math.isnan(v) else v for v in values), field.labels[field.night[row]]]
        for row, values in zip(tied.rows, np.column_stack(columns).tolist(), strict=True)
    ]


def vstar_text(found: Magnitudes) -> str:
    """Lay points out as VStar's simple format has them: JD, magnitude, error, and observer.

    Lines that begin with # it leaves out.
    """
    field, tied = found.field, found.tied
    head = [f"# {found.name}, {tied.standards.band}, JD_UTC of mid-exposure, magnitude, error"]
    code = f",{found.observer_code.upper()}" if found.observer_code else ""
    points = zip(field.jd_utc[tied.rows], tied.magnitude, tied.total, strict=True)
    return "\n".join([*head, *(f"{t:.6f},{m:.5f},{e:.5f}{code}" for t, m, e in points)]) + "\n"


def observations_of(found: Magnitudes) -> Observations:
    """Lay points out for the AAVSO; raises InputError for a filter without a code there."""
    field, tied = found.field, found.tied
    rows, check = tied.rows, tied.check
    nothing = np.full(len(rows), np.nan)
    return Observations(
        star=found.name,
        observer_code=found.observer_code,
        obstype="CCD" if found.camera == "CMOS" else found.camera,
        filter=filter_code(field.filter or found.band),
        transformed=tied.transformed,
        jd_utc=field.jd_utc[rows],
        magnitude=tied.magnitude,
        error=tied.total,
        airmass=field.airmass[rows],
        check="" if check is None else check.name,
        check_magnitude=nothing if check is None else check.magnitude[rows],
        chart=found.chart,
        notes=_notes(tied)[:100],
    )


def _notes(tied: Tied) -> str:
    """Say what magnitudes are tied to, and where the check star is: its name is of the run."""
    told = f"{tied.zero_point.n_used} standards of {tied.standards.catalog.title} in "
    told += tied.standards.band
    if tied.check is None:
        return told
    ra, dec = tied.check.place
    return f"{tied.check.name} at {ra:.5f} {dec:+.5f}; {told}"


def values_of(found: Magnitudes) -> dict[str, Any]:
    """Lay out for programs what magnitudes rest on; None for what is not known."""
    tied = found.tied
    zero, check = tied.zero_point, tied.check
    told = {
        "star": found.name, "runs": found.field.labels, "filter": found.field.filter,
        "band": tied.standards.band, "catalog": tied.standards.catalog.title,
        "formula": tied.standards.formula, "standards": zero.n_used, "zero_point": zero.value,
        "zero_point_err": zero.err, "standards_scatter": zero.scatter,
        "colour_term": zero.colour_term, "colour_term_err": zero.colour_term_err,
        "colour": tied.standards.colour_name, "colour_mean": zero.colour_mean,
        "target_colour": tied.colour, "transformed": tied.transformed,
        "common_err": tied.common_err, "points": len(tied.rows), "version": __version__,
    }  # fmt: skip
    if check is not None:
        told["check"] = {
            name: _known(getattr(check, name))
            for name in ("name", "place", "mean", "scatter", "catalogued", "catalogued_err", "off",
                         "off_err", "agrees")
        }  # fmt: skip
    return {name: _known(value) for name, value in told.items()}


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def summarise(found: Magnitudes) -> dict[str, Result]:
    """Collect what of magnitudes is worth printing."""
    tied, field = found.tied, found.field
    zero, check = tied.zero_point, tied.check
    mean, spread = float(np.median(tied.magnitude)), float(np.std(tied.magnitude))
    term = f"{zero.colour_term:+.3f} +- {zero.colour_term_err:.3f} ({tied.standards.colour_name})"
    told = f"{len(tied.rows)} magnitudes in {tied.standards.band} of {len(field.labels)} run"
    results = {
        "target": Result(found.name, label="star"),
        "verdict": Result(
            len(tied.rows), "", "found", told + ("" if len(field.labels) == 1 else "s")
        ),
        "magnitude": Result(
            mean, "mag", "median",
            f"{mean:.3f}, scatter {spread:.3f}, each +- {float(np.median(tied.error)):.3f}, all "
            f"+- {tied.common_err:.3f}",
        ),
        "zero_point": Result(
            zero.value, "mag", "standards",
            f"{zero.n_used} of {tied.standards.catalog.title}, scatter {zero.scatter:.3f}",
        ),
        "colour_term": Result(
            zero.colour_term, "", "colour term" if zero.colour_term else "", term
        ),
        "transformed": Result(
            tied.transformed, "", "transformed", "yes" if tied.transformed else "no"
        ),
    }  # fmt: skip
    if check is not None:
        results["check"] = Result(check.off, "mag", "check star", check_words(found))
    return results


def check_words(found: Magnitudes) -> str:
    """Say how the check star does."""
    check = found.tied.check
    if check is None:
        return "none"
    told = f"{check.name} {check.mean:.3f}, scatter {check.scatter:.3f}"
    if not math.isfinite(check.off):
        return f"{told}; the catalogue does not have it"
    word = "" if check.agrees else ", OFF by more than three errors"
    return f"{told}, {check.off:+.3f} +- {check.off_err:.3f} from the catalogue{word}"
