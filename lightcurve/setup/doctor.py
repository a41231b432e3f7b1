"""What this machine has of all that a run may need, and what to do about what it lacks."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata

from lightcurve.astrometry.index_series import SERIES
from lightcurve.astrometry.nova import KEY_VARIABLE, find_key
from lightcurve.astrometry.solve_field import PROGRAM
from lightcurve.catalogs.known_planets import the_table
from lightcurve.catalogs.reach import reach
from lightcurve.catalogs.services import SERVICES, addresses
from lightcurve.catalogs.sesame import SERVER as SESAME
from lightcurve.core.cache import cache_dir
from lightcurve.core.constants import __version__
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.core.settings_files import user_file
from lightcurve.setup.index_files import list_index

__all__ = ["State", "examine"]

PROBE_S = 10.0  # for a server to show that it is there
LEAST_FREE = 1e9  # bytes: index files and answers need as much
NOT_OURS = ("docs", "test", "check", "oracle")  # extras for those who work on the program
REFRESH = "lightcurve planets refresh"
# What an extra is good for.
USES = {"cluster": "--cluster: a Dask cluster", "raw": "CR2, NEF, ARW, DNG"}


class Part(StrEnum):
    """What is looked at."""

    INSTALLED = "installed"
    CONFIGURED = "configured"
    INDEXED = "indexed"
    REACHABLE = "reachable"


class State(StrEnum):
    """How it is."""

    OK = "ok"
    ABSENT = "not there"  # and may stay so
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    told : str
        What was found.
    advice : str
        What to do; empty where nothing is to be done.
    """

    part: Part
    name: str
    state: State
    told: str
    advice: str = ""


def examine(settings: Settings, *, online: bool) -> list[Finding]:
    """Look at all that is installed, configured and indexed, and what can be reached.

    Parameters
    ----------
    online : bool
        Every server is asked whether it is there, ten seconds long; else none is.
    """
    found = [*_installed(), *_configured(settings), *_indexed(settings)]
    return found + (_reachable(settings) if online else [])


def _installed() -> Iterator[Finding]:
    yield Finding(
        Part.INSTALLED, "lightcurve", State.OK,
        f"{__version__} on Python {platform.python_version()}, {platform.system()}",
    )  # fmt: skip
    try:
        lacking = [*_lacking(metadata.requires("lightcurve") or [])]
    except metadata.PackageNotFoundError:
        told = "not known: the program is not installed but run from its source"
        yield Finding(Part.INSTALLED, "packages", State.ABSENT, told, "python -m pip install .")
        lacking = []
    else:
        if all(extra for _, extra, _, _ in lacking):
            yield Finding(Part.INSTALLED, "packages", State.OK, "all that are needed")
    for name, extra, needed, there in lacking:
        told = f"{there or 'not installed'}, {needed} is needed"
        told += f" for {USES.get(extra, extra)}" if extra else ""
        state = State.ABSENT if extra else State.TROUBLE
        yield Finding(Part.INSTALLED, name, state, told, f'python -m pip install "{needed}"')
    program = shutil.which(PROGRAM)
    yield Finding(
        Part.INSTALLED, PROGRAM, State.OK if program else State.ABSENT,
        program or "not on the PATH",
        "" if program else "solver of last resort; Debian: apt install astrometry.net",
    )  # fmt: skip


def _lacking(wanted: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """Give each package that is not there or too old: name, extra, what is needed, what there is.

    wanted: as the program's metadata have it.
    """
    from packaging.requirements import Requirement

    for line in wanted:
        one = Requirement(line)
        extra = next((e for e in (*USES, *NOT_OURS) if f'extra == "{e}"' in str(one.marker)), "")
        if extra in NOT_OURS or (one.marker and not one.marker.evaluate({"extra": extra})):
            continue
        try:
            there = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            there = ""
        if not there or not one.specifier.contains(there, prereleases=True):
            yield one.name, extra, f"{one.name}{one.specifier}", there


def _configured(settings: Settings) -> Iterator[Finding]:
    own = user_file()
    yield (
        Finding(Part.CONFIGURED, "settings", State.OK, str(own))
        if own.is_file()
        else Finding(
            Part.CONFIGURED, "settings", State.ABSENT, f"no {own}",
            "lightcurve config init --user --from NIGHT keeps your camera and site",
        )
    )  # fmt: skip
    keys = {one.title: (one.key, bool(os.environ.get(one.key))) for one in SERVICES if one.key}
    keys["nova.astrometry.net"] = (KEY_VARIABLE, find_key() is not None)
    for title, (variable, there) in keys.items():
        yield Finding(
            Part.CONFIGURED, f"key of {title}", State.OK if there else State.ABSENT,
            f"in {variable}" if there else "none: it is not asked",
            "" if there else f"put yours into the environment as {variable}",
        )  # fmt: skip
    yield _cache()
    try:
        table = the_table()
    except InputError as error:
        yield Finding(Part.CONFIGURED, "planets", State.TROUBLE, str(error), REFRESH)
    else:
        told = f"{len(table.planets)}, {table.origin}"
        yield Finding(Part.CONFIGURED, "planets", State.OK, told, f"newer ones: {REFRESH}")
    if settings.catalogs.offline:
        yield Finding(Part.CONFIGURED, "offline", State.OK, "no service is asked")


def _cache() -> Finding:
    """Look whether anything can be kept, and how much is left for it."""
    folder = cache_dir()
    nearest = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    advice = "name another folder in LIGHTCURVE_CACHE_DIR"
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        told = f"{folder} cannot be written: nothing fetched is kept"
        return Finding(Part.CONFIGURED, "cache", State.TROUBLE, told, advice)
    free = shutil.disk_usage(nearest).free
    told = f"{folder}, {free / 1e9:.1f} GB free"
    if free < LEAST_FREE:
        return Finding(Part.CONFIGURED, "cache", State.TROUBLE, told, f"make room, or {advice}")
    return Finding(Part.CONFIGURED, "cache", State.OK, told)


def _indexed(settings: Settings) -> Iterator[Finding]:
    fetch = "lightcurve index fetch FRAME gets what your frames need"
    try:
        found = list_index(settings)
    except InputError as error:
        yield Finding(Part.INDEXED, "index files", State.TROUBLE, str(error), fetch)
        return
    covered = [str(row["scale"]) for row in found["scales"] if row["covered"]]
    if not found["files"]:
        told = f"none in {', '.join(found['places'])}: frames without a WCS are not solved here"
        yield Finding(Part.INDEXED, "index files", State.ABSENT, told, fetch)
        return
    told = f"{len(found['files'])}, of scales {', '.join(covered) or 'of their own'}"
    advice = "lightcurve index list FRAME tells whether they serve your frames"
    yield Finding(Part.INDEXED, "index files", State.OK, told, advice)


def _reachable(settings: Settings) -> list[Finding]:
    asked = addresses(settings.catalogs) | {"sesame": SESAME, "nova": settings.solve.server}
    asked |= {f"index-{name}": one.url for name, one in SERIES.items()}
    advice = (
        "try again later; if none answers, look at the network, a proxy (HTTPS_PROXY), --offline"
    )
    return [
        Finding(
            Part.REACHABLE, one.name, State.OK if one.answers else State.TROUBLE,
            f"{one.address} {one.told}", "" if one.answers else advice,
        )
        for one in reach(asked, PROBE_S)
    ]  # fmt: skip
