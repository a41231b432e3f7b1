"""Nights ready to run."""

from __future__ import annotations

import numpy as np

from lightcurve.simulate.observatory import Night, SimCamera
from lightcurve.simulate.sky import SimTarget, StarField, make_field, stars_with_target

DEMO_CALIBRATIONS = 5  # frames of each kind


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
