"""Fit the PSF to all stars of a frame at once, by the normal equations of their blends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.phot.cutouts import gather
from lightcurve.phot.psf import Psf, psf_boxes

if TYPE_CHECKING:
    from scipy.sparse import coo_array

__all__ = ["FIT_FWHM", "PsfPhotometry", "fit_psf", "flux_error"]

MAX_STEP_FWHM, MAX_STEP_PX = 0.17, 0.5  # of a place in one iteration: the larger
MAX_SHIFT_FWHM, MAX_SHIFT_PX = 0.7, 2.0  # from where a star was found, likewise
DAMPING = 1e-6
COUPLING = 0.02  # correlation below which two stars are independent for their errors
FIT_FWHM = 1.3  # radius of the pixels that are fitted
SLOPE_FWHM, MODEL_FWHM = 2.0, 3.0  # half side of what a star reaches: slopes, and light
MAX_ITERATIONS = 6
TOLERANCE_SIGMA = 0.1  # the step of the last iteration, in errors,
SETTLED = 0.98  # of so many stars; the rest are blends that no data tell apart
MIN_SNR_TO_MOVE = 5.0  # a fainter star's place is not fitted: it would walk to a peak of the noise
MIN_PIXELS = 5
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
    residual: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What stays the same while fitting."""

    light: np.ndarray
    sky_variance: np.ndarray
    good: np.ndarray
    psf: Psf
    gain: float

    def start(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Fluxes from the pixels next to each star, each weighted by what the PSF has there."""
        place, _, _ = self._boxes(x, y, 1)
        good, light = (np.append(image.ravel(), 0)[place] for image in (self.good, self.light))
        values = self._psf(x, y, 1)[0] * good
        flux = (light * values).sum(axis=1) / np.maximum((values**2).sum(axis=1), 1e-12)
        return np.column_stack([flux, x, y])

    def _boxes(
        self, x: np.ndarray, y: np.ndarray, half: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Flat places (n, p) of squares of pixels, and each star's offset from the middle one.

        What is off the frame has the place one past the last pixel: a bin that nobody reads.
        """
        ny, nx = self.light.shape
        dy, dx = (d.ravel() for d in np.mgrid[-half : half + 1, -half : half + 1])
        middle_x, middle_y = np.rint(x).astype(int), np.rint(y).astype(int)
        column, row = middle_x[:, None] + dx, middle_y[:, None] + dy
        inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
        return np.where(inside, row * nx + column, nx * ny), x - middle_x, y - middle_y

    def _psf(self, x: np.ndarray, y: np.ndarray, half: int, *, slopes: bool = False) -> np.ndarray:
        boxes = psf_boxes(self.psf, x, y, half, slopes=slopes)
        return boxes.reshape(*boxes.shape[:2], -1)

    def _half(self, reach: float) -> int:
        return int(min(np.ceil(reach * self.psf.fwhm), self.psf.half_px - 2))

    def model(self, state: np.ndarray, half: int) -> np.ndarray:
        """Image of all stars, flat."""
        place, _, _ = self._boxes(state[:, 1], state[:, 2], half)
        values = self._psf(state[:, 1], state[:, 2], half)[0]
        light = (values * state[:, :1]).ravel()
        return np.bincount(place.ravel(), light, minlength=self.light.size + 1)[:-1]

    def equations(self, state: np.ndarray) -> System:
        """Set up the normal equations at a state."""
        from scipy.sparse import csr_array

        n = len(state)
        model = self.model(state, self._half(MODEL_FWHM))
        used = self._used(state)
        variance = self.sky_variance.ravel()[used] + np.maximum(model[used], 0.0) / self.gain
        root = 1.0 / np.sqrt(variance)
        number = np.full(self.light.size + 1, -1, dtype=np.int32)
        number[used] = np.arange(used.size)
        half = self._half(SLOPE_FWHM)
        place, _, _ = self._boxes(state[:, 1], state[:, 2], half)
        slopes = self._psf(state[:, 1], state[:, 2], half, slopes=True)
        slopes[1:] *= state[:, 0, None]
        star, pixel = np.nonzero(number[place] >= 0)
        rows = number[place[star, pixel]]
        entries = slopes[:, star, pixel] * root[rows]
        columns = 3 * star + np.arange(3)[:, None]
        jacobian = csr_array(
            (entries.ravel(), (columns.ravel(), np.tile(rows, 3))), shape=(3 * n, used.size)
        )
        normal = (jacobian @ jacobian.T).tocsr()
        right = jacobian @ ((self.light.ravel()[used] - model[used]) * root)
        return System(normal, right.reshape(n, 3), normal.diagonal().reshape(n, 3))

    def _used(self, state: np.ndarray) -> np.ndarray:
        """Flat places of the good pixels within the fitting radius of some star."""
        place, inside = self._circles(state)
        near = np.zeros(self.light.size, dtype=bool)
        near[place[inside]] = True
        return np.flatnonzero(near & self.good.ravel())

    def _circles(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of squares about the stars, and which are within the fitting radius."""
        radius = FIT_FWHM * self.psf.fwhm
        half = int(np.ceil(radius))
        place, dx, dy = self._boxes(state[:, 1], state[:, 2], half)
        v, u = (d.ravel() for d in np.mgrid[-half : half + 1, -half : half + 1])
        inside = (u - dx[:, None]) ** 2 + (v - dy[:, None]) ** 2 <= radius**2
        return place, inside & (place < self.light.size)

    def finish(self, state: np.ndarray, held: np.ndarray) -> PsfPhotometry:
        """Errors, chi-square and the frame without its stars."""
        system = self.equations(state)
        errors = parameter_errors(system, held)
        model = self.model(state, int(self.psf.half_px) - 2)
        place, inside = self._circles(state)
        place = np.where(inside, place, 0)
        use = inside & self.good.ravel()[place]
        # Only about the stars: a whole frame's variance would take longer than the fit.
        there = model[place]
        variance = self.sky_variance.ravel()[place] + np.maximum(there, 0.0) / self.gain
        squares = (self.light.ravel()[place] - there) ** 2 / variance
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
            residual=(self.light - model.reshape(self.light.shape)).astype(np.float32),
        )


def fit_psf(
    light: np.ndarray,
    sky_variance: np.ndarray,
    good: np.ndarray,
    psf: Psf,
    x: np.ndarray,
    y: np.ndarray,
    *,
    gain_e_per_adu: float,
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
    """
    if not len(x):
        none, residual = np.zeros(0), np.where(good, light, 0.0)
        return PsfPhotometry(none, none, none, none, none, none, none, residual)
    work = _Work(np.where(good, light, 0.0), sky_variance, good, psf, gain_e_per_adu)
    state = work.start(x, y)
    held = np.zeros(len(x), dtype=bool)
    max_shift = max(MAX_SHIFT_PX, MAX_SHIFT_FWHM * psf.fwhm)
    max_step = max(MAX_STEP_PX, MAX_STEP_FWHM * psf.fwhm)
    for _ in range(MAX_ITERATIONS):
        system = work.equations(state)
        held |= state[:, 0] * np.sqrt(system.information[:, 0]) < MIN_SNR_TO_MOVE
        step = solve_step(system, held, max_step)
        state = state + step
        far = np.hypot(state[:, 1] - x, state[:, 2] - y) > max_shift
        state[far, 1:] = np.column_stack([x, y])[far]
        held |= far
        moved = (np.abs(step) * np.sqrt(system.information)).max(axis=1)
        if np.quantile(moved, SETTLED) < TOLERANCE_SIGMA:
            break
    return work.finish(state, held)


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
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.csgraph import connected_components

    scale = _scale(system, held)
    free = diags_array(scale.ravel())
    correlation = (free @ system.normal @ free).tocoo()
    linked = np.abs(correlation.data) > COUPLING
    n = len(scale)
    links = coo_array(
        (np.ones(linked.sum()), (correlation.row[linked] // 3, correlation.col[linked] // 3)),
        shape=(n, n),
    )
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
    light = psf_boxes(psf, x, y, half)[0].reshape(len(rows), -1)
    v, u = (d.ravel() for d in np.mgrid[-half : half + 1, -half : half + 1])
    away = np.hypot(u - (x - column)[:, None], v - (y - row)[:, None])
    inside, fitted = away <= TRIAL_FWHM * psf.fwhm, away <= FIT_FWHM * psf.fwhm
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
