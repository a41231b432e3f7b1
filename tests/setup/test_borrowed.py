"""A frame without a WCS takes its place on the sky from another's star pattern."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.astrometry.wcs import describe_wcs
from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.errors import SolveError
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_frame
from lightcurve.phot.detect import detect
from lightcurve.setup.borrowed import borrow_place
from lightcurve.setup.solving import Sample, solve_one
from lightcurve.setup.target import Target
from renderer import NightSpec, Truth, render_night

ORDER = NightSpec(n_frames=2, n_bias=0, n_dark=0, n_flat=0, transit=False, wcs_error_px=0.0)
HEADER_ONLY = make_settings({"solve": {"solvers": ["header"]}, "catalogs": {"offline": True}})


def rendered(folder: Path, **changed: object) -> tuple[Truth, Sample]:
    """Render the same stars, and look at the first frame of them."""
    truth = render_night(replace(ORDER, **changed), folder, np.random.default_rng(5))
    return truth, look_at(truth.lights[0])


def look_at(path: Path) -> Sample:
    frame = reduce_frame(read_frame(path), None)
    return Sample(frame, detect(frame.pixels, frame.bad))


def test_the_wcs_of_another_frame_is_carried_over(tmp_path: Path) -> None:
    """From the night's first frame to its second, turned by a right angle and cut."""
    truth, _ = rendered(tmp_path / "placed", drift_px_h=(60.0, -40.0))
    header, pixels = fits.getheader(truth.lights[1]), fits.getdata(truth.lights[1])
    for word in ("CTYPE1", "CTYPE2"):
        del header[word]
    fits.writeto(tmp_path / "bare.fits", np.rot90(pixels)[:-20], header)
    sample = look_at(tmp_path / "bare.fits")
    others = take_inventory(tmp_path / "placed").entries[:1]
    assert others[0].has_wcs
    target = Target("X", truth.ra_deg[0], truth.dec_deg[0], "truth")
    with pytest.raises(SolveError) as told:
        solve_one([sample], target, HEADER_ONLY)
    found, solution = borrow_place(told.value, [sample], others, target, HEADER_ONLY)
    assert found is sample
    assert (solution.solver, solution.n_matched) == ("registration", 0)  # no star confirms it
    x, y = solution.wcs.all_world2pix(truth.ra_deg, truth.dec_deg, 0)
    turned = truth.y[1], pixels.shape[1] - 1 - truth.x[1]
    assert np.hypot(x - turned[0], y - turned[1]).max() < 0.5
    shape = sample.frame.pixels.shape
    assert describe_wcs(solution.wcs, shape)[0] == pytest.approx(truth.spec.scale_arcsec, rel=1e-3)


def test_other_stars_place_nothing(tmp_path: Path) -> None:
    _, sample = rendered(tmp_path / "bare", wcs=False)
    render_night(ORDER, tmp_path / "other", np.random.default_rng(77))
    others = take_inventory(tmp_path / "other").entries
    first = SolveError("first")
    with pytest.raises(SolveError, match="first"):
        borrow_place(first, [sample], others, Target("X", 40.0, 25.0, "x"), HEADER_ONLY)
    with pytest.raises(SolveError, match="first"):
        borrow_place(first, [sample], [], Target("X", 40.0, 25.0, "x"), HEADER_ONLY)


def test_a_placed_frame_without_stars_is_no_reference(tmp_path: Path) -> None:
    truth, good = rendered(tmp_path / "placed")
    arrays = {f.name: getattr(good.stars, f.name) for f in fields(good.stars)}
    none = {name: a[:0] for name, a in arrays.items() if isinstance(a, np.ndarray)}
    empty = Sample(good.frame, replace(good.stars, **none))
    target = Target("X", truth.ra_deg[0], truth.dec_deg[0], "truth")
    assert solve_one([empty, good], target, HEADER_ONLY)[0] is good
