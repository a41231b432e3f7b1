"""A value that results rest on, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Assumed:
    """A value that results rest on: given, read, measured or taken for want of a better one.

    Attributes
    ----------
    value : float, str, tuple of float or None
        None where it is not known.
    unit : str
        Of the number or numbers, as in ``"e-/ADU"`` or ``"deg, deg, m"``; empty for words.
    source : str
        Such as ``"header GAIN"``, ``"setting apertures.radii"``.
    text : str
        The value as people are shown it, with its unit.
    err : float or None
        Of a value that was measured.
    guessed : bool
        Nothing tells it: whoever reads the results should know.
    """

    name: str
    value: float | str | tuple[float, ...] | None
    unit: str
    source: str
    text: str
    err: float | None = None
    guessed: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.text}, {self.source}"

    @property
    def row(self) -> tuple[str, str, str]:
        """Name, text and source: a row of a table for people."""
        return self.name, self.text, self.source

    @property
    def record(self) -> dict[str, Any]:
        """Name, value, unit and source, for programs; the error where there is one."""
        told = {"name": self.name, "value": self.value, "unit": self.unit, "source": self.source}
        return told if self.err is None else {**told, "err": self.err}
