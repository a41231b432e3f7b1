"""The stages of the main job, each as a command of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightcurve.commands.night import Folder, Json, Manifest
from lightcurve.commands.options import takes_settings
from lightcurve.commands.shell import bar, one_line, print_json, print_table

Frames = Annotated[list[Path], typer.Argument(help="FITS files, or folders of them.")]

MEASURING = (
    *("target", "solve", "camera", "site", "time", "apertures", "calibration"),
    *("stars.comparisons", "stars.exclude", "stars.check", "stars.neb_radius_arcmin"),
    *("workers", "cluster", "catalogs.offline"),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("inspect")(inspect)
    app.command("calibrate")(calibrate)
    app.command("solve")(solve)
    app.command("measure")(measure)


@takes_settings("camera", "site", "time")
def inspect(
    path: Annotated[Path, typer.Argument(help="A folder, or one FITS file.")],
    *,
    settings: Any,
    manifest: Manifest = None,
    json: Json = False,
) -> None:
    """Show what a folder holds, or what a file's header says and how it was read."""
    from lightcurve.errors import InputError
    from lightcurve.stages.inspect import inspect_file, inspect_folder, summarise

    if not path.exists():
        msg = f"{path}: there is no such file or folder"
        raise InputError(msg)
    if path.is_file():
        rows = inspect_file(path, settings)
        title = path.name
    else:
        rows = inspect_folder(path, settings, manifest=manifest, progress=bar)
        title = f"{path}: {len(rows)} files"
    if json:
        print_json(rows)
        return
    if path.is_dir():
        for line in summarise(rows):
            typer.echo(one_line(line))
    shown = rows if path.is_file() else list(map(_file_line, rows))
    names = [n for n in (shown[0] if shown else {}) if any(r[n] not in (None, "") for r in shown)]
    print_table(title, names, ([row[name] for name in names] for row in shown))


def _file_line(row: dict[str, Any]) -> dict[str, Any]:
    """Put what is known of a file into few columns; --json has them all."""
    guessed = row["kind_source"] and not row["kind_source"].startswith("header")
    told = [f"{row['kind']} by {row['kind_source']}"] if guessed and row["use"] == "yes" else []
    return {
        **{name: row[name] for name in ("file", "kind", "filter", "exposure_s", "mid_utc")},
        "size": f"{row['nx']}x{row['ny']}" if row["nx"] else "",
        **{name: row[name] for name in ("binning", "temperature_c", "use")},
        "why": "; ".join([*told, *([row["reason"]] if row["reason"] else [])]),
    }


@takes_settings("camera.saturation_adu", "time", "calibration")
def calibrate(
    folder: Folder,
    *,
    settings: Any,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for masters and frames.")],
    manifest: Manifest = None,
    json: Json = False,
) -> None:
    """Make master frames and write every light frame calibrated."""
    from lightcurve.stages.calibrate import calibrate_folder

    rows = calibrate_folder(folder, settings, out, manifest=manifest, progress=bar)
    failed = [row for row in rows if row["status"] != "calibrated"]
    if json:
        print_json(rows)
    else:
        if failed:
            print_table(
                "Not calibrated", ["file", "reason"], ([r["file"], r["reason"]] for r in failed)
            )
        typer.echo(f"{len(rows) - len(failed)} of {len(rows)} frames calibrated into {out}")
    if failed:
        raise typer.Exit(1)


@takes_settings("target", "solve", "camera.saturation_adu", "time", "catalogs.offline")
def solve(
    frames: Frames,
    *,
    settings: Any,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for NAME.wcs header files.")
    ] = None,
    write_copy: Annotated[
        bool,
        typer.Option("--write-copy", help="Also write NAME_wcs.fits: the frame with its WCS."),
    ] = False,
    catalog: Annotated[
        str | None, typer.Option(help="Stars to refine with: a file of them, or gaia.")
    ] = None,
    json: Json = False,
) -> None:
    """Solve frames on the sky, each on its own."""
    from lightcurve.progress import silent
    from lightcurve.stages.solve import SolveOutput, solve_frames

    rows = []
    for row in solve_frames(
        frames,
        settings,
        SolveOutput(out, write_copy),
        catalog=catalog,
        progress=bar if json else silent,
    ):
        rows.append(row)
        if not json:
            typer.echo(_solution_line(row))
    if json:
        print_json(rows)
    else:
        _print_solutions(rows)
    if any(row["status"] == "failed" for row in rows):
        raise typer.Exit(1)


def _print_solutions(rows: list[dict[str, Any]]) -> None:
    names = [
        "file", "status", "solver", "ra_deg", "dec_deg", "scale_arcsec", "rotation_deg",
        "parity", "n_matched", "rms_arcsec",
    ]  # fmt: skip
    print_table("Plate solutions", names, ([_short(row[n]) for n in names] for row in rows))
    solved = sum(row["status"] == "solved" for row in rows)
    tried = sum(row["status"] != "skipped" for row in rows)
    typer.echo(f"{solved} of {tried} frames solved")


def _solution_line(row: dict[str, Any]) -> str:
    if row["status"] != "solved":
        reason = " ".join(row["reason"].split()).removeprefix(f"{row['file']}: ")
        return f"{row['file']}: {row['status']}: {reason}"
    stars = f"{row['n_matched']} stars, rms {row['rms_arcsec']:.2f} arcsec"
    found = [
        f"solved by {row['solver']}",
        *([stars] if row["n_matched"] else []),
        f"scale {row['scale_arcsec']:.4f} arcsec/px",
        f"centre {row['ra_deg']:.5f} {row['dec_deg']:+.5f} deg",
        *([row["reason"]] if row["reason"] else []),
    ]
    return f"{row['file']}: {', '.join(found)}"


def _short(value: Any) -> Any:
    # Seven digits: 0.04 arcsec of a right ascension.
    if isinstance(value, float):
        return f"{value:.7g}" if value == value else ""  # noqa: PLR0124  (NaN)
    return "" if value is None else value


@takes_settings(*MEASURING)
def measure(
    folder: Folder,
    *,
    settings: Any,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder; made if need be.")],
    manifest: Manifest = None,
    json: Json = False,
) -> None:
    """Measure all stars at all radii in all frames, as one long table; choose nothing yet."""
    from lightcurve.stages.measure import measure_folder

    summary = measure_folder(folder, settings, out, manifest=manifest, progress=bar)
    if json:
        print_json(summary)
        return
    print_table("Measured", ["", ""], summary.items())
