"""Build the PSF of a frame: choose its stars, fit a Moffat profile, and table what it misses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import StarPhotometry
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.phot.cutouts import gather
from lightcurve.phot.psf import BETA_RANGE, Psf, grid_offsets, moffat, moffat_psf, normalised
from lightcurve.phot.psf_fit import PsfPhotometry, fit_psf

__all__ = ["SPOILT", "build_psf", "choose_psf_stars"]

MAX_CANDIDATES, MAX_STARS = 700, 350
MIN_STARS, GOOD_NUMBER = 15, 100
SPOILT = int(Flag.EDGE | Flag.SATURATED | Flag.NON_LINEAR | Flag.BAD_PIXEL | Flag.NO_CENTROID)
HALF_FWHM = 5.0  # half width of the grid
TABLE_FWHM = (2.0, 3.0)  # the table fades out between these radii
NEIGHBOUR_FWHM = 7.0  # sources nearer than this are fitted along and taken off
ENOUGH_STARS = 40  # with so many the rules are not relaxed further
PASSES = 4
CLIP_SIGMA = 3.0
MAX_MOFFAT_STARS = 60
MOFFAT_FWHM = 2.5  # radius of the pixels it is fitted to
PROFILE_ERROR = 0.03
MISFIT = 0.015  # root of the excess chi-square over S/N; an equal pair one FWHM apart has 0.05
FINE_PIXELS = 2.5  # FWHM; a narrower PSF has a finer grid, when there are stars for it
STARS_FOR_FINE = 60


@dataclass(frozen=True, slots=True)
class Rules:
    """What a star must be like to serve.

    brightest, faintest : percentiles of the candidates' fluxes between which a star lies.
    neighbour_fwhm, neighbour_px : no neighbour within the larger of these.
    """

    min_snr: float = 20.0
    brightest: float = 90.0
    faintest: float = 50.0
    fwhm: tuple[float, float] = (0.75, 1.5)  # its width over that of all, from and to
    min_roundness: float = 0.7  # short axis over long axis of the second moments
    neighbour_fwhm: float = 4.0
    neighbour_px: float = 40.0
    neighbour_mag: float = 3.0  # that is not so many magnitudes fainter
    edge_fwhm: float = 3.0  # distance from the edge


# Tried in turn until there are enough stars; each says what it gives up.
RULES: tuple[tuple[str, Rules], ...] = (
    ("", Rules()),
    (
        "bright stars and those with neighbours beyond 4 FWHM were let in",
        Rules(brightest=100.0, faintest=25.0, neighbour_px=0.0),
    ),
    (
        "stars of any brightness above S/N 20, with neighbours beyond 2.5 FWHM, were let in",
        Rules(brightest=100.0, faintest=0.0, neighbour_px=0.0, neighbour_fwhm=2.5),
    ),
    (
        "stars above S/N 10, less round, with neighbours beyond 2 FWHM, were let in",
        Rules(
            min_snr=10.0, brightest=100.0, faintest=0.0, fwhm=(0.6, 1.8), min_roundness=0.5,
            neighbour_px=0.0, neighbour_fwhm=2.0, neighbour_mag=2.0, edge_fwhm=2.0,
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The stars chosen."""

    rows: np.ndarray  # (n,) int, the brightest first
    note: str  # which rules were relaxed, and whether the number is small; empty when all is well


def choose_psf_stars(
    phot: StarPhotometry, column: int, fwhm: float, shape: tuple[int, int]
) -> Choice:
    """Choose at most 350 stars for a PSF by rules that are relaxed, aloud, until there are enough.

    Parameters
    ----------
    phot : StarPhotometry
        Of all sources of the frame.
    column : int
        The aperture whose flux and flags count.
    fwhm : float
        Of the frame's stars, pixels.
    """
    best = np.zeros(0, dtype=int)
    said = ""
    for note, rules in RULES:
        rows = _obeying(phot, column, fwhm, shape, rules)
        if len(rows) > len(best) or not note:
            best, said = rows, note
        if len(best) >= ENOUGH_STARS:
            break
    span = _span(phot, best, shape)
    notes = [said] if said else []
    if len(best) and min(span) < 0.35:
        notes.append(f"they cover only {100 * min(span):.0f} % of the frame's width or height")
    if MIN_STARS <= len(best) < GOOD_NUMBER:
        notes.append(f"{len(best)} stars chosen; {GOOD_NUMBER} would be better")
    return Choice(best[:MAX_STARS], "; ".join(notes))


def _obeying(
    phot: StarPhotometry, column: int, fwhm: float, shape: tuple[int, int], rules: Rules
) -> np.ndarray:
    flux = phot.flux[:, column]
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = flux / phot.flux_err[:, column]
        width = phot.fwhm / np.nanmedian(phot.fwhm)
    usable = np.isfinite(flux) & ((phot.flags[:, column] & SPOILT) == 0)
    candidates = np.flatnonzero(usable & (flux > 0))
    candidates = candidates[np.argsort(-flux[candidates], kind="stable")][:MAX_CANDIDATES]
    if not len(candidates):
        return candidates
    low, high = np.percentile(flux[candidates], [rules.faintest, rules.brightest])
    ny, nx = shape
    room = np.minimum.reduce([phot.x, phot.y, nx - 1 - phot.x, ny - 1 - phot.y])
    obeys = (snr >= rules.min_snr) & (flux >= low) & (flux <= high)
    obeys &= (width >= rules.fwhm[0]) & (width <= rules.fwhm[1])
    obeys &= phot.roundness >= rules.min_roundness
    obeys &= room > rules.edge_fwhm * fwhm
    candidates = candidates[obeys[candidates]]
    reach = max(rules.neighbour_fwhm * fwhm, rules.neighbour_px)
    return candidates[_isolated(phot, flux, candidates, reach, rules.neighbour_mag)]


def _isolated(
    phot: StarPhotometry, flux: np.ndarray, rows: np.ndarray, reach: float, magnitudes: float
) -> np.ndarray:
    """Tell which stars have no neighbour that matters within reach."""
    from scipy.spatial import cKDTree

    if not len(rows):
        return np.zeros(0, dtype=bool)
    xy = np.column_stack([phot.x, phot.y])
    limit = 10 ** (-0.4 * magnitudes)
    near = cKDTree(xy).query_ball_point(xy[rows], reach)
    light = np.nan_to_num(flux, nan=np.inf)  # an unmeasured neighbour is a neighbour
    return np.array(
        [all(k == row or light[k] < limit * flux[row] for k in group)
         for row, group in zip(rows, near, strict=True)]
    )  # fmt: skip


def _span(phot: StarPhotometry, rows: np.ndarray, shape: tuple[int, int]) -> tuple[float, float]:
    if not len(rows):
        return 0.0, 0.0
    return float(np.ptp(phot.x[rows])) / shape[1], float(np.ptp(phot.y[rows])) / shape[0]


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
    """Fit one elliptical Moffat profile to several stars (the first 60), each with its own flux.

    light: above the sky. variance: of a pixel, with the photon noise of the stars.
    fwhm: to start from, pixels.
    Returns FWHM along both axes (pixels), angle of the first (degrees), beta. With fewer than
    3 stars the start itself: round, beta 3.
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
