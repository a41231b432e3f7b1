"""The story of a night's noise: transits put into it, looked for, and held against the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.core.data import Products
from lightcurve.core.data.curves import NOTHING_WRITTEN
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.processes import divide, usable
from lightcurve.core.progress import Progress, open_log, silent, stage
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import FitSettings, Settings, validated
from lightcurve.night.fit_table import OURS, Fitted, Known, fit_light_curve, read_to_fit
from lightcurve.night.products import write_page_anew
from lightcurve.night.reduced import KEPT
from lightcurve.tables.run_folder import read_record
from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.inject import Injector, Order, Purpose, Trial, half_of, make_injector
from lightcurve.trust.pixels import PixelTrial, try_pixels
from lightcurve.trust.products import conclusions, write_trust
from lightcurve.trust.rates import MOST, Detection, Width, fit_detection, measure_width

__all__ = ["INJECTIONS", "Trust", "inject_transits"]

INJECTIONS = 200
SHARES = {"first": 0.15, Purpose.RATE: 0.4, Purpose.ERRORS: 0.22, Purpose.PHASE: 0.13,
          Purpose.NONE: 0.1}  # fmt: skip
# White errors of a depth, between which half are found: noise with a memory makes it several times
# as many as the four or so of white noise.
FIRST = (1.5, 40.0)
LEAST_INSIDE = 3  # points
LEAST_ROBUST = 0.5  # of the plain scatter: rounded fluxes have no robust one
RATES = (0.08, 0.3, 0.55, 0.8, 0.95)  # at which the rest is put in
SURE = 1.5  # times the depth that is found in 95 %: errors are tried where nothing is missed
EACH_LEAST = 4
# A night is a few stretches as long as a transit; each tells the noise there by its level and its
# slope. So few numbers tell a scatter to 1 / sqrt(2 n).
NUMBERS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """What a night's own noise does to transits.

    Attributes
    ----------
    fitted : Fitted
        The night as it is; its fit not sampled.
    detection : Detection
        How often transits are found by their depth, per cent, where the night has its own.
    widths : mapping of str to Width
        How far what was found of depth (per cent), mid-time and duration (days) lies from the
        truth: of transits of `shown` per cent.
    false_alarms : tuple of int
        Transits found where none was put in, and how many times it was tried.
    trials : tuple of Trial
        All that were put into the light curve.
    pixels : tuple of PixelTrial
        Those that were put into the frames.
    """

    fitted: Fitted
    detection: Detection
    widths: dict[str, Width]
    shown: float
    false_alarms: tuple[int, int]
    trials: tuple[Trial, ...]
    pixels: tuple[PixelTrial, ...] = ()
    products: Products = NOTHING_WRITTEN

    @property
    def limit(self) -> tuple[float, float]:
        """The depth, per cent, that is found in 95 of 100, and its error."""
        return self.detection.depth(MOST)

    @property
    def conclusions(self) -> tuple[str, ...]:
        """What it comes to, in words, a line each."""
        return conclusions(self)

    @property
    def observed(self) -> tuple[float, float] | None:
        """Depth of the night's own transit, per cent, and its error; None where none was found."""
        depth = self.fitted.fit.parameters.get("depth_percent")
        return None if depth is None else (depth.value, half_of(depth))


def inject_transits(
    path: Path,
    settings: Settings,
    out: Path,
    *,
    known: Known | None = None,
    injections: int = INJECTIONS,
    pixels: bool = False,
    progress: Progress = silent,
) -> Trust:
    """Put transits into a light curve of any source, and write what comes of it.

    Parameters
    ----------
    path : Path
        Our lightcurve.csv, a table of AstroImageJ, or any table with times and fluxes.
    settings : Settings
        As for `fit_table`; where they ask nothing of the fit, that of the run is as it was there.
    out : Path
        Gets trust.json, trust.csv and figures/trust.png; made if need be.
    injections : int
        How many.
    pixels : bool
        Put some into the frames of the run, too, and reduce these anew.

    Raises
    ------
    InputError
        When the table cannot be read, no planet is known, or frames are wanted and not there.
    LightcurveError
        When the fit fails, or the frames cannot be reduced.
    """
    known = known or Known()
    is_run = path.name == OURS and (path.parent / KEPT).is_file()
    if pixels and not is_run:
        msg = f"{path}: --pixels needs the folder of a run, with its frames where they were"
        raise InputError(msg)
    curve, planet, record = read_to_fit(path, settings, known)
    how = fit_settings(settings, path).model_copy(update={"sample": False})
    with open_log(out), stage("fitting the transit"):
        fitted = fit_light_curve(
            curve, planet, settings.model_copy(update={"fit": how}), known=known, record=record
        )
    trust = try_injections(
        fitted, how, injections=injections, seed=settings.seed,
        workers=settings.workers or usable(), progress=progress,
    )  # fmt: skip
    if pixels:
        injector = injector_of(fitted, how, settings.seed)
        tried = try_pixels(path.parent, injector, trust.shown / 100, settings, progress)
        trust = replace(trust, pixels=tuple(tried))
    with stage("drawing"):
        products = write_trust(out, trust, planet.name)
        page = write_page_anew(out) if is_run and out.resolve() == path.parent.resolve() else None
    if page is not None:
        products = replace(products, paths={**products.paths, "report.html": page})
    return replace(trust, products=products)


def fit_settings(settings: Settings, path: Path) -> FitSettings:
    """Take the settings of the fit: those of the run, where nothing else is asked."""
    if settings.fit.model_copy(update={"sample": True}) != FitSettings():
        return settings.fit
    of_run = read_record(path.parent).get("settings", {}).get("fit", {})
    return validated(FitSettings, of_run, "run.toml")


def try_injections(
    fitted: Fitted,
    settings: FitSettings,
    *,
    injections: int = INJECTIONS,
    seed: int = 1,
    workers: int = 1,
    progress: Progress = silent,
) -> Trust:
    """Put transits into a night that was fitted without sampling, and find what comes of them.

    Raises FitError where its fit is not at hand.
    """
    injector = injector_of(fitted, settings, seed)
    count = {name: max(EACH_LEAST, round(share * injections)) for name, share in SHARES.items()}
    rng = np.random.default_rng(seed)
    first = np.geomspace(*FIRST, count["first"]) * white_error(fitted, injector)
    orders = [Order(Purpose.RATE, float(depth), 0.0, k) for k, depth in enumerate(first)]
    trials = list(run(injector, orders, workers, progress, "Looking for the limit"))
    pilot = _detect(trials, injector)
    depths = np.resize([pilot.depth(rate)[0] for rate in RATES], count[Purpose.RATE])
    depths = np.where(np.isfinite(depths), depths, first.max())
    shown = _shown(fitted, pilot, first)
    half, sure = min(pilot.depth(0.5)[0], first.max()), max(shown, depths.max())
    wanted = [(Purpose.RATE, float(depth), 0.0) for depth in depths]
    wanted += [(Purpose.ERRORS, shown, 0.0)] * count[Purpose.ERRORS]
    wanted += [
        (Purpose.PHASE, float(math.exp(rng.uniform(math.log(half), math.log(sure)))), move)
        for move in _moves(injector, count[Purpose.PHASE], rng)
    ]
    wanted += [(Purpose.NONE, shown, 0.0)] * count[Purpose.NONE]
    orders = [Order(*one, len(first) + k) for k, one in enumerate(wanted)]
    trials += run(injector, orders, workers, progress, "Putting transits in")
    trials.sort(key=lambda trial: trial.order.number)
    return _conclude(fitted, injector, trials, 100 * shown)


def injector_of(fitted: Fitted, settings: FitSettings, seed: int) -> Injector:
    """Get a night ready that was fitted; raises FitError where its fit is not at hand."""
    if fitted.solved is None:
        msg = "no fit of this light curve is at hand"
        raise FitError(msg)
    exposure, band = (value.value for value in fitted.values)
    return make_injector(
        fitted.curve, fitted.planet, fitted.fit, fitted.solved,
        exposure_s=exposure if isinstance(exposure, int | float) else 0.0,
        filter_name=band if isinstance(band, str) else None,
        settings=settings, seed=seed,
    )  # fmt: skip


def run(
    injector: Injector, orders: Sequence[Order], workers: int, progress: Progress, what: str
) -> Iterator[Trial]:
    """Put transits in, by as many processes; each trial as it comes."""
    made = progress(divide(orders, injector, workers), what, len(orders))
    yield from (trial for _, trial in made)


def white_error(fitted: Fitted, injector: Injector) -> float:
    """Work out the error of a depth, fraction of the light, were the noise white and no trend."""
    inside = np.abs(injector.time - injector.place) < transit_duration(injector.planet) / 2
    within = max(int(inside.sum()), LEAST_INSIDE)
    outside = max(len(inside) - within, LEAST_INSIDE)
    left = fitted.fit.residuals[injector.noise.usable]
    scatter = max(robust_scatter(left), LEAST_ROBUST * float(np.std(left)))
    return scatter * math.sqrt(1 / within + 1 / outside)


def _shown(fitted: Fitted, pilot: Detection, first: np.ndarray) -> float:
    """Choose the depth at which errors are tried: the night's own, or one that is found."""
    told = fitted.fit.parameters.get("depth_percent")
    if told is not None:
        return told.value / 100
    sure = pilot.depth(MOST)[0]
    return SURE * (sure if math.isfinite(sure) else float(first.max()))


def _moves(injector: Injector, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw where in the night transits are put, (n,) days after the place of its own: evenly."""
    time, half = injector.time, transit_duration(injector.planet) / 2
    edges = np.linspace(time[0] - half, time[-1] + half, n + 1) - injector.place
    return edges[:-1] + rng.uniform(size=n) * np.diff(edges)


def _detect(trials: Sequence[Trial], injector: Injector) -> Detection:
    """Fit the rate of detection to trials at the place of the night's own transit."""
    here = [t for t in trials if t.order.purpose in {Purpose.RATE, Purpose.ERRORS}]
    depths = np.array([trial.order.depth for trial in here])
    found = np.array([trial.detected for trial in here])
    return fit_detection(depths, found, night_error(injector))


def night_error(injector: Injector) -> float:
    """Work out how well one night tells the scatter of depths in its noise, relative."""
    stretches = float(np.ptp(injector.time)) / max(transit_duration(injector.planet), 1e-9)
    return 1 / math.sqrt(2 * NUMBERS * max(stretches, 1.0))


def _conclude(fitted: Fitted, injector: Injector, trials: Sequence[Trial], shown: float) -> Trust:
    """Put together what the trials say."""
    detection = _detect(trials, injector)
    percent = replace(detection, place=100 * detection.place)
    found = [t for t in trials if t.order.purpose is Purpose.ERRORS and t.detected]
    widths = {}
    for name in ("depth", "mid", "duration"):
        pulls = [trial.pull(name) for trial in found]
        off = [trial.found[name] - trial.true[name] for trial in found]
        width = measure_width(pulls, off)
        if width is not None:
            widths[name] = width
    none = [trial.detected for trial in trials if trial.order.purpose is Purpose.NONE]
    return Trust(fitted, percent, widths, shown, (sum(none), len(none)), tuple(trials))
