"""Comparison candidates as the whole night shows them: not one frame but all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import Aperture, ApertureKind, Measurements, StarRole
from lightcurve.core.flags import Flag
from lightcurve.core.settings import StarSettings
from lightcurve.curve.aperture import Slice, take_aperture
from lightcurve.curve.ensemble import build_ensemble

MIN_PRESENT = 0.5  # of the frames in which the target is good
MAX_CLIPPED = 0.01  # of a star's measurements
MAX_NOISE_RATIO = 3.0  # of its scatter to that of stars as bright
TOO_BRIGHT = 0.95  # of the clipping level: an 8-bit step below it is already bent
STEADY = 0.9  # of the frames in which the target is good: wanted of a check star
REFERENCE_RADIUS_FWHM = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What is left to choose from."""

    rows: np.ndarray  # (n,) int, rows of the plan that may be comparisons, ascending
    check: int | None  # row of the check star
    forced: bool  # the user named the comparisons: all of them are used
    roles: Mapping[int, tuple[StarRole, str]]  # rows whose role has changed, with the reason
    saturation_adu: float | None  # clipping level seen in the peaks
    target_good: np.ndarray  # (n_frame,) bool, frames in which the target is good at 1.3 FWHM


def pick_candidates(measurements: Measurements, settings: StarSettings) -> Candidates:
    """Drop candidates that saturate, leave the field or vary, and set a check star apart.

    The check star is the quiet candidate nearest the target in brightness, of those good in nine of
    ten frames where there are such; there is none when fewer than three candidates are left, unless
    the user named one.
    """
    plan, piece = measurements.plan, _reference(measurements)
    named = np.flatnonzero(plan.role == StarRole.CHECK)
    check = int(named[0]) if len(named) else None
    rows = np.flatnonzero(plan.role == StarRole.COMPARISON)
    ceiling = clipping_level(measurements.peak)
    if settings.comparisons:
        return Candidates(rows, check, True, {}, ceiling, piece.good[:, 0])  # noqa: FBT003
    roles: dict[int, tuple[StarRole, str]] = {}
    for row in rows:
        reason = _night_veto(piece, int(row), ceiling)
        if reason:
            roles[int(row)] = (StarRole.FIELD, reason)
    rows = np.array([row for row in rows if int(row) not in roles], dtype=int)
    varying = _varying(piece, rows)
    roles |= {int(row): (StarRole.FIELD, text) for row, text in varying.items()}
    rows = np.array([row for row in rows if int(row) not in varying], dtype=int)
    if check is None and len(rows) >= 3:
        check = _nearest_in_brightness(piece, rows)
        text = "check star: takes no part in the ensemble, nearest the target in brightness"
        roles[check] = (StarRole.CHECK, text)
    rows = rows[rows != check]
    return Candidates(rows, check, False, roles, ceiling, piece.good[:, 0])  # noqa: FBT003


def clipping_level(peak: np.ndarray) -> float | None:
    """Find the level, ADU, at which the camera clips, from a pile-up of equal highest peaks.

    None unless at least ten measurements share the very highest value of the night.
    """
    largest = peak[:, :, -1]
    finite = largest[np.isfinite(largest)]
    if not len(finite):
        return None
    top = finite.max()
    return float(top) if np.sum(finite == top) >= 10 else None


def _reference(measurements: Measurements) -> Slice:
    """Read the cube at a radius near 1.3 FWHM, where signal to noise peaks."""
    fwhm = measurements.fwhm_px[np.isfinite(measurements.fwhm_px)]
    radii = measurements.radii
    wanted = REFERENCE_RADIUS_FWHM * np.median(fwhm) if len(fwhm) else np.median(radii)
    nearest = float(radii[np.argmin(np.abs(radii - wanted))])
    return take_aperture(measurements, Aperture(ApertureKind.FIXED, nearest))


def _night_veto(piece: Slice, row: int, ceiling: float | None) -> str:
    """Why a star fails over the night; empty when it does not."""
    measured = (piece.flags[:, row] & int(Flag.NOT_MEASURED)) == 0
    clipped = (piece.flags[:, row] & int(Flag.SATURATED | Flag.NON_LINEAR)) != 0
    if ceiling is not None:
        clipped |= np.nan_to_num(piece.peak[:, row]) >= TOO_BRIGHT * ceiling
    clipped &= measured
    if clipped.sum() > max(1, MAX_CLIPPED * measured.sum()):
        return f"saturated or nearly so in {clipped.sum()} of {measured.sum()} frames"
    wanted = piece.good[:, 0]
    present = (piece.good[:, row] & wanted).sum()
    if present < max(3, MIN_PRESENT * wanted.sum()):
        return f"good in only {present} of the target's {wanted.sum()} frames"
    return ""


def _varying(piece: Slice, rows: np.ndarray) -> dict[int, str]:
    """Stars far noisier against the others than stars as bright as they are."""
    if len(rows) < 5:
        return {}
    ensemble = build_ensemble(
        piece.flux[:, rows], piece.flux_err[:, rows], good=piece.good[:, rows]
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


def _nearest_in_brightness(piece: Slice, rows: np.ndarray) -> int:
    """Row of the star whose median flux is nearest the target's, in magnitudes.

    Stars that are missing in more than a tenth of the night serve only where there is no other.
    """
    steady = piece.good[piece.good[:, 0]][:, rows].mean(axis=0) >= STEADY
    rows = rows[steady] if steady.any() else rows
    flux = np.where(piece.good, piece.flux, np.nan)
    ratio = [np.nanmedian(flux[:, row] / flux[:, 0]) for row in rows]
    return int(rows[np.nanargmin(np.abs(np.log(ratio)))])


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
