"""What sources look like: stars, extended ones with their Kron fluxes, sharp ones, and spikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import StarPhotometry
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.image.reduced import NO_KRON, Glow, Kron, Look, Looks, Prepared, Spread
from lightcurve.phot.beside import light_of_brighter
from lightcurve.phot.cutouts import nearest_pixel
from lightcurve.phot.finder import Found, filtered
from lightcurve.phot.glow import light_along
from lightcurve.phot.kron import ellipses_of, kron_light
from lightcurve.phot.psf import Psf, render
from lightcurve.phot.psf_fit import PsfPhotometry
from lightcurve.phot.smooth import smoothed_at

WIDE = 1.6  # widths of the PSF: of the filter that light beside a star's own falls into
EXTENDED_PULL, SHARP_PULL = 4.0, -3.0  # of the spread, over its error
LEAST_SPREAD = 0.05  # less is what a PSF that is not quite that of the place makes
BRIGHT_SNR, MIN_BRIGHT = 20.0, 10  # stars that tell how far the spread is that of the PSF
SHATTERED_FWHM, SHATTERED = 1.5, 2  # so near one source, so many more are parts of it
PIECE_FWHM = 3.0  # so near, a wide source is part of another wide one
JOINED_FWHM = 10.0  # so near, a star may look wide by the light of a galaxy
SHAPE_SHARE = 0.05  # of a galaxy's height: farther out a star on it would turn its ellipse
OUTLINE_SIGMA, NEAR = 1.5, 6  # of the filtered frame; sources that a pixel may belong to


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
        fit = replace(spread.phot, residual=spread.phot.residual - spread.glow.light)
        value, error = _spread(prepared, fit, spread.glow, fwhm)
        pull = value / error
        look[np.isfinite(pull)] = Look.STAR
        look[_extended(value, error)] = Look.EXTENDED
        look[(pull < SHARP_PULL) & (value < -LEAST_SPREAD)] = Look.SHARP
    look[((phot.flags & Flag.SATURATED) != 0).any(axis=1)] = Look.UNKNOWN
    look[: len(found)][_spikes(prepared, found, phot, fwhm)] = Look.SPIKE
    kron = NO_KRON
    if spread is not None and (look == Look.EXTENDED).any():
        kron = _kron(prepared, spread, look == Look.EXTENDED, fwhm)
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


def pieces(
    prepared: Prepared, fit: PsfPhotometry, n_found: int, glow: Glow, fwhm: float
) -> np.ndarray:
    """Tell which of the sources (n,) that were added to the first are parts of extended ones.

    They are wider than a star themselves, as what is next to them is; or so many that one of the
    first was taken apart: a blend of two stars shows one more, a galaxy several.
    """
    from scipy.spatial import cKDTree

    wide = _extended(*_spread(prepared, fit, glow, fwhm))
    rows = np.flatnonzero(wide)
    found = np.zeros(len(wide), dtype=bool)
    one, other = (
        cKDTree(np.column_stack([fit.x, fit.y])[rows])
        .query_pairs(PIECE_FWHM * fwhm, output_type="ndarray")
        .T
    )
    found[rows[np.concatenate([one, other])]] = True
    found &= np.arange(len(wide)) >= n_found
    return found | _shattered(fit, n_found, fwhm)


def _shattered(fit: PsfPhotometry, n_found: int, fwhm: float) -> np.ndarray:
    """Tell which sources (n,) were added to the first in numbers, so near one of them."""
    from scipy.spatial import cKDTree

    places = np.column_stack([fit.x, fit.y])
    found = np.zeros(len(places), dtype=bool)
    for near in cKDTree(places).query_ball_point(places[:n_found], SHATTERED_FWHM * fwhm):
        late = [row for row in near if row >= n_found]
        found[late] |= len(late) >= SHATTERED
    return found


def no_glow(fit: PsfPhotometry) -> Glow:
    """Say that no source has light beyond a star's."""
    return Glow(np.zeros(fit.residual.shape, np.float32), np.zeros(len(fit.x), dtype=bool))


def more_glow(prepared: Prepared, psf: Psf, fit: PsfPhotometry, glow: Glow, fwhm: float) -> Glow:
    """Find the light of more galaxies that may hide stars: of those as bright as tells their shape.

    Of those near each other the one first that has most of it: the others may be stars on it.
    fit: on the glow.
    """
    from scipy.spatial import cKDTree

    value, error = _spread(prepared, fit, glow, fwhm)
    wide = _extended(value, error) & (fit.flux > BRIGHT_SNR * fit.flux_err) & ~glow.owners
    beyond = np.where(wide, value * fit.flux, 0.0)
    near = cKDTree(np.column_stack([fit.x, fit.y])).query_pairs(
        JOINED_FWHM * fwhm, output_type="ndarray"
    )
    one, other = near.T
    wide[np.where(beyond[one] < beyond[other], one, other)[wide[one] & wide[other]]] = False
    if not wide.any():
        return glow
    flux = np.where(wide, fit.flux, 0.0)
    light = fit.residual + render(psf, prepared.shape, (fit.x[wide], fit.y[wide]), flux[wide])
    smooth, labels = _outlined(prepared, light, (fit.x, fit.y), flux, fwhm, share=SHAPE_SHARE)
    numbers, shapes = ellipses_of(labels, smooth, prepared.good)
    shapes = replace(shapes, x=fit.x[numbers - 1], y=fit.y[numbers - 1])
    found = light_along(fit.residual, prepared.good, prepared.filtered.rms, shapes)
    return Glow(glow.light + found, glow.owners | wide)


def _spread(
    prepared: Prepared, fit: PsfPhotometry, glow: Glow, fwhm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Light in a wide filter over that in one as wide as the PSF, less a star's; and its error.

    Neighbours are taken off, and the glow of galaxies of which the source is none. The error has in
    it how far stars differ from one another. fit: on the glow.
    """
    from scipy.ndimage import map_coordinates

    sigma = fwhm / FWHM_PER_SIGMA
    sigmas = WIDE * sigma, sigma

    def seen(image: np.ndarray) -> np.ndarray:
        """Fluxes by both filters, (2, n)."""
        light = smoothed_at(image, prepared.good, (fit.x, fit.y), sigmas)
        return 4 * np.pi * np.square(sigmas)[:, None] * light

    both_seen = seen(fit.residual)
    if glow.owners.any():
        theirs = np.append(glow.owners, np.zeros(len(fit.x) - len(glow.owners), dtype=bool))
        both_seen += theirs * seen(glow.light)
    wide, own = both_seen
    # Of a Gaussian star's flux, what each filter has, were it the only one that fits.
    share = 2 * WIDE**2 / (1 + WIDE**2)
    with np.errstate(all="ignore"):
        value = (share * fit.flux + wide) / (share * (fit.flux + own)) - 1
        rms = map_coordinates(prepared.filtered.rms, np.array([fit.y, fit.x]), order=1)
        noise = 4 * np.pi * sigma**2 * rms**2
        both = WIDE**2 / share**2 + 1 - 2 * (2 * WIDE**2 / (1 + WIDE**2)) / share
        gain = prepared.camera.noise.gain_e_per_adu
        error = np.sqrt(noise * both + np.maximum(fit.flux, 0) / (2 * gain)) / np.abs(fit.flux)
    bright = (fit.flux > BRIGHT_SNR * fit.flux_err) & np.isfinite(value)
    if bright.sum() >= MIN_BRIGHT:
        value = value - np.median(value[bright])
        error = np.hypot(error, robust_scatter(value[bright]))
    return value, error


def _kron(prepared: Prepared, spread: Spread, rows: np.ndarray, fwhm: float) -> Kron:
    """Measure the light within Kron's radius of sources `rows` (n,) bool; stars are taken off."""
    fit, good = spread.phot, prepared.good
    flux = np.where(rows, np.nan_to_num(fit.flux), 0.0)
    drawn = render(spread.psf, prepared.shape, (fit.x[rows], fit.y[rows]), flux[rows])
    light = np.where(good, fit.residual + drawn, 0.0)
    smooth, labels = _outlined(prepared, light, (fit.x, fit.y), flux, fwhm)
    numbers, shapes = ellipses_of(labels, smooth, good)
    # What was taken off has left its noise.
    whole = np.maximum(prepared.frame.pixels - prepared.background.level, 0)
    variance = prepared.filtered.rms**2 + whole / prepared.camera.noise.gain_e_per_adu
    of_all = np.full((3, len(rows)), np.nan)
    of_all[:, numbers - 1] = kron_light(
        light, np.where(good, variance, 0.0), labels, numbers, shapes
    )
    return Kron(*of_all) if len(numbers) else NO_KRON


def _outlined(
    prepared: Prepared,
    light: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    flux: np.ndarray,
    fwhm: float,
    *,
    share: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Filter an image of `light`, (ny, nx), and outline in it the sources of flux (n,) above 0.

    share: of the height of a source, that its pixels have at least.
    """
    sigma = fwhm / FWHM_PER_SIGMA
    smooth = filtered(np.where(prepared.good, light, 0).astype(np.float32), fwhm)
    seen = smooth > OUTLINE_SIGMA * np.sqrt(4 * np.pi) * sigma * prepared.filtered.rms
    return smooth, _outlines(seen, smooth, np.column_stack(places), flux, share, fwhm)


def _outlines(
    seen: np.ndarray,
    smooth: np.ndarray,
    places: np.ndarray,
    flux: np.ndarray,
    share: float,
    fwhm: float,
) -> np.ndarray:
    """Outline the sources of flux above 0; a pixel that they share is that of who lights it most.

    seen: (ny, nx) bool array, where there is light. places: (n, 2), pixels.
    Returns (ny, nx) int array: the numbers of sources, from 1, and 0 where there is none.
    """
    from scipy.ndimage import label
    from scipy.spatial import cKDTree

    rows = np.flatnonzero(flux > 0)
    groups, _ = label(seen, structure=np.ones((3, 3)))
    middle = nearest_pixel(places[rows, 0], places[rows, 1], seen.shape)
    wanted = np.unique(groups[middle])
    y, x = np.nonzero(np.isin(groups, wanted[wanted > 0]))
    labels = np.zeros(seen.shape, dtype=np.int32)
    if not len(x):
        return labels
    away, near = cKDTree(places[rows]).query(np.column_stack([x, y]), k=min(NEAR, len(rows)))
    away, near = away.reshape(len(x), -1), near.reshape(len(x), -1)
    of_light = np.log(flux[rows])[near] - 2 * np.log1p((away / fwhm) ** 2)
    owner = near[np.arange(len(x)), of_light.argmax(axis=1)]
    high = smooth[y, x] >= share * smooth[middle][owner]
    labels[y[high], x[high]] = rows[owner[high]] + 1
    return labels
