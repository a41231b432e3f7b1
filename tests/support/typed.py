"""Commands as they are typed, and the frames of a night."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from lightcurve.cli import app

WHERE = ["--target", "Tiny-1", "--ra", "20.0", "--dec", "30.0"]


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == status, result.stdout
    return result.stdout


def files(night: Path, kind: str) -> list[Path]:
    return sorted(night.glob(f"{kind}_*.fits"))
