"""A camera's raw file, written by hand: TIFF with the tags that DNG asks for (Adobe, DNG 1.4)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
FORMATS = {BYTE: "B", ASCII: "s", SHORT: "H", LONG: "I", RATIONAL: "II", SRATIONAL: "ii"}
EXIF = 34665  # tag that points to the directory of the exposure
STRIP = 273  # tag that points to the pixels


def _packed(kind: int, values: object) -> tuple[int, bytes]:
    if isinstance(values, str):
        data = values.encode() + b"\0"
        return len(data), data
    flat = np.ravel(values).tolist()
    width = len(FORMATS[kind])
    return len(flat) // width, struct.pack("<" + FORMATS[kind][0] * len(flat), *flat)


def _directory(entries: dict[int, tuple[int, object]], start: int) -> bytes:
    """Lay out one directory of tags that begins at a place of the file."""
    table, behind = b"", b""
    room = start + 2 + 12 * len(entries) + 4
    for tag, (kind, values) in sorted(entries.items()):
        count, data = _packed(kind, values)
        if len(data) > 4:
            where = struct.pack("<I", room + len(behind))
            behind += data + b"\0" * (len(data) % 2)
        else:
            where = data.ljust(4, b"\0")
        table += struct.pack("<HHI", tag, kind, count) + where
    return struct.pack("<H", len(entries)) + table + struct.pack("<I", 0) + behind


def write_dng(
    path: Path,
    pixels: np.ndarray,
    *,
    taken: str = "2026:03:04 21:05:06",
    offset: str | None = None,
    exposure_s: int = 30,
    white: int = 16383,
) -> None:
    """Write a mosaic (ny, nx) uint16 of RGGB, its first row on top; offset: hours from UTC."""
    ny, nx = pixels.shape
    exposure: dict[int, tuple[int, object]] = {
        33434: (RATIONAL, [exposure_s, 1]),
        34855: (SHORT, 800),
        36867: (ASCII, taken),
        37386: (RATIONAL, [200, 1]),
    }
    if offset:
        exposure |= {36881: (ASCII, offset)}
    image: dict[int, tuple[int, object]] = {
        254: (LONG, 0),
        256: (LONG, nx),
        257: (LONG, ny),
        258: (SHORT, 16),
        259: (SHORT, 1),
        262: (SHORT, 32803),
        271: (ASCII, "Maker"),
        272: (ASCII, "Model 7"),
        STRIP: (LONG, 0),
        274: (SHORT, 1),
        277: (SHORT, 1),
        278: (LONG, ny),
        279: (LONG, 2 * pixels.size),
        306: (ASCII, taken),
        33421: (SHORT, [2, 2]),
        33422: (BYTE, [0, 1, 1, 2]),
        EXIF: (LONG, 0),
        50706: (BYTE, [1, 4, 0, 0]),
        50708: (ASCII, "Maker Model 7"),
        50714: (SHORT, 512),
        50717: (LONG, white),
        50721: (SRATIONAL, [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]),
        50728: (RATIONAL, [1, 1] * 3),
        50778: (SHORT, 21),
    }
    first = 8
    second = first + len(_directory(image, first))
    image[EXIF] = (LONG, second)
    image[STRIP] = (LONG, second + len(_directory(exposure, second)))
    head = struct.pack("<2sHI", b"II", 42, first)
    body = _directory(image, first) + _directory(exposure, second)
    path.write_bytes(head + body + pixels.astype("<u2").tobytes())
