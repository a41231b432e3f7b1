"""How figures come about: one way in, a style in a file, no window.

Drawing functions take an Axes and data and return what they drew; ``save_*`` functions compose a
whole figure and write it by `styled_figure`. Only `matplotlib.figure.Figure` is used, never pyplot.
No text stands where points may lie: titles and facts have the head of the figure to themselves,
legends the line above their axes.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.data import StarRole
from lightcurve.core.errors import InputError, Why
from lightcurve.core.registry import did_you_mean
from lightcurve.report.layout import settle, write_words

if TYPE_CHECKING:
    from matplotlib import RcParams
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

__all__ = [
    "COMPARISON",
    "FIELD",
    "FORMATS",
    "STYLES",
    "TARGET",
    "Look",
    "half_width",
    "legend_above",
    "read_size",
    "robust_limits",
    "show_beyond",
    "styled_figure",
    "time_axis",
    "wearing",
]

# Places in the cycle of colours, which the style sets: on dark ground they are others.
TARGET, CHECK, COMPARISON, MODEL, ACCENT, RAW, FIELD, FLAGGED, INK = (f"C{k}" for k in range(9))
ROLE_COLOUR: dict[str, str] = {
    StarRole.TARGET: TARGET,
    StarRole.COMPARISON: COMPARISON,
    StarRole.CHECK: CHECK,
    StarRole.FIELD: FIELD,
}
FEW_SHOWN = 8  # values of which none is called lone
MANY_SHOWN = 300  # points, beyond which each is drawn smaller
# By how a file's name ends, how it is saved: what would tell when it was made is left out, and
# pixels are packed as far as is quick: the last 4 % would take half as long again.
FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"pil_kwargs": {"compress_level": 4}},
    ".pdf": {"metadata": {"CreationDate": None}},
    ".svg": {"metadata": {"Date": None}},
}
FOLDER = Path(__file__).with_name("styles")
STYLES = tuple(sorted(path.stem for path in FOLDER.glob("*.mplstyle")))
SCREEN = FOLDER / "screen.mplstyle"
ALWAYS = Path(__file__).with_name("always.mplstyle")
NO_ROOM = "axes sizes collapsed"  # what matplotlib says of figures that are too small
INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}
SIZES = (1.0, 60.0)  # inches, least and most
DPI = (20.0, 2400.0)
MAX_DOTS = 2e8  # of a figure of pixels: 800 MB while it is drawn


@dataclass(frozen=True, slots=True)
class Look:
    """What an observer wants of all figures drawn.

    Attributes
    ----------
    style : str
        One of `STYLES`, or a file of matplotlib's (``.mplstyle``), whose ``figure.figsize`` tells
        the width.
    dpi : float or None
        Of pixels; that of the style if None.
    size : tuple of float or None
        Width and height, inches; None for those of style and figure.
    title : str or None
        In place of each figure's own; empty for none.
    """

    style: str = SCREEN.stem
    dpi: float | None = None
    size: tuple[float, float] | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        """Refuse, as InputError, dots an inch that are no such number."""
        if self.dpi is not None and not DPI[0] <= self.dpi <= DPI[1]:
            msg = f"--dpi {self.dpi:g}: not within {DPI[0]:g} to {DPI[1]:g} dots an inch"
            raise InputError(msg)


PLAIN = Look()
_LOOK: ContextVar[Look] = ContextVar("look", default=PLAIN)


@contextmanager
def wearing(look: Look) -> Iterator[None]:
    """Give all figures drawn within a block this look.

    Raises
    ------
    InputError
        Where there is no such style.
    """
    _read_style(look.style)
    before = _LOOK.set(look)
    try:
        yield
    finally:
        _LOOK.reset(before)


def read_size(text: str) -> tuple[float, float]:
    """Read a width and a height such as ``7.1,4``, ``9cm,12cm`` or ``90,60mm``, in inches.

    A unit holds for what stands before it, too. Raises InputError for anything else.
    """
    number = r"([0-9]*\.?[0-9]+)\s*(in|cm|mm)?"
    found = re.fullmatch(rf"\s*{number}\s*[,x]\s*{number}\s*", text)
    if not found:
        msg = f"--size {text}: not like 7.1,4 (inches) or 9cm,12cm: width, comma, height"
        raise InputError(msg)
    second = found[4] or "in"
    size = float(found[1]) * INCHES[found[2] or second], float(found[3]) * INCHES[second]
    if not all(SIZES[0] <= length <= SIZES[1] for length in size):
        msg = (
            f"--size {text}: {size[0]:.3g} x {size[1]:.3g} inches; "
            f"each side within {SIZES[0]:g} to {SIZES[1]:g} inches"
        )
        raise InputError(msg)
    return size


def _read_style(name: str) -> RcParams:
    """Read what a style sets; raises InputError where there is no such style, or it cannot be."""
    from matplotlib import rc_params_from_file

    path = FOLDER / f"{name}.mplstyle" if name in STYLES else Path(name)
    if path.suffix != ".mplstyle" or not path.is_file():
        what = "no such file" if path.suffix == ".mplstyle" else "no style"
        known = f"there are {', '.join(STYLES)}, or a file NAME.mplstyle"
        msg = f"--style {name}: {what}{did_you_mean(name, STYLES)}; {known}"
        raise InputError(msg)
    try:
        return rc_params_from_file(path, fail_on_error=True, use_default_template=False)
    except (OSError, ValueError, KeyError) as error:
        msg = f"{path}: no style of matplotlib's: {' '.join(str(error).split())}"
        raise InputError(msg) from error


def page_width(natural: float) -> float:
    """Width that a figure will have, inches; natural: the one it has where nobody wants another."""
    look = _LOOK.get()
    if look.size is not None:
        return look.size[0]
    style = _read_style(look.style)
    return float(style["figure.figsize"][0]) if "figure.figsize" in style else natural


def is_low(height: float) -> bool:
    """Tell whether somebody wants all figures lower than this, inches."""
    size = _LOOK.get().size
    return size is not None and size[1] < height


@contextmanager
def styled_figure(
    path: str | Path,
    size: tuple[float, float] = (8.0, 4.5),
    *,
    title: str = "",
    facts: Sequence[str] = (),
    aligned: bool = False,
) -> Iterator[Figure]:
    """Give an empty figure in the look wanted and write it when the block ends.

    Parameters
    ----------
    path : path-like
        ``.png``, ``.pdf`` or ``.svg``.
    size : tuple of float
        Width and height, inches, where nobody wants others: where it must be narrower, it is lower
        too, by the root of that.
    title : str
        What the figure shows, stated; wrapped above all axes.
    facts : sequence of str
        Lines below the title.
    aligned : bool
        Labels of axes one below the other, or side by side, are in line.

    Yields
    ------
    matplotlib.figure.Figure
        On a canvas that needs no display; its layout finds room for all labels.

    Raises
    ------
    InputError
        When the file cannot be written, its name is that of no figure, or `Look` leaves no room.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    kind, look = Path(path).suffix.lower(), _LOOK.get()
    if kind not in FORMATS:
        msg = f"{path}: no figure is of this name; one ends with {', '.join(FORMATS)}"
        raise InputError(msg)
    width = page_width(size[0])
    height = size[1] * math.sqrt(width / size[0]) if look.size is None else look.size[1]
    with mpl.rc_context():
        for values in map(_read_style, (SCREEN.stem, look.style, str(ALWAYS))):
            mpl.rcParams.update(values)
        layout, dpi = ConstrainedLayoutEngine(), look.dpi or mpl.rcParams["savefig.dpi"]
        dots = dpi if kind == ".png" else None  # letters are measured as they will be drawn
        if dots:
            _refuse_dots(path, np.array([width, height]) * dots)
        figure = Figure(figsize=(width, height), dpi=dots, layout=layout)
        canvas = FigureCanvasAgg(figure)
        yield figure
        head = (title if look.title is None else look.title, *facts)
        top = write_words(figure, canvas.get_renderer(), head, grows=look.size is None)
        layout.set(rect=(0, 0, 1, top))
        if dots:
            _refuse_dots(path, figure.get_size_inches() * dots)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            settle(figure, layout, aligned=aligned)
            figure.set_layout_engine(None)  # else all is drawn twice, first to lay it out
            try:
                figure.savefig(path, dpi=dpi, **FORMATS[kind])
            except OSError as error:
                msg = f"{path}: the figure cannot be written: {error.strerror}"
                raise InputError(msg) from error
        if any(NO_ROOM in str(one.message) for one in told):
            Path(path).unlink(missing_ok=True)
            msg = (
                f"{width:.3g} x {height:.3g} inches leave its {len(figure.axes)} panels no room: "
                "a larger --size"
            )
            raise InputError(msg, file=str(path), why=Why.NO_ROOM)


def _refuse_dots(path: str | Path, dots: np.ndarray) -> None:
    """Raise InputError for more dots, (2,) float array, than a computer may hold."""
    if np.prod(dots) > MAX_DOTS:
        wide, high = np.round(dots).astype(int)
        msg = f"{path}: {wide} x {high} dots are too many: a smaller --dpi, or --format pdf"
        raise InputError(msg)


def point_size(n: int) -> float:
    """Diameter of one of n points: that of the style, and less where there are many."""
    import matplotlib as mpl

    size = float(mpl.rcParams["lines.markersize"])
    return size * float(np.clip(math.sqrt(MANY_SHOWN / max(n, 1)), 0.35, 1.0))


def legend_above(axes: Axes, handles: Sequence[Any] = (), **options: Any) -> Legend | None:
    """Put the legend on the line above axes, or on as many as it needs; None without entries.

    handles: what it shows, by default all of the axes that has a label.
    """
    entries = list(handles) or axes.get_legend_handles_labels()[0]
    if not entries:
        return None
    room = 0.9 * axes.get_window_extent().width
    for columns in range(len(entries), 0, -1):
        legend = axes.legend(
            handles=entries, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1,
            ncols=columns, columnspacing=1.2, **options,
        )  # fmt: skip
        if columns == 1 or legend.get_window_extent().width <= room:
            break
    return legend


def stack_axes(figure: Figure, heights: tuple[float, ...], *, sharex: bool = True) -> list[Axes]:
    """Set panels one below the other.

    heights: relative heights, from the top; sharex: one time axis for all; only the lowest panel
    has tick labels.
    """
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    axes: list[Axes] = []
    for k in range(len(heights)):
        axes.append(figure.add_subplot(grid[k], sharex=axes[0] if axes and sharex else None))
        if sharex and k < len(heights) - 1:
            axes[k].tick_params(labelbottom=False)
    return axes


def time_axis(times: np.ndarray) -> tuple[int, np.ndarray]:
    """Split days into a whole number and what is left, so that tick labels stay short.

    Parameters
    ----------
    times : (n,) float array
        Julian dates.

    Returns
    -------
    day : int
        Whole days of the first finite time; 0 when there is none.
    rest : (n,) float array
        ``times - day``.
    """
    finite = times[np.isfinite(times)]
    day = int(np.floor(finite.min())) if finite.size else 0
    return day, times - day


def robust_limits(
    values: np.ndarray, *, margin: float = 0.12, percent: float = 0.5
) -> tuple[float, float]:
    """Limits of an axis that a few wild values do not stretch.

    Parameters
    ----------
    values : float array
        NaN is ignored.
    margin : float
        Added on both sides, as a fraction of the range.
    percent : float
        This share at each end may fall outside, and, unless it is 0, the last one at each end that
        is farther from the next than all the others reach: of few values none is half a per cent.

    Returns
    -------
    low, high : float
        0 and 1 when no value is finite.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    if percent > 0:
        finite = _without_lone(-_without_lone(-finite))
    low, high = np.percentile(finite, [percent, 100 - percent])
    pad = margin * (high - low) or abs(low) * 0.01 or 1.0
    return float(low - pad), float(high + pad)


def _without_lone(values: np.ndarray) -> np.ndarray:
    """Leave out the highest of finite values (n,), if it is farther off than all others reach."""
    if len(values) < FEW_SHOWN:
        return values
    low, *_, second, top = np.sort(values)
    return values[values < top] if top - second > second - low > 0 else values


def show_beyond(axes: Axes, x: np.ndarray, y: np.ndarray) -> list:
    """Mark points beyond the vertical limits by small triangles at the edge.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Its limits are set.
    x, y : (n,) float arrays
    """
    low, high = axes.get_ylim()
    drawn = []
    for beyond, edge, marker in ((y > high, high, "^"), (y < low, low, "v")):
        if beyond.any():
            drawn += axes.plot(
                x[beyond], np.full(beyond.sum(), edge), marker, ms=4, color=FLAGGED, mec=FIELD,
                mew=0.5, clip_on=False,
            )  # fmt: skip
    return drawn


def bin_points(
    x: np.ndarray, y: np.ndarray, width: float, error: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average points in bins of equal width.

    x, y: (n,) float arrays, pairs with NaN are left out; width: in the unit of `x`.
    error: (n,) float array, of y; each point weighs by it, and points without one are left out.
    Returns x, y, error: (n_bin,) float arrays, means and their errors, from those of the points,
    or where none are given from how the points of a bin scatter (NaN for a bin of one point).
    """
    finite = np.isfinite(x) & np.isfinite(y)
    if error is not None:
        finite &= np.isfinite(error) & (error > 0)
    x, y = x[finite], y[finite]
    if not x.size or width <= 0:
        return np.empty(0), np.empty(0), np.empty(0)
    weight = np.ones(x.size) if error is None else error[finite] ** -2.0
    _, index, n = np.unique(
        np.floor((x - x.min()) / width), return_inverse=True, return_counts=True
    )
    total = np.bincount(index, weight)
    mean_x, mean_y = (np.bincount(index, weight * values) / total for values in (x, y))
    if error is not None:
        return mean_x, mean_y, total**-0.5
    square = np.bincount(index, (y - mean_y[index]) ** 2)
    scatter = np.sqrt(square / np.maximum(n - 1, 1) / n)
    return mean_x, mean_y, np.where(n > 1, scatter, np.nan)


def plain_log_ticks(axis: Axis, steps: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """Label a logarithmic axis with plain numbers; steps: where in each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def half_width(values: np.ndarray) -> float:
    """Half the distance between the 16 and 84 % points: a robust standard deviation.

    Parameters
    ----------
    values : float array
        NaN is ignored.

    Returns
    -------
    float
        NaN without values.
    """
    values = values[np.isfinite(values)]
    if not values.size:
        return float("nan")
    low, high = np.percentile(values, [15.865, 84.135])
    return float(high - low) / 2
