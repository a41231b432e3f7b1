"""`lightcurve config`: the settings, as a file to edit, and those of other programs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Json, VerbGroup, takes_settings
from lightcurve.commands.shell import bar, print_json, print_table, say

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.imports.rules import Imported

group = typer.Typer(
    cls=VerbGroup,
    help="Settings: a file of all of them, those that hold for you, those of another program.",
)
Theirs = Annotated[
    Path,
    typer.Argument(
        help="EXOTIC's inits.json, HOPS' log.yaml, Astro_Fits_Pipeline's config.txt, or "
        "AstroPhotography's metadata YAML."
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for settings.toml and planet.toml."),
]


@group.callback(invoke_without_command=True)
@takes_settings()
def config(context: typer.Context, *, settings: Settings) -> None:
    """Print all settings as TOML: redirect to a file, edit, and give it back with --config."""
    if context.invoked_subcommand is not None:
        return
    import tomli_w

    typer.echo(tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True)), nl=False)


@group.command()
def init(
    file: Annotated[
        Path | None, typer.Argument(help="File to write; lightcurve.toml if none is given.")
    ] = None,
    *,
    user: Annotated[
        bool, typer.Option("--user", help="Yours: it holds for all runs, below --config.")
    ] = False,
    night: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Folder of your frames: camera, telescope, site of their headers."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a file of all settings with meaning, unit and default, each commented out.

    Example: lightcurve config init --user --from NIGHT
    """
    from lightcurve.core.errors import InputError
    from lightcurve.core.files import write_text
    from lightcurve.core.settings_files import commented, user_file

    if user and file is not None:
        msg = f"{file}: --user writes your own file, {user_file()}: leave one of them out"
        raise InputError(msg)
    path = user_file() if user else file or Path("lightcurve.toml")
    if path.exists() and not force:
        msg = f"{path}: is there already; edit it, or write over it with --force"
        raise InputError(msg)
    found = {} if night is None else _equipment(night)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, commented(found))
    if json:
        print_json({"file": path, "set": found})
        return
    for name, value in found.items():
        say(f"{name}: {value}")
    how = "it holds for all runs" if user else f"edit it, and give it back with --config {path}"
    say(f"written: {path}; {how}")


def _equipment(night: Path) -> dict[str, Any]:
    """Read camera, telescope and site from the headers of a night, as settings."""
    from lightcurve.core.settings import Settings
    from lightcurve.frames.inventory import take_inventory
    from lightcurve.setup.equipment import equipment_of

    return equipment_of(take_inventory(night, Settings(), progress=bar))


@group.command()
@takes_settings()
def show(*, settings: Settings, told: dict[str, str], json: Json = False) -> None:
    """Show what is not as by default, and what gave it: option, --config, or your own file."""
    from lightcurve.core.settings_files import listed, user_file

    rows, own = listed(settings, told), user_file()
    if json:
        values = [dict(zip(("setting", "value", "source"), row, strict=True)) for row in rows]
        print_json({"user_file": own, "exists": own.is_file(), "settings": values})
        return
    if rows:
        print_table("Settings", ["setting", "value", "source"], rows)
    else:
        say("all settings are as by default")
    say(f"your own file: {own}{'' if own.is_file() else ' (not there; `config init --user`)'}")


@group.command("import")
def import_(file: Theirs, *, out: Folder = None, json: Json = False) -> None:
    """Bring the settings of another program over, and show where each value went.

    Without --out nothing is written.
    """
    from lightcurve.imports.formats import import_file, write_imported

    imported = import_file(file)
    written = () if out is None else write_imported(imported, out)
    commands = _commands(imported, written)
    if json:
        print_json({"imported": imported, "written": written, "commands": commands})
        return
    rows = ([row.key, row.value, row.to, row.why] for row in imported.rows)
    print_table(f"{file.name}: {imported.program}", ["key", "value", "goes to", "why"], rows)
    typer.echo("\n".join(commands) if written else "nothing written: name a folder with --out")


def _commands(imported: Imported, written: tuple[Path, ...]) -> list[str]:
    """Spell the commands that do what the file asked for."""
    flags = {"settings.toml": "--config", "planet.toml": "--planet"}
    files = [word for path in written for word in (flags[path.name], shlex.quote(str(path)))]
    of: dict[str, list[str]] = {"run": [], "fit": [], "export": []}
    for argument in imported.arguments:
        verb, _, rest = argument.partition(" ")
        of[verb if verb in of else "run"].append(rest if verb in of else argument)
    night = [word for word in of["run"] if not word.startswith("--")] or ["NIGHT"]
    options = [word for word in of["run"] if word.startswith("--")]
    commands = [["lightcurve", "run", *map(shlex.quote, night), *options, *files]]
    commands += [["lightcurve", "fit", shlex.quote(table), *files] for table in of["fit"]]
    if of["export"]:
        commands.append(["lightcurve", "export", "FORMAT", "RUN", *of["export"]])
    return [" ".join(words) for words in commands]
