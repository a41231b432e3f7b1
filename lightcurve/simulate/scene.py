"""What falls on the sensor during a night."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.simulate.observatory import Conditions, Night, SimCamera, night_conditions
from lightcurve.simulate.render import Sensor, make_sensor
from lightcurve.simulate.sky import StarField, frame_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS

TargetFlux = np.ndarray | Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything but the noise.

    x, y : (n, m) float arrays, pixels.
    """

    night: Night
    camera: SimCamera
    sensor: Sensor
    sky: Conditions  # of n frames
    stars: StarField  # m stars, the target first
    flux: np.ndarray  # (n,) float array, of the target, relative
    wcs: list[WCS]  # of each frame
    electrons: np.ndarray  # (m,) float array, in one exposure above the atmosphere, target flux 1
    x: np.ndarray
    y: np.ndarray


def make_scene(
    night: Night,
    camera: SimCamera,
    stars: StarField,
    target_flux: TargetFlux,
    rng: np.random.Generator,
) -> Scene:
    """Work out what falls where.

    stars : the target first.
    target_flux : (n,) float array, or a function of the mid-times (JD UTC) giving one.
    Raises InputError when the flux has the wrong length, the field sets, or the target is in no
    frame.
    """
    ny, nx = camera.shape
    sky = night_conditions(night, camera, rng)
    wcs = [
        frame_wcs(
            (night.ra_deg, night.dec_deg),
            ((nx - 1) / 2 + sky.shift_x[k], (ny - 1) / 2 + sky.shift_y[k]),
            camera.scale_arcsec,
            sky.rotation_deg[k],
            mirrored=camera.mirrored,
        )
        for k in range(len(sky))
    ]
    xy = np.array([each.wcs_world2pix(stars.ra_deg, stars.dec_deg, 0) for each in wcs])
    scene = Scene(
        night=night,
        camera=camera,
        sensor=make_sensor(camera),
        sky=sky,
        stars=stars,
        flux=_relative_flux(target_flux, sky),
        wcs=wcs,
        electrons=night.exposure_s * 10 ** (-0.4 * (stars.mag - camera.zero_point)),
        x=xy[:, 0],
        y=xy[:, 1],
    )
    _check_seen(scene)
    return scene


def _relative_flux(target_flux: TargetFlux, sky: Conditions) -> np.ndarray:
    flux = target_flux(sky.mid_jd_utc) if callable(target_flux) else target_flux
    flux = np.asarray(flux, dtype=float)
    if flux.shape != (len(sky),) or not np.all(flux >= 0):
        msg = (
            f"the target's relative flux must be {len(sky)} numbers, none negative; "
            f"got shape {flux.shape}"
        )
        raise InputError(msg)
    return flux


def _check_seen(scene: Scene) -> None:
    down = np.count_nonzero(np.isnan(scene.sky.airmass))
    if down:
        night = scene.night
        msg = (
            f"the field (RA {night.ra_deg:.3f}, Dec {night.dec_deg:+.3f}) is below the horizon in "
            f"{down} of {night.n_frames} frames: change start, pointing or site"
        )
        raise InputError(msg)
    (ny, nx), x, y = scene.camera.shape, scene.x[:, 0], scene.y[:, 0]
    if not np.any((x > 0) & (x < nx - 1) & (y > 0) & (y < ny - 1)):
        msg = (
            f"the target is in no frame: in the first it falls on pixel ({x[0]:.0f}, {y[0]:.0f}) "
            f"of {nx} x {ny}; move the pointing"
        )
        raise InputError(msg)
