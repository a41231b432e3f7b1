"""What a frame was taken for: by keyword, by its name, by its pixels; and its filter."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from pathlib import PurePath

import numpy as np

from lightcurve.core.data import FrameKind
from lightcurve.core.robust import robust_scatter
from lightcurve.frames.cards import Cards, find, find_all
from lightcurve.frames.dialects import FILTERS, KIND_WORDS, KINDS

__all__ = ["kind_by_keyword", "normalise_filter"]

_PLAIN_IN_NAMES = KIND_WORDS.keys() - KINDS.loose
# Number of a filter in its makers' list, k1004, G0303, or its generation: no part of its name.
_SERIAL = re.compile(r"[a-z]?\d{3,}|\d")
_SPLIT = re.compile(r"[^a-z]+")
SHORTEST_S = 1e-3  # no shutter and no lamp gives an image in less
# PixInsight writes how many frames it combined into HISTORY alone.
_INTEGRATED = re.compile(r"Integration\.numberOfImages: (\d{1,6})\b")
STARS = 5
STAR_SIGMA = 8.0
BRIGHT_LEVEL = 0.15  # of the full scale
EVEN = 0.1  # scatter of a flat's blocks about its gradient, relative
BLOCK_PX = 16


def kind_by_keyword(cards: Cards) -> tuple[FrameKind, str] | None:
    """Read the image type of a header, and its source; None where no keyword says it.

    The rules of the camera's profile go first; ``OBJECT = 'Dark'`` counts where there is no image
    type.
    """
    ruled = cards.camera.kind_of(cards) if cards.camera else None
    if ruled:
        return ruled
    for found in find_all(cards, "kind"):
        kind = _kind_of(found.text, KIND_WORDS.keys())
        if kind:
            return kind, f"{found.source} = {found.text[:30]}"
    named = find(cards, "object_name")
    if named and named.text.lower().removesuffix(" frame") in _PLAIN_IN_NAMES:
        kind = _kind_of(named.text, _PLAIN_IN_NAMES)
        return (kind, f"{named.source} = {named.text[:30]}") if kind else None
    return None


def kind_by_name(path: PurePath, object_name: str | None = None) -> tuple[FrameKind, str] | None:
    """Look for words such as ``flat`` in the file's name, then in its folder's; kind and source.

    object_name: from the header: a file named after its object is a light frame.
    """
    kind = _kind_of(path.name, _PLAIN_IN_NAMES)
    if kind:
        return kind, "file name"
    if object_name and len(object_name) > 2 and _squeeze(object_name) in _squeeze(path.name):
        return FrameKind.LIGHT, "file name has the OBJECT of the header"
    kind = _kind_of(path.parent.name, _PLAIN_IN_NAMES)
    return (kind, "folder name") if kind else None


def _squeeze(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _kind_of(text: str, known: AbstractSet[str]) -> FrameKind | None:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    words = [word for word in _SPLIT.split(spaced) if word in known]
    kinds = {KIND_WORDS[word] for word in words}
    if kinds == {FrameKind.DARK, FrameKind.FLAT}:
        return FrameKind.DARK_FLAT
    # `OBJECT,FLAT` of ESO, `Flat_Light`: the calibration word is the one that tells.
    if len(kinds) == 2:
        kinds.discard(FrameKind.LIGHT)
    return kinds.pop() if len(kinds) == 1 else None


def is_stack(cards: Cards) -> str | None:
    """Give the card that says that a header is that of a combined frame."""
    for found in find_all(cards, "kind"):
        if "master" in found.text.lower():
            return f"{found.keyword} = {found.text[:30]}"
    for found in find_all(cards, "frames_stacked"):
        if found.text.isdigit() and int(found.text[:9]) > 1:
            return f"{found.keyword} = {found.text[:9]}"
    integrated = _INTEGRATED.search(cards["HISTORY"].text) if "HISTORY" in cards else None
    return f"HISTORY {integrated[0][:40]}" if integrated and int(integrated[1]) > 1 else None


def kind_by_content(
    pixels: np.ndarray, exposure_s: float | None, full_scale_adu: float
) -> tuple[FrameKind, str]:
    """Look at a frame, ADU, NaN left out: exposure, stars, level and evenness; kind and reason.

    ``"bias"`` without exposure, ``"light"`` with stars, ``"flat"`` bright and even, ``"dark"``
    faint and starless; ``"unknown"`` for none of them.
    """
    if exposure_s is not None and exposure_s <= SHORTEST_S:
        return FrameKind.BIAS, f"content: {exposure_s:g} s exposed"
    if min(pixels.shape) < 2 * BLOCK_PX or not np.isfinite(pixels).any():
        return FrameKind.UNKNOWN, "content: too small or empty"
    level, noise, stars = _look(pixels)
    if level > BRIGHT_LEVEL * full_scale_adu and noise < EVEN * level:
        return FrameKind.FLAT, f"content: even at {level:.0f} ADU"
    if stars >= STARS:
        return FrameKind.LIGHT, f"content: {stars} stars"
    if level < BRIGHT_LEVEL * full_scale_adu:
        return FrameKind.DARK, f"content: no stars, {level:.0f} ADU"
    return FrameKind.UNKNOWN, f"content: {stars} stars, uneven at {level:.0f} ADU"


def _look(pixels: np.ndarray) -> tuple[float, float, int]:
    """Level, noise of a pixel, and number of extended peaks of a frame.

    A hot pixel stands alone; a star is bright in its neighbours, too: each pixel is replaced by
    the second highest of its 2 x 2 square, which no lone pixel survives.
    """
    level = float(np.nanmedian(pixels))
    pixels = _level_sites(pixels, level)
    noise = robust_scatter(pixels, about=level)
    image = np.nan_to_num(pixels, nan=level)
    corners = np.stack([image[:-1, :-1], image[1:, :-1], image[:-1, 1:], image[1:, 1:]])
    second = np.partition(corners, 2, axis=0)[2]
    ny, nx = (n // BLOCK_PX * BLOCK_PX for n in second.shape)
    blocks = second[:ny, :nx].reshape(ny // BLOCK_PX, BLOCK_PX, nx // BLOCK_PX, BLOCK_PX)
    peaks = blocks.max(axis=(1, 3))
    # Against the median block: a gradient lifts them all.
    local = np.median(blocks, axis=(1, 3))
    return level, noise, int(np.sum(peaks - local > STAR_SIGMA * max(noise, 1e-6)))


def _level_sites(pixels: np.ndarray, level: float) -> np.ndarray:
    """Bring each place of 2 x 2 pixels to one level: a mosaic's colours are no noise."""
    even = pixels.astype(np.float32)
    for row in range(2):
        for column in range(2):
            site = even[row::2, column::2]
            if np.isfinite(site).any():
                site += np.float32(level) - np.nanmedian(site)
    return even


_WIDTH = re.compile(r"\b\d+(?: \d+)? ?nm\b")  # of a narrow band
_KNOWN = {alias: name for name, aliases in FILTERS.names.items() for alias in aliases}


def filter_name(cards: Cards, text: str) -> str:
    """Name the filter of a header: as its camera's profile has it, or by its usual name."""
    own = cards.camera.filter_of(text.strip()) if cards.camera else None
    return own or normalise_filter(text)


def normalise_filter(text: str) -> str:
    """Give the filter of a header its usual name.

    Returns
    -------
    str
        ``"V"``, ``"Rc"``, ``"ip"``, ``"CV"`` (no filter) ...; an unknown name as it stands.
    """
    text = " ".join(text.split())[:40]
    whole = _one_filter(text)
    if whole is not None:
        return whole
    # Two wheels in one card, ``Empty/V``: the one that is not open counts.
    parts = {_one_filter(part.strip()) for part in re.split(r"[/+;,|]", text)} - {"CV"}
    one = parts.pop() if len(parts) == 1 else None
    return one if one is not None else text


def _one_filter(text: str) -> str | None:
    """Name one filter; None where it is not known."""
    if text in FILTERS.by_case:
        return FILTERS.by_case[text]
    plain = re.sub(r"[\s_\-/.()\[\],:]+", " ", text.lower()).strip()
    if plain in _KNOWN:
        return _KNOWN[plain]
    plain = _WIDTH.sub("", plain).strip()
    joined = re.sub(r"(johnson|cousins|bessell?|sdss|sloan|gaia)", r" \1 ", plain)
    words = [w for w in joined.split() if w not in FILTERS.makers and not _SERIAL.fullmatch(w)]
    for system in FILTERS.systems:
        rest = [word for word in words if word not in system.words]
        if len(rest) < len(words):
            letter = "".join(rest).removesuffix("'")
            short = letter[:1] if letter[1:] in {"p", "c", "prime"} else letter
            return system.letters.get(letter, system.letters.get(short))
    bare = " ".join(words)
    if len(bare) == 1 and bare != plain:  # of a maker's: the letter as it is written tells
        lone = re.findall(r"(?<![^\W_])[A-Za-z](?![^\W_])", text)
        written = next((letter for letter in lone if letter.lower() == bare), bare)
        if written in FILTERS.by_case:
            return FILTERS.by_case[written]
    return _KNOWN.get(bare)
