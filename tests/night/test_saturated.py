"""Nights whose headers do not say where the camera stops counting."""

from __future__ import annotations

import logging

import numpy as np
from astropy.io import fits

from lightcurve.core.data import StarRole
from lightcurve.core.flags import Flag
from lightcurve.core.settings import make_settings
from renderer import NightSpec, render_night
from undrawn import reduce_night

WELL, SPREAD = 30_000, 0.02  # where pixels are full, ADU: no two at the same number


def night_of_small_wells(tmp_path, *, target_e_s: float, light_range: tuple[float, float], seed=1):
    """Reduce a night of a sensor whose pixels fill up, each at its own level."""
    spec = NightSpec(
        n_frames=36, shape=(200, 230), n_stars=22, spacing_px=26, transit=False, n_bias=3, n_dark=3,
        n_flat=3, saturation_card=False, seeing_wander=0.15, target_e_s=target_e_s,
        light_range=light_range,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    truth = render_night(spec, tmp_path / "night", rng)
    full = WELL * rng.normal(1, SPREAD, spec.shape)
    for path in truth.lights:
        with fits.open(path, mode="update") as hdus:
            hdus[0].data = np.minimum(hdus[0].data, full).astype(np.uint16)
    where = {"ra": f"{truth.ra_deg[0]:.7f}", "dec": f"{truth.dec_deg[0]:.7f}"}
    settings = make_settings({"target": where, "solve": {"solvers": ["header"]}})
    return truth, reduce_night(tmp_path / "night", settings, tmp_path / "out")


def test_softly_clipped_comparison_stars_are_flagged_and_left_out(tmp_path):
    truth, night = night_of_small_wells(tmp_path, target_e_s=4000, light_range=(0.3, 14.0))
    assert night.scene.camera.saturation_adu is None
    plan, flags = night.stars, night.measurements.flags[:, :, 4]
    share = ((flags & Flag.SATURATED) != 0).mean(axis=0)
    light = np.median(truth.electrons, axis=0) / truth.spec.gain
    apart = np.hypot(plan.x_ref[:, None] - truth.x[0], plan.y_ref[:, None] - truth.y[0])
    # A peak holds 9 % of the light at this seeing: less than half a well, and well beyond it.
    peak = 0.09 * light[np.argmin(apart, axis=1)]
    assert (peak > 1.3 * WELL - 700).sum() >= 3
    assert share[peak < 0.5 * WELL].max() == 0
    assert share[peak > 1.5 * WELL - 700].min(initial=1) > 0.2
    for row in np.flatnonzero(share > 0.05):
        assert plan.role[row] == StarRole.FIELD
        assert "saturated" in plan.reason[row]
    assert not any("varies" in reason for reason in plan.reason)


def test_a_target_that_clips_is_told_with_its_frames(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        _, night = night_of_small_wells(tmp_path, target_e_s=9500, light_range=(0.1, 0.8))
    flags = night.curve.flags
    clipped = (flags & Flag.SATURATED) != 0
    assert 0.4 < clipped.mean() < 0.7
    peaks, width = night.measurements.peak[:, 0, 4], night.measurements.fwhm_px
    assert width[clipped].max() < width[~clipped].min() + 0.3  # the sharp frames
    assert peaks[~clipped].max() < peaks[clipped].min()
    warned = [r for r in caplog.records if r.levelno == logging.WARNING and "satur" in r.msg]
    assert len(warned) == 1
    assert warned[0].args[:2] == (clipped.sum(), len(clipped))
    assert night.measurements.file[clipped][0] in warned[0].args[2]
