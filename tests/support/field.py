"""Single frames in plain numpy, with their truth: stars of a PSF that changes over the field.

It shares nothing with `lightcurve`. Stars are elliptical Moffat profiles, integrated over pixels
by Gauss-Legendre; light is in electrons until the camera reads it out as whole ADU. The parts may
be called one by one: `place_stars`, `draw`, `read_out`; `render` does all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

Surface = tuple[float, ...]  # of 1, x, y, x^2, x y, y^2; x and y go from -1 to 1 over the frame
EDGE_SIGMA = 0.02  # of the sky's noise: how far out a star's wings are drawn
MAX_HALF = 120  # pixels
SIZE_STEP = 1.6  # from one size of boxes to the next
FAR_NODES = 2  # of the integral over a pixel, along each side; more of them near the core


class Kind(StrEnum):
    """What an entry of the truth is."""

    STAR = "star"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Stars that stand together, as a Plummer sphere has them."""

    n_stars: int
    x: float
    y: float
    radius_px: float


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """All that can be ordered of a frame; light in ADU, lengths in pixels."""

    shape: tuple[int, int] = (512, 512)  # (ny, nx)
    n_stars: int = 500
    flux_range: tuple[float, float] = (300.0, 300_000.0)
    slope: float = 0.3  # d log10 N(< m) / dm
    cluster: Cluster | None = None
    spacing_px: float = 0.0  # stars nearer than this to a brighter one are left out
    # The PSF, and how it changes; e1, e2: (a^2 - b^2) / (a^2 + b^2) times cos, sin of 2 angle
    fwhm_px: Surface = (3.0,)
    e1: Surface = (0.0,)
    e2: Surface = (0.0,)
    beta: float = 3.0
    # Sky and camera
    sky_adu: float = 300.0
    gradient_adu: tuple[float, float] = (0.0, 0.0)  # from one edge to the other, along x and y
    gain: float = 1.5  # electrons per ADU
    read_e: float = 8.0
    top_adu: int = 65535
    # Where it looks
    center_deg: tuple[float, float] = (150.0, 30.0)
    scale_arcsec: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """The truth; arrays (n,), the brightest first."""

    x: np.ndarray  # pixels, the centre of the first is 0
    y: np.ndarray
    flux: np.ndarray  # ADU, all of the light
    kind: np.ndarray  # of `Kind`

    def __len__(self) -> int:
        return self.x.size

    def only(self, rows: np.ndarray) -> Stars:
        """Take some of them, by a mask or their numbers."""
        return Stars(self.x[rows], self.y[rows], self.flux[rows], self.kind[rows])

    def nearest_px(self) -> np.ndarray:
        """Distance (n,) of each to the next one."""
        away = np.hypot(self.x[:, None] - self.x, self.y[:, None] - self.y)
        np.fill_diagonal(away, np.inf)
        return away.min(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A frame and its truth."""

    spec: FieldSpec
    pixels: np.ndarray  # (ny, nx) uint16, ADU
    electrons: np.ndarray  # (ny, nx) float, as expected: sky and all
    truth: Stars


def surface(terms: Surface, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Evaluate a surface at places (n,), pixels."""
    u, v = 2 * x / (shape[1] - 1) - 1, 2 * y / (shape[0] - 1) - 1
    powers = (np.ones_like(u), u, v, u * u, u * v, v * v)
    return sum((c * p for c, p in zip(terms, powers, strict=False)), np.zeros_like(u))


def shapes(spec: FieldSpec, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give FWHM (geometric mean of the axes, pixels), e1 and e2, each (n,), of stars at places."""
    fwhm, e1, e2 = (surface(s, x, y, spec.shape) for s in (spec.fwhm_px, spec.e1, spec.e2))
    return fwhm, e1, e2


# Stars


def place_stars(spec: FieldSpec, rng: np.random.Generator) -> Stars:
    """Scatter stars over the frame, and those of the cluster about its middle."""
    ny, nx = spec.shape
    x, y = rng.uniform(-0.5, nx - 0.5, spec.n_stars), rng.uniform(-0.5, ny - 0.5, spec.n_stars)
    kind = np.full(spec.n_stars, Kind.STAR, dtype=object)
    if spec.cluster:
        n = spec.cluster.n_stars
        away = spec.cluster.radius_px * np.sqrt(1 / (1 / rng.uniform(0, 0.9, n) - 1))
        angle = rng.uniform(0, 2 * np.pi, n)
        x = np.append(x, spec.cluster.x + away * np.cos(angle))
        y = np.append(y, spec.cluster.y + away * np.sin(angle))
        kind = np.append(kind, np.full(n, Kind.CLUSTER, dtype=object))
    # N(> F) goes with F^-power, between two limits.
    power = 2.5 * spec.slope
    low, high = (f**-power for f in spec.flux_range)
    flux = rng.uniform(high, low, x.size) ** (-1 / power)
    stars = Stars(x, y, flux, kind).only(np.argsort(-flux, kind="stable"))
    on_frame = (np.abs(stars.x - (nx - 1) / 2) < nx / 2) & (np.abs(stars.y - (ny - 1) / 2) < ny / 2)
    return spaced(stars.only(on_frame), spec.spacing_px)


def spaced(stars: Stars, spacing_px: float) -> Stars:
    """Leave out the stars that stand nearer than this to a brighter one."""
    kept: list[int] = []
    for k in range(len(stars)) if spacing_px else ():
        away = np.hypot(stars.x[kept] - stars.x[k], stars.y[kept] - stars.y[k])
        if not (away < spacing_px).any():
            kept.append(k)
    return stars.only(np.array(kept, dtype=int)) if spacing_px else stars


# Light


def sky_electrons(spec: FieldSpec) -> np.ndarray:
    """Sky (ny, nx) as expected."""
    y, x = np.mgrid[-0.5 : 0.5 : spec.shape[0] * 1j, -0.5 : 0.5 : spec.shape[1] * 1j]
    return spec.gain * (spec.sky_adu + spec.gradient_adu[0] * x + spec.gradient_adu[1] * y)


def draw(spec: FieldSpec, stars: Stars, image: np.ndarray | None = None) -> np.ndarray:
    """Add the stars' electrons to an image (ny, nx), or to an empty one; returns it."""
    image = np.zeros(spec.shape) if image is None else image
    fwhm, e1, e2 = shapes(spec, stars.x, stars.y)
    core = fwhm / (2 * math.sqrt(2 ** (1 / spec.beta) - 1))
    peak = spec.gain * stars.flux * (spec.beta - 1) / (math.pi * core**2)
    noise = math.sqrt(spec.gain * max(spec.sky_adu, 1.0) + spec.read_e**2)
    reach = core * np.maximum(peak / (EDGE_SIGMA * noise), 1.0) ** (0.5 / spec.beta)
    half = np.ceil(np.clip(reach, 3 * fwhm, MAX_HALF))
    # Boxes of a few sizes only: all stars of one size are drawn at once.
    size = np.ceil(np.log(half) / math.log(SIZE_STEP)).astype(int)
    for one in np.unique(size):
        rows = np.flatnonzero(size == one)
        for some in np.array_split(rows, len(rows) // 50 + 1):
            wide = min(math.ceil(SIZE_STEP**one), MAX_HALF)
            _draw_boxes(image, spec, stars.only(some), (core[some], e1[some], e2[some]), wide)
    return image


def _draw_boxes(
    image: np.ndarray, spec: FieldSpec, stars: Stars, shape: tuple[np.ndarray, ...], half: int
) -> None:
    """Draw stars in boxes of one size: the core by many nodes a pixel, what is about it by few."""
    core = min(math.ceil(2.5 * float(shape[0].max())), half)
    nodes = math.ceil(np.clip(8 / float(shape[0].min()), 3, 8))
    light = _light(spec, stars, shape, half, FAR_NODES)
    inner = slice(half - core, half + core + 1)
    light[:, inner, inner] = _light(spec, stars, shape, core, nodes)
    ny, nx = image.shape
    for box, x, y in zip(light, np.rint(stars.x), np.rint(stars.y), strict=True):
        top, left = int(y) - half, int(x) - half
        rows = slice(max(top, 0), min(top + box.shape[0], ny))
        columns = slice(max(left, 0), min(left + box.shape[1], nx))
        part = box[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        image[rows, columns] += part


def _light(
    spec: FieldSpec, stars: Stars, shape: tuple[np.ndarray, ...], half: int, nodes: int
) -> np.ndarray:
    """Electrons (n, 2 half + 1, 2 half + 1) about the pixel in which each star stands.

    A Moffat profile of the squared radius ``d^T M^-1 d``, where M has the determinant core^4.
    """
    core, e1, e2 = (s[:, None, None] for s in shape)
    stretch = 1 / (core**2 * np.sqrt(1 - e1**2 - e2**2))
    at, weight = np.polynomial.legendre.leggauss(nodes)
    fine = (np.arange(-half, half + 1)[:, None] + at / 2).ravel()
    u = (fine - (stars.x - np.rint(stars.x))[:, None])[:, None, :]
    v = (fine - (stars.y - np.rint(stars.y))[:, None])[:, :, None]
    squared = stretch * ((1 - e1) * u**2 + (1 + e1) * v**2 - 2 * e2 * u * v)
    profile = np.exp(-spec.beta * np.log1p(squared))
    n, m = len(stars), 2 * half + 1
    mean = np.einsum("nyaxb,a,b->nyx", profile.reshape(n, m, nodes, m, nodes), weight, weight) / 4
    total = spec.gain * stars.flux[:, None, None] * (spec.beta - 1) / (math.pi * core**2)
    return total * mean


# The camera


def read_out(spec: FieldSpec, electrons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Expose and read (ny, nx) expected electrons: uint16 ADU, clipped at the top."""
    counted = rng.poisson(np.maximum(electrons, 0.0)) + rng.normal(0, spec.read_e, electrons.shape)
    return np.clip(np.rint(counted / spec.gain), 0, spec.top_adu).astype(np.uint16)


def render(spec: FieldSpec, seed: int) -> Rendered:
    """Render a frame; the same seed gives the same frame."""
    rng = np.random.default_rng(seed)
    stars = place_stars(spec, rng)
    electrons = draw(spec, stars, sky_electrons(spec))
    return Rendered(spec, read_out(spec, electrons, rng), electrons, stars)


# On the sky and on disk


def header(spec: FieldSpec, wcs_shift_px: tuple[float, float] = (0.0, 0.0)):
    """Header with gain, read noise, top, time and a tangent-plane WCS, wrong by so many pixels."""
    from astropy.io import fits

    ny, nx = spec.shape
    step = spec.scale_arcsec / 3600
    cards = {
        "GAIN": spec.gain, "RDNOISE": spec.read_e, "SATURATE": float(spec.top_adu),
        "EXPTIME": 60.0, "FILTER": "r", "OBJECT": "Field", "IMAGETYP": "Light Frame",
        "DATE-OBS": "2024-03-01T22:00:00", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN",
        "CRVAL1": spec.center_deg[0], "CRVAL2": spec.center_deg[1],
        "CRPIX1": (nx + 1) / 2 + wcs_shift_px[0], "CRPIX2": (ny + 1) / 2 + wcs_shift_px[1],
        "CD1_1": -step, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": step,
    }  # fmt: skip
    return fits.Header(cards)


def on_sky(spec: FieldSpec, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RA and Dec, degrees, of places on the frame."""
    from astropy.wcs import WCS

    cards = header(spec)
    del cards["DATE-OBS"]  # astropy would warn of what it makes of it
    ra, dec = WCS(cards).all_pix2world(x, y, 0)
    return ra, dec


def write_frame(
    path: Path, frame: Rendered, wcs_shift_px: tuple[float, float] = (0.0, 0.0)
) -> Path:
    """Write the frame as 16-bit FITS."""
    from astropy.io import fits

    fits.PrimaryHDU(frame.pixels, header(frame.spec, wcs_shift_px)).writeto(path, overwrite=True)
    return path


def write_catalog(path: Path, spec: FieldSpec, stars: Stars, zero_point: float = 22.0) -> Path:
    """Write the stars as a catalogue given by hand: ra, dec, rmag."""
    ra, dec = on_sky(spec, stars.x, stars.y)
    mag = zero_point - 2.5 * np.log10(stars.flux / 60.0)
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    path.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    return path
