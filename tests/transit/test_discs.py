"""The light behind a disc against integrals over rings, and its derivatives against differences."""

import numpy as np
import pytest

from lightcurve.transit.discs import occult

U1, U2 = 0.45, 0.2


def ring_integral(z, rp, n=20000):
    """Loss by rings about the star's middle: intensity times the arc that the planet covers."""
    low = abs(z - rp)
    high = max(low, min(1.0, z + rp))
    t = (np.arange(n) + 0.5) * np.pi / n  # takes the roots off both ends
    r = (low + high) / 2 - (high - low) / 2 * np.cos(t)
    arc = np.arccos(np.clip((r**2 + z**2 - rp**2) / (2 * r * z), -1, 1))
    behind = np.sum(limb(r) * 2 * r * arc * np.sin(t)) * (high - low) / 2 * np.pi / n
    whole = (np.arange(n) + 0.5) / n * min(1.0, max(rp - z, 0.0))
    behind += np.mean(limb(whole) * 2 * np.pi * whole) * min(1.0, max(rp - z, 0.0))
    return behind / (np.pi * (1 - U1 / 3 - U2 / 6))


def limb(r):
    mu = np.sqrt(np.clip(1 - r**2, 0, None))
    return 1 - U1 * (1 - mu) - U2 * (1 - mu) ** 2


@pytest.mark.parametrize("rp", [0.003, 0.1, 0.5, 0.97, 1.0, 1.3])
def test_the_loss_is_the_integral_over_the_disc(rp):
    touch = abs(1 - rp)
    special = [rp, rp - 1e-7, rp + 1e-7, touch + 1e-7, touch + 1e-4, 1 + rp - 1e-5, 1e-6]
    z = np.append(np.random.default_rng(1).uniform(1e-3, 1 + rp, 60), special)
    found, truth = occult(z, rp, U1, U2)[0], [ring_integral(one, rp) for one in z]
    np.testing.assert_allclose(found, truth, atol=8e-9)


@pytest.mark.parametrize("rp", [0.01, 0.15, 0.6])
def test_derivatives_are_those_of_the_loss(rp):
    z = np.random.default_rng(2).uniform(0.01, 1 + rp, 300)
    z = z[(abs(z - (1 - rp)) > 1e-3) & (abs(z - (1 + rp)) > 1e-3)]
    h = 1e-6
    _, by_rp, by_z = occult(z, rp, U1, U2)
    numeric = (occult(z, rp + h, U1, U2)[0] - occult(z, rp - h, U1, U2)[0]) / (2 * h)
    np.testing.assert_allclose(by_rp, numeric, atol=1e-6)
    numeric = (occult(z + h, rp, U1, U2)[0] - occult(z - h, rp, U1, U2)[0]) / (2 * h)
    np.testing.assert_allclose(by_z, numeric, atol=1e-6)


def test_ends():
    z = np.array([0.0, 1.2, 5.0, np.inf])
    loss, by_rp, by_z = occult(z, 0.1, 0.0, 0.0)
    np.testing.assert_allclose(loss, [0.01, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(by_rp, [0.2, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(by_z, 0, atol=1e-12)
    assert occult(np.array([0.1]), 1.3, U1, U2)[0][0] == 1
