"""The PSF of a frame: built from its stars, fitted to all sources, and to what it leaves over."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from lightcurve.config import ImageSettings
from lightcurve.data import StarPhotometry
from lightcurve.flags import PixelFlag
from lightcurve.image_stages.prepare import Prepared
from lightcurve.phot.epsf import build_psf
from lightcurve.phot.finder import find_sources
from lightcurve.phot.psf import Psf
from lightcurve.phot.psf_fit import PsfPhotometry, fit_psf

log = logging.getLogger(__name__)

ROUNDS = 3  # of searching what is left when the stars are taken off
APART_FWHM = 0.6  # a source found nearer to another is the same
MODEL_ERROR = 0.05  # of the light taken off a pixel: the PSF is not known better there
PEAK_ERROR, PEAK_FWHM = 0.01, 3.0  # and of the highest light taken off so near


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


def fit_sources(
    prepared: Prepared, psf: Psf, x: np.ndarray, y: np.ndarray, wanted: ImageSettings
) -> PsfPhotometry:
    """Fit the PSF to all sources; look for what it leaves over, and fit again.

    Parameters
    ----------
    prepared : Prepared
    psf : Psf
    x, y : (n,) float arrays
        Pixels.
    wanted : ImageSettings

    Returns
    -------
    PsfPhotometry
        Of the sources given, in their order, and after them of those found in the residual.
    """
    background, gain = prepared.background, prepared.camera.noise.gain_e_per_adu
    light = prepared.frame.pixels - background.level
    rounds = ROUNDS if wanted.psf == "iterative" else 0
    for _ in range(rounds + 1):
        phot = fit_psf(light, background.rms**2, prepared.good, psf, x, y, gain_e_per_adu=gain)
        new_x, new_y = _left_over(prepared, phot, psf, wanted) if rounds else ((), ())
        if not len(new_x):
            break
        log.info("%d more sources where the stars were taken off", len(new_x))
        x, y = np.append(phot.x, new_x), np.append(phot.y, new_y)
        rounds -= 1
    return phot


def _left_over(
    prepared: Prepared, phot: PsfPhotometry, psf: Psf, wanted: ImageSettings
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
    rest = replace(background, level=np.zeros_like(light), rms=np.sqrt(variance).astype(np.float32))
    bad = np.where(prepared.good, np.uint8(0), np.uint8(PixelFlag.HOT))
    x, y = find_sources(phot.residual, bad, rest, psf.fwhm, threshold_sigma=wanted.threshold_sigma)
    if not len(x):
        return x, y
    tree = cKDTree(np.column_stack([phot.x, phot.y]))
    apart = tree.query(np.column_stack([x, y]))[0] > APART_FWHM * psf.fwhm
    apart &= ~_in_wings(prepared, phot, psf, x, y)
    return x[apart], y[apart]


def _in_wings(
    prepared: Prepared, phot: PsfPhotometry, psf: Psf, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Tell places where light of a bright star is left that is no source.

    That is beyond the PSF's grid, as far as a Moffat wing is above the noise; and for a star that
    is saturated, all about it.
    """
    core = psf.fwhm / (2 * np.sqrt(2 ** (1 / psf.beta) - 1))
    height = np.nan_to_num(np.maximum(phot.flux, 0)) * (psf.beta - 1) / (np.pi * core**2)
    ny, nx = phot.residual.shape
    row = np.clip(np.rint(phot.y).astype(int), 0, ny - 1)
    column = np.clip(np.rint(phot.x).astype(int), 0, nx - 1)
    # A saturated star may have no fitted flux, but it has a height.
    shown = (prepared.frame.pixels - prepared.background.level)[row, column]
    height = np.maximum(height, np.nan_to_num(shown))
    saturated = (prepared.frame.bad[row, column] & PixelFlag.SATURATED) != 0
    reach = core * (height / float(np.median(prepared.background.rms))) ** (1 / psf.beta)
    bright = np.flatnonzero(reach > psf.half_px)
    away = np.hypot(x[:, None] - phot.x[bright], y[:, None] - phot.y[bright])
    unmodelled = (away > psf.half_px - 2) | saturated[bright]
    return ((away < reach[bright]) & unmodelled).any(axis=1)
