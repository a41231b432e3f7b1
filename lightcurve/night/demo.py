"""A simulated night with a known planet, reduced as any other: truth beside result."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core import times
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Planet, Products
from lightcurve.core.errors import InputError
from lightcurve.core.files import read_toml, write_text
from lightcurve.core.processes import load_meanwhile
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import make_settings
from lightcurve.night.story import reduce_night
from lightcurve.simulate.night import DEMO_CALIBRATIONS, demo_night, simulate_night
from lightcurve.simulate.observatory import Night
from lightcurve.simulate.sky import SimTarget
from lightcurve.simulate.to_order import transit_of
from lightcurve.transit.ephemeris import impact_parameter, predict_transit, transit_duration

__all__ = ["run_demo"]

PLANET_FILE = "planet.toml"
OWN_FILES = {
    "": r"night|run|planet\.toml",
    "night": r"(light|bias|dark|flat)_\d{4}\.fits|truth\..*",
}
# What the reduction loads, most of it of scipy, while other processes still make its frames.
NEXT = ("scipy.interpolate", "scipy.ndimage", "jinja2", "PIL.Image")
WCS_ERROR_PX = 0.5  # a plate solution of the mount's own
PERIOD_DAYS = 1.3
PLANET_NUMBERS = (
    "period_days", "t0_bjd_tdb", "rp_over_rs", "a_over_rs", "inclination_deg", "eccentricity",
    "omega_deg",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number as it was put in and as it came out.

    truth, result, error : the error is one sigma; NaN where the result has none.
    """

    name: str
    truth: float
    result: float
    error: float
    unit: str


def run_demo(
    folder: Path, *, seed: int = 1, progress: Progress = silent
) -> tuple[Products, list[Comparison]]:
    """Simulate a night, reduce it with the main job, and set truth beside result.

    Parameters
    ----------
    folder : Path
        Gets ``night/`` with raw and calibration frames, ``planet.toml`` and ``run/``.

    Raises
    ------
    InputError
        When the folder holds what is not of a demo.
    """
    night, camera, field, target = demo_night(seed)
    night = replace(night, wcs_error_px=WCS_ERROR_PX)
    planet = demo_planet(night, target)
    check_folder(folder, planet)
    write_planet(folder / PLANET_FILE, planet)
    load_meanwhile(*NEXT)
    simulate_night(
        folder / "night", night, camera, field, target, lambda jd: transit_of(planet, night, jd),
        n_bias=DEMO_CALIBRATIONS, n_dark=DEMO_CALIBRATIONS, n_flat=DEMO_CALIBRATIONS,
        header_wcs=True, progress=progress,
    )  # fmt: skip
    # The stars are made up: no index file has them, and no server is to be asked for them.
    settings = make_settings(
        {
            "target": {"planet_file": folder / PLANET_FILE},
            "solve": {"solvers": ["header"]},
            "catalogs": {"offline": True},
            "seed": seed,
        }
    )
    products = reduce_night(folder / "night", settings, folder / "run", progress=progress).products
    return products, _compare_with_truth(planet, products)


def check_folder(folder: Path, planet: Planet) -> None:
    """Refuse a folder that holds anything but a demo.

    planet: the demo's. Raises InputError naming the first file or folder that is not of a demo.
    """
    if not folder.exists():
        return
    strange = [
        path.relative_to(folder)
        for name, own in OWN_FILES.items()
        for path in sorted((folder / name).glob("*"))
        if not (re.fullmatch(own, path.name) or path.name.startswith("."))
    ]
    begun = [path.name for path in folder.glob("*") if path.name in {"night", "run"}]
    known = folder / PLANET_FILE
    if not known.exists():
        strange += [Path(name) for name in begun]
    elif read_toml(known, "a planet file").get("name") != planet.name:
        strange.append(Path(PLANET_FILE))
    if strange:
        msg = f"{folder}: holds {strange[0]}, which no demo made: name an empty folder with --out"
        raise InputError(msg)


def demo_planet(night: Night, target: SimTarget) -> Planet:
    """Put a close hot Jupiter's transit in the middle of a night."""
    middle = night.start_jd_utc + 0.5 * (night.n_frames * night.cadence_s) / DAY_S
    mid = times.bjd_tdb(np.array([middle]), target.ra_deg, target.dec_deg, night.site)[0]
    return Planet(
        name=f"{target.name} b",
        ra_deg=target.ra_deg,
        dec_deg=target.dec_deg,
        period_days=PERIOD_DAYS,
        # As published some hundred orbits ago.
        t0_bjd_tdb=float(np.round(mid, 4)) - 100 * PERIOD_DAYS,
        rp_over_rs=0.14,
        a_over_rs=8.0,
        inclination_deg=88.5,
        teff_k=5800,
        logg=4.4,
        feh=0.0,
        source="simulated",
    )


def write_planet(path: Path, planet: Planet) -> Path:
    """Write a planet file, and make its folder if need be."""
    import tomli_w

    star = {name: getattr(planet, name) for name in ("teff_k", "logg", "feh")}
    content = {
        "name": planet.name,
        "ra": planet.ra_deg,
        "dec": planet.dec_deg,
        **{name: getattr(planet, name) for name in PLANET_NUMBERS},
        "star": {name: value for name, value in star.items() if value is not None},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_text(path, tomli_w.dumps(content))


def _compare_with_truth(planet: Planet, products: Products) -> list[Comparison]:
    """Set the fitted parameters beside those put in; empty when the run had no fit."""
    if "fit.json" not in products.paths:
        return []
    fitted = json.loads(products.paths["fit.json"].read_text())
    mid = predict_transit(planet, fitted["mid_time_bjd_tdb"]["value"]).mid
    truth = {
        "mid_time_bjd_tdb": mid,
        "rp_over_rs": planet.rp_over_rs,
        "a_over_rs": planet.a_over_rs,
        "impact_parameter": impact_parameter(planet),
        "duration_days": transit_duration(planet),
    }
    return [
        Comparison(name, value, *_value_and_error(fitted[name]), fitted[name]["unit"])
        for name, value in truth.items()
    ]


def _value_and_error(parameter: Mapping[str, Any]) -> tuple[float, float]:
    return parameter["value"], (parameter["upper"] - parameter["lower"]) / 2
