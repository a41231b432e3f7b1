"""Commands as they are typed, and the frames of a night."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from typer.testing import CliRunner

from lightcurve.cli import app, main

WHERE = ["--target", "Tiny-1", "--ra", "20.0", "--dec", "30.0"]


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == status, result.stdout
    return result.stdout


def files(night: Path, kind: str) -> list[Path]:
    return sorted(night.glob(f"{kind}_*.fits"))


def program(*arguments: str) -> CompletedProcess[str]:
    """Run the whole program, as a process of its own would be, within this one: it is loaded."""
    out, err = io.StringIO(), io.StringIO()
    words = ["lightcurve", *arguments]
    try:
        with mock.patch.object(sys, "argv", words), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        return CompletedProcess(words, int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError(words)  # it ends by its status, whatever that is
