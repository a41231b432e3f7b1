"""Join the measured frames of a night into one cube."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from lightcurve import times
from lightcurve.data import Exposure, FrameResult, Measurements, Registration, StarPhotometry
from lightcurve.errors import InputError
from lightcurve.measure import move
from lightcurve.quantities import header_columns
from lightcurve.recipe import Recipe

_PER_STAR = ("x", "y", "n_sky", "fwhm", "x_width", "y_width", "angle_deg", "roundness")
_PER_RADIUS = ("flux", "flux_err", "area", "peak", "flags")


class _Measured(NamedTuple):
    """A frame that was measured, and what only such a one has."""

    result: FrameResult
    exposure: Exposure
    mid_jd_utc: float
    registration: Registration
    photometry: StarPhotometry


def stack_results(results: Iterable[FrameResult], recipe: Recipe) -> Measurements:
    """Join the measured frames into one cube, in order of time, with times and airmass.

    Parameters
    ----------
    results : iterable of FrameResult
        Failed ones are left out.

    Raises
    ------
    InputError
        When no frame was measured.
    """
    results = list(results)
    measured = [
        _Measured(r, r.exposure, r.exposure.mid_jd_utc, r.registration, r.photometry)
        for r in results
        if r.exposure is not None
        and r.exposure.mid_jd_utc is not None
        and r.registration is not None
        and r.photometry is not None
    ]
    if not measured:
        reasons = {r.reason for r in results}
        msg = f"none of the {len(results)} frames could be measured: {sorted(reasons)[0]}"
        raise InputError(msg)
    measured.sort(key=lambda m: (m.mid_jd_utc, m.result.file))
    plan = recipe.plan
    target = int(np.flatnonzero(plan.role == "target")[0])
    good = [m.result for m in measured]
    jd, first = np.array([m.mid_jd_utc for m in measured]), measured[0].exposure
    sky_place = (float(plan.ra_deg[target]), float(plan.dec_deg[target]), first.site)
    reference = np.array([plan.x_ref[target], plan.y_ref[target]])
    shift = np.array([move(m.registration.matrix, *reference) for m in measured]) - reference
    cube = {name: _stacked(measured, name) for name in (*_PER_STAR, *_PER_RADIUS)}
    factor = recipe.settings.apertures.fwhm_factor
    return Measurements(
        file=np.array([r.file for r in good]),
        jd_utc=jd,
        bjd_tdb=times.bjd_tdb(jd, *sky_place),
        exposure_s=np.array([m.exposure.exposure_s for m in measured], dtype=float),
        airmass=times.airmass(jd, *sky_place) if sky_place[2] else np.full(len(good), np.nan),
        fwhm_px=np.array([r.fwhm_px for r in good]),
        sky=np.array([r.sky for r in good]),
        sky_rms=np.array([r.sky_rms for r in good]),
        rotation_deg=np.array([m.registration.rotation_deg for m in measured]),
        shift_x=shift[:, 0],
        shift_y=shift[:, 1],
        radii=recipe.radii,
        annulus=recipe.annulus,
        plan=plan,
        star_sky=_stacked(measured, "sky"),
        star_sky_std=_stacked(measured, "sky_std"),
        radius_used=None if factor is None else _stacked(measured, "radius_used"),
        fwhm_factor=factor,
        site=first.site,
        telescope_diameter_m=first.telescope_diameter_m,
        columns=_of_headers(good),
        **cube,
    )


def _of_headers(results: Sequence[FrameResult]) -> dict[str, np.ndarray]:
    """Numbers of the frames' headers, by column."""
    names = list(header_columns())
    return {name: np.array([r.from_header[k] for r in results]) for k, name in enumerate(names)}


def _stacked(measured: Sequence[_Measured], name: str) -> np.ndarray:
    return np.stack([getattr(m.photometry, name) for m in measured])
