"""Whether stars, galaxies and flaws are told apart on fields drawn in another way than others are.

    python -m benchmarks looks

Pixel-integrated Gaussians with wings (no Moffat), undersampled to far oversampled, round and
elongated, on a bright steep sky; galaxies of Sersic 1 and 4, clusters of hot pixels, cosmic rays,
bleeding, stars clipped at an integer, trails of several widths. Nothing is shared with
`tests/support/field.py` or the package.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.core.progress import Clock
from lightcurve.core.settings import make_settings
from lightcurve.image.reduced import Look, Reduced
from lightcurve.image.story import measure_image

SIDE, GAIN, READ_E, TOP = 700, 2.0, 6.0, 40_000
WINGS = 0.1, 2.5  # share of a star's light in a second Gaussian, so much wider
KINDS = ("star", "sersic 1", "sersic 4", "hot", "cosmic ray", "clipped", "nothing")


@dataclass(frozen=True, slots=True)
class Optics:
    """A PSF: FWHM along its short axis (pixels), long over short, and width of the trail."""

    fwhm: float
    ratio: float
    trail_px: float


FIELDS = tuple(
    Optics(*o) for o in ((1.5, 1, 1.5), (2.5, 1, 3), (3.5, 1.25, 12), (5, 1.0, 25), (8, 1.1, 6))
)


def main() -> None:
    """Render every field, reduce it, and print what was taken for what."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| FWHM, axes, trail in px | it is | " + " | ".join(Look) + " | not listed | good |")
    for number, optics in enumerate(FIELDS):
        rng = np.random.default_rng([options.seed, number])
        with TemporaryDirectory() as folder:
            truth, reduced, away = field(Path(folder), optics, rng)
        report(optics, truth, reduced, away)


def blob(y: np.ndarray, x: np.ndarray, sigma: tuple[float, float]) -> np.ndarray:
    """Integrate a Gaussian (along the axes) of light 1 over pixels about (0, 0)."""
    from scipy.special import erf

    parts = (
        erf((v + 0.5) / s / 2**0.5) - erf((v - 0.5) / s / 2**0.5)
        for v, s in zip((y, x), sigma, strict=True)
    )
    down, across = parts
    return 0.25 * down * across


def psf(y: np.ndarray, x: np.ndarray, optics: Optics) -> np.ndarray:
    """Light of a star about (0, 0)."""
    sigma = optics.fwhm / 2.355
    share, wider = WINGS
    core = blob(y, x, (sigma, sigma * optics.ratio))
    return (1 - share) * core + share * blob(y, x, (wider * sigma, wider * sigma * optics.ratio))


def galaxy(y: np.ndarray, x: np.ndarray, index: int, half_px: float, optics: Optics) -> np.ndarray:
    """Light of a galaxy about (0, 0), one pixel in ten each way, blurred by the core of the PSF."""
    from scipy.ndimage import gaussian_filter

    fine = 5
    v, u = (np.repeat(np.repeat(a, fine, 0), fine, 1) for a in np.broadcast_arrays(y, x))
    v = v + ((np.arange(v.shape[0]) % fine) - 2)[:, None] / fine
    u = u + ((np.arange(u.shape[1]) % fine) - 2) / fine
    away = np.hypot(u, v / 0.6) + 0.1
    light = np.exp(-(2 * index - 1 / 3) * ((away / half_px) ** (1 / index) - 1))
    sigma = fine * optics.fwhm / 2.355
    light = gaussian_filter(light, (sigma, sigma * optics.ratio))
    n, m = (k // fine for k in light.shape)
    return light.reshape(n, fine, m, fine).sum(axis=(1, 3)) / light.sum()


def field(
    folder: Path, optics: Optics, rng: np.random.Generator
) -> tuple[list[tuple[str, float, float]], Reduced, np.ndarray]:
    """Render a field and reduce it; truth as kind, x, y, and the distance from the trail."""
    from astropy.io import fits

    v, u = np.mgrid[:SIDE, :SIDE].astype(float)
    light = GAIN * (3000 + 1.5 * u + 0.8 * v)
    noise = float(np.sqrt(np.median(light) + READ_E**2))
    truth = add_sources(light, noise, optics, rng)
    away = np.abs((u - SIDE / 2) * np.sin(0.3) - (v - 200) * np.cos(0.3))
    light += 2 * noise * (1 - np.tanh((away - optics.trail_px / 2) / 1.4))
    full = light > 2 * GAIN * TOP  # charge that bleeds along columns
    light[np.roll(full, 8, 0) | np.roll(full, -8, 0)] = 2 * GAIN * TOP
    adu = np.rint((rng.poisson(light) + rng.normal(0, READ_E, light.shape)) / GAIN)
    path = folder / "f.fits"
    cards = fits.Header({"GAIN": GAIN, "RDNOISE": READ_E, "EXPTIME": 30.0, "FILTER": "r"})
    fits.PrimaryHDU(np.clip(adu, 0, TOP).astype(np.uint16), cards).writeto(path)
    settings = make_settings(
        {"catalogs": {"offline": True}, "solve": {"solvers": ["header"]},
         "image": {"injected": 0, "transients": False}}
    )  # fmt: skip
    return truth, measure_image(path, settings, Clock()), away


def add_sources(
    light: np.ndarray, noise: float, optics: Optics, rng: np.random.Generator
) -> list[tuple[str, float, float]]:
    """Put sources of all kinds near the points of a grid, of S/N 10 to 400."""
    step = max(14.0, 7 * optics.fwhm)
    grid = np.arange(step, SIDE - step, step)
    area = 4 * np.pi * (optics.fwhm / 2.355) ** 2 * optics.ratio
    half = int(min(12 * optics.fwhm + 10, 90))
    truth = []
    for y, x in np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2) + 0.5:
        x, y = (place + rng.uniform(-1, 0) for place in (x, y))  # noqa: PLW2901
        kind = str(rng.choice(KINDS[:6], p=(0.72, 0.08, 0.06, 0.07, 0.06, 0.01)))
        flux = noise * np.sqrt(area) * 10 ** rng.uniform(1, 2.6)
        row, column = round(y), round(x)
        rows = slice(max(row - half, 0), min(row + half + 1, SIDE))
        columns = slice(max(column - half, 0), min(column + half + 1, SIDE))
        dy = np.arange(rows.start, rows.stop)[:, None] - y
        dx = np.arange(columns.start, columns.stop) - x
        if kind.startswith("sersic"):
            size = optics.fwhm * rng.uniform(0.7, 1.5)
            light[rows, columns] += 3 * flux * galaxy(dy, dx, int(kind[-1]), size, optics)
        elif kind == "hot":
            light[row : row + 2, column : column + 2] += noise * 10 ** rng.uniform(1, 2)
        elif kind == "cosmic ray":
            for t in np.arange(0, rng.uniform(1, 9), 0.5):
                light[row + round(t * 0.6), column + round(t * 0.8)] += 15 * noise
        else:
            flux = 30 * GAIN * TOP * area if kind == "clipped" else flux
            light[rows, columns] += flux * psf(dy, dx, optics)
        truth.append((kind, x, y))
    return truth


def report(
    optics: Optics,
    truth: list[tuple[str, float, float]],
    reduced: Reduced,
    away: np.ndarray,
) -> None:
    """Print what each kind was taken for, the trail's surroundings left out; and the trail."""
    from scipy.spatial import cKDTree

    table = reduced.table
    places = np.column_stack([table["x"], table["y"]])
    tree, used = cKDTree(places), np.zeros(len(table), dtype=bool)
    good = np.asarray(table["quality"]) == "good"
    kinds, x, y = (np.array(column) for column in zip(*truth, strict=True))
    free = away[np.rint(y).astype(int), np.rint(x).astype(int)] > optics.trail_px + 12
    name = f"{optics.fwhm:g}, {optics.ratio:g}, {optics.trail_px:g}"
    for kind in KINDS[:6]:
        rows = np.flatnonzero(kinds == kind)
        reach = 3 * optics.fwhm if kind == "clipped" else max(2.5, 0.7 * optics.fwhm)
        if kind == "cosmic ray":
            reach = 7.0
        near, row = tree.query(np.column_stack([x, y])[rows])
        used[row[near < reach]] = True
        seen = free[rows] & (near < reach)
        looks = Counter(table["class"][row[seen]])
        counts = [looks[str(look)] for look in Look]
        counts += [int((free[rows] & (near >= reach)).sum()), int(good[row[seen]].sum())]
        print(f"| {name} | {kind} | " + " | ".join(map(str, counts)) + " |")
    column, row = (np.rint(p).astype(int) for p in places.T)
    rest = ~used & (away[row, column] > optics.trail_px + 12)
    looks = Counter(table["class"][rest])
    counts = [looks[str(look)] for look in Look]
    print(f"| {name} | nothing | " + " | ".join(map(str, counts)) + f" | | {good[rest].sum()} |")
    trail = (reduced.prepared.frame.bad & PixelFlag.TRAIL) != 0
    on = away < optics.trail_px / 2
    full = good & ((np.asarray(table["flags"]) & Flag.SATURATED) != 0)
    print(
        f"  trail: {trail[on].mean():.0%} of it masked, {trail[away > optics.trail_px + 12].sum()}"
        f" px beside it; good on it: {(good & on[row, column]).sum()}; saturated and good:"
        f" {full.sum()}; FWHM {reduced.sources.widths.fwhm:.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
