"""Fit a TAN or TAN-SIP WCS to stars whose places on the sky are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS

GRID = 12


def tangent_wcs(crval: np.ndarray, crpix: np.ndarray, cd: np.ndarray, *, sip: bool = False) -> WCS:
    """Make a gnomonic WCS.

    crval: (2,) float array, RA and Dec of the reference point, degrees; crpix: (2,) float array,
    its pixel, counted from 0; cd: (2, 2) float array, degrees per pixel; sip: name the projection
    as one that SIP terms go with.
    """
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    suffix = "-SIP" if sip else ""
    wcs.wcs.ctype = [f"RA---TAN{suffix}", f"DEC--TAN{suffix}"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.crval = crval
    wcs.wcs.crpix = np.asarray(crpix) + 1
    wcs.wcs.cd = cd
    wcs.wcs.set()
    return wcs


def fit_wcs(
    xy: np.ndarray, sky: np.ndarray, crval: np.ndarray, crpix: np.ndarray, *, order: int = 1
) -> WCS:
    """Fit a WCS by linear least squares.

    With (u, v) the pixel from `crpix` and (xi, eta) the star projected on the plane tangent at
    `crval`, ``xi = CD11 (u + f) + CD12 (v + g)`` and so for eta, where f and g are SIP's
    polynomials, is a polynomial of the same order in u and v: linear in its coefficients. What is
    constant in it moves `crval`; three rounds bring that under 1e-9 of a pixel.

    xy: (n, 2) float array, pixels, from 0; sky: (n, 2) float array, RA and Dec, degrees; crval,
    crpix: (2,) float arrays, reference point: rough place on the sky, and exact pixel from 0;
    order: 1 for a plain TAN, 2 to 5 for SIP.
    """
    uv = xy - np.asarray(crpix)
    # Scaled to about one, so that high powers do not ruin the matrix.
    size = float(np.abs(uv).max()) or 1.0
    powers = [(p, q) for total in range(order + 1) for q in range(total + 1) for p in (total - q,)]
    basis = np.stack([(uv[:, 0] / size) ** p * (uv[:, 1] / size) ** q for p, q in powers], axis=1)
    crval = np.array(crval, dtype=float)
    for _ in range(4):
        plane = tangent_wcs(crval, np.zeros(2), np.eye(2))
        standard = np.column_stack(plane.wcs_world2pix(sky[:, 0], sky[:, 1], 0))
        terms = np.linalg.lstsq(basis, standard, rcond=None)[0]
        crval = np.array(plane.wcs_pix2world(*terms[0], 0), dtype=float)
    weights = np.array([size ** (p + q) for p, q in powers])
    terms = terms / weights[:, None]
    cd = terms[1:3].T
    wcs = tangent_wcs(crval, crpix, cd, sip=order > 1)
    if order > 1:
        wcs.sip = _sip(powers, np.linalg.solve(cd, terms.T), uv, order, wcs.wcs.crpix)
    return wcs


def _sip(
    powers: list[tuple[int, int]], terms: np.ndarray, uv: np.ndarray, order: int, crpix: np.ndarray
) -> object:
    """Write the terms above the first order as SIP, with an inverse fitted on a grid."""
    from astropy.wcs import Sip

    a, b = np.zeros((2, order + 1, order + 1))
    for (p, q), x, y in zip(powers, *terms, strict=True):
        if p + q > 1:
            a[p, q], b[p, q] = x, y
    low, high = uv.min(axis=0), uv.max(axis=0)
    u, v = (
        part.ravel()
        for part in np.meshgrid(*(np.linspace(*ends, GRID) for ends in zip(low, high, strict=True)))
    )
    du, dv = (sum(c[p, q] * u**p * v**q for p, q in powers) for c in (a, b))
    # The inverse of a polynomial is not one: one order more keeps it good to a few 1e-3 px.
    back = [(p, q) for p in range(order + 2) for q in range(order + 2 - p)]
    size = max(float(np.abs(uv).max()), 1.0)
    basis = np.stack([((u + du) / size) ** p * ((v + dv) / size) ** q for p, q in back], axis=1)
    found = np.linalg.lstsq(basis, np.column_stack([-du, -dv]), rcond=None)[0]
    ap, bp = np.zeros((2, order + 2, order + 2))
    for (p, q), (x, y) in zip(back, found, strict=True):
        ap[p, q], bp[p, q] = x / size ** (p + q), y / size ** (p + q)
    return Sip(a, b, ap, bp, crpix)
