"""The documentation site: it builds without a warning, loads nothing from outside, and is true."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

import lightcurve
from benchmarks.reference import (
    commands_in_markdown,
    commands_of_the_program,
    settings_in_markdown,
)
from browser import complaints, needs_browser, open_browser, requests, resize
from lightcurve.cli import app
from lightcurve.commands.options import OPTIONS
from lightcurve.core.errors import LightcurveError

ROOT = Path(__file__).parents[1]
PACKAGE = Path(lightcurve.__file__).parent  # installed, or beside the tests
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md")])
COMMAND = re.compile(r"(?m)^(?:    )?(lightcurve [a-z].*)$|`(lightcurve [a-z][^`\n]*)`")
FAILS = "# fails"
FITS = re.compile(r"lightcurve (run|fit) (?!.*--no-transit)|lightcurve tune .*--drop")
HELP = ("--help", "-h")
SMALL = ("--frames", "26", "--size", "300", "240", "--start", "2024-10-03T06:56:00")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site; 15 s, of which the notebook's night is most."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    built = subprocess.run(
        [*command, "-d", str(out / "doctrees"), str(DOCS), str(out / "html")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return out / "html"


class _Loads(HTMLParser):
    """Addresses that a browser fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = {"link": "href"}.get(tag, "src")
        given = dict(attrs)
        if tag != "link" or given.get("rel") in {"stylesheet", "preload", "icon", "modulepreload"}:
            self.found += [given[name] or ""] if name in given else []


def test_the_site_loads_nothing_from_outside(site: Path) -> None:
    pages = list(site.glob("*.html"))
    assert len(pages) > 30
    for page in pages:
        reader = _Loads()
        reader.feed(page.read_text())
        assert reader.found
        outside = [address for address in reader.found if re.match(r"(https?:)?//", address)]
        assert not outside, page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text()), sheet


@needs_browser
def test_a_browser_shows_the_site_whole(site: Path) -> None:
    """On a phone and on a wide screen: nothing is asked for elsewhere, nothing sticks out."""
    with open_browser() as browser:
        for width in (400, 1400):
            resize(browser, width, 900)
            for name in ("index", "mathematics", "notebook", "commands", "gallery"):
                browser.get((site / f"{name}.html").as_uri())
                assert complaints(browser) == []
                assert all(url.startswith(("file:", "data:")) for url in requests(browser))
                seen = "return document.documentElement.scrollWidth"
                assert browser.execute_script(seen) <= width, (name, width)


def test_formulas_are_set_and_the_notebook_was_run(site: Path) -> None:
    page = (site / "mathematics.html").read_text()
    assert page.count("<math") > 40
    assert "merror" not in page
    notebook = (site / "notebook.html").read_text()
    assert "Finding.TRANSIT" in notebook
    assert len(list((site / "_images").glob("*.png"))) >= 5


def test_every_command_and_every_setting_stands_in_the_reference(site: Path) -> None:
    text = commands_in_markdown()
    for words, command in _commands():
        assert f"# `{' '.join(words)}`" in text
        for parameter in command.get_params(Context(command)):
            for flag in parameter.opts if parameter.param_type_name == "option" else ():
                assert flag in {*HELP} or flag in text, flag
    rows = settings_in_markdown().splitlines()
    for name in OPTIONS:
        assert any(row.startswith(f"| `{name}` |") for row in rows), name
    assert "--telescope-diameter" in (site / "commands.html").read_text()
    assert "camera.gain_e_per_adu" in (site / "settings.html").read_text()


def _commands() -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    for name, command in commands_of_the_program().items():
        if isinstance(command, TyperGroup):
            yield from (((name, verb), inner) for verb, inner in command.commands.items())
        if not isinstance(command, TyperGroup) or command.invoke_without_command:
            yield (name,), command


def _typed(page: Path) -> list[list[str]]:
    """Words of every command that a page shows."""
    lines = [block or inline for block, inline in COMMAND.findall(page.read_text())]
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_of_commands_in_the_pages_exist(page: Path) -> None:
    known = dict(_commands())
    groups = {verb[:1] for verb in known}
    for words in _typed(page):
        if words[0].startswith("-") or words[0].isupper() or tuple(words) in groups:
            continue
        verb = next(
            (one for one in ((*words[:2],), (words[0],), (words[0], "show")) if one in known), None
        )
        assert verb is not None, words
        parameters = known[verb].get_params(Context(known[verb]))
        flags = {flag for one in parameters for flag in [*one.opts, *one.secondary_opts]}
        given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= flags | {*HELP}, words


def test_the_tutorial_runs_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands in their order, on a smaller night, and without sampling: 15 s."""
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "tutorial_demo.md").read_text()
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```", text)
    commands = [line for block in blocks for line in block.splitlines()]
    assert commands[0] == "lightcurve demo"
    _small_demo(tmp_path / "demo-night")
    for line in commands[1:]:
        fails = line.endswith(FAILS)
        words = shlex.split(line, comments=True)[1:]
        words += ["--no-sample"] if FITS.search(line) else []
        result = CliRunner().invoke(app, words)
        assert (result.exit_code != 0) == fails, f"{line}\n{result.output}"
        assert not fails or isinstance(result.exception, LightcurveError)
        if words[0] == "run" and not fails:
            # The demo's own run would be this one.
            shutil.copytree("demo-run", "demo-night/run")
    assert (tmp_path / "demo-run" / "report.html").is_file()
    assert list((tmp_path / "demo-exoclock").glob("*_for_ExoClock.txt"))


def _small_demo(folder: Path) -> None:
    from lightcurve.night.demo import demo_planet, write_planet
    from lightcurve.simulate.night import demo_night

    night, _, _, target = demo_night(1)
    folder.mkdir()
    planet = folder / "planet.toml"
    write_planet(planet, demo_planet(night, target))
    words = ["simulate", folder / "night", "--planet", planet, *SMALL]
    assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == 0


def test_messages_of_the_troubleshooting_page_are_those_of_the_program() -> None:
    """Each quoted message, between its dots, stands in the source."""
    source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    # Sentences go on over lines of the source, and have values in them.
    joined = re.sub(r'"\s*\n\s*f?"', "", source)
    page = (DOCS / "troubleshooting.md").read_text()
    quoted = [
        text
        for line in re.findall(r"(?m)^(.*`.*)\n: ", page)
        for text in re.findall(r"`([^`]+)`", line)
        if " " in text
    ]
    assert len(quoted) > 10
    for text in quoted:
        for piece in text.split("..."):
            assert piece.strip() in joined, text
