"""Whose light is in the aperture: the target's share of it, beside the stars that stand near.

The field's own stars tell how a star's light spreads; a neighbour's light in an aperture follows
from its distance and brightness, in every frame at that frame's seeing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import Dilution, Measurements, StarRole
from lightcurve.core.flags import UNUSABLE
from lightcurve.core.robust import robust_scatter
from lightcurve.curve.detrend import column_median
from lightcurve.curve.neighbours import moffat_rings, part_of_rings, stray_light

__all__ = ["Blend", "Companion", "companions_measured", "field_profile"]

MIN_SNR = 30.0  # of a star that tells the profile, in the largest aperture
REACH_FWHM = 12.0  # beyond it a star has no light here
ALONE = 1e-2  # of a star's light, by others in its aperture: it tells how stars grow so far
MIN_RADII = 4  # that tell a profile: of these even stars that are not alone
WING = (3.0, 12.0)  # how steeply a profile may fall beyond the last aperture
NEAR_FWHM = 4.0  # beyond the largest aperture: a neighbour's light in it is not looked for farther
PROFILE_ERROR = 0.05  # of a neighbour's light within: the profile is round here, and one for all
GUESSED_ERROR = 0.3  # of a Gaussian where nothing tells the profile
STEPS = 400  # rings of the profile
LEAST_FWHM = 0.5
ROUNDS = 30
FEW_RADII = (2, 4)  # smallest apertures that take light apart; both numbers should say the same
MAX_FRAMES = 200


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """How a star's light grows with radius, in units of the FWHM.

    radius : (m,) float array, ascending from 0. light : (m,) float array, share within, from 0 to 1
    err : relative, of the light that it puts into a circle beside the star
    """

    radius: np.ndarray
    light: np.ndarray
    err: float

    def within(self, aperture: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Share of a star's light within circles (n,) whose middles lie at distances (n,) from it.

        All in FWHM.
        """
        ring = (self.radius[1:] + self.radius[:-1]) / 2
        return part_of_rings(ring, distance, aperture) @ np.diff(self.light)


@dataclass(frozen=True, slots=True)
class Companion:
    """A star beside the target.

    Attributes
    ----------
    x, y : float
        From the target in the reference frame, pixels.
    light, err : float
        Over the target's, and its error.
    source : str
        What told it.
    """

    x: float
    y: float
    light: float
    err: float
    source: str

    @property
    def distance(self) -> float:
        """From the target, pixels."""
        return float(np.hypot(self.x, self.y))


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """The target and the stars whose light may fall into its aperture.

    Attributes
    ----------
    profile : Profile
        Of the field's stars.
    fwhm : (n_frame,) float array
        Pixels.
    companions : tuple of Companion
    """

    profile: Profile
    fwhm: np.ndarray
    companions: tuple[Companion, ...]

    def share(self, radius: np.ndarray) -> Dilution:
        """Tell how much of the light in an aperture is the target's, over the night.

        Parameters
        ----------
        radius : (n_frame,) float array
            Pixels.

        Returns
        -------
        Dilution
            The median over the frames. Its error has that of the companions' light, of the
            profile, and the change with the seeing.
        """
        seen = np.flatnonzero(np.isfinite(self.fwhm) & np.isfinite(radius))
        if not self.companions or not len(seen):
            return Dilution(1.0, 0.0, "no other star's light in the aperture", 0.0)
        seen = seen[:: max(1, len(seen) // MAX_FRAMES)]  # for a median these are enough
        own, foreign = self._light(radius, seen)
        share = own / (own + foreign.sum(axis=0))
        value, change = float(np.median(share)), robust_scatter(share)
        # dD = D (1 - D) of the relative error of the companions' light within
        part = np.median(foreign, axis=1) / max(float(np.median(foreign.sum(axis=0))), 1e-12)
        told = np.array([c.err / max(c.light, 1e-9) for c in self.companions])
        relative = float(np.hypot(np.linalg.norm(part * told), self.profile.err))
        err = float(np.hypot(value * (1 - value) * relative, change))
        return Dilution(value, err, describe(self.companions, part), change / value)

    def other_light(self, radius: np.ndarray) -> np.ndarray:
        """Foretell the light of other stars in an aperture over the target's, in every frame.

        radius: (n_frame,) float array, pixels. Returns (n_frame,) float array, NaN where the seeing
        is not known.
        """
        found = np.full(len(self.fwhm), np.nan)
        seen = np.flatnonzero(np.isfinite(self.fwhm) & np.isfinite(radius))
        own, foreign = self._light(radius, seen)
        found[seen] = foreign.sum(axis=0) / own
        return found

    def _light(self, radius: np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Light within the aperture in some frames, (n,), of the target and of each companion.

        Returns (n,) and (companion, n) float arrays, over all of the target's.
        """
        fwhm, r = self.fwhm[frames], radius[frames] / self.fwhm[frames]
        places = np.array([(0.0, 0.0), *((c.x, c.y) for c in self.companions)])
        light = np.array([1.0, *(c.light for c in self.companions)])
        middle = centred(places, light, float(np.median(fwhm)))
        away = np.hypot(*(places - middle).T)
        within = np.array([self.profile.within(r, d / fwhm) for d in away])
        return within[0], light[1:, None] * within[1:]


def describe(companions: Sequence[Companion], part: np.ndarray) -> str:
    """Name the companion that gives most of the foreign light, and count the others."""
    k = int(np.argmax(part))
    first = companions[k]
    more = f" and {len(companions) - 1} more" if len(companions) > 1 else ""
    return (
        f"a star of {100 * first.light:.0f} % of its light {first.distance:.1f} px away "
        f"({first.source}){more}"
    )


def centred(places: np.ndarray, light: np.ndarray, fwhm: float) -> np.ndarray:
    """Find where a windowed centroid comes to rest that starts at the first of stars (n, 2).

    It is the top of the image smoothed by the window, as wide as a star: of Gaussians here.
    """
    variance = 2 * (fwhm / FWHM_PER_SIGMA) ** 2
    middle = places[0]
    for _ in range(ROUNDS):
        weight = light * np.exp(-((places - middle) ** 2).sum(axis=1) / (2 * variance))
        middle = weight @ places / weight.sum()
    return middle


def field_profile(measurements: Measurements) -> Profile:
    """Tell from the comparison candidates how the light of the field's stars spreads.

    Parameters
    ----------
    measurements : Measurements
        Its radii tell the profile, as far as any star is alone; beyond, its slope is carried on.

    Returns
    -------
    Profile
        A Gaussian where there is no star, or one radius alone, to tell it.
    """
    m = measurements
    fine = np.linspace(0, REACH_FWHM, STEPS + 1)
    flux, error = m.flux, m.flux_err
    use = (m.plan.role == StarRole.COMPARISON)[None, :]
    use = use & ((m.flags[:, :, -1] & int(UNUSABLE)) == 0)
    use &= flux[:, :, -1] > MIN_SNR * error[:, :, -1]
    seen = use.any(axis=1) & np.isfinite(m.fwhm_px)
    if not seen.any() or len(m.radii) < MIN_RADII:
        return Profile(fine, 1 - np.exp(-4 * np.log(2) * fine**2), GUESSED_ERROR)
    growth = _growth(m, use)[seen]
    radii = m.radii[: growth.shape[1]]
    radius = radii / np.median(m.fwhm_px[seen])
    scaled = [
        np.interp(radius, radii / fwhm, curve)
        for fwhm, curve in zip(m.fwhm_px[seen], growth, strict=True)
    ]
    told = np.maximum.accumulate(np.clip(np.median(scaled, axis=0), 1e-3, 1.0))
    # What lies within the smallest aperture is told by none.
    err = PROFILE_ERROR * max(1.0, float(radius[0]))
    return Profile(fine, _grown(radius, told / told[-1], fine), err)


def _growth(m: Measurements, use: np.ndarray) -> np.ndarray:
    """Light of a star in each aperture (n_frame, n_radius) over that in the last, from smallest on.

    Each step from one radius to the next is told by the stars that are alone as far as that, and
    the last is the one that any star is alone in. use: (n_frame, n_star) bool array.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = m.flux[:, :, 1:] / m.flux[:, :, :-1]
    steps = np.where(use[:, :, None] & _alone(m), steps, np.nan)
    n_frame, n_star, n_step = steps.shape
    told = column_median(steps.transpose(1, 0, 2).reshape(n_star, -1)).reshape(n_frame, n_step)
    usual = column_median(told)
    kept = int(np.cumprod(np.isfinite(usual)).sum())
    told = np.where(np.isfinite(told), told, usual)[:, :kept]
    growth = np.cumprod(np.column_stack([np.ones(n_frame), told]), axis=1)
    return growth / growth[:, -1:]


def _alone(m: Measurements) -> np.ndarray:
    """Tell which stars are alone in each aperture but the first, (n_star, n_radius - 1)."""
    flux = np.nan_to_num(column_median(m.flux[:, :, 0]))
    flux = np.maximum(flux, 1e-6 * max(float(flux.max()), 1e-6))
    rings = moffat_rings(float(np.nanmedian(m.fwhm_px)))
    x, y = m.plan.x_ref, m.plan.y_ref
    others = [
        stray_light(x, y, flux, radius=r, annulus=m.annulus, rings=rings).aperture
        for r in m.radii[1:]
    ]
    alone = np.transpose(others) < ALONE
    alone[:, : MIN_RADII - 1] = True
    return alone


def _grown(radius: np.ndarray, light: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Go through the growth (k,) at radii (k,), and beyond them by a power law, at `fine` (m,).

    The logarithm of what is outside, over the radius squared, is smooth: straight for a Gaussian.
    """
    from scipy.interpolate import PchipInterpolator

    rings = np.diff(light) / np.diff(radius**2)
    middles = (radius[1:] + radius[:-1]) / 2
    steep, tail = WING[1], 1e-4
    if rings[-1] > 0 and rings[-2] > 0:
        fall = -np.log(rings[-1] / rings[-2]) / np.log(middles[-1] / middles[-2])
        steep = float(np.clip(fall, *WING))
        edge = rings[-1] * (middles[-1] / radius[-1]) ** steep
        tail = max(2 * edge * radius[-1] ** 2 / (steep - 2), tail)
    outside = np.append(1.0, 1 - light / (1 + tail))
    outside = np.minimum.accumulate(outside)
    squared = np.append(0.0, radius) ** 2
    keep = np.append(True, np.diff(outside) < 0)
    # Where the last radii hold no more light than the one before, nothing is carried on.
    known = np.minimum(fine**2, squared[keep][-1])
    inner = PchipInterpolator(squared[keep], np.log(outside[keep]))(known)
    beyond = np.log(outside[-1]) - (steep - 2) * np.log(np.maximum(fine, 1e-9) / radius[-1])
    grown = 1 - np.exp(np.where(fine <= radius[-1], inner, beyond))
    return np.maximum.accumulate(grown) / grown[-1]


def companions_measured(measurements: Measurements, profile: Profile) -> tuple[Companion, ...]:
    """Take apart the light of the target and of the stars found near it.

    Parameters
    ----------
    measurements : Measurements
        Of its plan the stars within the largest aperture and four FWHM more are looked at.
    profile : Profile
        Of the field's stars.

    Returns
    -------
    tuple of Companion
        Those with more light than its error. Their light is that of the night's medians in a
        small aperture each, less what the others put into it.
    """
    m, plan = measurements, measurements.plan
    if not np.isfinite(m.fwhm_px).any():
        return ()
    fwhm = float(np.nanmedian(m.fwhm_px))
    dx, dy = plan.x_ref - plan.x_ref[0], plan.y_ref - plan.y_ref[0]
    rows = np.flatnonzero(np.hypot(dx, dy) <= m.radii[-1] + NEAR_FWHM * fwhm)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = m.flux[:, rows] / m.flux[:, [0]]
    with np.errstate(invalid="ignore"):
        away = np.hypot(m.x[:, rows] - m.x[:, [0]], m.y[:, rows] - m.y[:, [0]])
    # One whose centroid went to the target's own place was not measured.
    apart = np.median(np.nan_to_num(away), axis=0) > LEAST_FWHM * fwhm
    rows = rows[np.isfinite(relative[:, :, 0]).any(axis=0) & (apart | (rows == 0))]
    few, more = (min(n, len(m.radii)) for n in FEW_RADII)
    told = np.isfinite(m.flux[:, 0, :more]).all(axis=1) & (m.flux[:, 0, 0] > 0)
    if len(rows) < 2 or rows[0] != 0 or not (told & np.isfinite(m.fwhm_px)).any():
        return ()
    found = [_apart(m, profile, rows, n) for n in (few, more)]
    (light, noise), (wider, _) = found
    err = np.hypot(noise, light - wider)
    return tuple(
        Companion(float(dx[row]), float(dy[row]), float(q), float(e), f"measured, {star}")
        for row, q, e, star in zip(
            rows[1:], light[1:], err[1:], plan.star_id[rows[1:]], strict=True
        )
        if q > e
    )


def _offsets(m: Measurements, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where the apertures of stars (n,) stood, from that of the first: (n, 2), reference pixels.

    The direction is that of the stars, for the field may turn; the distance is what was measured: a
    centroid may have come to rest beside its star, or on a brighter one.
    """
    x, y = (values[:, rows] - values[:, rows[:1]] for values in (m.x, m.y))
    away = np.nanmedian(np.hypot(x, y), axis=0)
    step = places - places[0]
    length = np.maximum(np.hypot(*step.T), 1e-9)
    return step * (away / length)[:, None]


def _apart(
    m: Measurements, profile: Profile, rows: np.ndarray, n_radii: int
) -> tuple[np.ndarray, np.ndarray]:
    """Light over the target's of stars (n,), rows of the plan, and its error, by the first radii.

    Where two centroids come to rest in one place the radii tell their stars apart.
    """
    fluxes = m.flux[:, rows, :n_radii]
    seen = np.isfinite(fluxes[:, 0]).all(axis=1) & (fluxes[:, 0, 0] > 0) & np.isfinite(m.fwhm_px)
    scale = fluxes[seen][:, [0], :1]
    with np.errstate(invalid="ignore"):
        told = np.nanmedian(fluxes[seen] / scale, axis=0)
        noise = np.nanmedian(m.flux_err[seen][:, rows, 0] / scale[:, :, 0], axis=0)
    number = np.maximum(np.isfinite(fluxes[seen][:, :, 0]).sum(axis=0), 1)
    fwhm = m.fwhm_px[seen]
    places = np.column_stack([m.plan.x_ref[rows], m.plan.y_ref[rows]])
    light, width = np.maximum(np.nan_to_num(told[:, 0]), 0), float(np.median(fwhm))
    middles = centred(places, light, width) + _offsets(m, rows, places)
    apart = np.hypot(*(middles[:, None] - places[None]).transpose(2, 0, 1))
    within = np.array(
        [
            [[np.median(profile.within(r / fwhm, d / fwhm)) for d in line] for line in apart]
            for r in m.radii[:n_radii]
        ]
    )
    known = np.isfinite(told.T)
    solved = np.linalg.lstsq(within[known], told.T[known], rcond=1e-3)[0]
    return solved / solved[0], noise * 1.25 / np.sqrt(number) / within[0, 0, 0]
