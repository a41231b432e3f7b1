"""One frame to a catalogue: right to what it states, and how fast beside plain photutils.

    python -m benchmarks.bench_image [--catalog all_refcat2_ey_uma.ecsv] [--frames 12] [--no-truth]

Frames are rendered from a real catalogue (ATLAS-refcat2 of the EY UMa field) with new noise each
time, and go through the whole path. Wanted: at most 2 isolated stars above 10 sigma missed in a
frame, places to 0.1 px, zero points to 0.01 mag, pulls 0.9 to 1.2 wide, and the 5 sigma limit
within 0.1 mag of where stars put in (1,200 a frame) have that ratio.

Then a frame of 2048 x 2048 pixels with 2,000 stars, beside the same steps written with photutils.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.timing import show
from lightcurve.core.flags import Flag
from lightcurve.core.progress import Clock
from lightcurve.image.locate import positions
from lightcurve.image.reduced import Reduced
from lightcurve.image.story import measure_image
from sim_image import (
    Observatory,
    Rendered,
    enclosed_share,
    ey_uma_frame,
    magnitude_of_snr,
    offline,
    render_frame,
)

DATA = Path(__file__).parents[2] / "shared" / "data" / "ey-uma" / "all_refcat2_ey_uma.ecsv"
TIMED = Observatory(shape=(2048, 2048), zero_point=21.5, exposure=120.0)
N_STARS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--catalog", type=Path, default=DATA)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--no-truth", action="store_true", help="only the times")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        if not options.no_truth:
            check_truth(Path(folder), options.catalog, options.frames)
        compare_times(Path(folder))


def check_truth(folder: Path, catalog: Path, frames: int) -> None:
    site = Observatory()
    rows = []
    pulls: dict[str, list[np.ndarray]] = {"aperture": [], "psf": []}
    for seed in range(1, frames + 1):
        truth = ey_uma_frame(folder / "ey.fits", catalog, site, seed=seed)
        reduced = measure_image(truth.path, offline(catalog, injected=1200), Clock())
        rows.append(one_frame(truth, reduced, pulls))
    names = ("isolated", "missed", "false", "rms px", "zp aperture", "zp psf", "limit 5", "half")
    show("Errors, frame by frame (mag)", names, [[f"{v:.4g}" for v in row] for row in rows])
    summary = []
    for kind, parts in pulls.items():
        pull = np.concatenate(parts)
        summary.append((kind, len(pull), f"{np.mean(pull):+.3f}", f"{np.std(pull):.3f}"))
    show("Pulls of magnitudes", ("kind", "stars", "mean", "width"), summary)


def one_frame(
    truth: Rendered, reduced: Reduced, pulls: dict[str, list[np.ndarray]]
) -> tuple[float, ...]:
    from scipy.spatial import cKDTree

    site, sources, calibrated = truth.site, reduced.sources, reduced.calibrated
    xy = np.column_stack([truth.x, truth.y])
    x, y, _ = positions(sources)
    found = cKDTree(np.column_stack([x, y]))
    distance, row = found.query(xy)
    apart = cKDTree(xy).query(xy, k=2)[0][:, 1]
    radius = sources.apertures.radii[sources.apertures.main]
    share = enclosed_share(site, radius)
    sky = np.pi * radius**2 * (site.sky * site.exposure + site.read_noise**2) / site.gain**2
    light = truth.flux * share
    bright = light / np.sqrt(sky + light / site.gain) > 10
    wanted = bright & (apart > 5 * site.fwhm) & truth.on_frame(15)
    seen = wanted & (distance < 2)
    seen &= (sources.flags[row] & Flag.SATURATED) == 0
    for name, parts in pulls.items():
        kind = getattr(calibrated, name)
        pull = (kind.mag[row[seen]] - truth.mag[seen]) / kind.err[row[seen]]
        parts.append(pull[np.isfinite(pull)])
    placed = reduced.placed
    d_dec = placed.dec_deg[row[seen]] - truth.dec[seen]
    d_ra = (placed.ra_deg[row[seen]] - truth.ra[seen]) * np.cos(np.radians(truth.dec[seen]))
    rms = np.sqrt(np.mean(d_ra**2 + d_dec**2) / 2) * 3600 / site.scale
    limit = next(one.measured for one in calibrated.limits.limits if one.snr == 5)
    zero = site.zero_point_adu
    return (
        wanted.sum(),
        (wanted & (distance >= 2)).sum(),
        (cKDTree(xy).query(np.column_stack([x, y]))[0] > 3).sum(),
        rms,
        calibrated.aperture.zero_point.value - zero - 2.5 * np.log10(share),
        calibrated.psf.zero_point.value - zero,
        limit - magnitude_of_snr(calibrated.completeness, 5.0),
        calibrated.completeness.magnitude_at(0.5),
    )


def compare_times(folder: Path) -> None:
    rng = np.random.default_rng(1)
    half = TIMED.scale * 1000 / 3600
    dec = 20.0 + rng.uniform(-half, half, N_STARS)
    ra = 100.0 + rng.uniform(-half, half, N_STARS) / np.cos(np.radians(20.0))
    mag = np.log10(rng.uniform(10 ** (0.3 * 12.5), 10 ** (0.3 * 18.5), N_STARS)) / 0.3
    truth = render_frame(folder / "timed.fits", ra, dec, mag, TIMED, center=(100.0, 20.0))
    catalog = folder / "timed.csv"
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    catalog.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    rows = []
    for psf in ("none", "single", "iterative"):
        clock = Clock()
        start = time.process_time()
        reduced = measure_image(truth.path, offline(catalog, psf=psf, injected=0), clock)
        cpu = time.process_time() - start
        measured = f"{clock.timings_s['measure']:.2f}"
        rows.append((f"this program, PSF {psf}", len(reduced.sources), f"{cpu:.2f}", measured))
    start = time.process_time()
    n, steps = plain_photutils(truth)
    rows.append(("photutils, step by step", n, f"{time.process_time() - start:.2f}", steps))
    show(
        f"2048 x 2048 px, {N_STARS} stars: the whole path but for writing",
        ("", "sources", "CPU s", "measuring, s"),
        rows,
    )


def plain_photutils(truth: Rendered) -> tuple[int, str]:
    """Background, detection, apertures and PSF as the manual of photutils has them."""
    from astropy.io import fits
    from astropy.nddata import NDData
    from astropy.stats import SigmaClip
    from astropy.table import Table
    from photutils.aperture import (
        ApertureStats,
        CircularAnnulus,
        CircularAperture,
        aperture_photometry,
    )
    from photutils.background import Background2D, SExtractorBackground
    from photutils.detection import DAOStarFinder
    from photutils.psf import EPSFBuilder, PSFPhotometry, SourceGrouper, extract_stars
    from photutils.utils import calc_total_error

    times, start = {}, time.process_time()

    def lap(name: str) -> None:
        nonlocal start
        times[name] = time.process_time() - start
        start = time.process_time()

    pixels = fits.getdata(truth.path).astype(float)
    clip = SigmaClip(3.0)
    background = Background2D(
        pixels, 64, filter_size=5, sigma_clip=clip, bkg_estimator=SExtractorBackground()
    )
    light = pixels - background.background
    lap("background")
    rms = background.background_rms_median
    found = DAOStarFinder(threshold=3.5 * rms, fwhm=TIMED.fwhm)(light)
    xy = np.column_stack([found["x_centroid"], found["y_centroid"]])
    lap("detection")
    error = calc_total_error(light, background.background_rms, TIMED.gain)
    for factor in (0.8, 1.0, 1.3, 1.7, 2.2):
        aperture = CircularAperture(xy, factor * TIMED.fwhm)
        aperture_photometry(pixels, aperture, error=error)
    annulus = CircularAnnulus(xy, 4 * TIMED.fwhm, 7 * TIMED.fwhm)
    ApertureStats(pixels, annulus, sigma_clip=clip).median  # noqa: B018  (computed when asked for)
    lap("apertures")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        order = np.argsort(-np.asarray(found["flux"]))[100:200]
        stars = extract_stars(NDData(light), Table({"x": xy[order, 0], "y": xy[order, 1]}), size=21)
        psf, _ = EPSFBuilder(oversampling=2, maxiters=5, progress_bar=False)(stars)
        lap("PSF built")
        fit = PSFPhotometry(
            psf, 9, grouper=SourceGrouper(1.9 * TIMED.fwhm), aperture_radius=1.3 * TIMED.fwhm
        )
        first = Table({"x": xy[:, 0], "y": xy[:, 1]})
        fit(light, error=error, init_params=first)
    lap("PSF fitted")
    return len(xy), ", ".join(f"{name} {seconds:.1f}" for name, seconds in times.items())


if __name__ == "__main__":
    main()
