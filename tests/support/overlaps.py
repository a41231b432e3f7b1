"""What lies on what in a figure: text on text, text on points, text beyond the edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SLACK = 1.5  # dots that boxes may share: they are larger than the ink in them


@dataclass(frozen=True)
class Box:
    """Where text is; `group` is one for all that belongs to a legend, which lays itself out."""

    words: str
    box: Bbox
    group: int
    slanted: bool


def overlaps(figure: Figure, *, pictures: bool = False) -> list[str]:
    """List what is overprinted in a figure that was drawn; pictures: text within images, too.

    It is not drawn again, which would be in another style: ticks that are made anew have its size.
    """
    renderer = figure.canvas.get_renderer()
    boxes = list(_boxes(figure, renderer, pictures=pictures))
    page = figure.bbox.padded(SLACK)
    found = [f"beyond the edge: {b.words!r}" for b in boxes if not _inside(b.box, page)]
    found += [
        f"{a.words!r} on {b.words!r}"
        for a, b in combinations(boxes, 2)
        if a.group != b.group and not (a.slanted and b.slanted) and _overlap(a.box, b.box)
    ]
    points = np.concatenate([_points(line) for line in _lines(figure)] or [np.empty((0, 2))])
    found += [
        f"{b.words!r} on {n} points"
        for b in boxes
        if (n := int(_within(points, b.box).sum())) and not b.slanted
    ]
    return found


def _boxes(figure: Figure, renderer: object, *, pictures: bool) -> Iterator[Box]:
    legends = [axes.get_legend() for axes in figure.axes] + list(figure.legends)
    in_legend = {
        id(text): k + 1
        for k, legend in enumerate(legends)
        if legend is not None
        for text in legend.findobj(Text)
    }
    drawn = {
        id(text) for axes in figure.axes if axes.images and not pictures for text in axes.texts
    }
    every = [one for axes in figure.axes for one in (axes, *axes.child_axes)]
    ticks = {id(t) for axes in every for t in _hidden_ticks(axes)}
    for k, text in enumerate(figure.findobj(Text)):
        if not text.get_text().strip() or not text.get_visible() or id(text) in drawn | ticks:
            continue
        box = text.get_window_extent(renderer)
        group = in_legend.get(id(text), -k - 1)
        yield Box(text.get_text(), box, group, text.get_rotation() % 90 != 0)


def _hidden_ticks(axes: Axes) -> Iterator[Text]:
    """Tick labels that are not drawn: switched off, or of ticks beyond the limits."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            pad = 1e-9 * (high - low)
            inside = low - pad <= tick.get_loc() <= high + pad
            for label in (tick.label1, tick.label2):
                if not inside or not axis.get_visible() or not tick.get_visible():
                    yield label


def _lines(figure: Figure) -> Iterator[Line2D]:
    for axes in figure.axes:
        yield from (line for line in axes.lines if len(line.get_xdata()) > 2)


def _points(line: Line2D) -> np.ndarray:
    """Places of a line's points that are drawn, (n, 2), dots."""
    xy = line.get_transform().transform(np.column_stack(line.get_data(orig=False)).astype(float))
    xy = xy[np.isfinite(xy).all(axis=1)]
    return xy[_within(xy, line.axes.bbox)] if line.get_clip_on() else xy


def _within(points: np.ndarray, box: Bbox) -> np.ndarray:
    x, y = points.T
    return (x > box.x0 + SLACK) & (x < box.x1 - SLACK) & (y > box.y0 + SLACK) & (y < box.y1 - SLACK)


def _overlap(a: Bbox, b: Bbox) -> bool:
    return min(a.x1, b.x1) - max(a.x0, b.x0) > SLACK and min(a.y1, b.y1) - max(a.y0, b.y0) > SLACK


def _inside(box: Bbox, page: Bbox) -> bool:
    return box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1
