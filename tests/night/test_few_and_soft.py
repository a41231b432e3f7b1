"""Nights of few stars, and of stars that are no points: every frame kept, noise as it must be."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.data import FoundBy, FrameStatus
from lightcurve.core.settings import make_settings
from lightcurve.night.reduced import Night
from renderer import NightSpec, Truth, render_night
from undrawn import reduce_night

QUICK = {"n_frames": 24, "n_bias": 3, "n_dark": 3, "n_flat": 3, "transit": False, "cosmic_rays": 0}
WINDOW = {"shape": (110, 130), "spacing_px": 24.0, "margin_px": 22.0, "drift_px_h": (1.0, -0.6)}
BRIGHT = {"target_e_s": 30000.0}


def roomy(width: float, n_stars: int = 10) -> dict:
    side = int(260 + 4 * width)
    room = {"spacing_px": 2.2 * width + 20, "margin_px": 0.8 * width + 25}
    light = {"target_e_s": 3e4 * max(1, width / 25)}
    return {"shape": (side, side + 30), "n_stars": n_stars} | room | light


NIGHTS = {
    "rings of 10 px": {"ring_px": 5.0} | roomy(10),
    "rings of 25 px": {"ring_px": 12.5} | roomy(25, 8),
    "rings of 60 px": {"ring_px": 30.0} | roomy(60, 6),
    "rings that grow from 6 to 15 px": {"ring_px": 3.0, "ring_change": 1.5} | roomy(15),
    "trails three to one": {"trail_px": 9.0} | BRIGHT,
    "two stars": {"n_stars": 1} | WINDOW,
    "three stars": {"n_stars": 2} | WINDOW,
    "five stars": {"n_stars": 4} | WINDOW,
}


def night(folder, spec: NightSpec, *, wcs_in: int | None = None) -> tuple[Night, Truth]:
    truth = render_night(spec, folder / "raw", np.random.default_rng(2))
    for k, path in enumerate(truth.lights):
        if wcs_in is not None and k != wcs_in:
            strip_wcs(path)
    settings = make_settings(
        {"target": {"ra": f"{truth.ra_deg[0]:.6f}", "dec": f"{truth.dec_deg[0]:.6f}"}}
    )
    return reduce_night(folder / "raw", settings, folder / "out"), truth


def strip_wcs(path) -> None:
    with fits.open(path, mode="update") as hdus:
        for key in [k for k in hdus[0].header if k[:5] in {"CTYPE", "CRVAL", "CRPIX", "CDELT"}]:
            del hdus[0].header[key]
        for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2"):
            hdus[0].header.pop(key, None)


@pytest.mark.parametrize("kind", NIGHTS)
def test_every_frame_is_kept_and_no_noise_added(kind, tmp_path):
    made, truth = night(tmp_path, NightSpec(**QUICK | NIGHTS[kind]))
    assert all(result.status == FrameStatus.MEASURED for result in made.results)
    flux = made.curve.flux
    assert np.isfinite(flux).all()
    # Each frame against its neighbours, so that airmass and flats have no part in it.
    steps = np.diff(flux / np.median(flux), 2) / np.sqrt(6)
    # Second differences overlap: those of n frames tell a variance as n / 1.94 values apart do.
    spread = np.sqrt(35 / 18 / (2 * len(steps)))
    assert np.sqrt(np.mean(steps**2)) < 1.2 * np.median(truth.limit) * (1 + 2 * spread)
    off = np.hypot(
        made.measurements.x[:, 0] - truth.x[:, 0], made.measurements.y[:, 0] - truth.y[:, 0]
    )
    assert off.max() < 0.5


def test_a_window_with_a_wcs_in_one_frame(tmp_path):
    """What is known of one frame serves for all; the mount turns the rest over at half-time."""
    spec = NightSpec(**QUICK | WINDOW | {"n_stars": 2, "flip_at": 0.6})
    made, truth = night(tmp_path, spec, wcs_in=12)
    told = {result.registration.found_by for result in made.results}
    assert told == {FoundBy.FEW_STARS, FoundBy.HEADER}  # of the frame that has one
    off = np.hypot(
        made.measurements.x[:, 0] - truth.x[:, 0], made.measurements.y[:, 0] - truth.y[:, 0]
    )
    assert off.max() < 0.5
