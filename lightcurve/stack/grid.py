"""The grid of a stack: its place on the sky, how it lies, and from it to each frame's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS

from lightcurve.astrometry.wcs import describe_wcs, tangent_wcs
from lightcurve.core.coordinates import parse_coordinates
from lightcurve.core.data import Solution
from lightcurve.core.errors import InputError
from lightcurve.core.settings import StackSettings
from lightcurve.stack.resample import Transform
from lightcurve.stack.warp import Warp

MAX_PIXELS = 2**28
EDGE = 17  # places along each edge of a frame


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Pixels of a stack.

    Attributes
    ----------
    wcs : WCS or None
        Tangential, without distortion; None where the frames could not be placed on the sky.
    matrix : (2, 3) float array
        Without a WCS: from the grid's pixels to the reference's.
    """

    shape: tuple[int, int]
    wcs: WCS | None
    reference: WCS | None
    matrix: np.ndarray

    def to_frame(self, warp: Warp) -> Transform:
        """Carry places on the grid to those in a frame: by the sky, the reference, and its warp."""

        def carry(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            if self.wcs is None or self.reference is None:
                return warp(*(self.matrix[:, :2] @ np.stack([u, v]) + self.matrix[:, 2:]))
            sky = self.wcs.all_pix2world(u, v, 0)
            return warp(*self.reference.all_world2pix(*sky, 0, quiet=True))

        return carry


def make_grid(
    solution: Solution | None,
    warps: Sequence[Warp],
    shape: tuple[int, int],
    settings: StackSettings,
) -> Grid:
    """Lay a grid over all frames, or as the settings want it.

    shape: (ny, nx) of each frame; warps: from the reference's pixels to theirs. Raises InputError
    where it is to lie on the sky and no frame could be solved or shows it, or would be too large.
    """
    corners = np.concatenate([_outline(warp, shape) for warp in warps])
    if solution is None:
        return _plain(corners, settings)
    wcs = solution.wcs
    scale = settings.scale_arcsec or solution.scale_arcsec
    # The middle of a pixel of the reference: of frames that do not move none is resampled.
    middle = wcs.all_pix2world(shape[1] // 2, shape[0] // 2, 0)
    ra, dec = map(float, middle) if settings.center is None else _place(settings.center)
    sky = wcs.all_pix2world(*corners.T, 0)
    if settings.north_up:
        cd = scale / 3600 * np.array([[-1.0, 0.0], [0.0, 1.0]])
    else:
        _, turn, parity = describe_wcs(wcs, shape)
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        # y points along the angle from north through east; x a quarter turn beside it.
        cd = scale / 3600 * np.array([[-parity * c, s], [parity * s, c]])
    middle = np.array([ra, dec])
    flat = tangent_wcs(middle, np.zeros(2), cd)
    places = np.column_stack(flat.all_world2pix(*sky, 0))
    low, size = _frame_of(places, settings, fixed=settings.center is not None)
    grid = tangent_wcs(middle, -low, cd)
    return Grid(size, grid, wcs, np.eye(2, 3))


def _place(text: str) -> tuple[float, float]:
    parts = text.replace(",", " ").split()
    half = len(parts) // 2
    return parse_coordinates(" ".join(parts[:half]), " ".join(parts[half:]))


def _plain(corners: np.ndarray, settings: StackSettings) -> Grid:
    """Lay a grid as the reference lies."""
    wanted = [name for name, value in (
        ("--center", settings.center), ("--scale", settings.scale_arcsec),
        ("--north-up", settings.north_up)) if value]  # fmt: skip
    if wanted:
        msg = f"{', '.join(wanted)}: no frame is solved on the sky, so the grid lies as they do"
        raise InputError(msg)
    low, size = _frame_of(corners, settings, fixed=False)
    return Grid(size, None, None, np.column_stack([np.eye(2), low]))


def _outline(warp: Warp, shape: tuple[int, int]) -> np.ndarray:
    """Places in the reference of a frame's edges (n, 2)."""
    ny, nx = shape
    y, x = (
        one.ravel() for one in np.mgrid[-0.5 : ny - 0.5 : EDGE * 1j, -0.5 : nx - 0.5 : EDGE * 1j]
    )
    wanted = np.stack([x, y])
    # Of a transform close to a turn and a shift: a few steps of Newton's with that of its middle.
    ends = np.array([[nx / 2, ny / 2], [nx / 2 + 1, ny / 2], [nx / 2, ny / 2 + 1]]).T
    at = np.stack(warp(*ends))
    inverse = np.linalg.inv(at[:, 1:] - at[:, :1])
    here = ends[:, :1] + inverse @ (wanted - at[:, :1])
    for _ in range(3):
        here = here + inverse @ (wanted - np.stack(warp(*here)))
    return here.T


def _frame_of(
    places: np.ndarray, settings: StackSettings, *, fixed: bool
) -> tuple[np.ndarray, tuple[int, int]]:
    """Lower left pixel and size (ny, nx) of a grid over places (n, 2).

    fixed: (0, 0) is its middle.
    """
    elsewhere = InputError(f"--center {settings.center}: no frame shows the sky of such a stack")
    low, high = places.min(axis=0), places.max(axis=0)
    if not np.isfinite(low + high).all():  # more than a quarter of the sky away
        raise elsewhere
    seen = low, high
    if fixed:
        reach = np.maximum(np.abs(low), np.abs(high))
        low, high = -reach, reach
    middle = np.zeros(2) if fixed else (low + high) / 2
    nx, ny = settings.size or tuple(int(n) for n in np.ceil(high - low))
    if not 0 < nx * ny <= MAX_PIXELS:
        msg = f"the stack would be {nx} x {ny} px: give --size and --center, or a larger --scale"
        raise InputError(msg)
    start = np.rint(middle - (np.array([nx, ny]) - 1) / 2)
    if (start > seen[1]).any() or (start + np.array([nx, ny]) < seen[0]).any():
        raise elsewhere
    return start, (ny, nx)
