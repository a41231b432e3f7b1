"""Where headers say that the telescope pointed: whether at one field, and at the target's."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lightcurve.coordinates import degrees_apart
from lightcurve.data import Exposure
from lightcurve.target import Target

log = logging.getLogger(__name__)

ONE_FIELD_DEG = 1.0  # headers of one field differ by less, however the telescope drifts
SHOWN = 3


def warn_of_fields(exposures: Sequence[Exposure]) -> tuple[str, ...]:
    """Warn where light frames are of several objects, or point at several fields.

    exposures: of the light frames.
    What was warned of.
    """
    warnings = []
    names = [re.sub(r"[\W_]", "", e.object_name or "").lower() for e in exposures]
    objects = Counter(name for name in names if name)
    if len(objects) > 1:
        spelt = dict(zip(names, (e.object_name for e in exposures), strict=True))
        common = [f"{spelt[name]} ({n})" for name, n in objects.most_common(SHOWN)]
        more = f" and {len(objects) - SHOWN} more" if len(objects) > SHOWN else ""
        warnings.append(f"the headers name {len(objects)} objects: {', '.join(common)}{more}")
    places = _pointings(exposures)
    if places:
        main = Counter(tuple(np.round(place, 1)) for place in places).most_common(1)[0][0]
        apart = [degrees_apart(place, main) for place in places]
        far = [k for k, angle in enumerate(apart) if angle > ONE_FIELD_DEG]
        if far:
            warnings.append(
                f"{len(far)} of {len(places)} headers point {apart[far[0]]:.3g} deg away from the "
                "others, so their frames may show another field"
            )
    for warning in warnings:
        log.warning("%s", warning)
    return tuple(warnings)


def warn_of_target(exposures: Sequence[Exposure], target: Target, radius_deg: float) -> str:
    """Warn where no light frame's header points anywhere near the target.

    exposures: of the light frames; radius_deg: within which a solver searches; half the field's
    diagonal comes on top, where it is known.
    What was warned of; empty where a header points near, or none tells.
    """
    places = _pointings(exposures)
    apart = [degrees_apart(place, (target.ra_deg, target.dec_deg)) for place in places]
    half = max(
        (float(np.hypot(*e.shape)) / 7200 * e.scale_arcsec for e in exposures if e.scale_arcsec),
        default=0.0,
    )
    if not apart or min(apart) <= radius_deg + half:
        return ""
    nearest = places[int(np.argmin(apart))]
    text = (
        f"the headers point to {nearest[0]:.2f} {nearest[1]:+.2f} deg, the target is "
        f"{min(apart):.3g} deg away ({target.source}): check --ra and --dec, or the folder"
    )
    log.warning("%s", text)
    return text


def _pointings(exposures: Sequence[Exposure]) -> list[tuple[float, float]]:
    """List where headers point, as far as they tell.

    Returns list of (float, float), RA and Dec, degrees.
    """
    return [
        (e.ra_deg, e.dec_deg) for e in exposures if e.ra_deg is not None and e.dec_deg is not None
    ]
