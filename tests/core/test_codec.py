"""What goes through the codec comes back as it was, and nothing else comes back at all."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcurve.core.codec import Codec, Plain, SpoiltError


class Colour(StrEnum):
    RED = "the colour red"


class Level(Enum):
    LOW = 3


class Foreign:
    def __init__(self, number: int) -> None:
        self.number = number


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    place: tuple[float, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outer:
    numbers: np.ndarray
    inner: tuple[Inner, ...]
    colour: Colour | None
    level: Level
    path: Path
    by_row: Mapping[int, tuple[Colour, str]]
    by_path: dict[Path, str]
    value: float | str | tuple[float, ...] | None
    many: float | Sequence[str] | Sequence[float] | None
    other: Foreign
    loose: tuple = ()
    anything: Mapping[str, Any] = field(default_factory=dict)
    nothing: float = float("nan")


CODEC = Codec({"Foreign": Plain(lambda value: value.number, lambda plain: Foreign(int(plain)))})


def _outer(**changed: Any) -> Outer:
    values = {
        "numbers": np.array([[0.1, -0.0, np.nan], [np.inf, 1e-310, 3.0]]),
        "inner": (Inner("a", (0.1, 2)), Inner("\u00b5\n")),
        "colour": Colour.RED,
        "level": Level.LOW,
        "path": Path("a/b c.fits"),
        "by_row": {7: (Colour.RED, "why")},
        "by_path": {Path("x"): "y"},
        "value": (1.0, 2.5),
        "many": ("a", "b"),
        "other": Foreign(5),
        "loose": ("camera", (500, 650), None),
        "anything": {"a": 1.5},
    } | changed
    return Outer(**values)


def _turned(value: Outer) -> Outer:
    return CODEC.decode(Outer, b"".join(CODEC.encode(value)))


def test_every_kind_of_value_comes_back():
    before = _outer()
    after = _turned(before)
    assert after.numbers.tobytes() == before.numbers.tobytes()
    assert after.numbers.dtype == before.numbers.dtype
    same = ("inner", "colour", "level", "path", "by_row", "by_path", "value", "many", "loose")
    for name in (*same, "anything"):
        assert getattr(after, name) == getattr(before, name), name
        assert type(getattr(after, name)) is type(getattr(before, name)), name
    assert after.other.number == 5
    assert np.isnan(after.nothing)


def test_a_late_value_is_built_when_something_of_it_is_asked_for():
    built: list[int] = []
    read = lambda plain: built.append(plain) or Foreign(plain)  # noqa: E731
    late = Codec({"Foreign": Plain(lambda value: value.number, read, late=True)})
    data = b"".join(CODEC.encode(_outer()))
    after = late.decode(Outer, data)
    assert b"".join(late.encode(after)) == data
    assert not built
    assert isinstance(after.other, Foreign)
    assert (after.other.number, built) == (5, [5])


def test_a_late_value_goes_to_another_process_as_itself():
    late = Codec({"Foreign": Plain(lambda value: value.number, Foreign, late=True)})
    after = late.decode(Outer, b"".join(CODEC.encode(_outer())))
    there = pickle.loads(pickle.dumps(after))  # noqa: S301  (our own)
    assert type(there.other) is Foreign
    assert there.other.number == 5


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.uint16)[::2], np.zeros((0, 3)), np.array("word"), np.array(2.5),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array(["a", "bcd"]),
        np.array([True, False]),
    ],
)  # fmt: skip
def test_arrays_of_every_shape_come_back(array):
    after = _turned(_outer(numbers=array)).numbers
    assert after.shape == array.shape
    assert after.dtype == array.dtype
    assert np.array_equal(after, array)


@pytest.mark.parametrize("value", [1, 1.0, "1", None, (1.0,)])
def test_a_union_keeps_the_type(value):
    after = _turned(_outer(value=value)).value
    assert (after, type(after)) == (value, type(value))


@pytest.mark.parametrize("wrong", [np.array([None]), np.array([1], dtype="M8[s]")])
def test_an_array_of_objects_is_not_written(wrong):
    with pytest.raises(TypeError):
        _turned(_outer(numbers=wrong))
    with pytest.raises(TypeError):
        _turned(_outer(other=object()))


def test_every_damaged_byte_is_noticed():
    whole = b"".join(CODEC.encode(_outer()))
    rng = np.random.default_rng(1)
    for k in rng.integers(0, len(whole), 100):
        spoilt = bytearray(whole)
        spoilt[k] ^= 1 + int(rng.integers(0, 255))
        with pytest.raises(SpoiltError):
            CODEC.decode(Outer, bytes(spoilt))
    for size in range(0, len(whole), 7):
        with pytest.raises(SpoiltError):
            CODEC.decode(Outer, whole[:size])


def _signed(text: str, body: bytes = b"") -> bytes:
    data = text.encode() + b"\n" + body
    return data + zlib.crc32(data).to_bytes(4, "big")


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "[]", "{}", "{" * 9, "[" * 100_000, '{"value": 1, "arrays": []}',
        '{"value": {"name": 1}, "arrays": []}',
        '{"value": {"name": "a", "place": [1.0]}, "arrays": []}',
        '{"value": {"name": "a", "place": [1.0, "x"]}, "arrays": []}',
        '{"value": {"name": "a", "more": 1}, "arrays": []}',
        '{"value": {"place": null}, "arrays": []}',
        '{"value": {"name": "a"}, "arrays": [["O", [1]]]}',
        '{"value": {"name": "a"}, "arrays": [["f8", [-1]]]}',
        '{"value": {"name": "a"}, "arrays": [["f8", [99999999999, 99999999999]]]}',
        '{"value": {"name": "a"}, "arrays": [["f8", ["x"]]]}',
        '{"value": {"name": "a"}, "arrays": [["nonsense", [1]]]}',
        '{"value": {"name": "a"}, "arrays": [[1, [1]]]}',
        '{"value": {"name": "a"}, "arrays": 3}',
        '{"value": {"name": "a"}, "arrays": [["f8", [1]], ["f8", [1]]]}',
    ],
)  # fmt: skip
def test_what_is_none_of_ours_is_refused(text):
    """Whoever made it gave it a check sum that is right."""
    with pytest.raises(SpoiltError):
        CODEC.decode(Inner, _signed(text, bytes(8) if "f8" in text else b""))


def test_no_class_is_made_that_nobody_asked_for():
    data = b"".join(CODEC.encode(Inner("a")))
    with pytest.raises(SpoiltError):
        CODEC.decode(Outer, data)
