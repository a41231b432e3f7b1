"""Choose the stars that a PSF is built from, and say which rules had to give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.data import StarPhotometry
from lightcurve.flags import Flag

MAX_CANDIDATES, MAX_STARS = 700, 350
MIN_STARS, GOOD_NUMBER = 15, 100
SPOILT = int(Flag.EDGE | Flag.SATURATED | Flag.NON_LINEAR | Flag.BAD_PIXEL | Flag.NO_CENTROID)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a star must be like to serve.

    Attributes
    ----------
    brightest, faintest : float
        Percentiles of the candidates' fluxes between which a star lies.
    fwhm : (float, float)
        Its width over that of all, from and to.
    min_roundness : float
        Short axis over long axis of the second moments.
    neighbour_fwhm, neighbour_px : float
        No neighbour within the larger of these,
    neighbour_mag : float
        that is not so many magnitudes fainter.
    edge_fwhm : float
        Distance from the edge.
    """

    min_snr: float = 20.0
    brightest: float = 90.0
    faintest: float = 50.0
    fwhm: tuple[float, float] = (0.75, 1.5)
    min_roundness: float = 0.7
    neighbour_fwhm: float = 4.0
    neighbour_px: float = 40.0
    neighbour_mag: float = 3.0
    edge_fwhm: float = 3.0


# Tried in turn until there are enough stars; each says what it gives up.
RULES: tuple[tuple[str, Rules], ...] = (
    ("", Rules()),
    (
        "bright stars and those with neighbours beyond 4 FWHM were let in",
        Rules(brightest=100.0, faintest=25.0, neighbour_px=0.0),
    ),
    (
        "stars of any brightness above S/N 20, with neighbours beyond 2.5 FWHM, were let in",
        Rules(brightest=100.0, faintest=0.0, neighbour_px=0.0, neighbour_fwhm=2.5),
    ),
    (
        "stars above S/N 10, less round, with neighbours beyond 2 FWHM, were let in",
        Rules(
            min_snr=10.0, brightest=100.0, faintest=0.0, fwhm=(0.6, 1.8), min_roundness=0.5,
            neighbour_px=0.0, neighbour_fwhm=2.0, neighbour_mag=2.0, edge_fwhm=2.0,
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The stars chosen.

    Attributes
    ----------
    rows : (n,) int array
        The brightest first.
    note : str
        Which rules were relaxed, and whether the number is small; empty when all is well.
    """

    rows: np.ndarray
    note: str


def choose_psf_stars(
    phot: StarPhotometry, column: int, fwhm: float, shape: tuple[int, int], *, enough: int = 40
) -> Choice:
    """Choose stars for a PSF by rules that are relaxed, aloud, until there are enough.

    Parameters
    ----------
    phot : StarPhotometry
        Of all sources of the frame.
    column : int
        The aperture whose flux and flags count.
    fwhm : float
        Of the frame's stars, pixels.
    shape : tuple of int
        (ny, nx).
    enough : int
        With so many the rules are not relaxed further.

    Returns
    -------
    Choice
        At most 350 stars.
    """
    best = np.zeros(0, dtype=int)
    said = ""
    for note, rules in RULES:
        rows = _obeying(phot, column, fwhm, shape, rules)
        if len(rows) > len(best) or not note:
            best, said = rows, note
        if len(best) >= enough:
            break
    span = _span(phot, best, shape)
    notes = [said] if said else []
    if len(best) and min(span) < 0.35:
        notes.append(f"they cover only {100 * min(span):.0f} % of the frame's width or height")
    if MIN_STARS <= len(best) < GOOD_NUMBER:
        notes.append(f"{len(best)} stars chosen; {GOOD_NUMBER} would be better")
    return Choice(best[:MAX_STARS], "; ".join(notes))


def _obeying(
    phot: StarPhotometry, column: int, fwhm: float, shape: tuple[int, int], rules: Rules
) -> np.ndarray:
    flux = phot.flux[:, column]
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = flux / phot.flux_err[:, column]
        width = phot.fwhm / np.nanmedian(phot.fwhm)
    usable = np.isfinite(flux) & ((phot.flags[:, column] & SPOILT) == 0)
    candidates = np.flatnonzero(usable & (flux > 0))
    candidates = candidates[np.argsort(-flux[candidates], kind="stable")][:MAX_CANDIDATES]
    if not len(candidates):
        return candidates
    low, high = np.percentile(flux[candidates], [rules.faintest, rules.brightest])
    ny, nx = shape
    room = np.minimum.reduce([phot.x, phot.y, nx - 1 - phot.x, ny - 1 - phot.y])
    obeys = (snr >= rules.min_snr) & (flux >= low) & (flux <= high)
    obeys &= (width >= rules.fwhm[0]) & (width <= rules.fwhm[1])
    obeys &= phot.roundness >= rules.min_roundness
    obeys &= room > rules.edge_fwhm * fwhm
    candidates = candidates[obeys[candidates]]
    reach = max(rules.neighbour_fwhm * fwhm, rules.neighbour_px)
    return candidates[_isolated(phot, flux, candidates, reach, rules.neighbour_mag)]


def _isolated(
    phot: StarPhotometry, flux: np.ndarray, rows: np.ndarray, reach: float, magnitudes: float
) -> np.ndarray:
    """Tell which stars have no neighbour that matters within reach."""
    from scipy.spatial import cKDTree

    if not len(rows):
        return np.zeros(0, dtype=bool)
    xy = np.column_stack([phot.x, phot.y])
    limit = 10 ** (-0.4 * magnitudes)
    near = cKDTree(xy).query_ball_point(xy[rows], reach)
    light = np.nan_to_num(flux, nan=np.inf)  # an unmeasured neighbour is a neighbour
    return np.array(
        [all(k == row or light[k] < limit * flux[row] for k in group)
         for row, group in zip(rows, near, strict=True)]
    )  # fmt: skip


def _span(phot: StarPhotometry, rows: np.ndarray, shape: tuple[int, int]) -> tuple[float, float]:
    if not len(rows):
        return 0.0, 0.0
    return float(np.ptp(phot.x[rows])) / shape[1], float(np.ptp(phot.y[rows])) / shape[0]
