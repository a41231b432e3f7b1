"""Find every source of one frame, down to the noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.phot.background import Background, measure_mesh
from lightcurve.phot.cutouts import gather
from lightcurve.phot.detect import NARROWEST_SIGMA, kernel_norm, unusable
from lightcurve.phot.methods import FINDERS, PEAKS
from lightcurve.phot.sky import BLANK
from lightcurve.phot.smooth import smoothed_by

__all__ = ["Found", "as_filtered", "filtered", "find_sources", "negative"]

# A star between pixels is so much lower on the nearest than at its place: 0.85 for FWHM 2 px.
BETWEEN_PIXELS = 0.85
REACH_SIGMA = 3.0  # half side of what the filter weighs
CELL_SAMPLES = 40  # pixels of a cell along each axis
LEAST_BLANK = 0.2  # of a cell's pixels: of fewer the noise is not told
JOINED_FWHM, STEPS, BLOCK = 10.0, 20, 50_000  # reach of pairs, steps between, pairs at a time
DIP_SIGMA = 3.0
# A cell's noise is known to some 10 %: what is so much above the frame's is the sky's own.
CLEARLY = 1.25


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Sources, the highest peak first: arrays (n,).

    Attributes
    ----------
    x, y : pixels.
    flux : ADU, by the matched filter: right for stars as wide as it, near enough for others.
    snr : flux over its error, of which the photons of the source are part.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    snr: np.ndarray

    def __len__(self) -> int:
        """Count the sources."""
        return len(self.x)

    def only(self, rows: np.ndarray) -> Found:
        """Keep some of them."""
        return Found(self.x[rows], self.y[rows], self.flux[rows], self.snr[rows])


def as_filtered(
    pixels: np.ndarray, bad: np.ndarray, background: Background, fwhm: float
) -> Background:
    """Give a background the noise that is left when the frame is filtered for stars.

    Noise that pixels share (resampled, demosaiced or denoised frames) a filter does not lower as it
    does white noise: blank sky tells by how much, frame and cell.

    pixels: (ny, nx) float array, ADU; bad: (ny, nx) uint8 array. fwhm: of the stars, pixels.
    Returns a background whose rms is that of white noise that the filter would leave as much of.
    """
    from scipy.ndimage import zoom

    sigma = _sigma(fwhm)
    blank = ~(background.sources | (bad != 0) | ~np.isfinite(pixels))
    scaled = np.where(blank, (pixels - background.level) / background.rms, 0).astype(np.float32)
    # What is left out is made up for, as far as it may be: near sources less noise would be seen.
    share = smoothed_by(blank.astype(np.float32), sigma / np.sqrt(2), REACH_SIGMA)
    smooth = smoothed_by(scaled, sigma, REACH_SIGMA) / kernel_norm(sigma)
    smooth /= np.sqrt(np.maximum(share, 0.5))
    box = min(background.box_px, *pixels.shape)
    starts = [np.linspace(0, n - box, int(np.ceil(n / box))).astype(int) for n in pixels.shape]
    within = min(box, CELL_SAMPLES)
    mesh = measure_mesh(
        smooth, ~blank | (share < 0.5), starts, box, samples=within, clip=BLANK,
        min_pixels=int(LEAST_BLANK * within**2),
    )  # fmt: skip
    if not mesh.known.any():
        return background
    usual = float(np.median(mesh.rms[mesh.known]))
    cells = np.where(mesh.known & (mesh.rms > CLEARLY * usual), mesh.rms, usual)
    if (cells == usual).all():
        return replace(background, rms=background.rms * np.float32(usual))
    stretch = [n / m for n, m in zip(pixels.shape, cells.shape, strict=True)]
    excess = zoom(cells, stretch, order=1, mode="nearest", grid_mode=True)
    return replace(background, rms=(background.rms * excess).astype(np.float32))


def find_sources(
    pixels: np.ndarray,
    bad: np.ndarray,
    background: Background,
    fwhm: float,
    *,
    threshold_sigma: float = 5.0,
    method: str = PEAKS.name,
    gain_e_per_adu: float = np.inf,
) -> Found:
    """Find sources, the highest peak first, by a filter as wide as the frame's stars.

    The threshold is one of the ratio of signal to noise that is told of them.

    pixels: (ny, nx) float array, ADU.
    bad: (ny, nx) uint8 array; saturated pixels are kept, other bad ones count as sky.
    background: with the noise as `as_filtered` gives it. fwhm: of the stars, pixels.
    method: a name of `FINDERS`. gain_e_per_adu: infinite where photons do not count.
    """
    good = ~(unusable(bad) | ~np.isfinite(pixels))
    light = np.where(good, pixels - background.level, 0).astype(np.float32)
    scaled = (light / background.rms).astype(np.float32)
    x, y = FINDERS.get(method).find(scaled, fwhm, BETWEEN_PIXELS * threshold_sigma)
    ny, nx = pixels.shape
    here = (np.abs(2 * x + 1 - nx) < nx) & (np.abs(2 * y + 1 - ny) < ny)  # of noise as wild as 1e15
    x, y = x[here], y[here]
    sigma = _sigma(fwhm)
    found = _weigh(light, good, background.rms, sigma, (x, y), gain_e_per_adu)
    found = found.only(found.snr >= threshold_sigma)
    return found.only(_prominent(found, filtered(light, fwhm), fwhm))


def filtered(light: np.ndarray, fwhm: float) -> np.ndarray:
    """Tell for each pixel, (ny, nx) float32, the flux of a star there, by the matched filter.

    light: (ny, nx) float32 array, ADU above the sky, 0 where bad. fwhm: pixels.
    """
    sigma = _sigma(fwhm)
    return smoothed_by(light, sigma, REACH_SIGMA) / np.float32(kernel_norm(sigma) ** 2)


def _prominent(found: Found, smooth: np.ndarray, fwhm: float) -> np.ndarray:
    """Tell the sources (n,) that no brighter one is joined with, but by a dip beyond the noise.

    Others are bumps of the noise on something wide: a galaxy, a halo, a nebula.
    """
    from scipy.spatial import cKDTree

    keep = np.ones(len(found), dtype=bool)
    pairs = cKDTree(np.column_stack([found.x, found.y])).query_pairs(
        JOINED_FWHM * fwhm, output_type="ndarray"
    )
    # Sources come the highest first, but for the noise of what is between pixels.
    low, high = np.where(found.flux[pairs[:, 0]] < found.flux[pairs[:, 1]], pairs.T, pairs.T[::-1])
    noise = found.flux / np.maximum(found.snr, 1e-9)
    for first in range(0, len(low), BLOCK):
        one, other = low[first : first + BLOCK], high[first : first + BLOCK]
        step = np.arange(1, STEPS) / STEPS
        row, column = (
            np.rint(a[one, None] + (a[other] - a[one])[:, None] * step).astype(int)
            for a in (found.y, found.x)
        )
        dip = found.flux[one] - smooth[row, column].min(axis=1)
        keep[one[dip < DIP_SIGMA * noise[one]]] = False
    return keep


def negative(pixels: np.ndarray, background: Background) -> np.ndarray:
    """Turn a frame over about its sky: what is found then is noise.

    pixels: (ny, nx) float array, ADU. Returns such an array.
    """
    return 2 * background.level - pixels


def _sigma(fwhm: float) -> float:
    return max(fwhm / FWHM_PER_SIGMA, NARROWEST_SIGMA)


def _weigh(
    light: np.ndarray,
    good: np.ndarray,
    rms: np.ndarray,
    sigma: float,
    places: tuple[np.ndarray, np.ndarray],
    gain: float,
) -> Found:
    """Fit a Gaussian to each place: flux ``sum(g d) / sum(g^2)``, its error, and their ratio."""
    x, y = places
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    half = int(np.ceil(REACH_SIGMA * sigma))
    offset = np.arange(-half, half + 1)
    u, v = (
        np.exp(-0.5 * ((offset - (place - middle)[:, None]) / sigma) ** 2)
        for place, middle in ((x, column), (y, row))
    )
    kernel = v[:, :, None] * u[:, None, :]
    kernel /= kernel.sum(axis=(1, 2), keepdims=True)
    seen = np.nan_to_num(gather(good.astype(np.float32), column, row, half))
    square = (kernel**2 * seen).sum(axis=(1, 2))
    box = np.nan_to_num(gather(light, column, row, half))
    with np.errstate(divide="ignore", invalid="ignore"):
        flux = (kernel * seen * box).sum(axis=(1, 2)) / square
        photons = np.maximum(flux, 0) / gain * (kernel**3 * seen).sum(axis=(1, 2)) / square**2
        snr = flux / np.sqrt(rms[row, column] ** 2 / square + photons)
    return Found(x, y, flux, np.nan_to_num(snr))
