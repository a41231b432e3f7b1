"""Which frames a stack is better without, each with what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.settings import StackSettings
from lightcurve.stack.align import Aligned

FEW = 3  # frames: none is left out for being worse than so few others
# Of a frame's stars about its own zero point: clouds that are not alike over the field. Cirrus and
# flats leave 0.01 to 0.03 mag.
MAX_SCATTER_MAG = 0.1
CLEAR = 80.0  # per cent of the frames are no clearer: one in five may be under no cloud at all


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was found of each frame: (n,) arrays, and why one is left out, empty where it is not.

    transparency : of the air, beside the clear frames', for the same exposure.
    """

    transparency: np.ndarray
    reasons: tuple[str, ...]

    @property
    def kept(self) -> np.ndarray:
        """Rows of the frames that are combined."""
        return np.flatnonzero([not reason for reason in self.reasons])


def judge(aligned: Aligned, settings: StackSettings) -> Judged:
    """Judge frames by their stars: places, widths, brightness and how alike it is over the field.

    Limits are of the settings. What was not measured speaks against no frame but one without a
    zero point, where others have one.
    """
    scales, fwhm, rms = aligned.scales, aligned.fwhm_px, aligned.rms_px
    seconds = np.array([one.exposure.exposure_s or 1.0 for one in aligned.members])
    light = 10 ** (-0.4 * scales.offset) / seconds
    clear = np.nanpercentile(light, CLEAR) if np.isfinite(light).any() else np.nan
    transparency = light / clear
    width = np.nanmedian(fwhm) if np.isfinite(fwhm).any() else np.nan
    # A field of stars that move, or few stars: frames are held against one another, too.
    allowed = (
        max(settings.max_rms_px, 2 * float(np.nanmedian(rms))) if np.isfinite(rms).any() else 1
    )
    tests = (
        (rms > allowed, "stars {:.2f} px from the reference's, over {:.2f}", rms, allowed),
        (fwhm > settings.max_fwhm * width, "FWHM {:.2f} px, over {:.2f}", fwhm,
         settings.max_fwhm * width),
        (transparency < settings.min_transparency, "transparency {:.2f}, under {:.2f}",
         transparency, settings.min_transparency),
        (scales.scatter > MAX_SCATTER_MAG, "zero point uneven by {:.2f} mag, over {:.2f}: clouds",
         scales.scatter, MAX_SCATTER_MAG),
    )  # fmt: skip
    many = len(aligned.members) >= FEW
    no_zero = np.isnan(scales.offset) & np.isfinite(scales.offset).any()
    reasons = []
    for k in range(len(aligned.members)):
        found = [text.format(values[k], limit) for bad, text, values, limit in tests if bad[k]]
        found = found if many else []
        if no_zero[k]:
            found.append(f"no zero point: {scales.stars[k]} of the common stars are usable")
        reasons.append("; ".join(found))
    return Judged(transparency, tuple(reasons))
