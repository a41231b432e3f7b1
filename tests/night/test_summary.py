"""What the result says of scatter and place: no more than is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import Assumed, Criterion, Solution, label_results
from lightcurve.core.flags import Flag
from lightcurve.curve.noise import FieldNoise
from lightcurve.night.products import describe_scatter
from lightcurve.night.settle import _describe_noise, merge_values
from lightcurve.setup.solving import describe_solution


@pytest.mark.parametrize(
    ("criterion", "n", "said"),
    [
        (Criterion.OUTSIDE, 40, {"scatter out of transit": "0.25 %"}),
        (Criterion.NEIGHBOURS, 40, {"scatter, point to point": "0.25 %"}),
        (Criterion.NEIGHBOURS, 6, {"scatter, point to point": "0.25 %, from 6 points"}),
    ],
    ids=["outside", "no planet", "few"],
)
def test_scatter_is_named_after_the_points_it_is_of(criterion, n, said) -> None:
    flux = np.append(np.ones(n + 2), np.nan)
    recipe = SimpleNamespace(criterion=criterion, target_scatter=0.0025)
    flags = np.zeros(n + 3, np.uint16)
    flags[:3] = Flag.MENDED, Flag.CLOUD | Flag.MENDED, Flag.CLOUD
    flags[-1] = Flag.NO_COMPARISON | Flag.EDGE
    curve = SimpleNamespace(flux=flux, flags=flags, need_recipe=lambda: recipe)
    results = describe_scatter(curve)
    told = f"{n} of {n + 3}; 3 left out (2 cloud, 1 edge and no-comparison)"
    assert label_results(results) == {**said, "points": told}
    assert (results["points"].value, results["points_lost"].value) == (n, 3)
    assert [r.value for r in results.values() if r.unit == "%"] == [0.25]


def test_a_scatter_that_is_not_known_is_no_number() -> None:
    recipe = SimpleNamespace(criterion=Criterion.NEIGHBOURS, target_scatter=np.nan)
    flux, flags = np.ones(34), np.zeros(34, np.uint16)
    curve = SimpleNamespace(flux=flux, flags=flags, need_recipe=lambda: recipe)
    told = label_results(describe_scatter(curve))["scatter, point to point"]
    assert not any(sign in told for sign in ("nan", "%"))


def test_a_wcs_that_nothing_confirms_is_told_in_brief() -> None:
    solution = Solution(
        wcs=None, solver="header", n_matched=0, rms_arcsec=np.nan, scale_arcsec=1.2,
        rotation_deg=0.0, parity=1, detail="not checked: 0 known stars; local: no index files",
    )  # fmt: skip
    brief = "WCS of the header, not checked; 1.2000 arcsec a pixel"
    assert describe_solution(solution, brief=True) == brief
    assert "no index files" in describe_solution(solution)


def test_a_gain_that_was_measured_takes_the_place_of_the_assumed_one() -> None:
    settled = (
        Assumed("gain", 1.0, "e-/ADU", "assumed", "1 e-/ADU", guessed=True),
        Assumed("scale", 1.0, "arcsec/px", "local", "1 arcsec/px"),
    )
    found = (
        Assumed("noise floor", 0.2, "%", "stars", "0.2 %"),
        Assumed("gain", 20.0, "e-/ADU", "stars", "20 +- 2 e-/ADU", err=2.0),
    )
    assert "err" not in settled[0].record
    assert found[1].record["err"] == 2.0
    assert merge_values(settled, found) == (found[1], settled[1], found[0])


def test_a_floor_that_depends_on_the_aperture_is_told_for_all():
    """Among crowded stars that of the middle aperture is far above the one which is taken."""
    for floor, numbers in (([0.007, 0.03, 0.05], {0.7, 3.0, 5.0}), ([0.001, 0.001, 0.0011], {0.1})):
        noise = FieldNoise(1.5, 0.0, np.array(floor), 20, np.ones(3))
        told = _describe_noise(noise)[0]
        assert told.value == pytest.approx(100 * floor[1])
        found = {float(part) for part in told.text.split() if part[0].isdigit()}
        assert found == numbers
