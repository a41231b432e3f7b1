"""The film of a night: small pictures of its frames on two sheets, and how its stars move.

Every frame's picture of the target is on its sheet. Pictures of the field are large: as many are
taken as there is room for, frames without a measurement and odd ones before others.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import FrameResult, Picture
from lightcurve.report.page.contents import Json, block

__all__ = ["field_sheet", "make_film"]

ROOM = 300_000  # bytes of both sheets, before base64 makes four of three
SHARE = 0.6  # of it that pictures of the target may take
QUALITY = (60, 40, 20)  # of WebP, the first that has room
FIELD_QUALITY, REFERENCE_QUALITY = 40, 60
TRIED = 16  # pictures of the field that tell how many bytes one takes
MAX_LOST = 40
SAMPLE, LEVEL_SAMPLE = 50_000, 1000  # pixels that tell the stretch, and the sky of a picture
SOFT, WHITE = 3.0, 99.9  # noise up to which the stretch is linear; per cent of pixels below white
LEAST, PALE = 1e-6, 10  # ADU; over the noise


@dataclass(frozen=True, slots=True, eq=False)
class _Shot:
    """A picture of the frame of a number; numbers of frames without a measurement are negative."""

    frame: int
    picture: Picture


def make_film(
    measured: Sequence[FrameResult],
    places: np.ndarray,
    odd: np.ndarray,
    lost: Sequence[FrameResult],
) -> dict[str, Json] | None:
    """Lay the pictures of a night out for the page.

    Parameters
    ----------
    measured : sequence of FrameResult
        In the order of the page's frames.
    places : (n, 2) float array
        Where the target was measured, x and y, pixels of the frame.
    odd : (n,) bool array
        Which of them a reader will want to see.
    lost : sequence of FrameResult
        Frames without a measurement, in the order of the page.

    Returns
    -------
    dict or None
        ``target`` and ``field``, a sheet each or None: ``image`` (a data address), ``width`` and
        ``height`` of a cell, ``columns`` of the sheet, ``step`` (pixels of the frame to one of the
        cell), ``cell`` (n numbers, None for frames without a picture), ``lost`` (a cell for each
        that is lost), ``corner`` (left and bottom of each cell in its frame). ``matrix``: (n, 6),
        `Registration.matrix` of each frame; ``place``: (n, 2), of the target. None where no frame
        has a picture.
    """
    targets = [_Shot(k, r.target_picture) for k, r in enumerate(measured) if r.target_picture]
    fields = [_Shot(k, r.field_picture) for k, r in enumerate(measured) if r.field_picture]
    gone = [_Shot(-1 - k, r.field_picture) for k, r in enumerate(lost) if r.field_picture]
    if not targets and not fields and not gone:
        return None
    number = len(measured), len(lost)
    target, taken = _targets(targets, number)
    field = _fields(fields, gone[:MAX_LOST], odd, ROOM - taken, number)
    return {
        "target": target,
        "field": field,
        "matrix": block(_matrices(measured)),
        "place": block(places.astype(np.float32)),
    }


def field_sheet(picture: Picture) -> dict[str, Json]:
    """Lay the reference frame's picture out for the page: a sheet of one cell."""
    sheet, _ = _sheet([_Shot(0, picture)], REFERENCE_QUALITY, (1, 0))
    return sheet


def _matrices(measured: Sequence[FrameResult]) -> np.ndarray:
    """Gather how frames lie to the reference: (n, 6) float array, NaN where that is not known."""
    unknown = np.full((2, 3), np.nan)
    matrices = [r.registration.matrix if r.registration else unknown for r in measured]
    return np.reshape(np.array(matrices, dtype=np.float32), (len(measured), 6))


def _targets(shots: list[_Shot], number: tuple[int, int]) -> tuple[dict[str, Json] | None, int]:
    """Lay out the target in all frames, as fine as there is room for."""
    if not shots:
        return None, 0
    while True:
        for quality in QUALITY:
            sheet, size = _sheet(shots, quality, number)
            if size <= SHARE * ROOM:
                return sheet, size
        if max(shots[0].picture.pixels.shape) <= 8:
            return sheet, size
        shots = [_Shot(s.frame, _halved(s.picture)) for s in shots]


def _fields(
    shots: list[_Shot], gone: list[_Shot], odd: np.ndarray, room: int, number: tuple[int, int]
) -> dict[str, Json] | None:
    """Lay out the field in as many frames as there is room for."""
    shots = gone + shots
    if not shots:
        return None
    tried = [shots[k] for k in _spread(len(shots), TRIED)]
    _, size = _sheet(tried, FIELD_QUALITY, number)
    count = int(room / size * len(tried))
    first = [k for k, s in enumerate(shots) if s.frame < 0 or odd[s.frame]]
    first = [first[k] for k in _spread(len(first), count // 2)]
    rest = [k for k in range(len(shots)) if k not in set(first)]
    chosen = sorted([*first, *(rest[k] for k in _spread(len(rest), count - len(first)))])
    return _sheet([shots[k] for k in chosen], FIELD_QUALITY, number)[0]


def _spread(number: int, count: int) -> list[int]:
    """Choose places of a list of a length, evenly; all where the count allows."""
    if count >= number:
        return list(range(number))
    return np.unique(np.linspace(0, number - 1, max(count, 1)).round().astype(int)).tolist()


def _sheet(
    shots: Sequence[_Shot], quality: int, number: tuple[int, int]
) -> tuple[dict[str, Json], int]:
    """Lay out pictures of one size side by side; and tell the bytes of it.

    number: of frames measured and lost.
    """
    height, width = shape = shots[0].picture.pixels.shape
    shots = [s for s in shots if s.picture.pixels.shape == shape]
    cells = _stretched([s.picture for s in shots])
    columns = int(np.ceil(np.sqrt(len(cells) * height / width)))
    rows = -(-len(cells) // columns)
    laid = np.zeros((rows * columns, height, width), np.uint8)
    laid[: len(cells)] = cells[:, ::-1]  # the first row of a frame is its lowest
    sheet = laid.reshape(rows, columns, height, width).swapaxes(1, 2)
    image = _encode(sheet.reshape(rows * height, columns * width), quality)
    cell: list[int | None] = [None] * number[0]
    lost: list[int | None] = [None] * number[1]
    for place, shot in enumerate(shots):
        if shot.frame < 0:
            lost[-1 - shot.frame] = place
        else:
            cell[shot.frame] = place
    return {
        "image": f"data:image/webp;base64,{base64.b64encode(image).decode()}",
        "width": width, "height": height, "columns": columns, "step": shots[0].picture.step,
        "cell": cell, "lost": lost, "corner": [[s.picture.left, s.picture.bottom] for s in shots],
    }, len(image)  # fmt: skip


def _stretched(pictures: Sequence[Picture]) -> np.ndarray:
    """Bring pictures to one stretch, each above its own sky, so that stars can be compared.

    Returns (n, ny, nx) uint8 array, bright stars on black.
    """
    values = np.stack([picture.adu for picture in pictures])
    levels = [np.median(some) if (some := _sample(v, LEVEL_SAMPLE)).size else 0.0 for v in values]
    values -= np.array(levels, dtype=np.float32)[:, None, None]
    some = _sample(values, SAMPLE)
    low, high = np.percentile(some, (16, WHITE)) if some.size else (0.0, 0.0)
    below = max(-float(low), LEAST)  # noise, and the sky's slope where it has one
    near = _sample(values[..., 1:] - values[..., :-1], SAMPLE)
    noise = float(np.diff(np.percentile(near, (16, 84)))[0]) / np.sqrt(8) if near.size else below
    soft = SOFT * np.sqrt(below * np.clip(noise, LEAST, below))
    top = np.arcsinh(max(float(high), PALE * below) / soft)  # an empty field stays pale
    scale = np.arcsinh((values + below) / soft) / top
    return np.rint(255 * np.clip(np.nan_to_num(scale), 0, 1)).astype(np.uint8)


def _sample(values: np.ndarray, number: int) -> np.ndarray:
    """Take about so many pixels, finite ones, of a grid over rows and columns: (k,) array."""
    step = max(int(np.sqrt(values.size / number)), 1)
    some = values[..., ::step, ::step]
    return some[np.isfinite(some)]


def _halved(picture: Picture) -> Picture:
    """Average squares of two by two; a last odd row or column is left out."""
    ny, nx = (n // 2 for n in picture.pixels.shape)
    blocks = picture.pixels[: 2 * ny, : 2 * nx].reshape(ny, 2, nx, 2).astype(np.uint16)
    return replace(
        picture, pixels=(blocks.sum(axis=(1, 3)) // 4).astype(np.uint8), step=2 * picture.step
    )


def _encode(grey: np.ndarray, quality: int) -> bytes:
    """Write an image as WebP: of one look it takes half of what JPEG does.

    By the quickest method: the slow ones save 3 % in ten times the time.
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(grey).save(file, format="WEBP", quality=quality, method=0)
    return file.getvalue()
