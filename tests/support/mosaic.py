"""Nights of a colour camera, rendered with numpy alone: stars of many colours under a mosaic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

SCALE_DEG = 2.4 / 3600
RA, DEC = 150.0, 30.0
SITES = ((0, 0), (0, 1), (1, 0), (1, 1))
SKY = {"R": 320.0, "G": 400.0, "B": 250.0}  # electrons a pixel
BIAS_ADU = 500.0
GAIN = 1.6  # electrons per ADU
READ_NOISE = 4.0


@dataclass(frozen=True)
class ColourNight:
    """What was rendered; fluxes are electrons over all pixels, were they all of one colour."""

    x: np.ndarray  # (n_star,), pixels of the mosaic; star 0 is the target
    y: np.ndarray
    flux: dict[str, np.ndarray]  # by colour, (n_star,)
    relative: np.ndarray  # (n_frame,), of the target
    shift: np.ndarray  # (n_frame, 2)


def render_colour_night(
    folder: Path,
    rng: np.random.Generator,
    *,
    pattern: str = "GRBG",
    n_frames: int = 40,
    n_stars: int = 25,
    shape: tuple[int, int] = (260, 300),
    sigma: float = 1.9,
    depth: float = 0.02,
    header: dict[str, object] | None = None,
) -> ColourNight:
    """Write light frames: a field that drifts, and a target that is fainter in the middle third.

    pattern: colours of the first 2 x 2 pixels in the file. header: cards beside the usual, such as
    BAYERPAT.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ny, nx = shape
    x = np.concatenate([[nx / 2], rng.uniform(30, nx - 30, n_stars)])
    y = np.concatenate([[ny / 2], rng.uniform(30, ny - 30, n_stars)])
    clear = np.hypot(x - x[0], y - y[0]) > 35
    clear[0] = True
    x, y = x[clear], y[clear]
    green = np.concatenate([[4e5], np.exp(rng.uniform(np.log(1.5e5), np.log(9e5), len(x) - 1))])
    tint = rng.normal(0, 0.3, len(x))  # red stars have more red and less blue
    flux = {"R": green * 10**tint, "G": green, "B": green * 10**-tint}
    relative = np.ones(n_frames)
    relative[n_frames // 3 : 2 * n_frames // 3] -= depth
    shift = np.column_stack([np.linspace(0, 5.3, n_frames), np.linspace(0, -3.7, n_frames)])
    rows, columns = np.mgrid[:ny, :nx]
    start = Time("2025-03-01T18:00:00")
    for k in range(n_frames):
        electrons = np.zeros(shape)
        for (row, column), colour in zip(SITES, pattern, strict=True):
            part = np.s_[row::2, column::2]
            light = np.full(rows[part].shape, SKY[colour])
            level = flux[colour].copy()
            level[0] *= relative[k]
            for xs, ys, f in zip(x + shift[k, 0], y + shift[k, 1], level, strict=True):
                r2 = (columns[part] - xs) ** 2 + (rows[part] - ys) ** 2
                near = r2 < (7 * sigma) ** 2
                light[near] += f / (2 * np.pi * sigma**2) * np.exp(-r2[near] / (2 * sigma**2))
            electrons[part] = light
        noisy = rng.poisson(electrons) + rng.normal(0, READ_NOISE, shape)
        pixels = np.clip(np.rint(noisy / GAIN + BIAS_ADU), 0, 65535).astype(np.uint16)
        cards = fits.Header()
        cards["DATE-OBS"] = Time(start.jd + k * 40 / 86400, format="jd").isot
        cards["EXPTIME"] = 30.0
        cards["IMAGETYP"] = "Light Frame"
        cards["OBJECT"] = "STAR"
        cards["EGAIN"] = GAIN
        cards["RDNOISE"] = READ_NOISE
        cards["SITELAT"], cards["SITELONG"] = 40.0, -105.0 + 180.0
        cards["CTYPE1"], cards["CTYPE2"] = "RA---TAN", "DEC--TAN"
        cards["CRVAL1"], cards["CRVAL2"] = RA, DEC
        cards["CRPIX1"], cards["CRPIX2"] = x[0] + shift[k, 0] + 1, y[0] + shift[k, 1] + 1
        cards["CD1_1"], cards["CD2_2"] = -SCALE_DEG, SCALE_DEG
        cards["CD1_2"] = cards["CD2_1"] = 0.0
        cards.update(header or {})
        fits.PrimaryHDU(pixels, cards).writeto(folder / f"light_{k:03d}.fits")
    return ColourNight(x, y, flux, relative, shift)
