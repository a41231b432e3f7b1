"""Which star is wanted: from options, planet file or name; and whether headers point at it."""

from __future__ import annotations

import logging
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.constants import J2000_JD, YEAR_DAYS
from lightcurve.core.coordinates import degrees_apart, parse_coordinates
from lightcurve.core.data import Exposure, Motion, Planet
from lightcurve.core.errors import CatalogError, InputError, Why
from lightcurve.core.settings import CatalogSettings, TargetSettings

__all__ = [
    "ONE_FIELD_DEG",
    "Target",
    "at_night",
    "far_from_headers",
    "find_target",
    "is_told",
    "known_place",
    "recognise_target",
    "refuse_another_field",
    "warn_of_fields",
]

log = logging.getLogger(__name__)
ONE_FIELD_DEG = 1.0  # headers of one field differ by less, however the telescope drifts
SHOWN = 3
LIGHT_TIME_DAYS = 0.0067  # JD UTC and BJD_TDB differ by less: 499 s and 69 s


@dataclass(frozen=True, slots=True)
class Target:
    """The star whose light curve is wanted.

    Attributes
    ----------
    ra_deg, dec_deg : float
        ICRS.
    source : str
        Where the coordinates came from.
    motion : Motion, optional
        Of the coordinates; None where it is not known, or they are those of the night.
    """

    name: str
    ra_deg: float
    dec_deg: float
    source: str
    planet: Planet | None = None
    motion: Motion | None = None


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
    pair = _pair(name)
    if pair is not None and planet is None:
        return Target("target", *pair, "option --target")
    if planet:
        place = (planet.ra_deg, planet.dec_deg)
        return Target(name, *place, planet.source, planet, planet.motion)
    if not name:
        msg = "which star? give --target NAME, --ra and --dec, or --planet FILE"
        raise InputError(msg)
    from lightcurve.catalogs.sesame import resolve_name

    offline = catalogs is not None and catalogs.offline
    ra, dec, source, motion = resolve_name(name, offline=offline)
    return Target(name, ra, dec, source, motion=motion)


def _pair(name: str) -> tuple[float, float] | None:
    """Read a name that is coordinates, ``04:52:21.1,-69:18:26``; None where it is none."""
    ra, comma, dec = name.partition(",")
    if not comma or not re.match(r"\s*[+-]?\d", dec) or not re.match(r"\s*\d", ra):
        return None
    return parse_coordinates(ra, dec)


def at_night(target: Target, moments: Iterable[float | None]) -> Target:
    """Move a target to where it stands when it was observed.

    Parameters
    ----------
    moments : iterable of float or None
        Of the frames, JD UTC, NaN and None left out; the middle one counts.

    Returns
    -------
    Target
        As it was where its motion is not known, or no frame has a time; else its source says how
        far it moved. Given by ``--ra`` and ``--dec`` it stays.
    """
    from lightcurve.catalogs.motion import place_at

    known = [jd for jd in moments if jd is not None and np.isfinite(jd)]
    if target.motion is None or not known:
        return target
    moment, first = statistics.median(known), (target.ra_deg, target.dec_deg)
    ra, dec = place_at(*first, target.motion, moment)
    source = (
        f"{target.source}; moved {3600 * degrees_apart(first, (ra, dec)):.2f} arcsec by proper "
        f"motion and parallax from epoch {target.motion.epoch_year:.1f} to "
        f"{2000 + (moment - J2000_JD) / YEAR_DAYS:.1f}"
    )
    return replace(target, ra_deg=ra, dec_deg=dec, source=source, motion=None)


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
        if pair := _pair(settings.name):
            return pair
        if settings.name:
            log.warning("%s is not looked up here: --ra and --dec would help", settings.name)
        return None
    # By its name an archive would be asked.
    target = find_target(settings.model_copy(update={"name": ""}))
    return target.ra_deg, target.dec_deg


def _planet(settings: TargetSettings, catalogs: CatalogSettings | None) -> Planet | None:
    from lightcurve.imports.formats import read_any_planet
    from lightcurve.transit.ephemeris import make_planet

    if settings.planet_file is not None:
        return read_any_planet(settings.planet_file)
    from lightcurve.catalogs.exoplanet_archive import TITLE, find_planet
    from lightcurve.catalogs.known_planets import planets_of_star, the_table

    found, table = planets_of_star(settings.name), the_table()
    known = make_planet(found[0].values, found[0].name) if len(found) == 1 else None
    fresh = table.refreshed and table.age_days <= (catalogs or CatalogSettings()).cache_days
    if known is not None and fresh:
        return known
    try:
        values = find_planet(known.name if known else settings.name, catalogs)
        return None if values is None else make_planet(values, TITLE)
    except (CatalogError, InputError) as error:
        if known is None:
            log.warning("no planet: %s", error)
        else:
            log.info("%s: known values serve (%s)", error, table.origin)
        return known


def is_told(settings: TargetSettings) -> bool:
    """Whether the settings say anything of which star is wanted."""
    return bool(settings.name or settings.ra or settings.dec or settings.planet_file)


def recognise_target(exposures: Sequence[Exposure]) -> Target:
    """Tell from light frames alone which star with a known planet they were taken of.

    By the OBJECT of their headers; else it is the one in their field that has a transit while they
    were taken. Where the star has several planets, the one that has a transit then is meant.

    Raises
    ------
    InputError
        When neither tells, naming what is in the field.
    """
    from lightcurve.catalogs.known_planets import planets_near, planets_of_star
    from lightcurve.transit.ephemeris import make_planet

    places, names = _pointings(exposures), Counter(e.object_name for e in exposures)
    middle = np.median(places, axis=0) if places else np.empty(0)
    place = (float(middle[0]), float(middle[1])) if places else None
    named = [p for name in names if name for p in planets_of_star(name)]
    if place:
        named = [p for p in named if degrees_apart(place, (p.ra_deg, p.dec_deg)) < ONE_FIELD_DEG]
    found = named or (planets_near(*place, _field_deg(exposures)) if place else ())
    planets = [make_planet(one.values, one.name) for one in found]
    due = [planet for planet in planets if _has_transit(planet, exposures)]
    meant = due if len(due) == 1 else planets if named and len(planets) == 1 else []
    if not meant:
        msg = "which star? give --target NAME, --ra and --dec, or --planet FILE"
        if planets:
            some = ", ".join(planet.name for planet in planets[:SHOWN])
            msg += f"; in the field: {some}, {len(due)} of {len(planets)} with a transit then"
        raise InputError(msg)
    planet = meant[0]
    why = "OBJECT of the headers" if named else "the planet in the field with a transit then"
    log.info("target: %s, %s; --target names another", planet.name, why)
    source = f"{why}; {planet.source}"
    return Target(planet.name, planet.ra_deg, planet.dec_deg, source, planet, planet.motion)


def _field_deg(exposures: Sequence[Exposure]) -> float:
    """Half the diagonal of the frames, or `ONE_FIELD_DEG` / 2 where no header tells the scale."""
    known = [np.hypot(*e.shape) / 7200 * e.scale_arcsec for e in exposures if e.scale_arcsec]
    return float(max(known)) if known else ONE_FIELD_DEG / 2


def _has_transit(planet: Planet, exposures: Sequence[Exposure]) -> bool:
    """Whether any of a transit is predicted while frames were taken, within 3 of its errors."""
    from lightcurve.transit.ephemeris import MARGIN_SIGMA, predict_transit

    moments = [e.mid_jd_utc for e in exposures if e.mid_jd_utc is not None]
    if not moments:
        return False
    transit = predict_transit(planet, statistics.median(moments))
    error = transit.mid_err if np.isfinite(transit.mid_err) else 0.0
    late = MARGIN_SIGMA * error + LIGHT_TIME_DAYS
    return transit.ingress - late < max(moments) and min(moments) < transit.egress + late


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


def far_from_headers(exposures: Sequence[Exposure], target: Target, radius_deg: float) -> str:
    """Say that no light frame's header points anywhere near the target, where none does.

    exposures: of the light frames.
    radius_deg: within which a solver searches; half the field's diagonal, where known, is added.
    Returns empty text where a header points near, or none tells.
    """
    places = [place for exposure in exposures for place in exposure.places]
    apart = [degrees_apart(place, (target.ra_deg, target.dec_deg)) for place in places]
    half = max(
        (float(np.hypot(*e.shape)) / 7200 * e.scale_arcsec for e in exposures if e.scale_arcsec),
        default=0.0,
    )
    if not apart or min(apart) <= radius_deg + half:
        return ""
    nearest = places[int(np.argmin(apart))]
    return (
        f"the headers point to {nearest[0]:.2f} {nearest[1]:+.2f} deg, the target is "
        f"{min(apart):.3g} deg away ({target.source}): check --ra and --dec, or the folder"
    )


def refuse_another_field(
    exposures: Sequence[Exposure], target: Target, elsewhere: str, *, n_wcs: int
) -> None:
    """Refuse a target far from where frames certainly look.

    Certain is what two words of a header agree on: its pointing and the known place of its OBJECT,
    or its WCS. A mount alone may be wrong.

    Parameters
    ----------
    elsewhere : str
        What `far_from_headers` says.
    n_wcs : int
        How many of the headers have a WCS.

    Raises
    ------
    InputError
        Naming both places, and how far they are apart.
    """
    from lightcurve.catalogs.known_planets import planets_of_star

    places = _pointings(exposures)
    if not elsewhere or not places:
        return
    name = Counter(e.object_name for e in exposures).most_common(1)[0][0]
    at = Counter(tuple(np.round(place, 1)) for place in places).most_common(1)[0][0]
    stars = planets_of_star(name) if name else ()
    known = any(degrees_apart(at, (one.ra_deg, one.dec_deg)) < ONE_FIELD_DEG for one in stars)
    if known or n_wcs > len(exposures) / 2:
        why = f"they are of {name}, which is there" if known else "their WCS says so, too"
        msg = f"{target.name} is not in these frames: {elsewhere}; {why} (--blind searches all sky)"
        raise InputError(msg, why=Why.ELSEWHERE)


def _pointings(exposures: Sequence[Exposure]) -> list[tuple[float, float]]:
    """List where headers point, as far as they tell: RA and Dec, degrees."""
    return [place for exposure in exposures for place in exposure.places[:1]]
