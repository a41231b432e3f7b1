"""Limb darkening: a physical guess with an honest width, to be refined by the data.

The guess is a grey atmosphere in radiative equilibrium seen at one wavelength. For stars like the
Sun it comes within about 0.05 of tabulated coefficients (for example Claret & Bloemen 2011, A&A
529, A75); metallicity and gravity move them by less than that. Cool stars have molecular bands
and are further off. The width of the prior says so.
"""

from __future__ import annotations

import numpy as np

SOLAR_TEFF = 5772.0
HC_OVER_K = 1.438777e7  # nm K
# Effective wavelengths, nm. Unfiltered CCDs peak in the red; the names are those of `Exposure`.
WAVELENGTH_NM = {
    "U": 365, "B": 440, "V": 550, "R": 640, "Rc": 640, "I": 790, "Ic": 790, "up": 355, "gp": 475,
    "rp": 622, "ip": 763, "zp": 905, "zs": 870, "z": 900, "i": 763, "r": 622, "g": 475, "J": 1250,
    "H": 1650, "K": 2200, "Ks": 2160, "TB": 460, "TG": 530, "TR": 610, "CV": 600, "CR": 640,
    "Clear": 600, "I+z": 850, "CBB": 650, "TESS": 790,
}  # fmt: skip
DEFAULT_NM = 600.0


def limb_darkening_prior(
    teff_k: float | None, filter_name: str | None
) -> tuple[np.ndarray, float, str]:
    """Expect Kipping's q1 and q2 of a star in a filter.

    Parameters
    ----------
    teff_k : float or None
        Effective temperature; the Sun's is assumed when not known.
    filter_name : str or None
        A key of `WAVELENGTH_NM`; 600 nm is assumed when not known.

    Returns
    -------
    centre : (2,) float array
        q1, q2 (Kipping 2013, MNRAS 435, 2152).
    width : float
        One sigma of both: 0.1, or 0.2 for a star below 4500 K or of unknown temperature.
    note : str
        What was assumed.
    """
    wavelength = WAVELENGTH_NM.get(filter_name or "", DEFAULT_NM)
    teff = SOLAR_TEFF if teff_k is None else teff_k
    u1, u2 = grey_limb_darkening(teff, wavelength)
    width = 0.2 if teff_k is None or teff < 4500 else 0.1
    star = f"{teff:.0f} K" if teff_k is not None else f"unknown, taken as {teff:.0f} K"
    band = _band_words(filter_name)
    note = (
        f"limb darkening: quadratic, grey atmosphere at {wavelength:.0f} nm ({band}), star "
        f"{star}: u1 {u1:.2f}, u2 {u2:.2f}, prior width {width} in q1 and q2"
    )
    return to_kipping(u1, u2), width, note


def _band_words(filter_name: str | None) -> str:
    """Name the filter, or say that it is not known and what stands for it."""
    if filter_name in WAVELENGTH_NM:
        return str(filter_name)
    unknown = f"filter {filter_name!r} is unknown" if filter_name else "no filter is known"
    return f"{unknown}: taken as light of {DEFAULT_NM:.0f} nm, as without filter"


def grey_limb_darkening(teff_k: float, wavelength_nm: float) -> tuple[float, float]:
    """Fit the quadratic law to a grey atmosphere.

    Returns
    -------
    u1, u2 : float
        I(mu)/I(1) = 1 - u1 (1 - mu) - u2 (1 - mu)^2.

    Notes
    -----
    Milne-Eddington: T^4 = 3/4 Teff^4 (tau + 2/3), source function the Planck function, emergent
    intensity I(mu) = integral of B(T(tau)) exp(-tau/mu) d tau / mu, by Gauss-Laguerre quadrature.
    """
    nodes, weights = np.polynomial.laguerre.laggauss(24)
    mu = np.linspace(0.05, 1.0, 60)
    tau = mu[:, None] * nodes
    temperature = teff_k * (0.75 * (tau + 2 / 3)) ** 0.25
    intensity = (weights / np.expm1(HC_OVER_K / wavelength_nm / temperature)).sum(axis=1)
    loss = 1 - intensity / intensity[-1]
    design = np.column_stack([1 - mu, (1 - mu) ** 2])
    # Area on the disc goes as mu d mu.
    root = np.sqrt(mu)
    u1, u2 = np.linalg.lstsq(design * root[:, None], loss * root, rcond=None)[0]
    return float(u1), float(u2)


def to_kipping(u1: float, u2: float) -> np.ndarray:
    """Turn quadratic coefficients into Kipping's.

    Returns (2,) float array, q1 = (u1 + u2)^2 and q2 = u1 / (2 (u1 + u2)), kept inside 0.01 to
    0.99.
    """
    total = max(u1 + u2, 1e-6)
    return np.clip([total**2, 0.5 * u1 / total], 0.01, 0.99)


def from_kipping(q1: float, q2: float) -> tuple[float, float]:
    """Turn Kipping's coefficients into the quadratic ones.

    Parameters
    ----------
    q1, q2 : float
        Between 0 and 1: every such pair is a physical limb darkening.
    """
    root = float(np.sqrt(q1))
    return 2 * root * q2, root * (1 - 2 * q2)
