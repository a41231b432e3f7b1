"""What a shell offers where a word is typed: loaded when Tab is pressed, not before."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Complete = Callable[[str], list[str]]
MOST = 200  # names: nobody reads more
# Setting to the kind of registered thing that it names; and what may be named beside these.
REGISTERED = {
    "camera.profile": ("camera profile", ("none",)),
    "stars.weights": ("comparison weighting", ()),
    "solve.solvers": ("solver", ()),
    "apertures.centroid": ("centroid", ()),
    "fit.covariates": ("covariate", ("none",)),
    "fit.forbidden": ("covariate", ()),
    "image.services": ("service", ("standards",)),
    "image.standards": ("service", ()),
    "image.finder": ("finder", ()),
}


def begun(names: Iterable[str], incomplete: str) -> list[str]:
    """Keep the names that begin as typed."""
    return [name for name in names if name.startswith(incomplete)][:MOST]


def for_setting(setting: str) -> Complete | None:
    """Choose what completes an option by its setting; None leaves it to the shell: files."""
    if setting == "target.name":
        return planets
    if setting in REGISTERED:
        return lambda incomplete: begun(_registered(setting), incomplete)
    return lambda incomplete: begun(_choices(setting), incomplete)


def _registered(setting: str) -> tuple[str, ...]:
    from lightcurve.core.registry import registry_of

    kind, more = REGISTERED[setting]
    return (*registry_of(kind).names(), *more)


def _choices(setting: str) -> list[str]:
    """List what a setting may be, where that is one of a few."""
    from lightcurve.core.settings_files import choices_of

    return choices_of(setting)


def planets(incomplete: str) -> list[str]:
    """Name the known planets that begin as typed, without blanks: a shell takes them for ends."""
    from lightcurve.catalogs.known_planets import the_table

    return begun((one.name.replace(" ", "") for one in the_table().planets.values()), incomplete)


def exports(incomplete: str) -> list[str]:
    """Name the formats of files to submit."""
    from lightcurve.exports.formats import EXPORTS

    return begun(EXPORTS.names(), incomplete)


def figures(incomplete: str) -> list[str]:
    """Name the figures of a run."""
    from lightcurve.night.figures import FIGURES

    return begun(FIGURES.names(), incomplete)


def styles(incomplete: str) -> list[str]:
    """Name the styles of figures."""
    from lightcurve.report.style import STYLES

    return begun(STYLES, incomplete)


def figure_formats(incomplete: str) -> list[str]:
    """Name the formats of figures."""
    from lightcurve.report.style import FORMATS

    return begun((suffix.removeprefix(".") for suffix in FORMATS), incomplete)
