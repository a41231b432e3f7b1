"""Comparison candidates as the whole night shows them: not one frame but all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import Aperture, ApertureKind, Measurements, StarRole
from lightcurve.core.flags import Flag
from lightcurve.core.settings import StarSettings
from lightcurve.curve.aperture import Slice, take_aperture
from lightcurve.curve.check import Pick, pick_check, strange_light
from lightcurve.curve.ensemble import build_ensemble
from lightcurve.curve.saturation import saturation_level

MIN_PRESENT = 0.5  # of the frames in which the target is good
MAX_CLIPPED = 0.01  # of a star's measurements
MAX_NOISE_RATIO = 3.0  # of its scatter to that of stars as bright
TOO_BRIGHT = 0.95  # of the clipping level: an 8-bit step below it is already bent
REFERENCE_RADIUS_FWHM = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What is left to choose from."""

    rows: np.ndarray  # (n,) int, rows of the plan that may be comparisons, ascending
    check: Pick
    forced: bool  # the user named the comparisons: all of them are used
    roles: Mapping[int, tuple[StarRole, str]]  # rows whose role has changed, with the reason
    saturation_adu: float | None  # at which peaks stop
    target_good: np.ndarray  # (n_frame,) bool, frames in which the target is good at 1.3 FWHM


def pick_candidates(
    measurements: Measurements, settings: StarSettings, baseline: np.ndarray | None = None
) -> Candidates:
    """Drop candidates that saturate, leave the field or vary, and set a check star apart.

    baseline: (n_frame, k), what stars may drift with, as for `build_ensemble`.
    Stars that leave the field are kept for frames in which no other is good.
    """
    plan, piece = measurements.plan, _reference(measurements)
    named = np.flatnonzero(plan.role == StarRole.CHECK)
    check = Pick(int(named[0]), "") if len(named) else None
    rows = np.flatnonzero(plan.role == StarRole.COMPARISON)
    ceiling = saturation_level(measurements)
    if settings.comparisons:
        check = check or Pick(None, "the comparison stars were named, and no check star")
        return Candidates(rows, check, True, {}, ceiling, piece.good[:, 0])  # noqa: FBT003
    roles: dict[int, tuple[StarRole, str]] = {}
    for row in rows:
        reason = _clipped(piece, int(row), ceiling)
        if reason:
            roles[int(row)] = (StarRole.FIELD, reason)
    rows = np.array([row for row in rows if int(row) not in roles], dtype=int)
    departing = _departing(piece, rows)
    roles |= {row: (StarRole.FIELD, text) for row, text in departing.items()}
    rows = np.array([row for row in rows if int(row) not in roles], dtype=int)
    # Before any scatter is looked at: a check star picked for being quiet would prove nothing.
    check = check or pick_check(piece, rows, plan, strange_light(measurements, rows))
    if check.row is not None and not len(named):
        text = "check star: takes no part in the ensemble, most like the target and alone"
        roles[check.row] = (StarRole.CHECK, text)
    rows = rows[rows != check.row]
    varying = _varying(piece, rows, baseline)
    roles |= {int(row): (StarRole.FIELD, text) for row, text in varying.items()}
    rows = np.array([row for row in rows if int(row) not in varying], dtype=int)
    return Candidates(rows, check, False, roles, ceiling, piece.good[:, 0])  # noqa: FBT003


def carry_on(candidates: Candidates, measurements: Measurements) -> Candidates:
    """Take candidates over to a night that has grown: nothing is picked, the frames are new."""
    return replace(candidates, target_good=_reference(measurements).good[:, 0])


def _reference(measurements: Measurements) -> Slice:
    """Read the cube at a radius near 1.3 FWHM, where signal to noise peaks."""
    fwhm = measurements.fwhm_px[np.isfinite(measurements.fwhm_px)]
    radii = measurements.radii
    wanted = REFERENCE_RADIUS_FWHM * np.median(fwhm) if len(fwhm) else np.median(radii)
    nearest = float(radii[np.argmin(np.abs(radii - wanted))])
    return take_aperture(measurements, Aperture(ApertureKind.FIXED, nearest))


def _clipped(piece: Slice, row: int, ceiling: float | None) -> str:
    """Why a star is too bright over the night; empty when it is not."""
    measured = (piece.flags[:, row] & int(Flag.NOT_MEASURED)) == 0
    clipped = (piece.flags[:, row] & int(Flag.SATURATED | Flag.NON_LINEAR)) != 0
    if ceiling is not None:
        clipped |= np.nan_to_num(piece.peak[:, row]) >= TOO_BRIGHT * ceiling
    clipped &= measured
    if clipped.sum() > max(1, MAX_CLIPPED * measured.sum()):
        return f"saturated or nearly so in {clipped.sum()} of {measured.sum()} frames"
    return ""


def _departing(piece: Slice, rows: np.ndarray) -> dict[int, str]:
    """Stars missing where the target is good, but for those without which frames would be lost."""
    wanted = piece.good[:, 0]
    present = piece.good[:, rows] & wanted[:, None]
    number = present.sum(axis=0)
    kept = number >= max(3, MIN_PRESENT * wanted.sum())
    for k in cover(present, np.flatnonzero(kept), np.argsort(-number, kind="stable")):
        kept[k] = True
    return {
        int(row): f"good in only {n} of the target's {wanted.sum()} frames"
        for row, n, keep in zip(rows, number, kept, strict=True)
        if not keep
    }


def cover(present: np.ndarray, chosen: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Add stars to those chosen until every frame has one that any star could serve.

    present: (n_frame, n_star) bool array. chosen: (n,) int array, columns of it. order: all
    columns, those to be taken first where several serve as many frames. Returns columns.
    """
    lost = present.any(axis=1) & ~present[:, chosen].any(axis=1)
    while lost.any():
        serves = present[lost][:, order].sum(axis=0)
        best = order[np.argmax(serves)]
        chosen = np.append(chosen, best)
        lost &= ~present[:, best]
    return chosen


def _varying(piece: Slice, rows: np.ndarray, baseline: np.ndarray | None) -> dict[int, str]:
    """Stars far noisier against the others than stars as bright as they are."""
    if len(rows) < 5:
        return {}
    ensemble = build_ensemble(
        piece.flux[:, rows], piece.flux_err[:, rows], good=piece.good[:, rows], baseline=baseline
    )
    excess = ensemble.scatter / _usual_scatter(ensemble.level, ensemble.scatter)
    return {
        int(row): f"varies: scatter {100 * scatter:.1f} %, {ratio:.1f} times that of stars like it"
        for row, scatter, ratio in zip(rows, ensemble.scatter, excess, strict=True)
        if ratio > MAX_NOISE_RATIO
    }


def _usual_scatter(level: np.ndarray, scatter: np.ndarray, half_width: int = 4) -> np.ndarray:
    """Median scatter of the stars nearest in brightness, the star itself included."""
    order = np.argsort(level, kind="stable")
    usual = np.empty(len(level))
    for place, row in enumerate(order):
        first = np.clip(place - half_width, 0, max(0, len(level) - 2 * half_width - 1))
        usual[row] = np.median(scatter[order[first : first + 2 * half_width + 1]])
    return usual


def take_present(piece: Slice, rows: np.ndarray, *, steady: bool) -> np.ndarray:
    """Keep the stars that were measured; the first of the piece is the target.

    steady: only those that are good wherever the target is, if there are any: in a plain sum of
    fluxes a star that comes and goes makes a step.
    """
    good = piece.good[:, rows]
    always = good[piece.good[:, 0]].all(axis=0)
    if steady and always.any():
        return rows[always]
    return rows[good.any(axis=0)]
