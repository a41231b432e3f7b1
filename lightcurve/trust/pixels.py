"""Transits put into the raw frames of a night, which are then reduced anew from the first step."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Planet, StarRole, TransitFit
from lightcurve.core.errors import InputError
from lightcurve.core.progress import Progress
from lightcurve.core.settings import Figures, Settings, TargetSettings
from lightcurve.frames.dim import Star, write_dimmed
from lightcurve.night.keep import read_night
from lightcurve.night.reduced import Night
from lightcurve.night.story import reduce_night
from lightcurve.transit.fit import solve_curve
from lightcurve.transit.inject import Injector, Order, Purpose, Trial, judge_trial, truth_of
from lightcurve.transit.model import TransitModel

PLACES = (-0.25, 0.0, 0.25)  # of the night, after the place of its own transit
WIDEST_FWHM = 4.0  # beyond which a star has next to no light
FIRST_NUMBER = 10**6  # of these injections: others draw from lower ones


@dataclass(frozen=True, slots=True)
class PixelTrial:
    """A transit put into pixels.

    Attributes
    ----------
    kept, kept_err : float
        Share of the depth put into the pixels that is left in the light curve, beside the one
        that was measured without.
    pixels, curve : Trial
        What the fit finds of it, and of the same transit put into the light curve itself.
    frames : int
        That were measured in both.
    """

    kept: float
    kept_err: float
    pixels: Trial
    curve: Trial
    frames: int


def try_pixels(
    run: Path, injector: Injector, depth: float, settings: Settings, progress: Progress
) -> list[PixelTrial]:
    """Put transits of a depth, fraction of the light, into the frames of a run, one at a time.

    Raises InputError where the folder keeps no night, or its frames are not there; FrameError for
    frames that cannot be written; LightcurveError where the new night cannot be reduced.
    """
    night = read_night(run)
    missing = [path for path in night.scene.lights if not path.is_file()]
    if missing:
        msg = f"{missing[0]}: no file of the run any more; --pixels needs each frame in its place"
        raise InputError(msg)
    span = float(np.ptp(injector.time))
    orders = [
        Order(Purpose.PIXELS, depth, share * span, FIRST_NUMBER + k)
        for k, share in enumerate(PLACES)
    ]
    made = progress(orders, "Reducing frames with transits in them", len(orders))
    return [one_night(night, injector, order, settings) for order in made]


def one_night(night: Night, injector: Injector, order: Order, settings: Settings) -> PixelTrial:
    """Put one transit into all frames, reduce them, and hold the curve against the one without."""
    rng = np.random.default_rng([injector.seed, order.number])
    planet = injector.planet_of(order)
    theta = injector.draw_truth(planet, rng)
    with tempfile.TemporaryDirectory(prefix="lightcurve-") as scratch:
        frames, out = Path(scratch) / "frames", Path(scratch) / "run"
        write_frames(night, frames, planet, theta, rng)
        how = night.settings.model_copy(
            update={
                "fit": night.settings.fit.model_copy(update={"enabled": False}),
                "figures": Figures.NONE,
                "target": target_of(night, settings),
            }
        )
        logger = logging.getLogger("lightcurve")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            again = reduce_night(frames, how, out)
        finally:
            logger.setLevel(level)
    return compare(night, again, injector, order, (planet, theta))


def target_of(night: Night, settings: Settings) -> TargetSettings:
    """Say which star is meant as the run did, or as it is said now."""
    given = settings.target
    return given if given.planet_file or given.name else night.settings.target


def write_frames(
    night: Night, folder: Path, planet: Planet, theta: np.ndarray, rng: np.random.Generator
) -> None:
    """Write the light frames of a night with a transit in them, and link to all other files."""
    m, camera = night.measurements, night.scene.camera
    target = int(np.flatnonzero(m.plan.role == StarRole.TARGET)[0])
    row = {str(name): k for k, name in enumerate(m.file)}
    lights = {path.resolve(): path for path in night.scene.lights}
    exposure = float(np.nanmedian(m.exposure_s)) / DAY_S
    light = np.ones(len(m.file))
    timed = np.isfinite(m.bjd_tdb)
    light[timed] = TransitModel(m.bjd_tdb[timed], planet, exposure)(theta)
    for path in files_of(night):
        out = folder / path.relative_to(night.inventory.folder)
        k = row.get(path.name) if path.resolve() in lights else None
        if k is None or light[k] >= 1 or not math.isfinite(m.x[k, target]):
            link(path, out)
            continue
        radius = max(float(m.radii.max()), WIDEST_FWHM * float(m.fwhm_px[k]))
        star = Star(float(m.x[k, target]), float(m.y[k, target]), radius)
        write_dimmed(
            path, out, star, loss=1 - float(light[k]), gain=camera.noise.gain_e_per_adu,
            shape=night.scene.reference.exposure.shape, rng=rng,
        )  # fmt: skip


def files_of(night: Night) -> Iterator[Path]:
    """List the files that the run found."""
    for entry in night.inventory.entries:
        if entry.path.is_file():
            yield entry.path


def link(path: Path, out: Path) -> None:
    """Let a file stand in another folder, without copying where that can be."""
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, out)
    except OSError:
        shutil.copyfile(path, out)


def compare(
    night: Night, again: Night, injector: Injector, order: Order, put: tuple[Planet, np.ndarray]
) -> PixelTrial:
    """Hold a light curve with a transit in its pixels against the one without."""
    planet, theta = put
    with_it, without = again.curve, night.curve
    place = {str(name): k for k, name in enumerate(without.file)}
    both = np.array([place.get(str(name), -1) for name in with_it.file])
    here = np.flatnonzero((both >= 0) & np.isfinite(with_it.flux))
    here = here[np.isfinite(without.flux[both[here]])]
    there = both[here]
    exposure = injector.noise.exposure_days
    transit = TransitModel(without.bjd_tdb[there], planet, exposure)(theta)
    kept, kept_err = share_kept(with_it.flux[here] / without.flux[there], transit)
    # What the fit took for the night's own transit is taken out of both alike.
    own = np.ones(len(without.flux))
    if night.fit is not None and night.fit.found:
        own = np.where(np.isfinite(night.fit.model), night.fit.model, 1.0)
    plain = without.flux.copy()
    plain[there] = without.flux[there] * transit / own[there]
    divided = with_it.flux.copy()
    divided[here] = with_it.flux[here] / own[there]
    fits = []
    for curve in (replace(with_it, flux=divided), replace(without, flux=plain)):
        fit: TransitFit = solve_curve(
            curve, planet, exposure_s=exposure * DAY_S, filter_name=injector.filter_name,
            settings=injector.settings,
        )[0]  # fmt: skip
        fits.append(judge_trial(order, truth_of(theta, planet), fit))
    return PixelTrial(kept, kept_err, pixels=fits[0], curve=fits[1], frames=len(here))


def share_kept(ratio: np.ndarray, transit: np.ndarray) -> tuple[float, float]:
    """Fit how much of a transit, (n,), is in the ratio of two light curves, (n,); and its error."""
    design = np.column_stack([np.ones(len(ratio)), transit - 1])
    cov = np.linalg.pinv(design.T @ design)
    level, slope = cov @ (design.T @ ratio)
    left = ratio - design @ (level, slope)
    error = math.sqrt(float(left @ left) / max(len(left) - 2, 1) * cov[1, 1])
    return float(slope / level), error / abs(float(level))
