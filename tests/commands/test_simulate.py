"""Orders for a simulated night that make no sense: one line that names the option."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve import cli
from lightcurve.core.errors import InputError
from lightcurve.simulate.render import expose
from lightcurve.simulate.sky import BRIGHTEST, read_star_list
from lightcurve.simulate.to_order import LIMITS
from typed import run

SMALL = ("--frames", "1", "--size", "60", "50", "--bias", "1", "--dark", "0", "--flat", "0")
BAD = (
    *("--start yesterday", "--start 2026-02-30", "--start 0999-01-01", "--scale -1", "--scale nan"),
    *("--mag -50", "--mag 99", "--bias -3", "--dark -1", "--flat -1", "--cloud 5", "--cloud -0.1"),
    *("--size 5 5", "--size 60 -50", "--frames 0", "--exposure 0", "--cadence nan", "--seed -1"),
    *("--exposure inf", "--dialect latin"),
)


def tell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str]:
    """Run the program; its status, and what it says on standard error."""
    monkeypatch.setattr(sys, "argv", ["lightcurve", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0, capsys.readouterr().err


@pytest.mark.parametrize("options", BAD)
def test_a_number_no_observatory_has_is_one_line(tmp_path, monkeypatch, capsys, options):
    status, said = tell(monkeypatch, capsys, "simulate", tmp_path, *SMALL, *options.split())
    assert status == 1
    assert said.count("\n") == 1
    assert options.split()[0].removeprefix("--") in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("held", ["light_0001.fits", "M31.FIT", "old.fits.gz", "truth.json"])
def test_two_nights_do_not_mix(tmp_path, monkeypatch, capsys, held):
    (tmp_path / held).write_bytes(b"")
    status, said = tell(monkeypatch, capsys, "simulate", tmp_path, *SMALL)
    assert status == 1
    assert said.count("\n") == 1
    assert held in said
    assert [path.name for path in tmp_path.iterdir()] == [held]


def test_other_files_do_not_matter_and_a_night_is_not_written_over(tmp_path, monkeypatch, capsys):
    (tmp_path / "planet-notes.txt").write_text("mine")
    status, _ = tell(monkeypatch, capsys, "simulate", tmp_path, *SMALL)
    assert status == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"light_0001.fits", "bias_0001.fits", "truth.json"} < set(before)
    status, said = tell(monkeypatch, capsys, "simulate", tmp_path, *SMALL, "--seed", 2)
    assert status == 1
    assert "two nights" in said
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_limits_can_be_simulated():
    """Light of the brightest star allowed, in the longest exposure, can still be read out."""
    rng = np.random.default_rng(1)
    light = LIMITS["exposure"][1] * 10 ** (-0.4 * (BRIGHTEST - 20))
    assert expose(np.full((2, 2), light), 1000.0, rng, gain=1.5, read_noise=8.0).min() == 65535


def test_a_magnitude_that_stands_for_none_is_none(tmp_path: Path):
    (tmp_path / "stars.csv").write_text("ra,dec,mag\n20,30,-99.9\n20.01,30,11.5\n20,30.01,nan\n")
    assert read_star_list(tmp_path / "stars.csv").mag.tolist() == [11.5]


def test_simulating_to_order(tmp_path: Path) -> None:
    order = ["--frames", 2, "--size", 120, 90, "--bias", 1, "--dark", 0, "--flat", 0, "--json"]
    said = json.loads(run("simulate", tmp_path / "a", *order))
    assert said["light_frames"] == {"value": 2, "unit": ""}
    assert said["depth_percent"] == {"value": 0.0, "unit": "%"}
    assert fits.getdata(tmp_path / "a" / "light_0001.fits").shape == (90, 120)
    run("simulate", tmp_path / "b", *order)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    with pytest.raises(InputError, match="--cadence"):
        run("simulate", tmp_path / "c", "--cadence", 5, "--exposure", 60)
