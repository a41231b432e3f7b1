"""Fit the PSF to all stars of a frame at once, by the normal equations of their blends.

And again where some of them have gone, or more have come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.phot.cutouts import add_squares, gather
from lightcurve.phot.psf import Psf, Sampler, psf_boxes

if TYPE_CHECKING:
    from scipy.sparse import coo_array

__all__ = ["PsfPhotometry", "fit_psf", "fit_radius", "flux_error", "refit_psf"]

MAX_STEP_FWHM, MAX_STEP_PX = 0.17, 0.5  # of a place in one iteration: the larger
MAX_SHIFT_FWHM, MAX_SHIFT_PX = 0.7, 2.0  # from where a star was found, likewise
DAMPING = 1e-6
COUPLING = 0.02  # correlation below which two stars are independent for their errors
FIT_FWHM = 1.3  # radius of the pixels that are fitted
LEAST_FIT_PX = 1.6  # at least: about any place 6 pixels lie in it, however sharp the stars
SLOPE_FWHM, MODEL_FWHM = 2.0, 3.0  # half side of what a star reaches: slopes, and light
MAX_ITERATIONS = 6
STILL_SIGMA = 0.01  # a step, in errors, after which a star is fixed while others go on
TOLERANCE_SIGMA = 0.1  # the step of the last iteration,
SETTLED = 0.98  # of so many stars; the rest are blends that no data tell apart
MIN_SNR_TO_MOVE = 5.0  # a fainter star's place is not fitted: it would walk to a peak of the noise
MIN_PIXELS = 5
BLOCK_PIXELS = 4_000_000  # of squares about stars, at a time
MANY = 0.5  # of the stars are fitted again: so are all
TRIAL_FWHM, MIN_TRIAL = 1.8, 5  # radius in which light that the PSF missed is summed; stars
AROUND_FWHM = 3.5  # out to it is what lies about a star, not the star's
FEW_ERROR = 0.01  # as a share of the flux, where too few stars tell it
MEDIAN_OF_CHI2 = 0.4549  # with one degree of freedom


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """The normal equations at one state."""

    normal: Any  # (3 n, 3 n) scipy.sparse.csr_array, flux, x, y of star after star
    right: np.ndarray  # (n, 3), Jacobian times weighted residual
    # (n, 3), the diagonal of `normal`: the inverse variance of each parameter, all others known
    information: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class PsfPhotometry:
    """What the fit of the PSF gave, star by star.

    Attributes
    ----------
    x, y, x_err, y_err : (n,) float arrays
        Pixels; errors are 0 where the place was held.
    flux, flux_err : (n,) float arrays
        ADU; NaN where fewer than 5 good pixels were left.
    chi2 : (n,) float array
        Per pixel, of the pixels within the fitting radius.
    still : (n,) bool array
        That came to rest; others would go on.
    residual : (ny, nx) float32 array
        The frame without its stars, ADU.
    """

    x: np.ndarray
    y: np.ndarray
    x_err: np.ndarray
    y_err: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    chi2: np.ndarray
    still: np.ndarray
    residual: np.ndarray

    def only(self, rows: np.ndarray) -> PsfPhotometry:
        """Take some stars, by a mask or their numbers; the residual stays."""
        return replace(self, **{name: getattr(self, name)[rows] for name in PER_STAR})


PER_STAR = tuple(name for name in PsfPhotometry.__slots__ if name != "residual")
NO_PLACES = np.zeros(0), np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class _Fixed:
    """The stars that are fitted no more: their light, and what is within their fitting radius."""

    model: np.ndarray
    near: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What stays the same while fitting.

    The frame has a margin, so that every square of pixels lies in it, and only the pixels that
    stars may reach are worked on: all arrays (q + 1,), the first for a pixel that nobody uses.
    """

    sampler: Sampler
    gain: float
    index: np.ndarray  # (ny + 2 margin, nx + 2 margin), of each pixel
    margin: int
    place: np.ndarray  # of each pixel in the frame, flat
    light: np.ndarray
    sky_variance: np.ndarray
    good: np.ndarray

    @classmethod
    def about(
        cls,
        psf: Psf,
        gain: float,
        images: tuple[np.ndarray, np.ndarray, np.ndarray],
        places: tuple[np.ndarray, np.ndarray],
    ) -> _Work:
        """Take what lies about places; images: light, variance, good."""
        ny, nx = images[0].shape
        margin = 2 * (int(psf.half_px) + 1)
        index = np.zeros((ny + 2 * margin, nx + 2 * margin), dtype=np.int32)
        work = cls(Sampler.of(psf), gain, index, margin, np.zeros(1, int), *images)
        half = work.half(MODEL_FWHM) + int(np.ceil(max_shift(psf)))
        index.ravel()[work.squares(*places, half)] = 1
        flat = np.flatnonzero(index)
        row, column = np.divmod(flat, index.shape[1])
        place = (row - margin) * nx + (column - margin)
        inside = (row >= margin) & (row < ny + margin) & (column >= margin) & (column < nx + margin)
        index.ravel()[flat] = inside.cumsum() * inside
        place = np.append(0, place[inside])
        light, variance, good = (image.ravel()[place] for image in images)
        good[0] = False
        return replace(work, place=place, light=light, sky_variance=variance, good=good)

    def without(self, residual: np.ndarray) -> _Work:
        """Take off the light of stars that stay as they are, of which the photons are noise.

        residual: (ny, nx) float array, the frame without them.
        """
        left = np.where(self.good, residual.ravel()[self.place], 0.0)
        variance = self.sky_variance + np.maximum(self.light - left, 0.0) / self.gain
        return replace(self, light=left, sky_variance=variance)

    def half(self, reach: float) -> int:
        """Half side of a square that reaches so many FWHM."""
        psf = self.sampler.psf
        return int(min(np.ceil(reach * psf.fwhm), psf.half_px - 2))

    def squares(self, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
        """Flat places (n, s * s) in the frame with its margin of squares about stars."""
        ny, nx = self.index.shape
        # What is off the frame by more than it reaches stays within the margin.
        column = np.clip(np.rint(x).astype(int) + self.margin, half, nx - 1 - half)
        row = np.clip(np.rint(y).astype(int) + self.margin, half, ny - 1 - half)
        side = np.arange(-half, half + 1)
        return (row * nx + column)[:, None] + (side[:, None] * nx + side).ravel()

    def _pixels(self, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
        return self.index.ravel()[self.squares(x, y, half)]

    def start(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Fluxes from the pixels next to each star, each weighted by what the PSF has there."""
        pixels = self._pixels(x, y, 1)
        values = self.sampler.values(x, y, 1) * self.good[pixels]
        return (self.light[pixels] * values).sum(axis=1) / np.maximum(
            (values**2).sum(axis=1), 1e-12
        )

    def fixed(self, x: np.ndarray, y: np.ndarray) -> _Fixed:
        """No star is fixed but those at places (k,), of which the light is off already."""
        near = np.zeros(len(self.light), dtype=bool)
        pixels, inside = self._circles(x, y)
        near[pixels[inside]] = True
        return _Fixed(np.zeros(len(self.light)), near)

    def fix(self, state: np.ndarray, fixed: _Fixed) -> _Fixed:
        """Fix stars, beside those that are."""
        pixels, inside = self._circles(*state[:, 1:].T)
        near = fixed.near.copy()
        near[pixels[inside]] = True
        return _Fixed(self._model(state, fixed)[0], near)

    def _model(self, state: np.ndarray, fixed: _Fixed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Light (q + 1,) of all stars; and the squares of those not fixed, and the PSF in them."""
        places, half = (state[:, 1], state[:, 2]), self.half(MODEL_FWHM)
        pixels, values = self._pixels(*places, half), self.sampler.values(*places, half)
        light = (values * state[:, :1]).ravel()
        model = np.bincount(pixels.ravel(), light, minlength=len(self.light))
        return model + fixed.model, pixels, values

    def equations(self, state: np.ndarray, fixed: _Fixed) -> System:
        """Set up the normal equations at a state of the stars that are not fixed."""
        from scipy.sparse import csr_array

        n, places = len(state), (state[:, 1], state[:, 2])
        half, inner = self.half(MODEL_FWHM), self.half(SLOPE_FWHM)
        model, pixels, values = self._model(state, fixed)
        root = self._roots(state, model, fixed)
        pixels, values = (_middle(a, half, inner) for a in (pixels, values))
        jacobian = np.empty((n, 3, values.shape[1]))
        jacobian[:, 0] = values
        jacobian[:, 1:] = (self.sampler.slopes(*places, inner) * state[:, 0, None]).swapaxes(0, 1)
        weights = root[pixels]
        jacobian *= weights[:, None]
        used = weights > 0
        three = np.broadcast_to(used[:, None], jacobian.shape)
        ends = np.cumsum(np.repeat(used.sum(axis=1), 3))
        matrix = csr_array(
            (
                jacobian[three],
                np.broadcast_to(pixels[:, None], jacobian.shape)[three],
                np.append(0, ends),
            ),
            shape=(3 * n, len(root)),
        )
        normal = (matrix @ matrix.T).tocsr()
        right = matrix @ ((self.light - model) * root)
        return System(normal, right.reshape(n, 3), normal.diagonal().reshape(n, 3))

    def _roots(self, state: np.ndarray, model: np.ndarray, fixed: _Fixed) -> np.ndarray:
        """One over the error of good pixels within the fitting radius of some star; else 0."""
        pixels, inside = self._circles(*state[:, 1:].T)
        used = fixed.near.copy()
        used[pixels[inside]] = True
        used &= self.good
        variance = np.where(used, self.sky_variance + np.maximum(model, 0.0) / self.gain, np.inf)
        return 1.0 / np.sqrt(variance)

    def _circles(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of squares about places, and which are within the fitting radius."""
        radius = fit_radius(self.sampler.psf.fwhm)
        half = int(np.ceil(radius))
        u, v = (np.arange(-half, half + 1) - (c - np.rint(c))[:, None] for c in (x, y))
        inside = u[:, None, :] ** 2 + v[:, :, None] ** 2 <= radius**2
        return self._pixels(x, y, half), inside.reshape(len(x), (2 * half + 1) ** 2)

    def finish(
        self,
        state: np.ndarray,
        held: np.ndarray,
        still: np.ndarray,
        fixed: _Fixed,
        residual: np.ndarray,
    ) -> PsfPhotometry:
        """Errors, chi-square and the frame without its stars.

        residual: (ny, nx) float32, the frame without what is fixed; changed.
        """
        errors = parameter_errors(self.equations(state, fixed), held)
        take_off(residual, self.sampler, state)
        pixels, inside = self._circles(*state[:, 1:].T)
        use = inside & self.good[pixels]
        left, light = residual.ravel()[self.place][pixels], self.light[pixels]
        variance = self.sky_variance[pixels] + np.maximum(light - left, 0.0) / self.gain
        squares = left.astype(float) ** 2 / np.where(use, variance, 1.0)
        count = use.sum(axis=1)
        chi2 = (use * squares).sum(axis=1) / np.maximum(count, 1)
        few = count < MIN_PIXELS
        return PsfPhotometry(
            x=state[:, 1],
            y=state[:, 2],
            x_err=errors[:, 1],
            y_err=errors[:, 2],
            flux=np.where(few, np.nan, state[:, 0]),
            flux_err=np.where(few, np.nan, errors[:, 0]),
            chi2=np.where(few, np.nan, chi2),
            still=still,
            residual=residual,
        )

    def fit(
        self, state: np.ndarray, residual: np.ndarray, others: tuple[np.ndarray, np.ndarray]
    ) -> PsfPhotometry:
        """Fit stars from a state on; a flux may be NaN.

        residual: (ny, nx) float32, the frame without the stars at `others`, which are fixed; it is
        changed.
        """
        psf = self.sampler.psf
        longest = max(MAX_STEP_PX, MAX_STEP_FWHM * psf.fwhm)
        first, *places = state.T
        state = np.column_stack([np.where(np.isfinite(first), first, self.start(*places)), *places])
        begin = state.copy()
        held, still = np.zeros((2, len(state)), dtype=bool)
        rows, fixed = np.arange(len(state)), self.fixed(*others)
        apart = fixed
        for _ in range(MAX_ITERATIONS):
            system = self.equations(state[rows], fixed)
            held[rows] |= state[rows, 0] * np.sqrt(system.information[:, 0]) < MIN_SNR_TO_MOVE
            step = solve_step(system, held[rows], longest)
            state[rows] += step
            far = np.hypot(*(state - begin)[:, 1:].T) > max_shift(psf)
            state[far, 1:] = begin[far, 1:]
            held |= far
            moved = (np.abs(step) * np.sqrt(system.information)).max(axis=1)
            still[rows] = moved < TOLERANCE_SIGMA
            if np.count_nonzero(~still) <= (1 - SETTLED) * (len(state) + len(others[0])):
                break
            moving = _with_coupled(system, held[rows], moved > STILL_SIGMA)
            fixed, rows = self.fix(state[rows[~moving]], fixed), rows[moving]
        return self.finish(state, held, still, apart, residual)


def take_off(image: np.ndarray, sampler: Sampler, state: np.ndarray) -> None:
    """Take stars off an image (ny, nx), which is changed; state: flux, x, y, (n, 3)."""
    half = int(sampler.psf.half_px) - 2
    side = 2 * half + 1
    for some in np.array_split(state, len(state) * side**2 // BLOCK_PIXELS + 1):
        flux, x, y = some.T
        boxes = -(sampler.values(x, y, half) * flux[:, None]).astype(image.dtype)
        column, row = np.rint(x).astype(int), np.rint(y).astype(int)
        add_squares(image, column, row, boxes.reshape(-1, side, side))


def max_shift(psf: Psf) -> float:
    """How far a star may go from where it was found, pixels."""
    return max(MAX_SHIFT_PX, MAX_SHIFT_FWHM * psf.fwhm)


def _middle(squares: np.ndarray, half: int, inner: int) -> np.ndarray:
    """Cut the middle out of flat squares (n, s * s)."""
    side, cut = 2 * half + 1, slice(half - inner, half + inner + 1)
    return squares.reshape(len(squares), side, side)[:, cut, cut].reshape(
        len(squares), (2 * inner + 1) ** 2
    )


def fit_radius(fwhm: float) -> float:
    """Radius about a star of the pixels that are fitted, pixels, for a PSF of such a FWHM."""
    return max(FIT_FWHM * fwhm, LEAST_FIT_PX)


def fit_psf(
    light: np.ndarray,
    sky_variance: np.ndarray,
    good: np.ndarray,
    psf: Psf,
    x: np.ndarray,
    y: np.ndarray,
    *,
    gain_e_per_adu: float,
    flux: np.ndarray | None = None,
) -> PsfPhotometry:
    """Fit flux and place of every star.

    Pixels weigh by sky and camera noise plus the photon noise of the *model*: weights from the data
    themselves would favour pixels that happen to be low.

    Parameters
    ----------
    light : (ny, nx) float array
        ADU above the sky.
    sky_variance : (ny, nx) float array
        ADU^2 of one pixel without stars.
    good : (ny, nx) bool array
        Pixels to use.
    x, y : (n,) float arrays
        Where the stars are, to a pixel or so. One that moves farther than 2 px, or 0.7 FWHM, is
        put back and held.
    flux : (n,) float array, optional
        As it was fitted before, ADU; NaN where that is not known.
    """
    light = np.where(good, light, 0.0).astype(np.float32)
    if not len(x):
        none = np.zeros(0)
        return PsfPhotometry(none, none, none, none, none, none, none, none > 0, light)
    work = _Work.about(psf, gain_e_per_adu, (light, sky_variance, good), (x, y))
    first = np.full(len(x), np.nan) if flux is None else flux
    return work.fit(np.column_stack([first, x, y]), light, NO_PLACES)


def refit_psf(
    light: np.ndarray,
    sky_variance: np.ndarray,
    good: np.ndarray,
    psf: Psf,
    phot: PsfPhotometry,
    *,
    keep: np.ndarray,
    more: np.ndarray,
    gain_e_per_adu: float,
) -> PsfPhotometry:
    """Fit again where some stars have gone or more have come; all others stay as they were fitted.

    As if all were fitted again, but for what a change does to stars farther from it than light and
    the pixels fitted reach. The errors of the last stars within that take those beyond for known.

    Parameters
    ----------
    light, sky_variance, good : (ny, nx) arrays
        As `fit_psf` was given them.
    phot : PsfPhotometry
        What it gave.
    keep : (n,) bool array
        The stars that stay.
    more : (k, 2) float array
        x and y of more stars, which stand after them. Their fluxes are begun with all light there:
        of what the residual has of them, their neighbours took a part, and a star that begins too
        faint is held where it was found.
    """
    from scipy.spatial import cKDTree

    before = np.column_stack([phot.flux, phot.x, phot.y])
    changed = np.vstack([before[~keep, 1:], more])
    if not len(changed):
        return phot
    reach = (MODEL_FWHM + FIT_FWHM) * psf.fwhm
    away = cKDTree(changed).query(before[:, 1:], distance_upper_bound=reach)[0]
    near = np.isfinite(away) | ~phot.still  # those that go are
    new = np.column_stack([np.full(len(more), np.nan), more])
    again, whole = keep & near, np.vstack([before[keep], new])
    state = np.vstack([before[again], new])
    # Of a star without a flux it is not known what light has been taken off.
    if not np.isfinite(before[near, 0]).all() or len(state) >= MANY * len(whole):
        flux, x, y = whole.T
        return fit_psf(
            light, sky_variance, good, psf, x, y, gain_e_per_adu=gain_e_per_adu, flux=flux
        )
    residual = phot.residual.copy()
    work = _Work.about(psf, gain_e_per_adu, (light, sky_variance, good), tuple(state[:, 1:].T))
    take_off(residual, work.sampler, before[near] * (-1, 1, 1))
    if not len(state):
        return replace(phot.only(keep), residual=residual)
    part = work.without(residual).fit(state, residual, tuple(before[keep & ~near, 1:].T))
    return _with_part(phot, keep, again, part)


def _with_part(
    phot: PsfPhotometry, keep: np.ndarray, again: np.ndarray, part: PsfPhotometry
) -> PsfPhotometry:
    """Put stars that were fitted again in their places, and new ones after those that stay."""
    n, found = np.count_nonzero(again), {}
    for name in PER_STAR:
        values, new = getattr(phot, name).copy(), getattr(part, name)
        values[again] = new[:n]
        found[name] = np.append(values[keep], new[n:])
    return PsfPhotometry(**found, residual=part.residual)


def _with_coupled(system: System, held: np.ndarray, stars: np.ndarray) -> np.ndarray:
    """Add to stars (n,) those whose parameters correlate with theirs."""
    _, one, other = _coupling(system, held)
    found = stars.copy()
    found[one[stars[other]]] = True
    return found


def _coupling(system: System, held: np.ndarray) -> tuple[coo_array, np.ndarray, np.ndarray]:
    """Correlations (3n, 3n), all others known, and which two stars have one that matters."""
    from scipy.sparse import diags_array

    free = diags_array(_scale(system, held).ravel())
    correlation = (free @ system.normal @ free).tocoo()
    linked = np.abs(correlation.data) > COUPLING
    return correlation, correlation.row[linked] // 3, correlation.col[linked] // 3


def solve_step(system: System, held: np.ndarray, max_step: float) -> np.ndarray:
    """Solve the normal equations; stars `held` (n,) keep their places.

    Returns (n, 3), change of flux, x, y; the last two at most `max_step`, pixels.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    scale = _scale(system, held)
    free = diags_array(scale.ravel())
    normal = free @ system.normal @ free + diags_array(np.where(scale == 0, 1.0, DAMPING).ravel())
    step = splu(normal.tocsc()).solve((scale * system.right).ravel()).reshape(-1, 3) * scale
    step[:, 1:] = np.clip(step[:, 1:], -max_step, max_step)
    return step


def _scale(system: System, held: np.ndarray) -> np.ndarray:
    """One over the root of each diagonal element; 0 for what is not fitted."""
    scale = np.where(system.information > 0, system.information, np.inf) ** -0.5
    scale[held, 1:] = 0.0
    return scale


def parameter_errors(system: System, held: np.ndarray) -> np.ndarray:
    """Root of the diagonal of the inverse of the normal equations: errors (n, 3) of flux, x, y.

    0 for a place that was held, infinite where nothing was seen. Stars whose parameters correlate
    by less than 2 % are taken to be independent.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    scale, n = _scale(system, held), len(held)
    correlation, one, other = _coupling(system, held)
    links = coo_array((np.ones(len(one)), (one, other)), shape=(n, n))
    count, group = connected_components(links, directed=False)
    errors = np.sqrt(np.maximum(_inverse_diagonal(correlation, group, count), 0)).reshape(n, 3)
    errors = errors * scale
    errors[:, 0] = np.where(scale[:, 0] == 0, np.inf, errors[:, 0])
    return errors


def _inverse_diagonal(matrix: coo_array, group: np.ndarray, count: int) -> np.ndarray:
    """Diagonal of the inverse of a matrix (3n, 3n), group by group of its stars: (3n,).

    group : (n,) int array, of `count` groups. All groups of one size are inverted at once.
    """
    sizes = np.bincount(group, minlength=count)
    order = np.argsort(group, kind="stable")
    place = np.empty(len(group), dtype=int)  # of a star in its group
    place[order] = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row, column = matrix.row // 3, matrix.col // 3
    own = group[row] == group[column]
    inner = 3 * place[row] + matrix.row % 3, 3 * place[column] + matrix.col % 3
    inverse = np.zeros(3 * len(group))
    for size in np.unique(sizes):
        number = np.full(count, -1)
        alike = np.flatnonzero(sizes == size)
        number[alike] = np.arange(len(alike))
        mine = own & (number[group[row]] >= 0)
        blocks = np.zeros((len(alike), 3 * size, 3 * size))
        blocks[number[group[row]][mine], inner[0][mine], inner[1][mine]] = matrix.data[mine]
        diagonal = np.einsum("kii->ki", blocks)
        diagonal += DAMPING + (diagonal == 0)
        found = np.einsum("kii->ki", np.linalg.inv(blocks))
        stars = np.flatnonzero(sizes[group] == size)
        for axis in range(3):
            inverse[3 * stars + axis] = found[number[group[stars]], 3 * place[stars] + axis]
    return inverse


def flux_error(
    phot: PsfPhotometry, psf: Psf, rows: np.ndarray, sky_variance: np.ndarray, gain_e_per_adu: float
) -> float:
    """Tell by what share of their flux stars are off, from what is left where they are taken off.

    That sum scatters by the noise of its pixels, less what the fit took with it, and by the flaws
    of the PSF.

    Parameters
    ----------
    rows : (k,) int array
        Of bright stars that stand alone; with fewer than 5 it is 1 %.
    sky_variance : (ny, nx) float array
        ADU^2 of one pixel without stars.
    """
    rows = rows[np.nan_to_num(phot.flux[rows]) > 0]
    if len(rows) < MIN_TRIAL:
        return FEW_ERROR
    x, y, flux = phot.x[rows], phot.y[rows], phot.flux[rows, None]
    half = int(np.ceil(AROUND_FWHM * psf.fwhm))
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    left, sky = (
        np.nan_to_num(gather(image, column, row, half)).reshape(len(rows), -1)
        for image in (phot.residual, sky_variance)
    )
    light = psf_boxes(psf, x, y, half).reshape(len(rows), -1)
    v, u = (d.ravel() for d in np.mgrid[-half : half + 1, -half : half + 1])
    away = np.hypot(u - (x - column)[:, None], v - (y - row)[:, None])
    inside, fitted = away <= TRIAL_FWHM * psf.fwhm, away <= fit_radius(psf.fwhm)
    around = (away > TRIAL_FWHM * psf.fwhm) & (away <= AROUND_FWHM * psf.fwhm)
    left = left - np.nanmedian(np.where(around, left, np.nan), axis=1, keepdims=True)
    # Beyond the frame's edge there is nothing.
    light = np.where(sky > 0, light, 0.0)
    noise = np.where(sky > 0, sky + np.maximum(light, 0) * flux / gain_e_per_adu, 1.0)
    weight = fitted * light / noise
    weight /= (weight * light).sum(axis=1, keepdims=True)
    taken = (inside * light).sum(axis=1, keepdims=True) * weight
    variance = ((inside - taken) ** 2 * noise).sum(axis=1) / flux[:, 0] ** 2
    share = (inside * left).sum(axis=1) / flux[:, 0]
    return _beyond(share - np.median(share), variance)


def _beyond(off: np.ndarray, variance: np.ndarray) -> float:
    """Find the scatter (standard deviation) of values (n,) beyond their variances, by medians."""
    low, high = 0.0, float(np.abs(off).max())
    for _ in range(40):
        middle = (low + high) / 2
        wide = np.median(off**2 / (variance + middle**2)) < MEDIAN_OF_CHI2
        low, high = (low, middle) if wide else (middle, high)
    return low
