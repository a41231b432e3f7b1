"""`lightcurve calib`: master frames, bad pixels, gain and read noise, one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Folder, Json, takes_settings
from lightcurve.commands.shell import bar, in_digits, print_json, print_table, records
from lightcurve.core.errors import InputError

if TYPE_CHECKING:
    from lightcurve.core.data import Result
    from lightcurve.core.settings import Settings

Frames = Annotated[list[Path], typer.Argument(help="FITS files of one kind and setup.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="FITS file to write.")]
Bias = Annotated[Path | None, typer.Option("--bias", help="Master bias to take off.")]
Dark = Annotated[Path | None, typer.Option("--dark", help="Master dark to take off, scaled.")]
Clip = Annotated[float, typer.Option("--clip", help="Clipping, sigma.")]
CALIBRATION = (
    *("calibration.masters", "calibration.bias", "calibration.dark", "calibration.flat"),
    *("calibration.allow_mismatch", "calibration.bad_pixel_map"),
)
CAMERA = ("camera.profile", "camera.saturation_adu", "camera.mosaic")
group = typer.Typer(
    no_args_is_help=True, help="Masters, bad pixels, noise, quality, arithmetic: one at a time."
)


def _report(results: dict[str, Result], *, json: bool) -> None:
    if json:
        print_json(records(results))
    else:
        shown = (result for result in results.values() if result.label)
        print_table("", ["", ""], ([r.label, r.text or _shown(r.value)] for r in shown))


def _shown(value: Any) -> str:
    """Write a number as it is read: four digits, or whole numbers where those are longer."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


@group.command()
def bias(frames: Frames, *, out: Out, clip: Clip = 5.0, json: Json = False) -> None:
    """Combine bias frames into a master."""
    from lightcurve.calib.one_by_one import make_master
    from lightcurve.core.data import FrameKind

    _report(make_master(FrameKind.BIAS, frames, out, clip_sigma=clip, progress=bar), json=json)


@group.command()
def dark(
    frames: Frames, *, out: Out, bias: Bias = None, clip: Clip = 5.0, json: Json = False
) -> None:
    """Combine dark frames into a master; with a bias it can be scaled to other exposures."""
    from lightcurve.calib.one_by_one import make_master
    from lightcurve.core.data import FrameKind

    rows = make_master(FrameKind.DARK, frames, out, bias=bias, clip_sigma=clip, progress=bar)
    _report(rows, json=json)


@group.command()
def flat(
    frames: Frames,
    *,
    out: Out,
    bias: Bias = None,
    dark: Dark = None,
    clip: Clip = 5.0,
    json: Json = False,
) -> None:
    """Combine flat frames into a master of mean 1."""
    from lightcurve.calib.one_by_one import make_master
    from lightcurve.core.data import FrameKind

    rows = make_master(
        FrameKind.FLAT, frames, out, bias=bias, dark=dark, clip_sigma=clip, progress=bar
    )
    _report(rows, json=json)


@group.command()
@takes_settings(
    "select", *CALIBRATION, "camera.gain_e_per_adu", "camera.read_noise_e", *CAMERA, "time"
)
def badpix(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of darks, flats or light frames.")
    ] = None,
    *,
    settings: Settings,
    out: Annotated[Path, typer.Option("--out", "-o", help="Map to write: FITS, or .toml.")],
    json: Json = False,
) -> None:
    """Map bad pixels, columns and rows of a folder, as `run` finds them, or of masters."""
    if folder is not None:
        from lightcurve.night.bad_pixels import map_bad_pixels

        rows, notes = map_bad_pixels(folder, settings, out, progress=bar)
        for note in () if json else notes:
            typer.echo(str(note))
    else:
        from lightcurve.calib.one_by_one import make_badpix

        given = settings.calibration
        if given.bias or given.masters or max(len(given.dark), len(given.flat)) > 1:
            msg = "without a folder one master --dark and one --flat make the map; give the folder"
            raise InputError(msg)
        dark, flat = (next(iter(paths), None) for paths in (given.dark, given.flat))
        rows = make_badpix(
            out, dark=dark, flat=flat, user=given.bad_pixel_map, hot_sigma=given.hot_pixel_sigma
        )
    _report(rows, json=json)


@group.command()
def noise(
    frames: Annotated[
        list[Path] | None, typer.Argument(help="Biases and flats, or folders of them.")
    ] = None,
    *,
    bias: Annotated[
        tuple[Path, Path] | None, typer.Option("--bias", help="Two bias frames.")
    ] = None,
    flat: Annotated[
        tuple[Path, Path] | None, typer.Option("--flat", help="Two flats of one light.")
    ] = None,
    gain: Annotated[
        float | None, typer.Option("--gain", help="Electrons per ADU, where there are no flats.")
    ] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="PNG to write.")] = None,
    json: Json = False,
) -> None:
    """Measure read noise from two biases, gain from two flats, linearity and well from more.

    Example: lightcurve calib noise BIAS/ FLATS/ --figure camera.png
    """
    from lightcurve.calib.one_by_one import camera_noise, sort_frames

    biases, flats = sort_frames(frames or [], bar)
    found = camera_noise(
        [*biases, *(bias or ())], [*flats, *(flat or ())], gain_e_per_adu=gain, progress=bar
    )
    if figure is not None:
        from lightcurve.report.camera import save_camera

        save_camera(figure, found)
    _report(found, json=json)


SHOWN = ("fwhm_px", "ellipticity", "sky_adu", "stars", "transparency", "step_px")


@group.command()
@takes_settings("select", *CALIBRATION, "camera.colour", *CAMERA, "time")
def quality(
    folder: Folder,
    *,
    settings: Settings,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for table and figures.")],
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="Use only frames of which this holds: 'fwhm_px < 4'; repeat."),
    ] = None,
    drop_odd: Annotated[
        bool, typer.Option("--drop-odd", help="Nor those that are worse than the others.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure light frames: width and shape over the field, sky, stars, transparency, tracking.

    Example: lightcurve calib quality NIGHT -o Q --keep 'fwhm_px < 4', then
    lightcurve run NIGHT --manifest Q/quality.csv
    """
    from lightcurve.night.quality import judge_folder

    rows = judge_folder(folder, settings, out, keep=keep or [], drop_odd=drop_odd, progress=bar)
    if json:
        print_json(rows)
        return
    print_table(
        "Light frames", ["file", *SHOWN, "use", "reason", "odd"],
        (
            [row["file"], *(in_digits(row[name], 3) for name in SHOWN), row["use"], row["reason"],
             row["odd"]]
            for row in rows
        ),
        whole=("file",),
    )  # fmt: skip
    used = sum(row["use"] == "yes" for row in rows)
    typer.echo(f"{used} of {len(rows)} frames used; written to {out}: quality.csv, quality.json")


@group.command(context_settings={"ignore_unknown_options": True})  # -100 is a number
def arith(
    image: Annotated[Path, typer.Argument(help="FITS image; its header is kept.")],
    operation: Annotated[str, typer.Argument(help="add, sub, mul or div.")],
    by: Annotated[str, typer.Argument(metavar="NUMBER|IMAGE", help="By what.")],
    *,
    out: Out,
    json: Json = False,
) -> None:
    """Add, subtract, multiply or divide an image by a number or another image.

    Example: lightcurve calib arith LIGHT.fits sub DARK.fits --out DIFFERENCE.fits
    """
    from lightcurve.calib.arithmetic import image_arithmetic

    found, notes = image_arithmetic(image, operation, _number_or_path(by), out)
    for note in () if json else notes:
        typer.echo(str(note), err=True)
    if json:
        print_json(records(found) | {"notes": [str(note) for note in notes]})
    else:
        _report(found, json=False)


def _number_or_path(text: str) -> float | Path:
    try:
        return float(text)
    except ValueError:
        return Path(text)


@group.command("before-after")
def before_after(
    before: Annotated[Path, typer.Argument(help="Frame as the camera gave it.")],
    after: Annotated[Path, typer.Argument(help="The same, calibrated.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG to write.")],
    json: Json = False,
) -> None:
    """Draw a frame before and after calibration at one stretch, with histograms."""
    from lightcurve.frames.read import read_frame
    from lightcurve.report.before_after import save_before_after

    one, two = (read_frame(path, need_time=False).pixels for path in (before, after))
    _report(save_before_after(out, one, two, (before.name, after.name)), json=json)
