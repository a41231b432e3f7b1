"""`lightcurve tune`: other choices for a finished run, without frames."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import OPTIONS, Json, Verbose, takes_settings
from lightcurve.commands.shell import bar, print_json, print_products, print_table, records, say
from lightcurve.core.errors import InputError

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.night.tune import Tried, Tuned, Wishes

_CHOICE = "The choice"
__all__ = ["wishes_of"]

SECTIONS = ("target", "fit", "seed")
ALL = "--all"
LITTLE = 0.25  # of an error: adds 3 % to it


def _choice(flag: str, text: str) -> Any:
    return typer.Option(flag, help=text, rich_help_panel=_CHOICE)


@takes_settings("target.planet_file", "fit", "seed", own_file=False)
def tune(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    *,
    settings: Settings,
    comp: Annotated[
        list[str] | None,
        _choice("--comp", "Compare with these alone: C4,C7 as in stars.csv, or 'RA,DEC'; repeat."),
    ] = None,
    drop: Annotated[
        list[str] | None, _choice("--drop", "Compare without these, C4,C7; repeat.")
    ] = None,
    radius: Annotated[
        float | None, _choice("--radius", "Aperture radius, px, of those measured.")
    ] = None,
    aperture: Annotated[
        str, _choice("--aperture", "Aperture by its name, such as '1.3 FWHM'.")
    ] = "",
    weights: Annotated[str, _choice("--weights", "Of comparison stars: scatter or sum.")] = "",
    exclude: Annotated[
        list[str] | None, _choice("--exclude", "Leave out the point of this frame; repeat.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write curve, fit, figures and page anew.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Write all as the program had it, to the byte.")
    ] = False,
    everything: Annotated[
        bool, typer.Option(ALL, help="Also the stars that change nothing when left out.")
    ] = False,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Try other comparison stars, apertures and detrending on a finished run, without its frames.

    Without options: what every choice gives that differs in one thing. With options: that choice
    beside the program's own; --apply makes it the run's.

    Examples: lightcurve tune RUN; lightcurve tune RUN --drop C4 --radius 5; lightcurve tune RUN
    --comp C2,C5 --covariate airmass --exclude light_0031.fits --apply; lightcurve tune RUN --reset
    """
    from lightcurve.night.tune import apply_tuned, reset_run, tune_run

    wishes = wishes_of(
        settings, comp=comp, drop=drop, radius=radius, aperture=aperture, weights=weights,
        exclude=exclude,
    )  # fmt: skip
    if reset:
        if wishes.text or apply:
            msg = f"--reset goes alone, without {wishes.text or '--apply'}"
            raise typer.BadParameter(msg)
        print_products("Run", reset_run(folder, progress=bar), json=json, verbose=verbose)
        return
    if apply and not wishes.text:
        msg = "nothing to apply: name what is to be otherwise, such as --drop or --radius"
        raise typer.BadParameter(msg)
    tuned = tune_run(folder, wishes, progress=bar)
    if apply:
        products = apply_tuned(folder, tuned, progress=bar)
        print_products("Run", products, json=json, verbose=verbose)
        return
    if json:
        print_json(_record(tuned))
        return
    _show(tuned, folder, everything=everything)


def wishes_of(
    settings: Settings,
    *,
    comp: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    radius: float | None = None,
    aperture: str = "",
    weights: str = "",
    exclude: Sequence[str] | None = None,
) -> Wishes:
    """Put the options of the command together; of the settings those that were given count.

    Raises InputError where both a radius and the name of an aperture are given.
    """
    from lightcurve.night.tune import Wishes

    if radius is not None and aperture:
        msg = "give --radius or --aperture, not both"
        raise InputError(msg)
    size = "" if radius is None else f"{radius:g}"
    typed = {
        "--comp": comp, "--drop": drop, "--radius": size, "--aperture": aperture,
        "--weights": weights, "--exclude": exclude,
    }  # fmt: skip
    given = settings.model_dump(mode="json", exclude_unset=True)
    changes = {name: given[name] for name in SECTIONS if name in given}
    return Wishes(
        tuple(comp or ()), tuple(drop or ()), size or aperture, weights, tuple(exclude or ()),
        changes, shlex.join([*_words(typed), *_words(_typed(changes))]),
    )  # fmt: skip


def _typed(changes: dict[str, Any]) -> dict[str, Any]:
    """Tell by which options settings were given."""
    flat = {
        f"{section}.{name}": value
        for section, values in changes.items()
        for name, value in (values.items() if isinstance(values, dict) else ())
    }
    flat |= {name: value for name, value in changes.items() if not isinstance(value, dict)}
    return {OPTIONS[name].flag: value for name, value in flat.items() if name in OPTIONS}


def _words(given: Mapping[str, Any]) -> Iterator[str]:
    """Write options as they are typed; those that were not given are None or empty."""
    for flag, value in given.items():
        if flag == OPTIONS["fit.covariates"].flag and value == []:
            yield from (flag, "none")
        elif isinstance(value, bool):
            yield flag.split("/")[0 if value else -1]
        elif flag == OPTIONS["fit.dilution"].flag and value:
            yield from (flag, *(f"{number:g}" for number in value))
        elif isinstance(value, list | tuple):
            yield from (word for one in value for word in (flag, one))
        elif value not in {None, ""}:
            yield from (flag, str(value))


def options_of(one: Tried, own: Tried, apertures: Sequence[str]) -> list[str]:
    """Write the options that make a choice of the program's own, as they are typed.

    apertures: what they are called, as choices count them.
    """
    choice, was = one.choice, own.choice
    words: list[str] = []
    if choice.rows != was.rows:
        added = set(choice.rows) - set(was.rows)
        named = choice.rows if added else [row for row in was.rows if row not in choice.rows]
        words += ["--comp" if added else "--drop", ",".join(f"C{row + 1}" for row in named)]
    if choice.aperture != was.aperture:
        words += ["--aperture", apertures[choice.aperture]]
    if choice.weighting != was.weighting:
        words += ["--weights", choice.weighting]
    if choice.covariates != was.covariates:
        words += _words({OPTIONS["fit.covariates"].flag: list(choice.covariates)})
    return [*words, *_words({"--exclude": choice.excluded})]


def changes_nothing(one: Tried, own: Tried) -> bool:
    """Whether a choice moves no number by more than what its error would not notice."""
    new, old = one.fit, own.fit
    if abs(new.scatter / old.scatter - 1) > (2 * old.n_points) ** -0.5:  # error of a scatter
        return False
    numbers = [
        (new.mid_time, old.mid_time, old.mid_time_err),
        (new.rp_over_rs, old.rp_over_rs, old.rp_over_rs_err),
    ]
    return all(
        b is None if a is None or b is None else abs(a - b) <= LITTLE * (err or 0.0)
        for a, b, err in numbers
    )


def _show(tuned: Tuned, folder: Path, *, everything: bool) -> None:
    """Show what choices give, and beside the program's own fit that of the one wished."""
    title = f"{tuned.kept.target.name}, quick fits of {len(tuned.tried)} choices"
    own, *others = tuned.tried
    stars = [one for one in others if one.choice.rows != own.choice.rows]
    alike = [] if everything or tuned.night else [s for s in stars if changes_nothing(s, own)]
    rows = [_numbers(one) for one in tuned.tried if one not in alike]
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    print_table(title, names, ([row[name] for name in names] for row in rows), whole=names[1:])
    if alike:
        without = ",".join(options_of(one, own, tuned.apertures)[-1] for one in alike)
        say(
            f"{len(alike)} of {len(stars)} comparison stars change nothing when left out ({ALL} "
            f"shows them), mid-time and Rp/R* by less than {LITTLE:g} of their errors, scatter by "
            f"less than its own: {without}"
        )
    if tuned.applied:
        say(f"the files of this run are tuned by {tuned.applied}; --reset undoes it")
    line = shlex.join(["lightcurve", "tune", str(folder)])
    if tuned.night is None:
        same = [one for one in others if one.choice.excluded == own.choice.excluded]
        if same:
            least = min(same, key=lambda one: one.fit.scatter)
            words = shlex.join(options_of(least, own, tuned.apertures))
            say(f"for the full fit of one, here of the least scatter: {line} {words}")
        return
    results = {"the program's own": tuned.kept.fit_results, "yours": tuned.night.fit_results}
    told = {
        result.label: None for one in results.values() for result in one.values() if result.label
    }
    if tuned.night.fit_results:
        by_label = [{r.label: r.text or r.value for r in one.values()} for one in results.values()]
        lines = ([label, *(one.get(label) for one in by_label)] for label in told)
        print_table("The full fit", ["", *results], lines)
    say(f"--apply makes it the run's: {line} {tuned.night.tuned} --apply")


def _numbers(one: Tried) -> dict[str, str]:
    """Lay out a choice and its numbers for people; empty where they are not known."""
    fit = one.fit

    def text(value: float | None, form: str, scale: float = 1.0) -> str:
        return "" if value is None or isnan(value) else f"{scale * value:{form}}"

    return {
        "": one.what,
        "scatter %": text(fit.scatter, ".3f", 100),
        "mid-time, BJD_TDB": text(fit.mid_time, ".5f"),
        "+- min": text(fit.mid_time_err, ".2f", 1440),
        "depth %": text(fit.depth, ".3f", 100),
        "Rp/R*": text(fit.rp_over_rs, ".4f"),
        "+-": text(fit.rp_over_rs_err, ".4f"),
        "points": str(fit.n_points),
        "BIC": text(fit.bic, ".1f"),
    }


def _record(tuned: Tuned) -> dict[str, Any]:
    """Lay all out for programs, to full precision."""
    found = {"choices": [_choice_record(one, tuned) for one in tuned.tried]}
    nights = {"own": tuned.kept, "wished": tuned.night}
    fits = {name: records(night.fit_results) for name, night in nights.items() if night}
    return {**found, "fits": fits, "applied": tuned.applied}


def _choice_record(one: Tried, tuned: Tuned) -> dict[str, Any]:
    choice, fit = one.choice, one.fit
    return {
        "what": one.what,
        "options": options_of(one, tuned.tried[0], tuned.apertures),
        "comparisons": [f"C{row + 1}" for row in choice.rows],
        "aperture": tuned.apertures[choice.aperture],
        "weights": choice.weighting,
        "covariates": choice.covariates,
        "excluded": choice.excluded,
        "scatter_percent": 100 * fit.scatter,
        "mid_time_bjd_tdb": fit.mid_time,
        "mid_time_err_minutes": None if fit.mid_time_err is None else 1440 * fit.mid_time_err,
        "rp_over_rs": fit.rp_over_rs,
        "rp_over_rs_err": fit.rp_over_rs_err,
        "depth_percent": None if fit.depth is None else 100 * fit.depth,
        "points": fit.n_points,
        "bic": fit.bic,
    }
