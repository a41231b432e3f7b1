"""PSF photometry against the truth: widths of the pulls by place and brightness, FWHM, ellipticity.

    python -m benchmarks.bench_psf [--frames 3] [--only NAME ...]

Frames of several makings, by a renderer that shares nothing with the program, go through the whole
path of `lightcurve image`, with the truth as their catalogue. Wanted: pulls 0.9 to 1.2 wide in each
part of the frame, bright and faint; the FWHM within 2 %.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.timing import show
from field import Cluster, FieldSpec, Rendered, render, shapes, write_catalog, write_frame
from lightcurve.core.flags import Flag
from lightcurve.core.progress import Clock
from lightcurve.image.reduced import Magnitudes, Reduced
from lightcurve.image.story import measure_image
from sim_image import offline

SPOILT = int(Flag.SATURATED | Flag.EDGE | Flag.NON_LINEAR | Flag.BAD_PIXEL)
PLACES = ("centre", "half way", "corners")
SNR = (7.0, 30.0, 100.0, np.inf)
BRIGHTNESS = ("faint", "middle", "bright")
HIDDEN_SIGMA = 0.2  # light of stars nobody could find, in errors: what lies on more is no test

CONSTANT = FieldSpec(shape=(600, 600), n_stars=400)
VARYING = replace(
    CONSTANT, n_stars=700, fwhm_px=(2.8, 0.25, 0.15, 0.45, 0.0, 0.35), e1=(0.02, 0.12, 0.0),
    e2=(0.0, 0.0, 0.0, 0.0, 0.15),
)  # fmt: skip
MAKINGS = {
    "constant": CONSTANT,
    "constant, 30 stars": replace(CONSTANT, n_stars=30, flux_range=(1000.0, 300_000.0)),
    "varying": VARYING,
    "varying, 60 stars": replace(VARYING, n_stars=60, flux_range=(1000.0, 300_000.0)),
    "varying, crowded": replace(
        VARYING, n_stars=2500, cluster=Cluster(300, 200.0, 350.0, 30.0), gradient_adu=(60.0, 0.0)
    ),
    "FWHM 1.6 px": replace(
        CONSTANT, fwhm_px=(1.6, 0.1, 0.05, 0.15, 0.0, 0.1), e1=(0.0, 0.06), flux_range=(200.0, 1e5)
    ),
    "FWHM 8 px": replace(
        CONSTANT, fwhm_px=(8.0, 0.6, 0.0, 0.8, 0.0, 0.8), e2=(0.0, 0.1), n_stars=250,
        flux_range=(1000.0, 1e6), beta=4.0,
    ),
    "wings of beta 2.2": replace(VARYING, beta=2.2),
    "a Gaussian's": replace(VARYING, beta=20.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Pulls:
    """Of the stars of one frame: pulls, their place and brightness as numbers, each (n,)."""

    psf: np.ndarray
    aperture: np.ndarray
    place: np.ndarray
    brightness: np.ndarray
    dx: np.ndarray  # in errors
    zero: float  # by which all PSF magnitudes are off


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(MAKINGS))
    options = parser.parse_args()
    rows, shown = [], []
    with TemporaryDirectory() as folder:
        for name in options.only:
            one, other = measure_making(Path(folder), name, options.frames)
            rows += one
            shown.append(other)
    bins = [f"{b}, {p}" for b in BRIGHTNESS for p in PLACES]
    show("Widths of the pulls (stars)", ("frames", "flux", *bins), rows)
    names = (
        "frames", "FWHM / true", "of PSF", "order", "stars", "error %", "rms ln FWHM", "rms e",
        "zero mmag", "x pull", "CPU s",
    )  # fmt: skip
    show("Shapes and time", names, shown)


def measure_making(folder: Path, name: str, frames: int) -> tuple[list, tuple]:
    spec, pulls, found = MAKINGS[name], [], []
    for seed in range(frames):
        frame = render(spec, seed)
        path = write_frame(folder / "field.fits", frame)
        catalog = write_catalog(folder / "field.csv", spec, frame.truth)
        start = time.process_time()
        settings = offline(catalog, injected=0, transients=False)
        reduced = measure_image(path, settings, Clock())
        cpu = time.process_time() - start
        pulls.append(pulls_of(frame, reduced))
        found.append(
            (*shape_errors(frame, reduced), 1e3 * pulls[-1].zero, np.nanstd(pulls[-1].dx), cpu)
        )
    rows = [(name, kind, *widths(pulls, kind)) for kind in ("psf", "aperture")]
    return rows, (name, *(f"{value:.3g}" for value in np.mean(found, axis=0)))


def pulls_of(frame: Rendered, reduced: Reduced) -> Pulls:
    """Compare the magnitudes of all stars that are to be told from their neighbours."""
    from scipy.spatial import cKDTree

    truth, sources, spec = frame.truth, reduced.sources, frame.spec
    fit = sources.psf_phot
    xy = np.column_stack([truth.x, truth.y])
    found = np.column_stack([fit.x, fit.y])
    fwhm = shapes(spec, truth.x, truth.y)[0]
    away, row = cKDTree(found).query(xy)
    back = cKDTree(xy).query(found)[1]
    seen = (away < 0.5 * fwhm) & (back[row] == np.arange(len(truth)))
    hidden = np.zeros(len(truth))
    for one, other in cKDTree(xy).query_pairs(2.5 * fwhm.max()):
        for a, b in ((one, other), (other, one)):
            hidden[a] += 0 if seen[b] else truth.flux[b]
    use = seen & (hidden < HIDDEN_SIGMA * np.nan_to_num(fit.flux_err[row]))
    use &= (sources.flags[row] & SPOILT) == 0
    use, row = np.flatnonzero(use), row[use]
    true = 22.0 - 2.5 * np.log10(truth.flux[use] / 60.0)
    kinds = reduced.calibrated.psf, reduced.calibrated.aperture
    (psf, zero), (aperture, _) = (_pulls(kind, row, true) for kind in kinds)
    aperture[(sources.flags[row] & Flag.CROWDED) != 0] = np.nan
    snr = truth.flux[use] / fit.flux_err[row]
    half = np.abs(2 * xy[use] / (np.array(spec.shape[::-1]) - 1) - 1).max(axis=1)
    place = np.digitize(half, (0.5, 0.8))
    with np.errstate(invalid="ignore", divide="ignore"):
        dx = np.where(fit.x_err[row] > 0, (fit.x[row] - truth.x[use]) / fit.x_err[row], np.nan)
    return Pulls(psf, aperture, place, np.digitize(snr, SNR) - 1, dx, zero)


def _pulls(kind: Magnitudes, row: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, float]:
    """Take pulls (n,) about what all stars of a frame have in common, and that, mag."""
    off, err = kind.mag[row] - true, kind.inst_err[row]
    weight, zero = 1 / np.hypot(err, 0.003) ** 2, np.nanmedian(off)
    for _ in range(5):
        near = np.abs(off - zero) < 3 * np.hypot(err, 0.003)
        zero = float(np.sum(off[near] * weight[near]) / np.sum(weight[near]))
    return (off - zero) / err, zero


def widths(pulls: list[Pulls], kind: str) -> list[str]:
    """Give width and mean of the pulls in each bin, and how many there are."""
    cells = []
    for brightness in range(len(BRIGHTNESS)):
        for place in range(len(PLACES)):
            parts = [
                getattr(p, kind)[(p.place == place) & (p.brightness == brightness)] for p in pulls
            ]
            pull = np.concatenate(parts)
            pull = pull[np.isfinite(pull)]
            far = np.mean(np.abs(pull) > 5) if pull.size else np.nan
            good = pull[np.abs(pull) < 5]
            cells.append(f"{np.std(good):.2f} {np.mean(good):+.2f} ({pull.size}, {100 * far:.1f}%)")
    return cells


def shape_errors(frame: Rendered, reduced: Reduced) -> tuple[float, ...]:
    """FWHM over the true median, of stars and of the PSF; its order, stars; rms of its e."""
    sources, truth = reduced.sources, frame.truth
    true = np.column_stack(shapes(frame.spec, truth.x, truth.y))
    psf, middle = sources.psf, float(np.median(true[:, 0]))
    off = psf.shape.at(truth.x, truth.y)
    rms = np.sqrt(np.mean((off[:, 1:] - true[:, 1:]) ** 2))
    size = np.std(off[:, 0] - np.log(true[:, 0]))
    return (
        sources.widths.fwhm / middle,
        psf.fwhm / middle,
        psf.order,
        psf.n_stars,
        100 * psf.error,
        size,
        rms,
    )


if __name__ == "__main__":
    main()
