"""Where a moving object is: by places given, or by a service's ephemeris for the frames' times."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.astrometry.track import Track
from lightcurve.catalogs.ephemeris import Ephemeris
from lightcurve.catalogs.horizons import ask_horizons
from lightcurve.catalogs.skybot import ask_skybot
from lightcurve.core.coordinates import parse_coordinates
from lightcurve.core.data import Exposure, Site
from lightcurve.core.dates import jd_from_iso
from lightcurve.core.errors import CatalogError, FrameError, InputError
from lightcurve.core.settings import Settings
from lightcurve.frames.headers import normalise
from lightcurve.frames.read import read_cards
from lightcurve.image.batch import listed

__all__ = ["Wanted"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which object is followed.

    Attributes
    ----------
    name : str
        What services know it by; with places given, only what it is called.
    places : tuple of (float, float, float)
        Times (JD UTC), right ascensions and declinations (degrees), in the order of time; no
        service is asked then.
    service : str
        The one that is to tell the path; ``""`` asks Horizons, then SkyBoT.
    """

    name: str
    places: tuple[tuple[float, float, float], ...] = ()
    service: str = ""

    @classmethod
    def typed(cls, name: str, given: Sequence[str], service: str = "") -> Wanted:
        """Read places typed as ``"2024-01-05T20:00:00 05:25:12.8 +04:29:25"``.

        Raises InputError when one cannot be read, or is alone, or there is no such service.
        """
        if service and service not in SERVICES:
            msg = f"--ephemeris {service}: known are {', '.join(SERVICES)}"
            raise InputError(msg)
        if len(given) == 1:
            msg = "--at: one place tells no motion; give it twice, with another time"
            raise InputError(msg)
        return cls(name, tuple(sorted(map(_place, given))), service)


def _place(text: str) -> tuple[float, float, float]:
    words = text.replace(",", " ").split()
    if len(words) != 3:
        msg = f"--at {text!r}: give time (UTC), right ascension and declination"
        raise InputError(msg)
    try:
        when = jd_from_iso(words[0])
    except ValueError as error:
        msg = f"--at: {error}"
        raise InputError(msg) from error
    return when, *parse_coordinates(words[1], words[2])


def find_track(paths: Sequence[Path], settings: Settings, wanted: Wanted) -> Track:
    """Make the path: through the places given, else by the services for the times of the frames.

    Raises InputError when nothing tells which object or when, CatalogError when no service does.
    """
    if wanted.places:
        jd, ra, dec = np.array(wanted.places).T
        return Track(jd, ra, dec, wanted.name or "object", "places given by hand")
    if not wanted.name:
        msg = "which object? give --object NAME, or its place twice: --at 'TIME RA DEC'"
        raise InputError(msg)
    files = listed(paths)[0]
    read = [_exposure(file, settings) for file in files]
    exposures = [one for one in read if isinstance(one, Exposure)]
    if not exposures:
        msg = f"no frame of {len(files)} has a time, {wanted.name} cannot be followed: {read[0]}"
        raise InputError(msg)
    found = _asked(wanted, exposures, settings)
    source = f"{found.title} by {found.service}, seen from {found.seen_from}"
    return Track(found.jd_utc, found.ra_deg, found.dec_deg, found.name, source)


def _asked(wanted: Wanted, exposures: Sequence[Exposure], settings: Settings) -> Ephemeris:
    """Ask the service that is wanted, or all in turn until one knows."""
    failed = []
    for name in [wanted.service] if wanted.service else SERVICES:
        try:
            return SERVICES[name](wanted.name, exposures, settings)
        except CatalogError as error:
            failed.append(error)
            log.info("%s", error)
    if len(failed) == 1:
        raise failed[0]
    raise CatalogError(failed[0].service, "; ".join([failed[0].reason, *map(str, failed[1:])]))


def _horizons(name: str, exposures: Sequence[Exposure], settings: Settings) -> Ephemeris:
    return ask_horizons(
        name, [one.mid_jd_utc for one in exposures if one.mid_jd_utc], settings.catalogs,
        site=_site(exposures), mpc_code=settings.image.mpc_code,
    )  # fmt: skip


def _skybot(name: str, exposures: Sequence[Exposure], settings: Settings) -> Ephemeris:
    seen = [
        (one.mid_jd_utc, one.ra_deg, one.dec_deg)
        for one in exposures
        if one.mid_jd_utc and one.ra_deg is not None and one.dec_deg is not None
    ]
    return ask_skybot(
        name, seen, settings.catalogs, site=_site(exposures), mpc_code=settings.image.mpc_code
    )


# In the order in which they are asked.
SERVICES = {"horizons": _horizons, "skybot": _skybot}


def _site(exposures: Sequence[Exposure]) -> Site | None:
    return next((one.site for one in exposures if one.site), None)


def _exposure(path: Path, settings: Settings) -> Exposure | Exception:
    """Read what a header says of a frame's time, or why it does not."""
    try:
        cards, shape, _ = read_cards(path, settings.camera.profile)
        exposure, error = normalise(cards, path=path, shape=shape, settings=settings)
    except (FrameError, OSError) as unread:
        return unread
    return exposure if exposure.mid_jd_utc else error or FrameError(path, "has no time")
