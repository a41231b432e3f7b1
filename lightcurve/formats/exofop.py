"""The bundle for ExoFOP and TFOP: files named as the observing programme names them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from lightcurve.errors import InputError
from lightcurve.formats.submission import (
    EXPOSURE,
    FILTER,
    STAR_NAME,
    Detail,
    Export,
    Extra,
    Submission,
    TextFormat,
    check_rows,
    file_word,
    number_within,
    start_time,
    usable_points,
)

BUNDLE = (
    "lightcurve.png",
    "measurements.tbl",
    "measurements.apertures",
    "measurements.plotcfg",
    "field.png",
    "field-zoom.png",
    "seeing-profile.png",
    "fitpanel.png",
    "fitpanel.txt",
    "calibration.log",
    "NEB-table.txt",
    "dmag_vs_RMS.png",
)
SUBSET = ("BJD_TDB", "rel_flux_T1_n", "rel_flux_err_T1_n", "AIRMASS")


TIC = Detail("tic", "--tic", "TESS Input Catalog number.", "", panel="ExoFOP", ask="the TIC number")
PLANET_NUMBER = Detail(
    "planet_number",
    "--planet-number",
    "1 for the .01 candidate.",
    1,
    panel="ExoFOP",
    kind=int,
    read=number_within("--planet-number", 1, 99),
)
OBSERVATORY = Detail(
    "observatory",
    "--observatory",
    "Short name, for file names.",
    "",
    panel="ExoFOP",
    ask="the observatory's short name",
)


def base_name(submission: Submission) -> str:
    """Form ``TIC<id>-<planet>_<yyyymmdd>_<observatory>_<filter>``; the date is UTC of the start."""
    s = submission
    digits = TIC.of(s).upper().removeprefix("TIC").strip()
    if not re.fullmatch(r"[0-9]{1,12}", digits):
        msg = f'ExoFOP needs the TIC number of {STAR_NAME.of(s)} (digits), got "{TIC.of(s)}"'
        raise InputError(msg)
    if not OBSERVATORY.of(s).strip():
        msg = "ExoFOP needs the observatory's short name, such as LCO-SAAO-1m0"
        raise InputError(msg)
    date = start_time(s).strftime("%Y%m%d")
    place, band = file_word(OBSERVATORY.of(s)), file_word(FILTER.of(s))
    return f"TIC{digits}-{PLANET_NUMBER.of(s):02d}_{date}_{place}_{band}"


def _subset_text(submission: Submission) -> str:
    """Lay out the points of the fit, tab separated."""
    curve, good = submission.light_curve, usable_points(submission)
    airmass = curve.covariates["airmass"]
    columns = [v[good] for v in (curve.bjd_tdb, curve.flux, curve.flux_err, airmass)]
    lines = ["#" + "\t".join(SUBSET)]
    lines += ["\t".join(f"{value:.8f}" for value in row) for row in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def _validate_subset(text: str) -> list[str]:
    lines = text.splitlines()
    faults = (
        [] if lines[:1] == ["#" + "\t".join(SUBSET)] else ["the first line must name the columns"]
    )
    return faults + check_rows([x.split("\t") for x in lines[1:]], SUBSET)


write_subset = TextFormat(
    lambda s: f"{base_name(s)}_datasubset.dat", _subset_text, _validate_subset
)


def write_exofop(folder: Path, submission: Submission) -> list[Path]:
    """Write the bundle: the points of the fit, and copies of the products under their names.

    submission: of its `files` those named in `BUNDLE` are taken.
    """
    base = base_name(submission)
    written = write_subset(folder, submission)
    for name in (n for n in BUNDLE if n in submission.files):
        target = folder / f"{base}_{name}"
        try:
            shutil.copyfile(submission.files[name], target)
        except OSError as error:
            msg = f"{target.name}: {error.strerror}: {submission.files[name]}"
            raise InputError(msg) from error
        written.append(target)
    return written


EXOFOP = Export(
    "exofop",
    "the TFOP bundle with its file names, and the neighbours' check",
    "TIC…-01_DATE_OBSERVATORY_FILTER_… (points of the fit, tables, figures)",
    write_exofop,
    details=(TIC, PLANET_NUMBER, OBSERVATORY),
    needs=(TIC, OBSERVATORY, FILTER, EXPOSURE),
    takes=(Extra.BUNDLE,),
)
