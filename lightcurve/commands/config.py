"""`lightcurve config`: the settings, as a file to edit, and those of other programs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.options import Json, takes_settings
from lightcurve.commands.shell import print_json, print_table

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.imports.rules import Imported

group = typer.Typer(help="Print all settings as TOML, or bring those of another program over.")
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
