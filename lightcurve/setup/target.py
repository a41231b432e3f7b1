"""Which star is wanted: from options, planet file or name; and whether headers point at it."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.coordinates import degrees_apart, parse_coordinates
from lightcurve.core.data import Exposure, Planet
from lightcurve.core.errors import CatalogError, InputError
from lightcurve.core.settings import CatalogSettings, TargetSettings

__all__ = ["Target", "find_target", "known_place", "warn_of_fields", "warn_of_target"]

log = logging.getLogger(__name__)
ONE_FIELD_DEG = 1.0  # headers of one field differ by less, however the telescope drifts
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Target:
    """The star whose light curve is wanted.

    Attributes
    ----------
    ra_deg, dec_deg : float
        ICRS.
    source : str
        Where the coordinates came from.
    """

    name: str
    ra_deg: float
    dec_deg: float
    source: str
    planet: Planet | None = None


def find_target(settings: TargetSettings, catalogs: CatalogSettings | None = None) -> Target:
    """Settle the target's coordinates: given, else of the planet, else of its name.

    Parameters
    ----------
    settings : TargetSettings
        With a planet file, or with a name such as ``"HAT-P-32 b"``, by which the NASA Exoplanet
        Archive is asked for the planet.
    catalogs : CatalogSettings, optional
        How the archive is asked, and whether any service may be.

    Raises
    ------
    InputError
        When nothing says where it is, or what does makes no sense.
    CatalogError
        When only a name is given and it cannot be resolved.
    """
    planet = _planet(settings, catalogs)
    name = settings.name or (planet.name if planet else "")
    if (settings.ra is None) != (settings.dec is None):
        msg = "give both --ra and --dec, or neither"
        raise InputError(msg)
    if settings.ra is not None and settings.dec is not None:
        ra, dec = parse_coordinates(settings.ra, settings.dec)
        return Target(name or "target", ra, dec, "options --ra and --dec", planet)
    if planet:
        return Target(name, planet.ra_deg, planet.dec_deg, planet.source, planet)
    if not name:
        msg = "which star? give --target NAME, --ra and --dec, or --planet FILE"
        raise InputError(msg)
    from lightcurve.catalogs.sesame import resolve_name

    offline = catalogs is not None and catalogs.offline
    return Target(name, *resolve_name(name, offline=offline))


def known_place(settings: TargetSettings) -> tuple[float, float] | None:
    """Tell where the target is, if the settings say so without a service.

    Returns
    -------
    tuple of float, or None
        RA and Dec, ICRS degrees; None where at most a name is given.

    Raises
    ------
    InputError
        When what is given makes no sense.
    """
    if settings.ra is settings.dec is settings.planet_file is None:
        if settings.name:
            log.warning("%s is not looked up here: --ra and --dec would help", settings.name)
        return None
    # By its name an archive would be asked.
    target = find_target(settings.model_copy(update={"name": ""}))
    return target.ra_deg, target.dec_deg


def _planet(settings: TargetSettings, catalogs: CatalogSettings | None) -> Planet | None:
    from lightcurve.transit.ephemeris import make_planet, read_planet

    if settings.planet_file is not None:
        return read_planet(settings.planet_file)
    from lightcurve.catalogs.exoplanet_archive import TITLE, find_planet

    try:
        values = find_planet(settings.name, catalogs)
        return None if values is None else make_planet(values, TITLE)
    except (CatalogError, InputError) as error:
        log.warning("no planet: %s", error)
        return None


def warn_of_fields(exposures: Sequence[Exposure]) -> tuple[str, ...]:
    """Warn where light frames are of several objects, or point at several fields.

    exposures: of the light frames. Returns what was warned of.
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

    exposures: of the light frames.
    radius_deg: within which a solver searches; half the field's diagonal, where known, is added.
    Returns what was warned of; empty where a header points near, or none tells.
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
    """List where headers point, as far as they tell: RA and Dec, degrees."""
    return [
        (e.ra_deg, e.dec_deg) for e in exposures if e.ra_deg is not None and e.dec_deg is not None
    ]
