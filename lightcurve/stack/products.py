"""A stack as files: light, mask, error and exposure, what they are made of, and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Exposure, Figures
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.files import write_text
from lightcurve.core.flags import PixelFlag
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import csv_text
from lightcurve.frames.cards import printable
from lightcurve.image.write import bits_header, write_fits
from lightcurve.report.stack import save_stack
from lightcurve.setup.camera import CameraValues
from lightcurve.stack.align import Aligned
from lightcurve.stack.cards import add_history, make_header
from lightcurve.stack.check import Check
from lightcurve.stack.clip import Middle
from lightcurve.stack.combine import Block
from lightcurve.stack.grid import Grid
from lightcurve.stack.layer import Layer
from lightcurve.stack.reject import Judged
from lightcurve.stack.take import Member

if TYPE_CHECKING:
    from astropy.io.fits import Header

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
    middle: Middle
    full: np.ndarray

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


def write_stack(out: Path, stacked: Stacked, ready: Ready, settings: Settings) -> Path:
    """Write the images, the table of frames and the pictures.

    Raises InputError when one cannot be written.
    """
    header = make_header(stacked, ready, settings)
    path = write_fits(
        out / f"{stack_name(ready.aligned, stacked)}.fits",
        {"SCI": stacked.light, "MASK": stacked.bad, "ERR": stacked.error,
         "EXPOSURE": stacked.exposure, "COUNT": stacked.count.astype(np.int16)},
        header,
        {"MASK": bits_header(), **_units(header)},
    )  # fmt: skip
    write_text(out / "frames.csv", _table(ready.aligned, ready.judged))
    title = f"{len(ready.kept)} frames, {stacked.total_s:.0f} s"
    (out / "stack.png").unlink(missing_ok=True)  # an earlier run's
    if settings.figures == Figures.ALL:
        save_stack(out / "stack.png", stacked.light, stacked.exposure, stacked.rejected, title)
    return path


def write_checks(path: Path, checks: Sequence[Check]) -> None:
    """Write what was checked into a table, and into the stack's header.

    Raises InputError when it cannot be written.
    """
    lines = ["check,value,limit,verdict"]
    lines += [f'{c.name},"{c.text}","{c.limit}",{c.verdict}' for c in checks]
    write_text(path.parent / "check.csv", "\n".join(lines) + "\n")
    told = (f"check {c.name}: {c.text} ({c.limit}): {c.verdict}" for c in checks)
    add_history(path, [printable(one) for one in told])


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
