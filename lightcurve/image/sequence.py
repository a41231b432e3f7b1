"""A sequence of frames as one table: zero point, seeing, limit, quality."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from os import SEEK_END
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.core.files import read_text, write_text
from lightcurve.core.settings import Settings
from lightcurve.image.sky import STANDARDS
from lightcurve.image.write import json_line
from lightcurve.report.image_plots import save_sequence

COLUMNS = (
    "file", "status", "quality", "mid_jd_utc", "exposure_s", "filter", "band", "standards",
    "airmass",
    "zero_point_mag", "zero_point_err_mag", "zero_point_scatter_mag", "zero_point_stars",
    "fwhm_px", "fwhm_arcsec", "fwhm_err_px", "sky_adu", "sky_rms_adu", "sources",
    "limit_3_sigma_mag", "limit_5_sigma_mag", "limit_10_sigma_mag", "limit_5_sigma_inst_mag",
    "ra_deg", "dec_deg",
    "astrometry_stars", "astrometry_rms_px", "reason",
)  # fmt: skip
MAX_KEPT = 200_000_000  # bytes
WIDER, DIMMER_MAG, BRIGHTER_SKY, FEWER = 1.4, 0.3, 1.5, 0.5


def quick_settings(settings: Settings) -> Settings:
    """Leave out what a sequence's table does not show: PSF, completeness, transients, names.

    The standards are those of the frame alone, and Gaia is asked for the places.
    """
    image = settings.image.model_copy(
        update={
            "psf": "none", "injected": 0, "transients": False,
            "services": settings.image.services or (STANDARDS, "gaia"),
        }
    )  # fmt: skip
    return settings.model_copy(update={"image": image})


def recall_rows(path: Path) -> dict[str, dict[str, Any]]:
    """Read the rows that a sequence, whole or stopped, has kept.

    path: by `keep_row`; need not be there.
    State of frame and settings to row; a line that was cut off is left out.
    """
    rows = {}
    if path.exists():
        for line in read_text(path, "rows kept", max_bytes=MAX_KEPT).splitlines():
            with suppress(ValueError, KeyError, TypeError):
                kept = json.loads(line)
                rows[kept["state"]] = dict(kept["row"])
    return rows


def keep_row(path: Path, state: str, row: Mapping[str, Any]) -> None:
    """Add a row to those kept, at once, unless a service had failed that may yet answer.

    state: by `lightcurve.image.folder.state_of`.
    Raises InputError when it cannot be written.
    """
    if row["status"] != "reduced" or row["failed_services"]:
        return
    try:
        with path.open("a+b") as file:
            file.seek(max(file.seek(0, SEEK_END) - 1, 0))
            # A line that was cut off must not take this one with it.
            begin = "\n" if file.read(1) not in {b"", b"\n"} else ""
            file.write((begin + json_line({"state": state, "row": row})).encode())
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}; is the disk full? try another --out"
        raise InputError(msg) from error


def judge(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of each frame whether it is like the others of its filter.

    rows: as `lightcurve.image.reduced.summarise` gives them, with ``status``.
    ``"good"``, ``"failed"``, or what is worse than the median of the frames of its filter.
    """
    judged = []
    for row in rows:
        if row["status"] == "failed":
            judged.append("failed")
            continue
        alike = [r for r in rows if r.get("filter") == row.get("filter") and "fwhm_px" in r]
        tests = (
            ("wide stars", _value(row, "fwhm_px") > WIDER * _median(alike, "fwhm_px")),
            (
                "dim (cloud?)",
                _value(row, "zero_point_mag") < _median(alike, "zero_point_mag") - DIMMER_MAG,
            ),
            ("bright sky", _value(row, "sky_adu") > BRIGHTER_SKY * _median(alike, "sky_adu")),
            ("few sources", _value(row, "sources") < FEWER * _median(alike, "sources")),
            ("not solved", row["status"] == "not solved"),
            (
                "no zero point",
                row["status"] == "reduced" and row.get("zero_point_mag") is None,
            ),
        )
        judged.append("; ".join(reason for reason, true in tests if true) or "good")
    return judged


def _value(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return float("nan") if value is None else float(value)


def _median(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    values = np.array([_value(row, name) for row in rows])
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def write_sequence(folder: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Path]:
    """Write the table and its figure."""
    lines = [",".join(COLUMNS)]
    lines += [",".join(_cell(row.get(name)) for name in COLUMNS) for row in rows]
    table = write_text(folder / "sequence.csv", "\n".join(lines) + "\n")
    return {
        "sequence.csv": table,
        "sequence.png": save_sequence(folder / "sequence.png", rows),
    }


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.7f}" if abs(value) > 1e5 else f"{value:.6g}"
    text = str(value)
    return '"' + text.replace('"', "'") + '"' if set(text) & set(',"\n') else text
