"""Centroids and finders: each is one registered object, and all that offers them asks there."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from lightcurve.aij.photometry import AijRecipe, measure_aij
from lightcurve.commands.options import OPTIONS
from lightcurve.core.errors import InputError
from lightcurve.core.settings import ApertureSettings, ImageSettings
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.background import measure_background
from lightcurve.phot.finder import find_sources
from lightcurve.phot.methods import CENTROIDS, FINDERS, CentroidMethod, Finder, Window, centroid_of
from lightcurve.phot.noise import NoiseModel

X, Y = np.array([40.3, 71.8]), np.array([51.6, 90.1])
GIVEN = X + 0.4, Y - 0.3


def pixels() -> np.ndarray:
    rows, columns = np.indices((130, 120))
    sky = np.random.default_rng(3).normal(300, 3, rows.shape)
    for x, y in zip(X, Y, strict=True):
        sky += 4000 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.7**2))
    return sky.astype(np.float32)


def placed(method: CentroidMethod) -> np.ndarray:
    image = pixels()
    radii, noise = np.array([5.0]), NoiseModel(1.5, 5.0)
    found = measure_stars(
        image, np.zeros(image.shape, np.uint8), *GIVEN, radii, (12.0, 20.0), noise, centroid=method
    )
    return np.stack([found.x, found.y])


@pytest.mark.parametrize("name", [name for name in CENTROIDS.names() if name != "none"])
def test_each_centroid_finds_where_the_stars_are(name: str) -> None:
    np.testing.assert_allclose(placed(CENTROIDS.get(name)), [X, Y], atol=0.05)


def test_without_a_centroid_stars_stay_where_they_were_put() -> None:
    np.testing.assert_array_equal(placed(CENTROIDS.get("none")), np.stack(GIVEN))


def test_a_star_without_light_has_no_centroid_by_steps() -> None:
    found = CENTROIDS.get("howell").find(np.zeros((1, 15, 15)), np.zeros((2, 1)), Window(1.5, 5.0))
    assert np.isnan(found).all()


def test_a_centroid_of_ones_own_is_offered_checked_and_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def right_by_one(light, _radius):
        return np.stack([np.full(len(light.u), s) for s in (0.001, 0.0)])

    own = CentroidMethod("own", "a dummy", lambda _boxes, given, _w: given + 0.5, right_by_one)
    monkeypatch.setitem(CENTROIDS.entries, "own", own)
    assert "own (a dummy)" in OPTIONS["apertures.centroid"].help_text()
    assert ApertureSettings(centroid="own").centroid == "own"
    np.testing.assert_allclose(placed(own), np.stack(GIVEN) + 0.5)
    found = measure_aij(pixels(), *GIVEN, AijRecipe(5.0, (12.0, 20.0), centroid="own"))
    np.testing.assert_allclose(found.x, GIVEN[0] + 0.001)


def test_an_unknown_centroid_or_finder_is_refused() -> None:
    with pytest.raises(ValidationError):
        ApertureSettings(centroid="howel")
    with pytest.raises(ValidationError):
        ImageSettings(finder="peeks")
    for name in ("howel", "windowed"):
        with pytest.raises(InputError):
            AijRecipe(5.0, None, centroid=name)


def test_a_finder_of_ones_own_is_offered_checked_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Finder("own", "a dummy", lambda *_: (np.array([60.0]), np.array([65.0])))
    monkeypatch.setitem(FINDERS.entries, "own", own)
    assert "own (a dummy)" in OPTIONS["image.finder"].help_text()
    assert ImageSettings(finder="own").finder == "own"
    image, bad = pixels(), np.zeros((130, 120), np.uint8)
    background = measure_background(image, bad)
    found = find_sources(image, bad, background, 4.0, threshold_sigma=-9, method="own")
    assert (*found.x, *found.y) == (60.0, 65.0)


def test_a_style_has_its_own_centroid_and_refuses_what_it_cannot_do() -> None:
    assert centroid_of(None, "aij").name == "howell"
    assert centroid_of(None, "lightcurve").name == "windowed"
    assert centroid_of("none", "aij").name == "none"
    with pytest.raises(InputError, match="--centroid windowed"):
        centroid_of("windowed", "aij")
