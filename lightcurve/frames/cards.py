"""Header cards as a plain dictionary: quick, and at ease with what instruments write.

Astropy's `Header` stays with the frame for coordinates and for writing; values for us are read
here, because a card that breaks the standard (``DATE-OBS= 2017-12-20``, a comma for the decimal
point, a number in quotes) must give its text to be judged rather than a warning or an error.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import lru_cache, wraps
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    NamedTuple,
    NoReturn,
    ParamSpec,
    TypeVar,
)

from lightcurve.frames.dialects import KEYWORDS

if TYPE_CHECKING:
    from lightcurve.frames.cameras import Profile

__all__ = ["Cards", "number", "parse_cards", "printable"]

P = ParamSpec("P")
T = TypeVar("T")
CARD = 80
MAX_TEXT = 200
MAX_HISTORY = 500  # lines: of a few hundred frames in one, each may be named
LAST_FEW = 4  # kinds of frames that a folder has side by side
_QUOTED = re.compile(r"\s*'((?:[^']|'')*)'?\s*(?:/\s?(.*))?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eEdD][+-]?\d{1,3})?", re.ASCII)
_UNIT = re.compile(rf"\s*{_NUMBER.pattern}\s*([A-Za-z][^\[\]]*)", re.ASCII)
_BARE_DATE = re.compile(r"\s*\d{1,4}/\d{1,2}/\d{1,4}")
_UNPRINTABLE = re.compile(r"[^ -~]")


class Card(NamedTuple):
    """One value of a header.

    text : the value as written, without quotes and outer blanks.
    """

    text: str
    comment: str


class Cards(dict[str, Card]):
    """The cards of a header by keyword, and the profile of the camera whose manner they are in."""

    camera: Profile | None = None
    called_by: str = ""  # why it is that profile

    def changed(self, changes: Mapping[str, Card]) -> Cards:
        """Give them with some replaced."""
        return Cards({**self, **changes}).of(self.camera, self.called_by)

    def without(self, keywords: Container[str]) -> Cards:
        """Give them without some."""
        kept = {key: card for key, card in self.items() if key not in keywords}
        return Cards(kept).of(self.camera, self.called_by)

    def of(self, camera: Profile | None, called_by: str) -> Cards:
        """Give them in the manner of a camera, and say why it is that."""
        made = Cards(self)
        made.camera, made.called_by = camera, called_by
        return made


class _Watched(Cards):
    """Cards that note which of them were asked for, and whether they were there."""

    def __init__(self, cards: Cards) -> None:
        super().__init__(cards)
        self.camera, self.called_by = cards.camera, cards.called_by
        self.found: dict[str, Card] = {}
        self.missing: set[str] = set()

    def get(self, keyword: str, default: Any = None) -> Any:
        """Give a card, as a dictionary does."""
        card = super().get(keyword)
        if card is None:
            self.missing.add(keyword)
            return default
        self.found[keyword] = card
        return card

    def __getitem__(self, keyword: str) -> Card:
        card: Card | None = self.get(keyword)
        if card is None:
            raise KeyError(keyword)
        return card

    def __contains__(self, keyword: object) -> bool:
        return self.get(str(keyword)) is not None

    def __iter__(self) -> NoReturn:
        msg = "what looks at all cards of a header cannot be remembered by some of them"
        raise TypeError(msg)

    keys = items = values = __iter__


class _Made(NamedTuple):
    """What a step made of a header, and all of the header that it asked for."""

    camera: Profile | None
    called_by: str
    found: dict[str, Card]
    missing: frozenset[str]
    result: Any

    def holds_for(self, cards: Cards) -> bool:
        """Tell whether the step would find the same in another header."""
        return (
            self.found.items() <= cards.items()
            and self.missing.isdisjoint(cards)
            and (self.camera is cards.camera or self.camera == cards.camera)
            and self.called_by == cards.called_by
        )


def by_cards(step: Callable[Concatenate[Cards, P], T]) -> Callable[Concatenate[Cards, P], T]:
    """Remember what a step made of the last few headers, by the cards that it asked for.

    The frames of a night say the same in most of their cards.

    step : of nothing but cards and what else it is given, which can be hashed; what it returns is
        changed by nobody.
    """

    @lru_cache(maxsize=16)
    def last_few(*_: Any) -> deque[_Made]:
        return deque(maxlen=LAST_FEW)

    @wraps(step)
    def remembered(cards: Cards, *args: P.args, **kwargs: P.kwargs) -> T:
        if isinstance(cards, _Watched):  # within another such step, which is to know of it
            return step(cards, *args, **kwargs)
        made = last_few(*args, *kwargs.items())
        for one in tuple(made):
            if one.holds_for(cards):
                known: T = one.result
                return known
        watched = _Watched(cards)
        result = step(watched, *args, **kwargs)
        missing = frozenset(watched.missing)
        made.appendleft(_Made(cards.camera, cards.called_by, watched.found, missing, result))
        return result

    return remembered


def parse_cards(text: str) -> Cards:
    """Read the cards of a header block: records of 80 characters, up to the END card or the end.

    By keyword in capitals, the first of two. COMMENT and blank cards are left out; all lines of
    HISTORY are one card.
    """
    return collect(text[k : k + CARD] for k in range(0, len(text), CARD))


def collect(records: Iterable[str]) -> Cards:
    """Gather cards from their records of 80 characters."""
    cards = Cards()
    last = ""
    history: list[str] = []
    for record in records:
        keyword = record[:8].rstrip().upper()
        if record[8:10] == "= ":
            rest = record[10:]
        elif keyword == "HIERARCH" and "=" in record:
            keyword, rest = record[9:].split("=", 1)
            keyword = keyword.strip().upper()
        elif keyword == "CONTINUE" and last:
            cards[last] = _joined(cards[last], record[8:])
            continue
        elif record[8:9] == "=" and keyword:
            rest = record[9:]
        elif keyword == "END":
            break
        elif keyword == "HISTORY" and len(history) < MAX_HISTORY:
            history.append(record[8:])
            continue
        else:
            continue
        last = "" if keyword in cards else keyword
        if last:
            cards[keyword] = _parse_value(rest)
    if history:
        cards["HISTORY"] = Card("\n".join(printable(line) for line in history), "")
    return cards


@lru_cache(maxsize=2048)  # most cards of the frames of a night say the same
def _parse_value(rest: str) -> Card:
    match = _QUOTED.match(rest)
    if match:
        text, comment = match[1].replace("''", "'"), match[2] or ""
        return Card(printable(text), printable(comment))
    date = _BARE_DATE.match(rest)
    start = date.end() if date else 0
    value, _, comment = rest[start:].partition("/")
    return Card(printable(rest[:start] + value), printable(comment))


def _joined(card: Card, rest: str) -> Card:
    more = _parse_value(rest)
    text = f"{card.text.removesuffix('&')}{more.text}"[: 8 * MAX_TEXT]
    return Card(text, f"{card.comment} {more.comment}".strip()[:MAX_TEXT])


def printable(text: str) -> str:
    """Strip blanks, and put a question mark for every control and foreign character."""
    text = text.strip()
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub("?", text)


def number(text: str) -> float | None:
    """Read a finite number: decimal comma, FORTRAN's D and units behind it are let through.

    None where the text does not begin with a number that stands alone.
    """
    try:
        value = float(text)
    except ValueError:
        match = _NUMBER.match(text.strip())
        rest = text.strip()[match.end() :] if match else ""
        if not match or (rest and rest[0] in "0123456789.,:-+/"):
            return None
        value = float(match[0].replace(",", ".").replace("D", "E").replace("d", "e"))
    return value if math.isfinite(value) else None


def decimals(text: str) -> int:
    """Count a number's decimals: ``58107.065000000002`` has 3, a double's noise is not counted."""
    value = number(text)
    if value is None:
        return 0
    shortest = repr(value)
    if "e" in shortest:
        return 15
    return len(shortest.partition(".")[2].rstrip("0"))


class Found(NamedTuple):
    """A card with the keyword under which it stood."""

    keyword: str
    text: str
    comment: str

    @property
    def source(self) -> str:
        """Say where the value came from."""
        return f"header {self.keyword}"

    @property
    def said(self) -> str:
        """The comment, after the unit that stands behind the number: ``[ms] open shutter``."""
        unit = _UNIT.fullmatch(self.text)
        return f"[{unit[1].strip()}] {self.comment}" if unit else self.comment


def find(cards: Cards, quantity: str) -> Found | None:
    """Find the best filled card of a quantity, a name of `lightcurve/words/keywords.toml`."""
    return next(find_all(cards, quantity), None)


def find_all(cards: Cards, quantity: str) -> Iterator[Found]:
    """Go through all filled cards of a quantity, best first."""
    camera = cards.camera
    named = None if camera is None else camera.keywords.get(quantity)
    for keyword in KEYWORDS.quantities[quantity] if named is None else named:
        card = None if camera and keyword in camera.wrong else cards.get(keyword)
        if card is not None and card.text.lower() not in KEYWORDS.empty:
            yield Found(keyword, card.text, card.comment)
