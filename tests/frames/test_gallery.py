"""The gallery: headers of fifty programs and cameras, each value held against the right one."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest

from lightcurve.core.codec import Codec
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Exposure
from lightcurve.core.dates import jd_from_iso
from lightcurve.frames.cameras import CAMERAS
from lightcurve.frames.cards import Cards, parse_cards
from lightcurve.frames.headers import normalise
from lightcurve.frames.read import is_image_name, read_cards

GALLERY = tomllib.loads(Path(__file__).with_name("gallery.toml").read_text())["header"]
PLACES_DEG = 2 / 3600
CLOCK_S = 0.002  # what is written to a thousandth


def cards_of(entry: dict, shared_data: Path) -> tuple[Cards, Path]:
    """Read the cards of an entry: its own, or those of a file."""
    if "cards" in entry:
        lines = [line.split(" = ", 1) for line in entry["cards"].strip().splitlines()]
        return parse_cards(
            "".join(f"{key:<8}= {rest}".ljust(80)[:80] for key, rest in lines)
        ), Path("x")
    path = shared_data / entry["file"]
    if is_image_name(path):
        return read_cards(path)[0], path
    text = path.read_text("latin1")
    if "\n" in text:
        text = "".join(line.ljust(80)[:80] for line in text.splitlines())
    return parse_cards(text), path


def understood(entry: dict, shared_data: Path) -> Exposure:
    cards, path = cards_of(entry, shared_data)
    return normalise(cards, path=path, shape=(1, 1))[0]


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry["name"])
def test_a_header_is_understood(entry: dict, request: pytest.FixtureRequest) -> None:
    shared = Path() if "cards" in entry else request.getfixturevalue("shared_data")
    seen = understood(entry, shared)
    assert Codec().decode(Exposure, b"".join(Codec().encode(seen))) == seen
    assert (seen.kind, seen.filter, seen.profile) == (
        entry["kind"], entry.get("filter"), entry.get("profile"),
    )  # fmt: skip
    for name, field in (("exposure_s", "exposure_s"), ("gain", "gain_e_per_adu"),
                        ("scale", "scale_arcsec")):  # fmt: skip
        value, right = getattr(seen, field), entry.get(name)
        assert value == (right if right is None else pytest.approx(right, rel=1e-3)), name
    right = entry.get("mid_utc")
    assert (seen.mid_jd_utc is None) == (right is None)
    if right:
        assert abs(seen.mid_jd_utc - jd_from_iso(right)) * 86400 < CLOCK_S
    assert (seen.ra_deg is None) == ("ra" not in entry)
    if "ra" in entry:
        apart = degrees_apart((seen.ra_deg, seen.dec_deg), (entry["ra"], entry["dec"]))
        assert apart < PLACES_DEG
    assert (seen.site is None) == ("site" not in entry)
    if "site" in entry:
        site = seen.site.latitude_deg, seen.site.longitude_deg
        assert site == pytest.approx(entry["site"], abs=PLACES_DEG)


def test_a_header_reads_the_same_whatever_was_read_before_it(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By turns, and with single cards of another, held against what is remembered of none."""
    dice = random.Random(4)  # noqa: S311
    headers = [cards_of(entry, shared_data)[0] for entry in GALLERY]
    for _ in range(200):
        one, other = dice.sample(headers, 2)
        headers.append(
            one.changed({k: other[k] for k in dice.sample([*other], min(2, len(other)))})
        )
    order = [dice.choice(headers) for _ in range(600)]

    def read(cards: Cards) -> tuple[Exposure, str]:
        exposure, error = normalise(cards, path="x.fits", shape=(1, 1))
        return exposure, str(error)

    remembered = [read(cards) for cards in order]
    monkeypatch.setattr("lightcurve.frames.cards._Made.holds_for", lambda *_: False)
    assert remembered == [read(cards) for cards in order]


def test_the_gallery_has_forty_dialects_and_all_profiles() -> None:
    assert len(GALLERY) >= 40
    assert len({entry["name"] for entry in GALLERY}) == len(GALLERY)
    assert {*CAMERAS.names()} <= {entry.get("profile") for entry in GALLERY}
