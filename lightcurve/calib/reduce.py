"""The reduction of one frame: bias, dark, flat, bad pixels; and the file that keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.calib.linearity import straighten
from lightcurve.calib.match import same_exposure
from lightcurve.core.constants import __version__
from lightcurve.core.data import Exposure, Frame, FrameKind, Masters, RawFrame, Step
from lightcurve.core.errors import FrameError
from lightcurve.core.files import write_whole
from lightcurve.core.flags import PixelFlag
from lightcurve.frames.cards import printable
from lightcurve.frames.read import stripped

__all__ = [
    "RAW_ONLY",
    "as_reduced",
    "check_size",
    "plan_reduction",
    "reduce_frame",
    "state_card",
    "write_frame",
]

LINEAR = "counts made linear by the camera's polynomial"
_CHUNK_PIXELS = 65536  # three float32 images of it fit the cache of one core
# They describe the raw file's integers, or would tell a reader to calibrate again.
RAW_ONLY = ("BZERO", "BSCALE", "BLANK", "PEDESTAL", "DATAMIN", "DATAMAX", "CHECKSUM", "DATASUM")


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """What is done to the pixels of one frame.

    bias, dark, flat : (ny, nx) float32 arrays or None, what is to be subtracted, subtracted
        times `dark_factor`, and divided by.
    """

    bias: np.ndarray | None
    dark: np.ndarray | None
    flat: np.ndarray | None
    dark_factor: float
    pedestal_adu: float = 0.0  # which a program added to what it had calibrated
    linearity_terms: tuple[float, ...] | None = None

    def apply(self, raw: np.ndarray, rows: slice, out: np.ndarray) -> None:
        """Reduce some rows (n, nx), ADU, into `out`, which may be `raw` itself."""
        done = raw  # as far as it is reduced; each step reads what the last one left
        if self.bias is not None:
            done = np.subtract(done, self.bias[rows], out=out)
        elif self.pedestal_adu:
            done = np.subtract(done, np.float32(self.pedestal_adu), out=out)
        biased = self.bias is None and self.dark is not None
        if self.linearity_terms and not biased:
            done = _straightened(done, self.linearity_terms, out)
        if self.dark is not None:
            dark = self.dark[rows]
            dark = dark if self.dark_factor == 1 else dark * self.dark_factor
            done = np.subtract(done, dark, out=out)
        if self.linearity_terms and biased:  # the bias went with the dark
            done = _straightened(done, self.linearity_terms, out)
        if self.flat is not None:
            done = np.divide(done, self.flat[rows], out=out)
        if done is not out:
            out[:] = raw

    def mark(self, rows: slice, out: np.ndarray, marks: np.ndarray) -> None:
        """Mark what is bad in reduced rows, and make it NaN where the flat is not positive.

        Pixels are looked at one by one only where some are known to be bad. out: as `apply` left
        it; marks: `PixelFlag` bits, added to.
        """
        if self.flat is not None and not self.flat[rows].min() > 0:
            dark = ~(self.flat[rows] > 0)
            out[dark] = np.nan
            marks[dark] |= np.uint8(PixelFlag.DEAD)
        finite = np.isfinite(out)
        if not finite.all():
            marks[~finite] |= np.uint8(PixelFlag.NOT_FINITE)


def _straightened(counts: np.ndarray, terms: tuple[float, ...], out: np.ndarray) -> np.ndarray:
    """Make counts linear in `out`, which may hold them already."""
    if counts is not out:
        out[:] = counts
    straighten(out, terms)
    return out


def reduce_frame(raw: RawFrame, masters: Masters | None) -> Frame:
    """Take bias and dark off a frame and divide it by the flat.

    pixels = (raw - bias - dark * t / t_dark) / flat

    Counts above the bias are made linear where the camera's terms are known.

    Parameters
    ----------
    masters : Masters or None
        What is None in it is left out; with None the pixels are taken as they are.

    Returns
    -------
    Frame
        Pixels are NaN, and marked NOT_FINITE, where raw frame or masters give no value; DEAD where
        the flat is not positive. What is marked in the raw frame, such as SATURATED, stays so.

    Raises
    ------
    FrameError
        When a master is of another size, or the dark cannot be scaled to this exposure.
    """
    if masters is None:
        straight = raw.exposure.linearity_terms is not None and not raw.exposure.done
        pixels = raw.pixels.astype(np.float32, copy=straight)
        if straight:
            straighten(pixels, raw.exposure.linearity_terms or ())
        return as_reduced(raw, pixels, raw.bad, *([LINEAR] if straight else []))
    shape = raw.pixels.shape
    reduction = plan_reduction(raw, masters, shape)
    pixels = np.empty(shape, np.float32)
    bad = raw.bad.copy() if masters.bad is None else raw.bad | masters.bad
    step = max(_CHUNK_PIXELS // shape[1], 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for start in range(0, shape[0], step):
            rows = slice(start, start + step)
            reduction.apply(raw.pixels[rows], rows, pixels[rows])
            reduction.mark(rows, pixels[rows], bad[rows])
    frame = as_reduced(raw, pixels, bad, *_history(reduction, masters))
    done = {*raw.exposure.done, *_steps(reduction, masters)}
    exposure = replace(raw.exposure, done=tuple(step for step in Step if step in done))
    return replace(frame, exposure=exposure)


def as_reduced(raw: RawFrame, pixels: np.ndarray, bad: np.ndarray, *done: str) -> Frame:
    """Make the calibrated frame of a raw one.

    pixels: (ny, nx) float array, ADU. bad: (ny, nx) uint8 array of `PixelFlag` bits.
    *done: what was done, for its history.
    """
    return Frame(pixels, bad, raw.exposure, raw.head, raw.path, (*raw.history, *done))


def state_card(exposure: Exposure) -> dict[str, tuple[str, str]]:
    """Make the card that tells all programs what is not to be done again, where anything is."""
    letters = "".join(step.letter for step in exposure.done)
    return {"CALSTAT": (letters, "done to the pixels: bias, dark, flat")} if letters else {}


def _steps(reduction: Reduction, masters: Masters) -> tuple[Step, ...]:
    """Name what a reduction does. Warm pixels that light frames alone show are no dark."""
    steps = [Step.BIAS] if reduction.bias is not None else []
    if reduction.dark is not None and FrameKind.DARK in masters.of:
        steps += [Step.BIAS, Step.DARK] if masters.dark_includes_bias else [Step.DARK]
    return (*steps, *([Step.FLAT] if reduction.flat is not None else []))


def plan_reduction(raw: RawFrame, masters: Masters, shape: tuple[int, int]) -> Reduction:
    """Settle what is to be done to a frame whose reduced pixels are of a shape (ny, nx).

    Raises
    ------
    FrameError
        When a master is of another size, or the dark cannot be scaled to this exposure.
    """
    check_size(raw, masters, shape)
    done = raw.exposure.done
    in_dark = masters.dark is not None and masters.dark_includes_bias
    if in_dark and Step.BIAS in done and Step.DARK not in done:
        msg = "its bias is off already, and the master dark has the bias in it: add bias frames"
        raise FrameError(raw.path, msg)
    with_dark = masters.dark is not None and Step.DARK not in done
    return Reduction(
        pedestal_adu=raw.exposure.pedestal_adu if done else 0.0,
        bias=None if in_dark or Step.BIAS in done else masters.bias,
        dark=masters.dark if with_dark else None,
        flat=None if Step.FLAT in done else masters.flat,
        dark_factor=_dark_factor(raw, masters) if with_dark else 1.0,
        linearity_terms=None if done else raw.exposure.linearity_terms,
    )


def check_size(raw: RawFrame, masters: Masters, shape: tuple[int, int]) -> None:
    """Refuse, by a `FrameError`, masters that are not of a shape (ny, nx)."""
    for name in ("bias", "dark", "flat", "bad"):
        image = getattr(masters, name)
        if image is not None and image.shape != shape:
            raise FrameError(
                raw.path,
                "is {1} x {0} px, the master {4} {3} x {2}: "
                "calibrate it with frames of its own setup".format(*shape, *image.shape, name),
            )


def _dark_factor(raw: RawFrame, masters: Masters) -> float:
    """Factor that brings the master dark to this frame's exposure."""
    seconds, of_dark = raw.exposure.exposure_s, masters.dark_exposure_s
    if masters.dark is None or not of_dark:
        return 1.0
    if seconds is None or not 0 <= seconds < np.inf:
        msg = f"its exposure time is {seconds or 'not known'}, so no dark can be scaled to it"
        raise FrameError(raw.path, msg)
    if not masters.dark_includes_bias:
        return seconds / of_dark
    if not same_exposure(seconds, of_dark):
        msg = (
            f"was exposed {seconds:g} s, the dark {of_dark:g} s; a dark with the bias in it cannot "
            "be scaled: add bias frames, or darks of this exposure"
        )
        raise FrameError(raw.path, msg)
    return 1.0


def _history(reduction: Reduction, masters: Masters) -> tuple[str, ...]:
    lines = []
    if reduction.bias is not None:
        lines.append("master bias subtracted")
    if reduction.linearity_terms:
        lines.append(LINEAR)
    if reduction.dark is not None:
        factor = f"times {reduction.dark_factor:.6g}"
        kind = "with bias in it" if masters.dark_includes_bias else factor
        lines.append(f"master dark ({kind}) subtracted")
    if reduction.flat is not None:
        lines.append("divided by master flat")
    if masters.bad is not None:
        lines.append(f"{np.count_nonzero(masters.bad)} bad pixels marked")
    return tuple(lines)


def write_frame(path: Path, frame: Frame, error: np.ndarray | None = None) -> Path:
    """Write a frame's pixels as 32-bit floats under its own header, in place of what is there.

    The bad-pixel bits stand in an extension BADPIX, what was done in HISTORY; the error of each
    pixel, where `error` (ny, nx), ADU, is given, in ERR.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    from astropy.io import fits

    header = stripped(frame.header)
    for keyword in RAW_ONLY:
        header.remove(keyword, ignore_missing=True)
    header["BUNIT"] = "adu"
    header["LCPRODCT"] = ("calibrated frame", "made by lightcurve: not a raw frame")
    header.update(state_card(frame.exposure))
    for line in (*frame.history, f"lightcurve {__version__}"):
        header.add_history(printable(line))
    hdus = [
        fits.PrimaryHDU(np.asarray(frame.pixels, dtype=np.float32), header),
        fits.ImageHDU(frame.bad, name="BADPIX"),
    ]
    if error is not None:
        of_error = fits.Header({"BUNIT": "adu"})
        hdus.append(fits.ImageHDU(np.asarray(error, dtype=np.float32), of_error, name="ERR"))
    content = fits.HDUList(hdus)
    return write_whole(
        path, lambda file: content.writeto(file, output_verify="silentfix"), parents=True
    )
