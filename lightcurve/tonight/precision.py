"""How precise a minute of a star will be: by the noise of earlier runs, or at best by photons.

The relative variance of a minute is ``a x + b x^2 + c`` with ``x = 10^(0.4 (G - G0))``: photons of
the star, sky and camera, and what is the same for all stars (air, flat fields).
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.catalogs.known_planets import planets_near
from lightcurve.core.columns import STARS
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Site, StarRole
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.flags import NO_POINT
from lightcurve.core.guard import guard
from lightcurve.core.settings import Settings
from lightcurve.curve.detrend import point_to_point, scintillation
from lightcurve.tables.columns import read_table
from lightcurve.tables.light_curves import read_curve
from lightcurve.tables.run_folder import read_fit_json, read_record

log = logging.getLogger(__name__)
OURS = "lightcurve.csv"
SAME_STAR_DEG = 0.01
FEWEST = 10  # frames that tell a scatter
# Gaia's G counts one electron a second at 25.6874 mag (Gaia EDR3, Riello et al. 2021, A&A 649, A3)
# with a mirror of 1.45 m x 0.5 m.
GAIA_ZERO, GAIA_M2 = 25.6874, 1.45 * 0.5
EFFICIENCY = 0.5  # of air, mirrors, filter and chip of a telescope on the ground, over Gaia's
AIRMASS, MINUTE_S = 1.5, 60.0
SKY_MAG = 15.8  # of the sky in an aperture: 20.5 mag a square arc second, 5 arc seconds around
SMALL_M = 0.2  # aperture of a telescope of which nothing is told


@dataclass(frozen=True, slots=True)
class Noise:
    """Relative variance of a minute of a star, by its Gaia G.

    zero : G0. terms : a, b and c.
    """

    zero: float
    terms: tuple[float, float, float]

    def minute(self, g_mag: float) -> float:
        """Relative error of a minute."""
        faint = 10 ** (0.4 * (g_mag - self.zero))
        photons, sky, floor = self.terms
        return math.sqrt(photons * faint + sky * faint**2 + floor)


@dataclass(frozen=True, slots=True)
class Promise:
    """What may be expected.

    Attributes
    ----------
    noises : tuple of Noise
        Of each run; their median counts.
    slow : float
        By which slow noise makes the errors of depth and time larger: the median beta of the runs.
    source : str
        What it rests on, for people.
    site : Site or None
        Where the runs were made.
    """

    noises: tuple[Noise, ...]
    slow: float
    source: str
    site: Site | None = None

    def minute(self, g_mag: float | None) -> float:
        """Relative error of a minute of a star; NaN where its magnitude is not known."""
        if g_mag is None:
            return math.nan
        return float(np.median([noise.minute(g_mag) for noise in self.noises]))


def by_photons(settings: Settings, site: Site) -> Promise:
    """Tell the best that a telescope can do: photons of star and sky, and scintillation."""
    given = settings.camera.telescope_diameter_m or settings.equipment.camera.telescope_diameter_m
    diameter = given or SMALL_M
    rate = 10 ** (0.4 * GAIA_ZERO) / GAIA_M2 * EFFICIENCY * math.pi / 4 * diameter**2
    air = scintillation(
        np.array([AIRMASS]), np.array([MINUTE_S]), diameter_m=diameter, height_m=site.height_m
    )
    photons = 1 / (rate * MINUTE_S)
    noise = Noise(0.0, (photons, photons * 10 ** (-0.4 * SKY_MAG), float(air[0] ** 2)))
    told = "told" if given else "assumed; --telescope-diameter tells it, --runs measures"
    source = (
        f"at best: photons of star and dark sky, and scintillation; telescope of {diameter:g} m "
        f"({told}), {EFFICIENCY:.0%} of Gaia's efficiency, many comparison stars"
    )
    return Promise((noise,), 1.0, source)


@dataclass(frozen=True, slots=True)
class _Run:
    """What an earlier run tells."""

    noise: Noise
    beta: float
    telescope: str
    site: Site | None


def of_runs(folders: Sequence[Path], exposure_s: float | None) -> Promise:
    """Learn from earlier runs what a minute of a star is worth.

    exposure_s: that is planned; not given, that of each run.

    Raises InputError where none of the folders tells it.
    """
    runs, reasons = [], []
    for folder in (one for path in folders for one in _inside(path)):
        try:
            with guard(partial(InputError, file=str(folder))):
                runs.append(_learn(folder, exposure_s))
        except LightcurveError as error:
            reasons.append(str(error))
            log.warning("--runs: %s", error)
    if not runs:
        msg = f"--runs: no run tells how precise a star is: {reasons[0] if reasons else 'no run'}"
        raise InputError(msg)
    names = sorted({run.telescope for run in runs if run.telescope})
    of = f" of {', '.join(names)}" if names else ""
    slow = float(np.median([run.beta for run in runs]))
    n = f"{len(runs)} earlier runs" if len(runs) > 1 else "an earlier run"
    source = f"noise of {n}{of}; slow noise x {slow:.2f}"
    site = next((run.site for run in runs if run.site), None)
    return Promise(tuple(run.noise for run in runs), slow, source, site)


def _inside(path: Path) -> list[Path]:
    """List the runs of a folder: itself, or those in it."""
    if not path.is_dir():
        msg = f"--runs {path}: no such folder"
        raise InputError(msg)
    if (path / OURS).is_file():
        return [path]
    return sorted(Path(folder) for folder, _, files in os.walk(path) if OURS in files)


def _learn(folder: Path, exposure_s: float | None) -> _Run:
    """Learn the noise of a run: of its target by its curve, of comparison stars by stars.csv.

    Raises LightcurveError where it does not tell it.
    """
    curve = read_curve(folder / OURS)
    night: dict[str, Any] = read_record(folder).get("night", {})
    fit = read_fit_json(folder) or {}
    g_mag = _magnitude(night)
    if g_mag is None:
        msg = f"{folder}: no Gaia magnitude of its target is known: g_mag in its planet file"
        raise InputError(msg)
    good = (
        np.isfinite(curve.flux) & np.isfinite(curve.jd_utc) & ((curve.flags & int(NO_POINT)) == 0)
    )
    if good.sum() < FEWEST:
        msg = f"{folder}: {good.sum()} points, of at least {FEWEST}"
        raise InputError(msg)
    own = fit.get("residual_scatter_percent", math.nan) / 100
    own = own if own > 0 else point_to_point(curve.flux[good])
    cadence_s = DAY_S * float(np.median(np.diff(np.sort(curve.jd_utc[good]))))
    planned = _planned_s(cadence_s, float(night.get("exposure_s") or 0.0), exposure_s)
    terms = fit_terms(*_stars(folder, own))
    scaled = [term * planned / MINUTE_S for term in terms]
    beta = fit.get("beta")
    site = night.get("site")
    return _Run(
        Noise(g_mag, (scaled[0], scaled[1], scaled[2])),
        max(1.0, beta) if isinstance(beta, float) and math.isfinite(beta) else 1.0,
        str(night.get("telescope") or ""),
        Site(**site) if site else None,
    )


def _planned_s(cadence_s: float, exposure_s: float, wanted_s: float | None) -> float:
    """Seconds that a point of the same variance would take, with another exposure.

    The variance goes with the time exposed; between exposures the camera takes as long as it did.
    """
    if wanted_s is None or not 0 < exposure_s <= cadence_s:
        return cadence_s
    return exposure_s * (1 + (cadence_s - exposure_s) / wanted_s)


def _magnitude(night: dict[str, Any]) -> float | None:
    """Find Gaia's G of a run's target: of its planet file, or of the known planet at its place."""
    own = night.get("planet", {}).get("g_mag")
    if isinstance(own, float | int):
        return float(own)
    if "ra_deg" not in night:
        return None
    near = planets_near(night["ra_deg"], night["dec_deg"], SAME_STAR_DEG)
    return next((float(p.values["g_mag"]) for p in near if "g_mag" in p.values), None)


def _stars(folder: Path, own: float) -> tuple[np.ndarray, np.ndarray]:
    """List how much fainter stars are than the target, the first, and their scatter: (n,)."""
    path = folder / STARS.name
    if not path.is_file():
        return np.ones(1), np.array([own])
    table = read_table(path, STARS)
    role, flux, scatter = table.words("role"), table.numbers("flux_ref"), table.numbers("scatter")
    target = flux[role == StarRole.TARGET]
    good = (role == StarRole.COMPARISON) & (flux > 0) & (scatter > 0)
    if not (target.size and target[0] > 0):
        return np.ones(1), np.array([own])
    return np.append(1.0, target[0] / flux[good]), np.append(own, scatter[good])


def fit_terms(faint: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Find a, b, c, none negative, of stars `faint` times fainter; the first counts as the rest.

    faint, scatter: (n,) float arrays. Each variance counts by its own size. Returns (3,) array.
    """
    from scipy.optimize import nnls

    weight = np.ones(len(faint))
    weight[0] = math.sqrt(max(len(faint) - 1, 1))
    variance = scatter**2
    design = np.stack([faint, faint**2, np.ones(len(faint))], axis=1) * (weight / variance)[:, None]
    terms: np.ndarray = nnls(design, weight)[0]
    return terms
