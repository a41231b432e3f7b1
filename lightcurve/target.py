"""Which star is wanted: from the options, a planet file, or its name."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from lightcurve.config import CatalogSettings, TargetSettings
from lightcurve.coordinates import parse_coordinates
from lightcurve.data import Planet
from lightcurve.errors import CatalogError, InputError

log = logging.getLogger(__name__)


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
    from lightcurve.catalogs.resolve import resolve_name

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
