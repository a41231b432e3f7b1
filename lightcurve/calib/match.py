"""Which calibration frames suit a light frame, and what to say of those that do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from lightcurve.core.data import CALIBRATION, Exposure, FrameKind, Note, Severity
from lightcurve.core.errors import CalibrationError
from lightcurve.core.settings import CalibrationSettings

GAIN_TOLERANCE = 0.02
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


_WITHOUT_FLAT = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT)
RULES = (
    Rule("size", lambda e: e.shape[::-1] if e.shape != (0, 0) else None, Disagreement.ERROR),
    Rule("binning", lambda e: e.binning, Disagreement.ERROR),
    Rule("camera", lambda e: e.camera, Disagreement.ERROR_UNLESS_ALLOWED),
    Rule("filter", lambda e: e.filter, Disagreement.ERROR_UNLESS_ALLOWED, (FrameKind.FLAT,)),
    Rule(
        "gain",
        lambda e: e.gain_e_per_adu,
        Disagreement.WARNING,
        _WITHOUT_FLAT,
        slack=lambda wanted, _: GAIN_TOLERANCE * wanted,
    ),
    Rule(
        "temperature",
        lambda e: e.temperature_c,
        Disagreement.WARNING,
        _WITHOUT_FLAT,
        slack=lambda _, settings: settings.temperature_tolerance_c,
    ),
)


def choose_frames(
    kind: FrameKind, group: Group, light: Exposure, settings: CalibrationSettings
) -> tuple[Group, list[Note]]:
    """Take from a group the frames that agree with the light frame.

    The notes say how many were left out and why, and warn of each disagreement let through. Raises
    CalibrationError when no frame agrees in size or binning; in camera or (flats) filter, unless
    allowed.
    """
    chosen, notes = list(group), []
    for rule in RULES:
        if not chosen or kind not in rule.kinds:
            continue
        wanted = rule.value(light)
        values = [rule.value(exposure) for _, exposure in chosen]
        taken = wanted
        if not any(_agree(rule, value, wanted, settings) for value in values):
            _refuse(rule, kind, values, wanted, settings)
            taken = _nearest(values, wanted)
        fits = [f for f in chosen if _agree(rule, rule.value(f[1]), taken, settings)]
        if len(fits) < len(chosen):
            text = (
                f"{kind}: {len(chosen) - len(fits)} of {len(chosen)} frames left out: "
                f"{rule.name} is not {_word(taken)}"
            )
            notes.append(Note(text, subject=kind))
        if taken != wanted:
            text = _problem(rule, kind, [taken], wanted)
            notes.append(Note(text, Severity.WARNING, subject=kind))
        chosen = fits
    return chosen, notes


def _refuse(
    rule: Rule,
    kind: FrameKind,
    values: Sequence[object],
    wanted: object,
    settings: CalibrationSettings,
) -> None:
    """Raise where no frame agrees and the rule does not let that through."""
    allowable = rule.without is Disagreement.ERROR_UNLESS_ALLOWED
    if rule.without is Disagreement.WARNING or (allowable and settings.allow_mismatch):
        return
    advice = f"take {kind} frames of the same setup, or leave these out"
    if allowable:
        advice = f"take {kind} frames that agree, or set calibration.allow_mismatch"
    msg = f"{_problem(rule, kind, values, wanted)}; {advice}"
    raise CalibrationError(msg)


def _problem(rule: Rule, kind: FrameKind, values: Sequence[object], wanted: object) -> str:
    seen = ", ".join(sorted({_word(value) for value in values}))
    return f"{kind}: {rule.name} is {seen}, that of the light frames {_word(wanted)}"


def _nearest(values: Sequence[Any], wanted: Any) -> Any:
    """Value nearest to the wanted one; of values that are not numbers, the most common."""
    if isinstance(wanted, (int, float)):
        return min(values, key=lambda value: abs(value - wanted))
    return Counter(values).most_common(1)[0][0]


def _agree(rule: Rule, value: Any, wanted: Any, settings: CalibrationSettings) -> bool:
    if value is None or wanted is None:
        return True
    if rule.slack is None:
        return value == wanted
    return abs(value - wanted) <= rule.slack(wanted, settings)


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
