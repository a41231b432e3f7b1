"""Where the telescope was pointed, and how large a pixel is on the sky."""

from __future__ import annotations

import math
import re
from itertools import pairwise

from lightcurve.core.constants import ARCSEC_UM_PER_MM
from lightcurve.core.coordinates import sexagesimal
from lightcurve.frames.cards import Cards, Found, find, find_all, number
from lightcurve.frames.dialects import KEYWORDS
from lightcurve.frames.location import degrees

SMALLEST_SCALE, LARGEST_SCALE = 0.01, 200.0  # arcsec per pixel
SCALES_AGREE = 0.2
_HOURS = re.compile(r"\[h|\bhours?\b|\bhms\b|\bH M S\b", re.IGNORECASE)
_DEGREES = re.compile(r"\bdeg", re.IGNORECASE)
_IN_COMMENT = re.compile(r"\s*(\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?)")
_MICRONS = re.compile(r"\bum\b|micron|micrometer|micrometre", re.IGNORECASE)
_ARCSEC = re.compile(r"arc\s?-?sec|\"", re.IGNORECASE)


def read_pointing(cards: Cards) -> tuple[tuple[float, float, str] | None, list[str]]:
    """Find the direction of a frame: RA and Dec, degrees, and their source."""
    warnings = []
    for ra_key, dec_key in KEYWORDS.pointings:
        if ra_key not in cards or dec_key not in cards:
            continue
        if ra_key == "CRVAL1" and not cards.get("CTYPE1", ("",))[0].upper().startswith("RA"):
            continue
        ra, note = _right_ascension(Found(ra_key, *cards[ra_key][:2]))
        dec = degrees(cards[dec_key].text)
        if ra is None or dec is None or not (0 <= ra < 360 and -90 <= dec <= 90):
            if cards[ra_key].text:
                texts = f"{cards[ra_key].text[:24]!r}, {cards[dec_key].text[:24]!r}"
                warnings.append(f"{ra_key}, {dec_key} = {texts} is no direction; passed over")
        elif ra == 0 and dec == 0:
            warnings.append(f"{ra_key}, {dec_key} are both zero: taken as not set")
        else:
            return (ra, dec, f"header {ra_key}, {dec_key}{note}"), warnings
    return None, warnings


def has_wcs(cards: Cards) -> bool:
    """Tell whether a header claims to place the image on the sky, without checking it."""
    celestial = cards.get("CTYPE1", ("",))[0].upper().startswith(("RA", "DEC", "GLON"))
    return (
        celestial
        and {"CRVAL1", "CRPIX1"} <= cards.keys()
        and bool({"CD1_1", "CDELT1"} & cards.keys())
    )


def _right_ascension(found: Found) -> tuple[float | None, str]:
    """Degrees, and how hours were told from degrees."""
    parts = sexagesimal(found.text)
    value = number(found.text) if parts is None else None
    if parts is not None:
        if _DEGREES.search(found.comment) and not _HOURS.search(found.comment):
            return parts, " (degrees by its comment)"
        return (parts * 15, "") if parts < 24 else (parts % 360, " (over 24: degrees)")
    if value is None or _HOURS.search(found.comment) is None:
        return _decimal_ra(found, value)
    return value * 15, " (hours by its comment)"


def _decimal_ra(found: Found, value: float | None) -> tuple[float | None, str]:
    if value is None or value >= 24 or found.keyword in KEYWORDS.degrees_of_ra:
        return value, ""
    if _DEGREES.search(found.comment):
        return value, ""
    told = _IN_COMMENT.match(found.comment)
    hours = sexagesimal(told[1]) if told else None
    if hours is not None and abs(hours - value) < 0.02:
        return value * 15, " (hours by its comment)"
    if hours is not None and abs(hours * 15 - value) < 0.3:
        return value, " (degrees by its comment)"
    if found.keyword in KEYWORDS.hours_of_ra:
        return value * 15, " (hours by its keyword)"
    return value, " (a decimal number: degrees assumed)"


def read_scale(cards: Cards) -> tuple[tuple[float, str] | None, list[str]]:
    """Find the size of a pixel on the sky: stated, from a WCS, or from the optics.

    Returns (arcsec per pixel, source), and warns where two of them differ by more than a fifth.
    """
    known = [
        entry
        for entry in (_stated_scale(cards), _wcs_scale(cards), _optical_scale(cards))
        if entry and SMALLEST_SCALE <= entry[0] <= LARGEST_SCALE
    ]
    warnings = []
    for (a, source_a), (b, source_b) in pairwise(known):
        if abs(a - b) > SCALES_AGREE * min(a, b):
            text = f"{source_a} says {a:.4g} arcsec a pixel, {source_b} {b:.4g}"
            warnings.append(f"{text}: {a:.4g} taken; --scale settles it")
            break
    return (known[0] if known else None), warnings


def _stated_scale(cards: Cards) -> tuple[float, str] | None:
    for found in find_all(cards, "scale"):
        value = number(found.text)
        if value and SMALLEST_SCALE <= abs(value) <= LARGEST_SCALE:
            return abs(value), found.source
    # PIXSIZE is micrometres to most and arc seconds to some: only its comment can tell.
    card = cards.get("PIXSIZE")
    value = number(card.text) if card and _ARCSEC.search(card.comment) else None
    return (value, "header PIXSIZE") if value else None


def _wcs_scale(cards: Cards) -> tuple[float, str] | None:
    """Square root of the pixel's area: right for a turned or mirrored frame, too."""
    if not cards.get("CTYPE1", ("",))[0].upper().startswith(("RA", "DEC", "GLON")):
        return None

    def value(key: str, default: float = math.nan) -> float:
        given = number(cards[key].text) if key in cards else default
        return math.nan if given is None else given

    if "CD1_1" in cards or "CD1_2" in cards:
        matrix = [value(key, 0.0) for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")]
        step, source = 1.0, "header CD matrix"
    else:
        keys = (("PC1_1", 1.0), ("PC1_2", 0.0), ("PC2_1", 0.0), ("PC2_2", 1.0))
        matrix = [value(key, default) for key, default in keys]
        step, source = value("CDELT1") * value("CDELT2"), "header CDELT1, CDELT2"
    area = abs((matrix[0] * matrix[3] - matrix[1] * matrix[2]) * step)
    scale = 3600 * math.sqrt(area)
    return (scale, source) if math.isfinite(scale) and scale > 0 else None


def _optical_scale(cards: Cards) -> tuple[float, str] | None:
    focal, pixel = find(cards, "focal_length"), _pixel_size(cards)
    if focal is None or pixel is None:
        return None
    length = number(focal.text)
    if not length or length <= 0:
        return None
    if re.search(r"\[m\]|\bmet(?:re|er)s?\b", focal.comment):
        length *= 1000
    micrometres, keyword = pixel
    return ARCSEC_UM_PER_MM * micrometres / length, f"header {keyword} / {focal.keyword}"


def _pixel_size(cards: Cards) -> tuple[float, str] | None:
    for found in find_all(cards, "pixel_size"):
        value = number(found.text)
        if found.keyword == "PIXSIZE" and not _MICRONS.search(found.comment):
            continue
        if re.search(r"\bmm\b|\[m\]", found.comment):
            value = value and value * (1000 if "mm" in found.comment else 1e6)
        if value and 0.5 <= value <= 100:
            return value, found.keyword
    return None
