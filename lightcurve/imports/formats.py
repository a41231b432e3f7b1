"""All files of other programs that can be brought over, and how one is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
from lightcurve.transit.ephemeris import REQUIRED, make_planet

__all__ = ["import_file", "write_imported"]

IMPORTS: Registry[Import] = Registry("import", EXOTIC, HOPS, PIPELINE, METADATA)


def import_file(path: Path) -> Imported:
    """Bring a file of another program over; which program's, its contents tell.

    Raises
    ------
    InputError
        When it cannot be read, is none that is known, or a value of it is out of its range.
    """
    text = read_text(path, "a settings file of another program")
    for program in IMPORTS:
        values = program.parse(text)
        if values is not None:
            imported = _with_target(take(program, values))
            make_settings(dict(imported.settings), str(path))
            if _whole(imported):
                make_planet(imported.planet, path.name)
            return imported
    known = ", ".join(one.help for one in IMPORTS)
    fault = syntax_fault(text)
    msg = f"{path}: {f'no {fault}; it ' if fault else ''}is none of these: {known}"
    raise InputError(msg)


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
    return all(name in imported.planet for name in REQUIRED)
