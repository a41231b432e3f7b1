"""How faint a frame reaches: noise equation, apertures on blank sky, and stars put in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.robust import robust_scatter
from lightcurve.phot.aperture import MIN_SKY_PIXELS, measure_stars
from lightcurve.phot.background import Background
from lightcurve.phot.circles import circle_sums
from lightcurve.phot.cutouts import annulus_offsets, gather, take_offsets
from lightcurve.phot.finder import find_sources
from lightcurve.phot.noise import NoiseModel
from lightcurve.phot.psf import Psf, render
from lightcurve.phot.sky import clipped_sky

__all__ = [
    "Completeness",
    "Limits",
    "Purity",
    "Trial",
    "blank_fluxes",
    "blank_places",
    "measure_completeness",
    "measure_limits",
]

SIGMAS = (3.0, 5.0, 10.0)
PIXELS_AT_ONCE = 1e7  # of annuli
N_BLANK = 2000
MOST_PIXELS = 2e7  # of all annuli: of wide ones there are fewer, but
FEWER_BLANK = 100  # whose scatter is known to 7 %
MIN_BLANK = 30
TRIES = 20
CLIP_SIGMA = 4.0
MOST_SEARCHED, FEWEST_SEARCHES = 5e7, 8  # pixels of frames with stars put in; wide ones are fewer
APART_FWHM = 3.0  # of stars put in at one time, from the others' sky annuli
FOUND_FWHM = 0.7
MIN_FOUND_PX = 1.0
BINS = 12
MIN_IN_BIN = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """The faintest star of a given signal-to-noise ratio.

    measured, analytic : magnitudes; NaN where blank sky was too rare to measure.
    """

    snr: float
    measured: float
    analytic: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How faint a frame reaches in one aperture.

    Attributes
    ----------
    n_blank : int
        Blank apertures measured.
    """

    limits: tuple[Limit, ...]
    radius_px: float
    n_blank: int


def blank_places(
    occupied: np.ndarray, margin: float, reach: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw at most `N_BLANK` places x, y, (n,) each, on the frame where nothing is.

    They keep `margin`, pixels, from the edges and from sources and bad pixels, `occupied` (ny, nx).
    reach : pixels, the outer radius of the annuli that are to be measured there.
    """
    from scipy.ndimage import uniform_filter

    ny, nx = occupied.shape
    side = 2 * int(np.ceil(margin)) + 1
    if min(ny, nx) <= side:
        return np.zeros(0), np.zeros(0)
    free = uniform_filter(occupied.astype(np.float32), side) < 0.5 / side**2
    x = rng.uniform(margin, nx - 1 - margin, TRIES * N_BLANK)
    y = rng.uniform(margin, ny - 1 - margin, TRIES * N_BLANK)
    most = min(N_BLANK, max(int(MOST_PIXELS / (np.pi * reach**2)), FEWER_BLANK))
    good = np.flatnonzero(free[np.rint(y).astype(int), np.rint(x).astype(int)])[:most]
    return x[good], y[good]


def blank_fluxes(
    pixels: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    radius: float,
    annulus: tuple[float, float],
) -> np.ndarray:
    """Measure empty apertures exactly as stars are that are not moved.

    pixels: (ny, nx) float32 array, ADU. places: x, y, (n,) each, pixels.
    radius, annulus: pixels. Returns (n,) float array, ADU above the sky.
    """
    x, y = places
    # Of stars far out of focus 2,000 annuli have more pixels than any memory.
    n = int(len(x) * np.pi * annulus[1] ** 2 / PIXELS_AT_ONCE) + 1
    rings = annulus_offsets(*annulus)
    parts = [
        clipped_sky(take_offsets(pixels, np.rint(u).astype(int), np.rint(v).astype(int), rings))
        for u, v in zip(np.array_split(x, n), np.array_split(y, n), strict=True)
    ]
    sky, n_sky = (np.concatenate([part[k] for part in parts]) for k in (0, 2))
    flux = circle_sums(pixels, x, y, np.array([radius]))[:, 0] - np.pi * radius**2 * sky
    return np.where(n_sky < MIN_SKY_PIXELS, np.nan, flux)


def measure_limits(
    fluxes: np.ndarray,
    *,
    radius_px: float,
    pixel_rms: float,
    n_sky: float,
    gain_e_per_adu: float,
    zero_point: float,
    exposure_s: float,
) -> Limits:
    """Work out limiting magnitudes.

    A star of flux F has the noise sqrt(s^2 + F / g), s that of an empty aperture; it reaches a
    ratio k at ``F = (k^2 / g + sqrt(k^4 / g^2 + 4 k^2 s^2)) / 2``.

    Parameters
    ----------
    fluxes : (n,) float array
        Of empty apertures, ADU.
    pixel_rms : float
        Noise of a sky pixel, ADU.
    n_sky : float
        Pixels of the sky annulus.
    zero_point : float
        Of fluxes in this aperture.
    """
    area = np.pi * radius_px**2
    analytic = float(np.sqrt(area * (1 + area / n_sky)) * pixel_rms)
    fluxes = fluxes[np.isfinite(fluxes)]
    off = fluxes - np.median(fluxes) if len(fluxes) else fluxes
    # Of the bulk first: faint stars that nobody found lie in the high tail.
    off = off[np.abs(off) < CLIP_SIGMA * robust_scatter(off, about=0.0)] if len(off) else off
    measured = float(np.std(off)) if len(off) >= MIN_BLANK else float("nan")

    def magnitude(snr: float, noise: float) -> float:
        k2 = snr**2 / gain_e_per_adu
        flux = 0.5 * (k2 + np.hypot(k2, 2 * snr * noise))
        return float(zero_point - 2.5 * np.log10(flux / exposure_s))

    limits = tuple(Limit(s, magnitude(s, measured), magnitude(s, analytic)) for s in SIGMAS)
    return Limits(limits, radius_px, len(fluxes))


@dataclass(frozen=True, slots=True, eq=False)
class Completeness:
    """Stars put into a frame.

    Attributes
    ----------
    mag : (n,) float array
        True magnitudes.
    found : (n,) bool array
    snr : (n,) float array
        Measured in the main aperture, found or not.
    """

    mag: np.ndarray
    found: np.ndarray
    snr: np.ndarray

    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share found against magnitude.

        Middle of each bin, share, and the error of a binomial share, Agresti and Coull's.
        """
        if not len(self.mag):
            return np.zeros(0), np.zeros(0), np.zeros(0)
        edges = np.linspace(self.mag.min(), self.mag.max() + 1e-9, BINS + 1)
        place = np.clip(np.digitize(self.mag, edges) - 1, 0, BINS - 1)
        n = np.bincount(place, minlength=BINS)
        k = np.bincount(place, self.found, minlength=BINS)
        use = n >= MIN_IN_BIN
        p = (k + 2) / (n + 4)
        error = np.sqrt(p * (1 - p) / (n + 4))
        return (0.5 * (edges[1:] + edges[:-1]))[use], (k / np.maximum(n, 1))[use], error[use]

    def magnitude_at(self, share: float) -> float:
        """Magnitude beyond which less than a share is found; NaN where the curve does not cross."""
        mag, found, _ = self.curve()
        below = np.flatnonzero((found[1:] < share) & (found[:-1] >= share))
        if not len(below):
            return float("nan")
        k = below[0]
        return float(np.interp(share, [found[k + 1], found[k]], [mag[k + 1], mag[k]]))


@dataclass(frozen=True, slots=True, eq=False)
class Purity:
    """What the search finds in a frame, and in its negative, where there is only noise.

    Hot pixels, cosmic rays and the like are not in the negative: it tells of noise alone.

    Attributes
    ----------
    mag, false : (n,), (m,) float arrays
        Magnitudes by the matched filter, of the sources and of what the negative shows.
    """

    mag: np.ndarray
    false: np.ndarray

    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of the sources that is no noise, against magnitude: middle of bin, share, error."""
        known, false = (values[np.isfinite(values)] for values in (self.mag, self.false))
        if len(known) < 2 * MIN_IN_BIN:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        # As many sources in each bin: the brightest have few, the faintest are what matters.
        n_bins = int(np.clip(len(known) // (4 * MIN_IN_BIN), 2, BINS))
        edges = np.quantile(known, np.linspace(0, 1, n_bins + 1))
        edges[-1] = max(edges[-1], false.max(initial=-np.inf)) + 1e-9
        n, k = (np.histogram(values, edges)[0] for values in (known, false))
        share = np.clip(1 - k / np.maximum(n, 1), 0, 1)
        error = np.sqrt(np.maximum(k, 1)) / np.maximum(n, 1)
        return 0.5 * (edges[1:] + edges[:-1]), share, error

    @property
    def share(self) -> float:
        """Share of all sources that is no noise; NaN where there is no source."""
        n = len(self.mag)
        return float(np.clip(1 - len(self.false) / n, 0, 1)) if n else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """The frame that stars are put into, and how they are looked for and measured.

    Attributes
    ----------
    pixels : (ny, nx) float32 array
        ADU.
    bad : (ny, nx) uint8 array
    zero_point : float
        Magnitude of 1 ADU a second, all of a star's light counted.
    method : str
        Of `lightcurve.phot.finder.FINDERS`.
    annulus : (float, float)
    """

    pixels: np.ndarray
    bad: np.ndarray
    background: Background
    psf: Psf
    noise: NoiseModel
    zero_point: float
    exposure_s: float
    fwhm: float
    threshold_sigma: float
    method: str
    radius: float
    annulus: tuple[float, float]


def measure_completeness(
    trial: Trial, n: int, mags: tuple[float, float], rng: np.random.Generator
) -> Completeness:
    """Put n stars of random magnitudes (brightest, faintest) into a frame, find and measure them.

    As many at a time as stay apart from one another, and of stars so wide that few do, fewer. A
    star that falls on a source counts: crowding is part of the answer.
    """
    parts = []
    left = n
    for _ in range(max(int(MOST_SEARCHED / trial.pixels.size), FEWEST_SEARCHES)):
        x, y = _places(trial, rng)
        x, y = x[:left], y[:left]
        if not len(x):  # or none is left to be put in
            break
        left -= len(x)
        mag = rng.uniform(*mags, len(x))
        parts.append((mag, *_try(trial, x, y, mag, rng)))
    if not parts:
        none = np.zeros(0)
        return Completeness(none, none.astype(bool), none)
    return Completeness(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _places(trial: Trial, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random places a good way apart: a grid, moved as a whole and each star in its cell."""
    ny, nx = trial.pixels.shape
    # Moved by up to half a step, two stars are still half a step apart.
    step = 2 * (trial.annulus[1] + APART_FWHM * trial.fwhm)
    margin = trial.annulus[1] / 2
    gx, gy = np.meshgrid(np.arange(margin, nx - margin, step), np.arange(margin, ny - margin, step))
    x, y = (g.ravel() + rng.uniform(0, step / 2, g.size) for g in (gx, gy))
    inside = (x < nx - 1 - margin) & (y < ny - 1 - margin)
    x, y = x[inside], y[inside]
    whole = trial.bad[np.rint(y).astype(int), np.rint(x).astype(int)] == 0
    chosen = rng.permutation(np.flatnonzero(whole))
    return x[chosen], y[chosen]


def _try(
    trial: Trial, x: np.ndarray, y: np.ndarray, mag: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which stars are found, and their measured signal-to-noise ratios."""
    from scipy.spatial import cKDTree

    flux = trial.exposure_s * 10 ** (-0.4 * (mag - trial.zero_point))
    light = render(trial.psf, trial.pixels.shape, (x, y), flux)
    gain = trial.noise.gain_e_per_adu
    noise = rng.standard_normal(light.shape) * np.sqrt(np.maximum(light, 0) / gain)
    pixels = (trial.pixels + light + noise).astype(np.float32)
    seen = find_sources(
        pixels, trial.bad, trial.background, trial.fwhm,
        threshold_sigma=trial.threshold_sigma, method=trial.method,
        gain_e_per_adu=gain,
    )  # fmt: skip
    found = np.zeros(len(x), dtype=bool)
    if len(seen):
        near, _ = cKDTree(np.column_stack([seen.x, seen.y])).query(np.column_stack([x, y]))
        found = near <= max(FOUND_FWHM * trial.fwhm, MIN_FOUND_PX)
        found &= ~_hidden(trial, x, y, light)
    phot = measure_stars(
        pixels, trial.bad, x, y, np.array([trial.radius]), trial.annulus, trial.noise,
        max_shift=0.0,
    )  # fmt: skip
    return found, phot.flux[:, 0] / phot.flux_err[:, 0]


def _hidden(trial: Trial, x: np.ndarray, y: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Tell which stars fell on a brighter source: what is found there is not they."""
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    there = gather(trial.pixels - trial.background.level, column, row, 1)
    noise = trial.background.rms[row, column]
    before = np.nanmax(there, axis=(1, 2))
    return (before > np.nanmax(gather(light, column, row, 1), axis=(1, 2))) & (before > 4 * noise)
