"""The pages: each one HTML file that needs nothing else, reads well and prints well.

What comes from headers, catalogues and file names is hostile until proven otherwise: the templates
escape, their own policy forbids scripts but the page's and, but for the Aladin view that a reader
asks for, outside addresses; data stand in a block that is never run.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from lightcurve.core.data import Parameter
from lightcurve.core.errors import InputError
from lightcurve.core.files import file_state, json_text, write_text
from lightcurve.report.field import stretch, thin

if TYPE_CHECKING:
    import jinja2

__all__ = [
    "ImagePage",
    "PlainPage",
    "Section",
    "Table",
    "as_printed",
    "in_words",
    "lighten",
    "parameter_table",
    "table_of",
    "write_page",
    "write_plain_page",
]

ALIKE = 1.1  # errors whose ratio is less are told as one, the larger
PARAMETER_NAMES = {
    "rp_over_rs": "Rp/R*",
    "rp_over_rs_uncorrected": "Rp/R*, not corrected",
    "dilution": "target's share of light",
    "a_over_rs": "a/R*",
    "mid_time_bjd_tdb": "mid-transit time",
    "o_minus_c_minutes": "O \N{MINUS SIGN} C",
}
SMALL, COLOURS = 0.75, 48  # of a figure among many
SCRIPT = Path(__file__).parent / "assets" / "image_page.js"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report.

    Attributes
    ----------
    rows : tuple of tuples
        Any values; floats are shown with seven digits.
    folded : bool
        Shown only when asked for (a long table).
    """

    columns: tuple[str, ...]
    rows: tuple[tuple, ...]
    title: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    text : tuple of str
        Paragraphs.
    figures : mapping of path to str
        PNG file to caption.
    links : mapping of str to str
        File, relative to the page, to what it is.
    """

    title: str
    text: tuple[str, ...] = ()
    figures: Mapping[Path, str] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class PlainPage:
    """What a page says: facts at its head, what to know of them, and sections."""

    title: str
    subtitle: str
    facts: Mapping[str, str]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str


@dataclass(frozen=True, slots=True, eq=False)
class ImagePage:
    """What the page of a frame says: as `PlainPage`, and the frame.

    Attributes
    ----------
    pixels : (ny, nx) float array
        The frame.
    sources : sequence of dict
        ``id``, ``x``, ``y``, ``ra`` and ``dec`` (where they are known), ``kind`` (``"source"``,
        ``"calibrating"``, ``"residual"`` or ``"candidate"``), ``facts`` (pairs of texts), and
        ``matches``, each with ``title`` and ``facts``.
    radius_px : float
        Of the circles.
    centre : tuple of float, or None
        RA and Dec, degrees; without them the page has no links to the sky.
    width_deg : float
        Of the field.
    """

    title: str
    subtitle: str
    facts: Mapping[str, str]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    pixels: np.ndarray
    sources: Sequence[Mapping[str, Any]]
    radius_px: float
    centre: tuple[float, float] | None
    width_deg: float
    footer: str = field(default="")


def table_of(rows: Iterable[Mapping[str, Any]], *, title: str = "", folded: bool = False) -> Table:
    """Make a table from rows given by name.

    Parameters
    ----------
    rows : iterable of mappings
        Column to value; columns stand in the order in which they first appear.
    """
    rows = list(rows)
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    body = tuple(tuple(row.get(name, "") for name in names) for row in rows)
    return Table(names, body, title, folded)


def parameter_table(parameters: Mapping[str, Parameter], *, title: str = "") -> Table:
    """Make a table of fitted parameters.

    Returns
    -------
    Table
        Value with the distances to its 16 and 84 % points, rounded by `round_together`.
    """
    rows = tuple(
        (_parameter_name(name), *round_together(p), p.unit) for name, p in parameters.items()
    )
    return Table(("parameter", "value", "minus", "plus", "unit"), rows, title)


def _parameter_name(name: str) -> str:
    """Say a parameter in words; its unit has a column of its own."""
    if name in PARAMETER_NAMES:
        return PARAMETER_NAMES[name]
    for unit in ("_bjd_tdb", "_deg", "_days", "_percent", "_g_cm3", "_minutes"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def round_together(parameter: Parameter) -> tuple[str, str, str]:
    """Round a value and its errors to two digits of the smaller error.

    Returns
    -------
    value, minus, plus : str
        Errors are empty where they are not known.
    """
    minus = parameter.value - parameter.lower
    plus = parameter.upper - parameter.value
    sizes = [s for s in (minus, plus) if np.isfinite(s) and s > 0]
    if not sizes or not np.isfinite(parameter.value):
        return f"{parameter.value:.8g}", "", ""
    decimals = int(np.clip(1 - np.floor(np.log10(min(sizes))), 0, 12))
    value, below, above = (f"{n:.{decimals}f}" for n in (parameter.value, minus, plus))
    return value, below, above


def in_words(parameter: Parameter, unit: str | None = None, times: float = 1.0) -> str:
    """Write a value with its error, or both errors where they differ, as a terminal shows it.

    unit : in place of the parameter's own. times : so many of that unit is one of its own.
    """
    value, minus, plus = round_together(
        Parameter(times * parameter.value, times * parameter.lower, times * parameter.upper)
    )
    below, above = parameter.value - parameter.lower, parameter.upper - parameter.value
    alike = max(below, above) < ALIKE * min(below, above)
    error = f"+- {max(minus, plus, key=float)}" if alike else f"-{minus} +{plus}"
    unit = parameter.unit if unit is None else unit
    return " ".join(word for word in (value, error if plus else "", unit) if word)


def as_printed(text: str) -> str:
    """Set the signs of what is shown in a terminal as they are printed."""
    text = text.replace("+-", "\N{PLUS-MINUS SIGN}")
    return re.sub(r"(?<![^\s(])-(?=[\d.])", "\N{MINUS SIGN}", text)


def _template(name: str) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def lay_out(section: Section, *, small: bool = False) -> dict[str, Any]:
    """Make of a section what the templates show: texts, figures as they lie in the page, tables."""
    show = small_figure if small else embed
    return {
        "title": section.title,
        "text": section.text,
        "figures": [show(path, caption) for path, caption in section.figures.items()],
        "tables": [_display(table) for table in section.tables],
        "links": [(quote(name), name, words) for name, words in section.links.items()],
    }


def _render_page(page: ImagePage) -> str:
    from markupsafe import Markup

    script = SCRIPT.read_text(encoding="utf-8")
    ny, nx = page.pixels.shape
    content: dict[str, Any] = {
        "sources": list(page.sources), "size": [nx, ny], "radius": round(page.radius_px, 2),
    }  # fmt: skip
    if page.centre is not None:
        ra, dec = (round(value, 6) for value in page.centre)
        content |= {"ra": ra, "dec": dec, "fov": round(page.width_deg, 4)}
    return _template("image_page.html").render(
        **_words(page),
        picture=_png(stretch(thin(page.pixels)[0])),
        nx=nx,
        ny=ny,
        centre=page.centre and quote("{:.6f} {:+.6f}".format(*page.centre)),
        fov=round(page.width_deg, 4),
        script=Markup(script),  # noqa: S704  (our own)
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        data=Markup(as_data(content)),  # noqa: S704  (no mark that could end the block is in it)
    )


def _words(page: PlainPage | ImagePage) -> dict[str, Any]:
    """Lay out what every page has; of tables and sections those that are not empty."""
    filled = (replace(s, tables=tuple(t for t in s.tables if t.rows)) for s in page.sections)
    return {
        "title": page.title,
        "subtitle": page.subtitle,
        "facts": page.facts,
        "warnings": page.warnings,
        "sections": [lay_out(s) for s in filled if s.text or s.figures or s.tables],
        "footer": page.footer,
    }


def as_data(content: Any) -> str:
    """Write JSON with ``<``, ``>`` and ``&`` as escapes: no text can end the block or begin one."""
    text = json_text(content)
    for mark, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(mark, code)
    return text


def write_page(path: str | Path, page: ImagePage) -> Path:
    """Write the page of one frame: its picture with sources to click on, figures and tables."""
    return write_text(path, _render_page(page))


def write_plain_page(path: str | Path, page: PlainPage) -> Path:
    """Write a page of figures and tables, without a script."""
    return write_text(path, _template("image_page.html").render(**_words(page), picture=""))


def _png(values: np.ndarray) -> str:
    """Encode an image of 0 to 1, dark on white, first row at the bottom, as a data address."""
    from PIL import Image

    file = io.BytesIO()
    picture = np.rint(255 * (1 - values[::-1])).astype(np.uint8)
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return _data_address(file.getvalue())


def _data_address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def embed(path: Path, caption: str) -> dict[str, Any]:
    """Read a PNG for the page, with its size so that the page does not jump while loading."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        msg = f"{path}: the figure cannot be read: {error.strerror}"
        raise InputError(msg) from error
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        msg = f"{path}: not a PNG; the report embeds only those"
        raise InputError(msg)
    width, height = struct.unpack(">II", data[16:24])
    return {"source": _data_address(data), "caption": caption, "width": width, "height": height}


def small_figure(path: Path, caption: str) -> dict[str, Any]:
    """Make a figure light enough for a page of many: three quarters as wide, of few colours.

    Raises InputError when it is missing or no PNG.
    """
    return {**_lightened(path, file_state(path)), "caption": caption}


def lighten(path: Path) -> None:
    """Make the figure of a file light ahead of its page, which then has it at hand."""
    _lightened(path, file_state(path))


@lru_cache(maxsize=16)
def _lightened(path: Path, state: str) -> dict[str, Any]:  # noqa: ARG001  (as the file is)
    from PIL import Image

    embed(path, "")
    with Image.open(path) as figure:
        width, height = (round(side * SMALL) for side in figure.size)
        small = figure.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(COLOURS).save(file, format="PNG")  # optimised it takes five times as long
    return {"source": _data_address(file.getvalue()), "width": width, "height": height}


def _display(table: Table) -> dict[str, Any]:
    numeric = {k for k in range(len(table.columns)) if _is_numeric([row[k] for row in table.rows])}
    return {
        "title": table.title,
        "folded": table.folded,
        "columns": table.columns,
        "numeric": numeric,
        "rows": [[_show(value) for value in row] for row in table.rows],
    }


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [v for v in values if v not in {None, ""}]
    return bool(known) and all(
        isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in known
    )


def _show(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return "\N{EN DASH}"
        # Julian dates keep their seconds.
        return f"{value:.6f}" if abs(float(value)) >= 1e6 else f"{value:.7g}"
    return str(value)
