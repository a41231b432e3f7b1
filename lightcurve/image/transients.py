"""Sources that no catalogue knows, or knows much fainter: candidates, after the vetoes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.catalogs.bands import bands_of
from lightcurve.catalogs.crossmatch import MAX_RADIUS_ARCSEC, SIGMAS, Matches, crossmatch
from lightcurve.catalogs.layout import Catalog, Role
from lightcurve.catalogs.services import SERVICES
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.image.reduced import Calibrated, Candidate, FoundBy, Known, Placed, Search, Sources
from lightcurve.phot.epsf import SPOILT

log = logging.getLogger(__name__)
MIN_SNR = 20.0
TELLING_SNR = 10.0  # of sources that show how deep a catalogue is: more than half a magnitude less
MAX_CANDIDATES = 20
BRIGHTER_MAG = 2.0  # than a counterpart: not that star as it was
BRIGHTER_SIGMA = 5.0  # of how stars of all colours scatter between the frame and the catalogue
# A catalogue is whole where it has nearly all sources about a place and a brightness: such a share
# of so many, taken half a magnitude fainter.
NEIGHBOURS, MIN_NEIGHBOURS, WHOLE, MARGIN_MAG = 20, 5, 0.9, 0.5
MAG_PER_HALF_FRAME = 2.0  # how far a difference in brightness is beside one in place
FWHM_RANGE = (0.6, 1.6)  # over the frame's: what is sharper is a cosmic ray, wider a galaxy
MIN_ROUNDNESS = 0.6
NEAR_FWHM = 4.0
NEAR_MAG = 3.0  # a neighbour so much brighter makes a flaw of its own PSF likely
DOUBTFUL = SPOILT | int(Flag.CROWDED)


@dataclass(frozen=True, slots=True, eq=False)
class Counterparts:
    """What one catalogue of stars has at the sources' places: (n,) arrays.

    star: one is there. brightening: magnitudes by which the source exceeds the light there, NaN
    where it does not by enough. whole: the catalogue would have a star there.
    """

    star: np.ndarray
    brightening: np.ndarray
    whole: np.ndarray


def search_transients(
    sources: Sources,
    placed: Placed,
    calibrated: Calibrated,
    known: Known,
    pairs: Mapping[str, Matches],
    *,
    wanted: bool,
) -> Search:
    """Search for transients, if they are wanted; pairs: of the sources with each catalogue."""
    if not wanted:
        return Search((), {}, "not searched for: the settings leave it out")
    if placed.unsolved:
        return Search((), {}, "not searched for: the frame is not solved")
    search = _find_transients(sources, placed, calibrated, known, pairs)
    log.info("candidate transients: %d %s", len(search.candidates), search.note)
    return search


def _find_transients(
    sources: Sources,
    placed: Placed,
    calibrated: Calibrated,
    known: Known,
    pairs: Mapping[str, Matches],
) -> Search:
    """Find candidate transients.

    A source is one when no catalogue of stars has it, though one is whole there, or has it much
    fainter; when no variable star, asteroid or other known object explains it; and when it looks
    like a star that was well measured. pairs: of the sources with each catalogue.
    """
    references = _references(known)
    if not references:
        return Search((), {}, "no catalogue of stars to compare with")
    veto = _by_looks(sources, calibrated, MIN_SNR)
    stars = _by_looks(sources, calibrated, TELLING_SNR) == ""
    there = [
        _counterparts(sources, placed, calibrated.aperture.inst, catalog, stars)
        for catalog in references
    ]
    star = np.any([one.star for one in there], axis=0)
    brightening = np.fmin.reduce([one.brightening for one in there])
    whole = np.any([one.whole for one in there], axis=0) | np.isfinite(brightening)
    objects = (service for service in SERVICES if service.role is Role.OBJECTS)
    explained = np.full(len(sources), "", dtype="U60")
    for service in sorted(objects, key=lambda service: service.weight):
        if service.name in known.catalogs:
            found = np.unique(pairs[service.name].source)
            explained[found] = f"known to {service.title}"
    veto = np.where(veto == "", explained, veto)
    veto = np.where((veto == "") & star, "a catalogued star", veto)
    veto = np.where((veto == "") & ~whole, "where the catalogues are not whole", veto)
    rows = np.flatnonzero(veto == "")
    score = sources.snr * _likeness(sources)
    best = rows[np.argsort(-score[rows], kind="stable")][:MAX_CANDIDATES]
    names = ", ".join(catalog.title for catalog in references)
    candidates = tuple(
        Candidate(int(k), float(score[k]), _reason(brightening[k], names)) for k in best
    )
    counts = Counter(str(reason) for reason in veto if reason)
    return Search(candidates, dict(counts.most_common()))


def _reason(brightening: float, names: str) -> str:
    if np.isfinite(brightening):
        return f"{brightening:.1f} mag brighter than the star there in {names}"
    return f"no star there in {names}"


def _references(known: Known) -> list[Catalog]:
    """List the catalogues of stars: those given by hand, whatever they have, and the surveys."""
    surveys = (service.name for service in SERVICES if service.role is Role.STARS)
    found = (known.catalogs.get(name) for name in (*known.by_hand, *surveys))
    return [catalog for catalog in found if catalog is not None and len(catalog)]


def _counterparts(
    sources: Sources, placed: Placed, inst: np.ndarray, catalog: Catalog, good: np.ndarray
) -> Counterparts:
    """Hold the sources against a catalogue in any band; good: (n,) bool, what looks like a star."""
    fwhm = _fwhm(sources) * placed.scale_arcsec
    # Stars within the seeing are one source: their light counts together.
    near = crossmatch(
        (placed.ra_deg, placed.dec_deg, np.hypot(placed.error_arcsec, fwhm / SIGMAS)),
        (catalog.ra_deg, catalog.dec_deg, catalog.error_arcsec),
        max_radius_arcsec=max(MAX_RADIUS_ARCSEC, fwhm),
    )
    n = len(sources)
    there = np.bincount(near.source, minlength=n) > 0
    mag = _light_there(catalog, near, n)
    offset = np.where(good, mag - inst, np.nan)
    gain = np.full(n, np.nan)
    # Of unknown brightness, or too few to compare: the same star.
    if np.isfinite(offset).sum() >= MIN_NEIGHBOURS:
        gain = mag - inst - np.nanmedian(offset)
        gain[gain <= max(BRIGHTER_MAG, BRIGHTER_SIGMA * robust_scatter(offset))] = np.nan
    whole = _whole(sources, inst, good, there)
    return Counterparts(there & ~np.isfinite(gain), gain, whole)


def _light_there(catalog: Catalog, near: Matches, n: int) -> np.ndarray:
    """Sum the light of the stars at each source, as magnitudes; NaN where one has none.

    In the brightest of the catalogue's bands: a star is not taken for new because of its colour.
    """
    bands = [catalog.number(column) for column in bands_of(catalog).values()]
    mag = np.fmin.reduce(bands) if bands else np.full(len(catalog), np.nan)
    light = np.bincount(near.source, 10 ** (-0.4 * mag[near.row]), minlength=n)
    return -2.5 * np.log10(np.where(light > 0, light, np.nan))


def _whole(sources: Sources, inst: np.ndarray, good: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Tell at which sources a catalogue is whole, by how many of those about them it has."""
    from scipy.spatial import cKDTree

    rows = np.flatnonzero(good & np.isfinite(inst))
    whole = np.zeros(len(sources), dtype=bool)
    if len(rows) <= MIN_NEIGHBOURS:
        return whole
    place = np.column_stack([sources.phot.x, sources.phot.y])[rows]
    half = max(float(np.ptp(place, axis=0).max()) / 2, 1.0)
    points = np.column_stack([place / half, inst[rows] / MAG_PER_HALF_FRAME])
    fainter = points + np.array([0.0, 0.0, MARGIN_MAG / MAG_PER_HALF_FRAME])
    count = min(NEIGHBOURS + 1, len(rows))
    _, nearest = cKDTree(points).query(fainter, k=count)
    others = nearest != np.arange(len(rows))[:, None]
    share = (there[rows][nearest] & others).sum(axis=1) / others.sum(axis=1)
    whole[rows] = share >= WHOLE
    return whole


def _fwhm(sources: Sources) -> float:
    """Median FWHM of the sources that are bright enough to be candidates, pixels."""
    bright = sources.phot.fwhm[sources.snr > MIN_SNR]
    return float(np.nanmedian(bright)) if np.isfinite(bright).any() else 1.0


def _by_looks(sources: Sources, calibrated: Calibrated, min_snr: float) -> np.ndarray:
    """Veto by how a source looks: the first reason, or an empty text."""
    phot = sources.phot
    fwhm = _fwhm(sources)
    with np.errstate(invalid="ignore"):
        width = phot.fwhm / fwhm
        tests = (
            (f"S/N under {min_snr:g}", ~(sources.snr >= min_snr)),
            ("flagged", (sources.flags & DOUBTFUL) != 0),
            ("left over beside another star", sources.found_by == FoundBy.RESIDUAL),
            ("too sharp or too wide", ~((width > FWHM_RANGE[0]) & (width < FWHM_RANGE[1]))),
            ("not round", ~(phot.roundness > MIN_ROUNDNESS)),
            ("beside a bright star", _beside_bright(sources, calibrated, fwhm)),
        )
    veto = np.full(len(sources), "", dtype="U60")
    for reason, fails in reversed(tests):
        veto[fails] = reason
    return veto


def _beside_bright(sources: Sources, calibrated: Calibrated, fwhm: float) -> np.ndarray:
    from scipy.spatial import cKDTree

    light = np.nan_to_num(calibrated.aperture.inst, nan=np.inf)
    pairs = cKDTree(np.column_stack([sources.phot.x, sources.phot.y])).query_pairs(
        NEAR_FWHM * fwhm, output_type="ndarray"
    )
    beside = np.zeros(len(sources), dtype=bool)
    for one, other in (pairs.T, pairs.T[::-1]):
        with np.errstate(invalid="ignore"):
            beside[one[light[other] < light[one] - NEAR_MAG]] = True
    return beside


def _likeness(sources: Sources) -> np.ndarray:
    """1 for a source that the PSF fits within its noise, less where it does not."""
    fit = sources.psf_phot
    if fit is None:
        return np.nan_to_num(sources.phot.roundness)
    return 1.0 / np.sqrt(np.maximum(np.nan_to_num(fit.chi2, nan=100.0), 1.0))
