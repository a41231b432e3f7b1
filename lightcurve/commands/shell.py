"""What every command shares with the terminal: messages, how far it is, lines, tables, JSON."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from math import isnan
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from lightcurve.commands.live import LINE
from lightcurve.core.progress import OneLine, show_stages

if TYPE_CHECKING:
    from lightcurve.core.data import Products, Result
    from lightcurve.night.grouping import FrameSet
    from lightcurve.night.sets import Reduced

T = TypeVar("T")
_MESSAGES = "messages"  # name of the handler that shows them
LONGEST = 200  # characters of a line, where nothing else says how wide the terminal is
NARROWEST = 20
LEAST = 12  # characters of a column, lest its cells cannot be read
SETS = 8  # sets of frames shown, of many
# Of a summary, what matters most first: the first three there are end a command.
KEY_NUMBERS = (
    *("t0_bjd_tdb", "period_days"),
    *("mid_time_bjd_tdb", "rp_over_rs", "residual_scatter_percent"),
    *("scatter_out_of_transit_percent", "scatter_point_to_point_percent", "scatter"),
    *("points", "trend", "comparison_stars"),
)


class _ToStandardError(logging.StreamHandler):
    """Writes to what is standard error when a message comes, not when it was set up."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message."""
        self.stream = sys.stderr
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """Fit it into the terminal."""
        return fitted(super().format(record), sys.stderr)


def ready_terminal() -> None:
    """Let no letter that a terminal or a file does not know end the program, nor a closed one."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # as `>&-` and windows without a terminal have it
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def width_of(stream: TextIO) -> int:
    """Tell how many characters a line may have: those of the terminal (or COLUMNS), or 200."""
    width = shutil.get_terminal_size((LONGEST, 24)).columns if stream.isatty() else LONGEST
    return max(NARROWEST, min(width, LONGEST))


def fitted(text: str, stream: TextIO, *, first: str = "") -> str:
    """Break a text where lines of a terminal end, or else after 200 characters.

    first: begins the first line; the others are indented by as much, or by two blanks.
    """
    indent = " " * (len(first) or 2)
    return textwrap.fill(
        text, width_of(stream), initial_indent=first, subsequent_indent=indent,
        break_on_hyphens=False,
    )  # fmt: skip


def say(text: str) -> None:
    """Write a line to standard output, broken where the terminal ends."""
    sys.stdout.write(fitted(one_line(text), sys.stdout) + "\n")


def say_each(told: Iterable[tuple[str, str]]) -> None:
    """Write lines of a label and a text, the texts below one another."""
    lines = [(one_line(label), one_line(text)) for label, text in told]
    wide = max((len(label) for label, _ in lines), default=0)
    for label, text in lines:
        first = f"  {label:<{wide}}  "
        sys.stdout.write((fitted(text, sys.stdout, first=first) if text else first.rstrip()) + "\n")


def brief(text: str, see: str, longest: int = 160) -> str:
    """Shorten a text that has more numbers than a line takes, and say where all of it stands."""
    return textwrap.shorten(text, longest, placeholder=f" ... see {see}")


def show_messages(*, quiet: bool) -> None:
    """Send the program's log to standard error, a plain line a message; no library's.

    On a terminal what goes on is shown below.
    """
    show_stages(LINE.show)
    handler = _ToStandardError()
    handler.set_name(_MESSAGES)
    handler.setFormatter(OneLine("%(message)s"))
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
    # What libraries warn of by the other way goes there as well: nobody can do anything about it.
    logging.captureWarnings(capture=True)


def bar(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass items on while showing how far they are, on a terminal only."""
    count = len(items) if total is None and isinstance(items, Sized) else total
    with LINE.show(description, count) as step:
        for item in items:
            yield item
            step()


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


def print_products(
    title: str, products: Products, *, json: bool = False, verbose: bool = False
) -> None:
    """End a command: what was found, three numbers, and what to open; with `verbose` all of it.

    title: of what has no target of its own.
    """
    summary = products.summary
    if json:
        print_json({"summary": records(summary), "files": products.paths})
        return
    if verbose:
        print_results(title, summary)
        say(f"Written to {products.folder}: {', '.join(sorted(products.paths))}")
    else:
        _say_in_short(title, summary)
    page = products.paths.get("report.html")
    say(f"open {page}" if page else f"written to {products.folder}")


def _say_in_short(title: str, summary: Mapping[str, Result]) -> None:
    """Say what was found, three numbers, and what its observer should look at."""
    texts = {name: str(one.text or one.value) for name, one in summary.items()}
    frames = f" of {texts['frames_measured']} frames" if "frames_measured" in texts else ""
    what = texts.get("verdict") or f"light curve{frames}"
    say(f"{texts.get('target') or title}, {what}")
    shown = [name for name in KEY_NUMBERS if name in summary and summary[name].label][:3]
    told = [(summary[name].label, texts[name]) for name in shown]
    if (troubles := summary.get("check_troubles")) and troubles.value:
        told.append(("look at check star", brief(texts["check_star"], "the page")))
    if frames and (lost := texts["frames_measured"].split(" of "))[0] != lost[-1]:
        told.append(("frames lost", f"{int(lost[1]) - int(lost[0])}, see frames.csv"))
    say_each(told)


def print_sets(sets: Sequence[FrameSet], *, everything: bool = False) -> None:
    """Show the sets of light frames that a folder holds: what they are, and what becomes of them.

    everything: as a table of all that tells them apart, without empty columns.
    """
    n = sum(not one.unused for one in sets)
    title = f"Light frames: {'1 light curve' if n == 1 else f'{n} light curves'}"
    if not everything:
        say(title)
        shown = sorted(sets, key=lambda one: bool(one.unused))[:SETS]
        say_each(("left out" if s.unused else s.label or "used", _told(s)) for s in shown)
        if len(sets) > SETS:
            say_each([("", f"and {len(sets) - SETS} more sets: --all")])
        return
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
    print_table(title, names, ([line[name] for name in names] for line in lines))


def _told(one: FrameSet) -> str:
    return f"{one}{': ' * bool(one.unused)}{one.unused}"


def stop_if_failed(runs: Sequence[Reduced[Any]]) -> None:
    """Name what failed of several, and end with exit status 1 where anything did."""
    failed = [run for run in runs if run.error is not None]
    for run in failed[1:]:
        sys.stderr.write(f"{run.frames.label}: {one_line(str(run.error))}\n")
    stop_if_any(f"{run.frames.label}: {run.error}" for run in failed[:1])


def stop_if_any(reasons: Iterable[str]) -> None:
    """End with exit status 1 where there is a reason: the first stands on standard error."""
    import typer

    told = list(reasons)
    if told:
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        line = one_line(f"lightcurve: {told[0].removeprefix(': ')}{more}")
        sys.stderr.write(fitted(line, sys.stderr) + "\n")
        raise typer.Exit(1)


def reasons_of(rows: Iterable[Mapping[str, Any]], *good: str) -> list[str]:
    """Say of each row of a frame why its status is none of the good ones."""
    return [
        f"{row['file']}: {row['status']}: {row.get('reason') or 'see above'}"
        for row in rows
        if row["status"] not in good
    ]


def print_table(
    title: str, header: list[str], rows: Iterable[Iterable[Any]], *, whole: Collection[str] = ()
) -> None:
    """Write a table to standard output, or where the terminal is narrow its rows as sentences.

    Cells are shown as they are, never as markup; None is an empty one. The cells of the columns
    named in `whole` stay on one line.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    title, names = one_line(title), [one_line(name) for name in header]
    cells = [["" if cell is None else one_line(str(cell)) for cell in row] for row in rows]
    columns = [[row[k] for row in cells] for k in range(len(names))]
    longest = [max(map(cell_len, column), default=0) for column in columns]
    least = [
        max(size if name in whole else min(size, LEAST), *map(_least, name.split()), 1)
        for name, size in zip(names, longest, strict=True)
    ]
    width = width_of(sys.stdout)
    boxed = sum(least) + 3 * len(names) + 1 <= width
    room = width - (3 * len(names) + 1 if boxed else len(names) - 1)
    if sum(least) > room:
        for line in (title, *(_sentence(names, row) for row in cells)):
            say(line)
        return
    wanted = map(max, longest, map(cell_len, names), least)
    table = Table(title=escape(title), title_justify="left")
    if not boxed:
        table.box, table.padding, table.pad_edge = None, (0, 1, 0, 0), False
    for name, size in zip(names, _shrunk(list(wanted), longest, least, room), strict=True):
        table.add_column(escape(name), overflow="fold", width=size)
    for row in cells:
        table.add_row(*map(escape, row))
    Console(width=width).print(table)


def _least(word: str) -> int:
    return min(len(word), LEAST)


def _shrunk(wanted: list[int], longest: list[int], least: list[int], room: int) -> list[int]:
    """Take from the widest columns until all have room, as `least` has: from names before cells."""
    while sum(wanted) > room:
        larger = [k for k in range(len(wanted)) if wanted[k] > least[k]]
        wanted[max(larger, key=lambda k: (wanted[k] > longest[k], wanted[k]))] -= 1
    return wanted


def _sentence(names: list[str], row: list[str]) -> str:
    """Write a row of a table: its first cell, then what has a value."""
    told = [f"{name} {cell}" for name, cell in zip(names[1:], row[1:], strict=True) if cell]
    return f"{row[0]}: {'; '.join(told)}"
