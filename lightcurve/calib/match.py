"""Which calibration frames, and which masters, suit a frame, and what to say of the others.

Every way to calibrate (`run`, `calibrate`, `image`, `calib`) is held to the same `RULES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.data import (
    CALIBRATION,
    Exposure,
    FrameKind,
    Masters,
    Note,
    Severity,
    Step,
)
from lightcurve.core.errors import CalibrationError
from lightcurve.core.settings import CalibrationSettings

__all__ = ["check_masters"]

GAIN_TOLERANCE = 0.02
DOUBLING_C = 6.0  # in which the dark current of silicon doubles: beyond, no scaling mends a dark
SHOWN = 3
EXPOSURE_TOLERANCE = 0.01
Group = Sequence[tuple[Path, Exposure]]


class Disagreement(Enum):
    """What it costs when no calibration frame agrees with the light."""

    ERROR = "error"
    ERROR_UNLESS_ALLOWED = "error unless allowed"  # by ``calibration.allow_mismatch``
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One property in which a calibration frame has to agree with the light."""

    name: str  # as shown to the user
    # Exposure to the value compared; None where not known, which agrees with anything
    value: Callable[[Exposure], Any]
    without: Disagreement  # what it is when no frame agrees
    kinds: tuple[FrameKind, ...] = CALIBRATION  # it applies to
    # by how much a value may be off the wanted one, by the settings; None where it must be the same
    slack: Callable[[Any, CalibrationSettings], float] | None = None
    name_of_thing: bool = False  # which programs write with other capitals and blanks


_DARKS = (FrameKind.DARK, FrameKind.DARK_FLAT)
_FLAT = (FrameKind.FLAT,)


def _setting(name: str) -> Callable[[Exposure], Any]:
    """Read a setting of the camera that is in a frame's level: of flats without bias in none."""

    def value(exposure: Exposure) -> float | str | None:
        if exposure.kind == FrameKind.FLAT and Step.BIAS in exposure.done:
            return None
        text: str | None = getattr(exposure, name)
        try:
            return None if text is None else float(text)
        except ValueError:
            return text

    return value


RULES = (
    Rule("size", lambda e: e.shape[::-1] if e.shape != (0, 0) else None, Disagreement.ERROR),
    Rule("binning", lambda e: e.binning, Disagreement.ERROR),
    Rule("camera", lambda e: e.camera, Disagreement.ERROR_UNLESS_ALLOWED, name_of_thing=True),
    Rule("serial number", lambda e: e.serial, Disagreement.ERROR_UNLESS_ALLOWED),
    Rule(
        "telescope",
        lambda e: e.telescope,
        Disagreement.ERROR_UNLESS_ALLOWED,
        _FLAT,
        name_of_thing=True,
    ),
    Rule("filter", lambda e: e.filter, Disagreement.ERROR_UNLESS_ALLOWED, _FLAT),
    Rule(
        "gain",
        _setting("gain_setting"),
        Disagreement.ERROR_UNLESS_ALLOWED,
        slack=lambda wanted, _: GAIN_TOLERANCE * wanted,
    ),
    Rule("offset", _setting("offset_setting"), Disagreement.ERROR_UNLESS_ALLOWED),
    Rule(
        "readout mode",
        _setting("readout_mode"),
        Disagreement.ERROR_UNLESS_ALLOWED,
        name_of_thing=True,
    ),
    Rule(
        "temperature",
        lambda e: e.temperature_c,
        Disagreement.WARNING,
        (FrameKind.BIAS, *_DARKS),
        slack=lambda _, settings: settings.temperature_tolerance_c,
    ),
    Rule(
        "temperature",
        lambda e: e.temperature_c,
        Disagreement.ERROR_UNLESS_ALLOWED,
        _DARKS,
        slack=lambda _, settings: max(settings.temperature_tolerance_c, DOUBLING_C),
    ),
)


def choose_frames(
    kind: FrameKind, group: Group, light: Exposure, settings: CalibrationSettings
) -> tuple[Group, list[Note]]:
    """Take from a group the frames that agree with a frame to be calibrated, and one another.

    The notes say how many were left out and why, and warn of each disagreement let through. Raises
    CalibrationError when no frame agrees, or the frame does not say what they differ in: always in
    size or binning, else unless allowed; bias frames of any temperature serve with a warning.
    """
    chosen, notes = list(group), []
    for rule in RULES:
        if not chosen or kind not in rule.kinds:
            continue
        wanted = rule.value(light)
        values = [rule.value(exposure) for _, exposure in chosen]
        known = [value for value in values if value is not None]
        taken = wanted
        if wanted is None and known:
            taken = _middle(known)
            if not all(_agree(rule, value, taken, settings) for value in known):
                _refuse(rule, kind, values, light, settings)
        elif not any(_agree(rule, value, wanted, settings) for value in values):
            _refuse(rule, kind, values, light, settings)
            taken = _nearest(values, wanted)
        fits = [f for f in chosen if _agree(rule, rule.value(f[1]), taken, settings)]
        if len(fits) < len(chosen):
            text = (
                f"{kind}: {len(chosen) - len(fits)} of {len(chosen)} frames left out: "
                f"{rule.name} is not {_word(taken)}"
            )
            notes.append(Note(text, subject=kind))
        if not _agree(rule, taken, wanted, settings):
            text = _problem(rule, kind, [taken], light)
            notes.append(Note(text, Severity.WARNING, subject=kind))
        chosen = fits
    return chosen, list(dict.fromkeys(notes))


def check_masters(
    masters: Masters, frame: Exposure, settings: CalibrationSettings
) -> tuple[Note, ...]:
    """Hold masters against a frame that they are to calibrate, by what they say they are of.

    Returns warnings of what was let through. Raises CalibrationError where one is of another setup.
    """
    notes: list[Note] = []
    for kind, step in ((FrameKind.BIAS, Step.BIAS), (FrameKind.DARK, Step.DARK),
                       (FrameKind.FLAT, Step.FLAT)):  # fmt: skip
        of = masters.of.get(kind)
        if of is not None and step not in frame.done:
            notes += choose_frames(kind, [(Path(f"master {kind}"), of)], frame, settings)[1]
    return tuple(notes)


def refuse_mixed(kind: FrameKind, group: Group, settings: CalibrationSettings) -> None:
    """Refuse frames of more than one setup, by a CalibrationError that names what they differ in.

    The exposure counts for darks alone.
    """
    rules = [rule for rule in RULES if kind in rule.kinds]
    for rule in rules:
        known = [value for _, e in group if (value := rule.value(e)) is not None]
        if known and not all(_agree(rule, value, _middle(known), settings) for value in known):
            msg = (
                f"{kind} frames of more than one setup: {rule.name} is {_by_value(rule, group)}; "
                "make one master of each"
            )
            raise CalibrationError(msg)


def _by_value(rule: Rule, group: Group) -> str:
    """List the values of frames, each with its files."""
    files: dict[str, list[str]] = {}
    for path, exposure in group:
        value = rule.value(exposure)
        word = "not known" if value is None else _word(value)
        files.setdefault(word, []).append(path.name)
    return "; ".join(f"{word} in {name_some(names)}" for word, names in files.items())


def name_some(names: Sequence[str]) -> str:
    """Name the first of many."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def setup_of(kind: FrameKind, group: Group, done: tuple[Step, ...] = ()) -> Exposure:
    """Tell what a master is of, as its header keeps it; done: what is off the master itself."""
    first = group[0][1]
    known = {name: getattr(first, name) for name in _KEPT} | {"kind": kind, "done": done}
    known["filter"] = first.filter if kind == FrameKind.FLAT else None
    temperatures = [e.temperature_c for _, e in group if e.temperature_c is not None]
    starts = [e.start_jd_utc for _, e in group if e.start_jd_utc is not None]
    if temperatures:
        known["temperature_c"] = round(float(np.median(temperatures)), 3)
    if starts:
        known["start_jd_utc"] = round(min(starts), START_DIGITS)
    return Exposure(**known)


# What a master's header keeps of the frames it is made of, beside temperature and start.
_KEPT = (
    "camera", "telescope", "serial", "binning", "exposure_s", "shape", "gain_setting",
    "offset_setting", "readout_mode",
)  # fmt: skip
START_DIGITS = 5  # of a Julian date: a second


def _refuse(
    rule: Rule,
    kind: FrameKind,
    values: Sequence[object],
    frame: Exposure,
    settings: CalibrationSettings,
) -> None:
    """Raise where no frame agrees and the rule does not let that through."""
    allowable = rule.without is Disagreement.ERROR_UNLESS_ALLOWED
    if rule.without is Disagreement.WARNING or (allowable and settings.allow_mismatch):
        return
    advice = f"take {kind} frames of the same setup, or leave these out"
    if allowable:
        advice = f"take {kind} frames that agree, or give --allow-mismatch"
    msg = f"{_problem(rule, kind, values, frame)}; {advice}"
    raise CalibrationError(msg)


def _problem(rule: Rule, kind: FrameKind, values: Sequence[object], frame: Exposure) -> str:
    seen = ", ".join(sorted({_word(value) for value in values if value is not None}))
    wanted = rule.value(frame)
    own = "is not known" if wanted is None else _word(wanted)
    calibrated = frame.kind if frame.kind in CALIBRATION else FrameKind.LIGHT
    return f"{kind}: {rule.name} is {seen}, that of the {calibrated} frames {own}"


def _middle(values: Sequence[Any]) -> Any:
    """Middle one of numbers; of values that are not numbers, the most common."""
    if all(isinstance(value, (int, float)) for value in values):
        return sorted(values)[len(values) // 2]
    return Counter(values).most_common(1)[0][0]


def _nearest(values: Sequence[Any], wanted: Any) -> Any:
    """Value nearest to the wanted one; of values that are not numbers, the most common."""
    if all(isinstance(value, (int, float)) for value in (*values, wanted)):
        return min(values, key=lambda value: abs(value - wanted))
    return Counter(values).most_common(1)[0][0]


def _agree(rule: Rule, value: Any, wanted: Any, settings: CalibrationSettings) -> bool:
    if value is None or wanted is None:
        return True
    if rule.name_of_thing:
        return _plain(str(value)) == _plain(str(wanted))
    if rule.slack is None or isinstance(value, str) or isinstance(wanted, str):
        return bool(value == wanted)
    return bool(abs(value - wanted) <= rule.slack(wanted, settings))


def _plain(text: str) -> str:
    """Leave of a name what programs agree in: letters and digits."""
    return "".join(c for c in text.lower() if c.isalnum()) or text


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def same_exposure(a: float | None, b: float | None) -> bool:
    """Tell whether two exposure times are known and one to within a hundredth."""
    if a is None or b is None:
        return False
    return abs(a - b) <= EXPOSURE_TOLERANCE * max(abs(a), abs(b))


def by_exposure(group: Group) -> dict[float | None, list[tuple[Path, Exposure]]]:
    """Sort frames by exposure time (that of the first), those within a hundredth together."""
    groups: dict[float | None, list[tuple[Path, Exposure]]] = {}
    for path, exposure in group:
        seconds = exposure.exposure_s
        key = next((k for k in groups if same_exposure(k, seconds)), seconds)
        groups.setdefault(key, []).append((path, exposure))
    return groups
