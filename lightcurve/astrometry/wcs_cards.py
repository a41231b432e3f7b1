"""The one way from header cards to a WCS: known cards, once each, of a sound type and size.

The library below reads a header in C; repeated, contradictory or absurd cards let it write where
it should not.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from lightcurve.core.errors import SolveError, Why
from lightcurve.core.table_text import joined, printable
from lightcurve.frames.cards import number

if TYPE_CHECKING:
    from astropy.io.fits import Card, Header
    from astropy.wcs import WCS

__all__ = ["wcs_of"]

_TEXTS = re.compile(r"(CTYPE|CUNIT)[12]|RADESYS|RADECSYS")
_ORDERS = re.compile(r"(A|B|AP|BP)_ORDER")
_PLACE_IN_C = re.compile(r"ERROR \d+ in \w+\(\) at line \d+ of file \S+\s*")
HIGHEST_SIP = 9  # the order to which the convention goes
# The largest size of a number. Angles go twice round; no mosaic is a thousand million pixels wide,
# no pixel half the sky; distortions are judged by what they do on the frame.
_NUMBERS = tuple(
    (re.compile(names), largest)
    for names, largest in (
        (r"CRVAL[12]|CROTA[12]|LONPOLE|LATPOLE", 720.0),
        (r"CRPIX[12]", 1e9),
        (r"CDELT[12]|CD[12]_[12]", 180.0),
        (r"PC[12]_[12]|PC00[12]00[12]", 1e9),
        (r"EQUINOX", 1e4),
        (r"PV[12]_\d\d?|PROJP\d\d?|(A|B|AP|BP)_(ORDER|\d_\d|DMAX)", 1e99),
    )
)
_TABLES = re.compile(r"(CPDIS|CQDIS|D2IMDIS)[12]")
_KNOWN = re.compile("|".join((_TEXTS.pattern, *(names.pattern for names, _ in _NUMBERS))))
# Of these one that says nothing is not as good as none.
_NEEDED = re.compile(r"(CTYPE|CRVAL|CRPIX|CDELT|CROTA)[12]|(CD|PC)[12]_[12]|(A|B)_\d_\d")


def wcs_of(header: Header) -> WCS:
    """Make the WCS of the first two axes by a header's cards, none but those that a WCS has.

    Raises SolveError when there is none, when a card is of the wrong type, absurd, or there twice
    with different values, and when the cards make no celestial WCS or a degenerate one.
    """
    from astropy.io.fits.verify import VerifyWarning
    from astropy.wcs import WCS, FITSFixedWarning

    with warnings.catch_warnings():
        # What astropy repairs does not touch the celestial part, nor do cards that are no FITS.
        warnings.simplefilter("ignore", FITSFixedWarning)
        warnings.simplefilter("ignore", VerifyWarning)
        cards = _known_cards(header)
        try:
            wcs = WCS(cards, naxis=2)
            usable = wcs.has_celestial and abs(np.linalg.det(wcs.pixel_scale_matrix)) > 1e-15
        except (ValueError, TypeError, AttributeError, LookupError, MemoryError) as error:
            what = printable(joined(_PLACE_IN_C.sub("", str(error))))[:150]
            msg = f"the header's WCS cannot be read: {what}"
            raise SolveError(msg, why=Why.ABSURD_WCS) from error
    if not usable:
        msg = "the header's WCS is not celestial, or degenerate"
        raise SolveError(msg, why=Why.ABSURD_WCS)
    return wcs


def _known_cards(header: Header) -> Header:
    """Take the cards of a WCS, each as it stands, for numbers lose digits when written again."""
    from astropy.io.fits import Card, Header

    kept: dict[str, Card] = {}
    values: dict[str, str | float] = {}
    for card in header.cards:
        if _TABLES.fullmatch(card.keyword):
            _refuse(card.keyword, "a distortion by a table, which is not read")
        name, told = card.keyword, _parsed(card) if _KNOWN.fullmatch(card.keyword) else ""
        if told == "" and not _NEEDED.fullmatch(name):
            continue
        value = _checked(name, told)
        if values.setdefault(name, value) != value:
            _refuse(name, f"there twice, as {_shown(values[name])} and {_shown(value)}")
        kept.setdefault(name, card if value == told else Card(name, value))
    if not str(values.get("CTYPE1", "")).strip():
        msg = "the header has no WCS"
        raise SolveError(msg, why=Why.NO_WCS)
    for needed in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"):
        if needed not in kept:
            _refuse(needed, "missing")
    return Header(list(kept.values()))


def _checked(name: str, value: object) -> str | float:
    """See that a value is one for its name."""
    if _TEXTS.fullmatch(name):
        if isinstance(value, str) and value.isascii() and value.isprintable():
            if value.rstrip().endswith("-TAB"):
                _refuse(name, f"{_shown(value)}, places by a table, which is not read")
            return value
        _refuse(name, f"{_shown(value)}, no text")
    if name == "EQUINOX" and isinstance(value, str):
        value = number(value.strip().lstrip("JB"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(name, f"{_shown(value)}, no number")
    if _ORDERS.fullmatch(name) and value not in range(HIGHEST_SIP + 1):
        _refuse(name, f"{_shown(value)}, not 0 to {HIGHEST_SIP}")
    if not abs(value) <= next(size for names, size in _NUMBERS if names.fullmatch(name)):
        _refuse(name, f"{_shown(value)}, beyond any sense")
    return value


def _parsed(card: Card) -> object:
    from astropy.io.fits import VerifyError
    from astropy.io.fits.card import Undefined

    try:
        value = card.value
        return "" if isinstance(value, Undefined) or not str(value).strip() else value
    except (VerifyError, ValueError):  # no FITS
        return str(card.image[10:])


def _shown(value: object) -> str:
    return f"{printable(str(value))[:20]!r}"


def _refuse(name: str, what: str) -> NoReturn:
    msg = f"the header's WCS is broken: {name} is {what}"
    raise SolveError(msg, why=Why.ABSURD_WCS)
