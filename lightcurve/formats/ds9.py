"""Region files of SAOImage DS9."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """One circle, annulus or point.

    Attributes
    ----------
    shape : str
        ``"circle"``, ``"annulus"`` or ``"point"``.
    system : str
        ``"image"`` or ``"icrs"``.
    x, y : float
        0-based pixels, or RA and Dec in degrees.
    radii : tuple of float
        Pixels, or arc seconds; empty for a point.
    text : str
        Its label.
    """

    shape: str
    system: str
    x: float
    y: float
    radii: tuple[float, ...]
    text: str = ""


def ds9_text(regions: Sequence[tuple[Region, str]]) -> str:
    """Lay out a region file.

    Parameters
    ----------
    regions : sequence of (Region, str)
        With colours.
    """
    lines = ["# Region file format: DS9 version 4.1", "global width=1 font='helvetica 10 normal'"]
    system = ""
    for region, colour in regions:
        if region.system != system:
            system = region.system
            lines.append(system)
        sky = system != "image"
        x, y = (region.x, region.y) if sky else (region.x + 1, region.y + 1)  # DS9 counts from 1
        radii = [f'{r!r}"' if sky else repr(r) for r in region.radii]
        label = re.sub(r"[{}\n]", " ", region.text)
        text = f" text={{{label}}}" if label else ""
        lines.append(
            f"{region.shape}({','.join([repr(x), repr(y), *radii])}) # color={colour}{text}"
        )
    return "\n".join(lines) + "\n"
