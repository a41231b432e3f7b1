"""Build the PSF of a frame from its stars: a Moffat profile, and a table of what it misses.

As DAOPHOT does (Stetson 1987), the profile takes what is smooth and the wings, the table the rest;
as for an effective PSF (Anderson & King 2000), both are of light already gathered by pixels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.constants import FWHM_PER_SIGMA
from lightcurve.phot.cutouts import gather
from lightcurve.phot.psf import BETA_RANGE, Psf, grid_offsets, moffat, moffat_psf, normalised
from lightcurve.phot.psf_fit import PsfPhotometry, fit_psf
from lightcurve.phot.psf_stars import MIN_STARS
from lightcurve.robust import robust_scatter

HALF_FWHM = 5.0  # half width of the grid
TABLE_FWHM = (2.0, 3.0)  # the table fades out between these radii
NEIGHBOUR_FWHM = 7.0  # sources nearer than this are fitted along and taken off
PASSES = 4
CLIP_SIGMA = 3.0
MAX_MOFFAT_STARS = 60
MOFFAT_FWHM = 2.5  # radius of the pixels it is fitted to
PROFILE_ERROR = 0.03
MISFIT = 0.015  # root of the excess chi-square over S/N; an equal pair one FWHM apart has 0.05
FINE_PIXELS = 2.5  # FWHM; a narrower PSF has a finer grid, when there are stars for it
STARS_FOR_FINE = 60


def build_psf(
    light: np.ndarray,
    sky_variance: np.ndarray,
    good: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    chosen: np.ndarray,
    fwhm: float,
    *,
    gain_e_per_adu: float,
    note: str = "",
) -> Psf:
    """Build the PSF of a frame.

    All sources are fitted and taken off, so that neighbours do not get into it.

    Parameters
    ----------
    light : (ny, nx) float array
        ADU above the sky.
    sky_variance : (ny, nx) float array
        ADU^2 of a pixel without stars.
    good : (ny, nx) bool array
    places : tuple of (n,) float arrays
        x and y of all sources, pixels.
    chosen : (k,) int array
        Rows of the stars it is built from.
    fwhm : float
        Rough, pixels.
    note : str
        How the stars were chosen.

    Returns
    -------
    Psf
        With fewer than 15 stars a Moffat profile without table, and with fewer than 3 a round one
        of the width given; its notes say so.
    """
    x, y = places
    half = float(np.ceil(HALF_FWHM * fwhm)) + 2
    fine = fwhm < FINE_PIXELS and len(chosen) >= STARS_FOR_FINE
    step = 4 if fine else 2
    notes = (note,) if note else ()
    variance = sky_variance + np.maximum(light, 0.0) / gain_e_per_adu
    shape = fit_moffat(light, variance, good, x[chosen], y[chosen], fwhm)
    if len(chosen) < MIN_STARS:
        short = f"analytic (Moffat) PSF: {len(chosen)} stars, {MIN_STARS} make an effective PSF"
        return moffat_psf(shape, half, step, n_stars=len(chosen), notes=(*notes, short))
    psf = moffat_psf(shape, half, step, n_stars=len(chosen), notes=notes)
    x, y, chosen = _with_neighbours(x, y, chosen, NEIGHBOUR_FWHM * fwhm)
    for _ in range(PASSES):
        phot = fit_psf(light, sky_variance, good, psf, x, y, gain_e_per_adu=gain_e_per_adu)
        single = _single(phot, chosen)
        psf = replace(_corrected(psf, phot, single, good), n_stars=len(single))
        x, y = phot.x, phot.y
    lost = len(chosen) - psf.n_stars
    said = (
        (f"{lost} of the {len(chosen)} stars chosen were left out as not single",) if lost else ()
    )
    return replace(psf, notes=(*psf.notes, *said))


def _with_neighbours(
    x: np.ndarray, y: np.ndarray, chosen: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of the chosen stars and of all that are near one, and the new rows of the chosen."""
    from scipy.spatial import cKDTree

    near, _ = cKDTree(np.column_stack([x, y])[chosen]).query(
        np.column_stack([x, y]), distance_upper_bound=reach
    )
    rows = np.flatnonzero(np.isfinite(near))
    return x[rows], y[rows], np.searchsorted(rows, chosen)


def _single(phot: PsfPhotometry, chosen: np.ndarray) -> np.ndarray:
    """Leave out stars that the PSF fits far worse than the others: doubles, galaxies, flaws."""
    snr = phot.flux[chosen] / phot.flux_err[chosen]
    misfit = np.sqrt(np.maximum(phot.chi2[chosen] - 1, 0)) / snr
    return chosen[misfit <= MISFIT + 3 * np.nanmedian(misfit)]


def fit_moffat(
    light: np.ndarray,
    variance: np.ndarray,
    good: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    fwhm: float,
) -> tuple[float, float, float, float]:
    """Fit one elliptical Moffat profile to several stars, each with its own flux.

    light : (ny, nx) float array; above the sky.
    variance : (ny, nx) float array; of a pixel, with the photon noise of the stars.
    good : (ny, nx) bool array.
    x, y : (n,) float arrays; centroids, pixels; the first 60 are used.
    fwhm : to start from, pixels.
    Returns tuple of float: FWHM along both axes (pixels), angle of the first (degrees), beta. With
        fewer than 3 stars the start itself: round, beta 3.
    """
    from scipy.optimize import least_squares

    x, y = x[:MAX_MOFFAT_STARS], y[:MAX_MOFFAT_STARS]
    if len(x) < 3:
        return fwhm, fwhm, 0.0, 3.0
    half = int(np.ceil(MOFFAT_FWHM * fwhm))
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    boxes, noise, whole = (
        np.nan_to_num(gather(image, column, row, half)) for image in (light, variance, good * 1.0)
    )
    offset = np.arange(-half, half + 1)
    u = (offset - (x - column)[:, None])[:, None, :] + np.zeros_like(boxes)
    v = (offset - (y - row)[:, None])[:, :, None] + np.zeros_like(boxes)
    use = (whole == 1) & (np.hypot(u, v) < MOFFAT_FWHM * fwhm) & (noise > 0)
    # A star's own light, too, is known no better than the profile can be true.
    sigma = np.sqrt(np.where(use, noise + (PROFILE_ERROR * boxes) ** 2, 1.0))
    weight = use / sigma

    def misfit(p: np.ndarray) -> np.ndarray:
        model = weight * moffat(u, v, _shape(p))
        norm = np.maximum((model**2).sum(axis=(1, 2)), 1e-12)
        flux = (model * weight * boxes).sum(axis=(1, 2)) / norm
        return (weight * boxes - flux[:, None, None] * model)[use]

    start = np.array([np.log(fwhm), 0.0, 0.0, np.log(3.0)])
    low, high = np.log(0.5), np.log(2.0)
    bounds = (
        [start[0] + low, -0.7, -0.7, np.log(BETA_RANGE[0])],
        [start[0] + high, 0.7, 0.7, np.log(BETA_RANGE[1])],
    )
    return _shape(least_squares(misfit, start, bounds=bounds, loss="soft_l1", f_scale=2.0).x)


def _shape(p: np.ndarray) -> tuple[float, float, float, float]:
    """Turn size, two components of the ellipticity and beta into a Moffat's shape."""
    size, e1, e2, beta = p
    stretch = float(np.hypot(e1, e2))
    angle = 0.5 * float(np.degrees(np.arctan2(e2, e1)))
    return (float(np.exp(size + stretch / 2)), float(np.exp(size - stretch / 2)), angle,
            float(np.exp(beta)))  # fmt: skip


def _corrected(psf: Psf, phot: PsfPhotometry, chosen: np.ndarray, good: np.ndarray) -> Psf:
    """Add to the grid what the stars have and it has not."""
    half = int(np.ceil(TABLE_FWHM[1] * psf.fwhm)) + 1
    rows = chosen[np.isfinite(phot.flux[chosen]) & (phot.flux[chosen] > 0)]
    column, row = np.rint(phot.x[rows]).astype(int), np.rint(phot.y[rows]).astype(int)
    flux = phot.flux[rows, None, None]
    missed = gather(phot.residual, column, row, half) / flux
    missed = np.where(gather(good, column, row, half) == 1, missed, np.nan)
    offset = np.arange(-half, half + 1)
    u = offset[None, None, :] - (phot.x[rows] - column)[:, None, None] + 0 * missed
    v = offset[None, :, None] - (phot.y[rows] - row)[:, None, None] + 0 * missed
    weight = np.broadcast_to(flux / phot.flux_err[rows, None, None], missed.shape)
    table = _smooth(_mean_on_grid(psf, u, v, missed, weight))
    radius = np.hypot(*grid_offsets(psf.half_px, psf.oversampling)) / psf.fwhm
    inner, outer = TABLE_FWHM
    fade = np.clip((outer - radius) / (outer - inner), 0, 1)
    # Noise takes the far wings below 0 here and there: cut off, the rest would be too bright.
    grid = normalised(_centred(psf.grid + table * fade, psf), psf.oversampling)
    return replace(psf, grid=grid, kind="epsf")


def _mean_on_grid(
    psf: Psf, u: np.ndarray, v: np.ndarray, missed: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Clipped weighted mean of samples in the cells about the nodes; 0 where there is none."""
    m, step = len(psf.grid), psf.oversampling
    use = np.isfinite(missed)
    i = np.rint(v[use] * step).astype(int) + m // 2
    j = np.rint(u[use] * step).astype(int) + m // 2
    cell, value, w = i * m + j, missed[use], weight[use]
    mean = np.zeros(m * m)
    keep = np.ones(len(cell), dtype=bool)
    for _ in range(3):
        total = np.bincount(cell[keep], w[keep], minlength=m * m)
        mean = np.bincount(cell[keep], (w * value)[keep], minlength=m * m) / np.maximum(total, 1e-9)
        # In units of each star's own noise, so that faint stars are not clipped for being faint.
        off = (value - mean[cell]) * w
        spread = robust_scatter(off[keep], about=0.0)
        keep = np.abs(off) <= CLIP_SIGMA * max(spread, 1e-12) * 1.5
    return mean.reshape(m, m)


def _smooth(table: np.ndarray) -> np.ndarray:
    """Smooth by the quadratic surface fitted to the 5 x 5 nodes around each node."""
    from scipy.ndimage import convolve

    x, y = (c.ravel() for c in np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)))
    terms = np.stack([np.ones(25), x, y, x * x, x * y, y * y], axis=1)
    kernel = np.linalg.pinv(terms)[0].reshape(5, 5)
    return convolve(table, kernel, mode="constant")


def _centred(grid: np.ndarray, psf: Psf) -> np.ndarray:
    """Shift a grid so that its core's centre of light stands on the middle node."""
    from scipy.ndimage import shift

    u, v = grid_offsets(psf.half_px, psf.oversampling)
    window = np.exp(-(u**2 + v**2) / (2 * (psf.fwhm / FWHM_PER_SIGMA) ** 2))
    light = grid * window
    # A Gaussian window about the old centre shows half of the offset.
    dx, dy = (2 * float((light * c).sum() / light.sum()) for c in (u, v))
    step = psf.oversampling
    return shift(grid, (-dy * step, -dx * step), order=3, mode="nearest")
