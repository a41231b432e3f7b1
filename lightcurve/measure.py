"""Measure a night: each frame on its own, by one recipe, in any order and any process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from lightcurve import __version__, times
from lightcurve.astrometry.pattern import ReferencePattern
from lightcurve.calib.reduce import reduce_frame
from lightcurve.calib.store import load_masters
from lightcurve.config import Settings
from lightcurve.data import Frame, FrameResult, Masters, Measurements, Registration, StarPlan
from lightcurve.errors import FrameError, InputError, LightcurveError
from lightcurve.flags import Flag
from lightcurve.frames.read import read_frame
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.detect import detect
from lightcurve.phot.noise import NoiseModel
from lightcurve.placing import place_frame
from lightcurve.progress import Progress, silent
from lightcurve.store import RunStore

FRAMES_PER_TASK = 4
MAX_PATTERN = 150  # so many of a frame's stars make its pattern
# Only these settings reach the measuring; the number of workers, say, does not.
_OF_A_FRAME = dict.fromkeys(("camera", "site", "time", "apertures"), True) | {
    "solve": {"solvers", "index", "radius_deg", "parity", "timeout_s"}
}
_PER_STAR = ("x", "y", "n_sky", "fwhm", "x_width", "y_width", "angle_deg", "roundness")
_PER_RADIUS = ("flux", "flux_err", "area", "peak", "flags")


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """All that measuring a frame needs besides the frame.

    Attributes
    ----------
    settings : Settings
    shape : tuple of int
        (ny, nx) of every frame.
    masters_folder : Path or None
        Where the master frames were written.
    masters_digest : str
        Of their pixels.
    reference : ReferencePattern
        The stars every frame is registered to.
    scale_arcsec : float
        Of the reference frame, per pixel.
    plan : StarPlan
    radii : (n_radius,) float array
        Pixels.
    annulus : tuple of float
    noise : NoiseModel
    saturation_adu : float or None
    """

    settings: Settings
    shape: tuple[int, int]
    masters_folder: Path | None
    masters_digest: str
    reference: ReferencePattern
    scale_arcsec: float
    plan: StarPlan
    radii: np.ndarray
    annulus: tuple[float, float]
    noise: NoiseModel
    saturation_adu: float | None

    def fingerprint(self) -> str:
        """Digest of everything that can change a result.

        Returns
        -------
        str
        """
        settings = self.settings.model_dump_json(include=_OF_A_FRAME)
        stars = (self.reference.x, self.reference.y, self.reference.shape)
        rest = replace(self, settings=None, masters_folder=None, reference=None)
        return digest((__version__, settings, stars, rest))


def digest(value: object) -> str:
    """Hash plain values, arrays, and dataclasses and tuples of them.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
        SHA-256, hexadecimal; the same for the same content in any process.

    Raises
    ------
    TypeError
        For what is none of these.
    """
    total = hashlib.sha256()

    def add(part: object) -> None:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype.str}{part.shape}".encode())
            total.update(np.ascontiguousarray(part).data)
        elif is_dataclass(part):
            for entry in fields(part):
                total.update(entry.name.encode())
                add(getattr(part, entry.name))
        elif isinstance(part, (tuple, list)):
            total.update(f"{len(part)}".encode())
            for entry in part:
                add(entry)
        elif isinstance(part, (str, int, float, bool, type(None), np.generic, dict)):
            total.update(repr(part).encode())
        else:
            # The text of an unknown object may hold its address, another in each process.
            msg = f"cannot digest {type(part)}"
            raise TypeError(msg)

    add(value)
    return total.hexdigest()


@lru_cache(maxsize=1)
def _masters(folder: Path | None) -> Masters | None:
    return load_masters(folder) if folder else None


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
        frame = read_frame(path, settings=recipe.settings)
        if frame.pixels.shape != recipe.shape:
            msg = "is {1} x {0} px, the others are {3} x {2}".format(
                *frame.pixels.shape, *recipe.shape
            )
            raise FrameError(path, msg)
        return _measure(reduce_frame(frame, _masters(recipe.masters_folder)), recipe)
    except LightcurveError as error:
        return FrameResult(path.name, "failed", str(error))


def _measure(frame: Frame, recipe: Recipe) -> FrameResult:
    """Register a calibrated frame and measure all stars of the plan where they now are."""
    stars = detect(
        frame.pixels, frame.bad, max_stars=MAX_PATTERN, saturation_adu=recipe.saturation_adu
    )
    found = {
        "exposure": frame.exposure,
        "n_detected": len(stars),
        "sky": stars.sky,
        "sky_rms": stars.sky_rms,
    }
    try:
        registration, solution = place_frame(
            frame, stars, recipe.reference, recipe.plan, recipe.scale_arcsec, recipe.settings.solve
        )
    except LightcurveError as error:
        return FrameResult(frame.path.name, "failed", str(error), **found)
    x, y = place(recipe.plan, registration)
    photometry = measure_stars(
        frame.pixels,
        frame.bad,
        x,
        y,
        recipe.radii,
        recipe.annulus,
        recipe.noise,
        saturation_adu=recipe.saturation_adu,
        linearity_adu=recipe.settings.camera.linearity_adu,
        max_shift=recipe.settings.apertures.max_centroid_shift_px,
    )
    remarks = frame.exposure.warnings
    if solution is not None:
        photometry = replace(photometry, flags=photometry.flags | np.uint16(Flag.PLATE_SOLVED))
        by = f"{solution.solver}, {solution.n_matched} stars"
        remarks = (*remarks, f"does not match the reference: placed by plate solving ({by})")
    return FrameResult(
        frame.path.name,
        "measured",
        "; ".join(remarks),
        registration=registration,
        fwhm_px=_median_fwhm(photometry.fwhm, photometry.flags[:, 0]),
        photometry=photometry,
        **found,
    )


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


def measure_frames(paths: Sequence[Path], recipe: Recipe) -> list[FrameResult]:
    """Measure a few frames: the unit of work sent to another process.

    Parameters
    ----------
    paths : sequence of Path
    recipe : Recipe

    Returns
    -------
    list of FrameResult
        In the order of `paths`.
    """
    return [measure_frame(path, recipe) for path in paths]


def measure_night(
    paths: Sequence[Path],
    recipe: Recipe,
    store: RunStore,
    *,
    executor: Executor | None = None,
    progress: Progress = silent,
) -> list[FrameResult]:
    """Measure all frames that the store does not have yet, and keep each as it comes.

    Parameters
    ----------
    paths : sequence of Path
    recipe : Recipe
    store : RunStore
        Results with the same recipe and an unchanged file are taken from it.
    executor : concurrent.futures.Executor, optional
        Where to run; by default this process, or a local pool of `recipe.settings.workers`.
    progress : Progress

    Returns
    -------
    list of FrameResult
        In the order of `paths`.
    """
    fingerprint = recipe.fingerprint()
    keys = {path: f"{fingerprint} {_file_state(path)}" for path in paths}
    results = {path: store.get(path, keys[path]) for path in paths}
    missing = [path for path in paths if results[path] is None]
    done = _compute(missing, recipe, executor)
    for path, result in progress(done, "Measuring frames", len(missing)):
        store.put(path, keys[path], result)
        results[path] = result
    return [results[path] for path in paths]


def _file_state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


def _compute(
    paths: Sequence[Path], recipe: Recipe, executor: Executor | None
) -> Iterator[tuple[Path, FrameResult]]:
    """Yield each path with its result, in order, wherever the work is done."""
    workers = min(recipe.settings.workers, len(paths))
    if executor is None and workers <= 1:
        for path in paths:
            yield path, measure_frame(path, recipe)
        return
    chunks = [paths[i : i + FRAMES_PER_TASK] for i in range(0, len(paths), FRAMES_PER_TASK)]
    with ExitStack() as stack:
        pool = executor or stack.enter_context(ProcessPoolExecutor(workers))
        for chunk, results in zip(
            chunks, pool.map(measure_frames, chunks, [recipe] * len(chunks)), strict=True
        ):
            yield from zip(chunk, results, strict=True)


def available_workers() -> int:
    """Count the processors this process may use.

    Returns
    -------
    int
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    return Measurements(
        file=np.array([r.file for r in good]),
        jd_utc=jd,
        bjd_tdb=times.bjd_tdb(jd, *sky_place),
        exposure_s=np.array([r.exposure.exposure_s or np.nan for r in good]),
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
        **cube,
    )


def _stacked(results: Sequence[FrameResult], name: str) -> np.ndarray:
    return np.stack([getattr(r.photometry, name) for r in results])
