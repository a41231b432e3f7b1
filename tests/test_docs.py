"""The documentation says what the program does: flags, columns, links."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lightcurve.astrometry.chain import SOLVERS
from lightcurve.catalogs.services import SERVICES
from lightcurve.core.columns import TABLES, TableFormat, columns_in_markdown
from lightcurve.core.covariates import COVARIATES
from lightcurve.core.flags import MEANING, Flag
from lightcurve.exports.formats import EXPORTS, exports_in_markdown
from lightcurve.exports.submission import COMMON

ROOT = Path(__file__).parents[1]
MODULES_PAGE = ROOT / "docs" / "modules.md"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def test_every_flag_is_explained() -> None:
    text = (ROOT / "docs" / "outputs.md").read_text()
    for flag in Flag:
        assert f"| {int(flag)} | `{flag.name}` | {MEANING[flag]} |" in text


@pytest.mark.parametrize("table", [*TABLES], ids=lambda table: table.name)
def test_every_column_is_explained(table: TableFormat) -> None:
    assert columns_in_markdown(table.columns) in (ROOT / "docs" / "outputs.md").read_text()


def test_every_solver_is_explained() -> None:
    rows = "\n".join(solver.in_markdown for solver in SOLVERS)
    assert f"|---|---|\n{rows}\n\n" in (ROOT / "docs" / "solving.md").read_text()


def test_every_service_is_explained() -> None:
    rows = "\n".join(service.in_markdown for service in SERVICES)
    assert f"|---|---|---|\n{rows}\n\n" in (ROOT / "docs" / "image.md").read_text()


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


def test_every_export_says_what_it_needs() -> None:
    assert exports_in_markdown() in (ROOT / "docs" / "transit.md").read_text()
    for export in EXPORTS:
        assert {*export.needs} <= {*COMMON, *export.details}, export.name
        assert all(detail.ask for detail in export.needs), export.name


def test_every_covariate_is_explained() -> None:
    rows = "\n".join(covariate.in_markdown for covariate in COVARIATES)
    assert rows in (ROOT / "docs" / "transit.md").read_text()


def modules_in_markdown() -> str:
    """Every folder and module with the first line of its docstring, as docs/modules.md has it."""
    text = ["# Where things are", ""]
    text += ["Every module with the first line of its docstring, which a test holds it to.", ""]
    for folder in sorted(p.parent for p in (ROOT / "lightcurve").rglob("__init__.py")):
        names = sorted(p for p in folder.glob("*.py") if p.name != "__init__.py")
        text += [f"## `{folder.relative_to(ROOT).as_posix()}/`", "", _says(folder / "__init__.py")]
        text += ["", "| module | what it does |", "|---|---|"]
        text += [f"| `{path.stem}` | {_says(path)} |" for path in names] + [""]
    return "\n".join(text)


def _says(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]


def test_every_module_is_listed_with_what_it_does() -> None:
    assert MODULES_PAGE.read_text() == modules_in_markdown()
