"""From a night of raw telescope frames to a published transit light curve.

What a program or a notebook needs, each as on the command line: paths may be text or `Path`,
options are keywords of the same names (``--read-noise`` is ``read_noise``), or all of them a
`Settings` object.

    import lightcurve as lc

    night = lc.reduce_night("NIGHT", "RUN", planet="hatp32b.toml", index="INDEX.fits")
    night.curve.to_pandas(), night.fit.samples, night.measurements, night.stars
    night.plot()

What is not listed in ``__all__`` is the inside of the program and may change.
"""

from __future__ import annotations

from importlib import import_module

from lightcurve.core.constants import __version__

TYPE_CHECKING = False  # as type checkers know it; who runs the program need not load `typing` first
if TYPE_CHECKING:
    from lightcurve.api import (
        export_run,
        find_period,
        find_variables,
        fit_transit,
        follow_star,
        inject_transits,
        join_season,
        measure_magnitudes,
        measure_night,
        plan_tonight,
        read_light_curve,
        read_run,
        reduce_image,
        reduce_night,
        reduce_nights,
        reduce_survey,
        simulate_night,
        time_minima,
        tune_run,
    )
    from lightcurve.core.data import (
        Assumed,
        CurveRecipe,
        Finding,
        LightCurve,
        Measurements,
        Note,
        Parameter,
        Planet,
        Products,
        Result,
        Severity,
        StarPlan,
        TransitFit,
        Verdict,
    )
    from lightcurve.core.errors import FitError, InputError, LightcurveError
    from lightcurve.core.settings import Settings
    from lightcurve.image.reduced import Reduced
    from lightcurve.night.fit_table import Fitted
    from lightcurve.night.reduced import Night
    from lightcurve.season.story import Season
    from lightcurve.simulate.to_order import Simulated
    from lightcurve.space.story import SpaceRun
    from lightcurve.survey.story import Survey
    from lightcurve.tonight.story import Ahead
    from lightcurve.trust.story import Trust
    from lightcurve.variables.story import FoundPeriod, Magnitudes, Minima, Variables

__all__ = [
    "Ahead",
    "Assumed",
    "CurveRecipe",
    "Finding",
    "FitError",
    "Fitted",
    "FoundPeriod",
    "InputError",
    "LightCurve",
    "LightcurveError",
    "Magnitudes",
    "Measurements",
    "Minima",
    "Night",
    "Note",
    "Parameter",
    "Planet",
    "Products",
    "Reduced",
    "Result",
    "Season",
    "Settings",
    "Severity",
    "Simulated",
    "SpaceRun",
    "StarPlan",
    "Survey",
    "TransitFit",
    "Trust",
    "Variables",
    "Verdict",
    "__version__",
    "export_run",
    "find_period",
    "find_variables",
    "fit_transit",
    "follow_star",
    "inject_transits",
    "join_season",
    "measure_magnitudes",
    "measure_night",
    "plan_tonight",
    "read_light_curve",
    "read_run",
    "reduce_image",
    "reduce_night",
    "reduce_nights",
    "reduce_survey",
    "simulate_night",
    "time_minima",
    "tune_run",
]
_HOMES = {
    "lightcurve.api": (
        "follow_star",
        *("export_run", "fit_transit", "join_season", "measure_night", "read_light_curve"),
        *("reduce_image", "reduce_night", "reduce_nights", "simulate_night"),
        *("inject_transits", "plan_tonight", "read_run", "reduce_survey", "tune_run"),
        *("find_period", "find_variables", "measure_magnitudes", "time_minima"),
    ),
    "lightcurve.core.data": (
        *("Assumed", "CurveRecipe", "Finding", "LightCurve", "Measurements", "Note", "Parameter"),
        *("Planet", "Products", "Result", "Severity", "StarPlan", "TransitFit", "Verdict"),
    ),
    "lightcurve.core.errors": ("FitError", "InputError", "LightcurveError"),
    "lightcurve.core.settings": ("Settings",),
    "lightcurve.image.reduced": ("Reduced",),
    "lightcurve.night.fit_table": ("Fitted",),
    "lightcurve.night.reduced": ("Night",),
    "lightcurve.season.story": ("Season",),
    "lightcurve.simulate.to_order": ("Simulated",),
    "lightcurve.space.story": ("SpaceRun",),
    "lightcurve.survey.story": ("Survey",),
    "lightcurve.tonight.story": ("Ahead",),
    "lightcurve.trust.story": ("Trust",),
    "lightcurve.variables.story": ("FoundPeriod", "Magnitudes", "Minima", "Variables"),
}


if not TYPE_CHECKING:  # a checker takes what is imported above, and finds a misspelt name

    def __getattr__(name: str) -> object:
        """Load a function or a type when it is asked for: the command line starts without them."""
        for module, names in _HOMES.items():
            if name in names:
                return getattr(import_module(module), name)
        msg = f"module 'lightcurve' has no attribute {name!r}"
        raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
