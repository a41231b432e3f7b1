"""Stars as a user names them: by id, by place on the sky, by pixels of a frame."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.coordinates import read_angle
from lightcurve.core.data import StarPlan, StarRole
from lightcurve.core.errors import InputError, Why

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["Field", "find_star"]

log = logging.getLogger(__name__)
LETTERS = {StarRole.TARGET: "T", StarRole.COMPARISON: "C", StarRole.CHECK: "K", StarRole.FIELD: "S"}
TOLERANCE_PX = 3.0
NEAR = 2.0  # widths of a frame, by which other frames of a night may be off it
_PIXELS = re.compile(r"\s*([-+]?[\d.]+)\s*,\s*([-+]?[\d.]+)\s*(px|fits|ij)?\s*")
# What programs call pixels, as ours: from 0 at the middle of the first, at the bottom left.
UNITS: dict[str, Callable[[float, float, int], tuple[float, float]]] = {
    "px": lambda x, y, _: (x, y),
    "fits": lambda x, y, _: (x - 1, y - 1),  # as DS9, and AstroImageJ's columns X(FITS), Y(FITS)
    "ij": lambda x, y, height: (x - 0.5, height - 0.5 - y),  # AstroImageJ's, from the top left
}


@dataclass(frozen=True, slots=True)
class Moved:
    """How the frame whose pixels name stars lies on the reference frame.

    turn : 1, or -1 where it is turned by half.
    x, y : of the reference frame, where the pixel (0, 0) of that frame falls.
    """

    x: float = 0.0
    y: float = 0.0
    turn: int = 1

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Find a pixel of that frame on the reference frame."""
        return self.x + self.turn * x, self.y + self.turn * y


UNMOVED = Moved()


@dataclass(frozen=True, slots=True)
class Field:
    """The reference frame, as far as names of stars need it.

    wcs : None where places on the sky cannot be found.
    shape : (ny, nx); None where bare pixels cannot be told from places on the sky.
    """

    wcs: WCS | None = None
    shape: tuple[int, int] | None = None
    moved: Moved = UNMOVED

    def place(self, star: str) -> tuple[float, float, str]:
        """Find where a star named by two numbers is: x, y, pixels, and how it was read.

        What could be either is a place on the sky if that is in the frame or near it. Raises
        InputError where it is neither.
        """
        pixels, sky = read_pixels(star, self.shape), None
        if pixels is None or not _has_unit(star):
            sky = self._on_sky(star, refuse=pixels is None)
        if sky is not None and (pixels is None or self._holds(*sky, margin=NEAR)):
            return *sky, f"a place on the sky, here pixel {sky[0]:.1f}, {sky[1]:.1f}"
        if pixels is None:
            msg = f'"{star}" is no position: write "RA,DEC" such as "31.0428,46.6878", or "X,Y"'
            raise InputError(msg)
        x, y = self.moved.place(*pixels)
        there = "" if self._holds(x, y) else ", outside of it"
        return x, y, f"pixel {x:.1f}, {y:.1f} of the reference frame, from 0{there}"

    def _on_sky(self, star: str, *, refuse: bool) -> tuple[float, float] | None:
        ra_dec = _read_sky(star, refuse=refuse)
        if ra_dec is None:
            return None
        if self.wcs is None:
            if not refuse:
                return None
            msg = (
                f'star "{star}" is given by coordinates, but there is no plate solution to place it'
            )
            raise InputError(msg)
        x, y = (float(v) for v in self.wcs.all_world2pix(*ra_dec, 0, quiet=True))
        return x, y

    def _holds(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Whether a place is in the frame, or off it by no more than some of its widths."""
        if self.shape is None:
            return True
        far = margin * max(self.shape) + 0.5
        return all(-far <= at < size - 1 + far for at, size in zip((y, x), self.shape, strict=True))


def read_pixels(star: str, shape: tuple[int, int] | None = None) -> tuple[float, float] | None:
    """Read ``X,Y`` as pixels, from 0: ``512,400``, ``512,400px``, ``513,401fits``, ``512,623ij``.

    shape : (ny, nx) of the frame; without it none that count from the top.
    Returns None where it is no pair of numbers, or of a unit that cannot be read.
    """
    found = _PIXELS.fullmatch(star)
    if not found or (found[3] == "ij" and shape is None):
        return None
    try:
        return UNITS[found[3] or "px"](float(found[1]), float(found[2]), shape[0] if shape else 0)
    except ValueError:
        return None


def _has_unit(star: str) -> bool:
    found = _PIXELS.fullmatch(star)
    return bool(found and found[3])


def _read_sky(star: str, *, refuse: bool) -> tuple[float, float] | None:
    """Read RA and Dec, degrees; None, or InputError, for what is no place in the sky."""
    parts = [part.strip() for part in star.split(",")]
    try:
        ra_text, dec_text = parts
        ra, dec = read_angle(ra_text, hours=True), read_angle(dec_text)
        if 0 <= ra < 360 and -90 <= dec <= 90:
            return ra, dec
        told = f"RA {ra:g}, Dec {dec:g} degrees is no place in the sky"
    except ValueError:
        told = 'write "RA,DEC" such as "31.0428,46.6878", or pixels "X,Y"'
    if not refuse:
        return None
    msg = f'"{star}" is no position: {told}'
    raise InputError(msg)


def find_star(
    plan: StarPlan,
    star: str,
    field: Field | WCS | None = None,
    tolerance_px: float = TOLERANCE_PX,
    most: int | None = None,
) -> int:
    """Find the row of a star that the user named; raises InputError when there is none.

    star: an id (``"C5"``; the letter does not matter), ``"RA,DEC"``, both in degrees or
    sexagesimal hours and degrees, or pixels of the reference frame as for `read_pixels`.
    field: the reference frame, or its WCS alone. most: stars that a plan by another frame might
    have; not given, that of this plan is the only one.
    """
    text = star.strip()
    if "," not in text:
        number = text[1:] if text[:1].upper() in LETTERS.values() else text
        if number.isdecimal() and 1 <= int(number) <= len(plan):
            return int(number) - 1
        msg = f'no star "{star}": ids run from 1 to {len(plan)}; or give "RA,DEC", or "X,Y"'
        elsewhere = number.isdecimal() and 1 <= int(number) <= (most or 0)
        raise InputError(msg, why=None if elsewhere else Why.NAMED)
    field = field if isinstance(field, Field) else Field(field)
    x, y, how = field.place(text)
    distance = np.hypot(plan.x_ref - x, plan.y_ref - y)
    row = int(np.argmin(distance))
    if not distance[row] <= tolerance_px:
        msg = (
            f'no star at "{star}" ({how}): the nearest, {plan.star_id[row]}, is '
            f"{distance[row]:.1f} px away, {tolerance_px:.1f} allowed; see stars.csv for positions"
        )
        raise InputError(msg)
    log.info(
        "%s is %s: RA %.5f, Dec %+.5f, %.4g ADU, %.1f px off (%s)", star, plan.star_id[row],
        plan.ra_deg[row], plan.dec_deg[row], plan.flux_ref[row], distance[row], how,
    )  # fmt: skip
    return row


def places_named(stars: Sequence[str], field: Field) -> np.ndarray:
    """List where stars that are named by two numbers are, (n, 2) pixels; ids are left out."""
    return np.array([field.place(star)[:2] for star in stars if "," in star]).reshape(-1, 2)


def moved_by(
    anchor: str | None,
    stars: Sequence[str],
    target_xy: tuple[float, float],
    detected: np.ndarray,
    shape: tuple[int, int],
) -> Moved:
    """Find how the frame lies in whose pixels the target is at the anchor.

    stars: named by pixels of that frame, as the anchor is; target_xy: where the target is on the
    reference frame. detected: (n, 2), places of stars there. A turn by half, as of a mount that
    was turned over, is taken where more of the stars then fall on some.
    """
    at = None if anchor is None else read_pixels(anchor, shape)
    if at is None:
        return UNMOVED
    pixels = np.array([p for star in stars if (p := read_pixels(star, shape))]).reshape(-1, 2)
    ways = [Moved(target_xy[0] - t * at[0], target_xy[1] - t * at[1], t) for t in (1, -1)]
    if not len(pixels) or not len(detected):
        return ways[0]
    best = max(ways, key=lambda way: _met(way.turn * pixels + (way.x, way.y), detected))
    log.info(
        "pixels that name stars are of a frame moved by %+.1f, %+.1f px%s, as the target in it is",
        best.x, best.y, " and turned by half" if best.turn < 0 else "",
    )  # fmt: skip
    return best


def _met(places: np.ndarray, detected: np.ndarray) -> int:
    """Count the places, (n, 2), at which a star was detected, (m, 2)."""
    apart = np.hypot(*(places[:, None, :] - detected[None, :, :]).transpose(2, 0, 1))
    return int(np.sum(apart.min(axis=1) <= TOLERANCE_PX))
