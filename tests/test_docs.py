"""The documentation says what the program does: flags, columns, links."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from lightcurve.flags import MEANING, Flag
from lightcurve.formats.export import EXPORTS
from lightcurve.stages.export import ASK, REQUIRED

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def test_every_flag_is_explained() -> None:
    text = (ROOT / "docs" / "outputs.md").read_text()
    for flag in Flag:
        assert f"| {int(flag)} | `{flag.name}` | {MEANING[flag]} |" in text


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


def test_every_module_has_its_place_on_the_map_and_in_the_layers() -> None:
    pages, project = (ROOT / "CONTRIBUTING.md").read_text(), (ROOT / "pyproject.toml").read_text()
    (contract,) = tomllib.loads(project)["tool"]["importlinter"]["contracts"]
    layers = {name for layer in contract["layers"] for name in layer.split(" | ")}
    for path in (ROOT / "lightcurve").iterdir():
        if path.suffix == ".py" and not path.name.startswith("__"):
            assert re.search(rf"[`/]{path.name}`", pages), path.name
        elif not (path / "__init__.py").is_file():
            continue
        assert path.stem == "data" or f"lightcurve.{path.stem}" in layers, path.name
        assert path.suffix or f"{path.name}/" in pages, path.name


def test_imports_for_types_alone_point_down_too() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert not project["tool"]["importlinter"].get("exclude_type_checking_imports")


def test_warnings_that_are_left_out_are_named() -> None:
    """A filter without a category would hide what nobody has thought of."""
    for path in (ROOT / "lightcurve").rglob("*.py"):
        assert 'simplefilter("ignore")' not in path.read_text(encoding="utf-8"), path


def test_every_export_says_what_it_needs() -> None:
    assert set(REQUIRED) == set(EXPORTS)
    assert {name for names in REQUIRED.values() for name in names} <= set(ASK)
