"""The documentation site: `make site` builds it into build/site, without a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.reference import commands_in_markdown, settings_in_markdown  # noqa: E402
from lightcurve.core.constants import __version__  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

project = "lightcurve"
version = release = __version__
copyright = "the authors of lightcurve"  # noqa: A001 -- Sphinx names it so
extensions = [
    "myst_nb",  # pages in Markdown, and one that is executed
    "sphinx.ext.autodoc",
    "numpydoc",  # docstrings as numpy and astropy write them
    "sphinx_copybutton",
]
root_doc = "index"
exclude_patterns = ["_build"]
highlight_language = "none"
smartquotes = False  # two hyphens are an option, not a dash

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"
numpydoc_show_class_members = False
autodoc_typehints = "none"  # numpydoc's sections say them

html_theme = "pydata_sphinx_theme"
html_title = f"lightcurve {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_copy_source = False
html_theme_options = {
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": []}
html_math_renderer = "mathml"


def _fill_in(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put what the program says of its commands where the page asks for it."""
    for name, write in {"commands": commands_in_markdown, "settings": settings_in_markdown}.items():
        if page == name:
            source[0] = source[0].replace(f"<!-- {name} -->", write())


def _formula(writer: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers set by themselves: nothing is loaded for it."""
    block = isinstance(node, nodes.math_block)
    mathml = tex2mathml(node.astext(), as_block=block)
    writer.body.append(f'<div class="formula">{mathml}</div>' if block else mathml)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Tell Sphinx of both."""
    app.connect("source-read", _fill_in)
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
