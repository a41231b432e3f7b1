"""How wide the stars are, and which apertures follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.errors import InputError, Why
from lightcurve.core.robust import robust_scatter
from lightcurve.phot.grains import StarSize
from lightcurve.phot.moffat import MoffatStars, fit_moffats, shape_over_field
from lightcurve.phot.surface import Surface

__all__ = [
    "ANNULUS_FWHM",
    "MIN_INNER",
    "MIN_WIDTH",
    "Widths",
    "axis_ratio",
    "choose_radii",
    "ellipse",
    "measure_widths",
    "moments",
    "refuse_large_radii",
]

MAX_STARS = 300
MAX_PIXELS, BOX_FWHM, ENOUGH_STARS = 4e6, 6.0, 50  # of all boxes, their side; whatever that is
ITERATIONS = 12
MIN_STARS = 3
WIDTH_FACTOR = 0.3602  # AstroImageJ's second moment over "width"; over FWHM a Gaussian's is 0.4247
LADDER_FWHM = (0.75, 1.0, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3)  # aperture radii
ANNULUS_FWHM = (4.0, 7.0)
MUCH_WIDER = 1.5  # than the reference: its ladder spans less on either side of the best radius
MIN_RADIUS, MIN_INNER, MIN_WIDTH = 1.5, 8.0, 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Widths:
    """Widths of the stars of one frame.

    Attributes
    ----------
    fwhm : float
        Median of what is left after clipping, pixels, before pixels spread it; NaN with fewer than
        3 stars.
    fwhm_err : float
        Its standard error.
    stars : MoffatStars
        (n,) stars that were fitted.
    used : (n,) bool array
    shape : Surface
        ln FWHM, e1 and e2 over the frame.
    """

    fwhm: float
    fwhm_err: float
    stars: MoffatStars
    used: np.ndarray
    shape: Surface

    @property
    def ellipticity(self) -> float:
        """1 - b / a of what the stars have in common."""
        e = float(np.hypot(*np.median(self._common, axis=0)))
        return 1 - float(np.sqrt((1 - e) / (1 + e)))

    @property
    def angle_deg(self) -> float:
        """Direction of the long axis they have in common, from +x towards +y, 0 to 180."""
        e1, e2 = np.median(self._common, axis=0)
        return float(np.degrees(0.5 * np.arctan2(e2, e1)) % 180)

    @property
    def _common(self) -> np.ndarray:
        return self.shape.at(*self.shape.box.places(5))[:, 1:]


def measure_widths(
    light: np.ndarray,
    variance: np.ndarray,
    good: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    guess: float,
) -> Widths:
    """Measure the FWHM of stars by Moffat profiles, starting from a guess, pixels.

    Parameters
    ----------
    light, variance : (ny, nx) float arrays
        Above the sky, and of a pixel with the photon noise of the stars.
    good : (ny, nx) bool array
    x, y : (n,) float arrays
        Isolated, unsaturated stars with a good signal, pixels; the first 300 are taken, of wide
        ones fewer.
    """
    n = min(MAX_STARS, max(int(MAX_PIXELS / (BOX_FWHM * guess) ** 2), ENOUGH_STARS))
    stars = fit_moffats(light, variance, good, x[:n], y[:n], guess)
    used = _clipped(stars.fwhm)
    shape = shape_over_field(stars, guess)
    n = int(used.sum())
    if n < MIN_STARS:
        return Widths(float("nan"), float("nan"), stars, used, shape)
    spread = robust_scatter(stars.fwhm[used])
    return Widths(float(np.median(stars.fwhm[used])), 1.25 * spread / n**0.5, stars, used, shape)


def fit_gaussians(profiles: np.ndarray, sigma: float) -> np.ndarray:
    """Fit a Gaussian with a constant to each profile (n, m) by Gauss-Newton steps, all at once.

    The peak is near the middle. Returns sigma (n,), pixels, starting from `sigma`; NaN where the
    fit runs away.
    """
    n, m = profiles.shape
    place = np.arange(m) - m // 2
    floor = np.minimum(profiles[:, 0], profiles[:, -1])
    p = np.column_stack([profiles.max(axis=1, initial=0.0) - floor, np.zeros(n),
                         np.full(n, sigma), floor])  # fmt: skip
    for _ in range(ITERATIONS):
        u = (place - p[:, 1:2]) / p[:, 2:3]
        shape = np.exp(-0.5 * u**2)
        slope = p[:, :1] * shape / p[:, 2:3]
        jacobian = np.stack([shape, slope * u, slope * u**2, np.ones_like(u)], axis=2)
        residual = profiles - p[:, :1] * shape - p[:, 3:]
        normal = np.einsum("nmi,nmj->nij", jacobian, jacobian)
        normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(4)
        step = np.linalg.solve(normal, np.einsum("nmi,nm->ni", jacobian, residual)[:, :, None])
        step = step[:, :, 0]
        step[:, 1] = np.clip(step[:, 1], -1.0, 1.0)
        step[:, 2] = np.clip(step[:, 2], -0.4 * p[:, 2], 0.4 * p[:, 2])
        p = p + step
    gone = (np.abs(p[:, 1]) > m / 4) | (p[:, 2] > m / 2) | (p[:, 2] < 0.2) | (p[:, 0] <= 0)
    return np.where(gone, np.nan, p[:, 2])


def moments(
    light: np.ndarray, u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Second moments of light along x, y and across: each (n,), pixels squared.

    light : (n, m, m), 0 where it does not count; u, v : (n, m) offsets of its columns and rows
    from the star. Not finite where there is no light.
    """
    by_x, by_y = (np.stack([np.ones_like(w), w, w**2], axis=2) for w in (u, v))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = by_y.swapaxes(1, 2) @ (light @ by_x)  # [star, power of y, power of x]
        along_x, along_y, across = (
            found[:, j, i] / found[:, 0, 0] for j, i in ((0, 2), (2, 0), (1, 1))
        )
    return along_x, along_y, across


def ellipse(along_x: np.ndarray, along_y: np.ndarray, across: np.ndarray) -> dict[str, np.ndarray]:
    """Widths on AstroImageJ's scale and direction of the long axis.

    along_x, along_y, across: (n,) second moments, pixels squared; NaN where they are.
    Returns ``x_width``, ``y_width``, (n,) each: root of the moment over 0.3602, pixels;
    ``angle_deg``, (n,): from +x towards +y, 0 to 360.
    """
    with np.errstate(invalid="ignore"):
        angle = np.degrees(0.5 * np.arctan2(2 * across, along_x - along_y)) % 360
    return {
        "x_width": np.sqrt(np.abs(along_x)) * (1 / WIDTH_FACTOR),
        "y_width": np.sqrt(np.abs(along_y)) * (1 / WIDTH_FACTOR),
        "angle_deg": angle,
    }


def axis_ratio(along_x: np.ndarray, along_y: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Short over long axis, (n,); NaN where the moments fit no ellipse.

    along_x, along_y, across: (n,) second moments, pixels squared.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(4 * across**2 + (along_x - along_y) ** 2)
        return np.sqrt((along_x + along_y - root) / (along_x + along_y + root))


def _clipped(values: np.ndarray) -> np.ndarray:
    """Keep what lies within 3 robust standard deviations of the median."""
    keep = np.isfinite(values)
    for _ in range(5):
        if not keep.any():
            break
        middle = np.median(values[keep])
        spread = max(robust_scatter(values[keep]), 0.01 * middle)
        keep = np.isfinite(values) & (np.abs(values - middle) <= 3 * spread)
    return keep


def choose_radii(
    size: StarSize, widest: StarSize | None = None
) -> tuple[np.ndarray, tuple[float, float]]:
    """Choose a ladder of aperture radii and the sky annulus, pixels, from the size of the stars.

    widest: of the night's stars, where the focus changes: the ladder reaches up to them, and the
    sky begins outside of them.

    Returns
    -------
    radii : (8,) float array
        Of a Gaussian 0.75 to 3.3 FWHM, at least 1.5 px, tenths of pixels.
    annulus : (float, float)
        4 to 7 FWHM, at least 8 px from the star and 6 px wide: whole pixels.
    """
    wide = widest if widest and widest.r90 > MUCH_WIDER * size.r90 else size
    wanted = size.radius(np.array(LADDER_FWHM))
    if wide is not size:
        wanted = np.geomspace(wanted[0], wide.radius(LADDER_FWHM[-2]), len(wanted))
    # Where the seeing is finer than the pixels can show, the steps are a tenth of a pixel.
    radii = np.maximum(np.round(wanted, 1), MIN_RADIUS + 0.1 * np.arange(len(wanted)))
    near, far = (float(wide.radius(fwhm)) for fwhm in ANNULUS_FWHM)
    inner = float(np.ceil(max(near, MIN_INNER, radii[-1] + 1)))
    outer = float(np.ceil(max(far, inner + MIN_WIDTH)))
    return np.round(radii, 1), (inner, outer)


def binned_profile(
    boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean light in rings one pixel wide about centres dx, dy from the middle of boxes (n, m, m).

    The boxes are without sky; NaN does not count. Returns root mean square radius and mean light
    (n, k) of ring 0 to 1 px, 1 to 2 px ...; NaN where a ring is empty.
    """
    n, m, _ = boxes.shape
    offset = np.arange(m) - m // 2
    x = offset[None, None, :] - np.nan_to_num(dx)[:, None, None]
    y = offset[None, :, None] - np.nan_to_num(dy)[:, None, None]
    squared = x**2 + y**2
    n_rings = m // 2
    ring = np.sqrt(squared).astype(int)
    # One ring more takes what does not count.
    ring[~(np.isfinite(boxes) & (ring < n_rings))] = n_rings
    index = (np.arange(n)[:, None, None] * (n_rings + 1) + ring).ravel()
    count, light, moment = (
        np.bincount(index, weights, minlength=n * (n_rings + 1)).reshape(n, n_rings + 1)[
            :, :n_rings
        ]
        for weights in (None, boxes.ravel(), squared.ravel())
    )
    divisor = np.where(count > 0, count, np.nan)
    return np.sqrt(moment / divisor), light / divisor


def profile_fwhm(radius: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Full width at half maximum, pixels, of binned profiles; NaN where one does not fall so far.

    Between rings ``ln p`` is taken as linear in ``r^2``, which is right for a Gaussian; so is the
    maximum, carried on to radius 0 from the two innermost rings.
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

    Raises
    ------
    InputError
        When the aperture is wider, or the sky's radius larger, than half the frame's shorter side.
    """
    side = min(shape)
    frame = f"the frame is {shape[1]} x {shape[0]} px"
    if not radius <= side / 4:
        msg = f"an aperture (--radius) of {radius:g} px is too large, at most {side / 4:g}: {frame}"
        raise InputError(msg, why=Why.NAMED)
    if annulus is not None and not annulus[1] <= side / 2:
        outer = f"a sky (--annulus) out to {annulus[1]:g} px"
        msg = f"{outer} is too large, at most {side / 2:g}: {frame}"
        raise InputError(msg, why=Why.NAMED)
