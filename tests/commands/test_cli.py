"""The command line: quick to start, one line for each error, the same program everywhere."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import lightcurve
from lightcurve.cli import app
from lightcurve.commands.options import OPTIONS
from lightcurve.commands.shell import show_messages
from typed import program

ROOT = Path(__file__).parents[2]
PACKAGE = Path(lightcurve.__file__).parent  # installed, or beside the tests
COMMANDS = tuple(get_command(app).commands)


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a shell does."""
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def test_help_names_every_command():
    answer = process("--help")
    assert answer.returncode == 0
    assert all(f" {name} " in answer.stdout for name in COMMANDS)


@pytest.mark.parametrize(("given", "kept"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_linear_algebra_runs_in_one_thread_unless_told(given, kept):
    """Or the last digits of what is measured hang on how many processors there are."""
    code = (
        "import os, sys, lightcurve.cli\n"
        "sys.argv = ['lightcurve', '--version']\n"
        "try:\n    lightcurve.cli.main()\nexcept SystemExit:\n    pass\n"
        "print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | given
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert answer.stdout.splitlines()[-1] == f"False {kept}"


def test_settings_load_nothing_that_opens_frames_or_asks_servers():
    """Every command makes them before it does anything."""
    code = (
        "import sys\nfrom lightcurve.core.settings import make_settings\n"
        "make_settings({'catalogs': {'offline': True}})\n"
        "heavy = {'astropy', 'requests', 'matplotlib', 'pandas', 'scipy.optimize'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def _verbs(command, words=""):
    for name, below in getattr(command, "commands", {}).items():
        yield pytest.param(below, id=f"{words}{name}")
        yield from _verbs(below, f"{words}{name} ")


@pytest.mark.parametrize("verb", [*_verbs(get_command(app))])
def test_every_option_says_what_it_is_for(verb):
    verb.get_help(verb.make_context("verb", [], resilient_parsing=True))
    assert [one.opts[0] for one in verb.params if one.opts[0][0] == "-" and not one.help] == []


def test_help_breaks_lines_where_the_terminal_ends_and_not_where_the_source_does():
    shown = program("compare", "--help").stdout
    assert "differ or rows have no partner" in shown
    assert "Examples: lightcurve compare" in shown


def test_an_error_is_one_line_and_a_status():
    answer = process("run", "no-such-folder", "--ra", "1", "--dec", "2", "--target", "X")
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert answer.stderr.strip().splitlines()[-1].startswith("lightcurve: no-such-folder")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gain", "-1"], "--gain"),
        (["--solver", "magic"], "--solver"),
        (["--annulus", "9", "5"], "annulus"),
        (["--ra", "1"], "--dec"),
        (["--ra", "27:00:00", "--dec", "1"], "27:00:00"),
        (["--config", "absent.toml"], "absent.toml"),
    ],
)
def test_wrong_options_are_named(arguments, words, tmp_path):
    answer = program("run", str(tmp_path), *arguments, "--out", str(tmp_path / "run"))
    assert answer.returncode != 0
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runn"], "No such command 'runn'. Did you mean 'run'? See lightcurve --help"),
        (
            ["run", ".", "--gian", "2"],
            "No such option: --gian; did you mean --gain? See lightcurve run --help",
        ),
        (
            ["run", "x", "--annulus", "10", "--out", "y"],
            "--annulus takes two numbers: --annulus 10 16",
        ),
        (["run", "x", "--annulus", "10"], "--annulus takes two numbers: --annulus 10 16"),
        (["fit", "x", "--gain", "2"], "--gain, which others have: it would do nothing here"),
        (["plan", "x", "--al"], "did you mean --all or --allow-mismatch?"),
        (["calib", "bia"], "Did you mean 'bias'? See lightcurve calib --help"),
        (["run"], "Missing argument 'folder'; see lightcurve run --help"),
        (["run", ".", "--gain", "two"], "Invalid value for '--gain': "),
        (["run", ".", "away"], "unexpected extra argument"),
        (["--quite", "run"], "--quiet"),
        (["run", ".", "--quiet"], "--quiet goes before the command"),
        (["run", "-q", "."], "-q goes before the command"),
    ],
)
def test_a_typing_mistake_is_one_line_and_status_2(arguments, words):
    answer = program(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith("lightcurve: ")
    assert words in line


def test_a_process_says_the_same():
    """As the tests above and below have it within their own."""
    for words in (["runn"], ["run", "--jsn", "--json"], ["config", "--gain", "1.5"]):
        alone, here = process(*words), program(*words)
        assert alone.returncode == here.returncode
        assert alone.stdout == here.stdout
        assert alone.stderr == here.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["inspect", "no-such-folder", "--json"], 1),
        (["compare", "no-such.csv", "neither.csv", "--json"], 2),
        (["run", "--jsn", "--json"], 2),
    ],
)
def test_a_failure_is_json_too_where_that_was_asked_for(arguments, status):
    answer = program(*arguments)
    assert answer.returncode == status
    error = json.loads(answer.stdout)["error"]
    assert answer.stderr.splitlines()[-1] == f"lightcurve: {error}"


def test_advice_names_the_option_where_there_is_one():
    """`calibration.allow_mismatch` was asked for, and no word said of --allow-mismatch."""
    source = "".join(p.read_text(encoding="utf-8") for p in PACKAGE.rglob("*.py"))
    told = re.findall(r"\b(?:set|give|say)\s+([a-z]+\.[a-z_]+)", source)
    assert "solve.plain_http" in told  # which has none
    assert not set(told) & set(OPTIONS)


@pytest.mark.parametrize("group", [[], ["calib"]])
def test_without_a_command_there_is_help(group):
    answer = program(*group)
    assert answer.returncode == 2
    assert "Commands" in answer.stdout + answer.stderr
    assert not answer.stderr.startswith("lightcurve:")


@pytest.mark.parametrize(
    ("command", "without"),
    [
        ("calibrate", ["--target", "--radius", "--fit", "--solver", "--linearity", "--latitude"]),
        ("measure", ["--fit", "--covariate", "--weights", "--seed", "--sample"]),
        ("inspect", ["--target", "--radius"]),
        ("solve", ["--radius", "--gain", "--fit"]),
        ("recompute", ["--gain", "--fit"]),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(command, without, tmp_path):
    for flag in without:
        answer = CliRunner().invoke(app, [command, str(tmp_path), flag, "1", "--out", "x"])
        assert answer.exit_code == 2, flag
        assert f"No such option: {flag}" in answer.output


def test_config_prints_settings_that_it_reads_back(tmp_path):
    first = program("config", "--gain", "1.5", "--radius", "4", "--radius", "6")
    (tmp_path / "mine.toml").write_text(first.stdout)
    second = program("config", "--config", str(tmp_path / "mine.toml"))
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert "gain_e_per_adu = 1.5" in first.stdout


def test_an_unknown_setting_is_an_error(tmp_path):
    (tmp_path / "mine.toml").write_text("[camera]\ngian = 2\n")
    answer = program("config", "--config", str(tmp_path / "mine.toml"))
    assert answer.returncode == 1
    assert "camera.gian" in answer.stderr


def test_messages_go_to_what_is_standard_error_then(monkeypatch):
    """A command typed earlier in this process may have had another, closed since."""
    log = logging.getLogger("lightcurve")
    before = list(log.handlers), log.level, log.propagate
    first, second = io.StringIO(), io.StringIO()
    try:
        monkeypatch.setattr("sys.stderr", first)
        show_messages(quiet=False)
        first.close()
        monkeypatch.setattr("sys.stderr", second)
        log.info("three stars")
    finally:
        log.handlers[:], log.propagate = before[0], before[2]
        log.setLevel(before[1])
    assert second.getvalue() == "three stars\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_letter_ends_the_program(encoding, tmp_path):
    """A name of a file, or a header, may have letters that the terminal does not know."""
    folder = tmp_path / "n\u0151 \u2606"
    folder.mkdir()
    (folder / "\u03b1.fits").write_text("no FITS")
    command = [sys.executable, str(ROOT / "cli.py"), "inspect", str(folder), "--all"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    answer = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert answer.returncode == 0, answer.stderr
    assert b"\\u03b1" in answer.stdout
    assert b"Traceback" not in answer.stderr


def test_whoever_reads_may_stop_reading(tmp_path):
    line = f"{sys.executable} {ROOT / 'cli.py'} config | exit 0"
    answer = subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, check=False, timeout=600
    )
    assert answer.stderr == ""


@pytest.mark.parametrize("words", ["planets HAT-P-32", "planets HAT-P-32 --json", "config"])
def test_an_output_that_is_closed_ends_nothing(words):
    line = f"{sys.executable} {ROOT / 'cli.py'} {words} >&-"
    answer = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize(
    "words", ["planets HAT-P-32", "planets HAT-P-32 --json", "planets X --json"]
)
def test_an_output_that_is_full_is_one_line(words):
    line = f"{sys.executable} {ROOT / 'cli.py'} {words} >/dev/full"
    answer = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr
    assert answer.stderr.startswith("lightcurve: ")
