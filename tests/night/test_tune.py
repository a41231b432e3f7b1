"""Other choices for a finished run: held against runs that made them, and undone to the byte."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.errors import FitError, InputError
from lightcurve.core.flags import NO_POINT, Flag
from lightcurve.core.settings import make_settings
from lightcurve.curve.retake import choice_of, retake
from lightcurve.night.demo import write_planet
from lightcurve.night.keep import read_night
from lightcurve.night.settle import predicted_transit
from lightcurve.night.story import reduce_night
from lightcurve.night.tune import Tuned, Wishes, apply_tuned, reset_run, tune_run
from lightcurve.tables.light_curves import read_curve
from sim import tiny_night
from sim_run import PLANET, sums

NO_FIT = {"fit": {"enabled": False}}


@pytest.fixture
def run(kept_run, tmp_path) -> Path:
    """A run folder of the test's own."""
    return Path(shutil.copytree(kept_run[1], tmp_path / "run"))


def test_the_curve_of_the_run_is_formed_again_to_the_last_bit(kept_run):
    night = read_night(kept_run[1])
    own = choice_of(night.curve, night.measurements, night.settings)
    curve = retake(
        night.measurements, night.settings, own,
        in_transit=predicted_transit(night.target, night.measurements), blend=night.blend,
    )  # fmt: skip
    for name in ("flux", "flux_err", "flags", "comparison_flux"):
        assert getattr(curve, name).tobytes() == getattr(kept_run[0].curve, name).tobytes()
    assert str(curve.recipe.check_verdict) == str(kept_run[0].recipe.check_verdict)
    assert curve.dilution == kept_run[0].curve.dilution


def test_without_a_wish_everything_is_tried_and_nothing_written(run):
    before = sums(run)
    tuned = tune_run(run, Wishes())
    assert sums(run) == before
    assert tuned.night is None
    own, others = tuned.tried[0].choice, [one.choice for one in tuned.tried[1:]]
    assert {frozenset(own.rows) - frozenset(c.rows) for c in others} >= {
        frozenset([row]) for row in own.rows
    }
    apertures = {c.aperture for c in others} | {own.aperture}
    assert apertures == set(range(len(tuned.apertures)))
    assert {c.weighting for c in others} == {"scatter", "sum"}
    assert {(), ("airmass",), ("airmass", "time")} <= {c.covariates for c in others}
    assert all(np.isfinite(one.fit.scatter) and one.fit.n_points for one in tuned.tried)


def test_named_stars_give_the_curve_of_a_run_with_them(tmp_path):
    """Not of its check star, nor of how a star's light spreads: there comparison stars tell it."""
    tiny_night(tmp_path / "night", n_frames=16, shape=(300, 330), n_stars=40, header_wcs=True)
    target = {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}
    settings = make_settings({"target": target, "figures": "none"})
    first = reduce_night(tmp_path / "night", settings, tmp_path / "run")
    names = [f"C{row + 1}" for row in first.recipe.comparison_rows[::3]]
    named = make_settings({"target": target, "stars": {"comparisons": names}, "figures": "none"})
    second = reduce_night(tmp_path / "night", named, tmp_path / "named")
    tuned = tune_run(
        tmp_path / "run",
        Wishes(comparisons=(",".join(names),), aperture=str(second.recipe.aperture)),
    )
    assert tuned.night.recipe.comparison_rows == second.recipe.comparison_rows
    for name in ("flux", "flux_err", "flags", "comparison_flux"):
        np.testing.assert_array_equal(getattr(tuned.night.curve, name), getattr(second.curve, name))
    assert tuned.night.fit is None


def test_what_is_applied_is_undone_to_the_byte(run):
    before, night = sums(run), read_night(run)
    row, file = night.recipe.comparison_rows[0], str(night.measurements.file[3])
    wishes = Wishes(
        dropped=(f"C{row + 1}",), excluded=(file,), changes={"fit": {"covariates": ["airmass"]}},
        text="--drop some",
    )  # fmt: skip
    tuned = tune_run(run, wishes)
    assert sums(run) == before
    products = apply_tuned(run, tuned)
    after = sums(run)
    changed = {name for name in before if after.get(name) != before[name]}
    assert {"lightcurve.csv", "stars.csv", "fit.json", "model.csv", "measurements.csv"} <= changed
    assert {"comparisons.csv", "report.html", "run.toml", "figures/light_curve.png"} <= changed
    assert "figures/field.png" in changed, "stars have other roles there"
    assert "frames.csv" not in changed
    assert read_night(run).curve.flux.tobytes() == tuned.night.curve.flux.tobytes()
    record = tomllib.loads((run / "run.toml").read_text())
    assert record["tuned"]["options"] == "--drop some"
    assert record["settings"]["fit"]["covariates"] == ["airmass"]
    assert products.summary["covariates"].value == ("airmass",)
    assert products.summary["tuned"].value == "--drop some"
    again = read_night(run)
    assert again.recipe.excluded == (file,)
    own = choice_of(again.curve, again.measurements, again.settings, ("airmass",))
    assert own == tuned.tried[1].choice
    page = (run / "report.html").read_text()
    told = json.loads(re.search(r'id="night"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert told["choice"]["excluded"] == [file]
    assert told["untuned"]["rows"] == list(night.recipe.comparison_rows)
    written = read_curve(run / "lightcurve.csv")
    at = written.file.tolist().index(file)
    assert written.flags[at] & Flag.OUTLIER
    told = {str(f): v for f, v in zip(written.file, written.flux, strict=True)}
    there = [told[str(name)] for name in tuned.night.curve.file]
    assert np.array_equal(there, tuned.night.curve.flux, equal_nan=True)
    assert tune_run(run, replace(wishes, changes=NO_FIT)).applied == "--drop some"
    reset_run(run)
    assert sums(run) == before


def test_a_point_that_is_left_out_is_not_fitted(run):
    night = read_night(run)
    used = np.flatnonzero((night.curve.flags & int(NO_POINT)) == 0)[[2, 5]]
    files = [str(f) for f in night.measurements.file[used]]
    tuned = tune_run(run, Wishes(excluded=(files[0], Path(files[1]).stem), changes=NO_FIT))
    own, yours = tuned.tried
    assert own.fit.n_points - yours.fit.n_points == 2
    assert not yours.fit.used[used].any()
    assert yours.choice.excluded == tuple(files)


@pytest.mark.parametrize("letter", ["C", "S", "c", ""])
def test_stars_are_named_by_their_numbers(run, letter):
    night = read_night(run)
    rows = night.recipe.comparison_rows[:3]
    text = ",".join(f"{letter}{row + 1}" for row in rows)
    assert tune_run(run, Wishes((text,), changes=NO_FIT)).tried[1].choice.rows == rows
    kept = tune_run(run, Wishes(dropped=(text,), changes=NO_FIT)).tried[1].choice.rows
    assert kept == night.recipe.comparison_rows[3:]
    place = f"{night.stars.ra_deg[rows[0]]:.5f},{night.stars.dec_deg[rows[0]]:.5f}"
    assert tune_run(run, Wishes((place,), changes=NO_FIT)).tried[1].choice.rows == rows[:1]
    pixels = f"{night.stars.x_ref[rows[1]]:.0f},{night.stars.y_ref[rows[1]]:.0f}px"
    assert tune_run(run, Wishes((pixels,), changes=NO_FIT)).tried[1].choice.rows == rows[1:2]


def test_two_plain_numbers_are_a_place_as_for_run(run):
    with pytest.raises(InputError, match="away"):
        tune_run(run, Wishes(("4,7",), changes=NO_FIT))


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes(comparisons=("C400",)), "ids run from 1 to {stars}; "),
        (Wishes(comparisons=("T1",)), "target"),
        (Wishes(comparisons=("Vega",)), "ids"),
        (Wishes(dropped=("T1",)), "target"),
        (Wishes(aperture="47"), "px"),
        (Wishes(aperture="1.31 FWHM"), "FWHM"),
        (Wishes(aperture="nan"), "px"),
        (Wishes(weighting="scater"), "scatter"),
        (Wishes(excluded=("light_000.fits",)), "light_0001.fits"),
        (Wishes(excluded=("light_0005.fits",)), "cut short"),
        (Wishes(changes={"fit": {"covariates": ["airmas"]}}), "airmass"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(kept_run, wishes, told):
    with pytest.raises(InputError) as error:
        tune_run(kept_run[1], wishes)
    assert told.format(stars=len(kept_run[0].measurements.plan)) in str(error.value)
    assert "\n" not in str(error.value)


def test_all_stars_left_out_is_refused(kept_run):
    ids = ",".join(f"C{row + 1}" for row in kept_run[0].recipe.comparison_rows)
    with pytest.raises(InputError):
        tune_run(kept_run[1], Wishes(dropped=(ids,)))
    field = next(k for k, role in enumerate(kept_run[0].stars.role) if role == "field")
    with pytest.raises(InputError):
        tune_run(kept_run[1], Wishes(dropped=(str(field + 1),)))


def test_another_planet_moves_the_transit_and_a_far_one_is_refused(run, tmp_path):
    later = replace(PLANET, t0_bjd_tdb=PLANET.t0_bjd_tdb + 0.01)
    file = write_planet(tmp_path / "later.toml", later)
    tuned = tune_run(run, Wishes(changes={"target": {"planet_file": str(file)}}))
    assert tuned.night.target.planet.t0_bjd_tdb == later.t0_bjd_tdb
    far = write_planet(tmp_path / "far.toml", replace(PLANET, dec_deg=35.0))
    with pytest.raises(InputError):
        tune_run(run, Wishes(changes={"target": {"planet_file": str(far)}}))


def test_nothing_wished_is_nothing_to_apply(kept_run):
    with pytest.raises(InputError):
        apply_tuned(kept_run[1], Tuned(kept_run[0], ()))


def test_a_star_that_is_never_seen_leaves_no_curve(run, monkeypatch):
    night = read_night(run)
    flux = night.measurements.flux.copy()
    flux[:, 5] = np.nan
    blind = replace(night, measurements=replace(night.measurements, flux=flux))
    monkeypatch.setattr("lightcurve.night.tune.read_night", lambda _: blind)
    with pytest.raises(FitError):
        tune_run(run, Wishes(("C6",), changes=NO_FIT))
