"""How programs and observatories write their headers: what the files of `lightcurve/words` say.

To teach the program a new camera or program, add its keywords and words there, and a test with its
header's text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

from lightcurve.core.data import FrameKind, Stamp, Step
from lightcurve.core.words import STRICT, read_words

__all__ = ["CLOCKS", "KEYWORDS", "KINDS", "KIND_WORDS"]

# A clock that does not say which moment of the exposure it marks has None.
Marks = Annotated[Stamp | None, BeforeValidator(lambda text: None if text == "any" else text)]


@dataclass(frozen=True, slots=True)
class Keywords:
    """What each quantity is called, best source first."""

    __pydantic_config__ = STRICT

    quantities: Mapping[str, tuple[str, ...]]
    pointings: tuple[tuple[str, str], ...]
    east_positive: Mapping[str, str]
    degrees_of_ra: frozenset[str]
    hours_of_ra: frozenset[str]
    set_points: frozenset[str]
    sensor_pixels: frozenset[str]
    rates: frozenset[str]
    empty: frozenset[str]


@dataclass(frozen=True, slots=True)
class Clocks:
    """Keywords of time, and the moment of the exposure that each marks."""

    __pydantic_config__ = STRICT

    dates: Mapping[str, Marks]
    numbers: Mapping[str, Marks]
    hours: tuple[str, ...]
    days: tuple[str, ...]
    local: frozenset[str]
    with_offset: tuple[str, ...]
    columns: tuple[str, ...]
    scales: Mapping[str, float]  # seconds by which terrestrial time is ahead


@dataclass(frozen=True, slots=True)
class Kinds:
    """Words of what a frame was taken for, and of what was done to it."""

    __pydantic_config__ = STRICT

    words: Mapping[FrameKind, tuple[str, ...]]
    loose: frozenset[str]
    letters: Mapping[str, Step]
    other_letters: str
    not_done: frozenset[str]
    history: Mapping[Step, str]  # regular expressions


@dataclass(frozen=True, slots=True)
class System:
    """A system of filters, by words beside a letter, and its letters' names there."""

    __pydantic_config__ = STRICT

    words: frozenset[str]
    letters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Filters:
    """Names of filters, and what others write."""

    __pydantic_config__ = STRICT

    names: Mapping[str, tuple[str, ...]]
    by_case: Mapping[str, str]
    systems: tuple[System, ...]
    makers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Observatory:
    """An observatory that headers name: latitude and longitude (east), degrees, height, metres."""

    __pydantic_config__ = STRICT

    names: tuple[str, ...]
    place: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Observatories:
    """Observatories, and where they stand."""

    __pydantic_config__ = STRICT

    sites: tuple[Observatory, ...]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


KEYWORDS = read_words("keywords", Keywords)
CLOCKS = read_words("clocks", Clocks)
KINDS = read_words("kinds", Kinds)
OBSERVATORIES = read_words("sites", Observatories)
_BY_NAME = {_letters(name): one for one in OBSERVATORIES.sites for name in one.names}
FILTERS = read_words("filters", Filters)
KIND_WORDS = {word: kind for kind, words in KINDS.words.items() for word in words}


def observatory_of(name: str) -> Observatory | None:
    """Find an observatory by any of its names, whatever the case and the punctuation."""
    return _BY_NAME.get(_letters(name))
