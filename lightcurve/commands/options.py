"""What several commands take: arguments, and the options that stand for settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from lightcurve.commands.completion import Complete, for_setting
from lightcurve.core.errors import InputError, Why
from lightcurve.core.registry import did_you_mean, registry_of

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings

Folder = Annotated[Path, typer.Argument(help="Folder of raw frames; never changed.")]
Frames = Annotated[list[Path], typer.Argument(help="FITS files, or folders of them.")]
# What products are called: no folder is meant by such a name.
OF_FILES = frozenset(
    {".csv", ".dat", ".ecsv", ".fit", ".fits", ".html", ".json", ".pdf", ".png", ".svg"}
    | {".tbl", ".toml", ".tsv", ".txt", ".xls", ".zip"}
)


def a_folder(path: Path | None) -> Path | None:
    """Refuse the name of a file where a folder is wanted, lest a folder is made that is called so.

    Raises typer.BadParameter.
    """
    if path is not None and path.suffix.lower() in OF_FILES and not path.is_dir():
        msg = f"{path} is the name of a file: give a folder, in which files get their own names"
        raise typer.BadParameter(msg)
    return path


Out = Annotated[
    Path, typer.Option("--out", "-o", help="Run folder; made if need be.", callback=a_folder)
]
Manifest = Annotated[
    Path | None,
    typer.Option("--manifest", help="Table of files and kinds: an edited frames.csv."),
]
Columns = Annotated[
    str, typer.Option("--columns", help="Names, comma between, of a table without header.")
]
JSON_HELP = 'For machines: JSON on standard output; {"error": ...} where it fails.'
Json = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Every number and file, not the three that matter.")
]


@dataclass(frozen=True, slots=True)
class Option:
    """One command-line option: type, flag, help, panel of ``--help``, and what it takes."""

    kind: Any
    flag: str
    text: str | Callable[[], str]  # called when the help is made
    panel: str
    metavar: str | None = None

    @property
    def keyword(self) -> str:
        """Its name in Python: ``--read-noise`` is ``read_noise``."""
        return self.flag.split("/")[0].removeprefix("--").replace("-", "_")

    def help_text(self) -> str:
        """Say what it is for, and what can be chosen."""
        return self.text if isinstance(self.text, str) else self.text()

    def parameter(self, name: str, complete: Complete | None = None) -> inspect.Parameter:
        """Make the parameter that Typer reads; not given means None."""
        known = self.text if isinstance(self.text, str) else ""  # else `Verb` completes it
        option = typer.Option(
            None,
            self.flag,
            help=known,
            rich_help_panel=self.panel,
            metavar=self.metavar,
            autocompletion=complete,
        )
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(name, keyword, default=option, annotation=self.kind | None)


def complete_help(parameters: Iterable[Any]) -> None:
    """Say of options what they are for, where that is made of what loads much."""
    made = {one.flag: one.help_text for one in OPTIONS.values() if callable(one.text)}
    for parameter in parameters:
        if isinstance(parameter, TyperOption) and parameter.opts[0] in made:
            parameter.help = made[parameter.opts[0]]()


class Verb(TyperCommand):
    """A verb whose help is completed when it is shown."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        complete_help(self.params)
        super().format_help(ctx, formatter)


class VerbGroup(TyperGroup):
    """A group of verbs, with options of its own whose help is completed so, too."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        complete_help(self.params)
        super().format_help(ctx, formatter)


def choices(registry: Iterable[Any]) -> str:
    """List what can be chosen, for ``--help``."""
    *first, last = (f"{one.name} ({one.help})" for one in registry)
    return f"{', '.join(first)} or {last}."


_STAR, _SKY, _CAMERA = "Target and stars", "Plate solving", "Camera, site and time"

_FRAMES = "Frames of a folder"

_APERTURE, _FIT = "Measuring", "Transit fit"

_CATALOGS, _FINDING, _STACK = "Catalogues", "Sources", "Stack"

# Sections whose options only the commands have that name them.
_BY_NAME = {"image", "catalogs", "stack"}


# Setting -> option. A setting without an option is set in the file given with --config.
OPTIONS: dict[str, Option] = {
    "target.name": Option(str, "--target", "Name of the target, or 'RA,DEC'.", _STAR),
    "target.ra": Option(str, "--ra", "Its right ascension: 02:04:10.3 or degrees.", _STAR),
    "target.dec": Option(str, "--dec", "Its declination: +46:41:16 or degrees.", _STAR),
    "target.planet_file": Option(
        Path, "--planet", "Planet file: TOML, EXOTIC's inits.json or HOPS' log.yaml.", _STAR
    ),
    "select.filter": Option(str, "--filter", "Only frames of this filter.", _FRAMES),
    "select.object": Option(str, "--object", "Only frames of this OBJECT.", _FRAMES),
    "select.night": Option(
        str, "--night", "Only this night: date of its evening, 2026-01-31.", _FRAMES
    ),
    "select.join_nights": Option(
        bool,
        "--join-nights/--split-nights",
        "One light curve of all nights, or one each; not given, joined where nights are short.",
        _FRAMES,
    ),
    "stars.file": Option(
        Path, "--stars", "List of them: AstroImageJ's .apertures or .radec, or a table.", _STAR
    ),
    "stars.comparisons": Option(
        list[str], "--comp", "Comparison star: 'RA,DEC', pixels 'X,Y' from 0, or id; repeat.", _STAR
    ),
    "stars.exclude": Option(
        list[str], "--exclude", "Star not to compare with, named as by --comp; repeat.", _STAR
    ),
    "stars.check": Option(str, "--check", "Check star, named as by --comp.", _STAR),
    "stars.weights": Option(
        str,
        "--weights",
        lambda: f"Of comparison stars: {choices(registry_of('comparison weighting'))}",
        _STAR,
    ),
    "stars.neb_radius_arcmin": Option(
        float, "--neb-radius", "Check stars so near for eclipses, arc minutes; 2.5 if not.", _STAR
    ),
    "solve.index": Option(
        list[Path], "--index", "Astrometry.net index file, or a folder of them; repeat.", _SKY
    ),
    "solve.solvers": Option(
        list[str], "--solver", lambda: f"Repeat, in order: {choices(registry_of('solver'))}", _SKY
    ),
    "solve.server": Option(str, "--server", "Server that solver nova asks.", _SKY),
    "solve.upload": Option(
        str, "--upload", "What it is sent: sources (places of stars) or image.", _SKY
    ),
    "solve.scale_arcsec": Option(float, "--scale", "Arc seconds per pixel.", _SKY),
    "solve.blind": Option(
        bool, "--blind", "Search all the sky: the place in the header may be wrong.", _SKY
    ),
    "camera.profile": Option(
        str, "--camera", "Camera profile: a name or a TOML file; none for none.", _CAMERA
    ),
    "camera.gain_e_per_adu": Option(float, "--gain", "Electrons per ADU.", _CAMERA),
    "camera.read_noise_e": Option(float, "--read-noise", "Electrons.", _CAMERA),
    "camera.saturation_adu": Option(float, "--saturation", "ADU at which it clips.", _CAMERA),
    "camera.linearity_adu": Option(float, "--linearity", "ADU up to which it is linear.", _CAMERA),
    "camera.telescope_diameter_m": Option(
        float, "--telescope-diameter", "Its aperture, metres: errors carry scintillation.", _CAMERA
    ),
    "camera.colour": Option(
        str, "--colour", "Of a colour mosaic: R, G, B, grey or mosaic (as it is); G.", _CAMERA
    ),
    "camera.mosaic": Option(
        str, "--mosaic", "Colours of its first 2 x 2 pixels, RGGB ..., or none.", _CAMERA
    ),
    "site.latitude_deg": Option(float, "--latitude", "Degrees, north positive.", _CAMERA),
    "site.longitude_deg": Option(float, "--longitude", "Degrees, EAST positive.", _CAMERA),
    "site.height_m": Option(float, "--height", "Metres above the sea.", _CAMERA),
    "time.keyword": Option(str, "--time-keyword", "Header clock to believe.", _CAMERA),
    "time.stamp": Option(str, "--time-stamp", "It marks start, mid or end.", _CAMERA),
    "time.utc_offset_hours": Option(
        float, "--utc-offset", "Hours that the header's clock is ahead of UTC.", _CAMERA
    ),
    "time.exposure_s": Option(
        float, "--exposure", "Seconds that a light frame was exposed; overrides.", _CAMERA
    ),
    "time.date_order": Option(
        str, "--date-order", "Of dates such as 03/04/2020: dmy (day first) or mdy.", _CAMERA
    ),
    "time.cadence_s": Option(
        float, "--cadence", "Seconds from plane to plane of a cube of frames.", _CAMERA
    ),
    "apertures.style": Option(str, "--style", "lightcurve, or aij (AstroImageJ).", _APERTURE),
    "apertures.radii": Option(list[float], "--radius", "Aperture radius, px; repeat.", _APERTURE),
    "apertures.centroid": Option(
        str, "--centroid", lambda: f"Where a star is: {choices(registry_of('centroid'))}", _APERTURE
    ),
    "apertures.fwhm_factor": Option(
        float, "--fwhm-factor", "Style aij: radius over each frame's mean width; 1.4.", _APERTURE
    ),
    "apertures.annulus": Option(
        tuple[float, float], "--annulus", "Inner and outer radius of the sky, px.", _APERTURE,
        metavar="INNER OUTER",
    ),
    "calibration.masters": Option(
        list[Path], "--masters", "Library: calibration frames and masters of any night.", _CAMERA
    ),
    "calibration.bias": Option(list[Path], "--bias", "Bias frames: folder or master.", _CAMERA),
    "calibration.dark": Option(list[Path], "--dark", "Darks: folder or master.", _CAMERA),
    "calibration.flat": Option(list[Path], "--flat", "Flats: folder or master.", _CAMERA),
    "calibration.allow_mismatch": Option(
        bool, "--allow-mismatch", "Use calibration frames of another filter or gain.", _CAMERA
    ),
    "calibration.bad_pixel_map": Option(
        Path, "--bad-pixels", "Map of bad pixels: FITS, or a list in TOML or YAML.", _CAMERA
    ),
    "calibration.cosmic_rays": Option(
        bool, "--mark-cosmic-rays/--no-cosmic-rays", "Mark pixels that they hit; slow.", _CAMERA
    ),
    "fit.enabled": Option(bool, "--fit/--no-fit", "Fit a transit where one is known.", _FIT),
    "fit.covariates": Option(
        list[str],
        "--covariate",
        lambda: (
            f"Detrend by this ({', '.join(registry_of('covariate').names())}, or none); repeat. "
            "Not given, by all, as large as physics allows."
        ),
        _FIT,
    ),
    "fit.forbidden": Option(list[str], "--no-covariate", "Never detrend by this; repeat.", _FIT),
    "fit.dilution": Option(
        tuple[float, float], "--dilution", "The target's share of the light, and its error.", _FIT,
        metavar="SHARE ERROR",
    ),
    "fit.sample": Option(bool, "--sample/--no-sample", "Sample the posterior (emcee).", _FIT),
    "catalogs.files": Option(
        list[Path], "--catalog", "Catalogue file: FITS, VOTable, ECSV or CSV; repeat.", _CATALOGS
    ),
    "catalogs.offline": Option(
        bool, "--offline", "Ask no service; what is remembered serves.", _CATALOGS
    ),
    "stack.combine": Option(str, "--combine", "clipped, mean or median.", _STACK),
    "stack.clip_sigma": Option(
        float, "--clip-sigma", "Beyond it a pixel of a frame is left out; 4.", _STACK
    ),
    "stack.center": Option(str, "--center", "Of the stack: 'RA,DEC'.", _STACK),
    "stack.size": Option(
        tuple[int, int], "--size", "Of the stack, pixels.", _STACK, "WIDTH HEIGHT"
    ),
    "stack.scale_arcsec": Option(float, "--scale", "Of its pixels, arc seconds.", _STACK),
    "stack.north_up": Option(
        bool, "--north-up/--as-taken", "North up and east left, or as the frames lie.", _STACK
    ),
    "stack.sky_from_neighbours": Option(
        bool,
        "--sky-from-neighbours/--own-sky",
        "Sky of each frame by those before and after; not given, in J, H and K.",
        _STACK,
    ),
    "stack.max_fwhm": Option(
        float, "--max-fwhm", "Of a frame, in medians of all; 1.5.", _STACK
    ),
    "stack.max_rms_px": Option(
        float, "--max-rms", "Of a frame's stars on the reference's, pixels; 0.5.", _STACK
    ),
    "stack.min_transparency": Option(
        float, "--min-transparency", "Of a frame, beside the clear ones; 0.5.", _STACK
    ),
    "image.services": Option(
        list[str],
        "--service",
        lambda: f"Ask only this service; repeat: {choices(registry_of('service'))}",
        _CATALOGS,
    ),
    "image.standards": Option(
        str,
        "--standards",
        lambda: (
            "Service whose stars give the zero point: "
            f"{choices(one for one in registry_of('service') if one.bands)}"
        ),
        _CATALOGS,
    ),
    "image.band": Option(
        str, "--band", "Band of the magnitudes, if not the header's filter.", _CATALOGS
    ),
    "image.colour_term": Option(bool, "--colour-term", "Fit one with the zero point.", _CATALOGS),
    "image.extinction_mag_per_airmass": Option(
        float, "--extinction", "Magnitudes per airmass: zero point above the air.", _CATALOGS
    ),
    "image.mpc_code": Option(
        str, "--mpc-code", "Observatory code (MPC) from which asteroids are seen.", _CAMERA
    ),
    "image.cosmic_rays": Option(str, "--cosmic-rays", "auto, yes or no.", _CAMERA),
    "image.border_px": Option(int, "--border", "Pixels at the edges to leave out.", _CAMERA),
    "image.threshold_sigma": Option(float, "--threshold", "Of detection, sigma; 5.", _FINDING),
    "image.finder": Option(str, "--finder", lambda: choices(registry_of("finder")), _FINDING),
    "image.psf": Option(str, "--psf", "iterative, single or none.", _FINDING),
    "image.injected": Option(
        int, "--inject", "Stars put in to measure completeness; 0 for none.", _FINDING
    ),
    "workers": Option(int, "--workers", "Processes that measure frames.", _APERTURE),
    "cluster": Option(str, "--cluster", "Dask scheduler: tcp://HOST:8786.", _APERTURE),
    "figures": Option(
        str, "--figures", "That are drawn: all, page (those it shows) or none.", _APERTURE
    ),
    "seed": Option(int, "--seed", "Of everything random.", _APERTURE),
}  # fmt: skip


Command = Callable[..., None]


_HEEDED: dict[str, list[str]] = {}  # by verb, the settings that it has options for


def takes_settings(*wanted: str, own_file: bool = True) -> Callable[[Command], Command]:
    """Give a command the options of `OPTIONS` and ``--config``, handed to it as ``settings``.

    Parameters
    ----------
    *wanted : str
        Sections and settings, such as ``"target", "fit.sample"``. None given stand for all but
        those of single images; of the catalogues ``--offline`` alone.
    own_file : bool
        Whether the user's own settings hold: what is done to a finished run has those of the run.

    Returns
    -------
    callable
        A decorator: what it gives has the options in its signature and not ``settings``.
    """
    if wanted:
        names = [name for name in OPTIONS if {name, name.split(".")[0]} & {*wanted}]
    else:
        names = [n for n in OPTIONS if n.split(".")[0] not in _BY_NAME or n == "catalogs.offline"]
    return lambda command: _with_options(command, names, own_file=own_file)


def _with_options(command: Command, names: list[str], *, own_file: bool) -> Command:
    _HEEDED[command.__name__] = names
    # Only a checker of types knows what settings are: pydantic would be loaded for every --help.
    hints = get_type_hints(command, localns={"Settings": Any}, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name != "settings"
    ]
    config = Option(Path, "--config", "Settings file (TOML); options override it.", "Settings")
    added = [config.parameter("config")] + [
        OPTIONS[name].parameter(name.replace(".", "__"), _completion(name)) for name in names
    ]

    wants_told = any(parameter.name == "told" for parameter in own)
    own = [parameter for parameter in own if parameter.name != "told"]

    @wraps(command)
    def wrapper(**values: Any) -> None:
        given = {name: values.pop(name.replace(".", "__")) for name in names}
        config = values.pop("config")
        if wants_told:
            values["told"] = told_by(config, given)
        command(settings=merged_settings(config, given, own_file=own_file), **values)

    # Typer reads the signature; the wrapped function's own would hide the added options.
    del wrapper.__wrapped__
    vars(wrapper)["__signature__"] = inspect.Signature([*own, *added])
    wrapper.__annotations__ = {p.name: p.annotation for p in [*own, *added]}
    return wrapper


def _completion(name: str) -> Complete | None:
    """Choose what completes the values of an option; files are left to the shell."""
    return for_setting(name) if OPTIONS[name].kind in {str, list[str]} else None


def merged_settings(
    config: Path | None, given: dict[str, Any], *, own_file: bool = True
) -> Settings:
    """Join the user's own settings, a settings file and the options given: the later wins.

    given: by ``"section.name"``; None and empty lists were not given. Raises InputError when a
    file or a value is wrong.
    """
    values: dict[str, Any] = {}
    for _, of_file in _files(config, own_file=own_file):
        _lay_over(values, of_file)
    return _overridden(values, given)


def told_by(config: Path | None, given: dict[str, Any]) -> dict[str, str]:
    """Say for each setting that is not as by default what gave it: a file, or an option."""
    from lightcurve.core.setting_names import flat

    told = {name: origin for origin, values in _files(config) for name in flat(values)}
    return told | {
        name: f"option {OPTIONS[name].flag}"
        for name, value in given.items()
        if value not in (None, [])
    }


def _files(config: Path | None, *, own_file: bool = True) -> list[tuple[str, dict[str, Any]]]:
    """Read what is set in the user's own file and in the one of ``--config``, with their names."""
    from lightcurve.core.settings import read_settings
    from lightcurve.core.settings_files import user_file

    own = user_file() if own_file else None
    paths = [path for path in (own if own and own.is_file() else None, config) if path is not None]
    return [(str(path), read_settings(path).model_dump(exclude_unset=True)) for path in paths]


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Put values over others, section by section."""
    for name, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(name), dict):
            _lay_over(below[name], value)
        else:
            below[name] = value


def settings_of_keywords(
    verb: str, settings: Settings | None, keywords: dict[str, Any]
) -> Settings:
    """Join settings with the options of a verb as keywords: ``read_noise`` for --read-noise.

    Raises InputError for an option that the verb does not have, or a value that cannot be.
    """
    import_module(f"lightcurve.commands.{verb}")
    names = {OPTIONS[name].keyword: name for name in _HEEDED[verb]}
    given = {}
    for keyword, value in keywords.items():
        if keyword not in names:
            msg = f"{verb} has no option {keyword}{did_you_mean(keyword, names)}"
            raise InputError(msg)
        wants_list = get_origin(OPTIONS[names[keyword]].kind) is list
        alone = wants_list and (isinstance(value, str) or not isinstance(value, Iterable))
        given[names[keyword]] = [value] if alone else value
    return _overridden(settings.model_dump(exclude_unset=True) if settings else {}, given)


def _overridden(values: dict[str, Any], given: dict[str, Any]) -> Settings:
    from lightcurve.core.settings import make_settings

    flags = {}
    for name, value in given.items():
        if value is None or value == []:
            continue
        *sections, last = name.split(".")
        place = values
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
        flags[name] = OPTIONS[name].flag
    settings = make_settings(values, options=flags)
    _refuse_missing(given)
    if settings.stars.file is None:
        return settings
    from lightcurve.imports.stars import take_stars

    return take_stars(settings)


def _refuse_missing(given: Mapping[str, Any]) -> None:
    """Refuse files and folders that are not there, by the options that name them.

    A planet file has an error of its own: a name may be meant.
    """
    for name, value in given.items():
        if OPTIONS[name].kind in {Path, list[Path]} and name != "target.planet_file":
            for path in [value] if isinstance(value, str | Path) else value or ():
                if not Path(path).expanduser().exists():
                    msg = f"{OPTIONS[name].flag} {path}: no such file or folder"
                    raise InputError(msg, why=Why.NAMED)
