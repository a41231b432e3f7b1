"""Nights ready to run, and what went into a simulated night, kept beside its frames."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lightcurve.simulate.observatory import Conditions, Night, SimCamera
from lightcurve.simulate.render import Sensor
from lightcurve.simulate.sky import SimTarget, StarField, make_field, stars_with_target

__all__ = ["DEMO_CALIBRATIONS", "demo_night"]

DEMO_CALIBRATIONS = 5  # frames of each kind


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Everything a reduction of the night should find.

    lights, biases, darks, flats : files written, in order of time.
    conditions : of the n light frames.
    target_flux : (n,) float array, relative flux of the target, extinction apart.
    stars : m stars; row 0 is the target.
    electrons : (m,) float array, of each star in one exposure above the atmosphere, target flux
        1, response 1.
    x, y : (n, m) float arrays, pixels, 0-based.
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


def demo_night(seed: int) -> tuple[Night, SimCamera, StarField, SimTarget]:
    """Set up a small night with some of everything that goes wrong.

    Returns
    -------
    night : Night
        72 frames in 3 hours: drift, changing seeing, a thin cloud, a meridian flip, one trail.
    camera : SimCamera
        500 x 400 pixels with hot pixels, a dead column, dust and vignetting.
    field : StarField
        About 110 made-up stars in 10' x 8', the brightest too bright for the camera.
    target : SimTarget
        V 11.2, about 200 000 electrons a frame (signal to noise about 400).
    """
    rng = np.random.default_rng([seed, 0xDE])
    camera = SimCamera(n_dead_columns=1, seed=seed)
    night = Night(
        start_jd_utc=2460586.765,  # the field crosses the meridian just before the flip
        n_frames=72,
        flip_at=0.55,
        cloud_depth=0.35,
        trail_frames=(20,),
        seed=seed,
    )
    ny, nx = camera.shape
    fov = (nx * camera.scale_arcsec / 3600, ny * camera.scale_arcsec / 3600)
    center = (night.ra_deg, night.dec_deg)
    target = SimTarget("Demo-1", night.ra_deg + 0.012, night.dec_deg - 0.008, 11.2)
    made = make_field(rng, center, fov, 115, mag_range=(9.6, 14.2))
    # No neighbour in the target's aperture or sky, whatever the seed; and one star saturates.
    stars = stars_with_target(target, made, same_arcsec=30.0)
    field = StarField(stars.ra_deg[1:], stars.dec_deg[1:], np.append(8.8, stars.mag[2:]))
    return night, camera, field, target
