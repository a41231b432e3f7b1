"""Run a step of another library and keep its warnings as text."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

from lightcurve.core.table_text import joined

__all__ = ["quietly"]

T = TypeVar("T")


def quietly(step: Callable[[], T]) -> tuple[T, tuple[str, ...]]:
    """Call `step` and collect what it warned of, one line each, none twice."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = step()
    lines = (joined(entry.message)[:300] for entry in caught)
    return result, tuple(dict.fromkeys(lines))
