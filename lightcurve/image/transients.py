"""Sources that no catalogue knows, or knows much fainter: candidates, after the vetoes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

import numpy as np

from lightcurve.catalogs.bands import bands_of
from lightcurve.catalogs.crossmatch import Matches
from lightcurve.catalogs.layout import Role
from lightcurve.catalogs.services import SERVICES
from lightcurve.core.flags import Flag
from lightcurve.image.reduced import Calibrated, Candidate, FoundBy, Known, Placed, Search, Sources
from lightcurve.phot.epsf import SPOILT

log = logging.getLogger(__name__)
MIN_SNR = 20.0
MAX_CANDIDATES = 20
BRIGHTER_MAG = 2.0  # than a counterpart: not that star as it was
MIN_REFERENCE = 10  # stars of a catalogue on the frame that make it one to compare with
DEPTH_PERCENTILE, DEPTH_MARGIN = 95.0, 0.5  # where a catalogue is still whole
FWHM_RANGE = (0.6, 1.6)  # over the frame's: what is sharper is a cosmic ray, wider a galaxy
MIN_ROUNDNESS = 0.6
NEAR_FWHM = 4.0
NEAR_MAG = 3.0  # a neighbour so much brighter makes a flaw of its own PSF likely
DOUBTFUL = SPOILT | int(Flag.CROWDED)


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
    search = _find_transients(sources, calibrated, known, pairs)
    log.info("candidate transients: %d %s", len(search.candidates), search.note)
    return search


def _find_transients(
    sources: Sources, calibrated: Calibrated, known: Known, pairs: Mapping[str, Matches]
) -> Search:
    """Find candidate transients.

    A source is one when no catalogue that is whole at its magnitude has a star there, or only one 2
    magnitudes fainter; when no variable star, asteroid or other known object explains it; and when
    it looks like a star that was well measured. pairs: of the sources with each catalogue.
    """
    references = _references(known)
    magnitudes = calibrated.aperture.mag
    if not references:
        return Search((), {}, "no catalogue of stars to compare with")
    if not np.isfinite(magnitudes).any():
        return Search((), {}, "no zero point: brightness cannot be compared")
    n = len(sources)
    veto = _by_looks(sources, calibrated)
    explained = np.full(n, "", dtype="U60")
    objects = (service for service in SERVICES if service.role is Role.OBJECTS)
    for service in sorted(objects, key=lambda service: service.weight):
        if service.name in known.catalogs:
            found = np.unique(pairs[service.name].source)
            explained[found] = f"known to {service.title}"
    veto = np.where(veto == "", explained, veto)
    star, brightening, deep = _stars_there(pairs, references, magnitudes)
    veto = np.where((veto == "") & star, "a catalogued star", veto)
    veto = np.where((veto == "") & ~deep, "fainter than the catalogues reach", veto)
    rows = np.flatnonzero(veto == "")
    score = sources.snr * _likeness(sources)
    best = rows[np.argsort(-score[rows], kind="stable")][:MAX_CANDIDATES]
    names = ", ".join(known.catalogs[name].title for name, _ in references)
    candidates = tuple(
        Candidate(int(k), float(score[k]), _reason(brightening[k], names)) for k in best
    )
    counts = Counter(str(reason) for reason in veto if reason)
    return Search(candidates, dict(counts.most_common()))


def _reason(brightening: float, names: str) -> str:
    if np.isfinite(brightening):
        return f"{brightening:.1f} mag brighter than the star there in {names}"
    return f"no star there in {names}"


def _references(known: Known) -> list[tuple[str, np.ndarray]]:
    """Names of catalogues of stars, and a magnitude of each of their stars."""
    found = []
    surveys = (service.name for service in SERVICES if service.role is Role.STARS)
    for name in (*known.by_hand, *surveys):
        catalog = known.catalogs.get(name)
        if catalog is None or len(catalog) < MIN_REFERENCE:
            continue
        columns = bands_of(catalog)
        if not columns:
            continue
        # The brightest of its bands: a star is not taken for new because of its colour.
        values = np.stack([catalog.number(column) for column in columns.values()])
        found.append((name, np.fmin.reduce(values, axis=0)))
    return found


def _by_looks(sources: Sources, calibrated: Calibrated) -> np.ndarray:
    """Veto by how a source looks: the first reason, or an empty text."""
    phot = sources.phot
    fwhm = np.nanmedian(phot.fwhm[sources.snr > MIN_SNR]) if (sources.snr > MIN_SNR).any() else 1
    with np.errstate(invalid="ignore"):
        width = phot.fwhm / fwhm
        tests = (
            ("S/N under 20", ~(sources.snr >= MIN_SNR)),
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


def _stars_there(
    pairs: Mapping[str, Matches],
    references: list[tuple[str, np.ndarray]],
    magnitudes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether a star is there, how much brighter the source is than it, and whether one would be.

    The last: some catalogue is whole at the source's magnitude.
    """
    n = len(magnitudes)
    star, deep = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    brightening = np.full(n, np.nan)
    for name, mag in references:
        depth = np.nanpercentile(mag, DEPTH_PERCENTILE) - DEPTH_MARGIN
        deep |= magnitudes < depth
        matches = pairs[name]
        gain = mag[matches.row] - magnitudes[matches.source]
        same = ~(gain > BRIGHTER_MAG)  # of unknown brightness: the same
        star[matches.source[same]] = True
        new = matches.source[~same]
        brightening[new] = np.fmin(brightening[new], gain[~same])
    return star, np.where(star, np.nan, brightening), deep


def _likeness(sources: Sources) -> np.ndarray:
    """1 for a source that the PSF fits within its noise, less where it does not."""
    fit = sources.psf_phot
    if fit is None:
        return np.nan_to_num(sources.phot.roundness)
    return 1.0 / np.sqrt(np.maximum(np.nan_to_num(fit.chi2, nan=100.0), 1.0))
