"""What an observer should know at once of a night that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import LightCurve, Measurements
from lightcurve.night.live import LiveLook
from lightcurve.night.live_curve import transparency

RECENT = 3  # frames: one alone may have a satellite
THIN = 0.7  # of the light on the best frames
SOFT = 1.4  # times the width on the sharpest quarter
TRAILED, ROUND = 0.6, 0.75  # short over long axis: now, and usually
NEARLY_FULL = 0.85  # of saturation: sharper seeing adds the rest
AHEAD_MIN = 30.0  # minutes for which the drift is carried on
LATE = 4.0  # expected times from frame to frame
LEAST_LATE_S = 60.0


class AlarmKind(StrEnum):
    """What an alarm is about."""

    LOST = "lost frame"
    CLOUDS = "clouds"
    TRAIL = "trail"
    FOCUS = "focus"
    EDGE = "edge"
    SATURATED = "saturated"
    NEARLY_SATURATED = "saturation soon"
    NO_FRAME = "no new frame"
    ANEW = "set-up"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing to know, in words."""

    kind: AlarmKind
    text: str


def find_alarms(look: LiveLook, quiet_s: float) -> tuple[Alarm, ...]:
    """List what is to be known now; quiet_s: since the last file came, seconds."""
    found = [Alarm(AlarmKind.ANEW, text) for text in look.changes]
    if look.lost:
        number = f" ({len(look.lost)} such)" if len(look.lost) > 1 else ""
        found.append(Alarm(AlarmKind.LOST, f"{look.lost[-1]}{number}"))
    m, curve = look.measurements, look.curve
    if m is None:
        return tuple(found)
    if curve is not None:
        found += _clouds(curve, m)
    found += [*_trail(m, look), *_focus(m), *_edge(m, look), *_saturation(m, look)]
    return (*found, *_silence(m, quiet_s))


def _clouds(curve: LightCurve, m: Measurements) -> Iterator[Alarm]:
    now = float(np.median(transparency(curve, m)[-RECENT:]))
    if now < THIN:
        text = f"the comparison stars have {100 * now:.0f} % of their light: clouds, dew, dome?"
        yield Alarm(AlarmKind.CLOUDS, text)


def _trail(m: Measurements, look: LiveLook) -> Iterator[Alarm]:
    ratio = np.nanmedian(np.where(np.isfinite(m.fwhm), m.roundness, np.nan)[-60:], axis=1)
    now, usual = float(ratio[-1]), float(np.nanmedian(ratio))
    if now < TRAILED and usual > ROUND:
        file = look.results[-1].file
        yield Alarm(AlarmKind.TRAIL, f"{file}: stars are trailed, axes 1 to {1 / now:.1f}")


def _focus(m: Measurements) -> Iterator[Alarm]:
    known = m.fwhm_px[np.isfinite(m.fwhm_px)]
    if len(known) < 2 * RECENT:
        return
    now, best = float(np.median(known[-RECENT:])), float(np.quantile(known, 0.25))
    if now > SOFT * best:
        text = f"stars are {now:.1f} px wide, {best:.1f} px at best: focus, dew, seeing?"
        yield Alarm(AlarmKind.FOCUS, text)


def _edge(m: Measurements, look: LiveLook) -> Iterator[Alarm]:
    """Carry the drift of the last frames on."""
    if look.scene is None or len(m.file) < 2 * RECENT:
        return
    ny, nx = look.scene.recipe.shape
    x, y = m.x[-10:, 0], m.y[-10:, 0]
    minutes = (m.jd_utc[-10:] - m.jd_utc[-1]) * DAY_S / 60
    good = np.isfinite(x) & np.isfinite(y) & on_this_side(m)[-10:]
    if good.sum() < RECENT or not np.ptp(minutes[good]) > 0:
        return
    room = m.annulus[1]
    for place, size in ((x, nx), (y, ny)):
        slope, here = np.polyfit(minutes[good], place[good], 1)
        free = (here - room) if slope < 0 else (size - 1 - room - here)
        left = free / abs(slope) if slope else np.inf
        if left < AHEAD_MIN:
            text = f"the target comes to the edge in {max(left, 0.0):.0f} min at this drift"
            yield Alarm(AlarmKind.EDGE, text)


def on_this_side(m: Measurements) -> np.ndarray:
    """Mark the frames that are turned as the last one is, (n,) bool: no flip lies between."""
    return np.cos(np.radians(m.rotation_deg - m.rotation_deg[-1])) > 0


def _saturation(m: Measurements, look: LiveLook) -> Iterator[Alarm]:
    share = saturation_share(m, look)
    if not share >= NEARLY_FULL:
        return
    kind = AlarmKind.SATURATED if share >= 1 else AlarmKind.NEARLY_SATURATED
    yield Alarm(kind, f"the target's peak is at {100 * share:.0f} % of saturation: expose shorter")


def saturation_share(m: Measurements, look: LiveLook) -> float:
    """Peak of the target over saturation on the last frame; NaN where the level is not known."""
    level = look.scene.recipe.saturation_adu if look.scene else None
    peaks = m.peak[-1, 0][np.isfinite(m.peak[-1, 0])]
    return float(peaks.max()) / level if level and peaks.size else float("nan")


def _silence(m: Measurements, quiet_s: float) -> Iterator[Alarm]:
    if len(m.jd_utc) < 3:
        return
    cadence = float(np.median(np.diff(m.jd_utc))) * DAY_S
    if quiet_s > max(LATE * cadence, LEAST_LATE_S):
        text = f"no new frame for {quiet_s / 60:.0f} min, where one came every {cadence:.0f} s"
        yield Alarm(AlarmKind.NO_FRAME, text)
