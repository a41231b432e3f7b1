"""What a night promises before it is measured: its transit, its precision, what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core import times
from lightcurve.core.data import Exposure, FrameKind, Measurements, Planet, Site, StarRole
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import LightcurveError
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.curve.noise import measure_field_noise, with_noise
from lightcurve.frames.inventory import Inventory
from lightcurve.night.measure import measure_frame
from lightcurve.night.reduced import stack_results
from lightcurve.setup.target import Target
from lightcurve.transit.ephemeris import dip_shape, predict_transit
from lightcurve.transit.quality import coverage

if TYPE_CHECKING:
    from lightcurve.night.scene import Scene

__all__ = ["cover", "transit_errors"]

TRIED = 5  # times along the night three frames in a row are measured: neighbours tell the noise
STEP_DAYS = 30 / 86400  # by which a transit is moved to see what its moment changes
WHOLE = 0.995
SOURCES = {
    FrameKind.BIAS: "--bias",
    FrameKind.DARK: "--dark",
    FrameKind.FLAT: "--flat",
}


@dataclass(frozen=True, slots=True)
class Covered:
    """How much of the predicted transit the frames cover; moments are JD UTC at the observer.

    transit, ingress, egress_part : fractions. before, after : minutes of baseline. mid_err : days,
    NaN where the ephemeris has none.
    """

    planet: str
    first: float
    mid: float
    last: float
    mid_err: float
    transit: float
    ingress: float
    egress: float
    before: float
    after: float

    def __str__(self) -> str:
        def clock(jd: float) -> str:
            return iso_from_jd(jd)[11:16]

        error = f" +- {1440 * self.mid_err:.1f} min" if math.isfinite(self.mid_err) else ""
        when = (
            f"ingress {clock(self.first)}, middle {iso_from_jd(self.mid)[:10]} {clock(self.mid)}"
            f"{error}, egress {clock(self.last)} UTC"
        )
        if not self.transit:
            return f"{self.planet}: none of it covered; {when}"
        parts = ", ".join(
            f"{name} {100 * part:.0f} %"
            for name, part in (("ingress", self.ingress), ("egress", self.egress))
        )
        much = "all" if self.transit > WHOLE else f"{100 * self.transit:.0f} %"
        return (
            f"{self.planet}: {much} of it covered ({parts}), {self.before:.0f} min before and "
            f"{self.after:.0f} min after; {when}"
        )


@dataclass(frozen=True, slots=True)
class Precision:
    """Errors to be expected: of a point, and of depth and mid-time where a transit is covered.

    target, comparisons : their parts in that of a point. All relative; mid_time_min: minutes. From
    `n_frames` that were measured; NaN where nothing tells.
    """

    point: float
    target: float
    comparisons: float
    n_frames: int
    field_tells: bool
    depth: float = math.nan
    depth_err: float = math.nan
    mid_time_min: float = math.nan

    def __str__(self) -> str:
        how = "noise of the field's stars" if self.field_tells else "photons, sky and camera alone"
        text = (
            f"{100 * self.point:.2f} % a point (target {100 * self.target:.2f}, comparison stars "
            f"{100 * self.comparisons:.2f}; {how} in {self.n_frames} frames)"
        )
        if math.isfinite(self.depth_err):
            text += (
                f"; depth {100 * self.depth:.2f} +- {100 * self.depth_err:.2f} %, mid-time +- "
                f"{self.mid_time_min:.1f} min, without slow noise"
            )
        return text


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a night promises.

    missing : what is not there, and the option that gives it.
    """

    covered: Covered | None
    precision: Precision | None
    missing: tuple[tuple[str, str], ...]

    @property
    def record(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "transit": self.covered and asdict(self.covered),
            "precision": self.precision and asdict(self.precision),
            "missing": [{"what": what, "option": option} for what, option in self.missing],
        }


def look_ahead(
    inventory: Inventory,
    target: Target,
    scene: Scene,
    settings: Settings,
    *,
    progress: Progress = silent,
) -> Outlook:
    """Say what a night that is prepared promises; a few of its frames are measured for it."""
    exposures = {entry.path: entry.exposure for entry in inventory.entries}
    lights = [exposures[path] for path in scene.lights]
    covered = cover(target.planet, (target.ra_deg, target.dec_deg), lights)
    tried, precision = _try_frames(scene, settings, progress), None
    if tried is not None:
        bjd = _bjd(lights, target)
        precision = expect(tried[0], target.planet, bjd, field_tells=tried[1])
    return Outlook(covered, precision, find_missing(inventory, target, scene))


def cover(
    planet: Planet | None, place: tuple[float, float], lights: Sequence[Exposure]
) -> Covered | None:
    """Work out how much of the transit nearest to light frames they cover; None without a planet.

    Parameters
    ----------
    place : (float, float)
        Of the star, degrees.
    """
    moments = np.sort([e.mid_jd_utc for e in lights if e.mid_jd_utc is not None])
    if planet is None or not moments.size:
        return None
    site = next((e.site for e in lights if e.site is not None), None)
    bjd = times.bjd_tdb(moments, *place, site)
    transit = predict_transit(planet, float(np.median(bjd)))
    if not transit.duration > 0:
        return None
    part = coverage(bjd, transit.mid, transit.duration, transit.ingress_duration)
    to_utc = float(np.median(moments - bjd))
    baseline = (
        max(0.0, 1440 * (min(transit.ingress, bjd[-1]) - bjd[0])),
        max(0.0, 1440 * (bjd[-1] - max(transit.egress, bjd[0]))),
    )
    return Covered(
        planet.name,
        transit.ingress + to_utc,
        transit.mid + to_utc,
        transit.egress + to_utc,
        transit.mid_err,
        part["coverage_transit"],
        part["coverage_ingress"],
        part["coverage_egress"],
        *baseline,
    )


def _bjd(lights: Sequence[Exposure], target: Target) -> np.ndarray:
    """List the times of the light frames, (n,) BJD_TDB, ascending."""
    moments = np.sort([e.mid_jd_utc for e in lights if e.mid_jd_utc is not None])
    site: Site | None = next((e.site for e in lights if e.site is not None), None)
    return times.bjd_tdb(moments, target.ra_deg, target.dec_deg, site)


def _try_frames(
    scene: Scene, settings: Settings, progress: Progress
) -> tuple[Measurements, bool] | None:
    """Measure some frames along a night, three in a row, and let the field tell their noise.

    Returns the measurements, and whether the field told it; None where none could be measured.
    """
    starts = np.linspace(0, max(len(scene.lights) - 3, 0), TRIED).astype(int)
    rows = sorted({int(start) + step for start in starts for step in range(3)})
    paths = [scene.lights[row] for row in rows if row < len(scene.lights)]
    recipe, camera = scene.recipe, scene.camera
    results = [measure_frame(path, recipe) for path in progress(paths, "trying frames", len(paths))]
    try:
        measurements = stack_results(results, recipe)
    except LightcurveError:
        return None
    gain = camera.noise.gain_e_per_adu
    noise = measure_field_noise(
        measurements, gain_e_per_adu=gain if camera.gain_known else None, settings=settings
    )
    errors = with_noise(measurements, noise, assumed_gain=gain, settings=settings)
    return errors, noise is not None


def expect(
    measurements: Measurements, planet: Planet | None, bjd: np.ndarray, *, field_tells: bool
) -> Precision | None:
    """Work out the errors to be expected of a night of which some frames were measured.

    Parameters
    ----------
    bjd : (n,) float array
        Of all frames, BJD_TDB.
    field_tells : bool
        Whether the errors are those of the field's noise.

    Returns
    -------
    Precision or None
        At the radius that is best; None where the target has no light.
    """
    roles = measurements.plan.role
    compared = roles == StarRole.COMPARISON
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = measurements.flux_err / measurements.flux
        known_well = np.isfinite(relative) & (measurements.flux > 0)
        error = np.median(np.where(known_well, relative, np.inf), axis=0)  # (n_star, n_radius)
        others = np.sum(error[compared] ** -2.0, axis=0) ** -0.5
    target = error[roles == StarRole.TARGET][0]
    point = np.hypot(target, np.where(np.isfinite(others), others, 0.0))
    best = int(np.argmin(point))
    if not np.isfinite(point[best]):
        return None
    known = Precision(
        float(point[best]),
        float(target[best]),
        float(others[best]),
        len(measurements.file),
        field_tells,
    )
    errors = None if planet is None else transit_errors(planet, bjd, known.point)
    if errors is None or planet is None:
        return known
    depth = planet.rp_over_rs**2
    return Precision(
        known.point, known.target, known.comparisons, known.n_frames, field_tells, depth,
        errors[0], 1440 * errors[1],
    )  # fmt: skip


def transit_errors(planet: Planet, bjd: np.ndarray, point: float) -> tuple[float, float] | None:
    """Work out the errors of depth, relative, and mid-time, days, beside a slow trend.

    bjd: (n,) float array, BJD_TDB. point: error of each point. None where they tell no transit.
    """
    if len(bjd) < 6:
        return None
    late = (bjd - bjd.mean()) / max(np.ptp(bjd), 1e-9)
    earlier, later = dip_shape(planet, bjd + STEP_DAYS), dip_shape(planet, bjd - STEP_DAYS)
    slope = (later - earlier) / (2 * STEP_DAYS)
    design = np.column_stack(
        [dip_shape(planet, bjd), planet.rp_over_rs**2 * slope, late**0, late, late**2]
    )
    scales = np.sqrt(np.sum(design**2, axis=0))
    if not (scales > 0).all():
        return None
    covariance = np.linalg.pinv((design / scales).T @ (design / scales), rcond=1e-9)
    errors = point * np.sqrt(np.diag(covariance)) / scales
    if not (errors[:2] > 0).all() or errors[0] > planet.rp_over_rs**2 * 10:
        return None
    return float(errors[0]), float(errors[1])


def find_missing(inventory: Inventory, target: Target, scene: Scene) -> tuple[tuple[str, str], ...]:
    """List what a run of a night would do without, and the option that gives it."""
    masters, found = scene.masters, []
    for kind, option in SOURCES.items():
        made = masters is not None and getattr(masters, kind.value) is not None
        if not made and not inventory.used(kind):
            found.append((f"{kind} frames", option))
    if target.planet is None:
        found.append(("planet", "--planet FILE, or --target 'NAME b'"))
    for value in scene.values:
        option = OPTIONS_OF.get(value.name, "")
        if option and (value.guessed or value.value is None):
            found.append((value.name, option))
    return tuple(found)


# What is among the values of a scene, and the option that gives it.
OPTIONS_OF = {
    "exposure": "--exposure",
    "filter": "lightcurve header set, or fit --filter",
    "site": "--latitude, --longitude, --height",
    "telescope": "--telescope-diameter",
    "gain": "--gain",
    "read noise": "--read-noise",
    "saturation": "--saturation",
}
