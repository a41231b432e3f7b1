"""Frames that do not match the reference: placed by plate solving, or failed with both reasons."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.astrometry.register import make_reference
from lightcurve.astrometry.transform import move
from lightcurve.core.data import Detections
from lightcurve.core.errors import RegistrationError
from lightcurve.core.flags import Flag
from lightcurve.core.settings import Settings, make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_frame
from lightcurve.image.solve_frames import SolveOutput, solve_frames
from lightcurve.night.measure import measure_frame
from lightcurve.night.prepare import prepare_night
from lightcurve.night.recipe import Recipe
from lightcurve.night.register_or_solve import place_frame
from lightcurve.night.store import decode_result, encode_result
from lightcurve.phot.detect import detect
from lightcurve.setup.target import find_target

pytest.importorskip("astrometry")


@pytest.fixture(scope="module")
def night(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, list[Path]]:
    """The recipe of a few real frames, and the frames."""
    folder = tmp_path_factory.mktemp("night")
    for path in sorted((shared_data / "hatp32").glob("*.FITS"))[::24]:
        (folder / path.name).symlink_to(path)
    values = {
        "target": {"ra": "02:04:10.278", "dec": "+46:41:16.21"},
        "solve": {"index": [shared_data / "index-tycho2-hatp32.fits"]},
    }
    settings = make_settings(values)
    inventory = take_inventory(folder, settings)
    scene = prepare_night(inventory, find_target(settings.target), settings, folder / "masters")
    return scene.recipe, list(scene.lights)


def strangers(n: int = 60) -> object:
    """A reference pattern that no frame of the night matches."""
    rng = np.random.default_rng(8)
    return make_reference(*rng.uniform(0, [650, 500], (n, 2)).T, rng.random(n), (500, 650))


def settings_with(recipe: Recipe, **solve: object) -> Settings:
    return recipe.settings.model_copy(
        update={"solve": recipe.settings.solve.model_copy(update=solve)}
    )


def test_a_frame_that_does_not_match_is_placed_by_its_sky(night: tuple) -> None:
    recipe, lights = night
    lost = replace(recipe, reference=strangers())
    plan, target = recipe.plan, int(np.flatnonzero(recipe.plan.role == "target")[0])
    for path in lights:
        right, other = measure_frame(path, recipe), measure_frame(path, lost)
        assert (right.status, other.status) == ("measured", "measured")
        one, two = (
            np.array(move(r.registration.matrix, plan.x_ref, plan.y_ref)) for r in (right, other)
        )
        assert np.hypot(*(one - two)[:, target]) < 0.6
        assert np.median(np.hypot(*(one - two))) < 0.4
        assert (other.photometry.flags & Flag.PLATE_SOLVED).all()
        assert not (right.photometry.flags & Flag.PLATE_SOLVED).any()
        # The centroids make up for the rougher places: the same flux but for the noise of that.
        ratio = other.photometry.flux[target] / right.photometry.flux[target]
        assert np.nanmax(np.abs(ratio - 1)) < 0.02
        again = decode_result(encode_result(other))
        assert again.registration.matrix.tolist() == other.registration.matrix.tolist()


def test_the_recipe_goes_to_other_processes_and_its_digest_stays(night: tuple) -> None:
    recipe, lights = night
    again = pickle.loads(pickle.dumps(recipe))  # noqa: S301
    assert again.fingerprint() == recipe.fingerprint()
    lost = replace(again, reference=strangers())
    assert measure_frame(lights[0], lost).status == "measured"
    # What can change how a frame is placed changes the digest; how many work at it does not.
    other = replace(recipe, settings=settings_with(recipe, solvers=("header",)))
    assert other.fingerprint() != recipe.fingerprint()
    more = recipe.settings.model_copy(update={"workers": 7})
    assert replace(recipe, settings=more).fingerprint() == recipe.fingerprint()


def test_a_frame_that_cannot_be_solved_either_has_both_reasons(
    night: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, lights = night
    # A server would be asked for every cloudy frame: it never is.
    monkeypatch.setattr("lightcurve.astrometry.nova.solve_nova", None)
    settings = settings_with(recipe, solvers=("header", "nova"))
    result = measure_frame(lights[0], replace(recipe, reference=strangers(), settings=settings))
    assert result.status == "failed"
    assert "do not match the reference" in result.reason
    assert "header: the header has no WCS" in result.reason
    assert "nova" not in result.reason
    assert result.n_detected > 10


def test_without_a_solver_of_its_own_a_frame_is_only_registered(night: tuple) -> None:
    recipe, lights = night
    settings = settings_with(recipe, solvers=("nova",))
    result = measure_frame(lights[0], replace(recipe, reference=strangers(), settings=settings))
    assert result.status == "failed"
    assert "not solved" not in result.reason


def test_a_wcs_in_the_header_serves_when_the_reference_confirms_it(
    night: tuple, tmp_path: Path
) -> None:
    recipe, lights = night
    settings = settings_with(recipe, solvers=("header",), index=())
    lost = replace(recipe, reference=strangers(), settings=settings)
    (row,) = solve_frames(lights[:1], recipe.settings, SolveOutput(tmp_path, copies=True))
    (copy,) = tmp_path.glob("*_wcs.fits")
    result = measure_frame(copy, lost)
    assert row["status"] == "solved"
    assert (result.photometry.flags & Flag.PLATE_SOLVED).all()
    with fits.open(copy, mode="update") as hdus:
        hdus[0].header["CRVAL2"] += 0.05
    # 35 px off, it is put right by the reference's stars.
    again = measure_frame(copy, lost)
    np.testing.assert_allclose(again.photometry.x, result.photometry.x, rtol=0, atol=0.1)
    with fits.open(copy, mode="update") as hdus:
        hdus[0].header["CRVAL2"] += 0.3
    result = measure_frame(copy, lost)
    assert result.status == "failed"
    assert "may be chance" in result.reason


def test_a_frame_of_another_field_is_refused(night: tuple) -> None:
    recipe, lights = night
    plan = recipe.plan
    away = replace(plan, dec_deg=plan.dec_deg + 1.2)
    result = measure_frame(lights[0], replace(recipe, reference=strangers(), plan=away))
    assert result.status == "failed"
    assert "the target is off it" in result.reason


def test_a_cloudy_frame_is_not_solved(night: tuple) -> None:
    recipe, lights = night
    frame = read_frame(lights[0])
    few = detect(frame.pixels, frame.bad)
    few = Detections(*(getattr(few, n)[:8] for n in ("x", "y", "flux", "peak", "fwhm")), 0.0, 1.0)
    with pytest.raises(RegistrationError) as caught:
        place_frame(
            frame, few, strangers(), recipe.plan, recipe.scale_arcsec, recipe.settings.solve
        )
    assert "header" not in str(caught.value)
    assert caught.value.n_detected == 8
