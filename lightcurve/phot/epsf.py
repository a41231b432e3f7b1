"""Build the PSF of a frame: choose its stars, fit a Moffat profile, and table what it misses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import StarPhotometry
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.phot.cutouts import gather
from lightcurve.phot.moffat import fit_moffats, shape_over_field
from lightcurve.phot.psf import Psf, from_mesh, grid_offsets, mean_fwhm, moffat_psf, on_mesh
from lightcurve.phot.psf_fit import PsfPhotometry, fit_psf
from lightcurve.phot.surface import MAX_ORDER, fit_surface, n_terms, polynomial

__all__ = ["SPOILT", "Choice", "build_psf", "choose_psf_stars"]

MAX_CANDIDATES, MAX_STARS = 700, 350
MIN_STARS, GOOD_NUMBER = 15, 100
SPOILT = int(Flag.EDGE | Flag.SATURATED | Flag.NON_LINEAR | Flag.BAD_PIXEL | Flag.NO_CENTROID)
HALF_FWHM = 5.0  # half width of the grid
TABLE_FWHM = (2.0, 3.0)  # the table fades out between these radii
NEIGHBOUR_FWHM = 7.0  # sources nearer than this are fitted along and taken off
ENOUGH_STARS = 40  # with so many the rules are not relaxed further
PASSES = 4
CLIP_SIGMA = 3.0
MAX_BETA = 6.0  # a Gaussian's core is the table's, but no real star is without wings beyond it
STARS_PER_NODE_TERM = 20
FOLDS = 2
TREND_SNR = 20.0  # stars whose widths tell how wide stars are there
MISFIT = 0.015  # root of the excess chi-square over S/N; an equal pair one FWHM apart has 0.05
FINE_PIXELS = 2.5  # FWHM; a narrower PSF has a finer grid, when there are stars for it
STARS_FOR_FINE = 60


@dataclass(frozen=True, slots=True)
class Rules:
    """What a star must be like to serve.

    brightest, faintest : percentiles of the candidates' fluxes between which a star lies.
    neighbour_fwhm, neighbour_px : no neighbour within the larger of these.
    """

    min_snr: float = 20.0
    brightest: float = 90.0
    faintest: float = 50.0
    fwhm: tuple[float, float] = (0.75, 1.5)  # its width over that of all, from and to
    min_roundness: float = 0.7  # short axis over long axis of the second moments
    neighbour_fwhm: float = 4.0
    neighbour_px: float = 40.0
    neighbour_mag: float = 3.0  # that is not so many magnitudes fainter
    edge_fwhm: float = 3.0  # distance from the edge


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
TRIAL, MAX_TRIAL = RULES[1][1], 40


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The stars chosen."""

    rows: np.ndarray  # (n,) int, the brightest first
    trial: np.ndarray  # (m,) int, the brightest of all that stand alone: they try the PSF
    note: str  # which rules were relaxed, and whether the number is small; empty when all is well


def choose_psf_stars(
    phot: StarPhotometry, column: int, fwhm: float, shape: tuple[int, int]
) -> Choice:
    """Choose at most 350 stars for a PSF by rules that are relaxed, aloud, until there are enough.

    Parameters
    ----------
    phot : StarPhotometry
        Of all sources of the frame.
    column : int
        The aperture whose flux and flags count.
    fwhm : float
        Of the frame's stars, pixels.
    """
    best = np.zeros(0, dtype=int)
    said = ""
    for note, rules in RULES:
        rows = _obeying(phot, column, fwhm, shape, rules)
        if len(rows) > len(best) or not note:
            best, said = rows, note
        if len(best) >= ENOUGH_STARS:
            break
    span = _span(phot, best, shape)
    notes = [said] if said else []
    if len(best) and min(span) < 0.35:
        notes.append(f"they cover only {100 * min(span):.0f} % of the frame's width or height")
    if MIN_STARS <= len(best) < GOOD_NUMBER:
        notes.append(f"{len(best)} stars chosen; {GOOD_NUMBER} would be better")
    trial = _obeying(phot, column, fwhm, shape, TRIAL)[:MAX_TRIAL]
    return Choice(best[:MAX_STARS], trial, "; ".join(notes))


def _obeying(
    phot: StarPhotometry, column: int, fwhm: float, shape: tuple[int, int], rules: Rules
) -> np.ndarray:
    flux = phot.flux[:, column]
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = flux / phot.flux_err[:, column]
        width = phot.fwhm / _usual_width(phot, snr)
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


def _usual_width(phot: StarPhotometry, snr: np.ndarray) -> np.ndarray:
    """Give the width (n,) that stars have at each place, pixels."""
    good = np.isfinite(phot.fwhm) & (phot.fwhm > 0) & (snr > TREND_SNR)
    if not good.any():
        return np.full(len(phot.x), np.nanmedian(phot.fwhm))
    trend = fit_surface(
        phot.x[good], phot.y[good], np.log(phot.fwhm[good, None]), np.ones(good.sum())
    )
    return np.exp(trend.at(phot.x, phot.y)[:, 0])


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


def build_psf(
    light: np.ndarray,
    sky_variance: np.ndarray,
    good: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    chosen: np.ndarray,
    fwhm: float,
    *,
    gain_e_per_adu: float,
    note: str = "",
    max_order: int = MAX_ORDER,
) -> Psf:
    """Build the PSF of a frame.

    All sources are fitted and taken off, so that neighbours do not get into it.

    Parameters
    ----------
    light : (ny, nx) float array
        ADU above the sky.
    sky_variance : (ny, nx) float array
        ADU^2 of a pixel without stars.
    good : (ny, nx) bool array
    places : tuple of (n,) float arrays
        x and y of all sources, pixels.
    chosen : (k,) int array
        Rows of the stars it is built from.
    fwhm : float
        Rough, pixels.
    note : str
        How the stars were chosen.
    max_order : int
        Of the polynomials by which it changes over the field; 0: everywhere the same.

    Returns
    -------
    Psf
        With fewer than 15 stars a Moffat profile without table, and with fewer than 3 a round one
        of the width given; its notes say so.
    """
    x, y = places
    variance = sky_variance + np.maximum(light, 0.0) / gain_e_per_adu
    stars = fit_moffats(light, variance, good, x[chosen], y[chosen], fwhm, MAX_BETA)
    shape, beta = shape_over_field(stars, fwhm, max_order), stars.beta
    fwhm = mean_fwhm(shape)
    half = float(np.ceil(HALF_FWHM * fwhm)) + 2
    fine = fwhm < FINE_PIXELS and len(chosen) >= STARS_FOR_FINE
    step = 4 if fine else 2
    notes = (note,) if note else ()
    analytic = moffat_psf(shape, beta, half, step, n_stars=len(chosen), notes=notes)
    if len(chosen) < MIN_STARS:
        return _few(analytic, len(chosen))
    psf = analytic
    whole = on_mesh(psf).sum(axis=(1, 2))
    x, y, chosen = _with_neighbours(x, y, chosen, NEIGHBOUR_FWHM * fwhm)
    order = flux = None
    for _ in range(PASSES):
        phot = fit_psf(
            light, sky_variance, good, psf, x, y, gain_e_per_adu=gain_e_per_adu, flux=flux
        )
        single = _single(phot, chosen)
        if len(single) < MIN_STARS:
            return _few(analytic, len(single))
        missed = _missed(psf, phot, single, good)
        order = _table_order(psf, missed) if order is None else order
        psf = replace(_corrected(psf, missed, order, whole), n_stars=len(single))
        x, y, flux = phot.x, phot.y, phot.flux
    lost = len(chosen) - psf.n_stars
    said = (
        (f"{lost} of the {len(chosen)} stars chosen were left out as not single",) if lost else ()
    )
    return replace(psf, notes=(*psf.notes, *said))


def _few(psf: Psf, n_stars: int) -> Psf:
    """Say why the profile alone must do."""
    short = f"analytic (Moffat) PSF: {n_stars} stars, {MIN_STARS} make an effective PSF"
    return replace(psf, n_stars=n_stars, notes=(*psf.notes, short))


def _with_neighbours(
    x: np.ndarray, y: np.ndarray, chosen: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of the chosen stars and of all that are near one, and the new rows of the chosen."""
    from scipy.spatial import cKDTree

    near, _ = cKDTree(np.column_stack([x, y])[chosen]).query(
        np.column_stack([x, y]), distance_upper_bound=reach
    )
    rows = np.flatnonzero(np.isfinite(near))
    return x[rows], y[rows], np.searchsorted(rows, chosen)


def _single(phot: PsfPhotometry, chosen: np.ndarray) -> np.ndarray:
    """Leave out stars that the PSF fits far worse than the others: doubles, galaxies, flaws."""
    chosen = chosen[np.isfinite(phot.flux[chosen])]
    snr = phot.flux[chosen] / phot.flux_err[chosen]
    misfit = np.sqrt(np.maximum(phot.chi2[chosen] - 1, 0)) / snr
    return chosen[misfit <= MISFIT + 3 * np.median(misfit)] if len(chosen) else chosen


@dataclass(frozen=True, slots=True, eq=False)
class _Missed:
    """What stars have and the PSF has not, in pixels (s,) of all of them."""

    value: np.ndarray  # over the star's flux
    weight: np.ndarray  # the star's signal-to-noise ratio
    cell: np.ndarray  # node of the grid that is nearest
    star: np.ndarray
    places: tuple[np.ndarray, np.ndarray]  # x and y of the stars, pixels

    def only(self, rows: np.ndarray) -> _Missed:
        """Take some of the pixels."""
        return replace(
            self, value=self.value[rows], weight=self.weight[rows], cell=self.cell[rows],
            star=self.star[rows],
        )  # fmt: skip


def _missed(psf: Psf, phot: PsfPhotometry, chosen: np.ndarray, good: np.ndarray) -> _Missed:
    half = int(np.ceil(TABLE_FWHM[1] * psf.fwhm)) + 1
    rows = chosen[np.isfinite(phot.flux[chosen]) & (phot.flux[chosen] > 0)]
    column, row = np.rint(phot.x[rows]).astype(int), np.rint(phot.y[rows]).astype(int)
    flux = phot.flux[rows, None, None]
    missed = gather(phot.residual, column, row, half) / flux
    use = (gather(good, column, row, half) == 1) & np.isfinite(missed)
    offset = np.arange(-half, half + 1)
    m, step = psf.grids.shape[1], psf.oversampling
    j = np.rint((offset - (phot.x[rows] - column)[:, None]) * step).astype(int) + m // 2
    i = np.rint((offset - (phot.y[rows] - row)[:, None]) * step).astype(int) + m // 2
    cell = i[:, :, None] * m + j[:, None, :]
    weight = np.broadcast_to(flux / phot.flux_err[rows, None, None], missed.shape)
    star = np.broadcast_to(np.arange(len(rows))[:, None, None], missed.shape)
    return _Missed(missed[use], weight[use], cell[use], star[use], (phot.x[rows], phot.y[rows]))


def _table_order(psf: Psf, missed: _Missed) -> int:
    """Choose the order of the table's polynomials: half of the stars foretells the other best."""
    n = len(missed.places[0])
    misfit = []
    for order in range(psf.order + 1):
        if order and n < STARS_PER_NODE_TERM * n_terms(order):
            break
        terms, total = _terms(psf, missed, order), 0.0
        for fold in range(FOLDS):
            held = missed.star % FOLDS == fold
            table, keep = _table(psf, missed.only(~held), order)
            told = missed.only(held)
            flat = table.reshape(len(table), -1)
            model = (terms[told.star] * flat[:, told.cell].T).sum(axis=1)
            total += np.minimum(
                ((told.value - model) * told.weight / keep) ** 2, CLIP_SIGMA**2
            ).sum()
        misfit.append(total)
    return int(np.argmin(misfit))


def _terms(psf: Psf, missed: _Missed, order: int) -> np.ndarray:
    return polynomial(*psf.shape.box.inside(*missed.places), order)


def _corrected(psf: Psf, missed: _Missed, order: int, light: np.ndarray) -> Psf:
    """Add to the grids what the stars have and they have not.

    light : (p,) float array; sums of the grids at the places of the mesh, which they keep.
    """
    table, _ = _table(psf, missed, order)
    grids = psf.grids.copy()
    grids[: len(table)] += table
    mesh = np.stack([_centred(one, psf) for one in on_mesh(replace(psf, grids=grids))])
    # Noise takes the far wings below 0 here and there: cut off, the rest would be too bright.
    mesh *= (light / mesh.sum(axis=(1, 2)))[:, None, None]
    return replace(from_mesh(psf, mesh), kind="epsf")


def _table(psf: Psf, missed: _Missed, order: int) -> tuple[np.ndarray, float]:
    """Table (k, m, m) of polynomials at the nodes, smooth and fading out; and the usual misfit.

    Clipped and weighted in the cells about the nodes; 0 where there is no star. The misfit is in
    units of each star's own noise, so that faint stars are not clipped for being faint.
    """
    m, terms = psf.grids.shape[1], _terms(psf, missed, order)
    found = np.zeros((m * m, terms.shape[1]))
    keep, spread = np.ones(len(missed.cell), dtype=bool), 1.0
    for _ in range(3):
        found = _in_cells(missed.only(keep), terms, m * m)
        model = (terms[missed.star] * found[missed.cell]).sum(axis=1)
        off = (missed.value - model) * missed.weight
        spread = max(robust_scatter(off[keep], about=0.0), 1e-12)
        keep = np.abs(off) <= CLIP_SIGMA * spread * 1.5
    radius = np.hypot(*grid_offsets(psf.half_px, psf.oversampling)) / psf.fwhm
    inner, outer = TABLE_FWHM
    fade = np.clip((outer - radius) / (outer - inner), 0, 1)
    return np.stack([_smooth(one.reshape(m, m)) * fade for one in found.T]), spread


def _in_cells(missed: _Missed, terms: np.ndarray, n: int) -> np.ndarray:
    """Fit polynomials (n, k) in n cells; terms (stars, k)."""
    k = terms.shape[1]
    here = terms[missed.star]
    normal, right = np.zeros((n, k, k)), np.zeros((n, k))
    for a in range(k):
        weighted = missed.weight * here[:, a]
        right[:, a] = np.bincount(missed.cell, weighted * missed.value, minlength=n)
        for b in range(a + 1):
            normal[:, a, b] = np.bincount(missed.cell, weighted * here[:, b], minlength=n)
            normal[:, b, a] = normal[:, a, b]
    # A cell with few stars keeps to the constant.
    loose = np.full(k, 1.0)
    loose[0] = 1e-9
    normal += np.median(missed.weight) * np.diag(loose)
    return np.linalg.solve(normal, right[:, :, None])[:, :, 0]


def _smooth(table: np.ndarray) -> np.ndarray:
    """Smooth by the quadratic surface fitted to the 5 x 5 nodes around each node."""
    from scipy.ndimage import convolve

    x, y = (c.ravel() for c in np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)))
    terms = np.stack([np.ones(25), x, y, x * x, x * y, y * y], axis=1)
    kernel = np.linalg.pinv(terms)[0].reshape(5, 5)
    return convolve(table, kernel, mode="constant")


def _centred(grid: np.ndarray, psf: Psf) -> np.ndarray:
    """Shift a grid so that its core's centre of light stands on the middle node."""
    from scipy.ndimage import shift

    u, v = grid_offsets(psf.half_px, psf.oversampling)
    window = np.exp(-(u**2 + v**2) / (2 * (psf.fwhm / FWHM_PER_SIGMA) ** 2))
    light = grid * window
    # A Gaussian window about the old centre shows half of the offset.
    dx, dy = (2 * float((light * c).sum() / light.sum()) for c in (u, v))
    step = psf.oversampling
    return shift(grid, (-dy * step, -dx * step), order=3, mode="nearest")
