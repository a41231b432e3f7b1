"""How long steps tell where they are: a function that passes items on and counts them.

The library's default says nothing; the command line gives one that draws a bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Pass `items` on one by one while showing `description` and how many of `total` are done."""

    def __call__(
        self, items: Iterable[T], description: str, total: int | None = None
    ) -> Iterator[T]:
        """Yield every item of `items`."""


def silent(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass items on without a word.

    Parameters
    ----------
    description : str
        Not used.
    total : int or None
        Not used.

    Yields
    ------
    object
        Each of `items`.
    """
    del description, total
    yield from items
