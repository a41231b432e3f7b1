"""All files that can be handed in, by name."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lightcurve.core.errors import InputError
from lightcurve.core.registry import Registry
from lightcurve.exports.aavso import EXOPLANET
from lightcurve.exports.aavso_exotic import EXOTIC
from lightcurve.exports.aavso_extended import EXTENDED
from lightcurve.exports.ecsv import ECSV
from lightcurve.exports.exoclock import ETD, EXOCLOCK
from lightcurve.exports.exofop import EXOFOP
from lightcurve.exports.submission import COMMON, Detail, Export, Submission

log = logging.getLogger(__name__)

__all__ = ["EXPORTS", "all_details"]

EXPORTS: Registry[Export] = Registry(
    "export", EXOPLANET, EXOTIC, EXTENDED, ECSV, ETD, EXOCLOCK, EXOFOP
)


def all_details() -> tuple[Detail[Any], ...]:
    """List what the exports together can be told, the common first."""
    return tuple(dict.fromkeys([*COMMON, *(d for export in EXPORTS for d in export.details)]))


def exports_in_markdown() -> str:
    """Lay the exports out as the table in the documentation."""
    lines = ["| format | what it is | files | needs, where the run does not know |"]
    lines.append("|---|---|---|---|")
    for e in EXPORTS:
        needs = ", ".join(f"`{detail.flag}`" for detail in e.needs)
        lines.append(f"| `{e.name}` | {e.help} | `{e.files}` | {needs} |")
    return "\n".join(lines) + "\n"


def export(kind: str, folder: Path, submission: Submission) -> list[Path]:
    """Write the files of one kind.

    kind: a name of `EXPORTS`; folder: made where it does not exist. A night without a transit is
    handed in as a light curve, with a warning: no file then holds fitted values of one.
    """
    if submission.fit is not None and not submission.fit.found:
        log.warning("a light curve alone, no fitted values: %s", submission.fit.verdict)
    write = EXPORTS.get(kind).write
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made: {error.strerror}"
        raise InputError(msg) from error
    return write(folder, submission)
