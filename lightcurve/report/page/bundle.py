"""Put the page together: template, style, scripts, data and Bokeh in one file.

What comes from headers, catalogues and file names is hostile: the template escapes it, the data
stand in a block that is never run, the scripts make text nodes of them, and the page's own policy
lets nothing run but its scripts, named by their digests, and nothing be fetched.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.report.html import as_data, lay_out, small_figure
from lightcurve.report.page.contents import Page
from lightcurve.report.page.sketch import sketch_curve

if TYPE_CHECKING:
    import jinja2

__all__ = ["read_ahead", "write_night_page"]

HERE = Path(__file__).parent
# Joined in this order into one closure, those that are there.
ENGINE = ("linalg", "discs", "quick", "weightings", "ensemble", "outliers", "engine")
VIEWS = ("paper", "charts", "controls", "table", "field", "stars", "film", "frames", "live")
MODULES = ("state", *ENGINE, *VIEWS, "start")
# Indents, and lines that are none but comment: no text in the scripts has line breaks.
COMMENT = re.compile(r"^ *(?:(?://[^\n]*|/\*\*.*?\*/)\n)?", re.MULTILINE | re.DOTALL)
BOKEH = Path("server", "static", "js", "bokeh.min.js")


def write_night_page(path: str | Path, page: Page) -> Path:
    """Write the page of a night.

    Parameters
    ----------
    path : path-like
        Replaced as a whole.

    Raises
    ------
    InputError
        When it cannot be written, or a figure is missing or no PNG.
    """
    return write_text(path, render_page(page))


def render_page(page: Page) -> str:
    """Lay out the page: HTML that needs nothing else."""
    from markupsafe import Markup

    code, bokeh = _script(), _bokeh()
    return _template().render(
        page=page,
        sections=[lay_out(section, small=True) for section in page.sections],
        figures=[small_figure(path, caption) for path, caption in page.figures.items()],
        sketch=sketch_curve(page),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704  (our own)
        script=Markup(code),  # noqa: S704  (our own)
        policy=_policy(_digest(code), bokeh.digest, live=page.live is not None),
        bokeh=bokeh.packed,
        data=Markup(as_data(page.content())),  # noqa: S704  (no mark that ends the block is in it)
    )


def read_ahead() -> None:
    """Read what all pages hold, so that the first need not wait for it."""
    _script(), _bokeh(), _template()


def _policy(*digests: str, live: bool) -> str:
    """Say what the page may do: run our scripts, show pictures that it holds, look up its own data.

    The last only where the night still goes on.
    """
    rules = [
        "default-src 'none'", f"script-src {' '.join(digests)}", "style-src 'unsafe-inline'",
        "img-src data: blob:", "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip
    return "; ".join([*rules, *(["connect-src 'self'"] if live else [])])


@cache  # a night that goes on writes its page again and again
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string((HERE / "page.html").read_text(encoding="utf-8"))


@cache
def _script() -> str:
    """Join the modules into one closure."""
    files = [HERE / "assets" / f"{name}.js" for name in MODULES]
    code = "\n".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    code = COMMENT.sub("", code)
    return f'(() => {{\n"use strict";\n{code}\n}})();'


class _Library(NamedTuple):
    digest: str
    packed: str


@cache
def _bokeh() -> _Library:
    """Pack Bokeh's script; found by where the package lies, which is never imported: it is slow."""
    spec = find_spec("bokeh")
    if spec is None or spec.submodule_search_locations is None:
        msg = "Bokeh is not installed: pip install bokeh"
        raise InputError(msg)
    code = Path(spec.submodule_search_locations[0], BOKEH).read_text(encoding="utf-8")
    packed = base64.b64encode(gzip.compress(code.encode(), 9, mtime=0)).decode()
    return _Library(_digest(code), packed)


def _digest(code: str) -> str:
    """Name a script as a policy does."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
