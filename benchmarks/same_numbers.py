"""Hold the products of two versions against each other: every number of every table, bit for bit.

    python -m benchmarks.same_numbers BEFORE AFTER

Tables are compared by column name, so that a column more or fewer is told and hides no difference;
JSON and TOML value by value; FITS images pixel by pixel and card by card. Times taken, paths,
versions and checksums are left out. Ends with 1 where a number differs.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import zip_longest
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

NOT_COMPARED = re.compile(
    r"path|folder|file|version|timing|seconds|created|sha256|checksum|date|command", re.IGNORECASE
)
TABLES = {".csv", ".tbl", ".ecsv", ".txt"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("before", "after"):
        parser.add_argument(name, type=Path, metavar=name.upper())
    wanted = parser.parse_args()
    before, after = wanted.before, wanted.after
    count = {"values": 0, "files": 0}
    differences = []
    for path in sorted(p for p in before.rglob("*") if p.is_file() and p.name != "made_of.txt"):
        other = after / path.relative_to(before)
        found = list(compare_files(path, other, count))
        differences += [f"{path.relative_to(before)}: {text}" for text in found]
    print(f"{count['files']} files, {count['values']} values compared")
    print("\n".join(differences) or "no difference")
    return int(bool(differences))


def compare_files(path: Path, other: Path, count: dict[str, int]) -> Iterator[str]:
    """Yield the differences between two files of one kind; pictures and pages are left out."""
    reader = {".json": read_json, ".toml": read_toml, ".fits": read_fits, ".wcs": read_fits}.get(
        path.suffix, read_table if path.suffix in TABLES else None
    )
    if reader is None:
        return
    if not other.exists():
        yield "is missing"
        return
    count["files"] += 1
    old, new = reader(path), reader(other)
    for name in old.keys() - new.keys():
        yield f"lost {name}"
    for name in new.keys() - old.keys():
        yield f"gained {name}"
    for name in old.keys() & new.keys():
        count["values"] += np.size(old[name])
        if not same(old[name], new[name]):
            yield f"{name}: {first_difference(old[name], new[name])}"


def same(a: Any, b: Any) -> bool:
    """Tell whether two values are equal to the last bit; NaN equals NaN."""
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return a == b or (isinstance(a, float) and isinstance(b, float) and isnan(a) and isnan(b))


def first_difference(a: Any, b: Any) -> str:
    if isinstance(a, list) and isinstance(b, list):
        rows = [k for k, (x, y) in enumerate(zip_longest(a, b)) if x != y]
        k = rows[0]
        return f"{len(rows)} rows differ, the first, {k}: {a[k : k + 1]} {b[k : k + 1]}"
    return f"{str(a)[:80]} is now {str(b)[:80]}"


def read_table(path: Path) -> dict[str, list[str]]:
    """Columns of text by name; a file that is no table with a header has its lines."""
    lines = [x for x in path.read_text(errors="replace").splitlines() if not x.startswith("#")]
    if not lines or not any(mark in lines[0] for mark in ",\t"):
        return {"lines": lines}
    rows = list(csv.reader(lines, delimiter="\t" if "\t" in lines[0] else ","))
    return dict(zip(rows[0], map(list, zip_longest(*rows[1:], fillvalue="")), strict=False))


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested values with their names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not NOT_COMPARED.search(str(key)):
                yield from flat(inner, f"{name}.{key}")
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            yield from flat(inner, f"{name}[{k}]")
    else:
        yield name, value


def read_json(path: Path) -> dict[str, Any]:
    text = path.read_text()
    return dict(flat(json.loads(text))) if text.strip() else {}


def read_toml(path: Path) -> dict[str, Any]:
    return dict(flat(tomllib.loads(path.read_text())))


def read_fits(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with fits.open(path) as units:
        for k, unit in enumerate(units):
            cards = [c for c in unit.header.cards if not NOT_COMPARED.search(c.keyword)]
            found[f"header {k}"] = [(c.keyword, c.value) for c in cards if c.keyword != "HISTORY"]
            if unit.data is not None:
                found[f"pixels {k}"] = np.asarray(unit.data)
    return found


if __name__ == "__main__":
    sys.exit(main())
