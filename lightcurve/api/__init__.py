"""The functions of the package `lightcurve`: what a program or a notebook calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from lightcurve.catalogs.mast import mast_wish
from lightcurve.commands.options import settings_of_keywords
from lightcurve.commands.tune import wishes_of
from lightcurve.core.data import LightCurve, Measurements
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.exports.export import export_run as write_export
from lightcurve.image.reduced import Reduced
from lightcurve.image.story import reduce_image as reduce_frame
from lightcurve.night.fit_table import Fitted, Known, fit_light_curve, need_planet
from lightcurve.night.keep import read_night
from lightcurve.night.measure_table import measure_folder
from lightcurve.night.nights import reduce_nights as reduce_each
from lightcurve.night.reduced import Night
from lightcurve.night.story import reduce_night as reduce_folder
from lightcurve.night.tune import tune_night
from lightcurve.season.nights import Told
from lightcurve.season.story import Season
from lightcurve.season.story import join_season as join_curves
from lightcurve.simulate.request import request_of
from lightcurve.simulate.to_order import Simulated, simulate_request
from lightcurve.space.story import SpaceRun
from lightcurve.space.story import follow_star as follow_files
from lightcurve.survey.story import Survey
from lightcurve.survey.story import reduce_survey as reduce_many
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.run_folder import table_of
from lightcurve.tonight.story import Ahead, plan_ahead
from lightcurve.tonight.transits import Limits
from lightcurve.trust.story import INJECTIONS, Trust
from lightcurve.trust.story import inject_transits as put_in
from lightcurve.variables.story import (
    FoundPeriod,
    Magnitudes,
    Minima,
    Range,
    Star,
    Submitter,
    Transformation,
    Variables,
    search_period,
)
from lightcurve.variables.story import find_variables as find_all
from lightcurve.variables.story import measure_magnitudes as tie_magnitudes
from lightcurve.variables.story import time_minima as time_all

AnyPath = str | PathLike[str]


def reduce_night(
    folder: AnyPath,
    out: AnyPath = "lightcurve-run",
    *,
    settings: Settings | None = None,
    manifest: AnyPath | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Night:
    """Turn a folder of raw frames into a light curve: what ``lightcurve run`` does.

    Parameters
    ----------
    folder : path-like
        Read, never changed.
    out : path-like
        The run folder; a run that was interrupted goes on there.
    settings : Settings, optional
        What `options` do not say; the defaults when not given.
    manifest : path-like, optional
        An edited frames.csv.
    progress : callable, optional
        ``progress(items, what, total)`` yields the items and tells how far it is; silent when not
        given.
    **options
        Those of ``lightcurve run``: ``target="HAT-P-32"``, ``radius=[4.2]``, ``sample=False`` ...

    Returns
    -------
    Night
        With ``curve``, ``fit`` (None without a planet), ``measurements``, ``stars`` and
        ``products``, the files written.

    Raises
    ------
    InputError
        Where the frames make several light curves (two filters, nights, telescopes): what they
        are, and the options that choose one; `reduce_nights` makes each.
    LightcurveError
        Whatever else stands in the way, in one line.
    """
    return reduce_folder(
        Path(folder),
        settings_of_keywords("run", settings, options),
        Path(out),
        manifest=None if manifest is None else Path(manifest),
        progress=progress or silent,
    )


def reduce_nights(
    folder: AnyPath,
    out: AnyPath = "lightcurve-run",
    *,
    settings: Settings | None = None,
    manifest: AnyPath | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> dict[str, Night]:
    """Turn a folder of raw frames into all light curves of the target that it holds.

    Parameters
    ----------
    folder, out, settings, manifest, progress, **options
        As for `reduce_night`; of several light curves each has a folder of its own in `out`.

    Returns
    -------
    dict of str to Night
        By what tells each from the others, such as ``"V-2026-01-31"``; by an empty string where
        there is one alone. One that fails is told in the log and left out.

    Raises
    ------
    LightcurveError
        What stopped the only one, or each.
    """
    runs = reduce_each(
        Path(folder),
        settings_of_keywords("run", settings, options),
        Path(out),
        manifest=None if manifest is None else Path(manifest),
        progress=progress or silent,
    )
    return {run.frames.label: run.made for run in runs if run.made}


def measure_night(
    folder: AnyPath,
    out: AnyPath = "lightcurve-run",
    *,
    settings: Settings | None = None,
    manifest: AnyPath | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Measurements:
    """Measure all stars at all radii in all frames, and choose nothing: ``lightcurve measure``.

    Parameters
    ----------
    folder, out, settings, manifest, progress, **options
        As for `reduce_night`.

    Returns
    -------
    Measurements
        Arrays (frame, star, radius); ``to_table()`` has one row for each of them.

    Raises
    ------
    LightcurveError
        Whatever stands in the way, in one line.
    """
    return measure_folder(
        Path(folder),
        settings_of_keywords("measure", settings, options),
        Path(out),
        manifest=None if manifest is None else Path(manifest),
        progress=progress or silent,
    ).measurements


def reduce_image(
    path: AnyPath, out: AnyPath, *, settings: Settings | None = None, **options: Any
) -> Reduced:
    """Turn one frame into a calibrated, cross-matched catalogue: what ``lightcurve image`` does.

    Parameters
    ----------
    path : path-like
        The frame; never changed.
    out : path-like
        Folder for what it gives.
    settings, **options
        As for `reduce_night`; the options are those of ``lightcurve image``.

    Returns
    -------
    Reduced
        Its ``table`` is the catalogue.

    Raises
    ------
    LightcurveError
        Whatever stands in the way, in one line.
    """
    return reduce_frame(Path(path), settings_of_keywords("image", settings, options), Path(out))


def read_light_curve(
    path: AnyPath,
    *,
    columns: Sequence[str] = (),
    time: str = "",
    flux: str = "",
    error: str = "",
    time_kind: str = "",
    flux_kind: str = "",
) -> LightCurve:
    """Read a light curve of any source: ours, AstroImageJ's, or a table with a time and a flux.

    Parameters
    ----------
    path : path-like
    columns : sequence of str
        Names of the columns of a table without a header.
    time, flux, error : str
        Columns meant, where their names do not tell.
    time_kind : str
        What `time` holds, such as ``"jd_utc"``, where its name does not say it.
    flux_kind : str
        What `flux` holds, ``"flux"``, ``"mag"``, ``"mmag"``, ``"ppt"`` or ``"ppm"``, where that
        cannot be told.

    Returns
    -------
    LightCurve
        Median 1; times and errors as in the table, NaN where it has none.

    Raises
    ------
    InputError
        When there is no such table, or its time or flux cannot be told.
    """
    choice = ColumnChoice(
        tuple(columns), time, flux, error, time_kind=time_kind, flux_kind=flux_kind
    )
    return read_curve(Path(path), choice)


def fit_transit(
    curve: LightCurve | AnyPath,
    *,
    exposure: float | None = None,
    filter: str | None = None,  # noqa: A002 -- as the option is named
    settings: Settings | None = None,
    **options: Any,
) -> Fitted:
    """Fit a transit to a light curve; nothing is written.

    Parameters
    ----------
    curve : LightCurve or path-like
        A path as for `read_light_curve`.
    exposure : float, optional
        Seconds; that of the table when not given.
    filter : str, optional
        For the limb darkening.
    settings, **options
        As for `reduce_night`; the options are those of ``lightcurve fit``, such as ``planet``.

    Returns
    -------
    Fitted
        With ``curve``, ``planet`` and ``fit``; of a light curve of several transits these are of
        all of them folded, and ``transits`` has each.

    Raises
    ------
    LightcurveError
        When no planet is known, no point has a time, or the fit fails.
    """
    settled = settings_of_keywords("fit", settings, options)
    read = curve if isinstance(curve, LightCurve) else read_light_curve(curve)
    known = Known(exposure_s=exposure, filter=filter)
    return fit_light_curve(read, need_planet(settled), settled, known=known)


def join_season(
    tables: Sequence[AnyPath],
    out: AnyPath = "lightcurve-season",
    *,
    filters: Sequence[str] = (),
    exposure: float | None = None,
    depth_by_filter: bool = False,
    sample: bool = False,
    settings: Settings | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Season:
    """Join many light curves of one planet to its ephemeris: ``lightcurve season``.

    Parameters
    ----------
    tables : sequence of path-like
        Run folders, folders of them, and tables.
    filters : sequence of str
        ``FILTER`` of all, or ``NAME=FILTER``.
    exposure : float, optional
        Seconds, of tables that do not tell.
    depth_by_filter, sample : bool
        Whether Rp/R* is each filter's own, and whether the joint posterior is sampled.
    settings, **options
        As for `reduce_night`; the options are those of ``lightcurve season``, such as ``planet``.
    progress : callable, optional
        As for `reduce_night`.

    Returns
    -------
    Season
        With ``times``, ``ephemeris``, ``timing``, ``judged``, ``nights`` and ``products``.

    Raises
    ------
    LightcurveError
        When there is nothing to read, no planet is known, or no light curve shows its transit.
    """
    return join_curves(
        [Path(table) for table in tables],
        settings_of_keywords("season", settings, options),
        Path(out),
        Told(filters=tuple(filters), exposure_s=exposure),
        depth_by_filter=depth_by_filter,
        sample=sample,
        progress=progress or silent,
    )


def reduce_survey(
    roots: Sequence[AnyPath],
    out: AnyPath = "lightcurve-survey",
    *,
    retry: bool = False,
    settings: Settings | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Survey:
    """Reduce all nights below some folders, side by side: ``lightcurve survey``.

    Parameters
    ----------
    roots : sequence of path-like
        Read, never changed.
    out : path-like
        Gets the index ``survey.sqlite`` and the run folders; a survey that was stopped goes on.
    retry : bool
        Whether nights that failed are tried again.
    settings, progress, **options
        As for `reduce_night`, of every night.

    Returns
    -------
    Survey
        With ``nights``, ``curves`` and ``summary``.

    Raises
    ------
    LightcurveError
        When there is no night, or another process writes the index.
    """
    return reduce_many(
        [Path(root) for root in roots],
        settings_of_keywords("survey", settings, options),
        Path(out),
        retry=retry,
        progress=progress or silent,
    )


def plan_tonight(
    site: str | None = None,
    planets: Sequence[str] = (),
    *,
    date: str | None = None,
    nights: int = 1,
    runs: Sequence[AnyPath] = (),
    limits: Mapping[str, float] | None = None,
    sort: str = "score",
    zone: str | None = None,
    out: AnyPath | None = None,
    settings: Settings | None = None,
    **options: Any,
) -> Ahead:
    """Find the transits that can be seen from a site: ``lightcurve tonight``.

    Parameters
    ----------
    site : str, optional
        An observatory by name, or ``"LATITUDE,LONGITUDE,HEIGHT"``, east positive; else that of
        the settings or of `runs`.
    planets : sequence of str
        Planets or stars by name, and planet files; none for all that are known.
    date, nights, runs
        As the options of these names.
    limits : mapping, optional
        What is asked of a transit: ``altitude_deg``, ``sun_deg``, ``moon_deg``, ``share``,
        ``baseline_min``, ``faintest``, ``depth_percent``.
    sort, zone, out
        As the options of these names.
    settings, **options
        As for `reduce_night`; options are ``latitude``, ``telescope_diameter``, ``exposure`` ...

    Returns
    -------
    Ahead
        With ``nights``, each with its ``sky`` and ``chances``, and ``products``.

    Raises
    ------
    LightcurveError
        When nothing tells the site, or something given cannot be.
    """
    return plan_ahead(
        settings_of_keywords("tonight", settings, options),
        site=site,
        planets=planets,
        date=date,
        nights=nights,
        runs=[Path(run) for run in runs],
        limits=Limits(**(limits or {})),
        sort=sort,
        zone=zone,
        out=None if out is None else Path(out),
    )


def inject_transits(
    table: AnyPath,
    out: AnyPath | None = None,
    *,
    injections: int = INJECTIONS,
    pixels: bool = False,
    exposure: float | None = None,
    filter: str | None = None,  # noqa: A002 -- as the option is named
    settings: Settings | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Trust:
    """Put transits into a night's own noise, and look for them: ``lightcurve trust``.

    Parameters
    ----------
    table : path-like
        A run folder, or any table that `fit_transit` takes.
    out : path-like, optional
        The run folder, or ``lightcurve-trust`` for a table, when not given.
    injections : int
        How many.
    pixels : bool
        Put some into the frames of the run, too.
    exposure, filter
        As for `fit_transit`.
    settings, progress, **options
        As for `reduce_night`; the options are those of ``lightcurve trust``, such as ``planet``.

    Returns
    -------
    Trust
        With ``limit``, ``detection``, ``widths``, ``conclusions`` and ``products``.

    Raises
    ------
    LightcurveError
        When the table cannot be read, no planet is known, or the fit fails.
    """
    given = Path(table)
    folder = given if given.is_dir() else Path("lightcurve-trust")
    return put_in(
        table_of(given, "lightcurve.csv"),
        settings_of_keywords("trust", settings, options),
        folder if out is None else Path(out),
        known=Known(exposure_s=exposure, filter=filter),
        injections=injections,
        pixels=pixels,
        progress=progress or silent,
    )


def find_period(
    tables: Sequence[AnyPath],
    out: AnyPath = "lightcurve-period",
    *,
    shortest: float | None = None,
    longest: float | None = None,
    boxes: bool = True,
    name: str = "",
    place: tuple[float, float] | None = None,
    choice: ColumnChoice | None = None,
) -> FoundPeriod:
    """Find the period of a variable star: ``lightcurve period``.

    Parameters
    ----------
    tables : sequence of path-like
        Run folders, folders of them, and tables.
    shortest, longest : float, optional
        Days; four cadences, and the whole span, when not given.
    boxes : bool
        Whether short eclipses are looked for by BLS, too.
    name : str
        Of the star.
    place : tuple of float, optional
        Right ascension and declination, degrees, where no run tells them.
    choice : ColumnChoice, optional
        Columns of tables whose names do not tell.

    Returns
    -------
    FoundPeriod
        With ``search.best``, ``search.others``, ``series`` and ``products``.

    Raises
    ------
    LightcurveError
        When there is nothing to read, too few points, or nothing varies.
    """
    paths = [Path(table) for table in tables]
    star, limits = Star(choice, name, place), Range(shortest, longest)
    return search_period(paths, Path(out), star, limits, boxes=boxes)


def time_minima(
    tables: Sequence[AnyPath],
    out: AnyPath = "lightcurve-minimum",
    *,
    period: float | None = None,
    epoch: float | None = None,
    name: str = "",
    place: tuple[float, float] | None = None,
    choice: ColumnChoice | None = None,
) -> Minima:
    """Time the minima of a star: ``lightcurve minimum``.

    Parameters
    ----------
    tables, name, place, choice
        As for `find_period`.
    period, epoch : float, optional
        Of an eclipsing binary: days, and the time of a primary minimum.

    Returns
    -------
    Minima
        With ``minima``, ``new``, the ephemeris, and ``products``.

    Raises
    ------
    LightcurveError
        When there is nothing to read, or no minimum.
    """
    paths = [Path(table) for table in tables]
    return time_all(paths, Path(out), Star(choice, name, place), period=period, t0=epoch)


def find_variables(
    runs: Sequence[AnyPath],
    out: AnyPath = "lightcurve-variables",
    *,
    periods: bool = True,
    settings: Settings | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Variables:
    """Find the variables among all stars of a season: ``lightcurve variables``.

    Parameters
    ----------
    runs : sequence of path-like
        Folders of finished runs of one field, target and filter.
    periods : bool
        Whether periods of the candidates are looked for.
    settings, **options
        As for `reduce_night`; the options are those of ``lightcurve variables``.
    progress : callable, optional
        As for `reduce_night`.

    Returns
    -------
    Variables
        With ``searched.variables``, ``field``, ``known`` and ``products``.

    Raises
    ------
    LightcurveError
        When there is no run, or runs have no stars in common.
    """
    catalogs = settings_of_keywords("variables", settings, options).catalogs
    return find_all(
        [Path(run) for run in runs],
        Path(out),
        catalogs,
        periods=periods,
        progress=progress or silent,
    )


def follow_star(
    files: Sequence[AnyPath],
    out: AnyPath = "lightcurve-space",
    *,
    product: str = "curves",
    author: str = "",
    sectors: Sequence[int] = (),
    flux: str = "",
    error: str = "",
    settings: Settings | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> SpaceRun:
    """Take a star's light curves from files of TESS, Kepler or K2: ``lightcurve space``.

    Parameters
    ----------
    files : sequence of path-like
        Light-curve and pixel files, cut-outs of full frames, folders of them; or the star's name.
    product, author, sectors
        What is fetched for a name: ``"curves"``, ``"pixels"`` or ``"cutouts"``, whose, and of which
        sectors, quarters or campaigns.
    flux, error : str
        Columns, where others than the usual ones are meant.
    settings, **options
        As for `reduce_night`; the options are those of ``lightcurve space``, such as ``planet``.
    progress : callable, optional
        As for `reduce_night`.

    Returns
    -------
    SpaceRun
        With ``curves``, ``planet``, ``season`` (None where no transit shows) and ``products``.

    Raises
    ------
    LightcurveError
        When nothing can be read, or it is of several stars.
    """
    return follow_files(
        [str(file) for file in files],
        settings_of_keywords("space", settings, options),
        Path(out),
        ColumnChoice(flux=flux, error=error),
        wish=mast_wish(product, author, sectors),
        progress=progress or silent,
    )


def measure_magnitudes(
    runs: Sequence[AnyPath],
    out: AnyPath = "lightcurve-magnitudes",
    *,
    transform: tuple[float, float] | None = None,
    target_colour: float | None = None,
    name: str = "",
    observer_code: str = "",
    camera: str = "CCD",
    chart: str = "",
    settings: Settings | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Magnitudes:
    """Bring light curves onto a standard system: ``lightcurve magnitudes``.

    Parameters
    ----------
    runs : sequence of path-like
        Folders of finished runs of one star and filter.
    transform : tuple of float, optional
        Colour term of the observer's own, and its error.
    target_colour : float, optional
        Of the star, where the catalogue has none.
    name, observer_code, camera, chart : str
        For the AAVSO, whose file is written where there is a code.
    settings, **options
        As for `reduce_night`; the options are those of ``lightcurve magnitudes``.
    progress : callable, optional
        As for `reduce_night`.

    Returns
    -------
    Magnitudes
        With ``tied``, ``field`` and ``products``.

    Raises
    ------
    LightcurveError
        When there is no run, no catalogue has the band, or too few standards are among the stars.
    """
    term, error = transform or (None, 0.0)
    return tie_magnitudes(
        [Path(run) for run in runs],
        settings_of_keywords("magnitudes", settings, options),
        Path(out),
        Transformation(term, error, target_colour),
        Submitter(observer_code, camera, chart),
        name=name,
        progress=progress or silent,
    )


def read_run(run: AnyPath) -> Night:
    """Read a finished run back, without its frames.

    Parameters
    ----------
    run : path-like
        Its folder, wherever it is now.

    Returns
    -------
    Night
        As `reduce_night` gave it, or as ``lightcurve tune --apply`` left it, but for pixels.

    Raises
    ------
    InputError
        Where the folder keeps no night, or one of another version.
    """
    return read_night(Path(run))


def tune_run(
    run: AnyPath,
    *,
    comp: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    radius: float | None = None,
    aperture: str = "",
    weights: str = "",
    exclude: Sequence[str] | None = None,
    apply: bool = False,
    **options: Any,
) -> Night:
    """Make another choice on a finished run, without its frames: what ``lightcurve tune`` does.

    Parameters
    ----------
    run : path-like
        Its folder.
    comp, drop : sequence of str, optional
        Comparison stars to take alone, or to leave out: ``"C4"``.
    radius, aperture, weights
        Aperture in pixels, or by its name (``"1.3 FWHM"``), and weighting.
    exclude : sequence of str, optional
        Files whose points are left out.
    apply : bool
        Write the files of the run anew.
    **options
        Others of ``lightcurve tune``: ``covariate=["airmass"]``, ``planet="planet.toml"`` ...

    Returns
    -------
    Night
        With the curve of that choice and its fit.

    Raises
    ------
    InputError
        For what the run does not have, or where nothing is wished.
    LightcurveError
        Whatever else stands in the way.
    """
    wishes = wishes_of(
        settings_of_keywords("tune", None, options), comp=comp, drop=drop, radius=radius,
        aperture=aperture, weights=weights, exclude=exclude,
    )  # fmt: skip
    return tune_night(Path(run), wishes, apply=apply)


def export_run(kind: str, run: AnyPath, out: AnyPath | None = None, **details: Any) -> list[Path]:
    """Write the files that a service takes, from a run folder: what ``lightcurve export`` does.

    Parameters
    ----------
    kind : str
        Such as ``"aavso-exoplanet"``; ``lightcurve export --help`` lists them.
    run : path-like
        Folder of a finished run.
    out : path-like, optional
        ``export`` in the run folder when not given.
    **details
        What the run does not know, by the names of the options: ``observer_code="ABC"`` ...

    Returns
    -------
    list of Path
        The files written, each checked against its format.

    Raises
    ------
    InputError
        When a value is missing or wrong, with the name of each.
    """
    return write_export(kind, Path(run), Path(out) if out else Path(run) / "export", details)


def simulate_night(
    out: AnyPath,
    *,
    planet: AnyPath | None = None,
    frames: int = 72,
    seed: int = 1,
    progress: Progress | None = None,
    **options: Any,
) -> Simulated:
    """Simulate a night of raw frames, with the truth beside them: ``lightcurve simulate``.

    Parameters
    ----------
    out : path-like
        Empty folder.
    planet : path-like, optional
        Planet file: whose transit is put in.
    frames : int
        Light frames.
    seed : int
        The same seed, the same bytes.
    progress : callable, optional
        As for `reduce_night`.
    **options
        Those of ``lightcurve simulate``: ``exposure=30``, ``cloud=0.3``, ``bias=0`` ...

    Returns
    -------
    Simulated
        Its ``truth`` holds all that went into the frames.

    Raises
    ------
    InputError
        When the order makes no sense, or the folder holds another night.
    """
    request = request_of(planet=planet, frames=frames, seed=seed, **options)
    return simulate_request(Path(out), request, progress=progress or silent)
