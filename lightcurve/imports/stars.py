"""Lists of stars: AstroImageJ's ``.apertures`` and ``.radec``, or any table of places."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.aij.settings_files import ApertureSettings, read_apertures, read_radec
from lightcurve.catalogs.catalog_file import read_listing
from lightcurve.catalogs.known_planets import planets_near
from lightcurve.core.coordinates import degrees_apart, format_coordinates, parse_coordinates
from lightcurve.core.data import StarRole
from lightcurve.core.errors import InputError
from lightcurve.core.files import read_text
from lightcurve.core.settings import Settings, make_settings
from lightcurve.core.words import COLUMNS
from lightcurve.imports.formats import read_any_planet

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["take_stars"]

log = logging.getLogger(__name__)
WHAT = "a list of stars"
MAX_BYTES = 20_000_000
MAX_STARS = 2000
SHOWN = 5
SAME_STAR_DEG = 0.01  # wide of proper motions and of centres placed by hand
_APERTURES = re.compile(r"^\.?(multi)?aperture\.\w+\s*=", re.MULTILINE)
_RADEC = re.compile(r"[-+\d:. ]+,[-+\d:. ]+(,|$)")
KNOWN = "an .apertures or .radec file of AstroImageJ's, or a table with ra and dec or x and y"


@dataclass(frozen=True, slots=True)
class Listed:
    """One star of a list; `place` is as `lightcurve.curve.named` reads it."""

    name: str
    role: StarRole | None  # None: not to compare with
    place: str
    sky: tuple[float, float] | None = None  # degrees


@dataclass(frozen=True, slots=True)
class StarList:
    """A list of stars, as far as it says what is wanted.

    Attributes
    ----------
    kind : str
        What it is, in words.
    radius, annulus : float, tuple of float, or None
        Pixels.
    """

    kind: str
    stars: tuple[Listed, ...]
    radius: float | None = None
    annulus: tuple[float, float] | None = None

    def of_role(self, role: StarRole | None) -> list[Listed]:
        """Take those that are for one thing."""
        return [star for star in self.stars if star.role is role]


def take_stars(settings: Settings) -> Settings:
    """Fill in what a list of stars says, where nothing else says it: stars, target, radii.

    Parameters
    ----------
    settings : Settings
        Returned as they are where they name no list.

    Raises
    ------
    InputError
        When the list cannot be read, or its target is another star.
    """
    path = settings.stars.file
    if path is None:
        return settings
    found = read_star_list(path)
    target = _target_of(path, found, settings)
    values = settings.model_dump(exclude_unset=True)
    taken: list[str] = []
    for section, name, value, told in _wanted(found, target, settings):
        if value:
            values.setdefault(section, {})[name] = value
            taken += [told] if told else []
    log.info("%s, %s: %s", path.name, found.kind, "; ".join(taken) or "nothing that is not given")
    return make_settings(values, str(path))


def _wanted(
    found: StarList, target: Listed | None, settings: Settings
) -> list[tuple[str, str, Any, str]]:
    """List what may be filled in: section and name of a setting, its value, how it is told."""
    stars, radii = settings.stars, settings.apertures
    comparisons, checks = found.of_role(StarRole.COMPARISON), found.of_role(StarRole.CHECK)
    left = found.of_role(None)
    given = settings.target
    placed = given.name or given.ra or given.planet_file
    wanted: list[tuple[str, str, Any, str]] = []
    if not stars.comparisons:
        places = [star.place for star in comparisons]
        wanted.append(("stars", "comparisons", places, f"{len(places)} comparison stars"))
    if not stars.check and len(checks) == 1:
        wanted.append(("stars", "check", checks[0].place, f"check star {checks[0].name}"))
    if not stars.exclude:
        wanted.append(("stars", "exclude", [star.place for star in left], f"{len(left)} left out"))
    if target is not None and target.sky is not None and not placed:
        ra, dec = target.sky
        told = f"target {target.name} at RA {ra:.5f}, Dec {dec:+.5f}"
        wanted += [("target", "ra", str(ra), told), ("target", "dec", str(dec), "")]
        near = planets_near(ra, dec, SAME_STAR_DEG)
        if len(near) == 1:
            wanted.append(("target", "name", near[0].name, f"where {near[0].name} is"))
    if target is not None and target.sky is None and not stars.anchor:
        wanted.append(("stars", "anchor", target.place, f"target {target.name} at {target.place}"))
    if found.radius and not radii.radii and radii.fwhm_factor is None:
        wanted.append(("apertures", "radii", [found.radius], f"aperture {found.radius:g} px"))
    if found.annulus and not radii.annulus:
        inner, outer = found.annulus
        told = f"sky from {inner:g} to {outer:g} px"
        wanted.append(("apertures", "annulus", found.annulus, told))
    return wanted


def _target_of(path: Path, found: StarList, settings: Settings) -> Listed | None:
    """Take the first target of a list; raises InputError where the settings have another place."""
    targets = found.of_role(StarRole.TARGET)
    if not targets:
        return None
    place, sky = _place_given(settings), targets[0].sky
    if place is None or sky is None:
        return targets[0]
    apart = degrees_apart(place, sky)
    if apart > SAME_STAR_DEG:
        msg = (
            f"{path}: its target {targets[0].name} (RA {sky[0]:.4f}, Dec {sky[1]:+.4f}) is "
            f"{apart:.3g} deg from the target given: a list of another field?"
        )
        raise InputError(msg)
    return targets[0]


def _place_given(settings: Settings) -> tuple[float, float] | None:
    """Tell where the target is, if the settings say so without its name being looked up."""
    given = settings.target
    if given.ra is not None and given.dec is not None:
        return parse_coordinates(given.ra, given.dec)
    if given.planet_file is None:
        return None
    planet = read_any_planet(given.planet_file)
    return planet.ra_deg, planet.dec_deg


def read_star_list(path: Path) -> StarList:
    """Read a list of stars; its contents tell of what kind it is.

    Raises InputError where it is none, or cannot be read.
    """
    text = "" if _is_binary(path) else read_text(path, WHAT, max_bytes=MAX_BYTES)
    if _APERTURES.search(text):
        return _of_aij(read_apertures(path), "apertures of AstroImageJ")
    lines = [line for line in text.splitlines() if line.split("#")[0].strip()]
    if lines and _RADEC.match(lines[0].strip()):
        return _of_aij(read_radec(path), "places of AstroImageJ")
    try:
        return _of_table(*read_listing(path))
    except InputError as error:
        msg = f"{path}: {str(error).removeprefix(f'{path.name}: ')}; wanted is {KNOWN}"
        raise InputError(msg) from error


def _is_binary(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False  # what a pipe holds comes once
        with path.open("rb") as file:
            return file.read(6) == b"SIMPLE"
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror or error}"
        raise InputError(msg) from error


def _of_aij(found: ApertureSettings, kind: str) -> StarList:
    """Take AstroImageJ's stars: T1 is the target, C compared with, the other T left alone."""
    stars: list[Listed] = []
    for k, name in enumerate(found.names):
        sky = (float(found.ra_deg[k]), float(found.dec_deg[k]))
        on_sky = bool(np.isfinite(sky).all())
        pixels = f"{found.x_ij[k]:.3f},{found.y_ij[k]:.3f}ij"
        place = _written(*sky) if on_sky else pixels
        first = not any(star.role is StarRole.TARGET for star in stars)
        role = StarRole.COMPARISON if found.comparison[k] else StarRole.TARGET
        if role is StarRole.COMPARISON or first:
            stars.append(Listed(name, role, place, sky if on_sky else None))
    return StarList(
        kind, tuple(stars), found.radius if found.fwhm_factor is None else None, found.annulus
    )


def _of_table(table: Table, sky: tuple[str, str] | None) -> StarList:
    """Take a table of stars: places on the sky where it has any, else pixels."""
    words = COLUMNS.stars
    known = {_plain(name): name for name in reversed(table.colnames)}

    def column(names: Sequence[str]) -> str | None:
        return next((known[_plain(n)] for n in names if _plain(n) in known), None)

    pairs = [
        (unit, x, y)
        for unit, known_pairs in words.pixels.items()
        for x, y in ((column([name]) for name in pair) for pair in known_pairs)
        if x is not None and y is not None
    ]
    if sky is None and not pairs:
        there = ", ".join(str(name)[:20] for name in table.colnames[:6])
        msg = f"no columns of places among {there}"
        raise InputError(msg)
    if len(table) > MAX_STARS:
        msg = f"{len(table)} stars: a catalogue; at most {MAX_STARS} can be named"
        raise InputError(msg)
    names, roles = column(words.names), column(words.roles)
    if roles:
        _warn_of_roles([str(row[roles]) for row in table], words.kinds)
    stars = []
    for k, row in enumerate(table):
        name = str(row[names]).strip() if names else f"row {k + 1}"
        role = _role(str(row[roles]), words.kinds) if roles else _role_by_name(name)
        if role is StarRole.FIELD:
            continue
        if sky is not None:
            place = float(row[sky[0]]), float(row[sky[1]])
            stars.append(Listed(name, role, _written(*place), place))
        else:
            unit, x, y = pairs[0]
            stars.append(Listed(name, role, f"{row[x]},{row[y]}{unit}"))
    kind = "a table of places on the sky" if sky else f"a table of pixels ({pairs[0][0]})"
    return StarList(kind, tuple(stars))


def _written(ra: float, dec: float) -> str:
    """Write a place so that nothing can take it for pixels."""
    return format_coordinates(ra, dec).replace(" ", ",")


def _role(word: str, kinds: Mapping[str, Sequence[str]]) -> StarRole | None:
    """Read what a star is for; those of which nothing is said are compared with."""
    plain = _plain(word)
    found = next((role for role, known in kinds.items() if plain in known), StarRole.COMPARISON)
    return None if found == "excluded" else StarRole(found)


def _warn_of_roles(given: Sequence[str], kinds: Mapping[str, Sequence[str]]) -> None:
    """Say which words are no roles: a check star that is misspelt is compared with."""
    known = {word for some in kinds.values() for word in some} | {""}
    other = sorted({word for word in given if _plain(word) not in known and _plain(word) != "nan"})
    if other:
        shown = ", ".join(repr(word[:20]) for word in other[:SHOWN])
        roles = ", ".join(kinds)
        log.warning("list of stars: no roles, so compared with: %s; roles: %s", shown, roles)


def _role_by_name(name: str) -> StarRole:
    """Tell what a star is for by a name such as T1, C2, K3; any other is compared with."""
    letter = re.fullmatch(r"([TCK])\d+", name)
    roles = {"T": StarRole.TARGET, "K": StarRole.CHECK}
    return roles.get(letter[1], StarRole.COMPARISON) if letter else StarRole.COMPARISON


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
