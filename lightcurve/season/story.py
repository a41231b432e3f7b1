"""The story of a season: many light curves of one planet, to the times of its transits."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.core.data import Planet, Products
from lightcurve.core.data.curves import NOTHING_WRITTEN
from lightcurve.core.errors import FitError
from lightcurve.core.progress import Progress, open_log, silent, stage
from lightcurve.core.settings import Settings
from lightcurve.season.nights import (
    SeasonNight,
    Told,
    find_planet,
    find_tables,
    fit_nights,
    of_planet,
    without_repeats,
)
from lightcurve.season.products import write_nights, write_season
from lightcurve.transit.joint import Joint, JointSolution, fit_together
from lightcurve.transit.mistakes import Judged, Mistake, clock_mistakes, judge_times
from lightcurve.transit.sample import Posterior, sample_posterior
from lightcurve.transit.times import Ephemeris, Times, known_ephemeris
from lightcurve.transit.variation import Timing, Variation, try_variations

__all__ = ["Season", "join_season"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """A joint posterior: of the names of `joint`, about the ephemeris where mid-times follow one.

    Attributes
    ----------
    linear : bool
        Whether they do; else each mid-time is free.
    """

    joint: Joint
    posterior: Posterior
    linear: bool


@dataclass(frozen=True, slots=True, eq=False)
class Season:
    """Light curves of one planet, joined.

    Attributes
    ----------
    nights : tuple of SeasonNight
        In the order of time; those without a fit last.
    joint : JointSolution
        Of the nights that show a transit (`found`): one shape, and each one's mid-time.
    times : Times
        Their mid-times, in the same order.
    judged : Judged
        What they say of one another.
    known : Ephemeris
        As it was.
    timing : Timing
        What the kept ones say of the ephemeris.
    sampled : Sampled or None
        The kept nights' joint posterior, where it was asked for.
    products : Products
        What was written.
    """

    planet: Planet
    nights: tuple[SeasonNight, ...]
    joint: JointSolution
    times: Times
    judged: Judged
    known: Ephemeris
    timing: Timing
    sampled: Sampled | None = None
    products: Products = NOTHING_WRITTEN

    @property
    def found(self) -> list[SeasonNight]:
        """The nights that show a transit."""
        return [night for night in self.nights if night.found]

    @property
    def ephemeris(self) -> Ephemeris:
        """The new one, linear."""
        return self.timing.ephemeris

    def tell(self) -> None:
        """Say in the log which mid-times contradict the others."""
        for night, words in zip(self.found, self.judged.words, strict=True):
            if words:
                log.warning("%s: %s", night.label, words)


def join_season(
    paths: Sequence[Path],
    settings: Settings,
    out: Path,
    told: Told | None = None,
    *,
    depth_by_filter: bool = False,
    sample: bool = False,
    progress: Progress = silent,
) -> Season:
    """Fit many light curves of one planet, each by itself and all together.

    Parameters
    ----------
    paths : sequence of Path
        Run folders, folders of them, surveys, and tables of any program that `fit` reads.
    settings : Settings
        Its target, site, fit and seed are used.
    out : Path
        Gets season.json, mid_times.csv, nights.csv, the figures, and run.log; made if need be.
    told : Told, optional
        What the tables do not tell themselves.
    depth_by_filter : bool
        Whether Rp/R* is each filter's own.
    sample : bool
        Whether the joint posterior is sampled.

    Raises
    ------
    InputError
        When there is nothing to read, or no planet is known.
    FitError
        When no light curve shows a transit; nights.csv says why.
    """
    with open_log(out):
        tables = find_tables(paths)
        planet = find_planet(tables, settings)
        tables = of_planet(tables, paths, planet)
        fitted = fit_nights(tables, planet, settings, told or Told(), progress)
        nights = in_order(without_repeats(fitted))
        listed = write_nights(out, nights)
        if not any(night.found for night in nights):
            msg = f"none of {len(nights)} light curves shows a transit of {planet.name}: {listed}"
            raise FitError(msg)
        with stage("fitting all nights together"):
            joint = join(nights, depth_by_filter=depth_by_filter)
            known = known_ephemeris(planet)
            times = time_all(joint, known)
            judged = judge_times(times, known, mistakes_of(nights, times, planet))
            timing = try_variations(times.of(judged.kept), known)
        season = Season(planet, nights, joint, times, judged, known, timing)
        season.tell()
        if sample:
            with stage("sampling all nights together"):
                drawn = sample_all(season, settings, depth_by_filter=depth_by_filter)
            season = replace(season, sampled=drawn)
        with stage("drawing"):
            return replace(season, products=write_season(out, season))


def in_order(nights: Iterable[SeasonNight]) -> tuple[SeasonNight, ...]:
    """Put nights in the order of their times; those without a fit last."""
    return tuple(sorted(nights, key=lambda night: night.first))


def join(nights: Sequence[SeasonNight], *, depth_by_filter: bool) -> JointSolution:
    """Fit one shape and each night's mid-time to the nights that show a transit."""
    solutions = [night.solved for night in nights if night.found and night.solved]
    filters = [night.filter or "unknown" for night in nights if night.found]
    return fit_together(solutions, filters, depth_by_filter=depth_by_filter)


def time_all(joint: JointSolution, known: Ephemeris) -> Times:
    """Count the epochs of mid-times: each is the nearest of the ephemeris that was known."""
    mid, cov = joint.mids()
    epoch = known.epoch + np.rint((mid - known.t0) / known.period).astype(int)
    return Times(epoch, mid, cov)


def mistakes_of(nights: Sequence[SeasonNight], times: Times, planet: Planet) -> list[list[Mistake]]:
    """List for each night that shows a transit what mistakes would do to its times."""
    found = [night for night in nights if night.found]
    return [
        clock_mistakes(float(mid), planet.ra_deg, planet.dec_deg, night.exposure_s)
        for night, mid in zip(found, times.mid, strict=True)
    ]


def sample_all(season: Season, settings: Settings, *, depth_by_filter: bool) -> Sampled:
    """Sample the joint posterior: of T0 and period where a line was found, else of mid-times."""
    kept, new = season.judged.kept, season.ephemeris
    nights = [night for night, used in zip(season.found, kept, strict=True) if used]
    epochs = season.times.epoch[kept]
    linear = season.timing.found is Variation.LINEAR and len(np.unique(epochs)) > 1
    best = fit_together(
        [night.solved for night in nights if night.solved],
        [night.filter or "unknown" for night in nights],
        depth_by_filter=depth_by_filter,
        ephemeris=(epochs - new.epoch, new.t0, new.period) if linear else None,
    )
    posterior = sample_posterior(
        best.joint, best.p, best.cov,
        rng=np.random.default_rng(settings.seed), max_steps=settings.fit.max_steps,
    )  # fmt: skip
    log.info("%s", posterior.note())
    return Sampled(best.joint, posterior, linear)
