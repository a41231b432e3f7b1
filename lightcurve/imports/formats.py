"""All files of other programs that can be brought over, and how one is."""

from __future__ import annotations

import logging
import tomllib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from textwrap import wrap

from lightcurve.core.data import Planet
from lightcurve.core.errors import InputError
from lightcurve.core.files import read_text, write_text
from lightcurve.core.registry import Registry
from lightcurve.core.settings import make_settings
from lightcurve.imports.exotic import EXOTIC
from lightcurve.imports.hops import HOPS
from lightcurve.imports.metadata import METADATA
from lightcurve.imports.pipeline import PIPELINE
from lightcurve.imports.rules import Import, Imported, take
from lightcurve.imports.texts import syntax_fault
from lightcurve.transit.ephemeris import lacking, make_planet, read_planet

__all__ = ["import_file", "read_any_planet", "write_imported"]

log = logging.getLogger(__name__)
WIDTH = 120  # letters of a line
IMPORTS: Registry[Import] = Registry("import", EXOTIC, HOPS, PIPELINE, METADATA)


def import_file(path: Path) -> Imported:
    """Bring a file of another program over; which program's, its contents tell.

    Raises
    ------
    InputError
        When it cannot be read, is none that is known, or a value of it is out of its range.
    """
    return _import_text(path, read_text(path, "a settings file of another program"))


def _import_text(path: Path, text: str, *, wanted: str = "") -> Imported:
    """Bring the text of a file over; wanted: what else it might have been."""
    for program in IMPORTS:
        values = program.parse(text)
        if values is not None:
            imported = _with_target(take(program, values))
            make_settings(dict(imported.settings), str(path))
            if _whole(imported):
                make_planet(imported.planet, path.name)
            return imported
    known = ", ".join([*([wanted] if wanted else []), *(one.help for one in IMPORTS)])
    fault = syntax_fault(text)
    msg = f"{path}: {f'no {fault}; it ' if fault else ''}is none of these: {known}"
    raise InputError(msg)


def read_any_planet(path: Path) -> Planet:
    """Read a planet file of ours, or what a settings file of another program says of its planet.

    What is taken from another program's file is told, and what of it was assumed.

    Raises
    ------
    InputError
        When it is neither, or lacks something that a planet needs.
    """
    if not path.exists():
        msg = f"{path}: there is no such planet file; --target takes the name of a known planet"
        raise InputError(msg)
    text = read_text(path, "a planet file")
    if path.suffix.lower() == ".toml" or _is_toml(text):
        return read_planet(path)
    return _imported_planet(path, text)


@lru_cache(maxsize=8)
def _imported_planet(path: Path, text: str) -> Planet:
    """Take a planet out of another program's file; told once of each text."""
    imported = _import_text(path, text, wanted="a planet file (TOML)")
    program = IMPORTS.get(imported.program).help
    if not _whole(imported):
        missing = ", ".join(lacking(imported.planet.keys()))
        msg = f"{path}: {program}, without a planet's {missing}: complete it, or give a planet file"
        raise InputError(msg)
    taken = [row for row in imported.rows if row.to.startswith("planet.")]
    shown = {row.to.removeprefix("planet."): row.value for row in taken}
    for line in wrap(", ".join(f"{name} {value}" for name, value in shown.items()), WIDTH):
        log.info("%s (%s): %s", path.name, program, line)
    for row in taken:
        if row.why:
            log.info("%s: %s: %s", path.name, row.key, row.why)
    return make_planet({**imported.planet, "source": f"{path.name} ({program})"}, path.name)


def _is_toml(text: str) -> bool:
    try:
        return bool(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError):
        return False


def write_imported(imported: Imported, folder: Path) -> tuple[Path, ...]:
    """Write what was brought over, as settings.toml and planet.toml: the paths.

    The planet file stands there where the file has all that a planet needs.
    """
    import tomli_w

    files = {"settings.toml": dict(imported.settings)}
    if _whole(imported):
        files["planet.toml"] = dict(imported.planet)
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(write_text(folder / name, tomli_w.dumps(held)) for name, held in files.items())


def _with_target(imported: Imported) -> Imported:
    """Where no planet file can be made, its star's place and name still tell the target."""
    place = {name: imported.planet[name] for name in ("ra", "dec") if name in imported.planet}
    if _whole(imported) or not place:
        return imported
    target = {**place, **imported.settings.get("target", {})}
    return replace(imported, settings={**imported.settings, "target": target})


def _whole(imported: Imported) -> bool:
    return not lacking(imported.planet.keys())
