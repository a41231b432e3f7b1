"""The manifest: a table of files in which a user says what they are and which to use."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightcurve.core.data import FrameKind
from lightcurve.core.errors import InputError
from lightcurve.core.files import read_text

MAX_BYTES = 50_000_000
_YES = frozenset({"yes", "y", "true", "1", "x"})
_NO = frozenset({"no", "n", "false", "0"})


@dataclass(frozen=True, slots=True)
class Edit:
    """What a manifest says of one file; None leaves it as found."""

    kind: FrameKind | None = None
    use: bool | None = None
    reason: str = ""


def apply_key(name: str) -> str:
    """Give the form, with forward slashes, in which names relative to the folder are compared."""
    return name.strip().replace("\\", "/").removeprefix("./")


def read_manifest(path: str | Path) -> dict[str, Edit]:
    """Read an edited table of files, by file; raises InputError naming the line at fault.

    CSV with a column ``file`` and ``kind`` or ``use`` or both; others are ignored, so that
    frames.csv itself serves.
    """
    path = Path(path)
    text = read_text(path, "a manifest", max_bytes=MAX_BYTES)
    try:
        table = csv.DictReader(io.StringIO(text, newline=""))
        rows = list(table)
    except csv.Error as error:
        msg = f"{path.name}: cannot be read as a manifest: {error}"
        raise InputError(msg) from error
    names = {name.strip().lower() for name in table.fieldnames or () if name}
    if "file" not in names or not names & {"kind", "use"}:
        msg = f"{path.name}: a manifest needs the columns file, and kind or use"
        raise InputError(msg)
    edits: dict[str, Edit] = {}
    for line, row in enumerate(rows, start=2):
        plain = {k.strip().lower(): (v or "").strip() for k, v in row.items() if isinstance(k, str)}
        if not plain["file"]:
            continue
        key = apply_key(plain["file"])
        if key in edits:
            msg = f"{path.name}, line {line}: {key[:80]} stands twice"
            raise InputError(msg)
        edits[key] = _edit(plain, f"{path.name}, line {line}")
    return edits


def _edit(row: Mapping[str, str], place: str) -> Edit:
    kind, use = row.get("kind", "").lower(), row.get("use", "").lower()
    if kind and kind not in set(FrameKind):
        known = [kind for kind in FrameKind if kind is not FrameKind.OTHER]
        msg = f"{place}: kind {kind[:30]!r} is none of {', '.join(known)}"
        raise InputError(msg)
    if use and use not in _YES | _NO:
        msg = f"{place}: use {use[:30]!r} is neither yes nor no"
        raise InputError(msg)
    return Edit(
        kind=None if kind in {"", FrameKind.UNKNOWN, FrameKind.OTHER} else FrameKind(kind),
        use=use in _YES if use else None,
        reason=row.get("reason", "") if use in _NO else "",
    )
