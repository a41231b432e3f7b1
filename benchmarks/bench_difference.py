"""What `difference` finds of what was put into a frame, and what it finds that was not.

    python -m benchmarks.bench_difference [NAME...] [--seeds N]

Stars are Moffat profiles, elongated and wider to a corner where the case says so, summed over parts
of pixels: not the Gaussians of the tests. Frames and templates are files, taken by the whole path.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from benchmarks.timing import show
from lightcurve.core.settings import make_settings
from lightcurve.stack.subtract import subtract_template

SHAPE = (380, 400)
CENTRE = (150.0, 30.0)
N_NEW, N_GONE, N_VARIABLE = 14, 5, 5
BETA = 3.0
MARGIN, APART_FWHM = 25, 3.0
CLEAR = 7.0  # expected sigma of what is to be found: noise alone hides little of it


@dataclass(frozen=True)
class Look:
    """How an image sees the field; lengths in its own pixels, light in electrons."""

    fwhm: float = 3.0
    ellipticity: float = 0.0
    turn_deg: float = 30.0  # of the long axis
    wider: float = 0.0  # by this share at the corner
    sky: float = 400.0
    slope: float = 0.0  # share of the sky, from edge to edge
    clouds: float = 0.0  # light lost in the middle of a band
    scale: float = 1.0  # arc seconds
    rotation_deg: float = 0.0
    depth: float = 1.0  # exposures of this length that it is the mean of
    full: float = np.inf  # ADU
    flat: float = 0.0  # vignetting at the corner, of light and sky, that nobody took out
    read: float = 5.0
    transparency: float = 1.0


@dataclass(frozen=True)
class Case:
    """A frame, its template, and the field."""

    frame: Look
    template: Look
    stars: int = 260
    flux: tuple[float, float] = (400.0, 2e5)


DEEP = {"depth": 20.0}
CASES = {
    "plain": Case(Look(), Look(fwhm=2.6, **DEEP)),
    "undersampled 1.6": Case(Look(1.6), Look(1.6, **DEEP)),
    "undersampled, template turned": Case(Look(1.7), Look(1.6, rotation_deg=20, **DEEP)),
    "undersampled, template wider": Case(Look(1.6), Look(2.2, **DEEP)),
    "broad 8": Case(Look(8.0), Look(7.0, **DEEP)),
    "broad 8, template sharp": Case(Look(8.0), Look(4.0, **DEEP)),
    "broad 5": Case(Look(5.0), Look(4.5, **DEEP)),
    "template blurred": Case(Look(2.6), Look(4.5, **DEEP)),
    "elongated": Case(Look(3.0, 0.3), Look(2.8, **DEEP)),
    "elongated crosswise": Case(Look(3.0, 0.25, 20), Look(3.0, 0.25, 110, **DEEP)),
    "varies over the field": Case(Look(3.0, wider=0.35), Look(2.6, **DEEP)),
    "varies, undersampled": Case(Look(1.8, wider=0.4), Look(1.7, **DEEP)),
    "not deeper": Case(Look(3.0), Look(3.0)),
    "template of half the scale": Case(Look(3.2), Look(5.0, scale=0.5, rotation_deg=35, **DEEP)),
    "template of twice the scale": Case(Look(4.5), Look(2.0, scale=2.0, rotation_deg=-60, **DEEP)),
    "sky with a slope": Case(Look(sky=1500, slope=0.6), Look(2.6, sky=800, slope=-0.4, **DEEP)),
    "clouds": Case(Look(clouds=0.25, transparency=0.7), Look(2.6, **DEEP)),
    "crowded": Case(Look(), Look(2.6, **DEEP), stars=2200, flux=(150.0, 1e5)),
    "saturated": Case(Look(full=9000), Look(2.6, full=12000, **DEEP), flux=(400.0, 1e6)),
    "no flat field": Case(Look(flat=0.15), Look(2.6, **DEEP)),
    "few stars": Case(Look(), Look(2.6, **DEEP), stars=25),
}


def sky_of(look: Look, shape: tuple[int, ...]) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], list(CENTRE)
    wcs.wcs.crpix = [(shape[1] + 1) / 2 + 0.3, (shape[0] + 1) / 2 - 0.2]
    c, s = np.cos(np.radians(look.rotation_deg)), np.sin(np.radians(look.rotation_deg))
    wcs.wcs.cd = np.array([[-c, s], [s, c]]) * look.scale / 3600
    return wcs


def draw(
    look: Look, shape: tuple[int, ...], x: np.ndarray, y: np.ndarray, flux: np.ndarray
) -> np.ndarray:
    """Electrons of stars, without noise."""
    image = np.zeros(shape)
    ny, nx = shape
    parts = 7 if look.fwhm < 2.5 else 3
    within = (np.arange(parts) + 0.5) / parts - 0.5
    c, s = np.cos(np.radians(look.turn_deg)), np.sin(np.radians(look.turn_deg))
    for px, py, light in zip(x, y, flux, strict=True):
        corner = np.hypot(2 * px / nx - 1, 2 * py / ny - 1) / np.sqrt(2)
        fwhm = look.fwhm * (1 + look.wider * corner**2)
        half = int(6 * fwhm) + 2
        i, j = round(float(px)), round(float(py))
        columns = np.arange(max(i - half, 0), min(i + half + 1, nx))
        rows = np.arange(max(j - half, 0), min(j + half + 1, ny))
        if not len(columns) or not len(rows):
            continue
        u = (columns[:, None] + within).ravel() - px
        v = ((rows[:, None] + within).ravel() - py)[:, None]
        # Axes whose product is the round star's.
        long = np.sqrt(1 / (1 - look.ellipticity))
        width = fwhm / (2 * np.sqrt(2 ** (1 / BETA) - 1))
        square = ((c * u + s * v) / long) ** 2 + ((c * v - s * u) * long) ** 2
        fine = (BETA - 1) / (np.pi * width**2) * (1 + square / width**2) ** -BETA
        whole = fine.reshape(len(rows), parts, len(columns), parts).mean(axis=(1, 3))
        image[np.ix_(rows, columns)] += light * whole
    return image


def expose(look: Look, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pixels as they are written, ADU of one electron each."""
    v, u = (one / n - 0.5 for one, n in zip(np.indices(light.shape), light.shape, strict=True))
    seen = 1 - look.clouds * np.exp(-(((u + 0.5 * v) / 0.25) ** 2))
    vignette = 1 - look.flat * 2 * (u**2 + v**2)
    sky = look.sky * look.scale**2 * (1 + look.slope * (u + 0.5 * v))
    mean = (light * seen * look.transparency + sky) * vignette
    pixels = rng.poisson(mean * look.depth) / look.depth
    pixels = pixels + rng.normal(0, look.read / np.sqrt(look.depth), light.shape)
    return np.minimum(pixels, look.full).astype(np.float32)


def write(
    path: Path,
    look: Look,
    shape: tuple[int, ...],
    sky: Sequence[np.ndarray],
    flux: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Write an image with its header."""
    wcs = sky_of(look, shape)
    x, y = wcs.all_world2pix(*sky, 0)
    pixels = expose(look, draw(look, shape, x, y, flux), rng)
    header = wcs.to_header()
    header["DATE-OBS"], header["EXPTIME"] = "2026-03-05T03:00:00", 60.0
    header["EGAIN"], header["RDNOISE"], header["IMAGETYP"] = 1.0, look.read, "Light"
    if np.isfinite(look.full):
        header["SATURATE"] = look.full
    fits.writeto(path, pixels, header, overwrite=True)


def expected_snr(look: Look, flux: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Of an ideal fit of the profile to the frame alone; before: light that is there already."""
    stamp = draw(look, (81, 81), *np.array([[40.0], [40.0], [1.0]]))
    light = np.abs(flux)[:, None, None] * stamp * look.transparency
    under = before[:, None, None] * stamp * look.transparency + np.maximum(light, 0)
    return np.sqrt((light**2 / (look.sky + look.read**2 + under)).sum(axis=(1, 2)))


@dataclass(frozen=True)
class Truth:
    """Stars of the field, and what changes: pixels of the frame, electrons."""

    stars: np.ndarray  # (n, 2)
    flux: np.ndarray  # (n,), in the template
    places: np.ndarray  # (m, 2), of what changes
    change: np.ndarray  # (m,)
    before: np.ndarray  # (m,), light there in the template
    alone: np.ndarray  # (m,) bool: new and gone ones, no stars that vary


def draw_truth(case: Case, rng: np.random.Generator) -> Truth:
    """Put new and gone stars apart from others, and let some of the others vary."""
    size, reach = np.array(SHAPE[::-1]), 40
    stars = rng.uniform(-reach, size + reach, (case.stars, 2))
    low, high = np.log(case.flux)
    flux = np.sort(np.exp(rng.uniform(low, high, case.stars)))[::-1]
    fwhm = case.frame.fwhm
    kept: list[np.ndarray] = []
    for one in rng.uniform(MARGIN, size - MARGIN, (4000, 2)):
        near = np.hypot(*(stars[flux > 3000] - one).T).min() < APART_FWHM * fwhm
        if not near and all(np.hypot(*(one - other)) > 6 * fwhm for other in kept):
            kept.append(one)
        if len(kept) == N_NEW + N_GONE:
            break
    light = 1000 * fwhm / 3 * 9 ** rng.uniform(0, 1, len(kept))
    light[len(kept) * N_NEW // (N_NEW + N_GONE) :] *= -1
    inside = ((stars > MARGIN) & (stars < size - MARGIN)).all(axis=1)
    varied = np.flatnonzero(inside & (flux < 0.2 * case.flux[1]) & (flux > 4000))
    varied = rng.permutation(varied)[:N_VARIABLE]
    change = np.r_[light, flux[varied] * rng.choice([-0.5, 0.6], len(varied))]
    return Truth(
        stars, flux, np.vstack([*kept, stars[varied]]), change,
        np.r_[np.maximum(-light, 0), flux[varied]], np.arange(len(change)) < len(kept),
    )  # fmt: skip


def write_both(case: Case, truth: Truth, work: Path, rng: np.random.Generator) -> None:
    """Write frame and template."""
    places = np.vstack([truth.stars, truth.places])
    sky = sky_of(case.frame, SHAPE).all_pix2world(*places.T, 0)
    here = np.r_[truth.flux, np.where(truth.alone, np.maximum(truth.change, 0), truth.change)]
    there = np.r_[truth.flux, np.where(truth.alone, truth.before, 0)]
    size = tuple(int(n * 1.15 / case.template.scale) for n in SHAPE)
    write(work / "frame.fits", case.frame, SHAPE, sky, here, rng)
    write(work / "template.fits", case.template, size, sky, there, rng)


def run(case: Case, seed: int, work: Path) -> list[object]:
    """Subtract one from the other, and count."""
    rng = np.random.default_rng(seed)
    truth = draw_truth(case, rng)
    write_both(case, truth, work, rng)
    settings = make_settings({"catalogs": {"offline": True}, "solve": {"solvers": ["header"]}})
    start = time.perf_counter()
    (row,) = subtract_template(
        [work / "frame.fits"], work / "template.fits", settings, work / "out"
    )
    took = time.perf_counter() - start
    if row.get("reason"):
        return [row["reason"][:60], *[""] * 8]
    reach = max(case.frame.fwhm, case.template.fwhm * case.template.scale)
    hit, apart, on_stars = count([one for one in row["found"] if not one["reason"]], truth, reach)
    after = np.minimum(truth.before, truth.before + truth.change)
    clear = expected_snr(case.frame, truth.change, after) > CLEAR
    found = [
        f"{(hit & clear & kind).sum()} of {(clear & kind).sum()}"
        for kind in (truth.alone, ~truth.alone)
    ]
    return [
        *found, apart, on_stars, row["flaws"], row["matching_stars"], f"{row['misfit']:.2f}",
        f"{row['unmatched_share']:.3f}", f"{took:.1f}",
    ]  # fmt: skip


def count(good: list[dict[str, Any]], truth: Truth, reach: float) -> tuple[np.ndarray, int, int]:
    """Tell which of what was put in was found, and how many claims are false: apart, on stars."""
    hit, apart, on_stars = np.zeros(len(truth.change), bool), 0, 0
    for one in good:
        here = np.array([one["x"], one["y"]])
        off = np.hypot(*(truth.places - here).T)
        k = int(np.argmin(off))
        if off[k] < reach and np.sign(one["flux_adu"]) == np.sign(truth.change[k]):
            hit[k] = True
        elif np.hypot(*(truth.stars - here).T).min() < 1.5 * reach:
            on_stars += 1
        else:
            apart += 1
    return hit, apart, on_stars


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(CASES))
    parser.add_argument("--seeds", type=int, default=1)
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for name in chosen.names or CASES:
            for seed in range(chosen.seeds):
                rows.append([name, *run(CASES[name], seed, Path(work))])
                print(*rows[-1], sep=" | ", flush=True)
    columns = ["case", "new, gone", "variable", "false", "on stars", "flaws", "stars", "misfit",
               "left", "s"]  # fmt: skip
    show("Changes found of those put in", columns, rows)


if __name__ == "__main__":
    main()
