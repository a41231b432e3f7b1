"""The last guard: a mistake of the program costs only the frame, table or service it happens at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lightcurve.core.errors import FrameError, LightcurveError
from lightcurve.core.progress import keep_traceback, warnings_to_file
from lightcurve.core.table_text import joined, printable

__all__ = ["guard", "guard_frame", "reason_of"]

LONGEST = 300  # characters of what libraries say


@contextmanager
def guard(failed: Callable[[str], LightcurveError]) -> Iterator[None]:
    """Turn whatever a block raises into an error of ours, made by `failed` of one line.

    An error of ours goes on as it is. The traceback of any other goes into the log.
    """
    try:
        yield
    except (LightcurveError, BrokenPipeError):
        raise
    except Exception as error:
        raise failed(reason_of(error)) from error


@contextmanager
def guard_frame(path: Path) -> Iterator[None]:
    """Let a frame fail by itself, with a `FrameError`, whatever its block raises.

    What libraries warn of in the block goes into the log, too. Not for threads: they would take
    each other's warnings.
    """
    with guard(lambda reason: FrameError(path, reason)), warnings_to_file():
        yield


def reason_of(error: Exception, *names: str) -> str:
    """Say in one line why something failed; of a mistake of the program, where the log has more.

    names: of the file, where they stand beside the reason already.
    """
    if isinstance(error, LightcurveError):
        return joined(error.beside(*names))
    if isinstance(error, OSError):
        return printable(joined(error))
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    return mistake(error)


def mistake(error: Exception) -> str:
    """Keep the traceback of an error that nobody foresaw; say in one line what to do about it."""
    what = f"{type(error).__name__}: {printable(joined(error))[:LONGEST]}"
    where = keep_traceback(error)
    return f"a mistake of the program, {what}; please report it: {where} says where it happened"
