"""Light curves fitted as one: derivatives, what is shared, and the posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import KnownDuration
from lightcurve.core.settings import FitSettings
from lightcurve.transit.ephemeris import contact_duration
from lightcurve.transit.fit import solve_and_judge
from lightcurve.transit.joint import fit_together
from lightcurve.transit.model import TransitModel
from lightcurve.transit.problem import make_priors
from lightcurve.transit.sample import sample_posterior
from lightcurve.transit.solve import Points
from sim_season import PLANET, THETA, curve_of

EPOCHS = np.array([0, 3, 40])
BANDS = ("V", "Rc", "V")


@pytest.fixture(scope="module")
def solutions():
    rng = np.random.default_rng(11)
    curves = [
        curve_of(PLANET.t0_bjd_tdb + 2.5 * e, rng, cadence_s=400.0, filter_name=band)
        for e, band in zip(EPOCHS, BANDS, strict=True)
    ]
    return [
        solve_and_judge(
            Points(*curve, 400.0, filter_name=band), PLANET, settings=FitSettings(sample=False)
        )[1]
        for curve, band in zip(curves, BANDS, strict=True)
    ]


@pytest.fixture(scope="module")
def linear(solutions):
    return fit_together(solutions, BANDS, ephemeris=(EPOCHS, PLANET.t0_bjd_tdb, 2.5))


def test_what_is_shared_is_one_parameter(solutions):
    joint = fit_together(solutions, BANDS).joint
    assert joint.names == (
        "mid:0", "mid:1", "mid:2", "rp_over_rs", "a_over_rs", "impact_parameter",
        "q1:V", "q2:V", "q1:Rc", "q2:Rc",
    )  # fmt: skip
    both = fit_together(solutions, BANDS, depth_by_filter=True).joint
    assert {"rp_over_rs:V", "rp_over_rs:Rc"} < {*both.names}
    p = joint.priors.centre + 0.001
    assert joint.theta(0, p)[4] == joint.theta(2, p)[4] != joint.theta(1, p)[4]


def test_the_shape_and_the_times_are_those_put_in(solutions, linear):
    free = fit_together(solutions, BANDS)
    mids, cov = free.mids()
    assert np.all(np.abs(mids - PLANET.t0_bjd_tdb - 2.5 * EPOCHS) < 3.5 * np.sqrt(np.diag(cov)))
    for one in (free, linear):
        at = one.joint.names.index("rp_over_rs")
        assert abs(one.p[at] - THETA[1]) < 3 * np.sqrt(one.cov[at, at])
    assert linear.p[0] == pytest.approx(0.0, abs=3 * np.sqrt(linear.cov[0, 0]))
    assert linear.p[1] == pytest.approx(0.0, abs=3 * np.sqrt(linear.cov[1, 1]))


def _through(one, **changes):
    """Give a solution a planet in diluted light, as deep as before."""
    theta = one.theta.copy()
    theta[1] /= np.sqrt(changes["dilution"])
    model = TransitModel(one.problem.time, replace(PLANET, **changes), 400.0 / DAY_S)
    return replace(one, problem=replace(one.problem, model=model), theta=theta)


def test_durations_count_once_however_many_nights(solutions):
    planet = replace(
        PLANET, free=("a_over_rs", "impact_parameter"), durations=(KnownDuration(0.1, 0.002),)
    )
    nights = [
        replace(
            one,
            problem=replace(one.problem, priors=make_priors(planet, one.problem.time, "V")),
        )
        for one in solutions
    ]
    found = fit_together(nights, ("V",) * 3)
    joint, p = found.joint, found.joint.priors.centre + 1e-3
    at = joint.names.index("impact_parameter")
    assert 0 < found.cov[at, at] < 2
    n = sum(len(one.time) for one in joint.problems)
    off = (contact_duration(planet, rp=p[3], a=p[4], b=p[5]) - 0.1) / 0.002
    assert joint.residuals(p)[-1] == pytest.approx(off)
    assert joint.residuals(p).shape == (n + len(p) + 1,)
    assert joint.jacobian(p).shape == (n + len(p) + 1, len(p))
    chances = joint.log_probabilities(np.array([p, p + 1e-4]))
    squares = [-0.5 * np.sum(joint.residuals(q) ** 2) for q in (p, p + 1e-4)]
    assert chances[1] - chances[0] == pytest.approx(squares[1] - squares[0], abs=1e-6)


def test_the_error_of_a_dilution_is_in_the_shared_radius(solutions):
    """Once for a filter, however many nights: nights do not average it away."""
    share, error = 0.8, 0.04
    seen = [
        [
            _through(one, dilution=share, errors={**PLANET.errors, "dilution": e})
            for one in solutions
        ]
        for e in (error, 0.0)
    ]
    wide, narrow = (fit_together(those, ("V",) * 3) for those in seen)
    at = wide.joint.names.index("rp_over_rs")
    assert wide.joint.names[-1] == "dilution_sigma:V"
    assert wide.p[at] == pytest.approx(narrow.p[at], rel=1e-3)
    expected = np.hypot(np.sqrt(narrow.cov[at, at]), wide.p[at] * error / share / 2)
    assert np.sqrt(wide.cov[at, at]) == pytest.approx(expected, rel=0.05)


def test_derivatives_are_those_of_the_residuals(linear):
    joint, p = linear.joint, linear.p
    matrix = joint.jacobian(p)
    for column, step in ((0, 1e-4), (1, 3e-6), (2, 1e-4), (5, 1e-3)):
        shift = np.zeros(len(p))
        shift[column] = step
        plain = (joint.residuals(p + shift) - joint.residuals(p - shift)) / (2 * step)
        assert matrix[:, column] == pytest.approx(plain, abs=0.02 * np.abs(plain).max())


def test_samples_are_as_wide_as_the_least_squares_say(linear):
    drawn = sample_posterior(
        linear.joint, linear.p, linear.cov, rng=np.random.default_rng(1), max_steps=250
    )
    sigma = np.sqrt(np.diag(linear.cov))
    assert drawn.samples.std(axis=0)[:3] == pytest.approx(sigma[:3], rel=0.3)
    assert np.abs((drawn.samples.mean(axis=0) - linear.p) / sigma)[:3].max() < 0.6
    assert drawn.walkers == 24
