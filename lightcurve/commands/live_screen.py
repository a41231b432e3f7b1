"""The screen of a night that goes on; plain lines where there is no terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lightcurve.commands.shell import one_line, say

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType

    from lightcurve.night.live_status import Status
    from lightcurve.night.watch import FolderLook

ROWS = 12  # of the plot
WHOLE = "\N{NO-BREAK SPACE}"
NUMBERS = {
    "fwhm_px": ("FWHM", "{:.2f} px", 1.0),
    "sky": ("sky", "{:.0f} ADU", 1.0),
    "drift_px": ("drift", "{:.1f} px", 1.0),
    "airmass": ("airmass", "{:.2f}", 1.0),
    "saturation": ("peak", "{:.0f} % of saturation", 100.0),
    "transparency": ("transparency", "{:.0f} %", 100.0),
    "check_percent": ("check star", "{:+.2f} %", 1.0),
}


class Show(Protocol):
    """Show a folder as it is at a look."""

    def __call__(self, look: FolderLook, several: Sequence[Status]) -> None:
        """Show it."""


@contextmanager
def live_screen(folder: Path) -> Iterator[Show]:
    """Keep one screen up to date on a terminal; else write a line for each look that has news."""
    if not sys.stdout.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    # Messages on standard error are put above it.
    with Live(console=Console(), auto_refresh=False, redirect_stdout=False) as live:
        live.update(Text(one_line(f"looking at {folder} ...")), refresh=True)
        yield lambda look, several: live.update(
            lay_out(look, several, live.console.width), refresh=True
        )


class _Lines:
    """A line for each thing that is new."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, look: FolderLook, several: Sequence[Status]) -> None:
        """Say what is new."""
        lines = [look.waiting, *(line for one in several for line in describe(one))]
        for line in lines:
            if line and line not in self._said:
                say(one_line(line))
        self._said = set(lines)


def describe(one: Status) -> list[str]:
    """Say in lines what is to be known of a light curve."""
    shown = "; ".join(", ".join(items) for items in _known(one))
    return [shown, *_warnings(one)]


def _warnings(one: Status) -> list[str]:
    return [one.waiting, *(f"! {alarm.kind}: {alarm.text}" for alarm in one.alarms)]


def _known(one: Status) -> list[list[str]]:
    """Collect what is known of the frames, of the last of them, and of the transit."""
    head = [f"{one.title}: {one.measured} frames"]
    head += [f"{one.lost} not measured"] if one.lost else []
    head += [f"last {one.file} {one.utc[11:]} UTC"] if one.file else []
    numbers = {k: v for k, v in one.numbers.items() if v == v}  # noqa: PLR0124 - not NaN
    last = [
        f"{label} {form.format(scale * numbers[name])}"
        for name, (label, form, scale) in NUMBERS.items()
        if name in numbers
    ]
    contacts = [
        f"{c.name} {c.utc} UTC ({'in' if c.minutes > 0 else 'since'} {abs(c.minutes):.0f} min)"
        for c in one.contacts
    ]
    return [items for items in (head, last, contacts) if items]


def _flowed(items: Sequence[str], width: int) -> str:
    """Put items into lines, none of them broken that is no longer than a line."""
    whole = ", ".join(one_line(item).replace(" ", WHOLE) for item in items)
    return textwrap.fill(whole, width, break_on_hyphens=False).replace(WHOLE, " ")


def lay_out(look: FolderLook, several: Sequence[Status], width: int) -> RenderableType:
    """Lay the screen out, `width` letters wide."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    parts: list[RenderableType] = []
    for one in several:
        room = max(width - 4, 20)
        body = [Text(_flowed(items, room)) for items in _known(one)]
        if one.points is not None:
            body.append(Text(plot(one, room)))
        body += [Text(one_line(line), style="bold red") for line in _warnings(one) if line]
        parts.append(Panel(Group(*body), title=one_line(one.title) or "light curve"))
    behind = sum(one.behind for one in look.nights)
    parts_of = [
        f"{look.files} files, the last {look.quiet_s:.0f} s ago",
        f"{look.growing} being written" if look.growing else "",
        f"{behind} still to be measured" if behind else "",
    ]
    foot = f"{', '.join(filter(None, parts_of))}; Ctrl-C ends it"
    waiting = [Text(one_line(look.waiting), style="yellow")] if look.waiting else []
    return Group(*parts, *waiting, Text(foot, style="dim"))


def plot(one: Status, width: int) -> str:
    """Draw the curve in letters: o a point, - the predicted transit; flux left, UTC below."""
    import numpy as np

    points = one.points
    if points is None:
        return ""
    good = np.isfinite(points.flux) & np.isfinite(points.bjd_tdb)
    if not good.any():
        return ""
    time, flux = points.bjd_tdb[good], points.flux[good]
    model = np.ones(0) if points.predicted is None else points.predicted[good]
    low, high = _range(np.concatenate([np.clip(flux, *np.quantile(flux, [0.01, 0.99])), model]))
    labels = [f"{value:.3f} " for value in (high, low)]
    margin = max(map(len, labels))
    grid = np.full((ROWS, max(width - margin, 10)), " ")
    for values, letter in ((model, "-"), (flux, "o")):
        if len(values):
            _draw(grid, time, values, (low, high), letter)
    rows = ["".join(row) for row in grid]
    left = [labels[0], *[""] * (ROWS - 2), labels[1]]
    lines = [label.rjust(margin) + row for label, row in zip(left, rows, strict=True)]
    return "\n".join([*lines, *_axis(one, time, margin, grid.shape[1])])


def _axis(one: Status, time: np.ndarray, margin: int, width: int) -> list[str]:
    """Write the UTC of the first and last point (n,) below them, where that of a frame is known."""
    import numpy as np

    if not one.utc or one.points is None or not len(time):
        return []
    last, moment = float(np.nanmax(one.points.bjd_tdb)), datetime.fromisoformat(one.utc)
    first, end = (
        f"{moment - timedelta(days=last - float(at)):%H:%M}" for at in (time.min(), time.max())
    )
    return [f"{' ' * margin}{first}{f'{end} UTC'.rjust(width - len(first))}"]


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    pad = 0.05 * (high - low) or 0.001
    return low - pad, high + pad


def _draw(
    grid: np.ndarray, time: np.ndarray, values: np.ndarray, ends: tuple[float, float], letter: str
) -> None:
    """Put letters where values (n,) are; those beyond the ends stand at them."""
    import numpy as np

    rows, columns = grid.shape
    span = float(np.ptp(time)) or 1.0
    column = ((time - time.min()) / span * (columns - 1)).round().astype(int)
    share = np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1)
    grid[((1 - share) * (rows - 1)).round().astype(int), column] = letter
