"""Whatever fails says why in one line on standard error, however quiet it is to be."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from astropy.io import fits

from lightcurve import cli

# One failure of each command: of a frame, where it can go on with others, else of all.
JUNK = {
    "run": "{junk} --target 10,10 --out {out}",
    "plan": "{junk} --target 10,10",
    "watch": "{junk} --target 10,10 --bind 192.0.2.1 --out {out}",
    "image": "{frame} {blank} --offline --out {out}",
    "stack": "{junk} --offline --out {out}",
    "inspect": "{junk}/none",
    "calibrate": "{junk} --out {out}",
    "solve": "{frame} {blank}",
    "measure": "{junk} --target 10,10 --out {out}",
    "fit": "{frame} --planet {frame}",
    "season": "{one} {frame} --target HAT-P-32b --offline --out {out}",
    "space": "{frame} {blank} --target HAT-P-32b --offline --out {out}",
    "survey": "{junk} --target 10,10 --offline --out {out}",
    "trust": "{junk}",
    "tonight": "--site {frame}",
    "period": "{frame} --out {out}",
    "minimum": "{frame} --out {out}",
    "variables": "{junk} --out {out}",
    "magnitudes": "{junk} --offline --out {out}",
    "export": "aavso {junk}",
    "tune": "{junk}",
    "plot": "{junk}",
    "moving": "{frame} {blank} --object 433 --offline --out {out}",
    "difference": "{frame} {blank} --template {blank} --offline --out {out}",
    "resample": "{frame} {blank} --onto {blank} --out {out}",
    "composite": "{frame} {frame} {frame} --out {out}",
    "continuum": "{frame} {frame} --out {out}",
    "compare": "{one} {other} --by row",
    "table": "{frame}",
    "recompute": "{frame}",
    "simulate": "{junk}",
    "demo": "--out {junk}",
    "doctor": "--index {junk}",
    "header show": "{frame}",
    "header set": "{frame} --key OBJECT=x --out {out}",
    "calib bias": "{junk} --out {out}",
    "index list": "{junk}",
    "planets show": "Nobody-9",
    "config import": "{frame}",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("quiet")
    junk = top / "junk"
    junk.mkdir()
    (junk / "a.fits").write_text("no\x1b[31mthing")
    fits.PrimaryHDU(np.zeros((40, 50), np.int16)).writeto(junk / "b.fits")
    for name, value in (("one", 1.0), ("other", 2.0)):
        rows = "".join(f"{2460000.5 + k / 100},{value}\n" for k in range(20))
        (top / f"{name}.csv").write_text(f"BJD_TDB,flux\n{rows}")
    frames = {"frame": junk / "a.fits", "blank": junk / "b.fits"}
    return {"junk": junk, **frames, **{name: top / f"{name}.csv" for name in ("one", "other")}}


def all_commands() -> set[str]:
    return set(typer.main.get_command(cli.app).commands)


def test_every_command_is_tried() -> None:
    assert {name.split()[0] for name in JUNK} == all_commands()


@pytest.mark.parametrize("command", JUNK)
def test_a_failure_is_one_line_on_standard_error(
    command: str, places: dict[str, Path], tmp_path: Path, monkeypatch, capfd
) -> None:
    words = JUNK[command].format(out=tmp_path / "out", **places).split()
    monkeypatch.setattr(sys, "argv", ["lightcurve", "-q", *command.split(), *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == cli.FAILED.get(command, 1)  # a command that is mistyped has 2
    lines = capfd.readouterr().err.splitlines()
    told = [line for line in lines if line.startswith("lightcurve: ")]
    assert len(told) == 1, lines
    assert told[0].isprintable()
    assert "Traceback" not in told[0]


@pytest.mark.parametrize("command", ["image", "image --sequence", "moving --object 433"])
def test_the_reason_of_a_single_frame_is_told_once(
    command: str, places: dict[str, Path], tmp_path: Path, monkeypatch, capfd
) -> None:
    words = [str(places["frame"]), "--offline", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["lightcurve", "-q", *command.split(), *words])
    with pytest.raises(SystemExit):
        cli.main()
    assert capfd.readouterr().err.count("not a FITS file") == 1
