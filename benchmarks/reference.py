"""The reference of commands and settings, made of the program: what docs/conf.py fills in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from lightcurve.cli import app
from lightcurve.commands.options import OPTIONS
from lightcurve.core.setting_names import unit_of
from lightcurve.core.settings import Settings

MAIN = "Options"
HIDDEN = {"help"}


def commands_in_markdown() -> str:
    """Write every command: its help, its arguments, its options with their defaults."""
    text: list[str] = []
    for name, command in commands_of_the_program().items():
        text += [f"## `{name}`", ""]
        if isinstance(command, TyperGroup):
            text += [_help_of(command), ""]
            own = _parameters(command)
            text += _usage(name, command) + _tables(own) if command.invoke_without_command else []
            for verb, inner in command.commands.items():
                text += [f"### `{name} {verb}`", "", _help_of(inner), ""]
                text += _usage(f"{name} {verb}", inner) + _tables(_parameters(inner))
        else:
            text += [_help_of(command), "", *_usage(name, command), *_tables(_parameters(command))]
    return "\n".join(text)


def commands_of_the_program() -> dict[str, TyperCommand | TyperGroup]:
    """List verbs and groups by name, in the order of ``--help``."""
    root = get_command(app)
    found = root.commands if isinstance(root, TyperGroup) else {}
    return {k: c for k, c in found.items() if isinstance(c, TyperCommand | TyperGroup)}


def settings_in_markdown() -> str:
    """Write every setting: its default with the unit, its option, and what it is."""
    flags = {name: option.flag for name, option in OPTIONS.items()}
    text = ["| setting | default, unit | option | what it is |", "|---|---|---|---|"]
    for name, value, description in _settings(Settings(), ""):
        option = OPTIONS.get(name)
        says = description or (option.help_text() if option else "")
        default = f"{_shown(value)} {unit_of(name)}".strip()
        cells = (f"`{name}`", default, f"`{flags[name]}`" if option else "", _cell(says))
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text)


def _settings(model: BaseModel, prefix: str) -> Iterator[tuple[str, object, str]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, field.description or ""


def _parameters(command: Any) -> list[TyperArgument | TyperOption]:
    found: list[TyperArgument | TyperOption] = command.get_params(typer.Context(command))
    return [one for one in found if one.name not in HIDDEN and not getattr(one, "hidden", False)]


def _help_of(command: Any) -> str:
    """Give the help of a command, its example as what it is."""
    return re.sub(r"(?m)^(Example: )(.+)$", r"\1`\2`", cleandoc(command.help or ""))


def _usage(name: str, command: Any) -> list[str]:
    usage = " ".join(command.collect_usage_pieces(typer.Context(command)))
    return ["```", f"lightcurve {name} {usage}", "```", ""]


def _tables(parameters: list[TyperArgument | TyperOption]) -> list[str]:
    panels: dict[str, list[str]] = {}
    for one in parameters:
        panel = getattr(one, "rich_help_panel", None) or MAIN
        rows = panels.setdefault(
            panel, [f"| {panel} | default, unit | what it is |", "|---|---|---|"]
        )
        rows.append(_row(one))
    return [line for rows in panels.values() for line in [*rows, ""]]


def _row(one: TyperArgument | TyperOption) -> str:
    option = next((o for o in OPTIONS.values() if o.flag.split("/")[0] in one.opts), None)
    said = option.help_text() if option and not one.help else one.help
    return f"| {_name(one)} | {_default(one)} | {_cell(said or '')} |"


def _name(one: TyperArgument | TyperOption) -> str:
    """Write the flags, or the argument, with what it takes."""
    record = one.get_help_record(typer.Context(TyperCommand("any")))
    name = re.sub(r"<list.(\w+).>", r"<\1>", record[0] if record else str(one.name))
    return f"`{name.replace('<Path>', '<path>')}`"


def _default(one: TyperArgument | TyperOption) -> str:
    setting = next((s for s, o in OPTIONS.items() if o.flag.split("/")[0] in one.opts), "")
    if not setting:
        return _shown(None if one.required or callable(one.default) else one.default)
    value: object = Settings()
    for part in setting.split("."):
        value = getattr(value, part)
    return f"{_shown(value)} {unit_of(setting)}".strip()


def _shown(value: object) -> str:
    match value:
        case None | "" | () | [] | {}:
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple() | list():
            return ", ".join(f"`{one}`" for one in value)
        case Path():
            return f"`{value.as_posix()}`"
    return f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
