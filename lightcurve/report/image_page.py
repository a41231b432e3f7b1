"""The page of one frame: its picture with sources to click on, figures and tables, in one file.

Names from headers and catalogues are hostile until proven otherwise: the template escapes, the
data stand in a block that is never run, and the page's script writes text, never markup. Nothing
is loaded from outside until the reader asks for the Aladin view.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from lightcurve.core.files import write_text
from lightcurve.report.field import stretch, thin
from lightcurve.report.html import Section, Table

__all__ = ["ImagePage", "write_page"]

TEMPLATE = Path(__file__).with_name("image_page.html")

SCRIPT = Path(__file__).parent / "assets" / "image_page.js"


@dataclass(frozen=True, slots=True, eq=False)
class ImagePage:
    """What the page says.

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


def _render_page(page: ImagePage) -> str:
    """Lay out the page.

    Returns str: HTML.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    script = SCRIPT.read_text(encoding="utf-8")
    ny, nx = page.pixels.shape
    content: dict[str, Any] = {
        "sources": list(page.sources),
        "size": [nx, ny],
        "radius": round(page.radius_px, 2),
    }
    if page.centre is not None:
        ra, dec = (round(value, 6) for value in page.centre)
        content |= {"ra": ra, "dec": dec, "fov": round(page.width_deg, 4)}
    return template.render(
        title=page.title,
        subtitle=page.subtitle,
        facts=page.facts,
        warnings=page.warnings,
        sections=[section for section in map(_section, page.sections) if _has_content(section)],
        picture=_png(stretch(thin(page.pixels)[0])),
        nx=nx,
        ny=ny,
        centre=page.centre and quote("{:.6f} {:+.6f}".format(*page.centre)),
        fov=round(page.width_deg, 4),
        footer=page.footer,
        script=Markup(script),  # noqa: S704  (our own)
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        data=Markup(_as_data(content)),  # noqa: S704  (no mark that could end the block is in it)
    )


def _as_data(content: Any) -> str:
    """Write values as JSON that can stand in a page whatever texts they hold.

    Returns str: ``<``, ``>`` and ``&`` as escapes, so that no text can end the block or begin
        another.
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for mark, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(mark, code)
    return text


def write_page(path: str | Path, page: ImagePage) -> Path:
    """Write the page."""
    return write_text(path, _render_page(page))


def _png(values: np.ndarray) -> str:
    """Encode an image of 0 to 1, dark on white, first row at the bottom, as a data address."""
    from PIL import Image

    picture = np.rint(255 * (1 - values[::-1])).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _section(section: Section) -> dict[str, Any]:
    from PIL import Image

    figures = []
    for path, caption in section.figures.items():
        body = Path(path).read_bytes()
        width, height = Image.open(io.BytesIO(body)).size
        source = f"data:image/png;base64,{base64.b64encode(body).decode()}"
        figures.append({"source": source, "caption": caption, "width": width, "height": height})
    return {
        "title": section.title,
        "text": section.text,
        "figures": figures,
        "tables": [_table(table) for table in section.tables if table.rows],
    }


def _has_content(section: Mapping[str, Any]) -> bool:
    return any(section[name] for name in ("text", "figures", "tables"))


def _table(table: Table) -> dict[str, Any]:
    rows = [[_show(cell) for cell in row] for row in table.rows]
    return {"title": table.title, "columns": table.columns, "rows": rows}


def _show(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}" if np.isfinite(value) else "\N{EN DASH}"
    return str(value)
