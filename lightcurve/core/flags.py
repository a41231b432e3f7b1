"""Quality flags, each declared once: name, bit and meaning.

Two families: `PixelFlag` marks pixels of one frame, `Flag` marks one star's measurement in one
frame. Columns named ``flags`` hold the sum of the bits; `describe` turns it back into words.
"""

from __future__ import annotations

from collections import Counter
from enum import IntFlag

import numpy as np

__all__ = [
    "NO_POINT", "PIXEL_MEANING", "UNUSABLE", "Flag", "PixelFlag", "count_flags", "count_pixels",
    "describe",
]  # fmt: skip


class PixelFlag(IntFlag):
    """Why a pixel is not to be trusted (bits of `Frame.bad`, uint8)."""

    NOT_FINITE = 1
    SATURATED = 2
    HOT = 4
    DEAD = 8
    COSMIC_RAY = 16
    BORDER = 32
    TRAIL = 64
    USER = 128


class Flag(IntFlag):
    """Why a measurement is not to be trusted (uint16)."""

    EDGE = 1
    SATURATED = 2
    NON_LINEAR = 4
    BAD_PIXEL = 8
    NO_CENTROID = 16
    CROWDED = 32
    FEW_SKY_PIXELS = 64
    NEGATIVE_FLUX = 128
    CLOUD = 256
    OUTLIER = 512
    NOT_MEASURED = 1024
    TIME_UNCERTAIN = 2048
    PLATE_SOLVED = 4096
    UNSURE = 8192
    MENDED = 16384
    NO_COMPARISON = 32768


PIXEL_MEANING = {
    PixelFlag.NOT_FINITE: "the value is NaN, infinite or blank",
    PixelFlag.SATURATED: "at or above the saturation level in the raw frame",
    PixelFlag.HOT: "hot or noisy in the dark frames",
    PixelFlag.DEAD: "dead or nearly so in the flat frames",
    PixelFlag.COSMIC_RAY: "hit by a cosmic ray",
    PixelFlag.BORDER: "in the border or overscan that the settings leave out",
    PixelFlag.TRAIL: "crossed by a satellite or aeroplane trail",
    PixelFlag.USER: "marked bad by the user's map",
}


MEANING = {
    Flag.EDGE: "the aperture reaches over the edge of the frame",
    Flag.SATURATED: "a pixel in the aperture is saturated",
    Flag.NON_LINEAR: "a pixel in the aperture is above the linearity level",
    Flag.BAD_PIXEL: "a bad pixel in the aperture hides light that cannot be told well enough",
    Flag.NO_CENTROID: "no centroid: measured where the sky coordinates put it",
    Flag.CROWDED: "another star lies in the aperture",
    Flag.FEW_SKY_PIXELS: "too few pixels were left to measure the sky",
    Flag.NEGATIVE_FLUX: "the flux above the sky is not positive",
    Flag.CLOUD: "clouds: the comparison stars are far too faint, and not all alike",
    Flag.OUTLIER: "far from its neighbours in time, or taken out by hand",
    Flag.NOT_MEASURED: "not measured in this frame",
    Flag.TIME_UNCERTAIN: "the header's clock leaves the time open by more than 1 s either way",
    Flag.PLATE_SOLVED: "the frame did not match the reference: placed by solving it on the sky",
    Flag.UNSURE: "seen only where its neighbours were taken off, and may be what the PSF missed",
    Flag.MENDED: "a bad pixel in the aperture was given the light of the stars' common profile",
    Flag.NO_COMPARISON: "no comparison star was well measured in this frame",
}

# What a measurement must not have.
UNUSABLE = (
    Flag.EDGE
    | Flag.SATURATED
    | Flag.NON_LINEAR
    | Flag.BAD_PIXEL
    | Flag.FEW_SKY_PIXELS
    | Flag.NEGATIVE_FLUX
    | Flag.NOT_MEASURED
)
# What a point of a light curve must not have.
NO_POINT = UNUSABLE | Flag.CLOUD | Flag.OUTLIER | Flag.NO_COMPARISON


def describe(bits: int, family: type[IntFlag] = Flag) -> str:
    """Name the bits that are set, in order, as ``"EDGE SATURATED"``; unknown ones as numbers."""
    names = [flag.name or "" for flag in family if bits & flag]
    unknown = int(bits) & ~sum(int(flag) for flag in family)
    return " ".join([*names, *([str(unknown)] if unknown else [])])


def count_flags(flags: np.ndarray, unflagged: str = "") -> str:
    """Count each combination, the most frequent first: ``"3 cloud, 1 edge and not-measured"``.

    flags: (n,) int array. unflagged: the word for none.
    """
    words = Counter(
        describe(bits).lower().replace(" ", " and ").replace("_", "-") or unflagged
        for bits in flags
    )
    return ", ".join(f"{n} {name}" for name, n in words.most_common())


def count_pixels(bad: np.ndarray) -> dict[str, int]:
    """Count the pixels of each kind of `PixelFlag` that there are, by names in small letters.

    bad: (ny, nx) uint8 array of `PixelFlag` bits.
    """
    seen = np.bitwise_or.reduce(bad, axis=None)
    return {
        (flag.name or "").lower(): int(np.count_nonzero(bad & flag))
        for flag in PixelFlag
        if flag & seen
    }
