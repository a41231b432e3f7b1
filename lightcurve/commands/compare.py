"""Compare light curves and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import OPTIONS, Json, takes_settings
from lightcurve.commands.shell import bar, one_line, print_json, print_table, stop_if_any

if TYPE_CHECKING:
    from lightcurve.compare.result import Comparison
    from lightcurve.core.settings import Settings

PANEL = "Comparing"
FRAMES_RTOL = 1e-9
# What brings the times of two files together, and what frames are measured by.
OF_TIMES = ("target.ra", "target.dec", "target.planet_file", "site")
OF_FRAMES = (
    *("camera.gain_e_per_adu", "camera.read_noise_e", "apertures.radii", "apertures.annulus"),
)


def _option(*flags_and_text: str) -> Any:
    *flags, text = flags_and_text
    return typer.Option(*flags, help=text, rich_help_panel=PANEL)


Frames = Annotated[
    Path | None, _option("--frames", "Folder: measure A's frames again by A's rules.")
]
Rtol = Annotated[float | None, _option("--rtol", "Allowed: ATOL + RTOL |B|.")]
Atol = Annotated[float | None, _option("--atol", "See --rtol.")]
Seconds = Annotated[float, _option("--time-tolerance", "Allowed between times, seconds.")]
Partial = Annotated[bool, _option("--partial", "Rows without partner are no difference.")]
By = Annotated[str, _option("--by", "Match rows by frame or time; default: found.")]
Names = Annotated[str, _option("--columns", "Names, comma between, of a file without header.")]
Only = Annotated[list[str] | None, _option("--only", "Column to compare, as Source-Sky; repeat.")]
Time = Annotated[list[str] | None, _option("--time", "Column of times.")]
Kind = Annotated[
    list[str] | None, _option("--time-kind", "Of --time: bjd_tdb, jd_utc, mjd_utc or iso_utc.")
]
Flux = Annotated[list[str] | None, _option("--flux", "Column of fluxes.")]
FluxKind = Annotated[
    list[str] | None, _option("--flux-kind", "What it holds: flux, mag, mmag, ppt or ppm.")
]
Error = Annotated[list[str] | None, _option("--error", "Column of errors.")]
Divide = Annotated[list[str] | None, _option("--divide-by", "Column to divide the flux by.")]
Star = Annotated[list[str] | None, _option("--star", "Target in an AstroImageJ table.")]
Out = Annotated[Path | None, _option("--out", "-o", "Folder for comparison.csv and .png.")]


@takes_settings(*OF_TIMES, *OF_FRAMES)
def compare(
    context: typer.Context,
    a: Annotated[Path, typer.Argument(metavar="A", help="Light curve, table, or run folder.")],
    b: Annotated[Path | None, typer.Argument(metavar="B", help="Another.")] = None,
    *,
    settings: Settings,
    frames: Frames = None,
    rtol: Rtol = None,
    atol: Atol = None,
    time_tolerance: Seconds = 1.0,
    partial: Partial = False,
    by: By = "",
    only: Only = None,
    columns: Names = "",
    time: Time = None,
    time_kind: Kind = None,
    flux: Flux = None,
    flux_kind: FluxKind = None,
    error: Error = None,
    divide_by: Divide = None,
    star: Star = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Compare two light curves or tables, or a table with its own frames.

    With --rtol or --atol there is a verdict, and the exit status is 1 where they differ or rows
    have no partner; it is 2 where they could not be compared, as when a file cannot be read.
    A table and its --frames must agree to 1e-9 unless told otherwise, and their times to a second.
    A column that one side alone has counts only where --only names it. Options that name columns
    hold for whichever file has such a column; given twice, the first is for A and the second for
    B ('-' where it need not be told).

    Examples: lightcurve compare run/measurements.csv aij.tbl --only rel_flux_T1 --rtol 1e-3

    lightcurve compare --frames NIGHT Measurements.tbl
    """
    from lightcurve.compare.result import Tolerance
    from lightcurve.tables.run_folder import table_of

    a = table_of(a, "measurements.csv" if frames else "lightcurve.csv")
    b = b and table_of(b, "lightcurve.csv")
    asked = {"time": time, "time_kind": time_kind, "flux": flux, "error": error}
    asked |= {"comparison_flux": divide_by, "target": star, "flux_kind": flux_kind}
    named = {name: values for name, values in asked.items() if values}
    given = frames is not None or rtol is not None or atol is not None
    if frames is not None and rtol is None and atol is None:
        rtol = FRAMES_RTOL
    tolerance = Tolerance(rtol or 0.0, atol or 0.0, time_tolerance, given=given, partial=partial)
    if frames is not None:
        from lightcurve.compare.frames import compare_with_frames

        _refuse_idle(context, OF_TIMES, "with --frames")
        _refuse_with_frames(b, by, columns, named)
        result = compare_with_frames(
            frames, a, settings, tolerance=tolerance, only=only or [], progress=bar
        )
    else:
        from lightcurve.compare.tables import compare_files, split_names, spread_choices

        _refuse_idle(context, OF_FRAMES, "without --frames")
        pair = _both(a, b)
        choices = spread_choices(pair, split_names(columns), named)
        result = compare_files(pair, choices, settings, tolerance=tolerance, only=only or [], by=by)
    _finish(result, out, json=json)


def _both(a: Path, b: Path | None) -> tuple[Path, Path]:
    from lightcurve.core.errors import InputError

    if b is None:
        msg = "compare what with what? give two files, or one table and --frames FOLDER"
        raise InputError(msg)
    return a, b


def _refuse_idle(context: typer.Context, settings: Sequence[str], when: str) -> None:
    """Refuse an option of these settings or sections: here it would do nothing."""
    from lightcurve.core.errors import InputError

    for name, option in OPTIONS.items():
        given = context.params.get(name.replace(".", "__"))
        if {name, name.split(".")[0]} & {*settings} and given not in (None, [], ()):
            msg = f"{option.flag} does nothing {when}: leave it out"
            raise InputError(msg)


def _refuse_with_frames(b: Path | None, by: str, columns: str, named: dict[str, Any]) -> None:
    from lightcurve.core.errors import InputError

    if b is not None or by or columns or named:
        msg = "--frames compares one table with its frames: no second file, --by or columns"
        raise InputError(msg)


def _finish(result: Comparison, out: Path | None, *, json: bool) -> None:
    """Show, write, and set the exit status."""
    files = {}
    if out is not None:
        from lightcurve.compare.result import write_comparison

        files = write_comparison(out, result)
    if json:
        print_json(
            {
                "a": result.names[0],
                "b": result.names[1],
                "matched_by": result.matched_by,
                "rows": dict(zip(("a", "b", "matched"), result.rows, strict=True)),
                "agrees": result.agrees,
                "reasons": result.reasons,
                "only_in": {"a": result.only_a, "b": result.only_b},
                "columns": [asdict(difference) for difference in result.differences],
                "values": [value.record for value in result.values],
                "notes": result.notes,
                "files": files,
            }
        )
    else:
        _show(result, files)
    if result.agrees is False:
        stop_if_any([f"they differ: {'; '.join(result.reasons[:1])}"])


def _show(result: Comparison, files: dict[str, Path]) -> None:
    header = ["column", "n", "median", "rms", "largest", "relative", "at", "beyond"]
    rows = [
        [
            d.name,
            f"{d.n}" + (f" (+{d.n_one_sided} in one only)" if d.n_one_sided else ""),
            *(f"{v:.3g}" for v in (d.median, d.rms, d.largest)),
            "" if d.n and isnan(d.largest_relative) else f"{d.largest_relative:.3g}",
            d.where,
            d.n_beyond if result.agrees is not None else "",
        ]
        for d in result.differences
    ]
    title = f"A {result.names[0]} minus B {result.names[1]}, {result.rows[2]} rows by "
    print_table(title + result.matched_by, header, rows)
    rules = (f"{value.name}: {value.text} ({value.source})" for value in result.values)
    for note in (*_without_partner(result), *rules, *result.notes):
        typer.echo(one_line(note))
    if files:
        typer.echo(f"Written: {', '.join(str(path) for path in files.values())}")
    if result.agrees is not None:
        typer.echo(
            "They agree." if result.agrees else f"THEY DIFFER in {'; '.join(result.reasons)}."
        )


def _without_partner(result: Comparison) -> list[str]:
    """Say which rows and columns were not compared."""
    lines = []
    for side, name, n, columns in zip(
        "AB", result.names, result.unmatched, (result.only_a, result.only_b), strict=True
    ):
        if n:
            lines.append(f"{side} {name}: {n} rows have no partner")
        if columns:
            more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
            shown = ", ".join(columns[:8])
            lines.append(f"{side} {name} alone has {len(columns)} columns: {shown}{more}")
    return lines
