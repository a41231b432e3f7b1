"""Cards of a header changed in a copy of its file; the pixels are copied byte for byte."""

from __future__ import annotations

import bz2
import gzip
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightcurve.core.errors import InputError
from lightcurve.core.files import write_whole
from lightcurve.core.library_warnings import quietly
from lightcurve.frames.camera_raw import is_raw_name
from lightcurve.frames.cards import CARD, Card, Cards, parse_cards
from lightcurve.frames.pixels import BLOCK, Hdu, find_image, open_source

__all__ = ["Change", "parse_assignment", "read_headers", "write_changed"]

CardValue = str | bool | int | float
# What says how the bytes of the data are to be read.
_STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|[PG]COUNT|GROUPS|BSCALE|BZERO|BLANK|END|COMMENT|"
    r"HISTORY|CONTINUE|CHECKSUM|DATASUM|TFIELDS|T(FORM|TYPE|SCAL|ZERO|NULL|DIM)\d+|"
    r"Z(IMAGE|BITPIX|NAXIS\d*|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|SCALE|ZERO|BLANK|QUANTIZ|DITHER0)"
)
_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}|HIERARCH [A-Z0-9_ -]{1,60}")
_PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress}


@dataclass(frozen=True, slots=True)
class Change:
    """A card that is to be written.

    Attributes
    ----------
    old : str
        The value as it stands in the header; empty where the card is new.
    why : str
        Where the value is from.
    """

    keyword: str
    value: CardValue
    comment: str = ""
    old: str = ""
    why: str = ""

    @property
    def text(self) -> str:
        """The value as it will stand."""
        return (
            {True: "T", False: "F"}[self.value] if isinstance(self.value, bool) else f"{self.value}"
        )


def parse_assignment(text: str) -> Change:
    """Read ``KEYWORD=VALUE``, or ``KEYWORD=VALUE / comment``.

    T and F are logical, what reads as a number is one, and all else text; so is what is quoted.

    Raises
    ------
    InputError
        When it is none, or the keyword is one that says how the pixels are stored.
    """
    keyword, equals, rest = text.partition("=")
    keyword = keyword.strip().upper().replace("HIERARCH", "HIERARCH ").replace("  ", " ")
    if " " in keyword and not keyword.startswith("HIERARCH "):
        keyword = f"HIERARCH {keyword}"
    if not equals or not _KEYWORD.fullmatch(keyword) or not (rest.isascii() and rest.isprintable()):
        msg = f"{text[:60]!r} is no card: give KEYWORD=VALUE, such as OBJECT=WASP-12, in ASCII"
        raise InputError(msg)
    if _STRUCTURE.fullmatch(keyword):
        msg = f"{keyword} says how the file is stored and cannot be changed"
        raise InputError(msg)
    value, _, comment = rest.partition(" / ")
    return Change(keyword, _value(value.strip()), comment.strip(), why="given")


def _value(text: str) -> CardValue:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    if text in {"T", "F"}:
        return text == "T"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if abs(value) < float("inf"):
            return value
    return text


def read_headers(path: Path) -> list[tuple[str, Cards]]:
    """Read the headers that tell of an image: its own, and the primary's if that is another.

    Returns the name of each and its cards. Raises FrameError when the file holds no image.
    """
    with open_source(path) as source:
        primary, image = find_image(source)
    hdus = [image] if image is primary else [image, primary]
    return [("primary header" if hdu.index == 0 else hdu.name, hdu.cards) for hdu in hdus]


def write_changed(path: Path, folder: Path, changes: Sequence[Change]) -> Path:
    """Copy a file into a folder with changed cards; HISTORY there says what they were.

    A card is changed where it stands, in the image's header or else in the primary's; a new one
    goes into the image's. The raw file of a photographic camera becomes a FITS file.

    Returns
    -------
    Path
        The copy: of the same name, packed as the file was.

    Raises
    ------
    InputError
        When the copy would be the file itself, or cannot be written.
    FrameError
        When the file cannot be read or holds no image.
    """
    name = f"{path.name}.fits" if is_raw_name(path) else path.name
    out = folder / name
    if out.resolve() == path.resolve():
        msg = f"{path}: the copy would replace it; give another --out"
        raise InputError(msg)
    with open_source(path) as source:
        primary, image = find_image(source)
        source.file.seek(0)
        content = source.file.read()
    new = [one for one in changes if one.keyword not in image.cards]
    inherited = [one for one in new if one.keyword in primary.cards and image is not primary]
    of_image = [one for one in changes if one not in inherited]
    content = _with(content, image, of_image)
    content = _with(content, primary, inherited)
    pack = _PACKERS.get(out.suffix.lower(), bytes)
    return write_whole(out, lambda file: file.write(pack(content)), parents=True)


def _with(content: bytes, hdu: Hdu, changes: Sequence[Change]) -> bytes:
    """Put a header with changed cards in the place of the old one."""
    if not changes:
        return content
    old = content[hdu.start : hdu.offset].decode("latin-1")
    records = _changed(old, changes)
    header = "".join([*records, "END".ljust(CARD)])
    header = header.ljust(-(-len(header) // BLOCK) * BLOCK)
    return content[: hdu.start] + header.encode("latin-1") + content[hdu.offset :]


def _changed(header: str, changes: Iterable[Change]) -> list[str]:
    """Change the cards of a header where they stand, add new ones, and say so in HISTORY."""
    records = [header[k : k + CARD].ljust(CARD) for k in range(0, len(header), CARD)]
    end = next(k for k, record in enumerate(records) if record.rstrip() == "END")
    records = [record for record in records[:end] if not record.startswith("CHECKSUM")]
    while records and not records[-1].strip():
        records.pop()
    for change in changes:
        at = [k for k, record in enumerate(records) if _keyword(record) == change.keyword]
        old = parse_cards(records[at[0]]) if at else {}
        card = next(iter(old.values()), Card("", ""))
        new = _records(change, card.comment, quoted=bool(at) and "= '" in records[at[0]][:12])
        if at:
            after = at[0] + 1
            while after < len(records) and records[after].startswith("CONTINUE"):
                after += 1
            records[at[0] : after] = new
        else:
            records += new
        was = f"was {card.text}" if at else "is new"
        line = f"lightcurve header: {change.keyword} {was}{change.why and f' ({change.why})'}"
        records += [f"HISTORY {line[k : k + 72]}".ljust(CARD) for k in range(0, len(line), 72)]
    return records


def _keyword(record: str) -> str:
    if record.startswith("HIERARCH "):
        return " ".join(record.partition("=")[0].upper().split())
    return record[:8].rstrip().upper()


def _records(change: Change, comment: str, *, quoted: bool) -> list[str]:
    """Write a card; a value that was text stays text."""
    from astropy.io.fits import Card as FitsCard

    value = change.text if quoted else change.value
    card, _ = quietly(lambda: str(FitsCard(change.keyword, value, change.comment or comment)))
    return [card[k : k + CARD] for k in range(0, len(card), CARD)]
