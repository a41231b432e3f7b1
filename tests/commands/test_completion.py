"""What a shell offers when Tab is pressed, asked as bash, zsh and fish ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from lightcurve.commands.completion import REGISTERED, begun, for_setting, planets
from lightcurve.commands.options import OPTIONS
from lightcurve.core.settings_files import choices_of
from typed import program

ROOT = Path(__file__).parents[2]


def asked(line: str) -> dict[str, str]:
    words = line.split(" ")
    return {
        "_LIGHTCURVE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }


def ask(line: str) -> list[str]:
    with mock.patch.dict(os.environ, asked(line)):
        answer = program()
    assert answer.returncode == 0
    return answer.stdout.split()


def test_a_process_of_its_own_answers_so() -> None:
    line = "lightcurve run NIGHT --target HAT-P-32"
    answer = subprocess.run(
        [sys.executable, str(ROOT / "cli.py")],
        capture_output=True, text=True, check=True, env={**os.environ, **asked(line)},
    )  # fmt: skip
    assert answer.stdout.split() == ask(line) == ["HAT-P-32b"]


def test_verbs_options_and_names_are_offered() -> None:
    assert set(ask("lightcurve ca")) == {"calibrate", "calib"}
    assert ask("lightcurve run NIGHT --camer") == ["--camera"]
    assert ask("lightcurve run NIGHT --target HAT-P-32") == ["HAT-P-32b"]
    assert "aavso-exoplanet" in ask("lightcurve export aa")
    assert ask("lightcurve run NIGHT --style a") == ["aij"]
    assert ask("lightcurve plot RUN --figure li") == ["light_curve"]
    assert set(ask("lightcurve plot RUN --style t")) == {"talk", "two-column"}
    assert set(ask("lightcurve plot RUN --format ")) == {"pdf", "svg", "png"}
    assert ask("lightcurve planets show HAT-P-32") == ["HAT-P-32b"]


def test_files_are_left_to_the_shell() -> None:
    assert ask("lightcurve run /") == []
    assert ask("lightcurve run NIGHT --planet ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_given_its_script(shell: str) -> None:
    told = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    answer = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "--show-completion", shell],
        capture_output=True, text=True, check=True, env={**os.environ, **told},
    )  # fmt: skip
    assert "_LIGHTCURVE_COMPLETE=complete_" + shell in answer.stdout.replace('"', "")


def test_names_have_no_blanks_and_are_not_too_many() -> None:
    assert begun((str(k) for k in range(2000)), "1")[:2] == ["1", "10"]
    assert len(begun(map(str, range(2000)), "")) == 200
    assert "WASP-12b" in planets("WASP-12")
    assert all(" " not in name for name in planets("WASP"))


def test_every_name_of_a_setting_is_offered() -> None:
    for setting in REGISTERED:
        complete = for_setting(setting)
        assert complete is not None
        assert complete(""), setting
    assert choices_of("time.stamp") == ["start", "mid", "end"]
    assert choices_of("camera.colour") == ["R", "G", "B", "grey", "mosaic"]
    assert choices_of("seed") == []
    assert REGISTERED.keys() <= OPTIONS.keys()
