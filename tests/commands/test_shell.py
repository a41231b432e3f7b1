"""How a command speaks on the terminal: lines that fit, what goes on, and how it ends."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lightcurve.cli import main
from lightcurve.commands.live import LINE
from lightcurve.commands.options import a_folder
from lightcurve.commands.shell import (
    bar,
    fitted,
    print_products,
    print_table,
    say_each,
    show_messages,
)
from lightcurve.core.data import Finding, Products, Result, Verdict
from lightcurve.core.progress import Clock, stage


class Terminal(io.StringIO):
    """A terminal of so many columns."""

    def isatty(self) -> bool:
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Within the test: pytest's own standard error comes back after each fixture."""
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    return screen


@given(st.text(max_size=900), st.integers(5, 400))
def test_no_line_is_longer_than_the_terminal_nor_than_200(text: str, columns: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLUMNS", str(columns))
        lines = fitted(text, Terminal(), first="  a  ").split("\n")
    assert max(map(len, lines)) <= max(20, min(columns, 200))


def test_a_pipe_has_lines_of_200(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert len(fitted("word " * 100, io.StringIO()).split("\n")) == 3


def test_texts_stand_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    say_each([("a", "one"), ("label", "two\nlines"), ("b", "")])
    assert capsys.readouterr().out.splitlines() == ["  a      one", "  label  two lines", "  b"]


def test_a_message_has_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of files are in messages."""
    monkeypatch.setattr("sys.stderr", screen := io.StringIO())
    show_messages(quiet=False)
    logging.getLogger("lightcurve.night").info("%s", "\x1b[31ma\rb\x9b.fits")
    assert screen.getvalue() == "?[31ma b?.fits\n"


def test_what_goes_on_is_shown_from_the_first_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    show_messages(quiet=True)
    with Clock()("fit", "fitting the transit"):
        assert "fitting the transit" in terminal.getvalue()
        for _ in bar([1, 2], "two things"):
            assert LINE.progress is not None
            LINE.progress.refresh()
        assert "two things" in terminal.getvalue()
        assert "0 of 2" in terminal.getvalue()
        with stage("inner"):
            assert len(LINE.tasks) == 2
    assert LINE.tasks == []
    assert LINE.progress is None


def test_what_goes_on_is_gone_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    open_terminal(monkeypatch)
    show_messages(quiet=True)
    with pytest.raises(ValueError, match="told"), stage("failing"):
        list(bar((int(word) if word.isdecimal() else fail() for word in "12x"), "numbers"))
    assert LINE.tasks == []


def fail() -> int:
    msg = "told"
    raise ValueError(msg)


def test_nothing_is_shown_but_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_messages(quiet=True)
    with stage("something"):
        assert list(bar(iter("ab"), "letters")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def products(folder: Path, **more: Result) -> Products:
    summary = {
        "target": Result("X-1 b", label="target"),
        "frames_measured": Result(9, "", "frames measured", "9 of 12"),
        "scatter_point_to_point_percent": Result(0.5, "%", "scatter, point to point", "0.50 %"),
        "points": Result(9, "", "points", "9 of 9"),
        "comparison_stars": Result(5, label="comparison stars"),
        "check_star": Result("K2", "", "check star", "K2: it drifts over the night: " + "9 " * 200),
        "check_troubles": Result(["trend"]),
    }
    page = {"report.html": folder / "report.html", "lightcurve.csv": folder / "lightcurve.csv"}
    return Products(folder, page, {}, summary | more)


def test_a_command_ends_with_three_numbers_and_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted_values = {
        "mid_time_bjd_tdb": Result(2458107.7, "BJD_TDB", "mid-transit", "2458107.70 -0.01 +0.01"),
        "rp_over_rs": Result(0.15, "", "Rp/R*", "0.150 -0.010 +0.010"),
        "residual_scatter_percent": Result(0.4, "%", "residual scatter", "0.400 %"),
        **Verdict(Finding.TRANSIT, "observed").results,
    }
    print_products("Result", products(tmp_path, **fitted_values))
    said = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[1] for line in said[1:4]] == [
        "mid-transit", "Rp/R*", "residual scatter",
    ]  # fmt: skip
    assert said[0].startswith("X-1 b, transit: observed")
    assert said[-1] == f"open {tmp_path / 'report.html'}"
    assert any("frames lost" in line and " 3, " in line for line in said)
    assert max(map(len, said)) <= 200


def test_without_a_planet_the_curve_is_what_matters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_products("Result", products(tmp_path))
    said = capsys.readouterr().out
    assert "9 of 12 frames" in said
    assert "scatter, point to point  0.50 %" in said
    assert "lightcurve.csv" not in said
    print_products("Result", products(tmp_path), verbose=True)
    assert "lightcurve.csv" in capsys.readouterr().out
    print_products("Result", products(tmp_path), json=True)
    assert set(json.loads(capsys.readouterr().out)) == {"summary", "files"}


WORDS = st.text("abc \u00e9_", max_size=30)


@given(
    st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), min_size=1, max_size=4), st.integers(20, 200)
)
def test_no_table_is_wider_than_the_terminal_or_hides_a_cell(rows: list, columns: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        screen = Terminal()
        patched.setattr("sys.stdout", screen)
        patched.setenv("COLUMNS", str(columns))
        print_table("Title", ["choice", "scatter %", "mid-time, BJD_TDB", "x"], rows, whole=("x",))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).split("\n")
    assert max(map(cell_len, lines)) <= columns
    for letter in "abc\u00e9":
        shown = sum(line.count(letter) for line in lines)
        assert shown >= sum(cell.count(letter) for row in rows for cell in row)


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_numbers_stay_whole_and_their_row_has_its_name(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    names = ["", "scatter %", "mid-time, BJD_TDB", "+- min", "depth %", "Rp/R*", "points", "BIC"]
    row = ["weights", "0.391", "2458107.71168", "1.51", "2.695", "0.1480", "142", "175.6"]
    print_table("Choices", names, [row], whole=names[1:])
    for cell in row:
        assert cell in screen.getvalue()


@pytest.mark.parametrize("words", [["plot", "RUN"], ["export", "ecsv", "RUN"], ["fit", "RUN"]])
@pytest.mark.parametrize("name", ["a.pdf", "A.TXT", "a.csv"])
def test_no_folder_is_made_that_is_called_as_a_file(
    words: list[str],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / name
    monkeypatch.setattr("sys.argv", ["lightcurve", *words, "--out", str(out)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert name in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_that_is_there_may_be_called_anything(tmp_path: Path) -> None:
    there = tmp_path / "night.fits"
    there.mkdir()
    assert a_folder(there) == there
    assert a_folder(tmp_path / "HAT-P-32.2017-12-19") is not None
    assert a_folder(None) is None


def test_a_library_that_misses_a_folder_of_its_own_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["lightcurve", "--version"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(SystemExit):
            main()
        warnings.warn("XDG_CONFIG_HOME is set to /x, but no such file", stacklevel=1)
        warnings.warn("another", stacklevel=1)
    assert [str(one.message) for one in caught] == ["another"]
