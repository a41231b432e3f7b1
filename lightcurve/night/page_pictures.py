"""The parts of a night's page that are pictures: its field, and the film of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from lightcurve.core.data import Picture, Solution, StarRole
from lightcurve.core.flags import NO_POINT
from lightcurve.night.reduced import Night
from lightcurve.report.page.contents import Json
from lightcurve.report.page.film import field_sheet, make_film


def picture_part(night: Night) -> Mapping[str, Json] | None:
    """Lay out the picture of the field, with what its stars' circles and its compass need.

    None where the run, of an earlier version, kept no picture.
    """
    scene = night.scene
    if scene.picture is None:
        return None
    return {
        **_sheet_of(scene.picture),
        "file": scene.reference.path.name,
        "radius": night.recipe.radius_px,
        "annulus": [float(radius) for radius in night.measurements.annulus],
        **_directions(scene.solution),
    }


@lru_cache(maxsize=4)  # a night that goes on shows the same picture again and again
def _sheet_of(picture: Picture) -> Mapping[str, Json]:
    return field_sheet(picture)


def _directions(solution: Solution) -> dict[str, Json]:
    """North and east as unit vectors, x and y of the frame's pixels, and the scale."""
    angle = np.radians(solution.rotation_deg)
    north = solution.parity * np.sin(angle), np.cos(angle)
    east = -solution.parity * north[1], solution.parity * north[0]
    if not np.isfinite([*north, solution.scale_arcsec]).all():
        return {"north": None, "east": None, "scale_arcsec": None}
    return {
        "north": [float(v) for v in north],
        "east": [float(v) for v in east],
        "scale_arcsec": float(solution.scale_arcsec),
    }


def film_part(night: Night) -> Mapping[str, Json] | None:
    """Lay out the film; None where the run kept no pictures."""
    m, curve = night.measurements, night.curve
    results = {result.file: result for result in night.results}
    target = int(np.flatnonzero(m.plan.role == StarRole.TARGET)[0])
    odd = ((curve.flags & int(NO_POINT)) != 0) | ~np.isfinite(curve.flux)
    if night.fit is not None:
        odd |= ~night.fit.used
    places = np.column_stack([m.x[:, target], m.y[:, target]])
    return make_film([results[str(name)] for name in m.file], places, odd, night.failed)
