"""Zero points where stars crowd, against the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from field import FieldSpec, Rendered, render, write_catalog, write_frame
from lightcurve.core.progress import Clock
from lightcurve.image.calibrate import _agrees_better
from lightcurve.image.reduced import Reduced
from lightcurve.image.story import measure_image
from lightcurve.phot.zero_point import fit_zero_point
from sim_image import offline

# In a smaller field too few standards tell the two kinds of magnitudes apart.
CROWD = FieldSpec(
    shape=(420, 420), n_stars=1300, fwhm_px=(2.8, 0.25, 0.15, 0.45, 0.0, 0.35), e1=(0.02, 0.12)
)
BRIGHT_FLUX = 20_000.0  # ADU, more than a hundred times its noise


def measured(folder: Path, frame: Rendered) -> Reduced:
    path = write_frame(folder / "field.fits", frame)
    catalog = write_catalog(folder / "field.csv", frame.spec, frame.truth)
    # One fit of all stars tells their magnitudes; to look for more of them takes twice as long.
    settings = offline(catalog, psf="single", injected=0, transients=False)
    return measure_image(path, settings, Clock())


def off_by(frame: Rendered, reduced: Reduced, kind: str) -> float:
    """Median of the bright stars' magnitudes less the truth."""
    fit, truth = reduced.sources.psf_phot, frame.truth
    away, row = cKDTree(np.column_stack([fit.x, fit.y])).query(np.column_stack([truth.x, truth.y]))
    bright = (truth.flux > BRIGHT_FLUX) & (away < 0.5) & (reduced.sources.flags[row] == 0)
    assert bright.sum() > 8
    true = 22.0 - 2.5 * np.log10(truth.flux[bright] / 60.0)
    return float(np.nanmedian(getattr(reduced.calibrated, kind).mag[row[bright]] - true))


def test_bright_stars_have_their_magnitudes_in_a_crowd(tmp_path: Path) -> None:
    frame = render(CROWD, 1)
    reduced = measured(tmp_path, frame)
    assert abs(off_by(frame, reduced, "psf")) < 0.015
    assert abs(off_by(frame, reduced, "aperture")) < 0.015


def test_a_scatter_is_less_when_chance_does_not_make_it() -> None:
    rng = np.random.default_rng(4)
    noise, error = rng.normal(0, 0.02, (2, 60)), np.full(60, 0.02)
    catalog = rng.uniform(12, 16, 60)
    one, same, wide = (
        fit_zero_point(catalog + off - 20, error, catalog, error)
        for off in (noise[0], noise[1], 3 * noise[1])
    )
    assert not _agrees_better(one, same)
    assert not _agrees_better(same, one)
    assert _agrees_better(one, wide)
    assert not _agrees_better(wide, one)
