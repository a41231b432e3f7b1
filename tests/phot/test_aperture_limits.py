"""Radii that no frame holds, odd multiples of widths, and text not fit for a terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightcurve.aij.photometry import AijRecipe
from lightcurve.aij.settings_files import read_radec
from lightcurve.commands.shell import one_line, print_table
from lightcurve.compare.frames import remeasure_table, trial_rows
from lightcurve.compare.result import Tolerance
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings, make_settings
from lightcurve.phot.seeing import refuse_large_radii
from sim_table import simulated_table

FIXED = AijRecipe(5.0, (9.0, 15.0))


@pytest.mark.parametrize(
    ("radius", "named"),
    [
        (float("nan"), r"apertures\.radii"),  # which the command line calls --radius
        (float("inf"), r"apertures\.radii"),
        (0.0, "--radius"),
        (-2.0, "--radius"),
    ],
)
def test_a_radius_is_a_number_above_0(radius: float, named: str) -> None:
    with pytest.raises(InputError, match=named):
        make_settings({"apertures": {"radii": [5.0, radius]}})


def test_an_annulus_is_finite() -> None:
    with pytest.raises(InputError, match=r"apertures\.annulus"):
        make_settings({"apertures": {"annulus": (9.0, float("inf"))}})


def test_apertures_larger_than_the_frame_are_refused_by_their_option() -> None:
    refuse_large_radii(100.0, (110.0, 200.0), (400, 600))
    with pytest.raises(InputError, match=r"--radius.* 5000 px .* the frame is 600 x 400 px"):
        refuse_large_radii(5000.0, (10.0, 16.0), (400, 600))
    with pytest.raises(InputError, match=r"--annulus.* 5000 px"):
        refuse_large_radii(6.0, (10.0, 5000.0), (400, 600))
    with pytest.raises(InputError, match="--radius"):
        refuse_large_radii(float("nan"), None, (400, 600))


@pytest.mark.parametrize("apertures", [{"radii": [40.0]}, {"annulus": (9.0, 80.0)}], ids=str)
def test_a_table_is_not_measured_with_them_either(apertures: dict, tmp_path: Path) -> None:
    path = simulated_table(tmp_path, FIXED)
    with pytest.raises(InputError, match="too large"):
        remeasure_table(tmp_path, path, make_settings({"apertures": apertures}))


def test_a_negative_multiple_of_the_width_is_refused(tmp_path: Path) -> None:
    path = simulated_table(tmp_path, AijRecipe(5.0, (9.0, 15.0), fwhm_factor=1.2))
    path.write_text(path.read_text().replace("\t1.2\t", "\t-1\t"))
    with pytest.raises(InputError, match="FWHM_Mult -1"):
        remeasure_table(tmp_path, path, Settings())


def test_trials_are_of_rows_with_stars() -> None:
    placed = np.zeros((9, 2), dtype=bool)
    placed[[2, 4, 5, 7], 0] = True
    assert trial_rows(np.arange(9), placed, "t").tolist() == [2, 4, 7]
    with pytest.raises(InputError, match="no star"):
        trial_rows(np.array([0, 1]), placed, "t")


def test_rules_are_found_where_the_first_and_last_rows_are_empty(tmp_path: Path) -> None:
    path = simulated_table(tmp_path, FIXED)
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    for row in (1, 4):
        lines[row] = [
            cell if "_T1" not in name and "_C" not in name else "NaN"
            for name, cell in zip(lines[0], lines[row], strict=True)
        ]
    path.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    again = remeasure_table(tmp_path, path, Settings())
    assert not [d for d in again.differences(Tolerance(1e-9)) if d.n_beyond]


@pytest.mark.parametrize("row", ["25.0,10.0", "10:00:00,95:00:00", "nan,10"])
def test_stars_are_in_the_sky(row: str, tmp_path: Path) -> None:
    path = tmp_path / "x.radec"
    path.write_text(f"{row},1,1,12.0\n")
    with pytest.raises(InputError, match="line 1 is no star"):
        read_radec(path)


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture) -> None:
    assert one_line("a\x1b[31mb\n c\x07") == "a?[31mb c?"
    print_table("t\x1b", ["h\x1b"], [["x\x1b]0;boo\x07"]])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "x?]0;boo?" in shown
