"""Measure one frame by a recipe, on its own."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from lightcurve.astrometry.register import register
from lightcurve.calib.cosmics import mark_cosmic_rays
from lightcurve.calib.reduce import check_size, reduce_frame
from lightcurve.calib.store import load_masters
from lightcurve.data import (
    Detections,
    Frame,
    FrameResult,
    Masters,
    Registration,
    StarPhotometry,
    StarPlan,
)
from lightcurve.errors import FrameError, LightcurveError, RegistrationError
from lightcurve.flags import Flag
from lightcurve.frames.read import read_frame
from lightcurve.parts import cut_patches
from lightcurve.phot.aij_stars import measure_stars_aij
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.detect import detect
from lightcurve.phot.methods import CENTROIDS, HOWELL, WINDOWED
from lightcurve.placing import place_frame
from lightcurve.recipe import Recipe
from lightcurve.shrinking import SmallMasters, enlarge, shrink_frame, shrink_masters

log = logging.getLogger(__name__)

MAX_PATTERN = 150  # so many of a frame's stars make its pattern
UNCERTAIN_S = 1.0  # a clock of whole seconds, the coarsest in common use, leaves half of one open


@lru_cache(maxsize=1)
def _masters(folder: Path | None, digest: str) -> Masters | None:  # noqa: ARG001
    """Read the masters once for all frames; another digest means that they were made anew."""
    return load_masters(folder) if folder else None


@lru_cache(maxsize=1)
def _small_masters(
    folder: Path | None, digest: str, shape: tuple[int, int], factor: int
) -> SmallMasters:
    return shrink_masters(_masters(folder, digest) or Masters(), shape, factor)


_OWN = threading.local()


def _memory(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Keep one array a thread to read frames into; nothing of a frame outlives its measuring."""
    kept = getattr(_OWN, "pixels", None)
    if kept is None or kept.shape != shape or kept.dtype != dtype:
        _OWN.pixels = kept = np.empty(shape, dtype)
    return kept


def measure_frame(path: Path, recipe: Recipe) -> FrameResult:
    """Calibrate, register and measure one frame.

    Parameters
    ----------
    path : Path
    recipe : Recipe

    Returns
    -------
    FrameResult
        Status ``"failed"`` with the reason where the file, its time or its stars will not do.
    """
    try:
        # Of a large frame only parts are ever turned into floats.
        kept = {"integers": recipe.shrink > 1, "allocate": _memory}
        frame = read_frame(path, settings=recipe.settings, **kept)
        if frame.pixels.shape != recipe.shape:
            msg = "is {1} x {0} px, the others are {3} x {2}".format(
                *frame.pixels.shape, *recipe.shape
            )
            raise FrameError(path, msg)
        return _measure(frame, recipe)
    except LightcurveError as error:
        return FrameResult(path.name, "failed", str(error))


def _measure(frame: Frame, recipe: Recipe) -> FrameResult:
    """Register a raw frame and measure all stars of the plan where they now are."""
    masters = _masters(recipe.masters_folder, recipe.masters_digest)
    if masters is not None:
        check_size(frame, masters, frame.pixels.shape)
    if recipe.shrink == 1:
        frame, masters = _reduce(frame, masters, recipe), None
    stars, registration = _find(frame, masters, recipe)
    found = {
        "exposure": frame.exposure,
        "n_detected": len(stars),
        "sky": stars.sky,
        "sky_rms": stars.sky_rms,
    }
    try:
        registration, solution = (
            (registration, None)
            if registration
            else place_frame(
                frame,
                stars,
                recipe.reference,
                recipe.plan,
                recipe.scale_arcsec,
                recipe.settings.solve,
            )
        )
    except LightcurveError as error:
        return FrameResult(frame.path.name, "failed", str(error), **found)
    photometry = _photometry(frame, masters, place(recipe.plan, registration), recipe)
    remarks, flags = frame.exposure.warnings, Flag(0)
    open_s = frame.exposure.time_uncertainty_s
    if open_s > UNCERTAIN_S:
        flags |= Flag.TIME_UNCERTAIN
        remarks = (*remarks, f"its clock leaves the time open by {open_s:.3g} s either way")
    if solution is not None:
        flags |= Flag.PLATE_SOLVED
        by = f"{solution.solver}, {solution.n_matched} stars"
        remarks = (*remarks, f"does not match the reference: placed by plate solving ({by})")
    photometry = replace(photometry, flags=photometry.flags | np.uint16(flags))
    return FrameResult(
        frame.path.name,
        "measured",
        "; ".join(remarks),
        registration=registration,
        fwhm_px=_median_fwhm(photometry.fwhm, photometry.flags[:, 0]),
        photometry=photometry,
        **found,
    )


def _reduce(frame: Frame, masters: Masters | None, recipe: Recipe) -> Frame:
    """Calibrate a whole frame, and mark cosmic rays where the settings ask for it."""
    reduced = reduce_frame(frame, masters)
    if not recipe.settings.calibration.cosmic_rays:
        return reduced
    camera = recipe.noise
    return mark_cosmic_rays(
        reduced, gain_e_per_adu=camera.gain_e_per_adu, read_noise_e=camera.read_noise_e
    )


def _find(
    frame: Frame, masters: Masters | None, recipe: Recipe
) -> tuple[Detections, Registration | None]:
    """Detect the stars of a frame's pattern; a large frame, still raw, is shrunk for it.

    A shrunk frame is registered at once: where that fails it is calibrated whole, for stars much
    sharper than the reference's look like hot pixels when shrunk.
    """
    limits = {"max_stars": MAX_PATTERN, "saturation_adu": recipe.saturation_adu}
    if recipe.shrink > 1:
        given = (recipe.masters_folder, recipe.masters_digest, recipe.shape)
        small = _small_masters(*given, recipe.shrink)
        shrunk = shrink_frame(frame, small, recipe.shrink)
        stars = enlarge(detect(shrunk.pixels, shrunk.bad, **limits), recipe.shrink)
        try:
            return stars, register(stars.x, stars.y, stars.flux, recipe.reference)
        except RegistrationError as error:
            log.info("%s: shrunk, %s; looked at whole", frame.path.name, error)
            frame = reduce_frame(frame, masters)
    return detect(frame.pixels, frame.bad, **limits), None


def _photometry(
    frame: Frame, masters: Masters | None, places: tuple[np.ndarray, np.ndarray], recipe: Recipe
) -> StarPhotometry:
    """Measure stars where they were placed, in the style that the settings say."""
    apertures = recipe.settings.apertures
    limits = {
        "saturation_adu": recipe.saturation_adu,
        "linearity_adu": recipe.settings.camera.linearity_adu,
    }
    given = (recipe.radii, recipe.annulus, recipe.noise)
    if apertures.style == "aij":
        # All rows that a table of these measurements has: who reads it finds the same radius.
        sizing = np.arange(len(recipe.plan)) < recipe.plan.n_compared
        sized = {
            "centroid": apertures.centroid or HOWELL.name,
            "fwhm_factor": apertures.fwhm_factor,
            "sizing": sizing,
        }
        return measure_stars_aij(frame.pixels, frame.bad, places, *given, **sized, **limits)
    limits["centroid"] = CENTROIDS.get(apertures.centroid or WINDOWED.name)
    limits["max_shift"] = apertures.max_centroid_shift_px
    if recipe.shrink > 1:
        reach = max(recipe.annulus[1], recipe.radii[-1] + apertures.max_centroid_shift_px)
        patches = cut_patches(frame, masters, *places, int(np.ceil(reach)) + 2)
        frame, limits["part"] = patches.reduced(), patches.part
    return measure_stars(frame.pixels, frame.bad, *places, *given, **limits)


def place(plan: StarPlan, registration: Registration) -> tuple[np.ndarray, np.ndarray]:
    """Find where the plan's stars fall in a frame.

    The frame's WCS is the reference's WCS after the inverse of this transform, so this is placing
    by sky coordinates without the detour.

    Parameters
    ----------
    plan : StarPlan
    registration : Registration

    Returns
    -------
    x, y : (n,) float arrays
        Pixels of the frame.
    """
    return move(registration.matrix, plan.x_ref, plan.y_ref)


def move(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Carry reference positions over to a frame.

    Written out, because a matrix product may round differently with the matrix's order in memory,
    and a result that was stored must give the same bits as one just computed.

    Parameters
    ----------
    matrix : (2, 3) float array
        Of a `Registration`.
    x, y : float arrays
        Pixels of the reference frame.

    Returns
    -------
    x, y : float arrays
        Pixels of the frame.
    """
    (a, b, c), (d, e, f) = matrix.tolist()
    return a * x + b * y + c, d * x + e * y + f


def _median_fwhm(fwhm: np.ndarray, flags: np.ndarray) -> float:
    """Median over the stars that are whole and unsaturated; NaN where there is none."""
    usable = fwhm[np.isfinite(fwhm) & (flags & (Flag.EDGE | Flag.SATURATED) == 0)]
    return float(np.median(usable)) if usable.size else float("nan")
