"""What surveys saw where candidates are, on the frame's own pixels."""

from __future__ import annotations

import logging

import numpy as np

from lightcurve.catalogs.hips import Cutout, ask_cutout
from lightcurve.core.data import Solution
from lightcurve.core.errors import CatalogError
from lightcurve.core.threads import Threads
from lightcurve.image.reduced import Candidate, Reduced
from lightcurve.image.sky import wanted_band

log = logging.getLogger(__name__)
WORKERS = 4


def ask_templates(reduced: Reduced, half_px: int) -> dict[int, Cutout]:
    """Ask for a survey's image around every candidate, until the service fails.

    half_px: half the side of the square. Returns by the source's row; a place that no survey saw is
    left out. Nothing is asked for where the settings name the services to ask.
    """
    settings, solution = reduced.settings, reduced.placed.solution
    candidates = reduced.transients.candidates
    if not candidates or solution is None or settings.image.services is not None:
        return {}
    band, _ = wanted_band(reduced.prepared.frame.exposure.filter, settings.image)

    def ask(one: Candidate) -> tuple[int, Cutout | None]:
        x, y = (int(np.rint(reduced.table[name][one.row])) for name in ("x", "y"))
        cards = cards_around(solution, (x, y), half_px)
        return one.row, ask_cutout(cards, band, settings.catalogs)

    found: dict[int, Cutout | None] = {}
    try:
        # The first alone: of a service that does not answer nothing else is asked.
        found.update([ask(candidates[0])])
        with Threads(WORKERS) as pool:
            found.update(pool.map(ask, candidates[1:]))
    except CatalogError as error:
        log.log(
            logging.INFO if settings.catalogs.offline else logging.WARNING,
            "candidates without the image of a survey: %s", error,
        )  # fmt: skip
    return {row: cutout for row, cutout in found.items() if cutout is not None}


def cards_around(
    solution: Solution, place: tuple[int, int], half_px: int
) -> dict[str, str | float]:
    """Write the WCS of a square about a pixel, (x, y): a tangent plane, as the frame lies there."""
    x, y = place
    around = np.array([(x, y), (x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)], dtype=float)
    ra, dec = np.asarray(solution.wcs.all_pix2world(around, 0)).T
    east = ((ra - ra[0] + 180) % 360 - 180) * np.cos(np.radians(dec[0]))
    north = dec - dec[0]
    cd = [[(v[2] - v[1]) / 2, (v[4] - v[3]) / 2] for v in (east, north)]
    side = 2 * half_px + 1
    return {
        "NAXIS1": side, "NAXIS2": side, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg", "CUNIT2": "deg", "RADESYS": "ICRS",
        "CRPIX1": half_px + 1.0, "CRPIX2": half_px + 1.0,
        "CRVAL1": float(ra[0]), "CRVAL2": float(dec[0]),
        **{f"CD{i + 1}_{j + 1}": float(cd[i][j]) for i in (0, 1) for j in (0, 1)},
    }  # fmt: skip
