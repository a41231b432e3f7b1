"""Simulate a night to order: what the command `simulate` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.catalogs.motion import place_at
from lightcurve.core import times
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Planet, Result
from lightcurve.core.dates import EARLIEST_JD, LATEST_JD, jd_from_iso
from lightcurve.core.errors import InputError
from lightcurve.core.progress import Progress, silent
from lightcurve.frames.read import is_image_name
from lightcurve.simulate.night import Truth, simulate_night
from lightcurve.simulate.observatory import Night, SimCamera
from lightcurve.simulate.request import FIELDS, Request
from lightcurve.simulate.sky import BRIGHTEST, SimTarget, StarField, make_field, read_star_list
from lightcurve.transit.ephemeris import impact_parameter, predict_transit, read_planet
from lightcurve.transit.model import transit_flux

__all__ = ["Simulated", "simulate_request", "transit_of"]

LIMB_DARKENING = (0.42, 0.31)  # Kipping's q1, q2: about those of the Sun in V
N_STARS = 110
MAG_RANGE = (9.6, 14.2)
LIMITS = {
    "frames": (1, 100_000),
    "exposure": (0.001, 86_400),
    "cadence": (0.001, 86_400),
    "size": (32, 20_000),
    "scale": (0.1, 60),
    "mag": (BRIGHTEST, 25),
    "cloud": (0, 1),
    "bias": (0, 10_000),
    "dark": (0, 10_000),
    "flat": (0, 10_000),
    "seed": (0, 2**63),
}


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A night simulated to order: where it is, and all that went into it."""

    folder: Path
    truth: Truth
    seed: int

    @property
    def summary(self) -> dict[str, Result]:
        """What is worth printing."""
        truth, target = self.truth, self.truth.target
        n_calibrations = len(truth.biases) + len(truth.darks) + len(truth.flats)
        deepest = 100 * (1 - float(truth.target_flux.min()))
        place = f"{target.name}, RA {target.ra_deg:.5f} Dec {target.dec_deg:+.5f}"
        return {
            "folder": Result(str(self.folder), label="folder"),
            "light_frames": Result(len(truth.lights), label="light frames"),
            "calibration_frames": Result(n_calibrations, label="calibration frames"),
            "target": Result(target.name, "", "target", place),
            "ra_deg": Result(target.ra_deg, "deg"),
            "dec_deg": Result(target.dec_deg, "deg"),
            "depth_percent": Result(
                deepest, "%", "deepest point of the target", f"{deepest:.3f} %"
            ),
            "seed": Result(self.seed, label="seed"),
        }


def simulate_request(out: Path, request: Request, *, progress: Progress = silent) -> Simulated:
    """Simulate the night and write its frames and truth.

    Raises
    ------
    InputError
        When the order makes no sense, or the folder holds another night.
    """
    _check_request(request)
    _check_folder(out)
    planet = read_planet(request.planet) if request.planet else None
    camera = SimCamera(
        shape=request.size[::-1], scale_arcsec=request.scale_arcsec, seed=request.seed
    )
    night = _night(request, planet)
    target = SimTarget(
        planet.name if planet else "Simulated-1", night.ra_deg, night.dec_deg, request.magnitude
    )
    truth = simulate_night(
        out,
        night,
        camera,
        _field(request, night, camera),
        target,
        (lambda jd: transit_of(planet, night, jd)) if planet else np.ones(request.n_frames),
        dialect=request.dialect,
        n_bias=request.n_bias,
        n_dark=request.n_dark,
        n_flat=request.n_flat,
        header_wcs=request.stars is None if request.header_wcs is None else request.header_wcs,
        progress=progress,
    )
    return Simulated(out, truth, request.seed)


def _check_request(request: Request) -> None:
    """Refuse numbers that no observatory has.

    Raises InputError naming the option and its limits.
    """
    for option, (low, high) in LIMITS.items():
        value = getattr(request, FIELDS[option])
        values = value if isinstance(value, tuple | list) else (value,)
        if not all(
            isinstance(one, int | float | np.number) and low <= one <= high for one in values
        ):
            words = " ".join(map(str, values))
            msg = f"--{option} {words}: it must be from {low:g} to {high:g}"
            raise InputError(msg)
    if len(request.size) != 2:
        msg = f"--size {request.size}: it must be a width and a height"
        raise InputError(msg)
    if request.cadence_s < request.exposure_s:
        msg = (
            f"--cadence {request.cadence_s:g} s is shorter than --exposure {request.exposure_s:g} s"
        )
        raise InputError(msg)


def _check_folder(out: Path) -> None:
    """Refuse to mix two nights."""
    names = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    held = [name for name in names if is_image_name(name) or name in {"truth.csv", "truth.json"}]
    if held:
        msg = f"{out}: holds {held[0]} already, and two nights would mix: name an empty folder"
        raise InputError(msg)


def _start(text: str) -> float:
    try:
        start = jd_from_iso(text)
    except ValueError as error:
        msg = f"--start: {error}"
        raise InputError(msg) from error
    if not EARLIEST_JD <= start <= LATEST_JD:
        msg = f"--start {text}: it must be from 1950 to 2150"
        raise InputError(msg)
    return start


def _night(request: Request, planet: Planet | None) -> Night:
    usual = Night(seed=request.seed)
    start = usual.start_jd_utc
    if request.start:
        start = _start(request.start)
    elif planet:
        # The transit nearest to the usual night, in the middle of the frames.
        half = 0.5 * request.n_frames * request.cadence_s / DAY_S
        start = predict_transit(planet, start).mid - half
    ra, dec = usual.ra_deg, usual.dec_deg
    if planet:
        ra, dec = place_at(planet.ra_deg, planet.dec_deg, planet.motion, start)
    return Night(
        start_jd_utc=start,
        n_frames=request.n_frames,
        exposure_s=request.exposure_s,
        cadence_s=request.cadence_s,
        ra_deg=ra,
        dec_deg=dec,
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


def transit_of(planet: Planet, night: Night, jd_utc: np.ndarray) -> np.ndarray:
    """Compute the planet's transit as the observatory sees it.

    Parameters
    ----------
    jd_utc : (n,) float array
        Mid-exposure.

    Returns
    -------
    (n,) float array
        Relative flux.
    """
    place = place_at(planet.ra_deg, planet.dec_deg, planet.motion, float(np.median(jd_utc)))
    bjd = times.bjd_tdb(jd_utc, *place, night.site)
    mid = predict_transit(planet, float(np.median(bjd))).mid
    shape = (planet.rp_over_rs, planet.a_over_rs, impact_parameter(planet))
    theta = np.array([mid, *shape, *LIMB_DARKENING])
    return transit_flux(bjd, theta, planet, exposure_days=night.exposure_s / DAY_S)
