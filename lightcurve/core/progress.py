"""What is told while work goes on: how far it is, how long stages took, a run's messages."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from traceback import format_exception
from typing import Protocol, TypeVar

from lightcurve.core.constants import __version__
from lightcurve.core.errors import InputError

__all__ = [
    "Clock",
    "OneLine",
    "Progress",
    "each_once",
    "keep_messages",
    "keep_traceback",
    "open_log",
    "show_stages",
    "silent",
    "stage",
    "tell",
    "warnings_to_file",
]

T = TypeVar("T")
MISTAKES = "last-mistake.log"
FILE_ALONE = "file_alone"  # of a message that nobody is shown
log = logging.getLogger(__name__)

Show = Callable[[str], AbstractContextManager[object]]
# Who shows what goes on. Nobody does in other threads and processes: they have their own context.
_SHOWN: ContextVar[Show | None] = ContextVar("shown", default=None)


def show_stages(show: Show | None) -> None:
    """Let `show`, called with what goes on, make the block around it; None for nobody."""
    _SHOWN.set(show)


def stage(what: str) -> AbstractContextManager[object]:
    """Say what goes on as long as the block lasts, to whoever looks; of nested ones the inner."""
    show = _SHOWN.get()
    return nullcontext() if show is None else show(what)


class Progress(Protocol):
    """Pass `items` on one by one while showing `description` and how many of `total` are done."""

    def __call__(
        self, items: Iterable[T], description: str, total: int | None = None
    ) -> Iterator[T]:
        """Yield every item of `items`."""


def silent(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass items on without a word."""
    del description, total
    yield from items


@dataclass
class Clock:
    """How long each stage took; while it lasts, it is shown."""

    timings_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str, what: str = "") -> Iterator[None]:
        """Time the block as `name`, and show it in other words if need be."""
        start = time.perf_counter()
        with stage(what or name):
            yield
        self.timings_s[name] = time.perf_counter() - start
        log.info("%s: %.2f s", name, self.timings_s[name])


class OneLine(logging.Formatter):
    """Writes a message in one line that any terminal shows: names of files may have anything."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a message."""
        from lightcurve.core.table_text import joined, printable

        return printable(joined(super().format(record)))


class _Once(logging.Filter):
    """Lets a message through the first time alone."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        new = text not in self._seen
        self._seen.add(text)
        return new


@contextmanager
def each_once() -> Iterator[None]:
    """Let nothing be told again that was told meanwhile, where a step may be taken twice."""
    told = [(handler, _Once()) for handler in logging.getLogger("lightcurve").handlers]
    for handler, once in told:
        handler.addFilter(once)
    try:
        yield
    finally:
        for handler, once in told:
            handler.removeFilter(once)


@contextmanager
def open_log(folder: Path) -> Iterator[None]:
    """Make the run folder and keep the program's messages in its run.log, each once.

    Raises
    ------
    InputError
        When the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / "run.log", mode="a", encoding="utf-8")
    except OSError as error:
        msg = f"cannot write into {folder}: {error.strerror}; choose another --out"
        raise InputError(msg) from error
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("lightcurve")
    kept = [getattr(other, "baseFilename", None) for other in root.handlers]
    if handler.baseFilename in kept:  # open already, around this
        handler.close()
        yield
        return
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    root.info("lightcurve %s starts", __version__)
    try:
        yield
    except Exception as error:
        # Whatever ends the run belongs in its log, a bug as well, and goes on its way from here.
        # To the file alone: whoever started this shows the error itself.
        handler.handle(root.makeRecord(root.name, logging.ERROR, "", 0, "%s", (error,), None))
        raise
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


class _Kept(logging.Handler):
    """Keeps messages as another process can take them, and those for the log alone as such."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self.records.append(record)


@contextmanager
def keep_messages() -> Iterator[list[logging.LogRecord]]:
    """Keep the program's messages in the block, for the process that has the run.log to `tell`."""
    root, handler = logging.getLogger("lightcurve"), _Kept()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield handler.records
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def tell(messages: Iterable[logging.LogRecord]) -> None:
    """Tell here what `keep_messages` kept in another process."""
    for record in messages:
        if hasattr(record, FILE_ALONE):
            _hand_to_files(record)
        else:
            logging.getLogger(record.name).handle(record)


def keep_traceback(error: Exception) -> str:
    """Write where an error happened into the run.log that is open, else into one in the cache.

    Returns what to call the log.
    """
    from lightcurve.core.cache import cache_dir, keep

    text = "".join(format_exception(error))
    root = logging.getLogger("lightcurve")
    if any(isinstance(handler, TO_FILE) for handler in root.handlers):
        for line in text.splitlines():
            _to_file(logging.ERROR, line)
        return "run.log"
    path = cache_dir() / MISTAKES
    trouble = keep(path, f"lightcurve {__version__}\n{text}".encode())
    return f"nothing (not written: {trouble})" if trouble else str(path)


@contextmanager
def warnings_to_file() -> Iterator[None]:
    """Write what libraries warn of in the block into the run.log that is open, and nowhere else.

    Whoever makes errors of warnings still gets them.
    """

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        _to_file(logging.WARNING, f"{category.__name__}: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _to_file(level: int, line: str) -> None:
    root, alone = logging.getLogger("lightcurve"), {FILE_ALONE: True}
    _hand_to_files(root.makeRecord(root.name, level, "", 0, "%s", (line,), None, extra=alone))


def _hand_to_files(record: logging.LogRecord) -> None:
    for handler in logging.getLogger("lightcurve").handlers:
        if isinstance(handler, TO_FILE):
            handler.handle(record)


TO_FILE = (logging.FileHandler, _Kept)
