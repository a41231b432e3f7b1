"""What the manual has from the program: the list of modules, and the tables of its registries."""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from pathlib import Path

import lightcurve
from lightcurve.astrometry.chain import SOLVERS
from lightcurve.catalogs.services import SERVICES
from lightcurve.core.columns import TABLES, columns_in_markdown
from lightcurve.core.covariates import COVARIATES
from lightcurve.core.flags import MEANING, Flag
from lightcurve.exports.formats import exports_in_markdown
from lightcurve.frames.cameras import CAMERAS
from lightcurve.transit.keys import keys_in_markdown

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GALLERY = ROOT / "tests" / "frames" / "gallery.toml"
GALLERY_SAYS = """\
{} headers of programs and cameras, and what is right of each: worked out from their cards and
from what is known of the instruments, not by this program. A test reads each and fails where a
value differs, or where one is found that the header does not tell (-). Middles of the exposure
are UTC, gains e-/ADU, scales arc seconds a pixel, longitudes east positive. Those in italics
were written for the gallery after the documents of the camera."""
_TABLE = re.compile(r"(?m)^\|[-|]+\|\n((?:\|.*\n)+)")


def modules_in_markdown() -> str:
    """Every folder and module with the first line of its docstring, as docs/modules.md has it."""
    text = ["# Where things are", ""]
    text += ["Every module with the first line of its docstring, which a test holds it to.", ""]
    package = Path(lightcurve.__file__).parent  # installed, or beside the docs
    for folder in sorted(p.parent for p in package.rglob("__init__.py")):
        names = sorted(p for p in folder.glob("*.py") if p.name != "__init__.py")
        text += [
            f"## `{folder.relative_to(package.parent).as_posix()}/`",
            "",
            _says(folder / "__init__.py"),
        ]
        text += ["", "| module | what it does |", "|---|---|"]
        text += [f"| `{path.stem}` | {_says(path)} |" for path in names] + [""]
    return "\n".join(text)


def _says(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]


def pages() -> dict[Path, str]:
    """Every page that has something from the program, as it should be."""
    columns = [columns_in_markdown(table.columns) for table in TABLES]
    flags = "\n".join(f"| {int(flag)} | `{flag.name}` | {MEANING[flag]} |" for flag in Flag)
    covariates = "\n".join(covariate.in_markdown for covariate in COVARIATES)
    tables = {
        "outputs.md": [*columns, flags],
        "cameras.md": ["\n".join(profile.in_markdown for profile in CAMERAS)],
        "solving.md": ["\n".join(solver.in_markdown for solver in SOLVERS)],
        "image.md": ["\n".join(service.in_markdown for service in SERVICES)],
        "transit.md": [exports_in_markdown(), covariates, keys_in_markdown()],
    }
    made = {DOCS / "modules.md": modules_in_markdown(), DOCS / "gallery.md": gallery_in_markdown()}
    for name, pasted in tables.items():
        text = (DOCS / name).read_text()
        for table in pasted:
            text = paste(text, table)
        made[DOCS / name] = text
    return made


def gallery_in_markdown() -> str:
    """Headers of many programs with what is right of each, which a test holds the reading to."""
    entries = tomllib.loads(GALLERY.read_text())["header"]
    text = ["# Gallery of headers", "", GALLERY_SAYS.format(len(entries)), ""]
    names = ("header", "[profile](cameras.md)", "middle", "exposure, s", "filter", "gain", "kind")
    names += ("pointing, deg", "scale", "site, deg")
    text += [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*text, *map(_row_of_the_gallery, entries), ""])


def _row_of_the_gallery(entry: dict) -> str:
    name = f"*{entry['name']}*" if "cards" in entry else entry["name"]
    pointing = f"{entry['ra']:.4f} {entry['dec']:+.4f}" if "ra" in entry else None
    site = "{:.4f} {:+.4f}".format(*entry["site"]) if "site" in entry else None
    told = [entry.get(k) for k in ("profile", "mid_utc", "exposure_s", "filter", "gain", "kind")]
    cells = [name, *told, pointing, entry.get("scale"), site]
    shown = (
        "-" if cell is None else f"{cell:g}" if isinstance(cell, float) else cell for cell in cells
    )
    return f"| {' | '.join(shown)} |"


def paste(page: str, table: str) -> str:
    """Put a table in the place of the one of a page that shares the most first cells with it."""
    rows = re.sub(r"(?s)^.*\n\|[-|]+\|\n", "", table).strip("\n") + "\n"
    wanted = _first_cells(rows)

    def likeness(body: str) -> float:
        cells = _first_cells(body)
        return len(cells & wanted) / len(cells | wanted)

    found = max(_TABLE.finditer(page), key=lambda match: likeness(match[1]))
    if not likeness(found[1]):
        msg = f"no table has any of {', '.join(sorted(wanted))}"
        raise ValueError(msg)
    return page[: found.start(1)] + rows + page[found.end(1) :]


def _first_cells(rows: str) -> set[str]:
    return {row.split("|")[1].strip() for row in rows.splitlines()}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for path, text in pages().items():
        if path.read_text() != text:
            path.write_text(text)
            print(f"{path.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()
