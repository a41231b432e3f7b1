"""Join the measured frames of a night into one cube."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from lightcurve import times
from lightcurve.data import FrameResult, Measurements
from lightcurve.errors import InputError
from lightcurve.measure import move
from lightcurve.recipe import Recipe

_PER_STAR = ("x", "y", "n_sky", "fwhm", "x_width", "y_width", "angle_deg", "roundness")
_PER_RADIUS = ("flux", "flux_err", "area", "peak", "flags")


def stack_results(results: Iterable[FrameResult], recipe: Recipe) -> Measurements:
    """Join the measured frames into one cube, in order of time, with times and airmass.

    Parameters
    ----------
    results : iterable of FrameResult
        Failed ones are left out.
    recipe : Recipe

    Returns
    -------
    Measurements

    Raises
    ------
    InputError
        When no frame was measured.
    """
    results = list(results)
    good = [r for r in results if r.status == "measured"]
    if not good:
        reasons = {r.reason for r in results}
        msg = f"none of the {len(results)} frames could be measured: {sorted(reasons)[0]}"
        raise InputError(msg)
    good.sort(key=lambda r: (r.exposure.mid_jd_utc, r.file))
    plan = recipe.plan
    target = int(np.flatnonzero(plan.role == "target")[0])
    jd = np.array([r.exposure.mid_jd_utc for r in good])
    sky_place = (float(plan.ra_deg[target]), float(plan.dec_deg[target]), good[0].exposure.site)
    reference = np.array([plan.x_ref[target], plan.y_ref[target]])
    shift = np.array([move(r.registration.matrix, *reference) for r in good]) - reference
    cube = {name: _stacked(good, name) for name in (*_PER_STAR, *_PER_RADIUS)}
    factor = recipe.settings.apertures.fwhm_factor
    return Measurements(
        file=np.array([r.file for r in good]),
        jd_utc=jd,
        bjd_tdb=times.bjd_tdb(jd, *sky_place),
        exposure_s=np.array([r.exposure.exposure_s for r in good], dtype=float),
        airmass=times.airmass(jd, *sky_place) if sky_place[2] else np.full(len(good), np.nan),
        fwhm_px=np.array([r.fwhm_px for r in good]),
        sky=np.array([r.sky for r in good]),
        sky_rms=np.array([r.sky_rms for r in good]),
        rotation_deg=np.array([r.registration.rotation_deg for r in good]),
        shift_x=shift[:, 0],
        shift_y=shift[:, 1],
        radii=recipe.radii,
        annulus=recipe.annulus,
        plan=plan,
        star_sky=_stacked(good, "sky"),
        star_sky_std=_stacked(good, "sky_std"),
        radius_used=None if factor is None else _stacked(good, "radius_used"),
        fwhm_factor=factor,
        site=good[0].exposure.site,
        telescope_diameter_m=good[0].exposure.telescope_diameter_m,
        **cube,
    )


def _stacked(results: Sequence[FrameResult], name: str) -> np.ndarray:
    return np.stack([getattr(r.photometry, name) for r in results])
