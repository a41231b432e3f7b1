"""Nights of a colour camera: depth and noise of each plane, and mosaics that no header tells of."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.data import Colour
from lightcurve.core.errors import LightcurveError
from lightcurve.core.settings import make_settings
from mosaic import DEC, RA, SKY, render_colour_night
from undrawn import reduce_night

DEPTH = 0.02


def settings(**camera):
    target = {"ra": str(RA), "dec": str(DEC)}
    return make_settings({"target": target, "camera": camera, "workers": 1})


@pytest.fixture(scope="module")
def colour_night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colour") / "raw"
    made = render_colour_night(
        folder, np.random.default_rng(3), pattern="GRBG", header={"BAYERPAT": "GRBG"}, depth=DEPTH
    )
    return folder, made


@pytest.mark.parametrize(
    ("colour", "n", "band"),
    [(None, 2, "TG"), ("R", 1, "TR"), ("B", 1, "TB"), ("grey", 4, "CV")],
)
def test_each_plane_has_the_depth_and_the_noise_of_its_photons(
    colour, n, band, colour_night, tmp_path
):
    folder, made = colour_night
    night = reduce_night(folder, settings(**({"colour": colour} if colour else {})), tmp_path / "o")
    curve = night.curve
    assert len(curve.flux) == 40
    assert np.isfinite(curve.flux).all()
    inside = made.relative < 1
    depth = 1 - np.median(curve.flux[inside]) / np.median(curve.flux[~inside])
    error = np.median(curve.flux_err) * 1.25 * np.sqrt(1 / inside.sum() + 1 / (~inside).sum())
    assert abs(depth - DEPTH) < 3 * error
    # Electrons that a quarter of the pixels of each colour caught, and the sky under them.
    letters = {"R": "R", "B": "B", "grey": "GRBG"}.get(colour, "GG")
    light = sum(made.flux[letter][0] for letter in letters) / 4
    radius = 2 * curve.recipe.radius_per_frame_px  # pixels of the mosaic
    sky = sum(SKY[letter] + 16 for letter in letters) / 4 * np.pi * np.median(radius) ** 2
    theory = np.sqrt(light + sky) / light
    flat = curve.flux / made.relative
    scatter = np.std(flat / np.median(flat))
    assert scatter < 1.25 * theory  # the ensemble's noise is in it too
    assert np.median(curve.flux_err) == pytest.approx(scatter, rel=0.3)
    assert night.scene.reference.exposure.filter == band
    assert night.scene.solution.scale_arcsec == pytest.approx(4.8, rel=1e-3)
    assert n == {"R": 1, "B": 1, "grey": 4}.get(colour, 2)


def test_the_target_is_placed_in_the_plane(colour_night, tmp_path):
    folder, made = colour_night
    night = reduce_night(folder, settings(colour="R"), tmp_path / "o")
    x = night.measurements.x[:, 0]
    # Red is the second pixel of the first row: plane x = (mosaic x - 1) / 2.
    assert np.median(np.abs(x - (made.x[0] + made.shift[:, 0] - 1) / 2)) < 0.03


def test_a_mosaic_without_a_word_is_seen_by_its_sky(tmp_path, caplog):
    render_colour_night(tmp_path / "raw", np.random.default_rng(4), pattern="RGGB", n_frames=24)
    night = reduce_night(tmp_path / "raw", settings(), tmp_path / "o")
    assert night.scene.reference.exposure.filter == "TG"
    assert any("--mosaic" in record.getMessage() for record in caplog.records)
    colour = {value.name: value.value for value in night.scene.values}["colour"]
    assert colour == Colour.GREEN


def test_a_pattern_that_the_pixels_contradict_stops(tmp_path):
    render_colour_night(
        tmp_path / "raw", np.random.default_rng(4), pattern="RGGB", n_frames=6,
        header={"BAYERPAT": "GRBG"},
    )  # fmt: skip
    with pytest.raises(LightcurveError, match="--mosaic"):
        reduce_night(tmp_path / "raw", settings(), tmp_path / "o")
    night = reduce_night(tmp_path / "raw", settings(mosaic="RGGB"), tmp_path / "o")
    assert night.scene.reference.exposure.filter == "TG"
