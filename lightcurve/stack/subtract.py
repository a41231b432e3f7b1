"""Frames less a template of their field: what is new in each, gone from it, brighter or fainter."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.calib.library import Library
from lightcurve.catalogs.layout import Role
from lightcurve.catalogs.services import SERVICES
from lightcurve.core.data import Figures, FrameStatus
from lightcurve.core.errors import FrameError
from lightcurve.core.files import write_text
from lightcurve.core.flags import PixelFlag
from lightcurve.core.progress import Clock, Progress, open_log, silent
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import csv_text
from lightcurve.frames.cards import printable
from lightcurve.image.batch import each_frame
from lightcurve.image.reduced import Reduced, summarise
from lightcurve.image.story import measure_image
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.background import measure_background
from lightcurve.phot.circles import circle_sums
from lightcurve.phot.noise import NoiseModel
from lightcurve.phot.zero_point import apply_zero_point, instrumental
from lightcurve.report.difference import save_difference
from lightcurve.stack.again import look_again
from lightcurve.stack.difference import Change, Difference, find_changes, subtract
from lightcurve.stack.onto import Image, bring, lay, read_image, write_image
from lightcurve.stack.resample import Surface

__all__ = ["subtract_template"]

log = logging.getLogger(__name__)
MIN_SNR = 20.0  # of the stars that the images are matched by
SEEN_SIGMA = 5.0  # of light in the template: something is there


class Kind(StrEnum):
    """What has happened to a source."""

    NEW = "new"
    GONE = "gone"
    BRIGHTER = "brighter"
    FAINTER = "fainter"


@dataclass(frozen=True, slots=True)
class Found:
    """A change, on the sky; flux as the frame has it, NaN where something is not known."""

    kind: Kind
    x: float
    y: float
    ra_deg: float
    dec_deg: float
    snr: float
    flux_adu: float
    flux_err_adu: float
    mag: float  # of the difference
    mag_err: float
    band: str
    template_flux_adu: float  # of what the template has there, as the frame would show it
    known_as: str  # an object that a catalogue has there
    reason: str  # why it is no source; empty where it looks like one
    looked_in: int = 0  # other frames that have its place
    seen_in: int = 0  # of these, that show it


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """A frame beside its template on the same pixels: light above the sky, variances, FWHM."""

    image: np.ndarray
    image_variance: np.ndarray
    template: np.ndarray
    template_variance: np.ndarray
    stars: tuple[np.ndarray, np.ndarray]
    fwhm: tuple[float, float]


def subtract_template(
    paths: Sequence[Path],
    template: Path,
    settings: Settings,
    out: Path,
    *,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Subtract a template from frames, and list what has changed in each.

    Parameters
    ----------
    paths : sequence of Path
        Frames, or folders of them; each is calibrated, solved and measured as by `image`.
    template : Path
        An image with a WCS: a deep frame, a stack, a survey's. Sharper and deeper is better.
    out : Path
        Gets for each frame ``NAME.difference.fits``, ``.csv`` and ``.png``, and run.log.

    Returns
    -------
    list of dict
        One a frame: file, status, reason, ``changes`` (those that look like sources), ``again``
        (those of them that another frame shows, too), ``flaws``, ``found`` (a list of all), and the
        numbers of the match.

    Raises
    ------
    LightcurveError
        When the template cannot be read or has no WCS.
    """
    known = read_image(template, settings)
    # What is clipped has no light that could be told.
    known = replace(known, light=np.where(known.full, np.float32(np.nan), known.light))
    surface = lay(known)

    def work(file: Path, name: str, library: Library) -> dict[str, Any]:
        masters = library.masters_for(file)
        reduced = measure_image(file, _quick(settings), Clock(), masters=masters)
        found = _subtracted(reduced, known, surface, settings)
        return {**summarise(reduced), **_write(out, name, template, reduced, *found)}

    with open_log(out):
        rows = look_again(each_frame(paths, settings, work, progress), out)
        return [_counted(row, out) if row.get("difference") else row for row in rows]


def _counted(row: dict[str, Any], out: Path) -> dict[str, Any]:
    """Write the table of a frame, and count what is in it."""
    table = (out / row["difference"]).with_suffix(".csv")
    lines = [[one[column] for column in Found.__slots__] for one in row["found"]]
    write_text(table, csv_text(Found.__slots__, lines))
    good = [one for one in row["found"] if not one["reason"]]
    return row | {
        "changes": len(good),
        "again": sum(one["seen_in"] > 0 for one in good),
        "flaws": len(row["found"]) - len(good),
    }


def _quick(settings: Settings) -> Settings:
    """Leave out what the difference does itself."""
    quick = {"psf": "none", "injected": 0, "transients": False}
    return settings.model_copy(update={"image": settings.image.model_copy(update=quick)})


def _subtracted(
    reduced: Reduced, template: Image, surface: Surface, settings: Settings
) -> tuple[Matched, Difference, list[Found]]:
    """Match, subtract and look."""
    matched = _matched(reduced, template, surface)
    difference = subtract(
        matched.image, matched.image_variance, matched.template, matched.template_variance,
        matched.stars, matched.fwhm,
    )  # fmt: skip
    apertures = reduced.sources.apertures
    multiple = float(apertures.multiples[apertures.main])
    changes = find_changes(difference, settings.image.threshold_sigma, multiple * difference.fwhm)
    return matched, difference, _placed(reduced, difference, changes)


def _matched(reduced: Reduced, template: Image, surface: Surface) -> Matched:
    """Bring the template onto the frame; raises FrameError where it cannot be."""
    prepared, solution = reduced.prepared, reduced.placed.solution
    path = prepared.frame.path
    if solution is None:
        raise FrameError(path, f"not solved: {reduced.placed.unsolved}")
    light = np.where(prepared.good, prepared.frame.pixels - prepared.background.level, np.nan)
    gain = prepared.camera.noise.gain_e_per_adu
    variance = _variance(light, prepared.background.rms, gain)
    there = bring(template, solution.wcs, prepared.shape, surface)
    if not np.isfinite(there[np.isfinite(light)]).any():
        raise FrameError(path, f"no pixel of the template {template.path.name} lies on it")
    bad = np.where(np.isfinite(there), 0, PixelFlag.NOT_FINITE).astype(np.uint8)
    sky = measure_background(np.nan_to_num(there), bad)
    there = np.where(bad, np.float32(np.nan), there - sky.level)
    wide = float(reduced.sources.apertures.radii[0] / reduced.sources.apertures.multiples[0])
    stars, width = _seen(there, bad, _stars(reduced), wide)
    return Matched(light, variance, there, _variance(there, sky.rms, gain), stars, (wide, width))


def _variance(light: np.ndarray, rms: np.ndarray, gain: float) -> np.ndarray:
    """Of each pixel: the sky's, as it scatters, and the photons of what is above it."""
    return np.asarray(rms**2 + np.maximum(np.nan_to_num(light), 0) / gain, np.float32)


def _stars(reduced: Reduced) -> tuple[np.ndarray, np.ndarray]:
    """Whole stars that are alone, the brightest first."""
    sources = reduced.sources
    good = sources.alone & (sources.flags == 0) & (sources.snr > MIN_SNR)
    return sources.phot.x[good], sources.phot.y[good]


def _seen(
    light: np.ndarray, bad: np.ndarray, stars: tuple[np.ndarray, np.ndarray], guess: float
) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """Keep the stars that the template has, too, and tell their FWHM on it.

    guess: the frame's FWHM, which holds where none tells.
    """
    if not len(stars[0]):
        return stars, guess
    phot = measure_stars(
        np.nan_to_num(light), bad, *stars, np.array([1.5 * guess]), (4 * guess, 7 * guess),
        NoiseModel(),
    )  # fmt: skip
    snr = phot.flux[:, 0] / phot.flux_err[:, 0]
    known = phot.fwhm[np.isfinite(phot.fwhm) & (snr > MIN_SNR)]
    there = snr > SEEN_SIGMA
    width = float(np.median(known)) if known.size else guess
    return (stars[0][there], stars[1][there]), width


def _placed(reduced: Reduced, difference: Difference, changes: Sequence[Change]) -> list[Found]:
    """Give changes places, magnitudes, and names of what is known there."""
    solution = reduced.placed.solution
    if not changes or solution is None:
        return []
    x, y = (np.array([getattr(one, name) for one in changes]) for name in ("x", "y"))
    ra, dec = solution.wcs.all_pix2world(x, y, 0)
    apertures, calibrated = reduced.sources.apertures, reduced.calibrated
    radius = np.array([float(apertures.multiples[apertures.main]) * difference.fwhm])
    before = circle_sums(difference.model, x, y, radius)[:, 0]
    flux = np.array([one.flux for one in changes])
    error = np.array([one.flux_err for one in changes])
    mag, mag_err = instrumental(np.abs(flux), error, reduced.prepared.exposure_s)
    zero_point = calibrated.aperture.zero_point
    if zero_point is not None:
        mag, mag_err = apply_zero_point(zero_point, mag, mag_err)
    names = _known(reduced, ra, dec, difference.fwhm * solution.scale_arcsec)
    return [
        Found(
            _kind(one, float(before[k])), one.x, one.y, float(ra[k]), float(dec[k]), one.snr,
            one.flux, one.flux_err, float(mag[k]), float(mag_err[k]), calibrated.band,
            float(before[k]), names[k], one.reason,
        )
        for k, one in enumerate(changes)
    ]  # fmt: skip


def _kind(change: Change, before: float) -> Kind:
    """Tell what happened, by the light that was there before."""
    if change.flux > 0:
        return Kind.BRIGHTER if before > SEEN_SIGMA * change.flux_err else Kind.NEW
    left = before + change.flux
    return Kind.FAINTER if left > SEEN_SIGMA * change.flux_err else Kind.GONE


def _known(reduced: Reduced, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> list[str]:
    """Name what catalogues of objects and events have within a radius: (n,) names, or empty."""
    names = [""] * len(ra)
    stars = {service.name for service in SERVICES if service.role is Role.STARS}
    for title, catalog in reduced.known.catalogs.items():
        if title in {*stars, *reduced.known.by_hand} or not len(catalog):
            continue
        for k in range(len(ra)):
            east = (catalog.ra_deg - ra[k] + 180) % 360 - 180
            apart = np.hypot(east * np.cos(np.radians(dec[k])), catalog.dec_deg - dec[k]) * 3600
            near = int(np.argmin(apart))
            if apart[near] < max(radius_arcsec, float(catalog.error_arcsec[near])):
                names[k] = "; ".join(filter(None, (names[k], f"{title} {catalog.ids[near]}")))
    return names


def _write(
    out: Path,
    name: str,
    template: Path,
    reduced: Reduced,
    matched: Matched,
    difference: Difference,
    found: Sequence[Found],
) -> dict[str, Any]:
    """Write the difference and its figure; tell the numbers of the match."""
    solution = reduced.placed.solution
    history = [
        f"{printable(template.name)} subtracted, by {difference.stars} stars",
        f"{100 * difference.left:.2g} % of a star's light is not matched: one sigma, in SCORE",
        "light: difference, ADU; error: one sigma; score: sigma of a star at each pixel",
    ]
    images = {"DIFF": difference.light, "ERR": difference.error, "SCORE": difference.score}
    file = f"{name}.difference.fits"
    if solution is not None:
        write_image(out / file, images, solution.wcs, reduced.prepared.frame.header, history)
    good = [one for one in found if not one.reason]
    picture = out / f"{name}.difference.png"
    picture.unlink(missing_ok=True)  # an earlier run's
    if reduced.settings.figures == Figures.ALL:
        changes = [(one.x, one.y, str(one.kind)) for one in good]
        save_difference(picture, matched.image, matched.template, difference.light, changes)
    return {
        "difference": file,
        "found": [asdict(one) for one in found],
        "matching_stars": difference.stars,
        "template_fwhm_px": matched.fwhm[1],
        "misfit": difference.kernel.misfit,
        "unmatched_share": difference.left,
        "status": str(FrameStatus.REDUCED),
    }
