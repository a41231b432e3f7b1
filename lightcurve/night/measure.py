"""Measure one frame by a recipe, on its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from lightcurve.aij.photometry import measure_stars_aij
from lightcurve.astrometry.register import register
from lightcurve.astrometry.transform import move
from lightcurve.calib.master_files import load_masters
from lightcurve.calib.reduce import check_size, plan_reduction, reduce_frame
from lightcurve.calib.warm import dark_excess
from lightcurve.core.data import (
    Detections,
    Exposure,
    FoundBy,
    Frame,
    FrameResult,
    FrameStatus,
    Masters,
    Picture,
    RawFrame,
    Registration,
    Solution,
    StarPhotometry,
    StarPlan,
    StarRole,
    Style,
)
from lightcurve.core.errors import FrameError, LightcurveError, RegistrationError, Why
from lightcurve.core.flags import Flag
from lightcurve.core.guard import guard
from lightcurve.core.progress import warnings_to_file
from lightcurve.core.quantities import header_columns
from lightcurve.frames.cards import number
from lightcurve.frames.read import read_frame
from lightcurve.night.binned import (
    SmallMasters,
    enlarge,
    reduce_parts,
    shrink_frame,
    shrink_masters,
)
from lightcurve.night.pictures import field_picture, target_picture
from lightcurve.night.recipe import Recipe
from lightcurve.night.register_or_solve import place_frame
from lightcurve.phot.aperture import Part, box_half, measure_stars
from lightcurve.phot.methods import centroid_of
from lightcurve.phot.sparse import SparseImage
from lightcurve.setup.colour import mark_clipped, plane_of, plane_shape, split
from lightcurve.setup.cosmic_rays import mark_hits

log = logging.getLogger(__name__)
MAX_PATTERN = 150  # so many of a frame's stars make its pattern
PLACED_BY = {
    FoundBy.HEADER: "its header's WCS",
    FoundBy.FEW_STARS: "its stars and the mount",
    FoundBy.ONE_STAR: "the guiding",
    FoundBy.LIGHT: "its light as a whole and the mount",
}
UNCERTAIN_S = 1.0  # a clock of whole seconds, the coarsest in common use, leaves half of one open
PIXELS_TOGETHER, MOST_TOGETHER = 4_000_000, 12  # of frames that are measured side by side
_OWN = threading.local()
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What a frame's own stars told before any was measured."""

    exposure: Exposure
    stars: Detections
    picture: Picture  # of all of it
    registration: Registration | None = None


def measure_frame(path: Path, recipe: Recipe) -> FrameResult:
    """Calibrate, register and measure one frame.

    Status ``"failed"`` with the reason where the file, its time or its stars will not do.
    """
    return next(measure_side_by_side([path], recipe))


def measure_side_by_side(paths: Sequence[Path], recipe: Recipe) -> Iterator[FrameResult]:
    """Measure frames in the order of `paths`, each step of a few of them in turn.

    While a step is done to some small frames, what it needs of the program stays at hand in the
    processor; from frame to frame it is forgotten.
    """
    few = together(recipe)
    for k in range(0, len(paths), few):
        some = paths[k : k + few]
        with warnings_to_file():
            results = in_turn([_steps(path, recipe, slot) for slot, path in enumerate(some)])
        yield from results


def together(recipe: Recipe) -> int:
    """Count the frames that are measured side by side: of large ones each is alone."""
    pixels = recipe.shape[0] * recipe.shape[1]
    return min(max(PIXELS_TOGETHER // pixels, 1), MOST_TOGETHER)


def in_turn(works: Sequence[Generator[None, None, T]]) -> list[T]:
    """Take works on by a step in turn until all are done: what each of them returns."""
    results: dict[int, T] = {}
    while len(results) < len(works):
        for k, work in enumerate(works):
            if k not in results:
                try:
                    next(work)
                except StopIteration as done:
                    results[k] = done.value
    return [results[k] for k in range(len(works))]


def _steps(path: Path, recipe: Recipe, slot: int) -> Generator[None, None, FrameResult]:
    """Measure a frame, with a pause after each step; slot: of the memory to read it into."""
    seen = solution = None
    try:
        with guard(lambda reason: FrameError(path, reason)):
            raw = _read(path, recipe, slot)
            yield
            masters = _masters_for(raw, recipe)
            if _in_parts(raw, recipe):
                whole, seen = None, _find_small(raw, masters, recipe)
            else:
                calibrated = _calibrate(raw, masters, recipe)
                yield
                whole, seen = _find(calibrated, recipe)
            yield
            registration = seen.registration
            if registration is None:
                registration, solution = place_frame(
                    whole or raw, seen.stars, recipe.reference, recipe.plan, recipe.scale_arcsec,
                    recipe.settings.solve,
                )  # fmt: skip
            yield
            x, y = place(recipe.plan, registration)
            if whole is None:
                frame, part = reduce_parts(raw, masters, x, y, _reach(recipe, seen.stars.grain))
            else:
                frame, part = whole, None
            photometry = _photometry(frame, part, x, y, recipe, seen.stars.grain)
            yield
            photometry = _with_noise_of_warm(photometry, raw, masters, recipe)
            target = _target_picture(frame, part, photometry, (x, y), recipe, seen.stars)
    except LightcurveError as error:
        return _failed(path, error, seen)
    return _measured(raw, seen, registration, solution, photometry, target)


def _read(path: Path, recipe: Recipe, slot: int) -> RawFrame:
    memory = partial(_memory, slot)
    raw = read_frame(path, settings=recipe.settings, integers=recipe.shrink > 1, allocate=memory)
    shape = plane_shape(raw, recipe.settings)
    if shape != recipe.shape:
        msg = "is {1} x {0} px, the others are {3} x {2}".format(*shape, *recipe.shape)
        raise FrameError(path, msg, why=Why.SIZE)
    return mark_clipped(raw, recipe.saturation_adu)


def _memory(slot: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Keep an array a thread and slot to read frames into: none outlives its frame's measuring."""
    slots: dict[int, np.ndarray] = _OWN.__dict__.setdefault("slots", {})
    kept = slots.get(slot)
    if kept is None or kept.shape != shape or kept.dtype != dtype:
        slots[slot] = kept = np.empty(shape, dtype)
    return kept


def _in_parts(raw: RawFrame, recipe: Recipe) -> bool:
    """Whether only the parts around stars are calibrated at full resolution, as of large frames."""
    return recipe.shrink > 1 and plane_of(raw.exposure, recipe.settings) is None


def _masters_for(raw: RawFrame, recipe: Recipe) -> Masters | None:
    masters = _masters(recipe.masters_folder, recipe.masters_digest, _in_parts(raw, recipe))
    if masters is not None:
        check_size(raw, masters, raw.pixels.shape)
    return masters


@lru_cache(maxsize=1)
def _masters(
    folder: Path | None,
    digest: str,  # noqa: ARG001
    mapped: bool,  # noqa: FBT001
) -> Masters | None:
    """Read the masters once for all frames; another digest means that they were made anew.

    They were written, or read with their checksums, when the night was prepared. mapped: only parts
    of them are needed of each frame.
    """
    return load_masters(folder, sums=False, mapped=mapped) if folder else None


@lru_cache(maxsize=1)
def _small_masters(
    folder: Path | None, digest: str, shape: tuple[int, int], factor: int
) -> SmallMasters:
    return shrink_masters(_masters(folder, digest, True) or Masters(), shape, factor)  # noqa: FBT003


def _calibrate(raw: RawFrame, masters: Masters | None, recipe: Recipe) -> Frame:
    """Calibrate a whole frame, and mark cosmic rays where the settings ask for it."""
    frame = reduce_frame(raw, masters)
    if not recipe.settings.calibration.cosmic_rays:
        return frame
    return mark_hits(frame, recipe.noise, saturation_adu=recipe.saturation_adu)


def _find(frame: Frame, recipe: Recipe) -> tuple[Frame, _Seen]:
    """Detect the stars that make a frame's pattern; of a colour mosaic take what is measured."""
    level = recipe.saturation_adu
    frame, stars = split(frame, recipe.settings, saturation_adu=level, max_stars=MAX_PATTERN)
    return frame, _Seen(frame.exposure, stars, field_picture(frame.pixels, stars))


def _find_small(raw: RawFrame, masters: Masters | None, recipe: Recipe) -> _Seen:
    """Detect the stars of a large frame after shrinking it, and register it at once.

    Where that fails it is calibrated whole, for stars much sharper than the reference's look like
    hot pixels when shrunk.
    """
    small = _small_masters(
        recipe.masters_folder, recipe.masters_digest, recipe.shape, recipe.shrink
    )
    _, shrunk = _find(shrink_frame(raw, small, recipe.shrink), recipe)
    stars = enlarge(shrunk.stars, recipe.shrink)
    picture = replace(shrunk.picture, step=shrunk.picture.step * recipe.shrink)
    try:
        registration = register(stars.x, stars.y, stars.flux, recipe.reference)
    except RegistrationError as error:
        log.info("%s: shrunk, %s; looked at whole", raw.path.name, error)
        return _find(reduce_frame(raw, masters), recipe)[1]
    return _Seen(raw.exposure, stars, picture, registration)


def place(plan: StarPlan, registration: Registration) -> tuple[np.ndarray, np.ndarray]:
    """Find where the plan's stars fall in a frame.

    The frame's WCS is the reference's WCS after the inverse of this transform, so this is placing
    by sky coordinates without the detour. Returns x, y: (n,) float arrays, pixels of the frame.
    """
    return move(registration.matrix, plan.x_ref, plan.y_ref)


def _reach(recipe: Recipe, grain: int) -> int:
    """Half the side of a part that holds a star's apertures, box and sky, pixels."""
    shift = max(recipe.settings.apertures.max_centroid_shift_px, float(grain))
    box = box_half(recipe.radii, shift, grain) if grain > 1 else 0
    return int(np.ceil(max(recipe.annulus[1], recipe.radii[-1] + shift, box))) + 2


def _photometry(
    frame: Frame, part: Part | None, x: np.ndarray, y: np.ndarray, recipe: Recipe, grain: int
) -> StarPhotometry:
    """Measure stars where they were placed, in the style that the settings say."""
    apertures, linearity_adu = recipe.settings.apertures, frame.exposure.linearity_adu
    if apertures.style == Style.AIJ:
        return measure_stars_aij(
            frame.pixels,
            frame.bad,
            (x, y),
            recipe.radii,
            recipe.annulus,
            recipe.noise,
            centroid=centroid_of(apertures.centroid, apertures.style).name,
            fwhm_factor=apertures.fwhm_factor,
            # All rows that a table of these measurements has: who reads it finds the same radius.
            sizing=np.arange(len(recipe.plan)) < recipe.plan.n_compared,
            saturation_adu=recipe.saturation_adu,
            linearity_adu=linearity_adu,
        )
    return measure_stars(
        frame.pixels, frame.bad, x, y, recipe.radii, recipe.annulus, recipe.noise,
        centroid=centroid_of(apertures.centroid, apertures.style), linearity_adu=linearity_adu,
        max_shift=apertures.max_centroid_shift_px, part=part, grain=grain,
    )  # fmt: skip


def _with_noise_of_warm(
    photometry: StarPhotometry, raw: RawFrame, masters: Masters | None, recipe: Recipe
) -> StarPhotometry:
    """Add to the errors what the dark current of warm pixels scatters by, though it is taken off.

    The sky's scatter, which is clipped, does not have it; AstroImageJ's formula neither.
    """
    if masters is None or recipe.settings.apertures.style == Style.AIJ:
        return photometry
    warm = _warm(recipe.masters_folder, recipe.masters_digest, _in_parts(raw, recipe))
    if warm is None or warm.shape != raw.pixels.shape:  # of one colour of a mosaic
        return photometry
    reduction = plan_reduction(raw, masters, warm.shape)
    if reduction.dark is None:
        return photometry
    shot = reduction.dark_factor / recipe.noise.gain_e_per_adu
    variance = shot * warm.sums(photometry.x, photometry.y, recipe.radii)
    return replace(photometry, flux_err=np.sqrt(photometry.flux_err**2 + variance))


def _target_picture(
    frame: Frame,
    part: Part | None,
    photometry: StarPhotometry,
    placed: tuple[np.ndarray, np.ndarray],
    recipe: Recipe,
    stars: Detections,
) -> Picture | None:
    """Picture the target where it was measured, or else where it was placed."""
    row = int(np.flatnonzero(recipe.plan.role == StarRole.TARGET)[0])
    x, y = float(photometry.x[row]), float(photometry.y[row])
    place = (x, y) if np.isfinite(x + y) else (float(placed[0][row]), float(placed[1][row]))
    pixels, corner = frame.pixels, (0, 0)
    if part is not None:  # the parts lie one below the other, a square each
        side = pixels.shape[1]
        pixels = pixels[row * side : (row + 1) * side]
        left, bottom = (
            np.broadcast_to(o, len(placed[0]))[row] for o in (part.offset_x, part.offset_y)
        )
        corner = int(left), int(bottom) + row * side
    return target_picture(pixels, corner, place, recipe.annulus[1], stars)


@lru_cache(maxsize=1)
def _warm(folder: Path | None, digest: str, mapped: bool) -> SparseImage | None:  # noqa: FBT001
    masters = _masters(folder, digest, mapped)
    if masters is None or masters.dark is None:
        return None
    row, column, excess = dark_excess(masters.dark, masters.bad)
    return SparseImage.of_pixels(masters.dark.shape, row, column, excess) if row.size else None


def _measured(
    raw: RawFrame,
    seen: _Seen,
    registration: Registration,
    solution: Solution | None,
    photometry: StarPhotometry,
    target: Picture | None,
) -> FrameResult:
    """Put the result together, with a remark and a flag for each thing that was odd."""
    remarks, flags = seen.exposure.warnings, Flag(0)
    open_s = seen.exposure.time_uncertainty_s
    if open_s > UNCERTAIN_S:
        flags |= Flag.TIME_UNCERTAIN
        remarks = (*remarks, f"its clock leaves the time open by {open_s:.3g} s either way")
    if solution is not None:
        flags |= Flag.PLATE_SOLVED
        by = f"{solution.solver}, {solution.n_matched} stars"
        remarks = (*remarks, f"does not match the reference: placed by plate solving ({by})")
    elif registration.found_by != FoundBy.PATTERN:
        n = registration.n_matched
        by = f"{PLACED_BY[registration.found_by]}, {n} star{'s'[: n - 1]}"
        remarks = (*remarks, f"too few stars for a pattern: placed by {by}")
    photometry = replace(photometry, flags=photometry.flags | np.uint16(flags))
    return FrameResult(
        raw.path.name,
        FrameStatus.MEASURED,
        "; ".join(remarks),
        exposure=seen.exposure,
        registration=registration,
        n_detected=len(seen.stars),
        sky=seen.stars.sky,
        sky_rms=seen.stars.sky_rms,
        fwhm_px=_median_fwhm(photometry.fwhm, photometry.flags[:, 0]),
        photometry=photometry,
        from_header=_from_header(raw),
        field_picture=seen.picture,
        target_picture=target,
    )


def _median_fwhm(fwhm: np.ndarray, flags: np.ndarray) -> float:
    """Median over the stars that are whole and unsaturated; NaN where there is none."""
    usable = fwhm[np.isfinite(fwhm) & (flags & (Flag.EDGE | Flag.SATURATED) == 0)]
    return float(np.median(usable)) if usable.size else float("nan")


def _from_header(raw: RawFrame) -> tuple[float, ...]:
    """Quantities that stand in headers; NaN where a header has none."""
    found = (number(str(raw.header.get(key, ""))) for key in header_columns().values())
    return tuple(float("nan") if value is None else value for value in found)


def _failed(path: Path, error: LightcurveError, seen: _Seen | None) -> FrameResult:
    if seen is None:
        return FrameResult(path.name, FrameStatus.FAILED, str(error), why=error.why)
    return FrameResult(
        path.name, FrameStatus.FAILED, str(error), exposure=seen.exposure,
        n_detected=len(seen.stars), sky=seen.stars.sky, sky_rms=seen.stars.sky_rms, why=error.why,
        field_picture=seen.picture,
    )  # fmt: skip
