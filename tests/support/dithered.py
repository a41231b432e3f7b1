"""Frames of one field by a camera that moves, turns and sees through clouds; every truth known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.special import erf

SIGMA = 1 / 2.3548  # of a FWHM


@dataclass(frozen=True)
class Dithered:
    """What is rendered; fluxes in electrons a frame of transparency 1."""

    n_frames: int = 12
    shape: tuple[int, int] = (180, 200)
    n_stars: int = 60
    fwhm: tuple[float, float] = (2.6, 3.2)
    sky: float = 400.0
    gain: float = 2.0
    read_noise: float = 6.0
    flux: tuple[float, float] = (3e3, 2e5)
    dither: float = 8.0
    turn_deg: float = 0.5
    transparency: tuple[float, float] = (0.8, 1.0)
    cosmics: int = 25
    trail: int | None = 3  # the frame that a satellite crosses
    wcs: bool = True
    scale_arcsec: float = 1.2
    margin: float = 20.0
    spoilt: dict[int, dict[str, float]] = field(default_factory=dict)  # frame: fwhm, transparency
    band: str = "r"
    night: str = "2026-03-05T03:00:00"
    # Of a further night of the same seed: how the camera lies, its first frame, its own noise.
    turned_deg: float = 0.0
    moved: tuple[float, float] = (0.0, 0.0)
    first: int = 0
    dice: int | None = None


@dataclass(frozen=True)
class Truth:
    """Places (n,) on the frame of the middle, fluxes in ADU, and what each frame was like."""

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    matrices: list[np.ndarray]
    fwhm: np.ndarray
    transparency: np.ndarray


def stars_image(shape, x, y, flux, fwhm) -> np.ndarray:
    """Gaussians integrated over pixels."""
    image = np.zeros(shape)
    half = int(np.ceil(4 * fwhm)) + 1
    s = fwhm * SIGMA * np.sqrt(2)
    for px, py, light in zip(x, y, flux, strict=True):
        i, j = round(px), round(py)
        if not (-half < i < shape[1] + half and -half < j < shape[0] + half):
            continue
        c = np.arange(max(i - half, 0), min(i + half + 1, shape[1]))
        r = np.arange(max(j - half, 0), min(j + half + 1, shape[0]))
        if not len(c) or not len(r):
            continue
        gx = (erf((c + 0.5 - px) / s) - erf((c - 0.5 - px) / s)) / 2
        gy = (erf((r + 0.5 - py) / s) - erf((r - 0.5 - py) / s)) / 2
        image[np.ix_(r, c)] += light * gy[:, None] * gx
    return image


def render(folder: Path, spec: Dithered, seed: int = 1) -> Truth:
    """Write the frames, light only: a sky with a slope, cosmic rays, a trail."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ny, nx = spec.shape
    reach = spec.dither + spec.margin
    x = rng.uniform(-reach, nx + reach, spec.n_stars)
    y = rng.uniform(-reach, ny + reach, spec.n_stars)
    flux = np.exp(rng.uniform(*np.log(spec.flux), spec.n_stars))
    middle = np.array([(nx - 1) / 2, (ny - 1) / 2])
    matrices, fwhms, clear = [], [], []
    rng = rng if spec.dice is None else np.random.default_rng([seed, spec.dice])
    v, u = np.mgrid[0:ny, 0:nx]
    for k in range(spec.n_frames):
        angle = np.radians(spec.turned_deg + rng.uniform(-spec.turn_deg, spec.turn_deg))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = spec.moved + rng.uniform(-spec.dither, spec.dither, 2)
        matrix = np.column_stack([turn, middle + shift - turn @ middle])
        told = spec.spoilt.get(k, {})
        fwhm = told.get("fwhm", rng.uniform(*spec.fwhm))
        through = told.get("transparency", rng.uniform(*spec.transparency))
        here = matrix[:, :2] @ np.stack([x, y]) + matrix[:, 2:]
        electrons = stars_image(spec.shape, *here, flux * through, fwhm)
        electrons += spec.sky * (1 + 0.2 * u / nx - 0.1 * v / ny) * rng.uniform(0.9, 1.1)
        pixels = rng.poisson(electrons) + rng.normal(0, spec.read_noise, spec.shape)
        hits = rng.integers(0, ny, spec.cosmics), rng.integers(0, nx, spec.cosmics)
        pixels[hits] += rng.uniform(500, 20000, spec.cosmics)
        if k == spec.trail:
            pixels[np.abs(v - 30 - 0.6 * u) < 1.5] += 3000
        _write(
            folder / f"light_{spec.first + k:03d}.fits", pixels / spec.gain + 100, matrix, spec, k
        )
        matrices.append(matrix)
        fwhms.append(fwhm)
        clear.append(through)
    return Truth(x, y, flux / spec.gain, matrices, np.array(fwhms), np.array(clear))


def _write(path: Path, pixels: np.ndarray, matrix: np.ndarray, spec: Dithered, k: int) -> None:
    header = fits.Header()
    start = np.datetime64(spec.night) + np.timedelta64(90 * k, "s")
    header["DATE-OBS"], header["EXPTIME"] = str(start), 60.0
    header["IMAGETYP"], header["FILTER"], header["OBJECT"] = "Light", spec.band, "field"
    header["INSTRUME"], header["GAIN"] = "cam", (spec.gain, "e-/ADU")
    header["EGAIN"], header["RDNOISE"] = spec.gain, spec.read_noise
    header["XBINNING"] = header["YBINNING"] = 1
    if spec.wcs:
        turn = np.linalg.inv(matrix[:, :2])
        ny, nx = spec.shape
        origin = matrix[:, :2] @ [(nx - 1) / 2, (ny - 1) / 2] + matrix[:, 2]
        cd = spec.scale_arcsec / 3600 * np.array([[-1.0, 0], [0, 1]]) @ turn
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
        header["CRVAL1"], header["CRVAL2"] = 150.0, 20.0
        header["CRPIX1"], header["CRPIX2"] = origin + 1
        for i in range(2):
            for j in range(2):
                header[f"CD{i + 1}_{j + 1}"] = cd[i, j]
    fits.writeto(path, pixels.astype(np.float32), header, overwrite=True)
