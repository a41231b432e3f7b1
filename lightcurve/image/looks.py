"""What sources look like: stars, extended ones with their Kron fluxes, sharp ones, and spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import StarPhotometry
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.image.reduced import NO_KRON, Kron, Look, Looks, Prepared, Spread
from lightcurve.phot.beside import light_of_brighter
from lightcurve.phot.finder import Found, filtered
from lightcurve.phot.psf_fit import PsfPhotometry

if TYPE_CHECKING:
    from photutils.segmentation import SegmentationImage

WIDE = 1.6  # widths of the PSF: of the filter that light beside a star's own falls into
EXTENDED_PULL, SHARP_PULL = 4.0, -3.0  # of the spread, over its error
LEAST_SPREAD = 0.05  # less is what a PSF that is not quite that of the place makes
BRIGHT_SNR, MIN_BRIGHT = 20.0, 10  # stars that tell how far the spread is that of the PSF
PIECE_FWHM = 3.0  # so near, a wide source is part of another wide one
OUTLINE_SIGMA, NEAR = 1.5, 6  # of the filtered frame; sources that a pixel may belong to
KRON_TIMES, LEAST_KRON = 2.5, 1.4  # of Kron's radius; in units of the semi-major axis, at least


def tell_looks(
    prepared: Prepared, found: Found, phot: StarPhotometry, spread: Spread | None, fwhm: float
) -> Looks:
    """Tell what each source looks like.

    found: of the search; phot: of these, and of those that the PSF left over. fwhm: pixels.
    """
    n = len(phot.x)
    look = np.full(n, Look.UNKNOWN, dtype="U8")
    value = error = np.full(n, np.nan)
    if spread is not None:
        value, error = _spread(prepared, spread.phot, fwhm)
        pull = value / error
        look[np.isfinite(pull)] = Look.STAR
        look[_extended(value, error)] = Look.EXTENDED
        look[(pull < SHARP_PULL) & (value < -LEAST_SPREAD)] = Look.SHARP
    look[((phot.flags & Flag.SATURATED) != 0).any(axis=1)] = Look.UNKNOWN
    look[: len(found)][_spikes(prepared, found, phot, fwhm)] = Look.SPIKE
    kron = NO_KRON
    if (look == Look.EXTENDED).any():
        kron = _kron(prepared, phot, look == Look.EXTENDED, fwhm)
    return Looks(look, value, error, kron)


def _spikes(prepared: Prepared, found: Found, phot: StarPhotometry, fwhm: float) -> np.ndarray:
    """Tell the sources of the search, (n,), that are light of brighter ones."""
    light = np.where(prepared.good, prepared.frame.pixels - prepared.background.level, 0)
    smooth = filtered(light.astype(np.float32), fwhm)
    # Of a star that is clipped the widest aperture has the most.
    flux = np.fmax(found.flux, phot.flux[: len(found)].max(axis=1, initial=0.0))
    place = found.x, found.y
    return light_of_brighter(smooth, place, found.flux, (*place, flux), fwhm)


def _extended(value: np.ndarray, error: np.ndarray) -> np.ndarray:
    return (value > EXTENDED_PULL * error) & (value > LEAST_SPREAD)


def pieces(prepared: Prepared, fit: PsfPhotometry, n_found: int, fwhm: float) -> np.ndarray:
    """Tell which of the sources (n,) that were added to the first are parts of extended ones.

    They are wider than a star themselves, as what is next to them is.
    """
    from scipy.spatial import cKDTree

    wide = _extended(*_spread(prepared, fit, fwhm))
    rows = np.flatnonzero(wide)
    found = np.zeros(len(wide), dtype=bool)
    one, other = (
        cKDTree(np.column_stack([fit.x, fit.y])[rows])
        .query_pairs(PIECE_FWHM * fwhm, output_type="ndarray")
        .T
    )
    found[rows[np.concatenate([one, other])]] = True
    return found & (np.arange(len(wide)) >= n_found)


def _spread(prepared: Prepared, fit: PsfPhotometry, fwhm: float) -> tuple[np.ndarray, np.ndarray]:
    """Light in a wide filter over that in one as wide as the PSF, less a star's; and its error.

    Neighbours are taken off. The error has in it how far stars differ from one another.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    sigma = fwhm / FWHM_PER_SIGMA
    left = np.where(prepared.good, fit.residual, 0).astype(np.float32)
    at = np.array([fit.y, fit.x])
    wide, own = (
        4 * np.pi * s**2 * map_coordinates(gaussian_filter(left, s), at, order=1)
        for s in (WIDE * sigma, sigma)
    )
    # Of a Gaussian star's flux, what each filter has, were it the only one that fits.
    share = 2 * WIDE**2 / (1 + WIDE**2)
    with np.errstate(all="ignore"):
        value = (share * fit.flux + wide) / (share * (fit.flux + own)) - 1
        rms = map_coordinates(prepared.filtered.rms, at, order=1)
        noise = 4 * np.pi * sigma**2 * rms**2
        both = WIDE**2 / share**2 + 1 - 2 * (2 * WIDE**2 / (1 + WIDE**2)) / share
        gain = prepared.camera.noise.gain_e_per_adu
        error = np.sqrt(noise * both + np.maximum(fit.flux, 0) / (2 * gain)) / np.abs(fit.flux)
    bright = (fit.flux > BRIGHT_SNR * fit.flux_err) & np.isfinite(value)
    if bright.sum() >= MIN_BRIGHT:
        value = value - np.median(value[bright])
        error = np.hypot(error, robust_scatter(value[bright]))
    return value, error


def _kron(prepared: Prepared, phot: StarPhotometry, rows: np.ndarray, fwhm: float) -> Kron:
    """Measure the light within Kron's radius (1980, ApJS 43, 305) of sources `rows` (n,) bool.

    As photutils has it: 2.5 times the first moment, what belongs to others put right by symmetry.
    """
    from photutils.segmentation import SourceCatalog

    frame, background = prepared.frame, prepared.background
    light = np.where(prepared.good, frame.pixels - background.level, 0).astype(float)
    sigma = fwhm / FWHM_PER_SIGMA
    smooth = filtered(light.astype(np.float32), fwhm)
    seen = smooth > OUTLINE_SIGMA * np.sqrt(4 * np.pi) * sigma * prepared.filtered.rms
    outlines = _outlines(seen, phot, np.flatnonzero(rows), fwhm)
    none = np.full(len(rows), np.nan)
    if outlines is None:
        return NO_KRON
    gain = prepared.camera.noise.gain_e_per_adu
    catalog = SourceCatalog(
        light, outlines, convolved_data=smooth.astype(float), mask=~prepared.good,
        error=np.sqrt(prepared.filtered.rms**2 + np.maximum(light, 0) / gain),
        kron_params=(KRON_TIMES, LEAST_KRON, 0.0),
    )  # fmt: skip
    catalog = catalog.select_labels(np.intersect1d(catalog.labels, np.flatnonzero(rows) + 1))
    source = np.atleast_1d(catalog.labels) - 1
    flux, error, radius = none.copy(), none.copy(), none.copy()
    flux[source], error[source] = catalog.kron_flux, catalog.kron_flux_err
    times = np.atleast_1d(catalog.kron_radius.value)
    radius[source] = KRON_TIMES * times * np.atleast_1d(catalog.semimajor_axis.value)
    return Kron(flux, error, radius)


def _outlines(
    seen: np.ndarray, phot: StarPhotometry, rows: np.ndarray, fwhm: float
) -> SegmentationImage | None:
    """Outline sources `rows` and what they touch; each pixel is that of who lights it most.

    seen: (ny, nx) bool array, where there is light. Labels are the numbers of sources, from 1.
    """
    from photutils.segmentation import SegmentationImage
    from scipy.ndimage import label
    from scipy.spatial import cKDTree

    groups, _ = label(seen, structure=np.ones((3, 3)))
    wanted = np.unique(groups[np.rint(phot.y[rows]).astype(int), np.rint(phot.x[rows]).astype(int)])
    y, x = np.nonzero(np.isin(groups, wanted[wanted > 0]))
    if not len(x):
        return None
    places = np.column_stack([phot.x, phot.y])
    away, near = cKDTree(places).query(np.column_stack([x, y]), k=min(NEAR, len(places)))
    away, near = away.reshape(len(x), -1), near.reshape(len(x), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        bright = np.log(np.maximum(np.nan_to_num(phot.flux[:, 0]), 1e-9))
    of_light = bright[near] - 2 * np.log1p((away / fwhm) ** 2)
    labels = np.zeros(seen.shape, dtype=np.int32)
    labels[y, x] = near[np.arange(len(x)), of_light.argmax(axis=1)] + 1
    return SegmentationImage(labels)
