"""What `lightcurve stack` leaves behind, tells programs, and when it says that something failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from astropy.io import fits
from typer.testing import CliRunner

from dithered import Dithered, render
from lightcurve.cli import app

SMALL: dict[str, Any] = {
    "shape": (150, 160), "n_stars": 45, "dither": 4.0, "cosmics": 0, "trail": None, "wcs": False,
}  # fmt: skip


def run(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(
        app, ["stack", *map(str, arguments), "--offline", "--no-catalog", "--json"]
    )
    return done.exit_code, json.loads(done.stdout)


def test_frames_of_two_filters_make_two_stacks(tmp_path: Path) -> None:
    render(tmp_path / "night", Dithered(3, **SMALL))
    render(tmp_path / "night", Dithered(3, **SMALL, band="g", first=3, dice=1))
    status, found = run(tmp_path / "night", "--out", tmp_path / "out", "--combine", "mean")
    assert status == 0  # without a place on the sky nothing has failed
    assert len(found) == 2
    for one in found:
        assert one["used"] == 3
        assert {check["verdict"] for check in one["checks"]} == {"passed"}
        header = fits.getheader(one["file"])
        assert (header["NFILES"], header["COMBINE"]) == (3, "mean")
        made = {path.name for path in Path(one["folder"]).iterdir()}
        assert {"frames.csv", "check.csv", "stack.png"} <= made
        assert not any(name.startswith(".work") for name in made)


def test_nights_are_joined_where_it_is_asked_for(tmp_path: Path) -> None:
    render(tmp_path / "f", Dithered(3, **SMALL))
    later = Dithered(
        3, **SMALL, first=3, dice=1, turned_deg=180.0, transparency=(0.6, 0.7),
        night="2026-03-07T03:00:00",
    )  # fmt: skip
    render(tmp_path / "f", later)
    status, (found,) = run(tmp_path / "f", "--out", tmp_path, "--join-nights", "--figures", "page")
    assert status == 0
    assert found["used"] == 6
    assert not list(Path(found["folder"]).rglob("stack.png"))  # no page shows it


def test_one_frame_is_no_stack(tmp_path: Path) -> None:
    render(tmp_path / "night", Dithered(1, **SMALL))
    status, (found,) = run(tmp_path / "night", "--out", tmp_path / "out")
    assert status == 1
    verdicts = {check["name"]: check["verdict"] for check in found["checks"]}
    assert verdicts["frames"] == "failed"
    assert verdicts["alignment"] == verdicts["noise"] == "not known"


def test_a_folder_without_frames_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["stack", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code != 0
    assert "Traceback" not in done.output
