"""Two stars in one image: an unresolved pair, taken apart by the PSF of the frame's other stars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.psf import Psf, psf_boxes

__all__ = ["split_star"]

REACH_FWHM = 2.0  # half side of the pixels that are fitted
FARTHEST_FWHM = 1.5  # of a component from the middle
NEAREST_FWHM = 0.3  # of two components: nearer ones have no shape of their own
STARTS = ((0.5, 0.0), (0.0, 0.5), (0.4, 0.4), (0.4, -0.4))  # of a component from the middle, FWHM
PSF_ERROR = 0.02  # of a pixel's light: no PSF is known better
SURE = 25.0  # by which a pair must lower chi-square, at that of the pair as it is
STEP = 0.01  # px, for derivatives


@dataclass(frozen=True, slots=True)
class Pair:
    """A star's image as two stars.

    Attributes
    ----------
    x, y : float
        Of the fainter from the brighter, pixels.
    light, err : float
        Of the fainter over the brighter, and its error.
    """

    x: float
    y: float
    light: float
    err: float


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """Pixels around a star, (m, m), its middle pixel's centre the origin."""

    light: np.ndarray
    root: np.ndarray  # 1 over the error; 0 where a pixel is bad
    psf: Psf

    def shapes(self, places: np.ndarray) -> np.ndarray:
        """Weighted images of stars of unit light at places (n, 2): (m * m, n)."""
        half = self.light.shape[0] // 2
        whole = np.rint(places).astype(int)
        room = int(np.abs(whole).max())
        boxes = psf_boxes(self.psf, places[:, 0], places[:, 1], half + room)
        size = self.light.shape[0]
        cut = [
            box[room - my : room - my + size, room - mx : room - mx + size]
            for box, (mx, my) in zip(boxes, whole, strict=True)
        ]
        return np.stack([(one * self.root).ravel() for one in cut], axis=1)

    def solve(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Light of stars at places (n, 2), and the residuals (m * m,) in errors."""
        shapes, data = self.shapes(places), (self.light * self.root).ravel()
        light = np.linalg.lstsq(shapes, data, rcond=None)[0]
        return light, data - shapes @ light

    def fit(self, start: np.ndarray) -> tuple[np.ndarray, float]:
        """Places (n, 2) that fit best, from a start, and chi-square."""
        from scipy.optimize import least_squares

        limit = FARTHEST_FWHM * self.psf.fwhm
        found = least_squares(
            lambda p: self.solve(p.reshape(-1, 2))[1], start.ravel(), bounds=(-limit, limit),
            diff_step=STEP, max_nfev=60,
        )  # fmt: skip
        return found.x.reshape(-1, 2), 2 * float(found.cost)


def split_star(
    light: np.ndarray,
    variance: np.ndarray,
    good: np.ndarray,
    psf: Psf,
    place: tuple[float, float],
) -> Pair | None:
    """Fit one star and two to the image of a star, and tell the two where they fit far better.

    Parameters
    ----------
    light : (ny, nx) float array
        ADU above the sky.
    variance : (ny, nx) float array
        Of a pixel, with the photon noise of its light, ADU^2.
    good : (ny, nx) bool array
    psf : Psf
        Of the frame's other stars.
    place : tuple of float
        x, y of the image, pixels.

    Returns
    -------
    Pair or None
        None where one star does as well, the image lies at the edge, or the two cannot be told
        apart: the fainter is fainter than its own error.
    """
    half = int(np.ceil(REACH_FWHM * psf.fwhm))
    column, row = (round(v) for v in place)
    ny, nx = light.shape
    if not (half <= column < nx - half and half <= row < ny - half):
        return None
    part = np.s_[row - half : row + half + 1, column - half : column + half + 1]
    values = np.where(good[part], light[part], 0.0)
    error = np.sqrt(variance[part] + (PSF_ERROR * values) ** 2)
    image = _Image(values, np.where(good[part], 1 / error, 0.0), psf.at(*place))
    middle = np.array([[place[0] - column, place[1] - row]])
    _, alone = image.fit(middle)
    away = np.array(STARTS) * psf.fwhm
    fits = [image.fit(np.concatenate([middle + step, middle - step])) for step in away]
    places, chi2 = min(fits, key=lambda one: one[1])
    flux, _ = image.solve(places)
    freedom = max(1, int(good[part].sum()) - 6)
    worse = max(1.0, chi2 / freedom)
    apart = float(np.hypot(*(places[0] - places[1])))
    if (alone - chi2) / worse < SURE or flux.min() <= 0 or apart < NEAREST_FWHM * psf.fwhm:
        return None
    first, second = np.argsort(-flux)
    err = _ratio_error(image, places, flux, first, second) * np.sqrt(worse)
    ratio = float(flux[second] / flux[first])
    x, y = places[second] - places[first]
    return None if err > ratio else Pair(float(x), float(y), ratio, float(np.hypot(err, 0.03)))


def _ratio_error(
    image: _Image, places: np.ndarray, flux: np.ndarray, first: int, second: int
) -> float:
    """Error of the ratio of two fluxes, with the places free."""
    columns = [image.shapes(places)]
    for k in range(places.size):
        step = np.zeros(places.size)
        step[k] = STEP
        above, below = (image.shapes(places + s * step.reshape(-1, 2)) for s in (1, -1))
        columns.append(((above - below) @ flux / (2 * STEP))[:, None])
    design = np.concatenate(columns, axis=1)
    covariance = np.linalg.pinv(design.T @ design)
    slope = np.zeros(design.shape[1])
    slope[second], slope[first] = 1 / flux[first], -flux[second] / flux[first] ** 2
    return float(np.sqrt(slope @ covariance @ slope))
