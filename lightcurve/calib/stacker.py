"""Groups of calibration frames combined by one rule, and account kept of what went in."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from lightcurve.calib.combine import Combined, Subtract, combine, open_rows, read_rows
from lightcurve.calib.match import Group
from lightcurve.core.data import FrameKind, Note, Severity
from lightcurve.core.progress import Progress
from lightcurve.core.settings import CalibrationSettings

NOISE_ROWS = 512
LEVEL_ROWS = 32  # whose median tells a level


class Stacker:
    """Combines groups by one rule and keeps account of what went in."""

    def __init__(
        self,
        settings: CalibrationSettings,
        progress: Progress | None,
        notes: list[Note],
        linear: Sequence[float] | None = None,
    ) -> None:
        self._settings, self._progress, self.notes = settings, progress, notes
        self.linear = linear  # terms that make counts above the bias linear
        self.inputs: dict[str, tuple[str, ...]] = {}
        self.groups: dict[FrameKind, Group] = {}

    def note(self, text: str, kind: FrameKind, severity: Severity = Severity.INFO) -> None:
        """Keep a remark on a kind of frame for the user."""
        self.notes.append(Note(f"{kind}: {text}", severity, subject=kind))

    def mean(
        self,
        kind: FrameKind,
        group: Group,
        *,
        subtract: Subtract | list | None = None,
        scale: Literal["median"] | None = None,
    ) -> np.ndarray | None:
        """Clipped mean of a group; None when it is empty."""
        combined = self.combined(kind, group, subtract=subtract, scale=scale)
        return None if combined is None else combined.image

    def combined(
        self,
        kind: FrameKind,
        group: Group,
        *,
        subtract: Subtract | list | None = None,
        scale: Literal["median"] | None = None,
        without: Sequence[np.ndarray] = (),
        before: Combined | None = None,
    ) -> Combined | None:
        """Clipped mean of a group with its scatter; None when it is empty.

        without: of each frame the pixels left out, of which nothing is told; before: as `combine`
        takes it, which changes it.
        """
        if not group:
            return None
        combined = combine(
            [path for path, _ in group],
            scale=scale,
            subtract=subtract,
            linear=self.linear,
            clip_sigma=self._settings.clip_sigma,
            memory_mb=self._settings.memory_mb,
            without=without,
            before=before,
            progress=self._progress,
        )
        if without:
            return combined
        self.inputs[kind] = (*self.inputs.get(kind, ()), *(path.name for path, _ in group))
        self.groups[kind] = group
        times = sorted({e.exposure_s for _, e in group if e.exposure_s is not None})
        span = f" of {' and '.join(f'{t:g}' for t in times[:3])} s" if any(times) else ""
        clipped = f"clipped at {self._settings.clip_sigma:g} sigma"
        self.note(f"mean of {len(group)} frames{span}, {clipped}", kind)
        return combined


def level_of(path: Path) -> float:
    """Median of a frame's middle rows, ADU."""
    return float(np.nanmedian(rows_about_middle(path, LEVEL_ROWS)))


def rows_about_middle(path: Path, n: int = NOISE_ROWS) -> np.ndarray:
    """Rows about the middle of a frame, at most n."""
    with tempfile.TemporaryDirectory(prefix="lightcurve-") as spill:
        source = open_rows(path, Path(spill))
        return read_rows(source, *middle_rows(source.shape[0], n))


def middle_rows(ny: int, n: int = NOISE_ROWS) -> tuple[int, int]:
    """First of n rows about the middle, and the one after the last."""
    return max((ny - n) // 2, 0), min((ny + n) // 2, ny)
