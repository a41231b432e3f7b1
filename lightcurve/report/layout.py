"""Where the words of a figure stand: title and facts above, labels as wide as there is room."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.text import Text

__all__ = ["WHOLE"]

WHOLE = "\N{NO-BREAK SPACE}"  # between words of a title that stay on one line
PAD = 0.05  # inches, about each line of the head
LEAST_LETTERS = 4.0  # points
ONE_LINE = 0.55  # inches, of head and legend that figures have room for
LEAST_ROOM = 0.3  # of the height, for the axes, however long a title is
MAX_HEAD = 4  # lines of a title, and of each fact below it
PASSES = 6  # of the layout, where axes keep a shape
APART = 1.15  # numbers along an axis, in the width of the widest
SETTLED_PX = 0.05  # by which no axes moved in the last of them
BESIDE = 1.2  # width of a label over that of its axes, where there are gaps between them


def settle(figure: Figure, layout: ConstrainedLayoutEngine, *, aligned: bool) -> None:
    """Lay out until axes stay in their places.

    New places have new numbers along them, which may need other room; axes that keep a shape creep.
    aligned: labels are put in line, once places are about right: each then measures all others.
    """
    shaped = any(axes.get_aspect() != "auto" for axes in figure.axes)
    layout.execute(figure)
    for axes in figure.axes:
        _space_numbers(axes)
    if aligned:
        figure.align_xlabels([axes for axes in figure.axes if axes.get_xlabel()])
        figure.align_ylabels([axes for axes in figure.axes if axes.get_ylabel()])
    for _ in range(PASSES if shaped else 1):
        before = _places(figure)
        layout.execute(figure)
        if np.abs(_places(figure) - before).max(initial=0.0) < SETTLED_PX:
            break


def _space_numbers(axes: Axes) -> None:
    """Put fewer numbers below axes where they touch: matplotlib expects short ones."""
    from matplotlib.ticker import MaxNLocator

    locator = axes.xaxis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        shown = [label for label in axes.get_xticklabels() if label.get_visible()]
        widest = max((label.get_window_extent().width for label in shown), default=0.0)
        if len(shown) * widest * APART > axes.bbox.width:
            locator.set_params(nbins=max(int(axes.bbox.width / widest / APART), 1))


def _places(figure: Figure) -> np.ndarray:
    """Tell where axes stand as they are drawn, pixels: (n, 4) float array."""
    return np.array([axes.get_window_extent().extents for axes in figure.axes])


def write_words(
    figure: Figure, renderer: RendererAgg, head: Sequence[str], *, grows: bool
) -> float:
    """Make all text such as the font has, and write title and facts above all axes.

    head: title and facts; an empty title stands for neither. grows: the figure becomes as much
    higher as head and legends take more than a line. Returns what of the height is left below.
    """
    for text in _texts(figure):
        text.set_text(printable(text.get_text()))
    above = _write_head(figure, renderer, head if head[0] else ())
    used = sum(height for _, height in above) + PAD
    if grows:
        legends = [one for axes in figure.axes if (one := axes.get_legend()) is not None]
        rows = max((one.get_window_extent(renderer).height for one in legends), default=0.0)
        wanted = used + rows / figure.dpi - ONE_LINE
        figure.set_figheight(figure.get_figheight() + max(wanted, 0.0))
    height = figure.get_figheight()
    top = height - PAD
    for text, taken in above:
        text.set_y(top / height)
        top -= taken
    left = max(top / height, LEAST_ROOM)
    for axes in figure.axes:
        _fit_labels(axes, renderer, left)
    return left


def _texts(figure: Figure) -> Iterator[Text]:
    """Go over all text but the numbers along axes, whose ticks need not be made for that."""
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter

    for part in figure.get_children():
        if not isinstance(part, Axes):
            yield from part.findobj(Text)
            continue
        for one in part.get_children():
            if not isinstance(one, Axis):
                yield from one.findobj(Text)
                continue
            yield one.label
            if isinstance(one.get_major_formatter(), FixedFormatter):
                yield from one.get_ticklabels()


def _write_head(
    figure: Figure, renderer: RendererAgg, head: Sequence[str]
) -> list[tuple[Text, float]]:
    """Write lines from left to right, the first as a title; each text, and its height in inches."""
    from matplotlib.font_manager import FontProperties

    width = figure.dpi * (figure.get_figwidth() - 2 * PAD)
    above = []
    for k, line in enumerate(head):
        weight, scale = ("bold", "large") if k == 0 else ("normal", "small")
        font = FontProperties(weight=weight, size=scale)
        lines = wrapped(printable(line), width, partial(measure, font=font, renderer=renderer))
        if lines:
            text = figure.text(
                PAD / figure.get_figwidth(), 1.0, "\n".join(lines), va="top", fontproperties=font,
                in_layout=False,
            )  # fmt: skip
            above.append((text, text.get_window_extent(renderer).height / figure.dpi + PAD))
    return above


def _fit_labels(axes: Axes, renderer: RendererAgg, left: float) -> None:
    """Make the labels of both axes no longer than the axes, about.

    left: what of the figure's height is left below its head.
    """
    room = axes.get_window_extent(renderer)
    along, up = axes.xaxis.label, axes.yaxis.label
    lengths = [
        (along, along.get_window_extent(renderer).width, BESIDE * room.width),
        (up, up.get_window_extent(renderer).height, left * room.height),
    ]
    for label, length, most in lengths:
        if length > most:
            size = float(label.get_fontsize()) * most / length
            label.set_fontsize(max(size, LEAST_LETTERS))


def measure(text: str, font: FontProperties, renderer: RendererAgg) -> float:
    """Measure the width of a line of text, pixels."""
    return float(renderer.get_text_width_height_descent(text, font, ismath=False)[0])


def wrapped(text: str, width: float, length: Callable[[str], float]) -> list[str]:
    """Break text into lines no longer than a width; at most `MAX_HEAD`, the last cut short.

    length: measures a line, in the unit of the width. Words that are too long are broken too;
    those with `WHOLE` between them stay together.
    """
    text = " ".join(part for part in re.split(r"[ \t\n\r]+", text) if part)
    if not text:
        return []
    letters = max(int(len(text) * width / max(length(text), 1e-9)), 1)
    while True:
        lines = textwrap.wrap(
            text, max(letters, 4), max_lines=MAX_HEAD, placeholder=" ...", break_on_hyphens=False
        )
        if letters <= 4 or all(length(line) <= width for line in lines):
            return [line.replace(WHOLE, " ") for line in lines]
        letters -= max(letters // 20, 1)


def printable(text: str) -> str:
    """Replace letters that the font lacks by an empty square, and controls by spaces."""
    from matplotlib.font_manager import FontProperties, findfont

    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    known = _letters(findfont(FontProperties()))
    return "".join(
        c
        if c in f"\n{WHOLE}" or ord(c) in known
        else "\N{WHITE SQUARE}"
        if c.isprintable()
        else " "
        for c in text
    )


@lru_cache
def _letters(font: str) -> frozenset[int]:
    """List the letters that the font of a file has."""
    from matplotlib.font_manager import get_font

    return frozenset(get_font(font).get_charmap())
