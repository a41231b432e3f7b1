"""Pictures: the field with its apertures and names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import Solution, StarPlan, StarRole
from lightcurve.report.style import (
    INK,
    ROLE_COLOUR,
    legend_above,
    page_width,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D

__all__ = ["save_field"]

WIDTH = 8.0  # of the picture, inches
LEADING = 1.15  # height of a name, over the size of its letters
LETTER = 0.8  # width of a letter, over that
CORNERS = ((1, 1), (-1, 1), (1, -1), (-1, -1))
NARROW = 5.0  # inches
MAX_SHOWN = 1400  # pixels along the longer side; more cannot be seen in the figure
MAX_LABELS = 60
MAX_SAMPLE = 200_000


def name_stars(
    axes: Axes, places: np.ndarray, names: Sequence[str], colours: Sequence[str], outer: float
) -> list:
    """Name stars beside their circles, off those of the others and other names if possible.

    axes: its limits are those of the image. places: (n, 2) float array, x and y, pixels.
    outer: radius of the circles, pixels.
    """
    from matplotlib.font_manager import FontProperties

    labels, boxes = [], np.empty((0, 4))
    wide = (max(axes.get_xlim()), max(axes.get_ylim()))
    points = 72 * axes.get_window_extent().width / axes.figure.dpi
    letters = FontProperties(size="small").get_size_in_points() * wide[0] / points
    for place, name, colour in zip(places, names, colours, strict=True):
        size = np.array([len(name) * LETTER, LEADING]) * letters
        others = places[np.hypot(*(places - place).T) > 0]
        choices = [_label_box(place, corner, 0.8 * outer, size) for corner in CORNERS]
        best = int(np.argmin([_label_cost(box, wide, others, boxes, outer) for box in choices]))
        boxes = np.vstack([boxes, choices[best]])
        right, up = CORNERS[best]
        labels.append(
            axes.text(
                place[0] + 0.8 * outer * right, place[1] + 0.8 * outer * up, str(name),
                fontsize="small", color=colour, fontweight="bold",
                ha="left" if right > 0 else "right",
                va="bottom" if up > 0 else "top", clip_on=True,
            )
        )  # fmt: skip
    return labels


def _label_box(
    place: np.ndarray, corner: tuple[int, int], away: float, size: np.ndarray
) -> np.ndarray:
    """Left, bottom, right and top of a name at a corner of a star's circle."""
    near = place + away * np.array(corner)
    far = near + size * np.array(corner)
    return np.concatenate([np.minimum(near, far), np.maximum(near, far)])


def _label_cost(
    box: np.ndarray, wide: tuple[float, float], others: np.ndarray, boxes: np.ndarray, outer: float
) -> float:
    """Count what a name lies on; beyond the edge of the image it cannot be read at all."""
    beyond = (box[:2] < 0).any() or (box[2:] > wide).any()
    gap = np.maximum(np.maximum(box[:2] - others, others - box[2:]), 0)
    circles = np.sum(np.hypot(*gap.T) < outer)
    names = np.sum(((box[:2] < boxes[:, 2:]) & (boxes[:, :2] < box[2:])).all(axis=1))
    return 100.0 * beyond + 10.0 * names + circles


def stretch(pixels: np.ndarray) -> np.ndarray:
    """Bring an image into 0 to 1 so that faint stars and bright ones show.

    pixels: (ny, nx) float array.
    Returns (ny, nx) float array, an inverse hyperbolic sine of the height above the sky, from 1.5
    sigma below the median to the 99.9 % point, or 10 sigma where that is higher; NaN becomes 0.
    """
    values = sample(pixels)
    if not values.size:
        return np.zeros(pixels.shape)
    sky, low, high = np.percentile(values, [50, 16, 99.9])
    sigma = max(float(sky - low), 1e-6 * max(abs(float(sky)), 1.0))
    high = max(high, sky + 10 * sigma)  # an empty field stays pale
    scaled = np.arcsinh((pixels - sky + 1.5 * sigma) / (3 * sigma))
    top = np.arcsinh((high - sky + 1.5 * sigma) / (3 * sigma))
    return np.clip(np.nan_to_num(scaled / max(float(top), 1e-9)), 0, 1)


def thin(pixels: np.ndarray) -> tuple[np.ndarray, int]:
    """Take the mean of blocks so that the longer side has at most `MAX_SHOWN` pixels.

    pixels: (ny, nx) float array. Returns step: side of a block.
    """
    step = -(-max(pixels.shape) // MAX_SHOWN)
    if step == 1:
        return pixels, 1
    ny, nx = (n // step * step for n in pixels.shape)
    blocks = pixels[:ny, :nx].reshape(ny // step, step, nx // step, step)
    return blocks.mean(axis=(1, 3)), step


def draw_image(axes: Axes, pixels: np.ndarray, step: int = 1) -> AxesImage:
    """Draw an image, stretched, stars of the colour of ink, first row at the bottom.

    pixels: (ny, nx) float array; step: sides of its pixels, in those of the frame.
    Returns the image, in the pixel coordinates of the frame, thinned out where it is large.
    """
    small, thinned = thin(pixels)
    step *= thinned
    ny, nx = small.shape
    extent = (-0.5, nx * step - 0.5, -0.5, ny * step - 0.5)
    image = axes.imshow(stretch(small), extent=extent, vmin=0, vmax=1)
    axes.grid(visible=False)
    axes.set(xlabel="x (px)", ylabel="y (px)")
    return image


def draw_stars(
    axes: Axes, x: np.ndarray, y: np.ndarray, *, plan: StarPlan, radius: float, outer: float
) -> dict:
    """Circle the stars by role and name those that matter.

    x, y: (n_star,) float arrays, pixels of the image shown.
    radius, outer: of aperture and outer sky, pixels; the sky is drawn for target and comparisons.
    Returns ``circles``: role to collection; ``labels``: list of texts.
    """
    circles = {}
    placed = np.isfinite(x) & np.isfinite(y)
    for role, colour in ROLE_COLOUR.items():
        chosen = placed & (plan.role == role)
        if not chosen.any():
            continue
        rings = (radius,) if role == StarRole.FIELD else (radius, outer)
        for ring in rings:
            circles[role] = draw_circles(
                axes, x[chosen], y[chosen], 2 * ring, colour, 1.2 if role != StarRole.FIELD else 0.7
            )
    named = np.flatnonzero(placed & (plan.role != StarRole.FIELD))[:MAX_LABELS]
    colours = [ROLE_COLOUR[str(role)] for role in plan.role[named]]
    places = np.column_stack([x, y])[named]
    labels = name_stars(axes, places, list(plan.star_id[named]), colours, outer)
    return {"circles": circles, "labels": labels}


def draw_circles(
    axes: Axes, x: np.ndarray, y: np.ndarray, size: float, colour: str, width: float
) -> Collection:
    """Draw circles of a diameter in pixels, with lines of a width in points."""
    from matplotlib.collections import EllipseCollection

    across = np.full(len(x), size)
    return axes.add_collection(
        EllipseCollection(
            across, across, np.zeros(len(x)), units="xy", facecolors="none",
            offsets=np.column_stack([x, y]), transOffset=axes.transData, edgecolors=colour,
            linewidths=width,
        )
    )  # fmt: skip


def circle_handle(colour: str, label: str) -> Line2D:
    """Show a circle in a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], marker="o", mfc="none", mec=colour, ls="", ms=7, label=label)


@contextmanager
def frame_picture(
    path: str | Path, pixels: np.ndarray, *, solution: Solution | None, title: str, step: int = 1
) -> Iterator[tuple[Axes, list[Line2D]]]:
    """Give axes with the frame drawn on them, and a list for what the legend is to show.

    When the block ends compass, title and legend are drawn and the picture is written.
    """
    ny, nx = (step * size for size in pixels.shape)
    width = page_width(WIDTH)
    beside = 0.9 if width >= NARROW else 1.35  # title and legend of two lines each
    height = float(np.clip((width - 0.7) * ny / nx + beside, 0.4 * width, 1.5 * width))
    with styled_figure(path, (width, height), title=title) as figure:
        axes = figure.add_subplot()
        draw_image(axes, pixels, step)
        handles: list[Line2D] = []
        yield axes, handles
        if solution is not None:
            draw_compass(axes, solution, (ny, nx))
        axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))
        legend_above(axes, handles, handletextpad=0.2)


def draw_compass(axes: Axes, solution: Solution, shape: tuple[int, int]) -> list:
    """Draw arrows to north and east and a bar of a round number of arc minutes.

    shape: (ny, nx) of the image. Returns the arrows and texts.
    """
    ny, nx = shape
    angle = np.radians(solution.rotation_deg)
    # rotation is the position angle of +y: north lies that far clockwise of +y as the sky is seen
    north = np.array([solution.parity * np.sin(angle), np.cos(angle)])
    east = solution.parity * np.array([-north[1], north[0]])
    size = 0.09 * min(nx, ny)
    centre = np.array([nx - 2.2 * size, 2.2 * size])
    drawn: list[Artist] = []
    for name, direction in (("N", north), ("E", east)):
        start_x, start_y = centre.tolist()
        tip_x, tip_y = (centre + size * direction).tolist()
        style = {"arrowstyle": "-|>", "color": INK, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
        drawn.append(axes.annotate("", (tip_x, tip_y), (start_x, start_y), arrowprops=style))
        x, y = (centre + 1.35 * size * direction).tolist()
        drawn.append(axes.text(x, y, name, ha="center", va="center", fontsize="small"))
    per_minute = 60 / solution.scale_arcsec
    nice = [m for m in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60) if m * per_minute < 0.25 * nx]
    minutes = nice[-1] if nice else 0.1
    start, height = 0.05 * nx, 0.05 * ny
    drawn += axes.plot(
        [start, start + minutes * per_minute],
        [height, height],
        color=INK,
        lw=2.2,
        solid_capstyle="butt",
    )
    box = {"facecolor": axes.get_facecolor(), "alpha": 0.7, "edgecolor": "none", "pad": 1}
    label = f"{minutes:g} arcmin"
    drawn.append(
        axes.text(start, height + 0.015 * ny, label, fontsize="small", va="bottom", bbox=box)
    )
    return drawn


def save_field(
    path: str | Path,
    pixels: np.ndarray,
    plan: StarPlan,
    *,
    radius: float,
    outer: float,
    solution: Solution | None = None,
    title: str = "",
    step: int = 1,
) -> Path:
    """Write the picture of the field with its apertures.

    Parameters
    ----------
    pixels : (ny, nx) float array
        The reference frame.
    plan : StarPlan
        Its ``x_ref, y_ref`` are in that frame.
    radius, outer : float
        Aperture and outer sky radius, pixels.
    solution : Solution, optional
        Adds north, east and a scale bar.
    step : int
        Sides of the pixels, in those of the frame: of a frame made small.
    """
    with frame_picture(path, pixels, solution=solution, title=title, step=step) as (axes, handles):
        draw_stars(axes, plan.x_ref, plan.y_ref, plan=plan, radius=radius, outer=outer)
        handles += [
            circle_handle(colour, _count(plan, role))
            for role, colour in ROLE_COLOUR.items() if (plan.role == role).any()
        ]  # fmt: skip
    return Path(path)


def _count(plan: StarPlan, role: str) -> str:
    alone = role in {StarRole.TARGET, StarRole.CHECK}
    return role if alone else f"{role} ({(plan.role == role).sum()})"


def sample(pixels: np.ndarray) -> np.ndarray:
    """Take every n-th pixel: percentiles of millions need no more.

    Returns (n,) float array, finite.
    """
    flat = pixels.ravel()[:: max(pixels.size // MAX_SAMPLE, 1)]
    return flat[np.isfinite(flat)]
