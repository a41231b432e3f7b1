"""Compare light curves and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from lightcurve.commands.night import Json
from lightcurve.commands.options import takes_settings
from lightcurve.commands.shell import bar, print_json, print_table

PANEL = "Comparing"
FRAMES_RTOL = 1e-9
SETTINGS = (
    *("target.ra", "target.dec", "target.planet_file", "site"),
    *("camera.gain_e_per_adu", "camera.read_noise_e", "apertures.radii", "apertures.annulus"),
)


def _option(*flags_and_text: str) -> Any:
    *flags, text = flags_and_text
    return typer.Option(*flags, help=text, rich_help_panel=PANEL)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("compare")(compare)


@takes_settings(*SETTINGS)
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Light curve or table.")],
    b: Annotated[Path | None, typer.Argument(metavar="B", help="Another.")] = None,
    *,
    settings: Any,
    frames: Annotated[
        Path | None, _option("--frames", "Folder: measure A's frames again by A's rules.")
    ] = None,
    rtol: Annotated[float | None, _option("--rtol", "Allowed: ATOL + RTOL |B|.")] = None,
    atol: Annotated[float | None, _option("--atol", "See --rtol.")] = None,
    time_tolerance: Annotated[
        float, _option("--time-tolerance", "Allowed between times, seconds.")
    ] = 1.0,
    by: Annotated[str, _option("--by", "Match rows by frame or time; default: found.")] = "",
    only: Annotated[
        list[str] | None, _option("--only", "Column to compare, as Source-Sky; repeat.")
    ] = None,
    columns: Annotated[
        str, _option("--columns", "Names, comma between, of a file without header.")
    ] = "",
    time: Annotated[list[str] | None, _option("--time", "Column of times.")] = None,
    time_kind: Annotated[
        list[str] | None, _option("--time-kind", "bjd_tdb, jd_utc, mjd_utc or iso_utc.")
    ] = None,
    flux: Annotated[list[str] | None, _option("--flux", "Column of fluxes.")] = None,
    error: Annotated[list[str] | None, _option("--error", "Column of errors.")] = None,
    divide_by: Annotated[
        list[str] | None, _option("--divide-by", "Column to divide the flux by.")
    ] = None,
    star: Annotated[list[str] | None, _option("--star", "Target in an AstroImageJ table.")] = None,
    out: Annotated[
        Path | None, _option("--out", "-o", "Folder for comparison.csv and comparison.png.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare two light curves or tables, or a table with its own frames.

    With --rtol or --atol there is a verdict, and the exit status is 1 where they differ. A table
    and its --frames must agree to 1e-9 unless told otherwise. Options that name columns hold for
    whichever file has such a column; given twice, the first is for A and the second for B ('-'
    where it need not be told).

    Examples: lightcurve compare run/measurements.csv aij.tbl --only rel_flux_T1 --rtol 1e-3

    lightcurve compare --frames NIGHT Measurements.tbl
    """
    given = {
        "time": time,
        "time_kind": time_kind,
        "flux": flux,
        "error": error,
        "comparison_flux": divide_by,
        "target": star,
    }
    named = {name: values for name, values in given.items() if values}
    if frames is not None:
        _refuse_with_frames(b, by, columns, named)
        result = _with_frames(frames, a, settings, (rtol, atol), only or [])
    else:
        limits = (rtol, atol, time_tolerance)
        result = _two_files(a, b, settings, limits, (only or [], by, columns), named)
    _finish(result, out, json=json)


def _refuse_with_frames(b: Path | None, by: str, columns: str, named: dict[str, Any]) -> None:
    from lightcurve.errors import InputError

    if b is not None or by or columns or named:
        msg = "--frames compares one table with its frames: no second file, --by or columns"
        raise InputError(msg)


def _with_frames(
    folder: Path,
    table: Path,
    settings: Any,
    limits: tuple[float | None, float | None],
    only: Sequence[str],
) -> Any:
    from lightcurve.stages.compare_frames import compare_with_frames

    rtol, atol = limits
    return compare_with_frames(
        folder,
        table,
        settings,
        rtol=rtol if rtol is not None else (0.0 if atol is not None else FRAMES_RTOL),
        atol=atol or 0.0,
        only=only,
        progress=bar,
    )


def _two_files(
    a: Path,
    b: Path | None,
    settings: Any,
    limits: tuple[float | None, float | None, float],
    what: tuple[Sequence[str], str, str],
    named: dict[str, Any],
) -> Any:
    from lightcurve.errors import InputError
    from lightcurve.stages.compare import Tolerance, compare_files
    from lightcurve.stages.compare_sides import split_names, spread_choices

    if b is None:
        msg = "compare what with what? give two files, or one table and --frames FOLDER"
        raise InputError(msg)
    rtol, atol, seconds = limits
    only, by, columns = what
    names = split_names(columns)
    tolerance = Tolerance(
        rtol or 0.0, atol or 0.0, seconds, given=rtol is not None or atol is not None
    )
    choices = spread_choices((a, b), names, named)
    return compare_files((a, b), choices, settings, tolerance=tolerance, only=only, by=by)


def _finish(result: Any, out: Path | None, *, json: bool) -> None:
    """Show, write, and set the exit status."""
    files = {}
    if out is not None:
        from lightcurve.stages.compare import write_comparison

        files = write_comparison(out, result)
    if json:
        print_json(
            {
                "a": result.names[0],
                "b": result.names[1],
                "matched_by": result.matched_by,
                "rows": dict(zip(("a", "b", "matched"), result.rows, strict=True)),
                "agrees": result.agrees,
                "columns": [asdict(difference) for difference in result.differences],
                "notes": result.notes,
                "files": files,
            }
        )
    else:
        _show(result, files)
    if result.agrees is False:
        raise typer.Exit(1)


def _show(result: Any, files: dict[str, Path]) -> None:
    header = ["column", "n", "median", "rms", "largest", "relative", "at", "beyond"]
    rows = [
        [
            d.name,
            f"{d.n}" + (f" (+{d.n_one_sided} in one only)" if d.n_one_sided else ""),
            *(f"{v:.3g}" for v in (d.median, d.rms, d.largest, d.largest_relative)),
            d.where,
            d.n_beyond if result.agrees is not None else "",
        ]
        for d in result.differences
    ]
    title = f"A {result.names[0]} minus B {result.names[1]}, {result.rows[2]} rows by "
    print_table(title + result.matched_by, header, rows)
    for note in result.notes:
        typer.echo(note)
    if files:
        typer.echo(f"Written: {', '.join(str(path) for path in files.values())}")
    if result.agrees is not None:
        beyond = [d.name for d in result.differences if d.n_beyond]
        verdict = "They agree." if result.agrees else f"THEY DIFFER in {', '.join(beyond[:8])}."
        typer.echo(verdict + (f" ({len(beyond)} columns)" if len(beyond) > 8 else ""))
