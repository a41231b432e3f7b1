"""Figures drawn: by this process, or by others that stand ready while it goes on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Self

from lightcurve.core.data import Figures
from lightcurve.core.processes import ready_with, spread
from lightcurve.core.progress import Progress, silent
from lightcurve.night.figures import FIGURES, ON_PAGE, PIXELS, Figure
from lightcurve.night.finished import Finished

SLOW = ("corner", "light_curve", "covariates", "field")  # the slowest first
AMONG: dict[Figures, Sequence[str]] = {
    Figures.ALL: FIGURES.names(), Figures.PAGE: ON_PAGE, Figures.NONE: (),
}  # fmt: skip


def draw(
    folder: Path,
    finished: Finished,
    names: Sequence[str],
    *,
    kind: str = "png",
    progress: Progress = silent,
) -> dict[str, Path]:
    """Draw figures into a folder, which is made if need be.

    names: of figures for which there is all that they need. Returns the files by name.
    """
    paths = {name: folder / f"{name}.{kind}" for name in names}
    if paths:
        folder.mkdir(parents=True, exist_ok=True)
    for name, path in progress(paths.items(), "Drawing", len(paths)):
        FIGURES.get(name).draw(path, finished)
    return paths


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What a process does with the name of a figure; the night, which is large, travels once."""

    folder: Path
    finished: Finished

    def __call__(self, name: str) -> str:
        draw(self.folder, self.finished, [name])
        return name


def draw_together(
    folder: Path,
    finished: Finished,
    names: Sequence[str],
    processes: int,
    *,
    each: Callable[[str], object] = str,
    progress: Progress = silent,
) -> dict[str, Path]:
    """Draw figures as `draw` does, those that take longest first; gives the files by name.

    processes: that draw several at a time; what none of them can draw is left out. This one draws
    all itself where it is 1, but never beside them: what matplotlib and the filters of warnings are
    set to is set for all threads. each: is called with the name of each that is drawn.
    """
    order = sorted(names, key=lambda name: SLOW.index(name) if name in SLOW else len(SLOW))
    do = _Drawn(folder, finished)
    drawing = _apart(order, do, processes) if processes > 1 else map(do, order)
    drawn = set()
    for name in progress(drawing, "Drawing", len(names)):
        drawn.add(name)
        each(name)
    return {name: folder / f"{name}.png" for name in names if name in drawn}


def _apart(names: Sequence[str], do: _Drawn, processes: int) -> Iterator[str]:
    """Draw in processes; gives the names of figures as they are drawn."""
    with suppress(OSError):  # where no more processes can be had
        yield from (drawn for _, drawn in spread(names, do, processes) if drawn is not None)


class Drawing:
    """The figures of a run, drawn by processes that stand ready while this one goes on.

    A context, at whose end none is being drawn any more, unless the program was told to end.
    Without such processes all are drawn when they are asked for. Until then the folder stays as it
    is: figures drawn meanwhile stand beside it, lest a run that fails leave them among older files.

    Parameters
    ----------
    folder : Path
        Made if need be.
    wanted : Figures
        Of them those are drawn for which there is all that they need.
    workers : int, optional
        Processes that may draw; as many as are worth it if None.
    """

    def __init__(
        self, folder: Path, wanted: Figures = Figures.ALL, workers: int | None = None
    ) -> None:
        self._folder, self._among = folder, AMONG[wanted]
        self._meanwhile: Path | None = None
        self._processes = ready_with(__name__, workers)
        self._threads = ThreadPoolExecutor(2, "drawing")  # which wait for the processes
        self._jobs: list[Future[dict[str, Path]]] = []
        self._begun: set[str] = set()
        self._drawn: SimpleQueue[str | None] = SimpleQueue()  # names, and None for the end of a job

    def __enter__(self) -> Self:
        """Begin nothing yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for what was begun, but not where somebody waits for the program to end."""
        told_to_end = kind is not None and not issubclass(kind, Exception)
        self._threads.shutdown(wait=not told_to_end, cancel_futures=True)
        if self._meanwhile is not None:
            shutil.rmtree(self._meanwhile, ignore_errors=True)

    def begin(self, finished: Finished, *, early: bool = False) -> None:
        """Let processes draw what was not begun before.

        early: only what does not tell of a fit, which the light curve does not have yet.
        """
        names = [
            one.name
            for one in self._wanted()
            if one.name not in self._begun and (one.early or not early) and not one.lacks(finished)
        ]
        if self._processes < 2 or not names:
            return
        self._begun.update(names)
        if self._meanwhile is None:  # one of its own: whatever else lies there stays
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            beside = f".{self._folder.name}-"
            self._meanwhile = Path(tempfile.mkdtemp(prefix=beside, dir=self._folder.parent))
        if finished.night is not None:  # no figure shows single frames, which are most of it
            finished = replace(finished, night=replace(finished.night, results=()))
        job = self._threads.submit(
            draw_together, self._meanwhile, finished, names, self._processes, each=self._drawn.put
        )
        job.add_done_callback(lambda _: self._drawn.put(None))
        self._jobs.append(job)

    def paths(
        self,
        finished: Finished,
        *,
        each: Callable[[Path], object] = str,
        progress: Progress = silent,
    ) -> dict[str, Path]:
        """Draw what is left, put all into the folder, and give the files by name.

        Where the frames are not at hand, those that an earlier run drew of them stay.
        each: is called with the files drawn by processes, as they come.
        """
        self.begin(finished)
        paths: dict[str, Path] = {}
        drawn = self._meanwhile or self._folder
        for name in progress(self._names(), "Drawing", len(self._begun)):
            paths[name] = self._put_in_place(name, drawn)
            each(paths[name])
        for job in self._jobs:
            job.result()  # tells what went wrong
        lacking = {one.name: one.lacks(finished) for one in self._wanted()}
        left = [name for name, lack in lacking.items() if not lack and name not in paths]
        paths |= draw_together(self._folder, finished, left, 1, progress=progress)
        if finished.night is not None:
            old = {name: self._file(name) for name, lack in lacking.items() if lack == PIXELS}
            paths |= {name: path for name, path in old.items() if path.is_file()}
        # In one order, whoever drew them: a run that is written again is the same to the byte.
        return {name: paths[name] for name in lacking if name in paths}

    def _wanted(self) -> Iterator[Figure]:
        return (one for one in FIGURES if one.name in self._among)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.png"

    def _put_in_place(self, name: str, drawn: Path) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return (drawn / f"{name}.png").replace(self._file(name))

    def _names(self) -> Iterator[str]:
        """Give the names of figures as they are drawn, until all jobs have ended."""
        at_work = len(self._jobs)
        while at_work:
            if (name := self._drawn.get()) is None:
                at_work -= 1
            else:
                yield name


def draw_wanted(folder: Path, finished: Finished, wanted: Figures) -> dict[str, Path]:
    """Draw those of the wanted figures that can be drawn; gives the files by name."""
    with Drawing(folder, wanted) as drawing:
        return drawing.paths(finished)
