"""The PSF of a frame: built from its stars, fitted to all sources, and to what it leaves over."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import StarPhotometry
from lightcurve.core.flags import PixelFlag
from lightcurve.core.settings import ImageSettings
from lightcurve.image.looks import pieces
from lightcurve.image.reduced import Prepared, signal_to_noise
from lightcurve.phot.beside import light_of_brighter
from lightcurve.phot.cutouts import gather
from lightcurve.phot.epsf import Choice, build_psf
from lightcurve.phot.finder import filtered, find_sources
from lightcurve.phot.moffat import core_of
from lightcurve.phot.psf import Psf
from lightcurve.phot.psf_fit import FIT_FWHM, PsfPhotometry, fit_psf, flux_error
from lightcurve.phot.trails import in_trails, trail_sides

log = logging.getLogger(__name__)
ROUNDS = 3  # of searching what is left when the stars are taken off
APART_FWHM = 0.6  # a source found nearer to another is the same
MODEL_ERROR = 0.05  # of the light taken off a pixel: the PSF is not known better there
PEAK_ERROR, PEAK_FWHM = 0.01, 3.0  # at least, and of the highest light taken off so near
STAY_FWHM, MIN_SNR = 0.9, 5.0  # what an added source must keep to after the fit
SURE_SNR, SURE_FWHM = 8.0, 1.0  # what makes it sure
BESIDE_FWHM = 4.0  # so near, a brighter star's misfit may look like a source
RING_FWHM, FLUX_ERROR = (0.8, 3.0), 0.01  # where a PSF's flaws look like sources; at least
MISFIT = 4.0  # times the chi-square that flaws of the PSF make: what is fitted worse is no star
SIDE_SHARE = 10.0  # one FWHM away, of a source's light: galaxies are left over on both sides alike
N_TRUST = 30  # stars of the PSF that tell how good it is
BEYOND = 1.0  # times the brightest of the PSF's stars


def frame_psf(
    prepared: Prepared, phot: StarPhotometry, rows: np.ndarray, fwhm: float, note: str
) -> Psf:
    """Build the PSF of a frame from chosen sources; fwhm: pixels."""
    background = prepared.background
    return build_psf(
        prepared.frame.pixels - background.level, background.rms**2, prepared.good,
        (phot.x, phot.y), rows, fwhm,
        gain_e_per_adu=prepared.camera.noise.gain_e_per_adu, note=note,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Trust:
    """How far a PSF is to be believed.

    brightest : flux, ADU, beyond which no star was tried: what is left of those is no source.
    """

    error: float  # of the PSF, as a share of a star's flux: of the sources that its flaws look like
    brightest: float
    least: float  # signal to noise that an added source must keep to


def fit_sources(
    prepared: Prepared,
    psf: Psf,
    places: tuple[np.ndarray, np.ndarray],
    chosen: Choice,
    wanted: ImageSettings,
) -> tuple[Psf, PsfPhotometry, np.ndarray]:
    """Fit the PSF to all sources; look for what it leaves over, and fit again.

    places : tuple of (n,) float arrays; x and y, pixels.
    chosen : the stars that the PSF was built from, and is tried on.
    Returns psf: with the error that those show.
        phot: of the sources given, in their order, and after them of those found in the
        residual.
        unsure : (m,) bool array; those of the latter that the PSF's flaws may have made.
    """
    n = len(places[0])
    phot = _fit(prepared, psf, *places)
    trust = _trust(prepared, psf, phot, chosen.rows, max(MIN_SNR, wanted.threshold_sigma))
    trails: tuple[tuple[int, int], ...] = ()
    for _ in range(ROUNDS if wanted.psf == "iterative" else 0):
        new = np.column_stack(_left_over(prepared, phot, psf, trust, wanted))
        trails = trails or trail_sides(phot, psf, tuple(new.T))
        new = new[~in_trails(phot, psf, tuple(new.T), trails)]
        if not len(new):
            break
        before = len(phot.x)
        phot = _again(prepared, psf, phot, new)
        phot = _weeded(prepared, psf, phot, n, trust)
        log.info("%d more sources where the stars were taken off", len(phot.x) - before)
        if len(phot.x) == before:  # the next round would find the same
            break
    # Without some of its pieces a galaxy is wider, and shows the others.
    for _ in range(ROUNDS):
        parts = pieces(prepared, phot, n, psf.fwhm)
        if not parts.any():
            break
        phot = _again(prepared, psf, phot.only(~parts))
    told, fitted = _with_flaws(prepared, psf, phot, chosen)
    # The threshold is one of what the table tells: with all that its error has in it.
    while not (strong := _significant(fitted, n, wanted)).all():
        phot = _again(prepared, psf, phot.only(strong))
        told, fitted = _with_flaws(prepared, psf, phot, chosen)
    return told, fitted, _unsure(phot, psf, n, trust)


def _with_flaws(
    prepared: Prepared, psf: Psf, phot: PsfPhotometry, chosen: Choice
) -> tuple[Psf, PsfPhotometry]:
    """Tell by what share of their light stars are off, and add it to the errors of fluxes."""
    sky, gain = prepared.background.rms.astype(float) ** 2, prepared.camera.noise.gain_e_per_adu
    psf = replace(psf, error=flux_error(phot, psf, chosen.trial, sky, gain))
    error = np.hypot(phot.flux_err, psf.error * np.nan_to_num(phot.flux))
    return psf, replace(phot, flux_err=error)


def _significant(phot: PsfPhotometry, n: int, wanted: ImageSettings) -> np.ndarray:
    """Tell which sources (m,) reach the threshold, or are of the first n, which did."""
    return (signal_to_noise(phot) >= wanted.threshold_sigma) | (np.arange(len(phot.x)) < n)


def _weeded(
    prepared: Prepared, psf: Psf, phot: PsfPhotometry, n: int, trust: _Trust
) -> PsfPhotometry:
    """Leave out added sources that are not believable, and fit again until all that stay are."""
    while not (keep := _believable(phot, psf, n, trust)).all():
        phot = _again(prepared, psf, phot.only(keep))
    return phot


def _fit(
    prepared: Prepared, psf: Psf, x: np.ndarray, y: np.ndarray, flux: np.ndarray | None = None
) -> PsfPhotometry:
    background = prepared.background
    return fit_psf(
        prepared.frame.pixels - background.level, background.rms**2, prepared.good, psf, x, y,
        gain_e_per_adu=prepared.camera.noise.gain_e_per_adu, flux=flux,
    )  # fmt: skip


def _again(
    prepared: Prepared, psf: Psf, phot: PsfPhotometry, more: np.ndarray | None = None
) -> PsfPhotometry:
    """Fit again what was fitted, and more sources at places (k, 2)."""
    known = np.column_stack([phot.x, phot.y, phot.flux])
    if more is not None:
        known = np.vstack([known, np.column_stack([more, np.full(len(more), np.nan)])])
    return _fit(prepared, psf, *known.T)


def _believable(phot: PsfPhotometry, psf: Psf, n: int, trust: _Trust) -> np.ndarray:
    """Leave out what was added and came to nothing, or to the place of another.

    To leave one out lets its neighbours change: of two added that are too near each other the
    fainter goes.
    """
    from scipy.spatial import cKDTree

    xy = np.column_stack([phot.x, phot.y])
    light = np.where(np.arange(len(xy)) < n, np.inf, np.nan_to_num(phot.flux))
    pairs = cKDTree(xy).query_pairs(STAY_FWHM * psf.fwhm, output_type="ndarray")
    fainter = np.where(light[pairs[:, 0]] < light[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    sure, allowed = _sureness(phot, psf, trust)
    # A galaxy is fitted badly by one star more as well; two stars are fitted by two.
    keep = (sure > trust.least) & (phot.chi2 < MISFIT * allowed)
    keep[fainter] = False
    return keep | (np.arange(len(xy)) < n)


def _unsure(phot: PsfPhotometry, psf: Psf, n: int, trust: _Trust) -> np.ndarray:
    """Tell which added sources are near a limit of what is believed."""
    from scipy.spatial import cKDTree

    added = np.arange(len(phot.x)) >= n
    if not added.any():
        return added
    xy = np.column_stack([phot.x, phot.y])
    near = cKDTree(xy).query(xy, k=2)[0][:, 1] < SURE_FWHM * psf.fwhm
    return added & (near | (_sureness(phot, psf, trust)[0] < SURE_SNR))


def _sureness(phot: PsfPhotometry, psf: Psf, trust: _Trust) -> tuple[np.ndarray, np.ndarray]:
    """Flux over its error, of which the misfit and the flaws of a brighter neighbour are part.

    And the chi-square per pixel that such flaws, its own too, make.

    Its square, without the neighbour, is by how much the source lowers chi-square, in units of
    the chi-square per pixel that is left.
    """
    from scipy.spatial import cKDTree

    xy = np.column_stack([phot.x, phot.y])
    flux = np.nan_to_num(phot.flux)
    one, other = cKDTree(xy).query_pairs(BESIDE_FWHM * psf.fwhm, output_type="ndarray").T
    beside = np.zeros(len(flux))
    np.maximum.at(beside, one, flux[other])
    np.maximum.at(beside, other, flux[one])
    error = np.hypot(phot.flux_err * np.sqrt(np.maximum(phot.chi2, 1)), trust.error * beside)
    flaws = trust.error * np.maximum(flux, beside) / phot.flux_err
    allowed = 1 + flaws**2 / (np.pi * (FIT_FWHM * psf.fwhm) ** 2)
    return np.nan_to_num(flux / error, nan=0.0), np.nan_to_num(allowed, nan=0.0)


def _trust(
    prepared: Prepared, psf: Psf, phot: PsfPhotometry, stars: np.ndarray, least: float
) -> _Trust:
    """Learn from the PSF's own stars how well it fits."""
    if not len(stars):
        return _Trust(FLUX_ERROR, 0.0, least)
    flux = np.nan_to_num(phot.flux[stars])
    chosen = stars[np.argsort(-flux, kind="stable")][:N_TRUST]
    column, row = np.rint(phot.x[chosen]).astype(int), np.rint(phot.y[chosen]).astype(int)
    left, light, noise = (
        gather(image, column, row, int(np.ceil(RING_FWHM[1] * psf.fwhm)))
        for image in _as_fluxes(prepared, phot, psf)
    )
    half = left.shape[1] // 2
    away = np.hypot(*np.mgrid[-half : half + 1, -half : half + 1]) / psf.fwhm
    ring = (away >= RING_FWHM[0]) & (away <= RING_FWHM[1])
    excess = np.nanmean((left**2 - noise)[:, ring], axis=1)
    share = np.sqrt(np.maximum(excess, 0)) / np.maximum(light[:, half, half], 1e-9)
    error = max(FLUX_ERROR, float(np.median(share)))
    return _Trust(error, BEYOND * float(flux.max()), least)


def _as_fluxes(
    prepared: Prepared, phot: PsfPhotometry, psf: Psf
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell for each pixel the flux of a star there: in the residual, the frame, and its variance.

    By a Gaussian of the PSF's width as a matched filter: the flux is ``sum(g d) / sum(g^2)``.
    """
    from scipy.ndimage import gaussian_filter

    background, gain = prepared.background, prepared.camera.noise.gain_e_per_adu
    light = np.where(prepared.good, prepared.frame.pixels - background.level, 0.0)
    sigma = psf.fwhm / FWHM_PER_SIGMA
    noise = background.rms**2 + np.maximum(light - phot.residual, 0) / gain
    area = 4 * np.pi * sigma**2
    return (
        area * gaussian_filter(phot.residual, sigma),
        area * gaussian_filter(light, sigma),
        area * gaussian_filter(noise, sigma),
    )


def _left_over(
    prepared: Prepared, phot: PsfPhotometry, psf: Psf, trust: _Trust, wanted: ImageSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Find what in the residual stands out of its noise, of which the PSF's flaws are part."""
    from scipy.ndimage import maximum_filter
    from scipy.spatial import cKDTree

    frame, background = prepared.frame, prepared.background
    light = np.where(prepared.good, frame.pixels - background.level, 0.0)
    taken = light - phot.residual
    gain = prepared.camera.noise.gain_e_per_adu
    peak = maximum_filter(taken, 2 * int(np.ceil(PEAK_FWHM * psf.fwhm)) + 1)
    variance = background.rms**2 + np.maximum(taken, 0) / gain
    variance += (MODEL_ERROR * taken) ** 2 + (PEAK_ERROR * peak) ** 2
    rms = np.sqrt(variance) * (prepared.filtered.rms / background.rms)
    rest = replace(background, level=np.zeros_like(light), rms=rms.astype(np.float32))
    bad = np.where(prepared.good, np.uint8(0), np.uint8(PixelFlag.HOT))
    found = find_sources(phot.residual, bad, rest, psf.fwhm, threshold_sigma=wanted.threshold_sigma)
    x, y = found.x, found.y
    if not len(x):
        return x, y
    tree = cKDTree(np.column_stack([phot.x, phot.y]))
    apart = tree.query(np.column_stack([x, y]))[0] > APART_FWHM * psf.fwhm
    apart &= ~_in_wings(prepared, phot, psf, (x, y), trust)
    stars = phot.x, phot.y, np.nan_to_num(phot.flux)
    left = filtered(np.where(prepared.good, phot.residual, 0), psf.fwhm)
    apart &= ~light_of_brighter(left, (x, y), found.flux, stars, psf.fwhm, share=SIDE_SHARE)
    return x[apart], y[apart]


def _in_wings(
    prepared: Prepared,
    phot: PsfPhotometry,
    psf: Psf,
    places: tuple[np.ndarray, np.ndarray],
    trust: _Trust,
) -> np.ndarray:
    """Tell places where light of a bright star is left that is no source.

    That is beyond the PSF's grid, as far as a Moffat wing is above the noise; and for a star that
    is saturated, or brighter than any that the PSF was tried on, all about it.
    """
    from scipy.ndimage import maximum_filter

    x, y = places
    core = psf.fwhm * core_of(psf.beta)
    height = np.nan_to_num(np.maximum(phot.flux, 0)) * (psf.beta - 1) / (np.pi * core**2)
    ny, nx = phot.residual.shape
    row = np.clip(np.rint(phot.y).astype(int), 0, ny - 1)
    column = np.clip(np.rint(phot.x).astype(int), 0, nx - 1)
    # A saturated star may have no fitted flux, but it has a height.
    shown = (prepared.frame.pixels - prepared.background.level)[row, column]
    height = np.maximum(height, np.nan_to_num(shown))
    size = 2 * int(np.ceil(psf.fwhm)) + 1  # the light's middle may lie beside the clipped pixels
    clipped = maximum_filter((prepared.frame.bad & PixelFlag.SATURATED) != 0, size)
    unsure = clipped[row, column]
    unsure |= ~(phot.flux < trust.brightest)
    reach = core * (height / float(np.median(prepared.background.rms))) ** (1 / psf.beta)
    reach = np.where(unsure, np.maximum(reach, psf.half_px), reach)
    bright = np.flatnonzero(unsure | (reach > psf.half_px))
    away = np.hypot(x[:, None] - phot.x[bright], y[:, None] - phot.y[bright])
    unmodelled = (away > psf.half_px - 2) | unsure[bright]
    return ((away < reach[bright]) & unmodelled).any(axis=1)
