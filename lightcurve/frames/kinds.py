"""What a frame was taken for, by keyword, then by the words of its name."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from pathlib import PurePath

from lightcurve.frames.cards import Cards, find, find_all
from lightcurve.frames.dialects import KIND_WORDS

_PLAIN_IN_NAMES = KIND_WORDS.keys() - {"zero", "zeros", "offset", "twilight", "target", "exposure"}
_SPLIT = re.compile(r"[^a-z]+")


def kind_by_keyword(cards: Cards) -> tuple[str, str] | None:
    """Read the image type of a header.

    Returns
    -------
    kind, source : str
        None where no keyword says it. ``OBJECT = 'Dark'`` counts where there is no image type.
    """
    for found in find_all(cards, "kind"):
        kind = _kind_of(found.text, KIND_WORDS.keys())
        if kind:
            return kind, f"{found.source} = {found.text[:30]}"
    named = find(cards, "object_name")
    if named and named.text.lower().removesuffix(" frame") in _PLAIN_IN_NAMES:
        kind = _kind_of(named.text, _PLAIN_IN_NAMES)
        return (kind, f"{named.source} = {named.text[:30]}") if kind else None
    return None


def kind_by_name(path: PurePath, object_name: str | None = None) -> tuple[str, str] | None:
    """Look for words such as ``flat`` in the file's name, then in its folder's.

    object_name: from the header: a file named after its object is a light frame.
    Returns kind, source: None where the name says nothing.
    """
    kind = _kind_of(path.name, _PLAIN_IN_NAMES)
    if kind:
        return kind, "file name"
    if object_name and len(object_name) > 2 and _squeeze(object_name) in _squeeze(path.name):
        return "light", "file name has the OBJECT of the header"
    kind = _kind_of(path.parent.name, _PLAIN_IN_NAMES)
    return (kind, "folder name") if kind else None


def _squeeze(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _kind_of(text: str, known: AbstractSet[str]) -> str | None:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    words = [word for word in _SPLIT.split(spaced) if word in known]
    kinds = {KIND_WORDS[word] for word in words}
    if kinds == {"dark", "flat"}:
        return "dark flat"
    # `OBJECT,FLAT` of ESO, `Flat_Light`: the calibration word is the one that tells.
    if len(kinds) == 2:
        kinds.discard("light")
    return kinds.pop() if len(kinds) == 1 else None


def is_stack(cards: Cards) -> str | None:
    """Tell whether a header is that of a combined frame.

    The card that says so.
    """
    for found in find_all(cards, "kind"):
        if "master" in found.text.lower():
            return f"{found.keyword} = {found.text[:30]}"
    for found in find_all(cards, "frames_stacked"):
        if found.text.isdigit() and int(found.text[:9]) > 1:
            return f"{found.keyword} = {found.text[:9]}"
    return None
