"""The light that one disc takes from another, exactly, with its derivatives.

Green's theorem along the planet's limb (Pal 2012, MNRAS 420, 1630) turns the light behind the
planet into Bulirsch's complete elliptic integrals, whose every digit is known: a least-squares fit
needs derivatives as good as that.
"""

from __future__ import annotations

import numpy as np

APART = 1e-9  # planet's radius and its distance are kept: where they are equal p is infinite
ROUNDS = 40
CONVERGED = 1e-8  # quadratically: the error is the square of it


def occult(
    z: np.ndarray, rp: float, u1: float, u2: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Light taken, over the star's, by a planet of radius rp at distances z, and by rp and z.

    z: (n,) float array, not negative; all in stellar radii. I(mu) = 1 - u1 (1 - mu) - u2 (1 - mu)^2
    is the star's brightness.
    Returns (n,) float arrays: the loss, and its derivatives by rp and by z.
    """
    c0, c1, c2 = 1 - u1 - u2, u1 + 2 * u2, -u2
    total = np.pi * (c0 + 2 / 3 * c1 + c2 / 2)
    loss, by_rp, by_z = np.zeros((3, len(z)))
    loss[z <= rp - 1] = 1.0
    touched = (z < 1 + rp) & (z > rp - 1)
    d = z[touched]
    d = np.where(np.abs(d - rp) < APART, rp + APART, d)
    square, root = _even(d, rp, c0, c2), _linear(d, rp)
    loss[touched], by_rp[touched], by_z[touched] = (
        (even + c1 * odd) / total for even, odd in zip(square, root, strict=True)
    )
    return loss, by_rp, by_z


def _even(z: np.ndarray, rp: float, c0: float, c2: float) -> tuple[np.ndarray, ...]:
    """Work out c0 + c2 mu^2 behind the planet, and its derivatives: sines and arcs."""
    far = np.maximum(z, APART)
    # Half the arc of the planet's limb on the star, and of the star's behind the planet.
    arc = np.arccos(np.clip((z**2 + rp**2 - 1) / (2 * far * rp), -1, 1))
    behind = np.where(z > 1 - rp, np.arccos(np.clip((1 + z**2 - rp**2) / (2 * far), -1, 1)), 0.0)
    sine, twice = np.sin(arc), np.sin(2 * arc) / 2
    of_one = rp**2 * arc - z * rp * sine
    # 1 + mu^2 = sum - product cos(psi) with r^2 = z^2 + rp^2 - 2 z rp cos(psi)
    level, swing = 2 - z**2 - rp**2, 2 * z * rp
    of_cosine = rp**2 * sine - z * rp * (arc + twice) / 2
    light = c0 * (of_one + behind) + c2 / 2 * (level * of_one + swing * of_cosine + behind)
    mu2 = (level - 1) * arc + swing * sine
    mu2_cosine = (level - 1) * sine + swing * (arc + twice) / 2
    by_rp = 2 * rp * (c0 * arc + c2 * mu2)
    by_z = -2 * rp * (c0 * sine + c2 * mu2_cosine)
    return light, by_rp, by_z


def _linear(z: np.ndarray, rp: float) -> tuple[np.ndarray, ...]:
    """Work out mu behind the planet, and its derivatives: elliptic integrals."""
    apart = z - rp
    chord, product = 1 - apart**2, z * rp
    inside = z <= 1 - rp
    k2 = chord / np.where(inside, 1.0, 4 * product)  # below 1 where the limbs cross
    m = np.where(inside, 4 * product / chord, k2)
    kc = np.sqrt(np.maximum(1 - m, 1e-30))
    p = np.where(inside, ((z + rp) / apart) ** 2, apart**-2)
    one, nothing = np.ones_like(z), np.zeros_like(z)
    of_third = np.where(inside, kc**2, 0.0)
    along, across = np.array([[one, nothing, one], [nothing, one, of_third]])
    b, s, third = complete(kc, np.stack([one, one, p]), along, across)
    third = third / apart**2
    c4 = ((3 * m - 1) * b + kc**2 * s) / (3 * m + 1e-300)  # of cos^4
    e = b + kc**2 * s
    root = np.where(inside, np.sqrt(chord), np.sqrt(product))
    mu = np.where(inside, 2 * root * e, 4 * root * k2 * b)
    mu3 = np.where(
        inside,
        2 * root**3 * (e - m * (2 * kc**2 * s + b) / 3),
        16 * root**3 * k2**2 * c4,
    )
    mu_cosine = np.where(
        inside,
        2 * root * (b - kc**2 * s) / 3,
        4 * root * k2 * (b - 2 * k2 * (b - c4)),
    )
    over_r2 = np.where(inside, 2 * root, 4 * root * k2) * third
    turns = np.where(apart < 0, np.pi, 0.0)
    light = (2 * turns - mu3 - (rp**2 - z**2) * (over_r2 - mu)) / 3
    return light, 2 * rp * mu, -2 * rp * mu_cosine


def complete(kc: np.ndarray, p: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bulirsch's integral over (a cos^2 + b sin^2) / (cos^2 + p sin^2) / sqrt(cos^2 + kc^2 sin^2).

    From 0 to pi / 2; kc (n,), the others (..., n), p above 0 (Bulirsch 1969, Numer. Math. 13,
    305).
    """
    p = np.sqrt(p)
    b = b / p
    e, em, qc = kc, np.ones_like(kc), kc
    for _ in range(ROUNDS):
        f, g = a, e / p
        a, b, p = a + b / p, 2 * (b + f * g), g + p
        g, em = em, qc + em
        if np.all(np.abs(g - qc) <= CONVERGED * g):
            break
        qc = 2 * np.sqrt(e)
        e = qc * em
    answer: np.ndarray = np.pi / 2 * (b + a * em) / (em * (em + p))
    return answer
