"""All that a night's reduction made: the cube of its measurements, curve and fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lightcurve.astrometry.transform import move
from lightcurve.core import times
from lightcurve.core.data import (
    CurveRecipe,
    Exposure,
    FrameResult,
    FrameStatus,
    LightCurve,
    Measurements,
    Products,
    Registration,
    Result,
    StarPhotometry,
    StarPlan,
    StarRole,
    TransitFit,
    Verdict,
)
from lightcurve.core.data.curves import NOTHING_WRITTEN, plot_fitted
from lightcurve.core.data.tabular import Tabular
from lightcurve.core.errors import InputError
from lightcurve.core.quantities import header_columns
from lightcurve.core.settings import Settings
from lightcurve.curve.blend import Blend
from lightcurve.curve.plan import revise_plan
from lightcurve.frames.inventory import Inventory
from lightcurve.night.recipe import Recipe
from lightcurve.night.scene import Scene
from lightcurve.setup.target import Target

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["KEPT", "Night"]

KEPT = "night.bin"  # in the run folder: `lightcurve.night.keep`
# Of each star in each frame, by the same names in `StarPhotometry` and `Measurements`.
AS_MEASURED = (
    "x", "y", "n_sky", "fwhm", "x_width", "y_width", "angle_deg", "roundness",
    "flux", "flux_err", "area", "peak", "flags",
)  # fmt: skip


class _Measured(NamedTuple):
    """A frame that was measured, and what only such a one has."""

    result: FrameResult
    exposure: Exposure
    mid_jd_utc: float
    registration: Registration
    photometry: StarPhotometry


def stack_results(results: Iterable[FrameResult], recipe: Recipe) -> Measurements:
    """Join the measured frames into one cube, in order of time, with times and airmass.

    results: failed ones are left out. Raises InputError when no frame was measured.
    """
    measured = _measured(list(results))
    plan = recipe.plan
    target = int(np.flatnonzero(plan.role == StarRole.TARGET)[0])
    good = [m.result for m in measured]
    jd, first = np.array([m.mid_jd_utc for m in measured]), measured[0].exposure
    # Frames measured together are of one telescope: where one does not tell its site, others do.
    site = next((m.exposure.site for m in measured if m.exposure.site), None)
    sky_place = (float(plan.ra_deg[target]), float(plan.dec_deg[target]), site)
    reference = np.array([plan.x_ref[target], plan.y_ref[target]])
    shift = np.array([move(m.registration.matrix, *reference) for m in measured]) - reference
    factor = recipe.settings.apertures.fwhm_factor
    return Measurements(
        file=np.array([r.file for r in good]),
        jd_utc=jd,
        bjd_tdb=times.bjd_tdb(jd, *sky_place),
        exposure_s=np.array([m.exposure.exposure_s for m in measured], dtype=float),
        airmass=times.airmass(jd, *sky_place) if site else _airmass_of_headers(measured),
        fwhm_px=np.array([r.fwhm_px for r in good]),
        sky=np.array([r.sky for r in good]),
        sky_rms=np.array([r.sky_rms for r in good]),
        rotation_deg=np.array([m.registration.rotation_deg for m in measured]),
        shift_x=shift[:, 0],
        shift_y=shift[:, 1],
        radii=recipe.radii,
        annulus=recipe.annulus,
        plan=plan,
        star_sky=_stacked(measured, "sky"),
        star_sky_std=_stacked(measured, "sky_std"),
        radius_used=None if factor is None else _stacked(measured, "radius_used"),
        fwhm_factor=factor,
        site=site,
        telescope_diameter_m=first.telescope_diameter_m,
        columns=_of_headers(good),
        **{name: _stacked(measured, name) for name in AS_MEASURED},
    )


def _measured(results: Sequence[FrameResult]) -> list[_Measured]:
    """Pick the frames that were measured, in order of time; raises InputError where none was."""
    measured = [
        _Measured(r, r.exposure, r.exposure.mid_jd_utc, r.registration, r.photometry)
        for r in results
        if r.exposure is not None
        and r.exposure.mid_jd_utc is not None
        and r.registration is not None
        and r.photometry is not None
    ]
    if not measured:
        reasons = {r.reason for r in results}
        msg = f"none of the {len(results)} frames could be measured: {sorted(reasons)[0]}"
        raise InputError(msg)
    return sorted(measured, key=lambda m: (m.mid_jd_utc, m.result.file))


def _airmass_of_headers(measured: Sequence[_Measured]) -> np.ndarray:
    """Secant of the zenith distance that headers tell, where no site does: (n,), else NaN."""
    heights = [
        [(w.low_deg + w.high_deg) / 2 for w in m.exposure.overhead if w.quantity == "altitude"]
        for m in measured
    ]
    told = np.array([float(np.median(some)) if some else np.nan for some in heights])
    return 1 / np.sin(np.radians(told))


def _of_headers(results: Sequence[FrameResult]) -> dict[str, np.ndarray]:
    """Numbers of the frames' headers, by column."""
    names = list(header_columns())
    return {name: np.array([r.from_header[k] for r in results]) for k, name in enumerate(names)}


def _stacked(measured: Sequence[_Measured], name: str) -> np.ndarray:
    return np.stack([getattr(m.photometry, name) for m in measured])


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What the program made of a night, and by which settings, where somebody wished otherwise."""

    target: Target
    settings: Settings
    curve: LightCurve
    fit: TransitFit | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, eq=False)
class Night(Tabular):
    """All that a night's reduction made.

    Attributes
    ----------
    inventory : Inventory
        What the folder holds.
    target : Target
        Whose light curve it is.
    settings : Settings
        As they were given.
    scene : Scene
        The reference frame, reduced, with its solution, camera and stars.
    results : sequence of FrameResult
        Of all frames that were tried, in order of time.
    measurements : Measurements
        Every flux, by frame, star and radius.
    curve : LightCurve
        From the aperture and the comparison stars that were chosen.
    fit : TransitFit or None
        Where a planet is known and the fit did not fail.
    verdict : Verdict or None
        That of the fit, or why it failed; None where none was asked for.
    products : Products
        Empty until they are written.
    blend : Blend or None
        The target and the stars beside it.
    tuned : str
        Options of ``lightcurve tune`` by which the curve was changed from the program's own.
    own : Own or None
        The program's own, where it was changed.
    """

    inventory: Inventory
    target: Target
    settings: Settings
    scene: Scene
    results: Sequence[FrameResult]
    measurements: Measurements
    curve: LightCurve
    fit: TransitFit | None
    verdict: Verdict | None
    products: Products = NOTHING_WRITTEN
    blend: Blend | None = None
    tuned: str = ""
    own: Own | None = None

    def to_table(self) -> Table:
        """Lay the light curve out, as `LightCurve.to_table`."""
        return self.curve.to_table()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the light curve, and what was fitted to it, on axes given or new."""
        return plot_fitted(self.curve, self.fit, ax)

    @property
    def recipe(self) -> CurveRecipe:
        """How the light curve was made."""
        return self.curve.need_recipe()

    @property
    def stars(self) -> StarPlan:
        """The stars with the roles they had in the end."""
        return revise_plan(self.measurements.plan, self.recipe.roles)

    @property
    def of_frames(self) -> tuple[Inventory, Target, Scene, Sequence[FrameResult]]:
        """Inventory, target, scene and results: the arguments of `frame_rows`."""
        return self.inventory, self.target, self.scene, self.results

    @property
    def fit_results(self) -> dict[str, Result]:
        """What of the fit is worth printing; of one that failed its verdict, of none nothing."""
        from lightcurve.night.fit_products import summarise_fit

        if self.fit is not None:
            return summarise_fit(self.fit)
        return {} if self.verdict is None else self.verdict.results

    @property
    def has_pixels(self) -> bool:
        """Whether the reference frame is at hand; a night that was kept has none."""
        return self.scene.reference.pixels.size > 0

    @property
    def failed(self) -> list[FrameResult]:
        """The frames that gave no measurement, those that could not even be tried included."""
        lost = [
            FrameResult(e.name, FrameStatus.FAILED, e.reason, exposure=e.exposure)
            for e in self.inventory.lost
        ]
        return [result for result in self.results if result.status != FrameStatus.MEASURED] + lost
