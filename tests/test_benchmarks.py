"""Every benchmark can be loaded and says how it is run; no test runs one, for they take minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = sorted(p.stem for p in (ROOT / "benchmarks").glob("*.py") if p.stem != "__init__")
NO_COMMAND = {"nights", "reference", "timing"}  # what others import

# All by one process: what they load takes most of the time, and is the same.
ALL = """
import contextlib, importlib, io, json, sys, traceback
told = {}
sys.argv[:], names = ["benchmark", "--help"], sys.argv[1:]
for name in names:
    said = io.StringIO()
    try:
        main = getattr(importlib.import_module(f"benchmarks.{name}"), "main", None)
        with contextlib.redirect_stdout(said):
            status = None if main is None else main() or 0
    except SystemExit as error:
        status = error.code or 0
    except Exception:
        status = traceback.format_exc()
    told[name] = [status, said.getvalue()]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, tuple[object, str]]:
    """What each answers to --help: its status, and what it says."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALL, *NAMES],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_how_it_is_run(told: dict[str, tuple[object, str]], name: str) -> None:
    status, said = told[name]
    if name in NO_COMMAND:
        assert status is None
        return
    assert status == 0, status
    assert "usage: " in said or "python -m benchmarks" in said


def test_those_that_take_hours_are_there() -> None:
    """`python -m benchmarks` leaves them out by their names."""
    from benchmarks.__main__ import CAMPAIGNS

    assert {f"bench_{name}" for name in CAMPAIGNS} <= set(NAMES)
