"""The documentation says what the program does: flags, columns, links."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import lightcurve as lc
from benchmarks import manual
from lightcurve.exports.formats import EXPORTS
from lightcurve.exports.submission import COMMON

ROOT = Path(__file__).parents[1]
MADE = manual.pages()  # takes a second
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_what_the_program_says_is_in_the_manual(path: Path) -> None:
    """`make docs` writes it."""
    assert path.read_text() == MADE[path]


def test_a_table_is_pasted_over_the_one_most_like_it() -> None:
    page = "| a | b |\n|---|---|\n| `x` | 1 |\n| `y` | 2 |\n\n| c |\n|---|\n| `x` |\n\nend\n"
    table = "| a | b |\n|---|---|\n| `x` | 1 |\n| `y` | 3 |\n| `z` | 4 |\n"
    assert manual.paste(page, table) == page.replace("| `y` | 2 |", "| `y` | 3 |\n| `z` | 4 |")
    with pytest.raises(ValueError, match="no table has any of `q`"):
        manual.paste(page, "| `q` | 1 |")


def test_all_that_the_package_offers_is_in_the_manual() -> None:
    told = re.findall(r"^.. auto\w+:: (\w+)", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(set(lc.__all__) - {"__version__"})
    assert all(getattr(lc, name).__doc__ for name in told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_named_in_the_pages_exist(page: Path) -> None:
    from typer.main import get_command

    from lightcurve.cli import app

    known = get_command(app).commands
    for verb in re.findall(r"^    lightcurve ([a-z]+)", page.read_text(), flags=re.MULTILINE):
        assert verb in known, verb


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>> " in page.read_text()], ids=lambda page: page.name
)
def test_what_is_typed_at_a_prompt_gives_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert tried
    assert not failed


def test_every_export_says_what_it_needs() -> None:
    for export in EXPORTS:
        assert {*export.needs} <= {*COMMON, *export.details}, export.name
        assert all(detail.ask for detail in export.needs), export.name
