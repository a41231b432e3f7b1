"""A sequence of frames as one table: zero point, seeing, limit, quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.config import Settings
from lightcurve.files import write_text
from lightcurve.report.image_sequence import save_sequence

COLUMNS = (
    "file", "status", "quality", "mid_jd_utc", "exposure_s", "filter", "band", "airmass",
    "zero_point_mag", "zero_point_err_mag", "zero_point_scatter_mag", "zero_point_stars",
    "fwhm_px", "fwhm_arcsec", "fwhm_err_px", "sky_adu", "sky_rms_adu", "sources",
    "limit_3_sigma_mag", "limit_5_sigma_mag", "limit_10_sigma_mag", "limit_5_sigma_inst_mag",
    "ra_deg", "dec_deg",
    "astrometry_stars", "astrometry_rms_px", "reason",
)  # fmt: skip
WIDER, DIMMER_MAG, BRIGHTER_SKY, FEWER = 1.4, 0.3, 1.5, 0.5


def quick_settings(settings: Settings) -> Settings:
    """Leave out what a sequence's table does not show: PSF, completeness, transients, names.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Settings
    """
    standards = settings.image.standards
    image = settings.image.model_copy(
        update={
            "psf": "none", "injected": 0, "transients": False,
            "services": settings.image.services or ((standards,) if standards else ("gaia",)),
        }
    )  # fmt: skip
    return settings.model_copy(update={"image": image})


def judge(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of each frame whether it is like the others of its filter.

    Parameters
    ----------
    rows : sequence of mappings
        As `lightcurve.image_stages.reduced.summarise` gives them, with ``status``.

    Returns
    -------
    list of str
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
    """Write the table and its figure.

    Parameters
    ----------
    folder : Path
    rows : sequence of mappings

    Returns
    -------
    dict of str to Path
    """
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
