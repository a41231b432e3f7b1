"""How wide the stars are, and which apertures follow from it."""

from __future__ import annotations

import numpy as np

from lightcurve.errors import InputError

LADDER_FWHM = (0.75, 1.0, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3)  # aperture radii
ANNULUS_FWHM = (4.0, 7.0)
MIN_RADIUS, MIN_INNER, MIN_WIDTH = 1.5, 8.0, 6.0


def choose_radii(fwhm: float) -> tuple[np.ndarray, tuple[float, float]]:
    """Choose a ladder of aperture radii and the sky annulus from the seeing.

    Parameters
    ----------
    fwhm : float
        Of the stars, pixels.

    Returns
    -------
    radii : (8,) float array
        From 0.75 to 3.3 FWHM, at least 1.5 px, tenths of pixels.
    annulus : (float, float)
        4 to 7 FWHM, at least 8 px from the star and 6 px wide: whole pixels.
    """
    wanted = np.round(np.array(LADDER_FWHM) * fwhm, 1)
    # Where the seeing is finer than the pixels can show, the steps are a tenth of a pixel.
    radii = np.maximum(wanted, MIN_RADIUS + 0.1 * np.arange(len(wanted)))
    inner = float(np.ceil(max(ANNULUS_FWHM[0] * fwhm, MIN_INNER, radii[-1] + 1)))
    outer = float(np.ceil(max(ANNULUS_FWHM[1] * fwhm, inner + MIN_WIDTH)))
    return np.round(radii, 1), (inner, outer)


def binned_profile(
    boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean light in rings one pixel wide.

    boxes : (n, m, m) float array; sky-subtracted; NaN does not count.
    dx, dy : (n,) float arrays; centre of each star from the middle of its box, pixels.
    Returns radius, profile : (n, k) float arrays; root mean square radius and mean light of ring 0
        to 1 px, 1 to 2 px ...; NaN where a ring is empty.
    """
    n, m, _ = boxes.shape
    offset = np.arange(m) - m // 2
    x = offset[None, None, :] - np.nan_to_num(dx)[:, None, None]
    y = offset[None, :, None] - np.nan_to_num(dy)[:, None, None]
    squared = x**2 + y**2
    n_rings = m // 2
    ring = np.sqrt(squared).astype(int)
    use = (ring < n_rings) & np.isfinite(boxes)
    index = (np.arange(n)[:, None, None] * n_rings + ring)[use]
    count = np.bincount(index, minlength=n * n_rings).reshape(n, n_rings)
    light = np.bincount(index, weights=boxes[use], minlength=n * n_rings).reshape(n, n_rings)
    moment = np.bincount(index, weights=squared[use], minlength=n * n_rings).reshape(n, n_rings)
    divisor = np.where(count > 0, count, np.nan)
    return np.sqrt(moment / divisor), light / divisor


def profile_fwhm(radius: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Full width at half maximum of binned profiles.

    Between rings ``ln p`` is taken as linear in ``r^2``, which is right for a Gaussian; so is the
    maximum, carried on to radius 0 from the two innermost rings.

    radius, profile : (n, k) float arrays; from `binned_profile`.
    Returns (n,) float array: pixels; NaN where the profile does not fall to one half.
    """
    n, k = profile.shape
    squared = radius**2
    light = np.where(np.isfinite(profile) & (profile > 0), profile, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.log(light)
        slope = np.minimum((log[:, 1] - log[:, 0]) / (squared[:, 1] - squared[:, 0]), 0.0)
        half = log[:, 0] - slope * squared[:, 0] - np.log(2)
        below = (np.where(np.isfinite(log), log, -np.inf) <= half[:, None]).argmax(axis=1)
        # The ring at or inside the crossing; the first two serve where even ring 0 is below.
        inner = np.clip(below - 1, 0, k - 2)
        rows = np.arange(n)
        s0, s1 = squared[rows, inner], squared[rows, inner + 1]
        l0, l1 = log[rows, inner], log[rows, inner + 1]
        crossing = s0 + (l0 - half) / (l0 - l1) * (s1 - s0)
        return np.where(np.isfinite(half) & (l0 > l1), 2 * np.sqrt(crossing), np.nan)


def refuse_large_radii(
    radius: float, annulus: tuple[float, float] | None, shape: tuple[int, int]
) -> None:
    """Refuse apertures that no star needs, and that no memory may hold.

    Parameters
    ----------
    radius : float
        Largest of the apertures, pixels.
    shape : (int, int)
        Of the frame.

    Raises
    ------
    InputError
        When the aperture is wider, or the sky's radius larger, than half the frame's shorter side.
    """
    side = min(shape)
    frame = f"the frame is {shape[1]} x {shape[0]} px"
    if not radius <= side / 4:
        msg = f"an aperture (--radius) of {radius:g} px is too large, at most {side / 4:g}: {frame}"
        raise InputError(msg)
    if annulus is not None and not annulus[1] <= side / 2:
        outer = f"a sky (--annulus) out to {annulus[1]:g} px"
        msg = f"{outer} is too large, at most {side / 2:g}: {frame}"
        raise InputError(msg)
