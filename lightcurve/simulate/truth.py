"""What went into a simulated night, kept beside its frames."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lightcurve.simulate.conditions import Conditions
from lightcurve.simulate.observatory import Night, SimCamera
from lightcurve.simulate.sensor import Sensor
from lightcurve.simulate.sky import SimTarget, StarField


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Everything a reduction of the night should find.

    Attributes
    ----------
    lights, biases, darks, flats : tuple of Path
        Files written, in order of time.
    conditions : Conditions
        Of the n light frames.
    target_flux : (n,) float array
        Relative flux of the target, extinction apart.
    stars : StarField
        m stars; row 0 is the target.
    electrons : (m,) float array
        Of each star in one exposure above the atmosphere, target flux 1, response 1.
    x, y : (n, m) float arrays
        Pixels, 0-based.
    """

    lights: tuple[Path, ...]
    biases: tuple[Path, ...]
    darks: tuple[Path, ...]
    flats: tuple[Path, ...]
    night: Night
    camera: SimCamera
    target: SimTarget
    sensor: Sensor
    conditions: Conditions
    target_flux: np.ndarray
    stars: StarField
    electrons: np.ndarray
    x: np.ndarray
    y: np.ndarray


def write_truth(folder: str | Path, truth: Truth) -> tuple[Path, Path]:
    """Write ``truth.csv``, a row for each frame, and ``truth.json`` with settings and stars."""
    folder = Path(folder)
    table, document = folder / "truth.csv", folder / "truth.json"
    columns = _truth_columns(truth)
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    document.write_text(json.dumps(_document(truth), indent=1) + "\n", encoding="utf-8")
    return table, document


def _truth_columns(truth: Truth) -> dict[str, list]:
    """Lay the night out with a value for each frame.

    Returns dict of str to list: shifts are those of the pointing's centre from the middle of the
        frame, pixels; `target_x` and `target_y` are 0-based.
    """
    sky = truth.conditions
    return {
        "file": [path.name for path in truth.lights],
        "jd_utc": sky.mid_jd_utc.tolist(),
        "airmass": sky.airmass.round(5).tolist(),
        "shift_x": sky.shift_x.round(4).tolist(),
        "shift_y": sky.shift_y.round(4).tolist(),
        "rotation_deg": sky.rotation_deg.round(5).tolist(),
        "fwhm_px": sky.fwhm_px.round(4).tolist(),
        "transparency": sky.transparency.round(6).tolist(),
        "target_flux": truth.target_flux.round(8).tolist(),
        "target_x": truth.x[:, 0].round(4).tolist(),
        "target_y": truth.y[:, 0].round(4).tolist(),
    }


def _document(truth: Truth) -> dict[str, object]:
    stars = {
        "ra_deg": truth.stars.ra_deg.round(7).tolist(),
        "dec_deg": truth.stars.dec_deg.round(7).tolist(),
        "mag": truth.stars.mag.round(4).tolist(),
        "electrons": truth.electrons.round(2).tolist(),
        "x_first": truth.x[0].round(4).tolist(),
        "y_first": truth.y[0].round(4).tolist(),
    }
    return {
        "target": asdict(truth.target),
        "night": asdict(truth.night),
        "camera": asdict(truth.camera),
        "stars": stars,
        "frames": _truth_columns(truth),
    }
