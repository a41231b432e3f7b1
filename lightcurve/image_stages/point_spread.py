"""The PSF of a frame: built from its stars, fitted to all sources, and to what it leaves over."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.config import ImageSettings
from lightcurve.data import StarPhotometry
from lightcurve.flags import PixelFlag
from lightcurve.image_stages.prepare import Prepared
from lightcurve.phot.cutouts import gather
from lightcurve.phot.epsf import build_psf
from lightcurve.phot.finder import find_sources
from lightcurve.phot.psf import Psf
from lightcurve.phot.psf_fit import PsfPhotometry, fit_psf

log = logging.getLogger(__name__)

ROUNDS = 3  # of searching what is left when the stars are taken off
APART_FWHM = 0.6  # a source found nearer to another is the same
MODEL_ERROR = 0.05  # of the light taken off a pixel: the PSF is not known better there
PEAK_ERROR, PEAK_FWHM = 0.01, 3.0  # at least, and of the highest light taken off so near
STAY_FWHM, MIN_SNR = 0.4, 3.0  # what an added source must keep to after the fit
N_TRUST = 30  # stars of the PSF that tell how good it is
BEYOND = 1.0  # times the brightest of the PSF's stars


def frame_psf(
    prepared: Prepared, phot: StarPhotometry, rows: np.ndarray, fwhm: float, note: str
) -> Psf:
    """Build the PSF of a frame from chosen sources.

    Parameters
    ----------
    prepared : Prepared
    phot : StarPhotometry
        Of all sources.
    rows : (k,) int array
        The stars chosen.
    fwhm : float
        Pixels.
    note : str
        How they were chosen.

    Returns
    -------
    Psf
    """
    background = prepared.background
    return build_psf(
        prepared.frame.pixels - background.level, background.rms**2, prepared.good,
        (phot.x, phot.y), rows, fwhm,
        gain_e_per_adu=prepared.camera.noise.gain_e_per_adu, note=note,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Trust:
    """How far a PSF is to be believed.

    Attributes
    ----------
    error : float
        Of the PSF, as a share of a star's peak.
    brightest : float
        Flux, ADU, beyond which no star was tried: what is left of those is no source.
    """

    error: float
    brightest: float


def fit_sources(
    prepared: Prepared,
    psf: Psf,
    places: tuple[np.ndarray, np.ndarray],
    stars: np.ndarray,
    wanted: ImageSettings,
) -> PsfPhotometry:
    """Fit the PSF to all sources; look for what it leaves over, and fit again.

    Parameters
    ----------
    prepared : Prepared
    psf : Psf
    places : tuple of (n,) float arrays
        x and y, pixels.
    stars : (k,) int array
        Rows of those that the PSF was built from.
    wanted : ImageSettings

    Returns
    -------
    PsfPhotometry
        Of the sources given, in their order, and after them of those found in the residual.
    """
    n = len(places[0])
    phot = _fit(prepared, psf, *places)
    trust = _trust(prepared, psf, phot, stars)
    for _ in range(ROUNDS if wanted.psf == "iterative" else 0):
        new_x, new_y = _left_over(prepared, phot, psf, trust, wanted)
        if not len(new_x):
            break
        before = len(phot.x)
        phot = _fit(prepared, psf, np.append(phot.x, new_x), np.append(phot.y, new_y))
        keep = _believable(phot, psf, n)
        if not keep.all():
            phot = _fit(prepared, psf, phot.x[keep], phot.y[keep])
        log.info("%d more sources where the stars were taken off", len(phot.x) - before)
    return phot


def _fit(prepared: Prepared, psf: Psf, x: np.ndarray, y: np.ndarray) -> PsfPhotometry:
    background = prepared.background
    return fit_psf(
        prepared.frame.pixels - background.level, background.rms**2, prepared.good, psf, x, y,
        gain_e_per_adu=prepared.camera.noise.gain_e_per_adu,
    )  # fmt: skip


def _believable(phot: PsfPhotometry, psf: Psf, n: int) -> np.ndarray:
    """Leave out what was added and came to nothing, or to the place of another."""
    from scipy.spatial import cKDTree

    xy = np.column_stack([phot.x, phot.y])
    apart = cKDTree(xy).query(xy, k=2)[0][:, 1] > STAY_FWHM * psf.fwhm
    return (np.arange(len(xy)) < n) | (apart & (phot.flux > MIN_SNR * phot.flux_err))


def _trust(prepared: Prepared, psf: Psf, phot: PsfPhotometry, stars: np.ndarray) -> _Trust:
    """Learn from the PSF's own stars how well it fits."""
    if not len(stars):
        return _Trust(PEAK_ERROR, 0.0)
    flux = np.nan_to_num(phot.flux[stars])
    chosen = stars[np.argsort(-flux, kind="stable")][:N_TRUST]
    half = max(int(np.rint(psf.fwhm / 2)), 1)
    column, row = np.rint(phot.x[chosen]).astype(int), np.rint(phot.y[chosen]).astype(int)
    background, gain = prepared.background, prepared.camera.noise.gain_e_per_adu
    left = gather(phot.residual, column, row, half)
    light = gather(prepared.frame.pixels - background.level, column, row, half)
    noise = gather(background.rms, column, row, half) ** 2 + np.maximum(light, 0) / gain
    excess = np.nanmean(left**2 - noise, axis=(1, 2))
    share = np.sqrt(np.maximum(excess, 0)) / np.maximum(np.nanmax(light, axis=(1, 2)), 1e-9)
    return _Trust(max(PEAK_ERROR, 2 * float(np.median(share))), BEYOND * float(flux.max()))


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
    variance += (MODEL_ERROR * taken) ** 2 + (trust.error * peak) ** 2
    rest = replace(background, level=np.zeros_like(light), rms=np.sqrt(variance).astype(np.float32))
    bad = np.where(prepared.good, np.uint8(0), np.uint8(PixelFlag.HOT))
    x, y = find_sources(phot.residual, bad, rest, psf.fwhm, threshold_sigma=wanted.threshold_sigma)
    if not len(x):
        return x, y
    tree = cKDTree(np.column_stack([phot.x, phot.y]))
    apart = tree.query(np.column_stack([x, y]))[0] > APART_FWHM * psf.fwhm
    apart &= ~_in_wings(prepared, phot, psf, (x, y), trust)
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
    x, y = places
    core = psf.fwhm / (2 * np.sqrt(2 ** (1 / psf.beta) - 1))
    height = np.nan_to_num(np.maximum(phot.flux, 0)) * (psf.beta - 1) / (np.pi * core**2)
    ny, nx = phot.residual.shape
    row = np.clip(np.rint(phot.y).astype(int), 0, ny - 1)
    column = np.clip(np.rint(phot.x).astype(int), 0, nx - 1)
    # A saturated star may have no fitted flux, but it has a height.
    shown = (prepared.frame.pixels - prepared.background.level)[row, column]
    height = np.maximum(height, np.nan_to_num(shown))
    unsure = (prepared.frame.bad[row, column] & PixelFlag.SATURATED) != 0
    unsure |= ~(phot.flux < trust.brightest)
    reach = core * (height / float(np.median(prepared.background.rms))) ** (1 / psf.beta)
    bright = np.flatnonzero(reach > psf.half_px)
    away = np.hypot(x[:, None] - phot.x[bright], y[:, None] - phot.y[bright])
    unmodelled = (away > psf.half_px - 2) | unsure[bright]
    return ((away < reach[bright]) & unmodelled).any(axis=1)
