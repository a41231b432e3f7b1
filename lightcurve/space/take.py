"""Files of space telescopes read, each to its light curve: the first step of the story."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lightcurve.catalogs.mast import MastWish, fetch_files
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import LightCurve
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.flags import NO_POINT
from lightcurve.core.guard import guard, reason_of
from lightcurve.core.progress import Progress
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import parse_numbers
from lightcurve.core.times import bjd_tdb
from lightcurve.setup.target import find_target
from lightcurve.tables.fits_table import is_fits, open_fits
from lightcurve.tables.light_curves import ColumnChoice, curve_of_table
from lightcurve.tables.missions import BY_BITS
from lightcurve.tables.pixel_file import PixelFile

log = logging.getLogger(__name__)
FILES = (".fits", ".fits.gz", ".fit")
SAME_STAR_DEG = 0.02  # three pixels of TESS


@dataclass(frozen=True, slots=True, eq=False)
class SpaceCurve:
    """One file's light curve.

    Attributes
    ----------
    told : mapping of str to str
        Cards of the file.
    quality : (n,) float array
        The mission's bits; 0 where the file has none.
    pixels : PixelFile or None
        Where it is of pixels.
    """

    label: str
    path: Path
    curve: LightCurve
    told: Mapping[str, str]
    quality: np.ndarray
    pixels: PixelFile | None

    @property
    def notes(self) -> list[str]:
        """What was done to it."""
        return [str(note) for note in self.curve.source.notes] if self.curve.source else []

    @property
    def place(self) -> tuple[float, float] | None:
        """RA and Dec of its star, degrees; None where the file does not tell."""
        found = parse_numbers([self.told.get("RA_OBJ", ""), self.told.get("DEC_OBJ", "")])
        known = found is not None and np.isfinite(found).all()
        return (float(found[0]), float(found[1])) if known and found is not None else None

    @property
    def good(self) -> np.ndarray:
        """Points that have a time and a flux, and no flag, (n,) bool."""
        good = np.isfinite(self.curve.bjd_tdb) & np.isfinite(self.curve.flux)
        return np.asarray(good & ((self.curve.flags & int(NO_POINT)) == 0))


def gather(
    inputs: Sequence[str], settings: Settings, out: Path, wish: MastWish
) -> tuple[list[Path], Settings]:
    """List files of paths and folders, or fetch those of a star by its name.

    A star's name also stands for its planet, where the settings name none: settings beside them.
    Raises InputError where there is no file, and CatalogError where none can be fetched.
    """
    paths = [Path(one) for one in inputs]
    names = [one for one, path in zip(inputs, paths, strict=True) if _is_name(one, path)]
    if not names:
        return find_files(paths, out), settings
    if len(inputs) > 1:
        msg = f"{names[0]}: there is no such file or folder, and a star's name stands alone"
        raise InputError(msg)
    star = find_target(settings.target.model_copy(update={"name": names[0]}), settings.catalogs)
    log.info("%s: %.5f %+.5f, %s", star.name, star.ra_deg, star.dec_deg, star.source)
    files = fetch_files(star.ra_deg, star.dec_deg, wish, settings.catalogs, out / "downloads")
    for file in files:
        log.info("fetched from MAST: %s", file.name)
    if not settings.target.planet_file and star.planet is not None:
        target = settings.target.model_copy(update={"name": names[0]})
        settings = settings.model_copy(update={"target": target})
    return files, settings


def _is_name(text: str, path: Path) -> bool:
    """Whether what is given can be no path, but a star."""
    return not path.exists() and "/" not in text and not text.lower().endswith((*FILES, ".gz"))


def find_files(paths: Sequence[Path], out: Path) -> list[Path]:
    """List the files of paths and folders but those we wrote; InputError where there is none."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            msg = f"{path}: there is no such file or folder"
            raise InputError(msg)
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [p for p in inside if p == path or p.name.lower().endswith(FILES)]
    ours = out.resolve() / "lightcurves"
    files = [p.resolve() for p in found if p.is_file()]
    files = [p for p in files if not p.is_relative_to(ours)]
    if not files:
        msg = f"no FITS file in {', '.join(map(str, paths))}"
        raise InputError(msg)
    return list(dict.fromkeys(files))


def take_all(
    files: Sequence[Path], choice: ColumnChoice, progress: Progress
) -> tuple[SpaceCurve, ...]:
    """Read each file, in the order of time; those that cannot be are told, and none is an error.

    Raises InputError, of the only one, or of all.
    """
    curves, refused = [], []
    labels = labels_of(files)
    pairs = list(zip(files, labels, strict=True))
    for path, label in progress(pairs, "reading", len(pairs)):
        try:
            with guard(partial(InputError, file=path.name)):
                curves.append(take_one(path, label, choice))
        except LightcurveError as error:
            if len(files) == 1:
                raise
            refused.append(reason_of(error, path.name, path.name))
            log.warning("%s: left out: %s", path.name, refused[-1])
    if not curves:
        msg = f"none of {len(files)} files can be read; the first: {refused[0]}"
        raise InputError(msg)
    return tuple(sorted(curves, key=lambda one: float(np.nanmin(one.curve.bjd_tdb))))


def labels_of(files: Sequence[Path]) -> list[str]:
    """Name files by their stems, with a number where two are alike."""
    stems = [path.name.split(".fit")[0] for path in files]
    return [
        stem if stems.count(stem) == 1 else f"{stem}-{stems[:k].count(stem) + 1}"
        for k, stem in enumerate(stems)
    ]


def take_one(path: Path, label: str, choice: ColumnChoice) -> SpaceCurve:
    """Read one file; raises InputError where it holds no light curve."""
    if not is_fits(path) and not path.name.endswith(".gz"):
        msg = "no FITS file: `fit` and `season` take tables of text"
        raise InputError(msg, file=path.name)
    found = open_fits(path)
    pixels = found if isinstance(found, PixelFile) else None
    table = found.table if isinstance(found, PixelFile) else found
    curve = curve_of_table(table, choice)
    bits = next((v for n, v in table.columns.items() if n.lower() in BY_BITS), np.zeros(len(table)))
    one = SpaceCurve(label, path, curve, table.told, bits, pixels)
    if np.isfinite(curve.bjd_tdb).any():
        return one
    if one.place is None:
        msg = "its times are the spacecraft's, and it does not say where its star is"
        raise InputError(msg, file=path.name)
    own = bjd_tdb(curve.jd_utc, *one.place, None)
    return replace(one, curve=replace(curve, bjd_tdb=own))


def check_one_star(curves: Sequence[SpaceCurve]) -> None:
    """Refuse files of several stars: InputError."""
    known = [(one.label, one.place) for one in curves if one.place is not None]
    for label, place in known[1:]:
        first, where = known[0]
        if place and where and (apart := degrees_apart(place, where)) > SAME_STAR_DEG:
            msg = f"{label} is of another star than {first}, {apart:.3g} deg away: one at a time"
            raise InputError(msg)
