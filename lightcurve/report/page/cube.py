"""The measured cube in the page, from which it works out the curve of any choice by itself.

The layout is told at the head of ``assets/engine.js``, which reads it: fluxes, errors and flags of
target and candidates at every radius, and all else that `lightcurve.curve.retake` and
`lightcurve.transit.quick` rest on. Fluxes are whole steps of what the star usually has: the last
digits of float32, 6e-8, would be seen in the sixth of a depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from lightcurve.core.covariates import COVARIATES, OTHER_LIGHT, covariates_of
from lightcurve.core.data import Aperture, LightCurve, Measurements, Planet, StarRole
from lightcurve.core.flags import NO_POINT, UNUSABLE, Flag
from lightcurve.core.quantities import columns_of
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import Settings
from lightcurve.curve.aperture import frame_radius, take_aperture
from lightcurve.curve.blend import Blend
from lightcurve.curve.detrend import column_median
from lightcurve.curve.form import MIN_POINTS, baseline_of, star_curves
from lightcurve.curve.retake import apertures_of
from lightcurve.curve.weightings import WEIGHTINGS
from lightcurve.report.page.contents import Json, block
from lightcurve.transit.quick import curve_time, predicted_shape, share_of_target

__all__ = ["Observed", "cube_rows", "make_cube", "pack_star_curves"]

BUDGET = 900_000  # bytes in the page
MOST_STARS = 60  # others weigh nothing beside them
MOST_STEPS = 2_000_000_000
NOT_MEASURED = -(2**31)
COVARIATE_BITS = 36
MADE_BY_CHOICE = "comparison_flux"  # the only column that follows from what is chosen
SHOWN_SCATTERS = 6.0
LEVELS, MISSING = 254, 255


class Digits(NamedTuple):
    """How well fluxes and errors are kept.

    step : of flux, over the star's median. error_bits : of the mantissa of an error: the others are
    noise that does not pack. size : of both with the flags, packed, bytes.
    """

    step: float
    error_bits: int
    size: float


FINE, COARSE = Digits(1e-9, 23, 8.2), Digits(1e-8, 20, 7.0)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What is known of a night beside its measurements, as its curve was formed and fitted.

    Attributes
    ----------
    in_transit : (n_frame,) bool array or None
    """

    settings: Settings
    in_transit: np.ndarray | None = None
    blend: Blend | None = None
    planet: Planet | None = None
    exposure_s: float | None = None
    filter_name: str | None = None


def cube_rows(measurements: Measurements, curve: LightCurve) -> list[int]:
    """List the rows of the plan that the page has room for: target, the curve's own stars, others.

    The check star is among the first; of candidates those come first that weigh most.
    """
    recipe, plan = curve.need_recipe(), measurements.plan
    n, _, n_radii = measurements.flux.shape
    own = np.array(recipe.comparison_rows, dtype=int)[np.argsort(-np.array(recipe.weights))]
    piece = take_aperture(measurements, recipe.aperture)
    good = piece.good & piece.good[:, :1]
    error = np.where(good, piece.flux_err / np.where(good, piece.flux, 1.0), np.nan)
    worth = np.nan_to_num(good.mean(axis=0) / column_median(error) ** 2)
    others = np.flatnonzero(np.isin(plan.role, (StarRole.COMPARISON, StarRole.CHECK)))
    others = others[np.argsort(-worth[others], kind="stable")]
    check = [] if recipe.check_row is None else [recipe.check_row]
    order = [0, *own.tolist(), *check, *others.tolist()]
    room = max(2, int(BUDGET / (COARSE.size * n * n_radii)))
    most = max(MOST_STARS, len(own) + 2)
    return list(dict.fromkeys(order))[: min(room, most)]


def make_cube(
    measurements: Measurements, rows: Sequence[int], curve: LightCurve, night: Observed
) -> dict[str, Json]:
    """Lay out the cube for the page: what can be chosen from, and all that a choice rests on.

    measurements : as settled. rows : of the plan, the target's first, from `cube_rows`. curve : the
    program's own.
    """
    apertures = apertures_of(measurements, night.settings)
    m, planet, fwhm = measurements, night.planet, measurements.fwhm_px
    seeing = np.nanmedian(fwhm) if np.isfinite(fwhm).any() else np.nan
    shape = None
    if planet is not None:
        shape = predicted_shape(planet, m.bjd_tdb, night.exposure_s, night.filter_name)
    flux, flux_err = m.flux[:, rows], m.flux_err[:, rows]
    digits = FINE if flux.size * FINE.size <= BUDGET else COARSE
    step, counted = _in_steps(flux, digits.step)
    return {
        "rows": list(rows),
        "radii": m.radii.tolist(),
        "flux": block(counted, planes=True),
        "flux_step": block(step),
        "flux_err": block(_rounded(flux_err, digits.error_bits), planes=True),
        "flags": block(m.flags[:, rows].astype(np.uint16)),
        "apertures": [_aperture(m, aperture, night) for aperture in apertures],
        "covariates": _covariates(m, apertures, night.blend),
        "weightings": [{"name": w.name, "help": w.help, "of_aij": w.of_aij} for w in WEIGHTINGS],
        "jd_utc": block(m.jd_utc),
        "time": block(curve_time(curve)),
        "barycentric": bool(np.isfinite(m.bjd_tdb).any()),
        "airmass": block(m.airmass),
        "fwhm": block(np.where(np.isfinite(fwhm), fwhm, seeing)),
        "radius_used": None if m.radius_used is None else block(m.radius_used),
        "outside": None if night.in_transit is None else block(~night.in_transit.astype(bool)),
        "baseline": block(np.ascontiguousarray(baseline_of(m).T)),
        "transit": None if shape is None else asdict(shape),
        "unusable": int(UNUSABLE),
        "no_point": int(NO_POINT),
        "bits": {flag.name or "": int(flag) for flag in Flag},
        "min_points": MIN_POINTS,
    }


def pack_star_curves(measurements: Measurements, curve: LightCurve) -> list[Json]:
    """Pack the relative flux of every star of the plan, as it is drawn; None where never measured.

    Each has ``low``, ``step`` and ``values``, a block of bytes: flux is low + step value, 255 is
    missing; what is beyond six scatters lies at the edge.
    """
    relative = star_curves(measurements, curve)[0]
    return [_quantised(values) for values in relative.T]


def _quantised(values: np.ndarray) -> Json:
    finite = np.isfinite(values)
    if not finite.any():
        return None
    reach = SHOWN_SCATTERS * robust_scatter(values) or float(np.ptp(values[finite])) or 1.0
    low, step = float(np.median(values[finite])) - reach, 2 * reach / LEVELS
    steps = np.clip(np.round((np.where(finite, values, low) - low) / step), 0, LEVELS)
    packed = block(np.where(finite, steps, MISSING).astype(np.uint8))
    return {"low": low, "step": step, "values": packed}


def _in_steps(flux: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Count flux (n, star, radius) in steps that are a share of the star's median.

    Returns the steps, (star, radius), and int32 (n, star, radius).
    """
    size = np.where(np.isfinite(flux), np.abs(flux), 0.0)
    usual = np.median(size, axis=0)  # a frame without the star counts as 0: it is a scale alone
    step = np.maximum(share * usual, size.max(axis=0) / MOST_STEPS)
    step = np.where(step > 0, step, 1.0)
    counted = np.where(np.isfinite(flux), np.round(size / step) * np.sign(flux), NOT_MEASURED)
    return step, counted.astype(np.int32)


def _rounded(values: np.ndarray, n_bits: int) -> np.ndarray:
    """Round to float32 with so many bits of mantissa."""
    spare, single = 23 - n_bits, values.astype(np.float32)
    if not spare:
        return single
    bits, half = single.view(np.uint32), np.uint32(1 << (spare - 1))
    rounded = ((bits + half) >> np.uint32(spare) << np.uint32(spare)).view(np.float32)
    return np.where(np.isfinite(values), rounded, np.float32(np.nan))


def _aperture(measurements: Measurements, aperture: Aperture, night: Observed) -> dict[str, Json]:
    share = 1.0
    if night.planet is not None:
        radius, blend = frame_radius(measurements, aperture), night.blend
        measured = None if blend is None else blend.share(radius)
        share = share_of_target(
            night.planet, measured, night.settings.fit.dilution, night.filter_name
        )
    return {
        "label": str(aperture),
        "kind": aperture.kind.value,
        "value": aperture.value,
        "share": share,
    }


def _covariates(
    measurements: Measurements, apertures: Sequence[Aperture], blend: Blend | None
) -> list[Json]:
    """Lay out what a curve can be detrended by, in the order of the registry."""
    values: dict[str, np.ndarray] = covariates_of(columns_of(measurements))
    if blend is not None and blend.companions:
        radii = (frame_radius(measurements, aperture) for aperture in apertures)
        values[OTHER_LIGHT] = np.array([blend.other_light(radius) for radius in radii])
    return [
        {"name": c.name, "label": c.label, "help": c.help,
         "values": block(_short(values[c.name]), planes=True) if c.name in values else None}
        for c in COVARIATES if c.name in values or MADE_BY_CHOICE in c.needs
    ]  # fmt: skip


def _short(values: np.ndarray) -> np.ndarray:
    """Round float64 to 1e-11 of each value: bytes that are 0 then pack to nothing."""
    mantissa, exponent = np.frexp(values.astype(float))
    return np.ldexp(np.round(np.ldexp(mantissa, COVARIATE_BITS)), exponent - COVARIATE_BITS)
