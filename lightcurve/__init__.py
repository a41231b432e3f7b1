"""From a night of raw telescope frames to a published transit light curve.

What a program or a notebook needs, each as on the command line: paths may be text or `Path`,
options are keywords of the same names (``--read-noise`` is ``read_noise``), or all of them a
`Settings` object.

    import lightcurve as lc

    night = lc.reduce_night("NIGHT", "RUN", planet="hatp32b.toml", index="INDEX.fits")
    night.curve.to_pandas(), night.fit.samples, night.measurements, night.stars
    night.plot().figure.savefig("curve.pdf")

What is not listed in ``__all__`` is the inside of the program and may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightcurve.core.constants import __version__

if TYPE_CHECKING:
    from os import PathLike

    from lightcurve.core.data import (
        Assumed,
        LightCurve,
        Measurements,
        Note,
        Planet,
        Result,
        StarPlan,
        TransitFit,
        Verdict,
    )
    from lightcurve.core.errors import LightcurveError
    from lightcurve.core.progress import Progress
    from lightcurve.core.settings import Settings
    from lightcurve.image.reduced import Reduced
    from lightcurve.night.fit_table import Fitted
    from lightcurve.night.reduced import Night
    from lightcurve.simulate.to_order import Simulated

    AnyPath = str | PathLike[str]

__all__ = [
    "Assumed",
    "Fitted",
    "LightCurve",
    "LightcurveError",
    "Measurements",
    "Night",
    "Note",
    "Planet",
    "Reduced",
    "Result",
    "Settings",
    "Simulated",
    "StarPlan",
    "TransitFit",
    "Verdict",
    "__version__",
    "export_run",
    "fit_transit",
    "measure_night",
    "read_light_curve",
    "reduce_image",
    "reduce_night",
    "simulate_night",
]
_TYPES = {
    "lightcurve.core.settings": ("Settings",),
    "lightcurve.core.data": (
        *("Assumed", "LightCurve", "Measurements", "Note", "Planet", "Result"),
        *("StarPlan", "TransitFit", "Verdict"),
    ),
    "lightcurve.core.errors": ("LightcurveError",),
    "lightcurve.image.reduced": ("Reduced",),
    "lightcurve.night.reduced": ("Night",),
    "lightcurve.night.fit_table": ("Fitted",),
    "lightcurve.simulate.to_order": ("Simulated",),
}


def __getattr__(name: str) -> Any:
    """Load a type when it is asked for: the command line starts without them."""
    for module, names in _TYPES.items():
        if name in names:
            return getattr(import_module(module), name)
    msg = f"module 'lightcurve' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
    LightcurveError
        Whatever stands in the way, in one line.
    """
    from lightcurve.core.progress import silent
    from lightcurve.night.story import reduce_night as reduce

    return reduce(
        Path(folder),
        _settle(settings, options),
        Path(out),
        manifest=None if manifest is None else Path(manifest),
        progress=progress or silent,
    )


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
    from lightcurve.core.progress import silent
    from lightcurve.night.measure_table import measure_folder

    return measure_folder(
        Path(folder),
        _settle(settings, options),
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
    from lightcurve.image.story import reduce_image as reduce

    return reduce(Path(path), _settle(settings, options), Path(out))


def read_light_curve(
    path: AnyPath, *, columns: Sequence[str] = (), time: str = "", flux: str = "", error: str = ""
) -> LightCurve:
    """Read a light curve of any source: ours, AstroImageJ's, or a table with a time and a flux.

    Parameters
    ----------
    path : path-like
    columns : sequence of str
        Names of the columns of a table without a header.
    time, flux, error : str
        Columns meant, where their names do not tell.

    Returns
    -------
    LightCurve
        Median 1; times and errors as in the table, NaN where it has none.

    Raises
    ------
    InputError
        When there is no such table, or its time or flux cannot be told.
    """
    from lightcurve.tables.light_curves import Choice, read_curve

    return read_curve(Path(path), Choice(tuple(columns), time, flux, error))


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
        With ``curve``, ``planet`` and ``fit``.

    Raises
    ------
    LightcurveError
        When no planet is known, no point has a time, or the fit fails.
    """
    from lightcurve.core.data import LightCurve
    from lightcurve.night.fit_table import Known, fit_light_curve, need_planet

    settled = _settle(settings, options)
    read = curve if isinstance(curve, LightCurve) else read_light_curve(curve)
    known = Known(exposure_s=exposure, filter=filter)
    return fit_light_curve(read, need_planet(settled), settled, known=known)


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
    from lightcurve.exports.export import export_run as export

    return export(kind, Path(run), Path(out) if out else Path(run) / "export", details)


def simulate_night(
    out: AnyPath, *, planet: AnyPath | None = None, frames: int = 72, seed: int = 1, **options: Any
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
    **options
        Fields of `lightcurve.simulate.request.Request`: ``exposure_s``, ``cloud_depth`` ...

    Returns
    -------
    Simulated
        Its ``truth`` holds all that went into the frames.

    Raises
    ------
    InputError
        When the order makes no sense, or the folder holds another night.
    """
    from lightcurve.simulate.request import Request
    from lightcurve.simulate.to_order import simulate_request

    planet_file = None if planet is None else Path(planet)
    request = Request(planet=planet_file, n_frames=frames, seed=seed, **options)
    return simulate_request(Path(out), request)


def _settle(settings: Settings | None, options: dict[str, Any]) -> Settings:
    """Join settings and options; an unknown option is an `InputError` that names its like."""
    from lightcurve.commands.options import settings_of_keywords

    return settings_of_keywords(settings, options)
