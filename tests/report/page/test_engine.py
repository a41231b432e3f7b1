"""The page's own reckoning against the program's: the same curves, flags and fits."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Choice, Planet
from lightcurve.core.errors import FitError
from lightcurve.core.flags import Flag
from lightcurve.core.settings import make_settings
from lightcurve.curve.blend import Blend, Companion, field_profile
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.form import star_curves
from lightcurve.curve.retake import retake
from lightcurve.report.page import cube as page_cube
from lightcurve.report.page.cube import Observed, cube_rows, make_cube, pack_star_curves
from lightcurve.transit.discs import occult
from lightcurve.transit.ephemeris import mark_transit
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux
from lightcurve.transit.quick import quick_fit
from page_scripts import Scripts, array, assert_same, recomputed, unpacked
from sim_cube import CubeTruth, cube_times, simulate_cube

N = 120
PLANET = Planet("b", 10.0, 20.0, 2.0, 2460000.68, 0.12, 9.0, 88.5, teff_k=5800.0)
EXPOSURE_S = 100.0
SETTINGS = make_settings({})
AIJ = make_settings({"apertures": {"style": "aij"}})


@pytest.fixture(scope="module")
def scripts():
    with closing(Scripts()) as v8:
        yield v8


def make_night(seed, *, planet=PLANET, n=N, damage=True, **truth):
    """A night with all that happens to one: gaps, flags, lost stars, wild points."""
    rng = np.random.default_rng(seed)
    truth = CubeTruth(**({"n_stars": 14} | truth))
    dip = np.ones(n)
    if planet is not None:
        q = limb_darkening_prior(planet.teff_k, "R")[0]
        b = planet.a_over_rs * np.cos(np.radians(planet.inclination_deg))
        theta = np.array([planet.t0_bjd_tdb + 0.003, 0.115, planet.a_over_rs, b, *q])
        dip = transit_flux(cube_times(n, truth), theta, planet, exposure_days=EXPOSURE_S / 86400)
    m = simulate_cube(dip, truth, rng)
    flux, flags = m.flux.copy(), m.flags.copy()
    if damage:
        flux[rng.integers(0, n, 3), 0] *= 1.05
        flux[rng.integers(0, n, 6), rng.integers(1, 14, 6)] *= 1.3
        flux[rng.integers(0, n, 5), rng.integers(1, 14, 5), rng.integers(0, 6, 5)] = np.nan
        flags[rng.integers(0, n, 9), rng.integers(0, 14, 9)] |= np.uint16(Flag.SATURATED)
        flags[: n // 3, 5] |= np.uint16(Flag.NOT_MEASURED)
        flags[:, 6] |= np.uint16(Flag.EDGE)
    fwhm = m.fwhm_px.copy()
    fwhm[rng.integers(0, n, 2)] = np.nan
    return replace(m, flux=flux, flags=flags, fwhm_px=fwhm)


def as_kept(m, cube):
    """The measurements with the digits that the page has."""
    flux, err, step = (numbers(cube[name]) for name in ("flux", "flux_err", "flux_step"))
    rows = cube["rows"]
    kept = {"flux": m.flux.copy(), "flux_err": m.flux_err.copy()}
    kept["flux"][:, rows] = np.where(flux == -(2**31), np.nan, flux * step)
    kept["flux_err"][:, rows] = err
    return replace(m, **kept)


def numbers(packed):
    found = unpacked(packed)
    return array(found["block"]).reshape(found["shape"])


def predicted(m, planet):
    known = planet is not None and np.isfinite(m.bjd_tdb).any()
    return mark_transit(planet, m.bjd_tdb) if known else None


def by_program(m, settings, choice, planet=PLANET, blend=None):
    inside = predicted(m, planet)
    curve = retake(m, settings, choice, in_transit=inside, blend=blend)
    fit = quick_fit(
        curve, planet, choice.covariates, exposure_s=EXPOSURE_S, filter_name="R",
        dilution=settings.fit.dilution,
    )  # fmt: skip
    return curve, fit


def by_page(scripts, m, settings, choice, planet=PLANET, blend=None):
    inside = predicted(m, planet)
    own = choose_curve(m, settings, in_transit=inside, blend=blend)
    night = Observed(settings, inside, blend, planet, EXPOSURE_S, "R")
    cube = make_cube(m, cube_rows(m, own), own, night)
    scripts.keep("data", {"cube": cube, "frames": {"file": m.file.tolist()}})
    return recomputed(scripts, choice), as_kept(m, cube)


CHOICES = [
    Choice((1, 2, 3, 4, 5, 7, 8), 2, "scatter", ("airmass",)),
    Choice((3, 9), 0, "scatter", ()),
    Choice((4,), 1, "scatter", ("time", "airmass")),
    Choice(tuple(range(1, 14)), 8, "scatter", ("airmass", "x", "fwhm", "comparison_flux")),
    Choice(tuple(range(1, 14)), 3, "sum", ("airmass", "sky")),
    Choice((2, 5, 6, 11), 10, "sum", ("meridian_flip", "y"), ("simulated-0033.fits",)),
]


def test_a_night_without_room_is_kept_with_fewer_digits(scripts, monkeypatch):
    monkeypatch.setattr(page_cube, "BUDGET", 75_000)
    m, choice = make_night(7), CHOICES[0]
    result, kept = by_page(scripts, m, SETTINGS, choice)
    assert np.nanmax(np.abs(kept.flux_err / m.flux_err - 1)) > 1e-7
    assert_same(result, *by_program(kept, SETTINGS, choice), rtol=1e-9, of_weights=1e-9)
    assert_same(result, *by_program(m, SETTINGS, choice))


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("truth", [{}, {"flip": True, "drift_px": 300.0}, {"cloud": True}])
def test_the_page_and_the_program_agree(scripts, choice, truth):
    m = make_night(7, **truth)
    result, kept = by_page(scripts, m, SETTINGS, choice)
    assert_same(result, *by_program(kept, SETTINGS, choice), rtol=1e-9, of_weights=1e-9)
    assert_same(result, *by_program(m, SETTINGS, choice))


def unlike(m, case):
    """A night of a kind that the others are not."""
    n, nothing = len(m.file), np.full(len(m.file), np.nan)
    if case == "width":  # one aperture that follows the seeing, as AstroImageJ has it
        kept = {name: getattr(m, name)[:, :, 2:3] for name in ("flux", "flux_err", "peak", "flags")}
        radius = np.linspace(4, 6, n)
        return replace(m, radii=m.radii[2:3], radius_used=radius, fwhm_factor=1.4, **kept)
    changes = {
        "no clock of the barycentre": {"bjd_tdb": nothing},
        "no airmass": {"airmass": nothing},
        "no seeing": {"fwhm_px": nothing},
        "few radii": {"radii": m.radii[:2]}
        | {name: getattr(m, name)[:, :, :2] for name in ("flux", "flux_err", "peak", "flags")},
        "half of a transit": {"bjd_tdb": m.bjd_tdb + 0.13},
        "none": {"bjd_tdb": m.bjd_tdb + 0.9},
        "a gap": {"jd_utc": m.jd_utc + np.where(np.arange(n) > n // 3, 0.1, 0.0)},
        "times out of order": {"jd_utc": np.roll(m.jd_utc, 7), "bjd_tdb": np.roll(m.bjd_tdb, 7)},
        "as it is": {},
    }
    return replace(m, **changes[case])


CASES = [
    ("width", AIJ, PLANET), ("no clock of the barycentre", SETTINGS, PLANET),
    ("no airmass", SETTINGS, PLANET), ("no seeing", SETTINGS, PLANET),
    ("few radii", AIJ, PLANET), ("half of a transit", SETTINGS, PLANET),
    ("none", SETTINGS, PLANET), ("a gap", SETTINGS, PLANET),
    ("times out of order", SETTINGS, PLANET), ("as it is", SETTINGS, None),
    ("as it is", SETTINGS, replace(PLANET, eccentricity=0.4, omega_deg=250.0)),
    ("as it is", SETTINGS, replace(PLANET, inclination_deg=70.0)),
    ("as it is", SETTINGS, replace(PLANET, dilution=0.7)),
    ("as it is", make_settings({"fit": {"dilution": (0.9, 0.01)}}), PLANET),
]  # fmt: skip


@pytest.mark.parametrize(("case", "settings", "planet"), CASES)
def test_nights_of_other_kinds(scripts, case, settings, planet):
    m = unlike(make_night(11), case)
    plain = Choice(tuple(range(1, 14)), 0, "scatter", ("airmass", "time"))
    added = replace(plain, weighting="sum", rows=(2, 3, 5))
    first, kept = by_page(scripts, m, settings, plain, planet)
    for result, choice in ((first, plain), (recomputed(scripts, added), added)):
        curve, fit = by_program(kept, settings, choice, planet)
        assert_same(result, curve, fit, rtol=1e-9, of_weights=1e-8)


@pytest.mark.parametrize(("n", "exposure"), [(6, 100.0), (9, 100.0), (25, 900.0), (1300, 100.0)])
def test_short_and_long_nights(scripts, n, exposure):
    m = make_night(5, n=n, cadence_s=120 * 120 / n, exposure_s=exposure, damage=n > 20)
    choice = Choice((1, 2, 3, 4, 7), 4, "scatter", ("airmass", "x", "y"))
    result, kept = by_page(scripts, m, SETTINGS, choice)
    assert_same(result, *by_program(kept, SETTINGS, choice), rtol=1e-8, of_weights=1e-8)


def test_light_of_a_star_beside_the_target_is_heeded_at_every_aperture(scripts):
    m = make_night(3)
    blend = Blend(field_profile(m), m.fwhm_px, (Companion(5.0, 2.0, 0.4, 0.02, "made up"),))
    shares = set()
    for aperture in (0, 5, 8):
        choice = Choice((1, 2, 3, 4, 8, 9), aperture, "scatter", ("airmass", "other_light"))
        result, kept = by_page(scripts, m, SETTINGS, choice, blend=blend)
        curve, fit = by_program(kept, SETTINGS, choice, blend=blend)
        assert_same(result, curve, fit, rtol=1e-9, of_weights=1e-8)
        shares.add(round(curve.dilution.value, 3))
    assert len(shares) == 3


@pytest.mark.parametrize(
    ("choice", "n"), [(Choice((6,), 2, "scatter"), 60), (Choice((1, 2), 2, "scatter"), 4)]
)
def test_a_choice_that_gives_no_curve_is_refused_in_words(scripts, choice, n):
    m = make_night(7)
    by_page(scripts, m, SETTINGS, CHOICES[0])
    flags = m.flags.copy()
    flags[n:, 0] |= np.uint16(Flag.EDGE)
    lost = replace(m, flags=flags)
    with pytest.raises(FitError):
        by_program(lost, SETTINGS, choice)
    own = choose_curve(m, SETTINGS)
    cube = make_cube(lost, cube_rows(m, own), own, Observed(SETTINGS))
    scripts.keep("data", {"cube": cube, "frames": {"file": m.file.tolist()}})
    with pytest.raises(Exception, match="no light curve at an aperture of"):
        recomputed(scripts, choice)


def test_rows_that_have_no_room_are_left_out(scripts):
    m = make_night(7)
    own = choose_curve(m, SETTINGS)
    rows = cube_rows(m, own)
    best = own.recipe.comparison_rows[int(np.argmax(own.recipe.weights))]
    assert rows[:2] == [0, best]
    assert {*own.recipe.comparison_rows, own.recipe.check_row} <= set(rows)
    cube = make_cube(m, rows[:5], own, Observed(SETTINGS))
    scripts.keep("data", {"cube": cube, "frames": {"file": m.file.tolist()}})
    result = recomputed(scripts, Choice(tuple(range(1, 14)), 2, "scatter"))
    assert set(result["rows"]) <= set(rows[1:5])


def test_curves_of_the_stars_are_those_of_the_program():
    m = make_night(7)
    own = choose_curve(m, SETTINGS)
    truth = star_curves(m, own)[0]
    for packed, values in zip(pack_star_curves(m, own), truth.T, strict=True):
        if packed is None:
            assert not np.isfinite(values).any()
            continue
        steps = numbers(packed["values"])
        shown = np.where(steps == 255, np.nan, packed["low"] + packed["step"] * steps)
        inside = np.isfinite(values) & (steps > 0) & (steps < 254)
        assert np.array_equal(np.isnan(shown), np.isnan(values))
        np.testing.assert_allclose(shown[inside], values[inside], atol=0.51 * packed["step"])
        assert inside.sum() > 0.9 * np.isfinite(values).sum()


@pytest.mark.parametrize("rp", [0.01, 0.15, 0.9, 1.2])
def test_the_discs_are_those_of_the_program(scripts, rp):
    z = np.append(np.random.default_rng(2).uniform(0, 1.1 + rp, 80), [0.0, rp, abs(1 - rp), 1 + rp])
    told = scripts.run(
        f"{z.tolist()}.map((z) => {{ const out = [0, 0, 0]; discs.occult(z, {rp}, 0.4, 0.2, out); "
        "return out; })"
    )
    np.testing.assert_allclose(np.array(told).T, occult(z, rp, 0.4, 0.2), atol=1e-11)


def test_blocks_packed_by_planes_are_joined(scripts):
    values = np.array([1.5, -2.25, 3e7], "f4")
    planes = values.view("u1").reshape(-1, 4).T.ravel().tolist()
    joined = f"new Float32Array(joinPlanes(Uint8Array.from({planes}).buffer, 4))"
    assert scripts.run(joined) == values.tolist()
