"""Region files of SAOImage DS9: the stars and their apertures, written and read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightcurve.data import StarPlan
from lightcurve.errors import InputError
from lightcurve.files import write_text
from lightcurve.formats.text import read_text

COLOURS = {"target": "blue", "comparison": "green", "check": "orange", "field": "white"}
SYSTEMS = ("image", "physical", "fk5", "icrs", "j2000")
OTHER_SYSTEMS = ("fk4", "b1950", "galactic", "ecliptic", "linear", "amplifier", "detector")
_SHAPE = re.compile(
    r"^[-+]?\s*(circle|annulus|point)\s*\(?([^)#]*)\)?\s*(?:#(.*))?$", re.IGNORECASE
)
_TEXT = re.compile(r"text\s*=\s*(?:\{([^}]*)\}|\"([^\"]*)\"|'([^']*)')")


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


def plan_regions(
    plan: StarPlan,
    radius: float,
    annulus: tuple[float, float],
    *,
    scale_arcsec: float | None = None,
) -> list[tuple[Region, str]]:
    """List the regions of a star plan with their colours.

    Parameters
    ----------
    plan : StarPlan
    radius : float
        Aperture, pixels.
    annulus : tuple of float
        Pixels; drawn for target, comparison and check stars.
    scale_arcsec : float, optional
        Arc seconds per pixel: the regions are then on the sky and fit every frame.

    Returns
    -------
    list of (Region, str)
    """
    sky = scale_arcsec is not None
    system, scale = ("icrs", scale_arcsec) if sky else ("image", 1.0)
    places = zip(plan.ra_deg, plan.dec_deg) if sky else zip(plan.x_ref, plan.y_ref)  # noqa: B905
    regions = []
    for star, role, (x, y) in zip(plan.star_id, plan.role, places, strict=True):
        place = (system, float(x), float(y))
        colour = COLOURS.get(str(role), "white")
        regions.append((Region("circle", *place, (radius * scale,), str(star)), colour))
        if role != "field":
            rings = (annulus[0] * scale, annulus[1] * scale)
            regions.append((Region("annulus", *place, rings), colour))
    return regions


def ds9_text(regions: Sequence[tuple[Region, str]]) -> str:
    """Lay out a region file.

    Parameters
    ----------
    regions : sequence of (Region, str)
        With colours.

    Returns
    -------
    str
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


def write_ds9(
    path: str | Path,
    plan: StarPlan,
    *,
    radius: float,
    annulus: tuple[float, float],
    scale_arcsec: float | None = None,
) -> Path:
    """Write the stars of a plan as a DS9 region file.

    Parameters
    ----------
    path : path-like
    plan : StarPlan
    radius : float
        Aperture, pixels.
    annulus : tuple of float
        Pixels.
    scale_arcsec : float, optional
        Makes sky regions instead of pixels of the reference frame.

    Returns
    -------
    Path
    """
    return write_text(
        path, ds9_text(plan_regions(plan, radius, annulus, scale_arcsec=scale_arcsec))
    )


def read_ds9(path: str | Path) -> list[Region]:
    """Read circles, annuli and points from a DS9 region file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Region
        Other shapes are left out.

    Raises
    ------
    InputError
        When the coordinates of a shape cannot be read, or stand in an unknown system.
    """
    name, system, regions = Path(path).name, "physical", []
    lines = re.split(r"[\n;]", read_text(path, what="a region file"))
    for line in (entry.strip() for entry in lines):
        word = line.split("(")[0].strip().lower()
        if word in (*SYSTEMS, *OTHER_SYSTEMS):
            system = word
            continue
        match = _SHAPE.match(line)
        if match:
            try:
                regions.append(_region(match, system))
            except (ValueError, IndexError) as error:
                msg = f"{name}: cannot read the region {line[:60]!r}: {error}"
                raise InputError(msg) from error
    return regions


def _region(match: re.Match, system: str) -> Region:
    if system in OTHER_SYSTEMS:
        msg = f"coordinates in {system}; save the regions as icrs or image"
        raise ValueError(msg)
    shape, numbers, rest = match.groups()
    parts = [p for p in re.split(r"[,\s]+", numbers.strip()) if p]
    text = _TEXT.search(rest or "")
    label = next((t for t in text.groups() if t is not None), "") if text else ""
    radii = () if shape.lower() == "point" else tuple(_length(p, system) for p in parts[2:])
    if system in {"image", "physical"}:
        x, y = float(parts[0]) - 1, float(parts[1]) - 1
        return Region(shape.lower(), "image", x, y, radii, label)
    x, y = _angle(parts[0], hours=True), _angle(parts[1], hours=False)
    return Region(shape.lower(), "icrs", x, y, radii, label)


def _angle(text: str, *, hours: bool) -> float:
    """Degrees; sexagesimal right ascensions are hours."""
    if ":" not in text:
        return float(text.rstrip("d"))
    first, *others = text.split(":")
    size = abs(float(first)) + sum(float(part) / 60 ** (k + 1) for k, part in enumerate(others))
    sign = -1.0 if first.strip().startswith("-") else 1.0
    return sign * size * (15.0 if hours else 1.0)


def _length(text: str, system: str) -> float:
    """Pixels, or arc seconds on the sky; a bare number on the sky is degrees."""
    if system in {"image", "physical"}:
        return float(text.rstrip("ip"))
    factor = {'"': 1.0, "'": 60.0, "d": 3600.0}.get(text[-1])
    return float(text) * 3600 if factor is None else float(text[:-1]) * factor
