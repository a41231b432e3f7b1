"""How pure and complete the catalogue of a single frame is, on fields with everything that spoils.

    python -m benchmarks purity --frames 4

Rendered in plain numpy (`tests/support/field.py`): a Moffat PSF that varies over the field, a
gradient, a cluster, galaxies, spikes, bleeding, cosmic rays, hot pixels, a trail and four
amplifiers; each frame has an order of its own, sharp or soft. Printed are, by magnitude and by
place, the share of stars found and the share of good sources that are something.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import field_defects as defects
from field import (
    Cluster,
    FieldSpec,
    Rendered,
    Stars,
    draw,
    place_stars,
    read_out,
    sky_electrons,
    write_catalog,
    write_frame,
)
from lightcurve.core.progress import Clock
from lightcurve.core.settings import make_settings
from lightcurve.image.reduced import Look
from lightcurve.image.story import measure_image

MATCH_PX = 2.0
EDGES = (5, 7, 10, 20, 50, 1e9)
CLUSTER = Cluster(250, 300, 650, 50)
WHOLE_E, TOP_E = 1.2e5, 2.0e6  # of a full pixel; stars with more light have spikes
TRAIL_PX = 16.0
BESIDE = ("field", "cluster", "beside bright stars", "beside galaxies")


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A frame's truth and what became of it, arrays of stars (n,) and of sources (m,)."""

    snr: np.ndarray  # of the stars, as a filter has it
    found: np.ndarray
    where: np.ndarray  # of `BESIDE`
    of_source: np.ndarray  # S/N told
    good: np.ndarray
    real: np.ndarray
    source_where: np.ndarray
    looks: np.ndarray
    kind: np.ndarray  # what it is: star, galaxy, or nothing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=4)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        trials = [trial(Path(folder), seed) for seed in range(1, options.frames + 1)]
    report(trials)


def trial(folder: Path, seed: int) -> Trial:
    """Render a frame and reduce it."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(seed)
    fwhm = (2.2, 3.0, 4.2, 3.0)[seed % 4]
    spec = FieldSpec(
        shape=(1000, 1000), n_stars=1200, flux_range=(200, 2e7), cluster=CLUSTER,
        fwhm_px=(fwhm, 0.05 * fwhm, 0.03 * fwhm, 0.05 * fwhm), e1=(0.03, 0.03), e2=(0.0, 0.0, 0.04),
        gradient_adu=(30, -20),
    )  # fmt: skip
    stars = place_stars(spec, rng)
    light = draw(spec, stars, sky_electrons(spec))
    n = 60
    x, y = rng.uniform(30, 970, (2, n))
    galaxies = Stars(x, y, 10 ** rng.uniform(3.5, 5.3, n), np.zeros(n))
    size = np.maximum(rng.uniform(0.3, 1.0, n) * fwhm, 0.8) * (galaxies.flux / 2e4) ** 0.25
    defects.add_galaxies(spec, light, galaxies, size, rng)
    defects.add_spikes(spec, light, stars.only(stars.flux * spec.gain > TOP_E), 0.004)
    from_trail = defects.add_trail(
        light, (500, rng.uniform(100, 900)), rng.uniform(-40, 40), 6000.0, 0.5 * fwhm
    )
    defects.bleed(light, WHOLE_E)
    defects.add_hits(light, 60, rng)
    defects.add_hot_pixels(light, 150, rng)
    defects.add_amplifiers(light, 9.0, 0.02)
    path = write_frame(
        folder / f"{seed}.fits", Rendered(spec, read_out(spec, light, rng), light, stars)
    )
    catalog = write_catalog(folder / f"{seed}.csv", spec, stars)
    reduced = measure_image(path, _settings(catalog), Clock())
    table, fit = reduced.table, reduced.sources.psf_phot
    places = np.column_stack([table["x"], table["y"]])
    away, star = cKDTree(np.column_stack([stars.x, stars.y])).query(places)
    # Of a few faint stars one stands near anything: it must explain the light.
    flux = np.full(len(table), 0.0) if fit is None else np.nan_to_num(fit.flux)
    is_star = (away < MATCH_PX) & (stars.flux[star] > 0.4 * flux)
    is_galaxy = _near((galaxies.x, galaxies.y), places, 3.0)
    area = 4 * np.pi * (fwhm / 2.355) ** 2 * 1.6  # of a Moffat profile of beta 3
    rms = float(np.median(reduced.prepared.background.rms))
    on_frame = (np.minimum(stars.x, stars.y) > 12) & (np.maximum(stars.x, stars.y) < 987)
    row, column = (np.rint(v).astype(int).clip(0, 999) for v in (stars.y, stars.x))
    use = on_frame & (from_trail[row, column] > TRAIL_PX) & (_apart(stars) > 2.5 * fwhm)
    of_stars = np.column_stack([stars.x, stars.y])
    return Trial(
        snr=(stars.flux / np.sqrt(rms**2 * area + stars.flux / spec.gain))[use],
        found=(cKDTree(places).query(of_stars)[0] < MATCH_PX)[use],
        where=_where(of_stars, stars, galaxies)[use],
        of_source=np.asarray(table["snr"]), good=np.asarray(table["quality"]) == "good",
        real=is_star | is_galaxy, source_where=_where(places, stars, galaxies),
        looks=np.asarray(table["class"]),
        kind=np.where(is_galaxy, "galaxy", np.where(is_star, "star", "nothing")),
    )  # fmt: skip


def _settings(catalog: Path):
    return make_settings(
        {
            "catalogs": {"files": [str(catalog)], "offline": True},
            "solve": {"solvers": ["header"]},
            "image": {"injected": 0, "transients": False},
        }
    )


def _near(of: tuple[np.ndarray, np.ndarray], places: np.ndarray, px: float) -> np.ndarray:
    from scipy.spatial import cKDTree

    return cKDTree(np.column_stack(of)).query(places)[0] < px


def _apart(stars: Stars) -> np.ndarray:
    """Distance (n,) of each star to the nearest that is not much fainter."""
    away = np.hypot(stars.x[:, None] - stars.x, stars.y[:, None] - stars.y)
    away[(stars.flux < 0.3 * stars.flux[:, None]) | np.eye(len(stars), dtype=bool)] = np.inf
    return away.min(axis=1)


def _where(places: np.ndarray, stars: Stars, galaxies: Stars) -> np.ndarray:
    """Tell of places (n, 2) in which part of the frame they are."""
    bright = stars.only(stars.flux > 3e5)
    where = np.full(len(places), BESIDE[0], dtype="U24")
    where[np.hypot(places[:, 0] - CLUSTER.x, places[:, 1] - CLUSTER.y) < 70] = BESIDE[1]
    beside = _near((bright.x, bright.y), places, 40.0) & ~_near((bright.x, bright.y), places, 3.0)
    where[beside] = BESIDE[2]
    around = (galaxies.x, galaxies.y)
    where[_near(around, places, 20.0) & ~_near(around, places, 3.0)] = BESIDE[3]
    return where


def report(trials: list[Trial]) -> None:
    """Print the tables."""
    joined = {
        name: np.concatenate([getattr(one, name) for one in trials]) for name in Trial.__slots__
    }
    snr, found, good = joined["snr"], joined["found"], joined["good"]
    of_source, real = joined["of_source"], joined["real"]
    print(f"{len(trials)} frames; lowest S/N listed {of_source.min():.2f}")
    print("| S/N | stars | found | good sources | of them real |")
    for low, high in pairwise(EDGES):
        stars = (snr >= low) & (snr < high)
        listed = good & (of_source >= low) & (of_source < high)
        name = f"{low} to {high}" if high < 1e9 else f"{low} and above"
        print(f"| {name} | {_cells(stars, found)} | {_cells(listed, real)} |")
    print("| place, S/N from 7 | stars | found | good sources | of them real |")
    for name in BESIDE:
        stars = (joined["where"] == name) & (snr >= 7)
        listed = good & (joined["source_where"] == name) & (of_source >= 7)
        print(f"| {name} | {_cells(stars, found)} | {_cells(listed, real)} |")
    print("| it is | " + " | ".join(Look) + " |")
    for kind in ("star", "galaxy", "nothing"):
        counts = [((joined["kind"] == kind) & (joined["looks"] == look)).sum() for look in Look]
        print(f"| {kind} | " + " | ".join(map(str, counts)) + " |")


def _cells(rows: np.ndarray, share_of: np.ndarray) -> str:
    return f"{rows.sum()} | {100 * share_of[rows].mean():.1f} %" if rows.any() else "0 |"


if __name__ == "__main__":
    main()
