"""`lightcurve export`: files to submit, made from a run folder."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand
from typer.main import get_command

from lightcurve.commands.completion import exports
from lightcurve.commands.options import Json, Option, a_folder, choices, merged_settings
from lightcurve.commands.shell import print_json

if TYPE_CHECKING:
    from lightcurve.exports.submission import Detail

GIVEN = "given_"  # begins the names of the options that are details of a submission


def export(
    kind: Annotated[str, typer.Argument(metavar="FORMAT")],
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", callback=a_folder, help="Folder for the files; RUN/export if not."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write files to submit; each is checked against its format before it is written.

    Example: lightcurve export aavso-exoplanet lightcurve-run --observer-code ABC --camera CMOS
    """
    _export(kind, run, out, {}, json=json)


def _export(kind: str, run: Path, out: Path | None, given: dict[str, Any], *, json: bool) -> None:
    from lightcurve.exports.export import export_run

    run = run if run.is_dir() else run.parent  # of a table in it
    observer = merged_settings(None, {}).observer
    paths = export_run(kind, run, out or run / "export", given, observer)
    if json:
        print_json({"files": paths})
        return
    for path in paths:
        typer.echo(path)


class ExportCommand(TyperCommand):
    """Takes what the registered exports can be told; they are loaded when the verb is wanted."""

    def get_params(self, ctx: Any) -> Any:
        """List arguments and options."""
        whole = _with_details()
        self.params, self.callback = whole.params, whole.callback
        return super().get_params(ctx)


def _with_details() -> Any:
    """Make the command with an option for each detail."""
    from lightcurve.exports.formats import EXPORTS, all_details

    hints = get_type_hints(export, include_extras=True)
    hints["kind"] = Annotated[
        str,
        typer.Argument(metavar="FORMAT", help=f"One of {choices(EXPORTS)}", autocompletion=exports),
    ]
    own = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(export).parameters.values()
    ]
    added = [_option(detail) for detail in all_details()]

    def whole(kind: str, run: Path, *, out: Path | None, json: bool, **values: Any) -> None:
        given = {name.removeprefix(GIVEN): value for name, value in values.items()}
        _export(kind, run, out, given, json=json)

    vars(whole)["__signature__"] = inspect.Signature([*own, *added])
    whole.__annotations__ = {p.name: p.annotation for p in [*own, *added]}
    app = typer.Typer(add_completion=False)
    app.command()(whole)
    return get_command(app)


def _option(detail: Detail[Any]) -> inspect.Parameter:
    option = Option(detail.kind, detail.flag, detail.help, detail.panel)
    return option.parameter(GIVEN + detail.name)


COMMAND = ExportCommand
