"""How figures come about: one style file, one palette, no window and no global state.

Drawing functions take an Axes and data and return what they drew; ``save_*`` functions compose a
whole figure and write it. Only `matplotlib.figure.Figure` is used, never pyplot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import StarRole
from lightcurve.core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = [
    "COMPARISON",
    "FIELD",
    "TARGET",
    "half_width",
    "robust_limits",
    "show_beyond",
    "styled_figure",
    "time_axis",
]

TARGET = "#0072B2"
COMPARISON = "#009E73"
CHECK = "#E69F00"
MODEL = "#D55E00"
ACCENT = "#CC79A7"
FIELD = "#8A8A8A"
FLAGGED = "#B0B0B0"
ROLE_COLOUR: dict[str, str] = {
    StarRole.TARGET: TARGET,
    StarRole.COMPARISON: COMPARISON,
    StarRole.CHECK: CHECK,
    StarRole.FIELD: FIELD,
}
DPI = 110
FEW_SHOWN = 8  # values of which none is called lone
FORMATS = (".png", ".pdf", ".svg")


STYLE = Path(__file__).with_name("lightcurve.mplstyle")


@contextmanager
def styled_figure(path: str | Path, size: tuple[float, float] = (8.0, 4.5)) -> Iterator[Figure]:
    """Give an empty figure in our style and write it when the block ends.

    Parameters
    ----------
    path : path-like
        ``.png``, ``.pdf`` or ``.svg``.
    size : tuple of float
        Width and height, inches.

    Yields
    ------
    matplotlib.figure.Figure
        On a canvas that needs no display.

    Raises
    ------
    InputError
        When the file cannot be written, or its name is that of no figure.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if Path(path).suffix.lower() not in FORMATS:
        msg = f"{path}: no figure is of this name; one ends with {', '.join(FORMATS)}"
        raise InputError(msg)
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        yield figure
        try:
            figure.savefig(path, dpi=DPI)
        except OSError as error:
            msg = f"{path}: the figure cannot be written: {error.strerror}"
            raise InputError(msg) from error


def stack_axes(
    figure: Figure,
    heights: tuple[float, ...],
    *,
    sharex: bool = True,
    left: float = 0.1,
    right: float = 0.98,
) -> list[Axes]:
    """Set panels one below the other.

    heights: relative heights, from the top; sharex: one time axis for all; only the lowest panel
    has tick labels; left, right: margins as fractions of the width.
    """
    tall = figure.get_figheight()
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, left=left, right=right, top=1 - 0.36 / tall,
        bottom=0.48 / tall, hspace=0.09 if sharex else 0.4,
    )  # fmt: skip
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
    x: np.ndarray, y: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average points in bins of equal width.

    x, y: (n,) float arrays, pairs with NaN are left out; width: in the unit of `x`.
    Returns x, y, error: (n_bin,) float arrays, means, and the standard deviation of the mean; NaN
    error for a bin of one point.
    """
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if not x.size or width <= 0:
        return np.empty(0), np.empty(0), np.empty(0)
    index = ((x - x.min()) / width).astype(int)
    count = np.bincount(index)
    keep = count > 0
    n = count[keep]
    mean_x = np.bincount(index, x)[keep] / n
    mean_y = np.bincount(index, y)[keep] / n
    square = np.bincount(index, (y - (np.bincount(index, y) / np.maximum(count, 1))[index]) ** 2)[
        keep
    ]
    error = np.where(n > 1, np.sqrt(square / np.maximum(n - 1, 1) / n), np.nan)
    return mean_x, mean_y, error


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
