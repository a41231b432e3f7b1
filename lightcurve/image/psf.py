"""The PSF of a frame: built from its stars, fitted to all sources, and to what it leaves over."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import StarPhotometry
from lightcurve.core.flags import PixelFlag
from lightcurve.core.settings import ImageSettings
from lightcurve.image.looks import more_glow, no_glow, pieces
from lightcurve.image.reduced import Glow, Prepared, Spread, signal_to_noise
from lightcurve.phot.beside import light_of_brighter
from lightcurve.phot.cutouts import add_squares, gather, nearest_pixel
from lightcurve.phot.epsf import Choice, build_psf
from lightcurve.phot.finder import Found, filtered, find_sources
from lightcurve.phot.moffat import core_of
from lightcurve.phot.psf import Psf
from lightcurve.phot.psf_fit import PsfPhotometry, fit_psf, fit_radius, flux_error, refit_psf
from lightcurve.phot.smooth import smoothed_at, smoothed_by
from lightcurve.phot.trails import in_trails, trail_sides

log = logging.getLogger(__name__)
MAP_PARTS = 16  # along each side, of maps of the shape
ROUNDS = 3  # of searching what is left when the stars are taken off
APART_FWHM = 0.6  # a source found nearer to another is the same
MODEL_ERROR = 0.05  # of the light taken off a pixel: the PSF is not known better there
STAY_FWHM, MIN_SNR = 0.9, 5.0  # what an added source must keep to after the fit
SURE_SNR, SURE_FWHM = 8.0, 1.0  # what makes it sure
RINGS_FWHM = 0.8, 1.5, 2.2, 3.0, 4.0  # about a star: where its PSF's flaws look like sources
FLUX_ERROR = 0.01  # such flaws have at least, of a star's flux, one FWHM from it
MISFIT = 4.0  # times the chi-square that flaws of the PSF make: what is fitted worse is no star
SIDE_SHARE = 10.0  # one FWHM away, of a source's light: galaxies are left over on both sides alike
DOUBT_FWHM = 2.0  # of a Gaussian: so far about a star is looked what the glow of galaxies left
WING_TIMES = 3.0  # of the light of a wing: what is higher beyond the PSF's grid stands on it
N_TRUST = 30  # stars of the PSF that tell how good it is
BEYOND = 1.05  # times the brightest of the PSF's stars: when fitted again it may have some more


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


def shape_maps(psf: Psf, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """FWHM (pixels), ellipticity and angle (degrees) of the PSF in 16 x 16 parts of a frame."""
    y, x = np.mgrid[0.5:MAP_PARTS, 0.5:MAP_PARTS] / MAP_PARTS
    at = psf.shape.at(x.ravel() * shape[1] - 0.5, y.ravel() * shape[0] - 0.5)
    size, e1, e2 = at.T.reshape(3, MAP_PARTS, MAP_PARTS)
    e = np.minimum(np.hypot(e1, e2), 1.0)
    return {
        "FWHM": np.exp(size),
        "ELLIP": 1 - np.sqrt((1 - e) / (1 + e)),
        "ANGLE": np.degrees(np.arctan2(e2, e1) / 2) % 180,
    }


@dataclass(frozen=True, slots=True)
class _Trust:
    """How far a PSF is to be believed.

    brightest : flux, ADU, beyond which no star was tried: what is left of those is no source.
    """

    errors: np.ndarray  # (m,) by rings: what its flaws look like, as a share of a star's flux
    brightest: float
    least: float  # signal to noise that an added source must keep to

    def at(self, away_fwhm: np.ndarray) -> np.ndarray:
        """Share of a star's flux that is seen so far from it by mistake; 0 beyond the rings."""
        return np.interp(away_fwhm, _middles(), self.errors) * (away_fwhm < RINGS_FWHM[-1])


def _middles() -> np.ndarray:
    return np.array([(a + b) / 2 for a, b in pairwise(RINGS_FWHM)])


def fit_sources(
    prepared: Prepared,
    psf: Psf,
    places: tuple[np.ndarray, np.ndarray],
    chosen: Choice,
    wanted: ImageSettings,
) -> Spread:
    """Fit the PSF to all sources; look for what it leaves over, and fit again.

    places : tuple of (n,) float arrays; x and y, pixels.
    chosen : the stars that the PSF was built from, and is tried on.
    The sources given stand first, in their order, and after them those found in the residual.
    """
    n = len(places[0])
    phot = _fit(prepared, psf, *places)
    trust = _trust(prepared, psf, phot, chosen.rows, max(MIN_SNR, wanted.threshold_sigma))
    phot = _completed(prepared, psf, phot, no_glow(phot), trust, wanted)
    glow, on_glow, alone = no_glow(phot), prepared, phot
    for _ in range(ROUNDS):
        more = more_glow(on_glow, psf, phot, glow, psf.fwhm)
        if more is glow:
            break
        glow, on_glow = more, _on_glow(prepared, more)
        phot = _fit(on_glow, psf, phot.x, phot.y, phot.flux)
    if glow.owners.any():
        prepared = on_glow
        phot = _completed(prepared, psf, phot, glow, trust, wanted)
        added = np.zeros(len(phot.x) - len(alone.x))
        glow = replace(glow, owners=np.append(glow.owners, added > 0))
        alone = replace(alone, chi2=np.append(alone.chi2, added))
    keep, phot, told, errors = _strong(prepared, psf, phot, chosen, glow, n, wanted)
    glow = replace(glow, owners=glow.owners[keep])
    # With their glow taken off galaxies would look as if the PSF fitted them.
    phot = replace(phot, chi2=np.where(glow.owners, alone.chi2[keep], phot.chi2))
    unsure = _unsure(phot, psf, n, trust)
    fitted = replace(phot, flux_err=errors, residual=phot.residual + glow.light)
    return Spread(told, fitted, chosen.rows, unsure, glow)


def _strong(
    prepared: Prepared,
    psf: Psf,
    phot: PsfPhotometry,
    chosen: Choice,
    glow: Glow,
    n: int,
    wanted: ImageSettings,
) -> tuple[np.ndarray, PsfPhotometry, Psf, np.ndarray]:
    """Leave out added sources that do not reach the threshold, and fit all that stay at once.

    It is one of what the table tells: with all that its error has in it. Returns the rows that
    stay, their fit, the PSF with its error, and the errors of fluxes that are told.
    """
    rows, last = np.arange(len(phot.x)), False
    while True:
        glow_here = replace(glow, owners=glow.owners[rows])
        told, fitted = _with_flaws(prepared, psf, phot, chosen, glow_here)
        strong = _significant(fitted, n, wanted)
        if last and strong.all():
            return rows, phot, told, fitted.flux_err
        last, rows = bool(strong.all()), rows[strong]
        if last:
            phot = _fit(prepared, psf, phot.x, phot.y, phot.flux)
        else:
            phot = _again(prepared, psf, phot, strong)


def _completed(
    prepared: Prepared,
    psf: Psf,
    phot: PsfPhotometry,
    glow: Glow,
    trust: _Trust,
    wanted: ImageSettings,
) -> PsfPhotometry:
    """Add the sources that are seen where the stars are taken off, but for pieces of galaxies."""
    n = len(phot.x)
    trails: tuple[tuple[int, int], ...] = ()
    for _ in range(ROUNDS if wanted.psf == "iterative" else 0):
        new = _left_over(prepared, phot, psf, glow, trust, wanted)
        trails = trails or trail_sides(phot, psf, (new.x, new.y))
        new = new.only(~in_trails(phot, psf, (new.x, new.y), trails))
        if not len(new):
            break
        before = len(phot.x)
        phot = _again(prepared, psf, phot, more=np.column_stack([new.x, new.y]))
        phot = _weeded(prepared, psf, phot, n, trust)
        log.info("%d more sources where the stars were taken off", len(phot.x) - before)
        if len(phot.x) == before:  # the next round would find the same
            break
    # Without some of its pieces a galaxy is wider, and shows the others.
    for _ in range(ROUNDS):
        parts = pieces(prepared, phot, n, glow, psf.fwhm)
        if not parts.any():
            break
        phot = _again(prepared, psf, phot, ~parts)
    return phot


def _on_glow(prepared: Prepared, glow: Glow) -> Prepared:
    """Take the light of galaxies as sky; it has photon noise, and is not as smooth as sky."""
    gain, light = prepared.camera.noise.gain_e_per_adu, glow.light
    more = np.maximum(light, 0) / gain + (MODEL_ERROR * light) ** 2
    sky, seen = prepared.background, prepared.filtered
    return replace(
        prepared,
        background=replace(sky, level=sky.level + light, rms=np.sqrt(sky.rms**2 + more)),
        filtered=replace(seen, level=seen.level + light, rms=np.sqrt(seen.rms**2 + more)),
    )


def _with_flaws(
    prepared: Prepared, psf: Psf, phot: PsfPhotometry, chosen: Choice, glow: Glow
) -> tuple[Psf, PsfPhotometry]:
    """Tell by what share of their light stars are off, and add it to the errors of fluxes.

    So is what the glow under them is not known to.
    """
    sky = _of_sum(prepared, psf) * prepared.background.rms.astype(float) ** 2
    gain = prepared.camera.noise.gain_e_per_adu
    psf = replace(psf, error=flux_error(phot, psf, chosen.trial, sky, gain))
    error = np.hypot(phot.flux_err, psf.error * np.nan_to_num(phot.flux))
    if glow.owners.any():
        error = np.hypot(error, _doubt(prepared, psf, phot, glow))
    return psf, replace(phot, flux_err=error)


def _doubt(prepared: Prepared, psf: Psf, phot: PsfPhotometry, glow: Glow) -> np.ndarray:
    """Flux, (n,), by which stars on galaxies may be off: as is seen about them beyond noise."""
    row, column = nearest_pixel(phot.x, phot.y, glow.light.shape)
    on = (glow.light[row, column] > 0) & ~glow.owners
    doubt = np.zeros(len(on))
    if on.any():
        left, noise = _as_fluxes(psf, phot.residual, _noise(prepared, phot))
        (beyond,) = smoothed_at(
            left**2 - noise, np.ones(left.shape, dtype=bool), (column[on], row[on]),
            (DOUBT_FWHM * psf.fwhm,),
        )  # fmt: skip
        doubt[on] = np.sqrt(np.maximum(beyond, 0))
    return doubt


def _significant(phot: PsfPhotometry, n: int, wanted: ImageSettings) -> np.ndarray:
    """Tell which sources (m,) reach the threshold, or are of the first n, which did."""
    return (signal_to_noise(phot) >= wanted.threshold_sigma) | (np.arange(len(phot.x)) < n)


def _weeded(
    prepared: Prepared, psf: Psf, phot: PsfPhotometry, n: int, trust: _Trust
) -> PsfPhotometry:
    """Leave out added sources that are not believable, and fit again until all that stay are."""
    while not (keep := _believable(phot, psf, n, trust)).all():
        phot = _again(prepared, psf, phot, keep)
    return phot


def _fit(
    prepared: Prepared, psf: Psf, x: np.ndarray, y: np.ndarray, flux: np.ndarray | None = None
) -> PsfPhotometry:
    phot = fit_psf(*_images(prepared, psf), psf, x, y, gain_e_per_adu=_gain(prepared), flux=flux)
    return replace(phot, chi2=_of_sum(prepared, psf) * phot.chi2)


def _again(
    prepared: Prepared,
    psf: Psf,
    phot: PsfPhotometry,
    keep: np.ndarray | None = None,
    more: np.ndarray | None = None,
) -> PsfPhotometry:
    """Fit again where only `keep` (n,) bool stay, and where there are more, (k, 2): x, y."""
    wide = _of_sum(prepared, psf)
    found = refit_psf(
        *_images(prepared, psf), psf, replace(phot, chi2=phot.chi2 / wide),
        keep=np.ones(len(phot.x), dtype=bool) if keep is None else keep,
        more=np.zeros((0, 2)) if more is None else more,
        gain_e_per_adu=_gain(prepared),
    )  # fmt: skip
    return replace(found, chi2=wide * found.chi2)


def _images(prepared: Prepared, psf: Psf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Light, variance of the sky, and which pixels are good.

    What a fit weighs is a sum over the PSF; its residuals are those of single pixels.
    """
    background = prepared.background
    variance = _of_sum(prepared, psf) * background.rms**2
    return prepared.frame.pixels - background.level, variance, prepared.good


def _gain(prepared: Prepared) -> float:
    return prepared.camera.noise.gain_e_per_adu


def _of_sum(prepared: Prepared, psf: Psf) -> float:
    """Variance of the sky in a sum over the PSF over that of its pixels: 1 but for a stack."""
    return prepared.camera.noise.of_profile(psf.fwhm) ** 2


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
    one, other = cKDTree(xy).query_pairs(RINGS_FWHM[-1] * psf.fwhm, output_type="ndarray").T
    share = trust.at(np.hypot(*(xy[one] - xy[other]).T) / psf.fwhm)
    beside = np.zeros(len(flux))
    np.maximum.at(beside, one, share * flux[other])
    np.maximum.at(beside, other, share * flux[one])
    error = np.hypot(phot.flux_err * np.sqrt(np.maximum(phot.chi2, 1)), beside)
    flaws = np.maximum(trust.errors[0] * flux, beside) / phot.flux_err
    allowed = 1 + flaws**2 / (np.pi * fit_radius(psf.fwhm) ** 2)
    return np.nan_to_num(flux / error, nan=0.0), np.nan_to_num(allowed, nan=0.0)


def _trust(
    prepared: Prepared, psf: Psf, phot: PsfPhotometry, stars: np.ndarray, least: float
) -> _Trust:
    """Learn from the PSF's own stars how well it fits."""
    floor = FLUX_ERROR / np.maximum(_middles(), 1) ** 2
    if not len(stars):
        return _Trust(floor, 0.0, least)
    flux = np.nan_to_num(phot.flux[stars])
    chosen = stars[np.argsort(-flux, kind="stable")][:N_TRUST]
    column, row = np.rint(phot.x[chosen]).astype(int), np.rint(phot.y[chosen]).astype(int)
    left, light, noise = (
        gather(image, column, row, int(np.ceil(RINGS_FWHM[-1] * psf.fwhm)))
        for image in _as_fluxes(psf, phot.residual, _light(prepared), _noise(prepared, phot))
    )
    half = left.shape[1] // 2
    away = np.hypot(*np.mgrid[-half : half + 1, -half : half + 1]) / psf.fwhm
    errors = []
    for inner, outer in pairwise(RINGS_FWHM):
        ring = (away >= inner) & (away <= outer)
        excess = np.nanmean((left**2 - noise)[:, ring], axis=1)
        share = np.sqrt(np.maximum(excess, 0)) / np.maximum(light[:, half, half], 1e-9)
        errors.append(float(np.median(share)))
    # Flaws fall outwards; what does not are neighbours.
    falling = np.minimum.accumulate(np.maximum(errors, floor))
    return _Trust(falling, BEYOND * float(flux.max()), least)


def _noise(prepared: Prepared, phot: PsfPhotometry) -> np.ndarray:
    """Variance of each pixel, (ny, nx), of sky and the stars that were taken off."""
    taken = np.maximum(_light(prepared) - phot.residual, 0)
    return prepared.background.rms**2 + taken / _gain(prepared)


def _light(prepared: Prepared) -> np.ndarray:
    return np.where(prepared.good, prepared.frame.pixels - prepared.background.level, 0.0)


def _as_fluxes(psf: Psf, *images: np.ndarray) -> list[np.ndarray]:
    """Tell for each pixel of images (ny, nx) the flux of a star there, or its variance.

    By a Gaussian of the PSF's width as a matched filter: the flux is ``sum(g d) / sum(g^2)``.
    """
    sigma = psf.fwhm / FWHM_PER_SIGMA
    return [4 * np.pi * sigma**2 * smoothed_by(image, sigma) for image in images]


def _left_over(
    prepared: Prepared,
    phot: PsfPhotometry,
    psf: Psf,
    glow: Glow,
    trust: _Trust,
    wanted: ImageSettings,
) -> Found:
    """Find what in the residual stands out of its noise, of which the PSF's flaws are part."""
    from scipy.spatial import cKDTree

    frame, background = prepared.frame, prepared.background
    light = np.where(prepared.good, frame.pixels - background.level, 0.0)
    taken = light - phot.residual
    gain = prepared.camera.noise.gain_e_per_adu
    variance = background.rms**2 + np.maximum(taken, 0) / gain
    variance += (MODEL_ERROR * taken) ** 2 + _flaws(phot, psf, trust)
    rms = np.sqrt(variance) * (prepared.filtered.rms / background.rms)
    rest = replace(background, level=np.zeros_like(light), rms=rms.astype(np.float32))
    bad = np.where(prepared.good, np.uint8(0), np.uint8(PixelFlag.HOT))
    found = find_sources(phot.residual, bad, rest, psf.fwhm, threshold_sigma=wanted.threshold_sigma)
    x, y = found.x, found.y
    if not len(x):
        return found
    tree = cKDTree(np.column_stack([phot.x, phot.y]))
    apart = tree.query(np.column_stack([x, y]))[0] > APART_FWHM * psf.fwhm
    apart &= ~_in_wings(prepared, phot, psf, glow, (x, y), trust)
    stars = phot.x, phot.y, np.nan_to_num(phot.flux)
    left = filtered(np.where(prepared.good, phot.residual, 0), psf.fwhm)
    apart &= ~light_of_brighter(left, (x, y), found.flux, stars, psf.fwhm, share=SIDE_SHARE)
    return found.only(apart)


def _flaws(phot: PsfPhotometry, psf: Psf, trust: _Trust) -> np.ndarray:
    """Variance of a pixel (ny, nx) that would look like the flaws of the PSF about all stars."""
    half = int(np.ceil(RINGS_FWHM[-1] * psf.fwhm))
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
    share = trust.at(np.hypot(dy, dx) / psf.fwhm)
    squares = (np.nan_to_num(phot.flux)[:, None, None] * share) ** 2
    squares /= 4 * np.pi * (psf.fwhm / FWHM_PER_SIGMA) ** 2
    variance = np.zeros(phot.residual.shape)
    add_squares(variance, np.rint(phot.x).astype(int), np.rint(phot.y).astype(int), squares)
    return variance


def _in_wings(
    prepared: Prepared,
    phot: PsfPhotometry,
    psf: Psf,
    glow: Glow,
    places: tuple[np.ndarray, np.ndarray],
    trust: _Trust,
) -> np.ndarray:
    """Tell places where light of a bright star, no galaxy, is left that is no source.

    That is beyond the PSF's grid, as far as a Moffat wing is above the noise, what is no higher
    than some times that wing; and for a star that is saturated, or brighter than any that the PSF
    was tried on, all about it.
    """
    x, y = places
    core = psf.fwhm * core_of(psf.beta)
    height = np.nan_to_num(np.maximum(phot.flux, 0)) * (psf.beta - 1) / (np.pi * core**2)
    place = nearest_pixel(phot.x, phot.y, phot.residual.shape)
    # A saturated star may have no fitted flux, but it has a height.
    shown = (prepared.frame.pixels - prepared.background.level)[place]
    height = np.maximum(height, np.nan_to_num(shown))
    # The light's middle may lie beside the clipped pixels.
    bits = gather(prepared.frame.bad, *place[::-1], int(np.ceil(psf.fwhm)))
    unsure = ((bits & PixelFlag.SATURATED) != 0).any(axis=(1, 2))
    is_star = np.append(~glow.owners, np.ones(len(phot.x) - len(glow.owners), dtype=bool))
    unsure |= is_star & ~(phot.flux < trust.brightest)
    reach = core * (height / float(np.median(prepared.background.rms))) ** (1 / psf.beta)
    reach = np.where(unsure, np.maximum(reach, psf.half_px), reach)
    bright = np.flatnonzero(unsure | (reach > psf.half_px))
    away = np.hypot(x[:, None] - phot.x[bright], y[:, None] - phot.y[bright])
    wing = height[bright] * (1 + (away / core) ** 2) ** -psf.beta
    faint = _height(phot.residual, x, y)[:, None] < WING_TIMES * wing
    unmodelled = ((away > psf.half_px - 2) & faint) | unsure[bright]
    return ((away < reach[bright]) & unmodelled).any(axis=1)


def _height(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return image[nearest_pixel(x, y, image.shape)]
