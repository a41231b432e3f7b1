"""A stack as files: light, mask, error and exposure, what they are made of, and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.astrometry.wcs import describe_wcs, wcs_header
from lightcurve.core.constants import __version__
from lightcurve.core.data import Exposure, Solution, Step
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.files import write_text
from lightcurve.core.flags import PixelFlag
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import csv_text
from lightcurve.frames.cards import printable
from lightcurve.frames.dialects import CLOCKS
from lightcurve.image.write import bits_header, header_without_past, write_fits
from lightcurve.report.stack import save_stack
from lightcurve.setup.camera import CameraValues
from lightcurve.stack.align import Aligned
from lightcurve.stack.check import Check
from lightcurve.stack.combine import Block, Layer
from lightcurve.stack.grid import Grid
from lightcurve.stack.reject import Judged
from lightcurve.stack.take import Member

if TYPE_CHECKING:
    from astropy.io.fits import Header

MJD0 = 2400000.5
DAY_S = 86400.0
# Cards that tell of one frame alone.
OF_ONE = re.compile(
    r"AIRMASS|SECZ|.*ALT|ALT-.*|.*AZ|AZ-.*|HA|ST|LST.*|EXPTIME|EXPOSURE|E?GAIN|RDNOISE|SATURATE"
    r"|CHECKSUM|DATASUM|CALSTAT|BUNIT|NFILES|.*SCALE|SECPIX.*|FILE\d+"
)
COLUMNS = (
    "file", "used", "reason", "mid_jd_utc", "exposure_s", "stars", "rms_px", "fwhm_px", "sky_adu",
    "noise_adu", "scale", "transparency", "zero_point_mag", "scatter_mag",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """Frames on one grid, to be combined. full : (ny, nx) uint16, in how many one is saturated."""

    aligned: Aligned
    judged: Judged
    grid: Grid
    camera: CameraValues
    layers: tuple[Layer, ...]
    full: np.ndarray

    @property
    def fwhm_px(self) -> float:
        """Median of the stars' FWHM on the grid; NaN where none was measured."""
        known = self.aligned.fwhm_px[self.judged.kept]
        area = float(np.median(self.layers[0].mapping.area))
        return float(np.nanmedian(known)) / area**0.5 if np.isfinite(known).any() else np.nan

    @property
    def kept(self) -> list[Member]:
        """Frames that are combined."""
        return [self.aligned.members[k] for k in self.judged.kept]


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """A stack's images and numbers.

    light, error, exposure : (ny, nx) float32 arrays, ADU as the reference has it, ADU, s. bad :
    (ny, nx) uint8 array of `PixelFlag`. count, rejected : (ny, nx) uint16 arrays, frames that a
    pixel rests on, and that were left out of it. sums : noise of a sum over that of its pixels
    added in quadrature.
    """

    light: np.ndarray
    error: np.ndarray
    bad: np.ndarray
    exposure: np.ndarray
    count: np.ndarray
    rejected: np.ndarray
    grid: Grid
    pull: float  # scatter of halves of the frames against each other, over their errors
    sums: float
    gain_e_per_adu: float
    read_noise_e: float
    saturation_adu: float | None
    mid_jd_utc: float | None
    begin_end: tuple[float, float] | None
    total_s: float
    weights: np.ndarray  # (n,) of the frames that are used, of the sky's noise; sum 1


def gather(blocks: Iterable[Block], ready: Ready) -> Stacked:
    """Put the blocks together, and work out what the camera of such an image would be like."""
    grid, layers, camera = ready.grid, ready.layers, ready.camera
    light, error, exposure, sky, pull = (np.full(grid.shape, np.nan, np.float32) for _ in range(5))
    count, rejected = (np.zeros(grid.shape, np.uint16) for _ in range(2))
    for block in blocks:
        rows = block.rows
        light[rows], error[rows], exposure[rows] = block.light, block.error, block.exposure
        count[rows], rejected[rows] = block.count, block.rejected
        sky[rows], pull[rows] = block.sky_variance, block.pull
    bad = np.where(np.isfinite(light), 0, PixelFlag.NOT_FINITE).astype(np.uint8)
    bad[ready.full > 0] |= np.uint8(PixelFlag.SATURATED)
    dark = np.isfinite(light) & (np.nan_to_num(light) < 3 * error)
    sums = float(np.sqrt(np.median((sky / error**2)[dark]))) if dark.any() else 1.0
    variance = np.array([np.median(layer.noise**2) for layer in layers])
    share = 1 / variance / (1 / variance).sum()
    photons = float((share**2 * [layer.photons for layer in layers]).sum())
    factor = np.array([layer.factor for layer in layers])
    noise = camera.noise
    read = np.sqrt((share**2 * factor**2).sum()) * noise.read_noise_e / noise.gain_e_per_adu
    kept = ready.kept
    levels = [] if camera.saturation_adu is None else [
        (camera.saturation_adu - one.sky_adu) * f for one, f in zip(kept, factor, strict=True)
    ]  # fmt: skip
    return Stacked(
        light, error, bad, exposure, count, rejected, grid, robust_scatter(pull[dark]), sums,
        1 / photons, read / photons,
        float(min(levels)) if levels else None, *_times([one.exposure for one in kept], share),
        float(sum(one.exposure.exposure_s or 0.0 for one in kept)), share,
    )  # fmt: skip


def _times(
    exposures: Sequence[Exposure], share: np.ndarray
) -> tuple[float | None, tuple[float, float] | None]:
    """Mean time by weight, and first beginning and last end, JD; None where one is not known."""
    mid = [one.mid_jd_utc for one in exposures]
    if any(one is None for one in mid):
        return None, None
    middle = np.array(mid, dtype=float)
    half = np.array([one.exposure_s or 0.0 for one in exposures]) / 2 / DAY_S
    first = middle[0]
    mean = first + float((share * (middle - first)).sum())
    return mean, (float((middle - half).min()), float((middle + half).max()))


def stack_name(aligned: Aligned, stacked: Stacked) -> str:
    """Name the stack: object, filter, night, binning, as in ``m51.r.ut261130.1x1.stk.fits``."""
    first = aligned.members[aligned.reference].exposure
    parts = [first.object_name or "field", first.filter or "nofilter"]
    if stacked.mid_jd_utc:
        parts.append("ut" + iso_from_jd(stacked.mid_jd_utc)[2:10].replace("-", ""))
    if first.binning:
        parts.append("{}x{}".format(*first.binning))
    return ".".join(re.sub(r"[^A-Za-z0-9+-]+", "_", part).strip("_") for part in parts) + ".stk"


def write_stack(
    out: Path,
    stacked: Stacked,
    ready: Ready,
    settings: Settings,
    checks: Sequence[Check] = (),
) -> Path:
    """Write the images, the table of frames, the pictures and what was checked.

    Raises InputError when one cannot be written.
    """
    aligned, judged = ready.aligned, ready.judged
    name = stack_name(aligned, stacked)
    header = _header(stacked, ready, settings, checks)
    path = write_fits(
        out / f"{name}.fits",
        {"SCI": stacked.light, "MASK": stacked.bad, "ERR": stacked.error,
         "EXPOSURE": stacked.exposure, "COUNT": stacked.count.astype(np.int16)},
        header,
        {"MASK": bits_header(), **_units(header)},
    )  # fmt: skip
    write_text(out / "frames.csv", _table(aligned, judged))
    if not checks:
        save_stack(
        out / "stack.png", stacked.light, stacked.exposure, stacked.rejected,
        f"{len(judged.kept)} frames, {stacked.total_s:.0f} s",
    )  # fmt: skip
    if checks:
        lines = ["check,value,limit,verdict"]
        lines += [f'{c.name},"{c.text}","{c.limit}",{c.verdict}' for c in checks]
        write_text(out / "check.csv", "\n".join(lines) + "\n")
    return path


def _units(header: Header) -> dict[str, Header]:
    """Headers of the other images: their unit, and the WCS that all have."""
    from astropy.io.fits import Header

    made = {}
    for name, unit in (("ERR", "adu"), ("EXPOSURE", "s"), ("COUNT", "")):
        own = Header()
        for card in header.cards:
            if re.fullmatch(r"(CTYPE|CUNIT|CRVAL|CRPIX)\d|CD\d_\d|RADESYS", card.keyword):
                own.append(card)
        own["BUNIT"] = unit
        made[name] = own
    return made


def _header(
    stacked: Stacked,
    ready: Ready,
    settings: Settings,
    checks: Sequence[Check],
) -> Header:
    """Bring the reference's header up to what the stack is."""
    aligned, judged = ready.aligned, ready.judged
    first = aligned.members[aligned.reference]
    header = header_without_past(first.frame.header)
    clocks = {*CLOCKS.dates, *CLOCKS.numbers, *CLOCKS.hours, *CLOCKS.days}
    for keyword in {key for key in header if key in clocks or OF_ONE.fullmatch(key)}:
        header.remove(keyword, ignore_missing=True, remove_all=True)
    cards: dict[str, tuple[Any, str]] = {
        "EXTNAME": ("SCI", "light above the sky"),
        "BUNIT": ("adu", "as one exposure of EXPTIME"),
        "EXPTIME": (first.exposure.exposure_s or 1.0, "[s] that light is scaled to"),
        "EXPTOT": (stacked.total_s, "[s] of all frames together"),
        "NFILES": (len(judged.kept), "frames combined"),
        "NREJECT": (len(aligned.members) - len(judged.kept) + len(aligned.failed), "left out"),
        "COMBINE": (str(settings.stack.combine), "how"),
        "CLIPSIG": (settings.stack.clip_sigma, "beyond it a pixel was left out"),
        "GAIN": (stacked.gain_e_per_adu, "[e-/adu] effective"),
        "RDNOISE": (stacked.read_noise_e, "[e-] effective"),
        "NOISEPUL": (_rounded(stacked.pull), "scatter of halves / by ERR"),
        "NOISECOR": (round(stacked.sums, 4), "noise of sums / of pixels in quadrature"),
        "SKYBKG": (first.sky_adu, "[adu] taken off the frame all are scaled to"),
        "FWHM": (round(float(np.nanmedian(aligned.fwhm_px[judged.kept])), 3), "[px] of the frames"),
        "ALGNRMS": (_median(aligned.rms_px[judged.kept]), "[px] of stars between frames"),
        "CALSTAT": ("".join(step.letter for step in Step), "nothing is to be done again"),
        "LCPRODCT": ("stack", "made by lightcurve: not a raw frame"),
        "CREATOR": (f"lightcurve {__version__}", ""),
    }
    if stacked.saturation_adu is not None:
        cards["SATURATE"] = (stacked.saturation_adu, "[adu] of the frame that clips first")
    header.update({key: value for key, value in cards.items() if value[0] is not None})
    _put_times(header, stacked, first.exposure.exposure_s or 1.0)
    if stacked.grid.wcs is not None and aligned.solution is not None:
        header.update(wcs_header(_solution(stacked, aligned.solution), stacked.light.shape))
    else:
        header["ALGNFAIL"] = (printable(aligned.unsolved)[:60], "no place on the sky")
    for k, row in enumerate(judged.kept, start=1):
        header[f"FILE{k}"] = printable(aligned.members[row].name)[-60:]
    for one in checks:
        header.add_history(printable(f"check {one.name}: {one.text} ({one.limit}): {one.verdict}"))
    header.add_history(f"{len(judged.kept)} frames combined by lightcurve {__version__}")
    return header


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _median(values: np.ndarray) -> float | None:
    return round(float(np.nanmedian(values)), 4) if np.isfinite(values).any() else None


def _put_times(header: Header, stacked: Stacked, seconds: float) -> None:
    """Give an exposure of EXPTIME about the mean time, which every reader dates alike."""
    mid = stacked.mid_jd_utc
    if mid is None or stacked.begin_end is None:
        return
    header["TIMESYS"] = "UTC"
    header["DATE-OBS"] = (iso_from_jd(mid - seconds / 2 / DAY_S), "mean time - EXPTIME / 2")
    header["MJD-OBS"] = (mid - seconds / 2 / DAY_S - MJD0, "the same")
    header["DATE-AVG"] = (iso_from_jd(mid), "mean time of the frames, by weight")
    header["MJD-AVG"] = (mid - MJD0, "the same")
    first, last = (iso_from_jd(one) for one in stacked.begin_end)
    header["STKBEG"], header["STKEND"] = (first, "first frame begins"), (last, "last one ends")


def _solution(stacked: Stacked, solution: Solution) -> Solution:
    """Give the reference's solution the grid's WCS."""
    wcs = stacked.grid.wcs or solution.wcs
    scale, turn, parity = describe_wcs(wcs, stacked.light.shape)
    return replace(solution, wcs=wcs, scale_arcsec=scale, rotation_deg=turn, parity=parity)


def _table(aligned: Aligned, judged: Judged) -> str:
    """Write what was found of each frame as CSV, those that failed last."""
    rows: list[Sequence[Any]] = []
    for k, member in enumerate(aligned.members):
        offset = aligned.scales.offset[k]
        rows.append((
            member.name, "no" if judged.reasons[k] else "yes", judged.reasons[k],
            member.exposure.mid_jd_utc, member.exposure.exposure_s, aligned.n_stars[k],
            aligned.rms_px[k], aligned.fwhm_px[k], member.sky_adu, np.median(member.noise),
            10 ** (0.4 * offset), judged.transparency[k], -offset, aligned.scales.scatter[k],
        ))  # fmt: skip
    failed = aligned.failed.items()
    rows += [(name, "no", why, *[None] * (len(COLUMNS) - 3)) for name, why in failed]
    return csv_text(COLUMNS, rows)
