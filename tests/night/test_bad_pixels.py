"""Bad pixels of whole nights of the second renderer: nearly all are found, and no star is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import renderer
from lightcurve.core.settings import Settings
from lightcurve.night.bad_pixels import map_bad_pixels
from renderer import NightSpec, Sensor, render_night

NONE = {"n_bias": 0, "n_dark": 0, "n_flat": 0, "n_frames": 24}


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({"n_bias": 6, "n_dark": 16, "n_flat": 6, "n_frames": 3}, 0.99),
        # Of light frames alone, not those under stars.
        (NONE | {"clouds": ((0.5, 0.5, 0.2),), "seeing_wander": 0.3}, 0.9),
        (NONE | {"ring_px": 8.0}, 0.85),
        (NONE | {"fwhm_px": 1.4}, 0.9),
        (NONE | {"n_stars": 300, "spacing_px": 6.0}, 0.6),
    ],
    ids=("darks and flats", "clouded", "rings", "sharp", "crowded"),
)
def test_they_are_found_and_no_star_is_one(
    options: dict, least: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors = []

    def kept(spec: NightSpec, rng: np.random.Generator) -> Sensor:
        sensors.append(Sensor(spec, rng))
        return sensors[0]

    monkeypatch.setattr(renderer, "Sensor", kept)
    spec = NightSpec(
        shape=(240, 280), warm_fraction=0.01, dead_fraction=0.002, telegraph_fraction=0.002,
        **options,
    )  # fmt: skip
    (tmp_path / "night").mkdir()
    render_night(spec, tmp_path / "night", np.random.default_rng(3))
    map_bad_pixels(tmp_path / "night", Settings(), tmp_path / "bad.fits")
    bad = fits.getdata(tmp_path / "bad.fits") != 0
    dead, warm = sensors[0].response < 0.1, sensors[0].dark > 1.0
    wanted = dead | sensors[0].telegraph
    assert bad[wanted].mean() > least
    assert np.mean(bad & ~wanted & ~warm) < 1e-4
