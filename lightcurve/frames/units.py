"""The unit of an image's numbers: brought to counts, so that all that follows reads one kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.core.data import Exposure, FrameKind
from lightcurve.core.errors import FrameError
from lightcurve.frames.cards import Cards, find, number

FULL_SCALE_ADU = 65535.0  # of images that were divided by it: 16 bits
LEAST_LIGHT = 1e-3  # of full scale: 65 ADU, in the highest pixel of a frame of stars
LARGEST_FRACTION = 2.0  # calibration lifts some pixels over 1; no count of photons is so low
_COUNTS = re.compile(r"(?:adu|counts?|dn|du|data ?numbers?|digital ?numbers?)s?", re.I)
_ELECTRONS = re.compile(r"e-?|electrons?|photo-?electrons?|photons?", re.I)
_RATE = re.compile(r"\s*(?:/|\bper\b)\s*(?:s|sec|seconds?)$|\s+s(?:\^|\*\*)?-1$", re.I)
_PER_PIXEL = re.compile(
    r"\s*(?:/|\bper\b)\s*(?:pix|px|pixels?)\b|\s+(?:pix|px|pixels?)(?:\^|\*\*)?-1\b", re.I
)
_NANOMAGGIES = re.compile(r"(?:nano-?maggy|nano-?maggies|nmgy)s?", re.I)


@dataclass(frozen=True, slots=True)
class Unit:
    """What a header says of the unit of its image.

    text : the unit as it stands; empty where the header has none.
    electrons : counted, and not what a converter made of them: the gain is 1.
    rate : in a second.
    """

    text: str = ""
    source: str = ""
    electrons: bool = False
    rate: bool = False
    known: bool = True
    counts_per_unit: float = 1.0


def read_unit(cards: Cards) -> Unit:
    """Read the unit of an image from its header (``BUNIT``)."""
    found = find(cards, "unit")
    if found is None:
        return Unit()
    text = found.text.strip().strip("[]()")
    of_all = _PER_PIXEL.sub("", text)
    rate = bool(_RATE.search(of_all))
    what = _RATE.sub("", of_all).strip()
    if _NANOMAGGIES.fullmatch(what):
        # SDSS: what one count is in nanomaggies.
        of_count = find(cards, "nanomaggies_per_count")
        value = number(of_count.text) if of_count else None
        per_unit = 1 / value if value and value > 0 else 1.0
        return Unit(text, found.source, rate=rate, known=bool(value), counts_per_unit=per_unit)
    electrons = bool(_ELECTRONS.fullmatch(what))
    known = electrons or not what or bool(_COUNTS.fullmatch(what))
    return Unit(text, found.source, electrons=electrons, rate=rate, known=known)


def in_counts(
    pixels: np.ndarray, unit: Unit, exposure: Exposure, path: Path
) -> tuple[np.ndarray, Exposure, tuple[str, ...]]:
    """Bring floating-point pixels to counts (ADU, or electrons at a gain of 1).

    Rates become counts of the exposure; fractions of full scale, as Siril, PixInsight and others
    save them, become ADU of 16 bits. What the unit alone does not tell is told by the range.

    Parameters
    ----------
    pixels : (ny, nx) float array
        As stored; changed in place where they are multiplied.
    exposure : Exposure
        Its saturation, where it is that of the header, follows.

    Returns
    -------
    pixels, exposure, notes
        Notes say what was done.

    Raises
    ------
    FrameError
        When a light frame has numbers so small that they can be neither.
    """
    factor, note = 1.0, ""
    if unit.rate and exposure.exposure_s:
        factor = exposure.exposure_s
        note = f"{unit.source} = {unit.text}: taken times the {factor:g} s exposed"
    elif unit.rate:
        note = f"{unit.source} = {unit.text}: no exposure is known, its numbers are taken as counts"
    if unit.counts_per_unit != 1:
        factor *= unit.counts_per_unit
        note = f"{unit.source} = {unit.text}: taken times {factor:.6g} for counts"
    elif not unit.electrons and not unit.rate and _are_fractions(pixels):
        factor, largest = FULL_SCALE_ADU, float(np.nanmax(pixels))
        if largest < LEAST_LIGHT and exposure.kind is FrameKind.LIGHT:
            msg = (
                f"its highest pixel is {largest:.3g} {unit.text or '(no BUNIT)'}, which is no "
                "count: bring the frame to ADU first"
            )
            raise FrameError(path, msg)
        note = f"pixels are fractions, {largest:.3g} at most: taken times {factor:.0f} ADU"
    elif not unit.known:
        note = f"{unit.source} = {unit.text}: not known, its numbers are taken as counts"
    if factor != 1:
        pixels *= np.float32(factor)
        for name in ("saturation_adu", "linearity_adu"):
            level, source = getattr(exposure, name), exposure.sources.get(name, "")
            largest = FULL_SCALE_ADU * LARGEST_FRACTION
            if level is not None and source.startswith("header") and level * factor <= largest:
                exposure = replace(exposure, **{name: level * factor})
    return pixels, exposure, (note,) if note else ()


def _are_fractions(pixels: np.ndarray) -> bool:
    """Whether pixels were divided by their full scale: small, and no whole numbers."""
    if not np.isfinite(pixels).any():
        return False
    largest = float(np.nanmax(pixels))
    if not 0 < largest <= LARGEST_FRACTION:
        return False
    some = pixels[np.isfinite(pixels)][:: max(1, pixels.size // 10000)]
    return not bool(np.array_equal(some, np.rint(some)))
