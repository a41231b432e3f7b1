"""Frames made hostile: cards, structure, pixels and files altered, each case by its number."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import re
import shlex
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

from sim import tiny_night

CARD, BLOCK = 80, 2880
VALUES = (
    "9" * 30, "-" + "9" * 30, "9" * 69, "1E30", "-1E30", "1E300", "1E308", "1E-300", "1E999", "NaN",
    "-Inf", "0", "-1", "-0.0", "0.5", "65536", "4294967296", "T", "", "''", "'x'", "'two'",
    "(1.0, 2.0)",
    "'NaN'", "'1e-320'", "'never closed", "'it''s'", "'\x1b[31mred\x07\x00'", "'caf\xe9 \xff\xfe'",
    "'99999-01-01T00:00:00'", "'12020-01-01'", "'2020-13-45T99:99:99'", "'-0001-01-01'",
    "'0000-00-00'",
    "'9999-12-31T23:59:60.999'", "'[1:0,5:-2]'", "'[-99999999999:9,1:1E30]'", "'RA---TAN'",
    "'<script>alert(1)</script>'", "'../../../etc/passwd'", "'%s%n{0}{x.y}$(id)`id`'",
    "'[bold]x[/]'",
    "' '", "1 2 3", "= 5", "1.0D+30", "0x10", "'12:34:56:78'", "'400:99:99'", "'" + "x" * 67 + "'",
)  # fmt: skip
KEYS = (
    "DATE-OBS", "TIME-OBS", "DATE-END", "EXPTIME", "EXPOSURE", "JD", "MJD-OBS", "BJD", "FILTER",
    "GAIN",
    "EGAIN", "RDNOISE", "SATURATE", "PEDESTAL", "SITELAT", "SITELONG", "SITEELEV", "OBJCTRA",
    "OBJCTDEC",
    "RA", "DEC", "AIRMASS", "XBINNING", "YBINNING", "XPIXSZ", "FOCALLEN", "CCD-TEMP", "IMAGETYP",
    "OBJECT",
    "INSTRUME", "TELESCOP", "TIMESYS", "UT", "EQUINOX", "RADESYS", "PIXSCALE", "FWHM", "BUNIT",
    "BAYERPAT",
    "XBAYROFF", "ROWORDER", "XORGSUBF", "SWCREATE", "FRAMENO", "ISOSPEED", "OFFSET", "READOUTM",
    "MOSAIC",
    "HISTORY", "COMMENT", "CONTINUE", "HIERARCH", "LCVERSIO", "END", "DATE", "TELAPSE", "OBSGEO-X",
)  # fmt: skip
WCS_KEYS = (
    *(
        "CTYPE1",
        "CTYPE2",
        "CRVAL1",
        "CRVAL2",
        "CRPIX1",
        "CRPIX2",
        "CD1_1",
        "CD1_2",
        "CD2_1",
        "CD2_2",
    ),
    *(
        "CUNIT1",
        "CUNIT2",
        "CDELT1",
        "CDELT2",
        "CROTA2",
        "PC1_1",
        "WCSAXES",
        "MJDREF",
        "MJDREFI",
        "LONPOLE",
    ),
    *(
        "LATPOLE",
        "A_ORDER",
        "B_ORDER",
        "A_2_0",
        "B_0_2",
        "AP_ORDER",
        "PV1_1",
        "PV2_99",
        "PV99_1",
        "PS1_0",
    ),
    *(
        "CTYPE3",
        "CRPIX9",
        "CRPIX1A",
        "WCSAXESA",
        "CNAME1",
        "CPDIS1",
        "DP1",
        "D2IMDIS1",
        "WCSNAME",
        "EPOCH",
    ),
    *(
        "SPECSYS",
        "VELREF",
        "RESTFRQ",
        "PC001001",
        "CD33_77",
        "LTV1",
        "LTM1_1",
        "CQDIS2",
        "DQ1",
        "A_DMAX",
    ),
)
STRUCTURE = {
    "SIMPLE": ("F", "T", "5", "'T'"),
    "XTENSION": ("'BINTABLE'", "'TABLE'", "'IMAGE'", "'FOREIGN'", "5"),
    "BITPIX": ("0", "7", "-16", "128", "8", "16", "32", "64", "-32", "-64", "'16'", "1E9", "NaN"),
    "NAXIS": ("0", "1", "3", "4", "999", "1000", "-1", "'two'", "2.5", "9" * 30),
    "NAXIS1": ("0", "1", "2", "-5", "999999999", "9" * 18, "9" * 30, "'160'", "1.5", "40000", ""),
    "NAXIS2": ("0", "1", "3", "-5", "999999999", "9" * 18, "9" * 30, "'120'", "40000"),
    "NAXIS3": ("0", "1", "3", "999999999", "-1"),
    "PCOUNT": ("-1", "999999999999", "'x'", "5"),
    "GCOUNT": ("0", "2", "-1", "999999999999"),
    "GROUPS": ("T",),
    "TFIELDS": ("0", "-1", "999", "1000000", "'x'"),
    "TFORM1": ("'1QB(999999999)'", "'A'", "''", "'9999999999J'", "5", "'1PB(0)'"),
    "ZCMPTYPE": ("'RICE_1'", "'GZIP_1'", "'HCOMPRESS_1'", "'PLIO_1'", "'x'", "5"),
    "ZBITPIX": ("8", "-64", "0", "99", "'x'"),
    "ZNAXIS": ("0", "1", "3", "99", "'x'"),
    "ZNAXIS1": ("0", "-1", "999999999", "9" * 30, "1"),
    "ZNAXIS2": ("0", "-1", "999999999", "1"),
    "ZTILE1": ("0", "-1", "999999999", "7", "'x'"),
    "ZTILE2": ("0", "-1", "120", "999999999"),
    "ZVAL1": ("0", "-1", "1", "999999999", "7"),
    "ZQUANTIZ": ("'SUBTRACTIVE_DITHER_1'", "'x'", "5"),
    "ZDITHER0": ("0", "-1", "99999999", "'x'"),
    "ZBLANK": ("0", "-2147483648", "'x'"),
    "THEAP": ("0", "-1", "999999999"),
    "BZERO": ("1E30", "-1E30", "1E300", "NaN", "'x'", "32768", "0", "9" * 30, "1E308"),
    "BSCALE": ("0", "-1", "1E30", "1E300", "1E-300", "NaN", "'x'", "1E308", "0.5"),
    "BLANK": ("0", "-32768", "99999999999999", "'x'", "NaN"),
    "EXTEND": ("F", "5"),
    "INHERIT": ("T",),
}  # fmt: skip
SECTIONS = ("DATASEC", "TRIMSEC", "BIASSEC", "CCDSEC", "DETSEC", "AMPSEC", "DETSIZE", "CCDSUM")
SECTION_VALUES = (
    "'[1:100,1:100]'", "'[1:1,1:1]'", "'[160:1,120:1]'", "'[0:0,0:0]'", "'[5:9999999,2:3]'",
    "'[-5:7,1:9]'",
    "'[1:1E30,1:2]'", "'2 2'", "'0 0'", "'x'", "5", "'[1:160,1:120'", "'[" + "9" * 30 + ":1,1:1]'",
)  # fmt: skip
NAMES = (
    "f{}.fits", "f{}.fits", "f{}.fits", "f{}.fit", "f{}.FITS", "a b {}.fits", "\x1b[31mred{}.fits",
    "new\nline{}.fits", "caf\xe9{}.fits", "[bold]{}.fits", "\u661f{}.fits", "$x`{}.fits",
    "-{}.fits",
)  # fmt: skip


@dataclass
class Parts:
    """A FITS file taken apart: HDUs as lists of cards and their data, and what is done to all."""

    cards: list[list[bytes]]
    data: list[bytes]
    whole: list[Callable[[bytes], bytes]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """Put the file together."""
        content = b""
        for cards, data in zip(self.cards, self.data, strict=True):
            content += padded(b"".join(cards) + b"END".ljust(CARD), b" ") + padded(data, b"\0")
        for step in self.whole:
            content = step(content)
        return content


def padded(content: bytes, by: bytes) -> bytes:
    return content + by * (-len(content) % BLOCK)


def take_apart(content: bytes) -> Parts:
    """Split a sound file."""
    with fits.open(io.BytesIO(content), disable_image_compression=True) as hdus:
        cards, data = [], []
        for hdu in hdus:
            info = hdu.fileinfo()
            text = content[info["hdrLoc"] : info["datLoc"]]
            lines = [text[k : k + CARD] for k in range(0, len(text), CARD)]
            cards.append(
                lines[: next(k for k, one in enumerate(lines) if one[:8].strip() == b"END")]
            )
            data.append(content[info["datLoc"] : info["datLoc"] + info["datSpan"]])
    return Parts(cards, data)


def card(key: str, value: str) -> bytes:
    return f"{key:<8}= {value:>20}".encode("latin-1").ljust(CARD)[:CARD]


Dice = random.Random
Mutator = Callable[[Parts, Dice], str]


def _header_of(parts: Parts, dice: Dice) -> list[bytes]:
    return dice.choice(parts.cards)


def _set(parts: Parts, dice: Dice, key: str, value: str) -> str:
    cards = _header_of(parts, dice)
    here = [k for k, one in enumerate(cards) if one[:8].strip() == key.encode()]
    if here and dice.random() < 0.8:
        cards[dice.choice(here)] = card(key, value)
    else:
        cards.insert(dice.randrange(min(3, len(cards)), len(cards) + 1), card(key, value))
    return f"{key}={value}"


def a_value(parts: Parts, dice: Dice) -> str:
    return _set(parts, dice, dice.choice(KEYS), dice.choice(VALUES))


def a_wcs_value(parts: Parts, dice: Dice) -> str:
    return _set(parts, dice, dice.choice(WCS_KEYS), dice.choice(VALUES))


def of_structure(parts: Parts, dice: Dice) -> str:
    key = dice.choice(list(STRUCTURE))
    return _set(parts, dice, key, dice.choice(STRUCTURE[key]))


def a_section(parts: Parts, dice: Dice) -> str:
    return _set(parts, dice, dice.choice(SECTIONS), dice.choice(SECTION_VALUES))


def repeated(parts: Parts, dice: Dice) -> str:
    key, times = dice.choice(WCS_KEYS + KEYS), dice.choice((2, 5, 50, 300))
    same = dice.random() < 0.3
    more = [
        card(key, "50.5" if same else dice.choice((*VALUES, str(50.0 + k)))) for k in range(times)
    ]
    cards = _header_of(parts, dice)
    place = dice.randrange(min(5, len(cards)), len(cards) + 1)
    cards[place:place] = more
    return f"{times} x {key}"


def removed(parts: Parts, dice: Dice) -> str:
    cards = _header_of(parts, dice)
    if not cards:
        return "nothing removed"
    return "without " + cards.pop(dice.randrange(len(cards)))[:8].decode("latin-1")


def scrambled(parts: Parts, dice: Dice) -> str:
    cards = _header_of(parts, dice)
    for _ in range(dice.randrange(1, 6) if cards else 0):
        k = dice.randrange(len(cards))
        line = bytearray(cards[k])
        line[dice.randrange(CARD)] = dice.randrange(256)
        cards[k] = bytes(line)
    return "bytes of cards"


def planes(parts: Parts, dice: Dice) -> str:
    """Put absurd pixels into the first data, of its length, as big-endian floats or as bytes."""
    k = max(range(len(parts.data)), key=lambda k: len(parts.data[k]))
    n = len(parts.data[k])
    if not n:
        return "no pixels"
    kind = dice.choice(
        ("nan", "inf", "1e30", "noise", "3e38", "half", "zeros", "full", "spike", "bytes")
    )
    shape = n // 4
    values = {
        "nan": lambda: np.full(shape, np.nan), "inf": lambda: np.full(shape, np.inf),
        "1e30": lambda: np.linspace(-1e30, 1e30, shape), "3e38": lambda: np.full(shape, 3e38),
        "noise": lambda: np.random.default_rng(dice.randrange(9)).normal(size=shape) * 1e30,
        "half": lambda: np.where(np.arange(shape) % 2, np.nan, 100.0),
        "zeros": lambda: np.zeros(shape), "spike": lambda: 1e38 * (np.arange(shape) == shape // 2),
    }.get(kind)  # fmt: skip
    if kind == "bytes":
        parts.data[k] = dice.randbytes(n)
    elif kind == "full":
        parts.data[k] = b"\xff" * n
    else:
        with np.errstate(over="ignore"):
            parts.data[k] = values().astype(">f4").tobytes().ljust(n, b"\0")
    if dice.random() < 0.8 and len(parts.cards) == 1 and kind not in {"bytes", "full"}:
        _set_all(parts, {"BITPIX": "-32", "BZERO": "0", "BSCALE": "1"})
        _fit_length(parts)
    return f"pixels {kind}"


def _set_all(parts: Parts, values: Mapping[str, str]) -> None:
    for cards in parts.cards[:1]:
        cards[:] = [one for one in cards if one[:8].strip().decode("latin-1") not in values]
        cards[1:1] = [card(key, value) for key, value in values.items()]


def _fit_length(parts: Parts) -> None:
    """Give a plain image, now of floats, as many bytes as its axes ask for."""
    parts.data[0] = (parts.data[0] * 3)[: 4 * 120 * 160].ljust(4 * 120 * 160, b"\0")


def scales(parts: Parts, dice: Dice) -> str:
    told = [_set(parts, dice, key, dice.choice(STRUCTURE[key])) for key in ("BZERO", "BSCALE")]
    return ", ".join(told)


def cut(parts: Parts, dice: Dice) -> str:
    share = dice.choice((0.0, 0.01, dice.random(), 0.999))
    parts.whole.append(lambda content: content[: int(share * len(content))])
    return f"cut at {share:.3f}"


def junk(parts: Parts, dice: Dice) -> str:
    more = dice.choice((dice.randbytes(5000), b"\0" * BLOCK, b" " * BLOCK, b"XTENSION" * 360))
    parts.whole.append(lambda content: content + more)
    return "junk behind"


def flipped(parts: Parts, dice: Dice) -> str:
    seed = dice.random()

    def flip(content: bytes) -> bytes:
        own, data = Dice(seed), bytearray(content)
        for _ in range(own.randrange(1, 30) if data else 0):
            data[own.randrange(len(data))] = own.randrange(256)
        return bytes(data)

    parts.whole.append(flip)
    return "bytes flipped"


def packed(parts: Parts, dice: Dice) -> str:
    """Pack it, at times with a name that says so, at times cut or spoilt within."""
    kind = dice.choice(
        ("gzip", "bzip2", "gzip cut", "gzip twice", "gzip spoilt", "bzip2 cut", "length")
    )
    press = bz2.compress if kind.startswith("bzip2") else gzip.compress

    def pack(content: bytes) -> bytes:
        content = press(content)
        if kind.endswith("twice"):
            content = press(content)
        if kind.endswith("cut"):
            content = content[: len(content) // 2]
        if kind.endswith("spoilt"):
            content = content[:200] + b"\xff" * 50 + content[250:]
        if kind == "length":
            content = content[:-4] + struct.pack("<I", 2**32 - 1)
        return content

    parts.whole.append(pack)
    return kind


def more_hdus(parts: Parts, dice: Dice) -> str:
    """Put a table, a doubled or an empty HDU anywhere, or leave one out."""
    kind = dice.choice(("table", "doubled", "empty", "turned", "first gone", "no data"))
    if kind == "table":
        columns = [
            fits.Column("X", "J", array=np.arange(9)),
            fits.Column("NAME", "8A", array=["s"] * 9),
        ]
        file = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(file)
        other = take_apart(file.getvalue())
        place = dice.randrange(len(parts.cards) + 1)
        parts.cards[place:place], parts.data[place:place] = other.cards[1:], other.data[1:]
    elif kind == "doubled":
        parts.cards.append(list(parts.cards[0]))
        parts.data.append(parts.data[0])
    elif kind == "empty":
        parts.cards.append([])
        parts.data.append(b"")
    elif kind == "turned":
        parts.cards.reverse()
        parts.data.reverse()
    elif kind == "first gone" and len(parts.cards) > 1:
        del parts.cards[0], parts.data[0]
    else:
        parts.data[-1] = b""
    return kind


def many_cards(parts: Parts, dice: Dice) -> str:
    kind = dice.choice(("COMMENT", "CONTINUE", "HIERARCH", "keys"))
    lines = {
        "COMMENT": b"COMMENT " + b"x" * 72,
        "CONTINUE": b"CONTINUE  'abc&'".ljust(CARD),
        "HIERARCH": b"HIERARCH ESO DET OUT1 GAIN = 1E300".ljust(CARD),
    }
    cards = _header_of(parts, dice)
    n = dice.choice((40, 2000))
    cards += [lines.get(kind) or card(f"K{k}", dice.choice(VALUES)) for k in range(n)]
    return f"{n} {kind}"


MUTATORS: tuple[tuple[Mutator, int], ...] = (
    (a_value, 8), (a_wcs_value, 8), (of_structure, 6), (a_section, 2), (repeated, 5), (removed, 2),
    (scrambled, 2), (planes, 4), (scales, 3), (cut, 1), (junk, 1), (flipped, 2), (packed, 2),
    (more_hdus, 2), (many_cards, 1),
)  # fmt: skip


def mutate(content: bytes, seed: int) -> tuple[bytes, str]:
    """Alter a sound file by a number; returns its bytes and what was done."""
    dice = Dice(seed)
    parts = take_apart(content)
    steps = dice.choices(*zip(*MUTATORS, strict=True), k=dice.choice((1, 1, 1, 2, 3, 5)))
    told = [step(parts, dice) for step in steps]
    return parts.to_bytes(), "; ".join(told)


def sound_frames(folder: Path) -> dict[str, bytes]:
    """Make the frames that are altered: one night's, written as many a way as there are."""
    lights, _ = tiny_night(folder, n_frames=1, shape=(120, 160), n_stars=40, header_wcs=True)
    plain = lights[0].read_bytes()
    with fits.open(lights[0]) as hdus:
        pixels, header = hdus[0].data.astype(np.float32), hdus[0].header.copy()
    for key in ("BZERO", "BSCALE"):
        header.remove(key, ignore_missing=True)
    sip = header.copy()
    sip["CTYPE1"], sip["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    sip["A_ORDER"], sip["A_2_0"], sip["B_ORDER"], sip["B_0_2"] = 2, 1e-7, 2, 1e-7
    halves = [header.copy(), header.copy()]
    for k, half in enumerate(halves):
        half["DATASEC"], half["CCDSEC"] = "[1:80,1:120]", f"[{1 + 80 * k}:{80 + 80 * k},1:120]"
        half["DETSEC"] = half["CCDSEC"]
    colour = header.copy()
    colour["BAYERPAT"] = "RGGB"
    table = fits.BinTableHDU.from_columns([fits.Column("X", "E", array=np.arange(5.0))])
    made = {
        "float": [fits.PrimaryHDU(pixels, header)],
        "double": [fits.PrimaryHDU(pixels.astype(float), header)],
        "int": [fits.PrimaryHDU(pixels.astype(np.int32), header)],
        "sip": [fits.PrimaryHDU(pixels, sip)],
        "bayer": [fits.PrimaryHDU(pixels.astype(np.int16), colour)],
        "cube": [fits.PrimaryHDU(np.stack([pixels] * 3).astype(np.int16), header)],
        "extension": [fits.PrimaryHDU(), table, fits.ImageHDU(pixels, header)],
        "rice": [fits.PrimaryHDU(), fits.CompImageHDU(pixels.astype(np.int16), header)],
        "gzip tiles": [fits.PrimaryHDU(), fits.CompImageHDU(pixels, header, "GZIP_1")],
        "halves": [
            fits.PrimaryHDU(), *(fits.ImageHDU(pixels[:, 80 * k : 80 * k + 80],
            halves[k]) for k in (0, 1))
        ],
    }  # fmt: skip
    return {"plain": plain} | {name: _bytes_of(hdus) for name, hdus in made.items()}


def _bytes_of(hdus: list) -> bytes:
    file = io.BytesIO()
    fits.HDUList(hdus).writeto(file)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Case:
    """What is tried at once: command lines, how many hostile inputs they meet, what was done."""

    commands: list[list[str]]
    inputs: int
    told: str


FOLDER, FILES, EACH, TWO = "folder", "files", "each", "two"
# A command, what it is given, how many frames, how often. The slow ones meet few.
COMMANDS: tuple[tuple[str, str, int, int], ...] = (
    ("inspect {}", FOLDER, 60, 8), ("inspect {} --all --json", FOLDER, 60, 6),
    ("inspect {}", EACH, 8, 5), ("header show {}", EACH, 8, 5), ("header fix {} --write --out o",
    FOLDER, 30, 5),
    ("header set {} OBJECT=x --write --out o", FOLDER, 30, 2),
    ("solve {} --solver header --offline -o o --write-copy", FOLDER, 40, 12),
    ("-q solve {} --solver header --offline", FOLDER, 20, 2),
    ("image {} --sequence --offline --out o", FOLDER, 12, 2),
    ("calib bias {} --out o.fits", FILES, 20, 4), ("calib dark {} --out o.fits", FILES, 20, 3),
    ("calib flat {} --out o.fits", FILES, 20, 4), ("calib badpix {} --out o.fits", FOLDER, 20, 3),
    ("calib quality {} --out o.csv", FILES, 12, 2), ("calib noise {}", FILES, 20, 2),
    ("calib arith {} --out o.fits", TWO, 2, 3), ("calibrate {} --out o", FOLDER, 30, 4),
    ("plan {} --ra 20 --dec 30 --offline", FOLDER, 20, 3),
    ("run {} --ra 20 --dec 30 --offline --workers 1 --out o", FOLDER, 20, 1),
    ("image {} --psf none --offline --out o", FILES, 2, 1), ("stack {} --offline --out o", FOLDER,
    8, 1),
    ("resample {} --onto f0.fits --out o", FILES, 4, 1),
)  # fmt: skip
SOUND_SHARE = 0.2
# Those that join frames with one another, most of them slow.
PATH = "--at '2024-10-03T00:00 20.0 30.0' --at '2024-10-03T06:00 20.001 30.0'"
FIELD = "--offline --solver header --figures none"
JOINING: tuple[tuple[str, str, int, int], ...] = (
    (f"difference {{}} --template f0.fits {FIELD} --out o", FOLDER, 4, 3),
    (f"difference f0.fits --template {{}} {FIELD} --out o", EACH, 3, 3),
    (f"moving {{}} {PATH} {FIELD} --out o", FOLDER, 6, 3),
    ("composite {} --out o.png", FILES, 3, 6), ("composite f0.fits {} f0.fits --out o.png", EACH,
    5, 3),
    ("continuum {} --out o.fits", FILES, 2, 3), ("continuum f0.fits {} --out o.fits", EACH, 5, 2),
    ("watch {} --ra 20 --dec 30 --offline --workers 1 --every 0.1 --idle 0 --out o", FOLDER, 20, 2),
)  # fmt: skip


def prepare(folder: Path) -> dict[str, bytes]:
    """Make what frames are altered from."""
    folder.mkdir()
    return sound_frames(folder)


def case(
    sound: dict[str, bytes],
    number: int,
    folder: Path,
    *,
    of: Sequence[tuple[str, str, int, int]] = COMMANDS,
) -> Case:
    """Write a batch of frames, a few of them sound, and choose what they are given to."""
    dice = Dice(number)
    line, given, n, _ = dice.choices(of, [one[-1] for one in of])[0]
    (folder / "night").mkdir()
    names, told = [], []
    for k in range(n):
        kind = dice.choice(list(sound)) if dice.random() < 0.7 else "plain"
        content, what = mutate(dated(sound[kind], k), 100 * number + k)
        if dice.random() < SOUND_SHARE and given == FOLDER:
            content, what = dated(sound[kind], k), "sound"
        if line.startswith("calib"):
            content = content.replace(
                b"'LIGHT   '", dice.choice((b"'BIAS    '", b"'FLAT    '", b"'DARK    '")), 1
            )
        names.append("night/" + dice.choice(NAMES).format(k))
        (folder / names[-1]).write_bytes(content)
        told.append(f"{k} {kind}: {what}")
    if "f0.fits" in line:
        (folder / "f0.fits").write_bytes(dated(sound["plain"], 0))
    words = {
        FOLDER: [["night"]], FILES: [names], EACH: [[name] for name in names],
        TWO: [[names[0], dice.choice(("add", "sub", "mul", "div")), names[-1]]],
    }[given]  # fmt: skip
    before, after = (shlex.split(part) for part in line.split("{}"))
    return Case([[*before, *one, *after] for one in words], n, "; ".join(told))


def dated(content: bytes, k: int) -> bytes:
    """Give a frame a start of its own, minutes after that of the one before, and no other clock."""
    content = re.sub(rb"(DATE-END|MJD-OBS )=", b"COMMENT =", content)
    return re.sub(rb"(DATE-OBS= '\d{4}-\d\d-\d\dT\d\d):\d\d", rb"\1:%02d" % (k % 60), content)
