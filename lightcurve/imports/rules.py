"""What becomes of one value of another program's file, and of all of them together."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightcurve.core.coordinates import read_angle

__all__ = ["Imported"]

COMMAND = "command line"
UNSET = ("", "null", "none", "n/a", "default", "[]")  # what programs write for no value


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the value of a key goes.

    to : ``settings.SECTION.NAME``, ``planet.NAME`` (those of its star among them), `COMMAND`
        (a word of the command that follows) or nothing: left out, and `why` tells the reason.
    read : makes our value of theirs; raises ValueError or TypeError. None of it: left out.
    why : told beside the value.
    """

    to: str = ""
    read: Callable[[Any], Any] = lambda value: value
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One value of the file, and what became of it."""

    key: str
    value: str
    to: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A file brought over.

    settings, planet : as our own TOML files have them; the planet is empty where there is none.
    arguments : of ``lightcurve run`` and, under another verb's name, of that.
    """

    program: str
    rows: tuple[Row, ...]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    planet: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """A file of another program that can be brought over.

    parse : takes a file's text apart into keys and values, as they stand; None: another file.
    rule : of a key in lower case; None where it is not known.
    unset : values that stand for none, beside `UNSET`.
    """

    name: str
    help: str
    parse: Callable[[str], Mapping[str, Any] | None]
    rule: Callable[[str], Rule | None]
    unset: tuple[Any, ...] = ()


def option(flag: str, why: str = "", *, verb: str = "") -> Rule:
    """Make the rule of a value that is an option's, of ``lightcurve run`` or of another verb."""
    before = f"{verb} {flag}".strip()
    return Rule(COMMAND, lambda value: f"{before} {shlex.quote(str(value))}", why)


def left_out(why: str) -> Rule:
    """Make the rule of a value that is not taken."""
    return Rule(why=why)


def take(program: Import, values: Mapping[str, Any]) -> Imported:
    """Take every value where its rule says; empty ones, and those of no rule, are left out."""
    rows: list[Row] = []
    taken: dict[str, Any] = {}
    arguments: list[str] = []
    for key, value in values.items():
        shown = _shown(value)
        if shown.strip().lower() in UNSET or value in program.unset:
            rows.append(Row(key, shown, "", "no value"))
            continue
        rule = program.rule(key.strip().rstrip(":").lower())
        row, made = _apply(key, value, shown, rule)
        rows.append(row)
        if made is None:
            continue
        if row.to == COMMAND:
            arguments.append(str(made))
        else:
            taken[row.to] = made
    settings, planet = _sorted_out(taken)
    return Imported(program.name, tuple(rows), settings, planet, tuple(arguments))


def _apply(key: str, value: Any, shown: str, rule: Rule | None) -> tuple[Row, Any]:
    if rule is None:
        return Row(key, shown, "", "not known: left out"), None
    if not rule.to:
        return Row(key, shown, "", rule.why), None
    try:
        made = rule.read(value)
    except (ValueError, TypeError, IndexError) as error:
        return Row(key, shown, "", f"cannot be read: {str(error)[:120]}"), None
    if made is None:
        return Row(key, shown, "", rule.why or "nothing of it is taken"), None
    return Row(key, shown, rule.to, rule.why), made


def _sorted_out(taken: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    settings: dict[str, dict[str, Any]] = {}
    planet: dict[str, Any] = {}
    for to, value in taken.items():
        where, _, name = to.partition(".")
        if where == "planet":
            planet[name] = value
        else:
            section, _, own = name.partition(".")
            settings.setdefault(section, {})[own] = value
    return settings, planet


def _shown(value: Any) -> str:
    return "" if value is None else str(value)[:200]


def degrees(value: Any) -> float:
    """Read degrees, decimal or sexagesimal."""
    return read_angle(value if isinstance(value, int | float) else str(value).strip())


def positive(value: Any) -> float | None:
    """Read a number; 0 stands for none."""
    return abs(float(value)) or None
