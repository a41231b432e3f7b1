"""Plate solving in this process, with Astrometry.net's engine (PyPI ``astrometry``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.wcs import describe_wcs
from lightcurve.config import SolveSettings
from lightcurve.data import Solution
from lightcurve.errors import InputError, SolveError

if TYPE_CHECKING:
    from astropy.wcs import WCS

N_STARS = 80
MATCH_PX = 3.0
MIN_MATCHED = 6
# A header's scale is off by a binning or a reducer now and then: then look wider.
WIDENINGS = (1.0, 2.5)
SYSTEM_PLACES = (Path("/usr/share/astrometry"), Path("/usr/local/astrometry/data"))
VARIABLES = ("ASTROMETRY_NET_DATA_DIR", "ASTROMETRY_INDEX_DIR")


def find_index_files(given: Sequence[Path]) -> tuple[Path, ...]:
    """List the Astrometry.net index files there are.

    Parameters
    ----------
    given : sequence of Path
        Files or folders from the settings; without any, the places where systems keep them.

    Returns
    -------
    tuple of Path

    Raises
    ------
    InputError
        When a given path does not exist or holds no index file.
    """
    if given:
        return tuple(file for place in given for file in _index_files_of(place, needed=True))
    from platformdirs import user_cache_path

    named = [Path(os.environ[name]) for name in VARIABLES if os.environ.get(name)]
    own = user_cache_path("lightcurve", appauthor=False) / "index"
    places = [*named, own, *SYSTEM_PLACES]
    return tuple(file for place in places for file in _index_files_of(place, needed=False))


def _index_files_of(place: Path, *, needed: bool) -> list[Path]:
    if place.is_file():
        return [place]
    files = sorted(place.glob("index-*.fits")) if place.is_dir() else []
    if needed and not files:
        what = "holds no index-*.fits" if place.is_dir() else "no such file or folder"
        msg = f"--index {place}: {what}"
        raise InputError(msg)
    return files


def solve_local(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Solve a frame with index files on this machine.

    Parameters
    ----------
    request : SolveRequest
    settings : SolveSettings

    Returns
    -------
    Solution
        A TAN WCS fitted to the index stars that the engine matched.

    Raises
    ------
    SolveError
        When the engine is not installed, no index file is there, or nothing matches.
    InputError
        When an index file given is not there or is none.
    """
    try:
        import astrometry
    except ImportError as error:
        msg = "the package `astrometry` is not installed (no wheel for this platform?)"
        raise SolveError(msg) from error
    files = find_index_files(settings.index)
    n = len(request.stars)
    if not files:
        msg = "no index files: give --index FILE or FOLDER, or put them where systems keep them"
        raise SolveError(msg, n_detected=n)
    try:
        engine = astrometry.Solver(list(files))
    except (RuntimeError, ValueError, OSError) as error:
        msg = f"cannot read index file {', '.join(f.name for f in files)[:200]}: {error}"
        raise InputError(msg) from error
    # The engine counts pixels from 1, as FITS does.
    stars = np.column_stack([request.stars.x, request.stars.y])[:N_STARS] + 1
    with engine:
        for size_hint, position_hint in _hints(request, settings):
            found = engine.solve(
                stars,
                size_hint,
                position_hint,
                astrometry.SolutionParameters(sip_order=0, tune_up_logodds_threshold=None),
            )
            if found.has_match():
                return _solution(found.best_match(), request)
    scale = f"{request.scale_arcsec:.3g}" if request.scale_arcsec else "unknown"
    msg = (
        f"no match of {min(n, N_STARS)} stars (of {n}) in {len(files)} index file(s), "
        f"scale {scale} arcsec/px: does the index cover the field and its scale? try --scale"
    )
    raise SolveError(msg, n_detected=n)


def _hints(request: SolveRequest, settings: SolveSettings) -> list[tuple]:
    """Scale and position hints, the narrow ones first."""
    import astrometry

    position = None
    if request.ra_deg is not None and request.dec_deg is not None:
        position = astrometry.PositionHint(
            ra_deg=request.ra_deg % 360, dec_deg=request.dec_deg, radius_deg=settings.radius_deg
        )
    if request.scale_arcsec is None:
        return [(None, position)]
    hints = []
    for widening in WIDENINGS:
        factor = (1 + settings.scale_tolerance) ** widening
        low, high = request.scale_arcsec / factor, request.scale_arcsec * factor
        hints.append((astrometry.SizeHint(low, high), position))
    return [*hints, (None, position)]


def _solution(match: object, request: SolveRequest) -> Solution:
    """Fit a TAN WCS to the matched index stars and say how well it does."""
    rough = match.astropy_wcs()
    catalog = np.array([(star.ra_deg, star.dec_deg) for star in match.stars])
    wcs, n_matched, rms_px = fit_to_stars(rough, request, catalog)
    scale, rotation, parity = describe_wcs(wcs, request.shape)
    if n_matched < MIN_MATCHED:
        msg = f"the match found agrees with {n_matched} stars only"
        raise SolveError(msg, n_detected=len(request.stars), n_catalog=len(catalog))
    detail = f"{match.index_path.name}, log odds {match.logodds:.0f}"
    return Solution(wcs, "local", n_matched, rms_px * scale, scale, rotation, parity, detail)


def fit_to_stars(wcs: WCS, request: SolveRequest, catalog: np.ndarray) -> tuple[WCS, int, float]:
    """Fit a TAN WCS anew to catalogue stars that fall on detected ones.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Good to a few pixels.
    request : SolveRequest
    catalog : (n, 2) float array
        RA and Dec, degrees.

    Returns
    -------
    wcs : astropy.wcs.WCS
        The one given where fewer than `MIN_MATCHED` stars agree.
    n_matched : int
    rms_px : float
        Both axes together; NaN without a match.
    """
    from astropy import units as u
    from astropy.coordinates import SkyCoord
    from astropy.wcs.utils import fit_wcs_from_points

    n_matched, rms = 0, float("nan")
    for tolerance in (MATCH_PX, MATCH_PX / 2, MATCH_PX / 2):
        here, there, distance = match_catalog(wcs, request, catalog, tolerance)
        if len(here) < MIN_MATCHED:
            break
        xy = (request.stars.x[here], request.stars.y[here])
        sky = SkyCoord(*catalog[there].T * u.deg)
        wcs = fit_wcs_from_points(xy, sky, projection="TAN")
    here, _, distance = match_catalog(wcs, request, catalog, MATCH_PX / 2)
    if len(here):
        n_matched, rms = len(here), float(np.sqrt(np.mean(distance**2)))
    return wcs, n_matched, rms


def match_catalog(
    wcs: WCS, request: SolveRequest, catalog: np.ndarray, tolerance_px: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair detected stars with catalogue stars, one to one, the closest first.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    request : SolveRequest
    catalog : (n, 2) float array
        RA and Dec, degrees.
    tolerance_px : float

    Returns
    -------
    here, there : (m,) int arrays
        Rows of the detections and of the catalogue.
    distance : (m,) float array
        Pixels.
    """
    from scipy.spatial import cKDTree

    x, y = wcs.wcs_world2pix(catalog[:, 0], catalog[:, 1], 0)
    predicted = np.nan_to_num(np.column_stack([x, y]), nan=-1e9)
    tree = cKDTree(np.column_stack([request.stars.x, request.stars.y]))
    distance, nearest = tree.query(predicted, distance_upper_bound=tolerance_px)
    there = np.flatnonzero(np.isfinite(distance))
    there = there[np.argsort(distance[there], kind="stable")]
    here, first = np.unique(nearest[there], return_index=True)
    return here, there[first], distance[there[first]]
