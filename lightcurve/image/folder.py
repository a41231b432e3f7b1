"""The folder of one frame's products: whose it is, what a run clears, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lightcurve.core.constants import __version__
from lightcurve.core.data import FrameStatus
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.files import digest, file_state, read_text
from lightcurve.core.guard import guard_frame
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import joined
from lightcurve.frames.names import image_stem
from lightcurve.image.figures import FIGURES
from lightcurve.image.write import SUMMARY, write_summary

PRODUCTS = (
    "catalog.csv", "catalog.ecsv", "catalog.vot", "matches.csv", "header.txt", "background.fits",
    "calibrated.fits", "psf.fits", "residual.fits", "solution.wcs", "regions.reg",
    "transients.csv", "report.html", SUMMARY,
)  # fmt: skip


def told(folder: Path) -> Mapping[str, Any]:
    """Read what a folder's summary tells.

    Empty where there is no summary, or none that can be read.
    """
    if not (folder / SUMMARY).is_file():
        return {}
    with suppress(InputError, ValueError, RecursionError):
        content = json.loads(read_text(folder / SUMMARY, "a summary"))
        return content if isinstance(content, dict) else {}
    return {}


def is_free(folder: Path, frame: Path) -> bool:
    """Tell whether a folder may take a frame's products: no other frame's are in it.

    folder: need not be there.
    """
    summary = told(folder)
    if "path" in summary:
        return summary["path"] == str(frame.resolve())
    return summary.get("file", frame.name) == frame.name


@contextmanager
def claimed(folder: Path, frame: Path) -> Iterator[None]:
    """Take a folder for a frame's products: those of an earlier run go, also when this one fails.

    Meanwhile, and after a failure, its summary says so. Raises InputError when it holds another
    frame's products, or cannot be written.
    """
    if not is_free(folder, frame):
        owner = told(folder).get("path") or told(folder).get("file")
        msg = f"{folder}: holds what {owner} gave; choose another --out"
        raise InputError(msg)
    clear(folder, frame)
    _fail(folder, frame, "stopped before it was done")
    try:
        with guard_frame(frame):
            yield
    except LightcurveError as error:
        # What ended the run is told, whatever more goes wrong in clearing up.
        with suppress(LightcurveError):
            clear(folder, frame)
            _fail(folder, frame, joined(error.beside(frame.name, str(frame))))
        raise


def clear(folder: Path, frame: Path) -> None:
    """Remove a frame's products, where a summary says that they are; nothing else.

    Raises InputError when one cannot be removed.
    """
    if not told(folder):
        return
    figures = (file for name in FIGURES for file in (folder / "figures").glob(f"{name}.png"))
    names = (*PRODUCTS, f"{image_stem(frame)}.zip")
    for file in (*figures, *(folder / name for name in names)):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            msg = f"{file}: cannot be removed: {error.strerror}; choose another --out"
            raise InputError(msg) from error


def _fail(folder: Path, frame: Path, reason: str) -> None:
    summary = {"file": frame.name, "status": FrameStatus.FAILED, "reason": reason}
    write_summary(folder / SUMMARY, {**summary, "path": str(frame.resolve())})


def state_of(frame: Path, settings: Settings) -> str:
    """Digest all that a frame's numbers rest on, but for the answers of services.

    The same for the same version, settings, and files with the size and time they had: the frame,
    and every file that the settings name or that is in a folder they name.
    """
    values = settings.model_dump(exclude={"workers"})
    files = [frame.resolve()]
    for path in sorted(set(_paths(values))):
        files += sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [(str(file), file_state(file)) for file in files]
    return digest((__version__, repr(values), states))


def _paths(value: object) -> Iterable[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _paths(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _paths(entry)


def as_before(folder: Path, state: str) -> dict[str, Any] | None:
    """Take the numbers of a frame from its folder, where nothing would change them.

    state: by `state_of`. None unless it was reduced in that state, every service asked had
    answered, and every product is still there.
    """
    summary = dict(told(folder))
    products = summary.pop("products", None)
    same = summary.pop("state", None) == state and summary.get("status") == FrameStatus.REDUCED
    if not same or summary.get("failed_services") or not isinstance(products, list):
        return None
    if not all((folder / str(name)).is_file() for name in products):
        return None
    summary.pop("path", None)
    return summary
