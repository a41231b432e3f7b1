"""Magnitudes of a star on a standard system, by the catalogued stars of its own frames.

Every star of the runs is held against the ensemble of comparison stars; the mean magnitudes of
those that a catalogue has tie the ensemble to its system, with a colour term where there is one
(fitted, or the observer's own). Each frame's magnitude follows from the star's light over the
ensemble's.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.catalogs.bands import LIKE
from lightcurve.catalogs.crossmatch import crossmatch
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.flags import NO_POINT
from lightcurve.core.settings import STANDARDS, Settings
from lightcurve.image.reduced import Standards
from lightcurve.image.sky import ask, choose_standards, order_of, refusal, wanted_band
from lightcurve.phot.zero_point import POGSON, ZeroPoint, fit_zero_point
from lightcurve.variables.field import Compared, Field, compare_all
from lightcurve.variables.known import sky_of

log = logging.getLogger(__name__)
PRESENT = 0.5  # of the frames, that a standard is good in
MIN_COLOURED = 10  # standards with a colour, for a colour term to be fitted
OFF = 3.0  # errors, that a check star may be off


@dataclass(frozen=True, slots=True)
class Transformation:
    """A colour term of the observer's own: magnitude changes by it for each unit of colour.

    Attributes
    ----------
    value, err : float
    target_colour : float or None
        Of the star, where the catalogue does not have it.

    Raises
    ------
    InputError
        Where one of them is no finite number, or the error is negative.
    """

    value: float | None = None
    err: float = 0.0
    target_colour: float | None = None

    def __post_init__(self) -> None:
        """Refuse what would make magnitudes of no value."""
        told = (self.value or 0.0, self.err, self.target_colour or 0.0)
        if not all(map(math.isfinite, told)) or self.err < 0:
            msg = f"--transform {self.value} {self.err}, --target-colour {self.target_colour}: "
            msg += "finite numbers are needed, and no negative error"
            raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A check star.

    Attributes
    ----------
    name : str
    place : tuple of float
        Right ascension and declination, degrees: names are of the run.
    magnitude : (n,) float array
        In each frame of the field, NaN where it was not measured.
    mean, scatter : float
    catalogued, catalogued_err : float
        NaN where the catalogue does not have it.
    off, off_err : float
        Of its mean from the catalogue; the error holds the zero point's, the catalogue's, and how
        standards differ from their catalogue.
    """

    name: str
    place: tuple[float, float]
    magnitude: np.ndarray
    mean: float
    scatter: float
    catalogued: float
    catalogued_err: float
    off: float
    off_err: float

    @property
    def agrees(self) -> bool:
        """Whether it is where the catalogue has it; true where nothing tells."""
        return not abs(self.off) > OFF * self.off_err


@dataclass(frozen=True, slots=True, eq=False)
class Tied:
    """A star's magnitudes.

    Attributes
    ----------
    rows : (m,) int array
        Of the field's frames, in order of time.
    magnitude, error : (m,) float arrays
        Of each point, its own noise alone.
    common_err : float
        What all have in common: zero point, and colour.
    zero_point : ZeroPoint
        Of the mean magnitudes of the standards; its colour term may be the observer's.
    standards : Standards
        The catalogue's.
    transformed : bool
        Whether the star's colour was allowed for.
    colour : float
        Of the star; NaN where it is not known.
    """

    rows: np.ndarray
    magnitude: np.ndarray
    error: np.ndarray
    common_err: float
    zero_point: ZeroPoint
    standards: Standards
    transformed: bool
    colour: float
    check: Check | None

    @property
    def total(self) -> np.ndarray:
        """Error of each point with what all have in common, (m,)."""
        return np.hypot(self.error, self.common_err)


def tie_to_standards(
    field: Field, settings: Settings, transformation: Transformation
) -> tuple[Tied, Compared]:
    """Work out the target's magnitudes in each frame.

    Raises InputError where no catalogue has the band, or a value of the transformation is missing;
    FitError where too few standards are among the stars.
    """
    band, note = wanted_band(field.filter or None, settings.image)
    if band is None:
        msg = f"{note}: --band names the band of the magnitudes"
        raise InputError(msg)
    sky = sky_of(field)
    of_standards = {"services": settings.image.services or (STANDARDS,)}
    image = settings.image.model_copy(update=of_standards)
    known = ask(sky, band, settings.model_copy(update={"image": image}))
    order = order_of(known.by_hand, band, sky.dec_deg, settings.image)
    standards = choose_standards(known.catalogs, band, order)
    if standards is None:
        raise InputError(refusal(band, known.catalogs))
    clear = "the AAVSO takes CV with magnitudes of V: --band V" if field.filter == "CV" else ""
    for text in (note, *standards.notes, "" if band == "V" else clear):
        if text:
            log.warning(text)
    compared = compare_all(field)
    row = pair(field, standards)
    serves = serving(field, standards, row)
    zero_point = fit_zero(compared, standards, (row, serves), settings, transformation)
    tied = _magnitudes(field, compared, standards, row, zero_point, transformation)
    return tied, compared


def pair(field: Field, standards: Standards) -> np.ndarray:
    """Find each star's row in the catalogue, (s,) int; -1 where it has none."""
    catalog = standards.catalog
    reach = max(1.0, field.scale_arcsec / 2)
    pairs = crossmatch(
        (field.ra_deg, field.dec_deg, reach / 2),
        (catalog.ra_deg, catalog.dec_deg, catalog.error_arcsec),
    )
    row = np.full(len(field.name), -1)
    row[pairs.source[pairs.mutual]] = pairs.row[pairs.mutual]
    return row


def serving(field: Field, standards: Standards, row: np.ndarray) -> np.ndarray:
    """Tell the stars that may calibrate, (s,) bool: neither the target nor a check star."""
    serves = (row >= 0) & (field.good.mean(axis=0) >= PRESENT) & ~field.check
    serves[0] = False
    serves[row >= 0] &= standards.reasons[row[row >= 0]] == ""
    return np.asarray(serves)


def fit_zero(
    compared: Compared,
    standards: Standards,
    paired: tuple[np.ndarray, np.ndarray],
    settings: Settings,
    transformation: Transformation,
) -> ZeroPoint:
    """Tie mean instrumental magnitudes to the catalogue; paired: rows and which serve, (s,) each.

    Raises FitError where too few stars serve.
    """
    row, serves = paired
    stars = np.flatnonzero(serves)
    at = row[stars]
    relative = compared.relative[:, stars]
    count = np.maximum(np.isfinite(relative).sum(axis=0), 1)
    noise = POGSON * np.nanstd(relative, axis=0) / np.sqrt(count) if len(stars) else np.zeros(0)
    inst = -2.5 * np.log10(compared.level[stars])
    colour = standards.colour[at]
    told = transformation.value
    fitted = told is None and settings.image.colour_term
    if fitted and np.isfinite(colour).sum() < MIN_COLOURED:
        msg = (
            f"{np.isfinite(colour).sum()} standards have a colour, {MIN_COLOURED} are needed for a "
            "colour term: leave --colour-term out, or give --transform"
        )
        raise FitError(msg)
    mag, error = standards.mag[at], standards.mag_err[at]
    if told is None:
        return fit_zero_point(inst, noise, mag, error, colour=colour if fitted else None)
    if not np.isfinite(colour).any():
        msg = f"no standard of {standards.catalog.title} has a colour, which --transform needs"
        raise FitError(msg)
    mean = float(np.nanmedian(colour))
    zero = fit_zero_point(inst, noise, mag - told * (colour - mean), error)
    return replace(zero, colour_term=told, colour_term_err=transformation.err, colour_mean=mean)


def _magnitudes(
    field: Field,
    compared: Compared,
    standards: Standards,
    row: np.ndarray,
    zero: ZeroPoint,
    transformation: Transformation,
) -> Tied:
    """Bring the target and the check star onto the system."""
    colour = transformation.target_colour
    if colour is None:
        colour = float(standards.colour[row[0]]) if row[0] >= 0 else math.nan
    away = colour - zero.colour_mean
    transformed = zero.colour_term != 0 and math.isfinite(away)
    if zero.colour_term != 0 and not transformed:
        log.warning("the star's colour is not known: --target-colour; it is not transformed")
    whole = magnitudes_of(compared, 0, zero, colour)
    good = np.isfinite(whole) & ((field.flags & int(NO_POINT)) == 0)
    rows = np.flatnonzero(good)[np.argsort(field.time[good], kind="stable")]
    if not len(rows):
        msg = "no usable point of the target; see the flags in lightcurve.csv"
        raise InputError(msg)
    error = POGSON * compared.error[rows, 0] / compared.relative[rows, 0]
    common = math.hypot(zero.err, zero.colour_term_err * away if transformed else 0.0)
    standard = transformed and (field.filter not in LIKE) and not standards.near
    return Tied(
        rows, whole[rows], error, common, zero, standards, standard, colour,
        _check(field, compared, standards, row, zero),
    )  # fmt: skip


def magnitudes_of(compared: Compared, k: int, zero: ZeroPoint, colour: float) -> np.ndarray:
    """Work out a star's magnitude in each frame, (n,); NaN where it was not measured."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = zero.value - 2.5 * np.log10(compared.level[k] * compared.relative[:, k])
    away = colour - zero.colour_mean
    return np.asarray(mag + (zero.colour_term * away if math.isfinite(away) else 0.0))


def _check(
    field: Field, compared: Compared, standards: Standards, row: np.ndarray, zero: ZeroPoint
) -> Check | None:
    """Hold the check star that was measured most often against the catalogue."""
    checks = np.flatnonzero(field.check & ~np.isin(np.arange(len(row)), compared.members))
    if not len(checks):
        return None
    k = int(checks[np.argmax(np.isfinite(compared.relative[:, checks]).sum(axis=0))])
    there = row[k] >= 0
    colour = float(standards.colour[row[k]]) if there else math.nan
    mag = magnitudes_of(compared, k, zero, colour)
    known = mag[np.isfinite(mag)]
    if not len(known):
        return None
    catalogued = float(standards.mag[row[k]]) if there else math.nan
    catalogued_err = float(np.nan_to_num(standards.mag_err[row[k]])) if there else math.nan
    mean = float(np.median(known))
    scatter = float(np.std(known))
    off_err = math.sqrt(
        zero.err**2 + zero.intrinsic**2 + catalogued_err**2 + scatter**2 / len(known)
    )
    place = float(field.ra_deg[k]), float(field.dec_deg[k])
    return Check(
        str(field.name[k]), place, mag, mean, scatter, catalogued, catalogued_err,
        mean - catalogued, off_err,
    )  # fmt: skip
