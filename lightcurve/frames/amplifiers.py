"""A chip put together from the images of its amplifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lightcurve.frames.cards import Cards, find, number
from lightcurve.frames.sections import USED, Section, read_layout, read_section, trim

__all__: list[str] = []

Slot = tuple[slice, slice]
MOST_OPEN = 0.5  # of a chip: sections that leave more of it open are of no one detector
# Of each axis of a WCS: what changes its sign with the axis, the first of these that there is.
_TURNING = (("CD1_{0}", "CD2_{0}"), ("PC1_{0}", "PC2_{0}"), ("CDELT{0}",))


def _moved_wcs(
    cards: Cards, shape: tuple[int, int], section: Section, slot: Slot
) -> dict[str, float]:
    """Bring the WCS of an amplifier's image (ny, nx) to the whole chip, where it lies in a slot.

    LTM and LTV keep the way back: a pixel of the chip is LTM times that of the image plus LTV.
    """
    layout = read_layout(cards, shape)
    data = layout.data if layout else Section(slice(0, shape[1]), slice(0, shape[0]))
    changes: dict[str, float] = {}
    axes = ((1, data.x, slot[1], section.mirror_x), (2, data.y, slot[0], section.mirror_y))
    for axis, kept, place, mirrored in axes:
        factor, shift = 1.0, float(place.start - kept.start)
        if mirrored:
            factor, shift = -1.0, float(place.start + kept.stop + 1)
        changes |= {f"LTM{axis}_{axis}": factor, f"LTV{axis}": shift}
        card = cards.get(f"CRPIX{axis}")
        pixel = None if card is None else number(card.text)
        if pixel is not None:
            changes[f"CRPIX{axis}"] = factor * pixel + shift
        for names in _TURNING if mirrored else ():
            found = {name.format(axis) for name in names} & cards.keys()
            changes |= {name: -(number(cards[name].text) or 0.0) for name in found}
            if found:
                break
    return changes


def _overlap(one: Slot, other: Slot) -> bool:
    """Tell whether two rectangles of pixels have some in common."""
    pairs = zip(one, other, strict=True)
    return all(a.start < b.stop and b.start < a.stop for a, b in pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Chip:
    """A detector put together from the images of its amplifiers."""

    pixels: np.ndarray  # (ny, nx) float32, ADU at the gain in `cards`; empty if none were given
    shape: tuple[int, int]
    cards: Mapping[str, float]  # that replace those of the first amplifier
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    level: float  # ADU, the highest that was taken off an amplifier
    factor: float  # by which counts were multiplied, of the amplifier where that is the least
    gaps: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The image of one amplifier, overscan off and trimmed."""

    pixels: np.ndarray  # (ny, nx); empty if none were given
    shape: tuple[int, int]
    section: Section  # of the detector, in its pixels
    gain: float  # e-/ADU; NaN where the header does not tell
    level: float  # ADU that was taken off, at most
    scanned: bool  # whether it had an overscan

    def slot(self, top: int, left: int) -> Slot:
        """Where it lies in a chip whose first pixel is that row and column of the detector."""
        slots = []
        starts = (self.section.y.start - top, self.section.x.start - left)
        for start, whole, own in zip(starts, self.section.shape, self.shape, strict=True):
            first = start // (whole // own)
            slots.append(slice(first, first + own))
        return slots[0], slots[1]

    @property
    def turned(self) -> np.ndarray:
        """Its pixels as they lie on the detector."""
        by_y, by_x = (-1 if m else 1 for m in (self.section.mirror_y, self.section.mirror_x))
        return self.pixels[::by_y, ::by_x]


def join_amplifiers(
    images: Sequence[tuple[Cards, tuple[int, int], np.ndarray]],
) -> Chip | None:
    """Put the images of amplifiers together: overscan off, trimmed, at one gain, in their places.

    images : cards, shape (ny, nx) and pixels of each; pixels may be empty where they are not
    wanted. Each is multiplied by its own gain over the mean of all, so that one number serves the
    whole. Between chips of one camera may be gaps, which are NaN. None where the sections overlap,
    or leave more open than they fill.
    """
    parts = [part for image in images if (part := _part_of(*image)) is not None]
    if len(parts) < len(images):
        return None
    top = min(part.section.y.start for part in parts)
    left = min(part.section.x.start for part in parts)
    slots = [part.slot(top, left) for part in parts]
    shape = max(s[0].stop for s in slots), max(s[1].stop for s in slots)
    open_share = 1 - sum(part.shape[0] * part.shape[1] for part in parts) / (shape[0] * shape[1])
    if open_share >= MOST_OPEN or any(_overlap(a, b) for a, b in combinations(slots, 2)):
        return None
    gains = np.array([part.gain for part in parts])
    mean = float(gains.mean())  # NaN where one is not told: then none is heeded
    factors = gains / mean if np.isfinite(mean) else np.ones(len(parts))
    changes: dict[str, float] = {"NAXIS1": shape[1], "NAXIS2": shape[0]}
    changes |= _moved_wcs(images[0][0], images[0][1], parts[0].section, slots[0])
    if np.isfinite(mean):
        changes["GAIN"] = mean
    return Chip(
        pixels=_filled(parts, slots, shape, factors),
        shape=shape,
        cards=changes,
        left_out=(*USED, "DETSEC", "CCDSEC", "EXTNAME"),
        notes=_notes(parts, open_share, gains),
        level=max(part.level for part in parts),
        factor=float(factors.min()),
        gaps=open_share > 0,
    )


def _part_of(cards: Cards, shape: tuple[int, int], pixels: np.ndarray) -> _Part | None:
    """Trim the image of an amplifier; None where its header does not tell its place on the chip."""
    layout, section = read_layout(cards, shape), read_section(cards, "detector_section")
    ny, nx = shape if layout is None else layout.data.shape
    if section is None or section.shape[0] % ny or section.shape[1] % nx:
        return None
    found = find(cards, "gain")
    gain = number(found.text) if found else None
    level, scanned = 0.0, layout is not None and layout.overscan is not None
    if layout is not None and pixels.size:
        pixels, level = trim(pixels, layout)
    gain = gain if gain and gain > 0 else np.nan
    return _Part(pixels, (ny, nx), section, gain, level, scanned)


def _filled(
    parts: Sequence[_Part], slots: Sequence[Slot], shape: tuple[int, int], factors: np.ndarray
) -> np.ndarray:
    """Lay the parts, times their factors, into a chip (ny, nx), NaN between; empty if they are."""
    if not parts[0].pixels.size:
        return np.empty((0, 0), np.float32)
    pixels = np.full(shape, np.nan, np.float32)
    for part, slot, factor in zip(parts, slots, factors, strict=True):
        pixels[slot] = part.turned * np.float32(factor)
    return pixels


def _notes(parts: Sequence[_Part], open_share: float, gains: np.ndarray) -> tuple[str, ...]:
    """Say what was done."""
    scanned = sum(part.scanned for part in parts)
    notes = [f"overscan of {scanned} taken off"] if scanned else []
    if open_share > 0:
        notes.append(f"gaps of {open_share:.1%} between chips, no value there")
    if np.isfinite(gains).all():
        low, high = gains.min(), gains.max()
        notes.append(f"gains {low:.3g} to {high:.3g} brought to {gains.mean():.3g}")
    return tuple(notes)
