"""The third story: an asteroid or a comet followed over many frames, its places and its light."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.astrometry.track import Track
from lightcurve.calib.library import Library
from lightcurve.core.data import Figures, Frame, FrameStatus, Solution
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import FrameError, InputError
from lightcurve.core.files import write_text
from lightcurve.core.progress import Clock, Progress, open_log, silent
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import csv_text
from lightcurve.exports.ades import AdesContext, AdesPlace, ades_psv, ades_xml
from lightcurve.image.batch import each_frame, quick_settings
from lightcurve.image.path import Wanted, find_track
from lightcurve.image.reduced import Reduced, summarise
from lightcurve.image.sights import SEARCH_ARCSEC, Look, Sight, find_offset, sight
from lightcurve.image.story import measure_image
from lightcurve.report.moving_plots import save_moving

__all__ = ["follow_object"]

log = logging.getLogger(__name__)
MARGIN_PX = 8  # of the stamp, beyond what is searched and the annulus
# Catalogues as the Minor Planet Center names them: the first that was asked fixed the WCS.
CATALOGS = {"gaia": "Gaia3", "gaia_synthetic": "Gaia3", "panstarrs": "PS1_DR1", "twomass": "2MASS"}
UNKNOWN_CATALOG = "UNK"
# Bands as `lightcurve.catalogs.bands` tells them, and in the letters of the center.
BANDS = {
    "U (J": "Uj", "B (J": "Bj", "V (J": "Vj", "Rc (": "Rc", "Ic (": "Ic", "G (G": "G",
    **{f"{b} (P": f"P{b}" for b in "grizy"}, **{f"{b} (S": f"S{b}" for b in "ugriz"},
}  # fmt: skip
Stamp = tuple[np.ndarray, tuple[float, float]]
DETECTORS = {"CCD": "CCD", "CMOS": "CMO", "DSLR": "CMO"}


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """An object followed over frames.

    Attributes
    ----------
    sights : tuple of Sight
        In the order of time; frames that failed at the end.
    offset_arcsec : tuple of float
        How far it is off its path, east and north.
    stamps : tuple of ((ny, nx) float array, (float, float))
        Pixels around it, of the sights that were measured, and where it is in them (x, y).
    files : mapping of str to Path
        What was written.
    """

    track: Track
    sights: tuple[Sight, ...]
    offset_arcsec: tuple[float, float]
    stamps: tuple[Stamp, ...]
    notes: tuple[str, ...]
    files: Mapping[str, Path]


def follow_object(
    paths: Sequence[Path],
    settings: Settings,
    wanted: Wanted,
    out: Path,
    *,
    progress: Progress = silent,
) -> Followed:
    """Follow a moving object over frames, and write its places and magnitudes.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders whose FITS files are taken.
    out : Path
        Gets moving.csv, moving.png where all figures are wanted, ades.psv, ades.xml and run.log.

    Raises
    ------
    InputError
        When nothing tells the path, no frame has a time, or no file can be written.
    CatalogError
        When no service can be asked, or knows the object.
    """
    with open_log(out):
        track = find_track(paths, settings, wanted)
        looks, failed = _looks(paths, settings, track, progress)
        offset, seen = find_offset(looks, track)
        sights = [sight(one, looks, track, offset, settings) for one in looks]
        sights += [Sight(file, np.nan, np.nan, reason) for file, reason in failed]
        notes, context = _notes(track, offset, seen, sights), None
        try:
            context = _context(settings)
        except InputError as missing:
            notes = (*notes, str(missing))
        for note in notes:
            log.info("%s", note)
        stamps = tuple(map(_stamp, looks, sights))
        files = _write(out, track, sights, stamps, context, settings.figures)
    return Followed(track, tuple(sights), offset, stamps, notes, files)


def _looks(
    paths: Sequence[Path], settings: Settings, track: Track, progress: Progress
) -> tuple[list[Look], list[tuple[str, str]]]:
    """Measure the frames: what each keeps, in the order of time, and which failed, and why."""
    looks: list[Look] = []

    def look(file: Path, _: str, library: Library) -> dict[str, Any]:
        masters = library.masters_for(file)
        reduced = measure_image(file, quick_settings(settings), Clock(), masters=masters)
        looks.append(_look(file, reduced, track))
        return dict(summarise(reduced))

    rows = each_frame(paths, settings, look, progress)
    looks.sort(key=lambda one: one.mid_jd_utc)
    failed = [(row["file"], row["reason"]) for row in rows if row["status"] == FrameStatus.FAILED]
    return looks, failed


def _look(path: Path, reduced: Reduced, track: Track) -> Look:
    """Keep of a frame what the object needs; raises FrameError where it is not on it."""
    prepared, placed = reduced.prepared, reduced.placed
    frame, solution = prepared.frame, placed.solution
    if solution is None:
        raise FrameError(path, f"not solved: {placed.unsolved}")
    mid = frame.exposure.mid_jd_utc
    if mid is None:
        raise FrameError(path, "has no time: where the object was is not known")
    trail_px = track.rate_arcsec_s(mid) * prepared.exposure_s / solution.scale_arcsec
    reach = float(reduced.sources.apertures.annulus[1]) + trail_px / 2
    rows, columns = _around(frame, solution, track.at(mid), reach)
    phot = reduced.sources.phot
    inside = (phot.x >= columns.start) & (phot.x < columns.stop)
    inside &= (phot.y >= rows.start) & (phot.y < rows.stop)
    return Look(
        file=path.name,
        mid_jd_utc=mid,
        exposure_s=prepared.exposure_s,
        pixels=frame.pixels[rows, columns].copy(),
        bad=frame.bad[rows, columns].copy(),
        corner=(columns.start, rows.start),
        shape=prepared.shape,
        camera=prepared.camera,
        apertures=reduced.sources.apertures,
        beta=reduced.sources.widths.stars.beta,
        solution=solution,
        zero_points=tuple(k.zero_point for k in reduced.calibrated.kinds if not k.by_psf),
        band=reduced.calibrated.band,
        catalog=_catalog(reduced),
        near=np.column_stack(
            [placed.ra_deg, placed.dec_deg, reduced.calibrated.aperture.shown]
        )[inside],
    )  # fmt: skip


def _catalog(reduced: Reduced) -> str:
    """Name the catalogue that places rest on."""
    asked = reduced.known.catalogs
    return next((code for name, code in CATALOGS.items() if name in asked), UNKNOWN_CATALOG)


def _around(
    frame: Frame,
    solution: Solution,
    place: tuple[np.ndarray, np.ndarray],
    reach: float,
) -> tuple[slice, slice]:
    """Cut what is searched for the object, and so many pixels around: rows and columns."""
    x, y = (float(v[0]) for v in solution.wcs.all_world2pix(*place, 0, quiet=True))
    search = SEARCH_ARCSEC / solution.scale_arcsec
    ny, nx = frame.pixels.shape
    if not (-search < x < nx + search and -search < y < ny + search):
        msg = f"the object is off the frame, at x {x:.0f}, y {y:.0f} of {nx} by {ny} pixels"
        raise FrameError(frame.path, msg)
    half = int(search + reach) + MARGIN_PX
    left, low = int(np.clip(x - half, 0, nx - 1)), int(np.clip(y - half, 0, ny - 1))
    right, high = int(np.clip(x + half + 1, 1, nx)), int(np.clip(y + half + 1, 1, ny))
    return slice(low, high), slice(left, right)


def _stamp(look: Look, found: Sight) -> Stamp:
    """Pixels around the object, and where it is in them; the middle's where it is not known."""
    x, y = found.x - look.corner[0], found.y - look.corner[1]
    ny, nx = look.pixels.shape
    column, row = (int(x), int(y)) if np.isfinite(x + y) else (nx // 2, ny // 2)
    half = int(2 * look.apertures.annulus[1]) + MARGIN_PX
    left, low = max(column - half, 0), max(row - half, 0)
    return look.pixels[low : row + half + 1, left : column + half + 1], (x - left, y - low)


def _notes(
    track: Track, offset: tuple[float, float], seen: int, sights: Sequence[Sight]
) -> tuple[str, ...]:
    """Tell whence the path is and how the object was told from stars."""
    told = f"{track.name}: {track.source}"
    if not np.isfinite([one.x for one in sights]).any():
        return told, "measured on no frame"
    how = (
        f"found in {seen} of {len(sights)} frames, {offset[0]:+.2f} arcsec east and "
        f"{offset[1]:+.2f} arcsec north of its path"
        if seen
        else "not told from stars by its motion: measured where its path has it"
    )
    return told, how


def _context(settings: Settings) -> AdesContext:
    """Tell who observed; raises InputError with all that is missing for ADES."""
    observer, code = settings.observer, settings.image.mpc_code
    equipment = settings.equipment.camera
    aperture = settings.camera.telescope_diameter_m or equipment.telescope_diameter_m
    wanted = {
        "image.mpc_code (--mpc-code)": code,
        "observer.name": observer.name,
        "observer.camera_kind": observer.camera_kind,
        "observer.telescope_design": observer.telescope_design,
        "camera.telescope_diameter_m": aperture,
    }
    if missing := [name for name, value in wanted.items() if not value]:
        msg = f"no ADES files: they need {', '.join(missing)} (lightcurve config init)"
        raise InputError(msg)
    return AdesContext(
        (code or "").upper(), observer.name, observer.telescope_design, aperture or 0.0,
        DETECTORS[observer.camera_kind or "CCD"],
    )  # fmt: skip


def _write(
    out: Path,
    track: Track,
    sights: Sequence[Sight],
    stamps: Sequence[Stamp],
    context: AdesContext | None,
    figures: Figures,
) -> dict[str, Path]:
    """Write the table, the figure, and the files for the Minor Planet Center."""
    rows = [_row(one) for one in sights]
    text = csv_text(list(rows[0]), [list(row.values()) for row in rows])
    files = {"moving.csv": write_text(out / "moving.csv", text)}
    (out / "moving.png").unlink(missing_ok=True)  # an earlier run's
    if stamps and figures == Figures.ALL:
        files["moving.png"] = save_moving(out / "moving.png", track.name, rows, stamps)
    places = [_ades(track.name, one) for one in sights if one.good]
    for name, write in (("ades.psv", ades_psv), ("ades.xml", ades_xml)):
        (out / name).unlink(missing_ok=True)
        if context is not None and places:
            files[name] = write_text(out / name, write(context, places))
    return files


def _row(one: Sight) -> dict[str, Any]:
    """Make a row of the table; times of calendar first, for people."""
    known = np.isfinite(one.mid_jd_utc)
    return {"utc": iso_from_jd(one.mid_jd_utc) if known else "", **asdict(one)}


def _ades(name: str, one: Sight) -> AdesPlace:
    letters = next((code for band, code in BANDS.items() if one.band.startswith(band)), "")
    return AdesPlace(
        name, one.mid_jd_utc, one.ra_deg, one.dec_deg, one.error_arcsec, one.catalog, one.mag,
        one.mag_err, letters, one.snr, one.fwhm_arcsec, one.exposure_s, one.stars,
    )  # fmt: skip
