"""Settings as files: the user's own, that holds for all runs, and one of all settings to edit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lightcurve.core.setting_names import unit_of
from lightcurve.core.settings import Settings

__all__ = ["choices_of", "commented", "listed", "user_file"]

VARIABLE = "LIGHTCURVE_CONFIG"
HEAD = """\
## Settings of lightcurve. What stands here holds where no option of the command line says else.
## A line that begins with one # is a setting with its default: take the # off to change it. What is
## "not set" has no default: write its name and a value.
"""

Told = dict[str, str]  # setting, "section.name", to what gave it


def user_file() -> Path:
    """Name the settings file of the user (``LIGHTCURVE_CONFIG``, or the system's), there or not."""
    from platformdirs import user_config_path

    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_config_path("lightcurve", appauthor=False) / "config.toml"


def commented(given: Mapping[str, Any] | None = None) -> str:
    """Write all settings as TOML, each with its meaning, unit, range and default in a comment.

    given: values by ``"section.name"``, of settings that are set and not commented out.
    """
    return "\n".join([*HEAD.splitlines(), *_section(Settings, "", given or {})]) + "\n"


def _section(model: type[BaseModel], above: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Write the settings of a section, then the sections in it."""
    schema = model.model_json_schema()
    within: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            within.append((above + name, inner))
            continue
        default = field.get_default(call_default_factory=True)
        told = _resolved(schema["properties"][name], schema)
        about = [field.description or "", unit_of(name), _choices(told)]
        yield from ("", f"## {'; '.join(filter(None, about))}")
        if above + name in given:
            yield f"{name} = {_toml(given[above + name])}"
        elif default is None:
            yield f"## not set: {name} = {_example(told)}"
        else:
            yield f"# {name} = {_toml(default)}"
    for path, inner in within:
        told_of = (inner.__doc__ or "").split("\n")[0]
        yield from ("", "", f"## {told_of}", f"[{path}]")
        yield from _section(inner, f"{path}.", given)


def choices_of(setting: str) -> list[str]:
    """List what a setting, ``"section.name"``, may be; empty where that is not one of a few."""
    *sections, name = setting.split(".")
    model: type[BaseModel] = Settings
    for section in sections:
        inner = model.model_fields[section].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    schema = model.model_json_schema()
    return [str(one) for one in _resolved(schema["properties"][name], schema).get("enum", ())]


def _resolved(entry: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a schema to what describes the value itself: not null, not a reference."""
    if "$ref" in entry:
        defined: Mapping[str, Mapping[str, Any]] = schema["$defs"]
        return defined[entry["$ref"].rsplit("/", 1)[-1]]
    for one in entry.get("anyOf", ()):
        if one.get("type") != "null":
            return _resolved(one, schema)
    return entry


def _choices(told: Mapping[str, Any]) -> str:
    """Say what a value may be: one of some, or a number within limits."""
    if "enum" in told:
        return f"one of {', '.join(map(str, told['enum']))}"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return " and ".join(f"{sign} {told[name]:.10g}" for name, sign in signs.items() if name in told)


def _example(told: Mapping[str, Any]) -> str:
    """Write what a value that has no default looks like."""
    if "enum" in told:
        return _toml(told["enum"][0])
    if told.get("type") == "array":
        return "[ ... ]"
    return {"boolean": "true", "number": "1.5", "integer": "1"}.get(str(told.get("type")), '"..."')


def _toml(value: Any) -> str:
    import tomli_w

    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    if isinstance(plain, tuple):
        plain = list(plain)
    if isinstance(plain, Path):
        plain = str(plain)
    if isinstance(plain, list):
        return f"[{', '.join(_toml(one) for one in plain)}]"
    if isinstance(plain, Mapping):
        pairs = (f"{_toml(str(key))} = {_toml(one)}" for key, one in plain.items())
        return f"{{ {', '.join(pairs)} }}" if plain else "{}"
    return tomli_w.dumps({"x": plain}).removeprefix("x = ").rstrip("\n")


def listed(settings: Settings, told: Told) -> list[tuple[str, str, str]]:
    """List what is not as by default: setting, value, and what gave it. No secret is in it."""
    return [
        (name, _toml(value), told.get(name, ""))
        for name, value in _flat(settings.model_dump(mode="json"), set(told))
        if name in told
    ]


def _flat(
    values: Mapping[str, Any], wanted: set[str], above: str = ""
) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and above + name not in wanted:
            yield from _flat(value, wanted, f"{above}{name}.")
        else:
            yield above + name, value
