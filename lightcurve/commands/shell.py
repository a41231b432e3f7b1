"""What every command shares with the terminal: messages, progress bars, JSON."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from lightcurve.core.data import Products, Result
    from lightcurve.night.grouping import FrameSet
    from lightcurve.night.sets import Reduced

T = TypeVar("T")
_MESSAGES = "messages"  # name of the handler that shows them


class _ToStandardError(logging.StreamHandler):
    """Writes to what is standard error when a message comes, not when it was set up."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message."""
        self.stream = sys.stderr
        super().emit(record)


def show_messages(*, quiet: bool) -> None:
    """Send the program's log to standard error, one plain line a message; no library's."""
    handler = _ToStandardError()
    handler.set_name(_MESSAGES)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.setLevel(logging.WARNING if quiet else logging.INFO)
    log = logging.getLogger("lightcurve")
    log.setLevel(logging.INFO)
    # Called again in one process.
    for last in [old for old in log.handlers if old.get_name() == _MESSAGES]:
        log.removeHandler(last)
    log.addHandler(handler)
    # Libraries may set up the root logger for themselves: each message once is enough.
    log.propagate = False
    # Without any handler at the root, Python prints the libraries' own warnings.
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def bar(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass items on while drawing a progress bar, on a terminal only."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(items, description, total, console=console, transient=True)


def print_json(value: Any) -> None:
    """Write numbers, texts, lists, mappings, arrays and paths to standard output as JSON."""
    from lightcurve.core.files import json_text

    sys.stdout.write(json_text(value, indent=2))


def one_line(text: str) -> str:
    """Make text from a file fit for a terminal: no line breaks, no control characters.

    Blanks are joined; every other character that does not print is a question mark.
    """
    from lightcurve.core.table_text import joined, printable

    return printable(joined(text))


def in_digits(value: Any, digits: int) -> Any:
    """Write a number with so many significant digits, NaN as an empty cell; leave all else."""
    if not isinstance(value, float):
        return value
    return "" if isnan(value) else f"{value:.{digits}g}"


def records(results: Mapping[str, Result]) -> dict[str, dict[str, Any]]:
    """Lay results out for programs: value and unit by name."""
    return {name: result.record for name, result in results.items()}


def print_results(title: str, results: Mapping[str, Result], *, json: bool = False) -> None:
    """Show results to people, or as JSON to programs."""
    from lightcurve.core.data import label_results

    if json:
        print_json(records(results))
        return
    print_table(title, ["", ""], label_results(results).items())


def print_products(title: str, products: Products, *, json: bool) -> None:
    """Say what came out and where it is written."""
    if json:
        print_json({"summary": records(products.summary), "files": products.paths})
        return
    print_results(title, products.summary)
    sys.stdout.write(f"Written to {products.folder}: {', '.join(sorted(products.paths))}\n")


def print_sets(sets: Sequence[FrameSet]) -> None:
    """Show the sets of light frames that a folder holds: what tells them apart, and what becomes.

    Columns in which nothing stands are left out.
    """
    lines = [
        {
            "set": one.label,
            "frames": len(one.lights),
            **one.values,
            "nights": len(one.nights),
            "use": one.unused or "yes",
        }
        for one in sets
    ]
    names = [name for name in lines[0] if any(line[name] for line in lines)]
    n = sum(not one.unused for one in sets)
    curves = "1 light curve" if n == 1 else f"{n} light curves"
    print_table(
        f"Light frames: {curves}", names, ([line[name] for name in names] for line in lines)
    )


def stop_if_failed(runs: Sequence[Reduced[Any]]) -> None:
    """Name what failed of several, and end with exit status 1 where anything did."""
    import typer

    failed = [run for run in runs if run.error is not None]
    for run in failed:
        sys.stderr.write(f"{run.frames.label}: {one_line(str(run.error))}\n")
    if failed:
        raise typer.Exit(1)


def print_table(
    title: str, header: list[str], rows: Iterable[Iterable[Any]], *, whole: Collection[str] = ()
) -> None:
    """Write a table to standard output.

    Cells are shown as they are, never as markup; None is an empty one. The cells of the columns
    named in `whole` stay on one line, however narrow the terminal is.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(one_line(title)), title_justify="left")
    for name in header:
        table.add_column(escape(one_line(name)), overflow="fold", no_wrap=name in whole)
    for row in rows:
        table.add_row(*(escape("" if cell is None else one_line(str(cell))) for cell in row))
    # Piped to a file, a table keeps its columns whatever the width.
    width = None if sys.stdout.isatty() else 160
    Console(width=width).print(table)
