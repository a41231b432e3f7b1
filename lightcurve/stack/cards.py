"""The header of a stack: the reference's, brought up to what the stack is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.wcs import describe_wcs, wcs_header
from lightcurve.core.constants import DAY_S, MJD_ZERO, __version__
from lightcurve.core.data import Solution, Step
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import InputError
from lightcurve.core.library_warnings import quietly
from lightcurve.core.robust import known_median
from lightcurve.core.settings import Settings
from lightcurve.frames.cards import printable
from lightcurve.frames.dialects import CLOCKS
from lightcurve.image.write import header_without_past

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from lightcurve.stack.products import Ready, Stacked

Cards = dict[str, tuple[str | float | None, str]]
ROOM = 72  # cards, for checks: a header that does not grow is changed without its pixels
# Cards that tell of one frame alone.
OF_ONE = re.compile(
    r"AIRMASS|SECZ|.*ALT|ALT-.*|.*AZ|AZ-.*|HA|ST|LST.*|EXPTIME|EXPOSURE|E?GAIN|RDNOISE|SATURATE"
    r"|CHECKSUM|DATASUM|CALSTAT|BUNIT|NFILES|.*SCALE|SECPIX.*|FILE\d+"
)


def make_header(stacked: Stacked, ready: Ready, settings: Settings) -> Header:
    """Bring the reference's header up to what the stack is."""
    aligned, judged = ready.aligned, ready.judged
    first = aligned.members[aligned.reference]
    seconds = first.exposure.exposure_s or 1.0
    header = header_without_past(first.frame.header)
    clocks = {*CLOCKS.dates, *CLOCKS.numbers, *CLOCKS.hours, *CLOCKS.days}
    for keyword in {key for key in header if key in clocks or OF_ONE.fullmatch(key)}:
        header.remove(keyword, ignore_missing=True, remove_all=True)
    for cards in (_of_light(ready, stacked, settings, seconds), _of_quality(ready, stacked)):
        header.update({key: value for key, value in cards.items() if value[0] is not None})
    _put_times(header, stacked, seconds)
    if stacked.grid.wcs is not None and aligned.solution is not None:
        header.update(wcs_header(_solution(stacked, aligned.solution), stacked.light.shape))
    else:
        header["ALGNFAIL"] = (printable(aligned.unsolved)[:60], "no place on the sky")
    for k, one in enumerate(ready.kept, start=1):
        header[f"FILE{k}"] = printable(one.name)[-60:]
    header.add_history(f"{len(judged.kept)} frames combined by lightcurve {__version__}")
    for _ in range(ROOM):
        header.append(bottom=True)
    return header


def add_history(path: Path, lines: Sequence[str]) -> None:
    """Add lines to the history of a stack's file; raises InputError when it cannot be written."""
    from astropy.io import fits

    def add() -> None:
        with fits.open(path, mode="update", output_verify="silentfix+ignore") as hdus:
            for line in lines:
                hdus[0].header.add_history(line)

    try:
        quietly(add)
    except OSError as error:
        msg = f"{path}: cannot be written: {error}"
        raise InputError(msg) from error


def _of_light(ready: Ready, stacked: Stacked, settings: Settings, seconds: float) -> Cards:
    """Tell what the light is, and of how many frames."""
    aligned, used = ready.aligned, len(ready.kept)
    return {
        "EXTNAME": ("SCI", "light above the sky"),
        "BUNIT": ("adu", "as one exposure of EXPTIME"),
        "EXPTIME": (seconds, "[s] that light is scaled to"),
        "EXPTOT": (stacked.total_s, "[s] of all frames together"),
        "NFILES": (used, "frames combined"),
        "NREJECT": (len(aligned.members) - used + len(aligned.failed), "left out"),
        "COMBINE": (str(settings.stack.combine), "how"),
        "CLIPSIG": (settings.stack.clip_sigma, "beyond it a pixel was left out"),
        "CALSTAT": ("".join(step.letter for step in Step), "nothing is to be done again"),
        "LCPRODCT": ("stack", "made by lightcurve: not a raw frame"),
        "CREATOR": (f"lightcurve {__version__}", ""),
    }


def _of_quality(ready: Ready, stacked: Stacked) -> Cards:
    """Tell of noise, sky, and how well frames lie on one another."""
    aligned, kept = ready.aligned, ready.judged.kept
    sky = aligned.members[aligned.reference].sky_adu
    return {
        "GAIN": (stacked.gain_e_per_adu, "[e-/adu] effective"),
        "RDNOISE": (stacked.read_noise_e, "[e-] effective"),
        "SATURATE": (stacked.saturation_adu, "[adu] of the frame that clips first"),
        "NOISEPUL": (_rounded(stacked.pull), "scatter of halves / by ERR"),
        "NOISECOR": (_rounded(stacked.sums), "noise of sums / of pixels in quadrature"),
        "SKYBKG": (sky, "[adu] taken off the frame all are scaled to"),
        "FWHM": (_rounded(known_median(aligned.fwhm_px[kept])), "[px] of the frames"),
        "ALGNRMS": (_rounded(known_median(aligned.rms_px[kept])), "[px] of stars between frames"),
    }


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _put_times(header: Header, stacked: Stacked, seconds: float) -> None:
    """Give an exposure of EXPTIME about the mean time, which every reader dates alike."""
    mid = stacked.mid_jd_utc
    if mid is None or stacked.begin_end is None:
        return
    header["TIMESYS"] = "UTC"
    header["DATE-OBS"] = (iso_from_jd(mid - seconds / 2 / DAY_S), "mean time - EXPTIME / 2")
    header["MJD-OBS"] = (mid - seconds / 2 / DAY_S - MJD_ZERO, "the same")
    header["DATE-AVG"] = (iso_from_jd(mid), "mean time of the frames, by weight")
    header["MJD-AVG"] = (mid - MJD_ZERO, "the same")
    first, last = (iso_from_jd(one) for one in stacked.begin_end)
    header["STKBEG"], header["STKEND"] = (first, "first frame begins"), (last, "last one ends")


def _solution(stacked: Stacked, solution: Solution) -> Solution:
    """Give the reference's solution the grid's WCS."""
    wcs = stacked.grid.wcs or solution.wcs
    scale, turn, parity = describe_wcs(wcs, stacked.light.shape)
    return replace(solution, wcs=wcs, scale_arcsec=scale, rotation_deg=turn, parity=parity)
