"""The live line of a terminal: what goes on, how far it is, since when; messages stand above it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

REFRESHES = 4  # a second


class LiveLine:
    """What goes on, of nested things the innermost; there as long as anything goes on."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.tasks: list[TaskID] = []

    @contextmanager
    def show(self, what: str, total: float | None = None) -> Iterator[Callable[[], None]]:
        """Show `what` while the block lasts, on a terminal only; call what is given at each step.

        total: steps there are; None where nobody knows.
        """
        if not sys.stderr.isatty():
            yield _nothing
            return
        progress = self.progress or _make()
        for outer in self.tasks[-1:]:
            progress.update(outer, visible=False)
        self.progress = progress
        self.tasks.append(task := progress.add_task(what, total=total))
        progress.start()
        try:
            yield lambda: progress.advance(task)
        finally:
            progress.remove_task(self.tasks.pop())
            for outer in self.tasks[-1:]:
                progress.update(outer, visible=True)
            if not self.tasks:
                progress.stop()
                self.progress = None


def _nothing() -> None:
    """Take a step that nobody sees."""


def _make() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class Count(ProgressColumn):
        """How many of how many."""

        def render(self, task: Task) -> Text:
            """Write it; nothing where the number is not known."""
            return Text("" if task.total is None else f"{task.completed:.0f} of {task.total:.0f}")

    # Letters that every terminal has.
    what = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False))
    columns = (*what, BarColumn(20), Count(), TimeElapsedColumn())
    # What goes to standard output stands above the line; where that is a file, it is left alone.
    console = Console(stderr=True)
    return Progress(
        *columns, console=console, transient=True, refresh_per_second=REFRESHES,
        redirect_stdout=sys.stdout.isatty(),
    )  # fmt: skip


LINE = LiveLine()
