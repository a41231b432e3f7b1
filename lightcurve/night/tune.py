"""Other choices for a finished run: what each would give, without a frame; and one of them applied.

What each gives is told by the quick fit, by which the page tells it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lightcurve.core.algebra import one_thread
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.covariates import SLOW
from lightcurve.core.data import ApertureKind, Choice, LightCurve, Products, StarRole
from lightcurve.core.errors import InputError
from lightcurve.core.progress import Progress, open_log, silent, stage
from lightcurve.core.registry import did_you_mean, registry_of
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import Settings, make_settings
from lightcurve.curve.form import Search, prepare_search
from lightcurve.curve.named import Field, find_star
from lightcurve.curve.retake import (
    apertures_of,
    choice_of,
    retake_many,
    retake_plainly,
    retake_whole,
)
from lightcurve.night.keep import keep_night, read_night
from lightcurve.night.reduced import Night, Own
from lightcurve.night.settle import fit_if_known, predicted_transit
from lightcurve.night.store import open_store
from lightcurve.transit.quick import QuickFit, quick_fit

__all__ = ["Tried", "Tuned", "Wishes", "apply_tuned", "reset_run", "tune_night", "tune_run"]

UNSAID = "otherwise"  # options that nobody typed
CLIP_SIGMA = 3.0  # of the residuals: what observers clip by
SHOWN = 8  # names that an error lists
NEAR = 0.005  # of a radius: as it is typed
ASKED = {"covariates", "forbidden", "dilution"}  # of the settings of the fit: what asks for another
STAR_ID = re.compile(r"\s*([A-Za-z]?)(\d{1,6})\s*")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted otherwise than the program has it; what is not told stays.

    Attributes
    ----------
    comparisons, dropped : tuple of str
        Stars as `lightcurve.curve.named.find_star` knows them, or several with commas between:
        those to compare with, and those of them to leave out.
    aperture : str
        A radius in pixels, or what an aperture is called: ``"1.3 FWHM"``.
    weighting : str
        Of the comparison stars.
    excluded : tuple of str
        Frames whose points are left out, by the names of their files.
    changes : mapping
        Settings of the fit, the planet file and the seed, as of a settings file.
    text : str
        All of it as it is typed.
    """

    comparisons: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    aperture: str = ""
    weighting: str = ""
    excluded: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    @property
    def of_choice(self) -> bool:
        """Whether another choice is wanted, and not another fit alone."""
        told = (self.comparisons, self.dropped, self.aperture, self.weighting, self.excluded)
        return any(told)


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A choice, in words and as it is, and what the quick fit makes of its curve."""

    what: str
    choice: Choice
    fit: QuickFit


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """A finished run looked at again.

    Attributes
    ----------
    kept : Night
        As the program has it.
    tried : tuple of Tried
        The program's own choice first; what was wished, or else what one might try.
    night : Night or None
        With the curve that was wished and its full fit; None where nothing was.
    applied : str
        Options by which the files of the run were tuned before; empty where they are the program's.
    """

    kept: Night
    tried: tuple[Tried, ...]
    night: Night | None = None
    applied: str = ""

    @property
    def apertures(self) -> list[str]:
        """What the apertures are called, in the order in which choices count them."""
        return names_of(self.kept)


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Where choices are tried: all that they share. own, curve : the program's choice."""

    night: Night
    search: Search
    own: Choice
    curve: LightCurve

    def is_changed(self, kept: Night) -> bool:
        """Tell whether planet, detrending or dilution are others than those of the run."""
        old, new = (
            (night.target, night.settings.model_dump(include={"fit": ASKED}))
            for night in (kept, self.night)
        )
        return old != new

    def attempt(self, what: str, choice: Choice, curve: LightCurve | None = None) -> Tried:
        """Form the curve of a choice, if it is not at hand, and fit it quickly."""
        night = self.night
        if curve is None:
            curve = self.curve if self._is_own(choice) else retake_plainly(self.search, choice)
        exposure = night.scene.reference.exposure
        fit = quick_fit(
            curve, night.target.planet, choice.covariates, exposure_s=exposure.exposure_s,
            filter_name=exposure.filter, dilution=night.settings.fit.dilution,
        )  # fmt: skip
        return Tried(what, choice, fit)

    def attempt_all(
        self, named: Sequence[tuple[str, Choice]], progress: Progress
    ) -> Iterator[Tried]:
        """Try choices, with what each is called; those that leave no light curve are left out."""
        others = [choice for _, choice in named if not self._is_own(choice)]
        curves = iter(retake_many(self.search, others, progress=progress))
        for what, choice in progress(named, "Trying"):
            curve = self.curve if self._is_own(choice) else next(curves)
            if curve is not None:
                yield self.attempt(what, choice, curve)

    def _is_own(self, choice: Choice) -> bool:
        """Whether a choice has the program's own curve."""
        return replace(choice, covariates=self.own.covariates) == self.own


def names_of(night: Night) -> list[str]:
    """List what the apertures are called that a night offers."""
    return [str(a) for a in apertures_of(night.measurements, night.settings)]


def tune_run(folder: Path, wishes: Wishes, *, progress: Progress = silent) -> Tuned:
    """Try other choices on a finished run; nothing is written.

    Parameters
    ----------
    folder : Path
        Of the run; neither its frames nor its place matter.
    wishes : Wishes
        Without any, every choice that differs in one thing from the program's is tried.

    Raises
    ------
    InputError
        When the folder keeps no night, or a wish names what there is not.
    FitError
        When the choice that was wished leaves no light curve.
    """
    with one_thread():
        found = read_night(folder)
        kept, applied = as_program(found), found.tuned
        bench = set_up(kept, wishes)
        first = bench.attempt("the program's own choice", bench.own)
        if not (wishes.of_choice or bench.is_changed(kept)):
            others = bench.attempt_all([*alternatives(bench, first)], progress)
            return Tuned(kept, (first, *others), applied=applied)
        choice = choose_wished(bench, wishes)
        night = bench.night
        curve = retake_whole(bench.search, choice)
        with stage("fitting the transit"):
            fit, verdict = fit_if_known(curve, night.target, night.scene, night.settings)
        own = Own(kept.target, kept.settings, kept.curve, kept.fit, kept.verdict)
        night = replace(
            night, curve=curve, fit=fit, verdict=verdict, tuned=wishes.text or UNSAID, own=own
        )
        return Tuned(kept, (first, bench.attempt("yours", choice, curve)), night, applied)


def apply_tuned(folder: Path, tuned: Tuned, *, progress: Progress = silent) -> Products:
    """Write the files of a run anew, by the choice that was wished; `reset_run` undoes it.

    Raises InputError where nothing was wished, or the folder cannot be written.
    """
    if tuned.night is None:
        msg = "nothing to apply: name what is to be otherwise, such as --drop or --radius"
        raise InputError(msg)
    return _write(folder, tuned.night, progress)


def tune_night(folder: Path, wishes: Wishes, *, apply: bool = False) -> Night:
    """Make the night of a choice, and where it is to be applied its files.

    Raises InputError where nothing is wished, and else as `tune_run`.
    """
    if not wishes.text:
        msg = "nothing is wished otherwise: name comparison stars, an aperture ..."
        raise InputError(msg)
    tuned = tune_run(folder, wishes)
    if tuned.night is None:
        return tuned.kept
    products = apply_tuned(folder, tuned) if apply else tuned.night.products
    return replace(tuned.night, products=products)


def reset_run(folder: Path, *, progress: Progress = silent) -> Products:
    """Write the files of a run as the program had them."""
    return _write(folder, as_program(read_night(folder)), progress)


def _write(folder: Path, night: Night, progress: Progress) -> Products:
    """Write a night into its run folder; nobody else may be at it."""
    from lightcurve.night.products import write_products

    with open_log(folder), open_store(folder), stage("writing tables, figures and page"):
        keep_night(folder, night)
        return write_products(folder, night, {}, progress=progress)


def as_program(night: Night) -> Night:
    """Take what was tuned back."""
    own = night.own
    if own is None:
        return night
    return replace(
        night, target=own.target, settings=own.settings, curve=own.curve, fit=own.fit,
        verdict=own.verdict, tuned="", own=None,
    )  # fmt: skip


def set_up(night: Night, wishes: Wishes) -> Bench:
    """Get ready to try choices, with planet and settings of the fit as wished."""
    settings, target = night.settings, night.target
    if wishes.changes:
        settings = _changed(settings, wishes.changes)
    if "planet_file" in wishes.changes.get("target", {}):
        from lightcurve.night.fit_table import SAME_STAR_DEG, need_planet

        planet = need_planet(settings)
        apart = degrees_apart((target.ra_deg, target.dec_deg), (planet.ra_deg, planet.dec_deg))
        if apart > SAME_STAR_DEG:
            msg = f"{planet.name} is {apart:.3g} deg from {target.name}: another star's --planet?"
            raise InputError(msg)
        target = replace(target, planet=planet)
    names = night.fit.covariates if night.fit else settings.fit.covariates or ()
    night = replace(night, settings=settings, target=target)
    search = prepare_search(
        night.measurements, settings, in_transit=predicted_transit(target, night.measurements),
        blend=night.blend,
    )  # fmt: skip
    own = choice_of(night.curve, night.measurements, settings, names)
    return Bench(night, search, own, retake_plainly(search, own))


def _changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Put changes into settings, section by section."""
    values = settings.model_dump(exclude_unset=True)
    for section, more in changes.items():
        old = values.get(section)
        values[section] = {**old, **more} if isinstance(old, dict) else more
    return make_settings(values)


def choose_wished(bench: Bench, wishes: Wishes) -> Choice:
    """Turn wishes into a choice; raises InputError for what there is not, and the nearest to it."""
    rows = rows_named(bench.night, wishes.comparisons) or bench.own.rows
    dropped = rows_named(bench.night, wishes.dropped)
    if extra := [row for row in dropped if row not in rows]:
        ids = ", ".join(f"C{row + 1}" for row in rows)
        msg = f"C{extra[0] + 1} takes no part: compared with are {ids}"
        raise InputError(msg)
    rows = tuple(row for row in rows if row not in dropped)
    if not rows:
        msg = "no comparison star is left: name one with --comp"
        raise InputError(msg)
    if wishes.weighting:
        registry_of("comparison weighting").get(wishes.weighting)
    aperture = aperture_named(bench, wishes.aperture) if wishes.aperture else bench.own.aperture
    covariates = bench.night.settings.fit.covariates
    return Choice(
        rows,
        aperture,
        wishes.weighting or bench.own.weighting,
        bench.own.covariates if covariates is None else covariates,
        files_named(bench.night, wishes.excluded),
    )


def rows_named(night: Night, names: Sequence[str]) -> tuple[int, ...]:
    """Find stars, rows of the plan, in order: ids or places, several ids with commas between.

    Two plain numbers are pixels or a place on the sky, as for `run`.
    """
    scene, plan, rows = night.scene, night.stars, set()
    field = Field(scene.solution.wcs, scene.recipe.shape)
    for name in names:
        ids = [STAR_ID.fullmatch(part) for part in name.split(",")]
        several = all(ids) and (len(ids) != 2 or any(one and one[1] for one in ids))
        for part in name.split(",") if several else [name]:
            row = find_star(plan, part, field)
            if plan.role[row] == StarRole.TARGET:
                msg = f"{part.strip()} is the target: it is compared with others"
                raise InputError(msg)
            rows.add(row)
    return tuple(sorted(rows))


def aperture_named(bench: Bench, name: str) -> int:
    """Find an aperture by its radius in pixels, or by what it is called."""
    names = names_of(bench.night)
    plain = [_plainly(one) for one in names]
    if _plainly(name) in plain:
        return plain.index(_plainly(name))
    apertures = apertures_of(bench.night.measurements, bench.night.settings)
    fixed = {k: a.value for k, a in enumerate(apertures) if a.kind is ApertureKind.FIXED}
    try:
        wanted = float(name.lower().removesuffix("px"))
    except ValueError:
        meant = did_you_mean(name, names)
    else:
        near = min(fixed, key=lambda k: abs(fixed[k] - wanted), default=None)
        if near is not None and abs(fixed[near] - wanted) <= NEAR * fixed[near]:
            return near
        meant = "" if near is None else f"; did you mean {names[near]}?"
    msg = f"no aperture {name!r} was measured: there are {', '.join(names)}{meant}"
    raise InputError(msg)


def _plainly(name: str) -> str:
    return name.replace(" ", "").lower()


def files_named(night: Night, names: Sequence[str]) -> tuple[str, ...]:
    """Find measured frames by the names of their files, with folder and ending or without."""
    files = night.measurements.file.tolist()
    lost = {result.file: result.reason for result in night.failed}
    by_name: dict[str, set[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        for short in (file, path.name, path.stem):
            by_name.setdefault(short, set()).add(file)
    found = set()
    for name in names:
        meant = by_name.get(name, set())
        if len(meant) != 1:
            what = f"{len(meant)} measured frames are" if meant else "no measured frame is"
            listed = ", ".join(sorted(meant)[:SHOWN]) or f"{files[0]} to {files[-1]}"
            near = "" if meant else did_you_mean(name, files)
            msg = f"{what} called {name}: {lost.get(name) or f'{listed}{near}'}"
            raise InputError(msg)
        found |= meant
    return tuple(file for file in files if file in found)


def alternatives(bench: Bench, own: Tried) -> Iterator[tuple[str, Choice]]:
    """List the choices that differ in one thing from the program's own."""
    choice = bench.own
    for k, name in enumerate(names_of(bench.night)):
        if k != choice.aperture:
            yield f"aperture {name}", replace(choice, aperture=k)
    for row in choice.rows if len(choice.rows) > 1 else ():
        yield f"without C{row + 1}", replace(choice, rows=tuple(r for r in choice.rows if r != row))
    for weighting in registry_of("comparison weighting"):
        if weighting.name != choice.weighting:
            yield f"weights {weighting.name}", replace(choice, weighting=weighting.name)
    known = bench.night.curve.covariates
    sets = [(), *((name,) for name in known), tuple(name for name in SLOW if name in known)]
    for names in dict.fromkeys(sets):
        if names != choice.covariates:
            yield (
                f"detrended by {' and '.join(names) or 'nothing'}",
                replace(choice, covariates=names),
            )
    residual = np.where(own.fit.used, own.fit.residual, np.nan)
    far = np.abs(residual) > CLIP_SIGMA * robust_scatter(residual)
    if far.any():
        files = tuple(bench.night.measurements.file[far].tolist())
        what = f"without {len(files)} point{'s' * (len(files) > 1)} beyond {CLIP_SIGMA:g} sigma"
        yield what, replace(choice, excluded=files)
