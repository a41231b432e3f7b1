"""The house: what others may import is said in `__all__`, and what is public is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
import tomllib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

import lightcurve

PACKAGE = Path(lightcurve.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
DOORS = {"lightcurve", "lightcurve.api", "lightcurve.cli", "lightcurve.__main__"}
# What numpydoc is asked: a docstring, sections in order, no parameter that does not exist.
CHECKS = {"GL06", "GL07", "GL08", "PR02", "PR03", "PR10"}


def folder_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else ""


def imported_across_folders() -> dict[str, set[str]]:
    """Module to the names that modules of other folders import from it."""
    taken: dict[str, set[str]] = defaultdict(set)
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module not in MODULES:
                continue
            if folder_of(node.module) != folder_of(module):
                names = {a.name for a in node.names if f"{node.module}.{a.name}" not in MODULES}
                taken[node.module] |= names
    return taken


TAKEN = imported_across_folders()
SHARED = [m for m in MODULES if m not in DOORS and folder_of(m) != "commands" and m.count(".") > 1]


def test_no_module_lies_loose_beside_the_folders() -> None:
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__", "__main__", "cli"}


def test_every_file_of_the_package_is_in_the_wheel() -> None:
    content = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    packed = {
        path
        for package, patterns in content["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in PACKAGE.parent.joinpath(*package.split(".")).glob(pattern)
    }
    kept = {
        path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert kept - {*MODULES.values()} == packed


def test_all_that_lies_beside_the_package_is_in_the_sdist() -> None:
    """`python -m benchmarks.versions` builds the archives and looks into them."""
    root = PACKAGE.parent
    packed = {"LICENSE", "MANIFEST.in", "README.md", "lightcurve", "pyproject.toml"}  # of itself
    for line in (root / "MANIFEST.in").read_text().splitlines():
        command, *names = line.split()
        packed |= {*names} if command in {"include", "graft"} else set()
    ignored = {line.strip("/") for line in (root / ".gitignore").read_text().splitlines()}
    there = {p.name for p in root.iterdir() if not any(p.match(pattern) for pattern in ignored)}
    assert {name for name in there if name[0] != "."} == packed


@pytest.mark.parametrize("module", SHARED)
def test_a_module_says_what_other_folders_take_of_it(module: str) -> None:
    told = getattr(importlib.import_module(module), "__all__", [])
    assert set(told) == TAKEN[module]
    folder = importlib.import_module(f"lightcurve.{folder_of(module)}")
    if told and module != f"lightcurve.{folder_of(module)}":
        assert module.split(".")[2] in folder.__all__


PUBLIC = [(m, name) for m in SHARED for name in sorted(TAKEN[m])]
PUBLIC += [("lightcurve", name) for name in lightcurve.__all__]


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_what_is_public_is_documented(module: str, name: str) -> None:
    validate = pytest.importorskip("numpydoc.validate").validate
    entry = getattr(importlib.import_module(module), name)
    if not (inspect.isfunction(entry) or inspect.isclass(entry)):
        return
    errors = validate(f"{entry.__module__}.{entry.__qualname__}")["errors"]
    assert not [text for code, text in errors if code in CHECKS]


FUNCTIONS = [
    (m, n) for m, n in PUBLIC if inspect.isfunction(getattr(importlib.import_module(m), n))
]
# A shape is a bracket with a comma in it, ``(n,)``, ``(ny, nx)``, or that of one value, ``()``.
SHAPE = re.compile(r"\((?:[\w ]+,[\w ,+]*)?\)")
# A parameter is named by its line, ``x, y : (n,)``, or in the text, `x` or ``x (n,)``.
NAMED = r"(?<!\w){0}(?:, \w+)*\s*:|`{0}`|(?<!\w){0},? \("


def raised_by_name(function: Callable[..., object]) -> set[str]:
    """Classes of the errors that a function's own body raises."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc]
    names = {ast.unparse(e.func if isinstance(e, ast.Call) else e) for e in raised}
    return {name for name in names if name.endswith("Error")}


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_what_is_public_tells_its_arrays_and_errors(module: str, name: str) -> None:
    function = inspect.unwrap(getattr(importlib.import_module(module), name))
    told = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if "np.ndarray" in str(parameter.annotation):
            assert re.search(NAMED.format(parameter.name), told), parameter.name
    assert raised_by_name(function) <= set(re.findall(r"\w+", told))
    if "np.ndarray" in str(signature.return_annotation):
        assert SHAPE.search(told)
