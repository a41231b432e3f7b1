"""Limb darkening, against other models of atmospheres, a grey one, and the Sun's as measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightcurve.transit.limb_darkening import (
    BROAD,
    HC_OVER_K,
    LADDER,
    WAVELENGTH_NM,
    band_shares,
    fit_quadratic,
    from_kipping,
    limb_darkening_prior,
    the_table,
    to_kipping,
)

MU = np.linspace(0.05, 1.0, 60)


def _law(filter_name, teff, logg=4.4, feh=0.0):
    shares, _ = band_shares(filter_name, teff)
    return the_table().quadratic(shares, teff, logg, feh)


def _grey(teff, nm):
    """Milne and Eddington's: T^4 = 3/4 Teff^4 (tau + 2/3), by Gauss-Laguerre quadrature."""
    nodes, weights = np.polynomial.laguerre.laggauss(24)
    temperature = teff * (0.75 * (MU[:, None] * nodes + 2 / 3)) ** 0.25
    intensity = (weights / np.expm1(HC_OVER_K / nm / temperature)).sum(axis=1)
    return fit_quadratic(MU, 1 - intensity / intensity[-1])


@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98))
def test_kipping_goes_there_and_back(q1, q2):
    assert to_kipping(*from_kipping(q1, q2)) == pytest.approx([q1, q2], rel=1e-9)


def test_the_suns_disc_is_as_measured():
    # Continuum between lines, Neckel & Labs (1994, Solar Phys. 153, 91), at mu = 0.5; broad bands
    # with their lines are darker by some hundredths.
    for band, expected in (("B", 0.62), ("V", 0.70), ("I", 0.79)):
        u1, u2 = _law(band, 5772.0)
        assert 1 - u1 * 0.5 - u2 * 0.25 == pytest.approx(expected, abs=0.05), band


# Quadratic coefficients of PHOENIX atmospheres, computed by others: Claret et al. 2013 (A&A 552,
# A16) and Claret 2017 (A&A 600, A30).
@pytest.mark.parametrize(
    ("band", "teff", "logg", "theirs"),
    [("V", 5051, 4.61, (0.7172, 0.0284)), ("K", 5800, 4.0, (0.132, 0.183))],
)
def test_other_models_are_near(band, teff, logg, theirs):
    ours, theirs = to_kipping(*_law(band, teff, logg)), to_kipping(*theirs)
    np.testing.assert_allclose(ours, theirs, atol=0.08)


# The power-2 law of 3D models, I = 1 - c (1 - mu^alpha) (Maxted 2018, A&A 616, A39).
@pytest.mark.parametrize(
    ("band", "teff", "logg", "feh", "c", "alpha"),
    [
        ("B", 5000, 4.5, 0.0, 0.8483, 0.9985),
        ("B", 6000, 4.5, -1.0, 0.8617, 0.6947),
        ("V", 5000, 4.5, -1.0, 0.8450, 0.7285),
        ("V", 6000, 4.5, 0.0, 0.7605, 0.6696),
        ("I", 5500, 4.5, 0.0, 0.6548, 0.5876),
        ("TESS", 5000, 4.5, 0.0, 0.6936, 0.6665),
        ("TESS", 6000, 4.5, 0.0, 0.6412, 0.5520),
    ],
)
def test_three_dimensional_models_are_near(band, teff, logg, feh, c, alpha):
    theirs = to_kipping(*fit_quadratic(MU, c * (1 - MU**alpha)))
    np.testing.assert_allclose(to_kipping(*_law(band, teff, logg, feh)), theirs, atol=0.09)


@pytest.mark.parametrize("teff", [4500, 5500, 6500])
def test_a_grey_atmosphere_is_of_the_same_order(teff):
    for band in ("V", "R", "I", "J"):
        u1, u2 = _law(band, teff)
        v1, v2 = _grey(teff, WAVELENGTH_NM[band])
        mean, grey = u1 / 3 + u2 / 6, v1 / 3 + v2 / 6  # of the light lost over the disc
        assert mean == pytest.approx(grey, rel=0.3), (band, mean, grey)


@pytest.mark.parametrize("logg", [3.5, 4.5])
def test_limbs_are_darker_in_the_blue_and_of_cooler_stars(logg):
    bands = [band for band in LADDER if band not in {"U"}]  # below the Balmer jump it turns
    for teff in range(5000, 8001, 500):
        lost = [u1 / 3 + u2 / 6 for u1, u2 in (_law(band, teff, logg) for band in bands)]
        assert np.all(np.diff(lost) < 0.003), teff
    for band in ("V", "R", "I", "zp"):
        lost = [u1 / 3 + u2 / 6 for u1, u2 in (_law(band, t, logg) for t in range(4500, 7001, 250))]
        assert np.all(np.diff(lost) < 0.003), band


def test_gravity_and_metals_count():
    plain = limb_darkening_prior(5000, "V", logg=4.5, feh=0.0)[0]
    assert np.abs(limb_darkening_prior(5000, "V", logg=3.0, feh=0.0)[0] - plain).max() > 0.002
    assert np.abs(limb_darkening_prior(5000, "V", logg=4.5, feh=-1.0)[0] - plain).max() > 0.02


def test_a_broad_band_lies_between_those_it_is_made_of():
    for name, parts in BROAD.items():
        sums = [sum(_law(band, 6000.0)) for band in parts]
        assert min(sums) < sum(_law(name, 6000.0)) < max(sums), name
        assert sum(band_shares(name, 6000.0)[0].values()) == pytest.approx(1.0)
    # Hotter light is bluer.
    assert band_shares("CV", 9000.0)[0]["gp"] > band_shares("CV", 4000.0)[0]["gp"]


def test_every_filter_has_its_band_or_two():
    for name in WAVELENGTH_NM:
        shares, words = band_shares(name, 5772.0)
        assert sum(shares.values()) == pytest.approx(1.0)
        assert name in words
    shares, _ = band_shares("TG", 5772.0)  # 530 nm
    assert shares == pytest.approx({"gp": 20 / 75, "V": 55 / 75})


def test_the_error_is_a_floor_with_those_of_the_star():
    errors = {"teff_k": 50.0, "logg": 0.05, "feh": 0.05}
    star = {"logg": 4.4, "feh": 0.0}
    _, sure, _ = limb_darkening_prior(6000, "V", **star, errors=errors)
    _, vague, _ = limb_darkening_prior(6000, "V", **star, errors=errors | {"teff_k": 600.0})
    slope = to_kipping(*_law("V", 6600)) - to_kipping(*_law("V", 5400))
    assert np.all(sure >= 0.1)
    np.testing.assert_allclose(sure, 0.1, atol=0.003)
    np.testing.assert_allclose(vague**2 - sure**2, (slope / 2) ** 2, atol=3e-4)
    assert limb_darkening_prior(4000, "V", **star)[1].min() >= 0.2


def test_what_is_assumed_is_told():
    _, narrow, _ = limb_darkening_prior(6000, "V", logg=4.4, feh=0.0)
    _, wide, note = limb_darkening_prior(None, None)
    assert np.all(narrow < wide)
    assert note.count("(assumed)") == 3
    assert "no filter is known" in note
    assert "filter 'Zorro' is unknown" in limb_darkening_prior(6000, "Zorro")[2]
    assert "unknown" not in limb_darkening_prior(6000, "V")[2]


def test_beyond_the_table_its_edge_is_taken_with_a_wider_error():
    at, inside, _ = limb_darkening_prior(3500, "I", logg=5.0, feh=0.0)
    beyond, wider, note = limb_darkening_prior(2600, "I", logg=5.0, feh=0.0)
    np.testing.assert_allclose(beyond, at)
    assert np.all(wider > inside + 0.1)
    assert "taken at 3500 K" in note
