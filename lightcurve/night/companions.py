"""Which stars share the target's aperture: those measured beside it, and those of a catalogue."""

from __future__ import annotations

import logging

import numpy as np

from lightcurve.catalogs.bands import bands_of, magnitudes, recipe_for, standard_filter
from lightcurve.catalogs.layout import Catalog, Field
from lightcurve.catalogs.services import query
from lightcurve.core.constants import J2000_JD, YEAR_DAYS
from lightcurve.core.data import Measurements, Style
from lightcurve.core.settings import Settings
from lightcurve.curve.blend import Blend, Companion, companions_measured, field_profile
from lightcurve.night.prepare import Scene
from lightcurve.setup.target import Target

log = logging.getLogger(__name__)
REACH_FWHM = 4.0  # beyond the largest aperture
SAME_FWHM, SAME_PX = 0.7, 1.5  # a catalogue's star so near to a measured one is that star
LEAST_LIGHT = 1e-3  # of the target's: fainter ones change no depth
MAG_ERROR = 0.05  # at least, of a difference: bands are not quite those of the night
ANY_BAND = "G"


def find_blend(
    measurements: Measurements, scene: Scene, target: Target, settings: Settings
) -> Blend | None:
    """Collect the stars near the target and how a star's light spreads; None in the style `aij`.

    What was measured comes before what a catalogue says, which has what no frame resolves.
    """
    if settings.apertures.style == Style.AIJ:
        return None
    profile = field_profile(measurements)
    found = companions_measured(measurements, profile)
    for catalog in _catalogs(measurements, scene, target, settings).values():
        found += _of_catalog(catalog, measurements, scene, target)
    for one in found:
        log.info("a star of %.1f %% of the target's light %.1f px from it (%s)",
                 100 * one.light, one.distance, one.source)  # fmt: skip
    return Blend(profile, measurements.fwhm_px, found)


def _catalogs(
    measurements: Measurements, scene: Scene, target: Target, settings: Settings
) -> dict[str, Catalog]:
    """Read those given by hand, around the target, at the epoch of the night."""
    if not settings.catalogs.files:
        return {}
    mid = float(np.median(measurements.jd_utc))
    reach = measurements.radii[-1] + 2 * REACH_FWHM * float(np.nanmedian(measurements.fwhm_px))
    radius = (reach + 5) * scene.solution.scale_arcsec / 3600
    epoch = 2000 + (mid - J2000_JD) / YEAR_DAYS
    return query((), Field(target.ra_deg, target.dec_deg, radius, epoch), settings.catalogs)[0]


def _of_catalog(
    catalog: Catalog, measurements: Measurements, scene: Scene, target: Target
) -> tuple[Companion, ...]:
    """Companions that a catalogue knows and nobody measured; none where the target is not in it."""
    mag, err = _magnitudes(catalog, scene.reference.exposure.filter)
    use = np.isfinite(mag)
    if not use.any():
        return ()
    fwhm, plan = float(np.nanmedian(measurements.fwhm_px)), measurements.plan
    x, y = scene.solution.wcs.all_world2pix(catalog.ra_deg, catalog.dec_deg, 0)
    at = scene.solution.wcs.all_world2pix(target.ra_deg, target.dec_deg, 0)
    apart = np.where(use, np.hypot(x - at[0], y - at[1]), np.inf)
    same = max(SAME_FWHM * fwhm, SAME_PX)
    star = int(np.argmin(apart))
    if apart[star] > same:
        log.info("%s: the target is not in it", catalog.title)
        return ()
    dx, dy = x - x[star], y - y[star]
    known = np.hypot(x[:, None] - plan.x_ref[1:], y[:, None] - plan.y_ref[1:]) < same
    light = 10 ** (-0.4 * (mag - mag[star]))
    near = use & (np.hypot(dx, dy) < measurements.radii[-1] + REACH_FWHM * fwhm)
    near &= (light > LEAST_LIGHT) & ~known.any(axis=1)
    near[star] = False
    off = np.hypot(np.hypot(err, err[star]), MAG_ERROR) * 0.4 * np.log(10)
    return tuple(
        Companion(float(dx[k]), float(dy[k]), float(light[k]), float(off[k] * light[k]),
                  catalog.title)
        for k in np.flatnonzero(near)
    )  # fmt: skip


def _magnitudes(catalog: Catalog, filter_name: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes nearest the night's filter that the catalogue has of most stars, and errors."""
    columns = bands_of(catalog)
    best = np.full(len(catalog), np.nan), np.full(len(catalog), np.nan)
    for band in (standard_filter(filter_name)[0], ANY_BAND):
        recipe = recipe_for(band, columns)
        if recipe is not None:
            found = magnitudes(catalog, recipe, columns)
            if np.isfinite(found[0]).sum() > np.isfinite(best[0]).sum():
                best = found
    return best
