"""Our own values as bytes and back, to the last bit: a line of JSON, then the arrays as they are.

What comes back is built by the annotations of the class that is asked for, and by nothing that the
bytes say: other types, other fields and other numbers of them are errors. No pickles.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from functools import cache, partial
from pathlib import Path
from typing import (
    Any,
    NamedTuple,
    SupportsIndex,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from lightcurve.core.data import StarRole
from lightcurve.core.errors import Why

__all__ = ["Codec", "OtherLayoutError", "Plain", "SpoiltError"]

T = TypeVar("T")
KINDS = "fiubU"  # of numpy's types: numbers, truth and text
SCALARS = (str, bool, int, float, type(None))
# Names that data classes use in annotations alone.
NAMES: dict[str, type] = {"Why": Why, "StarRole": StarRole}
Build = Callable[[Any, Sequence[np.ndarray]], Any]


class SpoiltError(ValueError):
    """Bytes that are no value of the class that was asked for: damaged, or of something else."""


class OtherLayoutError(SpoiltError):
    """Bytes that are whole, and yet no such value: its class was another when it was written."""


class Plain(NamedTuple):
    """How a class of others becomes something that JSON knows, and back.

    late : it is built when something of it is first asked for, and its library loaded then.
    """

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    late: bool = False


class Late:
    """Stands for a value that is not built yet, and behaves as that value."""

    def __init__(self, plain: Any, read: Callable[[Any], Any]) -> None:
        self.plain, self._build = plain, cache(lambda: read(plain))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._build(), name)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...] | str:
        """Let another process have the value itself."""
        plainly: tuple[Any, ...] | str = self._build().__reduce_ex__(protocol)
        return plainly

    @property
    def __class__(self) -> type:
        return type(self._build())

    @__class__.setter
    def __class__(self, kind: type) -> None:
        raise TypeError(kind)


class Codec:
    """Data classes to bytes and back.

    Parameters
    ----------
    plain : mapping of str to Plain, optional
        For the classes that are no data classes, by their names, so that none need be loaded: each
        is written as plain values.
    """

    def __init__(self, plain: Mapping[str, Plain] | None = None) -> None:
        self._plain = {"Late": Plain(lambda late: late.plain, lambda told: told)} | dict(
            plain or {}
        )
        self._names = {name: type(name, (), {}) for name in self._plain} | NAMES
        self._builder: Callable[[Any], Build] = cache(self._make_builder)

    def encode(self, value: object) -> Iterator[bytes]:
        """Turn a value into bytes, piece by piece: their check sum comes last.

        Raises TypeError where a part of it is of a class that cannot be written.
        """
        arrays: list[np.ndarray] = []
        head = {"value": self._flatten(value, arrays)}
        head["arrays"] = [[a.dtype.str, a.shape] for a in arrays]
        total = 0
        for piece in (json.dumps(head).encode() + b"\n", *(a.tobytes() for a in arrays)):
            total = zlib.crc32(piece, total)
            yield piece
        yield total.to_bytes(4, "big")

    def decode(self, kind: type[T], data: bytes, *, skip: int = 0) -> T:
        """Turn the bytes of `encode`, after some to skip, back into a value of a class.

        Raises SpoiltError where they are not what `encode` wrote; OtherLayoutError where they are,
        and no such value.
        """
        body, told = memoryview(data)[skip:-4], data[-4:]
        if len(data) < skip + 4 or zlib.crc32(body).to_bytes(4, "big") != told:
            msg = "its check sum is wrong"
            raise SpoiltError(msg)
        try:
            end = data.index(b"\n", skip)
            head = json.loads(data[skip:end])
            arrays = list(_arrays(head["arrays"], body[end + 1 - skip :]))
            value: T = self._builder(kind)(head["value"], arrays)
        except SpoiltError as error:
            raise OtherLayoutError(*error.args) from error
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            msg = f"{type(error).__name__}: {error}"
            raise OtherLayoutError(msg) from error
        except (RecursionError, OverflowError) as error:
            msg = f"it is no {kind.__name__}"
            raise SpoiltError(msg) from error
        return value

    def _flatten(self, value: Any, arrays: list[np.ndarray]) -> Any:
        """Make plain values of one; its arrays are put aside."""
        kind: type = type(value)
        if kind in SCALARS:  # most are
            return value
        if plain := self._plain.get(kind.__name__):
            return self._flatten(plain.write(value), arrays)
        if isinstance(value, np.ndarray):
            arrays.append(_kept(value))
            return {"array": len(arrays) - 1}
        if isinstance(value, (tuple, list)):
            return [self._flatten(entry, arrays) for entry in value]
        if dataclasses.is_dataclass(value):
            value = {name: getattr(value, name) for name in _fields(kind)}
        if isinstance(value, Mapping):
            return {str(name): self._flatten(entry, arrays) for name, entry in value.items()}
        return _scalar(value)

    def _make_builder(self, hint: Any) -> Build:
        """Make what builds values of an annotation from plain ones."""
        origin, args = get_origin(hint), get_args(hint)
        if known := self._plain.get(getattr(hint, "__name__", "")):
            build = partial(Late, read=known.read) if known.late else known.read
            return lambda plain, _: build(plain)
        if origin in {Union, types.UnionType}:
            return _first_of([self._builder(arm) for arm in args])
        if origin in {tuple, list, Sequence}:
            return self._series(origin, args)
        if origin in {dict, Mapping}:
            return self._mapping(*args)
        return self._dataclass(hint) if dataclasses.is_dataclass(hint) else _leaf(hint)

    def _series(self, origin: Any, args: tuple[Any, ...]) -> Build:
        """Build tuples and lists: of one kind and any length, or of one kind for each place."""
        collect = list if origin is list else tuple
        if origin is tuple and args[1:] != (...,):
            each = [self._builder(arg) for arg in args]
            return lambda plain, arrays: tuple(
                build(p, arrays) for build, p in zip(each, _a(list, plain), strict=True)
            )
        every = self._builder(args[0])
        return lambda plain, arrays: collect(every(p, arrays) for p in _a(list, plain))

    def _mapping(self, key: Any, kind: Any) -> Build:
        """Build mappings, whose keys were written as words."""
        entry = self._builder(kind)
        return lambda plain, arrays: {key(k): entry(v, arrays) for k, v in _a(dict, plain).items()}

    def _dataclass(self, kind: Any) -> Build:
        """Build a data class of a mapping of its fields; those not there have their defaults."""
        hints = get_type_hints(kind, localns=self._names)
        fields = {
            field.name: self._builder(hints[field.name]) for field in dataclasses.fields(kind)
        }
        return lambda plain, arrays: kind(
            **{name: fields[name](value, arrays) for name, value in _a(dict, plain).items()}
        )


def _arrays(told: Any, body: memoryview) -> Iterator[np.ndarray]:
    """Take the arrays out of what follows the line of JSON; all of it must be theirs."""
    offset = 0
    for kind, shape in told:
        dtype = np.dtype(_a(str, kind))
        if dtype.kind not in KINDS or not all(_a(int, n) >= 0 for n in shape):
            msg = f"an array of {dtype}, {shape}"
            raise SpoiltError(msg)
        array = np.frombuffer(body, dtype, count=math.prod(shape), offset=offset)
        offset += array.nbytes
        # A copy is aligned: sums may differ in the last digit where it is not.
        yield array.reshape(shape).copy()
    if offset != len(body):
        msg = f"{len(body)} bytes of arrays, {offset} told"
        raise SpoiltError(msg)


def _a(kind: type[T], value: Any) -> T:
    """Let a value pass that is of a kind."""
    if not isinstance(value, kind):
        msg = f"{kind.__name__} wanted, got {str(value)[:40]!r}"
        raise SpoiltError(msg)
    return value


def _first_of(arms: Sequence[Build]) -> Build:
    """Build by the first arm of a union that takes it."""

    def build(plain: Any, arrays: Sequence[np.ndarray]) -> Any:
        for arm in arms[:-1]:
            try:
                return arm(plain, arrays)
            except (ValueError, TypeError, KeyError):
                continue
        return arms[-1](plain, arrays)

    return build


def _leaf(kind: Any) -> Build:
    """Build what holds no other values of ours."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        by_value = issubclass(kind, StrEnum)
        return lambda plain, _: kind(_a(str, plain)) if by_value else kind[_a(str, plain)]
    if kind in LEAVES:
        return LEAVES[kind]
    if kind not in SCALARS:
        msg = f"no way to build {kind}"
        raise TypeError(msg)
    return lambda plain, _: _a(kind, plain)


def _frozen(plain: Any) -> Any:
    """Make tuples of lists, however deep."""
    return tuple(map(_frozen, plain)) if isinstance(plain, list) else plain


LEAVES: dict[Any, Build] = {
    np.ndarray: lambda plain, arrays: arrays[_a(int, _a(dict, plain)["array"])],
    Path: lambda plain, _: Path(_a(str, plain)),
    float: lambda plain, _: plain if type(plain) is int else _a(float, plain),
    tuple: lambda plain, _: _frozen(_a(list, plain)),
    Any: lambda plain, _: _frozen(plain),
}


@cache
def _fields(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _kept(array: np.ndarray) -> np.ndarray:
    """Let an array of numbers or text pass; a TypeError for one of anything else."""
    if array.dtype.kind not in KINDS:
        msg = f"an array of {array.dtype} cannot be kept"
        raise TypeError(msg)
    return array


def _scalar(value: Any) -> Any:
    """Write one number, word or nothing; a TypeError for anything else."""
    if isinstance(value, Enum):
        return value.value if isinstance(value, StrEnum) else value.name
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (*SCALARS, Path)):
        return str(value) if isinstance(value, Path) else value
    msg = f"a {type(value).__name__} cannot be kept"
    raise TypeError(msg)
