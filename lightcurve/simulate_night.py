"""Simulate a night to order: what the command `simulate` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve import times
from lightcurve.data import Planet
from lightcurve.demo import transit_of
from lightcurve.errors import InputError
from lightcurve.progress import Progress, silent
from lightcurve.simulate.night import simulate_night
from lightcurve.simulate.observatory import Night, SimCamera
from lightcurve.simulate.sky import SimTarget, StarField, make_field, read_star_list
from lightcurve.transit.ephemeris import predict_transit, read_planet

N_STARS = 110
MAG_RANGE = (9.6, 14.2)


@dataclass(frozen=True, slots=True)
class Request:
    """A night to order; see `lightcurve simulate --help`."""

    planet: Path | None
    stars: Path | None
    start: str | None
    n_frames: int
    exposure_s: float
    cadence_s: float
    size: tuple[int, int]
    scale_arcsec: float
    magnitude: float
    flip: bool
    cloud_depth: float
    calibrations: tuple[int, int, int]
    dialect: str
    header_wcs: bool
    seed: int


def simulate_request(out: Path, request: Request, *, progress: Progress = silent) -> dict[str, Any]:
    """Simulate the night and write its frames and truth.

    Parameters
    ----------
    out : Path
    request : Request
    progress : Progress

    Returns
    -------
    dict
        What was simulated.

    Raises
    ------
    InputError
        When the order makes no sense.
    """
    planet = read_planet(request.planet) if request.planet else None
    camera = SimCamera(
        shape=request.size[::-1], scale_arcsec=request.scale_arcsec, seed=request.seed
    )
    night = _night(request, planet)
    target = SimTarget(
        planet.name if planet else "Simulated-1", night.ra_deg, night.dec_deg, request.magnitude
    )
    n_bias, n_dark, n_flat = request.calibrations
    truth = simulate_night(
        out,
        night,
        camera,
        _field(request, night, camera),
        target,
        (lambda jd: transit_of(planet, night, jd)) if planet else np.ones(request.n_frames),
        dialect=request.dialect,
        n_bias=n_bias,
        n_dark=n_dark,
        n_flat=n_flat,
        header_wcs=request.header_wcs,
        progress=progress,
    )
    return {
        "folder": str(out),
        "light frames": len(truth.lights),
        "calibration frames": len(truth.biases) + len(truth.darks) + len(truth.flats),
        "target": f"{target.name}, RA {target.ra_deg:.5f} Dec {target.dec_deg:+.5f}",
        "deepest point of the target": f"{100 * (1 - float(truth.target_flux.min())):.3f} %",
        "seed": request.seed,
    }


def _night(request: Request, planet: Planet | None) -> Night:
    usual = Night(seed=request.seed)
    start = usual.start_jd_utc
    if request.start:
        start = times.jd_from_iso(request.start)
    elif planet:
        # The transit nearest to the usual night, in the middle of the frames.
        half = 0.5 * request.n_frames * request.cadence_s / 86400
        start = predict_transit(planet, start).mid - half
    if request.cadence_s < request.exposure_s:
        msg = f"--cadence {request.cadence_s:g} s is shorter than the exposure"
        raise InputError(msg)
    return Night(
        start_jd_utc=start,
        n_frames=request.n_frames,
        exposure_s=request.exposure_s,
        cadence_s=request.cadence_s,
        ra_deg=planet.ra_deg if planet else usual.ra_deg,
        dec_deg=planet.dec_deg if planet else usual.dec_deg,
        flip_at=0.5 if request.flip else None,
        cloud_depth=request.cloud_depth,
        seed=request.seed,
    )


def _field(request: Request, night: Night, camera: SimCamera) -> StarField:
    if request.stars:
        return read_star_list(request.stars)
    ny, nx = camera.shape
    fov = (nx * camera.scale_arcsec / 3600, ny * camera.scale_arcsec / 3600)
    rng = np.random.default_rng([request.seed, 0x51])
    return make_field(rng, (night.ra_deg, night.dec_deg), fov, N_STARS, mag_range=MAG_RANGE)
