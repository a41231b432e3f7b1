"""Profiles of cameras and of programs that write headers: the files of `lightcurve/cameras`.

A profile says what a header leaves out, and which of its keywords mean what for this camera. What
the header says goes before it, but for the keywords that the profile takes from a quantity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from lightcurve.core.data import FrameKind
from lightcurve.core.errors import InputError
from lightcurve.core.files import file_state, read_toml
from lightcurve.core.registry import Registry, did_you_mean
from lightcurve.core.settings import (
    NO_PROFILE,
    DetectorSettings,
    EquipmentSettings,
    Model,
    SiteSettings,
    validated,
)
from lightcurve.frames.cards import Card, Cards, find
from lightcurve.frames.dialects import CLOCKS, KEYWORDS, Marks

FOLDER = Path(__file__).parents[1] / "cameras"


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        msg = f"is no regular expression ({error})"
        raise ValueError(msg) from error
    return text


# Looked for anywhere in a text, capitals or not.
Pattern = Annotated[str, AfterValidator(_pattern), Field(min_length=1)]
# Keyword to a pattern of its value: all must be found.
Patterns = Annotated[dict[str, Pattern], Field(min_length=1)]


class Values(DetectorSettings):
    """What a camera is like, where its header does not say."""

    filter: str | None = None
    pixel_um: float | None = Field(default=None, gt=0, le=100, description="not binned")
    focal_mm: float | None = Field(default=None, gt=0, le=1e6)
    scale_arcsec: float | None = Field(default=None, gt=0, le=200, description="not binned")
    adc_bits: int | None = Field(
        default=None, ge=8, le=16, description="of pixels stored as if they had 16"
    )
    gains_e_per_adu: tuple[float, ...] = Field(default=(), description="of each amplifier")
    shutter_delay_s: float = Field(
        default=0.0, ge=-60, le=60, description="from the header's clock to the open shutter"
    )
    shortest_s: float | None = Field(
        default=None, gt=0, le=3600, description="light frames below it are left out"
    )
    standards: str | None = Field(default=None, description="service of the zero point")


class Variant(Model):
    """Values that hold where the header has some others."""

    when: Patterns
    camera: Values = Values()
    site: SiteSettings = SiteSettings()


class KindRule(Model):
    """What a frame is, where its header has some values."""

    kind: FrameKind
    when: Patterns


class Profile(Model):
    """A camera, or a program.

    match : any of these makes it the profile of a header.
    keywords : of a quantity, in place of the usual ones; none where the header has none that can
        be trusted. GAIN, where it is named here, is in electrons per ADU.
    wrong : keywords that are not heeded, and why.
    clocks : the moment that a clock marks where its comment does not say.
    """

    name: str = ""
    title: str = ""
    sources: tuple[str, ...] = ()
    of: Literal["camera", "program"] = "camera"
    match: tuple[Patterns, ...] = ()
    camera: Values = Values()
    site: SiteSettings = SiteSettings()
    variants: tuple[Variant, ...] = ()
    keywords: dict[str, tuple[str, ...]] = Field(default={})
    wrong: dict[str, str] = Field(default={})
    clocks: dict[str, Marks] = Field(default={})
    time_scale: Literal["UTC", "TT", "TAI", "TDB", "GPS", "LOCAL"] | None = None
    west_positive: bool = Field(default=False, description="longitudes without a sign")
    kinds: tuple[KindRule, ...] = ()
    filters: dict[Pattern, str] = Field(default={}, description="names of the whole filter card")
    own: tuple[str, ...] = Field(default=(), exclude=True)  # values that the user's settings gave

    @field_validator("keywords")
    @classmethod
    def _of_quantities(cls, keywords: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for quantity in keywords:
            if quantity not in KEYWORDS.quantities:
                msg = f"no quantity {quantity}{did_you_mean(quantity, KEYWORDS.quantities)}"
                raise ValueError(msg)
        return keywords

    @field_validator("clocks")
    @classmethod
    def _of_clocks(cls, clocks: dict[str, Any]) -> dict[str, Any]:
        known = {**CLOCKS.dates, **CLOCKS.numbers}
        for keyword in clocks:
            if keyword not in known:
                msg = f"no clock {keyword}{did_you_mean(keyword, known)}"
                raise ValueError(msg)
        return clocks

    @property
    def source(self) -> str:
        """Say where a value of it is from."""
        return f"camera profile {self.name}"

    def source_of(self, value: str) -> str:
        """Say where one of its values is from, which the user's own equipment may have given."""
        return "setting equipment" if value in self.own else self.source

    @property
    def in_markdown(self) -> str:
        """Its row in the manual."""
        how = " or ".join(
            ", ".join(f"{key} `{text}`" for key, text in patterns.items())
            for patterns in self.match
        ).replace("|", r"\|")
        said = ", ".join(_named(self))
        return f"| `{self.name}` | {self.title} | {how} | {said} | {'; '.join(self.sources)} |"

    def why(self, cards: Cards) -> tuple[int, str] | None:
        """Count the values of a header that make it this camera's, and name them; None for none."""
        found = [hit for patterns in self.match if (hit := _hit(patterns, cards))]
        return max(found, default=None)

    def of_header(self, cards: Cards) -> Profile:
        """Settle its variants by a header: each adds its values to those before."""
        fit = [variant for variant in self.variants if _hit(variant.when, cards)]
        if not fit:
            return self
        camera, site = self.camera, self.site
        for variant in fit:
            camera = camera.model_copy(update=_given(variant.camera))
            site = site.model_copy(update=_given(variant.site))
        return self.model_copy(update={"camera": camera, "site": site, "variants": ()})

    def kind_of(self, cards: Cards) -> tuple[FrameKind, str] | None:
        """Tell what a frame is by the first of the rules that fits its header."""
        for rule in self.kinds:
            hit = _hit(rule.when, cards)
            if hit:
                return rule.kind, f"{hit[1]} ({self.source})"
        return None

    def filter_of(self, text: str) -> str | None:
        """Name a filter as this camera's makers call it."""
        names = self.filters.items()
        return next((name for pattern, name in names if re.fullmatch(pattern, text, re.I)), None)


def _given(model: Model) -> dict[str, Any]:
    given = model.model_fields_set
    return {name: getattr(model, name) for name in type(model).model_fields if name in given}


def _named(profile: Profile) -> list[str]:
    """Name what a profile says."""
    models = [profile.camera, profile.site]
    models += [model for one in profile.variants for model in (one.camera, one.site)]
    named = [name for model in models for name in _given(model)]
    own = ("keywords", "wrong", "clocks", "kinds", "filters", "time_scale", "west_positive")
    named += [name for name in own if getattr(profile, name)]
    return [name.replace("_", " ") for name in dict.fromkeys(named)]


def _hit(patterns: Mapping[str, str], cards: Cards) -> tuple[int, str] | None:
    """Tell whether all patterns are found: how many there are, and in which values."""
    said = []
    for keyword, pattern in patterns.items():
        card = cards.get(keyword.upper())
        if card is None or not re.search(pattern, _plain(card.text), re.IGNORECASE):
            return None
        said.append(f"{keyword} = {card.text[:30]}")
    return len(said), ", ".join(said)


def _plain(text: str) -> str:
    """Write whole numbers without a point: some programs have 16, some 16.0."""
    return re.sub(r"^([+-]?\d+)\.0*$", r"\1", text)


def _read(path: Path) -> Profile:
    content = read_toml(path, "a camera profile")
    return validated(Profile, {**content, "name": path.stem}, path.name)


CAMERAS = Registry("camera profile", *(_read(path) for path in sorted(FOLDER.glob("*.toml"))))


def in_manner_of(cards: Cards, name: str | None) -> Cards:
    """Give a header the profile of its camera, and why it is that.

    name : that the user gave: of a profile, a TOML file, or ``"none"``; without it the profile
        that most of the header's values call, one of a camera before one of a program.

    Raises InputError for a name or a file that is no profile.
    """
    if name is not None and name != NO_PROFILE:
        own = _of_a_file(Path(name), file_state(Path(name))) if name.endswith(".toml") else None
        chosen = own or CAMERAS.get(name)
        return cards.of(chosen.of_header(cards), "setting camera.profile")
    said = tuple(cards[key].text if key in cards else None for key in _MATCHED)
    called = None if name == NO_PROFILE else _called_by(said)
    if called is None:
        return cards.of(None, "")
    return cards.of(called[0].of_header(cards), called[1])


def equipped(cards: Cards, equipment: EquipmentSettings) -> Cards:
    """Let the user's own equipment fill in what a header leaves out, before any profile does.

    Frames of another camera or telescope than the user's, as their headers have it, are left alone.
    """
    camera, site = _given(equipment.camera), _given(equipment.site)
    named = {"camera": equipment.camera_name, "telescope": equipment.telescope_name}
    if not (camera or site) or any(_is_another(cards, *one) for one in named.items()):
        return cards
    base = cards.camera or Profile()
    both = {
        "camera": base.camera.model_copy(update=camera),
        "site": base.site.model_copy(update=site),
        "own": (*camera, *site),
    }
    return cards.of(base.model_copy(update=both), cards.called_by)


def _is_another(cards: Cards, quantity: str, own: str) -> bool:
    """Whether a header names another one than the user's, capitals and blanks apart."""
    found = find(cards, quantity)
    words = [re.sub(r"[\W_]", "", text).lower() for text in (found.text if found else "", own)]
    return all(words) and words[0] != words[1]


# Keywords by which a header may call a profile.
_MATCHED = sorted({key for one in CAMERAS for patterns in one.match for key in patterns})


@lru_cache(maxsize=64)  # the frames of a night say the same
def _called_by(said: tuple[str | None, ...]) -> tuple[Profile, str] | None:
    """Find the profile that a header calls, and why; said: its values of `_MATCHED`."""
    values = zip(_MATCHED, said, strict=True)
    cards = Cards({key: Card(text, "") for key, text in values if text is not None})
    called = [(profile, why) for profile in CAMERAS if (why := profile.why(cards))]
    if not called:
        return None
    best, why = max(called, key=lambda entry: (entry[0].of == "camera", entry[1][0]))
    return best, why[1]


@lru_cache(maxsize=8)
def _of_a_file(path: Path, state: str) -> Profile:  # noqa: ARG001 -- read again where it changed
    profile = _read(path)
    values = (profile.camera, *(variant.camera for variant in profile.variants))
    if any(one.gains_e_per_adu for one in values):
        msg = f"{path.name}: gains_e_per_adu is for profiles of the package; give gain_e_per_adu"
        raise InputError(msg)
    return profile
