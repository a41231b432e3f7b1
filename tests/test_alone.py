"""What a test starts is shut in; a command loads what it needs and no more."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

CHILD = """
import json, os, shutil, socket
from lightcurve.astrometry.index import find_index_files

def refused(ask, *what):
    try:
        ask(*what)
    except OSError as error:
        return "tests may not" in str(error)

print(json.dumps({
    "index files": [str(path) for path in find_index_files()],
    "programs": [name for name in ("sh", "solve-field", "python3") if shutil.which(name)],
    "keys": [name for name in os.environ if "KEY" in name or "proxy" in name.lower()],
    "refused": [
        refused(socket.socket().connect, ("192.0.2.1", 80)),
        refused(socket.getaddrinfo, "example.org", 80),
    ],
}))
"""


def test_a_child_is_as_shut_in_as_the_tests() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "index files": [],
        "programs": [],
        "keys": [],
        "refused": [True, True],
    }


def test_the_tests_themselves_reach_nobody() -> None:
    with socket.socket() as door, pytest.raises(OSError, match="tests may not reach"):
        door.connect(("192.0.2.1", 80))
    with pytest.raises(OSError, match="tests may not look up"):
        socket.getaddrinfo("example.org", 80)


LOADS = """
import json, sys
from lightcurve.cli import main

sys.argv = ["lightcurve", *sys.argv[1:]]
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
STORIES = (
    *("night.nights", "night.tune", "night.fit_table", "night.figures", "night.demo"),
    *("image.story", "season.story", "tonight.story", "trust.story", "variables.story"),
    "survey.story",
)
HEAVY = {"numpy", "astropy", "scipy", "matplotlib", "pandas", "pydantic", "photutils"}


def loaded_by(*words: str) -> set[str]:
    """List the modules that a command has loaded when it ends."""
    command = [sys.executable, "-c", LOADS, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_loads_no_heavy_library() -> None:
    assert not HEAVY & loaded_by("--help")


def test_a_command_loads_no_other() -> None:
    loaded = loaded_by("fit", "--help")
    assert "lightcurve.commands.fit" in loaded
    assert not {"lightcurve.commands.run", "lightcurve.commands.calib"} & loaded


@pytest.mark.parametrize("module", STORIES)
def test_a_story_loads_no_library_before_a_step_needs_it(module: str) -> None:
    code = f"import json, sys, lightcurve.{module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    later = {"astropy", "scipy", "matplotlib", "pandas", "photutils", "sep", "requests", "jinja2"}
    assert not later & set(json.loads(done.stdout))
