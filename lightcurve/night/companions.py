"""Which stars share the target's aperture: measured beside it, of a catalogue, or unresolved."""

from __future__ import annotations

import logging

import numpy as np

from lightcurve.catalogs.bands import bands_of, magnitudes, recipe_for, standard_filter
from lightcurve.catalogs.layout import Catalog, Field
from lightcurve.catalogs.services import query
from lightcurve.core.constants import J2000_JD, YEAR_DAYS
from lightcurve.core.data import Measurements, StarRole, Style
from lightcurve.core.settings import Settings
from lightcurve.curve.blend import Blend, Companion, companions_measured, field_profile
from lightcurve.curve.shapes import measure_shapes
from lightcurve.night.scene import Scene
from lightcurve.phot.background import measure_background
from lightcurve.phot.detect import unusable
from lightcurve.phot.epsf import build_psf
from lightcurve.phot.pairs import split_star
from lightcurve.setup.target import Target

log = logging.getLogger(__name__)
REACH_FWHM = 4.0  # beyond the largest aperture
SAME_FWHM, SAME_PX = 0.7, 1.5  # a catalogue's star so near to a measured one is that star
LEAST_LIGHT = 1e-3  # of the target's: fainter ones change no depth
MOST_TOLD = 5  # lines
MAG_ERROR = 0.05  # at least, of a difference: bands are not quite those of the night
ANY_BAND = "G"
SERVICE = "gaia"
EXPLAINS_FWHM = 3.5  # a star so near lies in the pixels that a pair is looked for in
MIN_PSF_STARS = 3


def find_blend(
    measurements: Measurements, scene: Scene, target: Target, settings: Settings
) -> Blend | None:
    """Collect the stars near the target and how a star's light spreads; None in the style `aij`.

    What was measured comes before what a catalogue says, which has what no frame resolves.
    """
    known = np.isfinite(measurements.fwhm_px).any()
    if settings.apertures.style == Style.AIJ or not known:
        return None
    profile = field_profile(measurements)
    found = companions_measured(measurements, profile)
    shapes = measure_shapes(measurements)
    wide = bool(shapes.odd[0] and shapes.excess[0] < 0) and not _explained(found, measurements)
    for catalog in _catalogs(measurements, scene, target, settings, wide=wide).values():
        found += _of_catalog(catalog, measurements, scene, target)
    if wide and not _explained(found, measurements):
        found += _unresolved(measurements, scene, ~shapes.odd)
    near = sorted((c for c in found if c.light >= LEAST_LIGHT), key=lambda c: c.distance)
    for one in near[:MOST_TOLD]:
        log.info("a star of %.1f %% of the target's light %.1f px from it (%s)",
                 100 * one.light, one.distance, one.source)  # fmt: skip
    if len(near) > MOST_TOLD:
        log.info("%d more stars are farther from it", len(near) - MOST_TOLD)
    return Blend(profile, measurements.fwhm_px, found)


def _catalogs(
    measurements: Measurements, scene: Scene, target: Target, settings: Settings, *, wide: bool
) -> dict[str, Catalog]:
    """Read those given by hand, around the target, at the epoch of the night.

    wide: the target's image is wider than a star, and no frame tells why; without a catalogue by
    hand Gaia is asked.
    """
    ask = wide and not settings.catalogs.files and not settings.catalogs.offline
    if not settings.catalogs.files and not ask:
        return {}
    mid = float(np.median(measurements.jd_utc))
    reach = measurements.radii[-1] + 2 * REACH_FWHM * float(np.nanmedian(measurements.fwhm_px))
    radius = (reach + 5) * scene.solution.scale_arcsec / 3600
    epoch = 2000 + (mid - J2000_JD) / YEAR_DAYS
    names = (SERVICE,) if ask else ()
    return query(names, Field(target.ra_deg, target.dec_deg, radius, epoch), settings.catalogs)[0]


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


def _explained(found: tuple[Companion, ...], measurements: Measurements) -> bool:
    """Tell whether a companion that is known makes the target's image wide."""
    fwhm = float(np.nanmedian(measurements.fwhm_px))
    return any(one.distance < EXPLAINS_FWHM * fwhm for one in found)


def _unresolved(
    measurements: Measurements, scene: Scene, single: np.ndarray
) -> tuple[Companion, ...]:
    """Take the target's image apart on the reference frame, by the PSF of its other stars.

    single: (n_star,) bool, of the plan.
    """
    plan, fwhm = measurements.plan, float(np.nanmedian(measurements.fwhm_px))
    stars = np.flatnonzero((plan.role == StarRole.COMPARISON) & single)
    if len(stars) < MIN_PSF_STARS:
        return ()
    frame, gain = scene.reference, scene.camera.noise.gain_e_per_adu
    good = np.isfinite(frame.pixels) & ~unusable(frame.bad)
    sky = measure_background(frame.pixels, frame.bad)
    light = np.where(good, frame.pixels - sky.level, 0.0)
    noise = sky.rms.astype(float) ** 2
    psf = build_psf(
        light, noise, good, (plan.x_ref, plan.y_ref), stars, fwhm, gain_e_per_adu=gain, max_order=0
    )
    variance = noise + np.maximum(light, 0) / gain
    pair = split_star(light, variance, good, psf, (float(plan.x_ref[0]), float(plan.y_ref[0])))
    if pair is None:
        return ()
    log.warning(
        "the target's image is two stars %.1f px apart, the fainter with %.0f +- %.0f %% of the "
        "brighter's light: the brighter is taken for the target; --catalog tells it better",
        np.hypot(pair.x, pair.y), 100 * pair.light, 100 * pair.err,
    )  # fmt: skip
    source = f"unresolved, by its image in {frame.path.name}"
    return (Companion(pair.x, pair.y, pair.light, pair.err, source),)


def _magnitudes(catalog: Catalog, filter_name: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes nearest the night's filter that the catalogue has of most stars, and errors."""
    columns = bands_of(catalog)
    best = np.full(len(catalog), np.nan), np.full(len(catalog), np.nan)
    for band in (standard_filter(filter_name)[0] or ANY_BAND, ANY_BAND):
        recipe = recipe_for(band, columns)
        if recipe is not None:
            found = magnitudes(catalog, recipe, columns)
            if np.isfinite(found[0]).sum() > np.isfinite(best[0]).sum():
                best = found
    return best
