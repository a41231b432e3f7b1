"""Ctrl-C, and what else asks the program to end: it ends within two seconds, and says so once.

Loaded before everything else, for libraries take a second to load: it must be light itself.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn

ASKED_BY = ("SIGINT", "SIGTERM", "SIGHUP")
GRACE_S = 1.3  # to take away what is half done; what hangs is left where it is
STOPPED = "stopped; the same command does not do again what is kept"
CLEAR_LINE = "\x1b[?25h\r\x1b[2K"  # of a terminal: cursor shown, and no half of a live line


class Stopped(BaseException):
    """Ends what is going on in the main thread; no library takes it for an error of its own."""


class Stop:
    """What becomes of a signal to end.

    status : with which the program ends, as shells count it; 0 as long as nobody asked.
    at_work : a command runs, which has things to take away; before that nothing is half done.
    """

    def __init__(self) -> None:
        self.status = 0
        self.at_work = False
        self._told = threading.Lock()

    def listen(self) -> None:
        """Take the signals, but for those that whoever started the program had it ignore."""
        if os.name != "posix":  # where others end a process they do not ask it
            return
        waked, wake = os.pipe()
        os.set_blocking(wake, False)
        numbers = [getattr(signal, name) for name in ASKED_BY]
        for number in numbers:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._end)
                atexit.register(signal.signal, number, signal.SIG_IGN)  # it is ending anyway
        # The main thread hears of a signal when a library gives it back the word; a thread at once.
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(waked, numbers), daemon=True).start()

    def end(self) -> NoReturn:
        """Say once that the program ends, and end it: what was half loaded cannot be used."""
        if self._told.acquire(blocking=False):
            if "--json" in sys.argv[1:]:
                _write(1, f'{{\n  "error": "{STOPPED}"\n}}')
            _write(2, ("", CLEAR_LINE)[os.isatty(2)] + f"lightcurve: {STOPPED}")
        _end_fork_server()
        os._exit(self.status)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if self.status:
            return
        self._begin(number)
        if not self.at_work:
            self.end()
        raise Stopped

    def _begin(self, number: int) -> None:
        self.status = 128 + number
        # What is interrupted where nothing can be raised is no news, nor what libraries print.
        sys.stderr = _Nowhere()
        sys.excepthook = sys.unraisablehook = threading.excepthook = _say_nothing

    def _watch(self, waked: int, numbers: list[int]) -> None:
        while (number := os.read(waked, 1)[0]) not in numbers:
            pass
        time.sleep(GRACE_S)
        self.status = self.status or 128 + number
        self.end()


def _end_fork_server() -> None:
    """End what may still load for seconds before it looks whether anybody wants it."""
    server = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    number = getattr(server, "_forkserver_pid", None)
    if number:
        with suppress(OSError):
            os.kill(number, signal.SIGKILL)
        with suppress(OSError, KeyError, AttributeError, ImportError):  # of what is half loaded
            from shutil import rmtree

            rmtree(sys.modules["multiprocessing.util"].get_temp_dir(), ignore_errors=True)


def _write(number: int, line: str) -> None:
    """Write a line to what is open, where somebody reads it: a full pipe takes for ever."""
    with suppress(OSError):
        if select.select([], [number], [], 0)[1]:
            os.write(number, f"{line}\n".encode())


class _Nowhere(io.TextIOBase):
    """Takes whatever is written."""

    def write(self, text: str) -> int:
        return len(text)


def _say_nothing(*_: object) -> None:
    """Take the place of what would print a traceback."""


STOP = Stop()
