"""Light that bad pixels hide: what the profile of the frame's stars has there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.phot.cutouts import annulus_offsets, gather, part_within, take_offsets
from lightcurve.phot.noise import QUANTISATION_VARIANCE
from lightcurve.phot.profile import Profile, fit_profile

MENDABLE = np.uint8(
    PixelFlag.NOT_FINITE | PixelFlag.HOT | PixelFlag.DEAD | PixelFlag.COSMIC_RAY | PixelFlag.USER
)
# Of a measurement's own error: up to it a mend makes the error larger by 41 %, and no step stands
# out. With a profile good to 1 % that is a fifth of the light of a star measured to 0.2 %.
MOST_DOUBT = 1.0  # of the mend, over the error of the measurement without it
NEAR = 1.3  # px: the bits of an aperture are those around its middle pixel, and half a pixel more
PROFILE_STARS, PROFILE_PIXELS = 15, 4000  # the brightest make the profile
STAR_PIXELS = 600  # of a star tell how bright it is, and where
LEAST_SNR = 20.0  # of a star with a profile
UNTOLD = 0.5  # doubt of what the pixels around tell: half of it, where no profile is known
LITTLE = 0.1  # of a sum's noise: what the pixels around tell will do, the error grows by 0.1 %
STEPS = 3
OFF_PX = 0.2  # of a centroid with a hole beside it


@dataclass(frozen=True, slots=True, eq=False)
class Holes:
    """Bad pixels around stars, and what light they should have; arrays (n,) of one length."""

    star: np.ndarray  # index
    x: np.ndarray  # whole pixels of the image
    y: np.ndarray
    light: np.ndarray  # ADU above the sky

    def into_boxes(self, boxes: np.ndarray, column: np.ndarray, row: np.ndarray) -> None:
        """Put the light into squares (n, m, m) around pixels (n,), as far as they reach."""
        half = boxes.shape[1] // 2
        j, i = self.y - row[self.star] + half, self.x - column[self.star] + half
        inside = (np.minimum(i, j) >= 0) & (np.maximum(i, j) <= 2 * half)
        boxes[self.star[inside], j[inside], i[inside]] = self.light[inside]

    def into_image(
        self, pixels: np.ndarray, bad: np.ndarray, sky: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Copy an image and its bits with these pixels made good."""
        pixels, bad = pixels.copy(), bad.copy()
        pixels[self.y, self.x] = self.light + sky[self.star]
        bad[self.y, self.x] &= ~MENDABLE
        return pixels, bad


@dataclass(frozen=True, slots=True, eq=False)
class Mended:
    """Holes filled, and what sums that hold them are uncertain by for it."""

    holes: Holes
    variance: np.ndarray  # (n_star, n_radius) ADU^2; NaN where a sum holds none

    def judge(self, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flag sums (n_star, n_radius) that hold filled pixels, and enlarge their errors.

        One is given up where what was filled in is more uncertain than the rest.
        """
        held = np.isfinite(self.variance)
        much = held & ~(self.variance <= (MOST_DOUBT * error) ** 2)
        flags = np.where(much, np.uint16(Flag.BAD_PIXEL), np.uint16(0))
        flags |= np.where(held & ~much, np.uint16(Flag.MENDED), np.uint16(0))
        return flags, np.sqrt(error**2 + np.where(held, self.variance, 0.0))


def find_holes(
    pixels: np.ndarray,
    bad: np.ndarray,
    place: tuple[np.ndarray, np.ndarray],
    centre: np.ndarray,
    sky: np.ndarray,
    radius: float,
) -> Holes | None:
    """Find bad pixels within a radius of stars; None where there are none.

    place: (n,) column and row of each star; centre: (2, n) offsets from there; sky: (n,), NaN for
    stars not to be mended. Their light is that of the good pixels around; without, they stay bad.
    """
    (column, row), half = place, int(np.ceil(radius + 2.5))
    if not bad.any():
        return None
    marks = gather(bad, column, row, half)
    found = np.flatnonzero((marks & MENDABLE) != 0)
    star, j, i = np.unravel_index(found, marks.shape)
    distance = np.hypot(i - half - centre[0][star], j - half - centre[1][star])
    near = (distance <= radius + NEAR) & np.isfinite(sky[star])
    star, x, y = star[near], (column[star] + i - half)[near], (row[star] + j - half)[near]
    # A pixel in the apertures of two stars holds light of both.
    pixel = y * pixels.shape[1] + x
    _, first, times = np.unique(pixel, return_inverse=True, return_counts=True)
    around = gather(pixels, x, y, 1)
    around[(gather(bad, x, y, 1) & MENDABLE) != 0] = np.nan
    good = np.isfinite(around)
    count = good.sum(axis=(1, 2))
    mean = np.where(good, around, 0.0).sum(axis=(1, 2)) / np.maximum(count, 1)
    known = (count > 0) & (times[first] == 1)
    if not known.any():
        return None
    return Holes(star[known], x[known], y[known], (mean - sky[star])[known])


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """Where stars (n,) are in an image, and what is below them."""

    column: np.ndarray
    row: np.ndarray
    centre: np.ndarray  # (2, n) offsets from there
    sky: np.ndarray
    sky_std: np.ndarray
    flux: np.ndarray  # about

    def of(self, which: np.ndarray) -> Stars:
        """Take some of them."""
        return Stars(
            self.column[which], self.row[which], self.centre[:, which], self.sky[which],
            self.sky_std[which], self.flux[which],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Good pixels (n, m) around n stars."""

    dx: np.ndarray  # (m,) whole pixels from the star's column
    dy: np.ndarray
    light: np.ndarray  # ADU above the sky, 0 where bad
    good: np.ndarray
    bits: np.ndarray  # (n,) of all

    def offsets(self, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the offsets (n, m) of the pixels from centres (2, n)."""
        return self.dx - centre[0][:, None], self.dy - centre[1][:, None]


@lru_cache(maxsize=64)
def _drawn(radius: float, at_most: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw offsets dx, dy within a radius, those that `_look` takes; nobody writes to them."""
    dx, dy = annulus_offsets(0.0, radius)
    if dx.size <= at_most:
        return dx, dy
    order, near = np.argsort(np.hypot(dx, dy), kind="stable"), at_most // 2
    far = np.random.default_rng(0).permutation(order[near:])[: at_most - near]
    drawn = np.concatenate([order[:near], far])
    return dx[drawn], dy[drawn]


def _look(pixels: np.ndarray, bad: np.ndarray, stars: Stars, radius: float, at_most: int) -> _Seen:
    """Take pixels within a radius of stars; of too many those near, and as many others by lot."""
    dx, dy = _drawn(radius, at_most)
    light = take_offsets(pixels, stars.column, stars.row, (dx, dy)) - stars.sky[:, None]
    bits = take_offsets(bad, stars.column, stars.row, (dx, dy))
    good = np.isfinite(light) & (bits == 0)
    bits = np.bitwise_or.reduce(bits, axis=1)
    return _Seen(dx, dy, np.where(good, light, 0.0), good, bits)


def mend(
    holes: Holes, pixels: np.ndarray, bad: np.ndarray, stars: Stars, radii: np.ndarray, gain: float
) -> Mended:
    """Fill holes with the light that the profile has there; radii: (n_radius,) of the sums."""
    touched, star = np.unique(holes.star, return_inverse=True)
    some, main = stars.of(touched), float(radii[len(radii) // 2])
    inside, _ = _inside(holes, star, some, radii)
    profile = None
    if not _is_little(holes, inside, some, radii, gain):
        profile = _profile(pixels, bad, stars, radii[-1] + NEAR, main, gain)
    if profile is None:
        found = (UNTOLD * inside.sum(np.abs(holes.light)[:, None])[..., 0]) ** 2
    else:
        seen = _look(pixels, bad, some, main, STAR_PIXELS)
        placed = _place(profile, seen, some, gain)
        inside, (u, v) = _inside(holes, star, replace(some, centre=placed.centre), radii)
        holes = replace(holes, light=placed.flux[star] * profile.at(u, v))
        found = _variance(profile, placed, inside, (u, v), radii)
        own = _pixel_variance(holes.light, some.sky_std[star], gain)
        # As if the pixel had been good is in the error already.
        found = np.maximum(found - inside.sum(own[:, None])[..., 0], 0)
        doubt = np.maximum(placed.misfit, profile.misfit)[:, None]
        found += (doubt * inside.sum(np.abs(holes.light)[:, None])[..., 0]) ** 2
    variance = np.full((len(stars.sky), len(radii)), np.nan)
    variance[touched] = np.where(inside.held, found, np.nan)
    return Mended(holes, variance)


def _is_little(holes: Holes, inside: _Inside, stars: Stars, radii: np.ndarray, gain: float) -> bool:
    """Tell whether the light of no hole counts beside the noise of any sum of its star (n,)."""
    variance = np.maximum(stars.flux, 0)[:, None] / gain
    noise = np.sqrt(variance + np.pi * radii**2 * stars.sky_std[:, None] ** 2)
    light = inside.part * np.abs(holes.light)[:, None]
    return bool((light <= LITTLE * noise[inside.star]).all())


@dataclass(frozen=True, slots=True, eq=False)
class _Inside:
    """Which part of each hole lies in which circle of its star."""

    star: np.ndarray  # (n_hole,) among those that have holes
    part: np.ndarray  # (n_hole, n_radius)
    held: np.ndarray  # (n_star, n_radius) whether there is any

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum values (n_hole, k) of the holes in the circles, (n_star, n_radius, k)."""
        total = np.zeros((*self.held.shape, values.shape[1]))
        np.add.at(total, self.star, self.part[:, :, None] * values[:, None, :])
        return total


def _inside(
    holes: Holes, star: np.ndarray, stars: Stars, radii: np.ndarray
) -> tuple[_Inside, tuple[np.ndarray, np.ndarray]]:
    """Tell where holes lie in the circles of their stars (n_hole,), and their offsets."""
    u = holes.x - (stars.column + stars.centre[0])[star]
    v = holes.y - (stars.row + stars.centre[1])[star]
    part = part_within(u, v, radii)
    held = np.zeros((len(stars.sky), len(radii)), bool)
    np.logical_or.at(held, star, part > 0)
    return _Inside(star, part, held), (u, v)


def _variance(
    profile: Profile,
    placed: _Placed,
    inside: _Inside,
    offsets: tuple[np.ndarray, np.ndarray],
    radii: np.ndarray,
) -> np.ndarray:
    """Give the variance (n_star, n_radius) of sums for what is filled in.

    By flux and place of the star, which hang on the same good pixels as the rest of the sum, and by
    the profile.
    """
    terms = profile.terms(*offsets)
    slopes = placed.flux[inside.star] * profile.slopes(*offsets)
    filled = inside.sum(np.column_stack([terms @ profile.coefficients, *slopes]))
    of_terms = placed.flux[:, None, None] * inside.sum(terms)
    u, v = placed.seen.offsets(placed.centre)
    part = part_within(u, v, radii) * placed.seen.good[..., None]
    rest = part.swapaxes(1, 2) @ placed.design.swapaxes(1, 2)  # (n_star, n_radius, 3)
    by_star = ((filled @ placed.covariance) * (filled + 2 * rest)).sum(axis=-1)
    return by_star + profile.variance(of_terms)


def _pixel_variance(light: np.ndarray, sky_std: np.ndarray, gain: float) -> np.ndarray:
    return np.maximum(light, 0) / gain + np.maximum(sky_std**2, QUANTISATION_VARIANCE)


def _profile(
    pixels: np.ndarray, bad: np.ndarray, stars: Stars, reach: float, main: float, gain: float
) -> Profile | None:
    """Make the profile of the brightest stars that are whole but for holes."""
    noise = np.sqrt(np.maximum(stars.flux, 0) / gain + np.pi * main**2 * stars.sky_std**2)
    order = np.argsort(-np.nan_to_num(stars.flux, nan=-np.inf), kind="stable")
    able = np.isfinite(noise) & (stars.flux > LEAST_SNR * noise)
    chosen = order[able[order]][: 2 * PROFILE_STARS]
    if not chosen.size:
        return None
    each = max(PROFILE_PIXELS // PROFILE_STARS, PROFILE_PIXELS // len(chosen))
    some = stars.of(chosen)
    seen = _look(pixels, bad, some, reach, each)
    whole = np.flatnonzero((seen.bits & ~MENDABLE) == 0)[:PROFILE_STARS]
    if not whole.size:
        return None
    some, light, good = some.of(whole), seen.light[whole], seen.good[whole]
    u, v = (one[whole] for one in seen.offsets(stars.of(chosen).centre))
    variance = _pixel_variance(light, some.sky_std[:, None], gain)
    flux = np.broadcast_to(some.flux[:, None], variance.shape)
    return fit_profile(*(one[good] for one in (light, variance, u, v, flux)))


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """Stars (n,) as their good pixels have them."""

    flux: np.ndarray
    centre: np.ndarray  # (2, n)
    covariance: np.ndarray  # (n, 3, 3) of flux and centre
    misfit: np.ndarray  # (n,) rms beyond noise, over the light
    seen: _Seen
    design: np.ndarray  # (n, 3, m)


def _place(profile: Profile, seen: _Seen, stars: Stars, gain: float) -> _Placed:
    """Fit flux and place of stars to their good pixels."""
    flux, centre = np.array(stars.flux, dtype=float), np.array(stars.centre, dtype=float)
    # A faint star stays where its centroid is.
    held = np.diag([0.0, 1 / OFF_PX**2, 1 / OFF_PX**2])
    for _ in range(STEPS):
        u, v = seen.offsets(centre)
        shape = profile.at(u, v)
        design = np.stack([shape, *(flux[:, None] * profile.slopes(u, v))], axis=1)
        design *= seen.good[:, None]
        model = flux[:, None] * shape
        weight = 1 / _pixel_variance(model, stars.sky_std[:, None], gain)
        normal = (design * weight[:, None]) @ design.swapaxes(1, 2) + held
        normal[:, 0, 0] += 1e-30  # of no good pixel: nothing is known
        rest = np.where(seen.good, seen.light - model, 0.0)
        step = (design @ (weight * rest)[..., None])[..., 0]
        step[:, 1:] -= (centre - stars.centre).T / OFF_PX**2
        covariance = np.linalg.inv(normal)
        step = np.einsum("nkl,nl->nk", covariance, step)
        flux, centre = flux + step[:, 0], centre + np.clip(step[:, 1:].T, -0.5, 0.5)
    beyond = np.where(seen.good, rest**2 - 1 / weight, 0.0).sum(axis=1)
    light = np.where(seen.good, model**2, 0.0).sum(axis=1)
    misfit = np.sqrt(np.maximum(beyond, 0.0) / np.maximum(light, 1e-30))
    return _Placed(flux, centre, covariance, misfit, seen, design)
