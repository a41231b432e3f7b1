"""What a careful observer looks at before a stack is believed: each with its limit and verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.robust import known_median, robust_scatter
from lightcurve.image.reduced import Reduced, summarise
from lightcurve.stack.blur import measure_blur

if TYPE_CHECKING:
    from lightcurve.stack.products import Ready, Stacked

__all__ = ["Verdict"]

MIN_SHARE = 0.5  # of the frames: more lost is a night to look at
MIN_FRAMES = 2  # of one alone nothing is known but what it says itself
MAX_ALIGN_PX = 0.25  # FWHM of 2.5 px grows by 3 %
MAX_WCS_PX, MIN_WCS_STARS = 0.5, 10
MAX_BLUR = 1.1  # of the width of the same stars in the frames: the stack is no blunter than these
MAX_LOST = 0.03  # of the values of blank sky: 4 sigma alone loses 0.006 %
PULLS = (0.9, 1.1)
# Of the sky's scatter over the noise: beyond it flat field, dark pixels or stars too faint to be
# told apart limit the stack, and more frames like these make it no deeper.
MAX_GRAIN = 1.5
MIN_ZERO_STARS, MAX_ZERO_ERR = 10, 0.03
MAX_DEPTH_MAG = 0.2


class Verdict(StrEnum):
    """Of one check: poor is what the frames do not allow better, failed what is wrong."""

    PASSED = "passed"
    POOR = "poor"
    FAILED = "failed"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: the number, as people read it, its limit and the verdict."""

    name: str
    value: float
    text: str
    limit: str
    verdict: Verdict

    @classmethod
    def of(
        cls, name: str, value: float, text: str, low: float = -np.inf, high: float = np.inf,
        beyond: Verdict = Verdict.FAILED,
    ) -> Check:  # fmt: skip
        """Hold a number against its limits; one that is not known has failed nothing."""
        unit = "{:.0%}" if "%" in text else "{:g}"
        limits = [f"at least {unit.format(low)}"] if np.isfinite(low) else []
        limits += [f"at most {unit.format(high)}"] if np.isfinite(high) else []
        if not np.isfinite(value):
            return cls(name, value, "not known", " and ".join(limits), Verdict.UNKNOWN)
        verdict = Verdict.PASSED if low <= value <= high else beyond
        return cls(name, value, text.format(value), " and ".join(limits), verdict)


def check_stack(stacked: Stacked, ready: Ready, image: Reduced | None) -> tuple[Check, ...]:
    """Look at frames, places and noise; with a catalogue at zero point and limits, too."""
    aligned, judged = ready.aligned, ready.judged
    total = len(aligned.members) + len(aligned.failed)
    used, kept = len(judged.kept), judged.kept
    rms = known_median(aligned.rms_px[kept[kept != aligned.reference]])
    checks = [
        Check.of("frames", used, "{:.0f} used", MIN_FRAMES),
        Check.of("share of frames", used / total, f"{used} of {total} used", MIN_SHARE,
                 beyond=Verdict.POOR),
        Check.of("alignment", rms, "{:.3f} px rms", high=MAX_ALIGN_PX),
        Check.of("PSF", measure_blur(stacked, ready), "{:.3f} of the width in the frames",
                 high=MAX_BLUR),
        Check.of("outliers", lost_share(stacked), "{:.3%} of values", high=MAX_LOST),
        Check.of("noise", stacked.pull, "{:.3f} of the error map, half the frames less the others",
                 *PULLS),
        Check.of("grain", grain(stacked), "{:.2f} of the error map, sky between stars",
                 high=MAX_GRAIN, beyond=Verdict.POOR),
    ]  # fmt: skip
    return tuple(checks) if image is None else (*checks, *_of_catalog(image))


def _of_catalog(image: Reduced) -> list[Check]:
    """Look at the catalogue; where no catalogue of stars was at hand, nothing has failed."""
    told = summarise(image)
    limits = next(one for one in image.calibrated.limits.limits if one.snr == 5)
    return [
        Check.of("WCS rms", told["astrometry_rms_px"], "{:.3f} px", high=MAX_WCS_PX),
        Check.of("WCS stars", _counted(told["astrometry_stars"]), "{:.0f}", MIN_WCS_STARS,
                 beyond=Verdict.POOR),
        Check.of("zero-point stars", _counted(told["zero_point_stars"]), "{:.0f}", MIN_ZERO_STARS,
                 beyond=Verdict.POOR),
        Check.of("zero-point error", _number(told["zero_point_err_mag"]), "{:.4f} mag",
                 high=MAX_ZERO_ERR, beyond=Verdict.POOR),
        Check.of("limit", limits.measured - limits.analytic,
                 "{:+.3f} mag from what the noise foretells", -MAX_DEPTH_MAG, MAX_DEPTH_MAG,
                 Verdict.POOR),
    ]  # fmt: skip


def _counted(number: int) -> float:
    """Stars that were matched; NaN where none was, for there was nothing to match with."""
    return float(number or np.nan)


def lost_share(stacked: Stacked) -> float:
    """Share of the values that were left out as far from the others."""
    values = stacked.count.sum(dtype=float) + stacked.rejected.sum(dtype=float)
    return float(stacked.rejected.sum(dtype=float) / values) if values else float("nan")


def grain(stacked: Stacked) -> float:
    """Scatter of pixels of blank sky in multiples of their errors."""
    from lightcurve.phot.background import measure_background

    background = measure_background(stacked.light, stacked.bad)
    blank = ~background.sources & (stacked.bad == 0)
    return robust_scatter(((stacked.light - background.level) / stacked.error)[blank])


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
