"""How faint a frame reaches: from apertures laid on blank sky, and from the noise equation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.noise import NoiseModel
from lightcurve.robust import robust_scatter

SIGMAS = (3.0, 5.0, 10.0)
N_BLANK = 2000
MIN_BLANK = 30
TRIES = 20
CLIP_SIGMA = 4.0


@dataclass(frozen=True, slots=True)
class Limit:
    """The faintest star of a given signal-to-noise ratio.

    Attributes
    ----------
    measured, analytic : float
        Magnitudes; NaN where blank sky was too rare to measure.
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
    occupied: np.ndarray, margin: float, rng: np.random.Generator, *, n: int = N_BLANK
) -> tuple[np.ndarray, np.ndarray]:
    """Draw places on the frame where nothing is.

    Parameters
    ----------
    occupied : (ny, nx) bool array
        Sources and bad pixels; places keep `margin` from any.
    margin : float
        Pixels.
    n : int
        At most so many.

    Returns
    -------
    x, y : (m,) float arrays
        At least `margin` from the edges.
    """
    from scipy.ndimage import uniform_filter

    ny, nx = occupied.shape
    side = 2 * int(np.ceil(margin)) + 1
    if min(ny, nx) <= side:
        return np.zeros(0), np.zeros(0)
    free = uniform_filter(occupied.astype(np.float32), side) < 0.5 / side**2
    x = rng.uniform(margin, nx - 1 - margin, TRIES * n)
    y = rng.uniform(margin, ny - 1 - margin, TRIES * n)
    good = np.flatnonzero(free[np.rint(y).astype(int), np.rint(x).astype(int)])[:n]
    return x[good], y[good]


def blank_fluxes(
    pixels: np.ndarray,
    bad: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    radius: float,
    annulus: tuple[float, float],
) -> np.ndarray:
    """Measure empty apertures exactly as stars are.

    Parameters
    ----------
    pixels : (ny, nx) float32 array
        ADU.
    bad : (ny, nx) uint8 array
    places : tuple of (n,) float arrays
        x, y.
    radius : float
        Pixels.
    annulus : (float, float)
        Pixels.

    Returns
    -------
    (n,) float array
        ADU above the sky.
    """
    radii = np.array([radius])
    # A shift of 0 lets no centroid move an aperture to the next peak of the noise.
    phot = measure_stars(pixels, bad, *places, radii, annulus, NoiseModel(), max_shift=0.0)
    return phot.flux[:, 0]


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
    measured = float("nan")
    if len(fluxes) >= MIN_BLANK:
        off = fluxes - np.median(fluxes)
        # Of the bulk first: faint stars that nobody found lie in the high tail.
        spread = robust_scatter(off, about=0.0)
        measured = float(np.std(off[np.abs(off) < CLIP_SIGMA * spread]))

    def magnitude(snr: float, noise: float) -> float:
        k2 = snr**2 / gain_e_per_adu
        flux = 0.5 * (k2 + np.sqrt(k2**2 + 4 * snr**2 * noise**2))
        return float(zero_point - 2.5 * np.log10(flux / exposure_s))

    limits = tuple(Limit(s, magnitude(s, measured), magnitude(s, analytic)) for s in SIGMAS)
    return Limits(limits, radius_px, len(fluxes))
