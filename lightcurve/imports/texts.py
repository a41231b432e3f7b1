"""Texts of keys and values: YAML, and lines of ``key: value``."""

from __future__ import annotations

import json
from typing import Any

import yaml

DEEPEST = 20  # tables within tables; those that are read have two


def read_yaml(text: str) -> dict[str, Any] | None:
    """Read a YAML table of keys, its values as they are typed; None where it is none.

    Nothing is made a number: YAML 1.1 would read the right ascension ``02:04:10`` as 7450. Aliases,
    by which a small text becomes a large one, are refused, and so is what is nested without end.
    """
    try:
        if not _is_plain(text):
            return None
        values = yaml.load(text, yaml.BaseLoader)  # noqa: S506  (it makes text and nothing else)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    return {str(key): value for key, value in values.items()}


def _is_plain(text: str) -> bool:
    depth = 0
    for event in yaml.parse(text, yaml.BaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or isinstance(event, yaml.AliasEvent):
            return False
    return True


def read_lines(text: str) -> dict[str, str] | None:
    """Read lines of ``key: value``; None where another line stands among them."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if not colon or not key.strip():
            return None
        values[key.strip()] = value.strip().strip("\"'")
    return values


def syntax_fault(text: str) -> str:
    """Say where a text that begins as JSON breaks; empty where it does not, or is no JSON."""
    if not text.lstrip().startswith("{"):
        return ""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except RecursionError:
        return "JSON: nested too deep"
    return ""
