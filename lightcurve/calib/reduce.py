"""The reduction of one frame: bias, dark, flat, bad pixels. Pure and quick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.calib.match import same_exposure
from lightcurve.data import Frame, Masters
from lightcurve.errors import FrameError
from lightcurve.flags import PixelFlag

_CHUNK_PIXELS = 65536  # three float32 images of it fit the cache of one core


def reduce_frame(frame: Frame, masters: Masters | None) -> Frame:
    """Take bias and dark off a frame and divide it by the flat.

    pixels = (raw - bias - dark * t / t_dark) / flat

    Parameters
    ----------
    frame : Frame
        Raw.
    masters : Masters or None
        What is None in it is left out; with None the frame comes back as it is.

    Returns
    -------
    Frame
        Pixels are NaN, and marked NOT_FINITE, where raw frame or masters give no value; DEAD where
        the flat is not positive. SATURATED is told from the raw pixels.

    Raises
    ------
    FrameError
        When a master is of another size, or the dark cannot be scaled to this exposure.
    """
    if masters is None:
        return frame
    _check_sizes(frame, masters)
    factor = _dark_factor(frame, masters)
    shape = frame.pixels.shape
    pixels = np.empty(shape, np.float32)
    bad = frame.bad.copy() if masters.bad is None else frame.bad | masters.bad
    bias = None if masters.dark is not None and masters.dark_includes_bias else masters.bias
    saturation = frame.exposure.saturation_adu
    step = max(_CHUNK_PIXELS // shape[1], 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for start in range(0, shape[0], step):
            rows = slice(start, start + step)
            raw, out, marks = frame.pixels[rows], pixels[rows], bad[rows]
            if bias is None:
                out[:] = raw
            else:
                np.subtract(raw, bias[rows], out=out)
            if masters.dark is not None:
                out -= masters.dark[rows] if factor == 1 else masters.dark[rows] * factor
            if masters.flat is not None:
                flat = masters.flat[rows]
                out /= flat
                if not flat.min() > 0:
                    out[~(flat > 0)] = np.nan
                    marks[~(flat > 0)] |= np.uint8(PixelFlag.DEAD)
            # Pixels are looked at one by one only where some are known to be bad.
            if saturation is not None and not raw.max() < saturation:
                marks[raw >= saturation] |= np.uint8(PixelFlag.SATURATED)
            if not np.isfinite(out.sum()):
                marks[~np.isfinite(out)] |= np.uint8(PixelFlag.NOT_FINITE)
    history = (*frame.history, *_history(masters, factor, biased=bias is not None))
    return replace(frame, pixels=pixels, bad=bad, history=history)


def _check_sizes(frame: Frame, masters: Masters) -> None:
    for name in ("bias", "dark", "flat", "bad"):
        image = getattr(masters, name)
        if image is not None and image.shape != frame.pixels.shape:
            raise FrameError(
                frame.path,
                "is {1} x {0} px, the master {4} {3} x {2}: "
                "calibrate it with frames of its own setup".format(
                    *frame.pixels.shape, *image.shape, name
                ),
            )


def _dark_factor(frame: Frame, masters: Masters) -> float:
    """Factor that brings the master dark to this frame's exposure."""
    seconds, of_dark = frame.exposure.exposure_s, masters.dark_exposure_s
    if masters.dark is None or not of_dark:
        return 1.0
    if seconds is None or not 0 <= seconds < np.inf:
        msg = f"its exposure time is {seconds or 'not known'}, so no dark can be scaled to it"
        raise FrameError(frame.path, msg)
    if not masters.dark_includes_bias:
        return seconds / of_dark
    if not same_exposure(seconds, of_dark):
        msg = (
            f"was exposed {seconds:g} s, the dark {of_dark:g} s; a dark with the bias in it cannot "
            "be scaled: add bias frames, or darks of this exposure"
        )
        raise FrameError(frame.path, msg)
    return 1.0


def _history(masters: Masters, factor: float, *, biased: bool) -> tuple[str, ...]:
    lines = []
    if biased:
        lines.append("master bias subtracted")
    if masters.dark is not None:
        kind = "with bias in it" if masters.dark_includes_bias else f"times {factor:.6g}"
        lines.append(f"master dark ({kind}) subtracted")
    if masters.flat is not None:
        lines.append("divided by master flat")
    if masters.bad is not None:
        lines.append(f"{np.count_nonzero(masters.bad)} bad pixels marked")
    return tuple(lines)
