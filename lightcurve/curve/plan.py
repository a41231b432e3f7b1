"""Which stars are measured, what each is for, and what speaks against the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Detections, StarPlan, StarRole
from lightcurve.core.errors import InputError, Why
from lightcurve.core.settings import StarSettings
from lightcurve.curve.named import LETTERS, TOLERANCE_PX, Field, find_star, moved_by, places_named
from lightcurve.curve.neighbours import Stray, measured_rings, moffat_rings, stray_light

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["plan_stars", "revise_plan"]

log = logging.getLogger(__name__)
PEAK_FRACTION = 0.85  # of saturation or linearity: seeing sharper than the reference's adds 15 %
MIN_SNR = 20.0
ENOUGH = 6  # stars with room for their sky: target, check star, and some to compare with
# Light of neighbours over the star's own that comes and goes with the seeing.
MAX_STRAY = 0.02
MUCH_AROUND = 0.5  # of a star's light in its sky: no check star where there are others
CLIPPED = 2.5  # of the sky's noise: a brighter pixel of the ring does not count
MOST_CROWDED = 3.0  # times these, where few are better: the choice drops what is not quiet
FAINTEST = 1e-9  # ADU: detections have light
WORSE_SEEING = 1.5  # of the reference frame's FWHM, which is one of the sharpest of a night
PASSED = "candidate: bright enough, isolated, not saturated"
TIGHT = "candidate: bright enough, not saturated; less isolated than wanted, as few stars are"
TARGET_TOLERANCE_PX = 2.0  # or one FWHM, whichever is larger: seeing and the WCS's own error


def plan_stars(
    detections: Detections,
    wcs: WCS,
    target_ra_deg: float,
    target_dec_deg: float,
    shape: tuple[int, int],
    settings: StarSettings,
    *,
    aperture_px: float,
    annulus_px: tuple[float, float],
    size_px: tuple[float, float] | None = None,
    saturation_adu: float | None = None,
    linearity_adu: float | None = None,
    scale_arcsec: float | None = None,
    variables: Sequence[tuple[float, float]] = (),
) -> StarPlan:
    """Pick the target, the comparison candidates and the other field stars.

    Parameters
    ----------
    detections : Detections
        Of the reference frame.
    wcs : astropy.wcs.WCS
        Of the reference frame.
    target_ra_deg, target_dec_deg : float
        At the epoch of the frames.
    shape : tuple of int
        (ny, nx) of the frame.
    settings : StarSettings
        Numbers of stars, and the user's own choice of comparison, check and excluded stars.
    aperture_px : float
        Radius meant for the target; stars overlapping in it are crowded.
    annulus_px : tuple of float
        Inner and outer radius of the sky annulus.
    size_px : tuple of float, optional
        Radii that hold 50 and 90 % of a star's light, where they were measured because stars are no
        points.
    saturation_adu, linearity_adu : float, optional
        Stars with a peak above 85 % of either are no candidates.
    scale_arcsec : float, optional
        Arc seconds per pixel, for the wording of reasons.
    variables : sequence of (float, float)
        RA, Dec of known variable stars, degrees; no candidates.

    Returns
    -------
    StarPlan
        T1 first, then the comparison candidates C2, C3 ..., then field stars S..., each group
        brightest first, at most ``settings.max_stars`` in all; those near enough to feign a
        transit of the target, and those that were named, are never left out for brighter ones.

    Raises
    ------
    InputError
        When the target lies outside the frame, or a star the user named is not there.
    """
    target_xy = _place_target(wcs, target_ra_deg, target_dec_deg, shape)
    distance = np.hypot(detections.x - target_xy[0], detections.y - target_xy[1])
    tolerance = _tolerance(detections)
    match = int(np.argmin(distance)) if len(detections) and distance.min() <= tolerance else None
    ceiling = min((v for v in (saturation_adu, linearity_adu) if v), default=np.inf)
    stray = changing_light(detections, aperture_px, annulus_px, size_px)
    crowding = (stray.aperture + stray.sky) / MAX_STRAY
    beside = np.maximum(crowding, stray.around / MUCH_AROUND)
    veto = find_vetoes(detections, shape, aperture_px, annulus_px, ceiling, stray)
    veto = veto_variables(veto, detections, wcs, variables, tolerance)
    near = distance <= (60 * settings.neb_radius_arcmin / scale_arcsec if scale_arcsec else 0)
    field = _field(settings, wcs, shape, target_xy, detections)
    for place in places_named(_all_named(settings), field):
        near |= np.hypot(*(np.column_stack([detections.x, detections.y]) - place).T) <= tolerance
    others = _rank_others(detections, match, veto, near, settings.max_stars - 1)
    passed = [TIGHT if crowding[k] > 1 else PASSED for k in others]
    reason = [veto[k] or text for k, text in zip(others, passed, strict=True)]
    reason = [_target_reason(match, distance, scale_arcsec), *reason]
    role = [StarRole.TARGET] + [StarRole.FIELD if veto[k] else StarRole.COMPARISON for k in others]
    x, y, flux, peak = _columns(detections, target_xy, match, others)
    ra, dec = wcs.all_pix2world(x, y, 0)
    plan = StarPlan(
        star_id=_name(role),
        role=np.array(role),
        reason=np.array(reason, dtype=object).astype(str),
        ra_deg=np.asarray(ra, dtype=float),
        dec_deg=np.asarray(dec, dtype=float),
        x_ref=x,
        y_ref=y,
        flux_ref=flux,
        peak_ref=peak,
        target_detected=match is not None,
        crowding=np.append(0.0 if match is None else beside[match], beside[others]),
    )
    return _override(plan, settings, field, tolerance)


def changing_light(
    detections: Detections,
    aperture: float,
    annulus: tuple[float, float],
    size: tuple[float, float] | None,
) -> Stray:
    """Work out the light of neighbours that comes and goes with the seeing, over the star's own.

    aperture, annulus, size: radii, pixels, as for `plan_stars`. What stands in the sky all night
    takes the same part of a star away from it in every frame, and harms no relative flux.
    """
    light = detections.x, detections.y, np.maximum(detections.flux, FAINTEST)
    if size is None:
        fwhm = _fwhm(detections, aperture)
        usual, worse = moffat_rings(fwhm), moffat_rings(WORSE_SEEING * fwhm)
    else:  # rings and trails: seeing softens their rims
        r50, r90 = size
        usual, worse = (
            measured_rings(r50, r90),
            measured_rings(r50, r50 + WORSE_SEEING * (r90 - r50)),
        )
    then, worst = (
        stray_light(
            *light, radius=aperture, annulus=annulus, rings=rings,
            clipped_adu=CLIPPED * detections.sky_rms,
        )
        for rings in (usual, worse)
    )  # fmt: skip
    # Into the aperture nearly all of it comes by seeing.
    return Stray(worst.aperture, np.abs(worst.sky - then.sky), worst.around)


def revise_plan(plan: StarPlan, roles: Mapping[int, tuple[StarRole, str]]) -> StarPlan:
    """Give stars, by their rows, new (role, reason); numbers stay, letters follow."""
    role, reason = [StarRole(r) for r in plan.role], list(plan.reason)
    for row, (new_role, new_reason) in roles.items():
        role[row], reason[row] = new_role, new_reason
    return replace(
        plan, star_id=_name(role), role=np.array(role), reason=np.array(reason).astype(str)
    )


def find_vetoes(
    detections: Detections,
    shape: tuple[int, int],
    aperture: float,
    annulus: tuple[float, float],
    ceiling: float,
    stray: Stray,
) -> list[str]:
    """Say why each detection of the reference frame is no comparison candidate; else an empty text.

    shape: (ny, nx). aperture, annulus: radii, pixels.
    ceiling: saturation or linearity, ADU; infinite if not known. stray: light of neighbours.
    """
    x, y, flux = detections.x, detections.y, np.maximum(detections.flux, FAINTEST)
    ny, nx = shape
    edge = np.minimum.reduce([x + 0.5, y + 0.5, nx - 0.5 - x, ny - 0.5 - y])
    snr = flux / (max(detections.sky_rms, 1e-9) * np.sqrt(np.pi) * aperture)
    fit = (detections.peak < PEAK_FRACTION * ceiling) & (snr >= MIN_SNR)
    crowding = (stray.aperture + stray.sky) / MAX_STRAY
    # Where few stars have room for the whole ring of sky, a part of it must do.
    roomy = fit & (edge >= annulus[1])
    room = annulus[1] if np.count_nonzero(roomy & (crowding <= 1)) >= ENOUGH else 2 * aperture
    allowed = _crowding_allowed(crowding[fit & (edge >= room)])
    reasons = []
    for k in range(len(x)):
        if detections.peak[k] >= PEAK_FRACTION * ceiling:
            text = (
                f"too bright: peak {detections.peak[k]:.0f} of {ceiling:.0f} ADU in the reference"
            )
        elif edge[k] < room:
            text = f"near the edge: {edge[k]:.0f} px, {room:.0f} wanted for aperture and sky"
        elif crowding[k] > allowed:
            of = 100 * stray.aperture[k], 100 * stray.sky[k]
            text = (
                "crowded: neighbours put {:.1f} % of its light into it, {:.1f} % by its sky".format(
                    *of
                )
            )
        elif snr[k] < MIN_SNR:
            text = f"too faint: signal to noise {snr[k]:.0f} in one frame, {MIN_SNR:.0f} wanted"
        else:
            text = ""
        reasons.append(text)
    return reasons


def _crowding_allowed(crowding: np.ndarray) -> float:
    """Settle how crowded (n,) a star may be: as much as leaves enough of them, up to a limit."""
    least = np.sort(crowding)[:ENOUGH]
    return float(np.clip(least[-1], 1.0, MOST_CROWDED)) if least.size else 1.0


def veto_variables(
    veto: list[str],
    detections: Detections,
    wcs: WCS,
    variables: Sequence[tuple[float, float]],
    tolerance: float,
) -> list[str]:
    """Add known variable stars (RA and Dec, degrees) to the vetoes; tolerance in pixels."""
    if not len(variables) or not len(detections):
        return veto
    ra, dec = np.array([(v[0], v[1]) for v in variables], dtype=float).T
    x, y = wcs.wcs_world2pix(ra, dec, 0)
    veto = list(veto)
    for vx, vy in zip(x, y, strict=True):
        distance = np.hypot(detections.x - vx, detections.y - vy)
        row = int(np.argmin(distance))
        if distance[row] <= tolerance and not veto[row]:
            veto[row] = "a known variable star"
    return veto


def _place_target(wcs: WCS, ra: float, dec: float, shape: tuple[int, int]) -> tuple[float, float]:
    """Pixel position of the target; a frame has pixels -0.5 to n - 0.5."""
    from astropy.wcs import NoConvergence

    ny, nx = shape
    try:
        x, y = (float(v) for v in wcs.all_world2pix(ra, dec, 0))
    except NoConvergence:
        x = y = float("nan")
    if not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
        middle = wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0)
        at = float(middle[0]), float(middle[1])
        pixel = f"at pixel ({x:.0f}, {y:.0f}) of {nx} x {ny}, " if np.isfinite(x + y) else ""
        msg = (
            f"the target (RA {ra:.5f}, Dec {dec:+.5f} deg) is outside the frame: {pixel}"
            f"{degrees_apart(at, (ra, dec)):.3g} deg from its middle at RA {at[0]:.3f}, Dec "
            f"{at[1]:+.3f} deg; check --ra and --dec, or the folder"
        )
        raise InputError(msg, why=Why.ELSEWHERE)
    return x, y


def _tolerance(detections: Detections) -> float:
    """How far a star may lie from where it is looked for, pixels."""
    return max(TARGET_TOLERANCE_PX, _fwhm(detections, 0.0))


def _fwhm(detections: Detections, otherwise: float) -> float:
    """Width of the stars, pixels."""
    finite = detections.fwhm[np.isfinite(detections.fwhm)]
    return float(np.median(finite)) if len(finite) else otherwise


def _rank_others(
    detections: Detections, target: int | None, veto: Sequence[str], near: np.ndarray, most: int
) -> np.ndarray:
    """Rows of all but the target: candidates before others, each brightest first.

    Where there are more than `most`, those not near the target are left out from the end.
    """
    order = np.lexsort((-detections.flux, np.array([why != "" for why in veto], dtype=bool)))
    order = order[order != (-1 if target is None else target)]
    return order[np.sort(np.argsort(~near[order], kind="stable")[:most])]


def _target_reason(match: int | None, distance: np.ndarray, scale: float | None) -> str:
    if match is None:
        nearest = f"; the nearest is {distance.min():.1f} px away" if len(distance) else ""
        return f"target, placed by its coordinates alone: no star detected there{nearest}"
    offset = distance[match]
    sky = f" ({offset * scale:.1f} arcsec)" if scale else ""
    return f"target, detected {offset:.1f} px{sky} from its coordinates"


def _columns(
    detections: Detections, target_xy: tuple[float, float], match: int | None, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, flux and peak of the target and the others; a target not detected has NaN flux."""
    names = ("x", "y", "flux", "peak")
    if match is not None:
        head = [getattr(detections, name)[match] for name in names]
    else:
        head = [*target_xy, np.nan, np.nan]
    x, y, flux, peak = (
        np.concatenate([[first], getattr(detections, name)[others]]).astype(float)
        for first, name in zip(head, names, strict=True)
    )
    return x, y, flux, peak


def _name(role: Sequence[str]) -> np.ndarray:
    return np.array([f"{LETTERS[StarRole(r)]}{k}" for k, r in enumerate(role, start=1)])


def _all_named(settings: StarSettings) -> list[str]:
    """List all stars that the user named."""
    check = [settings.check] if settings.check else []
    return [*settings.comparisons, *settings.exclude, *check]


def _field(
    settings: StarSettings,
    wcs: WCS,
    shape: tuple[int, int],
    target_xy: tuple[float, float],
    detections: Detections,
) -> Field:
    """Settle what the user's names of stars are of."""
    detected = np.column_stack([detections.x, detections.y])
    moved = moved_by(settings.anchor, _all_named(settings), target_xy, detected, shape)
    return Field(wcs, shape, moved)


def _find_each(
    stars: Sequence[str], use: str, find: Callable[[str], int], listed: Path | None
) -> dict[str, int]:
    """Find the rows of stars that the user named, by their names.

    listed: the list that they may be from, if there is one. That may be of another night, whose
    frames lay otherwise, and need not say which is the target: what is not there is told aloud.
    """
    rows: dict[str, int] = {}
    lost: list[str] = []
    for star in stars:
        try:
            rows[star] = find(star)
        except InputError as error:
            if listed is None:
                raise
            lost.append(str(error))
    targets = [star for star, row in rows.items() if row == 0]
    if targets and listed is None:
        msg = f"the target cannot be {use}: {targets[0]}"
        raise InputError(msg, why=Why.NAMED)
    if lost and listed is not None:
        first = f"{len(lost)} of {len(stars)} stars are left out, the first: {lost[0]}"
        log.warning("%s: %s", listed.name, first)
    return {star: row for star, row in rows.items() if row}


def _override(plan: StarPlan, settings: StarSettings, field: Field, tolerance: float) -> StarPlan:
    """Apply the user's own choice of comparison, check and excluded stars."""

    def rows_of(stars: Sequence[str], use: str) -> dict[str, int]:
        near, most = max(TOLERANCE_PX, tolerance), settings.max_stars
        find = partial(find_star, plan, field=field, tolerance_px=near, most=most)
        return _find_each(stars, use, find, settings.file)

    roles: dict[int, tuple[StarRole, str]] = {}
    chosen = rows_of(settings.comparisons, "its own comparison star")
    if settings.comparisons and not chosen:
        msg = f"none of {len(settings.comparisons)} comparison stars is on the reference frame"
        raise InputError(msg, file=str(settings.file))
    if chosen:
        others = np.flatnonzero(plan.role == StarRole.COMPARISON).tolist()
        roles |= dict.fromkeys(others, (StarRole.FIELD, "the user named other comparison stars"))
        roles |= dict.fromkeys(chosen.values(), (StarRole.COMPARISON, "named by the user"))
    for row in rows_of(settings.exclude, "excluded").values():
        roles[row] = (StarRole.FIELD, "excluded by the user")
    checks = [settings.check] if settings.check else []
    for check, row in rows_of(checks, "its own check star").items():
        named = [star for star, other in chosen.items() if other == row]
        if named:
            msg = (
                f"--comp {named[0]} and --check {check} name the same star: a check star "
                "takes no part in the ensemble; leave one of the two options out"
            )
            raise InputError(msg, why=Why.NAMED)
        roles[row] = (StarRole.CHECK, "named by the user")
    return revise_plan(plan, roles)
