"""Pictures of one frame: its sources, background, PSF, and candidates cut out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import Solution
from lightcurve.report.field import (
    circle_handle,
    draw_circles,
    frame_picture,
    sample,
    stretch,
    thin,
)
from lightcurve.report.style import (
    ACCENT,
    COMPARISON,
    FIELD,
    MODEL,
    TARGET,
    plain_log_ticks,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["save_background", "save_cutouts", "save_frame", "save_psf", "save_psf_maps"]

GROUP_COLOUR = {
    "calibrating": COMPARISON,
    "source": TARGET,
    "seen in the residual": ACCENT,
    "candidate": MODEL,
}


def save_frame(
    path: str | Path,
    pixels: np.ndarray,
    groups: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    radius: float,
    solution: Solution | None,
    title: str = "",
) -> Path:
    """Write the picture of the frame with its sources.

    Parameters
    ----------
    pixels : (ny, nx) float array
    groups : mapping of str to tuple of (n,) float arrays
        Name, one of `GROUP_COLOUR`, to x and y of its sources.
    radius : float
        Of the circles, pixels.
    solution : Solution or None
        For the arrows to north and east; None draws none.
    """
    # So small that it would not show, a circle is drawn larger.
    size = 2 * max(radius, 0.006 * max(pixels.shape))
    with frame_picture(path, pixels, solution=solution, title=title) as (axes, handles):
        for name, (x, y) in groups.items():
            if len(x):
                colour = GROUP_COLOUR[name]
                draw_circles(axes, x, y, size, colour, 0.6 if name == "source" else 1.0)
                handles.append(circle_handle(colour, f"{name} ({len(x)})"))
    return Path(path)


def save_background(
    path: str | Path, pixels: np.ndarray, level: np.ndarray, rms: np.ndarray, sources: np.ndarray
) -> Path:
    """Write background and noise as maps, and the blank pixels against what the noise says.

    Parameters
    ----------
    pixels, level, rms : (ny, nx) float arrays
        ADU.
    sources : (ny, nx) bool array
        Pixels left out.
    """
    ny, nx = level.shape
    height = float(np.clip(2.7 * ny / nx + 1.0, 2.6, 5.0))
    with styled_figure(path, (9.6, height)) as figure:
        grid = figure.add_gridspec(1, 3)
        for k, (image, title) in enumerate(((level, "Background (ADU)"), (rms, "Noise (ADU)"))):
            axes = figure.add_subplot(grid[k])
            _draw_map(figure, axes, image, title)
        axes = figure.add_subplot(grid[2])
        blank = sample(np.where(sources, np.nan, (pixels - level) / rms))
        # No finer than whole ADU, which would show as a comb.
        width = np.clip(1 / np.median(rms), 0.125, 1.0)
        edges = np.arange(-5 - width / 2, 5 + width, width).tolist()
        if (np.abs(blank) < 5).any():
            axes.hist(blank, edges, density=True, color=FIELD, alpha=0.55, label="blank pixels")
        x = np.linspace(-5, 5, 101)
        normal = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        axes.plot(x, normal, color=MODEL, label="normal, sigma 1")
        axes.set(xlabel="(pixel \N{MINUS SIGN} background) / noise", yticks=[], xlim=(-5, 5))
        axes.set_title("Is it noise?")
        # As high as the maps beside it, with room for the legend above the curve.
        axes.set_box_aspect(ny / nx if ny < 2 * nx else 2)
        axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
        axes.legend(loc="upper left", fontsize="small", ncols=2)
    return Path(path)


def _draw_map(
    figure: Figure,
    axes: Axes,
    image: np.ndarray,
    title: str,
    extent: tuple[float, float, float, float] | None = None,
) -> None:
    """Draw a map; extent: left, right, low and high edge, pixels, where it is no image of them."""
    small, step = thin(image)
    low, high = np.nanpercentile(small, [0.5, 99.5])
    ny, nx = small.shape
    # A map without structure is one colour, not its last digits.
    half = max(high - low, 1e-3 * abs(low), 1e-6) / 2
    middle = (low + high) / 2
    drawn = axes.imshow(
        small, extent=extent or (-0.5, nx * step - 0.5, -0.5, ny * step - 0.5), cmap="viridis",
        vmin=middle - half, vmax=middle + half,
    )  # fmt: skip
    axes.grid(visible=False)
    axes.set(xlabel="x (px)", title=title)
    figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.03)


def save_psf(
    path: str | Path,
    psf: tuple[np.ndarray, int],
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    residual: tuple[np.ndarray, np.ndarray],
    *,
    title: str,
) -> Path:
    """Write the PSF, its profile, its growth, and a part of the frame before and after.

    Parameters
    ----------
    psf : tuple of (m, m) float array and int
        The grid, and its nodes per pixel.
    curves : mapping of str to tuple of arrays
        ``"profile"`` and ``"growth"``: radius (px) and value.
    residual : tuple of (k, k) float arrays
        A part of the frame above the background, and the same without its stars.
    """
    with styled_figure(path, (9.6, 5.4), title=title) as figure:
        cells = figure.add_gridspec(2, 3, height_ratios=(1, 1.25))
        _draw_grid(figure.add_subplot(cells[0, 0]), *psf)
        top = float(psf[0].max())
        _draw_profile(figure.add_subplot(cells[0, 1]), curves["profile"], top)
        growth = figure.add_subplot(cells[0, 2])
        growth.plot(*curves["growth"], color=TARGET)
        growth.set(xlabel="radius (px)", ylabel="share of the light within", title="Growth")
        _draw_taken_off([figure.add_subplot(cells[1, k]) for k in range(3)], residual)
    return Path(path)


def save_psf_maps(
    path: str | Path,
    fwhm: np.ndarray,
    ellipse: tuple[np.ndarray, np.ndarray],
    shape: tuple[int, int],
) -> Path:
    """Write FWHM, and ellipticity with its direction, over a frame.

    Parameters
    ----------
    fwhm : (k, k) float array
        Pixels, in parts of the frame.
    ellipse : tuple of (k, k) float arrays
        ``1 - b/a``, and the direction of the long axis, degrees from x to y.
    shape : tuple of int
        Of the frame, (ny, nx).
    """
    ny, nx = shape
    extent = (-0.5, nx - 0.5, -0.5, ny - 0.5)
    height = float(np.clip(4.0 * ny / nx + 1.0, 2.6, 8.0))
    with styled_figure(path, (9.6, height)) as figure:
        left, right = (figure.add_subplot(1, 2, k) for k in (1, 2))
        _draw_map(figure, left, fwhm, "FWHM (px)", extent)
        _draw_map(figure, right, ellipse[0], "Ellipticity, long axis", extent)
        left.set(ylabel="y (px)")
        _draw_strokes(right, *ellipse, shape)
    return Path(path)


def _draw_strokes(
    axes: Axes, ellipticity: np.ndarray, angle: np.ndarray, shape: tuple[int, int]
) -> None:
    """Draw a stroke in every second part, the longest as long as two parts."""
    k = len(ellipticity)
    y, x = (np.mgrid[0:k, 0:k] + 0.5) / k * np.array(shape)[:, None, None] - 0.5
    size = ellipticity / max(float(ellipticity.max()), 1e-9) * 2 * min(shape) / k
    u, v = size * np.cos(np.radians(angle)), size * np.sin(np.radians(angle))
    some = (slice(None, None, 2), slice(None, None, 2))
    axes.quiver(
        x[some], y[some], u[some], v[some], pivot="mid", angles="xy", scale_units="xy", scale=1,
        headwidth=0, headlength=0, headaxislength=0, width=0.006, color="white",
    )  # fmt: skip


def _draw_grid(axes: Axes, grid: np.ndarray, oversampling: int) -> None:
    from matplotlib.colors import LogNorm

    half, top = (len(grid) - 1) / 2 / oversampling, grid.max()
    axes.imshow(
        np.maximum(grid, top * 1e-4), norm=LogNorm(top * 1e-4, top), cmap="viridis",
        extent=(-half, half, -half, half),
    )  # fmt: skip
    axes.grid(visible=False)
    axes.set(xlabel="px", ylabel="px", title="PSF, logarithmic")


def _draw_profile(axes: Axes, curve: tuple[np.ndarray, np.ndarray], top: float) -> None:
    axes.plot(*curve, color=TARGET)
    axes.set(xlabel="radius (px)", ylabel="share of the light per px", title="Profile")
    axes.set_yscale("log")
    axes.set_ylim(top * 1e-4, top * 1.5)
    plain_log_ticks(axes.yaxis, (1.0,))


def _draw_taken_off(cells: Sequence[Axes], residual: tuple[np.ndarray, np.ndarray]) -> None:
    low, high = _limits(residual[1])
    for axes, image, name in zip(cells, residual, ("A bright star", "Taken off"), strict=False):
        axes.imshow(image, vmin=low, vmax=high, cmap="gray_r")
        axes.grid(visible=False)
        axes.set(title=name, xticks=[], yticks=[])
    _draw_residual_histogram(cells[2], residual[1])


def _limits(image: np.ndarray) -> tuple[float, float]:
    finite = image[np.isfinite(image)]
    spread = float(np.percentile(finite, 84) - np.percentile(finite, 16)) if finite.size else 1.0
    return -4 * spread, 6 * spread


def _draw_residual_histogram(axes: Axes, after: np.ndarray) -> None:
    low, high = _limits(after)
    axes.hist(np.clip(after[np.isfinite(after)], low, high), 80, color=FIELD, alpha=0.7, log=True)
    axes.set(xlabel="ADU left over", ylabel="pixels", title="What is left")
    plain_log_ticks(axes.yaxis, (1.0,))


def save_cutouts(path: str | Path, cutouts: Sequence[tuple[str, Sequence[np.ndarray]]]) -> Path:
    """Write small pictures of sources, those of one beside each other.

    Parameters
    ----------
    cutouts : sequence of (str, sequence of (n, n) arrays)
        Name, and the images around it: the frame, the residual, perhaps a survey's.
    """
    most = max((len(images) for _, images in cutouts), default=1)
    columns = 10 // most
    rows = max(-(-len(cutouts) // columns), 1)
    height = 9.6 / columns / most + 0.39  # of a row, with its title
    with styled_figure(path, (9.6, height * rows + 0.2)) as figure:
        for k, (name, images) in enumerate(cutouts):
            blank = np.full(images[0].shape, np.nan)
            shown = [*images, *[blank] * (most - len(images))]
            between = np.ones((len(blank), 1))
            parts = [part for image in shown for part in (_stretched(image), between)]
            axes = figure.add_subplot(rows, columns, k + 1)
            axes.imshow(np.hstack(parts[:-1]), vmin=0, vmax=1)
            axes.grid(visible=False)
            axes.set(xticks=[], yticks=[])
            axes.set_title(name, fontsize="small")
    return Path(path)


def _stretched(image: np.ndarray) -> np.ndarray:
    return stretch(image) if np.isfinite(image).any() else np.ones(image.shape)
