"""Places of moving objects for the Minor Planet Center: ADES of 2022, as XML and as PSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, log10
from xml.sax.saxutils import escape

from lightcurve.core.constants import __version__
from lightcurve.core.dates import iso_from_jd

__all__ = ["AdesContext", "AdesPlace", "ades_psv", "ades_xml"]

VERSION = "2022"
# The schema's own words for a number and for a provisional designation.
NUMBER = re.compile(r"\d+[IPD]?")
PROVISIONAL = re.compile(r"(\d{4} [A-HJ-Y][A-HJ-Z]\d*|[ADCPX]/\d{4} [A-Z]{1,2}\d*(-[A-Z])?)")
TRACKLET = 8  # letters


@dataclass(frozen=True, slots=True)
class AdesContext:
    """Who observed with what."""

    station: str  # code of the Minor Planet Center
    observer: str
    design: str  # of the telescope: ``"Reflector"``
    aperture_m: float
    detector: str  # ``"CCD"`` or ``"CMO"``, as the records' mode has it


@dataclass(frozen=True, slots=True)
class AdesPlace:
    """One place; mag and its error NaN where there is none."""

    name: str  # number, designation, or the observer's own name
    mid_jd_utc: float
    ra_deg: float
    dec_deg: float
    error_arcsec: float  # of one coordinate
    catalog: str  # that the places rest on: ``"Gaia3"``
    mag: float
    mag_err: float
    band: str  # in the centre's letters
    snr: float
    seeing_arcsec: float
    exposure_s: float
    stars: int  # that the solution rests on


def name_element(name: str) -> tuple[str, str]:
    """Choose how a record names its object.

    Returns the element and its text: ``("permID", "1")``, ``("provID", "2004 MN4")``, or
    ``("trkSub", ...)``, the observer's own name, of which at most eight letters and digits stand.
    """
    name = " ".join(name.strip("() ").split())
    if NUMBER.fullmatch(name):
        return "permID", name
    if PROVISIONAL.fullmatch(name):
        return "provID", name
    return "trkSub", re.sub(r"[^-A-Za-z0-9_]", "", name)[:TRACKLET] or "object"


def ades_xml(context: AdesContext, places: Sequence[AdesPlace]) -> str:
    """Write places as XML, valid by ``submit.xsd`` of the standard's version of 2022."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<ades version="{VERSION}">', "<obsBlock>"]
    lines.append("<obsContext>")
    for group, entries in _context(context):
        lines.append(f"<{group}>{_elements(entries)}</{group}>")
    lines += ["</obsContext>", "<obsData>"]
    lines += [f"<optical>{_elements(_record(context, place))}</optical>" for place in places]
    lines += ["</obsData>", "</obsBlock>", "</ades>"]
    return "\n".join(lines) + "\n"


def ades_psv(context: AdesContext, places: Sequence[AdesPlace]) -> str:
    """Write the same as lines whose cells are parted by bars."""
    lines = [f"# version={VERSION}"]
    for group, entries in _context(context):
        lines.append(f"# {group}")
        lines += [f"! {name} {text}" for name, text in entries]
    records = [dict(_record(context, place)) for place in places]
    names = list(dict.fromkeys(name for record in records for name in record))
    order = [name for name in ORDER if name in names]
    rows = [order, *([record.get(name, "") for name in order] for record in records)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(order))]
    lines += ["|".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(lines) + "\n"


ORDER = (
    "permID", "provID", "trkSub", "mode", "stn", "obsTime", "ra", "dec", "rmsRA", "rmsDec",
    "astCat", "mag", "rmsMag", "band", "logSNR", "seeing", "exp", "nStars",
)  # fmt: skip


def _context(context: AdesContext) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """List the groups of the heading with their elements."""
    name = [("name", _plain(context.observer, 100))]
    yield "observatory", [("mpcCode", context.station)]
    yield "submitter", name
    yield "observers", name
    yield "measurers", name
    yield (
        "telescope",
        [
            ("design", _plain(context.design, 35)),
            ("aperture", _positive(context.aperture_m, 2)),
            ("detector", context.detector),
        ],
    )
    yield "software", [("astrometry", f"lightcurve {__version__}")]


def _record(context: AdesContext, place: AdesPlace) -> Iterator[tuple[str, str]]:
    """List the elements of one record, in the order of the schema."""
    yield name_element(place.name)
    yield "mode", context.detector
    yield "stn", context.station
    yield "obsTime", iso_from_jd(place.mid_jd_utc) + "Z"
    ra = f"{place.ra_deg % 360:.6f}"
    yield "ra", "0.000000" if ra == "360.000000" else ra
    yield "dec", f"{place.dec_deg:+.6f}"
    yield "rmsRA", _positive(place.error_arcsec, 3)
    yield "rmsDec", _positive(place.error_arcsec, 3)
    yield "astCat", place.catalog
    if isfinite(place.mag) and place.band:
        yield "mag", f"{place.mag:.2f}"
        yield "rmsMag", _positive(place.mag_err, 2)
        yield "band", place.band
    if place.snr > 1:
        yield "logSNR", f"{log10(place.snr):.2f}"
    if place.seeing_arcsec > 0:
        yield "seeing", _positive(place.seeing_arcsec, 1)
    if place.exposure_s > 0:
        yield "exp", _positive(place.exposure_s, 1)
    if place.stars > 0:
        yield "nStars", str(place.stars)


def _elements(entries: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in entries)


def _plain(text: str, letters: int) -> str:
    """Write a text as the standard allows one: no bars, no control characters, not too long."""
    return " ".join("".join(c if c.isprintable() and c != "|" else " " for c in text).split())[
        :letters
    ]


def _positive(value: float, digits: int) -> str:
    """Write a number that may not be 0: a smaller one as the least that can be written."""
    return f"{max(value, 10.0**-digits):.{digits}f}"
