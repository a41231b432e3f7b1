"""Where the telescope was pointed, and how large a pixel is on the sky."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from lightcurve.core.constants import ARCSEC_UM_PER_MM, J2000_JD, YEAR_DAYS
from lightcurve.core.coordinates import degrees_apart, directions, sexagesimal, unit_vectors
from lightcurve.frames.cards import Cards, Found, by_cards, find, find_all, number
from lightcurve.frames.dialects import KEYWORDS
from lightcurve.frames.location import degrees, meridian_ra

__all__ = ["claimed_scales"]

SMALLEST_SCALE, LARGEST_SCALE = 0.01, 200.0  # arcsec per pixel
SCALES_AGREE = 0.2
# Two pointings of one header: telescope and object, of date or not, a field apart at most. A number
# read as hours and as degrees is further away from itself, but for the first few minutes of RA.
ONE_FIELD_DEG = 2.0
SAME_EQUINOX = 0.05  # years: 2.5" of precession
EQUINOXES = 1850.0, 2150.0
CELESTIAL = "RA", "DEC", "GLON", "GLAT"  # how CTYPE1 of a WCS begins
SYSTEMS = "RADESYS", "RADECSYS"
FIRST_JULIAN = 1984.0  # equinoxes before it are Besselian by the FITS standard
_J2000 = re.compile(r"\bJ?2000(?:\.0)?\b|\bICRS\b", re.IGNORECASE)
_OF_DATE = re.compile(r"\bJ?NOW\b|\bof date\b|\bapparent\b|\bEOD\b", re.IGNORECASE)
_HOURS = re.compile(r"\[h|\bhours?\b|\bhms\b|\bH M S\b", re.IGNORECASE)
_DEGREES = re.compile(r"\bdeg", re.IGNORECASE)
_IN_COMMENT = re.compile(r"\s*(\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?)")
SMALLEST_PIXEL_UM, LARGEST_PIXEL_UM = 1.4, 4 * 27.0  # of sensors that are used for astronomy
_BINNED = re.compile(r"binn", re.IGNORECASE)
_SENSOR = re.compile(
    r"un-?binned|(?:before|without|no|excl\w*) binn|physical|\bsensor", re.IGNORECASE
)
_MICRONS = re.compile(r"\bum\b|micron|micrometer|micrometre", re.IGNORECASE)
_ARCSEC = re.compile(r"arc\s?-?sec|\"", re.IGNORECASE)


class Pointing(NamedTuple):
    """A direction as one pair of keywords has it, degrees, ICRS."""

    keywords: tuple[str, str]
    ra_deg: float
    dec_deg: float
    note: str  # what was inferred; starts with a blank
    doubtful: bool = False  # a number that may be hours or degrees

    @property
    def source(self) -> str:
        """Say where it came from."""
        return f"header {', '.join(self.keywords)}{self.note}"


def read_pointing(cards: Cards, jd_utc: float | None = None) -> tuple[Pointing | None, list[str]]:
    """Find the direction of a frame, and what to warn of; jd_utc: of the exposure."""
    pointings, warnings = read_pointings(cards, jd_utc)
    best = pointings[0] if pointings else None
    if best and best.doubtful:
        text = f"{best.keywords[0]} = {best.ra_deg:g}: hours or degrees? Degrees taken"
        warnings.append(f"{text}; where it cannot be solved, --blind or --ra and --dec settle it")
    for other in pointings[1:]:
        apart = degrees_apart(other[1:3], best[1:3]) if best and not other.doubtful else 0.0
        if best and not best.doubtful and apart > ONE_FIELD_DEG:
            text = f"{', '.join(best.keywords)} and {', '.join(other.keywords)}"
            warnings.append(f"{text} point {apart:.3g} deg apart: the first taken; --ra and --dec")
            warnings[-1] += " settle it"
    return best, warnings


def read_pointings(cards: Cards, jd_utc: float | None = None) -> tuple[list[Pointing], list[str]]:
    """Read all directions of a header, best source first, and what is none."""
    found, warnings = [], []
    for ra_key, dec_key in KEYWORDS.pointings:
        if ra_key not in cards or dec_key not in cards:
            continue
        if ra_key == "CRVAL1" and not _axis(cards, "CTYPE1").startswith("RA"):
            continue
        ra, note, doubtful = _right_ascension(Found(ra_key, *cards[ra_key][:2]))
        dec = degrees(cards[dec_key].text)
        if ra is None or dec is None or not (0 <= ra < 360 and -90 <= dec <= 90):
            if cards[ra_key].text:
                texts = f"{cards[ra_key].text[:24]!r}, {cards[dec_key].text[:24]!r}"
                warnings.append(f"{ra_key}, {dec_key} = {texts} is no direction; passed over")
        elif ra == 0 and dec == 0:
            warnings.append(f"{ra_key}, {dec_key} are both zero: taken as not set")
        else:
            found.append(Pointing((ra_key, dec_key), ra, dec, note, doubtful))
    sure = [one for one in found if not one.doubtful]
    settled = [_settled(one, sure, cards) if one.doubtful else one for one in found]
    return [*(_of_2000(one, cards, jd_utc) for one in settled), *_galactic(cards)], warnings


def _axis(cards: Cards, keyword: str) -> str:
    return cards.get(keyword, ("",))[0].upper()


def _galactic(cards: Cards) -> Iterator[Pointing]:
    """Read galactic longitudes and latitudes, of a WCS or by themselves, as ICRS."""
    for pair in (("GLON", "GLAT"), ("CRVAL1", "CRVAL2"), ("CRVAL2", "CRVAL1")):
        if pair[0] != "GLON" and not _axis(cards, f"CTYPE{pair[0][-1]}").startswith("GLON"):
            continue
        longitude, latitude = (number(cards[k].text) if k in cards else None for k in pair)
        if longitude is None or latitude is None or abs(latitude) > 90:
            continue
        if pair[0] == "GLON" and longitude == latitude == 0:
            continue
        import erfa

        ra, dec = erfa.g2icrs(math.radians(longitude), math.radians(latitude))
        yield Pointing(pair, math.degrees(ra), math.degrees(dec), " (galactic)")


def _settled(pointing: Pointing, sure: list[Pointing], cards: Cards) -> Pointing:
    """Tell hours from degrees by another pointing, or by sidereal time less hour angle."""
    hours = pointing._replace(ra_deg=pointing.ra_deg * 15)
    told = [(one.keywords[0], one.ra_deg, one.dec_deg) for one in sure]
    told += [(name, ra, pointing.dec_deg) for name, ra in meridian_ra(cards)]
    for name, ra, dec in told:
        near = [
            degrees_apart((one.ra_deg, one.dec_deg), (ra, dec)) < ONE_FIELD_DEG
            for one in (pointing, hours)
        ]
        if near[0] != near[1]:
            unit, one = ("degrees", pointing) if near[0] else ("hours", hours)
            return one._replace(note=f" ({unit} by {name})", doubtful=False)
    return pointing


def _of_2000(pointing: Pointing, cards: Cards, jd_utc: float | None) -> Pointing:
    """Precess a direction of another equinox to ICRS, and say so."""
    equinox = _equinox(cards, cards[pointing.keywords[0]].comment, jd_utc)
    if equinox is None or abs(equinox - 2000.0) < SAME_EQUINOX:
        return pointing
    import erfa

    days = erfa.epb2jd(equinox) if equinox < FIRST_JULIAN else erfa.epj2jd(equinox)
    of_date = unit_vectors(pointing.ra_deg, pointing.dec_deg)
    ra, dec = directions((erfa.pmat06(*days).T @ of_date)[None])
    note = f"{pointing.note} (of equinox {equinox:.1f}, precessed to ICRS)"
    return pointing._replace(ra_deg=float(ra[0]), dec_deg=float(dec[0]), note=note)


def _equinox(cards: Cards, comment: str, jd_utc: float | None) -> float | None:
    """Year of the equinox of a pointing: by its own comment, else by EQUINOX or EPOCH."""
    if _J2000.search(comment):
        return 2000.0
    system = (
        cards["RADESYS"].text if "RADESYS" in cards else getattr(cards.get("RADECSYS"), "text", "")
    )
    texts = [cards[key].text for key in ("EQUINOX", "EPOCH") if key in cards]
    date = 2000.0 + (jd_utc - J2000_JD) / YEAR_DAYS if jd_utc is not None else None
    if _OF_DATE.search(comment) or system == "APPT":
        return date
    if not texts or system == "ICRS":
        return None
    if _OF_DATE.search(texts[0]):
        return date
    year = number(texts[0].upper().lstrip("JB "))
    return year if year is not None and EQUINOXES[0] <= year <= EQUINOXES[1] else None


def has_wcs(cards: Cards) -> bool:
    """Tell whether a header claims to place the image on the sky, without checking it."""
    return (
        _axis(cards, "CTYPE1").startswith(CELESTIAL)
        and {"CRVAL1", "CRPIX1"} <= cards.keys()
        and bool({"CD1_1", "CDELT1"} & cards.keys())
    )


def _right_ascension(found: Found) -> tuple[float | None, str, bool]:
    """Degrees, how hours were told from degrees, and whether that is open."""
    parts = sexagesimal(found.text)
    value = number(found.text) if parts is None else None
    if parts is not None:
        if _DEGREES.search(found.comment) and not _HOURS.search(found.comment):
            return parts, " (degrees by its comment)", False
        return (
            (parts * 15, "", False) if parts < 24 else (parts % 360, " (over 24: degrees)", False)
        )
    if value is None or _HOURS.search(found.comment) is None:
        return _decimal_ra(found, value)
    return value * 15, " (hours by its comment)", False


def _decimal_ra(found: Found, value: float | None) -> tuple[float | None, str, bool]:
    if value is None or value >= 24 or found.keyword in KEYWORDS.degrees_of_ra:
        return value, "", False
    if _DEGREES.search(found.comment):
        return value, "", False
    told = _IN_COMMENT.match(found.comment)
    hours = sexagesimal(told[1]) if told else None
    if hours is not None and abs(hours - value) < 0.02:
        return value * 15, " (hours by its comment)", False
    if hours is not None and abs(hours * 15 - value) < 0.3:
        return value, " (degrees by its comment)", False
    if found.keyword in KEYWORDS.hours_of_ra:
        return value * 15, " (hours by its keyword)", False
    return value, " (a decimal number: degrees assumed)", True


@by_cards
def read_scale(
    cards: Cards, binning: tuple[int, int] | None = None
) -> tuple[tuple[float, str] | None, tuple[str, ...]]:
    """Find the size of a pixel on the sky: stated, from a WCS, the optics, or the camera's profile.

    Returns (arcsec per pixel, source), and warns where two of them differ by more than a fifth.
    """
    known = claimed_scales(cards, binning)
    warnings = []
    for (a, source_a), (b, source_b) in pairwise(known):
        if abs(a - b) > SCALES_AGREE * min(a, b):
            text = f"{source_a} says {a:.4g} arcsec a pixel, {source_b} {b:.4g}"
            warnings.append(f"{text}: {a:.4g} taken; --scale settles it")
            break
    return (known[0] if known else None), tuple(warnings)


def claimed_scales(cards: Cards, binning: tuple[int, int] | None = None) -> list[tuple[float, str]]:
    """List all that a header tells of the size of a pixel, best first.

    binning: of the frame, along x and y. Returns arcsec per pixel, and where it is from.
    """
    claims = (
        _stated_scale(cards),
        _wcs_scale(cards),
        _optical_scale(cards, binning),
        _scale_of_the_camera(cards, binning),
    )
    return [one for one in claims if one and SMALLEST_SCALE <= one[0] <= LARGEST_SCALE]


def _stated_scale(cards: Cards) -> tuple[float, str] | None:
    for found in find_all(cards, "scale"):
        value = number(found.text)
        if value and SMALLEST_SCALE <= abs(value) <= LARGEST_SCALE:
            return abs(value), found.source
    card = cards.get("PIXSIZE")
    value = number(card.text) if card else None
    if card is None or not value or _pixsize_is_length(cards) is not False:
        return None
    how = "" if _ARCSEC.search(card.comment) else " (arc seconds: no pixel is of that size)"
    return value, f"header PIXSIZE{how}"


def _pixsize_is_length(cards: Cards) -> bool | None:
    """Tell if PIXSIZE is in micrometres, as to most, or in arc seconds, as to some; None if open.

    By its comment, else by the size of pixel that either would mean.
    """
    card = cards["PIXSIZE"]
    if _ARCSEC.search(card.comment):
        return False
    if _MICRONS.search(card.comment) or re.search(r"\bmm\b|\[m\]", card.comment):
        return True
    value, focal = number(card.text), _focal_length(cards)
    if not value or value <= 0:
        return None
    as_length = _is_pixel(value)
    as_angle = focal is None or _is_pixel(value * focal[0] / ARCSEC_UM_PER_MM)
    return as_length if as_length != as_angle else None


def _is_pixel(micrometres: float) -> bool:
    """Tell whether a camera's pixel can be so large, binned up to 4 x 4."""
    return SMALLEST_PIXEL_UM <= micrometres <= LARGEST_PIXEL_UM


def _wcs_scale(cards: Cards) -> tuple[float, str] | None:
    """Square root of the pixel's area: right for a turned or mirrored frame, too."""
    if not _axis(cards, "CTYPE1").startswith(CELESTIAL):
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


def _optical_scale(cards: Cards, binning: tuple[int, int] | None) -> tuple[float, str] | None:
    """Scale by the pixel and the focal length, at least one of them of the header."""
    focal = _focal_length(cards)
    others = [entry[0] for entry in (_stated_scale(cards), _wcs_scale(cards)) if entry]
    meant = [scale * focal[0] / ARCSEC_UM_PER_MM for scale in others] if focal else []
    pixel = _pixel_size(cards, binning, meant)
    if cards.camera and (focal or pixel):
        own = cards.camera.camera
        if focal is None and own.focal_mm:
            focal = own.focal_mm, cards.camera.source
        if pixel is None and own.pixel_um:
            pixel = own.pixel_um * (binning[0] if binning else 1), cards.camera.source
    if focal is None or pixel is None:
        return None
    return ARCSEC_UM_PER_MM * pixel[0] / focal[0], f"header {pixel[1]} / {focal[1]}"


def _scale_of_the_camera(cards: Cards, binning: tuple[int, int] | None) -> tuple[float, str] | None:
    """Scale that the camera's profile has, or its pixel and focal length, binned."""
    if cards.camera is None:
        return None
    own, step = cards.camera.camera, binning[0] if binning else 1
    scale = own.scale_arcsec
    if scale is None and own.pixel_um and own.focal_mm:
        scale = ARCSEC_UM_PER_MM * own.pixel_um / own.focal_mm
    return (scale * step, cards.camera.source) if scale else None


def focal_length_mm(cards: Cards) -> float | None:
    """Focal length of a header, millimetres."""
    focal = _focal_length(cards)
    return focal[0] if focal else None


def _focal_length(cards: Cards) -> tuple[float, str] | None:
    """Millimetres, and the keyword."""
    focal = find(cards, "focal_length")
    length = number(focal.text) if focal else None
    if focal is None or not length or length <= 0:
        return None
    if re.search(r"\[m\]|\bmet(?:re|er)s?\b", focal.said):
        length *= 1000
    return length, focal.keyword


def _pixel_size(
    cards: Cards, binning: tuple[int, int] | None, known: Sequence[float] = ()
) -> tuple[float, str] | None:
    """Micrometres of a pixel as it is in the frame, and the keyword.

    XPIXSZ and most others are of binned pixels by the convention of ASCOM, PIXSIZE1 of the sensor's
    by that of INDI. A comment overrules it, and so does another scale: `known`, micrometres that
    others mean.
    """
    step = binning[0] if binning else 1
    for found in find_all(cards, "pixel_size"):
        value = number(found.text)
        if found.keyword == "PIXSIZE" and _pixsize_is_length(cards) is not True:
            continue
        if re.search(r"\bmm\b|\[m\]", found.said):
            value = value and value * (1000 if "mm" in found.said else 1e6)
        if not value or not 0.5 <= value <= 100:
            continue
        if step == 1:
            return value, found.keyword
        of_sensor = found.keyword in KEYWORDS.sensor_pixels
        if _SENSOR.search(found.comment) or _BINNED.search(found.comment):
            of_sensor = _SENSOR.search(found.comment) is not None
        elif known:
            near = [abs(value * k - known[0]) <= SCALES_AGREE * known[0] for k in (1, step)]
            of_sensor = near[1] if near[0] != near[1] else of_sensor
        return (value * step, f"{step} x {found.keyword}") if of_sensor else (value, found.keyword)
    return None
